"""The names of CLIP models, checked without open_clip, which takes 6 s of CPU to import."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hope_bench.errors import HopeBenchError, did_you_mean


def check_clip_name(name: str) -> None:
    """Raise HopeBenchError for an architecture that open_clip doesn't have, naming the nearest, and for a "local-dir:FOLDER"
    without its configuration. Which weights there are for an architecture only open_clip knows."""
    scheme, _, rest = name.partition(":")
    if scheme == "local-dir":
        if not (Path(rest) / "open_clip_config.json").is_file():
            raise HopeBenchError(f"CLIP model {name!r}: {rest} holds no open_clip_config.json.")
    elif scheme != "hf-hub" and scheme not in (known := architectures()):
        raise HopeBenchError(f"open_clip has no model {scheme!r}. " + did_you_mean(scheme, known))


def architectures() -> list[str]:
    """The architectures that open_clip lists: it has a file of each."""
    found = importlib.util.find_spec("open_clip")
    folder = Path(found.origin).parent if found is not None and found.origin is not None else Path()
    return sorted(file.stem for file in (folder / "model_configs").glob("*.json"))
