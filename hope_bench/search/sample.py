"""The second step of generating: the images that are asked about, what their files are, and POPE's draws for them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hope_bench.annotations.fitting import check_layout, fit_boxes
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.spec import DESCRIPTION_STRATEGIES, base_strategy
from hope_bench.images import hash_images
from hope_bench.records import Annotations
from hope_bench.search.inputs import Inputs, read_inputs
from hope_bench.search.pope import eligible_images, pope_negatives, sample_images


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The drawn images, and what became of each.

    `images` are indices in `annotations`, in drawn order; `pope` holds each one's negatives as `pope_negatives` draws them.
    `sha256` are the digests of the files, by image; `skipped` tells why some images get no questions; `notes` says in words what
    was survived.
    """

    annotations: Annotations
    images: tuple[int, ...]
    pope: Mapping[str, Sequence[list[str] | None]]
    sha256: Mapping[int, str] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def left(self) -> tuple[int, ...]:
        """The images that nothing speaks against so far."""
        return tuple(image for image in self.images if image not in self.skipped)

    def file(self, image: int) -> str:
        """An image's file name."""
        return self.annotations.images[image].file_name

    def without(self, reasons: Mapping[int, str], notes: Sequence[str] = ()) -> Sample:
        """The same, some more images skipped and some more survived."""
        return replace(self, skipped={**self.skipped, **reasons}, notes=(*self.notes, *notes))

    def need_some(self) -> None:
        """Raise HopeBenchError where no image is left."""
        if not self.left():
            short = {reason.rpartition(" ")[2] for reason in self.skipped.values() if reason.startswith("fewer than")}
            advice = f" Leave {first_few(sorted(short))} out (--strategies), or lower k (--k)." if short else ""
            raise HopeBenchError(
                f"No question could be made: all {len(self.images)} sampled images were skipped ({self.summary()}).{advice}"
            )

    def summary(self) -> str:
        """The first skipped images, each with its reason."""
        return first_few(f"{self.file(image)} ({reason})" for image, reason in self.skipped.items())


def draw_sample(inputs: Inputs) -> Sample:
    """Draw the spec's number of images, and POPE's negatives for them, from one generator, as POPE does; look at their files.

    An image whose file is missing is skipped; a box that doesn't fit its file is dropped. Raises HopeBenchError where too few
    images show k categories.
    """
    spec, annotations = inputs.spec, inputs.annotations
    rng = random.Random(spec.seed)
    images = _draw(rng, inputs)
    negatives = pope_negatives(rng, [annotations.present(image) for image in images], spec.k, _unverified(inputs, images))
    sample = Sample(annotations, images, negatives, notes=annotations.problems)
    if inputs.images is not None:
        sample = _look_at_files(sample, inputs)
    problems = list(inputs.problems)
    files = {sample.file(image) for image in images}
    if spec.guards.review is not None and not any(one.image in files for one in inputs.decisions):
        problems.append(f"{Path(spec.guards.review).name}: none of its decisions is about the sampled images.")
    return replace(sample, notes=(*sample.notes, *problems))


LEAST_OTHERS = 20
"""Of fewer other images nothing is learnt that would be worth telling."""


def draw_others(inputs: Inputs, sample: Sample) -> tuple[Inputs, Sample] | None:
    """A second sample, of images that are not in the first, and what it is made from; None where too few are there (or wanted).

    It is drawn from a generator of its own, so that the benchmark's questions don't depend on it. Raises HopeBenchError where the
    spec's blind.annotations can't be read.
    """
    spec = inputs.spec
    if spec.blind.images == 0:
        return None
    theirs = inputs
    if spec.blind.annotations is not None:
        files = {"annotations": spec.blind.annotations, "captions": spec.blind.captions, "images": spec.blind.images_folder}
        guards = spec.guards.model_copy(update={"evidence": None})  # which is about the benchmark's own images
        theirs = read_inputs(spec.model_copy(update={"dataset": spec.dataset.model_copy(update=files), "guards": guards}))
    annotations = theirs.annotations
    taken = {sample.file(image) for image in sample.images}
    present = [annotations.present(image) for image in range(len(annotations.images))]
    names = [image.file_name for image in annotations.images]
    eligible = [image for image in eligible_images(present, spec.k) if names[image] not in taken]
    if theirs.images is not None:  # who has but the benchmark's own images learns nothing from others
        eligible = [image for image in eligible if (theirs.images / names[image]).is_file()]
    wanted = min(spec.blind.images, len(sample.images), len(eligible))
    if wanted < LEAST_OTHERS:
        return None
    rng = random.Random(f"{spec.seed} blind")
    images = tuple(rng.sample(eligible, wanted))
    negatives = pope_negatives(rng, [present[image] for image in images], spec.k, _unverified(theirs, images))
    drawn = Sample(annotations, images, negatives)
    drawn = drawn if theirs.images is None else _look_at_files(drawn, theirs)
    return None if len(drawn.left()) < LEAST_OTHERS else (theirs, drawn)


def _draw(rng: random.Random, inputs: Inputs) -> tuple[int, ...]:
    spec, annotations = inputs.spec, inputs.annotations
    asked = range(len(annotations.images)) if inputs.listed is None else inputs.listed
    present = [annotations.present(image) if image in asked else () for image in range(len(annotations.images))]
    eligible = len(eligible_images(present, spec.k))
    wanted = eligible if spec.sample_images == "all" else spec.sample_images
    if not eligible or eligible < wanted:
        instead = f"Pass --sample-images {eligible} (or all), or lower k (--k)." if eligible else "Is it the right file?"
        among = "" if inputs.listed is None else " of the image list"
        raise HopeBenchError(
            f"{inputs.path} has {counted(eligible, 'image')}{among} with at least {spec.k} present categories, but "
            f"{wanted or 'some'} are wanted. {instead}"
        )
    described = _described(inputs)
    if not described:
        return tuple(sample_images(rng, present, wanted, spec.k))
    # People wrote about certain images: those with enough false descriptions first, then those with some.
    pool = eligible_images(present, spec.k)
    drawn: list[int] = []
    for least in dict.fromkeys((spec.k, 1, 0)):
        taken = set(drawn)
        of_these = [image for image in pool if described.get(image, 0) >= least and image not in taken]
        drawn += rng.sample(of_these, min(len(of_these), wanted - len(drawn)))
    return tuple(drawn)


def _described(inputs: Inputs) -> dict[int, int]:
    """How many false descriptions of people's own each image has, where a strategy asks for them."""
    if not inputs.given or not any(base_strategy(one) in DESCRIPTION_STRATEGIES for one in inputs.spec.strategies):
        return {}
    place = {image.file_name: index for index, image in enumerate(inputs.annotations.images)}
    return {place[name]: len(each.false) for name, each in inputs.given.items()}


def _unverified(inputs: Inputs, images: Sequence[int]) -> list[set[str]] | None:
    """On data with verified absences POPE's own splits draw from them too; elsewhere they are unguarded, by definition."""
    verified = inputs.annotations.verified_absent
    if verified is None or not inputs.spec.guards.verified:
        return None
    names = [category.name for category in inputs.annotations.categories]
    return [set(names) - {names[column] for column in verified.get(image, ())} for image in images]


def _look_at_files(sample: Sample, inputs: Inputs) -> Sample:
    """The sample with its files' digests, without those that can't be read, its boxes checked against the rest."""
    folder = inputs.images
    assert folder is not None
    results = dict(zip(sample.images, hash_images([folder / sample.file(image) for image in sample.images]), strict=True))
    sha256 = {image: digest for image, digest in results.items() if isinstance(digest, str)}
    skipped = {image: str(error) for image, error in results.items() if not isinstance(error, str)}
    annotations, misfits = fit_boxes(sample.annotations, tuple(sha256), folder)
    if inputs.spec.dataset.boxes is None:
        check_layout(sample.annotations, annotations, tuple(sha256), inputs.path)
    return replace(sample, annotations=annotations, sha256=sha256, skipped=skipped, notes=(*sample.notes, *misfits))
