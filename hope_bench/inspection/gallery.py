"""The gallery: one static page over all images and questions, that works from the disk and loads nothing from elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.benchmark import Benchmark, standing_of
from hope_bench.images import UnreadableImageError
from hope_bench.inspection.summary import Summary
from hope_bench.inspection.thumbnails import Thumbnail, write_thumbnails
from hope_bench.provenance import check_pages, locked, write_text
from hope_bench.records import Answer, Question
from hope_bench.reviewing.picture import Box
from hope_bench.wording import existence_question

_TEMPLATES = Path(__file__).parent / "templates"
_MARK = '<meta name="generator" content="hope-bench inspect">'
_WORDS = 300
"""Characters of an answer that are shown."""
_UNFINISHED = f"<!doctype html>\n{_MARK}\n<p>This gallery is not finished. Run hope-bench inspect again.\n"


@dataclass(frozen=True, slots=True)
class Beside:
    """What is shown beside the questions: the `boxes` of what is in each image, by file name, and a `model`'s `answers`, by image
    and question; None where no run is shown."""

    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)
    model: str | None = None
    answers: Mapping[tuple[str, str], Answer] = field(default_factory=dict)


NOTHING = Beside()


def check_gallery(out: Path) -> None:
    """Raise HopeBenchError where `out` holds anything but an earlier gallery."""
    check_pages(out, _MARK, "gallery that hope-bench inspect wrote")


def write_gallery(
    benchmark: Benchmark,
    summary: Summary,
    out: Path,
    images: Path | None,
    advance: Callable[[int], None] = lambda _: None,
    beside: Beside = NOTHING,
) -> dict[str, str]:
    """Write index.html, its data, style and script, and the thumbnails to `out`; the same inputs give the same bytes.

    `images` is the folder of the image files, None for a gallery without pictures; enlarged, they are shown from there. `advance`
    is told of each picture done.
    Returns the images that could not be shown, with the reason. Raises HopeBenchError where none could, and where `out` holds
    anything but an earlier gallery.
    """
    check_gallery(out)
    with locked(out):
        check_gallery(out)  # by now another process may have written there
        return _write(benchmark, summary, out, images, advance, beside)


def _write(
    benchmark: Benchmark, summary: Summary, out: Path, images: Path | None, advance: Callable[[int], None], beside: Beside
) -> dict[str, str]:
    if not (out / "index.html").exists():  # an interrupted gallery can be told from others' files
        write_text(out / "index.html", _UNFINISHED)
    names = sorted(benchmark.manifest.images)
    pictures: Sequence[Thumbnail | UnreadableImageError | None] = [None] * len(names)
    if images is not None:
        pictures = write_thumbnails(out, images, names, advance)
    failed = {name: str(found) for name, found in zip(names, pictures, strict=True) if isinstance(found, UnreadableImageError)}
    if names and len(failed) == len(names):
        name, reason = next(iter(failed.items()))
        raise HopeBenchError(
            f"None of the {counted(len(names), 'image')} can be shown, {name} for one: {reason}. Is {images} their folder?"
        )
    data = gallery_data(benchmark, dict(zip(names, pictures, strict=True)), beside)
    data["originals"] = None if images is None else _address(images, out)
    write_text(out / "data.js", f"window.GALLERY = {json.dumps(data, ensure_ascii=False, separators=(',', ':'))};\n")
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("index.html").render(
        manifest=benchmark.manifest, summary=summary, pictures=images is not None, failed=failed,
        noisy=any(split.noise for split in summary.splits), model=beside.model,
    )  # fmt: skip
    write_text(out / "index.html", page)
    for asset in ("gallery.css", "gallery.js"):
        write_text(out / asset, (_TEMPLATES / asset).read_text(encoding="utf-8"))
    return failed


def _address(folder: Path, out: Path) -> str:
    """Where a folder lies as seen from the gallery's page; as a whole address where no way leads there (another drive)."""
    try:
        return quote(Path(os.path.relpath(folder.absolute(), out.absolute())).as_posix()) + "/"
    except ValueError:
        return folder.absolute().as_uri() + "/"


def gallery_data(
    benchmark: Benchmark, pictures: Mapping[str, Thumbnail | UnreadableImageError | None], beside: Beside = NOTHING
) -> dict[str, Any]:
    """What the script draws from. Each image is [file, thumbnail or null, width, height, questions] and its boxes, where they are
    known, [name, left, top, right, bottom] in shares of the picture. Each of its questions stands once, as [1 for yes, claim,
    text or 0, [[split, question_id, distractor_score, risk, found_by or 0, standing], ...], evidence or 0], with a run followed
    by [verdict, P(yes) or null, the model's words or null], 0 where it has no answer.

    `text` is 0 where it is the plain "Is there a ... in the image?" of the claim. Splits are numbered as in `splits`.
    """
    by_image: dict[str, dict[tuple[str, str], list[Any]]] = {name: {} for name in benchmark.manifest.images}
    for number, questions in enumerate(benchmark.splits.values()):
        for question, standing in zip(questions, standing_of(questions), strict=True):
            rows = by_image.setdefault(question.image, {})
            row = rows.setdefault((question.text, question.label), _row(question))
            high = None if standing is None else round(standing, 4)
            row[3].append([number, question.question_id, question.distractor_score, question.risk, question.found_by or 0, high])
            row[4] = row[4] or dict(question.evidence or {}) or 0
            if beside.model is not None:
                row[5:] = [_said(beside.answers.get((question.image, question.text)))]
    images = []
    for name in sorted(by_image):
        found = pictures.get(name)
        shown: list[Any] = [found.file, found.width, found.height] if isinstance(found, Thumbnail) else [None, 0, 0]
        images.append([name, *shown, list(by_image[name].values())])
        if name in beside.boxes:
            images[-1].append([[one.name, *(round(end, 4) for end in one.corners)] for one in beside.boxes[name]])
    splits = [{"name": name, "kind": benchmark.manifest.splits[name].kind} for name in benchmark.splits]
    return {"splits": splits, "images": images}


def _row(question: Question) -> list[Any]:
    claim = question.description or question.object or question.text
    plain = question.object is not None and question.text == existence_question(question.object)
    return [int(question.label == "yes"), claim, 0 if plain else question.text, [], 0]


def _said(answer: Answer | None) -> list[Any] | int:
    return 0 if answer is None else [answer.verdict, answer.p_yes, (answer.text or answer.error or "")[:_WORDS] or None]
