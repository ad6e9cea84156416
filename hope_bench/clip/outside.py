"""What the configuration of a CLIP model from elsewhere may ask open_clip for: no code, and no file but those beside it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.names import within_folder
from hope_bench.files.reading import check_regular

_OF_TOKENIZERS = frozenset(
    [
        "bpe_path",
        "additional_special_tokens",
        "clean",
        "context_length",
        "language",
        "reduction_mask",
        "strip_sep_token",
        "tokenizer_mode",
    ]
)
"""What a config may say of its tokenizer: open_clip's own settings. All else goes to transformers, trust_remote_code among it."""

_LARGEST_VOCABULARY = 2**26
"""Bytes of a vocabulary file, unpacked; CLIP's has 3 MB."""


def tokenizer_options(architecture: str) -> dict[str, Any]:
    """What open_clip's get_tokenizer is to be given for "local-dir:FOLDER" or "hf-hub:ORG/NAME": a vocabulary file that the
    config names beside itself, which open_clip doesn't resolve, and that no code is run. Raises HopeBenchError for a config
    that asks for more."""
    import open_clip

    scheme, _, where = architecture.partition(":")
    if scheme not in ("local-dir", "hf-hub"):
        return {}
    text = open_clip.get_model_config(architecture).get("text_cfg", {})
    given = text.get("tokenizer_kwargs", {})
    if unknown := sorted(given.keys() - _OF_TOKENIZERS):
        raise HopeBenchError(
            f"its open_clip_config.json says {first_few(unknown)} of its tokenizer, which could run code or read other files. "
            "Take that out of tokenizer_kwargs."
        )
    options = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
    bpe = given.get("bpe_path")
    return options | ({"bpe_path": _vocabulary(scheme, where, bpe)} if bpe else {})


def _vocabulary(scheme: str, folder: str, name: str) -> str:
    if scheme != "local-dir" or not within_folder(name):
        raise HopeBenchError(f"its vocabulary file {name[:200]!r} is none beside its open_clip_config.json.")
    path = (Path(folder) / name).resolve()
    check_regular(path)
    with gzip.open(path) as stream:
        if len(stream.read(_LARGEST_VOCABULARY + 1)) > _LARGEST_VOCABULARY:
            raise HopeBenchError(f"its vocabulary file {name} unpacks to more than {_LARGEST_VOCABULARY // 2**20} MB.")
    return str(path)


@contextmanager
def without_code() -> Iterator[None]:
    """Where transformers would ask on the terminal whether it may run a model's own code, it refuses instead."""
    from transformers import dynamic_module_utils

    seconds = dynamic_module_utils.TIME_OUT_REMOTE_CODE
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0
    try:
        yield
    finally:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = seconds
