"""Which model a loaded one is: a hash of all that its answers depend on, so that a run knows it again."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
import io
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType, MethodType
from typing import Any, Final

import torch
from torch import Tensor
from transformers import GenerationConfig

from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.provenance import json_sha256

_WITHOUT_EFFECT: Final = frozenset(
    ("_name_or_path", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "use_cache")
)
"""Of a configuration: where a model came from, and what its weights say already."""

_OF_TRAINING: Final = frozenset(
    (
        "training",
        "gradient_checkpointing",
        "gradient_checkpointing_kwargs",
        "is_gradient_checkpointing",
        "name_or_path",
        "rope_deltas",
    )
)
"""Attributes of modules that training or an earlier question leaves, and that are in no answer."""

_LIBRARIES: Final = frozenset(("torch", "transformers", "transformers_modules", "peft", "accelerate", "bitsandbytes", "timm"))
"""Whose hooks and forwards a model may have: the first's are of training and of placing, PEFT's are told by its weights."""

_CODE = (FunctionType, MethodType, functools.partial)

_SAY: Final = 'say which model it is, identity="...", a text that changes whenever its answers may.'


def loaded_sha256(model: Any, processor: Any, template: str | None) -> str:
    """A hash of a loaded model: of its weights (names, dtypes, shapes, bytes), configuration, active adapters and special tokens,
    and of its processor, tokenizer and chat template.

    Also of what its modules are and hold besides weights: classes, plain attributes, buffers that are not saved. The same for a
    model in training mode, wrapped or loaded from elsewhere. Raises HopeBenchError where weights are not there to be read, and
    for code of the user's own within the model (hooks, a forward put in place of the class's), which no hash tells.
    """
    _check_code(model)
    own = model.generation_config or GenerationConfig()
    return json_sha256(
        {
            "weights": weights_sha256(model),
            "modules": [[name, *_class(type(one)), _plain(one)] for name, one in model.named_modules()],
            "buffers": {name: _content_sha256(one, name) for name, one in model.named_buffers()},
            "config": _settled(model.config.to_dict()),
            "adapters": _adapters(model),
            "tokens": [own.eos_token_id, own.pad_token_id, own.bos_token_id, own.decoder_start_token_id],
            "processor": _settled(processor.to_dict()),
            "tokenizer": _tokenizer(processor.tokenizer),
            "template": processor.chat_template or template,
        }
    )


def weights_sha256(model: Any) -> str:
    """A hash of a module's `state_dict`: every name with its dtype, shape and bytes."""
    state = model.state_dict()
    with ThreadPoolExecutor(4) as pool:
        return json_sha256(dict(zip(state, pool.map(_content_sha256, state.values(), state), strict=True)))


def _content_sha256(value: Any, name: str) -> str:
    """A hash of what a tensor holds or, of a module's own extra state, whatever that is."""
    if not isinstance(value, Tensor):
        return json_sha256(
            _settled(value, lambda one: _content_sha256(one, name) if isinstance(one, Tensor) else _bytes(one, name))
        )
    try:
        data: Any = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise HopeBenchError(
            f"The weights {name} of this model can't be read ({short_reason(error)}), so nothing tells it from other models. "
            f"If they are offloaded or of a format of their own, {_SAY}"
        ) from None
    return hashlib.sha256(f"{value.dtype} {tuple(value.shape)} ".encode() + hashlib.sha256(data).digest()).hexdigest()


def _adapters(model: Any) -> Any:
    """Of each layer with PEFT's adapters, which of them are active, merged and how strong: that is in no weight."""
    names = ("active_adapters", "disable_adapters", "merged_adapters", "scaling")
    layers = [[getattr(module, name, None) for name in names] for module in model.modules()]
    return [_settled(layer) for layer in layers if isinstance(layer[1], bool)]


def _tokenizer(tokenizer: Any) -> Any:
    """What a tokenizer does; how it last padded or cut is no part of that."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    tokens = _settled(tokenizer.special_tokens_map)
    if fast is None:
        return [type(tokenizer).__name__, tokenizer.get_vocab(), tokens]
    plain = copy.deepcopy(fast)
    plain.no_padding()
    plain.no_truncation()
    return [plain.to_str(), tokens]


def _bytes(value: Any, name: str) -> str:
    """A hash of something in a module's extra state that is no tensor."""
    if isinstance(value, io.BytesIO):
        return hashlib.sha256(value.getvalue()).hexdigest()
    try:
        return hashlib.sha256(pickle.dumps(value)).hexdigest()
    except Exception as error:  # noqa: BLE001 - an object's own code can raise anything
        raise HopeBenchError(
            f"What {name} of this model holds can't be read ({short_reason(error)}), so nothing tells it from others: {_SAY}"
        ) from None


def _plain(module: Any) -> dict[str, Any]:
    """A module's own attributes that are numbers, texts, tensors or lists of these, by name."""
    kept = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name in _OF_TRAINING or "dropout" in name:
            continue
        if isinstance(value, Tensor):
            kept[name] = _content_sha256(value, name)
        elif isinstance(value, str | int | float | bool | None | torch.dtype) or (
            isinstance(value, list | tuple) and all(isinstance(one, str | int | float | bool | None) for one in value)
        ):
            kept[name] = _settled(value)
    return kept


def _check_code(model: Any) -> None:
    """Raise HopeBenchError where code that is neither a library's nor its class's own changes what a module does."""
    for name, module in model.named_modules():
        found = [("a hook", one) for one in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())]
        found += [(f"a {key} of its own", one) for key, one in vars(module).items() if isinstance(one, _CODE)]
        if _home(type(module).forward) != _top(type(module).__module__):
            found.append(("another forward than its class's", type(module).forward))
        for what, code in found:
            if _home(code) in _LIBRARIES:
                continue
            raise HopeBenchError(
                f"{name or 'The model'} ({type(module).__name__}) has {what} ({getattr(code, '__qualname__', code)}). No hash of "
                f"weights tells what that does, or this model's answers from those without it: {_SAY}"
            )


def _home(code: Any) -> str:
    """The top package in which a function, a bound or partial one, or an object that is called was written."""
    while isinstance(code, functools.partial | MethodType):
        code = code.func if isinstance(code, functools.partial) else code.__func__
    return _top(code.__globals__["__name__"] if isinstance(code, FunctionType) else type(code).__module__)


def _top(module: str) -> str:
    return module.split(".")[0]


def _class(kind: type) -> list[str]:
    """A module's class: its name, and what it says where it isn't a library's."""
    if _top(kind.__module__) in _LIBRARIES:
        return [kind.__qualname__]
    try:
        return [kind.__qualname__, inspect.getsource(kind)]
    except (OSError, TypeError):  # typed into a console
        return [kind.__qualname__]


def _settled(value: Any, other: Callable[[Any], Any] = str) -> Any:
    """A configuration as JSON has it, without what makes no difference to answers; `other` says what becomes of what JSON
    hasn't."""
    if isinstance(value, Mapping):
        return {str(key): _settled(one, other) for key, one in value.items() if key not in _WITHOUT_EFFECT}
    if isinstance(value, list | tuple):
        return [_settled(one, other) for one in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return value if isinstance(value, str | int | float | bool | None) else other(value)
