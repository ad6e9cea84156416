"""JSON files of any size, decoded as typed structs from mapped memory."""

from __future__ import annotations

import json
import mmap
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hope_bench.errors import HopeBenchError
from hope_bench.files.reading import HEAD, no_text, open_bytes
from hope_bench.records import no_collector

_File = TypeVar("_File")


def decode(path: Path, kind: type[_File], description: str) -> _File:
    """A JSON file as `kind`, numbers also where they are written as text. Raises HopeBenchError naming the file, the place and
    what to do."""
    with json_text(path) as text:
        try:
            return msgspec.json.decode(text, type=kind, strict=False)
        except msgspec.ValidationError as error:
            raise HopeBenchError(f"{path} is JSON, but not {description}: {error}.") from None


@contextmanager
def json_text(path: Path) -> Iterator[memoryview]:
    """A file's bytes to decode, mapped, without the mark that Windows programs put first. What msgspec finds malformed meanwhile,
    and a file that is empty or can't be read, becomes a HopeBenchError."""
    try:
        with open_bytes(path) as stream, no_collector():
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # goes with the last that looks at it
            yield memoryview(data)[len(BOM_UTF8) if data[: len(BOM_UTF8)] == BOM_UTF8 else 0 :]
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise not_json(path, str(error)) from None
    except UnicodeDecodeError as error:
        raise HopeBenchError(
            f"{path} is not UTF-8 text, as JSON has to be ({error.reason}). Save it as UTF-8 (iconv -f latin1 -t utf-8)."
        ) from None
    except RecursionError:
        raise HopeBenchError(f"{path} can't be read: it is nested too deeply.") from None
    except ValueError:
        raise HopeBenchError(f"{path} is empty.") from None  # an empty file can't be mapped
    except OSError as error:
        raise HopeBenchError(f"{path} can't be read: {error.strerror or error}.") from None


def decode_with_nan(text: memoryview) -> Any:
    """JSON as Python's own writer makes it of NaN and infinities, which aren't JSON; slower. None where it isn't that either."""
    try:
        return json.loads(bytes(text))
    except (ValueError, RecursionError):
        return None


def not_json(path: Path, words: str) -> HopeBenchError:
    """Why a file can't be read as JSON, and what to do."""
    with open_bytes(path) as stream:
        other = no_text(stream.read(HEAD), path)
    return other or HopeBenchError(f"{path} is not JSON ({words}). If it was downloaded, it may be cut off: get it again.")
