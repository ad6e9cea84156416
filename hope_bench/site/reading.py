"""Result files as the leaderboard takes them: validated, checked against their own verdicts, grouped by benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hope_bench.errors import HopeBenchError
from hope_bench.files.card import slug
from hope_bench.files.result import ConventionName, Result
from hope_bench.files.split_score import PACKED, Average, Probabilities, SplitScore
from hope_bench.scoring.averaging import average_points
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.metrics import (
    METRICS,
    Counts,
    answer_table,
    compute,
    discrimination,
    optional,
    pair_table,
    ratio_weights,
    stated_table,
)
from hope_bench.scoring.probability import Evidence, auroc_alone, evidence, probabilities, unpack
from hope_bench.scoring.recount import fixed_tables
from hope_bench.scoring.restating import backed, with_intervals
from hope_bench.scoring.reviewed import correct
from hope_bench.scoring.sensitivity import forced_choice, log_linear_z
from hope_bench.scoring.standing import asked_otherwise
from hope_bench.scoring.unread import unread_reason
from hope_bench.site.blind import TOLERANCE, check_blind, differ, differing_way
from hope_bench.site.safety import read_untrusted
from hope_bench.site.surest import check_worst
from hope_bench.site.wrong import Wrong, noted


@dataclass(frozen=True, slots=True)
class Entry:
    """One result file, and where its page goes, relative to the site's root."""

    result: Result
    source: Path
    page: str


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one benchmark, by name and hash: only these are compared with each other."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> Result:
        """A result of the group, for what its benchmark says about itself."""
        return self.entries[0].result


def read_groups(folder: Path, wrong: Wrong = None) -> tuple[Group, ...]:
    """Every FOLDER/BENCHMARK/RUN.json, checked, by benchmark name and hash, in a fixed order; with `wrong`, those that can be
    read.

    Raises HopeBenchError naming the file and key of anything invalid, in the wrong folder, or at odds with its own verdicts, or
    notes it in `wrong`.
    """
    if not folder.is_dir():
        raise HopeBenchError(f"The results folder {folder} does not exist. Score a run first, or pass --results DIR.")
    for stray in sorted(folder.glob("*.json")):
        with noted(wrong):
            raise HopeBenchError(f"{stray} is not in a benchmark's folder. Results lie at {folder}/BENCHMARK/RUN.json.")
    entries: list[Entry] = []
    for path in sorted(folder.glob("*/*.json")):
        with noted(wrong):
            entries.append(read_entry(path, folder))
    taken: dict[str, Path] = {}
    groups: dict[tuple[str, str], list[Entry]] = {}
    asked: dict[str, list[Entry]] = {}
    for entry in entries:
        other = taken.setdefault(entry.page, entry.source)
        with noted(wrong):
            if other != entry.source:
                raise HopeBenchError(f"{entry.source} and {other} would share the page {entry.page}. Rename one of them.")
        groups.setdefault((entry.result.benchmark.name, entry.result.benchmark.hash), []).append(entry)
        asked.setdefault(entry.result.benchmark.hash, []).append(entry)
    for members in asked.values():
        check_same_questions(members, wrong)
    for entry in entries:
        with noted(wrong):
            check_asked(entry.result, str(entry.source))
    return tuple(Group(tuple(groups[key])) for key in sorted(groups))


def check_not_empty(folder: Path) -> None:
    """Raise HopeBenchError where a folder of results holds none: a mistyped path is no leaderboard."""
    if folder.is_dir() and not any(folder.glob("*/*.json")) and not any(folder.glob("*.json")):
        raise HopeBenchError(
            f"{folder} holds no result: none lies at {folder}/BENCHMARK/RUN.json. Pass the right --results DIR, or score a run "
            "first. What isn't ranked lies in BENCHMARK/unranked; hope-bench leaderboard add shows it all the same."
        )


_UNTOLD = (None, (None, None))


def check_same_questions(entries: Sequence[Entry], wrong: Wrong = None) -> None:
    """Results of one hash answer the same questions, so whatever a file says about them must be what the others say. Raises
    HopeBenchError, or notes what is off in `wrong`."""
    first = entries[0]
    for entry in entries[1:]:
        with noted(wrong):
            _check_alike(entry, first)
    priors: dict[str, Entry] = {}
    for entry in entries:
        with noted(wrong):
            _check_priors(entry, priors)


def _check_alike(entry: Entry, first: Entry) -> None:
    for key in ("name", "title", "headline", "dataset", "prompt"):
        mine, there = (getattr(one.result.benchmark, key) for one in (entry, first))
        if mine != there:
            raise HopeBenchError(
                f"{entry.source} and {first.source} have the same benchmark.hash, but benchmark.{key} is {mine[:200]!r} in "
                f"one and {there[:200]!r} in the other. Make them agree: score the runs again on the same benchmark."
            )
    if _asked(entry.result) != _asked(first.result):
        raise HopeBenchError(
            f"{entry.source} and {first.source} have the same benchmark.hash, but the splits' kind, labels or "
            "questions_per_image differ. Score the runs again."
        )
    for name, split in entry.result.splits.items():
        pairs = zip(_marked(split), _marked(first.result.splits[name]), strict=True)
        if any(one not in _UNTOLD and other not in _UNTOLD and one != other for one, other in pairs):
            raise HopeBenchError(
                f"{entry.source} and {first.source} have the same benchmark.hash, but which questions of splits.{name} are "
                "repeated, or what they are about, differs. Score the runs again."
            )


def _asked(result: Result) -> Sequence[object]:
    return sorted((name, split.kind, split.labels, split.questions_per_image) for name, split in result.splits.items())


def _marked(split: SplitScore) -> Sequence[object]:
    """What else the questions alone say: which of them are repeated, and what they are about."""
    names = {name: tuple(part.name for part in parts) for name, parts in split.breakdowns.items()}
    return [split.repeated, *((names.get(name), split.part_of.get(name)) for name in ("category", "description-kind"))]


def _check_priors(entry: Entry, priors: dict[str, Entry]) -> None:
    """`priors` are the first entries that say how to answer a split without looking, by split."""
    for name, split in entry.result.splits.items():
        if not split.blind:
            continue
        other = priors.setdefault(name, entry)
        if (way := differing_way(split.blind, other.result.splits[name].blind)) is not None:
            raise HopeBenchError(
                f"{entry.source} and {other.source} have the same benchmark.hash, but what splits.{name}.blind says of "
                f"{way} differs. Score the runs again."
            )


def read_entry(path: Path, results: Path) -> Entry:
    """One result file of RESULTS/BENCHMARK/, checked. Raises HopeBenchError naming the file and key."""
    result = read_untrusted(path, results)
    folder = slug(result.benchmark.name)
    if path.parent.name != folder:
        raise HopeBenchError(
            f"{path}: benchmark.name is {result.benchmark.name!r}, so the file belongs in the folder {folder!r}, "
            f"not in {path.parent.name!r}."
        )
    check_strict(result, path, path.parent)
    check_numbers(result, str(path))
    return Entry(backed(with_intervals(result)), path, f"{folder}/{slug(path.stem)}.html")


def check_strict(result: Result, path: Path, folder: Path) -> None:
    """Raise HopeBenchError for a result of another convention than strict; `folder` is its benchmark's."""
    if result.convention != "strict":
        raise HopeBenchError(
            f"{path} was scored by the {result.convention} convention; the leaderboard compares strict results only. "
            f"Such files belong in {folder / result.convention}/, which it leaves alone."
        )


def check_numbers(result: Result, where: str) -> None:
    """Recompute every count, metric and difference from the packed verdicts. Raises HopeBenchError naming the key that is off."""
    if result.benchmark.headline not in result.splits:
        raise HopeBenchError(f"{where}: benchmark.headline {result.benchmark.headline!r} is not among the splits.")
    _check_standing(result, where)
    _check_run(result, where)
    recomputed = compute(_check_counts(result, where), CONVENTIONS[result.convention])
    metrics = zip(*(map(optional, recomputed[metric].tolist()) for metric in METRICS), strict=True)
    for (name, split), expected in zip(result.splits.items(), metrics, strict=True):
        _check_split(name, split, expected, where)
        _check_signal(split, result.convention, f"{where}: splits.{name}")
        _check_corrected(split, result.bootstrap.confidence, f"{where}: splits.{name}.corrected")
    check_blind(result.splits, where)
    _check_parts(result, where)
    _check_p_yes(result, where)
    check_worst(result, where)
    for index, average in enumerate(result.averages):
        _check_average(average, result, f"{where}: averages.{index}")
    for index, pair in enumerate(result.comparisons):
        key = f"{where}: comparisons.{index}"
        if pair.split not in result.splits or pair.baseline not in result.splits:
            raise HopeBenchError(f"{key} names a split that the result doesn't hold.")
        one, base = result.splits[pair.split], result.splits[pair.baseline]
        _check_difference(f"{key}.precision_drop.value", pair.precision_drop.value, base.precision.value, one.precision.value)
        rise = pair.hallucination_rise.value
        _check_difference(f"{key}.hallucination_rise.value", rise, one.hallucination_rate.value, base.hallucination_rate.value)
        if pair.auroc_drop is not None:
            aurocs = [None if side.probabilities is None else side.probabilities.auroc.value for side in (base, one)]
            _check_difference(f"{key}.auroc_drop.value", pair.auroc_drop.value, aurocs[0], aurocs[1])


def _check_standing(result: Result, where: str) -> None:
    """A result with too many answers that can't be judged must say that it isn't ranked."""
    unread = unread_reason(result.splits)
    if unread is not None and result.unranked is None:
        raise HopeBenchError(f"{where}: unranked is null, but {unread}. Score the run again.")


def check_asked(result: Result, where: str) -> None:
    """A result that was asked for in a way that isn't ranked must say so."""
    reason = asked_otherwise(result.run, result.benchmark.prompt)
    if result.run.prompt is None and reason is None:
        reason = "run.prompt doesn't say how the model was asked"
    if reason is not None and result.unranked is None:
        raise HopeBenchError(f"{where}: unranked is null, but {reason}. Score the run again.")


def _check_run(result: Result, where: str) -> None:
    """What is said of the run must fit the answers, and itself."""
    samples = {len(split.all_verdicts) for split in result.splits.values()}
    if len(samples) > 1 or (result.run.samples is not None and {result.run.samples} != samples):
        raise HopeBenchError(f"{where}: run.samples or further_verdicts don't agree on how many answers each question got.")
    for index, one in enumerate(result.run.self_checks):
        if one.passed != (one.difference is not None and one.difference <= one.threshold):
            raise HopeBenchError(f"{where}: run.self_checks.{index}.passed doesn't follow from its difference and threshold.")


def _check_counts(result: Result, where: str) -> Counts:
    """The splits' counts [splits, labels, verdicts], which must be those they state."""
    images, splits = result.benchmark.images, list(result.splits.values())
    for name, split in result.splits.items():
        if len(split.questions_per_image) != images:
            raise HopeBenchError(
                f"{where}: splits.{name}.questions_per_image counts other images than benchmark.images ({images})."
            )
        if PACKED["unasked"] in split.labels:
            raise HopeBenchError(f"{where}: splits.{name}.labels holds {PACKED['unasked']!r}; a label is y or n.")
    stated = stated_table(splits)
    counts = np.stack([answer_table(split).sum(axis=0) for split in splits])
    for place, side in np.argwhere((counts != stated).any(axis=2)).tolist():
        key = f"splits.{list(result.splits)[place]}.{('on_yes', 'on_no')[side]}"
        raise HopeBenchError(f"{where}: {key} is not what its verdicts count. Score the run again.")
    return counts


def _check_split(name: str, split: SplitScore, recomputed: Sequence[float | None], where: str) -> None:
    """Hold a split against its metrics, in the order of METRICS."""
    for metric, expected in zip(METRICS, recomputed, strict=True):
        estimate = getattr(split, metric)
        if estimate is not None and differ(estimate.value, expected):  # files written before MCC was computed have none
            _check(f"{where}: splits.{name}.{metric}.value", estimate.value, expected)
    if split.kind == "twin" and split.paired_discrimination is not None:
        pairs = pair_table(split).sum(axis=0)
        stated = split.paired_discrimination.value
        _check(f"{where}: splits.{name}.paired_discrimination.value", stated, optional(float(discrimination(pairs))))


def _check_parts(result: Result, where: str) -> None:
    """Recompute the rates of every part from its counts (which the schema has summed up). Most of a file's numbers are here."""
    parts = [
        (name, breakdown, part)
        for name, split in result.splits.items()
        for breakdown, found in split.breakdowns.items()
        for part in found
    ]
    recomputed = compute(stated_table([part for _, _, part in parts]), CONVENTIONS[result.convention])
    for rate in ("recall", "hallucination_rate"):
        stated = np.array([getattr(part, rate).value for _, _, part in parts], dtype=np.float64)
        expected = recomputed[rate]
        near = (np.abs(stated - expected) <= TOLERANCE / 2) | (np.isnan(stated) & np.isnan(expected))  # before it is rounded
        for index in np.flatnonzero(~near).tolist():
            name, breakdown, part = parts[index]
            key = f"{where}: splits.{name}.breakdowns.{breakdown}.{part.name}.{rate}.value"
            _check(key, getattr(part, rate).value, optional(float(expected[index])))


def _check_average(one: Average, result: Result, where: str) -> None:
    """Recompute an average from its splits."""
    try:
        splits = [result.splits[name] for name in one.splits]
        questions, metrics = average_points(one.method, splits, CONVENTIONS[result.convention])
    except (KeyError, ValueError) as error:
        raise HopeBenchError(f"{where} can't be recomputed ({error}). Score the run again.") from None
    if questions != one.questions or set(one.metrics) - set(metrics):
        raise HopeBenchError(f"{where}: questions or the names of metrics are not what its splits give. Score the run again.")
    for name, stated in one.metrics.items():
        _check(f"{where}.metrics.{name}.value", stated.value, metrics[name])


def _check_signal(split: SplitScore, convention: ConventionName, where: str) -> None:
    """Recompute d' and criterion from the counts."""
    if split.d_prime is None or split.criterion is None:
        return
    counts, weights = stated_table([split])[0], ratio_weights(CONVENTIONS[convention])
    pairs = [tuple(int((counts * one).sum()) for one in weights[rate]) for rate in ("recall", "hallucination_rate")]
    expected: tuple[float | None, float | None] = (None, None)
    if all(total for _, total in pairs):
        hits, alarms = (log_linear_z(count, total) for count, total in pairs)
        expected = (hits - alarms, -(hits + alarms) / 2)
    _check(f"{where}.d_prime.value", split.d_prime.value, expected[0])
    _check(f"{where}.criterion.value", split.criterion.value, expected[1])


def _check_corrected(split: SplitScore, confidence: float, where: str) -> None:
    """Recompute the rates under the truth that the file states; nobody can tell from it whether people found that truth."""
    if split.corrected is None:
        return
    ours = correct(split, split.corrected.truth, split.corrected.inclusion, confidence)
    if (ours.reviewed, ours.unsure) != (split.corrected.reviewed, split.corrected.unsure):
        raise HopeBenchError(f"{where}: reviewed or unsure is not what its truth counts. Score the run again.")
    for key in ("recall", "hallucination_rate"):
        _check(f"{where}.{key}.value", getattr(split.corrected, key).value, getattr(ours, key).value)


def _check_p_yes(result: Result, where: str) -> None:
    """Recompute the numbers from P(yes)."""
    found, images = {}, result.benchmark.images
    for name, split in result.splits.items():
        if split.probabilities is None:
            continue
        key = f"{where}: splits.{name}.probabilities"
        try:
            found[name] = evidence(split.labels, split.verdicts, split.questions_per_image, split.probabilities.packed)
        except (ValueError, IndexError):
            raise HopeBenchError(f"{key}.packed isn't P(yes) of {len(split.labels):,} questions. Score the run again.") from None
        _check_probabilities(split.probabilities, found[name], key)
        if split.forced_choice is not None and split.kind == "twin":
            p_yes = unpack(split.probabilities.packed)
            share = forced_choice(p_yes, split.verdicts, split.questions_per_image, result.bootstrap.confidence)
            _check(f"{where}: splits.{name}.forced_choice.value", split.forced_choice.value, share.estimate().value)
    tables = fixed_tables(found, images)
    for name, table in tables.items():
        stated = result.splits[name].probabilities
        if stated is None or stated.fixed_balanced_accuracy is None:
            continue
        expected = None if table is None else optional(float(compute(table.sum(axis=0))["balanced_accuracy"]))
        key = f"{where}: splits.{name}.probabilities.fixed_balanced_accuracy.value"
        _check(key, stated.fixed_balanced_accuracy.value, expected)


def _check_probabilities(stated: Probabilities, found: Evidence, where: str) -> None:
    """Values only: the intervals are what `leaderboard add` and `check` compute again."""
    ours = probabilities(found, stated.packed, auroc_alone(found))
    if ours.questions != stated.questions or ours.bins != stated.bins:
        raise HopeBenchError(f"{where}: questions or bins are not what P(yes) gives. Score the run again.")
    for key in ("auroc", "average_precision", "brier"):
        _check(f"{where}.{key}.value", getattr(stated, key).value, getattr(ours, key).value)
    if stated.d_a.value is not None:  # files written before it was computed have none
        _check(f"{where}.d_a.value", stated.d_a.value, ours.d_a.value)
    _check(f"{where}.ece", stated.ece, ours.ece)


def _check_difference(key: str, stated: float | None, more: float | None, less: float | None) -> None:
    _check(key, stated, None if more is None or less is None else more - less)


def _check(key: str, stated: float | None, expected: float | None) -> None:
    if differ(stated, expected):
        raise HopeBenchError(f"{key} is {stated}, but the result's own verdicts give {expected}. Score the run again.")


def ranked(entries: Sequence[Entry]) -> list[tuple[int, Entry]]:
    """Ranks by balanced accuracy on the headline split, the best first; equal values share a rank. The unranked are left out."""
    places = [(value, entry) for entry in entries if (value := ranking_value(entry.result)) is not None]
    places.sort(key=lambda place: (-place[0], place[1].page))
    return [(1 + sum(other > value for other, _ in places), entry) for value, entry in places]


def ranking_value(result: Result) -> float | None:
    """What a result is ranked by, or None where it isn't ranked (`unranked_reason` says why)."""
    return None if unranked_reason(result) else result.splits[result.benchmark.headline].balanced_accuracy.value


def unranked_reason(result: Result) -> str | None:
    """Why a result isn't ranked, in words, whatever the file claims: its headline split must be asked in full, and nearly all
    answers be a yes or a no."""
    benchmark, headline = result.benchmark, result.splits[result.benchmark.headline]
    reason = result.unranked or asked_otherwise(result.run, benchmark.prompt) or unread_reason(result.splits)
    if reason is None and headline.unasked:
        return f"{headline.unasked:,} questions of the headline split {benchmark.headline} were never asked"
    if reason is None and headline.balanced_accuracy.value is None:
        return f"balanced accuracy is undefined on the headline split {benchmark.headline}"
    return reason
