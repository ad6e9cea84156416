"""One result as its page's rows: its splits with their marks, where it comes from, and how to have it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from hope_bench.files.result import Comparison, Result
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import SplitScore
from hope_bench.reporting.marks import Axis, Mark, mark

KINDS: dict[Kind, str] = {"pope": "POPE", "control": "control", "hope": "HOPE", "twin": "twins", "other": "other"}
"""What a split is, in the order in which pages show them."""


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One split of one model; `comparison` is that against the group's POPE baseline, where there is one."""

    name: str
    score: SplitScore
    kind: str
    headline: bool
    mark: Mark | None
    comparison: Comparison | None


def baseline_split(result: Result) -> str | None:
    """The POPE split that HOPE is held against: adversarial, POPE's hardest, else the last; None without a POPE split."""
    pope = [name for name, split in result.splits.items() if split.kind == "pope"]
    return "adversarial" if "adversarial" in pope else pope[-1] if pope else None


def find_comparison(result: Result, split: str, baseline: str | None) -> Comparison | None:
    """The comparison of a split with a baseline, if the result holds it."""
    return next((pair for pair in result.comparisons if (pair.split, pair.baseline) == (split, baseline)), None)


def split_rows(result: Result, baseline: str | None, axis: Axis) -> tuple[SplitRow, ...]:
    """A result's splits, POPE's first; HOPE's marks are tied to the POPE baseline's hallucination rate."""
    base = None if baseline is None else result.splits[baseline].hallucination_rate
    order = list(KINDS)
    return tuple(
        SplitRow(
            name=name,
            score=split,
            kind=KINDS[split.kind],
            headline=name == result.benchmark.headline,
            mark=mark(split.kind, split.hallucination_rate, axis, base if split.kind == "hope" else None),
            comparison=find_comparison(result, name, baseline),
        )
        for name, split in sorted(result.splits.items(), key=lambda item: order.index(item[1].kind))
    )


def reproduce(result: Result) -> list[str]:
    """The shell commands that give this result again, as far as the result knows them."""
    benchmark, name = shlex.quote(result.benchmark.name), result.called
    score = f"hope-bench score {shlex.quote(result.benchmark.name + '/' + name)}"
    if result.bootstrap.replicates != 2000:
        score += f" --replicates {result.bootstrap.replicates}"
    if result.run.command is not None:
        return [result.run.command, score]
    run, model = result.run, result.model
    settings = _options(
        ("--revision", model.revision if run.weights_sha256 is None else None),
        ("--dtype", run.dtype),
        ("--batch-size", run.batch_size),
        ("--thinking", "on" if run.thinking else None),
        ("--max-new-tokens", run.max_new_tokens),
        ("--limit", run.limit),
    )
    evaluate = (
        f"hope-bench evaluate --model {shlex.quote(model.checkpoint or model.name)} --benchmark {benchmark} --images IMAGES"
    )
    return [f"{evaluate} --name {name}{settings}", score]


def _options(*options: tuple[str, str | int | None]) -> str:
    return "".join(f" {flag} {shlex.quote(str(value))}" for flag, value in options if value is not None)


def facts(result: Result) -> list[tuple[str, list[tuple[str, str]]]]:
    """Where a result comes from, as titled lists of (what, value); unknown things are left out."""
    model, benchmark, run, bootstrap = result.model, result.benchmark, result.run, result.bootstrap
    searchers = ", ".join(filter(None, (benchmark.clip, *benchmark.encoders.values())))
    groups = (
        ("Model", (("checkpoint", model.checkpoint), ("revision", model.revision), ("family", model.family),
                   ("vision tower", model.vision_tower), ("parameters", model.parameters), ("licence", model.license),
                   ("weights sha256", run.weights_sha256))),
        ("Benchmark", (("name", benchmark.name), ("dataset", benchmark.dataset), ("images", f"{benchmark.images:,}"),
                       ("prompt", benchmark.prompt), ("distractors chosen by", searchers), ("hash", benchmark.hash))),
        ("Run", (("name", run.name), ("training step", None if run.step is None else f"{run.step:,}"), ("source", run.source),
                  ("asked with", run.prompt if run.prompt != benchmark.prompt else None),
                 ("of the prompts", None if run.prompt_set is None else f"{run.prompt_set}: {run.prompt_name}"),
                 ("adapter", run.adapter), ("precision", run.dtype), ("device", run.device), ("batch size", run.batch_size),
                 ("longest answer", None if run.max_new_tokens is None else f"{run.max_new_tokens} tokens"),
                 ("thinks first", None if run.thinking is None else "yes" if run.thinking else "no"), ("decoding", run.decoding),
                 ("answers to each question", run.samples),
                 ("limit", run.limit),
                 ("versions", ", ".join(f"{package} {version}" for package, version in sorted(run.versions.items()))),
                 ("commit", run.commit))),
        ("Scoring", (("convention", result.convention),
                     ("intervals", f"{100 * bootstrap.confidence:g}%, Korn-Graubard and MOVER, clustered by image"),
                     ("bootstrap", f"{bootstrap.replicates:,} replicates, seed {bootstrap.seed}"))),
    )  # fmt: skip
    known = ((title, [(what, str(value)) for what, value in pairs if value not in (None, "")]) for title, pairs in groups)
    return [(title, pairs) for title, pairs in known if pairs]


def questions(rows: Sequence[SplitRow]) -> int:
    """How many questions the splits ask together."""
    return sum(len(row.score.labels) for row in rows)
