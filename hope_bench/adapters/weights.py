"""The weight files of a checkpoint folder: which there should be, and whether they are what their names say. Needs no torch."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from hope_bench.adapters import lora
from hope_bench.adapters.json_files import POINTER
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.names import within_folder
from hope_bench.files.reading import is_pointer

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WHOLE = ("model.safetensors", "pytorch_model.bin")

_SHARD = re.compile(r"(model|pytorch_model)-\d+-of-\d+\.(safetensors|bin)")
_VARIANT = re.compile(r"(model|pytorch_model)\.\w+\.(safetensors|bin)")
_PICKLED = b"\x80"
"""What a pickle begins with; torch has written zip archives of them since 1.6."""
_HEAD = 64
"""Bytes that tell what a file is."""
_LONGEST_HEADER = 100_000_000
"""Bytes; safetensors' own limit."""


def lacks(folder: Path) -> str | None:
    """What a checkpoint folder lacks of its weight files, in words; None if all are there."""
    names = _names(folder)
    first = _first(folder)
    if first is not None:
        return _of_index(folder, first) if first.name in INDEXES else None
    whole = [name for name in names if name not in INDEXES]
    return lost_link(folder, names) or _other_names(folder) or f"it holds no weights ({' or '.join(whole)})"


def _names(folder: Path) -> Sequence[str]:
    """What may hold a folder's weights, in the order in which transformers and peft look for it."""
    return lora.WEIGHTS if lora.is_adapter(folder) else (WHOLE[0], INDEXES[0], WHOLE[1], INDEXES[1])


def _first(folder: Path) -> Path | None:
    return next((folder / name for name in _names(folder) if (folder / name).is_file()), None)


def lost_link(folder: Path, names: Sequence[str]) -> str | None:
    """That one of these files is a link to what isn't there, in words; None where none is."""
    for file in (folder / name for name in names):
        if os.path.islink(file) and not os.path.exists(file):  # noqa: PTH114, PTH110 - as above
            return (
                f"{file.name} is a link to {os.readlink(file)}, which is not there (of a folder within Hugging Face's cache, "  # noqa: PTH115
                "copy what its links lead to: cp -rL)"
            )
    return None


def check_weights(folder: Path, *, pointers_alone: bool = False) -> None:
    """Raise HopeBenchError where a weight file that would be loaded is none: Git LFS's pointer, empty, cut off, something else.
    Only its head and its size are looked at. The files themselves are there (`lacks`)."""
    for file in weight_files(folder):
        if told := _wrong(file, pointers_alone):
            raise HopeBenchError(f"The weights of {folder} can't be loaded: {file.name} {told}.")


def _of_index(folder: Path, index: Path) -> str | None:
    files = _named(index)
    if files is None:
        return f"{index.name} is {POINTER if is_pointer(index.read_bytes()) else 'damaged'}"
    if not files:
        return f"{index.name} names no weight files (its weight_map is empty)"
    absent = [file for file in files if not os.path.isfile(folder / file)]  # noqa: PTH113 - Path's raises where a name is too long
    if not absent:
        return None
    link = lost_link(folder, absent)
    shown = absent[0] if len(absent[0]) <= 100 else absent[0][:100] + "..."
    return link or f"{len(absent)} of {len(files)} weight files are missing (the first is {shown})"


def _named(index: Path) -> list[str] | None:
    """The files that an index names, in order; None where it is no index."""
    try:
        files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return sorted(files) if all(isinstance(file, str) and within_folder(file) for file in files) else None


def weight_files(folder: Path) -> list[Path]:
    """The files of a checkpoint folder that are loaded; none where it has none."""
    first = _first(folder)
    if first is None:
        return []
    return [folder / name for name in _named(first) or ()] if first.name in INDEXES else [first]


def _wrong(file: Path, pointers_alone: bool) -> str | None:
    """Why a file can't be weights, in words; None where it may well be."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError as error:
        return f"can't be read ({error.strerror or error})"
    if is_pointer(head):
        return f"is {POINTER}"
    if pointers_alone:
        return None
    again = "Copy or download it again"
    if not size:
        return f"is empty. {again}"
    if file.suffix != ".safetensors":
        pickled = head.startswith(_PICKLED) or zipfile.is_zipfile(file)
        cut = "is cut off" if head.startswith(b"PK") else "is not what torch.save writes"
        return None if pickled else f"{cut}. {again}"
    end = _end(file, head, size)
    if end is None:
        return f"is no safetensors file: its header is damaged. {again}"
    return None if end == size else f"is {size:,} bytes and not the {end:,} that its header says (cut off?). {again}"


def _end(file: Path, head: bytes, size: int) -> int | None:
    """How many bytes a safetensors file has by its own header; None where that is none."""
    length = int.from_bytes(head[:8], "little")
    if len(head) < 8 or length > _LONGEST_HEADER:
        return None
    if length + 8 > size:
        return length + 8
    try:
        with file.open("rb") as opened:
            opened.seek(8)
            told = json.loads(opened.read(length))
        ends = [int(tensor["data_offsets"][1]) for name, tensor in told.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError):
        return None
    return 8 + length + max(ends, default=0)


def _other_names(folder: Path) -> str | None:
    names = sorted(path.name for path in folder.iterdir())
    if shards := [found for name in names if (found := _SHARD.fullmatch(name))]:
        index = f"{shards[0][1]}.{shards[0][2]}.index.json"
        return f"{index} is missing, which says what of the weights is in which of {first_few((one[0] for one in shards), 2)}"
    if found := next((found for name in names if (found := _VARIANT.fullmatch(name))), None):
        return f"its weights are a variant, {found[0]}, which is read by the name {found[1]}.{found[2]} alone (rename it)"
    return None
