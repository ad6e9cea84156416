"""The last step of generating: what was found as a benchmark's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hope_bench.files.benchmark import Manifest, SkippedImage, SourceFile, write_benchmark
from hope_bench.files.spec import STRATEGY_KINDS, BenchmarkSpec, ClipSpec, Kind, base_strategy, is_balanced
from hope_bench.provenance import commit, file_sha256, json_sha256, versions
from hope_bench.records import Question
from hope_bench.search.balanced import balance_of
from hope_bench.search.encode import Encoding
from hope_bench.search.inputs import Inputs
from hope_bench.search.search import Found

_NAMED_ONE_BY_ONE = 20
"""More files of a kind in one folder are one line of the manifest."""


def write(out: Path, inputs: Inputs, encoding: Encoding, found: Found, splits: Mapping[str, Sequence[Question]],
    others: Mapping[str, Sequence[Question]],
) -> Manifest:  # fmt: skip
    """Write manifest.json and splits/*.jsonl, and return the manifest. A split that was not searched holds twins."""
    spec, sample = inputs.spec, found.sample
    kinds: dict[str, Kind] = {name: STRATEGY_KINDS[base_strategy(name)] if name in found.splits else "twin" for name in splits}
    return write_benchmark(
        out, splits, kinds, others,
        name=spec.name, title=spec.title or spec.name,
        description=spec.description, headline=spec.headline, prompt=spec.prompt,
        language=encoding.space.worder.table.words(), k=spec.k,
        dataset=spec.dataset.name or inputs.path.stem,
        images={sample.file(image): sample.sha256.get(image) for image in sample.left()},
        skipped=tuple(SkippedImage(image=sample.file(image), reason=reason) for image, reason in sample.skipped.items()),
        sources=_sources(inputs.files),
        clip=encoding.encoders.get(""), encoders={name: info for name, info in encoding.encoders.items() if name},
        prototypes=encoding.prototypes, guards=found.guards,
        balance={name: balance_of(questions) for name, questions in splits.items() if is_balanced(name)},
        spec=_portable(spec), notes=sample.notes, versions=versions(), commit=commit(),
    )  # fmt: skip


def _sources(files: Sequence[Path]) -> tuple[SourceFile, ...]:
    """The files by name and content; where a folder holds a file a picture, one line for all of a kind there."""
    kinds: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        kinds.setdefault((file.parent, file.suffix), []).append(file)
    made = []
    for (folder, ending), own in kinds.items():
        digests = {file.name: file_sha256(file) for file in own}
        if len(own) > _NAMED_ONE_BY_ONE:
            made.append(SourceFile(file=f"{folder.name}/*{ending} ({len(own):,} files)", sha256=json_sha256(digests)))
        else:
            made += [SourceFile(file=file.name, sha256=digests[file.name]) for file in own]
    return tuple(made)


def _portable(spec: BenchmarkSpec) -> BenchmarkSpec:
    """The spec as used, with file names instead of this machine's paths, so that the same data gives the same manifest."""

    def last(value: str | None) -> str | None:
        return None if value is None else Path(value).name

    def each(value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return tuple(Path(one).name for one in value) if isinstance(value, tuple) else last(value)

    def named(clip: ClipSpec) -> ClipSpec:
        scheme, _, rest = clip.model.partition(":")
        return clip.model_copy(update={"model": f"{scheme}:{Path(rest).name}"}) if scheme == "local-dir" else clip

    data, guards = spec.dataset, spec.guards
    files = {
        "annotations": each(data.annotations), "captions": each(data.captions),
        "images": last(data.images), "image_list": last(data.image_list),
    }  # fmt: skip
    return spec.model_copy(
        update={
            "language": Path(spec.language).name,
            "dataset": data.model_copy(update=files),
            "blind": spec.blind.model_copy(
                update={key: last(getattr(spec.blind, key)) for key in ("annotations", "captions", "images_folder")}
            ),
            "descriptions": spec.descriptions.model_copy(update={"file": last(spec.descriptions.file)}),
            "guards": guards.model_copy(update={"ontology_table": last(guards.ontology_table), "review": last(guards.review)}),
            "clip": None if spec.clip is None else named(spec.clip),
            "encoders": {name: named(clip) for name, clip in spec.encoders.items()},
        }
    )
