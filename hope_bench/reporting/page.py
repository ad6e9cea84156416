"""A report written as one self-contained HTML page, or as Markdown."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hope_bench.files.split_score import Estimate, SplitScore, VerdictCounts
from hope_bench.images import UnreadableImageError, read_image_bytes
from hope_bench.inspection.thumbnails import shrink
from hope_bench.provenance import write_text
from hope_bench.reporting import charts
from hope_bench.reporting.content import Content
from hope_bench.scoring.blind import above_blind, strongest
from hope_bench.scoring.comparison import metric_name
from hope_bench.scoring.tables import percent, points
from hope_bench.tables import markdown_text

_TEMPLATES = Path(__file__).parent / "templates"
KINDS = {"pope": "POPE", "hope": "HOPE", "control": "control", "twin": "twins", "other": "other"}
MOST_CATEGORIES = 20


def write_report(content: Content, path: Path, images: Path | None = None) -> dict[str, str]:
    """Write the report to `path`: Markdown where it ends in .md, else HTML. The same content gives the same bytes.

    `images` is the folder of the image files, None for no pictures (Markdown never has any). Returns the images that
    could not be shown, with the reason.
    """
    markdown = path.suffix.lower() == ".md"
    failed: dict[str, str] = {}
    if images is not None and not markdown:
        content, failed = _with_pictures(content, images)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=not markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "interval": interval,
        "metric": metric_name,
        "cell": markdown_text,
        "asked": asked,
        "unread": unread,
    }
    environment.globals |= {
        "above_blind": above_blind,
        "strongest": strongest,
        "charts": charts,
        "kinds": KINDS,
        "most_categories": MOST_CATEGORIES,
    }
    name = "report.md" if markdown else "report.html"
    write_text(path, environment.get_template(name).render(content=content, result=content.result))
    return failed


def interval(estimate: Estimate, signed: bool = False) -> str:
    """An interval in percent, "86.1 to 90.2"; "no interval" where there is none."""
    show = points if signed else percent
    return "no interval" if estimate.low is None else f"{show(estimate.low)} to {show(estimate.high)}"


def asked(counts: VerdictCounts) -> str:
    """How many questions were put to the model: "1,320"."""
    return f"{sum(counts.model_dump().values()) - counts.unasked:,}"


def unread(split: SplitScore) -> str:
    """What got neither a yes nor a no, in words: "3 unparsed, 90 unasked"; empty where nothing."""
    verdicts = (("unparsed", "unparsed"), ("error", "errors"), ("unasked", "unasked"))
    counts = [(getattr(split.on_yes, name) + getattr(split.on_no, name), words) for name, words in verdicts]
    return ", ".join(f"{count:,} {words}" for count, words in counts if count)


def _with_pictures(content: Content, images: Path) -> tuple[Content, dict[str, str]]:
    shown, failed = [], {}
    for one in content.worst:
        try:
            shown.append(replace(one, picture=_data_uri(images / one.claim.image)))
        except UnreadableImageError as error:
            failed[one.claim.image] = str(error)
            shown.append(one)
    return replace(content, worst=tuple(shown)), failed


def _data_uri(path: Path) -> str:
    target = io.BytesIO()
    shrink(read_image_bytes(path)).save(target, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(target.getvalue()).decode("ascii")
