"""What the pages say: results as the rows, words and marks that the templates lay out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hope_bench.files.card import slug
from hope_bench.files.result import Comparison, Result
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.site.marks import Axis, Mark, axis_of_most, axis_over, mark
from hope_bench.site.ranges import Range, headline_ranges
from hope_bench.site.reading import Entry, Group, ranked, unranked_reason

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


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of a benchmark: its standing (`rank` by balanced accuracy, and the `ranges` that its rank by each number may lie
    in, or the reason it has none), and its splits, whose marks are on its own `axis` of hallucination rates. `before` is the
    rate that POPE showed, None where the headline split is POPE's own or nothing is held against it."""

    entry: Entry
    rank: int | None
    ranges: Mapping[str, Range | None]
    reason: str | None
    headline: SplitScore
    baseline: SplitScore | None
    comparison: Comparison | None
    before: Estimate | None
    mark: Mark | None
    axis: Axis
    splits: tuple[SplitRow, ...]

    @property
    def range(self) -> Range | None:
        """The range of its rank by balanced accuracy, which ranks."""
        return self.ranges.get("balanced_accuracy")

    @property
    def place(self) -> str:
        """The rank in words."""
        return place_in_words(self.range)

    @property
    def detail(self) -> str:
        """What tells it from others of its name: its size, and the training step of a checkpoint."""
        step = self.entry.result.run.step
        return ", ".join(filter(None, (self.entry.result.model.parameters, "" if step is None else f"step {step:,}")))

    @property
    def auroc(self) -> Estimate | None:
        """AUROC on the headline split; None without P(yes)."""
        return None if self.headline.probabilities is None else self.headline.probabilities.auroc


def place_in_words(found: Range | None) -> str:
    """A rank as "3", or "2–5" where the benchmark doesn't tell a model from its neighbours; a dash for none."""
    if found is None:
        return "–"
    best, worst = found
    return str(best) if best == worst else f"{best}–{worst}"


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's part of the leaderboard: `anchor` leads to it on the first page, `key` names its own pages for ever, and
    `baseline` is the POPE split HOPE is held against."""

    anchor: str
    key: str
    about: Result
    baseline: str | None
    ranking_axis: Axis
    rows: tuple[ModelRow, ...]

    @property
    def ranked(self) -> list[ModelRow]:
        """The ranked models, the best first."""
        return [row for row in self.rows if row.rank is not None]

    @property
    def unranked(self) -> list[ModelRow]:
        """The models shown without a rank."""
        return [row for row in self.rows if row.rank is None]

    @property
    def compares(self) -> bool:
        """Whether its headline split is held against a POPE split."""
        return any(row.comparison is not None for row in self.rows)


def section(group: Group, alone: bool) -> Section:
    """A group of results as a section; `alone` says that no other hash of the same benchmark is on the page."""
    about = group.first
    baseline = baseline_split(about)
    headline = about.benchmark.headline
    drawn = [headline, *([baseline] if baseline else [])]
    ranking_axis = axis_of_most([entry.result.splits[name].hallucination_rate for entry in group.entries for name in drawn])
    places = {entry.page: rank for rank, entry in ranked(group.entries)}
    order = sorted(group.entries, key=lambda entry: (places.get(entry.page, len(places) + 1), entry.page))
    ranges = _ranges(order, headline)
    rows = tuple(_model_row(entry, places.get(entry.page), ranges.get(entry.page, {}), baseline, ranking_axis) for entry in order)
    key = f"{slug(about.benchmark.name)}-{about.benchmark.hash[:12]}"
    anchor = slug(about.benchmark.name) if alone else key
    return Section(anchor, key, about, baseline, ranking_axis, rows)


def _ranges(entries: Sequence[Entry], headline: str) -> dict[str, Mapping[str, Range | None]]:
    ranked_only = [entry for entry in entries if unranked_reason(entry.result) is None]
    if not ranked_only:
        return {}
    ranges = headline_ranges([entry.result.splits[headline] for entry in ranked_only])
    return {entry.page: {metric: found[number] for metric, found in ranges.items()} for number, entry in enumerate(ranked_only)}


def baseline_split(result: Result) -> str | None:
    """The POPE split that HOPE is held against: adversarial, POPE's hardest, else the last; None without a POPE split."""
    pope = [name for name, split in result.splits.items() if split.kind == "pope"]
    return "adversarial" if "adversarial" in pope else pope[-1] if pope else None


def find_comparison(result: Result, split: str, baseline: str | None) -> Comparison | None:
    """The comparison of a split with a baseline, if the result holds it."""
    return next((pair for pair in result.comparisons if (pair.split, pair.baseline) == (split, baseline)), None)


def _model_row(
    entry: Entry, rank: int | None, ranges: Mapping[str, Range | None], baseline: str | None, ranking_axis: Axis
) -> ModelRow:
    result = entry.result
    headline = result.splits[result.benchmark.headline]
    base = None if baseline is None else result.splits[baseline]
    before = None if base is None or headline.kind == "pope" else base.hallucination_rate
    axis = axis_over((split.hallucination_rate for split in result.splits.values()), from_zero=True)
    return ModelRow(
        entry=entry,
        rank=rank,
        ranges=ranges,
        reason=unranked_reason(result),
        headline=headline,
        baseline=base,
        comparison=find_comparison(result, result.benchmark.headline, baseline),
        before=before,
        mark=mark(headline.kind, headline.hallucination_rate, ranking_axis, before),
        axis=axis,
        splits=split_rows(result, baseline, axis),
    )


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
