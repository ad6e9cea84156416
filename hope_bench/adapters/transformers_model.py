"""Any Hugging Face image-text-to-text checkpoint, through AutoProcessor and AutoModelForImageTextToText."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from hope_bench.adapters.base import AdapterInfo, RawAnswer
from hope_bench.adapters.checkpoint import find_checkpoint
from hope_bench.adapters.loading import find_device, find_dtype, load_model, load_processor, one_thread_if_small, quiet
from hope_bench.adapters.yes_no import FirstToken, YesNoTokens, find_yes_no, read_first_token
from hope_bench.errors import short_reason

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.card import ModelCard


class TransformersModel:
    """One checkpoint as an `Adapter`: a single user turn [image, prompt] in its own chat template, greedy decoding."""

    def __init__(self, card: ModelCard, say: Callable[[str], None] = lambda _: None) -> None:
        """Find (or download) the checkpoint and the device. `say` is told of a download. Raises HopeBenchError."""
        self._device = find_device(card.device)
        self._dtype = find_dtype(card.dtype, self._device)
        self._max_new_tokens = card.max_new_tokens
        self._say = say
        self._checkpoint = find_checkpoint(card.checkpoint, card.revision, say)
        self._fits = card.batch_size
        self._model: Any = None
        self._processor: Any = None
        self._tokens: YesNoTokens | None = None
        self._generation: Any = None
        self._inputs: frozenset[str] = frozenset()

    @property
    def info(self) -> AdapterInfo:
        """Which checkpoint, in which number format, on which device."""
        cuda = self._device.type == "cuda"
        return AdapterInfo(
            adapter="transformers",
            identity=self._checkpoint.identity,
            revision=self._checkpoint.revision,
            weights_sha256=self._checkpoint.weights_sha256,
            dtype=str(self._dtype).removeprefix("torch."),
            device_kind=self._device.type,
            device=f"{self._device} ({torch.cuda.get_device_name(self._device)})" if cuda else str(self._device),
        )

    def load(self) -> None:
        """Load processor and weights. Raises HopeBenchError where anything is missing, or doesn't fit the device."""
        with quiet():
            self._processor = load_processor(str(self._checkpoint.folder))
            self._model = load_model(str(self._checkpoint.folder), self._dtype, self._device)
        tokenizer = self._processor.tokenizer
        # Answers are read at the last position, so that is where all rows must end.
        tokenizer.padding_side = "left"
        self._generation = _greedy(self._model, tokenizer, self._max_new_tokens)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token_id = self._generation.pad_token_id
        self._tokens = find_yes_no(tokenizer.get_vocab())
        self._inputs = _known_inputs(self._model)

    def answer(self, batch: Sequence[tuple[Image, str]]) -> list[RawAnswer]:
        """One answer for each (RGB image, prompt). A batch too large for the GPU's memory is halved until it fits."""
        if self._model is None:
            raise RuntimeError("answer() was called before load()")
        with quiet(), one_thread_if_small(self._model, self._device), torch.inference_mode():
            return self._answer_in_parts(list(batch))

    def _answer_in_parts(self, batch: list[tuple[Image, str]]) -> list[RawAnswer]:
        """Later batches are halved at once to the size that fitted: the parts are those that trying again would lead to."""
        if len(batch) <= self._fits:
            try:
                return self._answer_at_once(batch)
            except torch.OutOfMemoryError as error:
                reason = short_reason(error)
            # Outside the handler, whose traceback keeps the failed batch's tensors alive.
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            if len(batch) == 1:
                return [RawAnswer(error=f"one question alone needs more GPU memory than there is ({reason})")]
            self._fits = (len(batch) + 1) // 2
            self._say(f"{len(batch)} questions at once don't fit in GPU memory; going on with {self._fits} (see --batch-size).")
        half = (len(batch) + 1) // 2
        return self._answer_in_parts(batch[:half]) + self._answer_in_parts(batch[half:])

    def _answer_at_once(self, batch: list[tuple[Image, str]]) -> list[RawAnswer]:
        assert self._tokens is not None
        recorder = _FirstPosition(self._tokens)
        sequences = self._model.generate(
            **self._encode(batch),
            generation_config=self._generation,
            logits_processor=LogitsProcessorList([recorder]),
            stopping_criteria=StoppingCriteriaList([_AnsweredAlready(recorder)]),
        )
        # Counted, not taken from the prompt's length: some families return the prompt and some don't.
        generated = sequences[:, -recorder.steps :].cpu()
        assert recorder.first is not None
        return [self._read(recorder.first, row, generated[row]) for row in range(len(batch))]

    def _encode(self, batch: list[tuple[Image, str]]) -> Mapping[str, Any]:
        conversations = [
            [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}]
            for image, prompt in batch
        ]
        # Tokenized by the template call itself: processor(text=rendered) would add a second BOS.
        inputs = self._processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        inputs = inputs.to(self._device, dtype=self._dtype)
        return {key: value for key, value in inputs.items() if key in self._inputs}

    def _read(self, first: FirstToken, row: int, generated: Tensor) -> RawAnswer:
        if not first.finite[row]:
            return RawAnswer(
                error=f"the model's logits are not finite in {self.info.dtype}; another --dtype (float32, bfloat16) may help"
            )
        p_yes, mass = first.scores(row)
        tokenizer = self._processor.tokenizer
        if first.is_answer[row]:
            text = tokenizer.decode([int(first.token[row])]).strip()
            return RawAnswer(text=text, p_yes=p_yes, mass=mass, complete=False)
        ends = torch.isin(generated, torch.tensor(self._generation.eos_token_id or []).long()).nonzero()
        text = tokenizer.decode(generated[: int(ends[0])] if len(ends) else generated, skip_special_tokens=True)
        return RawAnswer(text=text.strip(), p_yes=p_yes, mass=mass, complete=True)


class _FirstPosition(LogitsProcessor):  # type: ignore[misc]
    """Reads the logits of the first answer position on their way through generate(), and changes nothing.

    generate() makes the positions, so every family's own logic is used (M-RoPE and the like), and no logits but these are kept.
    """

    def __init__(self, tokens: YesNoTokens) -> None:
        self._tokens = tokens
        self.first: FirstToken | None = None
        self.steps = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        if self.first is None:
            self.first = read_first_token(scores.float(), self._tokens)
        self.steps += 1
        return scores


class _AnsweredAlready(StoppingCriteria):  # type: ignore[misc]
    """Ends a row whose first token is a yes or a no (or no number), so that only the rows that need it are decoded further."""

    def __init__(self, recorder: _FirstPosition) -> None:
        self._recorder = recorder

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:  # noqa: ARG002
        first = self._recorder.first
        assert first is not None
        return (first.is_answer | ~first.finite).to(input_ids.device)


def _greedy(model: Any, tokenizer: Any, max_new_tokens: int) -> Any:
    """Plain greedy decoding. The checkpoint's own settings (sampling, penalties, suppressed tokens) are put aside, since
    generate() would mix them in; only its special tokens are kept."""
    own = model.generation_config
    text = model.config.get_text_config()
    ends: int | list[int] = next(
        (ids for ids in (own.eos_token_id, text.eos_token_id, tokenizer.eos_token_id) if ids is not None), []
    )
    eos = [ends] if isinstance(ends, int) else list(ends)
    pads = (own.pad_token_id, tokenizer.pad_token_id, *eos, 0)
    greedy = GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=eos or None,
        pad_token_id=next(pad for pad in pads if pad is not None),
        bos_token_id=own.bos_token_id,
        decoder_start_token_id=own.decoder_start_token_id,
    )
    for part in model.modules():
        if isinstance(getattr(part, "generation_config", None), GenerationConfig):
            part.generation_config = GenerationConfig.from_dict(greedy.to_dict())
    return greedy


def _known_inputs(model: Any) -> frozenset[str]:
    """What generate() takes: it refuses what no forward knows (token_type_ids here and there). PaliGemma's processor also returns
    labels, which would ask for a loss."""
    forward = inspect.signature(model.forward).parameters
    prepare = inspect.signature(model.prepare_inputs_for_generation).parameters
    return frozenset((*forward, *prepare)) - {"labels"}
