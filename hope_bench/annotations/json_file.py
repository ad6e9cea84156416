"""JSON files of any size, decoded as typed structs from mapped memory."""

from __future__ import annotations

import mmap
from codecs import BOM_UTF8
from pathlib import Path
from typing import TypeVar

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.records import no_collector

_File = TypeVar("_File")


def decode(path: Path, kind: type[_File], description: str) -> _File:
    """A JSON file as `kind`. Raises HopeBenchError naming the file, the place and what to do."""
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
            no_collector(),
        ):
            marked = data[: len(BOM_UTF8)] == BOM_UTF8  # as Windows programs write it
            return msgspec.json.decode(view[len(BOM_UTF8) :] if marked else view, type=kind)
    except msgspec.ValidationError as error:
        raise HopeBenchError(f"{path} is JSON, but not {description}: {error}.") from None
    except msgspec.DecodeError as error:
        raise not_json(path, str(error)) from None
    except ValueError:
        raise HopeBenchError(f"{path} is empty.") from None  # an empty file can't be mapped
    except OSError as error:
        raise HopeBenchError(f"{path} can't be read: {error}.") from None


def not_json(path: Path, words: str) -> HopeBenchError:
    """Why a file can't be read as JSON, and what to do."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    if packed:
        return HopeBenchError(f"{path} is compressed. Unpack it (gunzip) and name the file that comes out.")
    return HopeBenchError(f"{path} is not JSON ({words}). If it was downloaded, it may be cut off: get it again.")
