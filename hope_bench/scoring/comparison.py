"""A comparison of models as records: standings, pairs, and what print and the command line show of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from hope_bench.errors import counted, first_few
from hope_bench.files.split_score import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from hope_bench.tables import Summary

LOWER_IS_BETTER = ("hallucination_rate",)

_PAIRS_IN_WORDS = 3
_WORDS = {"f1": "F1", "mcc": "MCC"}


@dataclass(frozen=True, slots=True)
class Standing:
    """One model on the split: `rank` 1 is the best, equal values share one. All models' true ranks lie between their `rank_low`
    and `rank_high` at once with 95% confidence (`scoring.ranks`); None where the number is undefined, or too many answers
    can't be judged."""

    name: str
    value: Estimate
    rank: int | None
    rank_low: int | None
    rank_high: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Model `one` minus model `other`, paired by image.

    `p` is the exact sign-flip test's two-sided p-value for no difference in the metric, `p_holm` the same corrected for all pairs
    compared; `right_p` tests whether the two are right equally often (McNemar's question, with questions clustered by image).
    `one_only` and `other_only` count the questions that only one of the two got right (of several samples: more often).
    `detectable` is the smallest true difference that a comparison of this size finds 4 times in 5. None where undefined, as p is
    where no image tells the two apart.
    """

    one: str
    other: str
    difference: Estimate
    p: float | None
    p_holm: float | None
    right_p: float | None
    right_p_holm: float | None
    one_only: int
    other_only: int
    detectable: float | None


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """All models on one split by one metric, the best first, and the pairs.

    Only the `common` ones of the split's `questions` that every model was asked count; `unasked` says of which models how many
    were not, `unranked` which are not ranked, and why.
    """

    split: str
    metric: str
    images: int
    questions: int
    common: int
    unasked: Mapping[str, int]
    unranked: Mapping[str, str]
    standings: tuple[Standing, ...]
    pairs: tuple[Pair, ...]

    @property
    def focus(self) -> str:
        """The model that the others are held against: the one that all pairs share (`against`), else the best."""
        shared = {pair.other for pair in self.pairs}
        return shared.pop() if len(shared) == 1 < len(self.pairs) else self.standings[0].name

    def summary(self) -> Summary:
        """What print and the command line show first: the verdict, and a line a model, the best first."""
        from rich.text import Text

        from hope_bench.tables import Summary, plain_table

        focus, name = self.focus, metric_name(self.metric)
        table = plain_table("", ">rank", "model", f">{name}", ">difference", ">p")
        against = {pair.one: pair for pair in self.pairs if pair.other == focus}
        against |= {pair.other: _turned(pair) for pair in self.pairs if pair.one == focus}
        for one in self.standings:
            pair = against.get(one.name)
            told = ("", "") if pair is None else (pair.difference.points(), p_value(pair.p_holm))
            table.add_row(_rank(one), Text(one.name), one.value.percent(), *told)
        how = f"Percent, 95% intervals and rank ranges. Difference: points from {focus}, paired by image; p corrected (Holm)."
        return Summary(self._verdict(against), table, (how, *self._caveats()))

    def _verdict(self, against: Mapping[str, Pair]) -> tuple[str, ...]:
        name, focus = metric_name(self.metric), self.focus
        about = f"{name.capitalize()} on {self.split}, {counted(len(self.standings), 'model')}, {counted(self.images, 'image')}:"
        if len(self.pairs) <= _PAIRS_IN_WORDS:
            return (about, *(verdict_on(pair, self.metric) for pair in self.pairs))
        apart = [pair for pair in against.values() if pair.p_holm is not None and pair.p_holm < 0.05]
        less = [pair.one for pair in apart if (value := pair.difference.value) is not None and value < 0]
        more = [pair.one for pair in apart if pair.one not in less]
        alike = [one for one in against if one not in (*less, *more)]
        parts = ((f"lower than {focus}", less), (f"higher than {focus}", more), (f"not told apart from {focus}", alike))
        said = [f"{counted(len(names), 'is', 'are')} {words} ({first_few(names, 3)})" for words, names in parts if names]
        best = self.standings[0]
        return (
            f"{about} {best.name} ranks first, {best.value.percent()}.",
            f"By corrected p below 0.05, of {counted(len(against), 'other model')} {', '.join(said)}.",
        )

    def _caveats(self) -> tuple[str, ...]:
        """What a reader has to know about what was compared, in sentences."""
        said = []
        if self.unasked:
            missing = ", ".join(f"{name} {count:,}" for name, count in self.unasked.items())
            common = f"{self.common:,} of {counted(self.questions, 'question')}"
            said.append(f"Compared on the {common} that every model was asked (not asked: {missing}).")
        return (*said, *(f"{name} is not ranked: {reason}." for name, reason in self.unranked.items()))

    def __str__(self) -> str:
        """The summary as text of 80 columns."""
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()

    def to_frame(self) -> pd.DataFrame:
        """A row a pair: `one`, `other`, `difference` (one minus other) with `_low` and `_high`, and the tests' numbers (float64,
        NaN where undefined)."""
        import pandas as pd

        rows = [
            {
                **{field.name: getattr(pair, field.name) for field in fields(pair) if field.name != "difference"},
                "difference": pair.difference.value,
                "difference_low": pair.difference.low,
                "difference_high": pair.difference.high,
            }
            for pair in self.pairs
        ]
        tests = ("p", "p_holm", "right_p", "right_p_holm", "detectable", "difference", "difference_low", "difference_high")
        return pd.DataFrame(rows).astype({"one": "string", "other": "string"} | dict.fromkeys(tests, "float64"))

    def standings_frame(self) -> pd.DataFrame:
        """A row a model, the best first: `name`, `value` with `_low` and `_high`, `rank` and its interval ("Int64")."""
        import pandas as pd

        rows = [
            (one.name, one.value.value, one.value.low, one.value.high, one.rank, one.rank_low, one.rank_high)
            for one in self.standings
        ]
        columns = {
            "name": "string", "value": "float64", "value_low": "float64", "value_high": "float64",
            "rank": "Int64", "rank_low": "Int64", "rank_high": "Int64",
        }  # fmt: skip
        return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def metric_name(metric: str) -> str:
    """A metric in words: "balanced accuracy", "F1"."""
    return _WORDS.get(metric, metric.replace("_", " "))


def p_value(p: float | None) -> str:
    """A p-value with three decimals, "<0.001" below, "-" where undefined."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def detectable(pair: Pair) -> str:
    """The smallest true difference that such a comparison finds, in points; "-" where there is none."""
    return "-" if not pair.detectable else Estimate(value=pair.detectable).points().lstrip("+")


def verdict_on(pair: Pair, metric: str) -> str:
    """A pair's outcome in a sentence."""
    if pair.difference.value is None:
        return f"{pair.one} and {pair.other}: the difference is undefined."
    if pair.p_holm is None:
        return f"{pair.one} and {pair.other} are not told apart: on every image they answered alike as far as this number goes."
    more, less = (pair.one, pair.other) if pair.difference.value >= 0 else (pair.other, pair.one)
    if pair.p_holm < 0.05:
        return f"{more} has a higher {metric_name(metric)} than {less} (corrected p {p_value(pair.p_holm)})."
    apart = f"{pair.one} and {pair.other} are not told apart (corrected p {p_value(pair.p_holm)})"
    if not pair.detectable:
        return f"{apart}."
    return f"{apart}; this comparison would find a true difference of {detectable(pair)} points 4 times in 5."


def _turned(pair: Pair) -> Pair:
    """The same the other way round, as far as the summary shows it."""
    value, low, high = pair.difference.value, pair.difference.low, pair.difference.high
    turned = Estimate(
        value=None if value is None else -value, low=None if high is None else -high, high=None if low is None else -low
    )
    return replace(pair, one=pair.other, other=pair.one, difference=turned)


def _rank(one: Standing) -> str:
    """A rank with the range that holds the true one: "2 (1-4)"."""
    if one.rank is None:
        return "-"
    return f"{one.rank:,}" if one.rank_low is None else f"{one.rank:,} ({one.rank_low:,}-{one.rank_high:,})"
