"""What the page of one result shows: one template draws it on the leaderboard and as a report that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

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
    """Where the questions behind a number are shown: `wall` is the address of the benchmark's questions, `claims` that of the
    question at each place of a split, and `model` how the wall calls the page's model; nothing where they aren't published, or
    where the model's answers aren't among them."""

    wall: str | None = None
    claims: Mapping[tuple[str, int], str] = field(default_factory=dict)
    model: str | None = None

    def _where(self, split: str, answer: str = "no", **chosen: str | None) -> str | None:
        """The questions of a split with that answer ("" for either) and of all that is chosen; None where one isn't known."""
        if self.wall is None or None in chosen.values():
            return None
        truth = {} if answer == "no" else {"truth": answer}
        return f"{self.wall}#{urlencode({'split': split, **truth, **chosen}, quote_via=quote)}"

    def split(self, name: str, answer: str = "no") -> str | None:
        """The questions of a split with that answer: "no" for what isn't there, "" for all."""
        return self._where(name, answer)

    def kind(self, split: str, part: str | None) -> str | None:
        """Those about what isn't there of a kind of description, as a result's parts are called."""
        return self._where(split, kind="object" if part == "plain" else part)

    def category(self, split: str, name: str | None) -> str | None:
        """Those about a category that isn't there."""
        return self._where(split, object=name)

    def size(self, split: str, name: str | None) -> str | None:
        """Those about objects of a size that are there."""
        return self._where(split, "yes", size=name)

    def blind(self, split: str, way: str | None) -> str | None:
        """Those that a way of not looking answers right."""
        return self._where(split, "", blind=way)

    def risk(self, split: str, tenth: int) -> str | None:
        """Those whose estimated risk lies in a tenth of [0, 1], from 0."""
        return self._where(split, risk=str(tenth))

    def reviewed(self, split: str, finding: str, answer: str = "", *, asked: bool = False) -> str | None:
        """Those with that answer that people reviewed: "right", "wrong" or "unsure", "any" for all; with `asked`, those of them
        that the model was asked."""
        own = {"of": self.model, "said": "asked"} if asked else {}
        return self._where(split, answer, reviewed=finding, **own)

    def said(self, split: str, answer: str, verdict: str) -> str | None:
        """Those with that answer to which the model gave a verdict."""
        return self._where(split, answer, of=self.model, said=verdict)

    def tenth(self, split: str, tenth: int) -> str | None:
        """Those whose P(yes) by the model lies in a tenth of [0, 1], from 0."""
        return self._where(split, "", of=self.model, tenth=str(tenth))

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
