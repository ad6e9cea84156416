"""Several drawn answers to each question: what is asked and kept, how it is scored, and intervals against known truths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import hope_bench as hb
from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.result_file import read_result, write_result
from hope_bench.files.run import load_run, read_answers, read_run
from hope_bench.inference.engine import EvaluateOptions, evaluate
from hope_bench.records import Answer, Label, Verdict
from hope_bench.scoring.comparing import compare
from hope_bench.scoring.rates import korn_graubard
from hope_bench.scoring.score import score
from hope_bench.scoring.trend import trend_of
from hope_bench.site.build import build_site
from tests.checkpoints import pictures
from tests.engine import Pair, benchmark, lines, options  # noqa: F401
from tests.faulty_server import Handler, Server, answer, running
from tests.runs import make_benchmark, make_run, write_answers
from tests.unit.test_endpoint import BATCH, KEY

FAST = Bootstrap(replicates=200, seed=0, confidence=0.95)
SAMPLING = {"temperature": 1.0, "top_p": 0.95}
THINKS: dict[str, Any] = {"thinking": "on", "sampling": SAMPLING}


def card(samples: int, **fields: Any) -> ModelCard:
    return ModelCard(name="A model", checkpoint="org/it", samples=samples, **{"batch_size": 4, **THINKS, **fields})


class Drawn:
    """An adapter whose n-th answer to a question is the n-th of a list, the same whatever is asked with it."""

    def __init__(self, said: Sequence[str] = ("Yes", "No", "No", "Perhaps")) -> None:
        self._said = said
        self.info = AdapterInfo("drawn", "it@1", "1", None, "float32", "cpu", "cpu", thinks=True)
        self.report = AdapterReport()
        self.asked: list[tuple[str, str, int]] = []
        self.fails_after = 10**9

    def load(self) -> None:
        """Nothing to do."""

    def prepare(self, batch: Sequence[Pair]) -> None:
        """Nothing to do ahead."""

    def answer(self, batch: Sequence[Pair], samples: Sequence[int] = ()) -> list[RawAnswer]:
        numbers = samples or [0] * len(batch)
        if len(self.asked) + len(batch) > self.fails_after:
            raise KeyboardInterrupt
        self.asked += [(image.info["file_name"], prompt, n) for (image, prompt), n in zip(batch, numbers, strict=True)]
        return [RawAnswer(text=self._said[number]) for number in numbers]


def test_every_sample_is_asked_kept_and_counted(benchmark: Benchmark, options: EvaluateOptions) -> None:  # noqa: F811
    model = Drawn()
    record = evaluate(benchmark, card(4), options, adapter=model)
    assert record.questions == 4 * 12
    assert len(set(model.asked)) == 4 * 12
    made = lines(options)
    assert [(line["question"], line["sample"]) for line in made[:5]] == [("Is there a a?", n) for n in range(4)] + [
        ("Is there a b?", 0)
    ]
    assert len({(line["image"], line["key"]) for line in made}) == len(made)
    assert set(load_run(options.runs / "tiny" / "a-model").to_frame()["sample"]) == {0, 1, 2, 3}
    result = score(benchmark, options.runs / "tiny" / "a-model", FAST)
    split = result.splits["random"]
    assert (result.run.samples, result.run.decoding) == (4, "sampled: temperature 1, top_p 0.95, seed 0")
    assert any("answered 4 times" in note for note in result.notes)
    # 6 questions of each label, whose answers are yes, no, no, and one that is neither.
    assert split.on_yes.model_dump() == split.on_no.model_dump() == {"yes": 6, "no": 12, "unparsed": 6, "error": 0, "unasked": 0}
    assert (split.recall.value, split.hallucination_rate.value, split.specificity.value) == (0.25, 0.25, 0.5)
    assert (split.verdicts, split.further_verdicts) == ("y" * 12, ("n" * 12, "n" * 12, "u" * 12))
    assert split.probabilities is None


def test_a_run_is_another_for_each_number_of_samples(benchmark: Benchmark, options: EvaluateOptions) -> None:  # noqa: F811
    runs = [evaluate(benchmark, card(n), replace(options, name=f"of-{n}"), adapter=Drawn()) for n in (1, 2, 3)]
    assert len({run.key for run in runs}) == 3
    assert [run.settings.get("samples") for run in runs] == [None, 2, 3], "runs of one answer are those they were before"


def test_an_interrupted_run_and_one_that_wants_more_ask_only_what_is_missing(
    benchmark: Benchmark,  # noqa: F811
    options: EvaluateOptions,  # noqa: F811
) -> None:
    whole = Drawn()
    evaluate(benchmark, card(3), replace(options, name="whole"), adapter=whole)
    evaluate(benchmark, card(1), options, adapter=(first := Drawn()))
    assert {sample for _, _, sample in first.asked} == {0}
    stopped = Drawn()
    stopped.fails_after = 13
    with pytest.raises(KeyboardInterrupt):
        evaluate(benchmark, card(3), options, adapter=stopped)
    evaluate(benchmark, card(3), options, adapter=(rest := Drawn()))
    asked = [*first.asked, *stopped.asked, *rest.asked]
    assert sorted(asked) == sorted(whole.asked), "each sample once over all sittings"
    assert lines(options) == lines(options, "whole")
    evaluate(benchmark, card(1), options, adapter=(again := Drawn()))
    assert again.asked == []
    assert len(lines(options)) == 12


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"samples": 3}, "decoding is greedy"),
        ({"samples": 0, **THINKS}, "greater than or equal to 1"),
        ({"samples": 3, "adapter": "own.py:Model", **THINKS}, "samples would have no effect"),
    ],
)
def test_samples_that_make_no_sense_are_refused_in_words(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelCard(name="it", checkpoint="org/it", **fields)


def test_the_api_takes_samples_where_they_can_be_drawn(
    benchmark: Benchmark,  # noqa: F811
    options: EvaluateOptions,  # noqa: F811
    server: Server,
) -> None:
    where: dict[str, Any] = {"images": options.images, "runs": options.runs, "progress": "quiet"}
    run = hb.evaluate("m", benchmark, base_url=server.url, samples=3, thinking="on", sampling=SAMPLING, limit=2, **where)
    assert (run.record.run.samples, run.record.questions) == (3, len(server.bodies))
    assert len({body["seed"] for body in server.bodies}) == len(server.bodies)
    with pytest.raises(HopeBenchError, match="decoding is greedy"):
        hb.evaluate("m", benchmark, base_url=server.url, samples=3, **where)
    with pytest.raises(HopeBenchError, match="sampling and samples would have no effect"):
        hb.evaluate(Drawn(), benchmark, samples=3, thinking="on", sampling=SAMPLING, **where)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with running() as one:
        yield one


def test_a_server_is_given_a_seed_for_each_answer(server: Server) -> None:
    def seeds(samples: Sequence[int], batch: Sequence[Pair], **fields: Any) -> dict[tuple[str, int], int]:
        server.bodies.clear()
        asked = card(9, adapter="endpoint", base_url=server.url, concurrency=1, **fields)
        for pair, sample in zip(batch, samples, strict=True):
            Endpoint(asked).answer([pair], [sample])
        return {
            (pair[1], sample): body["seed"] for pair, sample, body in zip(batch, samples, server.bodies, strict=True)
        }  # fmt: skip

    once = seeds((0, 1, 2, 0), [BATCH[0]] * 3 + [BATCH[1]])
    assert len(set(once.values())) == 4
    assert all(0 <= seed < 2**31 for seed in once.values())
    other = seeds((2, 0, 1), [BATCH[0]] * 3)
    assert other == {key: once[key] for key in other}, "whatever is asked with it, and in which order"
    assert not set(seeds((0, 1), [BATCH[0]] * 2, seed=1).values()) & set(once.values())
    server.bodies.clear()
    together = Endpoint(card(9, adapter="endpoint", base_url=server.url)).answer([BATCH[0]] * 3, [0, 1, 2])
    assert [answer.text for answer in together] == [f"Yes: {BATCH[0][1]}"] * 3
    assert sorted(body["seed"] for body in server.bodies) == sorted(once[BATCH[0][1], sample] for sample in range(3))


def test_a_server_without_seeds_is_asked_without(server: Server) -> None:
    """Mistral's own API calls it otherwise, and refuses ours."""
    complaint = {"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}

    def picky(handler: Handler, body: dict[str, Any]) -> None:
        if "seed" in body:
            return handler.reply(422, {"object": "error", "message": {"detail": [complaint]}})
        return answer(handler, body)

    server.always = picky
    model = Endpoint(card(9, adapter="endpoint", base_url=server.url, concurrency=1))
    assert [one.text for one in model.answer([BATCH[0]] * 3, [0, 1, 2])] == [f"Yes: {BATCH[0][1]}"] * 3
    assert len(server.bodies) == 4
    assert {body["temperature"] for body in server.bodies} == {1.0}
    assert model.report.notes == ("The endpoint takes no seed, so its answers are drawn anew when asked again.",)


@pytest.mark.parametrize(("family", "path"), [("llava", "shared"), ("llava", "plain"), ("qwen2_5_vl", "shared")])
def test_what_is_drawn_does_not_depend_on_what_is_asked_with_it(
    family: str, path: str, checkpoint: Callable[[str], Path]
) -> None:
    asked = card(5, device="cpu", max_new_tokens=40, path=path).model_copy(update={"checkpoint": str(checkpoint(family))})
    model = TransformersModel(asked)
    model.load()
    end = model._paths._decoder.settings.eos_token_id[0]

    def ends_soon(_module: Any, _inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.clone()
        logits[..., end] = logits.logsumexp(-1) - 1.0
        return logits

    model._model.get_output_embeddings().register_forward_hook(ends_soon)
    image, other = pictures(2)
    image.info["file_name"], other.info["file_name"] = "one.png", "two.png"
    questions = [(image, "Is there a dog in the image?"), (image, "Is there a cat?"), (other, "Is there a dog in the image?")]
    rows = [(pair, sample) for pair in questions for sample in range(5)]
    together = model.answer([pair for pair, _ in rows], [sample for _, sample in rows])
    turned = model.answer([pair for pair, _ in rows[::-1]], [sample for _, sample in rows[::-1]])[::-1]
    assert together == turned
    torch.manual_seed(0)
    some = [model.answer([pair, questions[1]], [sample, 0])[0] for pair, sample in rows[:2]]
    assert some == together[:2]
    texts = [(answer.text, answer.error) for answer in together]
    assert len(set(texts)) > 5, "samples differ"
    assert all(answer.p_yes is None for answer in together)


def test_each_token_is_drawn_as_often_as_it_is_likely() -> None:
    from hope_bench.adapters.decoding import Drawing

    scores = torch.tensor([2.0, 1.0, 0.0, -1.0, -9.0]).expand(4000, 5)
    draws = Drawing({"temperature": 2.0, "top_k": 3}, range(4000), 2)
    expected = torch.tensor([1.0, 0.5, 0.0]).softmax(0)
    for _step in range(2):
        drawn = draws(torch.zeros(4000, 1, dtype=torch.long), scores).argmax(-1)
        share = torch.bincount(drawn, minlength=5) / 4000
        assert share[3:].sum() == 0
        assert torch.allclose(share[:3], expected, atol=4 * 0.5 / 4000**0.5)
    nearly_sure = Drawing({"temperature": 0.01}, range(50), 1)(torch.zeros(50, 1, dtype=torch.long), scores[:50])
    assert nearly_sure.argmax(-1).eq(0).all()


# Scoring, with every number written out by hand.

ROWS: list[tuple[str, str, Label]] = [
    ("a.jpg", "cup", "yes"),
    ("a.jpg", "dog", "no"),
    ("b.jpg", "car", "yes"),
    ("b.jpg", "ox", "no"),
]


def sampled_run(folder: Path, benchmark: Benchmark, said: dict[tuple[str, str], Sequence[Verdict]], **record: Any) -> Path:  # noqa: F811
    """A run with those verdicts, one for each sample."""
    make_run(folder, benchmark, {key: verdicts[0] for key, verdicts in said.items()}, **record)
    first = read_answers(folder / "answers.jsonl").answers
    more = [
        replace(answer, text=verdict, verdict=verdict, sample=sample)
        for answer, verdicts in zip(first, said.values(), strict=True)
        for sample, verdict in enumerate(verdicts)
    ]
    write_answers(folder, more)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> tuple[Benchmark, Result, Result]:
    """One model sampled three times, and one that was asked once."""
    asked = make_benchmark(tmp_path / "benchmark", {"random": ROWS, "adversarial": ROWS[:2]}, headline="random")
    keys = [(image, name) for image, name, _ in ROWS]
    drawn: list[Sequence[Verdict]] = [("yes", "no", "yes"), ("no", "yes", "no"), ("no", "no", "no"), ("no", "no", "no")]
    greedy: list[Sequence[Verdict]] = [("yes",), ("yes",), ("no",), ("no",)]
    runs = [
        score(asked, sampled_run(tmp_path / name, asked, dict(zip(keys, said, strict=True)), name=name), FAST)
        for name, said in (("drawn", drawn), ("greedy", greedy))
    ]
    return asked, runs[0], runs[1]


def test_rates_are_means_over_questions_of_their_shares(results: tuple[Benchmark, Result, Result]) -> None:
    _, drawn, _ = results
    split = drawn.splits["random"]
    assert split.recall.value == pytest.approx((2 / 3 + 0) / 2, abs=1e-6)
    assert split.hallucination_rate.value == pytest.approx((1 / 3 + 0) / 2, abs=1e-6)
    parts = {part.name: part for part in split.breakdowns["category"]}
    assert (parts["dog"].on_no.yes, parts["dog"].on_no.no, parts["dog"].images) == (1, 2, 1)
    unique = {one.method: one for one in drawn.averages if one.group == "pope"}["unique"]
    assert unique.metrics["recall"] == split.recall, "a question that two splits ask counts once, with all its samples"


def test_a_sampled_model_beside_a_greedy_one(results: tuple[Benchmark, Result, Result]) -> None:
    _, drawn, greedy = results
    found = compare([drawn, greedy], metric="accuracy", bootstrap=FAST)
    (pair,) = found.pairs
    accuracy = (2 / 3 + 2 / 3 + 0 + 1) / 4
    assert pair.difference.value == pytest.approx(accuracy - (1 + 0 + 0 + 1) / 4, abs=1e-6)
    # The greedy model alone is always right about the cup, the sampled one more often about the dog; all within one image.
    assert (pair.one_only, pair.other_only, pair.right_p) == (1, 1, 1.0)
    steps = trend_of([drawn, greedy], ["x-step-1", "x-step-2"], None, "random", None, FAST, ["random"])
    assert steps.points[1].changes["hallucination_rate"].value == pytest.approx(1 / 2 - 1 / 6, abs=1e-6)


def test_result_files_hold_all_samples_and_the_site_counts_them(
    results: tuple[Benchmark, Result, Result], tmp_path: Path
) -> None:
    _, drawn, _ = results
    path = tmp_path / "results" / "tiny" / "drawn.json"
    write_result(path, drawn)
    assert read_result(path) == drawn
    build_site(tmp_path / "results", tmp_path / "site")
    forged = json.loads(path.read_text())
    forged["splits"]["random"]["further_verdicts"][0] = "nnnn"
    path.write_text(json.dumps(forged))
    with pytest.raises(HopeBenchError, match="not what its verdicts count"):
        build_site(tmp_path / "results", tmp_path / "site")
    forged["splits"]["random"]["further_verdicts"][0] = "nn"
    path.write_text(json.dumps(forged))
    with pytest.raises(HopeBenchError, match="different lengths"):
        read_result(path)


def test_samples_of_a_question_are_no_contradiction_but_two_answers_of_one_are(tmp_path: Path) -> None:
    asked = make_benchmark(tmp_path / "benchmark", {"random": ROWS})
    run = sampled_run(tmp_path / "run", asked, {("a.jpg", "cup"): ("yes", "no")})
    said = list(read_answers(run / "answers.jsonl").answers)
    write_answers(run, [*said, replace(said[1], text="yes", verdict="yes")])
    with pytest.raises(HopeBenchError, match="disagree"):
        score(asked, run, FAST)
    write_answers(run, [*said, Answer("a.jpg", said[0].question, "yes", "yes", sample=-1)])
    with pytest.raises(HopeBenchError, match="samples are numbered from 0"):
        score(asked, run, FAST)
    assert read_run(run).name == "run"


# The interval: images are drawn, and so is every answer.


@pytest.mark.parametrize(
    ("spread", "narrower"),
    [("answers alone", 0.5), ("images and answers", None), ("questions alone", 1.0)],
)
def test_intervals_hold_what_images_and_what_draws_vary(spread: str, narrower: float | None) -> None:
    """Coverage of the true rate, and the standard error against the spread over 3,000 repetitions of the whole experiment.

    Where only the draws vary, four samples halve the interval; where an answer follows from its question, they change nothing
    (four samples taken for four questions would halve it there, too).
    """
    rng, trials, images, questions = np.random.default_rng(3), 3000, 60, 3
    if spread == "answers alone":
        chance = np.full((trials, images, questions), 0.3)
    elif spread == "questions alone":
        chance = (rng.random((trials, images, questions)) < 0.3).astype(np.float64)
    else:
        of_image = rng.beta(0.6, 1.4, (trials, images, 1))
        chance = np.clip(of_image + rng.uniform(-0.1, 0.1, (trials, images, questions)), 0, 1)
    truth = float(chance.mean())
    widths = {}
    for samples in (1, 4):
        yes = rng.binomial(samples, chance).sum(axis=-1)
        found = korn_graubard(yes, np.full((trials, images), questions * samples))
        assert 0.94 <= ((found.low <= truth) & (truth <= found.high)).mean() <= 0.985
        stated = np.sqrt((found.influence**2).sum(axis=-1).mean())
        assert stated == pytest.approx(found.value.std(), rel=0.06)
        widths[samples] = float((found.high - found.low).mean())
    if narrower is None:
        assert 0.7 < widths[4] / widths[1] < 0.95
    else:
        assert widths[4] / widths[1] == pytest.approx(narrower, abs=0.04)
