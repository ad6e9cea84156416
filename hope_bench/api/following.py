"""Runs of one training in, a trend out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hope_bench.api.asking import load_run
from hope_bench.api.making import PathOr
from hope_bench.api.scoring import questions_of
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.places import RUNS
from hope_bench.files.run import Run
from hope_bench.files.validation import FromZero, checked

if TYPE_CHECKING:
    from hope_bench.scoring.trend import Trend


@checked
def trend(
    given: Sequence[Run | PathOr],
    *,
    steps: Sequence[FromZero] | None = None,
    split: str | None = None,
    baseline: str | None = None,
    benchmark: Benchmark | PathOr | None = None,
    replicates: int = 2000,
    runs: PathOr = RUNS,
) -> Trend:
    """How checkpoints of one training run change: hallucination rate, balanced accuracy and precision drop over steps.

    `given` are runs, their folders, or BENCHMARK/NAME under `runs`; `steps` their training steps in the same order (default: what
    each run says, or N of a checkpoint-N it was made by). `split` is by default the headline split, `baseline` the POPE split
    that it is held against (default: adversarial, else the first). Only questions that all runs were asked count. Differences
    between neighbours are paired by image, their intervals and p-values corrected for their number.

    Raises HopeBenchError for runs of different questions or prompts, for a run without a step, and where two have the same.

    Example: hb.trend(["demo/run-100", "demo/run-200"], steps=[100, 200]).plot()
    """
    from hope_bench.scoring.intervals import bootstrap_of
    from hope_bench.scoring.score import score as score_run
    from hope_bench.scoring.trend import trend_of

    found = [load_run(run, runs) for run in given]
    if steps is not None and len(steps) != len(found):
        raise HopeBenchError(
            f"{counted(len(found), 'run')}, but {counted(len(steps), 'step')}: give each run's step, in the same order."
        )
    if not found:
        raise HopeBenchError("A trend takes two runs or more.")
    if len(prompts := dict.fromkeys(run.record.run.prompt for run in found)) > 1:
        raise HopeBenchError(
            f"The runs were asked with {len(prompts)} prompts ({first_few(map(repr, prompts))}): that is no trend."
        )
    questions = questions_of(found[0], benchmark)
    bootstrap = bootstrap_of(replicates)
    scored = [score_run(questions, run.folder, bootstrap) for run in found]
    asked = [str(run.record.settings["splits"]).split(", ") for run in found if run.record.settings.get("splits")]
    whole = set(questions.splits).intersection(*asked)
    return trend_of(scored, [run.name for run in found], steps, split, baseline, bootstrap, whole)
