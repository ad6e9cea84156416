"""A benchmark's own page: how its questions were made, what its guards did, how sure its labels are, what it asks."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.reporting.rows import KINDS
from hope_bench.reviewing.noise import LabelNoise, share
from hope_bench.scoring.blind import strongest
from hope_bench.site.sheet import Described, Example, RiskSummary, Sheet
from hope_bench.site.views import Section

_STRATEGIES = {
    "random": "uniform over the categories seen in the sampled images",
    "popular": "the most frequent categories of the sampled images",
    "adversarial": "for each object that is there, the category that most often occurs with it",
    "category-cooccurrence": "the categories most associated with those present, over the whole annotation",
    "category-similarity": "the categories that look most like those present, to CLIP",
    "category": "co-occurrence and similarity together",
    "content": "the categories whose text CLIP finds closest to this very image",
    "content-panel": "the categories that several encoders together find closest to this very image",
    "description": "objects that are there, with a false description",
    "hope": "one each by content, category and description",
    "control-content": "as content, but guided by another, similar image",
    "hard-positives": "as random; the objects that are there are those CLIP finds least likely",
    "random-balanced": "any, every category asked as often with no as with yes",
    "category-balanced": "as category, every category asked as often with no as with yes",
    "content-balanced": "as content, every category asked as often with no as with yes",
    "description-balanced": "false descriptions, every description asked as often with no as with yes",
    "hope-balanced": "as hope, every claim asked as often with no as with yes",
    "control-balanced": "as content-balanced, but guided by another, similar image",
}


@dataclass(frozen=True, slots=True)
class SplitAbout:
    """One split of a benchmark: how it was made, over the ranked models the median and worst hallucination rate, and what its
    sheet tells. `blind` is the best balanced accuracy of answering without looking; `wrong` the reviewed label noise by label."""

    name: str
    kind: Kind
    label: str
    made: str
    score: SplitScore
    median: float | None
    worst: float | None
    blind: float | None
    risk: RiskSummary | None
    wrong: Mapping[str, LabelNoise]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class People:
    """What the people who reviewed a split would score on its labels, had they been asked as a model: `reviewed` questions, those
    they were unsure of as unparsed."""

    reviewed: int
    balanced_accuracy: float
    hallucination_rate: Estimate
    recall: Estimate


def people(section: Section, sheet: Sheet | None) -> People | None:
    """The reviewers on the headline split; None where it wasn't reviewed for both labels."""
    noise = () if sheet is None or sheet.label_noise is None else sheet.label_noise.estimates
    found = {one.label: one for one in noise if one.split == section.about.benchmark.headline and one.reviewed}
    if set(found) != {"yes", "no"}:
        return None
    yes, no = found["yes"], found["no"]
    recalled = share(yes.reviewed - yes.wrong.count - yes.unsure.count, yes.reviewed)
    rejected = no.reviewed - no.wrong.count - no.unsure.count
    return People(
        reviewed=yes.reviewed + no.reviewed,
        balanced_accuracy=((recalled.value or 0) + rejected / no.reviewed) / 2,
        hallucination_rate=Estimate(value=no.wrong.value, low=no.wrong.low, high=no.wrong.high),
        recall=Estimate(value=recalled.value, low=recalled.low, high=recalled.high),
    )


def split_abouts(section: Section, sheet: Sheet | None) -> list[SplitAbout]:
    """Every split of the section's benchmark, POPE's first."""
    order = list(KINDS)
    splits = sorted(section.about.splits.items(), key=lambda item: order.index(item[1].kind))
    return [_split_about(name, split, section, sheet) for name, split in splits]


def _split_about(name: str, split: SplitScore, section: Section, sheet: Sheet | None) -> SplitAbout:
    results = [row.entry.result for row in section.ranked]
    rates = [rate for result in results if (rate := result.splits[name].hallucination_rate.value) is not None]
    blind = strongest(split.blind)
    described = None if sheet is None else sheet.splits.get(name)
    noise = () if sheet is None or sheet.label_noise is None else sheet.label_noise.estimates
    return SplitAbout(
        name=name,
        kind=split.kind,
        label=KINDS[split.kind],
        made=strategy(name),
        score=split,
        median=statistics.median(rates) if rates else None,
        worst=max(rates, default=None),
        blind=None if blind is None or blind.either_way is None else blind.either_way.value,
        risk=None if described is None else described.risk,
        wrong={one.label: one for one in noise if one.split == name and one.reviewed},
        examples=() if described is None else described.examples,
    )


def strategy(name: str) -> str:
    """How a split's distractors are chosen, in words; empty for a split of one's own."""
    plain, _, encoder = name.partition("@")
    if plain.endswith("-twins"):
        return f"the false descriptions of {plain.removesuffix('-twins')}, each beside a true one"
    words = _STRATEGIES.get(plain.removesuffix("-guarded"), "")
    if words and plain.endswith("-guarded"):
        words += ", under the same guards as HOPE's splits"
    return f"{words}, with the encoder {encoder}" if words and encoder else words


def check_sheet(described: Described, section: Section) -> None:
    """A sheet describes the questions that the results answered. Raises HopeBenchError naming the split that differs."""
    for name, split in section.about.splits.items():
        own = described.sheet.splits.get(name)
        if own is None or (own.kind, own.yes, own.no) != (split.kind, split.labels.count("y"), split.labels.count("n")):
            raise HopeBenchError(
                f"The sheet {section.key}.json doesn't describe the split {name} as the results of "
                f"{section.about.benchmark.name} answered it. Describe the benchmark again (hope-bench leaderboard describe)."
            )


def made_from(sheet: Sheet | None) -> Sequence[tuple[str, str]]:
    """The files, encoders and versions behind a benchmark as (what, value)."""
    if sheet is None:
        return []
    facts = [(source.file, f"sha256 {source.sha256}") for source in sheet.sources]
    for name, encoder in sheet.encoders.items():
        activation = encoder.activation or "activation not recorded"
        facts += [("encoder", f"{name}, {activation}, sha256 {encoder.sha256}"), ("its prompts", "\n".join(encoder.templates))]
    if sheet.seed is not None:
        facts.append(("seed", str(sheet.seed)))
    if sheet.versions:
        facts.append(("versions", ", ".join(f"{name} {version}" for name, version in sorted(sheet.versions.items()))))
    if sheet.skipped:
        facts.append(("images without questions", f"{sheet.skipped:,}"))
    if sheet.images_licence:
        facts.append(("images shown by licence", sheet.images_licence))
    return [*facts, *([("commit", sheet.commit)] if sheet.commit else [])]
