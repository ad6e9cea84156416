"""Any Hugging Face image-text-to-text checkpoint, through AutoProcessor and AutoModelForImageTextToText."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch

from hope_bench.adapters.base import AdapterInfo
from hope_bench.adapters.chat_template import ChatTemplate, find_template
from hope_bench.adapters.checkpoint import Checkpoint, find_checkpoint
from hope_bench.adapters.decoding import use_settings
from hope_bench.adapters.encoding import Encoder, PackedRows, known_inputs, pack, unpack
from hope_bench.adapters.in_memory import InMemory
from hope_bench.adapters.loading import check_quantize, find_device, find_dtype, load_model, load_processor, quiet
from hope_bench.adapters.paths import Pair
from hope_bench.adapters.runnable import read_config
from hope_bench.adapters.tower import vision_tower
from hope_bench.errors import HopeBenchError, short_reason

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard


class TransformersModel(InMemory):
    """One checkpoint as an `Adapter`, loaded by us."""

    def __init__(self, card: ModelCard, say: Callable[[str], None] = lambda _: None, *, trust_remote_code: bool = False) -> None:
        """Find (or download) the checkpoint and the device. `say` is told of a download. Raises HopeBenchError.

        Code that the checkpoint brings along runs only with `trust_remote_code` and a card that says so, too.
        """
        if card.device_map is not None and int(os.environ.get("WORLD_SIZE") or 1) > 1:
            raise HopeBenchError(
                "--device-map spreads one model over several GPUs, and torchrun starts one model a process: they exclude each "
                "other. Start one process with --device-map, or several without."
            )
        super().__init__(card, find_device(card.device), say)
        self._dtype = find_dtype(card.dtype, self._device)
        check_quantize(card.quantize, self._device)
        self._trust = trust_remote_code and card.trust_remote_code
        self._checkpoint = find_checkpoint(card, say, self._trust)

    @property
    def info(self) -> AdapterInfo:
        """Which checkpoint, in which number format, on which device, and how its template asks. Raises HopeBenchError where it
        has no processor that could say."""
        template = self._asking[1]
        return AdapterInfo(
            adapter="transformers",
            identity=self._checkpoint.identity + (" with its own code" if self._trust else ""),
            revision=self._checkpoint.revision,
            weights_sha256=self._checkpoint.weights_sha256,
            dtype=str(self._dtype).removeprefix("torch."),
            device_kind=self._device.type,
            device=self._device_in_words(),
            thinks=template.thinks,
            probe_sha256=template.sha256,
            vision_tower=vision_tower(read_config(self._checkpoint.folder)),
        )

    @cached_property
    def _asking(self) -> tuple[Any, ChatTemplate]:
        """The checkpoint's processor, and the template it asks by."""
        with quiet():
            processor = _processor(self._checkpoint, self._card, self._trust)
            return processor, find_template(processor, self._card)

    def load(self) -> None:
        """Load processor and weights. Raises HopeBenchError where anything is missing, or doesn't fit the device."""
        folder = str(self._checkpoint.folder)
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # kernels of Triton run on the current one, whatever their inputs
        processor, template = self._asking
        with quiet():
            model = load_model(folder, self._dtype, self._device, self._card, self._trust, self._checkpoint.adapter)
        try:
            use_settings(model, self._ready(model, processor, template, self._dtype))
        except HopeBenchError:
            raise
        except Exception as error:  # noqa: BLE001 - a checkpoint's settings can be anything
            raise HopeBenchError(
                f"The checkpoint {folder} can't be asked with the settings that it has: {short_reason(error)}. Compare its "
                "config.json, generation_config.json and tokenizer's files with those of the model that it was trained from."
            ) from None
        with torch.inference_mode():
            self._check_asked(f"The checkpoint {folder}")

    def elsewhere(self) -> Callable[[], Callable[[Sequence[Pair]], PackedRows]]:
        """What does the first part of `prepare` in another process; see `take`."""
        card, known = self._card, known_inputs(self._model)
        return partial(_encodes, self._checkpoint, known, self._model.dtype, card, self._trust)

    def take(self, batch: Sequence[Pair], encoded: PackedRows) -> None:
        """What `prepare` does then, with what was made in another process."""
        if self._paths is not None:
            self._paths.take(batch, unpack(encoded))


def _processor(checkpoint: Checkpoint, card: ModelCard, trust_remote_code: bool) -> Any:
    return load_processor(str(checkpoint.processor), card.chat_template, trust_remote_code, str(checkpoint.folder))


def _encodes(
    checkpoint: Checkpoint, known: frozenset[str], dtype: torch.dtype, card: ModelCard, trust_remote_code: bool
) -> Callable[[Sequence[Pair]], PackedRows]:
    """What a process without the model encodes questions by."""
    with quiet():
        processor = _processor(checkpoint, card, trust_remote_code)
        encoder = Encoder(processor, known, dtype, find_template(processor, card))

    def encode(batch: Sequence[Pair]) -> PackedRows:
        with quiet():
            return pack(encoder.rows(batch))

    return encode
