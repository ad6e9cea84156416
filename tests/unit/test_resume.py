"""What is asked again after an interruption or a change, and what is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.endpoint_card import endpoint_info
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.files.run import RunRecord, read_run, write_run
from hope_bench.inference import engine
from hope_bench.inference.engine import EvaluateOptions, evaluate, run_folder
from hope_bench.inference.plan import Plan
from hope_bench.inference.resume import finished, what_is_left
from hope_bench.inference.unseeing import Unseeing
from hope_bench.progress import say_nothing
from hope_bench.provenance import file_sha256
from tests.engine import CARD, Model, Pair, benchmark, by_brightness, lines, options

__all__ = ["benchmark", "options"]  # the fixtures


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_after_an_interruption_the_rest_is_asked(benchmark: Benchmark, options: EvaluateOptions, stop_at: int) -> None:
    evaluate(benchmark, CARD, replace(options, name="whole"), adapter=Model(by_brightness))
    steps: Iterator[int] = iter(range(1, 99))

    def interrupted(batch: Sequence[Pair]) -> list[RawAnswer]:
        if next(steps) == stop_at:
            raise KeyboardInterrupt
        return by_brightness(batch)

    with pytest.raises(KeyboardInterrupt):
        evaluate(benchmark, CARD, options, adapter=Model(interrupted))
    assert len(lines(options)) == 3 * (stop_at - 1)
    assert not read_run(options.runs / "tiny" / "a-model").complete
    model, said = Model(by_brightness), list[str]()
    record = evaluate(benchmark, CARD, options, said.append, adapter=model)
    assert len(model.batches) == 5 - stop_at
    assert ("Going on:" in said[0]) == (stop_at > 1)
    assert record.complete
    folder = options.runs / "tiny"
    assert (folder / "a-model" / "answers.jsonl").read_bytes() == (folder / "whole" / "answers.jsonl").read_bytes()


class Sittings:
    """Calls of one run, each interrupted at its `stop`-th step, on a clock that shows 2.5004 s for each step that was asked; what
    each said but the speed, and its record as it is on disk."""

    def __init__(self, benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch) -> None:
        self._benchmark, self._options, self._clock = benchmark, options, 0.0
        monkeypatch.setattr("time.monotonic", lambda: self._clock)

    def sit(self, card: ModelCard = CARD, stop: int = 99, **options: Any) -> tuple[list[str], RunRecord]:
        steps = iter(range(1, 99))

        def reply(batch: Sequence[Pair]) -> list[RawAnswer]:
            if next(steps) == stop:
                raise KeyboardInterrupt
            self._clock += 2.5004
            return by_brightness(batch)

        model, said = Model(reply), list[str]()
        if card.adapter == "endpoint":
            model.info = endpoint_info(card)
        chosen = replace(self._options, **options)
        with contextlib.suppress(KeyboardInterrupt):
            evaluate(self._benchmark, card, chosen, said.append, adapter=model)
        return [line.partition(", ETA ")[0] for line in said], read_run(run_folder(self._benchmark, card, chosen))


def asked_again(benchmark: Benchmark, options: EvaluateOptions, card: ModelCard = CARD, identity: str = "it@1") -> list[str]:
    """What a further call puts to the model, as image and question; every question must have its right answer afterwards."""
    asked: list[str] = []

    def reply(batch: Sequence[Pair]) -> list[RawAnswer]:
        asked.extend(f"{image.getpixel((0, 0))[0]} {prompt}" for image, prompt in batch)
        return by_brightness(batch)

    record = evaluate(benchmark, card, options, adapter=Model(reply, identity))
    assert record.complete
    assert {(line["image"], line["verdict"]) for line in lines(options)} <= {
        ("0.png", "no"), ("1.png", "yes"), ("2.png", "no"), ("3.png", "yes")
    }  # fmt: skip
    assert len(lines(options)) == record.questions
    return asked


@pytest.fixture
def sittings(benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch) -> Sittings:
    return Sittings(benchmark, options, monkeypatch)


def test_what_sittings_say_and_how_their_time_adds_up(sittings: Sittings) -> None:
    told = [sittings.sit(stop=3), sittings.sit(stop=1), sittings.sit(stop=2), sittings.sit(), sittings.sit()]
    assert [said for said, _ in told] == [
        ["3 of 12 questions", "6 of 12 questions"],
        ["Going on: 6 of 12 questions are answered already."],
        ["Going on: 6 of 12 questions are answered already.", "9 of 12 questions"],
        ["Going on: 9 of 12 questions are answered already.", "12 of 12 questions"],
        ["All 12 questions were answered before; nothing to ask."],
    ]
    records = [record for _, record in told]
    assert [(one.questions, one.asked, one.seconds, one.complete) for one in records] == [
        (12, 6, 5.001, False), (12, 6, 5.001, False), (12, 9, 7.501, False), (12, 12, 10.001, True), (12, 12, 10.001, True)
    ]  # fmt: skip
    assert {(one.notes, one.errors, one.run.processes) for one in records} == {((), 0, 1)}


def test_a_finished_run_with_two_answers_to_a_question_is_refused(benchmark: Benchmark, options: EvaluateOptions) -> None:
    """Not those of an unfinished one, whose step was asked again after an error; nor an answer that merely stands there twice."""
    folder = run_folder(benchmark, CARD, options)
    record, path = evaluate(benchmark, CARD, options, adapter=Model(by_brightness)), folder / "answers.jsonl"
    whole = path.read_bytes()
    first = whole.splitlines()[0]
    failed = first.replace(b'"No"', b"null").replace(b'"no"', b'"error"').replace(b'"error": null', b'"error": "boom"')
    assert failed != first
    path.write_bytes(whole + first + b"\n" + failed + b"\n")
    assert evaluate(benchmark, CARD, options, adapter=Model(by_brightness)) == record
    other = msgspec.json.decode(first) | {"text": "Yes", "verdict": "yes", "key": "of other settings"}
    doubled = whole + msgspec.json.encode(other) + b"\n"
    path.write_bytes(doubled)
    for look in (
        lambda: evaluate(benchmark, CARD, options, adapter=Model(by_brightness)),
        lambda: what_is_left(folder, Plan(()), record),
        lambda: finished(folder, Plan(()), record),
    ):
        with pytest.raises(
            HopeBenchError, match=r"answers\.jsonl: 1 question has answers that disagree: 0\.png: .* \(lines 1, 13\)"
        ):
            look()
    assert path.read_bytes() == doubled
    write_run(folder, record.model_copy(update={"complete": False}))
    evaluate(benchmark, CARD, options, adapter=Model(by_brightness))
    assert path.read_bytes() == whole


CHANGED = "What is asked, how or where, has changed since the last run of this name ({})."
STAY = "Answers to what is no longer asked stay in answers.earlier.jsonl."


def test_what_is_said_of_a_change(sittings: Sittings) -> None:
    longer = CARD.model_copy(update={"max_new_tokens": 9})
    sittings.sit()
    assert sittings.sit(longer, stop=2)[0] == [
        CHANGED.format("max_new_tokens was 16, now 9"),
        "12 of 12 questions are asked now, the others are answered already.",
        STAY,
        "3 of 12 questions",
    ]
    assert sittings.sit(longer, limit=4)[0] == [
        CHANGED.format("limit was none, now 4"),
        "4 of 7 questions are asked now, the others are answered already.",
        STAY,
        "4 of 7 questions",
        "7 of 7 questions",
    ]
    for card, limit, change, total in ((CARD, 4, "max_new_tokens was 9, now 16", 7), (CARD, None, "limit was 4, now none", 12)):
        said, record = sittings.sit(card, limit=limit)
        nothing = f"0 of {total} questions are asked now, the others are answered already."
        assert said == [CHANGED.format(change), nothing, STAY]
        assert (record.questions, record.complete) == (total, True)


def test_what_is_said_of_a_server_that_moved(sittings: Sittings) -> None:
    urls = [f"http://127.0.0.1:{port}/v1" for port in (1, 2)]
    here, there = (
        ModelCard(name="E", checkpoint="gpt", adapter="endpoint", base_url=url, batch_size=4, prompt="{question} " + "x" * 60)
        for url in urls
    )
    moves = CHANGED.format(f"address was {urls[0]!r}, now {urls[1]!r}")
    taken = "The new address is taken to serve the same model. If it doesn't, stop, and give this run another --name."
    note = "Asked at more than one address (run.json says which)."
    _, record = sittings.sit(here, stop=3)
    assert (record.notes, record.addresses) == ((), (urls[0],))
    said, record = sittings.sit(there, stop=2)
    left = "6 of 12 questions are asked now, the others are answered already."
    assert said == [moves, taken, left, STAY, "9 of 12 questions"]
    assert (record.notes, record.addresses) == ((note,), tuple(urls))
    said, record = sittings.sit(there)
    assert said == ["Going on: 9 of 12 questions are answered already.", "12 of 12 questions"]
    said, record = sittings.sit(here)
    assert said == [
        CHANGED.format(f"address was {urls[1]!r}, now {urls[0]!r}"),
        "0 of 12 questions are asked now, the others are answered already.",
        STAY,
    ]
    assert (record.notes, record.addresses) == ((note,), tuple(urls)), "nothing was asked there"
    _, record = sittings.sit(here, name="whole")
    _, record = sittings.sit(there, name="whole")
    assert (record.notes, record.addresses) == ((), (urls[0],)), "of the other one nothing was asked"
    short = [one.model_copy(update={"batch_size": 1}) for one in (here, there)]
    _, record = sittings.sit(short[0], stop=2, limit=1, name="short")
    assert (record.notes, record.addresses) == ((), (urls[0],))
    said, record = sittings.sit(short[1], limit=1, name="short")
    assert said == [moves, taken, "1 of 2 questions are asked now, the others are answered already.", STAY, "2 of 2 questions"]
    assert (record.notes, record.addresses) == ((note,), tuple(urls)), "one question is enough"
    otherwise = here.model_copy(update={"prompt": "{question} " + "y" * 60, "base_url": urls[1]})
    said, record = sittings.sit(otherwise)
    prompt = "'{question} " + "x" * 45
    assert said[0] == CHANGED.format(
        f"address was {urls[0]!r}, now {urls[1]!r}; prompt was {prompt}..., now {prompt.replace('x', 'y')}..."
    )
    assert said[1:3] == ["12 of 12 questions are asked now, the others are answered already.", STAY]
    assert (record.notes, record.addresses) == ((), (urls[1],)), "a new run of the same name"


def test_steps_that_failed_come_last_and_those_never_put_to_the_model_in_their_turn(
    benchmark: Benchmark, options: EvaluateOptions
) -> None:
    """A picture that brings a server down keeps no other one from being asked."""
    asked: list[str] = []

    def reply(batch: Sequence[Pair], errors: dict[str, str]) -> list[RawAnswer]:
        asked.append(batch[0][0].info["file_name"])
        error = errors.get(asked[-1])
        return by_brightness(batch) if error is None else [RawAnswer(error=error)] * len(batch)

    errors = {"1.png": "500: the server failed", "2.png": "not asked: the server is gone"}
    evaluate(benchmark, CARD, options, adapter=Model(lambda batch: reply(batch, errors)))
    (options.runs / "tiny" / "a-model" / "answers.jsonl").write_bytes(
        b"".join(line for line in answers_of(options).splitlines(keepends=True) if b'"3.png"' not in line)
    )
    asked.clear()
    record = evaluate(benchmark, CARD, options, adapter=Model(lambda batch: reply(batch, {})))
    assert asked == ["2.png", "3.png", "1.png"]
    assert (record.errors, record.questions, len(lines(options))) == (0, 12, 12)


def test_a_model_that_has_answered_is_not_given_up_at_its_next_first_questions(
    benchmark: Benchmark, options: EvaluateOptions, sittings: Sittings
) -> None:
    sittings.sit(stop=2)

    def silent(batch: Sequence[Pair]) -> list[RawAnswer]:
        return [RawAnswer(error="not finite") for _ in batch]

    assert evaluate(benchmark, CARD, options, adapter=Model(silent)).errors == 9
    with pytest.raises(HopeBenchError, match="failed on its first 3 questions"):  # another model has not answered yet
        evaluate(benchmark, CARD, options, adapter=Model(silent, "it@2"))


def answers_of(options: EvaluateOptions) -> bytes:
    return (options.runs / "tiny" / "a-model" / "answers.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("change", "identity"),
    [({"max_new_tokens": 9}, "it@1"), ({"prompt": "{question}!"}, "it@1"), ({"path": "plain"}, "it@1"), ({}, "it@2")],
)
def test_a_change_that_concerns_every_answer_asks_all_again_and_loses_none(
    change: dict[str, Any], identity: str, benchmark: Benchmark, options: EvaluateOptions
) -> None:
    assert len(asked_again(benchmark, options)) == 12
    before = lines(options)
    card, said = CARD.model_copy(update=change), list[str]()
    assert len(asked_again(benchmark, options, card, identity)) == 12
    assert {line["key"] for line in lines(options)}.isdisjoint(line["key"] for line in before)
    evaluate(benchmark, CARD, options, said.append, adapter=Model(by_brightness))
    assert "0 of 12 questions are asked now" in said[1], "the former answers were set aside"
    assert lines(options) == before
    assert asked_again(benchmark, options, card, identity) == []


def test_a_finished_run_opens_no_model_and_needs_no_images(
    benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = CARD.model_copy(update={"adapter": "endpoint", "base_url": "http://127.0.0.1:9/v1"})
    model = Model(by_brightness)
    model.info = endpoint_info(card)
    first = evaluate(benchmark, card, options, adapter=model)

    def opened(*_: object) -> None:
        raise HopeBenchError("a model was opened")

    monkeypatch.setattr("hope_bench.inference.engine.open_adapter", opened)
    assert options.images is not None
    options.images.rename(options.images.with_name("elsewhere"))
    said: list[str] = []
    assert evaluate(benchmark, card, options, said.append) == first
    assert "nothing to ask" in said[-1]
    with pytest.raises(HopeBenchError, match="a model was opened"):  # of less, all is answered, too
        evaluate(benchmark, card, replace(options, splits=("content",)))
    with pytest.raises(HopeBenchError, match="images"):  # otherwise than it was asked
        evaluate(benchmark, card.model_copy(update={"max_new_tokens": 9}), options)
    options.images.with_name("elsewhere").rename(options.images)
    with pytest.raises(HopeBenchError, match="a model was opened"):
        evaluate(benchmark, card.model_copy(update={"max_new_tokens": 9}), options)


def test_a_later_engine_asks_all_again(benchmark: Benchmark, options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_again(benchmark, options)
    monkeypatch.setattr("hope_bench.inference.record.ENGINE_VERSION", 99)
    assert len(asked_again(benchmark, options)) == 12


def test_settings_that_no_answer_depends_on_ask_nothing_again(benchmark: Benchmark, options: EvaluateOptions) -> None:
    asked_again(benchmark, options)
    assert asked_again(benchmark, options, CARD.model_copy(update={"batch_size": 6})) == []


def test_more_and_fewer_questions_ask_only_what_is_new(benchmark: Benchmark, options: EvaluateOptions) -> None:
    few = asked_again(benchmark, replace(options, limit=2))
    assert 0 < len(few) < 12
    rest = asked_again(benchmark, options)
    assert len(few) + len(rest) == 12
    assert asked_again(benchmark, replace(options, splits=("content",))) == []
    assert len(lines(options)) == 6
    assert asked_again(benchmark, options) == []


@pytest.mark.parametrize("hashed", [True, False])
def test_a_replaced_image_has_only_its_own_questions_asked_again(
    hashed: bool, benchmark: Benchmark, options: EvaluateOptions
) -> None:
    assert options.images is not None

    def current() -> Benchmark:
        images = {
            name: file_sha256(options.images / name) if hashed and options.images else None for name in benchmark.manifest.images
        }
        manifest = benchmark.manifest.model_copy(update={"images": images, "hash": "h"})
        return replace(benchmark, manifest=manifest)

    asked_again(current(), options, CARD.model_copy(update={"batch_size": 6}))
    Image.new("RGB", (8, 8), (30, 0, 0)).save(options.images / "2.png")
    again = asked_again(current(), options, CARD.model_copy(update={"batch_size": 6}))
    assert again == [f"30 Say yes or no. Is there a {thing}?" for thing in "abc"]


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_interrupted_while_asking_what_changed_the_bytes_are_those_of_an_undisturbed_change(
    stop_at: int, benchmark: Benchmark, options: EvaluateOptions
) -> None:
    """Answers depend on what is asked together here, as a model's last digits do."""

    def together(batch: Sequence[Pair]) -> list[RawAnswer]:
        return [replace(answer, p_yes=len(batch) / 10) for answer in by_brightness(batch)]

    steps: Iterator[int] = iter(range(1, 99))

    def interrupted(batch: Sequence[Pair]) -> list[RawAnswer]:
        if next(steps) == stop_at:
            raise KeyboardInterrupt
        return together(batch)

    content, shaken = replace(options, splits=("content",), limit=4), replace(options, name="shaken")
    for name in ("a-model", "shaken"):
        evaluate(benchmark, CARD, replace(content, name=name), adapter=Model(together))
    evaluate(benchmark, CARD, options, adapter=Model(together))
    with pytest.raises(KeyboardInterrupt):
        evaluate(benchmark, CARD, shaken, adapter=Model(interrupted))
    evaluate(benchmark, CARD, shaken, adapter=Model(together))
    assert lines(options, "shaken") == lines(options)
    assert len({line["p_yes"] for line in lines(options)}) == 3, "kept answers and new ones stand side by side"


def test_another_model_and_answers_of_another_tool_are_refused(benchmark: Benchmark, options: EvaluateOptions) -> None:
    record = evaluate(benchmark, CARD, options, adapter=Model(by_brightness))
    folder = options.runs / "tiny" / "a-model"
    before = (folder / "answers.jsonl").read_bytes()
    other = CARD.model_copy(update={"name": "Another"})
    with pytest.raises(HopeBenchError, match=r"answers of another model, A model\. They stay as they are; .*--name"):
        evaluate(benchmark, other, replace(options, name="a-model"), adapter=Model(by_brightness))
    namesake = CARD.model_copy(update={"checkpoint": "elsewhere/it"})
    with pytest.raises(HopeBenchError, match=r"of another checkpoint called A model, or of other files in it \(org/it\)"):
        evaluate(benchmark, namesake, options, adapter=Model(by_brightness))
    write_run(folder, record.model_copy(update={"key": "imported-1", "settings": {}}))
    with pytest.raises(HopeBenchError, match="hope-bench evaluate didn't make"):
        evaluate(benchmark, CARD, options, adapter=Model(by_brightness))
    assert (folder / "answers.jsonl").read_bytes() == before
    (folder / "run.json").unlink()
    assert asked_again(benchmark, options) == [], "each answer says what it is an answer to"


def test_a_folder_is_the_model_that_it_holds(benchmark: Benchmark, options: EvaluateOptions) -> None:
    """checkpoint-500 of one training run and of another are called the same."""

    def asked(folder: str, sha256: str) -> int:
        model = Model(by_brightness, sha256)
        model.info = replace(model.info, weights_sha256=sha256)
        evaluate(benchmark, CARD.model_copy(update={"checkpoint": folder}), options, adapter=model)
        return sum(model.batches)

    assert asked("/first/checkpoint-500", "aa11") == 12
    assert asked("/moved/checkpoint", "aa11") == 0, "wherever it lies"
    with pytest.raises(HopeBenchError, match=r"another checkpoint called A model, .* \(SHA-256 aa11\)\. .*--name"):
        asked("/second/checkpoint-500", "bb22")
    assert len(lines(options)) == 12


def test_a_change_of_versions_between_sittings_is_noted(benchmark: Benchmark, options: EvaluateOptions) -> None:
    record = evaluate(benchmark, CARD, options, adapter=Model(by_brightness))
    folder = options.runs / "tiny" / "a-model"
    old = record.run.model_copy(update={"versions": {**record.run.versions, "torch": "1.0"}})
    write_run(folder, record.model_copy(update={"run": old, "complete": False}))
    answers = folder / "answers.jsonl"
    answers.write_bytes(answers.read_bytes()[:-5])
    notes = evaluate(benchmark, CARD, options, adapter=Model(by_brightness)).notes
    assert len(notes) == 1
    assert notes[0].startswith("Asked under changing versions: torch 1.0 then ")


def read_only(folder: Path) -> None:
    raise HopeBenchError(f"{folder} can't be written: Read-only file system.")


@pytest.mark.parametrize("blind", [None, "gray"])
def test_a_finished_run_is_known_before_its_model_is(
    blind: Unseeing | None,
    sittings: Sittings,
    benchmark: Benchmark,
    options: EvaluateOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = ModelCard(name="E", checkpoint="gpt", adapter="endpoint", base_url="http://127.0.0.1:1/v1", batch_size=4)
    chosen = replace(options, blind=blind)
    _, record = sittings.sit(card, blind=blind)
    folder = run_folder(benchmark, card, chosen)

    def known(chosen: EvaluateOptions = chosen) -> RunRecord | None:
        return engine._answered_before(benchmark, card, chosen, say_nothing, engine.plan_run(benchmark, card, chosen))

    assert known() == record
    with monkeypatch.context() as patch:
        patch.setattr(engine, "lock_run", read_only)
        patch.setattr("os.access", lambda *_: False)
        assert known() == record, "nothing has to be written"
        assert sittings.sit(card, blind=blind) == (["All 12 questions were answered before; nothing to ask."], record)
        with pytest.raises(HopeBenchError, match="can't be written"):
            known(replace(chosen, step=3))
    (folder / ".lock").touch()
    assert known() == record
    assert not (folder / ".lock").exists(), "left by who was killed at the very end"
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        assert known() is None, "several ask torch anyway"
    assert known(replace(chosen, blind="shuffled")) is None
    write_run(folder, record.model_copy(update={"complete": False}))
    assert known() is None
    write_run(folder, record)
    (folder / "answers.process-0.jsonl").touch()
    assert known() is None, "somebody was killed before all was put together"
    (folder / "answers.process-0.jsonl").unlink()
    assert known() == record
    (folder / "answers.jsonl").unlink()
    assert known() is None
    (folder / "answers.jsonl").mkdir()
    assert known() is None, "no file of answers"
