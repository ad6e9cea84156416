"""Official POPE and RePOPE files in: JSON lines with question_id, image, text and label become a benchmark folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from pathlib import Path

from hope_bench.errors import HopeBenchError, counted, did_you_mean
from hope_bench.files.benchmark import Manifest, SourceFile, write_benchmark
from hope_bench.files.card import check_name
from hope_bench.files.names import within_folder
from hope_bench.files.spec import STRATEGY_KINDS
from hope_bench.interchange.questions import Line, given_prompt, read_lines, read_question, refuse_two_labels, unshared_positives
from hope_bench.provenance import commit, file_sha256, versions
from hope_bench.records import Question
from hope_bench.wording import existence_question


def import_pope(
    files: Mapping[str, Path],
    name: str,
    title: str,
    out: Path,
    *,
    prompt: str | None = None,
    headline: str | None = None,
    dataset: str = "MS-COCO val2014",
) -> Manifest:
    """Write the benchmark folder `out` from one file per split, named as its strategy, and return its manifest.

    `prompt` defaults to the wrapping that the files' own questions have ("{question}" in POPE's); `headline` to adversarial, else
    the last split. Wordings are repaired ("a umbrella in the imange"). Raises HopeBenchError naming the file and line of anything
    malformed or asked twice, and of a question that two splits label differently.
    """
    check_name(name, "A benchmark's name")
    for split in files:
        if split not in STRATEGY_KINDS:
            raise HopeBenchError(
                f"No strategy {split!r}: a split is named as its strategy. " + did_you_mean(split, STRATEGY_KINDS)
            )
    headline = headline or ("adversarial" if "adversarial" in files else list(files)[-1])
    if headline not in files:
        raise HopeBenchError(f"The headline split {headline!r} is not among the files. " + did_you_mean(headline, files))
    templates: Counter[str] = Counter()
    repaired: Counter[str] = Counter()
    splits = {split: _read_split(split, path, templates, repaired) for split, path in files.items()}
    refuse_two_labels(splits)
    notes = [
        f"{counted(count, 'question was', 'questions were')} worded {text!r}; repaired."
        for text, count in sorted(repaired.items())
    ]
    notes += unshared_positives(splits)
    return write_benchmark(
        out, splits, {split: STRATEGY_KINDS[split] for split in splits},
        name=name, title=title, headline=headline, prompt=_prompt(prompt, templates), k=None, dataset=dataset,
        images=dict.fromkeys((question.image for questions in splits.values() for question in questions), None),
        sources=tuple(SourceFile(file=path.name, sha256=file_sha256(path)) for path in files.values()),
        notes=tuple(notes), versions=versions(), commit=commit(),
    )  # fmt: skip


def _read_split(split: str, path: Path, templates: Counter[str], repaired: Counter[str]) -> list[Question]:
    questions: list[Question] = []
    seen: dict[Hashable, str] = {}
    for line in read_lines(path):
        question = _read_line(split, line, templates, repaired)
        for what, key in (("question", (question.image, question.text)), ("question_id", question.question_id)):
            first = seen.setdefault(key, line.where)
            if first != line.where:
                raise HopeBenchError(f"{line.where}: the same {what} as in {first}. A split asks each question once.")
        questions.append(question)
    if not questions:
        raise HopeBenchError(f"{path} holds no questions.")
    return questions


def _read_line(split: str, line: Line, templates: Counter[str], repaired: Counter[str]) -> Question:
    image, text, label = line.text("image"), line.text("text"), line.text("label")
    number = line.data.get("question_id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise HopeBenchError(f"{line.where}: question_id must be a whole number, not {number!r}.")
    if label not in ("yes", "no"):
        raise HopeBenchError(f'{line.where}: label must be "yes" or "no", not {label!r}.')
    if not within_folder(image):
        raise HopeBenchError(f"{line.where}: image must be a file name relative to the images folder, not {image!r}.")
    worded = read_question(text)
    if worded is None:
        raise HopeBenchError(f'{line.where}: not a question of the form "Is there a dog in the image?": {text!r}.')
    templates[worded.template] += 1
    ours = existence_question(worded.object)
    if worded.template.replace("{question}", ours) != text:
        repaired[text] += 1
    return Question(number, image, ours, "yes" if label == "yes" else "no", split, worded.object)


def _prompt(given: str | None, templates: Counter[str]) -> str:
    if given is None and len(templates) > 1:
        raise HopeBenchError(
            f"The files wrap their questions in {len(templates)} ways: {', '.join(map(repr, sorted(templates)[:3]))}. "
            'Choose one with --prompt (it must hold "{question}").'
        )
    return next(iter(templates)) if given is None else given_prompt(given)
