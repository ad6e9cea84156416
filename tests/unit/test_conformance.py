"""Every family through the adapter: the shared prefix gives what asking one by one gives, or is refused by the self-check.

The oracle is one forward over the whole prompt, a batch of one, no cache and no padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from hope_bench.adapters import shared_prefix
from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.budget import Budget, Forward
from hope_bench.adapters.encoding import Encoder, NotShareableError, media_tokens, rows_of_image
from hope_bench.adapters.loading import load_model
from hope_bench.adapters.self_check import choose
from hope_bench.adapters.shared_prefix import SharedPrefix
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.card import ModelCard
from tests.checkpoints import FAMILIES, pictures, prompts, template_of
from tests.families import MORE_FAMILIES
from tests.latest_families import LATEST_FAMILIES
from tests.recent_families import RECENT_FAMILIES
from tests.soak import SOAK

Checkpoint = Callable[[str], Path]
NOT_SHAREABLE = ("paligemma", "paligemma2", "instructblip")
ALL = [*FAMILIES, *MORE_FAMILIES, *RECENT_FAMILIES, *LATEST_FAMILIES]
SHAREABLE = [family for family in ALL if family not in NOT_SHAREABLE]
PACKED = (
    "llava", "llava_next", "llava_onevision", "internvl", "idefics3", "smolvlm", "blip_2", "pixtral", "mistral3", "deepseek_vl",
    "ovis2", "vipllava", "idefics2", "granite4_vision", "perception_lm", "fast_vlm", "kimi_k25",
)  # fmt: skip
"""Where an image's questions can stand behind each other in one row."""
ALONE = ("minicpmv4_6", "minicpmv4_7", "molmo2")
"""Where images can't be computed together: their pixels don't stand in rows."""
LIKE_ANOTHER = (
    "llava_mistral", "vipllava", "paligemma2", "qwen2_vl", "qwen3_vl_moe", "qwen3_5_moe", "glm46v", "minicpmv4_7", "aya_vision",
)  # fmt: skip
"""Families that make test asks no more than their next of kin: make soak asks all."""
QUESTIONS = 7 if SOAK else 5
EACH_WAY = ("llava", "qwen2_5_vl", "gemma3n", "mllama", "qwen3_5", "paligemma", "instructblip", "minicpmv4_6")
"""A family for each way of asking: packed, with M-RoPE offsets, in padded rows with sliding windows, with cross-attention, with
linear attention, plainly in batches, one by one, and image by image. In make soak all families are asked so."""

ON_LOGITS = SHAREABLE if SOAK else ("llava", "idefics3", "qwen2_5_vl", "gemma3n", "mllama", "qwen3_5", "minicpmv4_6")
"""Families whose shared logits are looked at directly; every family's answers and P(yes) are compared."""

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*")


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """These models are too small for threads, which only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def loaded(checkpoint: Checkpoint) -> Callable[..., TransformersModel]:
    """A fresh adapter on a family's tiny checkpoint, whose weights are read once and copied."""
    read: dict[tuple[str, torch.dtype], Any] = {}

    def copied(folder: str, dtype: torch.dtype, *more: Any) -> Any:
        if (folder, dtype) not in read:
            read[folder, dtype] = load_model(folder, dtype, *more)
        return deepcopy(read[folder, dtype])

    def load(
        family: str, say: Callable[[str], None] = lambda _: None, together: bool = False, **settings: Any
    ) -> TransformersModel:
        fields = {"device": "cpu", "max_new_tokens": 5, **template_of(family), **settings}
        model = TransformersModel(ModelCard(name="tiny", checkpoint=str(checkpoint(family)), **fields), say)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hope_bench.adapters.transformers_model.load_model", copied)
            model.load()
        assert model._paths is not None
        model._paths.together = together
        return model

    return load


def questions_of(images: list[Image.Image], count: int = QUESTIONS) -> list[tuple[Image.Image, str]]:
    """Questions of several lengths about each image, other ones about the next."""
    asked = prompts(count + len(images))
    return [(image, prompt) for place, image in enumerate(images) for prompt in asked[place : place + count]]


BATCH = questions_of(pictures(5))
"""Five images of four shapes, the first and the last of one."""
FEW = questions_of(pictures(5), 4)
"""Fewer questions about them, for what is answered one by one."""
LEAST = questions_of(pictures(2), 3)
"""Fewer still, of two shapes, for the families that are asked in a way of EACH_WAY. In make soak they get FEW."""


def one_by_one(model: TransformersModel, batch: list[tuple[Image.Image, str]]) -> torch.Tensor:
    """float32 [n, V]: plain forwards, nothing shared with the code under test but the processor."""
    assert model._paths is not None
    encoder = model._paths._decoder.encoder
    with torch.inference_mode():
        return torch.cat([model._model(**encoder.row(*pair), use_cache=False).logits[:, -1].float() for pair in batch])


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """ENGINE.md's measure, written again."""
    spread = (expected - expected.mean(0)).pow(2).mean().sqrt()
    return float((found - expected).pow(2).mean().sqrt() / spread)


@pytest.mark.parametrize("family", ["llava", "qwen2_vl", "blip_2"])
def test_logits_at_places_that_all_rows_share(
    family: str, loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As transformers gave them before 5.21."""
    monkeypatch.setattr(shared_prefix, "_EACH_ROWS_OWN", False)
    test_shared_logits_are_those_of_asking_one_by_one(family, loaded)


@pytest.mark.parametrize("family", ON_LOGITS)
def test_shared_logits_are_those_of_asking_one_by_one(family: str, loaded: Callable[..., TransformersModel]) -> None:
    model = loaded(family)
    assert model._paths is not None
    decoder = model._paths._decoder
    shared = SharedPrefix(model._model, media_tokens(model._model), decoder.settings.pad_token_id)
    with torch.inference_mode():
        images = [
            rows_of_image([decoder.encoder.row(*pair) for pair in BATCH[start : start + QUESTIONS]])
            for start in range(0, len(BATCH), QUESTIONS)
        ]
        found, packed = {}, {}
        for stack in shared.alike(images) if family not in ALONE else [[i] for i in range(len(images))]:
            prefix = shared.prefix([images[i] for i in stack])
            places = [i * QUESTIONS + n for i in stack for n in range(QUESTIONS)]
            found |= zip(places, shared.logits(prefix, range(len(prefix.rows))), strict=True)
            if shared.packable(prefix):
                packed |= zip(places, shared.packed_logits(prefix, range(len(prefix.rows))), strict=True)
    expected = one_by_one(model, BATCH)
    assert bool(packed) == (family in PACKED)
    for way in (found, packed) if packed else (found,):
        together = torch.stack([way[place] for place in range(len(BATCH))])
        assert relative(together, expected) <= 1e-3
        for start in range(0, len(BATCH), QUESTIONS):
            image = slice(start, start + QUESTIONS)
            assert relative(together[image], expected[image]) <= 1e-3


@pytest.mark.parametrize("family", [family for family in ALL if SOAK or family not in LIKE_ANOTHER])
def test_the_path_taken_and_answers_equal_to_the_plain_ones(family: str, loaded: Callable[..., TransformersModel]) -> None:
    said: list[str] = []
    model, plain = loaded(family, said.append), loaded(family, path="plain")
    batch = FEW if family in EACH_WAY or SOAK else LEAST
    same(model.answer(batch), [answer for pair in batch for answer in plain.answer([pair])])
    refused = family in NOT_SHAREABLE
    assert model.report.path == ("plain" if refused else "shared")
    checks = [check for check in model.report.checks if check.what.startswith("shared")]
    assert [check.passed for check in checks] == [not refused] * len(checks)
    assert bool(checks) == (family != "instructblip"), "its inputs tell already"
    assert any("not asked on a shared prefix" in line for line in said) == refused
    if checks:
        assert all((check.difference or 0) > 0.1 if refused else (check.difference or 0) < 1e-4 for check in checks)


def same(found: list[RawAnswer], expected: list[RawAnswer]) -> None:
    """Equal verdicts, and P(yes) as near as ENGINE.md promises."""
    assert [(a.text, a.complete, a.error) for a in found] == [(a.text, a.complete, a.error) for a in expected]
    assert [a.p_yes for a in found] == pytest.approx([a.p_yes for a in expected], abs=1e-4)
    assert [a.mass for a in found] == pytest.approx([a.mass for a in expected], abs=1e-4)


@pytest.mark.parametrize("family", ALL if SOAK else EACH_WAY)
def test_answers_depend_on_no_order_batch_size_or_neighbour(family: str, loaded: Callable[..., TransformersModel]) -> None:
    batch = FEW[:12]
    together = loaded(family).answer(batch)
    stacking = loaded(family, together=True)
    same(stacking.answer(batch), together)
    same(stacking.answer(batch[::-1])[::-1], together)
    same(loaded(family, batch_size=4).answer(batch), together)


def test_a_family_whose_padding_leaks_is_asked_one_by_one(loaded: Callable[..., TransformersModel]) -> None:
    """InstructBLIP's Q-Former, with its own tokenizer padding on the wrong side."""
    said: list[str] = []
    model = loaded("instructblip", said.append)
    assert model._paths is not None
    model._paths._decoder.encoder._processor.qformer_tokenizer.padding_side = "left"
    same(model.answer(BATCH[:4]), [answer for pair in BATCH[:4] for answer in loaded("instructblip").answer([pair])])
    assert [check.passed for check in model.report.checks] == [False]
    assert "asked one by one" in said[-1]


def test_a_first_batch_without_padding_hides_no_leak(loaded: Callable[..., TransformersModel]) -> None:
    model = loaded("instructblip")
    assert model._paths is not None
    model._paths._decoder.encoder._processor.qformer_tokenizer.padding_side = "left"
    rows = model._paths._decoder.encoder.rows(pairs := [(BATCH[0][0], prompt) for prompt in prompts(40)])
    lengths = [tuple(row[name].shape[1] for name in ("input_ids", "qformer_input_ids")) for row in rows]
    of_one_length = [pair for pair, length in zip(pairs, lengths, strict=True) if length == lengths[0]][:2]
    batch = [*of_one_length, *BATCH[:4]]
    first, rest = model.answer(of_one_length), model.answer(BATCH[:4])
    same([*first, *rest], [answer for pair in batch for answer in loaded("instructblip").answer([pair])])
    assert [check.passed for check in model.report.checks] == [False]
    assert not model._paths._rows, "no picture is kept for the probes"


def test_an_exception_in_the_shared_forward_means_the_plain_path(
    loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = loaded("llava", path="plain").answer(BATCH)

    def broken(*_: Any, **__: Any) -> torch.Tensor:
        raise TypeError("no such mask")

    monkeypatch.setattr(SharedPrefix, "packed_logits", broken)
    rows = loaded("llava")
    same(rows.answer(BATCH), expected)
    assert rows.report.path == "shared", "each question in a row of its own is tried next"
    monkeypatch.setattr(SharedPrefix, "logits", broken)
    model = loaded("llava")
    same(model.answer(BATCH), expected)
    assert model.report.path == "plain"
    assert {check.reason for check in model.report.checks if not check.passed} == {"TypeError: no such mask"}


def test_a_family_that_is_wrong_about_the_last_image_is_found_out(
    loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed together, the last of several images gets another's answers; the questions about it have no striking lengths."""
    one, other = pictures(1)[0], pictures(1)[0].rotate(180)
    words = [f"Is there a{' very' * count} old cat?" for count in range(7)]
    batch = [(one, words[place]) for place in (0, 2, 4, 5, 6)] + [(other, words[place]) for place in (1, 3)]
    model = loaded("llava", together=True)
    assert model._encoder is not None
    assert max(choose([row["input_ids"].shape[1] for row in model._encoder.rows(batch)])) < 5
    right = SharedPrefix.packed_logits

    def wrong(shared: SharedPrefix, prefix: Any, chosen: Any) -> torch.Tensor:
        logits = right(shared, prefix, chosen)
        logits[-1] += torch.arange(logits.shape[1]) % 7
        return logits

    monkeypatch.setattr(SharedPrefix, "packed_logits", wrong)
    same(model.answer(batch), loaded("llava", path="plain").answer(batch))
    assert [check.passed for check in model.report.checks if "packed" in check.what] == [False]


class Cramped:
    """A device with room for so many tokens in one forward of a kind; more runs out of it. `fit` lists the forwards that fit,
    `failed` those that don't."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: dict[str, int]) -> None:
        self.fit: list[tuple[str, int]] = []
        self.failed: list[tuple[str, int]] = []

        @contextmanager
        def forward(budget: Budget, kind: Forward, tokens: int) -> Iterator[None]:
            with at_first(budget, kind, tokens):
                if tokens > room.get(kind, tokens):
                    self.failed.append((kind, tokens))
                    raise torch.OutOfMemoryError("CUDA out of memory")
                yield
            self.fit.append((kind, tokens))

        at_first = Budget.forward
        monkeypatch.setattr(Budget, "forward", forward)


@pytest.mark.parametrize(("family", "way"), [("idefics3", "packed"), ("qwen2_5_vl", "rows"), ("paligemma", "plain")])
@pytest.mark.parametrize("together", [True, False] if SOAK else [True])
def test_out_of_memory_makes_more_forwards_and_changes_no_answer(
    family: str, way: str, together: bool, loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = loaded(family, together=together).answer(BATCH)
    said: list[str] = []
    cramped = Cramped(monkeypatch, {"packed": 90, "rows": 130, "plain": 150, "prefix": 60})
    model = loaded(family, said.append, together=together)
    same(model.answer(BATCH), whole)
    assert model.report.path == ("plain" if way == "plain" else "shared")
    assert sum("tokens at once don't fit in memory" in line for line in said) == 1

    # What is computed together doesn't depend on what was asked before: the same bytes after an interruption.
    half = 2 * QUESTIONS
    for part in (BATCH[:half], BATCH[half:]):
        assert model.answer(part) == loaded(family, together=together).answer(part)
    assert way in {kind for kind, _ in cramped.fit}


def test_answers_too_many_to_be_written_out_at_once(
    loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed questions share a prefix, and those that are written out have copies of it."""
    whole = loaded("llava", complete=True).answer(BATCH)
    said: list[str] = []
    cramped = Cramped(monkeypatch, {"rows": 28 * QUESTIONS})
    model = loaded("llava", said.append, complete=True)
    same(model.answer(BATCH), whole)
    assert {kind for kind, _ in cramped.failed} == {"rows"}
    assert len(said) == 1
    assert model.report.path == "shared"
    cramped.failed.clear()
    same(model.answer(BATCH), whole)
    assert cramped.failed == [], "the size that fits is remembered"


def test_a_large_image_makes_no_smaller_one_go_in_pieces(
    loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs out of memory is mostly the copy of the prefix, however few questions go with it."""
    small, large = pictures(2)[0].resize((32, 32)), pictures(2)[1].resize((256, 256))
    measured = loaded("pixtral")
    assert measured._encoder is not None
    lengths = [measured._encoder.row(image, "Is it?")["input_ids"].shape[1] for image in (small, large)]
    cramped = Cramped(monkeypatch, {"packed": lengths[1] - 5})
    model = loaded("pixtral")
    model.answer(questions_of([large]))
    assert "packed" not in {kind for kind, _ in cramped.fit}, "not even one question"
    cramped.fit.clear()
    model.answer(questions_of([small])[:4])
    packed = [tokens for kind, tokens in cramped.fit if kind == "packed"]
    assert len(packed) == 2, "all were asked at once, and checked before"
    assert packed[0] == packed[1] > lengths[0] + 20


JOINED = {
    "paligemma": True, "paligemma2": True, "llava": True, "qwen2_vl": True, "qwen2_5_vl": True, "internvl": True,
    "instructblip": False,
}  # fmt: skip
"""Whether rows encoded one by one make the processor's own batch; InstructBLIP's second tokens have lengths of their own."""


@pytest.mark.parametrize("family", JOINED)
def test_a_plain_batch_of_rows_encoded_ahead_is_the_processors_own(
    family: str, loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pictures(1)[0]
    batch = questions_of([one, one.copy()])
    model = loaded(family, path="plain")
    assert model._paths is not None
    assert model._encoder is not None
    expected = model.answer(batch)
    made: list[int] = []
    by_processor = Encoder.batch

    def counted(encoder: Encoder, pairs: Any) -> Any:
        made.append(len(pairs))
        return by_processor(encoder, pairs)

    monkeypatch.setattr(Encoder, "batch", counted)
    joined = model._paths._batch(batch)
    assert (made == []) is JOINED[family]
    processors = by_processor(model._encoder, batch)
    assert joined.keys() == processors.keys()
    assert all(torch.equal(value, processors[key]) for key, value in joined.items())
    same(model.answer(batch), expected)


def test_pictures_of_several_shapes_are_left_to_the_processor(loaded: Callable[..., TransformersModel]) -> None:
    model = loaded("llava_next", path="plain")
    batch = [BATCH[place] for place in (0, QUESTIONS, 2 * QUESTIONS)]
    model.answer(batch)
    assert model._paths is not None
    assert model._encoder is not None
    joined, processors = model._paths._batch(batch), model._encoder.batch(batch)
    assert joined.keys() == processors.keys()
    assert all(torch.equal(value, processors[key]) for key, value in joined.items())


def test_questions_too_large_for_the_memory_fail_alone(
    loaded: Callable[..., TransformersModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pictures(2)
    batch = questions_of([one.resize((224, 168)), other])
    model = loaded("qwen2_5_vl")
    whole = model.answer(batch)
    assert model._encoder is not None
    lengths = [row["input_ids"].shape[1] for row in model._encoder.rows(batch)]
    large, small = lengths[:QUESTIONS], lengths[QUESTIONS:]
    assert min(large) > max(small)
    Cramped(monkeypatch, dict.fromkeys(("prefix", "rows", "plain"), max(small)))
    answers = loaded("qwen2_5_vl").answer(batch)
    assert all("alone needs more memory" in str(answer.error) for answer in answers[:QUESTIONS])
    same(answers[QUESTIONS:], whole[QUESTIONS:])


def test_no_prefix_where_the_image_comes_last(loaded: Callable[..., TransformersModel]) -> None:
    model = loaded("llava")
    assert model._paths is not None
    encoder = model._paths._decoder.encoder
    encoder.template = replace(encoder.template, source="{{ messages[0]['content'][1]['text'] }}<image>")
    rows = rows_of_image([encoder.row(*pair) for pair in BATCH[:3]])
    shared = SharedPrefix(model._model, media_tokens(model._model), 0)
    with pytest.raises(NotShareableError, match="the image comes after the question"):
        shared.alike([rows])
