"""A model in memory: how many questions fit, what happens where they don't, and the seed of each."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hope_bench.adapters import in_memory as in_memory_
from hope_bench.adapters.base import AdapterReport, RawAnswer, draw_seed
from hope_bench.adapters.budget import Budget
from hope_bench.adapters.in_memory import InMemory, _middle
from hope_bench.files.card import ModelCard, Sampling
from hope_bench.files.language import AnswerWords


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(1, 6), st.integers(1, 90))
def test_forwards_hold_as_few_parts_as_fit(tokens: list[int], questions: int, most: int) -> None:
    parts = Budget(questions, most).parts("rows", tokens)
    assert [place for part in parts for place in part] == list(range(len(tokens)))
    assert len(parts) == max(1, -(-len(tokens) // questions), min(len(tokens), -(-sum(tokens) // most)))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= questions


def test_what_ran_out_of_memory_is_cut_in_halves() -> None:
    budget = Budget(99, 9999)
    tokens = [10] * 7
    for error in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: out of memory")):
        with pytest.raises(torch.OutOfMemoryError), budget.forward("rows", 40):
            raise error
    with pytest.raises(torch.OutOfMemoryError), budget.forward("rows", 50):
        raise torch.OutOfMemoryError
    with pytest.raises(RuntimeError, match="odd"), budget.forward("plain", 1):
        raise RuntimeError("odd")
    assert budget.learnt == {"rows": 40}
    assert budget.parts("plain", tokens) == [range(7)]
    assert budget.parts("rows", tokens) == [range(3), range(3, 5), range(5, 7)], "of 30 and 40, of which the latter is cut"
    assert budget.parts("rows", tokens[:3]) == [range(3)]
    assert budget.parts("rows", tokens[:4]) == [range(2), range(2, 4)]
    assert budget.parts("rows", [99]) == [range(1)]
    assert budget.parts("rows", tokens[:4], lambda part: 9 * len(part)) == [range(4)]
    assert budget.parts("rows", [1] * 4, lambda part: 20 * len(part)) == [range(1), range(1, 2), range(2, 3), range(3, 4)]


def hashed(value: object) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def in_memory(**settings: Any) -> InMemory:
    return InMemory(ModelCard(name="m", checkpoint="c").model_copy(update=settings), torch.device("cpu"), lambda _: None)


def test_each_answer_is_drawn_from_a_seed_of_its_own() -> None:
    assert draw_seed(3, "a.png", "q", 1) == int(hashed([3, "a.png", "q", 1])[:8], 16) % 2**31
    one, other = Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1))
    one.info["file_name"] = "a.png"
    batch = [(one, "q"), (other, "r")]
    model = in_memory(sampling=Sampling(), seed=3)
    assert model._seeds(batch, [1, 2]) == [draw_seed(3, "a.png", "q", 1), draw_seed(3, "None", "r", 2)]
    assert model._seeds(batch, []) == [draw_seed(3, "a.png", "q", 0), draw_seed(3, "None", "r", 0)]
    assert in_memory()._seeds(batch, [1, 2]) is None


def test_a_tokenizer_that_pads_with_nothing_pads_as_its_model_does(monkeypatch: pytest.MonkeyPatch) -> None:
    sampled: list[Any] = []
    for name in ("known_inputs", "find_yes_no", "Encoder", "Paths"):
        monkeypatch.setattr(in_memory_, name, lambda *_: None)
    monkeypatch.setattr(in_memory_, "Decoder", lambda *given: sampled.append(given[-1]))
    monkeypatch.setattr(in_memory_, "decoding_settings", lambda *_: SimpleNamespace(pad_token_id=9))
    for own, pads in ((None, 9), (0, 0), (3, 3)):
        tokenizer = SimpleNamespace(pad_token_id=own, get_vocab=dict)
        made: Any = (SimpleNamespace(dtype=None), SimpleNamespace(tokenizer=tokenizer), SimpleNamespace(thinks=False), None)
        in_memory(sampling=Sampling(top_k=5) if own else None)._ready(*made)
        assert tokenizer.pad_token_id == pads
    assert sampled == [None, None, Sampling(top_k=5).chosen]


def test_words_and_questions_are_taken_once_a_model_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(in_memory_, "find_yes_no", lambda *given: ("english", *given))
    monkeypatch.setattr(in_memory_, "find_own_yes_no", lambda *given: ("own", *given))
    model = in_memory()
    model.read_words(None)
    model.prepare([])
    model._paths = cast(Any, SimpleNamespace(read_tokens=told.append, take=lambda *given: told.append(given)))
    model.read_words(None)
    model.prepare([])
    model._encoder = cast(
        Any, SimpleNamespace(vocabulary=lambda: "vocabulary", token_ids="encode", rows=lambda batch: [*batch, 1])
    )
    german = AnswerWords(code="de", yes=("ja",), no=("nein",))
    model.read_words(None)
    model.read_words(german)
    model.prepare([])
    assert told == [("english", "vocabulary"), ("own", "vocabulary", german, "encode"), ([], [1])]


class Halving:
    """Paths that hold two questions at most, of which the second picture's alone are too much."""

    def __init__(self, learns: Callable[[], None] = lambda: None) -> None:
        self.sizes: list[int] = []
        self._learns = learns

    def answer(self, batch: Sequence[Any], seeds: Sequence[int] | None) -> list[RawAnswer]:
        self.sizes.append(len(batch))
        if len(batch) > 2 or any(text == "large" for _, text in batch):
            self._learns()
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [RawAnswer(f"{text} {seeds[place] if seeds else ''}".strip()) for place, (_, text) in enumerate(batch)]


def test_a_batch_is_halved_between_two_images() -> None:
    one, other = Image.new("RGB", (1, 1)), Image.new("RGB", (2, 2))
    batch = [(one, "a"), (one, "b"), (other, "c"), (other, "large"), (other, "d"), (other, "e"), (other, "f")]
    paths, model = Halving(), in_memory()
    found = model._answer(cast(Any, paths), batch, list(range(7)))
    large = "one question alone needs more memory than there is (OutOfMemoryError: CUDA out of memory)"
    assert [one.text or one.error for one in found] == ["a 0", "b 1", "c 2", large, "d 4", "e 5", "f 6"]
    assert paths.sizes == [7, 2, 5, 3, 2, 1, 1, 1, 2]
    assert [one.text for one in model._answer(cast(Any, Halving()), [(one, text) for text in "abcd"], None)] == list("abcd")


def test_what_was_learnt_about_memory_is_said_once_and_tried() -> None:
    said: list[str] = []
    model = InMemory(ModelCard(name="m", checkpoint="c"), torch.device("cpu"), said.append)
    tokens = iter([4000, 2000])

    def learn() -> None:
        if (size := next(tokens, None)) is not None:
            model._budget._too_many["rows"] = size

    paths = Halving(learn)
    image = Image.new("RGB", (1, 1))
    assert [one.text for one in model._answer(cast(Any, paths), [(image, text) for text in "abc"], None)] == list("abc")
    assert paths.sizes == [3, 3, 3, 2, 1]
    assert said == ["4,000 tokens at once don't fit in memory; going on with fewer (see --batch-tokens)."]


def test_a_batch_is_cut_between_two_images_as_near_to_its_middle_as_can_be() -> None:
    pictures = [Image.new("RGB", (1, 1)) for _ in range(4)]
    for size in range(2, 7):
        for numbers in itertools.combinations_with_replacement(range(4), size):
            borders = [place for place in range(1, size) if numbers[place] != numbers[place - 1]]
            middle = size // 2 + size % 2
            near = min((abs(place - middle) for place in borders), default=0)
            cut = _middle([(pictures[number], "q") for number in numbers])
            assert abs(cut - middle) == near
            assert cut in (borders or [middle])


def test_a_gpus_memory_and_name_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda gpu: 100 - gpu)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"H200 of {device}")
    for name, memory, words in (("cuda:1", 100, "cuda:1 (H200 of cuda:1)"), ("cpu", None, "cpu")):
        model = InMemory(ModelCard(name="m", checkpoint="c"), torch.device(name), lambda _: None)
        assert model._device_in_words() == words
        assert model.report == AdapterReport()
        model._paths = cast(Any, SimpleNamespace(taken={"plain", "shared"}, checks=[]))
        assert model.report == AdapterReport("shared and plain", (), memory)
        model._paths = cast(Any, SimpleNamespace(taken=set(), checks=[]))
        assert model.report.path is None
