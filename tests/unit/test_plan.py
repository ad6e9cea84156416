"""The plan: each question once, grouped by image, in fixed steps; a limit cuts splits to the same images and balanced labels."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hope_bench.files.benchmark import Benchmark, Manifest
from hope_bench.images import UnreadableImageError
from hope_bench.inference.images import image_hashes, in_order, open_checked, steps_with_images
from hope_bench.inference.plan import Plan, Step, limited, make_plan
from hope_bench.records import Label, Prompt, Question, Request


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


def test_samples_of_a_question_follow_each_other_and_count_as_questions() -> None:
    plan = make_plan(benchmark(2, k=1), Prompt(), step_size=12, samples=3)
    asked = [[(request.image, request.question, request.sample) for request in step] for step in plan.steps]
    questions = ("yes 0?", "no 0 by random?", "no 0 by content?")
    assert asked == [[(f"{image}.png", question, sample) for question in questions for sample in range(3)] for image in range(2)]


def drawn(image: str) -> str:
    return sha256(f"hope-bench limit 0\n{image}".encode()).hexdigest()


def test_images_are_drawn_in_an_order_that_stays() -> None:
    """By which results with a limit, and a budget, can be compared over releases."""
    names = sorted((f"{place}.png" for place in range(20)), key=drawn)
    plan = make_plan(benchmark(20), Prompt(), step_size=1, drawn=True)
    assert [step[0].image for step in plan.steps] == names
    plan = make_plan(benchmark(20), Prompt(), step_size=1)
    assert [step[0].image for step in plan.steps] == [f"{place}.png" for place in range(20)]
    split = benchmark(20).splits["random"]
    for images in range(1, 20):
        assert limited(split, 4 * images) == [item for item in split if item.image in names[:images]]


def test_a_key_is_a_hash_of_all_that_an_answer_depends_on() -> None:
    requests = (Request("a.png", "q", "Q: q"), Request("a.png", "q", "Q: q", sample=2), Request("b.png", "q", "Q: q"))
    keyed = Plan((requests[:2], requests[2:])).keyed("settings", {"a.png": "aa", "b.png": None})
    parts = ["settings\naa\nQ: q", "settings\naa\nQ: q\n2", "settings\n\nQ: q"]
    keys = [sha256(part.encode()).hexdigest()[:16] for part in parts]
    first, second, third = (replace(request, key=key) for request, key in zip(requests, keys, strict=True))
    assert keyed == Plan(((first, second), (third,)))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6])
def test_the_next_two_places_are_under_way_before_their_turn(count: int) -> None:
    log: list[str] = []

    def begin(place: int) -> Future[int]:
        log.append(f"begin {place}")
        done: Future[int] = Future()
        done.set_result(place)
        return done

    log.extend(f"got {place}" for place in in_order(count, begin))
    assert [line for line in log if "got" in line] == [f"got {place}" for place in range(count)]
    for place in range(count):
        begun = [line for line in log[: log.index(f"got {place}")] if "begin" in line]
        assert begun == [f"begin {one}" for one in range(min(place + 3, count))]


def test_one_step_is_prepared_at_a_time(tmp_path: Path) -> None:
    """A processor is nothing for several threads. What it raises, whoever asks the step will hear."""
    Image.new("RGB", (4, 3), "red").save(tmp_path / "a.png")
    steps: list[Step] = [(Request(name, "q", str(place)),) for place, name in enumerate(("a.png", "no.png", "a.png", "a.png"))]
    busy, both, prepared = Lock(), Event(), list[str]()

    def prepare(step: Step, images: object) -> None:
        if not busy.acquire(blocking=False):
            both.set()
            return
        both.wait(0.05)
        prepared.append(step[0].text)
        busy.release()
        raise ValueError(images)

    found = list(steps_with_images(steps, tmp_path, {"a.png": None}, prepare))
    assert not both.is_set()
    assert prepared == ["0", "1", "2", "3"]
    assert [step for step, _ in found] == steps
    shown = [images[step[0].image] for step, images in found]
    assert [one.info.get("file_name") if isinstance(one, Image.Image) else str(one) for one in shown] == [
        "a.png", "the file is missing", "a.png", "a.png"
    ]  # fmt: skip


def test_an_image_is_the_benchmarks_or_none(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (4, 3), 9).save(path)
    data = path.read_bytes()
    for sha in (None, sha256(data).hexdigest()):
        picture = open_checked(path, sha)
        assert isinstance(picture, Image.Image)
        assert (picture.mode, picture.size, picture.getpixel((3, 2))) == ("RGB", (4, 3), (9, 9, 9))
    other = open_checked(path, sha256(data + b"x").hexdigest())
    assert isinstance(other, UnreadableImageError)
    assert str(other) == "the image differs from the benchmark's (SHA-256)"


def test_hashes_are_the_benchmarks_or_else_those_of_the_files_here(tmp_path: Path) -> None:
    for name in ("known.png", "unknown.png"):
        (tmp_path / name).write_bytes(name.encode())
    known = {"known.png": "kk", "unknown.png": None, "gone.png": None, "elsewhere.png": "ee"}
    names = ["unknown.png", "known.png", "unknown.png", "elsewhere.png", "gone.png", "new.png"]
    here: dict[str, str | None] = {"unknown.png": sha256(b"unknown.png").hexdigest()}
    without: dict[str, str | None] = {
        "known.png": "kk", "unknown.png": None, "gone.png": None, "elsewhere.png": "ee", "new.png": None
    }  # fmt: skip
    assert image_hashes(names, None, known) == without
    assert image_hashes(names, tmp_path, known) == without | here
