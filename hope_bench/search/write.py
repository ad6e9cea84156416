"""The last step of generating: what was found as a benchmark's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hope_bench.files.benchmark import Manifest, SkippedImage, SourceFile, write_benchmark
from hope_bench.files.spec import STRATEGY_KINDS, BenchmarkSpec, ClipSpec, Kind, base_strategy, is_balanced
from hope_bench.provenance import commit, file_sha256, versions
from hope_bench.records import Question
from hope_bench.search.balanced import balance_of
from hope_bench.search.encode import Encoding
from hope_bench.search.inputs import Inputs
from hope_bench.search.search import Found


def write(out: Path, inputs: Inputs, encoding: Encoding, found: Found, splits: Mapping[str, Sequence[Question]],
    others: Mapping[str, Sequence[Question]],
) -> Manifest:  # fmt: skip
    """Write manifest.json and splits/*.jsonl, and return the manifest. A split that was not searched holds twins."""
    spec, sample = inputs.spec, found.sample
    kinds: dict[str, Kind] = {name: STRATEGY_KINDS[base_strategy(name)] if name in found.splits else "twin" for name in splits}
    return write_benchmark(
        out, splits, kinds, others,
        name=spec.name, title=spec.title or spec.name,
        description=spec.description, headline=spec.headline, prompt=spec.prompt, k=spec.k,
        dataset=spec.dataset.name or inputs.path.stem,
        images={sample.file(image): sample.sha256.get(image) for image in sample.left()},
        skipped=tuple(SkippedImage(image=sample.file(image), reason=reason) for image, reason in sample.skipped.items()),
        sources=tuple(SourceFile(file=file.name, sha256=file_sha256(file)) for file in inputs.files),
        clip=encoding.encoders.get(""), encoders={name: info for name, info in encoding.encoders.items() if name},
        prototypes=encoding.prototypes, guards=found.guards,
        balance={name: balance_of(questions) for name, questions in splits.items() if is_balanced(name)},
        spec=_portable(spec), notes=sample.notes, versions=versions(), commit=commit(),
    )  # fmt: skip


def _portable(spec: BenchmarkSpec) -> BenchmarkSpec:
    """The spec as used, with file names instead of this machine's paths, so that the same data gives the same manifest."""

    def last(value: str | None) -> str | None:
        return None if value is None else Path(value).name

    def named(clip: ClipSpec) -> ClipSpec:
        scheme, _, rest = clip.model.partition(":")
        return clip.model_copy(update={"model": f"{scheme}:{Path(rest).name}"}) if scheme == "local-dir" else clip

    data, guards = spec.dataset, spec.guards
    files = {"annotations": last(data.annotations), "captions": last(data.captions), "images": last(data.images)}
    return spec.model_copy(
        update={
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
