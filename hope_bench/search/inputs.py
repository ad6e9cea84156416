"""The first step of generating: everything that a spec names, checked and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hope_bench.annotations.fitting import fit_names, named_within
from hope_bench.annotations.image_files import files_within, lies_in
from hope_bench.annotations.of_spec import check_names, dataset_files, listed_images, read_dataset
from hope_bench.clip.names import check_clip_name
from hope_bench.errors import HopeBenchError
from hope_bench.files.language import is_file
from hope_bench.files.spec import PANEL, BenchmarkSpec, ClipSpec, encoder_name, in_language
from hope_bench.languages.worder import Worder, make_worder
from hope_bench.records import Annotations
from hope_bench.search.decisions import ClaimKey, Decision, read_decisions, rejected
from hope_bench.search.description import Descriptions
from hope_bench.search.description_given import read_given
from hope_bench.search.evidence_given import GivenEvidence, read_evidence
from hope_bench.search.known_words import with_words


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a benchmark is made from.

    `path` is the annotation file or folder (of several, the first), `images` the pictures' folder (None where nothing looks at
    them), `files` every file read, for the manifest. `given` are people's own descriptions by image file name, `decisions` what
    reviewers saw and `rejected` the claims they don't stand by. `problems` says in words what was wrong with people's files and
    survived. `listed` are the images that may be asked about, None: all. `evidence` is what others saw, None: nothing is brought.
    """

    spec: BenchmarkSpec
    path: Path
    images: Path | None
    files: tuple[Path, ...]
    annotations: Annotations
    given: Mapping[str, Descriptions]
    decisions: tuple[Decision, ...]
    rejected: frozenset[ClaimKey]
    problems: tuple[str, ...]
    listed: frozenset[int] | None = None
    evidence: GivenEvidence | None = None


def read_inputs(spec: BenchmarkSpec) -> Inputs:
    """Read what the spec names; images are named as they are found in its folder. Raises HopeBenchError."""
    path, images = _paths(spec)
    files = dataset_files(spec.dataset)
    annotations = with_words(check_names(read_dataset(spec.dataset)), spec)
    worder = make_worder(annotations.categories, spec.language, spec.wording, spec.nouns)
    spec = in_language(spec, worder.table)
    if images is not None:
        annotations = fit_names(annotations, lambda name: lies_in(images, name), lambda: files_within(images))
    annotations = named_within(annotations)
    listed: frozenset[int] | None = None
    unlisted: tuple[str, ...] = ()
    if spec.dataset.image_list is not None:
        listed, unlisted = listed_images(Path(spec.dataset.image_list), annotations)
    brought = read_brought(spec, annotations, worder)
    problems = (*unlisted, *worder.notes(), *brought.problems)
    given, decisions, evidence = brought.given, brought.decisions, brought.evidence
    table = spec.language if is_file(spec.language) else None
    own = (table, spec.descriptions.file, spec.guards.ontology_table, spec.guards.review, spec.guards.evidence)
    files += tuple(Path(name) for name in own if name is not None)
    return Inputs(spec, path, images, files, annotations, given, decisions, rejected(decisions), problems, listed, evidence)


@dataclass(frozen=True, slots=True)
class Brought:
    """What people bring beside annotations: the fields of `Inputs` of these names."""

    given: Mapping[str, Descriptions]
    decisions: tuple[Decision, ...]
    evidence: GivenEvidence | None
    problems: tuple[str, ...]


def read_brought(spec: BenchmarkSpec, annotations: Annotations, worder: Worder) -> Brought:
    """Read the descriptions, decisions and evidence that the spec names; `worder` puts descriptions into questions. Raises
    HopeBenchError."""
    given: Mapping[str, Descriptions] = {}
    decisions: tuple[Decision, ...] = ()
    problems: tuple[str, ...] = ()
    if spec.descriptions.file is not None:
        found = read_given(Path(spec.descriptions.file), annotations, worder)
        given, problems = found.by_image, found.problems
    if spec.guards.review is not None:
        decisions, left_out = read_decisions(Path(spec.guards.review))
        problems += left_out
    evidence = None if spec.guards.evidence is None else read_evidence(Path(spec.guards.evidence), annotations)
    problems += () if evidence is None else evidence.problems
    return Brought(given, decisions, evidence, problems)


def _paths(spec: BenchmarkSpec) -> tuple[Path, Path | None]:
    """The annotations and the images' folder. Raises HopeBenchError where something is missing that the spec needs."""
    if not spec.dataset.annotation_paths:
        raise HopeBenchError(
            f"Spec {spec.name!r} names no annotation file. Pass --annotations FILE, or set dataset.annotations in it."
        )
    images = None if spec.dataset.images is None else Path(spec.dataset.images)
    if images is not None and not images.is_dir():
        raise HopeBenchError(f"The images folder {images} does not exist or is not a folder.")
    if spec.needs_clip and images is None:
        raise HopeBenchError(f"Spec {spec.name!r} searches the images with CLIP. Pass --images DIR, or set dataset.images in it.")
    if spec.needs_clip and spec.clip is None:
        raise HopeBenchError(
            f"Spec {spec.name!r} searches the images with CLIP, but has no main model (guards use it, too). Pass --clip NAME "
            "(such as ViT-L-14:openai), or set clip.model in it."
        )
    for encoder in encoders_used(spec).values() if spec.needs_clip else ():
        check_clip_name(encoder.model)
    return spec.dataset.annotation_paths[0], images


def encoders_used(spec: BenchmarkSpec) -> dict[str, ClipSpec]:
    """The main encoder first, which guards use, too; then those that strategies name, or all for a panel."""
    assert spec.clip is not None  # `_paths` makes sure
    named = set(spec.encoders) if PANEL in spec.strategies else {encoder_name(one) for one in spec.strategies}
    return {"": spec.clip} | {name: clip for name, clip in spec.encoders.items() if name in named}
