"""Runs a plan: images in, answers on disk, whatever happens in between."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hope_bench.adapters.base import Adapter, RawAnswer
from hope_bench.benchmark import Benchmark
from hope_bench.card import ModelCard, slug
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.images import UnreadableImageError
from hope_bench.inference.answers import ANSWERS, AnswersFile, explain_write_errors, lock_run
from hope_bench.inference.images import check_images_folder, steps_with_images
from hope_bench.inference.plan import Plan, make_plan
from hope_bench.inference.progress import run_progress
from hope_bench.inference.record import continued, describe_run, earlier_sitting
from hope_bench.records import Answer, Prompt, Request
from hope_bench.runs import RunRecord, write_run
from hope_bench.scoring.parsing import parse_strict
from hope_bench.spec import BenchmarkSpec
from hope_bench.validation import read_toml

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What to ask and where the answers go, besides model and benchmark.

    `images` is the images folder (None: what the benchmark's spec.toml names), `limit` the questions to ask of each split (None:
    all), `name` the run's name (None: the model's), `splits` the splits to ask (empty: all), `runs` the folder of runs.
    """

    images: Path | None = None
    limit: int | None = None
    name: str | None = None
    splits: tuple[str, ...] = ()
    runs: Path = Path("runs")


def run_folder(benchmark: Benchmark, card: ModelCard, options: EvaluateOptions) -> Path:
    """Where a run's answers.jsonl and run.json lie: RUNS/BENCHMARK/NAME."""
    return options.runs / slug(benchmark.manifest.name) / slug(options.name or card.name)


def evaluate(
    benchmark: Benchmark,
    card: ModelCard,
    options: EvaluateOptions | None = None,
    say: Say = lambda _: None,
    adapter: Adapter | None = None,
) -> RunRecord:
    """Ask a model a benchmark's questions and write the answers to the run folder; go on where an earlier call was interrupted.

    `say` is told in words what is going on; `adapter` replaces the one the card asks for. Questions that fail (a broken image, a
    model's exception) are answers with `error`, counted in the record and asked again by the next call. Raises HopeBenchError for
    everything that concerns the run as a whole. KeyboardInterrupt passes through, with every finished step on disk.
    """
    options = options or EvaluateOptions()
    chosen = benchmark.select(options.splits) if options.splits else benchmark
    prompt = Prompt(card.prompt) if card.prompt is not None else benchmark.prompt
    plan = make_plan(chosen, prompt, card.batch_size, options.limit)
    if not plan.steps:
        raise HopeBenchError(
            f"Benchmark {benchmark.manifest.name} holds no questions in the chosen splits, so there is nothing to ask."
        )
    model = adapter if adapter is not None else _adapter(card, say)
    folder = run_folder(benchmark, card, options)
    record = describe_run(folder.name, chosen, card, prompt, model.info, options.limit)
    with lock_run(folder):
        earlier = earlier_sitting(folder, record)
        if earlier is not None:
            record = continued(record, earlier)
        with contextlib.closing(AnswersFile(folder / ANSWERS)) as answers:
            pending = [step for step in plan.steps if not answers.has(step)]
            if not pending and earlier is not None and earlier.complete:
                say(f"All {earlier.questions:,} questions were answered before; nothing to ask.")
                return earlier
            sitting = _Sitting(folder, plan, model, answers, say)
            return sitting.run(record, pending, lambda: _images(benchmark, options, plan))


class _Sitting:
    """One process's work on a run: ask the pending steps, then put the files in order."""

    def __init__(self, folder: Path, plan: Plan, model: Adapter, answers: AnswersFile, say: Say) -> None:
        self._folder, self._plan, self._model, self._answers, self._say = folder, plan, model, answers, say
        self._works = any(answer.error is None for answer in answers.answers.values())

    def run(self, record: RunRecord, pending: Sequence[tuple[Request, ...]], images: Callable[[], _Images]) -> RunRecord:
        total = sum(len(step) for step in self._plan.steps)
        record = record.model_copy(update={"questions": total})
        if pending:
            source = images()
            self._model.load()
            self._write(record)
            begun = time.monotonic()
            try:
                self._ask(pending, source, total)
            except BaseException:
                # The time counts even so; why it ended is the caller's to hear.
                with contextlib.suppress(HopeBenchError):
                    self._write(_spent(record, begun))
                raise
            record = _spent(record, begun)
        self._answers.finish(self._plan.requests)
        return self._write(record.model_copy(update={"complete": True}))

    def _ask(self, pending: Sequence[tuple[Request, ...]], source: _Images, total: int) -> None:
        done = total - sum(len(step) for step in pending)
        if done:
            self._say(f"Going on: {done:,} of {total:,} questions are answered already.")
        with run_progress(done, total, self._say) as progress:
            for step, images in steps_with_images(pending, source.folder, source.sha256):
                answers = self._answer(step, images)
                self._answers.append(answers)
                progress.add(answers)

    def _answer(self, step: Sequence[Request], images: dict[str, Image.Image | UnreadableImageError]) -> list[Answer]:
        batch: list[tuple[Image.Image, str]] = []
        failed: dict[int, RawAnswer] = {}
        for place, request in enumerate(step):
            image = images[request.image]
            if isinstance(image, UnreadableImageError):
                failed[place] = RawAnswer(error=f"image: {image}")
            else:
                batch.append((image, request.text))
        said = answer_all(self._model, batch) if batch else []
        if said and not self._works:
            self._check_first(said, batch[0][1])
        rest = iter(said)
        raw = [failed[place] if place in failed else next(rest) for place in range(len(step))]
        return [_read(request, answer) for request, answer in zip(step, raw, strict=True)]

    def _check_first(self, said: Sequence[RawAnswer], prompt: str) -> None:
        """Stop before thousands of questions fail alike, unless it was those images: then a plain one is answered."""
        if all(answer.error is not None for answer in said):
            plain = Image.new("RGB", (224, 224), "grey")
            if answer_all(self._model, [(plain, prompt)])[0].error is not None:
                raise HopeBenchError(
                    f"The model failed on its first {len(said)} questions, so nothing was asked further. The first said: "
                    f"{said[0].error}"
                )
        self._works = True

    def _write(self, record: RunRecord) -> RunRecord:
        errors = sum(answer.error is not None for answer in self._answers.answers.values())
        record = record.model_copy(update={"errors": errors})
        with explain_write_errors(self._folder / "run.json"):
            write_run(self._folder, record)
        return record


def answer_all(model: Adapter, batch: Sequence[tuple[Image.Image, str]]) -> list[RawAnswer]:
    """One answer for each (image, prompt). Where a batch raises, halves are tried, so that one bad row fails alone."""
    try:
        answers = model.answer(batch)
    except HopeBenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a model's code can raise anything, and one question must not end the run
        if len(batch) == 1:
            return [RawAnswer(error=short_reason(error))]
        half = (len(batch) + 1) // 2
        return answer_all(model, batch[:half]) + answer_all(model, batch[half:])
    if len(answers) != len(batch):
        raise HopeBenchError(
            f"The adapter {model.info.adapter} gave {len(answers)} answers to {len(batch)} questions, so which belongs to which "
            "is unknown. This is a bug in the adapter."
        )
    return answers


@dataclass(frozen=True, slots=True)
class _Images:
    """Where the images lie, and each one's SHA-256 where the benchmark knows it."""

    folder: Path
    sha256: dict[str, str | None]


def _images(benchmark: Benchmark, options: EvaluateOptions, plan: Plan) -> _Images:
    folder = options.images
    spec = benchmark.folder / "spec.toml"
    if folder is None and spec.is_file():
        named = read_toml(spec, BenchmarkSpec).dataset.images
        folder = None if named is None else spec.parent / named
    names = list(dict.fromkeys(request.image for request in plan.requests))
    return _Images(check_images_folder(folder, names, benchmark.manifest.name), dict(benchmark.manifest.images))


def _adapter(card: ModelCard, say: Say) -> Adapter:
    from hope_bench.adapters.transformers_model import TransformersModel

    return TransformersModel(card, say)


def _read(request: Request, raw: RawAnswer) -> Answer:
    return Answer(
        image=request.image,
        question=request.question,
        text=raw.text,
        verdict="error" if raw.error is not None else parse_strict(raw.text),
        p_yes=raw.p_yes,
        mass=raw.mass,
        complete=raw.complete,
        error=raw.error,
    )


def _spent(record: RunRecord, begun: float) -> RunRecord:
    return record.model_copy(update={"seconds": round(record.seconds + time.monotonic() - begun, 3)})
