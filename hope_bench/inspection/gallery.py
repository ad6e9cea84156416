"""The gallery: one static page over all images and questions, that works from the disk and loads nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.benchmark import Benchmark
from hope_bench.images import UnreadableImageError
from hope_bench.inspection.summary import Summary
from hope_bench.inspection.thumbnails import Thumbnail, write_thumbnails
from hope_bench.provenance import check_pages, write_text
from hope_bench.records import Question
from hope_bench.wording import existence_question

_TEMPLATES = Path(__file__).parent / "templates"
_MARK = '<meta name="generator" content="hope-bench inspect">'
_UNFINISHED = f"<!doctype html>\n{_MARK}\n<p>This gallery is not finished. Run hope-bench inspect again.\n"


def check_gallery(out: Path) -> None:
    """Raise HopeBenchError where `out` holds anything but an earlier gallery."""
    check_pages(out, _MARK, "gallery that hope-bench inspect wrote")


def write_gallery(
    benchmark: Benchmark, summary: Summary, out: Path, images: Path | None, advance: Callable[[int], None] = lambda _: None
) -> dict[str, str]:
    """Write index.html, its data, style and script, and the thumbnails to `out`; the same inputs give the same bytes.

    `images` is the folder of the image files, None for a gallery without pictures; `advance` is told of each picture done.
    Returns the images that could not be shown, with the reason. Raises HopeBenchError where none could, and where `out` holds
    anything but an earlier gallery.
    """
    check_gallery(out)
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
    data = gallery_data(benchmark, dict(zip(names, pictures, strict=True)))
    write_text(out / "data.js", f"window.GALLERY = {json.dumps(data, ensure_ascii=False, separators=(',', ':'))};\n")
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("index.html").render(
        manifest=benchmark.manifest, summary=summary, pictures=images is not None, failed=failed,
        noisy=any(split.noise for split in summary.splits),
    )  # fmt: skip
    write_text(out / "index.html", page)
    for asset in ("gallery.css", "gallery.js"):
        write_text(out / asset, (_TEMPLATES / asset).read_text(encoding="utf-8"))
    return failed


def gallery_data(benchmark: Benchmark, pictures: Mapping[str, Thumbnail | UnreadableImageError | None]) -> dict[str, Any]:
    """What the script draws from. Each image is [file, thumbnail or null, width, height, questions]; each of its questions once,
    as [1 for yes, claim, text or 0, [[split, question_id, distractor_score, risk], ...], evidence or 0].

    `text` is 0 where it is the plain "Is there a ... in the image?" of the claim. Splits are numbered as in `splits`.
    """
    by_image: dict[str, dict[tuple[str, str], list[Any]]] = {name: {} for name in benchmark.manifest.images}
    for number, questions in enumerate(benchmark.splits.values()):
        for question in questions:
            rows = by_image.setdefault(question.image, {})
            row = rows.setdefault((question.text, question.label), _row(question))
            row[3].append([number, question.question_id, question.distractor_score, question.risk])
            row[4] = row[4] or dict(question.evidence or {}) or 0
    images = []
    for name in sorted(by_image):
        found = pictures.get(name)
        shown: list[Any] = [found.file, found.width, found.height] if isinstance(found, Thumbnail) else [None, 0, 0]
        images.append([name, *shown, list(by_image[name].values())])
    splits = [{"name": name, "kind": benchmark.manifest.splits[name].kind} for name in benchmark.splits]
    return {"splits": splits, "images": images}


def _row(question: Question) -> list[Any]:
    claim = question.description or question.object or question.text
    plain = question.object is not None and question.text == existence_question(question.object)
    return [int(question.label == "yes"), claim, 0 if plain else question.text, [], 0]
