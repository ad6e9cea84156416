"""Runs a plan: images in, answers on disk, whatever happens in between."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hope_bench.adapters.base import Adapter
from hope_bench.adapters.choosing import make_adapter
from hope_bench.adapters.kept import Kept
from hope_bench.benchmark import Benchmark
from hope_bench.card import ModelCard, slug
from hope_bench.errors import HopeBenchError
from hope_bench.inference.answers import ANSWERS, AnswersFile, explain_write_errors, lock_run, shard_path, shard_paths
from hope_bench.inference.asking import Asker
from hope_bench.inference.images import check_images_folder, steps_with_images
from hope_bench.inference.plan import Plan, make_plan
from hope_bench.inference.processes import Processes, is_first, join_processes
from hope_bench.inference.progress import ProgressMode, RunProgress, run_progress
from hope_bench.inference.record import continued, describe_run, earlier_sitting, of_set, reported
from hope_bench.paraphrases import Paraphrase
from hope_bench.records import Prompt
from hope_bench.runs import RunRecord, write_run
from hope_bench.spec import BenchmarkSpec
from hope_bench.validation import read_toml

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What to ask and where the answers go, besides model and benchmark.

    `images` is the images folder (None: what the benchmark's spec.toml names), `limit` the questions to ask of each split (None:
    all), `name` the run's name (None: the model's), `splits` the splits to ask (empty: all), `runs` the folder of runs.
    `processes` is how many processes must have been started together (None: any number), `progress` how it is shown.
    `paraphrase` asks so instead of as the card and the benchmark do.
    `trust_remote_code` runs code that the checkpoint brings along, if its card says so, too.
    """

    images: Path | None = None
    limit: int | None = None
    name: str | None = None
    splits: tuple[str, ...] = ()
    runs: Path = Path("runs")
    processes: int | None = None
    progress: ProgressMode = "auto"
    trust_remote_code: bool = False
    paraphrase: Paraphrase | None = None


def run_folder(benchmark: Benchmark, card: ModelCard, options: EvaluateOptions) -> Path:
    """Where a run's answers.jsonl and run.json lie: RUNS/BENCHMARK/NAME."""
    return options.runs / slug(benchmark.manifest.name) / slug(options.name or card.name)


def plan_run(benchmark: Benchmark, card: ModelCard, options: EvaluateOptions) -> tuple[Benchmark, Prompt, Plan]:
    """The chosen splits, the prompt, and what is asked in which steps. Raises HopeBenchError where that is nothing."""
    chosen = benchmark.select(options.splits) if options.splits else benchmark
    prompt = Prompt(card.prompt) if card.prompt is not None else benchmark.prompt
    if options.paraphrase is not None:
        prompt = options.paraphrase.prompt
    plan = make_plan(chosen, prompt, card.batch_size, options.limit)
    if not plan.steps:
        raise HopeBenchError(
            f"Benchmark {benchmark.manifest.name} holds no questions in the chosen splits, so there is nothing to ask."
        )
    return chosen, prompt, plan


def evaluate(
    benchmark: Benchmark,
    card: ModelCard,
    options: EvaluateOptions | None = None,
    say: Say = lambda _: None,
    adapter: Adapter | None = None,
) -> RunRecord:
    """Ask a model a benchmark's questions and write the answers to the run folder; go on where an earlier call was interrupted.

    `say` is told in words what is going on; `adapter` replaces the one the card asks for. Questions that fail (a broken image, a
    model's exception) are answers with `error`, counted in the record and asked again by the next call. Processes that were
    started together (torchrun) share the steps, and only the first one speaks. Raises HopeBenchError for everything that concerns
    the run as a whole. KeyboardInterrupt passes through, with every finished step on disk.
    """
    options = options or EvaluateOptions()
    chosen, prompt, plan = plan_run(benchmark, card, options)
    with join_processes(options.processes) as processes, contextlib.ExitStack() as held:
        if not processes.first:
            say = _silent
        model = adapter if adapter is not None else make_adapter(card, say, options.trust_remote_code)
        folder = run_folder(benchmark, card, options)
        record = describe_run(folder.name, chosen, card, prompt, model.info, options.limit)
        record = of_set(record, options.paraphrase)
        start = processes.by_first(lambda: _begin(folder, plan, record, held))
        if start.finished:
            say(f"All {start.record.questions:,} questions were answered before; nothing to ask.")
            return start.record
        sitting = _Sitting(folder, plan, model, processes, options.progress, say)
        return sitting.run(start, lambda: _images(benchmark, options, plan))


@dataclass(frozen=True, slots=True)
class _Start:
    """What the first process found: the record so far, the places of steps to ask, whether the model has answered before."""

    record: RunRecord
    pending: tuple[int, ...]
    works: bool
    finished: bool


def _begin(folder: Path, plan: Plan, record: RunRecord, held: contextlib.ExitStack) -> _Start:
    """Take the run's lock and see what is left to ask."""
    held.enter_context(lock_run(folder))
    shards = shard_paths(folder)
    earlier = earlier_sitting(folder, record)
    if earlier is not None:
        record = continued(record, earlier)
    else:
        # Without a record, nothing says what they were answered by.
        for shard in shards:
            shard.unlink()
        shards = []
    with contextlib.closing(AnswersFile(folder / ANSWERS)) as answers:
        answers.absorb(shards)
        pending = tuple(place for place, step in enumerate(plan.steps) if not answers.has(step))
        works = any(answer.error is None for answer in answers.answers.values())
    finished = not pending and earlier is not None and earlier.complete
    return _Start(earlier if finished and earlier is not None else record, pending, works, finished)


class _Sitting:
    """One process's work on a run: ask its share of the pending steps; the first process then puts the files in order."""

    def __init__(self, folder: Path, plan: Plan, model: Adapter, processes: Processes, progress: ProgressMode, say: Say) -> None:
        self._folder, self._plan, self._model, self._processes = folder, plan, model, processes
        self._progress, self._say = progress, say

    def run(self, start: _Start, images: Callable[[], _Images]) -> RunRecord:
        total = sum(len(step) for step in self._plan.steps)
        record = start.record.model_copy(update={"questions": total})
        reports = []
        if start.pending:
            source = images()
            self._model.load()
            # run.json first: without it, nothing would say what the answers were made by.
            self._processes.by_first(lambda: self._write(record))
            begun = time.monotonic()
            try:
                self._ask(self._processes.share(start.pending), source, start)
                reports = self._processes.gather(self._model.report)
            except BaseException:
                # The time counts even so; why it ended is the caller's to hear.
                if self._processes.first:
                    with contextlib.suppress(HopeBenchError):
                        self._write(reported(_spent(record, begun), [self._model.report]))
                raise
            record = reported(_spent(record, begun), reports)
        return self._processes.by_first(lambda: self._finish(record))

    def _finish(self, record: RunRecord) -> RunRecord:
        with contextlib.closing(AnswersFile(self._folder / ANSWERS)) as answers:
            answers.absorb(shard_paths(self._folder))
            answers.finish(self._plan.requests)
            errors = sum(answer.error is not None for answer in answers.answers.values())
        return self._write(record.model_copy(update={"complete": True, "errors": errors}))

    def _ask(self, mine: Sequence[int], source: _Images, start: _Start) -> None:
        steps = [self._plan.steps[place] for place in mine]
        total = sum(len(step) for step in self._plan.steps)
        done = total - sum(len(self._plan.steps[place]) for place in start.pending)
        if done:
            self._say(f"Going on: {done:,} of {total:,} questions are answered already.")
        count = self._processes.size
        if count > 1:
            self._say(f"{count} processes share {len(start.pending):,} steps; what follows is the first one's part.")
            done, total = 0, sum(map(len, steps))
        name = ANSWERS if count == 1 else shard_path(self._folder, self._processes.rank).name
        asker = Asker(self._model, start.works)
        with (
            contextlib.closing(AnswersFile(self._folder / name)) as answers,
            self._shown(done, total) as progress,
        ):
            for step, images in steps_with_images(steps, source.folder, source.sha256, asker.prepare):
                said = asker.answer(step, images)
                answers.append(said)
                progress.add(said)

    def _shown(self, done: int, total: int) -> contextlib.AbstractContextManager[RunProgress]:
        mode: ProgressMode = self._progress if self._processes.first else "quiet"
        return run_progress(done, total, self._say, mode, lambda: self._model.report)

    def _write(self, record: RunRecord) -> RunRecord:
        with explain_write_errors(self._folder / "run.json"):
            write_run(self._folder, record)
        return record


@dataclass(frozen=True, slots=True)
class _Images:
    """Where the images lie, and each one's SHA-256 where the benchmark knows it."""

    folder: Path
    sha256: dict[str, str | None]


def images_folder(benchmark: Benchmark, options: EvaluateOptions) -> Path | None:
    """The images folder: the one given, else the one that the benchmark's spec.toml names, if any."""
    spec = benchmark.folder / "spec.toml"
    if options.images is not None or not spec.is_file():
        return options.images
    named = read_toml(spec, BenchmarkSpec).dataset.images
    return None if named is None else spec.parent / named


def _images(benchmark: Benchmark, options: EvaluateOptions, plan: Plan) -> _Images:
    folder = images_folder(benchmark, options)
    names = list(dict.fromkeys(request.image for request in plan.requests))
    return _Images(check_images_folder(folder, names, benchmark.manifest.name), dict(benchmark.manifest.images))


def _spent(record: RunRecord, begun: float) -> RunRecord:
    return record.model_copy(update={"seconds": round(record.seconds + time.monotonic() - begun, 3)})


def _silent(_: str) -> None:
    """What all but the first process say."""


def evaluate_paraphrases(
    benchmark: Benchmark,
    card: ModelCard,
    paraphrases: Sequence[Paraphrase],
    options: EvaluateOptions,
    say: Say = lambda _: None,
    adapter: Adapter | None = None,
) -> list[tuple[RunRecord, Path]]:
    """Ask a benchmark's questions once in each way, as `evaluate` does, with the model loaded once; the records and run folders.

    Each paraphrase is a run of its own, RUNS/BENCHMARK/NAME-SET-PARAPHRASE, that goes on where it was interrupted.
    """
    tell = say if is_first() else _silent
    model = Kept(adapter if adapter is not None else make_adapter(card, tell, options.trust_remote_code))
    made = []
    for one in paraphrases:
        chosen = replace(options, name=f"{options.name or card.name} {one.set} {one.name}", paraphrase=one)
        model.new_run()
        record = evaluate(benchmark, card, chosen, say, model)
        made.append((record, run_folder(benchmark, card, chosen)))
    return made
