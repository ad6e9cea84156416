"""A report written as one self-contained HTML page, or as Markdown."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from hope_bench.files.split_score import Estimate, VerdictCounts
from hope_bench.images import UnreadableImageError, read_image_bytes
from hope_bench.inspection.thumbnails import shrink
from hope_bench.provenance import write_text
from hope_bench.reporting.content import Content
from hope_bench.reporting.environment import page_environment, template_folder
from hope_bench.reporting.model_page import ModelPage
from hope_bench.reporting.rows import KINDS
from hope_bench.scoring.blind import above_blind, strongest
from hope_bench.scoring.comparison import metric_name
from hope_bench.scoring.tables import percent, points
from hope_bench.tables import markdown_text

_TEMPLATES = Path(__file__).parent / "templates"
MOST_CATEGORIES = 20


def write_report(content: Content, path: Path, images: Path | None = None) -> dict[str, str]:
    """Write the report to `path`: Markdown where it ends in .md, else HTML. The same content gives the same bytes.

    `images` is the folder of the image files, None for no pictures (Markdown never has any). Returns the images that
    could not be shown, with the reason.
    """
    if path.suffix.lower() == ".md":
        write_text(path, _markdown().render(content=content, result=content.result))
        return {}
    content, failed = (content, {}) if images is None else _with_pictures(content, images)
    result = content.result
    page = ModelPage(result, warning=result.unranked or "", worst=content.worst, extras=content.extras)
    template = page_environment().get_template("report.html")
    style = (template_folder() / "style.css").read_text(encoding="utf-8")
    write_text(path, template.render(page=page, style=Markup(style), trail="", download=None))
    return failed


def _markdown() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "interval": interval,
        "metric": metric_name,
        "cell": markdown_text,
        "asked": asked,
    }
    environment.globals |= {
        "above_blind": above_blind,
        "strongest": strongest,
        "kinds": KINDS,
        "most_categories": MOST_CATEGORIES,
    }
    return environment.get_template("report.md")


def interval(estimate: Estimate, signed: bool = False) -> str:
    """An interval in percent, "86.1 to 90.2"; "no interval" where there is none."""
    show = points if signed else percent
    return "no interval" if estimate.low is None else f"{show(estimate.low)} to {show(estimate.high)}"


def asked(counts: VerdictCounts) -> str:
    """How many questions were put to the model: "1,320"."""
    return f"{sum(counts.model_dump().values()) - counts.unasked:,}"


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
