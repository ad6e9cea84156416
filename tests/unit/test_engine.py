"""The engine with models made of a function: order, failures, and what it refuses."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hope_bench.adapters.base import AdapterReport, RawAnswer
from hope_bench.adapters.endpoint_card import endpoint_info
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.files.paraphrases import Paraphrase
from hope_bench.files.result import SelfCheck
from hope_bench.files.run import RunRecord, read_run
from hope_bench.inference.engine import EvaluateOptions, evaluate, evaluate_paraphrases
from hope_bench.inference.images import StepImages, open_named, steps_with_images
from hope_bench.inference.plan import Step
from hope_bench.inference.unseeing import Blindfold, check_unseeing
from hope_bench.inference.workers import Workers
from hope_bench.progress import say_nothing
from hope_bench.records import Prompt
from tests.engine import CARD, Model, Pair, benchmark, by_brightness, lines, options, together

__all__ = ["benchmark", "options"]  # the fixtures


def test_each_question_gets_the_answer_to_its_own_image(benchmark: Benchmark, options: EvaluateOptions) -> None:
    asked: list[str] = []

    def reply(batch: Sequence[Pair]) -> list[RawAnswer]:
        asked.extend(prompt for _, prompt in batch)
        return by_brightness(batch)

    model = Model(reply)
    record = evaluate(benchmark, CARD, options, adapter=model)
    assert model.batches == [3, 3, 3, 3]
    assert asked[0] == "Say yes or no. Is there a a?"
    assert [line["verdict"] for line in lines(options)] == ["no"] * 3 + ["yes"] * 3 + ["no"] * 3 + ["yes"] * 3
    assert [line["image"] for line in lines(options)] == [f"{i // 3}.png" for i in range(12)]
    assert (record.questions, record.errors, record.complete, record.unranked) == (12, 0, True, None)
    assert read_run(options.runs / "tiny" / "a-model") == record
    assert record.run.versions["python"]


def test_a_finished_run_is_not_asked_again(benchmark: Benchmark, options: EvaluateOptions) -> None:
    record = evaluate(benchmark, CARD, options, adapter=Model(by_brightness))
    model = Model(by_brightness)
    assert evaluate(benchmark, CARD, replace(options, images=None), adapter=model) == record
    assert (model.loads, model.batches) == (0, [])


def test_one_bad_row_fails_alone_and_is_asked_again_by_the_next_call(benchmark: Benchmark, options: EvaluateOptions) -> None:
    def picky(batch: Sequence[Pair]) -> list[RawAnswer]:
        if any("a b?" in prompt and image.getpixel((0, 0))[0] > 100 for image, prompt in batch):
            raise ZeroDivisionError("no such aspect\nratio")
        return by_brightness(batch)

    evaluate(benchmark, CARD, replace(options, name="whole"), adapter=Model(by_brightness))
    record = evaluate(benchmark, CARD, options, adapter=Model(picky))
    failed = [line for line in lines(options) if line["verdict"] == "error"]
    assert {(line["image"], line["error"]) for line in failed} == {
        ("1.png", "ZeroDivisionError: no such aspect ratio"), ("3.png", "ZeroDivisionError: no such aspect ratio")
    }  # fmt: skip
    assert all(line["text"] is None and line["p_yes"] is None for line in failed)
    assert (len(lines(options)), record.errors, record.complete) == (12, 2, True)

    model = Model(by_brightness)
    again = evaluate(benchmark, CARD, options, adapter=model)
    assert model.batches == [3, 3], "only the two steps with an error"
    assert again.errors == 0
    assert lines(options) == lines(options, "whole")
    assert again.seconds >= record.seconds


def test_half_an_emoji_in_an_answer_can_be_written(benchmark: Benchmark, options: EvaluateOptions) -> None:
    def cut(batch: Sequence[Pair]) -> list[RawAnswer]:
        return [RawAnswer(text="Yes \ud83d")] * (len(batch) - 1) + [RawAnswer(error="\ud83d is no text")]

    evaluate(benchmark, CARD, options, adapter=Model(cut))
    assert [(line["verdict"], line["text"], line["error"]) for line in lines(options)[:3]] == [
        ("yes", "Yes ?", None), ("yes", "Yes ?", None), ("error", None, "? is no text")
    ]  # fmt: skip


def test_a_model_that_fails_from_the_start_stops_the_run(benchmark: Benchmark, options: EvaluateOptions) -> None:
    def broken(_: Sequence[Pair]) -> list[RawAnswer]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(HopeBenchError, match=r"failed on its first 3 questions.*RuntimeError: shapes do not match"):
        evaluate(benchmark, CARD, options, adapter=Model(broken))
    assert lines(options) == []
    assert not read_run(options.runs / "tiny" / "a-model").complete

    def silent(batch: Sequence[Pair]) -> list[RawAnswer]:
        return [RawAnswer(error="not finite") for _ in batch]

    # Nothing was answered yet, so other settings may take the run's name.
    with pytest.raises(HopeBenchError, match="not finite"):
        evaluate(benchmark, CARD, options, adapter=Model(silent, "it@2"))

    def counting(batch: Sequence[Pair]) -> list[RawAnswer]:
        return [RawAnswer(error=f"failure {place}") for place in range(len(batch))]

    with pytest.raises(HopeBenchError, match=r"on its first 3 questions, .* The first said: failure 0"):
        evaluate(benchmark, CARD, options, adapter=Model(counting, "it@3"))


def test_first_images_that_a_model_can_not_take_do_not_stop_the_run(benchmark: Benchmark, options: EvaluateOptions) -> None:
    def picky(batch: Sequence[Pair]) -> list[RawAnswer]:
        if any(image.getpixel((0, 0))[0] == 20 for image, _ in batch):
            raise ValueError("too dark")
        return by_brightness(batch)

    card = CARD.model_copy(update={"batch_size": 3})
    record = evaluate(benchmark, card, options, adapter=Model(picky))
    assert record.errors == 6
    assert [line["verdict"] for line in lines(options)] == ["error"] * 3 + ["yes"] * 3 + ["error"] * 3 + ["yes"] * 3


def test_an_adapter_that_loses_an_answer_is_a_bug(benchmark: Benchmark, options: EvaluateOptions) -> None:
    with pytest.raises(HopeBenchError, match="gave 2 answers to 3 questions"):
        evaluate(benchmark, CARD, options, adapter=Model(lambda batch: by_brightness(batch)[1:]))


def test_paraphrases_are_runs_of_one_loaded_model(benchmark: Benchmark, options: EvaluateOptions) -> None:
    ways = [Paraphrase("set", name, Prompt(template)) for name, template in (("a", "A {question}"), ("b", "B {question}"))]
    asked: list[str] = []

    def reply(batch: Sequence[Pair]) -> list[RawAnswer]:
        asked.extend(prompt for _, prompt in batch)
        model.report = AdapterReport(input_tokens=10 * len(asked), output_tokens=len(asked), cost=0.5 * len(asked))
        return by_brightness(batch)

    model = Model(reply)
    made = list(evaluate_paraphrases(benchmark, CARD, ways, options, adapter=model))
    assert model.loads == 1
    assert asked[0] == "A Is there a a?"
    assert asked[12] == "B Is there a a?"
    for (record, folder), way in zip(made, ways, strict=True):
        assert folder.name == f"a-model-set-{way.name}"
        assert read_run(folder) == record
        assert (record.run.prompt_set, record.run.prompt_name, record.run.prompt) == ("set", way.name, way.prompt.template)
        assert (record.run.input_tokens, record.run.output_tokens, record.run.cost_usd) == (120, 12, 6.0)
        assert "another prompt" in (record.unranked or "")
    again = evaluate_paraphrases(benchmark, CARD, ways, replace(options, name="set"), adapter=Model(by_brightness))
    assert [folder.name for _, folder in again] == ["set-a", "set-b"], "a name that is the set's is said once"


@pytest.mark.parametrize("first", [True, False])
def test_one_process_alone_says_what_becomes_of_a_model(
    first: bool, benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []

    @contextmanager
    def opened(_: ModelCard, say: object, trust_remote_code: bool) -> Iterator[Model]:
        told.extend((say, trust_remote_code))
        model = Model(by_brightness)
        model.info = endpoint_info(card)
        yield model

    card = ModelCard(name="E", checkpoint="gpt", adapter="endpoint", base_url="http://127.0.0.1:1/v1")
    monkeypatch.setattr("hope_bench.inference.engine.open_adapter", opened)
    monkeypatch.setattr("hope_bench.inference.engine.is_first", lambda: first)
    said: list[str] = []
    ways = [Paraphrase("set", name, Prompt(f"{name} {{question}}")) for name in "ab"]
    assert len(list(evaluate_paraphrases(benchmark, card, ways, options, said.append))) == 2
    assert told == [said.append if first else say_nothing, False], "one model for both"
    said.clear()
    again = list(evaluate_paraphrases(benchmark, card, ways, options, said.append))
    assert [record.complete for record, _ in again] == [True, True]
    assert said == ["All 12 questions were answered before; nothing to ask."] * 2
    assert len(told) == 2, "and none where nothing is left"


def test_what_keeps_a_result_off_the_ranking(benchmark: Benchmark, options: EvaluateOptions) -> None:
    card = CARD.model_copy(update={"prompt": "{question} Yes or no?"})
    chosen = replace(options, limit=2, splits=("random",))
    reason = evaluate(benchmark, card, chosen, adapter=Model(by_brightness)).unranked
    assert reason is not None
    assert "--limit" in reason
    assert "another prompt than the benchmark's" in reason
    assert "headline split content" in reason


def test_broken_images_are_errors_with_a_reason_and_the_run_goes_on(benchmark: Benchmark, options: EvaluateOptions) -> None:
    assert options.images is not None
    (options.images / "0.png").unlink()
    (options.images / "1.png").write_bytes((options.images / "3.png").read_bytes()[:-30])
    model = Model(by_brightness)
    record = evaluate(benchmark, CARD, options, adapter=model)
    assert model.batches == [3, 3], "of nothing it isn't asked"
    reasons = {line["image"]: line["error"] for line in lines(options)}
    assert record.errors == 6
    assert reasons == {
        "0.png": "image: the file is missing",
        "1.png": "image: the image differs from the benchmark's (SHA-256)",
        "2.png": None,
        "3.png": None,
    }


def test_where_the_images_are(benchmark: Benchmark, options: EvaluateOptions, tmp_path: Path) -> None:
    unsaid = replace(options, images=None)
    with pytest.raises(HopeBenchError, match="Give it with --images"):
        evaluate(benchmark, CARD, unsaid, adapter=Model(by_brightness))
    with pytest.raises(HopeBenchError, match="does not exist"):
        evaluate(benchmark, CARD, replace(options, images=tmp_path / "no"), adapter=Model(by_brightness))
    with pytest.raises(HopeBenchError, match=r"holds none of the 4 images to ask about \(0.png, 1.png, 2.png and 1 more\)"):
        evaluate(benchmark, CARD, replace(options, images=tmp_path), adapter=Model(by_brightness))
    (benchmark.folder / "spec.toml").write_text('name = "tiny"\n[dataset]\nimages = "../images"\n')
    assert evaluate(benchmark, CARD, unsaid, adapter=Model(by_brightness)).errors == 0


def test_a_run_that_fails_before_anything_is_asked_leaves_no_folder(
    benchmark: Benchmark, options: EvaluateOptions, tmp_path: Path
) -> None:
    class Dead(Model):
        def load(self) -> None:
            raise HopeBenchError("Nothing answers")

    folder = options.runs / "tiny" / "a-model"
    for images in (None, tmp_path / "no"):
        with pytest.raises(HopeBenchError, match="--images"):
            evaluate(benchmark, CARD, replace(options, images=images), adapter=Model(by_brightness))
        assert not options.runs.exists(), "images are looked for first"
    with pytest.raises(HopeBenchError, match="Nothing answers"):
        evaluate(benchmark, CARD, options, adapter=Dead(by_brightness))
    assert not folder.exists()

    # A folder that holds something stays as it is.
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(HopeBenchError, match="Nothing answers"):
        evaluate(benchmark, CARD, options, adapter=Dead(by_brightness))
    assert (folder / "notes.txt").read_text() == "mine"
    evaluate(benchmark, CARD, replace(options, limit=2), adapter=Model(by_brightness))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(HopeBenchError, match="Nothing answers"):
        evaluate(benchmark, CARD, options, adapter=Dead(by_brightness))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_ways_of_not_looking_are_those_two() -> None:
    assert [check_unseeing(how) for how in ("gray", "shuffled", None)] == ["gray", "shuffled", None]
    with pytest.raises(HopeBenchError, match=r"^blind='grey' is neither gray nor shuffled\. Did you mean 'gray'"):
        check_unseeing("grey")


def counts(said: Sequence[str]) -> list[str]:
    """What was said, without the speed."""
    return [line.partition(", ETA ")[0] for line in said]


@pytest.mark.parametrize("size", [2, 3])
def test_processes_share_the_steps_and_the_first_one_speaks(
    size: int, benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(benchmark, CARD, replace(options, name="whole"), adapter=Model(by_brightness))
    whole_file = options.runs / "tiny" / "a-model" / "answers.jsonl"
    found: list[int] = []

    def reply(batch: Sequence[Pair]) -> list[RawAnswer]:
        found.append(whole_file.stat().st_size)
        return by_brightness(batch)

    models = [Model(reply) for _ in range(size)]
    said: list[list[str]] = [[] for _ in range(size)]

    def work(rank: int) -> RunRecord:
        models[rank].report = AdapterReport(("shared", "plain")[rank % 2], input_tokens=10 + rank)
        return evaluate(benchmark, CARD, options, said[rank].append, models[rank])

    records = together(size, work, monkeypatch)
    record = read_run(options.runs / "tiny" / "a-model")
    assert records == [record] * size
    own = {2: [2, 2], 3: [2, 1, 1]}[size]
    assert [model.batches for model in models] == [[3] * steps for steps in own]
    shared = f"{size} processes share 4 steps; what follows is the first one's part."
    assert counts(said[0]) == [shared, "3 of 6 questions", "6 of 6 questions"]
    assert not any(said[1:])
    assert (record.questions, record.asked, record.complete, record.errors) == (12, 12, True, 0)
    assert (record.run.processes, record.run.path) == (size, "shared and plain")
    assert record.run.input_tokens == sum(10 + rank for rank in range(size))
    assert lines(options) == lines(options, "whole")
    assert whole.run.processes == 1
    assert found == [0] * 4, "until all have answered each has a file of its own"
    left = {path.name for path in (options.runs / "tiny" / "a-model").iterdir()}
    assert left <= {"answers.jsonl", "run.json", ".lock"}
    again = together(size, lambda rank: evaluate(benchmark, CARD, options, said[rank].append, Model(by_brightness)), monkeypatch)
    assert again == records
    assert said[0][3:] == ["All 12 questions were answered before; nothing to ask."]


def test_an_unknown_split_suggests_one(benchmark: Benchmark, options: EvaluateOptions) -> None:
    with pytest.raises(HopeBenchError, match="Did you mean 'content'"):
        evaluate(benchmark, CARD, replace(options, splits=("contents",)), adapter=Model(by_brightness))


def test_progress_in_a_pipe_is_a_line_each_tenth(benchmark: Benchmark, options: EvaluateOptions) -> None:
    said: list[str] = []
    evaluate(benchmark, CARD.model_copy(update={"batch_size": 1}), options, said.append, adapter=Model(by_brightness))
    shown = [line for line in said if "questions/s" in line]
    assert len(shown) == 4
    assert shown[-1].startswith("12 of 12 questions, ")
    assert "0 unparsed, 0 errors" in shown[-1]


def test_a_narrow_terminal_cuts_no_word_of_the_bar_off(
    benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "60")
    evaluate(benchmark, CARD, options, adapter=Model(by_brightness))
    shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err).replace("━", " ").split())
    assert "12 of 12 questions, ETA 0:00:00, " in shown
    assert "0 unparsed, 0 errors" in shown


def test_a_clock_that_jumps_changes_nothing(
    benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(benchmark, CARD, replace(options, name="whole"), adapter=Model(by_brightness))
    ticks = itertools.cycle([2e9, 0.0, 1e9, -5.0])
    monkeypatch.setattr("time.time", lambda: next(ticks))
    begun = time.monotonic()
    record = evaluate(benchmark, CARD, options, adapter=Model(by_brightness))
    assert record.complete
    assert 0 <= record.seconds <= time.monotonic() - begun + 0.001, "no more than the whole call took, rounded"
    assert lines(options) == lines(options, "whole")


def test_the_path_and_the_checks_of_all_sittings_are_in_the_record(benchmark: Benchmark, options: EvaluateOptions) -> None:
    checks = [SelfCheck(what=what, passed=True, difference=1e-6, threshold=1e-3) for what in ("one", "two")]
    steps: Iterator[int] = iter(range(1, 99))

    def interrupted(batch: Sequence[Pair]) -> list[RawAnswer]:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return by_brightness(batch)

    model = Model(interrupted)
    model.report = AdapterReport("shared", (checks[0],), input_tokens=10)
    with pytest.raises(KeyboardInterrupt):
        evaluate(benchmark, CARD, options, adapter=model)
    model = Model(by_brightness)
    model.report = AdapterReport("plain", (checks[1],), input_tokens=5)
    record = evaluate(benchmark, CARD, options, adapter=model)
    assert record.run.path == "shared and plain"
    assert record.run.self_checks == tuple(checks)
    assert record.run.input_tokens == 15
    other = CARD.model_copy(update={"batch_size": 6})
    again = evaluate(benchmark, other, options, adapter=model)
    assert again.run.batch_size == 6
    assert (again.run.input_tokens, again.run.path, again.seconds) == (15, record.run.path, record.seconds), "nothing was asked"


@pytest.mark.parametrize("how", ["gray", "shuffled"])
def test_a_run_without_eyes_is_shown_something_else_and_is_a_run_of_its_own(tmp_path: Path, how: str) -> None:
    names = ["a.png", "b.png", "c.png"]
    for place, name in enumerate(names):
        Image.new("RGB", (8, 6), (80 * place, 0, 0)).save(tmp_path / name)
    blindfold = Blindfold(how, names)  # type: ignore[arg-type]
    look = blindfold.over(lambda folder, name: open_named(folder, name, {}))
    (tmp_path / "d.png").write_bytes(b"no picture")
    assert str(look(tmp_path, "d.png")) == "not an image, or of an unknown format"
    shown = {name: look(tmp_path, name) for name in names}
    pixels = {name: one.getpixel((0, 0)) for name, one in shown.items() if isinstance(one, Image.Image)}
    if how == "gray":
        assert set(pixels.values()) == {(127, 127, 127)}
        assert all(one.size == (8, 6) for one in shown.values() if isinstance(one, Image.Image))
    else:
        assert sorted(pixels.values()) == [(0, 0, 0), (80, 0, 0), (160, 0, 0)]
        assert all(pixels[name] != (80 * place, 0, 0) for place, name in enumerate(names))


def test_a_blind_run_has_a_name_and_keys_of_its_own(benchmark: Benchmark, options: EvaluateOptions) -> None:
    made, seeing = benchmark, options
    plain = evaluate(made, CARD, seeing, adapter=Model(by_brightness))
    blind = evaluate(made, CARD, replace(seeing, blind="gray"), adapter=Model(by_brightness))
    assert (plain.unranked, blind.name) == (None, f"{plain.name}-blind-gray")
    assert blind.unranked == "asked without looking, with gray pictures instead of the images"
    assert blind.run.blind == "gray"
    assert blind.key != plain.key
    seen, unseen = lines(seeing, plain.name), lines(seeing, blind.name)
    assert not {one["key"] for one in seen} & {one["key"] for one in unseen}
    assert len({one["verdict"] for one in unseen}) == 1 < len({one["verdict"] for one in seen})  # all are equally bright


def test_processes_that_read_images_are_started_where_there_is_something_to_see(
    benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def started(count: int, *_: object) -> Workers:
        counts.append(count)
        return Workers(0)  # the work is then done without

    monkeypatch.setattr("hope_bench.inference.engine.Workers", started)

    class Elsewhere(Model):
        elsewhere = None

    ways = [options, replace(options, splits=("content",)), replace(options, blind="gray"), replace(options, name="other")]
    for one in ways:  # the second asks a part of what is answered, the third sees nothing
        evaluate(benchmark, CARD, replace(one, workers=3), adapter=Elsewhere(by_brightness))
    evaluate(benchmark, CARD, replace(options, name="plain", workers=3), adapter=Model(by_brightness))
    assert counts == [3, 0, 0, 3, 0]


@pytest.mark.parametrize("count", [0, 2])
def test_images_are_made_ready_in_the_workers_there_are(
    count: int, benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    class Here(Workers):
        def __init__(self, *_: object) -> None:
            super().__init__(0)

        @property
        def count(self) -> int:
            return count

        def steps(
            self, _: object, steps: Sequence[Step], folder: Path, sha256: Mapping[str, str | None]
        ) -> Iterator[tuple[Step, StepImages]]:
            made.append(len(steps))
            return steps_with_images(steps, folder, sha256)

    class Elsewhere(Model):
        elsewhere = None

    monkeypatch.setattr("hope_bench.inference.engine.Workers", Here)
    assert evaluate(benchmark, CARD, options, adapter=Elsewhere(by_brightness)).complete
    assert made == ([4] if count else [])
