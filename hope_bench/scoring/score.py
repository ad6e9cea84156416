"""From a run's answers to a result: every split's metrics, the comparisons, and what a reader has to know about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import BenchmarkInfo, Bootstrap, Result
from hope_bench.files.run import ANSWERS, RunAnswers, RunRecord, read_answers, read_run
from hope_bench.files.split_score import SplitScore
from hope_bench.provenance import short_hash
from hope_bench.records import Answer, Verdict
from hope_bench.reviewing.noise import ReviewedClaim
from hope_bench.scoring.breakdown import Sizes
from hope_bench.scoring.conventions import STRICT, Convention, reader
from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
from hope_bench.scoring.numbers import Scored, comparison_pairs, score_splits
from hope_bench.scoring.reviewed import correct, find_truth
from hope_bench.scoring.standing import unranked_by
from hope_bench.scoring.verdicts import Joined, asked_for, join, reread

__all__ = ["Known", "answered", "comparison_pairs", "make_result", "read_answered", "score", "tower_family"]

_TOWER_FAMILIES = ("siglip", "eva", "dfn", "metaclip", "laion", "datacomp", "internvit", "dinov2", "openai")
"""The words by which an encoder's name tells its family (who trained it, or on what), the more telling ones first."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a benchmark beyond its questions: the sizes of present objects, and what people found who reviewed it."""

    sizes: Sizes = field(default_factory=dict)
    reviewed: tuple[ReviewedClaim, ...] = ()


def score(
    benchmark: Benchmark,
    run_folder: Path,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    convention: Convention = STRICT,
    languages: Sequence[str] = (),
    known: Known | None = None,
) -> Result:
    """The result of a run (runs/BENCHMARK/NAME) on its benchmark; the same inputs give the same result.

    Raises HopeBenchError where the run belongs to other questions, its answers are malformed or contradict each other, or the
    convention needs words that the run doesn't have.
    """
    record, file = read_answered(benchmark, run_folder)
    read = reader(file.answers, convention, languages, benchmark.labels, benchmark.manifest.language)
    joined = join_run(benchmark, record, file.answers, read, run_folder / ANSWERS)
    return make_result(benchmark, record, file, joined, bootstrap, convention, languages, known or Known())


def read_answered(benchmark: Benchmark, run_folder: Path) -> tuple[RunRecord, RunAnswers]:
    """A run's record, by the name its folder has, and its answers as this release reads them.

    Raises HopeBenchError where the run belongs to other questions.
    """
    record = read_run(run_folder).model_copy(update={"name": run_folder.resolve().name})
    file = reread(read_answers(run_folder / ANSWERS), benchmark.manifest.language)
    if record.benchmark_hash != benchmark.manifest.hash:
        asked = {(question.image, question.text) for questions in benchmark.splits.values() for question in questions}
        foreign = sum((answer.image, answer.question) not in asked for answer in file.answers)
        raise HopeBenchError(
            f"Run {run_folder} answered another benchmark or version: {record.benchmark!r} with hash "
            f"{short_hash(record.benchmark_hash)}, while {benchmark.folder} has {short_hash(benchmark.manifest.hash)}. Of its "
            f"{len(file.answers):,} answers, {foreign:,} are to questions that this one doesn't ask. "
            "Evaluate the model on this benchmark, or pass --benchmark."
        )
    return record, file


def join_run(
    benchmark: Benchmark,
    record: RunRecord,
    answers: Sequence[Answer],
    read: Callable[[Answer], Verdict],
    path: Path | None = None,
) -> Joined:
    """A run's answers, the lines of `path`, joined with the questions of the splits that it was asked."""
    chosen = record.settings.get("splits")
    return asked_for(join(benchmark, answers, read, path), None if chosen is None else str(chosen))


def make_result(
    benchmark: Benchmark,
    record: RunRecord,
    file: RunAnswers,
    joined: Joined,
    bootstrap: Bootstrap,
    convention: Convention = STRICT,
    languages: Sequence[str] = (),
    known: Known = Known(),
) -> Result:
    """The result of answers that are joined with the benchmark's questions."""
    scored = score_splits(Scored(benchmark, joined.splits, bootstrap, convention, known.sizes))
    splits = _corrected(scored.splits, joined, known.reviewed, bootstrap.confidence)
    return Result(
        convention=convention.name,
        languages=_spoken(benchmark, convention, languages),
        model=record.model,
        benchmark=_benchmark_info(benchmark),
        run=record.run.model_copy(update={"name": record.name}),
        bootstrap=bootstrap,
        splits=splits,
        comparisons=scored.comparisons,
        averages=scored.averages,
        worst=scored.worst,
        unranked=_unranked(benchmark, record, scored.splits),
        notes=(*_notes(benchmark, record, file, joined, scored.splits), *_reading(benchmark, file, convention)),
    )


def _spoken(benchmark: Benchmark, convention: Convention, languages: Sequence[str]) -> tuple[str, ...]:
    """The languages that answers were read in besides English: the benchmark's own, under `strict`, then those asked for."""
    own = benchmark.manifest.language
    return tuple(dict.fromkeys((*([own.code] if own is not None and convention is STRICT else []), *languages)))


def _corrected(
    splits: Mapping[str, SplitScore], joined: Joined, reviewed: Sequence[ReviewedClaim], confidence: float
) -> dict[str, SplitScore]:
    """The splits with their rates under reviewed truth, where any of their questions was reviewed."""
    made = dict(splits)
    for name, split in splits.items():
        if reviewed and (found := find_truth(joined.splits[name].questions, reviewed)) is not None:
            made[name] = split.model_copy(update={"corrected": correct(split, *found, confidence)})
    return made


def _reading(benchmark: Benchmark, file: RunAnswers, convention: Convention) -> tuple[str, ...]:
    """How a convention other than `strict` reads this run otherwise, in counts."""
    if convention is STRICT:
        return ()
    read = reader(file.answers, convention, labels=benchmark.labels)
    moved = Counter((answer.verdict, read(answer)) for answer in file.answers)
    changes = [f"{count:,} {ours} as {theirs}" for (ours, theirs), count in sorted(moved.items()) if ours != theirs]
    return (f"Read by the {convention.name} convention, not strict: " + (", ".join(changes) or "no answer changes") + ".",)


def tower_family(name: str | None) -> str | None:
    """The family an encoder's name tells: "ViT-L-14-336:openai" and "openai/clip-vit-large-patch14-336" are both "openai"."""
    lowered = (name or "").lower()
    return next((family for family in _TOWER_FAMILIES if re.search(rf"(?<![a-z]){family}", lowered)), None)


def _benchmark_info(benchmark: Benchmark) -> BenchmarkInfo:
    manifest = benchmark.manifest
    return BenchmarkInfo(
        name=manifest.name,
        title=manifest.title,
        description=manifest.description,
        hash=manifest.hash,
        headline=manifest.headline,
        dataset=manifest.dataset,
        prompt=manifest.prompt,
        clip=None if manifest.clip is None else manifest.clip.model,
        encoders={name: clip.model for name, clip in manifest.encoders.items()},
        images=len(manifest.images),
        notes=manifest.notes,
    )


def answered(result: Result) -> int:
    """How many answers over all splits the model gave, failures aside."""
    sides = [side for split in result.splits.values() for side in (split.on_yes, split.on_no)]
    return sum(side.yes + side.no + side.unparsed for side in sides)


def _unranked(benchmark: Benchmark, record: RunRecord, splits: Mapping[str, SplitScore]) -> str | None:
    """Why a result must not be ranked, in words; None where nothing stands against it."""
    manifest = benchmark.manifest
    return record.unranked or unranked_by(record.run, manifest.prompt, manifest.headline, splits)


def _notes(
    benchmark: Benchmark, record: RunRecord, file: RunAnswers, joined: Joined, splits: Mapping[str, SplitScore]
) -> tuple[str, ...]:
    notes = list(record.notes)
    family = tower_family(record.model.vision_tower)
    searchers = [clip.model for clip in (benchmark.manifest.clip, *benchmark.manifest.encoders.values()) if clip is not None]
    notes += [
        f"The model's vision tower ({record.model.vision_tower}) and the encoder that chose distractors ({searcher}) are of one "
        f"family ({family}), by their names. Such questions may be harder for this model than for others."
        for searcher in searchers
        if family is not None and family == tower_family(searcher)
    ]
    samples = 1 + max((answer.sample for answer in file.answers), default=0)
    if samples > 1:
        notes.append(
            f"Each question was answered {samples:,} times ({record.run.decoding}). All answers count, and counts are of "
            "answers; lists of questions show the first."
        )
    if file.truncated:
        notes.append("The last line of answers.jsonl was cut off and is not counted.")
    if file.reread:
        notes.append(
            f"{counted(file.reread, 'answer reads', 'answers read')} otherwise than when it was asked, by this "
            "release's rule (docs/scoring.md)."
        )
    if joined.retried:
        notes.append(
            f"{counted(joined.retried, 'question was', 'questions were')} asked again after an error; the last answer counts."
        )
    elsewhere = sum(answer.mass is not None and answer.read_p_yes is None for answer in file.answers)
    if elsewhere:
        notes.append(
            f"P(yes) of {elsewhere:,} of {len(file.answers):,} answers is left out: they don't begin with a plain yes or no, so "
            "their first token tells nothing."
        )
    failed = sum(split.on_yes.error + split.on_no.error for split in splits.values())
    if failed:
        notes.append(
            f"{counted(failed, 'verdict over all splits is an error', 'verdicts over all splits are errors')}: "
            "counted as wrong, and never as a no."
        )
    return tuple(notes)
