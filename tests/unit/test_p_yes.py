"""P(yes) stands only where the first position really is the answer: from real vocabularies to what results say of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import roc_auc_score

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.yes_no import find_yes_no, read_first_token
from hope_bench.adapters.yes_no_words import p_yes_of
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.result import Bootstrap
from hope_bench.inference.engine import EvaluateOptions, evaluate
from hope_bench.scoring.detail_tables import probability_table
from hope_bench.scoring.score import score
from tests.engine import CARD, Model, benchmark, lines, options  # noqa: F401
from tests.real_vocabulary import vocabulary

BOOTSTRAP = Bootstrap(replicates=50, seed=0, confidence=0.95)


@pytest.fixture(scope="module", params=["qwen3", "llama2"])
def tokenizer(request: pytest.FixtureRequest, real: Path) -> Any:
    """Byte-level BPE, and SentencePiece."""
    return vocabulary(real, request.param)


def logits(tokenizer: Any, likely: dict[str, float]) -> torch.Tensor:
    """float32 [1, V] with these probabilities of these words' tokens, and the rest on "The"."""
    made = torch.full((1, len(tokenizer)), -30.0)
    for word, probability in {**likely, "The": 1 - sum(likely.values())}.items():
        made[0, tokenizer(word, add_special_tokens=False)["input_ids"][-1]] = math.log(probability)
    return made


@pytest.mark.parametrize(
    ("likely", "p_yes", "mass"),
    [
        ({"Yes": 0.6, "No": 0.3}, 2 / 3, 0.9),
        ({"Yes": 0.06, "No": 0.03, "**": 0.9}, 2 / 3, 0.09),
        ({"No": 0.7, "是": 0.2}, None, 0.7),
        ({"No": 0.9, "是": 0.001}, 0.0, 0.9),
    ],
)
def test_the_first_position_of_real_vocabularies(
    likely: dict[str, float], p_yes: float | None, mass: float, tokenizer: Any
) -> None:
    found = read_first_token(logits(tokenizer, likely), find_yes_no(tokenizer.get_vocab())).scores(0)
    assert found == (p_yes if p_yes is None else pytest.approx(p_yes, abs=1e-3), pytest.approx(mass, abs=1e-2))


def test_vocabularies_of_bytes(real: Path) -> None:
    """tiktoken's: the same tokens are found as in the vocabulary's own spelling."""
    tokenizer = vocabulary(real, "qwen3")
    as_bytes = {tokenizer.decode([index]).encode(): index for index in range(20_000)}
    spelt = {token: index for token, index in tokenizer.get_vocab().items() if index < 20_000}
    ours, theirs = find_yes_no(spelt), find_yes_no(as_bytes)
    for name in ("yes", "no"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist() != []


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ([("Yes", 0.6), (" no", 0.3)], (2 / 3, 0.9)),
        ([("Sí", 0.3), ("No", 0.7)], (None, 0.7)),
        ([("是", 0.5), ("不", 0.4), ("no", 0.01)], (None, 0.01)),
        ([("No", 0.98), ("Si", 0.001)], (0.0, 0.98)),
        ([("The", 0.9)], (None, 0.0)),
    ],
)
def test_the_first_position_of_servers(top: list[tuple[str, float]], expected: tuple[float | None, float]) -> None:
    p_yes, mass = p_yes_of((token, math.log(probability)) for token, probability in top)
    assert p_yes == (None if expected[0] is None else pytest.approx(expected[0]))
    assert mass == pytest.approx(expected[1])


def sure(place: int) -> RawAnswer:
    """Half of the answers begin elsewhere, with the highest P(yes) of all."""
    if place % 4 >= 2:
        return RawAnswer(text="**Yes**", p_yes=0.99, mass=0.2)
    return RawAnswer(text="Yes", p_yes=0.5 + place / 100, mass=0.9)


def test_what_rests_on_p_yes_leaves_other_answers_out(benchmark: Benchmark, options: EvaluateOptions) -> None:  # noqa: F811
    asked: list[int] = []

    def reply(batch: Any) -> list[RawAnswer]:
        asked.extend(range(len(asked), len(asked) + len(batch)))
        return [sure(place) for place in asked[-len(batch) :]]

    evaluate(benchmark, CARD, options, adapter=Model(reply))
    written = lines(options)
    assert [line.get("p_yes") for line in written] == [None if place % 4 >= 2 else 0.5 + place / 100 for place in range(12)]
    assert {line["mass"] for line in written} == {0.2, 0.9}
    found = score(benchmark, options.runs / "tiny" / "a-model", BOOTSTRAP)
    _check(found, written, benchmark)


def _check(found: Any, written: list[dict[str, Any]], benchmark: Benchmark) -> None:  # noqa: F811
    labels = {(question.image, question.text): question.label for question in benchmark.splits["random"]}
    known = [(labels[line["image"], line["question"]] == "yes", line["p_yes"]) for line in written if line["mass"] > 0.5]
    split = found.splits["random"]
    assert split.probabilities.questions == len(known) == 6
    assert split.probabilities.auroc.value == pytest.approx(roc_auc_score(*zip(*known, strict=True)), abs=1e-6)
    assert split.without_p_yes == 6
    assert found.worst
    assert all(one.p_yes is not None and one.p_yes < 0.9 for one in found.worst)
    assert any("P(yes) of 6 of 12 answers is left out" in note for note in found.notes)
    table = probability_table(found)
    assert table is not None
    assert list(table.columns[2].cells) == ["6", "2"]


def test_older_runs_are_read_so_too(benchmark: Benchmark, options: EvaluateOptions) -> None:  # noqa: F811
    """Their answers hold a P(yes) whatever the mass was."""
    import json

    test_what_rests_on_p_yes_leaves_other_answers_out(benchmark, options)
    folder = options.runs / "tiny" / "a-model"
    written = [line | {"p_yes": 0.99 if line["mass"] < 0.5 else line["p_yes"]} for line in lines(options)]
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in written))
    _check(score(benchmark, folder, BOOTSTRAP), written, benchmark)
