"""Asking a model that may raise, and what a run would ask, in words: sizes, tokens and prices by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.endpoint_card import endpoint_info
from hope_bench.adapters.loading import load_processor
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard, find_card
from hope_bench.files.paraphrases import Paraphrase
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.run import RunRecord, read_run, write_run
from hope_bench.inference.asking import answer_all
from hope_bench.inference.beforehand import answered_before
from hope_bench.inference.budget import Budget, check_budget
from hope_bench.inference.engine import EvaluateOptions, evaluate, plan_run
from hope_bench.inference.estimate import Estimate, estimate, in_words
from hope_bench.inference.plan import Request
from hope_bench.records import Prompt
from tests.engine import CARD, Model, Pair, benchmark, by_brightness, options
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


PLAIN_WORDS = [
    "6,000 questions in 2 splits, of which 5,000 unique ones would be asked,",
    "about 500 images in 63 steps (of one image or more, up to 64 questions).",
]
UNKNOWN = "Time: unknown, as no finished run of this model is in the runs folder (a quick look: --limit 60 --name look)."


def test_a_price_by_what_an_earlier_runs_questions_took() -> None:
    found = replace(PLAIN, left=3000, left_images=300, per_question=(400.0, 3.0), like="runs/b/look", seconds=90.4, budget=1.0)
    # 1.2 million tokens at 2 dollars, 9,000 at 10: 2.49 dollars; 1 dollar pays for 3,000 / 2.49 questions
    left = [
        "2,000 are answered in runs/b/m already.",
        "3,000 are left, about 300 images. What follows is about these.",
        "Tokens, as the questions of runs/b/look took: 1,200,000 in, 9,000 out.",
    ]
    price, pays = "Price: about $2.49.", "A budget of $1.00 pays for about 1,205 of them."
    time = "Time: about 90 s at the speed of runs/b/look."
    assert in_words(found) == [*PLAIN_WORDS, *left, price, pays, time]
    for enough in (2.49, 2.5, None):
        assert in_words(replace(found, budget=enough)) == [*PLAIN_WORDS, *left, price, time]
    for unpriced in ("price_input", "price_output"):
        card = ENDPOINT.model_copy(update={unpriced: None})
        assert in_words(replace(found, card=card)) == [*PLAIN_WORDS, *left, time]
    one = replace(found, questions=1, splits=1, images=1, steps=1, unique=1, left=1, left_images=1, budget=None, like=None)
    assert in_words(replace(one, seconds=None, card=CARD, per_question=None)) == [
        "1 question in 1 split, of which 1 unique ones would be asked,",
        "about 1 image in 1 step (of one image or more, up to 4 questions).",
        UNKNOWN,
    ]


def test_a_price_without_an_earlier_run_is_of_what_can_be_counted() -> None:
    send = "To send: about 50,000 tokens of text and 5,000 pictures, which the server counts."
    look = "What the pictures take shows in a quick look (--limit 60 --name look); then this says the price of all."
    assert in_words(replace(PLAIN, prompt_name="short")) == [
        "Prompt short:",
        *PLAIN_WORDS,
        send,
        # 5,000 answers of at most 16 tokens at 10 dollars a million
        "Price: $0.1000 for the text, at most $0.8000 for the answers, and the pictures.",
        look,
        UNKNOWN,
    ]
    thinks = replace(PLAIN, card=ENDPOINT.model_copy(update={"thinking": "on"}), seconds=7.0, like="x")
    assert in_words(thinks) == [
        *PLAIN_WORDS,
        send,
        "Price: $0.1000 for the text, at most $204.8000 for the answers, and the pictures.",
        look,
        "Time: about 7 s at the speed of x.",
    ]
    for unpriced in ("price_input", "price_output"):
        card = ENDPOINT.model_copy(update={unpriced: None})
        assert in_words(replace(PLAIN, card=card)) == [*PLAIN_WORDS, send, UNKNOWN]
    assert in_words(replace(PLAIN, left=0, left_images=0)) == [
        *PLAIN_WORDS, "5,000 are answered in runs/b/m already.", "Nothing is left to ask."
    ]  # fmt: skip


def test_tokens_of_a_local_model_with_and_without_a_shared_prefix() -> None:
    card = ModelCard(name="A model", checkpoint="org/it", samples=4, thinking="on", sampling={"temperature": 1.0})
    found = replace(PLAIN, card=card, unique=20_000, left=16_000, left_images=400, tokens=600.0, shared=20.0)
    # 16,000 x 600; 16,000 x 20 and 400 times the 580 tokens that an image's questions share
    tokens = "Tokens, from a sample: 9,600,000 asked one by one, 552,000 where an image's questions share its prompt."
    said = [
        "6,000 questions in 2 splits, of which 5,000 unique ones would be asked, each 4 times (20,000 answers),",
        PLAIN_WORDS[1],
        "4,000 are answered in runs/b/m already, if the model's files are still the same.",
        "16,000 are left, about 400 images. What follows is about these.",
    ]
    assert in_words(found) == [*said, tokens, UNKNOWN]
    for unknown in ("tokens", "shared"):
        assert in_words(replace(found, **{unknown: None})) == [*said, UNKNOWN]  # type: ignore[arg-type]


PRICES = (
    "--budget needs to know what a question costs, and A model has no prices: an endpoint's card says them as price_input and "
    "price_output, in dollars per million tokens."
)


@pytest.mark.parametrize(
    ("card", "budget", "limit", "processes", "says"),
    [
        ({}, 0.0, None, 1, "--budget 0: give dollars, more than 0."),
        ({}, float("nan"), None, 1, "--budget nan: give dollars, more than 0."),
        ({"price_output": None}, 5.0, None, 1, PRICES),
        ({"price_input": None}, 5.0, None, 1, PRICES),
        ({"adapter": "transformers"}, 5.0, None, 1, PRICES),
        ({}, 5.0, 10, 1, "--budget and --limit both say how much is asked. Give one of them."),
        ({}, 5.0, None, 2, "--budget is kept by one process; an endpoint is asked by one anyway. Start hope-bench once."),
        ({}, 0.5, None, 1, None),
        ({"price_input": 0.0, "price_output": 0.0}, 0.5, None, 1, None),
    ],
)
def test_a_budget_needs_prices_and_nothing_beside_it(
    card: dict[str, Any], budget: float, limit: int | None, processes: int, says: str | None
) -> None:
    given = (ENDPOINT.model_copy(update=card), budget, limit, processes)
    if says is None:
        check_budget(*given)
        return
    with pytest.raises(HopeBenchError) as refused:
        check_budget(*given)
    assert str(refused.value) == says


def test_what_a_budget_buys_first_is_what_a_limit_asks(benchmark: Benchmark, options: EvaluateOptions) -> None:
    """Images in a drawn order, one at a time."""
    steps = plan_run(benchmark, ENDPOINT, replace(options, budget=5.0))[2].steps
    order = [step[0].image for step in steps]
    assert all(len({request.image for request in step}) == 1 for step in steps)
    assert sorted(order) == sorted(benchmark.manifest.images)
    single = replace(benchmark, splits={"random": benchmark.splits["random"][::3]})
    assert [len(step) for step in plan_run(single, ENDPOINT, replace(options, budget=5.0))[2].steps] == [1] * 4
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
    ran("silent", 55, 11.0, tokens=0)
    found = estimate(benchmark, ENDPOINT, options)
    assert (found.seconds, found.per_question) == (12 / 55 * 11.0, None)
    ran("uncounted", 60, 6.0, tokens=None)
    found = estimate(benchmark, ENDPOINT, options)
    assert (found.seconds, found.per_question) == (pytest.approx(1.2), None)
    ran("input", 70, 6.0, run=RunInfo(prompt="{question}", input_tokens=7))
    assert estimate(benchmark, ENDPOINT, options).per_question == (0.1, 0.0)
    ran("nothing", 0, 6.0, model="Idle")
    assert estimate(benchmark, ENDPOINT.model_copy(update={"name": "Idle"}), options).like is None


ASKED = ENDPOINT.model_copy(update={"prompt": "{question}!!", "batch_size": 4})


def interrupted_at(step: int, card: ModelCard = ASKED) -> Model:
    steps = iter(range(1, 99))

    def reply(batch: Sequence[Pair]) -> list[RawAnswer]:
        if next(steps) == step:
            raise KeyboardInterrupt
        return by_brightness(batch)

    model = Model(reply)
    model.info = endpoint_info(card)
    return model


def test_an_estimate_counts_what_is_left_of_a_run(benchmark: Benchmark, options: EvaluateOptions) -> None:
    images, folder = options.images, options.runs / "tiny" / "a-model"
    assert images is not None
    whole = Estimate(
        card=ASKED, prompt_name=None, questions=18, splits=2, unique=12, images=4, steps=4, folder=folder, left=12, left_images=4,
        missing=(), stops=None, text_tokens=45,  # a question has 15 characters with the prompt's, 4 to a token
    )  # fmt: skip
    assert estimate(benchmark, ASKED, options) == whole
    assert not options.runs.exists()
    found = estimate(benchmark, ASKED, replace(options, budget=5.0))
    assert found == replace(whole, budget=5.0)
    asked = [len(benchmark.splits[name]) for name in ("random", "content")]
    for limit in (1, 4, 9):
        found = estimate(benchmark, ASKED, replace(options, limit=limit))
        assert found.questions == sum(min(limit, size) for size in asked)
        assert found.unique == found.left == sum(map(len, plan_run(benchmark, ASKED, replace(options, limit=limit))[2].steps))
    way = Paraphrase("set", "polite", Prompt("Please: {question}"))
    assert estimate(benchmark, ASKED, replace(options, paraphrase=way)).prompt_name == "polite"
    with pytest.raises(KeyboardInterrupt):
        evaluate(benchmark, ASKED, options, adapter=interrupted_at(3))
    left = replace(whole, left=6, left_images=2, text_tokens=22)
    assert estimate(benchmark, ASKED, options) == left
    otherwise = ASKED.model_copy(update={"max_new_tokens": 9})
    assert estimate(benchmark, otherwise, options) == replace(whole, card=otherwise)
    for name in ("0.png", "3.png"):
        (images / name).unlink()
    assert estimate(benchmark, ASKED, options) == replace(left, missing=("3.png",)), "0.png is answered"
    for name in ("1.png", "2.png"):
        (images / name).unlink()
    found = estimate(benchmark, ASKED, options)
    assert (found.left, found.missing) == (6, ())
    assert "holds none of the 4 images" in (found.stops or "")
    found = estimate(benchmark, ASKED, replace(options, images=None))
    assert (found.left, found.missing) == (6, ())
    assert "--images" in (found.stops or "")
    keyless = ASKED.model_copy(update={"base_url": "https://example.org/v1"})
    assert "Set the environment variable" in (estimate(benchmark, keyless, options).stops or "")
    other = ASKED.model_copy(update={"checkpoint": "other"})
    found = estimate(benchmark, other, replace(options, name="a-model"))
    assert (found.left, "of another checkpoint called A model" in (found.stops or "")) == (12, True)


def test_an_estimate_takes_answers_that_a_run_would_take(benchmark: Benchmark, options: EvaluateOptions) -> None:
    few = replace(options, limit=2)
    evaluate(benchmark, ASKED, few, adapter=interrupted_at(99))
    answered = estimate(benchmark, ASKED, few)
    assert (answered.left, 0 < answered.unique < 12) == (0, True)
    assert estimate(benchmark, ASKED, options).left == 12 - answered.unique, "also of steps that were asked in part"
    whole = replace(options, name="whole")
    evaluate(benchmark, ASKED, whole, adapter=interrupted_at(99))
    file = estimate(benchmark, ASKED, whole).folder / "answers.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert estimate(benchmark, ASKED, whole).left == 3, "the whole step: nothing has changed"
    file.write_text("")
    assert estimate(benchmark, ASKED, whole).left == 12


def test_an_estimate_of_a_finished_run_needs_no_images_and_one_without_eyes_is_another(
    benchmark: Benchmark, options: EvaluateOptions
) -> None:
    blind = replace(options, blind="gray")
    evaluate(benchmark, ASKED, blind, adapter=interrupted_at(99))
    assert [estimate(benchmark, ASKED, one).left for one in (options, blind, replace(options, blind="shuffled"))] == [12, 0, 12]
    told: list[str] = []
    assert evaluate(benchmark, ASKED, blind, told.append).complete
    assert len(told) == 1, "nothing is asked, and no model looked for"
    found = estimate(benchmark, ASKED, replace(blind, images=None))
    assert (found.left, found.left_images, found.stops, found.text_tokens) == (0, 0, None, 0)
    named = replace(options, name=f"{blind.name or 'a-model'}-blind-gray")  # a run with eyes in its folder
    assert estimate(benchmark, ASKED, named).left == 12


LOCAL = CARD.model_copy(update={"device": "cpu"})
PYTHON = CARD.model_copy(update={"adapter": "model.py:Mine"})
HERE = AdapterInfo("transformers", "org/it@abc", "abc", None, "float32", "cpu", "cpu")
THERE = AdapterInfo("vllm", "org/it@abc", "abc", None, "the server's", "vllm", "vllm")


@pytest.mark.parametrize(
    ("card", "info", "change", "cached", "left"),
    [
        (LOCAL, HERE, {}, "abc", 0),
        (LOCAL, HERE, {}, "other", 12),
        (LOCAL, HERE, {}, None, 0),
        (LOCAL, replace(HERE, identity="org/it@abc with its own code"), {"trust_remote_code": True}, "abc", 0),
        (LOCAL, HERE, {"trust_remote_code": True}, "abc", 12),
        (LOCAL, HERE, {"dtype": "bfloat16"}, "abc", 12),
        (LOCAL, HERE, {"device": "cuda"}, "abc", 12),
        (LOCAL, HERE, {"device": "mps"}, "abc", 12),
        (LOCAL.model_copy(update={"device": "xpu"}), replace(HERE, device_kind="xpu", device="xpu"), {}, "abc", 0),
        (LOCAL, replace(HERE, probe_sha256="pp"), {}, "abc", 0),
        (LOCAL, replace(HERE, thinks=True), {}, "abc", 0),
        (LOCAL, replace(HERE, thinks=True), {"thinking": "off"}, "abc", 12),
        (LOCAL, replace(HERE, thinks=True), {"thinking": "on"}, "abc", 0),
        (LOCAL, HERE, {"thinking": "on"}, "abc", 12),
        (LOCAL, replace(HERE, identity="aa", weights_sha256="aa"), {"checkpoint": "FOLDER"}, None, 0),
        (LOCAL, HERE, {"server": "vllm"}, "abc", 12),
        (CARD.model_copy(update={"server": "vllm"}), THERE, {}, "abc", 0),
        (CARD.model_copy(update={"server": "vllm"}), THERE, {}, "other", 12),
        (CARD.model_copy(update={"server": "vllm"}), THERE, {"dtype": "float16"}, "abc", 12),
        (PYTHON, AdapterInfo("model.py:Mine", "x", "1", None, "int8", "tpu", "a TPU"), {}, None, 0),
        (PYTHON, AdapterInfo("model.py:Mine", "x", "1", None, "int8", "tpu", "a TPU"), {"max_new_tokens": 9}, None, 12),
    ],
)
def test_what_an_adapter_would_say_of_itself_is_known_without_it(
    card: ModelCard,
    info: AdapterInfo,
    change: dict[str, Any],
    cached: str | None,
    left: int,
    benchmark: Benchmark,
    options: EvaluateOptions,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """By the checkpoint's files, and else by what it said in the earlier sitting."""
    if change.get("checkpoint"):
        change = {"checkpoint": str(tmp_path)}
        card = card.model_copy(update=change)
    model = Model(by_brightness)
    model.info = info
    before = card.model_copy(update={"thinking": "auto"}) if "thinking" in change else card
    evaluate(benchmark, before, options, adapter=model)
    monkeypatch.setattr("hope_bench.inference.estimate.check_card", lambda *_: None)
    monkeypatch.setattr("hope_bench.inference.estimate.local_folder", lambda *_: None if cached is None else Path("hub", cached))
    monkeypatch.setattr("hope_bench.inference.estimate.known_checkpoint", lambda *_: None)
    monkeypatch.setattr("hope_bench.inference.estimate.known_device", lambda name: {"cpu": "cpu", "cuda": "cuda"}.get(name))
    monkeypatch.setattr("hope_bench.inference.estimate.known_dtype", lambda name, _: "float32" if name == "auto" else name)
    monkeypatch.setattr("hope_bench.adapters.loading.find_device", torch.device)
    found = estimate(benchmark, card.model_copy(update=change), options)
    assert (found.left, found.stops, found.tokens) == (left, None, None)


@pytest.mark.parametrize("probe", [None, "pp"])
def test_before_anything_is_imported_only_what_is_known_for_certain_counts(
    probe: str | None, benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a run is finished follows from the model that the card means, by these versions of the packages."""
    model = Model(by_brightness)
    model.info = replace(HERE, probe_sha256=probe)
    record = evaluate(benchmark, LOCAL, options, adapter=model)
    folder, plan = options.runs / "tiny" / "a-model", plan_run(benchmark, LOCAL, options)[2]
    known: list[AdapterInfo | None] = [HERE]
    monkeypatch.setattr("hope_bench.inference.beforehand.known_info", lambda _: known[-1])
    described: list[AdapterInfo] = []

    def describe(info: AdapterInfo, _: object) -> RunRecord:
        described.append(info)
        return record

    def done(card: ModelCard = LOCAL) -> RunRecord | None:
        return answered_before(folder, benchmark, card, plan, None, describe)

    assert done() == record
    assert described == [model.info]
    assert done(PYTHON) == record
    assert described[1:] == [HERE], "only a checkpoint's template makes a probe"
    known.append(None)
    assert done() is None
    known.append(HERE)
    write_run(folder, record.model_copy(update={"run": record.run.model_copy(update={"versions": {"python": "2"}})}))
    assert done() is None
    assert len(described) == 2


def common(rows: list[list[int]]) -> int:
    """How many tokens all of them begin with."""
    return max(size for size in range(min(map(len, rows)) + 1) if len({tuple(row[:size]) for row in rows}) == 1)


def test_tokens_are_counted_of_each_question_and_of_what_its_image_shares(benchmark: Benchmark, options: EvaluateOptions) -> None:
    card = find_card("demo-llava")
    found, processor = estimate(benchmark, card, options), load_processor(card.checkpoint, None)
    requests = list(plan_run(benchmark, card, options)[2].requests)
    assert options.images is not None
    (options.images / "3.png").write_bytes(b"no picture")
    for images in (4, 3):
        rows: dict[str, list[list[int]]] = {f"{place}.png": [] for place in range(images)}
        for request in requests:
            if request.image in rows:
                picture = {"type": "image", "image": Image.open(options.images / "0.png").convert("RGB")}
                turn = {"role": "user", "content": [picture, {"type": "text", "text": request.text}]}
                made = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=True, return_dict=True)
                rows[request.image].append(list(made["input_ids"][0]))
        own = [len(row) - common(of_image) for of_image in rows.values() for row in of_image]
        lengths = [len(row) for of_image in rows.values() for row in of_image]
        if images == 4:
            assert (found.tokens, found.shared) == (sum(lengths) / 12, sum(own) / 12)
        else:
            found = estimate(benchmark, card, options)
            assert (found.tokens, found.shared) == (sum(lengths) / 9, sum(own) / 9)


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
    assert Budget(first * 1.0000001, ENDPOINT, record, lambda: report, 0).allows(step(100))
    assert not Budget(first * 0.9999999, ENDPOINT, record, lambda: report, 0).allows(step(100))
    report = replace(report, input_tokens=1)
    budget.asked(step(10))  # for nothing: no price is reported
    assert budget.allows(step(1) * 10**6)
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


@pytest.mark.parametrize(
    ("cost", "before", "answered", "spent", "dearest"),
    [
        (None, 0, 0, 0.0, None),
        (None, 0, 7, 0.0, None),  # what a killed first sitting spent, nobody knows
        (2.0, 16, 16, 2.0, 0.125),
        (2.0, 16, 10, 2.0, 0.125),  # some were asked twice
        (2.0, 16, 20, 2.5, 0.125),  # four that a killed sitting could not write down
        (None, 16, 20, 0.0, 0.0),
    ],
)
def test_a_budget_goes_on_from_what_earlier_sittings_spent(
    cost: float | None, before: int, answered: int, spent: float, dearest: float | None
) -> None:
    record = RunRecord(
        name="m", benchmark="b", benchmark_hash="h", key="k", settings={}, model=ModelInfo(name="m"), asked=before,
        run=RunInfo(prompt="?", cost_usd=cost),
    )  # fmt: skip
    report = AdapterReport()
    budget = Budget(3.0, ENDPOINT, record, lambda: report, answered)
    questions = tuple(Request("a.jpg", f"q{n}", "x" * 4) for n in range(9))
    assert budget.spent == spent
    if dearest is None:  # a token each, and the longest answers: 16 of 10 dollars a million
        assert budget.allows(questions)
        assert Budget(9 * 162e-6, ENDPOINT, record, lambda: report, answered).allows(questions)
        assert not Budget(9 * 161e-6, ENDPOINT, record, lambda: report, answered).allows(questions)
        free = ENDPOINT.model_copy(update={"price_input": None, "price_output": None})
        assert Budget(1e-9, free, record, lambda: report, answered).allows(questions)
    else:
        fit = int((3.0 - spent) / dearest) if dearest else 9
        assert [size for size in range(10) if budget.allows(questions[:size])] == list(range(min(fit, 9) + 1))
    report = AdapterReport(cost=0.25)
    budget.asked(())  # a step of which everything was set aside before
    assert budget.spent == spent + 0.25
    report = AdapterReport(cost=1.0, input_tokens=1)
    budget.asked(questions[:2])
    dearer = max(dearest or 0.0, 0.375)
    assert budget.spent == (cost or 0.0) + max(0, answered - before) * dearer + 1.0
    left = 3.0 - budget.spent
    assert [size for size in range(10) if budget.allows(questions[:size])] == [
        n for n in range(10) if n == 0 or n * dearer <= left
    ]
    report = AdapterReport(cost=1.0)
    budget.asked(())
    with pytest.raises(HopeBenchError) as refused:
        budget.asked(questions[:1])
    assert str(refused.value) == (
        "The server doesn't say how many tokens an answer took, so no budget can be kept. What was answered stays; go on with "
        "--limit instead."
    )


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
