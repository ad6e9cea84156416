"""Looking: people look at questions, decide which claims hold, and say how far the labels can be trusted."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.annotations.of_benchmark import find_annotations, find_images
from hope_bench.api.making import PathOr, hub_images, load_benchmark, path_or_none, teller
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.run import Run
from hope_bench.files.validation import Count, FromZero, Port, checked
from hope_bench.hub.names import name_of
from hope_bench.progress import ProgressMode, Say, progress_bar, progress_shown

if TYPE_CHECKING:
    from hope_bench.inspection.sizes import SizesAsked
    from hope_bench.inspection.summary import Summary
    from hope_bench.inspection.training import TrainingOverlap
    from hope_bench.records import Answer
    from hope_bench.reviewing.agreement import Agreement, Merged
    from hope_bench.reviewing.claims import Claim
    from hope_bench.reviewing.decisions import Reviewed
    from hope_bench.reviewing.noise import LabelNoise
    from hope_bench.search.decisions import ClaimKey


_LARGEST_UNASKED = 2**30
"""Bytes of an annotation file that is read without being asked to."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a benchmark holds: `summary` in counts, the published label `noise`, the `gallery`'s first page, the `sizes` of the
    objects asked about (empty where the annotations are not at hand), and how far its images occur in a `training` list (None:
    none was given)."""

    summary: Summary
    noise: tuple[LabelNoise, ...]
    gallery: Path
    sizes: tuple[SizesAsked, ...] = ()
    training: TrainingOverlap | None = None


@dataclass(frozen=True, slots=True)
class ReviewOutcome:
    """A sitting of a review: the `decisions` file, how many of `claims` were decided how, and the label `noise` that a sample
    shows (None: no sample). Of the claims found present or unsure, `giving_way` would be replaced by `generate(reviewed=)`, and
    `staying` are asked by POPE's own splits alone, which no review changes."""

    decisions: Path
    claims: int
    counts: Mapping[str, int]
    noise: tuple[LabelNoise, ...] | None
    giving_way: int = 0
    staying: int = 0


@checked
def inspect(
    benchmark: Benchmark | PathOr,
    *,
    images: PathOr | None = None,
    out: PathOr | None = None,
    no_images: bool = False,
    run: Run | PathOr | None = None,
    annotations: PathOr | None = None,
    training: PathOr | None = None,
    progress: ProgressMode = "auto",
    say: Say | None = None,
) -> Inspection:
    """Count what a benchmark holds, and write a gallery of its images and questions to look through.

    `images` is by default the folder it was generated from; `no_images` makes a gallery of the questions alone. It goes to
    `out` (default: build/inspect/NAME). A `run` adds a model's answers, the `annotations` (default: the spec's, if they are here)
    the sizes of objects and their boxes in an enlarged picture. `training` is a list of the images that a model was trained on
    (an annotation file, any file that names them, a folder), of which it is told how many are asked about. Raises HopeBenchError.

    Example: hb.inspect("hope-coco", images="val2014", run="hope-coco/llava-1.5-7b").gallery
    """
    from hope_bench.inspection.gallery import Beside, check_gallery, write_gallery
    from hope_bench.inspection.sizes import sizes_asked
    from hope_bench.inspection.summary import summarize
    from hope_bench.inspection.training import training_overlap
    from hope_bench.reviewing.noise import LABEL_NOISE_FILE, read_label_noise
    from hope_bench.reviewing.picture import known_present

    tell = teller(progress, say)
    for name, given in (("images", images), ("annotations", annotations)):
        if no_images and given is not None:
            raise HopeBenchError(
                f"--{name} would have no effect: --no-images makes a gallery without pictures. Leave one of them out."
            )
    chosen = load_benchmark(benchmark)
    model, answers = (None, {}) if run is None else _answers(chosen, run)
    folder = Path("build") / "inspect" / chosen.name if out is None else Path(out)
    check_gallery(folder)
    overlap = None if training is None else training_overlap(chosen.manifest.images, Path(training))
    pictures = None if no_images else find_images(chosen, path_or_none(hub_images(chosen, images)))
    published = read_label_noise(chosen.folder, chosen.manifest.hash)
    if published is None and (chosen.folder / LABEL_NOISE_FILE).is_file():
        tell(f"{LABEL_NOISE_FILE} is of other questions than these, and left out. Review a new sample.")
    noise = () if published is None else published.estimates
    summary = summarize(chosen, noise)
    known = None if pictures is None else find_annotations(chosen, path_or_none(annotations), _LARGEST_UNASKED, tell)
    boxes = {} if known is None else {image: one.boxes for image, one in known_present(chosen, known).items()}
    with progress_shown(progress), progress_bar("Thumbnails", len(chosen.manifest.images) if pictures else 0) as advance:
        failed = write_gallery(chosen, summary, folder, pictures, advance, Beside(boxes, model, answers))
    if failed:
        listed = first_few((f"{name} ({reason})" for name, reason in failed.items()), 3)
        tell(f"{counted(len(failed), 'image')} could not be shown: {listed}.")
    sizes = () if known is None else sizes_asked(chosen, known)
    return Inspection(summary, noise, folder / "index.html", sizes, overlap)


def _answers(benchmark: Benchmark, run: Run | PathOr) -> tuple[str, dict[tuple[str, str], Answer]]:
    """The model of a run and its answers, by image and question; an answer counts before an error."""
    from hope_bench.api.asking import load_run
    from hope_bench.scoring.score import read_answered

    record, file = read_answered(benchmark, load_run(run).folder)
    found: dict[tuple[str, str], Answer] = {}
    for answer in file.answers:
        if answer.error is None or (answer.image, answer.question) not in found:
            found[answer.image, answer.question] = answer
    return record.model.name, found


@checked
def review(
    benchmark: Benchmark | PathOr,
    *,
    images: PathOr | None = None,
    annotations: PathOr | None = None,
    splits: Sequence[str] = (),
    reviewer: str | None = None,
    decisions: PathOr | None = None,
    questions: PathOr | None = None,
    sample: Count | None = None,
    seed: FromZero = 0,
    run: Run | PathOr | None = None,
    port: Port = 7860,
    ready: Callable[[str], None] | None = None,
) -> ReviewOutcome:
    """Serve the review page, for this machine alone, until Ctrl-C: people decide which claims are absent, present or unsure.

    Every decision is on disk at once, in `decisions` (default: review/REVIEWER.jsonl beside the questions; `reviewer` is by
    default the login name), and the same call goes on where one stopped. `questions` is a file that lists which questions to look
    at (JSON lines with `image` and `question`), as the leaderboard publishes those that fool every model. `sample` looks at a
    random sample of that many questions a split, drawn by `seed`, to estimate label noise; with a `run`, of each label and answer
    of that run, to know its rates under the truth (`score(reviewed=)`). `ready` is told the page's address.

    Raises HopeBenchError.

    Example: hb.review("hope-coco", images="val2014", ready=print)
    """
    from hope_bench.annotations.fitting import fit_boxes
    from hope_bench.reviewing.claims import is_changeable, listed_queue, review_queue
    from hope_bench.reviewing.decisions import DecisionsFile
    from hope_bench.reviewing.noise import label_noise as noise_of
    from hope_bench.reviewing.page import serve
    from hope_bench.reviewing.picture import Pictures, known_present
    from hope_bench.reviewing.sampling import draw_samples
    from hope_bench.reviewing.session import Session

    chosen = load_benchmark(benchmark)
    if decisions is None:
        _check_beside(chosen, "decisions are kept", "or name their file with --decisions")
    chosen = chosen.select(splits) if splits else chosen
    name = reviewer or _login()
    path = Path(decisions) if decisions is not None else chosen.folder / "review" / f"{_file_name(name)}.jsonl"
    if run is not None and sample is None:
        raise HopeBenchError("--run draws a sample; say how many questions of each label and answer with --sample N.")
    if questions is not None and sample is not None:
        raise HopeBenchError("--questions lists what to look at, and --sample draws it at random. Give one of them.")
    samples = None if sample is None or run is not None else draw_samples(chosen, sample, seed)
    if questions is not None:
        queue = listed_queue(chosen.splits, Path(questions))
    else:
        queue = review_queue(chosen.splits) if sample is None else _drawn(chosen, sample, seed, run)
    folder = find_images(chosen, path_or_none(hub_images(chosen, images)))
    found = find_annotations(chosen, path_or_none(annotations))
    if found is not None:  # no box is drawn on a picture that it doesn't fit
        asked = [place for place, image in enumerate(found.images) if image.file_name in chosen.manifest.images]
        found, _ = fit_boxes(found, asked, folder)
    pictures = Pictures(folder, known_present(chosen, found))
    if annotations is not None and not pictures.present:
        raise HopeBenchError(f"{annotations} lists none of the benchmark's images. Give the file it was made from.")
    session = Session(queue, DecisionsFile(path), name, blind=sample is not None)
    with contextlib.suppress(KeyboardInterrupt):  # how a review ends
        serve(session, pictures, port, ready)
    done = session.counts()
    counts = {verdict: done[verdict] for verdict in ("absent", "present", "unsure")}
    noise = None if samples is None else tuple(noise_of(samples, session.file.decisions))
    rejected = [claim for claim in queue if claim.label == "no" and session.decision(claim) in ("present", "unsure")]
    giving_way = sum(map(is_changeable, rejected))
    return ReviewOutcome(path, len(queue), counts, noise, giving_way, len(rejected) - giving_way)


def _drawn(benchmark: Benchmark, sample: int, seed: int, run: Run | PathOr | None) -> tuple[Claim, ...]:
    """The claims of a random sample of every split or, with a run, of each of its labels and answers."""
    from hope_bench.api.asking import load_run
    from hope_bench.reviewing.sampling import draw_cells, draw_samples, inclusions, sample_queue
    from hope_bench.scoring.score import read_answered

    if run is None:
        return sample_queue(draw_samples(benchmark, sample, seed), seed, inclusions(benchmark, sample))
    _, file = read_answered(benchmark, load_run(run).folder)
    firsts = (answer for answer in file.answers if answer.sample == 0)
    said_yes = {(answer.image, answer.question): answer.verdict == "yes" for answer in firsts}
    samples, inclusion = draw_cells(benchmark, said_yes, sample, seed)
    return sample_queue(samples, seed, inclusion)


@checked
def merge_reviews(files: Sequence[PathOr], *, out: PathOr | None = None, say: Say | None = None) -> Merged:
    """Merge reviewers' decisions: how far they agree (Cohen's kappa), where they don't, and one decision a claim.

    What they decide differently is "unsure", which `generate` then doesn't ask. `out` is where the merged decisions go.

    Raises HopeBenchError, also where `out` is one of the files.

    Example: hb.merge_reviews(["alice.jsonl", "bob.jsonl"], out="merged.jsonl").agreements
    """
    from hope_bench.reviewing.agreement import merge
    from hope_bench.reviewing.decisions import write_decisions

    paths, target = [Path(file) for file in files], path_or_none(out)
    if len(paths) < 2:
        raise HopeBenchError("Give two or more decisions files.")
    if target is not None and any(target.exists() and file.exists() and target.samefile(file) for file in paths):
        raise HopeBenchError(f"--out {target} is one of the files to merge, and would be replaced. Give another --out.")
    merged = merge(_read_reviews(paths, teller("auto", say)))
    if target is not None:
        write_decisions(target, merged.decisions)
    return merged


@dataclass(frozen=True, slots=True)
class PublishedNoise:
    """A benchmark's label noise as it was published: estimates by split and label, how far reviewers agree, and the file."""

    estimates: tuple[LabelNoise, ...]
    agreements: tuple[Agreement, ...]
    path: Path


@checked
def label_noise(
    benchmark: Benchmark | PathOr, files: Sequence[PathOr], *, sample: Count, seed: FromZero = 0, say: Say | None = None
) -> PublishedNoise:
    """Publish how many labels of a benchmark are wrong, as reviewed random samples (`review(sample=, seed=)`) estimate it.

    Writes label_noise.json beside manifest.json, where inspect, report and the leaderboard find it. Splits with fewer than 20
    decided questions of the sample are left out. Shares are in [0, 1] with 95% intervals. Raises HopeBenchError.

    Example: hb.label_noise("hope-coco", ["alice.jsonl", "bob.jsonl"], sample=100)
    """
    from hope_bench.reviewing.noise import LEAST_REVIEWED, estimate_noise, write_label_noise

    tell = teller("auto", say)
    chosen = load_benchmark(benchmark)
    _check_beside(chosen, "label_noise.json is written", "and push it again afterwards")
    found, short = estimate_noise(chosen, _read_reviews([Path(file) for file in files], tell), sample, seed)
    if short:
        listed = ", ".join(f"{name} ({done} of {drawn})" for name, (done, drawn) in short.items())
        tell(f"Left out, with fewer than {LEAST_REVIEWED} (and not all) of the sample decided from the start: {listed}.")
    return PublishedNoise(tuple(found.estimates), tuple(found.agreements), write_label_noise(chosen.folder, found))


def _check_beside(benchmark: Benchmark, what: str, instead: str) -> None:
    """Raise HopeBenchError where something is to be written beside a benchmark that is on the Hub."""
    if (name := name_of(benchmark.folder)) is not None:
        raise HopeBenchError(
            f"{what.capitalize()} beside the benchmark, and hf:{name.repo} is on the Hub: hope-bench pull it first, {instead}."
        )


def _read_reviews(files: Sequence[Path], say: Say) -> dict[str, dict[ClaimKey, Reviewed]]:
    from hope_bench.reviewing.agreement import read_reviews
    from hope_bench.reviewing.decisions import is_cut_off

    reviews = read_reviews(files)
    for file in filter(is_cut_off, files):
        say(f"{file}: its last line is cut off and is not counted.")
    return reviews


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "reviewer"


def _file_name(reviewer: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in reviewer).strip("-.")
    if not kept:
        raise HopeBenchError(f"--reviewer {reviewer!r} gives no file name. Use letters or digits.")
    return kept
