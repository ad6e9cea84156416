"""The JSON files of a checkpoint: read, and refused in words where they are damaged or hold what can't stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError, first_few, short_reason
from hope_bench.files.reading import check_regular, is_pointer

POINTER = "a Git LFS pointer in the place of the file: run git lfs pull in the clone, or download the model with hf download"
"""What such a file is (`is_pointer`), and what to do about it."""

_PARTS = ("text_config", "vision_config", "audio_config", "llm_config", "qformer_config", "quantization_config")
"""What a config.json may hold of configurations."""

_LAYERS = re.compile(r"(?:num|n|encoder|decoder)?_?(?:hidden_)?layers?|depth")
_MOST_LAYERS = 10_000
"""Many times what any model has: transformers makes one after the other, until there is no memory."""

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}


def read_object(file: Path, name: object) -> dict[str, Any]:
    """The object in a JSON file of the checkpoint that the user called `name`. Raises HopeBenchError for every other content."""
    damaged = f"Checkpoint {name} has a damaged {file.name}"
    try:
        check_regular(file)
        content = file.read_bytes()
        if is_pointer(content):
            raise HopeBenchError(f"{damaged}: it is {POINTER}.")
        found = json.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HopeBenchError(f"{damaged}: {short_reason(error)}. Copy or download it again.") from None
    if not isinstance(found, dict):
        raise HopeBenchError(f"{damaged}: it holds {_kind(found)}, not an object. Copy or download it again.")
    return found


def check_config(name: object, config: Mapping[str, Any]) -> None:
    """Raise HopeBenchError where a config.json says its model in what is no name and no settings: these every reader takes for
    what they should be. What only transformers reads it judges itself."""
    wrong = [
        f"{key} is {_kind(value)}, not {wanted}"
        for key, wanted, fits in (
            ("model_type", "a text", isinstance(config.get("model_type"), str | None)),
            ("architectures", "a list of texts", _texts(config.get("architectures"))),
            ("auto_map", "an object", isinstance(config.get("auto_map"), dict | None)),
        )
        for value in [config.get(key)]
        if not fits
    ]
    for part in (config, *(config.get(key) for key in _PARTS)):
        for key, value in part.items() if isinstance(part, Mapping) else ():
            if _LAYERS.fullmatch(key) and isinstance(value, int) and value > _MOST_LAYERS:
                wrong.append(f"{key} is more than {_MOST_LAYERS:,}")
    for key in _PARTS:
        value = config.get(key)
        if not isinstance(value, dict | None):
            wrong.append(f"{key} is {_kind(value)}, not an object")
        elif value and not isinstance(value.get("model_type"), str | None):
            wrong.append(f"{key}.model_type is {_kind(value['model_type'])}, not a text")
    if wrong:
        raise HopeBenchError(f"Checkpoint {name} has a damaged config.json: {first_few(wrong, 3)}. Copy or download it again.")


def _texts(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)
