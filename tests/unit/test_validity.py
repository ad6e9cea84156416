"""A small version of the study behind docs/validity.md: a few scenes, and POPE's COCO questions where they are at hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import OTHERS, demo_spec
from hope_bench.demo.world import VALIDATION_SEEDS
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Result
from hope_bench.records import Question
from tests.soak import SOAK
from tests.studies import against_unbalanced, pope_coco, thresholds, validity
from tests.studies.against_unbalanced import Said, change

SCENES = 40 if SOAK else 24


def no_question(image: str, claim: str) -> Question:
    return Question(1, image, claim, "no", "split", claim)


def test_a_change_is_parted_into_which_claims_and_how_often_each_is_affirmed() -> None:
    """Four images. Dogs are affirmed in half of the images, cats in all, and in the last image both searches ask of a cat."""
    free = [no_question(image, claim) for image, claim in (("a", "dog"), ("b", "dog"), ("c", "dog"), ("d", "cat"))]
    balanced = [no_question(image, claim) for image, claim in (("a", "dog"), ("b", "cat"), ("c", "cat"), ("d", "cat"))]
    said = {("a", "dog"): True, ("b", "dog"): False, ("c", "dog"): False, **{(image, "cat"): True for image in "bcd"}}
    found = change(free, balanced, said)
    assert (found.without, found.balanced) == (0.5, 1.0)
    # Dogs fall from 3/4 to 1/4 of the questions, at (1/3 + 1) / 2 affirmed; their rate rises by 2/3, at a share of 1/2.
    assert found.which == pytest.approx(0.5 * (1 - 2 / 3))
    assert found.within == pytest.approx(0.5 * 2 / 3)
    assert found.low < 0.5 < found.high


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Benchmark, Result, Said]:
    folder = tmp_path_factory.mktemp("study")
    write_world(folder / "world", SCENES, VALIDATION_SEEDS.start)
    write_world(folder / "world" / OTHERS, SCENES, VALIDATION_SEEDS.start + 1000)
    spec = demo_spec(folder / "world", SCENES).model_copy(update={"strategies": validity.SPLITS})
    return validity.measured(spec, folder / "all", folder / "world")


def rows(lines: Iterable[str]) -> list[list[str]]:
    """A Markdown table's cells, without the headings."""
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in "\n".join(lines).splitlines() if "|" in line]
    return [row for row in cells if not set("".join(row)) <= {"-"}]


def test_every_split_has_its_row_and_no_number_is_undefined(measured: tuple[Benchmark, Result, Said]) -> None:
    benchmark, result, said = measured
    table = rows(validity.splits_table(benchmark, result))
    assert [row[0] for row in table[1:]] == list(result.splits)
    for name, row in zip(result.splits, table[1:], strict=True):
        assert "nan" not in " ".join(row)
        assert bool(row[5]) == name.endswith("-balanced")
    changes = rows(against_unbalanced.table(benchmark, said))
    assert [row[0] for row in changes[1:6]] == list(against_unbalanced.PAIRS.values())
    for row in changes[1:6]:
        without, balanced, minus, which, within = (float(cell.split()[0]) for cell in row[1:])
        assert balanced - without == pytest.approx(minus, abs=0.11)
        assert which + within == pytest.approx(minus, abs=0.11)


def test_a_threshold_moves_precision_and_not_auroc(measured: tuple[Benchmark, Result, Said]) -> None:
    _, result, _ = measured
    at = {one: thresholds.at_threshold(result, "content", one) for one in thresholds.THRESHOLDS}
    rates = [one["hallucination_rate"] for one in at.values()]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]
    assert at[0.5]["hallucination_rate"] == pytest.approx(result.splits["content"].hallucination_rate.value, abs=0.02)
    assert "The drop of AUROC" in "\n".join(thresholds.table(result))


@pytest.mark.real
def test_popes_own_questions_are_answered_by_their_words_until_they_are_balanced(real: Path, tmp_path: Path) -> None:
    """And what is searched fools a real LLaVA more than what is drawn, balanced or not."""
    table = {row[0]: row for row in rows(pope_coco.page(real, tmp_path))}
    for split, least in (("random", 65), ("popular", 85), ("adversarial", 65)):
        assert float(table[split][1].split()[0]) > least
    rate = {name: float(table[name][-1]) for name in ("searched", "drawn")}
    assert rate["searched"] > rate["drawn"]
    for name in rate:
        assert int(table[name][1].split()[0]) <= 12, "of 500"
        assert all(float(best.split("[")[1].split(",")[0]) <= 51 for best in table[name][2].split(";"))
