"""hope-bench review, review-merge and label-noise: people decide which claims hold."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hope_bench.cli.app import app, console, errors
from hope_bench.errors import HopeBenchError

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Benchmark
    from hope_bench.review.agreement import Agreement, Merged
    from hope_bench.review.claims import Claim, Key
    from hope_bench.review.decisions import Reviewed
    from hope_bench.review.noise import LabelNoise, Share
    from hope_bench.review.picture import Pictures
    from hope_bench.review.session import Session


@app.command()
def review(
    benchmark: Annotated[str, typer.Argument(help="A generated benchmark: its folder or name.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images. Default: what the spec.toml names.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="The annotation file, for the boxes of what is there. Default: the spec's.")
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only this split; may be given several times.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="Your name, kept with each decision. Default: your login name.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="The decisions file. Default: review/REVIEWER.jsonl beside the questions.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Look at a random sample of this many questions per split, to estimate label noise.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    run: Annotated[
        str | None,
        typer.Option(help="Sample by this run's answers, --sample questions of each label and answer, to correct its rates."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 7860,
) -> None:
    """Look at a benchmark's claims and decide: absent, present or unsure. Opens a page for this machine alone.

    The likeliest wrong claims come first. Keys: A absent, P present, U unsure, Z undo, B boxes. Every decision is on disk at
    once, and the same command goes on where you stopped. With --sample, the questions come in random order, without what the
    benchmark says of them, and the label noise of every split is estimated at the end; hope-bench label-noise publishes it.
    With --run too, they are drawn so that the few questions which that run got wrong are looked at as often as the many that it
    got right; hope-bench score RUN --reviewed FILE then gives its rates under the truth that you found.

    Examples:

    hope-bench review my-benchmark --images val2014 --annotations instances_val2014.json

    hope-bench review my-benchmark --images val2014 --sample 100 --reviewer alice

    hope-bench review my-benchmark --images val2014 --sample 50 --run my-benchmark/llava-1.5-7b
    """
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.review.claims import review_queue
    from hope_bench.review.decisions import DecisionsFile
    from hope_bench.review.noise import label_noise
    from hope_bench.review.sampling import draw_samples
    from hope_bench.review.session import Session

    chosen = read_benchmark(find_benchmark(benchmark))
    chosen = chosen.select(split) if split else chosen
    name = reviewer or _login()
    path = decisions or chosen.folder / "review" / f"{_file_name(name)}.jsonl"
    if run is not None and sample is None:
        raise HopeBenchError("--run draws a sample; say how many questions of each label and answer with --sample N.")
    samples = None if sample is None or run is not None else draw_samples(chosen, sample, seed)
    queue = review_queue(chosen.splits) if sample is None else _drawn(chosen, sample, seed, run)
    pictures = _pictures(chosen, images, annotations)
    session = Session(queue, DecisionsFile(path), name, blind=sample is not None)
    _serve(session, pictures, port)
    done = session.counts()
    counts = ", ".join(f"{done[verdict]:,} {verdict}" for verdict in ("absent", "present", "unsure"))
    console.print(f"{done.total():,} of {len(queue):,} claims decided: {counts}.", highlight=False)
    if samples is not None:
        _wide().print(noise_table(label_noise(samples, session.file.decisions)))
    console.print(f"Decisions: {escape(str(path))}", soft_wrap=True, highlight=False)


def _drawn(benchmark: Benchmark, sample: int, seed: int, run: str | None) -> tuple[Claim, ...]:
    """The claims of a random sample of every split or, with a run, of each of its labels and answers."""
    from hope_bench.cli.score import find_run
    from hope_bench.review.sampling import draw_cells, draw_samples, inclusions, sample_queue
    from hope_bench.scoring.score import read_answered

    if run is None:
        return sample_queue(draw_samples(benchmark, sample, seed), seed, inclusions(benchmark, sample))
    _, file = read_answered(benchmark, find_run(run))
    said_yes = {(answer.image, answer.question): answer.verdict == "yes" for answer in file.answers}
    samples, inclusion = draw_cells(benchmark, said_yes, sample, seed)
    return sample_queue(samples, seed, inclusion)


def _serve(session: Session, pictures: Pictures, port: int) -> None:
    from hope_bench.review.page import serve

    def ready(address: str) -> None:
        errors.print(f"Open {address} (this machine only). Ctrl-C ends the review.", highlight=False)

    with contextlib.suppress(KeyboardInterrupt):  # how a review ends
        serve(session, pictures, port, ready)


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


def _pictures(benchmark: Benchmark, images: Path | None, annotations: Path | None) -> Pictures:
    from hope_bench.cli.data import find_annotations, find_images
    from hope_bench.review.picture import Pictures, known_present

    folder = find_images(benchmark, images)
    pictures = Pictures(folder, known_present(benchmark, find_annotations(benchmark, annotations)))
    if annotations is not None and not pictures.present:
        raise HopeBenchError(f"{annotations} lists none of the benchmark's images. Give the file it was made from.")
    return pictures


def _read_reviews(files: Sequence[Path]) -> dict[str, dict[Key, Reviewed]]:
    from hope_bench.review.agreement import read_reviews
    from hope_bench.review.decisions import is_cut_off

    reviews = read_reviews(files)
    for file in filter(is_cut_off, files):
        errors.print(f"{escape(str(file))}: its last line is cut off and is not counted.", soft_wrap=True, highlight=False)
    return reviews


@app.command()
def review_merge(
    files: Annotated[list[Path], typer.Argument(help="Two or more decisions files.", metavar="FILE FILE...")],
    out: Annotated[Path | None, typer.Option(help="Write the merged decisions here.")] = None,
    show: Annotated[int, typer.Option(min=0, help="List at most this many disagreements.")] = 20,
) -> None:
    """Merge reviewers' decisions; print how far they agree (Cohen's kappa) and where they don't.

    A claim that they decide differently becomes "unsure" in the merged file, which hope-bench generate then doesn't ask.

    Example: hope-bench review-merge alice.jsonl bob.jsonl --out merged.jsonl
    """
    from hope_bench.review.agreement import merge
    from hope_bench.review.decisions import write_decisions

    if len(files) < 2:
        raise HopeBenchError("Give two or more decisions files.")
    if out is not None and any(out.exists() and file.exists() and out.samefile(file) for file in files):
        raise HopeBenchError(f"--out {out} is one of the files to merge, and would be replaced. Give another --out.")
    merged = merge(_read_reviews(files))
    console.print(agreement_table(merged.agreements))
    _print_disagreements(merged, show)
    if out is not None:
        write_decisions(out, merged.decisions)
        console.print(f"{len(merged.decisions):,} merged decisions: {escape(str(out))}", soft_wrap=True, highlight=False)


@app.command()
def label_noise(
    benchmark: Annotated[str, typer.Argument(help="A generated benchmark: its folder or name.")],
    files: Annotated[
        list[Path], typer.Argument(help="Decisions files of people who reviewed the sample, one each.", metavar="FILE...")
    ],
    sample: Annotated[int, typer.Option(min=1, help="The --sample of their review.")],
    seed: Annotated[int, typer.Option(help="The --seed of their review.")] = 0,
) -> None:
    """Publish how many labels of a benchmark are wrong, as a reviewed random sample estimates it.

    Writes label_noise.json beside the benchmark's manifest.json, where inspect, report and the leaderboard find it. Of each
    split's sample, what is decided without a gap from its beginning counts; a split with fewer than 20 such questions (unless
    they are its whole sample) is left out. Where reviewers differ, the claim counts as unsure.

    Example: hope-bench label-noise my-benchmark alice.jsonl bob.jsonl --sample 100
    """
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.registry import find_benchmark
    from hope_bench.review.noise import LEAST_REVIEWED, estimate_noise, write_label_noise

    chosen = read_benchmark(find_benchmark(benchmark))
    estimate, short = estimate_noise(chosen, _read_reviews(files), sample, seed)
    _wide().print(noise_table(estimate.estimates))
    if estimate.agreements:
        console.print(agreement_table(estimate.agreements))
    if short:
        listed = ", ".join(f"{name} ({done} of {drawn})" for name, (done, drawn) in short.items())
        errors.print(
            f"Left out, with fewer than {LEAST_REVIEWED} (and not all) of the sample decided from the start: {escape(listed)}.",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    path = write_label_noise(chosen.folder, estimate)
    console.print(f"Label noise: {escape(str(path))}", soft_wrap=True, highlight=False)


def agreement_table(agreements: Sequence[Agreement]) -> Table:
    """How far pairs of reviewers agree."""
    table = Table(title="Agreement", title_justify="left")
    table.add_column("reviewers")
    for column in ("decided by both", "alike", "Cohen's kappa"):
        table.add_column(column, justify="right")
    for pair in agreements:
        alike = "–" if pair.share is None else f"{pair.agreed:,} ({100 * pair.share:.1f}%)"
        kappa = "undefined" if pair.kappa is None else f"{pair.kappa:.3f}"
        table.add_row(escape(" and ".join(pair.reviewers)), f"{pair.common:,}", alike, kappa)
    return table


def _print_disagreements(merged: Merged, show: int) -> None:
    if not merged.disagreements or not show:
        return
    table = Table(title=f"Disagreements ({len(merged.disagreements):,})", title_justify="left")
    for column in ("image", "claim", "decisions"):
        table.add_column(column, overflow="fold")
    for by_reviewer in merged.disagreements[:show]:
        first = next(iter(by_reviewer.values()))
        said = ", ".join(f"{name}: {one.decision}" for name, one in by_reviewer.items())
        table.add_row(*map(escape, (first.image, first.question or first.description or first.object, said)))
    console.print(table)
    if len(merged.disagreements) > show:
        console.print(f"... and {len(merged.disagreements) - show:,} more (--show {len(merged.disagreements)}).", highlight=False)


def _wide() -> Console:
    """Numbers cut off in a narrow pipe would be no numbers."""
    return Console(file=console.file, emoji=False, force_terminal=console.is_terminal, width=max(console.width, 100))


def noise_table(rows: Sequence[LabelNoise]) -> Table:
    """The label-noise estimates of the splits."""
    table = Table(title="Label noise, estimated from the sample (95% Wilson intervals)", title_justify="left")
    table.add_column("split", no_wrap=True)
    table.add_column("label")
    for column in ("reviewed", "wrong", "unsure"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(row.split, row.label, f"{row.reviewed:,} of {row.sampled:,}", _share(row.wrong), _share(row.unsure))
    return table


def _share(share: Share) -> str:
    if share.value is None or share.low is None or share.high is None:
        return "–"
    return f"{100 * share.value:.1f}%  [{100 * share.low:.1f}, {100 * share.high:.1f}]"
