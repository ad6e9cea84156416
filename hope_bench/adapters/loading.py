"""A transformers checkpoint into memory, with everything that can go wrong said in words."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig
from transformers.utils import logging as hf_logging

from hope_bench.adapters import known
from hope_bench.adapters.gpu import computes_bfloat16
from hope_bench.adapters.lora import with_adapter
from hope_bench.adapters.runnable import auto_map
from hope_bench.adapters.unused import unused_scales, unused_weights
from hope_bench.adapters.weights import weight_files
from hope_bench.clip.size import no_larger_than
from hope_bench.errors import HopeBenchError, counted, first_few, short_reason
from hope_bench.processes import own_gpu

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard

_SMALL = 50_000_000
"""Parameters up to which a model counts as small."""


def load_processor(
    folder: str, template: str | None = None, trust_remote_code: bool = False, model_folder: str | None = None
) -> Any:
    """The processor in a folder, of the model in that folder or `model_folder`. Raises HopeBenchError where it is missing, takes
    no images or has no chat template (nor has the card: `template`)."""
    try:
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # noqa: BLE001 - transformers and tokenizers raise anything at files that they don't expect
        raise HopeBenchError(
            f"The processor of {folder} can't be loaded: {short_reason(error)}. Its processor and tokenizer files may be missing "
            "(--processor says whose to take) or damaged, or need a package that is not installed."
        ) from None
    if getattr(processor, "tokenizer", None) is None or getattr(processor, "image_processor", None) is None:
        raise HopeBenchError(
            f"{folder} holds no processor for images and text (transformers found only a {type(processor).__name__}). "
            "Copy preprocessor_config.json or processor_config.json and the tokenizer's files beside the weights, or say whose "
            "processor it is: --processor, such as the model that it was trained from."
        )
    _with_patch_size(processor, model_folder or folder)
    _with_special_tokens(processor.tokenizer, Path(folder))
    _check_template(processor, folder, template)
    return processor


def _check_template(processor: Any, folder: str, template: str | None) -> None:
    own = processor.chat_template
    if isinstance(own, list) and all(isinstance(one, dict) and {"name", "template"} <= one.keys() for one in own):
        own = processor.chat_template = {one["name"]: one["template"] for one in own}  # as tokenizers have several
    if isinstance(own, dict):
        own = None if all(isinstance(one, str) for one in own.values()) else own
    if not isinstance(own, str | None):
        raise HopeBenchError(f"The chat template of {folder} is damaged: {own!r:.100} is no text. Copy or download it again.")
    if not (processor.chat_template or template):
        beside = getattr(processor.tokenizer, "chat_template", None)
        tekken = (
            f" Where tekken.json is, prompts are mistral-common's: serve it (vllm serve {folder} --tokenizer-mode mistral, and "
            "then hope-bench evaluate --base-url, docs/servers.md), or see the chat_template of the card magistral-small-2509."
        )
        raise HopeBenchError(
            f"{folder} has no chat template, so nothing says how this model is asked a question. If the model is meant for "
            "questions, put its chat_template.jinja beside the weights (or chat_template in its card); a base model needs an "
            "instruction-tuned sibling."
            + (tekken if (Path(folder) / _TEKKEN).is_file() else "")
            + (_of_tokenizer(beside) if beside else "")
        )


def _of_tokenizer(beside: Any) -> str:
    named = f"some ({', '.join(sorted(map(str, beside)))})" if isinstance(beside, dict) else "one"
    return (
        f" Its tokenizer (tokenizer_config.json) has {named}, which may be the language model's alone: if it has a place for the "
        "picture, save it as chat_template.jinja."
    )


_TEKKEN = "tekken.json"
_OF_TEKKEN = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
"""What mistral-common calls them in every vocabulary of this format."""


def _with_special_tokens(tokenizer: Any, folder: Path) -> None:
    """Mistral's own format of vocabularies doesn't say which tokens begin, end and pad a text, and transformers leaves them
    unnamed where no other file of the folder says it: a template's bos_token would then be nothing."""
    if not (folder / _TEKKEN).is_file():
        return
    held = tokenizer.get_vocab()
    missing = {name: token for name, token in _OF_TEKKEN.items() if getattr(tokenizer, name) is None and token in held}
    if missing:
        tokenizer.add_special_tokens(missing)


def _with_patch_size(processor: Any, folder: str) -> None:
    """LLaVA's first processors don't say how many tokens a picture has, which their model's configuration tells.

    Raises HopeBenchError where it doesn't.
    """
    if not hasattr(processor, "patch_size") or processor.patch_size is not None:
        return
    try:
        config = AutoConfig.from_pretrained(folder)
    except Exception as error:  # noqa: BLE001 - as above
        raise HopeBenchError(f"The config.json of {folder} can't be read: {short_reason(error)}.") from None
    vision: Any = getattr(config, "vision_config", None)
    patch_size = getattr(vision, "patch_size", None)
    if patch_size is None:
        raise HopeBenchError(
            f"The processor of {folder} doesn't say its patch_size, and neither does config.json, so nobody knows how many "
            "tokens a picture has. Add patch_size to its processor_config.json."
        )
    processor.patch_size = patch_size
    processor.vision_feature_select_strategy = processor.vision_feature_select_strategy or getattr(
        config, "vision_feature_select_strategy", "default"
    )
    if getattr(vision, "model_type", None) == "clip_vision_model" and not processor.num_additional_image_tokens:
        processor.num_additional_image_tokens = 1  # CLIP's towers put a class token before the patches


def load_model(
    folder: str,
    dtype: torch.dtype,
    device: torch.device,
    card: ModelCard | None = None,
    trust_remote_code: bool = False,
    adapter: Path | None = None,
) -> Any:
    """The checkpoint's model, ready to answer, with the card's attention, device_map and quantization, and PEFT's `adapter`.

    With `trust_remote_code` the classes are the checkpoint's own. Raises HopeBenchError where weights are missing, damaged or
    too large, or a package for them is missing.
    """
    more: dict[str, Any] = {}
    if card is not None and card.attention != "auto":
        more["attn_implementation"] = card.attention
    if card is not None and card.quantize is not None:
        four = card.quantize == "4bit"
        more["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=four, load_in_8bit=not four, bnb_4bit_compute_dtype=dtype if four else None
        )
    spread = card.device_map if card is not None else None
    try:
        with no_larger_than(weight_files(Path(folder)), Path(folder) / "config.json"):
            model, report = _auto_class(folder, trust_remote_code).from_pretrained(
                folder,
                dtype=dtype,
                device_map=spread or {"": device},
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # said in our words, with the shapes (`_check_whole`)
                **more,
            )
    except HopeBenchError:
        raise
    except torch.OutOfMemoryError as error:
        raise HopeBenchError(
            f"The weights of {folder} in {dtype} don't fit on {device}: {short_reason(error)}. "
            "Use --dtype bfloat16 or --quantize 4bit, or spread it over several GPUs with --device-map auto."
        ) from None
    except Exception as error:  # noqa: BLE001 - as do torch, safetensors and quantizers
        raise HopeBenchError(
            f"The weights of {folder} can't be loaded: {short_reason(error)}. Copy or download it again; where a package is "
            "missing, install it."
        ) from None
    left = {"cpu", "disk"} & set(map(str, getattr(model, "hf_device_map", {}).values())) if device.type != "cpu" else set()
    if left:
        raise HopeBenchError(
            f"The weights of {folder} in {dtype} don't fit on the GPUs here: --device-map {spread} leaves some of them on the "
            f"{' and the '.join(sorted(left))}, where every question would wait for them. Use more GPUs, or --quantize 4bit."
        )
    _check_whole(folder, model, report)
    if adapter is not None:
        model = with_adapter(model, adapter)
    if card is not None and card.compile:
        _drop_understood(_OF_COMPILING)
        model.compile(dynamic=True)
    return model.eval()


def _check_whole(folder: str, model: Any, report: Mapping[str, Any]) -> None:
    """Raise HopeBenchError where weights and config.json are of different models: transformers fills what is missing with random
    numbers, drops what it has no place for, and goes on."""
    config = "Its config.json is another model's, or was changed: take the one that was saved with these weights."
    if other := sorted(report["mismatched_keys"]):
        name, held, wanted = other[0]
        raise HopeBenchError(
            f"{len(other)} of the weights of {folder} have other shapes than config.json says (the first is {name}: "
            f"{tuple(held)}, not {tuple(wanted)}). {config}"
        )
    if missing := sorted(report["missing_keys"]):
        raise HopeBenchError(
            f"The checkpoint {folder} lacks {len(missing)} of its model's weights ({first_few(missing, 3)}); its answers would "
            "be partly random. Copy or download it again, or save it with its own class."
        )
    if scales := unused_scales(model, report["unexpected_keys"]):
        raise HopeBenchError(
            f"The checkpoint {folder} holds quantized weights ({first_few(scales, 3)}), and its config.json doesn't say so "
            f"(quantization_config): without their scales they would be another model's. {config}"
        )
    if unused := unused_weights(model, report["unexpected_keys"]):
        raise HopeBenchError(
            f"The checkpoint {folder} holds {counted(len(unused), 'weight')} of layers that its config.json leaves out "
            f"({first_few(unused, 3)}); without them its answers would be another model's. {config}"
        )


def check_quantize(quantize: str | None, device: torch.device) -> None:
    """Raises HopeBenchError where weights can't be loaded in 4 or 8 bits on a device."""
    known.check_quantize(quantize, device.type)


def _auto_class(folder: str, trust_remote_code: bool) -> Any:
    """What a checkpoint's own classes stand for: older ones know no image-text-to-text class and call themselves causal LMs."""
    mapped = auto_map(Path(folder) / "config.json") if trust_remote_code else {}
    causal = "AutoModelForCausalLM" in mapped and "AutoModelForImageTextToText" not in mapped
    return AutoModelForCausalLM if causal else AutoModelForImageTextToText


def find_device(name: str) -> torch.device:
    """The device that a card's `device` means; "auto" is the GPU if there is one. Of "auto" and "cuda" each of several processes
    has its own.

    Raises HopeBenchError if it isn't there, or is one GPU for several processes.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name.startswith("cuda:") and int(os.environ.get("LOCAL_WORLD_SIZE") or 1) > 1:
        raise HopeBenchError(f"Device {name!r} would be that of every process of this machine. Use cuda: each takes its own.")
    if name == "auto" or (name == "cuda" and gpus):
        return torch.device("cuda", own_gpu(gpus)) if gpus else torch.device("cpu")
    try:
        device = torch.device(name)
        # A device can have a name and not be there; this one must hold numbers.
        torch.empty((), device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        gpus = torch.cuda.device_count()
        known = f"cuda:0 to cuda:{gpus - 1}" if gpus else "cpu (torch sees no GPU here)"
        raise HopeBenchError(f"Device {name!r} can't be used: {short_reason(error)}. Use auto or {known}.") from None
    return device


def find_dtype(name: str, device: torch.device) -> torch.dtype:
    """The number format that a card's `dtype` means; "auto" is bfloat16 on a GPU (float16 on one that has none, before Ampere),
    else float32."""
    if name == "auto":
        gpus = torch.bfloat16 if computes_bfloat16(device) else torch.float16
        return gpus if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype


_OF_LOADING = {"transformers.generation.configuration_utils": "The following generation flags are not valid"}
"""The logger and the beginning of what a library says, and we understand: everything else is shown. This is said of a checkpoint
that keeps sampling settings beside greedy decoding; `decoding.use_settings` puts them aside."""

_OF_COMPILING = {"torch._dynamo.variables.tensor": "Graph break from `Tensor.item()`"}
"""A page of advice to the authors of a model whose forward checks its inputs, as transformers' do; it costs speed, no more."""


class _Understood(logging.Filter):
    """Drops one logger's messages of one beginning."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is shown; the filter's own name is the beginning."""
        return not record.getMessage().startswith(self.name)


def _drop_understood(messages: Mapping[str, str]) -> None:
    for name, beginning in messages.items():
        logger = logging.getLogger(name)
        if not any(isinstance(one, _Understood) and one.name == beginning for one in logger.filters):
            logger.addFilter(_Understood(beginning))


class _Quiet:
    """How many threads want no bars, and whether there were any before the first of them."""

    lock = threading.Lock()
    depth = 0
    bars = False


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars, which would draw over ours, and without what is understood (`_OF_LOADING`). Its other
    advice and its errors show; where TRANSFORMERS_VERBOSITY is set, all that it lets through does."""
    if "TRANSFORMERS_VERBOSITY" in os.environ:
        yield
        return
    _drop_understood(_OF_LOADING)
    with _Quiet.lock:
        if not _Quiet.depth:
            _Quiet.bars = hf_logging.is_progress_bar_enabled()
            hf_logging.disable_progress_bar()
        _Quiet.depth += 1
    try:
        yield
    finally:
        with _Quiet.lock:
            _Quiet.depth -= 1
            if not _Quiet.depth and _Quiet.bars:
                hf_logging.enable_progress_bar()


@contextmanager
def one_thread_if_small(model: Any, device: torch.device) -> Iterator[None]:
    """Ask a small model on the CPU with one thread: its matrices are too small to share, and where other work wants the cores
    too, threads waiting for each other made such a model 40 times slower (3 questions/s, not 130). OMP_NUM_THREADS wins."""
    if device.type != "cpu" or "OMP_NUM_THREADS" in os.environ or model.num_parameters() > _SMALL:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
