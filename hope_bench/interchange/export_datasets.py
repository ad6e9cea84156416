"""A benchmark as a Hugging Face dataset: Parquet files, a dataset card, and Croissant metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hope_bench.files.benchmark import Benchmark
from hope_bench.interchange.parquet import ParquetFile, question_features, write_parquet
from hope_bench.provenance import write_text
from hope_bench.reviewing.noise import LabelNoise, read_label_noise, write_label_noise

_CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "equivalentProperty": "cr:equivalentProperty", "samplingRate": "cr:samplingRate",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip
"""The JSON-LD context of Croissant 1.0, from its specification."""
_TYPES = {"int64": "sc:Integer", "float64": "sc:Float", "string": "sc:Text"}
_CARD = """
# {title}

{questions:,} yes/no questions about {images:,} images of {dataset}, made by hope-bench to measure how much vision-language models
affirm what isn't there. Every split asks about the same images; in the splits of HOPE the absent objects are searched for, in
those of POPE they are drawn by simple statistics. Models are asked: `{prompt}`

```python
from datasets import load_dataset
load_dataset("THIS DATASET", split="{example}")
```

| split | the benchmark's name | kind | yes | no |
|---|---|---|---:|---:|
{splits}

`label` is yes or no, `object` the category asked about. Of a question about an absent object, `distractor_score` tells how
misleading the split's search found it (`found_by` names the search where the split joins several), and `risk` the estimated
probability that it is in the picture after all (`evidence`, JSON: what that rests on). Columns without a value are null.

{noise}Benchmark hash: `{hash}`. Results of another hash are not comparable. `manifest.json` says how the questions were made.
The images and their licence are those of {dataset}.
"""


def export_datasets(benchmark: Benchmark, out: Path, images: Path | None) -> int:
    """Write data/*.parquet, README.md (the dataset card), croissant.json, the manifest and any published label noise to `out`;
    returns the number of rows.

    `datasets.load_dataset(str(out))` reads the folder as a DatasetDict. Raises HopeBenchError where an image can't be read.
    """
    files = write_parquet(benchmark, out, images)
    write_text(out / "README.md", _card(benchmark, files))
    metadata = json.dumps(croissant(benchmark, files, images is not None), indent=2, ensure_ascii=False)
    write_text(out / "croissant.json", metadata + "\n")
    write_text(out / "manifest.json", (benchmark.folder / "manifest.json").read_text(encoding="utf-8"))
    noise = read_label_noise(benchmark.folder, benchmark.manifest.hash)
    if noise is not None:
        write_label_noise(out, noise)
    return sum(file.rows for file in files)


def _card(benchmark: Benchmark, files: Sequence[ParquetFile]) -> str:
    from huggingface_hub import DatasetCardData

    manifest = benchmark.manifest
    data_files = [{"split": file.hub_split, "path": file.file} for file in files]
    header = DatasetCardData(
        pretty_name=manifest.title,
        language=["en" if manifest.language is None else manifest.language.code],
        task_categories=["visual-question-answering"],
        tags=["object-hallucination", "POPE", "HOPE", "croissant"],
        configs=[{"config_name": "default", "data_files": data_files}],
    )
    splits = "\n".join(
        f"| {file.hub_split} | {file.split} | {info.kind} | {info.yes:,} | {info.no:,} |"
        for file in files
        for info in [manifest.splits[file.split]]
    )
    noise = read_label_noise(benchmark.folder, manifest.hash)
    body = _CARD.format(
        noise="" if noise is None else _noise(noise.estimates),
        title=manifest.title, questions=sum(file.rows for file in files), images=len(manifest.images), dataset=manifest.dataset,
        prompt=manifest.prompt.replace("\n", "\\n"), example=files[0].hub_split, splits=splits, hash=manifest.hash,
    )  # fmt: skip
    return f"---\n{header.to_yaml()}\n---\n{body}"


def _noise(estimates: Sequence[LabelNoise]) -> str:
    rows = ""
    for one in estimates:
        wrong = one.wrong
        if wrong.value is not None and wrong.low is not None and wrong.high is not None:
            interval = f"{100 * wrong.low:.1f} to {100 * wrong.high:.1f}"
            rows += f"| {one.split} | {one.label} | {one.reviewed:,} | {100 * wrong.value:.1f} | {interval} |\n"
    return (
        "People reviewed a random sample of the questions (`label_noise.json`):\n\n| the benchmark's split | label | reviewed | "
        f"% wrong | 95% interval |\n|---|---|---:|---:|---:|\n{rows}\n"
    )


def croissant(benchmark: Benchmark, files: Sequence[ParquetFile], images: bool) -> dict[str, Any]:
    """The dataset's Croissant 1.0 metadata (JSON-LD): every file with its hash, every split as a record set with its columns."""
    manifest = benchmark.manifest
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": manifest.name,
        "description": f"{manifest.title}: yes/no questions about what is and isn't in images of {manifest.dataset}.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": "1.0.0",
        "identifier": manifest.hash,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.file,
                "name": file.file,
                "contentUrl": file.file,
                "encodingFormat": "application/x-parquet",
                "sha256": file.sha256,
            }
            for file in files
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": file.hub_split,
                "name": file.hub_split,
                "description": f"The benchmark's split {file.split!r}.",
                "field": _fields(file, images),
            }
            for file in files
        ],
    }


def _fields(file: ParquetFile, images: bool) -> list[dict[str, Any]]:
    fields = []
    for name, feature in question_features(images).items():
        source: dict[str, Any] = {"fileObject": {"@id": file.file}, "extract": {"column": name}}
        if name == "image":
            source["transform"] = {"jsonPath": "bytes"}
        kind = "sc:ImageObject" if name == "image" else _TYPES[feature.dtype]
        fields.append({"@type": "cr:Field", "@id": f"{file.hub_split}/{name}", "name": name, "dataType": kind, "source": source})
    return fields
