"""What the page of one result shows: one template draws it on the leaderboard and as a report that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from hope_bench.files.result import Comparison, Result
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Estimate, ReliabilityBin, SplitScore
from hope_bench.reporting.content import Extras, Shown
from hope_bench.reporting.heat import HeatMap, PartsTable, heat_map, parts_tables
from hope_bench.reporting.marks import Axis, axis_over
from hope_bench.reporting.rows import SplitRow, baseline_split, facts, find_comparison, reproduce, split_rows

HEAT_ROWS = 12
"""Categories that stand open in the heat map; all are in the table folded below it."""


@dataclass(frozen=True, slots=True)
class Drill:
    """Where the questions behind a number are shown: `wall` is the address of the benchmark's questions, and `claims` that of the
    question at each place of a split; nothing where they aren't published."""

    wall: str | None = None
    claims: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def split(self, name: str, answer: str = "no") -> str | None:
        """The questions of a split with that answer: "no" for what isn't there, "" for all."""
        return None if self.wall is None else f"{self.wall}#split={quote(name)}{'' if answer == 'no' else f'&truth={answer}'}"

    def kind(self, split: str, part: str | None) -> str | None:
        """Those of a kind of description, as a result's parts are called."""
        if self.wall is None or part is None:
            return None
        return f"{self.wall}#split={quote(split)}&kind={quote('object' if part == 'plain' else part)}"

    def category(self, split: str, name: str | None) -> str | None:
        """Those about a category."""
        return None if self.wall is None or name is None else f"{self.wall}#split={quote(split)}&object={quote(name)}"

    def claim(self, split: str, place: int) -> str | None:
        """One question."""
        return self.claims.get((split, place))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The same model on another benchmark: its title and page, the rank in words, and two numbers of its headline split."""

    title: str
    page: str
    place: str
    hallucination_rate: Estimate
    balanced_accuracy: Estimate


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One result as its page shows it. `standing` says in words where it ranks and `warning` why it doesn't, each empty where
    there is nothing to say; `worst` are its hallucinations with their pictures' addresses."""

    result: Result
    standing: str = ""
    warning: str = ""
    worst: tuple[Shown, ...] = ()
    extras: Extras = field(default_factory=Extras)
    elsewhere: tuple[Elsewhere, ...] = ()
    drill: Drill = field(default_factory=Drill)

    @property
    def headline(self) -> SplitScore:
        """The split by which models are ranked."""
        return self.result.splits[self.result.benchmark.headline]

    @property
    def baseline(self) -> str | None:
        """The POPE split that HOPE is held against."""
        return baseline_split(self.result)

    @property
    def lead(self) -> Comparison | None:
        """The headline split against that baseline."""
        return find_comparison(self.result, self.result.benchmark.headline, self.baseline)

    @property
    def axis(self) -> Axis:
        """The axis of all splits' hallucination rates."""
        return axis_over((split.hallucination_rate for split in self.result.splits.values()), from_zero=True)

    @property
    def splits(self) -> tuple[SplitRow, ...]:
        """The splits, POPE's first."""
        return split_rows(self.result, self.baseline, self.axis)

    @property
    def nearest(self) -> tuple[Comparison, ...]:
        """The comparisons with that baseline, and with the splits' own controls."""
        return tuple(pair for pair in self.result.comparisons if self._is_nearest(pair))

    @property
    def others(self) -> tuple[Comparison, ...]:
        """All other comparisons."""
        return tuple(pair for pair in self.result.comparisons if not self._is_nearest(pair))

    def _is_nearest(self, pair: Comparison) -> bool:
        return pair.baseline == self.baseline or self.result.splits[pair.baseline].kind == "control"

    @property
    def surest(self) -> bool:
        """Whether anything tells how sure its hallucinations are."""
        return bool(self.worst) and self.worst[0].claim.p_yes is not None

    @property
    def heat(self) -> HeatMap | None:
        """The categories by splits."""
        return heat_map(self.splits)

    @property
    def tables(self) -> list[PartsTable]:
        """Kinds of claims and sizes of objects."""
        return parts_tables(self.result)

    @property
    def reliability(self) -> list[tuple[str, Kind, tuple[ReliabilityBin, ...]]]:
        """(split, kind, bins) of the POPE baseline, the first control and the headline split, as far as they have P(yes): one of
        each mark."""
        controls = [name for name, split in self.result.splits.items() if split.kind == "control" and split.probabilities]
        chosen = dict.fromkeys([*([self.baseline] if self.baseline else []), *controls[:1], self.result.benchmark.headline])
        return [
            (name, self.result.splits[name].kind, known.bins)
            for name in chosen
            if (known := self.result.splits[name].probabilities) is not None and known.bins
        ]

    @property
    def facts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Where it comes from."""
        return facts(self.result)

    @property
    def commands(self) -> list[str]:
        """How to have it again."""
        return reproduce(self.result)

    @property
    def unread(self) -> list[tuple[str, str]]:
        """(split, what got neither a yes nor a no, in words) of each split where that is anything."""
        return [(name, words) for name, split in self.result.splits.items() if (words := _unread(split))]


def _unread(split: SplitScore) -> str:
    verdicts = (("unparsed", "unparsed"), ("error", "errors"), ("unasked", "unasked"))
    counts = [(getattr(split.on_yes, name) + getattr(split.on_no, name), words) for name, words in verdicts]
    return ", ".join(f"{count:,} {words}" for count, words in counts if count)
