"""What the pages say: results as the rows, words and marks that the templates lay out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hope_bench.files.card import slug
from hope_bench.files.result import Comparison, Result
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.provenance import short_hash
from hope_bench.reporting.marks import Axis, Mark, axis_of_most, axis_over, mark
from hope_bench.reporting.rows import SplitRow, baseline_split, find_comparison, split_rows
from hope_bench.site.ranges import Range, headline_ranges
from hope_bench.site.reading import Entry, Group, ranked, unranked_reason


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
    def called(self) -> str:
        """The model's name, with the training step of a checkpoint."""
        name, step = self.entry.result.model.name, self.entry.result.run.step
        return name if step is None else f"{name}, step {step:,}"

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
    key = f"{slug(about.benchmark.name)}-{short_hash(about.benchmark.hash)}"
    anchor = slug(about.benchmark.name) if alone else key
    return Section(anchor, key, about, baseline, ranking_axis, rows)


def _ranges(entries: Sequence[Entry], headline: str) -> dict[str, Mapping[str, Range | None]]:
    ranked_only = [entry for entry in entries if unranked_reason(entry.result) is None]
    if not ranked_only:
        return {}
    ranges = headline_ranges([entry.result.splits[headline] for entry in ranked_only])
    return {entry.page: {metric: found[number] for metric, found in ranges.items()} for number, entry in enumerate(ranked_only)}


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
