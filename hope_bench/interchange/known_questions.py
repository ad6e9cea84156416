"""Benchmarks of others by name: which files they are, how they write questions, labels and groups, and their published counts.

Each was read from its public files: MM-Hallu's and lmms-lab's datasets on the Hub, junyangwang0410/AMBER,
tianyi-lab/HallusionBench, ZhaoyangLi-1/ORIC, AikyamLab/hallucinogen (its identification task alone is asked with yes or no) and
mrwu-mac/R-Bench (its image level: the instance level is asked of pictures with boxes drawn into them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hope_bench.errors import HopeBenchError
from hope_bench.interchange.question_rows import QuestionRow


@dataclass(frozen=True, slots=True)
class Left:
    """A row that asks nothing that can be asked here, and why: it is left out and counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many questions a split was published with, and how many of them are a yes (None: not published)."""

    total: int
    yes: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A benchmark that is imported by name. `read` makes of its rows those of the usual columns (question, label, image, split,
    id); `needs` are the columns that tell its files, `published` what each split holds as published, `licence` None where its
    authors state none; `reworded` where it asks the same in several wordings, which are then kept as they are."""

    title: str
    source: str
    licence: str | None
    dataset: str
    needs: tuple[str, ...]
    read: Callable[[Iterable[QuestionRow]], Iterator[QuestionRow | Left]]
    columns: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, Count] = field(default_factory=dict)
    reworded: bool = False


def _as_they_are(rows: Iterable[QuestionRow]) -> Iterator[QuestionRow | Left]:
    yield from rows


def _hope(rows: Iterable[QuestionRow]) -> Iterator[QuestionRow | Left]:
    """HOPE's columns are POPE's own, but its prompt is in the text."""
    for row in rows:
        if not str(row.data.get("text")).startswith("Please answer yes or no."):
            raise HopeBenchError(f'{row.where} is no row of HOPE: its text doesn\'t begin with "Please answer yes or no."')
        yield _with(row, split="hope")


_DIMENSIONS = {
    "discriminative-hallucination": "existence",
    "discriminative-attribute-state": "attribute",
    "discriminative-attribute-number": "attribute",
    "discriminative-attribute-action": "attribute",
    "discriminative-relation": "relation",
    "relation": "relation",
}
"""AMBER's types, by the three dimensions that its paper reports."""


def _amber(rows: Iterable[QuestionRow]) -> Iterator[QuestionRow | Left]:
    """AMBER keeps questions (query_discriminative.json) and labels (annotations.json) apart, joined by id; the Hub's copy not."""
    asked: list[QuestionRow] = []
    truths: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if "query" in row.data and "truth" in row.data:
            yield _amber_row(row, row.data)
        elif "query" in row.data:
            asked.append(row)
        elif "truth" in row.data:
            number = str(row.data.get("id"))
            if truths.setdefault(number, row.data).get("truth") != row.data["truth"]:
                raise HopeBenchError(f"{row.where}: id {number} has another truth than before. Which is it?")
    for row in asked:
        number = str(row.data.get("id"))
        if number not in truths:
            raise HopeBenchError(f"{row.where}: no truth for id {number}. Give AMBER's data/annotations.json, too.")
        yield _amber_row(row, truths[number])


def _amber_row(row: QuestionRow, held: Mapping[str, Any]) -> QuestionRow | Left:
    if not isinstance(held["truth"], str):  # the generative task's truths are lists of objects
        return Left("of the generative task")
    named = next((one for one in ("existence", "attribute", "relation") if one in row.file.stem), None)
    dimension = _DIMENSIONS.get(str(held.get("type")), named if held.get("type") is None else None)
    if dimension is None:
        raise HopeBenchError(f"{row.where}: AMBER has no type {held.get('type')!r}.")
    return _with(row, truth=held["truth"], split=dimension)


def _hallusion(rows: Iterable[QuestionRow]) -> Iterator[QuestionRow | Left]:
    for row in rows:
        if str(row.data.get("visual_input")) == "0" or not (row.data.get("filename") or row.data.get("image")):
            yield Left("asked without a picture")
            continue
        category = str(row.data.get("category")).lower()
        if category not in ("vd", "vs"):
            raise HopeBenchError(f"{row.where}: HallusionBench has no category {row.data.get('category')!r}, only VD and VS.")
        name = str(row.data.get("filename") or "").removeprefix("./")
        yield _with(row, filename=name, split=category, question_id=None)


def _oric(rows: Iterable[QuestionRow]) -> Iterator[QuestionRow | Left]:
    """ORIC words each question in four ways, of which the first is POPE's."""
    for row in rows:
        wordings = row.data.get("problem")
        if not isinstance(wordings, list) or not wordings:
            raise HopeBenchError(f"{row.where}: 'problem' is no list of wordings, as ORIC's is.")
        yield _with(row, problem=wordings[0], split="oric")


_QUERIES = ("query_1", "query_2", "query_3", "query_4", "query_5")


def _hallucinogen(rows: Iterable[QuestionRow]) -> Iterator[QuestionRow | Left]:
    """HALLUCINOGEN asks POPE's questions in five ways each; the file says of which split."""
    splits = {"rand": "random", "pop": "popular", "adv": "adversarial"}
    for row in rows:
        task, _, name = row.file.stem.partition("_POPE_")
        if task != "id" or name not in splits:
            raise HopeBenchError(
                f"{row.file}: HALLUCINOGEN's identification task alone is asked with yes or no: id_POPE_rand.json, _pop, _adv."
            )
        if any(not isinstance(row.data.get(query), str) for query in _QUERIES):
            raise HopeBenchError(f"{row.where}: not all of {_QUERIES[0]} to {_QUERIES[-1]}, as HALLUCINOGEN has them.")
        for query in _QUERIES:
            yield _with(row, question=row.data[query], split=splits[name], question_id=None)


def _r_bench(rows: Iterable[QuestionRow]) -> Iterator[QuestionRow | Left]:
    """R-Bench's labels are a language model's words ("Yes.", "No (opposite)"): their first one counts."""
    read: list[QuestionRow] = []
    said: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        if not row.file.stem.startswith("image-level"):  # its instance level is asked of pictures with boxes drawn in
            raise HopeBenchError(f"{row.file} is no file of R-Bench's image level. Give its image-level_filterd.json.")
        first = re.match(r"(yes|no)\b", str(row.data.get("label")).strip(), re.IGNORECASE)
        read.append(_with(row, split="image-level", **({} if first is None else {"label": first[1].lower()})))
        said.setdefault(_asked(row), set()).add(str(read[-1].data.get("label")))
    for row in read:
        yield row if len(said[_asked(row)]) == 1 else Left("whose question has both labels")


def _asked(row: QuestionRow) -> tuple[str, str]:
    return str(row.data.get("image")), str(row.data.get("text")).strip()


def _with(row: QuestionRow, **changes: Any) -> QuestionRow:
    return replace(row, data={**row.data, **changes})


KNOWN: dict[str, Known] = {
    "pope": Known(
        "POPE", "https://huggingface.co/datasets/lmms-lab/POPE", "MIT", "MS-COCO val2014",
        ("question", "answer", "image_source", "category"), _as_they_are,
        {"question": "question", "label": "answer", "file": "image_source", "split": "category", "id": "question_id"},
        dict.fromkeys(("random", "popular", "adversarial"), Count(3000, 1500)),  # POPE's own files: every second is a yes
    ),
    "hope": Known(
        "HOPE", "https://huggingface.co/datasets/MM-Hallu/HOPE", None, "MS-COCO val2014",
        ("question_id", "image", "text", "label"), _hope,
        {"question": "text", "label": "label", "image": "image", "split": "split", "id": "question_id"},
        {"hope": Count(3000)},  # the dataset's card
    ),
    "amber": Known(
        "AMBER, discriminative", "https://github.com/junyangwang0410/AMBER", "Apache-2.0", "AMBER",
        ("id", "image", "query"), _amber,
        {"question": "query", "label": "truth", "image": "image", "split": "split", "id": "id"},
        # Its paper's table; of annotations.json's relations, 975 are there (discriminative-relation) and 689 aren't (relation).
        {"existence": Count(4924, 0), "attribute": Count(7628), "relation": Count(1664, 975)},
    ),
    "hallusionbench": Known(
        "HallusionBench, questions with a picture", "https://github.com/tianyi-lab/HallusionBench", "BSD-3-Clause",
        "HallusionBench",
        ("category", "visual_input", "set_id", "figure_id", "question", "gt_answer"), _hallusion,
        {"question": "question", "label": "gt_answer", "file": "filename", "image": "image", "split": "split"},
        # lmms-lab's viewer: 951 with a picture, 178 without (the paper's 1,129). The accuracies that VLMEvalKit's issue 825 gives
        # in full, 65.31302876480541 of VD, 72.22222222222221 of VS and 67.92849631966351 of both, are 386 of 591 and 260 of 360.
        {"vd": Count(591), "vs": Count(360)},
    ),
    "oric": Known(
        "ORIC-Bench", "https://github.com/ZhaoyangLi-1/ORIC", "MIT", "MS-COCO val2014",
        ("id", "image", "target_object", "problem", "solution"), _oric,
        {
            "question": "problem", "label": "solution", "image": "image", "split": "split", "id": "id",
            "object": "target_object",
        },
        # ids 1 to 2000; its results/results.json (recalls 73.4 and 80.9, 46.25 percent yes) holds for 1,000 of each label only.
        {"oric": Count(2000, 1000)},
    ),
    "hallucinogen": Known(
        "HALLUCINOGEN, identification", "https://github.com/AikyamLab/hallucinogen", None, "MS-COCO val2014",
        ("question_id", "image", "text", "label", *_QUERIES), _hallucinogen,
        {"question": "question", "label": "label", "image": "image", "split": "split"},
        dict.fromkeys(("random", "popular", "adversarial"), Count(15000, 7500)), reworded=True,  # its files: POPE's, five times
    ),
    "r-bench": Known(
        "R-Bench, image level", "https://github.com/mrwu-mac/R-Bench", None, "nocaps (Open Images)",
        ("question_id", "image", "text", "label"), _r_bench,
        {"question": "text", "label": "label", "image": "image", "split": "split", "id": "question_id"},
        # The questions that runs of its eval.py load; 95 share another one's id, and by distinct ids 4,991 of 7,692 are a yes.
        {"image-level": Count(7787)},
    ),
}  # fmt: skip
"""Every benchmark of others that is known by name."""
