"""The static leaderboard: an index over all benchmarks and a page per result, plain HTML and one style sheet."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hope_bench.errors import HopeBenchError
from hope_bench.provenance import atomic_path, write_text
from hope_bench.registry import data_root
from hope_bench.site import views
from hope_bench.site.reading import Entry, read_groups
from hope_bench.site.views import ModelRow, Section

GENERATOR = '<meta name="generator" content="hope-bench leaderboard">'
"""Stands in every page, so that a rebuild removes pages of results that are gone, and nothing else."""


@dataclass(frozen=True, slots=True)
class SitePages:
    """A built leaderboard: its index, and the page of every result."""

    index: Path
    results: tuple[Path, ...]


def build_site(results_folder: Path, out: Path) -> SitePages:
    """Check every result file of RESULTS/BENCHMARK/MODEL.json and write the leaderboard to `out`.

    The same results give the same bytes. Benchmarks of the same name with different hashes are ranked apart.
    Raises HopeBenchError naming the file and key of anything invalid; nothing is written then.
    """
    groups = read_groups(results_folder)
    names = Counter(group.first.benchmark.name for group in groups)
    sections = [views.section(group, alone=names[group.first.benchmark.name] == 1) for group in groups]
    environment = _environment()
    pages = {"index.html": environment.get_template("index.html").render(sections=sections, root="")}
    for section in sections:
        for row in section.rows:
            pages[row.entry.page] = _result_page(environment, section, row)
    _remove_stale(out, keep={out / page for page in pages})
    for page, html in pages.items():
        write_text(out / page, html)
    for section in sections:
        for row in section.rows:
            _copy(row.entry, out)
    write_text(out / "style.css", _template_folder().joinpath("style.css").read_text(encoding="utf-8"))
    return SitePages(out / "index.html", tuple(out / page for page in pages if page != "index.html"))


def _result_page(environment: Environment, section: Section, row: ModelRow) -> str:
    result = row.entry.result
    axis = views.own_axis(result)
    context: dict[str, Any] = {
        "section": section,
        "row": row,
        "result": result,
        "axis": axis,
        "splits": views.split_rows(result, section.baseline, axis),
        "facts": views.facts(result),
        "commands": views.reproduce(result),
        "data": Path(row.entry.page).with_suffix(".json").name,
        "root": "../",
    }
    return environment.get_template("result.html").render(context)


def _template_folder() -> Path:
    folder = data_root() / "leaderboard" / "templates"
    if not (folder / "index.html").is_file():
        raise HopeBenchError(f"The leaderboard's templates are missing from {folder}. Install hope-bench again.")
    return folder


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_template_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": views.percent, "signed": views.signed, "interval": views.interval}
    environment.globals |= {"generator": GENERATOR, "kinds": views.KINDS, "questions": views.questions}
    return environment


def _copy(entry: Entry, out: Path) -> None:
    with atomic_path((out / entry.page).with_suffix(".json")) as temporary:
        shutil.copyfile(entry.source, temporary)


def _remove_stale(out: Path, keep: set[Path]) -> None:
    for page in out.glob("*/*.html"):
        if page not in keep and GENERATOR in page.read_text(encoding="utf-8", errors="replace")[:1000]:
            page.unlink()
            page.with_suffix(".json").unlink(missing_ok=True)
