"""Which model a loaded one is: a hash of all that its answers depend on, so that a run knows it again."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import torch
from torch import Tensor

from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.provenance import json_sha256

_WITHOUT_EFFECT: Final = frozenset(
    ("_name_or_path", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "use_cache")
)
"""Of a configuration: where a model came from, and what its weights say already."""


def loaded_sha256(model: Any, processor: Any, template: str | None) -> str:
    """A hash of a loaded model: of its weights (names, dtypes, shapes, bytes), configuration, active adapters and special tokens,
    and of its processor, tokenizer and chat template.

    The same for a model in training mode, wrapped or loaded from elsewhere. Raises HopeBenchError where weights are not there to
    be read.
    """
    own = model.generation_config
    return json_sha256(
        {
            "weights": weights_sha256(model),
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
        return json_sha256(dict(zip(state, pool.map(_entry_sha256, state.values(), state), strict=True)))


def _entry_sha256(value: Any, name: str) -> str:
    if not isinstance(value, Tensor):  # a module's own extra state
        return hashlib.sha256(repr(value).encode()).hexdigest()
    try:
        data: Any = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise HopeBenchError(
            f"The weights {name} of this model can't be read ({short_reason(error)}), so nothing tells it from other models. "
            "If they are offloaded or of a format of their own, say which model it is: identity=..."
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


def _settled(value: Any) -> Any:
    """A configuration as JSON has it, without what makes no difference to answers."""
    if isinstance(value, Mapping):
        return {str(key): _settled(one) for key, one in value.items() if key not in _WITHOUT_EFFECT}
    if isinstance(value, list | tuple):
        return [_settled(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return value if isinstance(value, str | int | float | bool | None) else str(value)
