"""A benchmark as a Hugging Face dataset: Parquet files, a dataset card, and Croissant metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hope_bench.files.benchmark import Benchmark, Manifest
from hope_bench.interchange.parquet import ParquetFile, question_features, write_parquet
from hope_bench.provenance import short_hash, write_text
from hope_bench.reviewing.noise import LabelNoise, read_label_noise, write_label_noise
from hope_bench.tables import markdown_code, markdown_text

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
_CITE = "POPE: Li et al. 2023, arXiv 2305.10355. HOPE: Xie et al. 2025, arXiv 2508.06530."
_TYPES = {"int64": "sc:Integer", "float64": "sc:Float", "string": "sc:Text"}
_CARD = """
# {title}

{questions:,} yes/no questions about {images:,} images of {dataset}, made by hope-bench to measure how much vision-language models
affirm what isn't there. Every split asks about the same images; in the splits of HOPE the absent objects are searched for, in
those of POPE they are drawn by simple statistics. Models are asked: {prompt}

```python
from datasets import load_dataset
load_dataset("{repo}", split="{example}")
```
{use}
| split | the benchmark's name | kind | yes | no |
|---|---|---|---:|---:|
{splits}

`label` is yes or no, `object` the category asked about. Of a question about an absent object, `distractor_score` tells how
misleading the split's search found it (`found_by` names the search where the split joins several), and `risk` the estimated
probability that it is in the picture after all (`evidence`, JSON: what that rests on). Columns without a value are null.

{noise}Benchmark hash: `{hash}`. Results of another hash are not comparable.
{made}`manifest.json` says the rest.

{rights}
"""
_USE = """
```
hope-bench evaluate --model MODEL --benchmark hf:{repo}
```
"""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))


@dataclass(frozen=True, slots=True)
class About:
    """What a card says that a benchmark doesn't know: its `repo` on the Hub (ORG/NAME), the `licence` of its questions by the
    Hub's name for it ("cc-by-4.0"), and in which `languages` it asks (none: in the benchmark's own)."""

    repo: str | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ()


UNSAID = About()


def export_datasets(benchmark: Benchmark, out: Path, images: Path | None, about: About = UNSAID) -> int:
    """Write data/*.parquet, README.md (the dataset card), croissant.json, the manifest and any published label noise to `out`;
    returns the number of rows.

    `datasets.load_dataset(str(out))` reads the folder as a DatasetDict. Raises HopeBenchError where an image can't be read.
    """
    files = write_parquet(benchmark, out, images)
    write_text(out / "README.md", _card(benchmark, files, about, images is not None))
    metadata = json.dumps(croissant(benchmark, files, images is not None, about), indent=2, ensure_ascii=False)
    write_text(out / "croissant.json", metadata + "\n")
    write_text(out / "manifest.json", (benchmark.folder / "manifest.json").read_text(encoding="utf-8"))
    noise = read_label_noise(benchmark.folder, benchmark.manifest.hash)
    if noise is not None:
        write_label_noise(out, noise)
    return sum(file.rows for file in files)


def _languages(benchmark: Benchmark, about: About) -> list[str]:
    own = benchmark.manifest.language
    return list(about.languages) or ["en" if own is None else own.code]


def _card(benchmark: Benchmark, files: Sequence[ParquetFile], about: About, images: bool) -> str:
    from huggingface_hub import DatasetCardData

    manifest = benchmark.manifest
    data_files = [{"split": file.hub_split, "path": file.file} for file in files]
    header = DatasetCardData(
        pretty_name=manifest.title,
        license=about.licence,
        language=_languages(benchmark, about),
        size_categories=[size_category(sum(file.rows for file in files))],
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
    dataset = markdown_text(manifest.dataset)
    body = _CARD.format(
        noise="" if noise is None else _noise(noise.estimates),
        title=markdown_text(manifest.title), questions=sum(file.rows for file in files), images=len(manifest.images),
        dataset=dataset, prompt=markdown_code(manifest.prompt.replace("\n", "\\n")),
        example=files[0].hub_split, splits=splits, hash=manifest.hash,
        repo=about.repo or "THIS DATASET", use="" if about.repo is None else _USE.format(repo=about.repo), made=_made(manifest),
        rights=_rights(dataset, about.licence, images),
    )  # fmt: skip
    return f"---\n{header.to_yaml()}\n---\n{body}"


def size_category(rows: int) -> str:
    """How the Hub names a dataset's size: 999 -> "n<1K"."""
    return next((name for below, name in _SIZES if rows < below), "n>10M")


def _made(manifest: Manifest) -> str:
    """With what the questions were made, in sentences: versions, annotations, encoder; nothing that the manifest doesn't know."""
    said = []
    if version := manifest.versions.get("hope-bench"):
        commit = f" ({markdown_text(short_hash(manifest.commit))})" if manifest.commit else ""
        said.append(f"Made with hope-bench {markdown_text(version)}{commit}.")
    if manifest.sources:
        files = (f"{markdown_code(one.file)} (SHA-256 {markdown_code(short_hash(one.sha256))})" for one in manifest.sources)
        said.append(f"From {', '.join(files)}.")
    if manifest.clip is not None:
        said.append(
            f"Searched by {markdown_text(manifest.clip.model)} (SHA-256 {markdown_code(short_hash(manifest.clip.sha256))})."
        )
    return "".join(f"{one} " for one in said)


def _rights(dataset: str, licence: str | None, images: bool) -> str:
    questions = "No licence of the questions is stated." if licence is None else f"The questions' licence is {licence}."
    if not images:
        return f"{questions} The images aren't here: they, and their licence, are those of {dataset}."
    return f"{questions} The images' own is that of {dataset}."


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


def croissant(
    benchmark: Benchmark,
    files: Sequence[ParquetFile],
    images: bool,
    about: About = UNSAID,
) -> dict[str, Any]:
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
        "inLanguage": _languages(benchmark, about),
        "citeAs": _CITE,
        **_at_the_hub(about),
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


def _at_the_hub(about: About) -> dict[str, Any]:
    """Who publishes the dataset where, under which licence; what isn't known is left out."""
    found: dict[str, Any] = {}
    if about.licence is not None:
        found["license"] = about.licence
    if about.repo is not None:
        found["url"] = f"https://huggingface.co/datasets/{about.repo}"
        owner = about.repo.split("/")[0]
        found["creator"] = {"@type": "sc:Organization", "name": owner, "url": f"https://huggingface.co/{owner}"}
    return found


def _fields(file: ParquetFile, images: bool) -> list[dict[str, Any]]:
    fields = []
    for name, feature in question_features(images).items():
        source: dict[str, Any] = {"fileObject": {"@id": file.file}, "extract": {"column": name}}
        if name == "image":
            source["transform"] = {"jsonPath": "bytes"}
        kind = "sc:ImageObject" if name == "image" else _TYPES[feature.dtype]
        fields.append({"@type": "cr:Field", "@id": f"{file.hub_split}/{name}", "name": name, "dataType": kind, "source": source})
    return fields
