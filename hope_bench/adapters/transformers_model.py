"""Any Hugging Face image-text-to-text checkpoint, through AutoProcessor and AutoModelForImageTextToText."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch

from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.budget import Budget
from hope_bench.adapters.chat_template import ChatTemplate, find_template
from hope_bench.adapters.checkpoint import find_checkpoint
from hope_bench.adapters.decoding import Decoder, decoding_settings
from hope_bench.adapters.encoding import Encoder, PackedRows, known_inputs, pack, unpack
from hope_bench.adapters.gpu import raise_if_lost
from hope_bench.adapters.loading import (
    check_quantize,
    find_device,
    find_dtype,
    load_model,
    load_processor,
    one_thread_if_small,
    quiet,
)
from hope_bench.adapters.paths import Pair, Paths
from hope_bench.adapters.yes_no import find_yes_no
from hope_bench.clip.exact import compute_exactly
from hope_bench.errors import HopeBenchError, short_reason

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard


class TransformersModel:
    """One checkpoint as an `Adapter`: a single user turn [image, prompt] in its own chat template, greedy decoding unless its
    card says otherwise."""

    def __init__(self, card: ModelCard, say: Callable[[str], None] = lambda _: None, *, trust_remote_code: bool = False) -> None:
        """Find (or download) the checkpoint and the device. `say` is told of a download. Raises HopeBenchError.

        Code that the checkpoint brings along runs only with `trust_remote_code` and a card that says so, too.
        """
        if card.device_map is not None and int(os.environ.get("WORLD_SIZE") or 1) > 1:
            raise HopeBenchError(
                "--device-map spreads one model over several GPUs, and torchrun starts one model a process: they exclude each "
                "other. Start one process with --device-map, or several without."
            )
        self._card = card
        self._device = find_device(card.device)
        self._dtype = find_dtype(card.dtype, self._device)
        check_quantize(card.quantize, self._device)
        self._say = say
        self._trust = trust_remote_code and card.trust_remote_code
        self._checkpoint = find_checkpoint(card.checkpoint, card.revision, say, self._trust)
        self._budget = Budget(card.batch_size, card.batch_tokens)
        self._model: Any = None
        self._encoder: Encoder | None = None
        self._paths: Paths | None = None

    @property
    def info(self) -> AdapterInfo:
        """Which checkpoint, in which number format, on which device, and how its template asks. Raises HopeBenchError where it
        has no processor that could say."""
        cuda = self._device.type == "cuda"
        template = self._asking[1]
        return AdapterInfo(
            adapter="transformers",
            identity=self._checkpoint.identity + (" with its own code" if self._trust else ""),
            revision=self._checkpoint.revision,
            weights_sha256=self._checkpoint.weights_sha256,
            dtype=str(self._dtype).removeprefix("torch."),
            device_kind=self._device.type,
            device=f"{self._device} ({torch.cuda.get_device_name(self._device)})" if cuda else str(self._device),
            thinks=template.thinks,
            probe_sha256=sha256(template.rendered.encode()).hexdigest(),
        )

    @cached_property
    def _asking(self) -> tuple[Any, ChatTemplate]:
        """The checkpoint's processor, and the template it asks by."""
        with quiet():
            processor = load_processor(str(self._checkpoint.folder), self._card.chat_template, self._trust)
            return processor, find_template(processor, self._card)

    @property
    def report(self) -> AdapterReport:
        """The path taken and what the self-checks found."""
        if self._paths is None:
            return AdapterReport()
        gpus = range(torch.cuda.device_count()) if self._device.type == "cuda" else ()
        memory = max(map(torch.cuda.max_memory_allocated, gpus), default=None)
        return AdapterReport(" and ".join(sorted(self._paths.taken, reverse=True)) or None, tuple(self._paths.checks), memory)

    def load(self) -> None:
        """Load processor and weights. Raises HopeBenchError where anything is missing, or doesn't fit the device."""
        folder = str(self._checkpoint.folder)
        compute_exactly()
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # kernels of Triton run on the current one, whatever their inputs
        processor, template = self._asking
        with quiet():
            self._model = load_model(folder, self._dtype, self._device, self._card, self._trust)
        tokenizer = processor.tokenizer
        sampling = None if self._card.sampling is None else self._card.sampling.chosen
        settings = decoding_settings(self._model, tokenizer, self._card.new_tokens(template.thinks), sampling)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token_id = settings.pad_token_id
        encoder = self._encoder = Encoder(processor, known_inputs(self._model), self._model.dtype, template)
        decoder = Decoder(self._model, encoder, find_yes_no(tokenizer.get_vocab()), settings, self._card.complete)
        self._paths = Paths(decoder, self._card.path, self._budget, self._say, self._dtype)

    def prepare(self, batch: Sequence[Pair]) -> None:
        """Encode questions that `answer` will be asked next; may run in another thread meanwhile."""
        if self._paths is not None and self._encoder is not None:
            with quiet():
                self._paths.take(batch, self._encoder.rows(batch))

    def elsewhere(self) -> Callable[[], Callable[[Sequence[Pair]], PackedRows]]:
        """What does the first part of `prepare` in another process; see `take`."""
        card, known = self._card, known_inputs(self._model)
        return partial(_encodes, str(self._checkpoint.folder), known, self._model.dtype, card, self._trust)

    def take(self, batch: Sequence[Pair], encoded: PackedRows) -> None:
        """What `prepare` does then, with what was made in another process."""
        if self._paths is not None:
            self._paths.take(batch, unpack(encoded))

    def answer(self, batch: Sequence[Pair]) -> list[RawAnswer]:
        """One answer for each (RGB image, prompt). Questions about one picture are fastest where they hold the same object.

        What is too much for the device's memory goes in several forwards.
        """
        if self._paths is None:
            raise RuntimeError("answer() was called before load()")
        with quiet(), one_thread_if_small(self._model, self._device), torch.inference_mode(), self._drawing(batch):
            try:
                return self._answer(self._paths, list(batch))
            except HopeBenchError:
                raise
            except Exception as error:
                raise_if_lost(self._device, error)
                raise
            finally:
                self._paths.forget(batch)

    @contextmanager
    def _drawing(self, batch: Sequence[Pair]) -> Iterator[None]:
        """Draw the tokens of these questions from the card's seed and from what they are, and nobody else's random numbers:
        a step is drawn alike whoever asks it, and whenever."""
        if self._card.sampling is None:
            yield
            return
        which = [(str(image.info.get("file_name")), prompt) for image, prompt in batch]
        seed = int(sha256(json.dumps([self._card.seed, which]).encode()).hexdigest()[:15], 16)
        with torch.random.fork_rng([self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def _answer(self, paths: Paths, batch: list[Pair]) -> list[RawAnswer]:
        """Where memory runs out, what was too much for one forward goes in several; last of all the batch itself is halved."""
        before = self._budget.learnt
        try:
            return paths.answer(batch)
        except torch.OutOfMemoryError as error:
            reason = short_reason(error)
        # Outside the handler, whose traceback keeps the failed batch's tensors alive.
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        learnt = {kind: tokens for kind, tokens in self._budget.learnt.items() if tokens != before.get(kind)}
        if learnt:
            if not before:
                self._say(
                    f"{max(learnt.values()):,} tokens at once don't fit in memory; going on with fewer (see --batch-tokens)."
                )
            return self._answer(paths, batch)
        if len(batch) == 1:
            return [RawAnswer(error=f"one question alone needs more memory than there is ({reason})")]
        half = _middle(batch)
        return self._answer(paths, batch[:half]) + self._answer(paths, batch[half:])


def _encodes(
    folder: str, known: frozenset[str], dtype: torch.dtype, card: ModelCard, trust_remote_code: bool
) -> Callable[[Sequence[Pair]], PackedRows]:
    """What a process without the model encodes questions by."""
    with quiet():
        processor = load_processor(folder, card.chat_template, trust_remote_code)
        encoder = Encoder(processor, known, dtype, find_template(processor, card))

    def encode(batch: Sequence[Pair]) -> PackedRows:
        with quiet():
            return pack(encoder.rows(batch))

    return encode


def _middle(batch: Sequence[Pair]) -> int:
    """Where to cut a batch in two: between two images if there are two, as near to the middle as that allows."""
    half = (len(batch) + 1) // 2
    borders = [place for place in range(1, len(batch)) if batch[place - 1][0] is not batch[place][0]]
    return min(borders, key=lambda place: abs(place - half)) if borders else half
