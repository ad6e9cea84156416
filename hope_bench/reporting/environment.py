"""The templates of pages, and what all of them may use: the leaderboard's own, a report's, and Markdown's."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.registry import data_root
from hope_bench.reporting import charts, render
from hope_bench.reporting.model_page import HEAT_ROWS
from hope_bench.reporting.rows import KINDS, questions
from hope_bench.scoring.blind import above_blind, strongest
from hope_bench.scoring.comparison import metric_name


def template_folder() -> Path:
    """Where the pages' templates, style sheet and scripts lie. Raises HopeBenchError where they are missing."""
    folder = data_root() / "leaderboard" / "templates"
    if not (folder / "index.html").is_file():
        raise HopeBenchError(f"The leaderboard's templates are missing from {folder}. Install hope-bench again.")
    return folder


def page_environment() -> Environment:
    """An environment for HTML: text is escaped, and an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": render.percent,
        "signed": render.signed,
        "interval": render.interval,
        "metric": metric_name,
    }
    environment.globals |= {
        "marks": render,
        "diagram": charts.reliability,
        "spread": charts.spread,
        "kinds": KINDS,
        "questions": questions,
        "counted": counted,
        "strongest": strongest,
        "above_blind": above_blind,
        "heat_rows": HEAT_ROWS,
    }
    return environment
