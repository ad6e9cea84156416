"""The balanced family: the flow against brute force, and what its splits must hold."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.spec import BalancedSpec, BenchmarkSpec, ClipSpec, DatasetSpec, GuardsSpec
from hope_bench.records import Question
from hope_bench.search import balanced, flow
from hope_bench.search import generate as generate_module
from hope_bench.search.balanced import balance_of
from hope_bench.search.flow import Edges, balance
from hope_bench.search.generate import generate
from tests.clips import save_tiny_clip
from tests.forks import run

FAMILY = (
    "random-balanced", "category-balanced", "content-balanced", "description-balanced", "hope-balanced", "control-balanced",
)  # fmt: skip


def best_by_trying(scores: np.ndarray, allowed: np.ndarray, asked: np.ndarray, k: int, slack: int) -> float | None:
    """The highest total of all choices of k a row that are within the slack (in all within 2%, rounded up); None where none
    is."""
    choices = [list(itertools.combinations(np.flatnonzero(row).tolist(), k)) for row in allowed]
    free = int(np.ceil(0.02 * k * len(scores)))
    best = None
    for chosen in itertools.product(*choices):
        counts = np.bincount([column for columns in chosen for column in columns], minlength=scores.shape[1])
        off = counts - asked
        if np.abs(off).max() <= slack and off[off > 0].sum() <= free:
            total = sum(scores[row, list(columns)].sum() for row, columns in enumerate(chosen))
            best = total if best is None else max(best, total)
    return best


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), slack=st.integers(0, 2), whole=st.booleans())
def test_the_flow_finds_the_best_balanced_choice(seed: int, slack: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    rows, columns, k = int(rng.integers(2, 5)), int(rng.integers(4, 6)), 2
    scores = rng.normal(size=(rows, columns))
    allowed = rng.random((rows, columns)) < 0.8
    allowed[:, :k] = True
    row, claim = np.nonzero(allowed)
    given_yes = [column for _ in range(rows) for column in rng.choice(columns, k, replace=False)]
    asked = np.bincount(given_yes, minlength=columns)
    with pytest.MonkeyPatch.context() as patch:
        if not whole:  # edges are added by their prices
            patch.setattr(flow, "_WHOLE", 0)
            patch.setattr(flow, "_AT_FIRST", 2)
            patch.setattr(flow, "_AT_ONCE", 1)
        found = balance(Edges(row, claim, -scores[row, claim]), np.full(rows, k), asked, claims=columns, slack=slack, seed=seed)
    assert np.bincount(row[found.no], minlength=rows).tolist() == [k] * rows
    best = best_by_trying(scores, allowed, asked, k, slack)
    assert (found.excess == 0) == (best is not None)
    if best is not None:
        assert scores[row, claim][found.no].sum() == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("first", [1, 3])
def test_adding_edges_by_their_prices_ends_at_the_same_optimum(seed: int, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many rows, with and without groups: what is taken costs the same, and far from all edges were looked at."""
    rng = np.random.default_rng(seed)
    rows, claims, k = 40, 25, 2

    def side(grouped: bool) -> Edges:
        row, claim = np.nonzero(rng.random((rows, claims)) < 0.7)
        groups = np.unique(row * claims + claim // 3, return_inverse=True)[1] if grouped else None
        return Edges(row, claim, rng.random(len(row)).round(6), groups, strict=bool(seed % 2))

    no, yes = side(seed % 3 > 0), side(seed % 3 > 1)
    needs = np.full(rows, k)
    asked = np.bincount(rng.integers(0, claims, rows * k), minlength=claims)
    for other, other_needs in ((asked, None), (yes, needs)):
        whole = balance(no, needs, other, other_needs, claims=claims, slack=seed % 2, seed=seed)
        looked: list[int] = []
        held: list[int] = []

        def counted(sides: Any, *more: Any, looked: list[int] = looked, held: list[int] = held, solve: Any = flow._solve) -> Any:
            looked.append(int(sides[0].held.sum()))
            held.append(sum(int(one.held.sum()) for one in sides))
            assert held == sorted(set(held)), "each time more stand in the programme, or it would never end"
            return solve(sides, *more)

        with monkeypatch.context() as patch:
            patch.setattr(flow, "_WHOLE", 0)
            patch.setattr(flow, "_AT_FIRST", first)
            patch.setattr(flow, "_AT_ONCE", 2)
            patch.setattr(flow, "_solve", counted)
            part = balance(no, needs, other, other_needs, claims=claims, slack=seed % 2, seed=seed)
        assert looked == sorted(looked)
        assert looked[0] <= rows * max(3 * k, first) + (0 if no.group is None else int(no.group.max()) + 1) < len(no.row)
        assert part.excess == whole.excess
        cost = [no.cost[one.no].sum() / np.ptp(no.cost) for one in (whole, part)]
        if other_needs is not None:
            cost = [one + yes.cost[made.yes].sum() / np.ptp(yes.cost) for one, made in zip(cost, (whole, part), strict=True)]
        assert cost[1] == pytest.approx(cost[0], abs=1e-4)


@pytest.mark.parametrize("whole", [True, False])
def test_both_sides_are_chosen_where_the_preferred_ones_cannot_be_balanced(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everyone is in each picture: asked about first everywhere, it could never be asked with no."""
    if not whole:
        monkeypatch.setattr(flow, "_WHOLE", 0)
    row, claim = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 2, 0, 1])
    yes = Edges(row, claim, np.array([0.0, 1, 0, 1, 0, 1]))
    absent = Edges(np.array([0, 0, 1, 1, 2, 2]), np.array([2, 3, 1, 3, 2, 3]), np.zeros(6))
    found = balance(absent, np.ones(3, dtype=int), yes, np.ones(3, dtype=int), claims=4, slack=0, seed=0)
    assert found.yes is not None
    no, said = Counter(absent.claim[found.no].tolist()), Counter(claim[found.yes].tolist())
    assert found.excess > 0 or no == said
    assert said[0] < 3


def test_where_nothing_is_asked_nothing_is_taken() -> None:
    nothing = np.zeros(0, dtype=int)
    found = balance(Edges(nothing, nothing, np.zeros(0)), nothing, np.zeros(2, dtype=int), claims=2, slack=0, seed=0)
    assert (found.no.tolist(), found.yes, found.excess) == ([], None, 0)


def test_a_row_whose_cheapest_edges_are_all_of_one_group_takes_one_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_WHOLE", 0)
    monkeypatch.setattr(flow, "_AT_FIRST", 1)
    claim, group = np.arange(9), np.array([0] * 8 + [1])
    no = Edges(np.zeros(9, dtype=int), claim, np.arange(9.0), group)
    found = balance(no, np.array([2]), np.array([1] + [0] * 7 + [1]), claims=9, slack=0, seed=0)
    assert np.flatnonzero(found.no).tolist() == [0, 8]
    assert found.excess == 0


def test_what_differs_by_less_than_a_ten_millionth_of_all_costs_is_drawn() -> None:
    """The last digits of a processor's sums don't choose: of equal edges the seed does, from the first number on."""
    for seed in range(3):
        drawn = np.random.default_rng(seed).random(202)[:200]
        first, second = np.argsort(drawn)[:2]
        cost = np.full(202, 0.4)
        cost[second] -= 2e-8
        cost[200:] = 0.0, 1.0  # which no claim lets be taken
        claim = np.r_[np.zeros(200, dtype=int), 1, 1]
        edges = Edges(np.zeros(202, dtype=int), claim, cost)
        found = balance(edges, np.ones(1, dtype=int), np.array([1, 0]), claims=2, slack=0, seed=seed)
        assert np.flatnonzero(found.no).tolist() == [first]
        cost[second] -= 1e-4
        found = balance(Edges(edges.row, claim, cost), np.ones(1, dtype=int), np.array([1, 0]), claims=2, slack=0, seed=seed)
        assert np.flatnonzero(found.no).tolist() == [second]


def test_within_the_slack_balance_costs_nothing() -> None:
    """The cheaper claim is taken, however little it is cheaper, though it was the other one that was asked about with yes."""
    edges = Edges(np.zeros(3, dtype=int), np.arange(3), np.array([0.0001, 0.0, 1.0]))
    for slack, taken in ((0, 0), (1, 1)):
        found = balance(edges, np.ones(1, dtype=int), np.array([1, 0, 0]), claims=3, slack=slack, seed=0)
        assert np.flatnonzero(found.no).tolist() == [taken]


@pytest.mark.parametrize(("most", "taken"), [(0.6, [0, 1, 4, 5]), (0.4, [0, 2, 3, 6])])
def test_two_of_a_group_cost_as_much_as_twice_what_all_costs_are_apart(most: float, taken: list[int]) -> None:
    """The first row asks two: both of its group, where else others would have to give way by more than that."""
    row, claim = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 3, 2, 3, 1])
    cost, group = np.array([0, 0, 1, most, 0, 0, most]), np.array([0, 0, 1, 2, 3, 4, 5])
    no = Edges(row, claim, cost, group, strict=False)
    found = balance(no, np.array([2, 1, 1]), np.ones(4, dtype=int), claims=4, slack=0, seed=0)
    assert np.flatnonzero(found.no).tolist() == taken


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("alike", [False, True])
def test_what_stands_in_the_first_programme(alike: bool, grouped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few edges all; of more each row's best, measured against what its claim costs elsewhere (of equal ones drawn, a claim as
    often as the other side has it), and one of each group that only one is taken of."""
    rng = np.random.default_rng(0)
    row, claim = np.repeat(np.arange(4), 12), np.tile(np.arange(12), 4)
    claim[47] = 12  # which nothing else claims
    cost = np.zeros(48) if alike else rng.random(48) + claim
    group = np.r_[(row * 6 + claim // 2)[:47], 24] if grouped else None
    edges, needs, other = Edges(row, claim, cost, group), np.array([1, 2, 3, 1]), np.arange(13)
    monkeypatch.setattr(flow, "_AT_FIRST", 5)
    monkeypatch.setattr(flow, "_WHOLE", 48)
    whole = flow._side(edges, needs, 1.0, np.random.default_rng(1), other)
    assert whole.held.all()
    assert alike or (0 <= whole.cost.min() < 0.01 and 1000 <= whole.cost.max() < 1000.01)
    assert whole.tight.tolist() == ([True] * 23 + [False] * 2) * grouped
    monkeypatch.setattr(flow, "_WHOLE", 47)
    part = flow._side(edges, needs, 1.0, np.random.default_rng(1), other)
    assert (part.cost == whole.cost).all()
    usual = np.array([part.cost[claim == one].mean() for one in range(13)])
    wanted = np.random.default_rng(1).exponential(size=48) / (1 + other[claim]) if alike else part.cost - usual[claim]
    expected = set[int]()
    for one in range(4):
        own = np.flatnonzero(row == one)
        expected.update(own[np.argsort(wanted[own])][: max(5, 3 * needs[one])].tolist())
    if grouped:
        expected.update((*range(0, 48, 2), 47))
    assert set(np.flatnonzero(part.held).tolist()) == expected
    loose = flow._side(Edges(row, claim, cost, group, strict=False), needs, 1.0, np.random.default_rng(1), other)
    assert int(loose.held.sum()) == 5 + 6 + 9 + 5


@pytest.mark.parametrize(("rows", "free"), [(50, 1), (51, 2), (100, 2), (101, 3)])
def test_how_many_questions_may_be_unbalanced_in_all(rows: int, free: int) -> None:
    """2% of them, rounded up: of claims that are each within the slack no more are."""
    claims = 2 * free + 4
    asked = np.r_[np.ones(claims // 2, dtype=int), np.zeros(claims // 2, dtype=int)]  # of the second half one could be, each
    asked[0] = rows - claims // 2 + 1
    row, claim = np.repeat(np.arange(rows), claims), np.tile(np.arange(claims), rows)
    cheap = np.where(claim >= claims // 2, 0.0, 1.0)
    found = balance(Edges(row, claim, cheap), np.ones(rows, dtype=int), asked, claims=claims, slack=1, seed=0)
    assert found.excess == 0
    assert int((claim[found.no] >= claims // 2).sum()) == free


def test_scores_that_are_all_alike_stand_at_nothing() -> None:
    assert balanced._unit(np.full(4, 0.5)).tolist() == [0, 0, 0, 0]
    assert balanced._unit(np.array([1.0, 3.0])).tolist() == [-1, 1]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twice 30 drawn scenes."""
    from hope_bench.demo.dataset import write_world

    folder = tmp_path_factory.mktemp("world")
    write_world(folder / "world", 70, 3_500_000)
    return folder / "world"


def spec_for(data: Path, clip: str, **changes: object) -> BenchmarkSpec:
    return BenchmarkSpec(
        name="test", sample_images=40, headline="hope-balanced", strategies=("random", "content", *FAMILY, "hard-positives"),
        dataset=DatasetSpec(annotations=str(data / "instances.json"), images=str(data / "images")),
        clip=ClipSpec(model=clip), guards=GuardsSpec(same_name=1.0),
    ).model_copy(update=changes)  # fmt: skip


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder = tmp_path_factory.mktemp("made")
    generate(spec_for(data, save_tiny_clip(folder / "clip")), folder / "out", folder / "cache")
    return read_benchmark(folder / "out")


def test_every_claim_is_asked_as_often_with_no_as_with_yes(made: Benchmark) -> None:
    assert made.manifest.dataset == "instances", "named as its file"
    for split in FAMILY:
        questions = made.splits[split]
        difference = Counter(one.text for one in questions if one.label == "no")
        difference.subtract(one.text for one in questions if one.label == "yes")
        assert max(map(abs, difference.values())) == made.manifest.balance[split].largest <= 1
        assert sum(one for one in difference.values() if one > 0) <= np.ceil(0.02 * len(questions) / 2)
        for image in made.manifest.images:
            own = [one for one in questions if one.image == image]
            assert [one.label for one in own] == ["yes", "no"] * 3
            assert len({one.text for one in own}) == 6


def test_the_family_shares_its_yes_questions_and_claims_only_what_is_true(made: Benchmark, data: Path) -> None:
    content = json.loads((data / "instances.json").read_text())
    names = {one["id"]: one["name"] for one in content["categories"]}
    files = {one["id"]: one["file_name"] for one in content["images"]}
    present: dict[str, set[str]] = {}
    for one in content["annotations"]:
        present.setdefault(files[one["image_id"]], set()).add(names[one["category_id"]])

    def yes(split: str) -> list[tuple[str, str]]:
        return [(one.image, one.text) for one in made.splits[split] if one.label == "yes"]

    assert yes("random-balanced") == yes("category-balanced") == yes("content-balanced") == yes("control-balanced")
    plain = {(one.image, one.text) for one in made.splits["hope-balanced"] if one.label == "yes" and one.description is None}
    assert plain < set(yes("content-balanced"))
    for split in FAMILY:
        for one in made.splits[split]:
            there = one.object in present[one.image]
            assert there == (one.label == "yes" or one.description is not None)
    described = Counter(one.label for one in made.splits["hope-balanced"] if one.description)
    assert described == {"yes": 40, "no": 40}
    assert all(one.description for one in made.splits["description-balanced"])
    assert not any(name.endswith("balanced-twins") for name in made.splits)


def test_hard_positives_are_other_yes_questions_beside_the_same_no_questions(made: Benchmark) -> None:
    def side(split: str, label: str) -> list[str]:
        return [one.text for one in made.splits[split] if one.label == label]

    assert side("hard-positives", "no") == side("random", "no")
    assert side("hard-positives", "yes") != side("random", "yes")


@pytest.mark.parametrize("positives", ["random", "size-stratified", "hard"])
def test_positives_are_chosen_as_the_spec_says_but_in_popes_own_splits(data: Path, tmp_path: Path, positives: str) -> None:
    spec = spec_for(
        data, save_tiny_clip(tmp_path / "clip"), strategies=("random", "random-guarded", "content"), headline="content"
    )
    generate(spec, tmp_path / "first", tmp_path / "cache")
    generate(spec.model_copy(update={"positives": positives}), tmp_path / "other", tmp_path / "cache")
    first, other = read_benchmark(tmp_path / "first"), read_benchmark(tmp_path / "other")

    def yes(benchmark: Benchmark, split: str) -> list[str]:
        return [one.text for one in benchmark.splits[split] if one.label == "yes"]

    assert first.splits["random"] == other.splits["random"]
    assert yes(other, "content") == yes(other, "random-guarded") != yes(first, "content")


def test_the_same_bytes_from_another_process_with_more_threads(data: Path, tmp_path: Path) -> None:
    """Which has hashes of its own, too."""
    spec = spec_for(data, save_tiny_clip(tmp_path / "clip"), sample_images=25)
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    code = (
        f"import sys, torch; torch.set_num_threads({torch.get_num_threads() + 1}); "
        "from pathlib import Path; from hope_bench.files.spec import BenchmarkSpec; "
        "from hope_bench.search.generate import generate; "
        "generate(BenchmarkSpec.model_validate_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    made = run(["-c", code, tmp_path / "spec.json", tmp_path / "other", tmp_path / "cache"], {"PATH": ""})
    assert made.returncode == 0, made.stderr
    generate(spec, tmp_path / "this", tmp_path / "cache here")
    assert read_benchmark(tmp_path / "other").manifest.hash == read_benchmark(tmp_path / "this").manifest.hash


def test_other_images_are_searched_in_the_same_way(made: Benchmark) -> None:
    others = {one.image for questions in made.others.values() for one in questions}
    assert made.others.keys() == made.splits.keys()
    assert len(others) == made.manifest.blind.images == 30  # type: ignore[union-attr]
    assert not others & set(made.manifest.images)


def test_other_images_that_are_not_there_are_done_without(data: Path, tmp_path: Path) -> None:
    """As for who downloads a benchmark's images alone, of a large data set."""
    spec = spec_for(data, save_tiny_clip(tmp_path / "clip"), strategies=("random", "content"), headline="content")
    generate(spec, tmp_path / "first", tmp_path / "cache")
    made = read_benchmark(tmp_path / "first")
    (tmp_path / "images").mkdir()
    for name in made.manifest.images:
        (tmp_path / "images" / name).write_bytes((data / "images" / name).read_bytes())
    alone = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"images": str(tmp_path / "images")})})
    generate(alone, tmp_path / "alone", tmp_path / "cache")
    again = read_benchmark(tmp_path / "alone")
    assert again.manifest.hash == made.manifest.hash
    assert made.others
    assert (again.others, again.manifest.blind) == ({}, None)


def test_the_balance_of_questions_by_hand() -> None:
    said = {"a dog": "nnny", "a cat": "yyn", "a cup": "ny", "a fox": "nn"}
    asked = [
        Question(number, "a.jpg", f"Is there {what} in the image?", "no" if label == "n" else "yes", "random", what)
        for number, (what, label) in enumerate((what, label) for what, labels in said.items() for label in labels)
    ]
    for order in (asked, asked[::-1]):
        found = balance_of(order)
        assert (found.claims, found.largest, found.unbalanced) == (4, 2, 2 + 2)
    assert balance_of([]).largest == 0
    told: list[str] = []
    for slack in (1, 2):
        inputs = SimpleNamespace(spec=SimpleNamespace(balanced=BalancedSpec(slack=slack)))
        generate_module._say_unbalanced(cast("Any", inputs), {"content": asked, "hope-balanced": asked}, told.append)
    assert told == [
        "hope-balanced could not be balanced: 4 of its no-questions have no yes-question of the same claim over against them, at "
        "most 2 of one claim (the slack is 1)."
    ]
