"""Asking a model that may raise, and what a run would ask, in words: sizes, tokens and prices by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard, find_card
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.run import RunRecord, read_run
from hope_bench.inference.asking import answer_all
from hope_bench.inference.budget import Budget, check_budget
from hope_bench.inference.engine import EvaluateOptions, evaluate, plan_run
from hope_bench.inference.estimate import Estimate, estimate, in_words
from hope_bench.inference.plan import Request
from tests.engine import CARD, Model, benchmark, by_brightness, options
from tests.runs import make_run

__all__ = ["benchmark", "options"]


class Fragile:
    """Raises for batches that hold a bad question."""

    def __init__(self, *bad: str) -> None:
        self.bad, self.sizes = set(bad), list[int]()
        self.info = AdapterInfo("fragile", "it@1", "1", None, "float32", "cpu", "cpu")
        self.report = AdapterReport()

    def answer(self, batch: Sequence[tuple[Any, str]], samples: Sequence[int] = ()) -> list[RawAnswer]:
        self.sizes.append(len(batch))
        if self.bad & {text for _, text in batch}:
            raise ValueError("can't")
        return [
            RawAnswer(text=f"{text} {number}".strip())
            for (_, text), number in zip(batch, samples or [""] * len(batch), strict=True)
        ]


def asked(model: Fragile, count: int, samples: Sequence[int] = ()) -> list[str | None]:
    given = answer_all(model, [(None, f"q{place}") for place in range(count)], samples)  # type: ignore[arg-type]
    return [one.text if one.error is None else one.error for one in given]


def test_a_bad_row_fails_alone_and_is_found_by_halves() -> None:
    model = Fragile("q0")
    assert asked(model, 8) == ["ValueError: can't", *(f"q{place}" for place in range(1, 8))]
    assert model.sizes == [8, 4, 2, 1, 1, 2, 4]
    model = Fragile("q2", "q4")
    assert [text for text in asked(model, 5) if text and "can't" not in text] == ["q0", "q1", "q3"]
    assert model.sizes == [5, 3, 2, 1, 2, 1, 1]
    assert asked(Fragile("q1"), 2, [3, 4]) == ["q0 3", "ValueError: can't"]


def test_answers_that_belong_to_no_question_are_refused() -> None:
    model = Fragile()
    model.answer = lambda *_: [RawAnswer(text="yes")]  # type: ignore[method-assign]
    with pytest.raises(HopeBenchError, match="gave 1 answer to 2 questions"):
        asked(model, 2)


ENDPOINT = ModelCard(
    name="A model", checkpoint="org/it", adapter="endpoint", base_url="http://localhost:1", price_input=2.0, price_output=10.0
)
PLAIN = Estimate(
    card=ENDPOINT, prompt_name=None, questions=6000, splits=2, unique=5000, images=500, steps=63, folder=Path("runs/b/m"),
    left=5000, left_images=500, missing=(), stops=None, text_tokens=50_000,
)  # fmt: skip


def test_a_price_by_what_an_earlier_runs_questions_took() -> None:
    found = replace(PLAIN, left=3000, left_images=300, per_question=(400.0, 3.0), like="runs/b/look", seconds=90.0, budget=1.0)
    said = in_words(found)
    assert said[0] == "6,000 questions in 2 splits, of which 5,000 unique ones would be asked,"
    assert said[2] == "2,000 are answered in runs/b/m already."
    assert said[3] == "3,000 are left, about 300 images. What follows is about these."
    # 1.2 million tokens at 2 dollars, 9,000 at 10: 2.49 dollars; 1 dollar pays for 3,000 / 2.49 questions
    assert said[4:] == [
        "Tokens, as the questions of runs/b/look took: 1,200,000 in, 9,000 out.",
        "Price: about $2.49.",
        "A budget of $1.00 pays for about 1,205 of them.",
        "Time: about 90 s at the speed of runs/b/look.",
    ]
    assert not any("budget" in line for line in in_words(replace(found, budget=2.5)) + in_words(replace(found, budget=None)))
    unpriced = ENDPOINT.model_copy(update={"price_output": None})
    assert not any("Price" in line for line in in_words(replace(found, card=unpriced)))


def test_a_price_without_an_earlier_run_is_of_what_can_be_counted() -> None:
    said = in_words(replace(PLAIN, prompt_name="short"))
    assert said[0] == "Prompt short:"
    assert "To send: about 50,000 tokens of text and 5,000 pictures, which the server counts." in said
    longest = ENDPOINT.new_tokens(False)
    assert f"Price: $0.1000 for the text, at most ${5000 * longest * 10 / 1e6:,.4f} for the answers, and the pictures." in said
    assert said[-1].startswith("Time: unknown")
    assert in_words(replace(PLAIN, left=0))[-1] == "Nothing is left to ask."


def test_tokens_of_a_local_model_with_and_without_a_shared_prefix() -> None:
    card = ModelCard(name="A model", checkpoint="org/it", samples=4, thinking="on", sampling={"temperature": 1.0})
    said = in_words(replace(PLAIN, card=card, unique=20_000, left=16_000, left_images=400, tokens=600.0, shared=20.0))
    assert said[0].endswith("5,000 unique ones would be asked, each 4 times (20,000 answers),")
    assert said[2] == "4,000 are answered in runs/b/m already, if the model's files are still the same."
    # 16,000 x 600; 16,000 x 20 and 400 times the 580 tokens that an image's questions share
    assert said[4] == "Tokens, from a sample: 9,600,000 asked one by one, 552,000 where an image's questions share its prompt."


@pytest.mark.parametrize(
    ("card", "budget", "limit", "processes", "says"),
    [
        ({}, 0.0, None, 1, "more than 0"),
        ({"price_output": None}, 5.0, None, 1, "has no prices"),
        ({"price_input": None}, 5.0, None, 1, "has no prices"),
        ({"adapter": "transformers"}, 5.0, None, 1, "has no prices"),
        ({}, 5.0, 10, 1, "both say how much"),
        ({}, 5.0, None, 2, "kept by one process"),
    ],
)
def test_a_budget_needs_prices_and_nothing_beside_it(
    card: dict[str, Any], budget: float, limit: int | None, processes: int, says: str
) -> None:
    check_budget(ENDPOINT, 5.0, None, 1)
    with pytest.raises(HopeBenchError, match=says):
        check_budget(ENDPOINT.model_copy(update=card), budget, limit, processes)


def test_what_a_budget_buys_first_is_what_a_limit_asks(benchmark: Benchmark, options: EvaluateOptions) -> None:
    """Images in a drawn order, one at a time."""
    steps = plan_run(benchmark, ENDPOINT, replace(options, budget=5.0))[2].steps
    order = [step[0].image for step in steps]
    assert all(len({request.image for request in step}) == 1 for step in steps)
    assert sorted(order) == sorted(benchmark.manifest.images)
    for limit in range(2, 2 * len(order), 2):
        limited = {
            request.image for step in plan_run(benchmark, ENDPOINT, replace(options, limit=limit))[2].steps for request in step
        }
        assert set(order[: len(limited)]) == limited


def test_an_estimate_goes_by_the_largest_finished_run_of_the_model(
    benchmark: Benchmark,
    options: EvaluateOptions,
) -> None:
    def ran(name: str, asked: int, seconds: float, model: str = "A model", tokens: int | None = 2000, **more: Any) -> None:
        run = RunInfo(prompt="{question}", input_tokens=tokens, output_tokens=60)
        fields = {"model": ModelInfo(name=model), "run": run, "asked": asked, "seconds": seconds, "complete": True}
        make_run(options.runs / "tiny" / name, benchmark, {}, **{**fields, **more})

    nothing = estimate(benchmark, ENDPOINT, options)
    assert (nothing.questions, nothing.splits, nothing.unique, nothing.left, nothing.images) == (18, 2, 12, 12, 4)
    assert (nothing.seconds, nothing.like, nothing.per_question, nothing.tokens) == (None, None, None, None)
    ran("small", 10, 5.0)
    ran("large", 20, 40.0)
    ran("larger", 30, 1.0, complete=False)
    ran("another", 40, 1.0, model="Another model")
    ran("unknown", 50, 0.0)
    found = estimate(benchmark, ENDPOINT, options)
    assert (found.seconds, found.like) == (12 / 20 * 40.0, str(options.runs / "tiny" / "large"))
    assert found.per_question == (2000 / 20, 60 / 20)
    ran("uncounted", 60, 6.0, tokens=None)
    found = estimate(benchmark, ENDPOINT, options)
    assert (found.seconds, found.per_question) == (pytest.approx(1.2), None)


def test_what_a_served_models_questions_take_only_its_server_knows(benchmark: Benchmark, options: EvaluateOptions) -> None:
    """Also where the server calls the model by a folder that is here, as transformers serve does."""
    here = find_card("demo-llava")
    found = estimate(benchmark, ENDPOINT.model_copy(update={"checkpoint": here.checkpoint}), options)
    assert (found.tokens, found.shared, found.stops) == (None, None, None)
    found = estimate(benchmark, here, options)
    assert found.tokens is not None
    assert found.shared is not None
    assert 0 < found.shared < found.tokens


def test_a_budget_takes_a_question_to_cost_what_the_dearest_did() -> None:
    def step(size: int) -> tuple[Request, ...]:
        return tuple(Request("a.jpg", f"q{n}", "x" * 40) for n in range(size))

    report = AdapterReport()
    record = RunRecord(
        name="m", benchmark="b", benchmark_hash="h", key="k", settings={}, model=ModelInfo(name="m"), run=RunInfo(prompt="?"),
    )  # fmt: skip
    budget = Budget(1.0, ENDPOINT, record, lambda: report, 0)
    longest = ENDPOINT.new_tokens(False)
    first = 100 * (10 * 2.0 + longest * 10.0) / 1e6  # 40 characters are 10 tokens
    assert Budget(first * 1.01, ENDPOINT, record, lambda: report, 0).allows(step(100))
    assert not Budget(first * 0.99, ENDPOINT, record, lambda: report, 0).allows(step(100))
    for cost, dearest in ((0.1, 0.1 / 10), (0.3, 0.2 / 10), (0.35, 0.2 / 10)):  # 10 cents for 10 questions, then 20, then 5
        report = replace(report, input_tokens=1000, cost=cost)
        budget.asked(step(10))
        assert budget.spent == cost
        affordable = int((1.0 - cost) / dearest + 1e-9)
        assert budget.allows(step(affordable))
        assert not budget.allows(step(affordable + 1))
    assert budget.allows(())
    report = replace(report, input_tokens=0)
    with pytest.raises(HopeBenchError, match="doesn't say how many tokens"):
        budget.asked(step(1))


def test_a_finished_run_is_said_to_be_of_another_training_step(
    benchmark: Benchmark,
    options: EvaluateOptions,
) -> None:
    said = (None, 500, None, 600, 600)
    models = [Model(by_brightness) for _ in said]
    records = [
        evaluate(benchmark, CARD, replace(options, step=one), adapter=model) for one, model in zip(said, models, strict=True)
    ]
    steps = [record.run.step for record in records]
    assert steps == [None, 500, 500, 600, 600]
    assert read_run(options.runs / "tiny" / "a-model").run.step == 600
    assert [bool(model.batches) for model in models] == [True, False, False, False, False]
