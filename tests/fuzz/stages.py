"""What goes on with what was read: pictures decoded, data checked, logs matched and imported, runs scored, results added."""

from __future__ import annotations

import functools
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

import hope_bench as hb
from hope_bench.api.scoring import score_and_write
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark
from hope_bench.images import UnreadableImageError, decode_rgb, hash_images, open_rgb, picture_shape, shown_by_all
from hope_bench.inference.answers import read_answers_of
from hope_bench.inspection.thumbnails import shrink
from hope_bench.interchange.question_rows import ending_of
from tests.datasets import objects365_file
from tests.fuzz.files import (
    ASKED,
    COCO,
    LABELME,
    PREDICTION,
    Maker,
    annotations,
    benchmark,
    file,
    folder_of,
    kept,
    lines,
    run,
    written,
)


def encoded(format: str, **more: object) -> bytes:
    buffer = io.BytesIO()
    picture = Image.new("RGB", (24, 16), (250, 10, 20))
    picture.putpixel((3, 3), (0, 255, 0))
    if format == "GIF":
        picture = picture.convert("P")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(buffer, format, **({"exif": exif} if format in ("JPEG", "PNG", "WEBP") else {}), **more)
    return buffer.getvalue()


def shown(path: Path) -> int:
    """Every way in which a picture is read; that it can't be is said in the same way."""
    data = path.read_bytes()
    shown_by_all(data)
    ending_of(data)
    hash_images([path])
    try:
        shape = picture_shape(path)
        picture = open_rgb(path)
        assert picture.mode == "RGB"
        assert shape.upright == picture.size
        decode_rgb(data, at_least=4)
        shrink(data)
    except UnreadableImageError as error:
        raise HopeBenchError(str(error)) from None
    return 1


FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO", "JPEG2000", "AVIF")
PICTURES: dict[str, Maker] = {
    f"picture: {name}": file("a.png", encoded(name), shown) for name in FORMATS if name in Image.SAVE or name in (Image.init(),
    Image.SAVE)[1]
}  # fmt: skip


def checked(folder: Path) -> int:
    """`check-data`: what can't be read is a finding there."""
    return len(str(hb.check_data(folder / "data")))


def data(folder: Path) -> Path:
    written(folder / "data" / "instances.json", COCO)
    written(
        folder / "data" / "captions.json",
        {"images": COCO["images"], "annotations": [{"image_id": 1, "id": 1, "caption": "a dog"}]},
    )
    written(folder / "data" / "images" / "a.jpg", encoded("PNG"))
    return folder


def logs(tool: str, name: str, content: object) -> Maker:
    """`import-logs`, against the benchmark that the log is of."""

    def make(folder: Path) -> tuple[Path, Callable[[], int]]:
        made = benchmark(folder)
        path = written(folder / name, content)
        return path, lambda: len(hb.import_logs([path], made, tool, runs=folder / "runs"))

    return make


def two(row: dict[str, object], **changes: object) -> list[dict[str, object]]:
    return [row, row | changes]


SAMPLES = lines(*({"doc_id": number, "target": target, "filtered_resps": [target], "resps": [[target]], "input": ASKED,
                   "doc": {"question": ASKED, "image_source": image, "category": "random", "question_id": number}}
                  for number, image, target in ((0, "a", "yes"), (1, "b", "no"))))  # fmt: skip
INSPECTED = {"version": 2, "status": "success", "eval": {"task": "pope", "model": "hf/m",
"created": "2025-01-01T00:00:00+00:00"}, "samples": [
    {"id": number, "epoch": 1, "target": target, "input": [{"role": "user", "content": [{"type": "text", "text": ASKED},
    {"type": "image", "image": image}]}],
     "metadata": {"category": "random"}, "output": {"choices": [{"message": {"role": "assistant", "content": target}}]},
     "scores": {"match": {"value": "C"}}}
    for number, image, target in ((1, "a.jpg", "yes"), (2, "b.jpg", "no"))
], "results": {"scores": [{"name": "match", "metrics": {"accuracy": {"value": 1.0}}}]}}  # fmt: skip
TABLE = "index\timage_path\tquestion\tanswer\tcategory\tprediction\n"
TABLE += f"0\ta.jpg\t{ASKED}\tYes\trandom\tyes\n1\tb.jpg\t{ASKED}\tNo\trandom\tno\n"


def scored(folder: Path) -> int:
    return len(hb.score(folder / "run", benchmark=folder / "benchmark").splits)


@functools.cache
def result_bytes() -> bytes:
    """A result as it is published, small."""
    folder = Path(tempfile.mkdtemp())
    try:
        made = score_and_write(run(folder), benchmark=read_benchmark(folder / "benchmark"), results=folder / "results")
        return Path(made.path).read_bytes()
    finally:
        shutil.rmtree(folder)


def added(path: Path) -> int:
    """`leaderboard add`, to a folder that has none."""
    results = path.parent / "results"
    hb.add_result(path, results)
    return hb.check_results(results)


def results(folder: Path) -> Path:
    name = json.loads(result_bytes())["benchmark"]["name"]
    return written(folder / "results" / name / "r.json", result_bytes()).parent


def resulting() -> dict[str, Maker]:
    return {
        "result to add": lambda folder: (path := written(folder / "r.json", result_bytes()), lambda: added(path)),
        "results to build": lambda folder: (
            results(folder) / "r.json", lambda: 1 if hb.build_leaderboard(folder / "results", folder / "site") else 0,
        ),
    }  # fmt: skip


def reviews(folder: Path) -> Path:
    for name in "ab":
        rows = [
            {"image": f"{one}.jpg", "object": "dog", "decision": "absent", "reviewer": name, "at": "2025-01-01T00:00:00Z"}
            for one in "abc"
        ]
        written(folder / f"{name}.jsonl", lines(*rows))
    return folder


def reviewed(folder: Path) -> int:
    return len(str(hb.merge_reviews([folder / "a.jsonl", folder / "b.jsonl"])))


STAGES: dict[str, Maker] = {
    "objects365": kept(lambda folder: objects365_file(folder).parent, "zhiyuan_objv2_val.json",
    lambda folder: annotations(folder / "zhiyuan_objv2_val.json")()),
    "data to check": kept(data, "data/instances.json", checked),
    "captions to check": kept(data, "data/captions.json", checked),
    "labelme to check": kept(lambda folder: written(folder / "data" / "a.json", LABELME).parent.parent, "data/a.json", checked),
    "imagefolder of csv": folder_of("metadata.csv", b"file_name,objects,split\na.jpg,dog,x\nb.jpg,cat,y\n",
    lambda path: annotations(path)()),
    "log: lmms-eval": logs("lmms-eval", "1_samples_pope.jsonl", SAMPLES),
    "log: evalscope": logs("evalscope", "pope_random.jsonl", lines(*two(PREDICTION, index=1))),
    "log: inspect": logs("inspect", "l.json", INSPECTED),
    "log: vlmevalkit": logs("vlmevalkit", "m_POPE.tsv", TABLE.encode()),
    "answers beside": kept(run, "answers.jsonl", lambda folder: len(read_answers_of(folder / "answers.jsonl").answers)),
    "run to score": kept(run, "run.json", lambda folder: scored(folder.parent)),
    "answers to score": kept(run, "answers.jsonl", lambda folder: scored(folder.parent)),
    "reviews to merge": kept(reviews, "a.jsonl", reviewed),
    **resulting(),
}  # fmt: skip
