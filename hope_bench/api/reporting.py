"""A run in, its report out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hope_bench.annotations.of_benchmark import find_images
from hope_bench.api.asking import load_run
from hope_bench.api.making import PathOr, hub_images, path_or_none, teller
from hope_bench.api.scoring import known_of, questions_of
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.places import RUNS
from hope_bench.files.result import Result
from hope_bench.files.run import Run, asked_otherwise, find_run
from hope_bench.files.validation import FromZero, checked
from hope_bench.progress import ProgressMode, Say

_PAGES = (".html", ".md")


@checked
def report(
    run: Run | PathOr,
    *,
    benchmark: Benchmark | PathOr | None = None,
    images: PathOr | None = None,
    annotations: PathOr | None = None,
    paraphrases: Sequence[Run | PathOr] = (),
    convention: str = "strict",
    worst: FromZero = 12,
    out: PathOr | None = None,
    replicates: int = 2000,
    runs: PathOr = RUNS,
    progress: ProgressMode = "auto",
    say: Say | None = None,
) -> Path:
    """Write a run's report, and say where: every number, charts, the categories that fool this model, its worst hallucinations.

    One page that loads nothing from elsewhere; `out` is by default build/report/BENCHMARK/NAME.html, and a name in .md gives
    Markdown. `paraphrases` are runs of the same model with other prompts, beside those that `evaluate_prompts` made. `worst` is
    how many hallucinations to show. The model is not needed; without images the pictures are left out. Raises HopeBenchError.

    Example: hb.report("hope-coco/llava-1.5-7b", images="val2014")
    """
    return write_report(
        run, benchmark=benchmark, images=images, annotations=annotations, paraphrases=paraphrases, convention=convention,
        worst=worst, out=out, replicates=replicates, runs=runs, progress=progress, say=say,
    ).page  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reported:
    """A report's `page`, the `result` that it shows, and those of the same model asked in `others` ways."""

    page: Path
    result: Result
    others: tuple[Result, ...]


def write_report(
    run: Run | PathOr,
    *,
    benchmark: Benchmark | PathOr | None = None,
    images: PathOr | None = None,
    annotations: PathOr | None = None,
    paraphrases: Sequence[Run | PathOr] = (),
    convention: str = "strict",
    worst: int = 12,
    out: PathOr | None = None,
    replicates: int = 2000,
    runs: PathOr = RUNS,
    progress: ProgressMode = "auto",
    say: Say | None = None,
) -> Reported:
    """`report`, with the numbers that it shows."""
    from hope_bench.reporting.content import Extras, gather
    from hope_bench.reporting.page import write_report as write
    from hope_bench.scoring.conventions import find_convention
    from hope_bench.scoring.intervals import bootstrap_of
    from hope_bench.scoring.prompt_spread import check_other_prompts, check_same_asked, how_asked, prompt_spread
    from hope_bench.scoring.score import score as score_run

    tell = teller(progress, say)
    page = path_or_none(out)
    if page is not None and page.suffix.lower() not in _PAGES:
        raise HopeBenchError(f"--out {page}: name a page {' or '.join(_PAGES)}, such as {page}.html.")
    own = load_run(run, runs)
    chosen = questions_of(own, benchmark)
    found = {path.resolve(): path for path in asked_otherwise(own.folder)}
    folders = [one.folder if isinstance(one, Run) else find_run(Path(one), Path(runs)) for one in paraphrases]
    given = {path.resolve(): path for path in folders if path.resolve() not in found}
    check_other_prompts(own.folder, list(given.values()), found.values())
    bootstrap, way = bootstrap_of(replicates), find_convention(convention)
    page = page or Path("build") / "report" / own.folder.resolve().parent.name / f"{own.name}.html"
    pictures = None if page.suffix.lower() == ".md" else _pictures(chosen, hub_images(chosen, images), tell)
    known = known_of(chosen, path_or_none(annotations), tell)
    result = score_run(chosen, own.folder, bootstrap, way, known=known)
    others = [score_run(chosen, other, bootstrap, way) for other in (*found.values(), *given.values())]
    for path, other in zip(given.values(), others[len(found) :], strict=True):
        check_same_asked(result, other, path)
    extras = Extras(
        sizes=known.sizes,
        prompts=tuple(map(how_asked, (result, *others))) if others else (),
        spreads=prompt_spread([result, *others]) if others else (),
    )
    content = gather(chosen, result, own.answers().answers, worst, extras)
    failed = write(content, page, pictures)
    if failed:
        tell(f"{counted(len(failed), 'image')} can't be shown: {first_few(failed.items(), 3)}.")
    return Reported(page, result, tuple(others))


def _pictures(benchmark: Benchmark, given: PathOr | None, say: Say) -> Path | None:
    """The images' folder; where none was given, a missing one only leaves the pictures out."""
    if given is not None:
        return find_images(benchmark, Path(given))
    try:
        return find_images(benchmark, None)
    except HopeBenchError:
        say("No images at hand, so the report has no pictures. Pass --images FOLDER to have them.")
        return None
