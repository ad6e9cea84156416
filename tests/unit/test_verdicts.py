"""A run's answers joined with the questions they answer, and which strategies several encoders searched."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.language import read_language
from hope_bench.files.run import RunAnswers
from hope_bench.records import Answer, Verdict
from hope_bench.scoring import who_chose_whom
from hope_bench.scoring.verdicts import asked_for, in_packed_order, join, reread
from hope_bench.scoring.who_chose_whom import answers_all, strategies_of, transfer
from tests.runs import make_benchmark


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Two images; the second one's questions come first in content."""
    rows: list[Any] = [("0.jpg", "dog", "yes"), ("0.jpg", "cat", "no"), ("1.jpg", "dog", "yes"), ("1.jpg", "fox", "no")]
    return make_benchmark(tmp_path / "b", {"random": rows[:3], "content": [*rows[2:], *rows[:1]]})


def answer(image: int, object_: str, verdict: Verdict, **more: Any) -> Answer:
    return Answer(f"{image}.jpg", f"Is there a {object_} in the image?", None, verdict, **more)


def packed(
    benchmark: Benchmark, *answers: Answer, **more: Any
) -> dict[str, tuple[str, tuple[float | None, ...], tuple[str, ...]]]:
    joined = join(benchmark, answers, **more)
    return {name: (one.verdicts, one.p_yes, one.further_verdicts) for name, one in joined.splits.items()}


def test_answers_are_joined_with_their_questions(benchmark: Benchmark) -> None:
    given = [answer(1, "dog", "yes", p_yes=0.9), answer(0, "cat", "unparsed", p_yes=0.3), answer(1, "fox", "no", p_yes=0.1)]
    random, content = join(benchmark, given).splits.values()
    assert (random.labels, random.verdicts, random.p_yes, random.questions_per_image) == ("yny", "-uy", (None, 0.3, 0.9), (2, 1))
    assert (content.labels, content.verdicts, content.p_yes, content.questions_per_image) == (
        "yyn",
        "-yn",
        (None, 0.9, 0.1),
        (1, 2),
    )
    assert [one.object for one in content.questions] == ["dog", "dog", "fox"] == [
        one.object for one in in_packed_order(benchmark, "content")
    ]  # fmt: skip
    assert packed(benchmark, *given, read=lambda _: "error")["random"][0] == "-ee"
    empty = join(benchmark, [])
    assert (empty.retried, empty.splits["random"].verdicts, empty.splits["random"].further_verdicts) == (0, "---", ())


def test_answers_of_some_splits_and_of_several_samples(benchmark: Benchmark) -> None:
    by_split = (answer(1, "dog", "yes", p_yes=0.5, splits=("random",)), answer(1, "dog", "no", p_yes=0.2, splits=("content",)),
                answer(0, "dog", "no"))  # fmt: skip
    assert packed(benchmark, *by_split) == {
        "random": ("n-y", (None, None, 0.5), ()), "content": ("nn-", (None, 0.2, None), ()),
    }  # fmt: skip
    samples = (answer(0, "dog", "yes", p_yes=0.5), answer(0, "dog", "no", sample=2), answer(0, "dog", "yes", sample=1))
    assert packed(benchmark, *samples)["random"] == ("y--", (None,) * 3, ("y--", "n--"))
    assert packed(benchmark, samples[0])["random"] == ("y--", (0.5, None, None), ())


def test_retries_count_once_a_question_and_the_last_answer_stands(benchmark: Benchmark) -> None:
    given = (answer(0, "dog", "error"), answer(0, "dog", "yes"), answer(0, "dog", "error"), answer(0, "cat", "no"),
             answer(1, "fox", "no"), answer(1, "fox", "error"), answer(0, "cat", "no"))  # fmt: skip
    joined = join(benchmark, given)
    assert (joined.retried, joined.splits["random"].verdicts, joined.splits["content"].verdicts) == (2, "en-", "e-e")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer(0, "bus", "no"), answer(0, "dog", "yes"), answer(0, "dog", "no")],
         "1 answer is to questions that benchmark tiny doesn't ask: 0.jpg: Is there a bus in the image?. The run belongs to "
         "other questions; evaluate the model on this benchmark."),
        ([answer(n, "bus", "no") for n in range(5)],
         "5 answers are to questions that benchmark tiny doesn't ask: 0.jpg: Is there a bus in the image?, 1.jpg: Is there a bus "
         "in the image?, 2.jpg: Is there a bus in the image? and 2 more. The run belongs to other questions; evaluate the model "
         "on this benchmark."),
        ([answer(0, "dog", "yes"), answer(0, "dog", "no"), answer(0, "dog", "no")],
         "1 question has answers that disagree: 0.jpg: Is there a dog in the image?. Keep one answer to each question."),
        ([answer(n, name, verdict) for n, name in ((1, "fox"), (1, "dog"), (0, "dog"), (0, "cat")) for verdict in ("yes", "no")],
         "4 questions have answers that disagree: 0.jpg: Is there a cat in the image?, 0.jpg: Is there a dog in the image?, "
         "1.jpg: Is there a dog in the image? and 1 more. Keep one answer to each question."),
        ([answer(0, "dog", "yes", sample=99), answer(0, "dog", "yes", sample=100)],
         "An answer says that it is sample 100 of its question; samples are numbered from 0."),
        ([answer(0, "dog", "yes", sample=-1)],
         "An answer says that it is sample -1 of its question; samples are numbered from 0."),
        ([answer(0, "fox", "no", splits=("random",))],
         "1 answer is to questions that benchmark tiny doesn't ask: 0.jpg: Is there a fox in the image?. The run belongs to "
         "other questions; evaluate the model on this benchmark."),
    ],
)  # fmt: skip
def test_answers_that_fit_no_question(answers: list[Answer], said: str, benchmark: Benchmark) -> None:
    with pytest.raises(HopeBenchError) as refused:
        join(benchmark, answers)
    assert str(refused.value) == said


def test_splits_that_were_not_asked_hold_nothing(benchmark: Benchmark) -> None:
    given = [
        answer(0, "dog", "yes", p_yes=0.5),
        answer(0, "dog", "yes", sample=1),
        answer(0, "cat", "no"),
        answer(1, "dog", "yes"),
    ]
    joined = join(benchmark, given)
    letters = {name: (one.verdicts, one.further_verdicts) for name, one in joined.splits.items()}
    assert letters == {"random": ("yny", ("y--",)), "content": ("yy-", ("y--",))}

    def kept(chosen: str | None) -> dict[str, tuple[str, tuple[str, ...]]]:
        found = asked_for(joined, chosen)
        assert found.retried == joined.retried
        return {name: (one.verdicts, one.further_verdicts) for name, one in found.splits.items()}

    nothing = ("---", ("---",))
    assert kept(None) == kept("random, content") == letters
    assert kept("random") == letters | {"content": nothing}
    assert kept("content") == letters | {"random": nothing}
    assert kept("other") == dict.fromkeys(letters, nothing)
    single = join(benchmark, [answer(0, "dog", "yes", p_yes=0.5), answer(0, "cat", "no"), answer(1, "dog", "yes", p_yes=0.1)])
    assert asked_for(single, "content").splits["random"] is single.splits["random"]  # whole all the same
    assert asked_for(single, "random").splits["content"].p_yes == (None,) * 3
    assert single.splits["content"].p_yes == (0.5, 0.1, None)


def test_answers_are_read_again() -> None:
    given = (
        Answer("a", "Is there a dog?", "Ja", "unparsed"), Answer("a", "Is there a dog?", "Yes", "yes"),
        Answer("a", "Is there a dog?", "No", "yes"), Answer("a", "Is there a dog?", None, "no"),
        Answer("a", "Is there a dog?", "Yes", "error"),
    )  # fmt: skip
    file = RunAnswers(given, truncated=True)
    for language, verdicts, changed in (
        (None, ["unparsed", "yes", "no", "no", "error"], 1),
        ("de", ["yes", "yes", "no", "no", "error"], 2),
    ):
        found = reread(file, None if language is None else read_language(language).words())
        assert [one.verdict for one in found.answers] == verdicts
        assert (found.reread, found.truncated, found.answers[1] is given[1]) == (changed, True, True)


def result_of(kinds: dict[str, str], headline: str = "random", **sides: tuple[int, int, int, int]) -> Any:
    splits = {
        name: SimpleNamespace(
            kind=kind,
            on_no=SimpleNamespace(**dict(zip(("yes", "no", "unparsed", "error"), sides.get("no", (1, 0, 0, 0)), strict=True))),
        )
        for name, kind in kinds.items()
    }
    return SimpleNamespace(splits=splits, benchmark=SimpleNamespace(name="b", headline=headline))


def test_strategies_that_several_encoders_searched() -> None:
    kinds = dict.fromkeys(("random@x", "popular"), "pope") | dict.fromkeys(
        ("content@b", "category", "content", "hard-positives", "hard-positives@b", "content-panel", "hope@b", "description@a",
         "description@b"), "hope",
    ) | {"hope-twins": "twin", "hope": "twin"}  # fmt: skip
    assert strategies_of(result_of(kinds)) == {
        "content": ("content@b", "content", "content-panel"), "description": ("description@a", "description@b"),
    }  # fmt: skip
    assert strategies_of(result_of({"content": "hope", "content-panel": "hope"})) == {"content": ("content", "content-panel")}
    assert strategies_of(result_of({"content-panel": "hope", "category": "hope", "category@b": "hope"})) == {
        "category": ("category", "category@b")
    }
    assert strategies_of(result_of({"content": "hope"})) == {}


@pytest.mark.parametrize(
    ("no", "answers"),
    [((0, 0, 0, 0), False), ((1, 0, 0, 0), True), ((0, 1, 0, 0), True), ((0, 0, 1, 0), True), ((0, 0, 0, 1), True),
     ((1, 1, 2, 0), True), ((2, 1, 1, 1), True)],
)  # fmt: skip
def test_who_answers_a_splits_no_questions(no: tuple[int, int, int, int], answers: bool) -> None:
    assert answers_all(result_of({"a": "hope", "b": "hope"}, no=no), ("a", "b")) == answers
    assert answers_all(result_of({"a": "hope"}), ("a",))


@pytest.mark.parametrize(
    ("kinds", "strategy", "said"),
    [
        ({"content": "hope", "content@b": "hope"}, "contents",
         "Benchmark b was not searched by 'contents' with several encoders. Did you mean 'content'?"),
        ({"content": "hope"}, "content",
         "No strategy of benchmark b was searched with several encoders. Name one with another encoder beside it in the spec's "
         "strategies, such as content and content@NAME, and generate and evaluate that (docs/spec.md)."),
    ],
)  # fmt: skip
def test_strategies_without_a_second_encoder(kinds: dict[str, str], strategy: str, said: str) -> None:
    with pytest.raises(HopeBenchError) as refused:
        transfer([result_of(kinds)], strategy)
    assert str(refused.value).startswith(said)
    with pytest.raises(HopeBenchError) as refused:
        transfer([])
    assert str(refused.value) == "Who chose whom takes a result or more."


@pytest.mark.parametrize(
    ("headline", "strategy", "split"),
    [
        ("random", None, "category"),
        ("content@b", None, "content"),
        ("content", "category", "category"),
        ("category", None, "category"),
    ],
)
def test_the_headlines_strategy_is_chosen(
    headline: str, strategy: str | None, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = dict.fromkeys(("category", "content", "category@b", "content@b"), "hope")
    compared: list[str] = []
    monkeypatch.setattr(who_chose_whom, "check_comparable", lambda _, name, __: compared.append(name))
    monkeypatch.setattr(who_chose_whom, "answers_all", lambda *_: False)
    monkeypatch.setattr(who_chose_whom, "check_conventions", lambda *_: None)
    with pytest.raises(HopeBenchError) as refused:
        transfer([result_of(kinds, headline)], strategy)
    assert compared == [split, f"{split}@b"]
    assert str(refused.value) == (
        f"None of the results answers no-questions of all of {split}, {split}@b. Evaluate a model on these splits."
    )


def test_a_split_about_an_image_that_is_not_listed(benchmark: Benchmark) -> None:
    del benchmark.manifest.images["1.jpg"]  # type: ignore[attr-defined]
    with pytest.raises(HopeBenchError) as refused:
        in_packed_order(benchmark, "random")
    assert str(refused.value) == (
        f"Split random of {benchmark.folder} asks about 1.jpg, which its manifest doesn't list. Generate or import the benchmark "
        "again."
    )
