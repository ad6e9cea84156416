"""A damaged file out of a whole one: taken apart as what it is (JSON, lines, TOML, a table, XML, a packed file), or as bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import tomllib
import zipfile
from codecs import BOM_UTF8
from collections.abc import Callable

from tests.fuzz.trees import ODD_TEXTS, as_json, as_toml, changed, odd_in, odd_text, parsed, tree_of

LONGEST = 2_000_000
"""Bytes of a mutated file: more would only take time."""


def mutated(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """A file with these bytes and this ending, damaged; the same for the same state of `rng`."""
    made = structured(data, suffix, rng) if rng.random() < 0.7 else with_bytes_changed(data, rng)
    if rng.random() < 0.05:
        made = with_bytes_changed(made, rng)
    return made[:LONGEST]


def structured(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """A damage to what the file says, which its format survives; of a format that isn't known, to its bytes."""
    for change in (_PACKED.get(suffix), _TEXTS.get(suffix), _json, _json_lines, _words):
        if change is not None:
            try:
                return change(data, rng)
            except Exception:  # noqa: BLE001 - not of that format, which the next one may be
                continue
    return with_bytes_changed(data, rng)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


def _json(data: bytes, rng: random.Random) -> bytes:
    return _encoded(as_json(changed(parsed(data.decode()), rng)))


def _json_lines(data: bytes, rng: random.Random) -> bytes:
    """Lines are objects; their number, order and breaks change, too."""
    rows = [parsed(line) for line in data.decode().splitlines() if line.strip()]
    if rng.random() < 0.8:
        rows = changed(rows, rng)
    end = rng.choice(("\n",) * 8 + ("\r\n", "", "\n\n", "\r", "\u2028", " "))
    lines = [as_json(row) for row in rows] if isinstance(rows, list) else [as_json(rows)]
    if rng.random() < 0.1 and lines:
        lines[rng.randrange(len(lines))] = odd_text(rng)
    return _encoded(end.join(lines) + rng.choice(("", end)))


def _toml(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return _words(data, rng)
    return _encoded(as_toml(changed(tree_of(tomllib.loads(data.decode())), rng)))


def _table(delimiter: str) -> Callable[[bytes, random.Random], bytes]:
    def change(data: bytes, rng: random.Random) -> bytes:
        rows = changed([list(row) for row in csv.reader(io.StringIO(data.decode()), delimiter=delimiter)], rng)
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=delimiter, lineterminator=rng.choice(("\n", "\n", "\n", "\r\n", "\r")))
        for row in rows if isinstance(rows, list) else [rows]:
            cells = row if isinstance(row, list) else [row]
            writer.writerow([as_json(cell) if isinstance(cell, list) else cell for cell in cells])
        return _encoded(stream.getvalue())

    return change


def _words(data: bytes, rng: random.Random) -> bytes:
    """Words, marks and lines of a text: dropped, doubled, swapped, changed."""
    parts = re.findall(r"\w+|\s+|[^\w\s]+", data.decode())
    for _ in range(rng.choice((1, 1, 2, 3, 9))):
        if not parts:
            return _encoded(odd_text(rng))
        at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        kind = rng.randrange(6)
        if kind == 0:
            del parts[at]
        elif kind == 1:
            parts[at] = odd_text(rng)
        elif kind == 2:
            parts[at] = odd_in(parts[at], rng)
        elif kind == 3:
            parts[at], parts[other] = parts[other], parts[at]
        elif kind == 4:
            parts[at:at] = parts[other : other + rng.randint(1, 30)]
        else:
            parts[at:at] = parts[other : other + 5] * rng.choice((2, 50, 3000))
    return _encoded("".join(parts))


def _gzip(data: bytes, rng: random.Random) -> bytes:
    return gzip.compress(structured(gzip.decompress(data), "", rng), 1)


def _zip(data: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(held))
    if rng.random() < 0.1:
        held[rng.choice(ODD_TEXTS).replace("\ud800", "") or "x"] = held.pop(name)
    else:
        held[name] = structured(held[name], "", rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for one, content in held.items():
            archive.writestr(one.encode(errors="replace").decode(), content)
    return stream.getvalue()


def _safetensors(data: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    head = structured(data[8 : 8 + length], "", rng)
    said = len(head) if rng.random() < 0.9 else rng.choice((0, 1, 2**63, 2**64 - 1, len(head) + 1, 10**8))
    return said.to_bytes(8, "little") + head + data[8 + length :]


def _parquet(data: bytes, rng: random.Random) -> bytes:
    """The rows, changed, in a sound file: columns of other types, other names, nothing in them."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(data))
    try:
        rows = json.loads(as_json(changed(tree_of(json.loads(json.dumps(table.to_pylist(), default=str))), rng)))
        made = pyarrow.Table.from_pylist(rows)
    except (pyarrow.ArrowException, AttributeError, TypeError, OverflowError):
        return with_bytes_changed(data, rng)
    if rng.random() < 0.7:
        made = made.replace_schema_metadata(table.schema.metadata)
    stream = io.BytesIO()
    try:
        parquet.write_table(made, stream)
    except pyarrow.ArrowException:  # a column of nothing but empty objects
        return with_bytes_changed(data, rng)
    return stream.getvalue()


def _http(data: bytes, rng: random.Random) -> bytes:
    """A server's reply: what it says, its status, its headers; the length as it is then, as a rule."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    if rng.random() < 0.8:
        body = structured(body, "", rng)
    if rng.random() < 0.3:
        lines[0] = f"HTTP/1.1 {rng.choice(_STATUSES)} x"
    if rng.random() < 0.3:
        lines.insert(rng.randint(1, len(lines)), f"{rng.choice(_HEADERS)}: {rng.choice(_VALUES)}")
    if rng.random() < 0.1:
        lines[rng.randrange(len(lines))] = odd_text(rng)
    if rng.random() < 0.95:
        lines = [line for line in lines if not line.lower().startswith("content-length")] + [f"Content-Length: {len(body)}"]
    return _encoded("\r\n".join(lines)) + b"\r\n\r\n" + body


_STATUSES = (200, 201, 204, 206, 301, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529, 599, 999)
_HEADERS = (
    "Retry-After", "retry-after-ms", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Location", "Set-Cookie",
    "x-request-id", "Connection",
    "x-should-retry", "Content-Length",
)  # fmt: skip
_VALUES = (
    "", "0", "-1", "1e999", "nan", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Oct 99999 99:99:99 XXX",
    "gzip", "br", "zstd",
    "deflate", "chunked", "text/event-stream", "text/html; charset=utf-7", "application/json; charset=x", "http://127.0.0.1:1/",
    "true", "close", "\x7f",
    "application/json; charset=utf-16",
)  # fmt: skip


def with_bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """A damage that knows nothing of what the bytes say."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randint(0, len(made))
        size = rng.choice((1, 1, 2, 4, 8, 64, len(made) // 2))
        kind = rng.randrange(12)
        if kind < 3 and made:
            made[at % len(made)] ^= 1 << rng.randrange(8)
        elif kind == 3:
            del made[at : at + size]
        elif kind == 4:
            made[at:at] = rng.randbytes(size)
        elif kind == 5:
            made[at : at + size] = bytes([rng.choice((0, 0xFF, 0x7F, 0x20))]) * len(made[at : at + size])
        elif kind == 6:
            made[at:at] = made[: size * 4] * rng.choice((1, 2, 100))
        elif kind == 7:
            del made[at:]
        elif kind == 8:
            made[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\1\0\0\0"))
        elif kind == 9:
            made[at:at] = rng.choice(
                (b"\xff\xc3", b"\xed\xa0\x80", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\x1b[31m", b"\xf4\x90\x80\x80")
            )
        elif kind == 10:
            made[:] = rng.choice(_WHOLES)(bytes(made))
        else:
            made[at : at + 1] = bytes([rng.randrange(256)])
        del made[LONGEST:]
    return bytes(made)


_WHOLES: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: data.decode(errors="replace").encode("utf-16"), lambda data: data.decode(errors="replace").encode("utf-32"),
    lambda data: BOM_UTF8 + data,
    lambda data: data.decode(errors="replace").encode("latin1", errors="replace"), lambda _: b"",
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: data.replace(b"\n", b""), lambda data: data * 2, lambda _: b"[" * 20_000, lambda _: b'{"a":' * 20_000,
    lambda _: b"\0" * 999,
    lambda data: data.replace(b" ", b""), lambda data: data[::-1], gzip.compress,
)  # fmt: skip

_TEXTS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".toml": _toml, ".csv": _table(","), ".tsv": _table("\t"), ".txt": _words, ".xml": _words, ".yaml": _words,
    ".jinja": _words, ".http": _http,
}  # fmt: skip
_PACKED: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".gz": _gzip, ".eval": _zip, ".xlsx": _zip, ".safetensors": _safetensors, ".parquet": _parquet,
}  # fmt: skip
