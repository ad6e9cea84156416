"""The static leaderboard: an overview, a ranking page and a description for each benchmark, a page per result, and data."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hope_bench.benchmark import Benchmark, read_benchmark
from hope_bench.errors import HopeBenchError
from hope_bench.provenance import atomic_path
from hope_bench.registry import data_root
from hope_bench.scoring.score import tower_family
from hope_bench.site import about, board, render, views
from hope_bench.site.data import BADGE_MARK, badge_path, data_files
from hope_bench.site.elsewhere import read_elsewhere
from hope_bench.site.reading import read_groups
from hope_bench.site.views import ModelRow, Section

GENERATOR = '<meta name="generator" content="hope-bench leaderboard">'
"""Stands in every page, so that a rebuild removes pages of results that are gone, and nothing else."""

TOP = 20
"""Models of each benchmark on the first page; all are on its ranking page."""

CLOSER = 6
"""Models of each benchmark whose splits are drawn on the first page."""

ASSETS = {"style.css": "style.css", "board.js": "assets/board.js"}
"""Files beside the templates, and where they go."""

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
"""Nothing but the site's own style sheet, scripts and pictures: no inline script or style, no request to elsewhere."""


@dataclass(frozen=True, slots=True)
class SitePages:
    """A built leaderboard: its index, and the page of every result."""

    index: Path
    results: tuple[Path, ...]


def build_site(results_folder: Path, out: Path, benchmarks: Path | None = None) -> SitePages:
    """Check every result file of RESULTS/BENCHMARK/MODEL.json and write the leaderboard to `out`.

    The same results give the same bytes. Benchmarks of the same name with different hashes are ranked apart. `benchmarks` holds
    generated benchmarks, for example questions; by default the folder beside the one that RESULTS is in.
    Raises HopeBenchError naming the file and key of anything invalid; nothing is written then.
    """
    with _no_collection():
        return _build(results_folder, out, benchmarks or results_folder.absolute().parent.parent / "benchmarks")


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Reading a thousand results makes millions of small objects, all of which stay: looking for garbage among them is a third of
    the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _build(results_folder: Path, out: Path, benchmarks: Path) -> SitePages:
    groups = read_groups(results_folder)
    names = Counter(group.first.benchmark.name for group in groups)
    sections = [views.section(group, alone=names[group.first.benchmark.name] == 1) for group in groups]
    folders = about.find_folders(benchmarks)
    files = {name: html.encode() for name, html in _pages(sections, folders)}
    files |= data_files(sections)
    files |= {target: (_template_folder() / name).read_bytes() for name, target in ASSETS.items()}
    _remove_stale(out, keep={out / name for name in files})
    for name, content in files.items():
        _put(out / name, content)
    for section in sections:
        for row in section.rows:
            _put((out / row.entry.page).with_suffix(".json"), row.entry.source.read_bytes())
    return SitePages(out / "index.html", tuple(out / row.entry.page for section in sections for row in section.rows))


def _pages(sections: Sequence[Section], folders: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Every page by its path under the site's root."""
    environment = _environment()
    reported = read_elsewhere(_template_folder().parent / "elsewhere.json")
    yield "index.html", environment.get_template("index.html").render(sections=sections, root="", top=TOP, closer=CLOSER)
    yield "method.html", environment.get_template("method.html").render(root="")
    yield "elsewhere.html", environment.get_template("elsewhere.html").render(root="", tables=reported)
    for section in sections:
        rows = board.board_rows(section)
        context: dict[str, Any] = {"section": section, "rows": rows, "data": board.board_data(section, rows), "root": "../"}
        yield f"benchmarks/{section.key}.html", environment.get_template("ranking.html").render(context)
        folder = folders.get(section.about.benchmark.hash)
        benchmark = None if folder is None else read_benchmark(folder)
        yield f"benchmarks/{section.key}-about.html", _about_page(environment, section, benchmark)
        for row in section.rows:
            yield row.entry.page, _result_page(environment, section, row)


def _about_page(environment: Environment, section: Section, benchmark: Benchmark | None) -> str:
    splits = about.split_abouts(section, benchmark)
    family = tower_family(section.about.benchmark.clip)
    towers = [row for row in section.rows if family and tower_family(row.entry.result.model.vision_tower) == family]
    return environment.get_template("about.html").render(
        section=section,
        splits=splits,
        has_blind=any(split.blind is not None for split in splits),
        known=benchmark is not None,
        guards=about.guards(benchmark),
        facts=about.made_from(benchmark),
        towers=towers,
        root="../",
    )


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
        "badge": badge_path(row),
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
    environment.filters |= {"percent": render.percent, "signed": render.signed, "interval": render.interval}
    environment.globals |= {
        "generator": GENERATOR,
        "policy": POLICY,
        "marks": render,
        "kinds": views.KINDS,
        "questions": views.questions,
    }
    return environment


def _put(path: Path, content: bytes) -> None:
    """Write a file; one that is there is replaced whole or not at all, and not where it holds this already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return
    if path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _remove_stale(out: Path, keep: set[Path]) -> None:
    for page in out.glob("*/*.html"):
        if page not in keep and GENERATOR in page.read_text(encoding="utf-8", errors="replace")[:1000]:
            page.unlink()
            page.with_suffix(".json").unlink(missing_ok=True)
    for picture in out.glob("badges/*/*.svg"):
        if picture not in keep and BADGE_MARK in picture.read_text(encoding="utf-8", errors="replace")[:1000]:
            picture.unlink()
