"""Pictures of every kind that datasets hold, decoded as people see them."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hope_bench.images import UnreadableImageError, _to_rgb, decode_rgb, hash_images, open_rgb, picture_shape

RED, BLUE = (200, 30, 30), (20, 40, 210)


def half_and_half(size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    return picture


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        encoded(half_and_half(), "PNG"),
        encoded(half_and_half(), "JPEG", quality=95),
        encoded(half_and_half().convert("CMYK"), "JPEG", quality=95),
        encoded(half_and_half().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        encoded(half_and_half().convert("RGBA"), "PNG"),
        encoded(half_and_half(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 20), "green")]),
        encoded(half_and_half(), "WEBP", lossless=True),
    ],
    ids=["png", "jpeg", "cmyk", "palette", "alpha", "animated", "webp"],
)
def test_colours_survive(data: bytes) -> None:
    picture = decode_rgb(data)
    assert (picture.mode, picture.size) == ("RGB", (40, 20))
    for x, colour in ((5, RED), (35, BLUE)):
        np.testing.assert_allclose(picture.getpixel((x, 10)), colour, atol=12)


def see_through() -> Image.Image:
    """A third opaque red, a third half-transparent blue, a third clear with green hidden beneath."""
    picture = Image.new("RGBA", (60, 20), (*RED, 255))
    picture.paste((*BLUE, 128), (20, 0, 40, 20))
    picture.paste((0, 255, 0, 0), (40, 0, 60, 20))
    return picture


def keyed(mode: str, colour: object, clear: object, **options: object) -> bytes:
    """A picture without alpha, opaque on the left, and one of whose colours stands for nothing."""
    picture = Image.new(mode, (60, 20), colour)  # type: ignore[arg-type]
    if mode == "P":
        picture.putpalette([0, 0, 0, *RED, *BLUE])
    picture.paste(clear, (40, 0, 60, 20))  # type: ignore[arg-type]
    return encoded(picture, "PNG", transparency=clear, **options)


def palette_with_alpha() -> Image.Image:
    """A palette of four-channel colours, as `quantize` makes it."""
    return see_through().quantize(8, method=Image.Quantize.FASTOCTREE)


def over_white(colour: tuple[int, int, int], alpha: int) -> tuple[float, ...]:
    """What a person sees of a colour on white paper."""
    return tuple(channel * alpha / 255 + 255 * (1 - alpha / 255) for channel in colour)


WHITE, GREY = (255, 255, 255), (90, 90, 90)


@pytest.mark.parametrize(
    ("data", "left", "middle"),
    [
        (encoded(see_through(), "PNG"), RED, over_white(BLUE, 128)),
        (encoded(see_through(), "WEBP", lossless=True, exact=True), RED, over_white(BLUE, 128)),
        (encoded(see_through(), "TIFF"), RED, over_white(BLUE, 128)),
        (encoded(palette_with_alpha(), "PNG"), RED, over_white(BLUE, 128)),
        (
            encoded(see_through(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGBA", (60, 20), "green")]),
            RED, over_white(BLUE, 128),
        ),
        (
            encoded(see_through(), "PNG", save_all=True, append_images=[Image.new("RGBA", (60, 20), "green")]),
            RED, over_white(BLUE, 128),
        ),
        (keyed("RGB", RED, (0, 255, 0)), RED, RED),
        (keyed("L", 90, 7), GREY, GREY),
        (keyed("I;16", 90 * 257, 1799), GREY, GREY),
        (keyed("1", 0, 1), (0, 0, 0), (0, 0, 0)),
        (keyed("P", 1, 2), RED, RED),
    ],
    ids=["rgba", "webp", "tiff", "palette", "animated-webp", "apng", "rgb-key", "grey-key", "16-bit-key", "1-key", "palette-key"],
)  # fmt: skip
def test_what_is_transparent_shows_white(data: bytes, left: tuple[int, int, int], middle: tuple[float, ...]) -> None:
    picture = decode_rgb(data)
    assert (picture.mode, picture.size) == ("RGB", (60, 20))
    assert picture.getpixel((55, 10)) == WHITE
    for x, colour in ((5, left), (30, middle)):
        np.testing.assert_allclose(picture.getpixel((x, 10)), colour, atol=2)


def png(depth: int, kind: int, pixels: bytes, clear: bytes) -> bytes:
    """A row of four pixels as the PNG specification has it: `kind` 0 is grey and 2 is RGB, `clear` what tRNS holds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 4, 1, depth, kind, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"tRNS", clear), chunk(b"IDAT", zlib.compress(b"\0" + pixels)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


DEEP = ((0, 0, 0), (0x1234, 0x5678, 0x9ABC), (0x5678, 0x5678, 0x5678), (65535, 0, 65535))


@pytest.mark.parametrize("clear", range(4))
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_of_greys_of_every_depth_one_is_transparent(depth: int, clear: int) -> None:
    greys = [0, 1, 0, 1] if depth == 1 else [place * (2**depth - 1) // 3 for place in range(4)]
    bits = "".join(f"{grey:0{depth}b}" for grey in greys)
    pixels = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    picture = decode_rgb(png(depth, 0, pixels, struct.pack(">H", greys[clear])))
    expected = [255 if grey == greys[clear] else round(grey * 255 / (2**depth - 1)) for grey in greys]
    assert [picture.getpixel((x, 0)) for x in range(4)] == [(grey,) * 3 for grey in expected]


@pytest.mark.parametrize("clear", range(4))
@pytest.mark.parametrize("depth", [8, 16])
def test_of_colours_of_every_depth_one_is_transparent(depth: int, clear: int) -> None:
    colours = DEEP if depth == 16 else [tuple(channel >> 8 for channel in colour) for colour in DEEP]
    pixels = b"".join(struct.pack(">3H" if depth == 16 else ">3B", *colour) for colour in colours)
    picture = decode_rgb(png(depth, 2, pixels, struct.pack(">3H", *colours[clear])))
    for x, colour in enumerate(DEEP):
        expected = WHITE if x == clear else tuple(channel / 257 for channel in colour)
        np.testing.assert_allclose(picture.getpixel((x, 0)), expected, atol=1)


@pytest.mark.parametrize(
    ("values", "greys"),
    [((0, 0.5, 1), (0, 128, 255)), ((0, 0.25, 0.5), (0, 64, 128)), ((0, 90, 255), (0, 90, 255)), ((0, 0, 0), (0, 0, 0))],
)
def test_floats_keep_their_brightness(values: tuple[float, ...], greys: tuple[int, ...]) -> None:
    picture = decode_rgb(encoded(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF"))
    assert [picture.getpixel((x, 0)) for x in range(3)] == [(grey,) * 3 for grey in greys]


@pytest.mark.parametrize("value", [-1.0, 256.0, 1e30, float("nan"), float("inf")])
def test_floats_that_are_no_brightness_are_no_picture(value: float) -> None:
    with pytest.raises(UnreadableImageError, match="nothing says which of them is white"):
        decode_rgb(encoded(Image.fromarray(np.array([[0.5, value]], dtype=np.float32)), "TIFF"))


@pytest.mark.parametrize("alpha", [0, 1, 100, 254, 255])
def test_grey_with_alpha(alpha: int) -> None:
    """In a file; and with a palette, as Pillow holds some pictures in memory."""
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette(GREY)
    palette.putalpha(alpha)
    assert palette.mode == "PA"
    for seen in (decode_rgb(encoded(Image.new("LA", (4, 4), (90, alpha)), "PNG")), _to_rgb(palette)):
        np.testing.assert_allclose(seen.getpixel((1, 1)), over_white(GREY, alpha), atol=1)


def test_a_gifs_first_picture_on_white() -> None:
    frames = [see_through(), Image.new("RGBA", (60, 20), (0, 0, 0, 255))]
    picture = decode_rgb(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2))
    np.testing.assert_allclose(picture.getpixel((5, 10)), RED, atol=12)
    assert picture.getpixel((55, 10)) == WHITE


def test_the_pixels_are_those_of_vllm_and_qwen() -> None:
    """Their loaders' one line, for a picture with every alpha and colour."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (64, 64, 4), dtype=np.uint8), "RGBA")
    theirs = Image.new("RGB", picture.size, (255, 255, 255))
    theirs.paste(picture, mask=picture.split()[3])
    assert decode_rgb(encoded(picture, "PNG")).tobytes() == theirs.tobytes()


def test_sixteen_bit_greys_keep_their_brightness() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(4, axis=0)
    picture = decode_rgb(encoded(Image.fromarray(ramp), "PNG"))
    np.testing.assert_allclose(np.asarray(picture)[0, :, 0], np.arange(256), atol=1)


def test_a_picture_taken_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    picture = decode_rgb(encoded(half_and_half(), "JPEG", quality=95, exif=exif))
    assert picture.size == (20, 40)
    np.testing.assert_allclose(picture.getpixel((10, 5)), RED, atol=12)
    np.testing.assert_allclose(picture.getpixel((10, 35)), BLUE, atol=12)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    whole = encoded(half_and_half((300, 300)), "PNG")
    for data, words in (
        (b"", "not an image"),
        (b"GIF87", "not an image"),
        (b"<svg/>", "not an image"),
        (whole[:200], "truncated"),
    ):
        with pytest.raises(UnreadableImageError, match=words):
            decode_rgb(data)
    with pytest.raises(UnreadableImageError, match="missing"):
        open_rgb(tmp_path / "no.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UnreadableImageError, match="can't be read"):
        open_rgb(tmp_path / "folder.png")
    kinds = [type(one) for one in hash_images([tmp_path / "no.png", tmp_path / "folder.png"])]
    assert kinds == [UnreadableImageError, UnreadableImageError]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "AVIF", "TIFF", "GIF"])
def test_corrupt_data_is_an_unreadable_image_and_nothing_else(kind: str, tmp_path: Path) -> None:
    """Bytes of the head, where the EXIF data stands, changed at random: decoders raise all kinds of errors."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    options = {} if kind == "GIF" else {"exif": exif}
    whole = encoded(half_and_half(), kind, **options)
    rng = np.random.default_rng(0)
    path = tmp_path / "picture"
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 200), size=3):
            data[place] = int(rng.integers(0, 256))
        path.write_bytes(data)
        with contextlib.suppress(UnreadableImageError):
            assert decode_rgb(bytes(data)).mode == "RGB"
        with contextlib.suppress(UnreadableImageError):
            assert min(picture_shape(path).upright) > 0


def test_a_picture_whose_exif_data_is_broken_is_shown_as_it_is_stored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encoded(half_and_half(), "JPEG", quality=95, exif=exif)
    broken = whole.replace(b"MM\x00*", b"XX\x00*")
    assert broken != whole
    assert decode_rgb(broken).size == (40, 20)
