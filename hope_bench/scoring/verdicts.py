"""A benchmark's questions joined with a run's answers: every question gets a verdict, or is counted as never asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import MOST_SAMPLES
from hope_bench.files.language import AnswerWords
from hope_bench.files.run import RunAnswers, disagreeing
from hope_bench.files.split_score import PACKED
from hope_bench.records import Answer, Question, Verdict, no_collector
from hope_bench.scoring.parsing import parse_answer


@dataclass(frozen=True, slots=True)
class PackedSplit:
    """A split's `questions` grouped by the benchmark's images in their order, with their labels and verdicts, one letter a
    question (result.PACKED), and `p_yes` in [0, 1], None where unknown. `further_verdicts` are those of further samples, where
    each question was answered several times."""

    questions: tuple[Question, ...]
    questions_per_image: tuple[int, ...]
    labels: str
    verdicts: str
    p_yes: tuple[float | None, ...]
    further_verdicts: tuple[str, ...] = ()

    @property
    def all_verdicts(self) -> tuple[str, ...]:
        """The verdicts of every sample."""
        return (self.verdicts, *self.further_verdicts)


@dataclass(frozen=True, slots=True)
class Joined:
    """Every split packed, and how many questions were asked again after an error."""

    splits: Mapping[str, PackedSplit]
    retried: int


def reread(file: RunAnswers, language: AnswerWords | None = None) -> RunAnswers:
    """The answers with the verdicts that their words get now, in the benchmark's `language` (None: English): an earlier release
    may have read them by another rule."""
    answers = tuple(_reread(answer, language) for answer in file.answers)
    changed = sum(now is not before for now, before in zip(answers, file.answers, strict=True))
    return replace(file, answers=answers, reread=changed)


def _reread(answer: Answer, language: AnswerWords | None) -> Answer:
    if answer.text is None or answer.verdict == "error":
        return answer
    verdict = parse_answer(answer.text, answer.question, language)
    return answer if verdict == answer.verdict else replace(answer, verdict=verdict)


_Key = tuple[str, str, str, int]
"""(split, image, question, sample): an imported answer may hold for some of the splits that ask its question."""


def given_verdict(answer: Answer) -> Verdict:
    """The verdict that stands with the answer."""
    return answer.verdict


def join(
    benchmark: Benchmark,
    answers: Iterable[Answer],
    read: Callable[[Answer], Verdict] = given_verdict,
    path: Path | None = None,
) -> Joined:
    """Every question's verdict, by (image, question text), as `read` reads each answer; `path` is the file whose lines they are.

    Where one of two answers to a question is an error, the later one is the retry and counts; several samples are several
    answers. Raises HopeBenchError, with counts, for answers to questions the benchmark doesn't hold, for answers to one question
    that disagree, and for samples that no run can have.
    """
    with no_collector():  # millions of small objects, none of which refers to another: nothing to collect
        answers = tuple(answers)
        by_split = any(answer.splits is not None for answer in answers)
        if stray := next((answer.sample for answer in answers if not 0 <= answer.sample < MOST_SAMPLES), None):
            raise HopeBenchError(f"An answer says that it is sample {stray} of its question; samples are numbered from 0.")
        found, retried = _verdicts(benchmark, answers, read, by_split, path)
        samples = 1 + max((answer.sample for answer in answers), default=0)
        packed = {name: _pack(benchmark, name, found, name if by_split else _EVERY, samples) for name in benchmark.splits}
        return Joined(packed, retried)


def asked_for(joined: Joined, chosen: str | None) -> Joined:
    """With nothing asked in the splits that the run was not asked (`chosen` names those it was, with commas; None: unknown).

    What such a split shares with those that were asked is no fair sample of it: of POPE's splits it would be their
    yes-questions, of a search those distractors that others chose, too. One that is answered whole all the same stays.
    """
    if chosen is None:
        return joined
    names, unasked = set(chosen.split(", ")), PACKED["unasked"]

    def kept(name: str, split: PackedSplit) -> PackedSplit:
        if name in names or unasked not in "".join(split.all_verdicts):
            return split
        nothing = unasked * len(split.verdicts)
        unknown = (None,) * len(split.p_yes)
        return replace(split, verdicts=nothing, p_yes=unknown, further_verdicts=(nothing,) * len(split.further_verdicts))

    return replace(joined, splits={name: kept(name, split) for name, split in joined.splits.items()})


_EVERY = "*"
"""Stands for every split that asks a question; no split is called so."""

Found = Mapping[_Key, tuple[Verdict, float | None]]
"""Verdict and P(yes) of every question asked."""


def _verdicts(
    benchmark: Benchmark, answers: Sequence[Answer], read: Callable[[Answer], Verdict], by_split: bool, path: Path | None
) -> tuple[dict[_Key, tuple[Verdict, float | None]], int]:
    asked_in = _asked_in(benchmark, by_split)
    found: dict[_Key, tuple[Verdict, float | None]] = {}
    foreign: list[Answer] = []
    retried: set[tuple[str, str]] = set()
    disagree: set[tuple[str, str]] = set()
    for answer in answers:
        pair = (answer.image, answer.question)
        verdict = read(answer)
        splits = [name for name in asked_in.get(pair, ()) if answer.splits is None or name in answer.splits]
        if not splits:
            foreign.append(answer)
        for split in splits:
            before = found.get((split, *pair, answer.sample), (verdict, None))[0]
            if before != verdict:
                (retried if "error" in (before, verdict) else disagree).add(pair)
            found[split, *pair, answer.sample] = (verdict, answer.read_p_yes)
    if foreign:
        raise _foreign(benchmark, foreign)
    if disagree:
        raise disagreeing(disagree, answers, path)
    return found, len(retried)


def _asked_in(benchmark: Benchmark, by_split: bool) -> dict[tuple[str, str], list[str]]:
    """The splits that ask each question; where no answer holds for some of them alone, _EVERY stands for them."""
    if not by_split:
        every = [_EVERY]
        return {(question.image, question.text): every for questions in benchmark.splits.values() for question in questions}
    asked_in: dict[tuple[str, str], list[str]] = {}
    for name, questions in benchmark.splits.items():
        for question in questions:
            asked_in.setdefault((question.image, question.text), []).append(name)
    return asked_in


def _foreign(benchmark: Benchmark, foreign: Sequence[Answer]) -> HopeBenchError:
    return HopeBenchError(
        f"{counted(len(foreign), 'answer is', 'answers are')} to questions that benchmark "
        f"{benchmark.manifest.name} doesn't ask: "
        f"{first_few((f'{answer.image}: {answer.question}' for answer in foreign), 3)}. "
        "The run belongs to other questions; evaluate the model on this benchmark."
    )


def in_packed_order(benchmark: Benchmark, split: str) -> tuple[Question, ...]:
    """A split's questions in the order of a result's packed letters: by the benchmark's images, then as in the split's file.

    Raises HopeBenchError where the split asks about an image that the manifest doesn't list.
    """
    place = {image: index for index, image in enumerate(benchmark.manifest.images)}
    try:
        return tuple(sorted(benchmark.splits[split], key=lambda question: place[question.image]))
    except KeyError as error:
        raise HopeBenchError(
            f"Split {split} of {benchmark.folder} asks about {error.args[0]}, which its manifest doesn't list. "
            "Generate or import the benchmark again."
        ) from None


def _pack(benchmark: Benchmark, split: str, found: Found, key: str, samples: int) -> PackedSplit:
    """A split packed, with "unasked" where nothing was found for a question; `key` is what its verdicts stand under. Of several
    samples none has P(yes): a model that is sampled thinks."""
    questions = in_packed_order(benchmark, split)
    counts = Counter([question.image for question in questions])
    unasked: tuple[str, float | None] = ("unasked", None)
    rows = [
        [found.get((key, question.image, question.text, sample), unasked) for question in questions] for sample in range(samples)
    ]
    verdicts = ["".join([PACKED[verdict] for verdict, _ in row]) for row in rows]
    return PackedSplit(
        questions=questions,
        questions_per_image=tuple(counts[image] for image in benchmark.manifest.images),
        labels="".join([PACKED[question.label] for question in questions]),
        verdicts=verdicts[0],
        p_yes=tuple([p_yes if samples == 1 else None for _, p_yes in rows[0]]),
        further_verdicts=tuple(verdicts[1:]),
    )
