"""The plan: each question once, grouped by image, in fixed steps; a limit cuts splits to the same images and balanced labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hope_bench.files.benchmark import Benchmark, Manifest
from hope_bench.inference.plan import limited, make_plan
from hope_bench.records import Label, Prompt, Question


def question(image: str, text: str, label: Label, strategy: str = "random") -> Question:
    return Question(0, image, text, label, strategy)


def benchmark(images: int, k: int = 2) -> Benchmark:
    """Two splits over the same images and yes-questions, whose no-questions differ; split order isn't image order."""
    names = [f"{i}.png" for i in range(images)]
    splits = {}
    for strategy in ("random", "content"):
        questions = []
        for name in reversed(names):
            for i in range(k):
                questions.append(question(name, f"yes {i}?", "yes", strategy))
                questions.append(question(name, f"no {i} by {strategy}?", "no", strategy))
        splits[strategy] = tuple(questions)
    manifest = Manifest(
        name="b", title="B", hash="0", headline="content", prompt="{question}", k=k, dataset="d",
        images=dict.fromkeys(names), splits={},
    )  # fmt: skip
    return Benchmark(Path("b"), manifest, splits)


def test_each_question_once_in_the_benchmarks_image_order() -> None:
    plan = make_plan(benchmark(3), Prompt("Q: {question}"), step_size=4)
    requests = list(plan.requests)
    assert [request.image for request in requests] == [name for name in ("0.png", "1.png", "2.png") for _ in range(6)]
    assert len({(request.image, request.question) for request in requests}) == len(requests) == 18
    assert [request.question for request in requests[:6]] == [
        "yes 0?", "no 0 by random?", "yes 1?", "no 1 by random?", "no 0 by content?", "no 1 by content?",
    ]  # fmt: skip
    assert requests[0].text == "Q: yes 0?"


@pytest.mark.parametrize(("step_size", "images"), [(1, [1] * 7), (6, [1] * 7), (11, [1] * 7), (12, [2, 2, 2, 1]), (99, [7])])
def test_a_step_holds_whole_images(step_size: int, images: list[int]) -> None:
    steps = make_plan(benchmark(7), Prompt(), step_size).steps
    assert [len({request.image for request in step}) for step in steps] == images
    assert [len(step) for step in steps] == [6 * count for count in images]


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 11, 40, 400])
def test_a_limit_asks_balanced_questions_of_the_same_images_in_every_split(limit: int) -> None:
    whole = benchmark(20)
    cut = {name: limited(questions, limit) for name, questions in whole.splits.items()}
    for name, questions in cut.items():
        counts = Counter(item.label for item in questions)
        assert len(questions) == min(limit, 80)
        assert counts["yes"] - counts["no"] in (0, 1)
        assert list(questions) == [item for item in whole.splits[name] if item in questions]
        assert len({item.image for item in questions}) == min(-(-limit // 4), 20)
    yes = [[(item.image, item.text) for item in questions if item.label == "yes"] for questions in cut.values()]
    assert yes[0] == yes[1]


def test_a_larger_limit_extends_a_smaller_one() -> None:
    questions = benchmark(20).splits["random"]
    small, large = limited(questions, 10), limited(questions, 30)
    assert all(item in large for item in small)


def test_the_limit_reaches_the_plan() -> None:
    plan = make_plan(benchmark(20), Prompt(), step_size=8, limit=8)
    assert len(list(plan.requests)) == 12  # 4 yes-questions in common, and 4 no-questions of each split


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["yes", "no"])), max_size=30), st.integers(1, 40))
def test_a_limit_takes_as_many_as_there_are_whatever_the_labels(rows: list[tuple[int, Label]], limit: int) -> None:
    questions = [question(f"{image}.png", f"{place}?", label) for place, (image, label) in enumerate(rows)]
    taken = limited(questions, limit)
    assert len(taken) == min(limit, len(questions))
    available = Counter(item.label for item in questions)
    got = Counter(item.label for item in taken)
    for label, other in (("yes", "no"), ("no", "yes")):
        # A label is in the majority by more than the odd one only where the other is used up.
        assert got[label] - got[other] <= 1 or got[other] == available[other]


def test_questions_about_an_image_that_the_manifest_does_not_list_come_last() -> None:
    whole = benchmark(1)
    stray = Benchmark(whole.folder, whole.manifest, {"random": (question("stray.png", "?", "no"), *whole.splits["random"])})
    assert [request.image for request in make_plan(stray, Prompt(), 99).requests][-1] == "stray.png"
