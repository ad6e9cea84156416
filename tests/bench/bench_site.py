"""A leaderboard of 500 models, 3 benchmarks and 9 splits, their questions included: how long it takes to build, to open, to sort
and to scroll."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hope_bench.files.benchmark import benchmark_hash
from hope_bench.files.result import BenchmarkInfo, Bootstrap, Comparison, ModelInfo, Result, RunInfo
from hope_bench.files.result_file import write_result
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.records import Question
from hope_bench.scoring.metrics import count_table, point_metrics, verdict_counts
from hope_bench.scoring.score import comparison_pairs
from hope_bench.site import build_site
from hope_bench.site.question_file import Questions, write_questions
from hope_bench.site.sheet import Sheet, SheetSplit, write_sheet
from hope_bench.wording import existence_question

MODELS, BENCHMARKS, IMAGES, PER_IMAGE = 500, 3, 500, 6
SPLITS: dict[str, Kind] = {
    "random": "pope", "popular": "pope", "adversarial": "pope", "control-content": "control", "category-cooccurrence": "hope",
    "category-similarity": "hope", "category": "hope", "content": "hope", "hope": "hope",
}  # fmt: skip


def bench_site() -> dict[str, Any]:
    """Seconds to build, the ranking page's size, whether two builds agree; in Chromium, ms to interactive and per sort."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many_results(folder / "results")
        start = time.perf_counter()
        build_site(folder / "results", folder / "one")
        seconds = time.perf_counter() - start
        build_site(folder / "results", folder / "two")
        ranking = ranking_page(folder / "one")
        wall = next(path for path in (folder / "one" / "questions").glob("*.html") if "-images-" not in path.stem)
        return {
            "seconds": seconds,
            "megabytes": megabytes(folder / "one", "**/*"),
            "questions_megabytes": sum(megabytes(folder / "one", pattern) for pattern in ("questions/*", "data/questions/*")),
            "same_bytes": _digest(folder / "one") == _digest(folder / "two"),
            "ranking_gzip_kB": _gzip_kilobytes(ranking),
            "index_gzip_kB": _gzip_kilobytes(folder / "one" / "index.html"),
            "full_results_seconds": _full_results(folder),
            **_in_browser(ranking, wall),
        }


def ranking_page(site: Path) -> Path:
    """One of a site's ranking pages, the largest pages of benchmarks."""
    return max((site / "benchmarks").glob("*.html"), key=lambda path: path.stat().st_size)


def megabytes(folder: Path, pattern: str) -> float:
    """What the files of a folder take."""
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file()) / 1e6


def _gzip_kilobytes(page: Path) -> float:
    """A page with all that it loads at once: style sheets, scripts. The chart library comes afterwards and isn't counted."""
    links = re.findall(r'<(?:link rel="stylesheet" href|script (?:defer )?src)="([^"]+)"', page.read_text())
    return sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in (page, *(page.parent / link for link in links))) / 1000


def _full_results(folder: Path) -> float:
    """Seconds to build for 100 full results."""
    results = copies_of_the_demo(folder / "full" / "results")
    start = time.perf_counter()
    build_site(results, folder / "full" / "site")
    return time.perf_counter() - start


def copies_of_the_demo(results: Path, models: int = 100) -> Path:
    """`models` copies of the demo's committed result: 19 splits of 3,000 questions with P(yes) and breakdowns, 0.9 MB each."""
    (demo,) = (Path(__file__).resolve().parents[2] / "leaderboard" / "results" / "demo").glob("*.json")
    (results / "demo").mkdir(parents=True)
    for number in range(models):
        shutil.copyfile(demo, results / "demo" / f"demo-{number:03}.json")
    return results


def many_results(folder: Path, models: int = MODELS, benchmarks: int = BENCHMARKS, images: int = IMAGES) -> None:
    """`models` x `benchmarks` result files as scoring writes them, with made-up answers."""
    rng = np.random.default_rng(0)
    for number in range(benchmarks):
        _publish_questions(folder.parent / "benchmarks", number, images)
        for model in range(models):
            skill = rng.uniform(0.55, 0.97)
            write_result(folder / f"bench-{number}" / f"model-{model:03}.json", _result(number, model, skill, images, rng))


def _result(number: int, model: int, skill: float, images: int, rng: np.random.Generator) -> Result:
    splits = {name: _split(kind, skill, images, rng) for name, kind in SPLITS.items()}
    kinds = {name: split.kind for name, split in splits.items()}
    comparisons = tuple(
        Comparison(
            split=split,
            baseline=base,
            precision_drop=_around(_less(splits[base].precision, splits[split].precision)),
            hallucination_rise=_around(_less(splits[split].hallucination_rate, splits[base].hallucination_rate)),
        )
        for split, base in comparison_pairs(kinds)
    )
    benchmark = BenchmarkInfo(
        name=f"bench-{number}", title=f"Benchmark {number}", hash=_hash(number, images),
        headline="hope", dataset="made up", prompt="{question}", clip="ViT-L-14:openai", images=images,
    )  # fmt: skip
    return Result(
        model=ModelInfo(name=f"Model {model:03}", checkpoint=f"org/model-{model}", parameters=f"{1 + model % 70}B"),
        benchmark=benchmark,
        run=RunInfo(prompt="{question}", dtype="bfloat16", device="cuda"),
        bootstrap=Bootstrap(replicates=2000, seed=0, confidence=0.95),
        splits=splits,
        comparisons=comparisons,
    )


@functools.cache
def _questions(number: int, images: int) -> Questions:
    """Three objects that are there, and in each split three that aren't: 13,000 questions or so of 500 images."""
    rng = np.random.default_rng(1000 + number)
    objects = [f"object {place}" for place in range(80)]
    splits: dict[str, list[Question]] = {name: [] for name in SPLITS}
    names = tuple(f"COCO_val2014_{image:012}.jpg" for image in range(images))
    for image in names:
        order = rng.permutation(objects).tolist()
        for name in SPLITS:
            absent = rng.permutation(order[3:]).tolist()[: PER_IMAGE // 2]
            for there, other in zip(order[: PER_IMAGE // 2], absent, strict=True):
                for one, label, score in ((there, "yes", None), (other, "no", round(float(rng.random()), 4))):
                    made = Question(
                        len(splits[name]) + 1, image, existence_question(one), label, name, one, distractor_score=score
                    )
                    splits[name].append(made)
    return Questions("{question}", names, {name: tuple(asked) for name, asked in splits.items()})


@functools.cache
def _hash(number: int, images: int) -> str:
    return benchmark_hash("{question}", _questions(number, images).splits)


def _publish_questions(folder: Path, number: int, images: int) -> None:
    half = images * PER_IMAGE // 2
    sheet = Sheet(
        name=f"bench-{number}", hash=_hash(number, images),
        splits={name: SheetSplit(kind=kind, yes=half, no=half) for name, kind in SPLITS.items()},
    )  # fmt: skip
    write_questions(write_sheet(folder, sheet).with_suffix(""), _questions(number, images))


def _split(kind: Kind, skill: float, images: int, rng: np.random.Generator) -> SplitScore:
    labels = "yn" * (images * PER_IMAGE // 2)
    right = rng.random(len(labels)) < skill - {"pope": 0.0, "control": 0.03, "hope": 0.08, "twin": 0.0}[kind]
    verdicts = "".join(label if one else "ny"[label == "n"] for label, one in zip(labels, right.tolist(), strict=True))
    per_image = (PER_IMAGE,) * images
    counts = count_table(labels, verdicts, per_image).sum(axis=0)
    metrics: dict[str, Any] = {name: _around(value) for name, value in point_metrics(counts).items()}
    return SplitScore(
        kind=kind, on_yes=verdict_counts(counts[0]), on_no=verdict_counts(counts[1]), questions_per_image=per_image,
        labels=labels, verdicts=verdicts, **metrics,
    )  # fmt: skip


def _around(value: float | None) -> Estimate:
    if value is None:
        return Estimate(value=None)
    return Estimate(value=value, low=round(max(value - 0.013, -1), 6), high=round(min(value + 0.012, 1), 6))


def _less(one: Estimate, other: Estimate) -> float | None:
    return None if one.value is None or other.value is None else round(one.value - other.value, 6)


def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return whole.hexdigest()


def _in_browser(page_file: Path, wall_file: Path) -> dict[str, float]:
    """Milliseconds from navigation until the script has run and the page was painted, and from a click until it is sorted and
    painted, with the first 100 rows shown as the page opens and with all; until the wall of questions is there, until a question
    with all answers and until what fools one model and not another; and of the wall's frames while it is scrolled from end to
    end, the longest, the share of those over 50 ms, and how long the page's thread is busy in one, which other load doesn't
    change. Nothing where there is no Chromium."""
    with chromium() as browser:
        if browser is None:
            return {}
        loads: list[float] = []
        sorts: dict[str, list[float]] = {"": [], "#all=1": []}
        for view, times in [*sorts.items()] * 3:
            page = browser.new_page()
            page.goto(page_file.as_uri() + view)
            if not view:
                loads.append(page.evaluate("performance.getEntriesByType('navigation')[0].domComplete"))
            times += [page.evaluate(_SORT, key) for key in SORTED_BY]
            page.close()
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(wall_file.as_uri())
        page.locator(".card").first.wait_for()
        wall = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
        before = _busy(session)
        frames = page.evaluate(_SCROLL)
        busy = (_busy(session) - before) / len(frames["gaps"])
        asked = page.evaluate(_OPEN, ("q=random.2", ".answers td"))
        sorting = statistics.median(busy_sorting(browser, page_file))
        pair = page.evaluate(_OPEN, ("view=pair", "#wall:not([hidden]) .pairing:not([hidden])"))
    return {
        "wall_ms": wall,
        "wall_questions": frames["questions"],
        "wall_longest_frame_ms": max(frames["gaps"]),
        "wall_frames_over_50_ms": sum(gap > 50 for gap in frames["gaps"]) / len(frames["gaps"]),
        "wall_busy_ms_a_frame": busy,
        "question_ms": asked,
        "fools_a_not_b_ms": pair,
        "interactive_ms": statistics.median(loads),
        "sort_ms": statistics.median(sorts[""]),
        "sort_busy_ms": sorting,
        "slowest_sort_ms": max(sorts[""]),
        "sort_all_ms": statistics.median(sorts["#all=1"]),
        "slowest_sort_all_ms": max(sorts["#all=1"]),
    }


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A Chromium without a window, None where there is none."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


SORTED_BY = ("f1", "name", "hr", "ba", "size")


def busy_sorting(browser: Any, page_file: Path) -> list[float]:
    """Milliseconds of CPU that a ranking page's main thread takes for each sort once its charts are drawn, which other load
    doesn't change."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(page_file.as_uri())
    page.locator("[data-chart]:not(.drawn)").first.wait_for(state="detached")
    times = []
    for key in SORTED_BY * 2:
        before = _busy(session)
        page.evaluate(_SORT, key)
        times.append(_busy(session) - before)
    page.close()
    return times


_SORT = """key => new Promise((done) => {
  const start = performance.now();
  new DataTable.Api("table.full").one("draw", () => {
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  });
  document.querySelector(`th[data-sort="${key}"] .dt-column-order`).click();
})"""
"""A click on a column's head, until its rows are on the screen: a task that begins after the next frame."""


def _busy(session: Any) -> float:
    """Milliseconds of CPU that the page's main thread has taken."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(metrics["TaskDuration"])


_SCROLL = """() => new Promise((done) => {
  const gaps = [], height = document.documentElement.scrollHeight, step = height / 600;
  let last = null, at = 0;
  const frame = (now) => {
    if (last !== null) gaps.push(now - last);
    last = now;
    at += step;
    scrollTo({ top: at, behavior: "instant" });
    if (at < height) requestAnimationFrame(frame);
    else done({ gaps, questions: Number(document.querySelector(".card").getAttribute("aria-setsize")) });
  };
  requestAnimationFrame(frame);
})"""
"""From end to end in 600 frames: so many rows at a time that each frame draws the whole screen anew."""

_OPEN = """([view, selector]) => new Promise((done) => {
  const start = performance.now();
  location.hash = view;
  const look = () => {
    const ready = document.querySelector(selector) && /question/.test(document.querySelector(".count").textContent);
    if (ready) done(performance.now() - start);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
"""Another view, until it is on the screen."""
