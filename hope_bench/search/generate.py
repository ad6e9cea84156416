"""From a spec to a benchmark: sampled images, every strategy's distractors under the guards, split files and manifest."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hope_bench.annotations import annotation_files, read_annotations
from hope_bench.annotations.fitting import fit_boxes, fit_names
from hope_bench.clip.names import check_clip_name
from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.benchmark import (
    ClipInfo,
    GuardStats,
    Manifest,
    PrototypeInfo,
    SkippedImage,
    SourceFile,
    check_own,
    write_benchmark,
)
from hope_bench.files.spec import (
    DESCRIPTION_STRATEGIES,
    STRATEGY_KINDS,
    BenchmarkSpec,
    ClipSpec,
    Kind,
    base_strategy,
    encoder_name,
)
from hope_bench.images import hash_images
from hope_bench.provenance import commit, file_sha256, versions
from hope_bench.records import Annotations, Question, no_collector
from hope_bench.search.control_content import MOST_CANDIDATES
from hope_bench.search.crops import Crops, draw_crops
from hope_bench.search.description import Descriptions
from hope_bench.search.description_given import read_given
from hope_bench.search.encode import EncoderSession, Pictures
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.guarding import Claim, Guarded, guard
from hope_bench.search.guards import read_decisions, rejected
from hope_bench.search.inputs import SearchInputs
from hope_bench.search.pope import eligible_images, pope_negatives, sample_images
from hope_bench.search.questions import split_questions, twin_questions
from hope_bench.search.selection import Distractor
from hope_bench.search.strategies import Rankings

Say = Callable[[str], None]
Distractors = dict[int, list[Distractor]]
"""A split's distractors by image (index in the annotations); an image that got none is absent."""


@dataclass(slots=True)
class _Draft:
    """A benchmark in the making: the sampled images in drawn order, and what became of each."""

    spec: BenchmarkSpec
    annotations: Annotations
    images: tuple[int, ...]
    reasons: dict[int, str] = field(default_factory=dict)
    sha256: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    prototypes: PrototypeInfo | None = None

    def left(self) -> tuple[int, ...]:
        """The sampled images that nothing speaks against so far."""
        return tuple(image for image in self.images if image not in self.reasons)

    def file(self, image: int) -> str:
        """An image's file name."""
        return self.annotations.images[image].file_name


def generate(spec: BenchmarkSpec, out: Path, cache: Path, say: Say = lambda _: None) -> Manifest:
    """Generate a benchmark into `out` and return its manifest; image embeddings are kept under `cache`.

    `say` is told in words what is going on and what was survived. Raises HopeBenchError for everything else; nothing is
    written before every split is ready.
    """
    path, folder = _inputs(spec)
    check_own(out, imported=False)
    files = annotation_files(path, spec.dataset.format, _path(spec.dataset.captions), spec.dataset.files)
    annotations = read_annotations(
        path, spec.dataset.format, _path(spec.dataset.captions), spec.dataset.files, spec.dataset.columns
    )
    if folder is not None:
        annotations = fit_names(annotations, lambda name: (folder / name).is_file())
    say(f"Read {path.name}: {len(annotations.images):,} images, {len(annotations.category_of):,} annotations, "
        f"{len(annotations.categories):,} categories.")  # fmt: skip
    rng = random.Random(spec.seed)
    draft = _Draft(spec, annotations, _sample(rng, annotations, path, spec), notes=list(annotations.problems))
    present = [annotations.present(image) for image in draft.images]
    pope = pope_negatives(rng, present, spec.k, _unverified(draft))
    if folder is not None:
        _hash(draft, folder)
        draft.annotations, misfits = fit_boxes(annotations, draft.left(), folder)
        draft.notes += misfits
    given, claims = _people(draft)
    with ExitStack() as stack:
        inputs, encoders, guessed = _encode(draft, folder, cache, stack)
        say(f"Searching distractors for {len(draft.left()):,} images under {first_few(spec.strategies, 20)}.")
        guarded = guard(inputs, claims)
        splits, stats = _splits(draft, inputs, guarded, FalseDescriptions(inputs, given, claims, guessed), pope)
    for note in draft.notes:
        say(note)
    asked = draft.left()
    _report(draft, asked, say)
    questions = {
        name: split_questions(name, asked, found, inputs, guarded) for name, found in splits.items() if name in spec.strategies
    }
    kinds: dict[str, Kind] = {name: STRATEGY_KINDS[base_strategy(name)] for name in questions}
    for name in [name for name in questions if base_strategy(name) in DESCRIPTION_STRATEGIES]:
        twins = twin_questions(name, asked, splits[name], questions[name])
        if twins:
            questions[f"{name}-twins"], kinds[f"{name}-twins"] = twins, "twin"
    _say_asked(spec, given, questions, say)
    return write_benchmark(
        out, questions, kinds,
        name=spec.name, title=spec.title or spec.name,
        description=spec.description, headline=spec.headline, prompt=spec.prompt, k=spec.k,
        dataset=spec.dataset.name or path.stem,
        images={draft.file(image): draft.sha256.get(image) for image in asked},
        skipped=tuple(SkippedImage(image=draft.file(image), reason=reason) for image, reason in draft.reasons.items()),
        sources=tuple(SourceFile(file=file.name, sha256=file_sha256(file)) for file in (*files, *_own_files(spec))),
        clip=encoders.get(""), encoders={name: info for name, info in encoders.items() if name},
        prototypes=draft.prototypes, guards=stats,
        spec=_portable(spec), notes=tuple(draft.notes), versions=versions(), commit=commit(),
    )  # fmt: skip


def _inputs(spec: BenchmarkSpec) -> tuple[Path, Path | None]:
    if spec.dataset.annotations is None:
        raise HopeBenchError(
            f"Spec {spec.name!r} names no annotation file. Pass --annotations FILE, or set dataset.annotations in it."
        )
    images = _path(spec.dataset.images)
    if images is not None and not images.is_dir():
        raise HopeBenchError(f"The images folder {images} does not exist or is not a folder.")
    needs_clip = spec.needs_clip or spec.guards.calibrated is not None
    if needs_clip and images is None:
        raise HopeBenchError(f"Spec {spec.name!r} searches the images with CLIP. Pass --images DIR, or set dataset.images in it.")
    if needs_clip and spec.clip is None:
        raise HopeBenchError(
            f"Spec {spec.name!r} searches the images with CLIP, but has no main model (guards use it, too). Pass --clip NAME "
            "(such as ViT-L-14:openai), or set clip.model in it."
        )
    for encoder in _encoders_needed(spec).values():
        check_clip_name(encoder.model)
    return Path(spec.dataset.annotations), images


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)


def _sample(rng: random.Random, annotations: Annotations, path: Path, spec: BenchmarkSpec) -> tuple[int, ...]:
    present = [annotations.present(image) for image in range(len(annotations.images))]
    eligible = len(eligible_images(present, spec.k))
    if eligible < spec.sample_images:
        instead = f"Set sample_images to at most {eligible} in the spec, or lower k." if eligible else "Is it the right file?"
        raise HopeBenchError(
            f"{path} has {eligible} image(s) with at least {spec.k} present categories, but {spec.sample_images} are wanted. "
            + instead
        )
    return tuple(sample_images(rng, present, spec.sample_images, spec.k))


def _unverified(draft: _Draft) -> list[set[str]] | None:
    """On data with verified absences POPE's own splits draw from them too; elsewhere they are unguarded, by definition."""
    verified = draft.annotations.verified_absent
    if verified is None or not draft.spec.guards.verified:
        return None
    names = [category.name for category in draft.annotations.categories]
    return [set(names) - {names[column] for column in verified.get(image, ())} for image in draft.images]


def _hash(draft: _Draft, folder: Path) -> None:
    results = hash_images([folder / draft.file(image) for image in draft.images])
    for image, result in zip(draft.images, results, strict=True):
        if isinstance(result, str):
            draft.sha256[image] = result
        else:
            draft.reasons[image] = str(result)


def _people(draft: _Draft) -> tuple[dict[str, Descriptions], set[Claim]]:
    """What people brought: their own descriptions, and the claims that reviewers don't stand by."""
    given: dict[str, Descriptions] = {}
    claims: set[Claim] = set()
    if draft.spec.descriptions.file is not None:
        found = read_given(Path(draft.spec.descriptions.file), draft.annotations)
        given = dict(found.by_image)
        draft.notes += found.problems
    if draft.spec.guards.review is not None:
        decisions, problems = read_decisions(Path(draft.spec.guards.review))
        claims = rejected(decisions)
        draft.notes += problems
        files = {draft.file(image) for image in draft.images}
        if not any(one.image in files for one in decisions):
            draft.notes.append(f"{Path(draft.spec.guards.review).name}: none of its decisions is about the sampled images.")
    return given, claims


Guessed = dict[int, dict[str, str]]
"""The attribute bank's winners by instance row and group."""


def _encode(
    draft: _Draft, folder: Path | None, cache: Path, stack: ExitStack
) -> tuple[SearchInputs, dict[str, ClipInfo], Guessed]:
    """What the search may look at, made with every encoder that a strategy or guard asks for; bad pictures fall out."""
    spec, annotations = draft.spec, draft.annotations
    sessions: dict[str, EncoderSession] = {}
    if folder is not None:
        for name, clip in _encoders_needed(spec).items():
            sessions[name] = stack.enter_context(closing(EncoderSession(clip, cache)))

    def pictures() -> Pictures:
        left = draft.left()
        return Pictures(folder or Path(), left, tuple(draft.sha256[image] for image in left))

    for session in list(sessions.values())[:1]:
        unreadable = session.unreadable(pictures(), annotations)
        draft.reasons |= {image: unreadable[draft.file(image)] for image in draft.left() if draft.file(image) in unreadable}
    _need_images(draft)
    comparing = {
        encoder_name(one) for one in spec.strategies if base_strategy(one) in ("category-similarity", "category", "hope")
    }
    crops = _crops(draft, folder, [session for name, session in sessions.items() if name in comparing])
    encoded = {
        name: session.encode(
            pictures(), annotations,
            tiles=name == "" and spec.guards.calibrated is not None, crops=crops if name in comparing else None,
        )
        for name, session in sessions.items()
    }  # fmt: skip
    asks_bank = "bank" in spec.descriptions.sources and any(
        base_strategy(one) in DESCRIPTION_STRATEGIES for one in spec.strategies
    )
    guessed = sessions[""].guess_attributes(pictures(), annotations) if asks_bank else {}
    return SearchInputs(spec, annotations, draft.left(), encoded), {name: one.info for name, one in sessions.items()}, guessed


def _crops(draft: _Draft, folder: Path | None, sessions: Sequence[EncoderSession]) -> Crops | None:
    """What prototypes are made of, without pictures that can't be used, which are noted; None where none are made."""
    category = draft.spec.category
    if folder is None or not sessions or category.prototype == "text" or draft.annotations.boxes is None:
        return None
    crops = draw_crops(draft.annotations, category.crops, draft.spec.seed, folder)
    crops = crops.without(sessions[0].unusable(crops))
    draft.notes += crops.notes()
    draft.prototypes = crops.info()
    return crops


def _encoders_needed(spec: BenchmarkSpec) -> dict[str, ClipSpec]:
    names = {encoder_name(one) for one in spec.strategies if spec.needs_clip}
    needed = {} if spec.clip is None or not (spec.needs_clip or spec.guards.calibrated) else {"": spec.clip}
    return needed | {name: encoder for name, encoder in spec.encoders.items() if name in names}


@no_collector()
def _splits(
    draft: _Draft,
    inputs: SearchInputs,
    guarded: Guarded,
    false: FalseDescriptions,
    pope: Mapping[str, Sequence[list[str] | None]],
) -> tuple[dict[str, Distractors], dict[str, GuardStats]]:
    """Every split's distractors; an image that has too few under any strategy is dropped from all, since splits share images."""
    spec, found = draft.spec, {}
    drawn = dict(pope)
    if any(base_strategy(name).endswith("-guarded") for name in spec.strategies):
        drawn |= _guarded_pope(draft, inputs, guarded)
    rankings = Rankings(inputs, guarded.allowed, false)
    for name in spec.strategies:
        if STRATEGY_KINDS[base_strategy(name)] == "pope":
            rows = zip(draft.images, drawn[name], strict=True)
            found[name] = {image: [Distractor(one) for one in names] for image, names in rows if names is not None}
        elif base_strategy(name) == "control-content" and len(inputs.images) < 2:
            raise HopeBenchError("control-content ranks an image's distractors by another image's scores: it needs two images.")
        else:
            if base_strategy(name) == "control-content" and len(inputs.images) > MOST_CANDIDATES:
                draft.notes.append(f"{name}: similar images were looked for among {MOST_CANDIDATES:,} of the images.")
            found[name] = dict(zip(inputs.images, rankings.of(name), strict=True))
    for name, split in found.items():
        for image in draft.left():
            if len(split.get(image, ())) < spec.k:
                draft.reasons[image] = f"fewer than {spec.k} distractors are left for {name}"
    return found, _guard_stats(inputs, guarded, found, pope, false, draft)


def _guarded_pope(draft: _Draft, inputs: SearchInputs, guarded: Guarded) -> dict[str, list[list[str] | None]]:
    """POPE's three once more under the guards, from a generator of their own, so that POPE's draws stay as published."""
    row_of = {image: row for row, image in enumerate(inputs.images)}
    names = np.array(inputs.names, dtype=np.object_)
    forbidden = [set(names[~guarded.allowed[row_of[image]]]) if image in row_of else set() for image in draft.images]
    present = [draft.annotations.present(image) for image in draft.images]
    negatives = pope_negatives(random.Random(f"{draft.spec.seed} guarded"), present, draft.spec.k, forbidden)
    return {f"{strategy}-guarded": per_image for strategy, per_image in negatives.items()}


def _guard_stats(
    inputs: SearchInputs,
    guarded: Guarded,
    found: Mapping[str, Distractors],
    pope: Mapping[str, Sequence[list[str] | None]],
    false: FalseDescriptions,
    draft: _Draft,
) -> dict[str, GuardStats]:
    """How many candidates each guard removed, and how many of the distractors that would have been asked about without guards."""
    row_of = {image: row for row, image in enumerate(inputs.images)}
    wanted: dict[str, list[tuple[int, Distractor]]] = {}
    rankings = Rankings(inputs, guarded.absent, false.unreviewed())
    for split in found if guarded.removed else ():
        base = base_strategy(split)
        if base.endswith("-guarded"):
            rows = zip(draft.images, pope[base.removesuffix("-guarded")], strict=True)
            wanted[split] = [(row_of[image], Distractor(one)) for image, names in rows if image in row_of for one in names or ()]
        elif STRATEGY_KINDS[base] != "pope":
            wanted[split] = [(row, one) for row, chosen in enumerate(rankings.of(split)) for one in chosen]

    def displaced(guard: str, row: int, one: Distractor) -> bool:
        if one.description is not None:
            return guard == "review" and false.rejects(row, one.description)
        return bool(guarded.removed[guard][row, inputs.column[one.name]])

    described = any(base_strategy(split) in DESCRIPTION_STRATEGIES for split in found)
    return {
        name: GuardStats(
            removed=int(mask.sum()) + (false.rejected() if name == "review" and described else 0),
            displaced={split: sum(displaced(name, row, one) for row, one in picks) for split, picks in wanted.items()},
        )
        for name, mask in guarded.removed.items()
    }


def _need_images(draft: _Draft) -> None:
    if not draft.left():
        raise HopeBenchError(
            f"No question could be made: all {len(draft.images)} sampled images were skipped ({_summary(draft)})."
        )


def _report(draft: _Draft, asked: Sequence[int], say: Say) -> None:
    _need_images(draft)
    if len(asked) < len(draft.images):
        count = len(draft.images) - len(asked)
        say(f"{count} of {len(draft.images)} sampled images get no questions: {_summary(draft)}. The manifest lists them.")


def _say_asked(
    spec: BenchmarkSpec, given: Mapping[str, Descriptions], splits: Mapping[str, Sequence[Question]], say: Say
) -> None:
    """How many of the claims that people or the attribute bank made came to be asked about."""

    def asked(kind: str) -> int:
        questions = (one for split in splits.values() for one in split if one.description_kind == kind)
        return len({(one.image, one.description) for one in questions})

    if spec.descriptions.file is not None:
        claims = sum(len(one.true) + len(one.false) for one in given.values())
        name = Path(spec.descriptions.file).name
        say(f"{name}: {asked('given'):,} of its {claims:,} claims are asked about (CLIP's likeliest, of the sampled images).")
    if "bank" in spec.descriptions.sources:
        say(f"The attribute bank: {asked('bank'):,} of its claims are asked about.")


def _summary(draft: _Draft) -> str:
    return first_few(f"{draft.file(image)} ({reason})" for image, reason in draft.reasons.items())


def _own_files(spec: BenchmarkSpec) -> list[Path]:
    named = (spec.descriptions.file, spec.guards.ontology_table, spec.guards.review)
    return [Path(name) for name in named if name is not None]


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
            "descriptions": spec.descriptions.model_copy(update={"file": last(spec.descriptions.file)}),
            "guards": guards.model_copy(update={"ontology_table": last(guards.ontology_table), "review": last(guards.review)}),
            "clip": None if spec.clip is None else named(spec.clip),
            "encoders": {name: named(clip) for name, clip in spec.encoders.items()},
        }
    )
