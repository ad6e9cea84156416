"""run.json: all that a run's answers depend on, what its sittings add up to, and which changes are said in which words."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from hope_bench.adapters.base import AdapterInfo, AdapterReport
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard, Sampling
from hope_bench.files.language import AnswerWords
from hope_bench.files.paraphrases import Paraphrase
from hope_bench.files.result import ModelInfo, RunInfo, SelfCheck
from hope_bench.files.run import RunRecord
from hope_bench.inference.record import (
    answers_key,
    at_step,
    changes,
    continued,
    decoding,
    describe_run,
    moved,
    of_set,
    reported,
)
from hope_bench.provenance import commit, versions
from hope_bench.records import Prompt
from tests.engine import CARD, benchmark

__all__ = ["benchmark"]  # the fixture

INFO = AdapterInfo("function", "it@1", "1", None, "float32", "cpu", "cpu")
THINKS = CARD.model_copy(update={"thinking": "on", "sampling": Sampling(temperature=0.6, top_p=0.95), "seed": 7, "samples": 3})
SERVED = ModelCard(
    name="S", checkpoint="gpt", adapter="endpoint", base_urls=("http://a:1", "http://b:1"), logprobs=False, image_max_side=99,
    extra_body={"b": 1, "a": 2}, image_format="jpeg", template_kwargs={"b": True, "a": 1},
)  # fmt: skip
PLAIN: dict[str, Any] = {
    "model": "it@1", "adapter": "function", "dtype": "float32", "device": "cpu", "batch_size": 4, "batch_tokens": 32768,
    "address": None, "max_new_tokens": 16, "thinking": "auto", "decoding": "greedy", "template_kwargs": "{}", "probe": None,
    "complete": False, "path": "auto", "chat_template": None, "attention": "auto", "device_map": None, "quantize": None,
    "compile": False, "prompt": "Say yes or no. {question}", "splits": "random, content", "limit": None, "engine": 4,
}  # fmt: skip


def hashed(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def described(benchmark: Benchmark, card: ModelCard = CARD, info: AdapterInfo = INFO, limit: int | None = None) -> RunRecord:
    return describe_run("run", benchmark, card, benchmark.prompt, info, limit, {"0.png": "other"})


@pytest.mark.parametrize(
    ("card", "info", "limit", "other"),
    [
        (CARD, INFO, 5, {"limit": 5}),
        (CARD.model_copy(update={"complete": True}), INFO, None, {"complete": True}),
        (
            THINKS,
            replace(INFO, thinks=True, probe_sha256="pp"),
            None,
            {
                "thinking": "thinks", "max_new_tokens": 4096, "probe": "pp", "samples": 3,
                "decoding": "sampled: temperature 0.6, top_p 0.95, seed 7",
            },
        ),
        (CARD.model_copy(update={"thinking": "off"}), INFO, None, {"thinking": "off"}),
        (
            SERVED,
            replace(INFO, addresses=("http://a:1", "http://b:1")),
            None,
            {
                "address": "http://a:1, http://b:1", "complete": True, "batch_size": 64, "template_kwargs": '{"a": 1, "b": true}',
                "logprobs": "none", "extra_body": '{"a": 2, "b": 1}', "image_format": "jpeg", "image_max_side": 99,
            },
        ),
        (
            ModelCard(name="V", checkpoint="org/v", server="vllm", server_args="--x 1", batch_size=4),
            INFO,
            None,
            {"server": "vllm", "server_args": "--x 1", "complete": True},
        ),
    ],
)  # fmt: skip
def test_a_record_holds_every_setting_that_an_answer_depends_on(
    card: ModelCard, info: AdapterInfo, limit: int | None, other: dict[str, Any], benchmark: Benchmark
) -> None:
    images = hashed({**benchmark.manifest.images, "0.png": "other"})
    expected = {**PLAIN, "benchmark": benchmark.manifest.hash, "images": images}
    plain, record = described(benchmark), described(benchmark, card, info, limit)
    assert (plain.settings, record.settings) == (expected, expected | other)
    assert (plain.key, record.key) == (hashed(expected), hashed(expected | other))
    # What is asked together, how often and where is no matter of an answer.
    free = ("batch_size", "batch_tokens", "address", "prompt", "benchmark", "images", "splits", "limit", "samples")
    assert answers_key(record) == hashed({name: value for name, value in record.settings.items() if name not in free})
    assert (answers_key(record) == answers_key(plain)) == (set(other) <= set(free))


def test_a_record_says_what_the_model_is_and_how_it_ran(benchmark: Benchmark) -> None:
    card = THINKS.model_copy(update={"family": "llava", "parameters": "7B", "license": "mit"})
    info = replace(INFO, thinks=True, device="a CPU", vision_tower="ViT", said="mine", addresses=("http://a",))
    asked = replace(benchmark, splits={"random": benchmark.splits["random"]})
    found = describe_run("run", asked, card, Prompt("{question}?"), info, 5, {})
    assert found == (
        RunRecord(
            name="run", benchmark="tiny", benchmark_hash=benchmark.manifest.hash, key=found.key,
            settings=found.settings, addresses=("http://a",),
            model=ModelInfo(
                name="A model", checkpoint="org/it", revision="1", family="llava", vision_tower="ViT", parameters="7B",
                license="mit",
            ),
            run=RunInfo(
                prompt="{question}?", dtype="float32", device="a CPU", batch_size=4, max_new_tokens=4096, thinking=True,
                samples=3,
                decoding="sampled: temperature 0.6, top_p 0.95, seed 7", adapter="function", identity="mine", limit=5,
                versions=versions(), commit=commit(),
            ),
            unranked="only 5 questions of each split were asked (--limit); asked with another prompt than the benchmark's; "
            "the headline split content was not asked (--split)",
        )
    )  # fmt: skip
    plain = described(benchmark)
    assert (plain.unranked, plain.notes, plain.run.thinking) == (None, (), False)
    assert described(benchmark, SERVED).notes == ("Pictures were sent as JPEG, at most 99 pixels a side.",)
    assert [decoding(one) for one in (CARD, THINKS)] == ["greedy", "sampled: temperature 0.6, top_p 0.95, seed 7"]


@pytest.mark.parametrize(
    ("checkpoint", "sha256", "shown"),
    [
        ("org/it", None, "org/it"),
        ("org/it", "aa", "it"),
        ("/somewhere/it", None, "it"),
        ("/somewhere/checkpoint-500", "aa", "checkpoint-500"),
    ],
)
def test_where_a_folder_lay_is_nobodys_business(checkpoint: str, sha256: str | None, shown: str, benchmark: Benchmark) -> None:
    card = CARD.model_copy(update={"checkpoint": checkpoint, "vision_tower": "CLIP"})
    record = described(benchmark, card, replace(INFO, weights_sha256=sha256, vision_tower="ViT"))
    assert (record.model.checkpoint, record.run.weights_sha256, record.model.vision_tower) == (shown, sha256, "CLIP")


def test_a_benchmark_in_another_language_is_read_by_other_words(benchmark: Benchmark) -> None:
    words = AnswerWords(code="de", yes=("ja",), no=("nein",))
    there = replace(benchmark, manifest=benchmark.manifest.model_copy(update={"language": words}))
    more = dict(described(there).settings.items() - described(benchmark).settings.items())
    assert more == {"language": "de", "yes_no": hashed([["ja"], ["nein"]])}


@pytest.mark.parametrize(
    ("checkpoint", "given", "step"),
    [
        ("org/checkpoint-500", None, 500), ("/a/checkpoint-500", 7, 7), ("org/it", 0, 0), ("org/it", None, None),
        ("org/checkpoint-500-merged", None, None), ("checkpoint-500/it", None, None),
    ],
)  # fmt: skip
def test_a_training_step_is_the_one_given_or_the_one_in_a_checkpoints_name(
    checkpoint: str, given: int | None, step: int | None, benchmark: Benchmark
) -> None:
    record = described(benchmark)
    found = at_step(record, CARD.model_copy(update={"checkpoint": checkpoint}), given)
    assert found == record.model_copy(update={"run": record.run.model_copy(update={"step": step})})


def test_a_run_may_belong_to_a_set_of_paraphrases(benchmark: Benchmark) -> None:
    record = described(benchmark)
    assert of_set(record, None) == record
    run = of_set(record, Paraphrase("set", "polite", Prompt())).run
    assert run == record.run.model_copy(update={"prompt_set": "set", "prompt_name": "polite"})


def test_changes_in_words(benchmark: Benchmark) -> None:
    record = described(benchmark)

    def but(**settings: str | int | None) -> RunRecord:
        return record.model_copy(update={"settings": {**record.settings, **settings}})

    assert changes(record, record) == ""
    assert changes(record, but(limit=5, server="vllm")) == "limit was none, now 5; server was none, now 'vllm'"
    assert changes(but(limit=5, server="vllm"), record) == "limit was 5, now none; server was 'vllm', now none"
    for length in (58, 59):  # with its quotation marks 60 characters are shown, of more the beginning
        shown = f"'{'x' * 58}'" if length == 58 else f"'{'x' * 56}..."
        assert changes(but(prompt="y"), but(prompt="x" * length)) == f"prompt was 'y', now {shown}"
    assert [moved(record, other) for other in (but(address="http://a"), but(address="http://a", model="b"), but(model="b"))] == [
        True, False, False
    ]  # fmt: skip
    assert not moved(but(address="http://a"), but(address="http://a", limit=5))


def test_a_further_sitting_adds_up_what_was_and_notes_what_changed(benchmark: Benchmark) -> None:
    check = SelfCheck(what="w", passed=True, difference=0.0, threshold=1e-3)
    spent = {
        "path": "shared", "self_checks": (check,), "processes": 2, "input_tokens": 5, "output_tokens": 6, "cost_usd": 0.5,
    }  # fmt: skip
    record = described(benchmark)
    earlier = record.model_copy(
        update={
            "seconds": 4.5, "asked": 8, "notes": ("a", "b"), "addresses": ("http://a", "http://b"),
            "run": record.run.model_copy(update={**spent, "step": 3, "versions": {"torch": "1", "old": "2", "same": "3"}}),
        }
    )  # fmt: skip
    now = record.model_copy(
        update={
            "notes": ("b", "c"), "addresses": ("http://b", "http://c"), "seconds": 9.0, "asked": 9,
            "run": record.run.model_copy(update={"versions": {"new": "5", "same": "3", "torch": "4"}}),
            "settings": {**record.settings, "address": "http://c"},
        }
    )  # fmt: skip
    versions = "Asked under changing versions: new none then 5, old 2 then none, torch 1 then 4."
    expected = now.model_copy(
        update={
            "seconds": 4.5, "asked": 8, "run": now.run.model_copy(update=spent), "addresses": ("http://a", "http://b",
            "http://c"),
            "notes": ("a", "b", "c", versions, "Asked at more than one address (run.json says which)."),
        }
    )  # fmt: skip
    assert continued(now, earlier, asks=True) == expected
    assert continued(now, earlier, asks=False) == expected.model_copy(
        update={"addresses": earlier.addresses, "notes": ("a", "b", "c", versions)}
    )
    stayed = now.model_copy(update={"settings": record.settings, "run": earlier.run})
    assert continued(stayed, earlier, asks=True).notes == ("a", "b", "c")


def test_what_all_processes_and_sittings_report_adds_up(benchmark: Benchmark) -> None:
    one, two = (SelfCheck(what=what, passed=True, difference=0.0, threshold=1e-3) for what in ("one", "two"))
    record = described(benchmark).model_copy(update={"notes": ("a",)})
    nothing = reported(record, [AdapterReport(), AdapterReport()])
    assert nothing == record.model_copy(update={"run": record.run.model_copy(update={"processes": 2})})
    first = [
        AdapterReport("plain", (one,), 7, 10, 1, 0.25, ("b",)),
        AdapterReport("shared", (two, one), None, None, 2, None, ("a",)),
    ]
    found = reported(record, first)
    assert found.notes == ("a", "b")
    assert found.run == record.run.model_copy(
        update={
            "path": "shared and plain", "self_checks": (one, two), "processes": 2, "input_tokens": 10, "output_tokens": 3,
            "cost_usd": 0.25,
        }
    )  # fmt: skip
    later = reported(found, [AdapterReport("plain", (), None, 0, 4, 0.5)])
    assert (later.run.path, later.run.input_tokens, later.run.output_tokens, later.run.cost_usd) == (
        "shared and plain",
        10,
        7,
        0.75,
    )
    assert (later.run.processes, later.run.self_checks) == (1, (one, two))
