"""Runs of one model asked in several ways: which may be set beside each other, and how far their numbers spread."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.run import RunRecord, write_run
from hope_bench.scoring.prompt_spread import HowAsked, Spread, check_other_prompts, check_same_asked, how_asked, prompt_spread
from tests.unit.test_scoring_shown import e

HASHES = {"mine": "0123456789abcdef", "other": "fedcba9876543210"}


def made(**fields: object) -> Any:
    """A record with these fields alone."""
    return SimpleNamespace(**fields)


def run(
    folder: Path, prompt: str | None, benchmark: str = "mine", weights: str | None = None, name: str = "M", **model: Any
) -> Path:
    record = RunRecord(
        name="run", benchmark=benchmark, benchmark_hash=HASHES[benchmark], key="k", model=ModelInfo(name=name, **model),
        run=RunInfo(prompt=prompt, weights_sha256=weights),
    )  # fmt: skip
    write_run(folder, record)
    return folder


@pytest.mark.parametrize(
    ("prompt", "name", "asked"),
    [
        ("{question}", None, HowAsked("the benchmark's", "{question}")),
        ("Say: {question}", None, HowAsked("another", "Say: {question}")),
        ("Say: {question}", "say", HowAsked("say", "Say: {question}")),
        ("{question}", "plain", HowAsked("plain", "{question}")),
        (None, None, HowAsked("another", "unknown")),
    ],
)
def test_how_a_run_was_asked(prompt: str | None, name: str | None, asked: HowAsked) -> None:
    assert how_asked(made(run=made(prompt=prompt, prompt_name=name), benchmark=made(prompt="{question}"))) == asked


END = " Give a run of the same model and questions, asked otherwise."


@pytest.mark.parametrize(
    ("own", "other", "problem"),
    [
        ({}, {}, None),
        ({}, {"name": "N"}, "it is a run of the model N, not of M." + END),
        ({"weights": "a"}, {"weights": "b"}, "its checkpoint of M holds other weights (by their SHA-256)." + END),
        ({"weights": "a", "checkpoint": "x"}, {"weights": "a", "checkpoint": "y"}, None),
        ({"checkpoint": "x"}, {"weights": "a", "checkpoint": "y"}, "its model has the checkpoint y, not x." + END),
        ({"weights": "a", "checkpoint": "x"}, {"checkpoint": "y"}, "its model has the checkpoint y, not x." + END),
        ({"checkpoint": "x"}, {}, None),
        ({}, {"checkpoint": "y", "revision": "1"}, None),
        ({"revision": "1"}, {"revision": "2"}, "its model has the revision 2, not 1." + END),
        ({"checkpoint": "x", "revision": "1"}, {"checkpoint": "x", "revision": "1"}, None),
        ({}, {"benchmark": "other"},
         "it answered other questions, those of other (hash fedcba987654), not of mine (0123456789ab)." + END),
        ({"prompt": None}, {}, "nothing says which prompt {own} was asked with. Import it again with --prompt."),
        ({}, {"prompt": None}, "nothing says which prompt {other} was asked with. Import it again with --prompt."),
        ({"prompt": None}, {"prompt": None}, "nothing says which prompt {own} was asked with. Import it again with --prompt."),
        ({"prompt": "b"}, {}, "it was asked with the same prompt as {own}, so it says nothing of another wording. Leave it out."),
        ({}, {"prompt": "found"}, "it was asked with the same prompt as {found}, so it says nothing of another wording. Leave it "
         "out."),
        ({}, {"prompt": "first"}, "it was asked with the same prompt as {first}, so it says nothing of another wording. Leave it "
         "out."),
    ],
)  # fmt: skip
def test_runs_set_beside_each_other(own: dict[str, Any], other: dict[str, Any], problem: str | None, tmp_path: Path) -> None:
    paths = {
        "own": run(tmp_path / "own", **{"prompt": "a", **own}), "other": run(tmp_path / "other", **{"prompt": "b", **other}),
        "found": run(tmp_path / "found", "found"), "first": run(tmp_path / "first", "first", **own),
    } if "prompt" not in own else {
        "own": run(tmp_path / "own", **own), "other": run(tmp_path / "other", **{"prompt": "b", **other}),
        "found": run(tmp_path / "found", "found"), "first": tmp_path / "first",
    }  # fmt: skip
    given = [paths["other"]] if "prompt" in own else [paths["first"], paths["other"]]
    if problem is None:
        check_other_prompts(paths["own"], given, [paths["found"]])
        return
    with pytest.raises(HopeBenchError) as refused:
        check_other_prompts(paths["own"], given, [paths["found"]])
    assert str(refused.value) == f"--paraphrase {paths['other']}: {problem.format_map(paths)}"


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (["yn-", "--"], ["ny-", "yy"], None),  # a split that nothing was asked of is not compared
        (["yn-", "u"], ["ny-", "e"], None),
        (["y" * 1200 + "--", "y"], ["y" * 1199 + "-y-", "y"],
         "it was asked 1,200 of a, and the report's run 1,200, of which 1,199 are the same."),
        (["yy", "nn--"], ["ny", "--nn"], "it was asked 2 of b, and the report's run 2, of which 0 are the same."),
        (["yy", "nn--"], ["ny", "nnnn"], "it was asked 4 of b, and the report's run 2, of which 2 are the same."),
        (["yy", "nn--"], ["ny", "----"], "it was asked 0 of b, and the report's run 2, of which 0 are the same."),
    ],
)  # fmt: skip
def test_prompts_are_compared_on_the_same_questions(ours: list[str], theirs: list[str], said: str | None) -> None:
    one, other = (
        made(splits={name: made(verdicts=letters) for name, letters in zip("ab", given, strict=True)}) for given in (ours, theirs)
    )
    if said is None:
        check_same_asked(one, other, Path("run"))
        return
    with pytest.raises(HopeBenchError) as refused:
        check_same_asked(one, other, Path("run"))
    assert str(refused.value) == (
        f"--paraphrase run: prompts are compared on the same questions, but {said} Ask both all (without --limit or --split)."
    )


def result(hash_: str = "0123456789abcdef", model: str = "M", **splits: Any) -> Any:
    kinds = {"twins": "twin"}
    return made(
        benchmark=made(hash=hash_, name=f"b{hash_[:1]}"), model=made(name=model),
        splits={name: made(kind=kinds.get(name, "pope"), balanced_accuracy=one, f1=e(0.25)) for name, one in splits.items()},
    )  # fmt: skip


def test_a_spread() -> None:
    first = result(random=e(0.5, 0.4, 0.6), twins=e(0.5), content=e(0.5), extra=e(0.5), popular=e(None))
    second = result(popular=e(0.5, 0.25, 0.5), content=e(0.123456789, None, 0.5), twins=e(0.5), random=e(0.9, 0.7, 1.0))
    third = result(random=e(0.7), twins=e(0.5), content=e(0.6, 0.5, None), popular=e(0.6))
    error = math.sqrt((0.2**2 + 0.3**2) / 2) / (2 * 1.96)
    assert prompt_spread([first, second, third]) == (
        Spread("random", "balanced_accuracy", (e(0.5, 0.4, 0.6), e(0.9, 0.7, 1.0), e(0.7)), 0.7, 0.5, 0.9, 0.2, round(error, 6)),
        Spread("content", "balanced_accuracy", (e(0.5), e(0.123456789, None, 0.5), e(0.6, 0.5, None)), 0.407819, 0.123456789, 0.6,
               0.251289, None),
        Spread("popular", "balanced_accuracy", (e(None), e(0.5, 0.25, 0.5), e(0.6)), None, None, None, None,
               round(0.25 / 3.92, 6)),
    )  # fmt: skip
    assert prompt_spread([result(random=e(0.5, 0.4, 0.6))]) == (
        Spread("random", "balanced_accuracy", (e(0.5, 0.4, 0.6),), 0.5, 0.5, 0.5, None, round(0.2 / 3.92, 6)),
    )
    assert [one.values for one in prompt_spread([first, second], "f1")] == [(e(0.25),) * 2] * 3
    with pytest.raises(HopeBenchError) as refused:
        prompt_spread([first, third, result("fedcba9876543210", "N", random=e(0.5))])
    assert str(refused.value) == (
        "Prompts are compared on the same questions, but N answered bf (hash fedcba987654) and M b0 (0123456789ab)."
    )
