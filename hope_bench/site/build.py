"""The static leaderboard: an overview, a ranking page and a description for each benchmark, a page per result, and data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Manifest, read_benchmark
from hope_bench.files.card import slug
from hope_bench.files.validation import read_json
from hope_bench.progress import Say, say_nothing
from hope_bench.provenance import check_pages, locked, write_bytes
from hope_bench.records import no_collector
from hope_bench.site import views
from hope_bench.site.about import check_sheet
from hope_bench.site.data import BADGE_MARK, data_files
from hope_bench.site.libraries import library_files
from hope_bench.site.pages import GENERATOR, asset_files, pages, picture_path, shown_pictures
from hope_bench.site.pairs import PAIRS_CALL, PAIRS_FOLDER, pairs_file, pairs_path
from hope_bench.site.question_file import questions_of
from hope_bench.site.questions import make_wall
from hope_bench.site.reading import read_groups
from hope_bench.site.settings import read_settings
from hope_bench.site.sheet import Described, describe, read_sheets
from hope_bench.site.views import Section
from hope_bench.site.wall import FOLDER, MARK, wall_files

DOCS = "docs/index.html"
"""Where the documentation lies when it was built beside the leaderboard (`make docs`)."""


@dataclass(frozen=True, slots=True)
class SitePages:
    """A built leaderboard: its index, and the page of every result."""

    index: Path
    results: tuple[Path, ...]


def build_site(results_folder: Path, out: Path, benchmarks: Path | None = None, say: Say = say_nothing) -> SitePages:
    """Check every result file of RESULTS/BENCHMARK/RUN.json and write the leaderboard to `out`.

    The same results give the same bytes. Benchmarks of the same name with different hashes are ranked apart. What their pages
    tell of them comes from their sheets, in the folder `benchmarks` beside RESULTS; a benchmark without one is described from
    its generated questions, where those lie in `benchmarks` (by default the folder beside the one that RESULTS is in). The site's
    own settings are in site.toml beside RESULTS. `say` is told of benchmarks there that can't be read and that no result needs.

    Raises HopeBenchError naming the file and key of anything invalid, or for a folder that holds anything but an earlier site;
    nothing is written then.
    """
    _check_site(out)
    with no_collector(), locked(out):  # without collector: a third of the time, with a thousand results
        _check_site(out)  # by now another process may have written there
        return _build(results_folder, out, benchmarks or results_folder.absolute().parent.parent / "benchmarks", say)


def _check_site(out: Path) -> None:
    check_pages(out, GENERATOR, "leaderboard that hope-bench built")


def _build(results_folder: Path, out: Path, benchmarks: Path, say: Say) -> SitePages:
    groups = read_groups(results_folder)
    names = Counter(group.first.benchmark.name for group in groups)
    sections = [views.section(group, alone=names[group.first.benchmark.name] == 1) for group in groups]
    described = _described(sections, results_folder.absolute().parent / "benchmarks", benchmarks, say)
    walls = {
        section.key: make_wall(section, known.questions)
        for section in sections
        if (known := described.get(section.key)) is not None and known.questions is not None
    }
    settings = read_settings(results_folder.absolute().parent)
    if settings.docs is None and (out / DOCS).is_file():
        settings = settings.model_copy(update={"docs": DOCS})
    files = {name: html.encode() for name, html in pages(sections, described, walls, settings)}
    files |= data_files(sections) | library_files() | asset_files(sections)
    for section in sections:
        files[pairs_path(section)] = pairs_file(section)
        if section.key in walls:
            files |= wall_files(section, walls[section.key], shown_pictures(section.key, described.get(section.key)))
    for key, one in described.items():
        files |= {picture_path(key, one.sheet.pictures[image]): data for image, data in one.pictures.items()}
    _remove_stale(out, keep={out / name for name in files})
    for name, content in files.items():
        _put(out / name, content)
    for section in sections:
        for row in section.rows:
            _put((out / row.entry.page).with_suffix(".json"), row.entry.source.read_bytes())
    return SitePages(out / "index.html", tuple(out / row.entry.page for section in sections for row in section.rows))


def _described(sections: Sequence[Section], sheets: Path, benchmarks: Path, say: Say) -> dict[str, Described]:
    """What is known of each section's benchmark, by the section's key."""
    written = read_sheets(sheets)
    wanted = {(one.about.benchmark.name, one.about.benchmark.hash) for one in sections}
    wanted -= {name for name, one in written.items() if one.questions is not None}
    at_hand = {}
    folders = {slug(name) for name, _ in wanted}
    for path in sorted(benchmarks.glob("*/manifest.json")) if wanted else ():
        try:
            manifest = read_json(path, Manifest)
        except HopeBenchError as error:
            if path.parent.name in folders:
                raise
            say(f"Left out, as no result here is of {path.parent.name}: {error}")
            continue
        if (manifest.name, manifest.hash) in wanted:
            at_hand[manifest.name, manifest.hash] = read_benchmark(path.parent)
    found = {}
    for section in sections:
        name = section.about.benchmark.name, section.about.benchmark.hash
        one = written.get(name)
        if name in at_hand:
            described = Described(describe(at_hand[name]), {}) if one is None else one
            one = replace(described, questions=questions_of(at_hand[name]))
        if one is not None:
            check_sheet(one, section)
            found[section.key] = one
    return found


def _put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and not where it holds this already."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    write_bytes(path, content)


def _files(out: Path, pattern: str) -> list[Path]:
    """Files of an earlier site, without what is none (a folder, a pipe, a lost link), which is no page of ours."""
    return [path for path in out.glob(pattern) if path.is_file()]


def _remove_stale(out: Path, keep: set[Path]) -> None:
    for page in _files(out, "*/*.html"):
        if page not in keep and GENERATOR in page.read_text(encoding="utf-8", errors="replace")[:1000]:
            page.unlink()
            page.with_suffix(".json").unlink(missing_ok=True)
    for script in _files(out, f"{FOLDER}/*.js"):
        if script not in keep and script.read_bytes().startswith(MARK.encode()):
            script.unlink()
            script.with_suffix(".json").unlink(missing_ok=True)
            script.with_name(f"{script.stem}-review.jsonl").unlink(missing_ok=True)
    for script in _files(out, f"{PAIRS_FOLDER}/*.js"):
        if script not in keep and script.read_bytes().startswith(PAIRS_CALL.encode()):
            script.unlink()
    for picture in _files(out, "badges/*/*.svg"):
        if picture not in keep and BADGE_MARK in picture.read_text(encoding="utf-8", errors="replace")[:1000]:
            picture.unlink()
