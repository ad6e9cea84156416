"""From a spec to a benchmark: sampled images, every strategy's distractors, split files and manifest."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hope_bench.annotations import read_annotations
from hope_bench.benchmark import ClipInfo, Manifest, SkippedImage, SourceFile, write_benchmark
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.images import hash_images
from hope_bench.progress import progress_bar
from hope_bench.provenance import commit, file_sha256, versions
from hope_bench.records import Annotations, Question
from hope_bench.search.content import content_probability, content_similarity, most_similar_images
from hope_bench.search.pope import eligible_images, pope_negatives, sample_images
from hope_bench.search.selection import Distractor, top_candidates
from hope_bench.spec import STRATEGY_KINDS, BenchmarkSpec
from hope_bench.wording import existence_question

if TYPE_CHECKING:
    from hope_bench.clip.encoder import ClipEncoder, Embeddings


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sampled image: its file name and present objects in order of first annotation."""

    file: str
    present: tuple[str, ...]


Distractors = Mapping[str, Sequence[Distractor]]
"""An image's k distractors by its file name; an image that has too few is absent."""


def generate(spec: BenchmarkSpec, out: Path, cache: Path, say: Callable[[str], None] = lambda _: None) -> Manifest:
    """Generate a benchmark into `out` and return its manifest; image embeddings are kept under `cache`.

    `say` is told in words what is going on and what was survived. Raises HopeBenchError for everything else; nothing is
    written before every split is ready.
    """
    annotations_path, images_folder = _inputs(spec)
    annotations = read_annotations(
        annotations_path, spec.dataset.format, None if spec.dataset.captions is None else Path(spec.dataset.captions)
    )
    for problem in annotations.problems:
        say(problem)
    say(f"Read {annotations_path.name}: {len(annotations.images):,} images, {len(annotations.category_of):,} annotations, "
        f"{len(annotations.categories):,} categories.")  # fmt: skip
    rng = random.Random(spec.seed)
    sampled = _sample(rng, annotations, annotations_path, spec)
    by_strategy, reasons = _pope(rng, sampled, spec)

    hashes: dict[str, str | None] = dict.fromkeys((image.file for image in sampled), None)
    if images_folder is not None:
        hashes, unreadable = _hash(sampled, images_folder)
        reasons = unreadable | reasons
    clip = None
    if spec.clip is not None and spec.needs_clip and images_folder is not None:
        searched, failed, clip = _search(
            spec, annotations, [image for image in sampled if image.file not in reasons], hashes, images_folder, cache
        )
        by_strategy |= searched
        reasons |= failed

    asked = [image for image in sampled if image.file not in reasons]
    if not asked:
        raise HopeBenchError(f"No question could be made: all {len(sampled)} sampled images were skipped ({_summary(reasons)}).")
    if reasons:
        say(f"{len(reasons)} of {len(sampled)} sampled images get no questions: {_summary(reasons)}. The manifest lists them.")
    splits = {strategy: _questions(strategy, asked, by_strategy[strategy], spec.k) for strategy in spec.strategies}
    return write_benchmark(
        out, splits, {strategy: STRATEGY_KINDS[strategy] for strategy in splits},
        name=spec.name, title=spec.title or spec.name, headline=spec.headline, prompt=spec.prompt, k=spec.k,
        dataset=spec.dataset.name or annotations_path.stem,
        images={image.file: hashes[image.file] for image in asked},
        skipped=tuple(SkippedImage(image=file, reason=reason) for file, reason in reasons.items()),
        sources=_sources(spec), clip=clip, spec=_portable(spec), notes=annotations.problems, versions=versions(), commit=commit(),
    )  # fmt: skip


def _inputs(spec: BenchmarkSpec) -> tuple[Path, Path | None]:
    if spec.dataset.annotations is None:
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
            f"Spec {spec.name!r} searches the images with CLIP, but names no model. Pass --clip NAME (such as ViT-L-14:openai)."
        )
    return Path(spec.dataset.annotations), images


def _sample(rng: random.Random, annotations: Annotations, path: Path, spec: BenchmarkSpec) -> list[Sampled]:
    present = [annotations.present(image) for image in range(len(annotations.images))]
    eligible = len(eligible_images(present, spec.k))
    if eligible < spec.sample_images:
        raise HopeBenchError(
            f"{path} has {eligible} image(s) with at least {spec.k} present categories, but {spec.sample_images} are wanted. "
            f"Set sample_images to at most {eligible} in the spec, or lower k."
        )
    drawn = sample_images(rng, present, spec.sample_images, spec.k)
    return [Sampled(annotations.images[image].file_name, present[image]) for image in drawn]


def _pope(rng: random.Random, sampled: Sequence[Sampled], spec: BenchmarkSpec) -> tuple[dict[str, Distractors], dict[str, str]]:
    """POPE's three, always all drawn, since one generator serves the whole run; and the images that have too few candidates."""
    negatives = pope_negatives(rng, [image.present for image in sampled], spec.k)
    short = {
        image.file: f"fewer than {spec.k} categories of the sampled images are absent from it"
        for image, names in zip(sampled, negatives["random"], strict=True)
        if names is None
    }
    made: dict[str, Distractors] = {
        strategy: {
            image.file: [Distractor(name) for name in names]
            for image, names in zip(sampled, per_image, strict=True)
            if names is not None
        }
        for strategy, per_image in negatives.items()
    }
    return made, short


def _hash(sampled: Sequence[Sampled], folder: Path) -> tuple[dict[str, str | None], dict[str, str]]:
    """Every sampled image's SHA-256 (None where it can't be read), and the reasons of those."""
    results = hash_images([folder / image.file for image in sampled])
    hashes: dict[str, str | None] = {}
    unreadable: dict[str, str] = {}
    for image, result in zip(sampled, results, strict=True):
        if isinstance(result, str):
            hashes[image.file] = result
        else:
            hashes[image.file] = None
            unreadable[image.file] = str(result)
    return hashes, unreadable


def _search(
    spec: BenchmarkSpec,
    annotations: Annotations,
    images: Sequence[Sampled],
    hashes: Mapping[str, str | None],
    folder: Path,
    cache: Path,
) -> tuple[dict[str, Distractors], dict[str, str], ClipInfo]:
    """The CLIP strategies' distractors, the images CLIP could not see, and the encoder."""
    from hope_bench.clip.encoder import load_encoder

    assert spec.clip is not None
    encoder = load_encoder(spec.clip.model)
    names = [category.name for category in annotations.categories]
    vectors, failed = _embed(encoder, spec.clip.batch_size, images, hashes, folder, cache)
    seen = [image for image in images if image.file not in failed]
    clip = ClipInfo(model=encoder.name, sha256=encoder.sha256, templates=spec.clip.templates)
    if not seen:
        return {}, failed, clip
    similarity = content_similarity(
        np.stack([vectors[image.file] for image in seen]), encoder.encode_categories(names, spec.clip.templates)
    )
    probability = content_probability(similarity, encoder.logit_scale)
    made: dict[str, Distractors] = {"content": _rank(seen, names, similarity, probability, range(len(seen)), spec.k)}
    if "control-content" in spec.strategies:
        if len(seen) < 2:
            raise HopeBenchError(
                "control-content ranks an image's distractors by another image's scores, so it needs two images at least."
            )
        partners = most_similar_images([image.present for image in seen], [image.file for image in seen], spec.seed)
        made["control-content"] = _rank(seen, names, similarity, probability, partners, spec.k)
    short = [image.file for image in seen if len(made["content"][image.file]) < spec.k]
    return made, failed | dict.fromkeys(short, f"fewer than {spec.k} categories are absent from it"), clip


def _embed(
    encoder: ClipEncoder, batch_size: int, images: Sequence[Sampled], hashes: Mapping[str, str | None], folder: Path, cache: Path
) -> tuple[dict[str, Embeddings], dict[str, str]]:
    """The image embeddings by file name, and the reasons of the images that can't be decoded."""
    from hope_bench.clip.embed import View, embed_views
    from hope_bench.clip.store import EmbeddingStore

    digest = {image.file: hashes[image.file] or "" for image in images}
    path_of = {sha256: folder / file for file, sha256 in digest.items()}
    store = EmbeddingStore(cache, encoder.sha256)
    try:
        with progress_bar(f"Embedding images with {encoder.name}", len(path_of)) as advance:
            vectors, failed = embed_views(encoder, path_of, [View(sha256) for sha256 in path_of], store, batch_size, advance)
    finally:
        store.close()
    return (
        {file: vectors[View(sha256)] for file, sha256 in digest.items() if View(sha256) in vectors},
        {file: failed[sha256] for file, sha256 in digest.items() if sha256 in failed},
    )


def _rank(
    images: Sequence[Sampled], names: Sequence[str], similarity: Embeddings, probability: np.ndarray, rows: Sequence[int], k: int
) -> Distractors:
    """Each image's k best allowed candidates by row rows[i] of the scores (its own, or another image's)."""
    column = {name: index for index, name in enumerate(names)}
    vocabulary = frozenset(names)
    ranked: dict[str, list[Distractor]] = {}
    for image, row in zip(images, rows, strict=True):
        best = top_candidates(similarity[row], names, vocabulary.difference(image.present), k)
        ranked[image.file] = [Distractor(name, round(float(probability[row, column[name]]), 4)) for name in best]
    return ranked


def _questions(strategy: str, images: Sequence[Sampled], distractors: Distractors, k: int) -> list[Question]:
    """A split: per image the first k present objects, each followed by one distractor; ids count from 1."""
    made: list[Question] = []
    for image in images:
        for positive, negative in zip(image.present[:k], distractors[image.file], strict=True):
            made.append(Question(len(made) + 1, image.file, existence_question(positive), "yes", strategy, positive))
            made.append(
                Question(
                    len(made) + 1, image.file, existence_question(negative.name), "no", strategy, negative.name, negative.score
                )
            )
    return made


def _sources(spec: BenchmarkSpec) -> tuple[SourceFile, ...]:
    paths = [Path(name) for name in (spec.dataset.annotations, spec.dataset.captions) if name is not None]
    return tuple(SourceFile(file=path.name, sha256=file_sha256(path)) for path in paths)


def _portable(spec: BenchmarkSpec) -> BenchmarkSpec:
    """The spec as used, with file names instead of this machine's paths, so that the same data gives the same manifest."""

    def last(value: str | None) -> str | None:
        return None if value is None else Path(value).name

    data = spec.dataset
    dataset = data.model_copy(
        update={"annotations": last(data.annotations), "captions": last(data.captions), "images": last(data.images)}
    )
    clip = spec.clip
    if clip is not None and clip.model.startswith("local-dir:"):
        clip = clip.model_copy(update={"model": "local-dir:" + Path(clip.model.removeprefix("local-dir:")).name})
    return spec.model_copy(update={"dataset": dataset, "clip": clip})


def _summary(reasons: Mapping[str, str]) -> str:
    return first_few(f"{file} ({reason})" for file, reason in reasons.items())
