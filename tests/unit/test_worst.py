"""The worst hallucinations that a result holds."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.result import Bootstrap, Hallucination, Result
from hope_bench.files.result_file import read_result, write_result
from hope_bench.records import Answer, Question
from hope_bench.scoring.score import score
from hope_bench.scoring.worst import Answered, worst_hallucinations
from tests.runs import make_benchmark, make_run, write_answers
from tests.small_benchmark import write_small

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)
IMAGES = [f"{number}.jpg" for number in range(20)]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    rows = [(image, name, "no") for image in IMAGES for name in ("fox", "wolf")]
    shared = [(image, "dog", "yes") for image in IMAGES]
    splits = {"random": [*shared, *rows[:40:2]], "content": [*shared, *rows]}
    return make_benchmark(tmp_path / "b", splits, images={image: f"hash of {image}" for image in IMAGES})  # type: ignore[arg-type]


def scored(benchmark: Benchmark, folder: Path, p_yes: dict[tuple[str, str], float | None], seed: int = 0) -> Result:
    asked = {(one.image, one.text): one for questions in benchmark.splits.values() for one in questions}
    run = make_run(folder, benchmark, {})
    write_answers(run, [
        Answer(image, text, None, "yes" if one.label == "yes" or (image, one.object) in p_yes else "no",
               p_yes=0.99 if one.label == "yes" else p_yes.get((image, one.object or ""), 0.1))
        for (image, text), one in asked.items()
    ])  # fmt: skip
    return score(benchmark, run, FAST.model_copy(update={"seed": seed}))


def test_the_surest_first_one_an_image(benchmark: Benchmark, tmp_path: Path) -> None:
    sure = {(image, "wolf"): 0.6 + number / 100 for number, image in enumerate(IMAGES)}
    sure |= {("3.jpg", "fox"): 0.95, ("4.jpg", "fox"): 0.61}
    result = scored(benchmark, tmp_path / "r", sure)
    assert result.worst is not None
    found = [(one.image, one.object, one.p_yes, one.split) for one in result.worst]
    assert found[0] == ("3.jpg", "fox", 0.95, "random")  # the first split that asks it
    assert [image for image, *_ in found[1:]] == [f"{number}.jpg" for number in range(19, 8, -1)]
    assert {split for *_, split in found[1:]} == {"content"}
    assert result.worst[0].image_sha256 == "hash of 3.jpg"
    for one in result.worst:
        assert result.splits[one.split].hallucinates(one.place)


def test_ties_are_drawn_from_the_seed(benchmark: Benchmark, tmp_path: Path) -> None:
    alike: dict[tuple[str, str], float | None] = {(image, "wolf"): None for image in IMAGES}
    orders = [
        [one.image for one in scored(benchmark, tmp_path / str(n), alike, seed).worst or ()] for n, seed in enumerate((0, 0, 1))
    ]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])
    assert len(orders[0]) == len(set(orders[0])) == 12


def test_what_the_benchmark_knows_of_them(tmp_path: Path) -> None:
    small = read_benchmark(write_small(tmp_path / "small").folder)
    asked = {(one.image, one.text): one for questions in small.splits.values() for one in questions}
    run = make_run(tmp_path / "r", small, {})
    write_answers(run, [
        Answer(image, text, "Yes", "yes", p_yes=0.9 if "red car" in text else 0.8) for image, text in asked
    ])  # fmt: skip
    worst = score(small, run, FAST).worst
    assert worst is not None
    first = worst[0]
    assert (first.description, first.risk, first.question) == ("a red car", 0.05, "Is there a red car in the image?")
    assert first.image_sha256 is None
    assert len(worst) == 3


def test_a_model_that_makes_nothing_up(benchmark: Benchmark, tmp_path: Path) -> None:
    assert scored(benchmark, tmp_path / "r", {}).worst == ()


@pytest.mark.parametrize(("key", "value"), [("place", 0), ("place", 999), ("split", "nowhere")])
def test_a_file_that_claims_others_is_refused(benchmark: Benchmark, tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "result.json"
    write_result(path, scored(benchmark, tmp_path / "r", {("3.jpg", "fox"): 0.9}))
    data = json.loads(path.read_text())
    data["worst"][0][key] = value
    path.write_text(json.dumps(data))
    with pytest.raises(HopeBenchError, match=r"worst.0 is not a no-question"):
        read_result(path)


def test_breakdowns_that_do_not_add_up_are_refused(benchmark: Benchmark, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(path, scored(benchmark, tmp_path / "r", {("3.jpg", "fox"): 0.9}))
    data = json.loads(path.read_text())
    split = data["splits"]["content"]
    assert [part["name"] for part in split["breakdowns"]["category"]] == ["dog", "fox", "wolf"]
    for change, words in (
        ({"category": split["breakdowns"]["category"][:2]}, "category counts other questions"),
        ({"category": split["breakdowns"]["category"][:1] * 2}, "holds a part twice"),
        ({"object-size": [{**split["breakdowns"]["category"][1], "name": "small"}]}, "object-size counts more"),
    ):
        path.write_text(json.dumps({**data, "splits": {**data["splits"], "content": {**split, "breakdowns": change}}}))
        with pytest.raises(HopeBenchError, match=words):
            read_result(path)


@pytest.mark.parametrize("seed", range(40))
def test_the_worst_against_a_sort_of_all(seed: int) -> None:
    """Everything affirmed wrongly, in one list: the first split's question, any split's risk, the surest of each image."""
    rng = np.random.default_rng(seed)
    most, known = int(rng.integers(1, 6)), seed % 4
    splits: dict[str, Answered] = {}
    for split in ("random", "content", "twins")[: 1 + seed % 3]:
        asked = tuple(
            Question(
                number, f"{rng.integers(5)}.jpg", f"{rng.integers(6)}?", "no", split, None if rng.random() < 0.2 else "dog",
                risk=None if rng.random() < 0.5 else round(float(rng.random()), 2), description=rng.choice([None, "a red dog"]),
            )
            for number in range(12)
        )  # fmt: skip
        p_yes = tuple(None if rng.random() < known / 3 else float(rng.integers(0, 4)) / 4 for _ in asked)
        splits[split] = Answered(asked, "".join(rng.choice(["y", "n"], 12)), "".join(rng.choice(["y", "n", "u", "-"], 12)), p_yes)
    first: dict[tuple[str, str], tuple[float, bytes, str, int, Question]] = {}
    risks: dict[tuple[str, str], float] = {}
    for split, one in splits.items():
        for place, question in enumerate(one.questions):
            key = (question.image, question.text)
            if (one.labels[place], one.verdicts[place]) == ("n", "y"):
                p = one.p_yes[place]
                drawn = sha256(f"{seed}\n{key[0]}\n{key[1]}".encode()).digest()
                first.setdefault(key, (2.0 if p is None else -p, drawn, split, place, question))
                if question.risk is not None:
                    risks.setdefault(key, question.risk)
    if any(one[0] <= 0 for one in first.values()):
        first = {key: one for key, one in first.items() if one[0] <= 0}
    expected: dict[str, Hallucination] = {}
    hashes = {"0.jpg": "a", "1.jpg": None, "2.jpg": "c"}
    for (image, text), (negated, _, split, place, question) in sorted(first.items(), key=lambda item: item[1][:2]):
        expected.setdefault(image, Hallucination(
            split=split, place=place, image=image, image_sha256=hashes.get(image), question=text, object=question.object,
            description=question.description, p_yes=None if negated > 0 else abs(negated), risk=risks.get((image, text)),
        ))  # fmt: skip
    assert worst_hallucinations(splits, hashes, seed, most) == tuple(expected.values())[:most]
    assert worst_hallucinations({}, hashes, seed, most) == ()
