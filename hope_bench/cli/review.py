"""hope-bench review, review-merge and label-noise: people decide which claims hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from hope_bench.cli.app import app, as_values, errors, line, print_json, print_tables, say
from hope_bench.cli.options import AsJson, BenchmarkArgument, Images, Split
from hope_bench.errors import counted
from hope_bench.tables import plain_table

if TYPE_CHECKING:
    from hope_bench.reviewing.agreement import Agreement, Merged
    from hope_bench.reviewing.noise import LabelNoise, Share


@app.command()
def review(
    benchmark: BenchmarkArgument,
    images: Images = None,
    annotations: Annotated[
        Path | None, typer.Option(help="The annotation file, for the boxes of what is there. Default: the spec's.")
    ] = None,
    split: Split = None,
    reviewer: Annotated[str | None, typer.Option(help="Your name, kept with each decision. Default: your login name.")] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="The decisions file. Default: review/REVIEWER.jsonl beside the questions.")
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="Look at the questions that this file lists, such as the leaderboard's that fool all models."),
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
    as_json: AsJson = False,
) -> None:
    """Answer a benchmark's questions yourself: there, not there or unsure. Opens a page for this machine alone.

    The likeliest wrong labels come first, and the page says how long is left and when to stop. Keys: T there (Y yes), N not
    there, U unsure, Z undo, B boxes, + and - zoom. Every decision is on disk at once, and the same command goes on where you
    stopped. With --sample, the questions come in random order, without what the
    benchmark says of them, and the label noise of every split is estimated at the end; hope-bench label-noise publishes it.
    With --run too, they are drawn so that the few questions which that run got wrong are looked at as often as the many that it
    got right; hope-bench score RUN --reviewed FILE then gives its rates under the truth that you found.

    Examples:

    hope-bench review my-benchmark --images val2014 --annotations instances_val2014.json

    hope-bench review my-benchmark --images val2014 --sample 100 --reviewer alice

    hope-bench review my-benchmark --images val2014 --sample 50 --run my-benchmark/llava-1.5-7b

    hope-bench review my-benchmark --images val2014 --questions my-benchmark-9f2c01d4e8b7-review.jsonl
    """
    from hope_bench.api.looking import review as serve

    done = serve(
        benchmark, images=images, annotations=annotations, splits=as_values(split), reviewer=reviewer, decisions=decisions,
        questions=questions, sample=sample, seed=seed, run=run, port=port,
        ready=lambda address: errors.print(f"Open {address} (this machine only). Ctrl-C ends the review.", highlight=False),
    )  # fmt: skip
    if as_json:
        print_json(done)
        return
    words = {"present": "there", "absent": "not there", "unsure": "unsure"}
    counts = ", ".join(f"{done.counts.get(verdict, 0):,} {word}" for verdict, word in words.items())
    line(f"{sum(done.counts.values()):,} of {counted(done.claims, 'claim')} decided: {counts}.")
    if done.giving_way:
        line(f"{done.giving_way:,} of them give way to the next best: hope-bench generate ... --reviewed DECISIONS.")
    if done.staying:
        line(
            f"{done.staying:,} stay: only POPE's own splits ask them, which no review changes. Splits that heed it: "
            "random-guarded, popular-guarded, adversarial-guarded."
        )
    if done.noise is not None:
        print_tables([noise_table(done.noise)])
    line(f"Decisions: {done.decisions}")


@app.command()
def review_merge(
    files: Annotated[list[Path], typer.Argument(help="Two or more decisions files.", metavar="FILE FILE...")],
    out: Annotated[Path | None, typer.Option(help="Write the merged decisions here.")] = None,
    show: Annotated[int, typer.Option(min=0, help="List at most this many disagreements.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Merge reviewers' decisions; print how far they agree (Cohen's kappa) and where they don't.

    A claim that they decide differently becomes "unsure" in the merged file, which hope-bench generate then doesn't ask.

    Example: hope-bench review-merge alice.jsonl bob.jsonl --out merged.jsonl
    """
    from hope_bench.api.looking import merge_reviews

    merged = merge_reviews(files, out=out, say=say)
    if as_json:
        print_json({"agreements": merged.agreements, "disagreements": merged.disagreements, "decisions": len(merged.decisions)})
        return
    print_tables([agreement_table(merged.agreements)])
    _print_disagreements(merged, show)
    if out is not None:
        line(f"{counted(len(merged.decisions), 'merged decision')}: {out}")


@app.command()
def label_noise(
    benchmark: BenchmarkArgument,
    files: Annotated[
        list[Path], typer.Argument(help="Decisions files of people who reviewed the sample, one each.", metavar="FILE...")
    ],
    sample: Annotated[int, typer.Option(min=1, help="The --sample of their review.")],
    seed: Annotated[int, typer.Option(help="The --seed of their review.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Publish how many labels of a benchmark are wrong, as a reviewed random sample estimates it.

    Writes label_noise.json beside the benchmark's manifest.json, where inspect, report and the leaderboard find it. Of each
    split's sample, what is decided without a gap from its beginning counts; a split with fewer than 20 such questions (unless
    they are its whole sample) is left out. Where reviewers differ, the claim counts as unsure.

    Example: hope-bench label-noise my-benchmark alice.jsonl bob.jsonl --sample 100
    """
    from hope_bench.api.looking import label_noise as publish

    published = publish(benchmark, files, sample=sample, seed=seed, say=say)
    if as_json:
        print_json(published)
        return
    agreed = [agreement_table(published.agreements)] if published.agreements else []
    print_tables([noise_table(published.estimates), *agreed])
    line(f"Label noise: {published.path}")


def agreement_table(agreements: Sequence[Agreement]) -> Table:
    """How far pairs of reviewers agree."""
    table = plain_table("Agreement", "reviewers", ">decided by both", ">alike", ">Cohen's kappa")
    for pair in agreements:
        alike = "-" if pair.share is None else f"{pair.agreed:,} ({100 * pair.share:.1f}%)"
        kappa = "undefined" if pair.kappa is None else f"{pair.kappa:.3f}"
        table.add_row(Text(" and ".join(pair.reviewers)), f"{pair.common:,}", alike, kappa)
    return table


def _print_disagreements(merged: Merged, show: int) -> None:
    if not merged.disagreements or not show:
        return
    table = plain_table(f"Disagreements ({len(merged.disagreements):,})", "image", "claim", "decisions")
    for by_reviewer in merged.disagreements[:show]:
        first = next(iter(by_reviewer.values()))
        said = ", ".join(f"{name}: {one.decision}" for name, one in by_reviewer.items())
        table.add_row(*map(Text, (first.image, first.question or first.description or first.object, said)))
    print_tables([table])
    if len(merged.disagreements) > show:
        line(f"... and {len(merged.disagreements) - show:,} more (--show {len(merged.disagreements)}).")


def noise_table(rows: Sequence[LabelNoise]) -> Table:
    """The label-noise estimates of the splits."""
    title = "Label noise, estimated from the sample (95% Wilson intervals)"
    table = plain_table(title, "split", "label", ">reviewed", ">wrong", ">unsure")
    for row in rows:
        table.add_row(Text(row.split), row.label, f"{row.reviewed:,} of {row.sampled:,}", _share(row.wrong), _share(row.unsure))
    return table


def _share(share: Share) -> str:
    if share.value is None or share.low is None or share.high is None:
        return "-"
    return f"{100 * share.value:.1f}% [{100 * share.low:.1f}, {100 * share.high:.1f}]"
