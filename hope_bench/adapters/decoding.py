"""Decoding, and what is read from the first answer position on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.encoding import Encoder
from hope_bench.adapters.thinking import no_answer, separate
from hope_bench.adapters.yes_no import FirstToken, YesNoTokens, read_first_token
from hope_bench.errors import HopeBenchError


@dataclass(frozen=True, slots=True)
class Decoder:
    """One loaded model that asks and reads. `settings` is its GenerationConfig; `complete` decodes every answer to its
    end, else only those whose first token is neither yes nor no. Of a model that thinks all are: its first token is no answer.
    `sampling` (temperature, top_p, ...) draws tokens, each row's from a seed of its own."""

    model: Any
    encoder: Encoder
    tokens: YesNoTokens
    settings: Any
    complete: bool = False
    sampling: Mapping[str, float | int] | None = None

    def first_logits(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """float32 [B, V]: the logits of the first answer position of left-padded rows, by generate() alone."""
        seen = _FirstLogits()
        self._generate(self.model, inputs, LogitsProcessorList([seen]), StoppingCriteriaList([_AfterOne()]))
        assert seen.logits is not None
        return seen.logits

    def answer(self, inputs: Mapping[str, Tensor], seeds: Sequence[int] | None = None) -> list[RawAnswer]:
        """The answers to left-padded rows; only rows that `goes_on` says so of are decoded beyond their first token. `seeds` are
        what the rows' tokens are drawn from (None: greedy)."""
        recorder = _FirstPosition(self.tokens)
        stop = StoppingCriteriaList([_AnsweredAlready(recorder, self)])
        sequences = self._generate(self.model, inputs, LogitsProcessorList([recorder, *self._drawing(seeds)]), stop)
        # Counted, not taken from the prompt's length: some families return the prompt and some don't.
        generated = sequences[:, -recorder.steps :].cpu()
        assert recorder.first is not None
        return [self.read(recorder.first, row, generated[row]) for row in range(len(generated))]

    def goes_on(self, first: FirstToken) -> Tensor:
        """bool [B]: whether a row's answer is decoded beyond its first token."""
        whole = self.complete or self.encoder.template.thinks
        return first.finite if whole else ~first.is_answer & first.finite

    def continue_from(self, model: Any, inputs: Mapping[str, Any], seeds: Sequence[int] | None = None) -> Tensor:
        """int64 [B, steps] on the CPU: the tokens after a cache (`past_key_values`) that holds the inputs' beginning; `seeds` as
        in `answer`."""
        counter = _Counter()
        processors = LogitsProcessorList([counter, *self._drawing(seeds)])
        sequences = self._generate(model, inputs, processors, StoppingCriteriaList())
        return sequences[:, -counter.steps :].cpu()

    def _drawing(self, seeds: Sequence[int] | None) -> list[LogitsProcessor]:
        if self.sampling is None or seeds is None:
            return []
        return [Drawing(self.sampling, seeds, int(self.settings.max_new_tokens))]

    def read(self, first: FirstToken, row: int, generated: Tensor | None) -> RawAnswer:
        """One row's answer from its first position and, where it goes on, its generated tokens."""
        if not first.finite[row]:
            dtype = str(self.model.dtype).removeprefix("torch.")
            return RawAnswer(error=f"the model's logits are not finite in {dtype}; another --dtype (float32, bfloat16) may help")
        if not self.goes_on(first)[row]:
            p_yes, mass = first.scores(row)
            return RawAnswer(self.encoder.decode(first.token[row : row + 1]), p_yes, mass, complete=False)
        assert generated is not None
        return self._whole(first, row, generated)

    def _whole(self, first: FirstToken, row: int, generated: Tensor) -> RawAnswer:
        """An answer that was decoded to its end, without the thought before it, after which no P(yes) is left."""
        template, ends = self.encoder.template, self.settings.eos_token_id or []
        places = torch.isin(generated, torch.tensor(ends).long()).nonzero()
        finished = len(places) > 0
        text = self.encoder.decode(generated[: int(places[0])] if finished else generated, ends)
        said = separate(text, opened=template.opened, thinks=template.thinks, finished=finished)
        if said.answer is None:
            return RawAnswer(error=no_answer(finished, len(generated)))
        p_yes, mass = (None, None) if template.thinks or said.thought is not None else first.scores(row)
        return RawAnswer(self.encoder.without_special(said.answer), p_yes, mass)

    def _generate(self, model: Any, inputs: Mapping[str, Any], processors: Any, stop: Any) -> Tensor:
        device = self.model.device
        moved = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in inputs.items()}
        made: Tensor = model.generate(
            **moved, generation_config=self.settings, logits_processor=processors, stopping_criteria=stop
        )
        return made


class _Counter(LogitsProcessor):  # type: ignore[misc]
    """Counts decoding steps and changes nothing."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        self.steps += 1
        return scores


_EXACT = {"mps": torch.float32}
"""What probabilities are summed in on devices without float64: Apple's GPUs."""


class Drawing(LogitsProcessor):  # type: ignore[misc]
    """Draws each row's next token and leaves only that one possible, so that greedy decoding takes it.

    A token is where a uniform number falls in the cumulated probabilities. The numbers of a row come from its own seed alone, so
    what is drawn doesn't depend on the rows beside it, nor on anybody else's random numbers (transformers draws all rows of a
    batch from one stream).
    """

    def __init__(self, sampling: Mapping[str, float | int], seeds: Sequence[int], steps: int) -> None:
        """`sampling` holds temperature, top_k, top_p and min_p as far as they are used; `steps` is the most tokens of a row."""
        kinds = (
            ("temperature", TemperatureLogitsWarper), ("top_k", TopKLogitsWarper), ("top_p", TopPLogitsWarper),
            ("min_p", MinPLogitsWarper),
        )  # fmt: skip
        self._warpers = LogitsProcessorList([made(sampling[name]) for name, made in kinds if name in sampling])
        self._numbers = torch.from_numpy(np.stack([np.random.default_rng(seed).random(steps) for seed in seeds]))
        self._step = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        # Of a large vocabulary, a sum in float32 would lose the rare tokens.
        exact = _EXACT.get(scores.device.type, torch.float64)
        chances = self._warpers(input_ids, scores.float()).to(exact).softmax(1).cumsum(1)
        number = self._numbers[:, self._step, None].to(chances.device, exact) * chances[:, -1:]
        self._step += 1
        drawn = torch.searchsorted(chances, number, right=True).clamp(max=chances.shape[1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)


class _FirstLogits(LogitsProcessor):  # type: ignore[misc]
    def __init__(self) -> None:
        self.logits: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        if self.logits is None:
            self.logits = scores.float()
        return scores


class _FirstPosition(_Counter):
    """Reads the logits of the first answer position on their way through generate(), and changes nothing.

    generate() makes the positions, so every family's own logic is used (M-RoPE and the like), and no logits but these are kept.
    """

    def __init__(self, tokens: YesNoTokens) -> None:
        super().__init__()
        self._tokens = tokens
        self.first: FirstToken | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self.first is None:
            self.first = read_first_token(scores.float(), self._tokens)
        return super().__call__(input_ids, scores)


class _AnsweredAlready(StoppingCriteria):  # type: ignore[misc]
    """Ends a row at its first token where that is all that is needed of it."""

    def __init__(self, recorder: _FirstPosition, decoder: Decoder) -> None:
        self._recorder, self._decoder = recorder, decoder

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:  # noqa: ARG002
        first = self._recorder.first
        assert first is not None
        return ~self._decoder.goes_on(first).to(input_ids.device)


class _AfterOne(StoppingCriteria):  # type: ignore[misc]
    """Ends every row after its first token."""

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:  # noqa: ARG002
        return torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)


def decoding_settings(model: Any, tokenizer: Any, max_new_tokens: int) -> Any:
    """Plain greedy decoding with the checkpoint's own special tokens and nothing else of its settings.

    Raises HopeBenchError for ids of special tokens that are none.
    """
    own = model.generation_config or GenerationConfig()
    text = model.config.get_text_config()
    ends: int | list[int] = next(
        (ids for ids in (own.eos_token_id, text.eos_token_id, tokenizer.eos_token_id) if ids is not None), []
    )
    eos = list(ends) if isinstance(ends, list | tuple) else [ends]
    pads = (own.pad_token_id, tokenizer.pad_token_id, *eos, 0)
    pad = next(pad for pad in pads if pad is not None)
    for name, ids in (("eos_token_id", eos), ("pad_token_id", [pad])):
        if wrong := [one for one in ids if not isinstance(one, int) or isinstance(one, bool)]:
            raise HopeBenchError(
                f"The checkpoint's {name} is {wrong[0]!r}, not a token's number. Look into its generation_config.json and "
                "config.json, or copy or download them again."
            )
    return GenerationConfig(
        use_cache=True,  # also where training has turned it off in the model's config
        max_new_tokens=max_new_tokens,
        eos_token_id=eos or None,
        pad_token_id=pad,
        bos_token_id=own.bos_token_id,
        decoder_start_token_id=own.decoder_start_token_id,
        do_sample=False,
    )


def use_settings(model: Any, settings: Any) -> None:
    """Put the checkpoint's own settings (sampling, penalties, suppressed tokens) aside, in every part of the model: generate()
    would mix them in."""
    for part in model.modules():
        if isinstance(getattr(part, "generation_config", None), GenerationConfig):
            part.generation_config = GenerationConfig.from_dict(settings.to_dict())
