"""From results to who chose whom: rates by searching encoder and model, and each model's home advantage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hope_bench.errors import HopeBenchError, did_you_mean, first_few
from hope_bench.files.result import Result
from hope_bench.files.spec import CLIP_STRATEGIES, PANEL, base_strategy, encoder_name
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.comparing import check_comparable, check_conventions, model_names
from hope_bench.scoring.conventions import CONVENTIONS, Convention
from hope_bench.scoring.metrics import Floats, answer_table, ratio_weights, share_right
from hope_bench.scoring.rates import Measured, combined, difference, korn_graubard
from hope_bench.scoring.score import tower_family
from hope_bench.scoring.transfer import HomeAdvantage, ModelRow, Searcher, Transfer

_CHOOSES_NO_DISTRACTORS = ("hard-positives", PANEL)
"""Its encoder chooses yes-questions; and the panel is every encoder's."""


def strategies_of(result: Result) -> dict[str, tuple[str, ...]]:
    """The strategies that a result's benchmark searched with several encoders, with their splits; the panel is of content's."""
    found: dict[str, tuple[str, ...]] = {}
    for name, split in result.splits.items():
        base = base_strategy(name)
        if base in CLIP_STRATEGIES and base not in _CHOOSES_NO_DISTRACTORS and split.kind != "twin":
            found[base] = (*found.get(base, ()), name)
    if "content" in found and PANEL in result.splits:
        found["content"] += (PANEL,)
    return {base: splits for base, splits in found.items() if len(splits) > 1}


def transfer(results: Sequence[Result], strategy: str | None = None, files: Sequence[Path | str] = ()) -> Transfer:
    """The matrix of `strategy` (by default that of the headline split, else the first one searched with several encoders).

    `files` are the results', which errors then name. Raises HopeBenchError for results of different questions or conventions, for
    a strategy that was not searched with several encoders, and where no result answers no-questions of all of the splits.
    """
    if not results:
        raise HopeBenchError("Who chose whom takes a result or more.")
    chosen = _chosen(results[0], strategy)
    splits = strategies_of(results[0])[chosen]
    for split in splits:
        check_comparable(results, split, "hallucination_rate")
    check_conventions(results, files)
    kept = [place for place, result in enumerate(results) if answers_all(result, splits)]
    if not kept:
        raise HopeBenchError(
            f"None of the results answers no-questions of all of {first_few(splits)}. Evaluate a model on these splits."
        )
    names = model_names(results)
    convention = CONVENTIONS[results[0].convention]
    answers = tuple(_answers([results[place].splits[split] for place in kept], convention) for split in splits)
    if len({one.yes.shape for one in answers}) > 1:
        raise HopeBenchError(f"The splits {first_few(splits)} are not about the same images. Score the runs again.")
    told = [(names[place], results[place].model.vision_tower) for place in kept]
    matrix = _Matrix(tuple(_searcher(split, results) for split in splits), told, answers)
    images = int(np.logical_or.reduce([one.asked.any(axis=0) for one in answers]).sum())
    left_out = tuple(name for place, name in enumerate(names) if place not in kept)
    return Transfer(chosen, images, matrix.searchers, matrix.rows(), left_out)


def answers_all(result: Result, splits: Iterable[str]) -> bool:
    """Whether a result has verdicts on no-questions of each of the splits; yes-questions are shared with other splits."""
    sides = [result.splits[split].on_no for split in splits]
    return all(side.yes + side.no + side.unparsed + side.error > 0 for side in sides)


def _chosen(result: Result, strategy: str | None) -> str:
    several, benchmark = strategies_of(result), result.benchmark
    if strategy is not None and strategy not in several and several:
        raise HopeBenchError(
            f"Benchmark {benchmark.name} was not searched by {strategy!r} with several encoders. "
            + did_you_mean(strategy, several)
        )
    if not several:
        raise HopeBenchError(
            f"No strategy of benchmark {benchmark.name} was searched with several encoders. Name one with another encoder beside "
            "it in the spec's strategies, such as content and content@NAME, and generate and evaluate that (docs/spec.md)."
        )
    headline = base_strategy(benchmark.headline)
    return strategy or (headline if headline in several else next(iter(several)))


def _searcher(split: str, results: Sequence[Result]) -> Searcher:
    """The encoder that chose a split's distractors, as the results tell; where they disagree on its family, that is unknown."""
    if split == PANEL:
        return Searcher(split, None, None)
    name = encoder_name(split)
    told = [one.benchmark.encoders.get(name) if name else one.benchmark.clip for one in results]
    encoders = [encoder for encoder in told if encoder is not None]
    families = {tower_family(encoder) for encoder in encoders}
    return Searcher(split, encoders[0] if encoders else None, families.pop() if len(families) == 1 else None)


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """The models' answers to the no-questions in common of a split, float64 [models, images]: how many were yes, and how many
    there are; and how many samples each model gave, float64 [models]."""

    yes: Floats
    asked: Floats
    samples: Floats

    def pooled(self, places: Sequence[int]) -> Measured:
        """The rate of several models' answers together, in which each model weighs alike however many samples it gave."""
        weight = 1 / self.samples[places, None]
        return korn_graubard((self.yes[places] * weight).sum(axis=0), (self.asked[places] * weight).sum(axis=0))


def _answers(splits: Sequence[SplitScore], convention: Convention) -> _Answers:
    common = np.logical_and.reduce([share_right(one)[1] for one in splits])
    above, below = ratio_weights(convention)["hallucination_rate"]
    tables = np.stack([answer_table(one, common) for one in splits]).astype(np.float64)
    samples = np.array([len(one.all_verdicts) for one in splits], dtype=np.float64)
    return _Answers((tables * above).sum(axis=(2, 3)), (tables * below).sum(axis=(2, 3)), samples)


class _Matrix:
    """The rates, and the differences between them. `told` holds the models' names and vision towers, `answers` those to each
    searcher's split."""

    def __init__(
        self, searchers: tuple[Searcher, ...], told: Sequence[tuple[str, str | None]], answers: Sequence[_Answers]
    ) -> None:
        self.searchers, self._told, self._answers = searchers, told, answers
        self._families = [tower_family(tower) for _, tower in told]
        self._rates = [korn_graubard(one.yes, one.asked) for one in answers]
        self._others: dict[str, Measured] = {}

    def rows(self) -> tuple[ModelRow, ...]:
        """The models in the order given."""
        made = []
        for place, (name, tower) in enumerate(self._told):
            rates = tuple(one[place].estimate() for one in self._rates)
            made.append(ModelRow(name, tower, self._families[place], rates, self._home_advantage(place)))
        return tuple(made)

    def _home_advantage(self, place: int) -> HomeAdvantage | None:
        family = self._families[place]
        searched = {one.family for one in self.searchers if one.family is not None}
        others = [other for other, one in enumerate(self._families) if one not in (None, family)]
        if family is None or family not in searched or len(searched) < 2 or not others:
            return None
        if family not in self._others:  # the same for every model of the family
            self._others[family] = self._home_minus_away(family, [one.pooled(others) for one in self._answers])
        own = self._home_minus_away(family, [one[place] for one in self._rates])
        advantage = difference(own, self._others[family])
        if np.isnan(advantage.value):
            return None
        names = tuple(self._told[other][0] for other in others)
        return HomeAdvantage(own.estimate(), self._others[family].estimate(), advantage.estimate(), names)

    def _home_minus_away(self, family: str, rates: Sequence[Measured]) -> Measured:
        """The mean rate on the splits that the family's encoders searched, minus that on those of other known families'."""
        home = [one for one, searcher in zip(rates, self.searchers, strict=True) if searcher.family == family]
        away = [one for one, searcher in zip(rates, self.searchers, strict=True) if searcher.family not in (None, family)]
        return combined(*((1 / len(home), one) for one in home), *((-1 / len(away), one) for one in away))
