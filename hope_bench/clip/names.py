"""The names of CLIP models, checked without open_clip, which takes 6 s of CPU to import."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

from hope_bench.errors import HopeBenchError, did_you_mean


def check_clip_name(name: str) -> None:
    """Raise HopeBenchError for an architecture that open_clip doesn't have, for weights that it doesn't have for it (and that are
    no file), naming the nearest, and for a "local-dir:FOLDER" without its configuration."""
    scheme, _, rest = name.partition(":")
    if scheme == "local-dir":
        if not (Path(rest) / "open_clip_config.json").is_file():
            raise HopeBenchError(f"CLIP model {name!r}: {rest} holds no open_clip_config.json.")
    elif scheme != "hf-hub" and scheme not in (known := architectures()):
        raise HopeBenchError(f"open_clip has no model {scheme!r}. " + did_you_mean(scheme, known))
    elif not rest:
        listed = ", ".join(tags(scheme)) or "none"
        raise HopeBenchError(f"CLIP model {name!r} names no weights. Name them: {scheme}:TAG ({listed}) or {scheme}:FILE.")
    elif rest not in (known := tags(scheme)) and not Path(rest).is_file():
        raise HopeBenchError(
            f"open_clip has no weights {rest!r} for {scheme}, and no such file exists. " + did_you_mean(rest, known)
        )


def architectures() -> list[str]:
    """The architectures that open_clip lists: it has a file of each."""
    return sorted(file.stem for file in (_open_clip() / "model_configs").glob("*.json"))


def tags(architecture: str) -> list[str]:
    """The tags of the weights that open_clip has for an architecture, read from the tables in its source. An architecture that
    open_clip makes of another by QuickGELU has those of the other's that are marked so."""
    tables = {
        target.id: node.value
        for node in ast.parse((_open_clip() / "pretrained.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    index: Any = tables["_PRETRAINED"]
    by_name: dict[Any, Any] = {
        key.value: tables[table.id] if isinstance(table, ast.Name) else table
        for key, table in zip(index.keys, index.values, strict=True)
    }
    if architecture in by_name:
        return [one.arg for one in by_name[architecture].keywords]
    base = by_name.get(architecture.removesuffix("-quickgelu"))
    return [] if base is None else [one.arg for one in base.keywords if "quick_gelu=True" in ast.unparse(one.value)]


def _open_clip() -> Path:
    found = importlib.util.find_spec("open_clip")
    return Path() if found is None or found.origin is None else Path(found.origin).parent
