"""What a call is given: every public function refuses what its annotations don't allow, in words, before it does anything."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hope_bench as hb
from hope_bench.files.card import ModelCard, Sampling
from hope_bench.files.run import RunRecord
from hope_bench.files.spec import BenchmarkSpec
from hope_bench.files.validation import Count, FromZero, Port, Strict, checked, validate
from hope_bench.integrations import HopeBenchCallback, log_result

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: found for name in hb.__all__ if inspect.isfunction(found := getattr(hb, name))},
    "log_result": log_result,
    "HopeBenchCallback": HopeBenchCallback.__init__,
}
ANYTHING = {("evaluate", "model"), ("evaluate", "processor"), ("evaluate_prompts", "model"), ("evaluate_prompts", "processor")}
ANYTHING |= {("HopeBenchCallback", "self"), ("HopeBenchCallback", "processor")}
"""Arguments that take whatever answers questions, or belongs to it."""

ARGUMENTS = [
    (name, one)
    for name, function in FUNCTIONS.items()
    for one, parameter in inspect.signature(function).parameters.items()
    if parameter.kind is not parameter.VAR_KEYWORD and (name, one) not in ANYTHING
]


def fitting(parameter: inspect.Parameter) -> Any:
    """Something that an argument without a default takes."""
    text = str(parameter.annotation)
    if text.startswith("Mapping"):
        return {"x": "x"}
    return ["x"] if text.startswith("Sequence") else 1 if text == "Count" else "x"


@pytest.mark.parametrize(("function", "argument"), ARGUMENTS)
def test_every_argument_of_every_public_function_is_checked(function: str, argument: str) -> None:
    call = FUNCTIONS[function]
    parameters = inspect.signature(call).parameters
    required = {name: fitting(one) for name, one in parameters.items() if one.default is one.empty}
    given = {name: value for name, value in required.items() if parameters[name].kind is not inspect.Parameter.VAR_KEYWORD}
    if (function, argument) == ("HopeBenchCallback", argument) or function == "log_result":
        # What comes first can't be made here in a word; a wrong value of it is found first.
        with pytest.raises(hb.HopeBenchError, match=r"^\w+ is .*\. It takes "):
            call(**{**given, argument: object()})
        return
    with pytest.raises(hb.HopeBenchError, match=rf"^{argument} is <object object at .*\. It takes "):
        call(**{**given, argument: object()})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: hb.score(5), "run is 5. It takes a Run, text or a path."),
        (lambda: hb.load_result(None), "result is None. It takes a Result, text or a path."),
        (lambda: hb.compare(None), "given is None. It takes a list (each a Result, text or a path) or text."),
        (lambda: hb.import_pope("x", ["f"]), "splits is ['f']. It takes a dict (text to text or a path)."),
        (lambda: hb.import_pope("x", {"random": 5}), "splits is {'random': 5}. It takes a dict (text to text or a path)."),
        (lambda: hb.label_noise("x", ["f"], sample="x"), "sample is 'x'. It takes a whole number (1 or more)."),
        (lambda: hb.review("x", port=-1), "port is -1. It takes a whole number (0 or more and 65535 at most)."),
        (lambda: hb.report("x", worst=True), "worst is True. It takes a whole number (0 or more)."),
        (lambda: hb.evaluate("x", "y", splits="hope"), "splits is 'hope'. It takes a list (each text), such as ['hope']."),
        (lambda: hb.evaluate("x", "y", limit=0), "limit is 0. It takes a whole number (1 or more) or None."),
        (lambda: hb.evaluate("x", "y", progress="lines"), "No progress 'lines'. Known: auto, json, quiet."),
        (lambda: hb.export("x", "vlmevalkit2", "y"), "No tool 'vlmevalkit2' to export for. Did you mean 'vlmevalkit'?"),
        (lambda: hb.trend(["a", 5]), "given is ['a', 5]. It takes a list (each a Run, text or a path)."),
        (lambda: log_result("x", "wandb"), "result is 'x'. It takes a Result."),
        (lambda: HopeBenchCallback(None, "x"), "trainer is None. It takes a Trainer."),
    ],
)
def test_it_says_what_was_given_and_what_is_taken(call: Callable[[], object], says: str) -> None:
    with pytest.raises(hb.HopeBenchError, match=re.escape(says)):
        call()


@checked
def taken(
    names: Sequence[str | Path],
    number: Count | None = None,
    *,
    start: FromZero = 0,
    port: Port = 80,
    share: float = 0.5,
    shown: bool = False,
    table: Mapping[str, str] | None = None,
    **more: object,
) -> tuple[Any, ...]:
    return names, number, start, port, share, shown, table, more


def test_what_people_give_is_taken() -> None:
    assert taken(one for one in ("a", "b")) == (["a", "b"], None, 0, 80, 0.5, False, None, {})
    assert taken({"x": "a"}.values())[0] == ["a"]
    assert taken(("a",), start=0, port=0)[0] == ("a",), "what fits is left as it is"
    number = taken([Path("a")], np.int64(3))[1]
    assert (number, type(number)) == (3, int)
    assert taken(["a"], share=1, shown=True, table={"a": "b"}, other=5)[4:] == (1, True, {"a": "b"}, {"other": 5})


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": "ab"}, {"names": b"ab"}, {"names": {"a": "b"}}, {"names": ["a", None]}, {"names": 5}, {"number": True},
        {"number": 0}, {"number": 1.0}, {"number": np.float64(2)}, {"start": -1}, {"start": None}, {"port": 65536},
        {"share": "0.5"}, {"share": False}, {"shown": 1}, {"table": ["a"]}, {"table": {"a": 5}},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(hb.HopeBenchError, match=rf"^{name} is "):
        taken(**{"names": ["a"], **wrong})


_DECLARED: dict[type[Strict], dict[str, Any]] = {
    ModelCard: {"name": "m", "checkpoint": "o/m"},
    Sampling: {},
    BenchmarkSpec: {"name": "b", "question": "Is there {object}?", "dataset": {"format": "coco"}},
}


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (kind, key)
        for kind in _DECLARED
        for key, field in kind.model_fields.items()
        if re.search(r"\b(int|float)\b", str(field.annotation))
    ],
)
def test_a_number_that_no_result_can_have_is_refused_in_what_people_write(kind: type[Strict], key: str) -> None:
    """A result would repeat it, and no leaderboard with that result could be built."""
    with pytest.raises(hb.HopeBenchError, match=rf"{key}.*(no number here can be larger than 1,000,000,000,000,000|less than)"):
        validate({**_DECLARED[kind], key: 10**15 + 1}, kind, "file")


@pytest.mark.parametrize("key", ["questions", "errors", "seconds", "asked"])
@pytest.mark.parametrize("number", [-1, 1e300])
def test_a_run_that_counts_less_than_nothing_or_seconds_without_end_is_refused(key: str, number: float) -> None:
    with pytest.raises(hb.HopeBenchError, match=rf"{key}: "):
        validate({key: number}, RunRecord, "run.json")


@pytest.mark.parametrize("name", ["step", "limit", "workers"])
def test_a_number_that_no_result_can_have_is_refused_as_an_argument(name: str) -> None:
    with pytest.raises(hb.HopeBenchError, match=f"^{name}: no number here can be larger than 1,000,000,000,000,000"):
        hb.evaluate("m", "b", **{name: 10**15 + 1})


def test_calls_that_python_itself_refuses_keep_its_words() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'names'"):
        taken()  # type: ignore[call-arg]
