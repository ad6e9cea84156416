"""Files from outside, decoded: bytes, text, lines and JSON, or one HopeBenchError that says why not. Every reader's only door."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
import zipfile
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import msgspec

from hope_bench.errors import HopeBenchError, short_reason

_Kind = TypeVar("_Kind")

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""What may be half a character in JSON: a surrogate, alone or in a pair."""

_ENDLESS_KEY = re.compile(r"""(?:\.[ \t]*(?:[\w-]+|"[^"\n]{0,200}"|'[^'\n]{0,200}')[ \t]*){100}""")
"""Of TOML's dotted keys: tomllib takes time and memory with the square of their parts, 3 GB for 30,000."""

_PART_OF_A_NUMBER = re.compile(rb"[-+.\deE]{1,400}$")

_AS_UTF8 = "Save it as UTF-8 (iconv -f {} -t utf-8)."

_NO_TEXT = (
    (rb"version https://git-lfs\.github\.com/spec/", "a Git LFS pointer in the place of the file",
     "Run git lfs pull in the clone, or download the file itself."),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32 text, not UTF-8", _AS_UTF8.format("utf-32")),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text, not UTF-8", _AS_UTF8.format("utf-16")),
    (rb"\x1f\x8b", "compressed", "Unpack it (gunzip) and name the file that comes out."),
    (rb"PK\x03\x04.{26}(?:\[Content_Types\]|docProps/|_rels/|xl/)", "an Office document under another name",
     "Save what it holds as text, in UTF-8."),
    (rb"PK\x03\x04", "a zip archive", "Unpack it and name the file that comes out."),
    (rb"(?i:(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html\b|head>))", "a web page", "Download the file itself."),
    (rb"\x89PNG|\xff\xd8\xff|%PDF-|BZh\d1AY|\x28\xb5\x2f\xfd|.{0,8}\0", "a binary file, not text in UTF-8",
     "Name the file that holds the text."),
)  # fmt: skip
"""How files begin that are no text in UTF-8, or not the text that was meant; what they are, and what to do."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever keeps a file or folder from being read meanwhile (the disk, its name, its bytes, its nesting, or that it is a pipe
    or a device) becomes a HopeBenchError that names it."""
    try:
        check_regular(path)
        yield
    except FileNotFoundError as error:
        raise HopeBenchError(f"{_shown(error.filename or path)} does not exist.") from None
    except IsADirectoryError as error:
        raise HopeBenchError(f"{_shown(error.filename or path)} is a folder. Name the file in it.") from None
    except OSError as error:
        raise HopeBenchError(f"{_shown(error.filename or path)} can't be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise HopeBenchError(f"{_shown(path)} is not UTF-8 text ({error.reason}). {_AS_UTF8.format('latin1')}") from None
    except UnicodeEncodeError:
        raise HopeBenchError(f"{_shown(path)} holds half a character (a lone surrogate). Write it anew.") from None
    except RecursionError:
        raise HopeBenchError(f"{_shown(path)} can't be read: it is nested too deeply.") from None
    except RuntimeError as error:
        if "Symlink loop" not in str(error):  # Path.resolve, before Python 3.13
            raise
        raise HopeBenchError(f"{_shown(path)} can't be read: its links lead in a circle.") from None
    except ValueError as error:
        if type(error).__module__.startswith("pyarrow"):  # not imported here for its name alone
            raise HopeBenchError(f"{_shown(path)} can't be read: {short_reason(error)}.") from None
        if "null" not in str(error):  # what Python says of a path with a NUL; others are a reader's own faults
            raise
        raise HopeBenchError(f"{_shown(path)} can't be read: no file's name holds a NUL.") from None


def check_regular(path: Path) -> None:
    """Raise HopeBenchError for a pipe, a device and whatever else may never end: a link in a folder of others may lead to
    /dev/zero. What isn't there, others say."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise HopeBenchError(f"{_shown(path)} is no regular file, but a pipe or a device. Save what it holds as a file.")


def open_bytes(path: Path) -> BinaryIO:
    """A regular file, open to be read. Raises HopeBenchError for what is none, and OSError."""
    check_regular(path)
    return path.open("rb")


_MOST_TIMES, _ALWAYS_FINE = 100, 2**26
"""What a packed file may unpack to: times its own size (deflate reaches 1,000, tables and logs 30), and bytes."""


def check_unpacked(path: Path) -> None:
    """Raise HopeBenchError for a zip archive that unpacks to far more than anybody's table or log: a megabyte could take all
    memory. No more than its entries say of themselves is ever unpacked. What is no archive, others say."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(one.file_size for one in archive.infolist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return
    check_size(path, size)


def check_size(path: Path, size: int) -> None:
    """Raise HopeBenchError for a file that unpacks to `size` bytes where that is out of all proportion."""
    if size > max(_ALWAYS_FINE, _MOST_TIMES * path.stat().st_size):
        raise HopeBenchError(f"{_shown(path)} is not read: it would unpack to {size / 1e9:,.1f} GB.")


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises HopeBenchError where there is none, or it can't be read."""
    with reading(path):
        return path.read_bytes()


def read_text(path: Path) -> str:
    """A UTF-8 file's text, without the mark that Windows programs put first. Raises HopeBenchError for every other encoding."""
    return text_of(read_bytes(path), path)


def no_text(head: bytes, path: Path) -> HopeBenchError | None:
    """Why a file that begins with these bytes is not read as text, and what to do; None where nothing says so."""
    if head.startswith(_ZIP) and not zipfile.is_zipfile(path):
        return HopeBenchError(f"{_shown(path)} is a zip archive that is cut off. Copy or download it again.")
    found = next(((what, advice) for form, what, advice in _NO_TEXT if re.match(form, head[:HEAD], re.DOTALL)), None)
    return None if found is None else HopeBenchError(f"{_shown(path)} is {found[0]}. {found[1]}")


HEAD = 200
"""Bytes of a file's beginning that tell what it is."""

_ZIP = b"PK\x03\x04"


def is_pointer(head: bytes) -> bool:
    """Whether a file that begins with these bytes is Git LFS's pointer to what it should hold: the small text that Git keeps in a
    large file's place where Git LFS hasn't fetched it."""
    return re.match(_NO_TEXT[0][0], head) is not None


def pointer(path: Path) -> HopeBenchError | None:
    """Why a file of any kind is no such file, if it is Git LFS's pointer to one, and what to do; else None."""
    with open_bytes(path) as stream:
        head = stream.read(HEAD)
    return no_text(head, path) if is_pointer(head) else None


def text_of(data: bytes, path: Path) -> str:
    """What a file's bytes say, as `read_text`."""
    with reading(path):
        return _marked(data, path).decode("utf-8")


def lines_of(data: bytes, path: Path) -> list[bytes]:
    """The lines of a text file's bytes, each decoded by itself (`decode`), without mark and line breaks. Raises HopeBenchError
    where these are no lines of UTF-8, nor of anything like it (`no_text`)."""
    return _marked(data, path).splitlines()


def decode(line: bytes | memoryview | msgspec.Raw, kind: type[_Kind]) -> _Kind:
    """JSON as `kind`. Raises msgspec.DecodeError for whatever it isn't: also bytes that are no UTF-8, and endless brackets."""
    try:
        return msgspec.json.decode(line, type=kind)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"not UTF-8 text: {error.reason}") from None
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None


def is_beginning(line: bytes) -> bool:
    """Whether bytes are the beginning of a JSON object, as a crash leaves a last line; all else isn't ours to drop."""
    if not line.startswith(b"{"):
        return False
    try:
        msgspec.json.decode(_PART_OF_A_NUMBER.sub(b"", line))  # of "0." msgspec doesn't say that it is cut off
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (UnicodeDecodeError, RecursionError):
        return False
    return False


def json_of(text: str, where: object) -> Any:
    """What JSON text holds, NaN too. Raises HopeBenchError naming where it stands."""
    try:
        made = json.loads(text)
        if _HALF.search(text):
            json.dumps(made, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise HopeBenchError(f"{where}: not JSON that can be kept (half a character, a lone surrogate).") from None
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and endless brackets
        raise HopeBenchError(f"{where} is not JSON: {short_reason(error)}.") from None
    return made


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Raises HopeBenchError naming it."""
    text = read_text(path)
    if _ENDLESS_KEY.search(text):
        raise HopeBenchError(f"{path} is not read: more than 100 names stand there in a row with dots between them.")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # as for JSON
        raise HopeBenchError(f"{path} is not TOML: {short_reason(error)}.") from None


_MARKS_IN_A_ROW = 30
"""Combining marks that one letter keeps, as Unicode's stream-safe format has it (UAX #15, section 13); no language needs more."""


def normalized(text: str, form: Literal["NFC", "NFD", "NFKC"]) -> str:
    """A text's Unicode normal form, in time that grows with its length: of a letter with more than 30 marks the rest go, which
    unicodedata would sort in the square of their number."""
    if text.isascii():
        return text
    if len(text) > _MARKS_IN_A_ROW:
        kept, marks = [], 0
        for letter in text:
            marks = marks + 1 if unicodedata.combining(letter) else 0
            if marks <= _MARKS_IN_A_ROW:
                kept.append(letter)
        text = "".join(kept)
    return unicodedata.normalize(form, text)


def _marked(data: bytes, path: Path) -> bytes:
    if (error := no_text(data, path)) is not None:
        raise error
    return data.removeprefix(BOM_UTF8)


def _shown(path: object) -> str:
    """A path for people, which may be one that no file can have."""
    text = str(path).replace("\0", "\\0")
    return text if len(text) <= 300 else text[:300] + "..."
