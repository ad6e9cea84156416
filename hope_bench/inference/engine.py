"""Runs a plan: images in, answers on disk, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL.Image import Image

from hope_bench.adapters.base import Adapter, AdapterInfo, encodes_elsewhere, reads_words
from hope_bench.adapters.choosing import open_adapter
from hope_bench.adapters.kept import Kept
from hope_bench.adapters.known import check_card
from hope_bench.annotations.of_benchmark import check_images_folder, images_folder
from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard, slug
from hope_bench.files.language import AnswerWords
from hope_bench.files.paraphrases import Paraphrase
from hope_bench.files.run import ANSWERS, RunRecord
from hope_bench.images import UnreadableImageError
from hope_bench.inference.answers import AnswersFile, lock_run, shard_path, shard_paths
from hope_bench.inference.asking import Asker, batch_of
from hope_bench.inference.beforehand import answered_before
from hope_bench.inference.budget import Budget, check_budget
from hope_bench.inference.images import StepImages, image_hashes, open_named, steps_with_images
from hope_bench.inference.plan import Plan, Step, make_plan
from hope_bench.inference.progress import RunProgress, run_progress
from hope_bench.inference.record import answers_key, at_step, describe_run, of_set, reported
from hope_bench.inference.resume import Reusable, Start, find_start, finished, settle, write_record
from hope_bench.inference.shared_folder import check_shared
from hope_bench.inference.unseeing import Blindfold, Unseeing
from hope_bench.inference.workers import Workers, default_workers
from hope_bench.processes import Processes, check_count, is_first, join_processes
from hope_bench.progress import ProgressMode, Say, say_nothing
from hope_bench.records import Prompt

_NOTHING = "All {:,} questions were answered before; nothing to ask."


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What to ask and where the answers go, besides model and benchmark.

    `images` is the images folder (None: the one it was generated from), `limit` the questions to ask of each split (None:
    all), `name` the run's name (None: the model's), `splits` the splits to ask (empty: all), `runs` the folder of runs.
    `processes` is how many processes must have been started together (None: any number), `progress` how it is shown.
    `workers` is how many further processes make images ready for the model (None: `default_workers`).
    `step` is the training step of the checkpoint (None: what its name says, "checkpoint-N", if that).
    `paraphrase` asks so instead of as the card and the benchmark do.
    `blind` shows something else in place of the images.
    `trust_remote_code` runs code that the checkpoint brings along, if its card says so, too.
    `budget` is how many dollars the run may cost, over all sittings: whole images are asked in a drawn order (budget.py).
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
    workers: int | None = None
    step: int | None = None
    blind: Unseeing | None = None
    budget: float | None = None


def run_folder(benchmark: Benchmark, card: ModelCard, options: EvaluateOptions) -> Path:
    """Where a run's answers.jsonl and run.json lie: RUNS/BENCHMARK/NAME."""
    name = options.name or card.name  # a run without eyes never lies where the one with eyes does
    return options.runs / slug(benchmark.manifest.name) / slug(name if options.blind is None else f"{name}-blind-{options.blind}")


def plan_run(benchmark: Benchmark, card: ModelCard, options: EvaluateOptions) -> tuple[Benchmark, Prompt, Plan]:
    """The chosen splits, the prompt, and what is asked in which steps. Raises HopeBenchError where that is nothing."""
    chosen = benchmark.select(options.splits) if options.splits else benchmark
    prompt = Prompt(card.prompt) if card.prompt is not None else benchmark.prompt
    if options.paraphrase is not None:
        prompt = options.paraphrase.prompt
    if options.budget is not None:
        check_budget(card, options.budget, options.limit, check_count(options.processes))
    size, drawn = (card.batch_size, False) if options.budget is None else (1, True)
    plan = make_plan(chosen, prompt, size, options.limit, card.samples, drawn=drawn)
    if not plan.steps:
        raise HopeBenchError(
            f"Benchmark {benchmark.manifest.name} holds no questions in the chosen splits, so there is nothing to ask."
        )
    return chosen, prompt, plan


def evaluate(
    benchmark: Benchmark,
    card: ModelCard,
    options: EvaluateOptions | None = None,
    say: Say = say_nothing,
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
    if adapter is None and (done := _answered_before(benchmark, card, options, say, (chosen, prompt, plan))) is not None:
        return done
    with join_processes(options.processes) as processes, contextlib.ExitStack() as held:
        if not processes.first:
            say = say_nothing
        opened = open_adapter(card, say, options.trust_remote_code) if adapter is None else contextlib.nullcontext(adapter)
        model = processes.together(lambda: held.enter_context(opened))
        folder = run_folder(benchmark, card, options)
        images = images_folder(benchmark, options.images)
        names = list(dict.fromkeys(request.image for request in plan.requests))
        sha256 = processes.by_first(lambda: image_hashes(names, images, benchmark.manifest.images))
        info = processes.by_first(lambda: model.info)  # hashing a loaded model's weights takes all cores
        record = describe_run(folder.name, chosen, card, prompt, info, options.limit, sha256)
        record = of_set(at_step(record, card, options.step), options.paraphrase)
        blindfold = None if options.blind is None else Blindfold(options.blind, tuple(benchmark.manifest.images))
        record = record if blindfold is None else blindfold.mark(record)
        plan = plan.keyed(answers_key(record), sha256)

        def begin() -> Start:
            if not folder.is_dir():  # all is to be asked; a finished run needs no images
                check_images_folder(images, names, benchmark)
            elif (
                not os.access(folder, os.W_OK)
                and (done := finished(folder, plan, record)) is not None
                and _is_of_step(done, options.step)
            ):
                return Start.at_the_end(done)
            held.enter_context(lock_run(folder))
            return find_start(folder, plan, record, say)

        start = processes.by_first(begin)
        if start.finished:
            say(_NOTHING.format(start.record.questions))
            return processes.by_first(lambda: _stepped(folder, start.record, options.step))
        check_shared(folder, processes)
        budget = None
        if options.budget is not None:
            budget = Budget(options.budget, card, start.record, lambda: model.report, start.answered)
        sitting = _Sitting(folder, plan, model, processes, options, say, budget, benchmark.manifest.language)
        return sitting.run(start, lambda: _Images(check_images_folder(images, names, benchmark), sha256, blindfold))


def _answered_before(
    benchmark: Benchmark, card: ModelCard, options: EvaluateOptions, say: Say, planned: tuple[Benchmark, Prompt, Plan]
) -> RunRecord | None:
    """`beforehand.answered_before` of what `plan_run` gave, told; of one process, as several import torch to meet at all."""
    chosen, prompt, plan = planned
    if check_count(options.processes) > 1:
        return None
    check_card(card, options.trust_remote_code, say)
    folder = run_folder(benchmark, card, options)

    def describe(info: AdapterInfo, sha256: Mapping[str, str | None]) -> RunRecord:
        record = describe_run(folder.name, chosen, card, prompt, info, options.limit, sha256)
        return record if options.blind is None else Blindfold(options.blind, ()).mark(record)

    done = answered_before(folder, benchmark, card, plan, images_folder(benchmark, options.images), describe)
    if done is None:
        return None
    if _is_of_step(done, options.step) and not os.access(folder, os.W_OK):  # nothing is to be written, nor can be
        say(_NOTHING.format(done.questions))
        return done
    with lock_run(folder):
        say(_NOTHING.format(done.questions))
        return _stepped(folder, done, options.step)


def _is_of_step(done: RunRecord, step: int | None) -> bool:
    return step is None or step == done.run.step


def _stepped(folder: Path, done: RunRecord, step: int | None) -> RunRecord:
    """A finished run's record, with the training step that it is now said to be of."""
    if _is_of_step(done, step):
        return done
    return write_record(folder, done.model_copy(update={"run": done.run.model_copy(update={"step": step})}))


class _Sitting:
    """One process's work on a run: ask its share of the pending steps; the first process then puts the files in order."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        model: Adapter,
        processes: Processes,
        options: EvaluateOptions,
        say: Say,
        budget: Budget | None = None,
        language: AnswerWords | None = None,
    ) -> None:
        self._language = language
        self._folder, self._plan, self._model, self._processes = folder, plan, model, processes
        self._progress, self._workers, self._say = options.progress, options.workers, say
        self._blind = options.blind is not None
        self._asked, self._budget = 0, budget

    def run(self, start: Start, images: Callable[[], _Images]) -> RunRecord:
        total = sum(len(step) for step in self._plan.steps)
        record = start.record.model_copy(update={"questions": total})
        source = self._processes.together(images) if start.to_ask else None
        with self._started(bool(start.to_ask)) as workers:
            return self._run(start, record, source, workers)

    def _started(self, needed: bool) -> Workers:
        if not needed or self._blind or encodes_elsewhere(self._model) is None:  # workers open what the benchmark shows
            return Workers(0)
        return Workers(default_workers(self._model.info.device_kind) if self._workers is None else self._workers, self._say)

    def _run(self, start: Start, record: RunRecord, source: _Images | None, workers: Workers) -> RunRecord:
        if start.to_ask:
            self._processes.together(self._load)
        # run.json first: without it, nothing would say what the answers were made by.
        self._processes.by_first(lambda: settle(self._folder, self._plan, replace(start, record=record)))
        begun = time.monotonic()
        try:
            self._processes.together(lambda: self._ask(source, start, workers))
            reports, counts = zip(*self._processes.gather((self._model.report, self._asked)), strict=True)
        except BaseException:
            # The time counts even so; why it ended is the caller's to hear.
            if self._processes.first:
                with contextlib.suppress(HopeBenchError):
                    write_record(self._folder, reported(_spent(record, begun, self._asked), [self._model.report]))
            raise
        record = reported(_spent(record, begun, sum(counts)), reports) if start.to_ask else record
        return self._processes.by_first(lambda: self._finish(record))

    def _load(self) -> None:
        self._model.load()
        if (reading := reads_words(self._model)) is not None:
            reading.read_words(self._language)

    def _finish(self, record: RunRecord) -> RunRecord:
        write_record(self._folder, record)  # whatever happens from here on, what the answers cost is known
        with contextlib.closing(AnswersFile(self._folder / ANSWERS)) as answers:
            answers.absorb(shard_paths(self._folder))
            steps = [step for step in self._plan.steps if self._budget is None or answers.has(step)]
            answers.finish(request for step in steps for request in step)
            errors = sum(answer.error is not None for answer in answers.answers.values())
        if len(steps) < len(self._plan.steps):
            record = self._cut(record, sum(map(len, steps)))
        return write_record(self._folder, record.model_copy(update={"complete": True, "errors": errors}))

    def _cut(self, record: RunRecord, asked: int) -> RunRecord:
        """The record of a run that its budget ended."""
        reason = f"only {asked:,} of {record.questions:,} questions were asked, as the budget allowed (--budget)"
        unranked = "; ".join(filter(None, [reason, record.unranked]))
        return record.model_copy(update={"questions": asked, "unranked": unranked})

    def _ask(self, source: _Images | None, start: Start, workers: Workers) -> None:
        """Answer this process's share of the pending steps; without `source`, from what was set aside alone."""
        reusable = Reusable(self._folder)
        steps = [self._plan.steps[place] for place in self._processes.share(start.pending)]
        asked = [reusable.rest(step) for step in steps]
        count, total = self._processes.size, sum(map(len, self._plan.steps))
        done = start.answered
        if count > 1:
            self._say(f"{count} processes share {counted(len(start.pending), 'step')}; what follows is the first one's part.")
            done, total = 0, sum(map(len, asked))
        name = ANSWERS if count == 1 else shard_path(self._folder, self._processes.rank).name
        with contextlib.closing(AnswersFile(self._folder / name)) as answers:
            if source is None:
                for step in steps:
                    answers.append(reusable.complete(step, ()))
                return
            asker = Asker(self._model, start.works, self._language)
            with self._shown(done, total) as progress:
                for step, (rest, images) in zip(steps, self._ready(asked, source, workers), strict=True):
                    if self._budget is not None and not self._budget.allows(rest):
                        self._say(f"The next image would exceed the budget; ${self._budget.spent:,.4f} are spent.")
                        return
                    said = asker.answer(rest, images)
                    answers.append(reusable.complete(step, said))
                    self._asked += len(said)
                    progress.add(said)
                    if self._budget is not None:
                        self._budget.asked(rest)

    def _ready(self, steps: Sequence[Step], source: _Images, workers: Workers) -> Iterator[tuple[Step, StepImages]]:
        """Each step with its images, made ready ahead in processes or in threads."""
        model, elsewhere = self._model, encodes_elsewhere(self._model)
        if elsewhere is not None and workers.count:
            return workers.steps(elsewhere, steps, source.folder, source.sha256)

        def look(folder: Path, name: str) -> Image | UnreadableImageError:
            return open_named(folder, name, source.sha256)

        seen = look if source.blindfold is None else source.blindfold.over(look)

        def prepare(step: Step, images: StepImages) -> None:
            model.prepare(batch_of(step, images))

        return steps_with_images(steps, source.folder, source.sha256, prepare, seen)

    def _shown(self, done: int, total: int) -> contextlib.AbstractContextManager[RunProgress]:
        mode: ProgressMode = self._progress if self._processes.first else "quiet"
        return run_progress(done, total, self._say, mode, lambda: self._model.report)


@dataclass(frozen=True, slots=True)
class _Images:
    """Where the images lie, each one's SHA-256, and what takes them away."""

    folder: Path
    sha256: Mapping[str, str | None]
    blindfold: Blindfold | None = None


def _spent(record: RunRecord, begun: float, asked: int) -> RunRecord:
    seconds = round(record.seconds + time.monotonic() - begun, 3)
    return record.model_copy(update={"seconds": seconds, "asked": record.asked + asked})


def ways(card: ModelCard, paraphrases: Sequence[Paraphrase], options: EvaluateOptions) -> list[EvaluateOptions]:
    """The options of each paraphrase's run: it is called NAME-SET-PARAPHRASE (NAME-PARAPHRASE where the set's name is NAME)."""
    made = []
    for one in paraphrases:
        parts = dict.fromkeys((options.name or card.name, one.set))  # a run named as its set says it once
        made.append(replace(options, name=" ".join((*parts, one.name)), paraphrase=one))
    return made


def evaluate_paraphrases(
    benchmark: Benchmark,
    card: ModelCard,
    paraphrases: Sequence[Paraphrase],
    options: EvaluateOptions,
    say: Say = say_nothing,
    adapter: Adapter | None = None,
) -> Iterator[tuple[RunRecord, Path]]:
    """Ask a benchmark's questions once in each way, as `evaluate` does, with the model loaded once; each one's record and run
    folder as soon as it is done.

    Each paraphrase is a run of its own (`ways`) that goes on where it was interrupted.
    """
    tell = say if is_first() else say_nothing
    with contextlib.ExitStack() as held:
        model = None if adapter is None else Kept(adapter)
        for chosen in ways(card, paraphrases, options):
            record = None
            if model is None:
                record = _answered_before(benchmark, card, chosen, say, plan_run(benchmark, card, chosen))
            if record is None:
                model = model or Kept(held.enter_context(open_adapter(card, tell, options.trust_remote_code)))
                model.new_run()
                record = evaluate(benchmark, card, chosen, say, model)
            yield record, run_folder(benchmark, card, chosen)
