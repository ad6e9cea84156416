"""python -m tests.bench.site_against COMMIT: the leaderboard of 500 models x 3 benchmarks by an earlier commit's code and by
today's, in turn, from the same results."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench.bench_site import busy_sorting, chromium, copies_of_the_demo, many_results, megabytes, ranking_page
from tests.bench.measure import measure

ROOT = Path(__file__).resolve().parents[2]
TURNS = 3
SITES = {"earlier": "plain", "today": "plain", "today_with_questions": "asked"}
"""Which results each site is built from: `asked` has the benchmarks' questions beside it, which make the wall."""


def site_against(commit: str) -> dict[str, dict[str, float]]:
    """Of each site: CPU seconds of its build and of one of 100 full results, megabytes, and ms of the page's CPU for a sort;
    medians of TURNS in turn. The commit must read today's result files."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        earlier = folder / "code"
        subprocess.run(["git", "worktree", "add", "--detach", str(earlier), commit], cwd=ROOT, check=True, capture_output=True)
        stack.callback(subprocess.run, ["git", "worktree", "remove", "--force", str(earlier)], cwd=ROOT, check=True)
        many_results(folder / "asked" / "results")
        for name, results in (("plain", folder / "asked" / "results"), ("full", copies_of_the_demo(folder / "demo" / "results"))):
            (folder / name).mkdir()
            (folder / name / "results").symlink_to(results, target_is_directory=True)
        measured: dict[str, dict[str, list[float]]] = {side: {} for side in SITES}
        for _ in range(TURNS):
            for side, given in SITES.items():
                code, site = earlier if side == "earlier" else ROOT, folder / f"site-{side}"
                found = measured[side]
                found.setdefault("cpu_seconds", []).append(_build(code, folder / given / "results", site))
                if given == "plain":
                    found.setdefault("full_results_cpu_seconds", []).append(
                        _build(code, folder / "full" / "results", folder / f"full-{side}")
                    )
                with chromium() as browser:
                    if browser is not None:
                        found.setdefault("sort_cpu_ms", []).append(statistics.median(busy_sorting(browser, ranking_page(site))))
                print(side, *(f"{key} {values[-1]:.3g}" for key, values in found.items()), file=sys.stderr)
        medians = {side: {key: statistics.median(one) for key, one in found.items()} for side, found in measured.items()}
        return {side: {**found, "megabytes": megabytes(folder / f"site-{side}", "**/*")} for side, found in medians.items()}


def _build(code: Path, results: Path, site: Path) -> float:
    """CPU seconds of a whole build into an empty folder."""
    setup = f"import shutil, sys; sys.path.insert(0, {str(code)!r}); from hope_bench.site import build_site\n"
    setup += f"shutil.rmtree({str(site)!r}, ignore_errors=True)"
    return measure(setup, f"build_site(Path({str(results)!r}), Path({str(site)!r}))").cpu_seconds


if __name__ == "__main__":
    for side, numbers in site_against(sys.argv[1]).items():
        print(side, *(f"{key} {value:.3g}" for key, value in numbers.items()), sep="  ")
