"""The questions as data: for programs, for the wall's own script, for the review page, and as rows of images."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hope_bench.files.validation import Strict
from hope_bench.records import Label
from hope_bench.reporting.rows import KINDS
from hope_bench.site.questions import Claim, Wall, image_link
from hope_bench.site.traits import Finding
from hope_bench.site.validity import WAYS
from hope_bench.site.views import Section

CHUNK = 2**17
"""About how many answers a file of answers holds."""

IMAGES_A_PAGE = 50
SHOWN = 60
"""Questions that the wall shows without JavaScript."""

MARK = "/* hope-bench leaderboard */"
FOLDER = "data/questions"


class PublishedImage(Strict):
    """A picture on the site, or the address where its dataset shows it; neither where nothing may be shown."""

    picture: str | None = None
    link: str | None = None


class PublishedQuestion(Strict):
    """One question about one image. `asked_in` maps each split that asks it to its place there, from 0 (of a result's packed
    letters), the score and the finder of its distractor, as far as there are; `answered` models, `say_yes` of them yes. `size` is
    that of a present object ("small", "medium" or "large"), `reviewed` what people found of the label ("right", "wrong" or
    "unsure"); both are left out where unknown."""

    id: str
    image: str
    question: str
    label: Label
    object: str | None = None
    kind: str
    risk: float | None = None
    size: str | None = None
    reviewed: Finding | None = None
    asked_in: dict[str, list[int | float | str | None]]
    say_yes: int
    answered: int


class PublishedQuestions(Strict):
    """data/questions/NAME-HASH.json: all that a benchmark asks, and how many of the ranked `results` say yes."""

    schema_version: Literal[1] = 1
    benchmark: str
    hash: str
    prompt: str
    results: list[str]
    images: dict[str, PublishedImage]
    questions: list[PublishedQuestion]


def wall_files(section: Section, wall: Wall, pictures: Mapping[str, str]) -> dict[str, bytes]:
    """The data of a benchmark's wall by path under the site's root: JSON and the list that `hope-bench review` takes; and for the
    page, which can't fetch anything from a disk, scripts that call hopeBenchQuestions(part, data)."""
    name = f"{FOLDER}/{section.key}"
    files = {
        f"{name}.json": _json(_for_programs(section, wall, pictures)),
        f"{name}-review.jsonl": "".join(f"{_dumps(line)}\n" for line in _for_review(wall)).encode(),
        f"{name}.js": _script("questions", _columns(section, wall, pictures)),
    }
    for part, answers in enumerate(_chunks(wall)):
        files[f"{name}-{part}.js"] = _script(part, base64.b64encode(answers.tobytes()).decode())
    return files


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _json(value: Any) -> bytes:
    return (_dumps(value) + "\n").encode()


def _script(part: str | int, value: Any) -> bytes:
    return f"{MARK}hopeBenchQuestions({_dumps(part)},{_dumps(value)});\n".encode()


def chunk_size(wall: Wall) -> int:
    """Claims a file of answers holds."""
    return max(64, CHUNK // max(len(wall.models), 1))


def _chunks(wall: Wall) -> Iterator[Any]:
    size = chunk_size(wall)
    for start in range(0, len(wall.claims), size):
        yield np.ascontiguousarray(wall.codes[start : start + size])


def unanimous(wall: Wall) -> list[int]:
    """What isn't there, though every model that was asked says it is, the riskiest first: these labels may be wrong."""
    found = [
        index
        for index, one in enumerate(wall.claims)
        if one.label == "no" and wall.yes[index] and wall.yes[index] == wall.answered[index]
    ]
    risks = [wall.claims[index].risk for index in found]
    order = sorted(range(len(found)), key=lambda at: 1.0 if (risk := risks[at]) is None else -risk)
    return [found[at] for at in order]


def _for_review(wall: Wall) -> Iterator[dict[str, Any]]:
    for index in unanimous(wall):
        one = wall.claims[index]
        yield {"id": one.id, "image": one.image, "question": one.text}


def _for_programs(section: Section, wall: Wall, pictures: Mapping[str, str]) -> dict[str, Any]:
    """All claims; `asked_in` maps a split to the place of the question in it (of a result's packed letters, where the models'
    answers stand), and the score and finder of its distractor, if any."""
    about = section.about.benchmark
    images = dict.fromkeys(one.image for one in wall.claims)
    return {
        "schema_version": 1,
        "benchmark": about.name,
        "hash": about.hash,
        "prompt": about.prompt,
        "results": [row.entry.page.removesuffix(".html") + ".json" for row in wall.models],
        "images": {image: _known(picture=pictures.get(image), link=image_link(image)) for image in images},
        "questions": [
            _known(
                id=one.id, image=one.image, question=one.text, label=one.label, object=one.object, kind=one.kind, risk=one.risk,
                size=one.size, reviewed=one.reviewed,
                asked_in={ask.split: _trimmed(ask.place, ask.score, ask.found_by) for ask in one.asked_in},
                say_yes=int(wall.yes[index]), answered=int(wall.answered[index]),
            )
            for index, one in enumerate(wall.claims)
        ],
    }  # fmt: skip


def _known(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _trimmed(*values: Any) -> list[Any]:
    """The values without those at the end that are None."""
    known = max((place for place, value in enumerate(values, 1) if value is not None), default=0)
    return list(values[:known])


class _Table:
    """Values that many rows share, each kept once."""

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        return self.places.setdefault(value, len(self.places))


def _columns(section: Section, wall: Wall, pictures: Mapping[str, str]) -> dict[str, Any]:
    """All claims in columns, as questions.js reads them; addresses lead from a folder of the site."""
    about = section.about.benchmark
    splits = {name: place for place, name in enumerate(section.about.splits)}
    looked = any(ask.blind for one in wall.claims for ask in one.asked_in)
    images, texts, objects, kinds, finders = (_Table() for _ in range(5))
    columns: dict[str, list[Any]] = {key: [] for key in ("image", "text", "object", "kind", "risk", "number", "asked")}
    for one in wall.claims:
        columns["image"].append(images.place(one.image))
        columns["text"].append(texts.place(one.text))
        columns["object"].append(objects.place(one.object))
        columns["kind"].append(kinds.place(one.kind))
        columns["risk"].append(one.risk)
        columns["number"].append(int(one.id.rpartition(".")[2]))
        columns["asked"].append(
            [
                _trimmed(splits[ask.split], ask.score, None if ask.found_by is None else finders.place(ask.found_by))
                for ask in one.asked_in
            ]
        )
    return {
        "benchmark": {"name": about.name, "title": about.title, "hash": about.hash, "key": section.key},
        "models": [{"name": row.called, "page": "../" + row.entry.page} for row in wall.models],
        "splits": [
            {"name": name, "kind": split.kind, "label": KINDS[split.kind]} for name, split in section.about.splits.items()
        ],
        "images": [[name, "../" + pictures[name] if name in pictures else None, image_link(name)] for name in images.places],
        "texts": list(texts.places),
        "objects": list(objects.places),
        "kinds": list(kinds.places),
        "size": _letters(one.size for one in wall.claims),
        "reviewed": _letters(one.reviewed for one in wall.claims),
        "ways": list(WAYS.items()) if looked else [],
        "blind": ["".join(_mask(ask.blind) for ask in one.asked_in) for one in wall.claims] if looked else [],
        "finders": list(finders.places),
        "chunk": chunk_size(wall),
        "absent": "".join("1" if one.label == "no" else "0" for one in wall.claims),
        "yes": wall.yes.tolist(),
        "answered": wall.answered.tolist(),
        **columns,
    }


def _mask(blind: Sequence[str]) -> str:
    """A digit with a bit for each of the WAYS."""
    return str(sum(1 << place for place, way in enumerate(WAYS) if way in blind))


def _letters(words: Iterable[str | None]) -> str:
    """The first letter of each, "-" for None; empty where nothing is known."""
    found = "".join("-" if word is None else word[0] for word in words)
    return found if found.strip("-") else ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A claim as a page without JavaScript shows it: its place among all, and how many of the `answered` models said yes."""

    claim: Claim
    yes: int
    answered: int


@dataclass(frozen=True, slots=True)
class ImageRow:
    """All that is asked about an image: the objects that are there, and by split (its name, its kind) what else."""

    image: str
    present: tuple[Shown, ...]
    splits: tuple[tuple[str, str, tuple[Shown, ...]], ...]


def shown(wall: Wall, most: int = SHOWN) -> list[Shown]:
    """The most fooling claims."""
    return [_shown(wall, index) for index in range(min(most, len(wall.claims)))]


def _shown(wall: Wall, index: int) -> Shown:
    return Shown(wall.claims[index], int(wall.yes[index]), int(wall.answered[index]))


def image_rows(section: Section, wall: Wall, most: int | None = None) -> list[ImageRow]:
    """A row an image, by name; with `most`, that many of the images of the most fooling questions."""
    order = list(KINDS)
    splits = sorted(section.about.splits.items(), key=lambda item: order.index(item[1].kind))
    present: dict[str, list[tuple[int, Shown]]] = {}
    others: dict[tuple[str, str], list[tuple[int, Shown]]] = {}
    for index, one in enumerate(wall.claims):
        row = _shown(wall, index)
        if one.label == "yes" and one.kind == "object":
            present.setdefault(one.image, []).append((one.asked_in[0].place, row))
        else:
            for ask in one.asked_in:
                others.setdefault((one.image, ask.split), []).append((ask.place, row))
    rows = []
    images = dict.fromkeys(one.image for one in wall.claims)
    for image in sorted(images) if most is None else list(images)[:most]:
        asked = [(name, split.kind, _in_order(others[image, name])) for name, split in splits if (image, name) in others]
        rows.append(ImageRow(image, _in_order(present.get(image, [])), tuple(asked)))
    return rows


def _in_order(rows: Sequence[tuple[int, Shown]]) -> tuple[Shown, ...]:
    return tuple(row for _, row in sorted(rows, key=lambda one: one[0]))


def spoken(claim: Claim) -> str:
    """What a claim is about, in few words: its object, or the question's own words."""
    if claim.kind == "object" and claim.object:
        return claim.object
    words = claim.text.removesuffix("?").removesuffix(" in the image")
    for begin in ("Is there an ", "Is there a ", "Is there ", "Are there "):
        if words.startswith(begin):
            return words.removeprefix(begin)
    return words
