"""A benchmark as VLMEvalKit's TSV: each (image, question) one row, as its POPE.tsv has it."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterator
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, split_bytes
from hope_bench.interchange.images import shown_bytes
from hope_bench.provenance import atomic_path, write_text
from hope_bench.records import Question

_README = """# {dataset} for VLMEvalKit

Put {dataset}.tsv into the folder that `LMUData` names (default: ~/LMUData), and tell VLMEvalKit that it is a yes/no dataset,
scored like POPE, at the end of vlmeval/dataset/image_yorn.py:

```python
ImageYORNDataset.DATASET_URL["{dataset}"] = "{dataset}.tsv"
ImageYORNDataset.DATASET_MD5["{dataset}"] = None
```

Then: `python run.py --data {dataset} --model MODEL`. A question that several splits ask is one row, whose `category` names them
all; VLMEvalKit's POPE scores count it in each. `details` holds the benchmark's own lines (JSON).{pictures}
"""
_INSIDE = """ The images are in the file;
VLMEvalKit writes each out once, as the PNG that `image_path` names. Of a file above 1 GB it doesn't find them again: export
the splits apart (--split), or without --images."""
_OUTSIDE = """ The images are not in the file: `image_path` names
them, relative to the folder that VLMEvalKit is run from."""
_COLUMNS = ("index", "image", "image_path", "question", "answer", "category", "details")


def dataset_name(benchmark: Benchmark) -> str:
    """The dataset's name in VLMEvalKit, which scores as POPE what has "POPE" in its name."""
    return f"POPE_{benchmark.manifest.name}"


def export_vlmevalkit(benchmark: Benchmark, out: Path, images: Path | None) -> int:
    """Write POPE_NAME.tsv and a README.md to `out`; returns the number of rows.

    With the folder of the images, each is in the file once (base64), and further rows name the row that holds it; without, they
    are named by `image_path`. Raises HopeBenchError where an image can't be read, or two splits contradict each other.
    """
    rows = _merged(benchmark)
    name = dataset_name(benchmark)
    with atomic_path(out / f"{name}.tsv") as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow([column for column in _COLUMNS if images is not None or column != "image"])
        pictures = _pictures(rows, images)
        for number, ((_, text), asked) in enumerate(rows.items(), 1):
            first = next(iter(asked.values()))
            details = json.dumps(
                {split: json.loads(split_bytes([question])) for split, question in asked.items()}, ensure_ascii=False
            )
            answer = first.label.capitalize()
            writer.writerow([number, *next(pictures), benchmark.prompt.fill(text), answer, ",".join(asked), details])
    write_text(out / "README.md", _README.format(dataset=name, pictures=_OUTSIDE if images is None else _INSIDE))
    return len(rows)


def _merged(benchmark: Benchmark) -> dict[tuple[str, str], dict[str, Question]]:
    """Each (image, question) with the splits that ask it."""
    rows: dict[tuple[str, str], dict[str, Question]] = {}
    for split, questions in benchmark.splits.items():
        for question in questions:
            asked = rows.setdefault((question.image, question.text), {})
            if any(other.label != question.label for other in asked.values()):
                others = ", ".join(asked)
                raise HopeBenchError(
                    f"{question.image}: {question.text!r} is labelled {question.label} in split {split}, but not in {others}. "
                    "VLMEvalKit's file has one row for both. Export the splits apart, with --split."
                )
            asked[split] = question
    return rows


def _pictures(rows: dict[tuple[str, str], dict[str, Question]], images: Path | None) -> Iterator[tuple[str, ...]]:
    """What stands for the image in each row: its path, or its contents (or the number of the row with them) and the name under
    which VLMEvalKit keeps them: unnamed, a JPEG is made of them once for each question, which is never made anew."""
    holder: dict[str, int] = {}
    for number, (image, _) in enumerate(rows, 1):
        if images is None:
            yield (image,)
        elif image in holder:
            yield str(holder[image]), f"{image}.png"
        else:
            holder[image] = number
            yield base64.b64encode(shown_bytes(images, image)).decode("ascii"), f"{image}.png"
