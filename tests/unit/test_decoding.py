"""Answers decoded token by token: drawn, read, and ended by the checkpoint's special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import GenerationConfig

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.decoding import Decoder, Drawing, decoding_settings, use_settings
from hope_bench.adapters.yes_no import FirstToken, YesNoTokens
from hope_bench.errors import HopeBenchError


@pytest.mark.parametrize("sampling", [{}, {"top_k": 2}, {"min_p": 0.2}, {"top_p": 0.5}, {"temperature": 0.5}])
def test_a_token_is_where_its_rows_number_falls(sampling: dict[str, float]) -> None:
    rows, size, ids = 16, 5, torch.zeros(16, 1).long()
    scores = torch.from_numpy(np.random.default_rng(0).normal(0.0, 2.0, (rows, size)).astype(np.float32))
    draws = Drawing(sampling, range(rows), 4)
    numbers = np.stack([np.random.default_rng(seed).random(4) for seed in range(rows)])
    for step in range(4):
        found = draws(ids, scores)
        for row in range(rows):
            weights = np.exp(scores[row].numpy().astype(float) / sampling.get("temperature", 1.0))
            ranked = np.argsort(-weights, kind="stable")
            shares = weights / weights.sum()
            keep = np.ones(size, dtype=bool)
            if "top_k" in sampling:
                keep[ranked[2:]] = False
            if "min_p" in sampling:
                keep = shares >= 0.2 * shares.max()
            if "top_p" in sampling:
                keep[ranked[1:][np.cumsum(shares[ranked])[:-1] >= 0.5]] = False
            chances = np.cumsum(np.where(keep, weights, 0.0))
            drawn = int(np.searchsorted(chances, numbers[row, step] * chances[-1], side="right"))
            assert found[row].tolist() == [0.0 if place == drawn else -torch.inf for place in range(size)]
    for number, token in ((0.0, 1), (1.0, size - 1)):  # an impossible token is never drawn, and one always is
        draws = Drawing({}, [0], 1)
        draws._numbers.fill_(number)
        assert draws(ids[:1], torch.tensor([[-torch.inf, 0.0, 0.0, 0.0, 0.0]])).argmax() == token


def first(token: int, is_answer: bool = False, p_yes: float = 0.25, mass: float = 0.5, finite: bool = True) -> FirstToken:
    return FirstToken(
        torch.tensor([0, token, 0]), torch.tensor([True, is_answer, True]), torch.tensor([0.0, p_yes, 0.0]),
        torch.tensor([0.0, mass, 0.0]), torch.tensor([True, finite, True]),
    )  # fmt: skip


class Words:
    """An encoder of five tokens, whose last one ends an answer."""

    names = ("yes", "no", "<think>", "</think>", "<end>")

    def __init__(self, thinks: bool = False, opened: bool = False) -> None:
        self.template = SimpleNamespace(thinks=thinks, opened=opened)

    def decode(self, tokens: Tensor, ends: Sequence[int] = ()) -> str:
        return " ".join(self.names[token] for token in tokens.tolist() if token not in ends)

    def without_special(self, text: str) -> str:
        return text.replace("<end>", "").strip()


def decoder(complete: bool = False, **template: bool) -> Decoder:
    model = SimpleNamespace(dtype=torch.bfloat16, device=torch.device("cpu"))
    return Decoder(
        model, cast(Any, Words(**template)), cast(Any, None), SimpleNamespace(eos_token_id=[4], max_new_tokens=3), complete
    )


@pytest.mark.parametrize(
    ("complete", "ended", "answers"),
    [
        (False, [True, False], [RawAnswer("yes", 0.75, 0.8, complete=False), RawAnswer("no")]),
        (True, [False, False], [RawAnswer("yes no", 0.75, 0.8), RawAnswer("no")]),
    ],
)
def test_answers_are_what_generate_makes_after_the_prompt(complete: bool, ended: list[bool], answers: list[RawAnswer]) -> None:
    logits = torch.tensor([[0.6, 0.2, 0.1, 0.05, 0.05], [0.0, 0.0, 0.1, 0.7, 0.2]]).log()

    def generate(logits_processor: Any, stopping_criteria: Any, **_: Any) -> Tensor:
        for scores in (logits, logits.flip(1), logits.flip(1)):
            ids = torch.zeros(2, 1).long()
            assert torch.equal(logits_processor(ids, scores), scores)
            assert stopping_criteria(ids, scores).tolist() in (ended, [True, True])
        return torch.tensor([[3, 3, 0, 1, 4], [3, 3, 3, 1, 4]])

    model = SimpleNamespace(generate=generate, dtype=torch.float32, device=torch.device("cpu"))
    tokens = YesNoTokens(*(torch.tensor(ids).long() for ids in ([0], [1], [], [])))
    found = replace(decoder(complete), model=model, tokens=tokens)
    inputs = {"input_ids": torch.zeros(2, 2).long()}
    assert torch.equal(found.first_logits(inputs), logits)
    assert [
        replace(one, p_yes=one.p_yes and round(one.p_yes, 6), mass=one.mass and round(one.mass, 6))
        for one in found.answer(inputs)
    ] == answers


@pytest.mark.parametrize("sampling", [None, {"top_k": 2}])
@pytest.mark.parametrize("seeds", [None, [5]])
def test_an_answer_goes_on_from_a_cache(sampling: Any, seeds: Any) -> None:
    asked: list[dict[str, Any]] = []

    def generate(generation_config: Any, logits_processor: Any, stopping_criteria: Any, **inputs: Any) -> Tensor:
        asked.append(inputs)
        drawn = [torch.tensor([[1.0, 2.0, 3.0]]) for _ in range(generation_config.max_new_tokens)]
        drawn = [logits_processor(torch.zeros(1, 1).long(), scores) for scores in drawn]
        assert len(stopping_criteria) == 0
        assert all(bool(scores.isinf().any()) == (None not in (sampling, seeds)) for scores in drawn)
        return torch.tensor([[9, 9, 1, 2, 4]])

    cache = object()
    made = replace(decoder(), model=SimpleNamespace(device=torch.device("meta")), sampling=sampling)
    model = SimpleNamespace(generate=generate)
    inputs = {"input_ids": torch.zeros(1, 2).long(), "past_key_values": cache}
    assert made.continue_from(model, inputs, seeds).tolist() == [[1, 2, 4]]
    assert (asked[0]["input_ids"].device.type, asked[0]["past_key_values"]) == ("meta", cache)


@pytest.mark.parametrize(
    ("complete", "template", "position", "tokens", "answer"),
    [
        (False, {}, first(1, True), None, RawAnswer("no", 0.25, 0.5, complete=False)),
        (True, {}, first(1, True), [1, 4, 0], RawAnswer("no", 0.25, 0.5)),
        (False, {}, first(1), [1, 0, 1], RawAnswer("no yes no", 0.25, 0.5)),
        (False, {}, first(1, p_yes=float("nan"), mass=float("nan")), [1, 4, 4], RawAnswer("no")),
        (False, {"thinks": True}, first(1, True), [2, 0, 3, 1, 4], RawAnswer("no")),
        (False, {"thinks": True, "opened": True}, first(1, True), [0, 3, 1, 4], RawAnswer("no")),
        (False, {}, first(2), [2, 0, 3, 1, 4], RawAnswer("no")),
        (False, {}, first(1, finite=False), [1, 1, 1],
         RawAnswer(error="the model's logits are not finite in bfloat16; another --dtype (float32, bfloat16) may help")),
    ],
)  # fmt: skip
def test_an_answer_is_read_from_its_first_position_and_its_tokens(
    complete: bool, template: dict[str, bool], position: FirstToken, tokens: list[int] | None, answer: RawAnswer
) -> None:
    one = decoder(complete, **template)
    assert one.read(position, 1, None if tokens is None else torch.tensor(tokens)) == answer
    goes_on = bool(position.finite[1]) and tokens is not None
    others = complete or bool(template.get("thinks"))
    assert one.goes_on(position).tolist() == [others, goes_on, others]


@pytest.mark.parametrize(("tokens", "words"), [([2, 0, 4], "without"), ([2, 0, 1], "all 3 new tokens")])
def test_a_thought_without_an_answer_is_an_error(tokens: list[int], words: str) -> None:
    answer = decoder(thinks=True).read(first(2), 1, torch.tensor(tokens))
    assert (answer.text, answer.p_yes) == (None, None)
    assert words in (answer.error or "")


def settings_of(own: Any = None, text: Any = None, tokens: Any = (None, None)) -> GenerationConfig:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(eos_token_id=text))
    model = SimpleNamespace(generation_config=own, config=config)
    made: GenerationConfig = decoding_settings(model, SimpleNamespace(eos_token_id=tokens[0], pad_token_id=tokens[1]), 7)
    return made


@pytest.mark.parametrize(
    ("own", "text", "tokens", "eos", "pad"),
    [
        ({}, None, (None, None), None, 0),
        ({"eos_token_id": [3, 4]}, 5, (6, None), [3, 4], 3),
        ({"eos_token_id": 3, "pad_token_id": 9}, 5, (6, 8), [3], 9),
        ({}, 5, (6, 8), [5], 8),
        ({}, None, (6, None), [6], 6),
        ({}, 0, (6, None), [0], 0),
    ],
)
def test_special_tokens_are_the_checkpoints_own(own: dict[str, Any], text: Any, tokens: Any, eos: Any, pad: int) -> None:
    for config in (GenerationConfig(**own, do_sample=True, temperature=0.3, bos_token_id=2), *([] if own else [None])):
        made = settings_of(config, text, tokens)
        assert (made.eos_token_id, made.pad_token_id, made.max_new_tokens) == (eos, pad, 7)
        assert (made.use_cache, made.do_sample, made.bos_token_id) == (True, False, 2 if config else None)


@pytest.mark.parametrize(
    ("own", "name", "shown"), [({"eos_token_id": ["x"]}, "eos", "'x'"), ({"pad_token_id": True}, "pad", "True")]
)
def test_a_special_token_that_is_none_is_refused(own: dict[str, Any], name: str, shown: str) -> None:
    with pytest.raises(HopeBenchError, match=f"The checkpoint's {name}_token_id is {shown}, not a token's number"):
        settings_of(SimpleNamespace(**{"eos_token_id": 1, "pad_token_id": 1, **own}))


def test_a_checkpoints_own_settings_are_put_aside_in_every_part() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
    model.generation_config = GenerationConfig(do_sample=True)  # type: ignore[assignment]
    model[0].generation_config = GenerationConfig(temperature=0.5)  # type: ignore[assignment]
    use_settings(model, GenerationConfig(max_new_tokens=7))
    assert [getattr(part, "generation_config", None) is not None for part in model.modules()] == [True, True, False]
    assert all(part.generation_config.max_new_tokens == 7 for part in (model, model[0]))
    assert not cast(Any, model.generation_config).do_sample
