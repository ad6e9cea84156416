"""A transformers model that is loaded already, with its processor; whoever loaded it goes on using it as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import extract_model_from_parallel
from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from hope_bench.adapters.as_it_was import as_it_was, autocast_dtype
from hope_bench.adapters.base import AdapterInfo, RawAnswer
from hope_bench.adapters.chat_template import ChatTemplate, find_template
from hope_bench.adapters.identity import loaded_sha256
from hope_bench.adapters.in_memory import InMemory
from hope_bench.adapters.loading import quiet
from hope_bench.adapters.paths import Pair
from hope_bench.adapters.tower import vision_tower
from hope_bench.errors import HopeBenchError, short_reason

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard


_ASKING = RLock()


class LoadedModel(InMemory):
    """A loaded model as an `Adapter`: asked in eval mode and without autocast, in the number format and on the device it has.

    Training mode, gradient checkpointing, DDP, PEFT's adapters and torch.compile make no difference to it, and every `answer`
    leaves the model as it found it (`as_it_was`). The processor is copied.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        card: ModelCard,
        say: Callable[[str], None] = lambda _: None,
        *,
        identity: str | None = None,
    ) -> None:
        """`identity` says which model it is; without, a hash of its weights does (`loaded_sha256`), made when first asked for.

        Raises HopeBenchError where the model can't be asked about an image, or isn't whole in this process.
        """
        inner = unwrapped(model)
        _check_model(inner)
        _check_processor(processor, card.chat_template)
        super().__init__(card, inner.device, say)
        self._given, self._processor, self._identity = inner, processor, identity
        self._sha256: str | None = None

    @property
    def info(self) -> AdapterInfo:
        """Its hash, or the identity that was given, and where it is."""
        if self._identity is None and self._sha256 is None:
            self._sha256 = loaded_sha256(self._given, self._processor, self._card.chat_template)
        return AdapterInfo(
            adapter="transformers",
            identity=self._identity or f"sha256:{self._sha256}",
            revision=None,
            weights_sha256=self._sha256,
            dtype=self._dtype_in_words(),
            device_kind=self._device.type,
            device=self._device_in_words(),
            thinks=self._template.thinks,
            probe_sha256=self._template.sha256,
            vision_tower=vision_tower(self._given.config.to_dict()),
            said=self._identity,
        )

    def _dtype_in_words(self) -> str:
        computed = autocast_dtype(self._given)
        words = str(self._given.dtype) if computed is None else f"several, autocast to {computed}"
        return words.replace("torch.", "")

    @cached_property
    def _template(self) -> ChatTemplate:
        return find_template(self._processor, self._card)

    def load(self) -> None:
        """Make ready to ask; nothing of the model is changed. Raises HopeBenchError where it can't be asked, or its processor
        can't be copied."""
        try:
            processor = copy.deepcopy(self._processor)
        except Exception as error:  # noqa: BLE001 - a processor's code can raise anything
            raise HopeBenchError(f"The processor can't be copied ({short_reason(error)}), and as it is it stays.") from None
        with quiet():
            self._settings = self._ready(self._given, processor, self._template, self._given.dtype)
        with self._as_it_was():
            self._check_asked(f"This {type(self._given).__name__}")

    def answer(self, batch: Sequence[Pair], samples: Sequence[int] = ()) -> list[RawAnswer]:
        """As every model in memory does; afterwards, also after an exception, the model is as it was."""
        if self._paths is None:
            raise RuntimeError("answer() was called before load()")
        with self._as_it_was():
            return self._ask(self._paths, batch, samples)

    @contextmanager
    def _as_it_was(self) -> Iterator[None]:
        # No inference mode: what a forward keeps (8-bit weights, say) must be of use to training.
        # One at a time: what is put back is the model's, and torch's own.
        with _ASKING, torch.no_grad(), as_it_was(self._given, self._settings):
            yield


def unwrapped(model: Any) -> Any:
    """The transformers model within DDP, torch.compile and PEFT's model.

    Raises HopeBenchError for weights that are not all in this process, and for PEFT's learnt prompts.
    """
    if not _whole(model):
        raise HopeBenchError(NOT_WHOLE)
    inner, outer = model, None
    while inner is not outer:
        outer, inner = inner, extract_model_from_parallel(inner, keep_torch_compile=False)
        if hasattr(inner, "get_base_model"):  # PEFT's; its layers stay within
            prompts = [name for name, config in inner.peft_config.items() if config.is_prompt_learning]
            if prompts:
                raise HopeBenchError(
                    f"The adapter {prompts[0]!r} of this PEFT model is a learnt prompt, which has no place in a chat template. "
                    "Only adapters within the model (LoRA and the like) can be evaluated."
                )
            inner = inner.get_base_model()
    return inner


def _whole(model: Any) -> bool:
    """Whether all weights of a model are in this process, or are brought to it by the model itself (accelerate's offloading).
    FSDP, ZeRO-3 and tensor parallelism leave each process a part."""
    from torch.distributed.fsdp import FullyShardedDataParallel
    from torch.distributed.tensor import DTensor

    if any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
        return False
    return not any(isinstance(weight, DTensor) or hasattr(weight, "ds_id") for weight in model.parameters())


NOT_WHOLE = (
    "The weights are spread over several processes (FSDP, ZeRO-3 or tensor parallelism), so none of them can ask this model. "
    "Save a checkpoint and evaluate that: hope-bench evaluate --model CHECKPOINT-FOLDER."
)


def _check_model(model: Any) -> None:
    name, config = type(model).__name__, getattr(model, "config", None)
    brought = not type(model).__module__.startswith("transformers.")  # a checkpoint's own code: no list knows its classes
    if config is None or not hasattr(model, "generate"):
        raise HopeBenchError(f"A {name} is no transformers model that can generate. Load it with AutoModelForImageTextToText.")
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and not brought:
        raise HopeBenchError(
            f"A {name} ({config.model_type}) can't be asked about an image: it is no image-text-to-text model of transformers. "
            "hope-bench needs a vision-language model."
        )
    if not model.can_generate():
        raise HopeBenchError(f"A {name} has no language head. Load the model with AutoModelForImageTextToText.")
    offloaded = any(hasattr(module, "_hf_hook") for module in model.modules())
    if not offloaded and all(weight.device.type == "meta" for weight in model.parameters()):
        raise HopeBenchError(f"This {name} has no weights yet (it is on the meta device). Load them with from_pretrained.")


def _check_processor(processor: Any, template: str | None) -> None:
    if getattr(processor, "tokenizer", None) is None or getattr(processor, "image_processor", None) is None:
        raise HopeBenchError(
            f"A {type(processor).__name__} doesn't make a model's inputs of an image and a text. Give the model's whole "
            "processor: processor=AutoProcessor.from_pretrained(...)."
        )
    if not (processor.chat_template or template):
        raise HopeBenchError(
            "This processor has no chat template, so nothing says how the model is asked a question. Set "
            "processor.chat_template, or give chat_template=...; a base model needs an instruction-tuned sibling."
        )
