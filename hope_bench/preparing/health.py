"""The health of somebody's data: what is wrong with images, boxes, categories and ids, and how much there is to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hope_bench.annotations import detect_format
from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.spec import BenchmarkSpec, base_strategy
from hope_bench.languages.worder import make_worder
from hope_bench.preparing.find import Found
from hope_bench.preparing.finding import SHOWN, Finding, Level
from hope_bench.preparing.pictures import PictureLook, look_at_pictures
from hope_bench.preparing.propose import Eligible
from hope_bench.preparing.raw_coco import look_at_file
from hope_bench.preparing.speed import Speed
from hope_bench.records import Annotations
from hope_bench.search.inputs import read_brought
from hope_bench.search.known_words import same_things, with_words


@dataclass(frozen=True, slots=True)
class Work:
    """What CLIP will embed: whole `images` and `tiles` of them, object `crops`, `texts`; `seconds` at the speed that was measured
    on this machine, None where none was. Descriptions' texts come on top."""

    images: int
    tiles: int
    crops: int
    texts: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """A health report. `facts` are counts of what there is, `eligible` the images that can be asked about, by k, without those
    that were found missing or unreadable; `findings` what was found, the worst first; `work` what CLIP will do, None where it
    does nothing."""

    facts: Mapping[str, int]
    eligible: Mapping[int, int]
    findings: tuple[Finding, ...]
    work: Work | None = None
    paths: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What makes wrong or no questions."""
        return tuple(one for one in self.findings if one.level == "wrong")

    def as_json(self) -> dict[str, Any]:
        """The report for programs: numbers, text, lists and nulls only."""
        work = None if self.work is None else {name: getattr(self.work, name) for name in Work.__slots__}
        rows = [{name: getattr(one, name) for name in Finding.__slots__} for one in self.findings]
        findings = [{**row, "examples": list(row["examples"])} for row in rows]
        return {
            "paths": dict(self.paths), "facts": dict(self.facts),
            "eligible": {str(k): count for k, count in self.eligible.items()}, "findings": findings, "work": work,
        }  # fmt: skip


def check(found: Found, spec: BenchmarkSpec, speed: Speed | None = None) -> Health:
    """Look at everything that `found` holds, as `spec` would use it; times by a measured `speed`."""
    look = None if found.images is None else look_at_pictures(found.read, found.images)
    findings = [
        *_of_sample(spec, Eligible.of(found).by_k),  # a sample is drawn before its pictures are looked at
        *(_without_images(found, spec) if look is None else _of_images(look)),
        *(_as_read(finding, spec) for file in found.annotations for finding in look_at_file(file)),
        *_of_categories(found.read, spec),
        *(_note(problem) for problem in found.read.problems),
        *_of_brought(found, spec),
    ]
    order = {"wrong": 0, "doubtful": 1, "note": 2}
    return Health(
        _facts(found),
        Eligible.of(found, () if look is None else look.lost).by_k,
        tuple(sorted(findings, key=lambda one: order[one.level])),
        _work(found, spec, speed),
        {"annotations": _text(found.annotations), "images": _text((found.images,)), "captions": _text(found.captions)},
    )


def unreadable(path: Path, error: HopeBenchError) -> Health:
    """The report on annotations that can't be read: the reader's own words, and what their file shows all the same."""
    first = Finding("annotations_unreadable", "wrong", 1, str(error).rstrip("."))
    return Health({}, {}, (first, *look_at_file(path)), None, {"annotations": str(path), "images": None, "captions": None})


def _as_read(finding: Finding, spec: BenchmarkSpec) -> Finding:
    """Boxes of another layout than COCO's are right all the same where the reader told it from them."""
    if finding.key not in ("boxes_as_fractions", "boxes_as_corners") or finding.level != "wrong":
        return finding
    what = "They are read so: see some in the gallery." if spec.dataset.boxes is None else "dataset.boxes says what they are."
    return replace(finding, level="doubtful", advice=what)


def _facts(found: Found) -> dict[str, int]:
    read = found.read
    shown = [bool(read.present(image)) for image in range(len(read.images))]
    return {
        "images": len(shown), "images_with_objects": sum(shown), "objects": len(read.category_of),
        "boxes": 0 if read.boxes is None else int((~np.isnan(read.boxes[:, 0])).sum()), "categories": len(read.categories),
        "captions": sum(map(len, read.captions.values())),
    }  # fmt: skip


def _of_sample(spec: BenchmarkSpec, eligible: Mapping[int, int]) -> Iterable[Finding]:
    wanted, able = spec.sample_images, eligible.get(spec.k)
    if isinstance(wanted, int) and able is not None and able < wanted:
        what = f"{wanted:,} images are wanted, and {able:,} can be asked about with k = {spec.k}"
        advice = f"Pass --sample-images {able} (or all), or lower k (--k)." if able else "Is it the right file?"
        yield Finding("images_too_few", "wrong", wanted - able, what, advice)


def _without_images(found: Found, spec: BenchmarkSpec) -> Iterable[Finding]:
    held = detect_format(found.annotations[0]) == "hf-dataset"
    instead = f"Write them out with hope-bench import images {found.annotations[0]}, or name" if held else "Name"
    yield Finding(
        "images_missing", "wrong" if spec.needs_clip else "doubtful", len(found.read.images), "no folder holds the images",
        f"Without them only POPE's splits and category-cooccurrence can be made. {instead} their folder with --images.",
    )  # fmt: skip


def _of_images(look: PictureLook) -> Iterable[Finding]:
    where = f"of {look.looked_at:,} looked at" if look.looked_at < look.there else "of those there"
    rows: tuple[tuple[str, Level, Sequence[str], tuple[str, str], str], ...] = (
        ("images_missing", "wrong", look.missing, ("image is not in the folder", "images are not in the folder"),
         "They get no questions."),
        ("images_unreadable", "wrong", look.unreadable, (f"image can't be read, {where}", f"images can't be read, {where}"),
         "They get no questions."),
        ("images_turned", "doubtful", look.turned,
         (f"picture is turned by its EXIF orientation, {where}", f"pictures are turned by their EXIF orientation, {where}"),
         "People and models see them turned: see that the boxes are those of the turned picture."),
        ("images_of_another_size", "doubtful", look.other_size,
         (f"picture is of another size than annotated, {where}", f"pictures are of another size than annotated, {where}"),
         "Boxes are of use only where the shape is the same."),
        ("images_unlisted", "note", look.unlisted,
         ("picture of the folder is not in the annotations", "pictures of the folder are not in the annotations"),
         "Nothing is asked about them."),
    )  # fmt: skip
    for key, level, files, what, advice in rows:
        if files:
            yield Finding(key, level, len(files), counted(len(files), *what), advice, tuple(files[:SHOWN]))


def _of_categories(read: Annotations, spec: BenchmarkSpec) -> Iterable[Finding]:
    names = [category.name for category in read.categories]
    used = np.zeros(len(names), dtype=np.bool_)
    used[read.category_of] = True
    used[[column for columns in read.also_present.values() for column in columns]] = True
    never = [name for name, there in zip(names, used.tolist(), strict=True) if not there]
    above = {category.supercategory for category in read.categories if category.supercategory != category.name}
    roots = [name for name in names if name in above]
    if roots:
        yield Finding(
            "categories_root", "doubtful", len(roots), f"{_are(len(roots))} the supercategory of others",
            'Where one of those is annotated they are present, too: "is there an animal?" beside a dog.', tuple(roots[:SHOWN]),
        )  # fmt: skip
    if never:
        yield Finding(
            "categories_never_annotated", "doubtful", len(never), f"{_are(len(never))} never annotated",
            "Nobody may have looked for them: guarded splits never ask about them.", tuple(never[:SHOWN]),
        )  # fmt: skip
    yield from _of_names(names)
    pairs = [f"{names[one]} and {names[other]}" for one, other in same_things(with_words(read, spec).categories)]
    if pairs:
        count = "1 pair" if len(pairs) == 1 else f"{len(pairs):,} pairs"
        yield Finding(
            "categories_same_thing", "doubtful", len(pairs), f"{count} of categories may be one thing",
            "Guarded splits never ask for one where the other is; POPE's own do. Merge them if they are the same.",
            tuple(pairs[:SHOWN]),
        )  # fmt: skip


_NO_NAME = re.compile(r"\W*\d*\W*|(?:class|category|label|object|obj|cls)?[\W_]*\d+", re.IGNORECASE)
_LACKS = re.compile(r"(?:no|not|non|without|w/o)[\W_]+.+|.*[\W_](?:off|missing|absent)", re.IGNORECASE)
_REST = re.compile(
    r"background|bg|none|null|unlabell?ed|unknown|void|ignored?|others?|misc(?:ellaneous)?|don'?t ?care", re.IGNORECASE
)


def _of_names(names: Sequence[str]) -> Iterable[Finding]:
    """Names that make no question people could answer."""
    rows = (
        ("categories_without_name", _NO_NAME, "a number for a name", "Name what they are: a question says the name."),
        ("categories_that_negate", _LACKS, "a name that says what isn't there",
         'Is there a "no helmet"? Leave them out, or name the thing itself (a bare head).'),
        ("categories_of_the_rest", _REST, "a name for whatever is left", "Leave them out: nothing can be asked about them."),
    )  # fmt: skip
    for key, form, what, advice in rows:
        found = [name for name in names if form.fullmatch(name.strip())]
        if found:
            count = counted(len(found), "category has", "categories have")
            yield Finding(key, "doubtful", len(found), f"{count} {what}", advice, tuple(found[:SHOWN]))


def _are(count: int) -> str:
    return "1 category is" if count == 1 else f"{count:,} categories are"


def _of_brought(found: Found, spec: BenchmarkSpec) -> Iterable[Finding]:
    """What is wrong with people's descriptions, decisions and evidence."""
    if spec.descriptions.file is spec.guards.review is spec.guards.evidence is None:
        return ()
    try:
        worder = make_worder(found.read.categories, spec.language, spec.wording, spec.nouns)
        return map(_note, read_brought(spec, found.read, worder).problems)
    except HopeBenchError as error:
        return (Finding("brought_unreadable", "wrong", 1, str(error).rstrip(".")),)


def _note(problem: str) -> Finding:
    return Finding("reader", "note", 1, problem.rstrip("."))


def _work(found: Found, spec: BenchmarkSpec, speed: Speed | None) -> Work | None:
    if not spec.needs_clip or spec.clip is None or found.images is None:
        return None
    images = spec.sample_images if isinstance(spec.sample_images, int) else Eligible.of(found).by_k.get(spec.k, 0)
    crops, pictures = _crops(found.read, spec)
    tiles = 9 * images if spec.guards.calibrated is not None else 0
    texts = len(found.read.categories) * len(spec.clip.templates)
    seconds = None if speed is None else round(speed.seconds(images + pictures, tiles + crops - pictures, texts), 1)
    return Work(images, tiles, crops, texts, seconds)


def _crops(read: Annotations, spec: BenchmarkSpec) -> tuple[int, int]:
    """How many object crops prototypes are made of, and of how many pictures at most."""
    prototypes = any(base_strategy(one) in ("category-similarity", "category", "hope") for one in spec.strategies)
    if not prototypes or read.boxes is None or spec.category.prototype != "crops":
        return 0, 0
    usable = ~read.crowd & (read.boxes[:, 2] > 0) & (read.boxes[:, 3] > 0)
    crops = int(np.minimum(np.bincount(read.category_of[usable]), spec.category.crops).sum())
    return crops, min(crops, int((np.diff(read.starts) > 0).sum()))


def _text(paths: Sequence[Path | None]) -> str | None:
    return ", ".join(str(path) for path in paths if path is not None) or None


def in_words(health: Health) -> Sequence[str]:
    """What there is and what there is to do, in sentences; findings speak for themselves."""
    said = []
    facts, work = health.facts, health.work
    if facts:
        captions = f", {counted(facts['captions'], 'caption')}" if facts["captions"] else ""
        said.append(
            f"{counted(facts['images'], 'image')} ({facts['images_with_objects']:,} with objects), "
            f"{counted(facts['objects'], 'object')} ({facts['boxes']:,} with boxes) of "
            f"{counted(facts['categories'], 'category', 'categories')}{captions}."
        )
        by_k = ", ".join(f"{count:,} with k = {k}" for k, count in health.eligible.items())
        said.append(f"Images that can be asked about: {by_k}.")
    if work is not None:
        tiles = f", {work.tiles:,} tiles" if work.tiles else ""
        time = "" if work.seconds is None else f": about {_duration(work.seconds)} at this machine's measured speed"
        said.append(f"CLIP will embed {work.images:,} images{tiles}, {work.crops:,} object crops and {work.texts:,} texts{time}.")
    return said


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
