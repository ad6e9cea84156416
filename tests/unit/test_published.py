"""Published figures: the shipped file, how far two honest runs may be apart, and which files are POPE's."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.card import read_card
from hope_bench.files.published import find_figures
from hope_bench.files.registry import data_root
from hope_bench.files.result import Bootstrap, ModelInfo, RunInfo
from hope_bench.files.run import Run, RunRecord
from hope_bench.interchange.find_pope import find_pope_files
from hope_bench.records import Verdict
from hope_bench.scoring.conventions import STRICT
from hope_bench.scoring.published import FLIPPED, Check, Verification, check_figures, explanations, flip_deviation
from hope_bench.scoring.published_tables import verdict
from hope_bench.scoring.score import score
from tests.runs import Row, make_benchmark, make_run

SHIPPED = data_root() / "leaderboard" / "published.toml"
CARDS = data_root() / "models"


def test_figures_are_found_by_card_and_by_every_checkpoint_of_the_same_weights() -> None:
    by_card = find_figures(SHIPPED, ["llava-1.5-13b"])
    assert {(one.split, one.value) for one in by_card} == {
        ("random", 87.1), ("popular", 86.2), ("adversarial", 84.5), ("split-mean", 85.9),
    }  # fmt: skip
    for checkpoint in ("llava-hf/llava-1.5-13b-hf", "liuhaotian/LLaVA-v1.5-13B"):
        assert find_figures(SHIPPED, [None, checkpoint]) == by_card
    with pytest.raises(HopeBenchError, match=r"Did you mean 'llava-1.5-13b'.*--as NAME"):
        find_figures(SHIPPED, ["llava-1.5-13"])


def test_the_shipped_figures_fit_the_cards_the_site_and_each_other() -> None:
    shipped = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    tables = {table["name"]: table for table in shipped["table"]}
    for path in CARDS.glob("*.toml"):
        card = read_card(path)
        if card.name in shipped["checkpoints"]:
            assert card.checkpoint in shipped["checkpoints"][card.name]
            prompts = {one.table.prompt for one in find_figures(SHIPPED, [card.name]) if one.table.name.startswith("llava")}
            assert prompts <= {card.authors_prompt, tables["llava-1.5"]["prompt"]}
    for name, row in tables["llava-1.5"]["values"].items():  # the authors' mean is that of their three figures
        assert tables["llava-model-zoo"]["values"][name]["split-mean"] == pytest.approx(np.mean(list(row.values())), abs=0.05)
    published = {
        (row["model"].lower(), split): value
        for table in json.loads((SHIPPED.parent / "elsewhere.json").read_text(encoding="utf-8"))["tables"]
        for row in table["rows"]
        for split, value in zip(table["columns"], row["values"], strict=True)
    }
    for table in tables.values():
        for name, row in table["values"].items():
            for split, value in row.items():
                assert published.get((name, split), value) == value


@pytest.mark.parametrize("counts", [((1182, 318), (59, 1441)), ((1500, 0), (700, 800)), ((20, 10), (3, 27))])
def test_the_allowed_difference_is_what_flipped_answers_make(counts: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Against a simulation: of each label's answers one in 20 turns, either way alike, and F1 is computed anew."""
    (hits, misses), (false, _) = counts
    rng = np.random.default_rng(0)
    turned = [rng.binomial(sum(row), FLIPPED, 20_000) for row in counts]
    yes, no = (2 * rng.binomial(many, 0.5) - many for many in turned)
    f1 = 200 * (hits + yes) / (2 * (hits + yes) + (false + no) + (misses - yes))
    table = np.array([[*row, 0, 0, 0] for row in counts], dtype=np.int64)
    assert flip_deviation(table, "f1", STRICT) == pytest.approx(f1.std(), rel=0.05)


def test_the_allowed_difference_shrinks_with_the_root_of_the_questions_and_is_0_for_an_undefined_number() -> None:
    table = np.array([[1182, 318, 0, 0, 0], [59, 1441, 0, 0, 0]], dtype=np.int64)
    one, four = (flip_deviation(table * times, "f1", STRICT) for times in (1, 4))
    assert one == pytest.approx(2 * four, rel=0.01)
    assert flip_deviation(np.zeros((2, 5), dtype=np.int64), "f1", STRICT) == 0


def test_popes_files_are_known_by_their_names(tmp_path: Path) -> None:
    for name in ("coco_pope_random.json", "gqa_pope_random.json", "coco_pope_popular.json", "notes_adversarial.txt"):
        (tmp_path / name).touch()
    found = find_pope_files([tmp_path], ("random", "popular", "adversarial"))
    assert {split: path.name for split, path in found.items()} == {
        "random": "coco_pope_random.json", "popular": "coco_pope_popular.json",
    }  # fmt: skip
    assert find_pope_files([tmp_path / "gqa_pope_random.json"], ("random",)) == {"random": tmp_path / "gqa_pope_random.json"}
    (tmp_path / "coco_old_random.json").touch()
    with pytest.raises(HopeBenchError, match="2 files may be POPE's random split"):
        find_pope_files([tmp_path], ("random",))
    with pytest.raises(HopeBenchError, match="does not exist"):
        find_pope_files([tmp_path / "nowhere"], ("random",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"f1"', '"F1"', "metric"),
        ("{question}", "", "holds no"),
        ("adversarial = 84.5", "adversarial = 0.845, hope = 1", "hope"),
        ("random = 87.1", "random = 871", "percent"),
        ("decimals = 1", "decimal = 1", "unknown key"),
    ],
)
def test_a_malformed_file_is_refused_by_key(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(HopeBenchError, match=rf"mine\.toml.*{said}"):
        find_figures(path, ["llava-1.5-13b"])


@pytest.mark.parametrize(
    ("here", "errors", "said"),
    [
        (84.9, 0, "Agrees: 1"),
        (84.9, 3, "Not settled"),
        (86.0, 3, "Differs here: 1 of 1 published figures (adversarial by +1.50 points)"),
        (None, 0, "Differs here: 1 of 1 published figures (adversarial by - points)"),
    ],
)
def test_a_run_with_failed_answers_settles_nothing(here: float | None, errors: int, said: str, tmp_path: Path) -> None:
    [figure] = [one for one in find_figures(SHIPPED, ["llava-1.5-13b"]) if one.split == "adversarial"]
    record = RunRecord(
        name="x", benchmark="pope", benchmark_hash="", key="", model=ModelInfo(name="x"), run=RunInfo(), errors=errors
    )
    found = Verification("x", (Check(figure, here, 0.9, 3000, 0),), (Run(tmp_path, record),), ())
    assert verdict(found).startswith(said)
    assert found.agrees == (said == "Agrees: 1")
    assert bool(explanations(found)) != found.agrees


def test_half_a_unit_of_a_figures_last_digit_is_allowed_beside_what_flips_make(tmp_path: Path) -> None:
    rows: list[Row] = [(f"{place}.jpg", name, label) for place in range(40) for name, label in (("dog", "yes"), ("cat", "no"))]
    benchmark = make_benchmark(tmp_path / "b", {"adversarial": rows})
    said: dict[tuple[str, str], Verdict] = {(image, name): "no" if name == "cat" else "yes" for image, name, _ in rows}
    said |= {("0.jpg", "dog"): "unparsed", ("1.jpg", "cat"): "yes"}
    result = score(benchmark, make_run(tmp_path / "run", benchmark, said), Bootstrap(replicates=100, seed=0, confidence=0.95))
    [figure] = [one for one in find_figures(SHIPPED, ["llava-1.5-13b"]) if one.split == "adversarial"]

    def checked(decimals: int) -> Check:
        table = figure.table.model_copy(
            update={"decimals": decimals, "questions": {}, "convention": "strict", "same_questions": True}
        )
        [[check], left_out] = check_figures({"strict": result}, [replace(figure, table=table)], True)
        assert left_out == []
        return check

    exact, rounded = checked(4), checked(1)
    assert exact.here == pytest.approx(100 * 2 * 39 / (2 * 39 + 1 + 1))
    assert (exact.questions, exact.unread) == (80, 1)
    assert rounded.allowed - exact.allowed == pytest.approx(0.05 - 0.00005)
    flips = 1.96 * flip_deviation(np.array([[39, 0, 1, 0, 0], [1, 39, 0, 0, 0]], dtype=np.int64), "f1", STRICT)
    assert rounded.allowed == pytest.approx(flips + 0.05)
