"""The same on real data: POPE's COCO questions, and what LLaVA-1.5-13B really answered to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hope_bench.api.asking import load_run
from hope_bench.api.exchange import import_answers, import_pope
from hope_bench.api.scoring import score
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.split_score import Blind
from hope_bench.records import Question
from hope_bench.scoring.blind import above_blind, blind_scores, strongest
from hope_bench.search.balanced import balance_of
from hope_bench.search.flow import Edges, balance
from tests.studies.against_unbalanced import Said, change
from tests.studies.pairs import crosswise, pairs_balanced_accuracy

SPLITS = ("adversarial", "popular", "random")
"""POPE's, the hardest first."""


def page(real: Path, folder: Path) -> Iterable[str]:
    """In Markdown; `real` is the folder of public data, `folder` an empty one to work in."""
    files = {name: real / "pope" / f"coco_pope_{name}.json" for name in SPLITS}
    benchmark = import_pope("pope-coco", files, out=folder / "pope-coco")
    llava = real / "llava-v1.5-13b"
    answers, _ = import_answers([llava / "answers.jsonl"], benchmark, "llava-v1.5-13b", questions=llava / "questions.jsonl",
                                runs=folder / "runs")  # fmt: skip
    run = load_run(answers)
    result = score(run, benchmark=benchmark)
    said = {(one.image, one.question): one.verdict == "yes" for one in run.answers().answers}
    yield "\n## POPE's COCO questions, and LLaVA-1.5-13B's real answers"
    yield "Blind ways are learnt crosswise here, each fifth of the images from the rest, as there are no other images."
    yield "*Above* is above the blind suite. The model was asked the 2,910 questions of an older release of `random`.\n"
    yield "| split | by category | by words | with the other questions | by pairs | hallucination rate | BA | above |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, split in result.splits.items():
        ways = {one.name: one for one in split.blind}
        blind = [either_way(ways.get(way)) for way in ("category", "words", "words-and-others")]
        left = above_blind(split.balanced_accuracy.value, split.blind)
        pairs = f"{100 * crosswise(benchmark.splits[name]):.1f}"
        cells = [
            *blind, pairs, split.hallucination_rate.percent(), split.balanced_accuracy.percent(),
            "-" if left is None else f"{100 * left:.1f}",
        ]  # fmt: skip
        yield f"| `{name}` | " + " | ".join(cells) + " |"
    yield from _balanced(benchmark, said)


def either_way(one: Blind | None) -> str:
    """A blind way's best balanced accuracy, either way round."""
    return "-" if one is None or one.either_way is None else one.either_way.percent()


def _balanced(benchmark: Benchmark, said: Said) -> Iterable[str]:
    """A balanced choice among POPE's own questions, made apart in two halves of the images, so that each can be learnt from."""
    images = sorted({one.image for one in benchmark.splits["random"]})
    order = np.random.default_rng(0).permutation(len(images))
    halves = [{images[place] for place in half} for half in np.array_split(order, 2)]
    yield "\nOf the questions that the three splits ask of an image, one with yes and one with no, each category as often with no"
    yield "as with yes; chosen apart in two halves of the images, blind ways learnt from the other half. *Searched* takes"
    yield "`adversarial`'s no-questions before `popular`'s and `random`'s, *drawn* any.\n"
    yield "| no-questions | unbalanced | best of the blind suite, either half | by pairs | hallucination rate |"
    yield "|---|---|---|---|---|"
    made: dict[str, list[Question]] = {}
    for name in ("searched", "drawn"):
        parts = [_choice(benchmark, half, said, name == "searched") for half in halves]
        made[name] = [one for part in parts for one in part]
        off = sum(balance_of(part).unbalanced for part in parts)
        blind = [either_way(strongest(blind_scores(*each))) for each in (parts, parts[::-1])]
        no = [said[one.image, one.text] for one in made[name] if one.label == "no"]
        pairs = [f"{100 * pairs_balanced_accuracy(*each):.1f}" for each in (parts, parts[::-1])]
        yield f"| {name} | {off} of {len(no)} | {'; '.join(blind)} | {'; '.join(pairs)} | {100 * np.mean(no):.1f} |"
    one = change(made["drawn"], made["searched"], said)
    minus = 100 * (one.balanced - one.without)
    yield f"\nSearched minus drawn, in points: {minus:+.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]."


def _choice(benchmark: Benchmark, images: set[str], said: Said, searched: bool) -> list[Question]:
    """One yes- and one no-question an image of those that the model answered."""
    pool: Mapping[str, dict[tuple[str, str], tuple[int, Question]]] = {"yes": {}, "no": {}}
    for late, split in enumerate(SPLITS):
        for one in benchmark.splits[split]:
            if one.image in images and (one.image, one.text) in said:
                pool[one.label].setdefault((one.image, one.text), (late, one))
    row = {image: place for place, image in enumerate(sorted(images))}
    claims = {text: place for place, text in enumerate(sorted({text for side in pool.values() for _, text in side}))}

    def edges(side: Sequence[tuple[int, Question]], preferred: bool) -> Edges:
        return Edges(
            np.array([row[one.image] for _, one in side]), np.array([claims[one.text] for _, one in side]),
            np.array([late if preferred else 0 for late, _ in side], dtype=np.float64),
        )  # fmt: skip

    yes, no = (list(pool[label].values()) for label in ("yes", "no"))
    needs = np.ones(len(row), dtype=np.int64)
    found = balance(edges(no, searched), needs, edges(yes, False), needs, claims=len(claims), slack=1, seed=0)
    assert found.yes is not None
    taken = defaultdict(list)
    for side, mask in ((yes, found.yes), (no, found.no)):
        for place in np.flatnonzero(mask).tolist():
            taken[side[place][1].image].append(side[place][1])
    return [one for image in sorted(taken) for one in taken[image]]
