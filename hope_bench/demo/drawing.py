"""Draws one object of each category on a transparent layer.

Objects of one visual group differ in a telling part (a mug's handle, a motorcycle's seat), and some instances hide it:
that is what makes absent categories tempting.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
RGBA = tuple[int, int, int, int]
Point = tuple[float, float]

DARK: RGBA = (35, 35, 40, 255)
GLASS: RGBA = (170, 205, 225, 255)
LEAF: RGBA = (60, 130, 60, 255)
METAL: RGBA = (120, 120, 125, 255)
WOOD: RGBA = (110, 75, 45, 255)
PAPER: RGBA = (235, 230, 215, 255)
FUR_WHITE: RGBA = (240, 240, 240, 255)
SCREENS: tuple[RGBA, ...] = (DARK, GLASS, (70, 90, 120, 255))
FLOWERS: tuple[RGBA, ...] = ((215, 60, 60, 255), (235, 205, 70, 255), (160, 90, 190, 255), (240, 240, 235, 255))


def shade(color: tuple[int, ...], factor: float) -> RGBA:
    """The RGB colour scaled by `factor`, clipped to 0..255, opaque."""
    red, green, blue = (max(0, min(255, int(channel * factor))) for channel in color[:3])
    return red, green, blue, 255


class Canvas:
    """A transparent layer addressed in 0..1 coordinates, x to the right and y downwards."""

    def __init__(self, width: int, height: int, color: RGB, rng: random.Random) -> None:
        self.width, self.height, self.rng = width, height, rng
        self.image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        self.pen = ImageDraw.Draw(self.image)
        self.color: RGBA = (*color, 255)
        self.dark = shade(color, 0.6)
        # A highlight on an already light colour would vanish, so it is darkened there.
        self.light = shade(color, 1.35) if sum(color) < 600 else shade(color, 0.8)

    def at(self, *points: Point) -> list[Point]:
        return [(x * (self.width - 1), y * (self.height - 1)) for x, y in points]

    def polygon(self, *points: Point, fill: RGBA | None = None) -> None:
        self.pen.polygon(self.at(*points), fill=fill or self.color)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: RGBA | None = None) -> None:
        self.pen.rectangle(self.at((x0, y0), (x1, y1)), fill=fill or self.color)

    def rounded(self, radius: float, fill: RGBA | None = None) -> None:
        self.pen.rounded_rectangle(self.at((0, 0), (1, 1)), radius=max(1, self.width * radius), fill=fill or self.color)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: RGBA | None = None) -> None:
        self.pen.ellipse(self.at((x0, y0), (x1, y1)), fill=fill or self.color)

    def ring(self, x0: float, y0: float, x1: float, y1: float, color: RGBA, width: float) -> None:
        self.pen.ellipse(self.at((x0, y0), (x1, y1)), outline=color, width=max(1, int(width)))

    def line(self, *points: Point, fill: RGBA, width: float) -> None:
        self.pen.line(self.at(*points), fill=fill, width=max(1, int(width)))


def _cup(c: Canvas) -> None:
    foot = c.rng.uniform(0.2, 0.3)
    c.polygon((0.04, 0.08), (0.96, 0.08), (1 - foot, 1), (foot, 1))
    c.ellipse(0.04, 0, 0.96, 0.18, c.dark)


def _mug(c: Canvas) -> None:
    if c.rng.random() < 0.8:
        c.ring(0.5, 0.25, 1, 0.75, c.dark, c.width * 0.09)
        c.rectangle(0, 0.08, 0.72, 1)
        c.ellipse(0, 0, 0.72, 0.16, c.dark)
    else:  # the handle points away: almost a cup
        c.polygon((0.04, 0.08), (0.96, 0.08), (0.92, 1), (0.08, 1))
        c.ellipse(0.04, 0, 0.96, 0.18, c.dark)


def _bowl(c: Canvas) -> None:
    c.pen.chord(c.at((0, -0.8), (1, 1)), 0, 180, fill=c.color)
    c.ellipse(0, 0, 1, 0.3, c.dark)
    c.rectangle(0.35, 0.92, 0.65, 1, c.dark)


def _vase(c: Canvas) -> None:
    neck = c.rng.uniform(0.26, 0.36)
    c.ellipse(0.05, 0.3, 0.95, 1)
    c.polygon((neck, 0), (1 - neck, 0), (0.95 - neck, 0.45), (neck + 0.05, 0.45))
    c.rectangle(neck - 0.08, 0, 1.08 - neck, 0.05, c.dark)
    if c.rng.random() < 0.4:
        for x in (0.35, 0.5, 0.65):
            c.ellipse(x - 0.12, -0.05, x + 0.12, 0.12, c.rng.choice(FLOWERS))


def _bottle(c: Canvas) -> None:
    neck = c.rng.uniform(0.3, 0.38)
    c.rectangle(0.08, 0.38, 0.92, 1)
    c.polygon((neck, 0.1), (1 - neck, 0.1), (0.92, 0.42), (0.08, 0.42))
    c.rectangle(neck, 0, 1 - neck, 0.1, c.dark)
    if c.rng.random() < 0.6:
        c.rectangle(0.08, 0.55, 0.92, 0.8, c.light)


def _wheels(c: Canvas, centres: tuple[float, ...], radius: float) -> None:
    tall = radius * c.width / c.height
    for x in centres:
        c.ellipse(x - radius, 1 - 2 * tall, x + radius, 1, DARK)
        c.ellipse(x - radius * 0.4, 1 - 1.4 * tall, x + radius * 0.4, 1 - 0.6 * tall, METAL)


def _car(c: Canvas) -> None:
    hood = c.rng.uniform(0.15, 0.25)
    c.polygon((hood, 0.45), (hood + 0.15, 0.03), (0.72, 0.03), (0.85, 0.45))
    c.polygon((hood + 0.07, 0.42), (hood + 0.18, 0.12), (0.48, 0.12), (0.48, 0.42), fill=GLASS)
    c.polygon((0.52, 0.42), (0.52, 0.12), (0.68, 0.12), (0.77, 0.42), fill=GLASS)
    c.rectangle(0, 0.42, 1, 0.82)
    _wheels(c, (0.22, 0.78), 0.1)


def _truck(c: Canvas) -> None:
    load = c.rng.uniform(0.58, 0.68)
    c.rectangle(0, 0.02, load, 0.8)
    c.polygon((load + 0.03, 0.8), (load + 0.03, 0.22), (0.88, 0.22), (1, 0.5), (1, 0.8), fill=c.dark)
    c.polygon((load + 0.1, 0.48), (load + 0.1, 0.28), (0.86, 0.28), (0.94, 0.48), fill=GLASS)
    _wheels(c, (0.17, 0.42, 0.83), 0.085)


def _bus(c: Canvas) -> None:
    c.rectangle(0, 0.02, 1, 0.84)
    windows = c.rng.choice((4, 5))
    for index in range(windows):
        left = 0.04 + index * 0.94 / windows
        c.rectangle(left, 0.15, left + 0.7 / windows, 0.45, GLASS)
    _wheels(c, (0.2, 0.78), 0.085)


def _bicycle(c: Canvas) -> None:
    thin = max(1.0, c.width * 0.035)
    c.ring(0, 0.38, 0.42, 1, DARK, thin)
    c.ring(0.58, 0.38, 1, 1, DARK, thin)
    rear, saddle, crank, head, front = (0.21, 0.69), (0.4, 0.3), (0.5, 0.69), (0.72, 0.3), (0.79, 0.69)
    for bar in ((rear, saddle), (saddle, head), ((0.72, 0.25), front), (rear, crank), (crank, head)):
        c.line(*bar, fill=c.color, width=thin * 1.4)
    c.line((0.36, 0.15), crank, fill=c.color, width=thin * 1.4)
    c.line((0.28, 0.15), (0.44, 0.15), fill=DARK, width=thin * 1.5)
    c.line((0.66, 0.1), (0.72, 0.25), fill=DARK, width=thin)


def _motorcycle(c: Canvas) -> None:
    thick = max(2.0, c.width * 0.07)
    c.ring(0, 0.4, 0.4, 1, DARK, thick)
    c.ring(0.6, 0.4, 1, 1, DARK, thick)
    c.polygon((0.15, 0.45), (0.3, 0.3), (0.7, 0.25), (0.8, 0.5), (0.62, 0.8), (0.35, 0.8))
    c.line((0.66, 0.05), (0.8, 0.7), fill=METAL, width=thick * 0.6)
    c.rectangle(0.2, 0.25, 0.5, 0.36, DARK)


def _four_legs(c: Canvas) -> None:
    c.ellipse(0.08, 0.4, 0.8, 0.82)
    for x in (0.16, 0.3, 0.58, 0.7):
        c.rectangle(x, 0.7, x + 0.09, 1)


def _head(c: Canvas) -> None:
    c.ellipse(0.56, 0.18, 0.96, 0.6)


def _eye(c: Canvas) -> None:
    c.ellipse(0.78, 0.3, 0.85, 0.38, DARK)


def _cat(c: Canvas) -> None:
    tail = c.rng.random() < 0.85
    _four_legs(c)
    _head(c)
    c.polygon((0.59, 0.33), (0.63, 0), (0.75, 0.22))
    c.polygon((0.78, 0.22), (0.9, 0), (0.94, 0.33))
    if tail:
        c.line((0.12, 0.55), (0, 0.3), (0.06, 0.08), fill=c.color, width=c.width * 0.07)
    _eye(c)


def _dog(c: Canvas) -> None:
    tail = c.rng.random() < 0.85
    _four_legs(c)
    _head(c)
    c.ellipse(0.5, 0.2, 0.66, 0.54, c.dark)
    c.ellipse(0.82, 0.38, 1.02, 0.6)
    c.ellipse(0.94, 0.4, 1.02, 0.48, DARK)
    if tail:
        c.line((0.12, 0.5), (0, 0.25), fill=c.color, width=c.width * 0.08)
    _eye(c)


def _rabbit(c: Canvas) -> None:
    tail = c.rng.random() < 0.85
    c.ellipse(0, 0.45, 0.75, 1)
    _head(c)
    c.ellipse(0.61, -0.08, 0.73, 0.33)
    c.ellipse(0.78, -0.08, 0.9, 0.33)
    if tail:
        c.ellipse(0, 0.6, 0.14, 0.78, FUR_WHITE)
    _eye(c)


def _apple(c: Canvas) -> None:
    c.ellipse(0, 0.15, 0.62, 1)
    c.ellipse(0.38, 0.15, 1, 1)
    c.line((0.5, 0.25), (0.55, 0), fill=WOOD, width=c.width * 0.08)
    if c.rng.random() < 0.7:
        c.ellipse(0.55, 0, 0.85, 0.15, LEAF)
    c.ellipse(0.18, 0.3, 0.34, 0.48, c.light)


def _tomato(c: Canvas) -> None:
    c.ellipse(0, 0.1, 1, 1)
    star = ((0.5, 0.02), (0.58, 0.14), (0.8, 0.1), (0.64, 0.22), (0.7, 0.36), (0.5, 0.24), (0.3, 0.36), (0.36, 0.22))
    c.polygon(*star, (0.2, 0.1), (0.42, 0.14), fill=LEAF)
    c.ellipse(0.2, 0.4, 0.34, 0.55, c.light)


def _ball(c: Canvas) -> None:
    c.ellipse(0, 0, 1, 1)
    pattern = c.rng.random()
    if pattern < 0.4:
        seam = max(2, int(min(c.width, c.height) * 0.12))
        c.pen.arc(c.at((-0.5, 0), (0.5, 1)), -60, 60, fill=c.light, width=seam)
        c.pen.arc(c.at((0.5, 0), (1.5, 1)), 120, 240, fill=c.light, width=seam)
    elif pattern < 0.75:
        c.pen.chord(c.at((0, 0), (1, 1)), -20, 20, fill=c.light)
        c.pen.chord(c.at((0, 0), (1, 1)), 160, 200, fill=c.light)
    c.ellipse(0.2, 0.18, 0.36, 0.34, c.light)


def _monitor(c: Canvas) -> None:
    c.rectangle(0, 0, 1, 0.72)
    c.rectangle(0.05, 0.06, 0.95, 0.66, c.rng.choice(SCREENS))
    c.rectangle(0.44, 0.72, 0.56, 0.92, c.dark)
    c.rectangle(0.28, 0.92, 0.72, 1, c.dark)


def _tv(c: Canvas) -> None:
    c.rectangle(0, 0, 1, 0.86)
    c.rectangle(0.04, 0.06, 0.96, 0.8, c.rng.choice(SCREENS))
    c.polygon((0.12, 1), (0.2, 0.84), (0.26, 0.84), (0.2, 1), fill=c.dark)
    c.polygon((0.88, 1), (0.8, 0.84), (0.74, 0.84), (0.8, 1), fill=c.dark)


def _laptop(c: Canvas) -> None:
    c.rectangle(0.12, 0, 0.88, 0.68)
    c.rectangle(0.17, 0.06, 0.83, 0.62, c.rng.choice(SCREENS))
    c.polygon((0.12, 0.68), (0.88, 0.68), (1, 1), (0, 1), fill=c.dark)
    c.polygon((0.2, 0.74), (0.8, 0.74), (0.85, 0.88), (0.15, 0.88), fill=METAL)


def _book(c: Canvas) -> None:
    c.rectangle(0, 0, 1, 1)
    c.rectangle(0, 0, 0.14, 1, c.dark)
    c.rectangle(0.92, 0.04, 1, 0.96, PAPER)
    if c.rng.random() < 0.7:
        c.rectangle(0.3, 0.18, 0.78, 0.3, c.light)
        c.rectangle(0.36, 0.4, 0.72, 0.46, c.light)


def _phone(c: Canvas) -> None:
    c.rounded(0.15)
    c.rectangle(0.1, 0.1, 0.9, 0.86, c.rng.choice(SCREENS))
    c.ellipse(0.4, 0.89, 0.6, 0.97, c.light)


def _remote(c: Canvas) -> None:
    c.rounded(0.2)
    for row in range(5):
        for column in (0.18, 0.56):
            c.ellipse(column, 0.12 + row * 0.17, column + 0.24, 0.22 + row * 0.17, c.light)


def _chair(c: Canvas) -> None:
    c.rectangle(0, 0, 0.2, 1)
    c.rectangle(0, 0, 0.2, 0.5, c.dark)
    c.rectangle(0, 0.5, 1, 0.64)
    c.rectangle(0.82, 0.6, 0.98, 1)
    c.rectangle(0.2, 0.08, 0.26, 0.5, c.light)


def _bench(c: Canvas) -> None:
    c.rectangle(0.04, 0, 0.96, 0.14)
    c.rectangle(0.04, 0.22, 0.96, 0.36)
    c.rectangle(0, 0.5, 1, 0.66)
    c.rectangle(0.08, 0.1, 0.14, 1, c.dark)
    c.rectangle(0.86, 0.1, 0.92, 1, c.dark)


def _crown(c: Canvas, bottom: float) -> None:
    for _ in range(7):
        x, y = c.rng.uniform(0, 0.55), c.rng.uniform(0, 0.55 * bottom)
        c.ellipse(x, y, x + 0.45, y + 0.5 * bottom, shade(c.color, c.rng.uniform(0.85, 1.1)))
    c.ellipse(0.1, 0.05, 0.9, bottom)


def _tree(c: Canvas) -> None:
    c.rectangle(0.42, 0.5, 0.58, 1, WOOD)
    _crown(c, 0.68)


def _bush(c: Canvas) -> None:
    _crown(c, 1)


def _plant(c: Canvas) -> None:
    for x in (0.05, 0.3, 0.55, 0.8):
        droop = abs(x - 0.42) * 0.5
        tip = ((x, 0.02 + droop), (x + 0.15, 0.05 + droop))
        c.polygon((0.42, 0.65), *tip, (0.58, 0.65), fill=shade(LEAF, c.rng.uniform(0.8, 1.2)))
    c.polygon((0.15, 0.6), (0.85, 0.6), (0.72, 1), (0.28, 1))
    c.rectangle(0.1, 0.58, 0.9, 0.68, c.dark)


def _lamp(c: Canvas) -> None:
    c.polygon((0.25, 0), (0.75, 0), (1, 0.4), (0, 0.4))
    c.rectangle(0.45, 0.4, 0.55, 0.92, c.dark)
    c.rectangle(0.2, 0.92, 0.8, 1, c.dark)


PAINTERS: dict[str, Callable[[Canvas], None]] = {
    "cup": _cup, "mug": _mug, "bowl": _bowl, "vase": _vase, "bottle": _bottle,
    "car": _car, "truck": _truck, "bus": _bus, "bicycle": _bicycle, "motorcycle": _motorcycle,
    "cat": _cat, "dog": _dog, "rabbit": _rabbit, "apple": _apple, "tomato": _tomato, "ball": _ball,
    "monitor": _monitor, "tv": _tv, "laptop": _laptop, "book": _book, "phone": _phone, "remote": _remote,
    "chair": _chair, "bench": _bench, "tree": _tree, "bush": _bush, "plant": _plant, "lamp": _lamp,
}  # fmt: skip


def draw_object(category: str, width: int, height: int, color: RGB, rng: random.Random) -> Image.Image:
    """An RGBA layer of `width` x `height` pixels with one object filling it; `rng` varies the instance."""
    canvas = Canvas(width, height, color, rng)
    PAINTERS[category](canvas)
    return canvas.image
