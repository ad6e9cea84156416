"""What every page of the site shares: the links above it, the day of its latest result, and what a link to it shows elsewhere."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from hope_bench.errors import counted
from hope_bench.reporting.render import percent
from hope_bench.site.front import Verdict, in_order, verdict
from hope_bench.site.settings import SiteSettings
from hope_bench.site.views import Section

CARD = "card.png"
"""The picture that a shared link shows."""

_SIZE = (1200, 630)
_PAPER, _TEXT, _QUIET, _POPE, _HOPE = "#fbfaf6", "#1d1c1a", "#6b675f", "#3f6284", "#b8391a"


@dataclass(frozen=True, slots=True)
class Frame:
    """`links` are (name, address) from the site's root or of elsewhere, `card` the whole address of the picture, where the site
    knows its own; `words` describe the site."""

    links: tuple[tuple[str, str], ...]
    updated: str | None
    repository: str | None
    card: str | None
    words: str


def frame(sections: Sequence[Section], settings: SiteSettings) -> Frame:
    """The frame of a site of these benchmarks."""
    order = in_order(sections)
    days = [row.entry.result.added for section in sections for row in section.rows if row.entry.result.added is not None]
    models = f"benchmarks/{order[0].key}.html" if order else "index.html"
    links = (
        ("Questions", "questions.html"),
        ("Models", models),
        ("Submit", "submit.html"),
        ("Docs", settings.docs or "method.html"),
        ("Cite", "cite.html"),
    )
    card = None if settings.address is None else f"{settings.address.rstrip('/')}/{CARD}"
    words = in_words(order[0]) if order else "How much do vision-language models make up? No results yet."
    return Frame(links, max(days).isoformat() if days else None, settings.repository, card, words)


def in_words(section: Section) -> str:
    """A benchmark's verdict in plain words."""
    found = verdict(section)
    if found.best is None or found.least is None or found.after is None:
        return f"Object hallucination of vision-language models on {section.about.benchmark.title}."
    rates = f"{percent(found.after)}% of what isn't there"
    if found.before is not None:
        rates = f"{percent(found.before)}% of what isn't there when POPE asks and {percent(found.after)}% when HOPE does"
    best, least = found.best.entry.result.model.name, found.least.entry.result.model.name
    if found.models == 1:
        return f"{best} claims to see {rates}."
    rate = percent(found.least.headline.hallucination_rate.value)
    overall = "and is best overall" if found.least is found.best else f"best overall is {best}"
    return f"{least} makes up least, {rate}%; {overall}. The median of {counted(found.models, 'model')} claims to see {rates}."


def card(sections: Sequence[Section]) -> bytes:
    """The picture, PNG: the first benchmark's verdict as two bars. The same results give the same bytes."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((72, 60), "Did it see that, or make it up?", _TEXT, ImageFont.load_default(58))
    draw.text((72, 142), "Object hallucination of vision-language models", _QUIET, ImageFont.load_default(30))
    order = in_order(sections)
    found = verdict(order[0]) if order else None
    if found is not None and found.after is not None:
        _draw_rates(draw, found)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _draw_rates(draw: object, found: Verdict) -> None:
    from PIL import ImageDraw, ImageFont

    assert isinstance(draw, ImageDraw.ImageDraw)
    rates = (
        [("POPE", found.before, _POPE), ("HOPE", found.after, _HOPE)] if found.before is not None else [("", found.after, _HOPE)]
    )
    largest = max(rate for _, rate, _ in rates if rate is not None) or 1.0
    for number, (name, rate, ink) in enumerate(rates):
        top, long = 236 + 120 * number, 12 + round(560 * (rate or 0.0) / largest)
        draw.text((72, top + 18), name, ink, ImageFont.load_default(44))
        draw.rectangle((230, top, 230 + long, top + 84), ink)
        draw.text((254 + long, top + 10), f"{percent(rate)}%", ink, ImageFont.load_default(60))
    of = f"the median of {found.models} models" if found.models > 1 else "one model"
    draw.text((72, 520), f"How often {of} says yes to what isn't there", _TEXT, ImageFont.load_default(34))
