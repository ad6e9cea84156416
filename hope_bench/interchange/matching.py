"""Answers given elsewhere meet a benchmark's questions: by image and object, or by the words of the question."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.language import AnswerWords
from hope_bench.interchange.questions import question_key, read_question, wrapping
from hope_bench.records import Answer, Label, Verdict
from hope_bench.scoring.parsing import parse_answer


@dataclass(frozen=True, slots=True)
class Given:
    """One answer of a file: `splits` are those it answers, None where nothing says. `text` is None where the file says that the
    model failed (`error`). `label` is what the file itself holds for right."""

    where: str
    image: str
    question: str
    text: str | None
    splits: tuple[str, ...] | None = None
    label: Label | None = None
    error: str | None = None


@dataclass(slots=True)
class ImportReport:
    """What an import found: answers per split, the questions never answered, and the answers that match no question.

    `unranked` says why a result of the run will not be ranked, and what to do about it: a sentence or two each. `templates`
    counts what stood around the questions, `reworded` are those put in other words than the benchmark's, `relabelled` counts
    answers whose file has another label than the benchmark, and `failed` those that the file says failed. `doubts` are sentences
    on labels that differ, and on answers that are never wrong.
    """

    folder: Path
    asked: dict[str, int]
    unasked: dict[str, int]
    unmatched: list[str] = field(default_factory=list)
    collapsed: int = 0
    unranked: list[str] = field(default_factory=list)
    templates: Counter[str] = field(default_factory=Counter)
    reworded: list[str] = field(default_factory=list)
    relabelled: int = 0
    failed: int = 0
    doubts: list[str] = field(default_factory=list)

    def read(self, text: str, question: str) -> None:
        """Take note of how a question of the benchmark was put."""
        template, worded = wrapping(text, question), read_question(text)
        if template is None:
            self.reworded.append(text)
            template = None if worded is None else worded.template
        if template is not None:
            self.templates[template] += 1


class _Asked:
    """A benchmark's questions by image."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._keyed: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        for name, questions in benchmark.splits.items():
            for question in questions:
                self._keyed[question.image][question_key(question.text)][name] = question.text

    def find(self, line: Given) -> dict[str, str]:
        """The question that a line answers, as each split that it may be about words it; empty where there is none."""
        keyed = self._keyed.get(line.image, {})
        asks = keyed.get(question_key(line.question))
        if asks is None:
            contained = [one for one in keyed.values() if any(wrapping(line.question, text) is not None for text in one.values())]
            asks = max(contained, key=lambda one: max(map(len, one.values())), default={})
        return {name: text for name, text in asks.items() if line.splits is None or name in line.splits}


def match(given: Sequence[Given], benchmark: Benchmark, folder: Path) -> tuple[list[Answer], ImportReport]:
    """The answers to the benchmark's questions, and what was found; nothing is written.

    Raises HopeBenchError where a question is answered more than once, and differently.
    """
    asked, labels = _Asked(benchmark), benchmark.labels
    said: dict[tuple[str, str, str], list[Given]] = defaultdict(list)
    report = ImportReport(folder, {}, {})
    for line in given:
        asks = asked.find(line)
        if not asks:
            report.unmatched.append(f"{line.image}: {line.question}")
            continue
        for name, text in asks.items():
            said[name, line.image, text].append(line)
        first = next(iter(asks.values()))
        report.read(line.question, first)
        report.relabelled += line.label is not None and line.label != labels[line.image, first]
    for key, lines in said.items():  # a failure that was tried again is no second answer
        said[key] = [line for line in lines if line.error is None] or lines
    language = benchmark.manifest.language
    _refuse_contradictions(said, language)
    report.collapsed = sum(len(lines) - 1 for lines in said.values())
    for name, questions in benchmark.splits.items():
        report.asked[name] = sum((name, question.image, question.text) in said for question in questions)
        report.unasked[name] = len(questions) - report.asked[name]
    answers = _answers(said, list(benchmark.splits), language)
    report.failed = sum(answer.error is not None for answer in answers)
    return answers, report


def _verdict(line: Given, question: str, language: AnswerWords | None) -> Verdict:
    return "error" if line.text is None else parse_answer(line.text, question, language)


def _refuse_contradictions(said: Mapping[tuple[str, str, str], Sequence[Given]], language: AnswerWords | None) -> None:
    disagree = [
        f"{image}: {text} ({split}; {lines[0].where} and {lines[-1].where})"
        for (split, image, text), lines in said.items()
        if len({_verdict(line, text, language) for line in lines}) > 1
    ]
    if disagree:
        raise HopeBenchError(
            f"{counted(len(disagree), 'question is', 'questions are')} answered more than once, and "
            f"differently: {first_few(disagree, 3)}. "
            "Remove the answers that don't count."
        )


def _answers(
    said: Mapping[tuple[str, str, str], Sequence[Given]], order: Sequence[str], language: AnswerWords | None
) -> list[Answer]:
    """One answer per image, question and text, with the splits it was given in."""
    splits: dict[tuple[str, str, str | None, str | None], list[str]] = defaultdict(list)
    for (name, image, question), lines in said.items():
        splits[image, question, lines[0].text, lines[0].error].append(name)
    return [
        Answer(
            image, question, text, "error" if text is None else parse_answer(text, question, language),
            error=error, splits=tuple(sorted(names, key=order.index)),
        )
        for (image, question, text, error), names in splits.items()
    ]  # fmt: skip
