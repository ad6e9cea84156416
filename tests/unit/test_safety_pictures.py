"""Pictures and replies of others: no program is run, nothing is waited for, and memory has a bound, whatever they are called."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import hope_bench as hb
from hope_bench.adapters import endpoint_failures
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.files.card import ModelCard
from hope_bench.images import (
    MOST_BYTES,
    MOST_PIXELS,
    UnreadableImageError,
    decode_rgb,
    hash_images,
    open_rgb,
    picture_shape,
    read_image_bytes,
)
from hope_bench.inspection.thumbnails import shrink
from hope_bench.interchange.question_rows import ending_of
from tests.faulty_server import Handler, running
from tests.runs import make_benchmark

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def encoded(format: str, size: tuple[int, int] = (20, 10)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (250, 10, 20)).save(buffer, format)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of a few kB with more pixels than are taken, as its head and its data say; Pillow alone would decode it."""
    width = height = int(MOST_PIXELS**0.5) + 1000

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(touched) (w) file closefile\nshowpage\n%%EOF\n"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "EPS": lambda: EPS,
    "PDF": lambda: encoded("PDF"),
    **{name: lambda name=name: encoded(name) for name in ("ICO", "TGA", "PCX", "SGI", "DDS", "ICNS", "IM", "EPS")},  # type: ignore[misc]
    "too many pixels": bomb,
    "nothing": bytes,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_only_pictures_as_people_have_them_are_decoded(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise AssertionError("a program is run")

    monkeypatch.setattr("subprocess.Popen", run)
    monkeypatch.setattr("subprocess.check_call", run)
    data = HOSTILE[kind]()
    for suffix in (".png", ".jpg", ".eps", ""):
        path = tmp_path / f"picture{suffix}"
        path.write_bytes(data)
        for use in (open_rgb, picture_shape):
            with pytest.raises(UnreadableImageError):
                use(path)
    for decode in (decode_rgb, shrink):
        with pytest.raises(UnreadableImageError):
            decode(data)
    assert ending_of(data) == ""


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO", "JPEG2000", "AVIF"])
def test_pictures_of_people_are_whatever_they_are_called(format: str, tmp_path: Path) -> None:
    if format == "AVIF" and "AVIF" not in Image.OPEN:
        pytest.skip("this Pillow was built without AVIF")
    path = tmp_path / "picture.txt"
    path.write_bytes(encoded(format))
    assert open_rgb(path).size == (20, 10)
    assert picture_shape(path).upright == (20, 10)


def made(path: Path) -> Path:
    os.mkfifo(path)
    return path


def large(path: Path) -> Path:
    with path.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)  # a hole: it takes no room
    return path


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a pipe": (made, "not a regular file"),
    "a device without an end": (lambda _: Path("/dev/zero"), "not a regular file"),
    "a link to one": (lambda path: (path.symlink_to("/dev/zero"), path)[1], "not a regular file"),
    "a folder": (lambda path: (path.mkdir(), path)[1], "directory"),
    "a link to itself": (lambda path: (path.symlink_to(path), path)[1], "can't be read"),
    "too large": (large, "larger than"),
    "no name": (lambda path: path.parent / "a\0.png", "name"),
    "too long a name": (lambda path: path.parent / ("n" * 300), "can't be read"),
}


@posix
@pytest.mark.parametrize("kind", FILES)
def test_only_regular_files_are_read(kind: str, tmp_path: Path) -> None:
    make, words = FILES[kind]
    path = make(tmp_path / "a.png")
    for use in (read_image_bytes, open_rgb, picture_shape):
        with pytest.raises(UnreadableImageError, match=words):
            use(path)
    (found,) = hash_images([path])
    assert isinstance(found, UnreadableImageError)
    assert words in str(found)


@posix
def test_such_a_picture_is_an_error_of_its_question_alone(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "good.png").write_bytes(encoded("PNG"))
    (images / "eps.png").write_bytes(EPS)
    (images / "bomb.png").write_bytes(bomb())
    os.mkfifo(images / "pipe.png")
    names = ["good.png", "eps.png", "bomb.png", "pipe.png"]
    benchmark = make_benchmark(tmp_path / "b", {"random": [(name, "dog", "yes") for name in names]})

    class Yes:
        def answer(self, batch: list[object]) -> list[str]:
            return ["yes"] * len(batch)

    run = hb.evaluate(Yes(), benchmark, images=images, name="yes", identity="1", runs=tmp_path / "runs", progress="quiet")
    assert {answer.image: answer.verdict for answer in run.answers().answers} == {
        "good.png": "yes", "eps.png": "error", "bomb.png": "error", "pipe.png": "error",
    }  # fmt: skip


@pytest.mark.parametrize("code", [200, 401, 503])
@pytest.mark.parametrize("path", ["answer", "load"])
def test_no_reply_is_read_without_an_end(code: int, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_failures, "_backoff", lambda _: 0.01)
    monkeypatch.setattr(endpoint_failures, "LARGEST_REPLY", 2**20)
    sent = []

    def endless(handler: Handler, *_: object) -> None:
        handler.send_response(code)
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(b'{"error": {"message": "the key is spent"}, "filler": "')
            for _ in range(64):
                handler.wfile.write(b"x" * 2**20)
                sent.append(2**20)

    monkeypatch.setattr(Handler, "do_GET", endless)
    with running() as server:
        server.always = endless
        card = ModelCard(name="m", adapter="endpoint", checkpoint="m", base_url=server.url, attempts=1)
        model = Endpoint(card)
        if path == "load":
            model.load()
        else:
            (found,) = model.answer([(Image.new("RGB", (30, 20)), "Is there a dog?")])
            assert found.text is None
            assert ("the reply is larger than" if code == 200 else f"Error code: {code}") in str(found.error)
        model.close()
    assert sum(sent) < 32 * 2**20, "what comes after the beginning is left in the line"
