"""Answers files of other tools in: LLaVA's and POPE's lines become a run, matched by image and object."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.run import RunRecord, read_run, write_run
from hope_bench.interchange.questions import Line, escaped, question_key, read_lines, read_question, wrapping
from hope_bench.provenance import atomic_path, file_sha256, json_sha256
from hope_bench.records import Answer
from hope_bench.scoring.parsing import parse_answer


@dataclass(frozen=True, slots=True)
class AnswersSource:
    """What to import. `files` maps each answers file to the split its lines answer (None: the lines themselves tell).

    `questions` is LLaVA's questions file, which holds the image and split of each question_id. `prompt` is the template the model
    was asked with, where the lines don't show it. `source` says in words where the answers come from.
    """

    files: Mapping[Path, str | None]
    questions: Path | None = None
    prompt: str | None = None
    source: str | None = None


@dataclass(slots=True)
class ImportReport:
    """What an import found: answers per split, the questions never answered, and the answers that match no question.

    `unranked` says why a result of the run will not be ranked, and what to do about it: a sentence or two each. `templates`
    counts what stood around the questions, `reworded` are those put in other words than the benchmark's.
    """

    folder: Path
    asked: dict[str, int]
    unasked: dict[str, int]
    unmatched: list[str] = field(default_factory=list)
    collapsed: int = 0
    unranked: list[str] = field(default_factory=list)
    templates: Counter[str] = field(default_factory=Counter)
    reworded: list[str] = field(default_factory=list)

    def read(self, text: str, question: str) -> None:
        """Take note of how a question of the benchmark was put."""
        template, worded = wrapping(text, question), read_question(text)
        if template is None:
            self.reworded.append(text)
            template = None if worded is None else worded.template
        if template is not None:
            self.templates[template] += 1


@dataclass(frozen=True, slots=True)
class _Given:
    """One line of an answers file: `split` is the split it answers, None where nothing says."""

    where: str
    image: str
    question: str
    text: str
    split: str | None


def import_answers(source: AnswersSource, benchmark: Benchmark, run: Path, model: ModelInfo) -> ImportReport:
    """Write the run folder `run` (answers.jsonl, run.json) from answers that another tool collected.

    Existence questions match by image and object, whatever their wrapping, typos and case; others by their own words within the
    line, whatever stands around them. Answers that match no question are counted and
    listed; questions without an answer stay unasked. A question answered twice in a split must be answered the same (collapsed),
    else HopeBenchError says how many were not; nothing is written then.
    """
    if source.prompt is not None and "{question}" not in source.prompt:
        raise HopeBenchError(
            f'The prompt {source.prompt!r} holds no "{{question}}", so it doesn\'t say where the question stood.'
        )
    if (run / "run.json").is_file() and read_run(run).settings:
        raise HopeBenchError(f"{run} holds a run that was evaluated here; an import would replace it. Choose another --name.")
    for split in filter(None, source.files.values()):
        if split not in benchmark.splits:
            raise HopeBenchError(
                f"Benchmark {benchmark.manifest.name} has no split {split!r}. " + did_you_mean(split, benchmark.splits)
            )
    given = _read(source, benchmark)
    answers, report = _match(given, benchmark, run)
    if not answers:
        raise HopeBenchError(
            f"Of {counted(len(given), 'answer')}, none matches a question of benchmark {benchmark.manifest.name}. "
            f"The first: {first_few(report.unmatched, 2)}."
        )
    with atomic_path(run / "answers.jsonl") as temporary:
        temporary.write_bytes(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
    write_run(run, _record(source, benchmark, run.name, model, given, answers, report))
    return report


def _read(source: AnswersSource, benchmark: Benchmark) -> list[_Given]:
    index = _question_index(source.questions, benchmark)
    given: list[_Given] = []
    for path, split in source.files.items():
        lines = list(read_lines(path))
        if index is not None:
            given += [_by_id(line, index, split) for line in lines]
        elif any("image" in line.data for line in lines):
            given += [_Given(line.where, line.text("image"), *_worded(line), split) for line in lines]
        elif split is not None:
            given += _in_order(lines, benchmark, split, path)
        else:
            raise HopeBenchError(
                f"The lines of {path} name no image. Pass --questions FILE (LLaVA's questions.jsonl, found by question_id), or "
                "--split NAME if the file answers that split's questions in order (POPE's own answers files)."
            )
    return given


def _worded(line: Line) -> tuple[str, str]:
    return line.text("question", "prompt"), line.text("answer", "text")


def _question_index(path: Path | None, benchmark: Benchmark) -> dict[str, tuple[str, str, str | None]] | None:
    """Each question_id's image, text and split. A category that is no split of the benchmark's tells nothing where none is one;
    where others are, its questions belong to splits that the benchmark doesn't have."""
    if path is None:
        return None
    index: dict[str, tuple[str, str, str | None]] = {}
    for line in read_lines(path):
        category = line.data.get("category")
        key = _identifier(line)
        if key in index:
            raise HopeBenchError(f"{line.where}: question_id {key} occurs twice.")
        index[key] = (line.text("image"), line.text("text", "question", "prompt"), None if category is None else str(category))
    if any(category in benchmark.splits for _, _, category in index.values()):
        return index
    return {key: (image, text, None) for key, (image, text, _) in index.items()}


def _identifier(line: Line) -> str:
    if "question_id" not in line.data:
        raise HopeBenchError(f"{line.where}: no 'question_id'.")
    return str(line.data["question_id"])


def _by_id(line: Line, index: Mapping[str, tuple[str, str, str | None]], split: str | None) -> _Given:
    key = _identifier(line)
    if key not in index:
        raise HopeBenchError(f"{line.where}: question_id {key} is not in the questions file. Do the two belong together?")
    image, text, category = index[key]
    prompt = line.text("prompt") if "prompt" in line.data else text
    if question_key(prompt) != question_key(text):
        raise HopeBenchError(
            f"{line.where}: answers {prompt!r}, but the questions file has {text!r} under question_id {key}. "
            "Is it the file these answers belong to?"
        )
    return _Given(line.where, image, prompt, line.text("text", "answer"), split or category)


def _in_order(lines: Sequence[Line], benchmark: Benchmark, split: str, path: Path) -> list[_Given]:
    """POPE's own answers files name no image: line i answers question i, and its object must be the question's."""
    questions = benchmark.splits[split]
    if len(lines) > len(questions):
        raise HopeBenchError(
            f"{path} has {counted(len(lines), 'answer')}, but split {split} asks {counted(len(questions), 'question')}."
        )
    given = []
    for line, question in zip(lines, questions, strict=False):
        asked, answer = _worded(line)
        if question_key(asked) != question_key(question.text) and wrapping(asked, question.text) is None:
            raise HopeBenchError(
                f"{line.where}: asks {asked!r}, but split {split} asks {question.text!r} there. The file answers another "
                'split, or another release of it. Lines that name their "image" are matched in any order.'
            )
        given.append(_Given(line.where, question.image, asked, answer, split))
    return given


class _Asked:
    """A benchmark's questions by image."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._keyed: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        for name, questions in benchmark.splits.items():
            for question in questions:
                self._keyed[question.image][question_key(question.text)][name] = question.text

    def find(self, line: _Given) -> dict[str, str]:
        """The question that a line answers, as each split that it may be about words it; empty where there is none."""
        keyed = self._keyed.get(line.image, {})
        asks = keyed.get(question_key(line.question))
        if asks is None:
            contained = [one for one in keyed.values() if any(wrapping(line.question, text) is not None for text in one.values())]
            asks = max(contained, key=lambda one: max(map(len, one.values())), default={})
        return {name: text for name, text in asks.items() if line.split in (None, name)}


def _match(given: Sequence[_Given], benchmark: Benchmark, folder: Path) -> tuple[list[Answer], ImportReport]:
    asked = _Asked(benchmark)
    said: dict[tuple[str, str, str], list[_Given]] = defaultdict(list)
    report = ImportReport(folder, {}, {})
    for line in given:
        asks = asked.find(line)
        if not asks:
            report.unmatched.append(f"{line.image}: {line.question}")
            continue
        for name, text in asks.items():
            said[name, line.image, text].append(line)
        report.read(line.question, next(iter(asks.values())))
    _refuse_contradictions(said)
    report.collapsed = sum(len(lines) - 1 for lines in said.values())
    for name, questions in benchmark.splits.items():
        report.asked[name] = sum((name, question.image, question.text) in said for question in questions)
        report.unasked[name] = len(questions) - report.asked[name]
    return _answers(said, list(benchmark.splits)), report


def _refuse_contradictions(said: Mapping[tuple[str, str, str], Sequence[_Given]]) -> None:
    disagree = [
        f"{image}: {text} ({split}; {lines[0].where} and {lines[-1].where})"
        for (split, image, text), lines in said.items()
        if len({parse_answer(line.text, text) for line in lines}) > 1
    ]
    if disagree:
        raise HopeBenchError(
            f"{counted(len(disagree), 'question is', 'questions are')} answered more than once, and "
            f"differently: {first_few(disagree, 3)}. "
            "Remove the answers that don't count."
        )


def _answers(said: Mapping[tuple[str, str, str], Sequence[_Given]], order: Sequence[str]) -> list[Answer]:
    """One answer per image, question and text, with the splits it was given in."""
    splits: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for (name, image, question), lines in said.items():
        splits[image, question, lines[0].text].append(name)
    return [
        Answer(image, question, text, parse_answer(text, question), splits=tuple(sorted(names, key=order.index)))
        for (image, question, text), names in splits.items()
    ]


def _record(
    source: AnswersSource,
    benchmark: Benchmark,
    name: str,
    model: ModelInfo,
    given: Sequence[_Given],
    answers: Sequence[Answer],
    report: ImportReport,
) -> RunRecord:
    hashes = {path.name: file_sha256(path) for path in (*source.files, *filter(None, [source.questions]))}
    templates = report.templates
    shown = templates.most_common(1)[0][0] if templates else "{question}"
    prompt = source.prompt or (shown if shown != "{question}" else None)
    files = ", ".join(f"{file} (sha256 {digest})" for file, digest in hashes.items())
    against = _unranked(prompt, templates, benchmark)
    report.unranked = [*([] if against is None else [". ".join(against)]), *_missing(benchmark, report)]
    return RunRecord(
        name=name,
        benchmark=benchmark.manifest.name,
        benchmark_hash=benchmark.manifest.hash,
        key=json_sha256([hashes, prompt]),
        model=model,
        run=RunInfo(
            prompt=prompt,
            source="; ".join(filter(None, [source.source, f"imported from {files}"])),
            command=_command(source, benchmark, name, model),
        ),
        unranked=None if against is None else against[0],
        notes=_notes(given, report),
        questions=len(answers),
        complete=not any(report.unasked.values()),
    )


def _command(source: AnswersSource, benchmark: Benchmark, name: str, model: ModelInfo) -> str:
    """The import as a command line, files by name, so that it says nothing about this machine."""
    options: list[tuple[str, str | None]] = [
        *(("--split", split) for split in source.files.values()),
        ("--questions", None if source.questions is None else source.questions.name),
        ("--benchmark", benchmark.manifest.name),
        ("--name", name),
        ("--prompt", None if source.prompt is None else escaped(source.prompt)),
        ("--model-name", model.name),
        ("--checkpoint", model.checkpoint),
        ("--vision-tower", model.vision_tower),
    ]
    given = [part for flag, value in options if value is not None for part in (flag, value)]
    files = [path.name for path in source.files]
    return shlex.join(["hope-bench", "import", "answers", *files, *given])


def _unranked(prompt: str | None, templates: Counter[str], benchmark: Benchmark) -> tuple[str, str] | None:
    """Why answers so asked are not ranked, and what to do; None where nothing stands against it."""
    if prompt is None:
        return "the answers file doesn't show the prompt the model was asked with", (
            "Import again with --prompt if you know it ('{question}' where the question was asked alone)."
        )
    if len(templates) > 1:
        return f"asked with {len(templates)} different prompts", "Import the answers to one of them only."
    if prompt != benchmark.manifest.prompt:
        return f"asked with another prompt than the benchmark's: {prompt!r}", (
            "Questions asked so are a benchmark of their own: make it with this prompt (hope-bench import pope --prompt "
            f"{shlex.quote(escaped(prompt))}, or `prompt` in a spec) and import the answers to that."
        )
    return None


def _missing(benchmark: Benchmark, report: ImportReport) -> list[str]:
    headline = benchmark.manifest.headline
    missing = report.unasked[headline]
    if not missing:
        return []
    without = counted(missing, "question has", "questions have")
    return [f"Of the headline split {headline}, {without} no answer. Import the files that hold them, too."]


def _notes(given: Sequence[_Given], report: ImportReport) -> tuple[str, ...]:
    notes = []
    if report.unmatched:
        notes.append(
            f"{len(report.unmatched):,} of {len(given):,} imported answers match no question: {first_few(report.unmatched, 3)}."
        )
    missing = [f"{count:,} of {split}" for split, count in report.unasked.items() if count]
    if missing:
        notes.append(f"The imported answers leave questions unasked: {', '.join(missing)}.")
    if report.reworded:
        count, example = len(report.reworded), report.reworded[0]
        notes.append(f"{count:,} of {len(given):,} questions were worded otherwise, such as {example!r}.")
    if report.collapsed:
        notes.append(f"{report.collapsed:,} repeated answers agree with the first and count once.")
    return tuple(notes)
