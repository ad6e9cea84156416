"""Rates under reviewed truth: exact where everything is reviewed, unbiased where label errors depend on the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from hope_bench.files.result import Bootstrap
from hope_bench.files.split_score import Estimate, SplitScore, VerdictCounts
from hope_bench.records import Verdict
from hope_bench.reviewing.noise import ReviewedClaim
from hope_bench.scoring.rates import Measured, combined, korn_graubard
from hope_bench.scoring.restating import restate
from hope_bench.scoring.reviewed import correct, find_truth
from hope_bench.scoring.score import score
from tests.runs import Row, make_benchmark, make_run

NONE = Estimate(value=None)


def split(labels: str, verdicts: str, each: int) -> SplitScore:
    return SplitScore(
        kind="hope", on_yes=VerdictCounts(), on_no=VerdictCounts(), accuracy=NONE, balanced_accuracy=NONE, precision=NONE,
        recall=NONE, f1=NONE, specificity=NONE, hallucination_rate=NONE, yes_ratio=NONE,
        questions_per_image=(each,) * (len(labels) // each), labels=labels, verdicts=verdicts,
    )  # fmt: skip


def test_everything_reviewed_is_the_rate_under_the_truth() -> None:
    rng = np.random.default_rng(0)
    labels, verdicts, truth = ("".join(rng.choice(list(letters), 600)) for letters in ("yn", "ynu", "yn?"))
    found = correct(split(labels, verdicts, 6), truth, (1.0,) * 600, 0.95)
    for rate, letter in ((found.recall, "y"), (found.hallucination_rate, "n")):
        own = [said == "y" for said, there in zip(verdicts, truth, strict=True) if there == letter]
        assert rate.value == pytest.approx(np.mean(own), abs=1e-6)
        assert rate.low is not None
        assert rate.low < np.mean(own) < (rate.high or 0)
    assert (found.reviewed, found.unsure) == (600, truth.count("?"))


def test_the_weights_undo_how_the_reviewed_were_drawn() -> None:
    """All hallucinations looked at, half of the right denials, a third of what was recalled: by cells, by hand."""
    asked = [("y", "y", "y--y--y-----"), ("n", "y", "nny"), ("n", "n", "n-y-n-n-n-"), ("y", "n", "y-n-")]
    labels, verdicts, truth = ("".join(one) for one in zip(*((a * len(t), b * len(t), t) for a, b, t in asked), strict=True))
    chances = {("y", "y"): 1 / 4, ("n", "y"): 1.0, ("n", "n"): 1 / 2, ("y", "n"): 1 / 2}
    drawn = tuple(chances[a, b] for a, b, t in asked for letter in t if letter != "-")
    found = correct(split(labels, verdicts, 1), truth, drawn, 0.95)
    # there: 12 of 12 recalled, 1 of 3 false alarms, 2 of 10 denied (1 of 5 seen), 2 of 4 missed (1 of 2 seen)
    assert found.recall.value == pytest.approx((12 + 1) / (12 + 1 + 2 + 2), abs=1e-6)
    assert found.hallucination_rate.value == pytest.approx((0 + 2) / (0 + 2 + 8 + 2), abs=1e-6)


def test_unequal_chances_within_a_cell() -> None:
    labels, verdicts = "y" * 8, "y" * 8
    found = correct(split(labels + "n" * 8, verdicts + "n" * 8, 1), "ynn-----" + "nnnnnnnn", (0.2, 0.8, 0.8, *(1.0,) * 8), 0.95)
    weights = np.array([5, 1.25, 1.25])
    share = 5 / weights.sum()  # of the affirmed that is there
    assert found.recall.value == pytest.approx(1.0)
    assert found.hallucination_rate.value == pytest.approx(8 * (1 - share) / (8 * (1 - share) + 8), abs=1e-6)


def test_chances_that_are_all_equal_change_nothing() -> None:
    rng = np.random.default_rng(1)
    labels, verdicts, truth = ("".join(rng.choice(list(letters), 60)) for letters in ("yn", "yn", "yn"))
    made = (correct(split(labels, verdicts, 3), truth, (chance,) * 60, 0.95) for chance in (1.0, 0.5, 0.25))
    first, *others = [(one.recall, one.hallucination_rate) for one in made]
    assert others == [first, first], "powers of two: to the last bit"


def test_null_without_a_review_of_both_labels() -> None:
    found = correct(split("yn" * 20, "yn" * 20, 2), "y-" * 20, (1.0,) * 20, 0.95)
    assert (found.recall, found.hallucination_rate) == (NONE, NONE)


def test_truth_is_found_by_claim(tmp_path: object) -> None:
    benchmark = make_benchmark(
        tmp_path / "b", {"content": [("a.jpg", "dog", "yes"), ("a.jpg", "cat", "no"), ("b.jpg", "dog", "no")]}
    )  # type: ignore[operator]
    claims = [
        ReviewedClaim(image="a.jpg", object="cat", decision="present", inclusion=0.5),
        ReviewedClaim(image="b.jpg", object="dog", decision="unsure", inclusion=0.25),
        ReviewedClaim(image="b.jpg", object="fox", decision="absent", inclusion=1.0),
    ]
    assert find_truth(benchmark.splits["content"], claims) == ("-y?", (0.5, 0.25))
    assert find_truth(benchmark.splits["content"], claims[2:]) is None


def test_a_restated_result_keeps_what_was_reviewed(tmp_path: Path) -> None:
    rows: list[Row] = [(f"{place}.jpg", name, label) for place in range(6) for name, label in (("dog", "yes"), ("cat", "no"))]
    benchmark = make_benchmark(tmp_path / "b", {"content": rows, "random": rows[:4]})
    said: dict[tuple[str, str], Verdict] = {(image, name): "yes" if name == "dog" else "no" for image, name, _ in rows}
    plain = score(benchmark, make_run(tmp_path / "r", benchmark, said), Bootstrap(replicates=100, seed=0, confidence=0.95))
    own = correct(plain.splits["content"], "yn" * 5 + "--", (0.5,) * 10, 0.95)
    stale = own.model_copy(update={"recall": NONE, "reviewed": 1})
    splits = {**plain.splits, "content": plain.splits["content"].model_copy(update={"corrected": stale})}
    restated = restate(plain.model_copy(update={"splits": splits}))
    assert restated.splits["content"].corrected == own
    assert restated.splits["random"].corrected is None
    assert restated.splits["random"].recall == plain.splits["random"].recall


def test_the_intervals_are_as_wide_as_a_bootstrap_of_both_phases() -> None:
    """Labels wrong on both sides and a review that looks at some of each: the estimate by hand, images resampled."""
    rng = np.random.default_rng(3)
    images, each = 300, 4
    there = rng.random((images, each)) < rng.choice([0.25, 0.75], (images, 1))
    label = np.where(there, rng.random((images, each)) < 0.75, rng.random((images, each)) < 0.2)
    said = np.where(there, rng.random((images, each)) < 0.6, rng.random((images, each)) < 0.35)
    seen = rng.random((images, each)) < 0.5

    def rates(chosen: np.ndarray) -> tuple[float, float]:  # type: ignore[type-arg]
        above, below = np.zeros(2), np.zeros(2)
        for of_label in (True, False):
            for answer in (True, False):
                cell = (label[chosen] == of_label) & (said[chosen] == answer)
                true = there[chosen][cell & seen[chosen]].mean()
                affected = cell.sum() * np.array([true, 1 - true])
                below += affected
                above += affected * answer
        return tuple((above / below).tolist())

    resampled = np.array([rates(rng.integers(images, size=images)) for _ in range(500)])
    letters = [
        "".join(np.where(one, yes, no).ravel()) for one, yes, no in ((label, "y", "n"), (said, "y", "n"), (there, "y", "n"))
    ]
    truth = "".join(letter if looked else "-" for letter, looked in zip(letters[2], seen.ravel(), strict=True))
    found = correct(split(letters[0], letters[1], each), truth, (0.5,) * int(seen.sum()), 0.95)
    for rate, value, drawn in zip((found.recall, found.hallucination_rate), rates(np.arange(images)), resampled.T, strict=True):
        assert rate.value == pytest.approx(value, abs=1e-6)
        assert rate.low is not None
        assert rate.high is not None
        assert rate.high - rate.low == pytest.approx(np.subtract(*np.percentile(drawn, [97.5, 2.5])), rel=0.1)


def by_hand(found: SplitScore, truth: str, inclusion: tuple[float, ...], letter: str) -> tuple[float | None, ...]:
    """The rate, and the two quotients at which MOVER's interval of the line (see `quotient`) holds 0."""
    chances = iter(inclusion)
    weights = [0.0 if one == "-" else 1 / next(chances) for one in truth]
    image = [place for place, count in enumerate(found.questions_per_image) for _ in range(count)]
    asked = [
        (found.labels[at], image[at], said == "y", truth[at], weights[at])
        for verdicts in found.all_verdicts for at, said in enumerate(verdicts) if said != "-"
    ]  # fmt: skip

    def share(rows: list[tuple[int, bool, float]]) -> Measured:
        """Of images, whether each question counts, and its weight, whose mean is made 1."""
        yes, all_ = np.zeros((2, len(found.questions_per_image)))
        for place, counts, weight in rows:
            all_[place] += weight * len(rows) / sum(one[2] for one in rows)
            yes[place] += counts * weight * len(rows) / sum(one[2] for one in rows)
        return korn_graubard(yes, all_, 0.9)

    terms = []
    for label in sorted({one[0] for one in asked}):
        own = [one for one in asked if one[0] == label]
        seen = [one for one in own if one[3] != "-"]
        if len({one[1] for one in seen}) < 2:
            return None, None, None
        cells = []
        for said in (True, False):
            cell = [one for one in seen if one[2] == said]
            part = share([(one[1], one[3] == letter, one[4]) for one in cell or seen])
            if len({one[1] for one in cell}) < 2:
                part = Measured(part.value, np.asarray(0.0), np.asarray(1.0), part.influence)
            cells.append(part)
        terms.append((len(own), share([(one[1], one[2], 1.0) for one in own]), *cells))
    above = sum(n * float(h.value * yes.value) for n, h, yes, _ in terms)
    below = sum(n * float(h.value * yes.value + (1 - h.value) * no.value) for n, h, yes, no in terms)
    if not below:
        return None, None, None

    def limit(q: float, side: str) -> float:
        parts = []
        for n, h, yes, no in terms:
            parts += [(n * float(yes.value * (1 - q) + no.value * q), h), (n * float(h.value) * (1 - q), yes)]
            parts.append((-n * (1 - float(h.value)) * q, no))
        whole = combined(*parts)
        return above - q * below + float(getattr(whole, side) - whole.value)

    rate = above / below
    low = brentq(limit, 0, rate, args=("low",)) if limit(0, "low") > 0 else 0.0
    high = brentq(limit, rate, 1, args=("high",)) if limit(1, "high") < 0 else 1.0
    return rate, low, high


@pytest.mark.parametrize("seed", range(12))
def test_every_limit_as_it_is_found_by_hand(seed: int) -> None:
    """Several samples, questions that weren't asked, one label alone, answers that are all alike or seen at one image only."""
    rng = np.random.default_rng(seed)
    images = 8 + 2 * seed
    labels = "".join(rng.choice(["y", "n"], 4 * images)) if seed != 3 else "n" * 4 * images
    said = [
        "".join("-" if rng.random() < 0.1 else "y" if rng.random() < (0.7 if label == "y" else 0.3) else "nue"[rng.integers(3)]
                for label in labels) for _ in range(1 + seed % 3)
    ]  # fmt: skip
    if seed == 4:
        said = ["y" * len(labels)]
    if seed == 5:
        said = ["yyyy" + "n" * (len(labels) - 4)]
    truth = "".join(
        "-" if rng.random() < (0.3, 0.8)[seed % 2] else rng.choice([label, "yn"[label == "y"], "?"], p=[0.7, 0.2, 0.1])
        for label in labels
    )
    if seed == 5:
        truth = labels[:4] + truth[4:]
    if seed == 6:
        truth = "-" * (len(labels) - 4) + "ynyn"
    inclusion = tuple(rng.uniform(0.2, 1, len(truth) - truth.count("-")).tolist())
    whole = split(labels, said[0], 4).model_copy(update={"further_verdicts": tuple(said[1:])})
    found = correct(whole, truth, inclusion, 0.9)
    for rate, letter in ((found.recall, "y"), (found.hallucination_rate, "n")):
        value, low, high = by_hand(whole, truth, inclusion, letter)
        stated = (rate.value, rate.low, rate.high)
        assert stated == ((None,) * 3 if value is None else pytest.approx((value, low, high), abs=2e-6))
    looked = [one for one, verdict in zip(truth, said[0], strict=True) if verdict != "-"]
    assert (found.reviewed, found.unsure) == (len(looked) - looked.count("-"), looked.count("?"))
    assert (found.truth, found.inclusion) == (truth, inclusion)
