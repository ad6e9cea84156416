"""What a result says of how it came about, word for word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hope_bench.files.benchmark import Benchmark, ClipInfo
from hope_bench.files.language import read_language
from hope_bench.files.result import Bootstrap, ModelInfo, Result, RunInfo
from hope_bench.records import Answer, Verdict
from hope_bench.scoring.conventions import CONVENTIONS, STRICT
from hope_bench.scoring.score import answered, score
from tests.runs import make_benchmark, make_run, write_answers

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)


def clip(model: str) -> ClipInfo:
    return ClipInfo(model=model, sha256="0", templates=())


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """One image; a dog is there, a cat and a fox aren't."""
    rows: list[Any] = [("0.jpg", "dog", "yes"), ("0.jpg", "cat", "no"), ("0.jpg", "fox", "no")]
    encoders = {"b": clip("EVA02-L-14:merged2b"), "c": clip("ViT-B-32:openai")}
    return make_benchmark(tmp_path / "b", {"random": rows[:2], "content": rows}, clip=clip("ViT-L-14:openai"), encoders=encoders)


def answer(object_: str, text: str | None, verdict: Verdict, **more: Any) -> Answer:
    return Answer("0.jpg", f"Is there a {object_} in the image?", text, verdict, **more)


def scored(benchmark: Benchmark, folder: Path, answers: list[Answer], convention: str = "strict", **record: Any) -> Result:
    make_run(folder, benchmark, {}, **record)
    write_answers(folder, answers)
    return score(benchmark, folder, FAST, CONVENTIONS[convention])


def test_nothing_is_noted_of_a_plain_run(benchmark: Benchmark, tmp_path: Path) -> None:
    told = [
        answer("dog", "yes", "yes", p_yes=0.9, mass=0.9),
        answer("cat", "no", "no", p_yes=0.2),
        answer("fox", "no", "no", mass=0.9),
    ]
    assert scored(benchmark, tmp_path / "r", told[:2], model=ModelInfo(name="M", vision_tower="siglip")).notes == ()
    assert scored(benchmark, tmp_path / "r", []).notes == ()
    assert scored(benchmark, tmp_path / "r", [], model=ModelInfo(name="M", vision_tower="eva")).notes == (
        "The model's vision tower (eva) and the encoder that chose distractors (EVA02-L-14:merged2b) are of one family (eva), by "
        "their names. Such questions may be harder for this model than for others.",
    )


def test_every_note(benchmark: Benchmark, tmp_path: Path) -> None:
    answers = [
        answer("dog", "yes", "no"), answer("dog", "yes", "yes", p_yes=0.9, mass=0.001),
        answer("cat", None, "error", error="down"), answer("cat", "no", "no", p_yes=0.3, mass=0.0),
        answer("fox", None, "error", error="down"),
    ]  # fmt: skip
    result = scored(
        benchmark, tmp_path / "r", answers, model=ModelInfo(name="M", vision_tower="openai/x"), notes=("Mine.", "Too."),
    )  # fmt: skip
    family = "are of one family (openai), by their names. Such questions may be harder for this model than for others."
    expected = (
        "Mine.",
        "Too.",
        f"The model's vision tower (openai/x) and the encoder that chose distractors (ViT-L-14:openai) {family}",
        f"The model's vision tower (openai/x) and the encoder that chose distractors (ViT-B-32:openai) {family}",
        "1 answer reads otherwise than when it was asked, by this release's rule (docs/scoring.md).",
        "1 question was asked again after an error; the last answer counts.",
        "P(yes) of 2 of 5 answers is left out: they don't begin with a plain yes or no, so their first token tells nothing.",
        "1 verdict over all splits is an error: counted as wrong, and never as a no.",
    )
    assert result.notes == expected
    path = tmp_path / "r" / "answers.jsonl"
    path.write_bytes(path.read_bytes() + b'{"image"')
    cut = "The last line of answers.jsonl was cut off and is not counted."
    assert score(benchmark, tmp_path / "r", FAST).notes == (*expected[:4], cut, *expected[4:])


@pytest.mark.parametrize("samples", [2, 3])
def test_samples_are_noted(samples: int, benchmark: Benchmark, tmp_path: Path) -> None:
    answers = [answer("cat", None, "error", error="down", sample=n) for n in range(samples)]
    run = RunInfo(prompt="{question}", decoding="temperature 1")
    assert scored(benchmark, tmp_path / "r", answers, run=run).notes == (
        f"Each question was answered {samples} times (temperature 1). All answers count, and counts are of answers; lists of "
        "questions show the first.",
        f"{2 * samples} verdicts over all splits are errors: counted as wrong, and never as a no.",
    )


def test_another_convention_says_what_it_changes(benchmark: Benchmark, tmp_path: Path) -> None:
    same = [answer("dog", "yes", "yes"), answer("cat", "no", "no")]
    assert scored(benchmark, tmp_path / "r", same, "pope").notes == (
        "Read by the pope convention, not strict: no answer changes.",
    )
    other = [*same, answer("fox", "Hm", "unparsed")]
    assert scored(benchmark, tmp_path / "r", other, "pope").notes == (
        "Read by the pope convention, not strict: 1 unparsed as yes.",
    )
    assert scored(benchmark, tmp_path / "r", other).notes == ()


def test_answers_that_were_given(benchmark: Benchmark, tmp_path: Path) -> None:
    told = [answer("dog", "yes", "yes"), answer("cat", "Hm", "unparsed"), answer("fox", None, "error", error="down")]
    assert [answered(scored(benchmark, tmp_path / "r", told[:many])) for many in range(4)] == [0, 2, 4, 4]


def test_the_languages_that_answers_were_read_in(benchmark: Benchmark, tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", benchmark, {})
    write_answers(run, [answer("dog", "yes", "yes")])
    german = replace(benchmark, manifest=benchmark.manifest.model_copy(update={"language": read_language("de").words()}))
    assert score(benchmark, run, FAST).languages == ()
    assert score(benchmark, run, FAST, STRICT, ("fr", "es", "fr")).languages == ("fr", "es")
    assert score(german, run, FAST).languages == ("de",)
    assert score(german, run, FAST, STRICT, ("fr", "de")).languages == ("de", "fr")
    assert score(german, run, FAST, CONVENTIONS["vlmevalkit"]).languages == ()
