"""Numbers by category, kind and size; the spread over prompts."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.split_score import Estimate, Part
from hope_bench.records import Annotations, Category, Image, Label, Question, Verdict
from hope_bench.scoring.breakdown import (
    Rows,
    break_down,
    breakdowns,
    by_category,
    by_kind,
    by_size,
    common_categories,
    object_sizes,
    part_places,
    recount_parts,
    unique_rows,
)
from hope_bench.scoring.conventions import CONVENTIONS, Convention
from hope_bench.scoring.prompt_spread import prompt_spread
from hope_bench.scoring.rates import korn_graubard
from hope_bench.scoring.score import score
from tests.runs import Row, make_benchmark, make_run

FAST = Bootstrap(replicates=200, seed=0, confidence=0.95)
IMAGES = [f"{number}.jpg" for number in range(20)]


def rows(distractor: str) -> list[Row]:
    return [row for image in IMAGES for row in ((image, "dog", "yes"), (image, distractor, "no"))]  # type: ignore[misc]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return make_benchmark(tmp_path / "b", {"category": rows("fox"), "content": [*rows("fox")[:10], *rows("wolf")[10:]]})


@pytest.fixture
def result(benchmark: Benchmark, tmp_path: Path) -> Result:
    """Affirms 15 of 20 dogs, 4 foxes of 20 and 10 wolves of 15."""
    said: dict[tuple[str, str], Verdict] = {}
    for number, image in enumerate(IMAGES):
        said |= {(image, "dog"): "yes" if number < 15 else "no", (image, "fox"): "yes" if number < 4 else "no"}
        if number >= 5:
            said[image, "wolf"] = "yes" if number < 15 else "no"
    return score(benchmark, make_run(tmp_path / "r", benchmark, said), FAST)


def test_categories_count_each_question_once(benchmark: Benchmark, result: Result) -> None:
    rows = unique_rows(benchmark, result, ["category", "content"])
    found = {part.name: part for part in break_down(rows, by_category)}
    assert {name: (part.on_yes.yes, part.on_yes.no, part.on_no.yes, part.on_no.no) for name, part in found.items()} == {
        "dog": (15, 5, 0, 0), "fox": (0, 0, 4, 16), "wolf": (0, 0, 10, 5),
    }  # fmt: skip
    assert {name: part.images for name, part in found.items()} == {"dog": 20, "fox": 20, "wolf": 15}
    low, high = binomtest(10, 15).proportion_ci(method="exact")  # one question an image: next to nothing to cluster
    rate = found["wolf"].hallucination_rate
    assert rate.value == pytest.approx(10 / 15, abs=1e-6)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))
    assert found["wolf"].recall == Estimate(value=None)
    assert found["dog"].hallucination_rate == Estimate(value=None)


def test_a_part_of_few_images_has_no_interval(benchmark: Benchmark, result: Result) -> None:
    rows = unique_rows(benchmark, result, ["category"])
    parts = break_down(rows, lambda one: "few" if one.image in IMAGES[:9] else "many")
    assert {part.name: part.hallucination_rate.low is None for part in parts} == {"few": True, "many": False}


def test_what_is_always_affirmed_still_has_an_interval() -> None:
    """Ten images, every claim denied: a bootstrap would say 0 to 0."""
    asked = [Question(n, f"{n // 3}.jpg", str(n), "no", "content", "fox") for n in range(30)]
    (part,) = break_down(Rows(asked, "n" * 30, "n" * 30, np.arange(30) // 3), by_category)
    assert (part.hallucination_rate.value, part.hallucination_rate.low) == (0, 0)
    assert part.hallucination_rate.high == pytest.approx(binomtest(0, 10).proportion_ci(method="exact").high, abs=1e-5)


def test_intervals_of_parts_cover_where_naive_ones_do_not() -> None:
    """40 images, 5 questions each, answers alike within an image: the clustered interval holds its 95%, Wilson's own doesn't."""
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(40), 5)
    asked = [Question(n, str(image[n]), str(n), "no", "content", "fox") for n in range(200)]
    covered, naive = 0, 0
    for _ in range(600):
        rate = rng.beta(0.6, 1.4, size=40)[image]
        verdicts = "".join(np.where(rng.random(200) < rate, "y", "n").tolist())
        (part,) = break_down(Rows(asked, "n" * 200, verdicts, image), by_category)
        found = part.hallucination_rate
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.3 <= found.high
        interval = binomtest(part.on_no.yes, 200).proportion_ci(method="wilson")
        naive += interval.low <= 0.3 <= interval.high
    assert 0.92 <= covered / 600 <= 0.97
    assert naive / 600 < 0.85


def test_rare_categories_are_counted_together() -> None:
    """Twelve categories, of which a result tells apart the three most asked; the rest has no name and nothing is lost."""
    asked = [Question(n, f"{n}.jpg", str(n), "no", "content", f"thing {min(n % 16, 11):02}") for n in range(160)]
    common = common_categories([asked], most=3)
    assert common == {"thing 11", "thing 00", "thing 01"}
    (parts,) = breakdowns(Rows(asked, "n" * 160, "y" * 160, np.arange(160)), common, {}).values()
    assert [(part.name, part.on_no.yes) for part in parts] == [
        ("thing 00", 10), ("thing 01", 10), ("thing 11", 50), (None, 90),
    ]  # fmt: skip


def test_kinds(benchmark: Benchmark, result: Result, tmp_path: Path) -> None:
    described = [
        replace(one, description="a red fox", description_kind="attribute") if one.object == "fox" else one
        for one in benchmark.splits["category"]
    ]
    write_benchmark(
        tmp_path / "d", {"category": described}, {"category": "hope"}, name="d", title="", prompt="{question}",
        headline="category", k=None, dataset="", images=dict(benchmark.manifest.images),
    )  # fmt: skip
    found = {part.name: part for part in break_down(unique_rows(read_benchmark(tmp_path / "d"), result, ["category"]), by_kind)}
    assert (found["plain"].on_yes.yes, found["attribute"].on_no.yes) == (15, 4)


def test_sizes_are_the_largest_ones_share_of_the_image(benchmark: Benchmark, result: Result) -> None:
    annotations = Annotations(
        categories=(Category("dog"), Category("cat")),
        images=(Image("0.jpg", 100, 100), Image("1.jpg", 100, 100), Image("2.jpg", None, None)),
        starts=np.array([0, 3, 5, 6]),
        category_of=np.array([0, 0, 1, 0, 1, 0], dtype=np.int32),
        crowd=np.array([False, False, False, False, True, False]),
        boxes=np.array(
            [[0, 0, 5, 5], [0, 0, 20, 20], [0, 0, 9, 9], [0, 0, 50, 20], [0, 0, 9, 9], [0, 0, 9, 9]], dtype=np.float32
        ),
    )
    sizes = object_sizes(annotations, {"0.jpg", "1.jpg", "2.jpg"})
    assert sizes == {("0.jpg", "dog"): "medium", ("0.jpg", "cat"): "small", ("1.jpg", "dog"): "large"}
    assert object_sizes(annotations, {"1.jpg"}) == {("1.jpg", "dog"): "large"}
    rows = unique_rows(benchmark, result, ["category", "content"])
    found = {part.name: part.on_yes.yes for part in break_down(rows, by_size(sizes))}
    assert found == {"medium": 1, "large": 1, None: 13}
    by_name = breakdowns(rows, frozenset(), sizes)
    assert [part.name for part in by_name["object-size"]] == ["medium", "large"]


def test_spread_over_prompts(result: Result) -> None:
    split = result.splits["category"]
    other = result.model_copy(update={"splits": {
        **result.splits, "category": split.model_copy(update={"balanced_accuracy": Estimate(value=0.9, low=0.8, high=1.0)})
    }})  # fmt: skip
    found = {one.split: one for one in prompt_spread([result, other])}
    first = split.balanced_accuracy.value
    assert first == pytest.approx(0.775)
    one = found["category"]
    assert (one.mean, one.low, one.high) == (pytest.approx(0.8375), first, 0.9)
    assert one.deviation == pytest.approx(np.std([first, 0.9], ddof=1), abs=1e-6)
    assert found["content"].deviation == 0
    assert one.sampling_error is not None
    assert prompt_spread([result])[0].deviation is None
    with pytest.raises(HopeBenchError, match="the same questions"):
        prompt_spread([result, result.model_copy(update={"benchmark": result.benchmark.model_copy(update={"hash": "x"})})])


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=list(CONVENTIONS))
def test_parts_count_unread_answers_as_their_convention_does(convention: Convention) -> None:
    """A rate's interval is that of the answers in its denominator: all that were asked, or those read as yes or no."""
    rng = np.random.default_rng(3)
    image = np.repeat(np.arange(30), 8)
    labels, verdicts = ("".join(rng.choice(list(letters), 240)) for letters in ("yn", "yynnue-"))
    asked = [Question(n, f"{image[n]}.jpg", str(n), "no", "content", "cat" if n % 3 else "dog") for n in range(240)]

    def parts(kept: str) -> tuple[Part, ...]:
        at = [n for n in range(240) if verdicts[n] in kept]
        of = Rows([asked[n] for n in at], "".join(labels[n] for n in at), "".join(verdicts[n] for n in at), image[at])
        return break_down(of, by_category)  # strict: all that are given count

    found = break_down(Rows(asked, labels, verdicts, image), by_category, convention)
    every, read = parts("yynnue"), parts("yn")
    for one, all_, known in zip(found, every, read, strict=True):
        assert one.recall == (all_ if convention.unread == "wrong" else known).recall
        assert one.hallucination_rate == (known if convention.unread == "nowhere" else all_).hallucination_rate
        assert one.images == len({n // 8 for n in range(240) if verdicts[n] != "-" and asked[n].object == one.name})
        assert one.recall != (known if convention.unread == "wrong" else all_).recall
        assert one.hallucination_rate != (all_ if convention.unread == "nowhere" else known).hallucination_rate


def test_the_most_asked_categories() -> None:
    def asked(*names: str | None, label: Label = "no") -> list[Question]:
        return [Question(n, "a.jpg", str(n), label, "content", name) for n, name in enumerate(names)]

    splits = [asked("b", "b", "a", None, None, None), asked("c", "c", "d", "d", "e", label="yes"), asked("d", "a", "f")]
    order = ["b", "a", "d", "f", "c", "e"]  # by no-questions, yes-questions, name: a 2, b 2, d 1 (2), f 1, c (2), e (1)
    assert [common_categories(splits, most) for most in range(1, 8)] == [
        frozenset(("a",)), frozenset(("a", "b")), *(frozenset((*order[:most],)) for most in (3, 4, 5, 6, 6)),
    ]  # fmt: skip
    many = [Question(n, "a.jpg", str(n), "no", "content", f"{n:03}") for n in range(120)]
    assert common_categories([many]) == {f"{n:03}" for n in range(100)}


def test_a_parts_interval_is_that_of_its_rate_by_image() -> None:
    rng = np.random.default_rng(5)
    image = np.repeat(np.arange(40), rng.integers(0, 9, 40))
    size = len(image)
    asked = [Question(n, f"{image[n]}.jpg", str(n), "no", "content", f"{n * n % 3}") for n in range(size)]
    labels, verdicts = "".join(rng.choice(["y", "n"], size)), "".join(rng.choice(["y", "n", "n", "u", "-"], size))
    for part in break_down(Rows(asked, labels, verdicts, image), by_category):
        for found, label in ((part.recall, "y"), (part.hallucination_rate, "n")):
            at = [n for n in range(size) if asked[n].object == part.name and labels[n] == label and verdicts[n] != "-"]
            yes = np.bincount(image[at], weights=[verdicts[n] == "y" for n in at], minlength=40)
            alone = korn_graubard(yes, np.bincount(image[at], minlength=40).astype(np.float64)).estimate()
            assert (found.value, found.low, found.high) == pytest.approx((alone.value, alone.low, alone.high), abs=1.5e-6)


@pytest.mark.parametrize(
    ("box", "size"),
    [((10, 9.9), "small"), ((10, 10), "medium"), ((33, 30), "medium"), ((50, 20), "large"), ((100, 100), "large")],
)
def test_the_ends_of_sizes(box: tuple[float, float], size: str) -> None:
    one = Annotations(
        categories=(Category("dog"),), images=(Image("0.jpg", 100, 100),), starts=np.array([0, 1]),
        category_of=np.zeros(1, np.int32), crowd=np.zeros(1, np.bool_), boxes=np.array([[0, 0, *box]], dtype=np.float32),
    )  # fmt: skip
    assert object_sizes(one, {"0.jpg"}) == {("0.jpg", "dog"): size}


def test_which_part_each_question_is_in() -> None:
    asked = [
        Question(0, "a.jpg", "0", "yes", "content", "dog"), Question(1, "a.jpg", "1", "no", "content", "cat"),
        Question(2, "b.jpg", "2", "yes", "content", None), Question(3, "b.jpg", "3", "yes", "content", "cat"),
        Question(4, "b.jpg", "4", "no", "content", "dog", description_kind="attribute"),
    ]  # fmt: skip
    sizes = {("a.jpg", "dog"): "large", ("b.jpg", "cat"): "small", ("b.jpg", "dog"): "medium"}
    rows, common = Rows(asked, "ynyyn", "yyyy-", np.array([0, 0, 1, 1, 1])), frozenset(("dog", "cat"))
    found = breakdowns(rows, common, sizes)
    assert {name: [part.name for part in parts] for name, parts in found.items()} == {
        "category": ["cat", "dog", None], "description-kind": ["attribute", "plain"], "object-size": ["small", "large"],
    }  # fmt: skip
    places = part_places(asked, found, common, sizes)
    assert {name: list(base64.b64decode(one)) for name, one in places.items()} == {
        "category": [1, 0, 2, 0, 1], "description-kind": [1, 1, 1, 1, 0], "object-size": [1, 255, 255, 0, 255],
    }  # fmt: skip
    assert list(
        breakdowns(replace(rows, questions=asked[:4], labels="ynyy", verdicts="yyyy", image=rows.image[:4]), common, {})
    ) == ["category"]
    split = SimpleNamespace(
        labels="ynyyn", all_verdicts=("yyyy-", "nnnnn"), questions_per_image=(2, 3), breakdowns=found, part_of=places
    )
    twice = Rows(asked * 2, "ynyyn" * 2, "yyyy-nnnnn", np.tile(rows.image, 2))
    assert recount_parts(split) == breakdowns(twice, common, sizes)  # type: ignore[arg-type]
    del split.part_of["category"]
    assert list(recount_parts(split)) == ["description-kind", "object-size"]  # type: ignore[arg-type]
