"""The balanced family's questions against brute force: of all choices the most balanced, of these the most wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from hope_bench.files.spec import BalancedSpec, DescriptionSpec
from hope_bench.search import flow
from hope_bench.search.balanced import BalancedFamily, Chosen, lacking, slots
from hope_bench.search.category import category
from hope_bench.search.content import content, content_probability
from hope_bench.search.control_content import control_content
from hope_bench.search.description import Description, Descriptions
from hope_bench.search.false_descriptions import FalseDescriptions
from hope_bench.search.flow import Edges, balance
from hope_bench.search.positives import Order
from hope_bench.search.space import SearchSpace
from tests.search_space import WORDS, make_space

SCORES = {"content": content, "category": category, "control": control_content}
CLOSE = 1e-4

Combination = tuple[tuple[str, ...], float]
"""What an image may be asked about on one side, and how little it is wanted."""


class Made:
    """A family over a few images: each shows three or four of the seven things, and some absent ones are barred."""

    def __init__(self, seed: int, images: int, k: int, slack: int = 1, **descriptions: object) -> None:
        rng = np.random.default_rng(seed)
        objects = [rng.choice(WORDS, 3 + index % 2, replace=False).tolist() for index in range(images + 1)]
        spec = DescriptionSpec().model_copy(update=descriptions)
        # An attribute's name may end as an object's does.
        colours = {row: {"seen by cup": str(rng.choice(["red", "blue", "green"]))} for row in range(7 * len(objects))}
        annotated = {"attributes": {row: colours[row] for row in range(sum(map(len, objects)))}}
        self.space: SearchSpace = make_space(objects, seed, annotated, k=k, balanced=BalancedSpec(slack=slack), descriptions=spec)
        self.allowed = ~self.space.present_mask
        barred = rng.choice(np.flatnonzero(self.allowed[1]))
        self.allowed[1, barred] = len(objects[1]) == 4  # three are left at least
        self.rows = list(range(1, images + 1))  # the first image takes no part
        self.order: Order = tuple(tuple(rng.permutation(names).tolist()) for names in self.space.present)
        said = Description(objects[1][0], "given", "given", "odd", "an odd one", "Is there an odd one?")  # no true one beside it
        self.false = FalseDescriptions(self.space, {self.space.files[1]: Descriptions(false=(said,))})
        self.family = BalancedFamily(self.space, self.allowed, self.false, self.order, self.rows)
        self.k, self.slack = k, slack

    def split(self, name: str) -> tuple[list[list[tuple[str, Description | None]]], Chosen]:
        """The yes-questions of each image by name and description; and all that was chosen."""
        chosen = self.family.split(name)
        images = [self.space.images[row] for row in self.rows]
        assert list(chosen.positives) == list(chosen.distractors) == images
        return [[(one.name, one.description) for one in chosen.positives[image]] for image in images], chosen

    def absent(self, row: int) -> list[str]:
        return [name for place, name in enumerate(WORDS) if self.allowed[row, place]]


def standardized(scores: np.ndarray, over: np.ndarray) -> np.ndarray:
    return (scores - scores[over].mean()) / scores[over].std()


def together(rows: Iterable[Sequence[Combination]], claims: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Every choice of one combination a row: how often each claim is made, [M, claims], and its cost [M]."""
    counts, cost = np.zeros((1, len(claims)), dtype=int), np.zeros(1)
    for row in rows:
        own = np.array([[chosen.count(claim) for claim in claims] for chosen, _ in row])
        counts = (counts[:, None] + own).reshape(-1, len(claims))
        cost = (cost[:, None] + [each for _, each in row]).ravel()
    return counts.astype(np.int8), cost


def cheapest(no: Sequence[Sequence[Combination]], yes: Sequence[Sequence[Combination]], slack: int) -> tuple[int, float]:
    """The fewest units beyond the slack (2% of the no-questions over all claims), and the lowest cost of so few."""
    claims = sorted({claim for row in (*no, *yes) for chosen, _ in row for claim in chosen})
    no_counts, no_cost = together(no, claims)
    free = -(-2 * int(no_counts[0].sum()) // 100)
    best = (10**9, 0.0)
    for counts, cost in zip(*together(yes, claims), strict=True):
        off = no_counts - counts
        over = np.maximum(off, 0).sum(axis=1)
        excess = np.maximum(np.abs(off) - slack, 0).sum(axis=1) + np.maximum(over - free, 0)
        least = int(excess.min())
        best = min(best, (least, float(cost + no_cost[excess == least].min())))
    return best


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("sides", ["one", "both", "groups"])
@pytest.mark.parametrize("slack", [0, 1, 2])
def test_what_cannot_be_balanced_is_as_little_as_can_be(
    slack: int, sides: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims that one side makes far oftener than the other: how many go beyond the slack, and the cheapest way to so few."""
    if not whole:
        monkeypatch.setattr(flow, "_WHOLE", 0)
        monkeypatch.setattr(flow, "_AT_FIRST", 1)
        monkeypatch.setattr(flow, "_AT_ONCE", 1)
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        rows, k = int(rng.integers(3, 5)), int(rng.integers(1, 3))

        def side(rng: np.random.Generator = rng, rows: int = rows, k: int = k) -> tuple[Edges, list[list[Combination]]]:
            """Edges, some grouped by two where wanted; and each row's combinations with what they cost."""
            allowed = rng.random((rows, 4)) < 0.6
            allowed[:, : k + 1] = True
            row, claim = np.nonzero(allowed)
            cost = rng.random(len(row))
            group = np.unique(row * 2 + claim // 2, return_inverse=True)[1] if sides == "groups" else None
            beyond = 2 * float(np.ptp(cost))
            combos: list[list[Combination]] = [[] for _ in range(rows)]
            for one in range(rows):
                own = np.flatnonzero(row == one)
                for chosen in combinations(own.tolist(), k):
                    over = 0 if group is None else k - len({int(group[edge]) for edge in chosen})
                    price = float(cost[list(chosen)].sum()) + beyond * over
                    combos[one].append((tuple(str(claim[edge]) for edge in chosen), price))
            return Edges(row, claim, cost, group, strict=False), combos

        no, no_combos = side()
        needs = np.full(rows, k)
        if sides == "both":
            yes, yes_combos = side()
            made = balance(no, needs, yes, needs, claims=4, slack=slack, seed=seed)
            assert made.yes is not None
            assert np.bincount(yes.row[made.yes], minlength=rows).tolist() == [k] * rows
            given = [(tuple(str(c) for c in yes.claim[made.yes & (yes.row == row)]), 0.0) for row in range(rows)]
            picked = [[one for one in own if one[0] == names] for own, (names, _) in zip(yes_combos, given, strict=True)]
        else:
            asked = rng.multinomial(rows * k, [0.7, 0.3, 0.0, 0.0])
            made = balance(no, needs, asked, claims=4, slack=slack, seed=seed)
            assert made.yes is None
            yes_combos = picked = [[(tuple("0" * asked[0] + "1" * asked[1]), 0.0)]]
        chosen = [tuple(str(c) for c in no.claim[made.no & (no.row == row)]) for row in range(rows)]
        best = cheapest(no_combos, yes_combos, slack)
        taken = [[one for one in own if one[0] == names] for own, names in zip(no_combos, chosen, strict=True)]
        assert made.excess == best[0]
        found.append(made.excess)
        if sides != "both":  # whose costs are each scaled to one range
            check(cheapest(taken, picked, slack), best)
    assert sides == "both" or slack > 1 or max(found) > 1


def of(size: int, options: Iterable[tuple[str, float]]) -> list[Combination]:
    """Every `size` of some claims, each with what it costs."""
    return [
        (tuple(claim for claim, _ in chosen), sum(cost for _, cost in chosen)) for chosen in combinations(list(options), size)
    ]


def check(found: tuple[int, float], best: tuple[int, float]) -> None:
    assert found[0] == best[0]
    assert found[1] == pytest.approx(best[1], abs=CLOSE)


def check_plain_yes(made: Made, names: list[list[str]], among: Sequence[Sequence[str]]) -> None:
    """As early ones as balance allows: an object that stands beyond the first k costs one for each place."""
    size = len(names[0])

    def late(row: int) -> list[tuple[str, float]]:
        order = made.order[row]
        return [(name, float(max(0, order.index(name) - made.k + 1))) for name in order]

    no = [of(size, [(name, 0.0) for name in made.absent(row)]) for row in made.rows]
    offered = [[one for one in late(row) if one[0] in own] for row, own in zip(made.rows, among, strict=True)]
    chosen = [[one for one in late(row) if one[0] in own] for row, own in zip(made.rows, names, strict=True)]
    assert [len(one) for one in chosen] == [size] * len(names)
    check(
        cheapest(no, [of(size, one) for one in chosen], made.slack), cheapest(no, [of(size, one) for one in offered], made.slack)
    )


@pytest.mark.parametrize(("seed", "k", "slack"), [(0, 2, 1), (1, 2, 0), (2, 3, 1), (3, 1, 2), (4, 2, 1), (5, 3, 0)])
def test_absent_categories(seed: int, k: int, slack: int) -> None:
    made = Made(seed, 3, k, slack)
    shared, _ = made.split("random-balanced")
    check_plain_yes(made, [[name for name, _ in own] for own in shared], [made.order[row] for row in made.rows])
    for own, row in zip(shared, made.rows, strict=True):
        assert [name for name, _ in own] == [name for name in made.order[row] if (name, None) in own], "in its order"
    yes = [[(tuple(name for name, _ in own), 0.0)] for own in shared]
    for source, score in SCORES.items():
        same, chosen = made.split(f"{source}-balanced")
        assert same == shared
        scores = score(made.space, made.space.encoded[""])
        shown = scores if source == "category" else content_probability(scores, 20.0)
        over = np.zeros_like(made.allowed)
        over[made.rows] = made.allowed[made.rows]
        wanted = standardized(scores, over)
        for image, row in zip(chosen.distractors, made.rows, strict=True):
            columns = [WORDS.index(one.name) for one in chosen.distractors[image]]
            assert all(made.allowed[row, columns])
            assert columns == sorted(columns, key=lambda column, row=row: -scores[row, column])  # type: ignore[misc]
            assert [one.score for one in chosen.distractors[image]] == [round(float(shown[row, c]), 4) for c in columns]
        options = [of(k, [(name, -wanted[row, WORDS.index(name)]) for name in made.absent(row)]) for row in made.rows]
        found = [
            [one for one in row if set(one[0]) == {each.name for each in own}]
            for row, own in zip(options, chosen.distractors.values(), strict=True)
        ]
        check(cheapest(found, yes, slack), cheapest(options, yes, slack))
    _, drawn = made.split("random-balanced")
    assert all(one.score is None for own in drawn.distractors.values() for one in own)
    free = [of(k, [(name, 0.0) for name in made.absent(row)]) for row in made.rows]
    asked = [[(tuple(one.name for one in own), 0.0)] for own in drawn.distractors.values()]
    check(cheapest(asked, yes, slack), cheapest(free, yes, slack))


def described(
    count: int, options: Sequence[tuple[Description, float]], group: Callable[[Description], Hashable], beyond: float
) -> list[Combination]:
    """Every `count` of an image's descriptions; another one of a group costs `beyond` more."""
    made = []
    for chosen in combinations(options, count):
        groups = Counter(group(said) for said, _ in chosen)
        more = beyond * sum(size - 1 for size in groups.values())
        made.append((tuple(said.question for said, _ in chosen), more + sum(cost for _, cost in chosen)))
    return made


def check_descriptions(made: Made, split: str, count: int, plain: list[set[str]], preferred: list[set[str]] | None) -> None:
    """Descriptions of objects that are asked about plainly cost 10, those of a kind whose turn it isn't 5."""
    even = made.space.spec.descriptions.mix == "even"
    yes, chosen = made.split(split)
    true, false = zip(*(made.false.known(row, "") for row in made.rows), strict=True)
    spread = np.std([cosine for own in false for cosine, _ in own])

    def extra(place: int, said: Description) -> float:
        names = plain[place]
        both = {one.kind for _, one in true[place]} & {one.kind for _, one in false[place]}
        turns = sorted(both, key=lambda kind: made.false.turn_of(made.rows[place], kind))[:count]
        named = said.object in names or (said.kind == "relation" and said.group.split()[-1] in names)
        return 10.0 * named + 5.0 * (even and said.kind not in turns)

    def wish(place: int, said: Description) -> float:
        if preferred is not None:
            return float(said.question not in preferred[place]) + extra(place, said)
        waits = extra(place, said) % 10  # an object that is asked about plainly is not avoided here
        return float(said.object not in made.order[made.rows[place]][: made.k]) + waits

    def group(said: Description) -> Hashable:
        return said.kind if even else said.object

    def side(told: Sequence[Sequence[tuple[Description, float]]]) -> list[list[Combination]]:
        costs = [cost for own in told for _, cost in own]
        return [described(count, own, group, 2 * (np.ptp(costs) or 1)) for own in told]

    wishes = side([[(said, wish(place, said)) for _, said in own] for place, own in enumerate(true)])
    claims = side([[(said, -cosine / spread + extra(place, said)) for cosine, said in own] for place, own in enumerate(false)])
    free = side([[(said, 0.0) for _, said in own] for own in false])
    asked = [{said.question for _, said in own if said is not None} for own in yes]
    assert [len(own) for own in asked] == [count] * len(yes)
    taken = [[one for one in own if set(one[0]) == said] for own, said in zip(wishes, asked, strict=True)]
    check(cheapest(free, taken, made.slack), cheapest(free, wishes, made.slack))
    fixed = [[(tuple(said), 0.0)] for said in asked]
    denied = [[one for one in own if one.description is not None] for own in chosen.distractors.values()]
    questions = [{one.claim for one in own} for own in denied]
    given = [[one for one in own if set(one[0]) == said] for own, said in zip(claims, questions, strict=True)]
    check(cheapest(given, fixed, made.slack), cheapest(claims, fixed, made.slack))
    for place, own in enumerate(denied):
        cosines = {said.question: cosine for cosine, said in false[place]}
        assert [one.score for one in own] == [round(cosines[one.claim], 4) for one in own]
        assert [one.name for one in own] == [one.description.object for one in own if one.description]
        costs = [extra(place, one.description) - cosines[one.claim] / spread for one in own if one.description]
        assert costs == sorted(costs)


@pytest.mark.parametrize("mix", ["even", "likeliest"])
@pytest.mark.parametrize(
    ("seed", "images", "k", "sources"),
    [
        (0, 3, 1, ("attributes",)),
        (1, 2, 1, ("attributes", "geometry")),
        (2, 2, 2, ("attributes",)),
        (3, 3, 2, ("attributes",)),
        (4, 1, 2, ("geometry",)),
        (5, 1, 2, ("attributes", "geometry")),
        (6, 1, 2, ("geometry",)),
    ],
)
def test_descriptions(seed: int, images: int, k: int, sources: tuple[str, ...], mix: str) -> None:
    made = Made(seed, images, k, sources=sources, mix=mix)
    check_descriptions(made, "description-balanced", k, [set() for _ in made.rows], None)


@pytest.mark.parametrize("mix", ["even", "likeliest"])
@pytest.mark.parametrize(
    ("seed", "images", "sources"), [(0, 2, "attributes"), (2, 3, "attributes"), (4, 3, "attributes"), (5, 2, "geometry")]
)
def test_all_three_sources(seed: int, images: int, sources: str, mix: str) -> None:
    """One by content, one by category and one described: the yes-questions are some of those of the other splits."""
    made = Made(seed, images, 3, 1 + seed, sources=(sources,), mix=mix)
    shared, _ = made.split("content-balanced")
    entirely, _ = made.split("description-balanced")
    yes, chosen = made.split("hope-balanced")
    plain = [[name for name, said in own if said is None] for own in yes]
    assert [[said is None for _, said in own] for own in yes] == [[True, True, False]] * len(yes)
    check_plain_yes(made, plain, [[name for name, _ in own] for own in shared])
    assert all(min(map(len, made.false.known(row, ""))) >= 3 for row in made.rows)
    preferred = [{said.question for _, said in own if said is not None} for own in entirely]
    check_descriptions(made, "hope-balanced", 1, [set(own) for own in plain], preferred)
    wanted, shown = [], []
    over = np.zeros_like(made.allowed)
    over[made.rows] = made.allowed[made.rows]
    for source in ("content", "category"):
        scores = SCORES[source](made.space, made.space.encoded[""])
        wanted.append(standardized(scores, over))
        shown.append(content_probability(scores, 20.0) if source == "content" else scores)
    options = []
    for row in made.rows:
        columns = np.flatnonzero(made.allowed[row]).tolist()
        pairs = [(one, other) for one in columns for other in columns if one != other]
        options.append([((WORDS[a], WORDS[b]), float(-wanted[0][row, a] - wanted[1][row, b])) for a, b in pairs])
    found = [tuple(one.name for one in own if one.description is None) for own in chosen.distractors.values()]
    asked: list[list[Combination]] = [[(tuple(own), 0.0)] for own in plain]
    taken = [[one for one in own if one[0] == names] for own, names in zip(options, found, strict=True)]
    check(cheapest(taken, asked, made.slack), cheapest(options, asked, made.slack))
    for row, own in zip(made.rows, chosen.distractors.values(), strict=True):
        expected = [round(float(each[row, WORDS.index(one.name)]), 4) for each, one in zip(shown, own, strict=False)]
        assert [one.score for one in own[:2]] == expected


def test_images_that_have_too_little() -> None:
    assert [[slots(k, source) for source in ("content", "category", "description")] for k in (1, 3, 5)] == [
        [1, 0, 0], [1, 1, 1], [2, 2, 1],
    ]  # fmt: skip
    space = make_space(
        [["dog"], ["dog", "cup", "owl"], ["cup"], []], 0, k=3, descriptions=DescriptionSpec(sources=("attributes",))
    )
    allowed = np.ones((3, 7), dtype=bool)
    allowed[2, 2:] = False
    false = FalseDescriptions(space)
    told = [tuple(len(side) for side in false.known(row, "")) for row in range(3)]
    assert [one[0] for one in told] == [1, 3, 1]
    few = "fewer than 3 true or false descriptions are known for description-balanced"
    assert lacking(space, allowed, false, "description-balanced") == {0: few, 2: few}
    assert lacking(space, allowed, false, "content-balanced") == {2: "fewer than 3 distractors are left for content-balanced"}
    assert lacking(space, allowed, false, "hope-balanced@other") == {}
    allowed[2, 1] = False
    short = {2: "fewer than 2 distractors are left for hope-balanced@other"}
    assert lacking(space, allowed, false, "hope-balanced@other") == short
    unseen = make_space([["dog"], ["cup"]], 0, k=3, descriptions=DescriptionSpec(sources=()))
    few = "fewer than 1 true or false descriptions are known for hope-balanced"
    assert lacking(unseen, np.ones((2, 7), dtype=bool), FalseDescriptions(unseen), "hope-balanced") == {0: few, 1: few}


@pytest.mark.filterwarnings("error")
def test_what_an_encoder_finds_all_alike_is_drawn() -> None:
    made = Made(0, 3, 2)
    main = made.space.encoded[""]
    alike = {"": replace(main, categories=np.tile(main.categories[:1], (7, 1)), images=np.tile(main.images[:1], (4, 1)))}
    space = replace(made.space, encoded=alike)
    family = BalancedFamily(space, made.allowed, FalseDescriptions(space), made.order, made.rows)
    assert [len(own) for own in family.split("content-balanced").distractors.values()] == [2, 2, 2]
