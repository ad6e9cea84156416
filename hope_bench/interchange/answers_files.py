"""Answers files of other tools in: LLaVA's and POPE's lines become a run, matched by image and object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hope_bench.errors import HopeBenchError, counted, did_you_mean, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import ModelInfo
from hope_bench.interchange.answer_field import answer_field, answer_of, label_field, question_of, refuse_balanced, refuse_labels
from hope_bench.interchange.imported_run import Provenance, all_right, check_import, import_command, write_import
from hope_bench.interchange.log_places import Images
from hope_bench.interchange.logs import as_label
from hope_bench.interchange.matching import Given, ImportReport, match
from hope_bench.interchange.questions import Line, escaped, question_key, read_lines, wrapping
from hope_bench.interchange.tables import read_table


@dataclass(frozen=True, slots=True)
class AnswersSource:
    """What to import. `files` maps each answers file to the split its lines answer (None: the lines themselves tell).

    `questions` is LLaVA's questions file, which holds the image and split of each question_id. `prompt` is the template the model
    was asked with, where the lines don't show it. `source` says in words where the answers come from. `answer` is the field that
    holds the model's answer, where the lines leave a doubt (`answer_field`).
    """

    files: Mapping[Path, str | None]
    questions: Path | None = None
    prompt: str | None = None
    source: str | None = None
    answer: str | None = None


def import_answers(source: AnswersSource, benchmark: Benchmark, run: Path, model: ModelInfo) -> ImportReport:
    """Write the run folder `run` (answers.jsonl, run.json) from answers that another tool collected.

    Existence questions match by image and object, whatever their wrapping, typos and case; others by their own words within the
    line, whatever stands around them. Answers that match no question are counted and
    listed; questions without an answer stay unasked. A question answered twice in a split must be answered the same (collapsed),
    else HopeBenchError says how many were not; nothing is written then.
    """
    check_import(run, source.prompt)
    for split in filter(None, source.files.values()):
        if split not in benchmark.splits:
            raise HopeBenchError(
                f"Benchmark {benchmark.manifest.name} has no split {split!r}. " + did_you_mean(split, benchmark.splits)
            )
    given = _read(source, benchmark)
    files = [*source.files, *filter(None, [source.questions])]
    command = _command(source, benchmark, run.name, model)
    origin = Provenance(files, command, model, source.source, source.prompt, named=source.answer is not None)
    return write_import(given, benchmark, run, origin)[0]


def _read(source: AnswersSource, benchmark: Benchmark) -> list[Given]:
    index = _question_index(source.questions, benchmark)
    images = Images(benchmark)
    given: list[Given] = []
    for path, split in source.files.items():
        _refuse_logs(path)
        lines = _lines(path)
        _check_one_model(lines, path)
        name, certain = answer_field(lines, source.answer)
        splits = None if split is None else (split,)
        if index is not None:
            found = [_by_id(line, name, index, split) for line in lines]
        elif any("image" in line.data for line in lines):
            found = [Given(line.where, line.text("image"), question_of(line), answer_of(line, name), splits) for line in lines]
        elif split is not None:
            found = _in_order(lines, name, benchmark, split, path)
        else:
            raise HopeBenchError(
                f"The lines of {path} name no image. Pass --questions FILE (LLaVA's questions.jsonl, found by question_id), or "
                "--split NAME if the file answers that split's questions in order (POPE's own answers files)."
            )
        gold = label_field(lines, name, named=source.answer is not None)
        labels = [None if gold is None else as_label(line.data.get(gold)) for line in lines]
        found = [
            replace(one, image=images.find(one.image) or one.image, label=label) for one, label in zip(found, labels, strict=True)
        ]
        if not certain:
            popes = all(line.data.keys() == {"question", "answer"} for line in lines)
            _refuse_labels(found, benchmark, path, name, _CHANCE if popes else 1)
            refuse_balanced(str(path), name, [(one.image, one.text or "") for one in found])
        given += found
    return given


def _lines(path: Path) -> list[Line]:
    """The lines of a file; also the rows of a JSON list, alone or in an object, or of a CSV file."""
    if path.suffix == ".csv" or (path.is_file() and _is_one_value(path)):
        return read_table(path)
    return list(read_lines(path))


def _is_one_value(path: Path) -> bool:
    """Whether a file holds one JSON value (a list; under .json also an object), and not one a line."""
    with path.open("rb") as stream:
        first, _, rest = stream.read(100_000).lstrip().partition(b"\n")
    return first[:1] == b"[" or (path.suffix == ".json" and (first.strip() == b"{" or not rest.strip()))


def _refuse_logs(path: Path) -> None:
    """A log of another tool says itself what it is. Raises HopeBenchError with the option that reads it."""
    tool = {".xlsx": "vlmevalkit", ".tsv": "vlmevalkit", ".eval": "inspect"}.get(path.suffix)
    if path.is_dir():
        raise HopeBenchError(f"{path} is a folder. Give files, or say whose output it is: --from lmms-eval, vlmevalkit, ...")
    if tool is None and path.is_file():
        with path.open("rb") as stream:
            begins = stream.read(100_000)
        first = begins.split(b"\n", 1)[0]
        first = begins if first.strip() == b"{" else first  # an object over many lines
        marks = {b'"filtered_resps"': "lmms-eval", b'"sample_score"': "evalscope", b'"model_output": {': "evalscope"}
        tool = next((marks[mark] for mark in marks if mark in first), None)
    if tool is not None:
        raise HopeBenchError(f"{path} looks like a log of {tool}. Read it with --from {tool}.")


def _check_one_model(lines: Sequence[Line], path: Path) -> None:
    """LLaVA's lines name their model. Raises HopeBenchError for a file of several."""
    models = sorted({str(line.data["model_id"]) for line in lines if line.data.get("model_id")})
    if len(models) > 1:
        raise HopeBenchError(f"{path} holds answers of several models: {first_few(models, 4)}. Import a file for each.")


_CHANCE = 20
"""So many right answers in a row are few models' on any POPE split; a handful are many's."""


def _refuse_labels(given: Sequence[Given], benchmark: Benchmark, path: Path, name: str, least: int) -> None:
    """A field that might hold the labels, and says just what they say, is never taken for a model that doesn't err. POPE's own
    answers files are known by their two fields, so that a few right answers raise no doubt there."""
    asked = match(given, benchmark, path)[0]
    if len(asked) >= least and all_right(asked, benchmark):
        refuse_labels(str(path), name, len(asked))


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


def _by_id(line: Line, name: str, index: Mapping[str, tuple[str, str, str | None]], split: str | None) -> Given:
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
    asked = split or category
    return Given(line.where, image, prompt, answer_of(line, name), None if asked is None else (asked,))


def _in_order(lines: Sequence[Line], name: str, benchmark: Benchmark, split: str, path: Path) -> list[Given]:
    """POPE's own answers files name no image: line i answers question i, and its object must be the question's."""
    questions = benchmark.splits[split]
    if len(lines) > len(questions):
        raise HopeBenchError(
            f"{path} has {counted(len(lines), 'answer')}, but split {split} asks {counted(len(questions), 'question')}."
        )
    given = []
    for line, question in zip(lines, questions, strict=False):
        asked = question_of(line)
        if question_key(asked) != question_key(question.text) and wrapping(asked, question.text) is None:
            raise HopeBenchError(
                f"{line.where}: asks {asked!r}, but split {split} asks {question.text!r} there. The file answers another "
                'split, or another release of it. Lines that name their "image" are matched in any order.'
            )
        given.append(Given(line.where, question.image, asked, answer_of(line, name), (split,)))
    return given


def _command(source: AnswersSource, benchmark: Benchmark, name: str, model: ModelInfo) -> str:
    return import_command(
        [path.name for path in source.files],
        [
            *(("--split", split) for split in source.files.values()),
            ("--questions", None if source.questions is None else source.questions.name),
            ("--benchmark", benchmark.manifest.name),
            ("--name", name),
            ("--prompt", None if source.prompt is None else escaped(source.prompt)),
            ("--answer", source.answer),
            ("--model-name", model.name),
            ("--checkpoint", model.checkpoint),
            ("--vision-tower", model.vision_tower),
        ],
    )
