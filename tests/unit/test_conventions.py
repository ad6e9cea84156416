"""Every convention's verdict on the answers that tell them apart, and what each does with those it can't read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.language import AnswerWords
from hope_bench.files.result_file import read_result
from hope_bench.records import Answer
from hope_bench.scoring.conventions import CONVENTIONS, find_convention, reader
from hope_bench.scoring.languages import LANGUAGES
from hope_bench.scoring.metrics import point_metrics
from hope_bench.scoring.parsing import parse_strict
from hope_bench.site import build_site
from hope_bench.site.reading import check_numbers
from tests.cli import hope_bench, refused
from tests.runs import make_benchmark, make_run, write_answers

Y, N, U = "yes", "no", "unparsed"
TRAPS = [
    # answer, strict, pope, vlmevalkit, lmms-eval, repope, evalscope (its words alone), helm
    ("Yes", Y, Y, Y, Y, Y, Y, Y),
    ("no", N, N, N, N, N, N, N),
    ("NO", N, Y, N, N, N, N, N),  # POPE knows No and no
    ("No.", N, N, N, U, N, N, N),
    (" yes\n", Y, Y, Y, Y, Y, Y, Y),
    ("**Yes**", Y, Y, U, U, Y, Y, Y),  # VLMEvalKit keeps asterisks
    ("**No**", N, Y, U, U, N, N, N),
    ("Answer:Yes", Y, Y, U, U, Y, Y, U),  # and colons
    ("Answer: No", N, N, N, U, N, N, U),
    ("Yes, there is no dog", Y, N, U, U, Y, U, U),
    ("No, yes", U, N, U, U, Y, U, U),
    ("No, there isn't.", N, N, N, U, N, N, U),
    ("There isn't a dog.", N, Y, U, U, U, U, U),
    ("There is no dog.", N, N, N, U, N, N, U),
    ("There is not a dog.", N, N, U, U, N, N, U),  # "not" holds "no"
    ("There is a dog.", Y, Y, U, U, U, U, U),
    ("", U, Y, U, U, U, U, U),
    ("I don't know", U, Y, U, U, N, N, U),  # "know" holds "no"
    ("no kernel image", N, N, N, U, N, N, U),  # an error message that became an answer
    ("Yes, not sure", Y, N, Y, U, Y, U, U),
    ("Not sure", U, Y, U, U, N, N, U),
    ("Yes. There is no dog.", Y, Y, U, U, Y, U, U),  # POPE keeps the first sentence
    ("Yes/No", U, Y, U, U, Y, U, U),
    ("yes-no", U, Y, U, U, Y, U, U),
    ("A snowboard", U, Y, U, U, N, N, U),
    ("No,there is 1,000 dogs", N, Y, U, U, N, N, U),  # POPE: "Nothere"; VLMEvalKit: a number's comma removes all
    ("<think>No.</think>Yes", Y, Y, U, U, Y, U, U),
]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("yes/sure", Y), ("yes/sure / certain", U),  # a mark that stands beside a space anywhere goes, else it parts words
        ("yes/sure /certain", U), ("no-one", N), ("no-one -", U), ("yes(sure), no(t)", U), ("yes(sure), of 1,0 things", U),
        ("yes!sure,1.5", Y), ("yes,1", Y), ("yes,1,1", U),
    ],
)  # fmt: skip
def test_vlmevalkits_marks(text: str, verdict: str) -> None:
    assert CONVENTIONS["vlmevalkit"].parse(text) == verdict


def test_a_benchmarks_own_words_are_read_beside_languages_alone() -> None:
    own = AnswerWords(code="xx", yes=("jup",), no=("nix",))

    def read(text: str | None, languages: tuple[str, ...], **given: object) -> str:
        answer = Answer("a.jpg", "Is there a dog in the image?", text, "unparsed", **given)  # type: ignore[arg-type]
        return reader([answer], CONVENTIONS["strict"], languages, own=own)(answer)

    for text, plain, german in (("Jup", U, Y), ("Nix", U, N), ("Ja", U, Y), ("Nein", U, N), ("No", U, N), ("Hm", U, U)):
        assert (read(text, ()), read(text, ("de",))) == (plain, german)
    assert read("Ja", ("de",), error="lost") == read("Ja", ("de",), complete=False) == read(None, ("de",)) == U
    answer = Answer("a.jpg", "Is there a dog in the image?", "Ja", "unparsed")
    assert reader([answer], CONVENTIONS["strict"], ("de",))(answer) == Y


def test_an_answer_is_read_against_its_label_where_that_is_known() -> None:
    answers = [Answer(f"{place}.jpg", "Is there a dog?", text, "unparsed") for place, text in enumerate(("a dog", "Yes", "snow"))]
    labels = {(one.image, one.question): label for one, label in zip(answers, ("no", "no", "no"), strict=True)}
    read = reader(answers, CONVENTIONS["evalscope"], labels=labels)  # type: ignore[arg-type]
    assert [read(one) for one in answers] == [Y, Y, N]
    plain = reader(answers, CONVENTIONS["evalscope"])
    assert [plain(one) for one in answers] == [U, Y, N]
    half = reader(answers, CONVENTIONS["evalscope"], labels={("0.jpg", "Is there a dog?"): "yes"})
    assert [half(one) for one in answers] == [N, Y, N]
    repope = reader(answers, CONVENTIONS["repope"], labels=labels)  # type: ignore[arg-type]
    assert [repope(one) for one in answers] == [U, Y, N]


def test_what_needs_words_says_how_many_answers_lack_them() -> None:
    whole = [Answer(f"{place}.jpg", "Is there a dog?", "Yes", "yes") for place in range(1200)]
    cut = [Answer("x.jpg", "Is there a cat?", "Y", "yes", complete=False), Answer("y.jpg", "Is there?", None, "yes", p_yes=0.9)]
    lost = Answer("z.jpg", "Is there a dog?", None, "error", error="lost")
    assert reader([*whole, lost], CONVENTIONS["pope"])(lost) == "error"
    with pytest.raises(HopeBenchError) as caught:
        reader([*whole, lost, *cut], CONVENTIONS["pope"])
    assert str(caught.value) == (
        "Convention pope reads the model's whole answer, but 2 of this run's 1,203 answers are first tokens only, such as that "
        "to x.jpg: Is there a cat? Score the run with the strict convention, or evaluate with --complete under another "
        "--name."
    )


@pytest.mark.parametrize("row", TRAPS, ids=lambda row: repr(row[0]))
def test_traps(row: tuple[str, ...]) -> None:
    text, *expected = row
    assert {name: one.parse(text) for name, one in CONVENTIONS.items()} == dict(zip(CONVENTIONS, expected, strict=True))


def test_only_32_full_stops_go() -> None:
    """VLMEvalKit's own oversight: a flag stands where a count belongs."""
    assert CONVENTIONS["vlmevalkit"].parse("." * 32 + "yes") == "yes"
    assert CONVENTIONS["vlmevalkit"].parse("." * 33 + "yes") == "unparsed"


# Present: 6 yes, 2 no, 1 unparsed, 1 error. Absent: 3 yes, 4 no, 2 unparsed, 1 error.
COUNTS = [[6, 2, 1, 1, 3], [3, 4, 2, 1, 5]]
EXPECTED = {
    "strict": {"accuracy": 10 / 20, "precision": 6 / 9, "recall": 6 / 10, "f1": 12 / 19, "yes_ratio": 9 / 20},
    "vlmevalkit": {"accuracy": 10 / 20, "precision": 6 / 9, "recall": 6 / 10, "f1": 12 / 19, "yes_ratio": 9 / 20},
    "evalscope": {"accuracy": 10 / 20, "precision": 6 / 9, "recall": 6 / 10, "f1": 12 / 19, "yes_ratio": 9 / 20},
    "helm": {"accuracy": 10 / 20, "precision": 6 / 9, "recall": 6 / 10, "f1": 12 / 19, "yes_ratio": 9 / 20},
    "lmms-eval": {"accuracy": 10 / 20, "precision": 6 / 9, "recall": 6 / 8, "f1": 12 / 17, "yes_ratio": 10 / 20},
    "pope": {"accuracy": 10 / 15, "precision": 6 / 9, "recall": 6 / 8, "f1": 12 / 17, "yes_ratio": 9 / 15},
    "repope": {"accuracy": 10 / 15, "precision": 6 / 9, "recall": 6 / 8, "f1": 12 / 17, "yes_ratio": 9 / 15},
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_where_unread_answers_count(name: str) -> None:
    found = point_metrics(np.array(COUNTS), CONVENTIONS[name])
    assert {key: found[key] for key in EXPECTED[name]} == {key: pytest.approx(v, abs=1e-6) for key, v in EXPECTED[name].items()}


def test_an_error_is_an_error_under_every_convention() -> None:
    failed = [Answer("a", "q", None, "error", error="timeout")]
    assert {reader(failed, one)(failed[0]) for one in CONVENTIONS.values()} == {"error"}


@pytest.mark.parametrize("name", [name for name in CONVENTIONS if name != "strict"])
def test_first_tokens_are_not_enough(name: str) -> None:
    answers = [Answer("a.jpg", "q?", "yes", "yes", complete=False), Answer("b.jpg", "q?", "yes", "yes")]
    with pytest.raises(HopeBenchError, match=rf"{name} reads the model's whole answer, but 1 of this run's 2 answers are first"):
        reader(answers, CONVENTIONS[name])
    assert reader(answers, CONVENTIONS["strict"])(answers[0]) == "yes"


def test_unknown_names_suggest() -> None:
    with pytest.raises(HopeBenchError, match="Did you mean 'vlmevalkit'"):
        find_convention("vlmeval")
    with pytest.raises(HopeBenchError, match=r"language 'ger'.*Known: ar, de"):
        parse_strict("ja", ["ger"])


WORDS = [
    ("de", "Ja, ein Hund.", "Nein."), ("fr", "Oui", "Non, pas de chien"), ("es", "Sí.", "No"), ("it", "**Sì**", "no"),
    ("pt", "Sim", "Não"), ("ru", "Да.", "Нет"), ("zh", "是的,图中有一只狗", "不是"), ("zh", "有", "没有"),
    ("ja", "はい、あります", "いいえ"), ("ko", "네", "아니요"), ("ar", "نعم", "لا"), ("hi", "हाँ", "नहीं"), ("tr", "Evet", "Hayır"),
    ("vi", "Có", "Không"), ("nl", "Ja", "Nee"), ("pl", "Tak", "Nie"), ("id", "Ya", "Tidak"),
    ("el", "Ναι", "Όχι"), ("sv", "Ja", "Nej, ingen hund"), ("uk", "Так", "Ні"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "yes", "no"), WORDS)
def test_other_languages(language: str, yes: str, no: str) -> None:
    assert (parse_strict(yes, [language]), parse_strict(no, [language])) == ("yes", "no")
    assert (parse_strict("Yes", [language]), parse_strict("Nope", [language])) == ("yes", "no")
    assert parse_strict("jagen yamaha nonsense noise tidakada", [language]) == "unparsed"


@pytest.mark.parametrize(
    ("language", "yes", "no"),
    [
        ("de", "Ich sage ja", "Die Antwort lautet nein"), ("es", "Diría que sí", "La respuesta es no"),
        ("fr", "Je crois que oui", "Je crois que non"), ("it", "Direi di sì", "Direi di no"),
        ("pt", "A resposta é sim", "A resposta é não"), ("nl", "Het antwoord is ja", "Het antwoord is nee"),
    ],
)  # fmt: skip
def test_an_answer_may_end_with_its_yes_or_no(language: str, yes: str, no: str) -> None:
    assert (parse_strict(yes, [language]), parse_strict(no, [language])) == ("yes", "no")


def test_every_language_is_tested_and_none_is_on_by_default() -> None:
    assert {language for language, _, _ in WORDS} == set(LANGUAGES)
    assert parse_strict("Ja") == "unparsed"


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    return make_benchmark(
        tmp_path / "b",
        {"adversarial": [("0.jpg", "dog", "yes"), ("0.jpg", "cat", "no"), ("1.jpg", "dog", "yes"), ("1.jpg", "fox", "no")]},
    )


def answered(folder: Path, benchmark: Benchmark, texts: list[str], complete: bool = True) -> Path:
    run = make_run(folder, benchmark, {})
    questions = benchmark.splits["adversarial"]
    write_answers(run, [
        Answer(one.image, one.text, text, parse_strict(text), complete=complete)
        for one, text in zip(questions, texts, strict=True)
    ])  # fmt: skip
    return run


def test_a_convention_never_overwrites_the_strict_result(
    benchmark: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = answered(tmp_path / "run", benchmark, ["Yes", "There isn't a cat", "Yes", "No"])
    options = ["-b", benchmark.folder, "--results", tmp_path / "results", "--replicates", 100]
    assert hope_bench(capsys, "score", run, *options).code == 0
    strict = tmp_path / "results" / "tiny" / "run.json"
    before = strict.read_bytes()
    done = hope_bench(capsys, "score", run, *options, "--convention", "pope")
    assert done.code == 0
    assert "pope convention" in done.out
    assert "1 no as yes" in done.out
    assert strict.read_bytes() == before
    result = read_result(tmp_path / "results" / "tiny" / "pope" / "run.json")
    assert result.convention == "pope"
    assert result.splits["adversarial"].on_no.yes == 1
    check_numbers(result, "pope")
    build_site(tmp_path / "results", tmp_path / "site")
    (tmp_path / "results" / "tiny" / "pope" / "run.json").rename(tmp_path / "results" / "tiny" / "other.json")
    with pytest.raises(HopeBenchError, match="scored by the pope convention"):
        build_site(tmp_path / "results", tmp_path / "site")


def test_refusals_of_the_command(benchmark: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = answered(tmp_path / "run", benchmark, ["Yes", "No", "Yes", "No"], complete=False)
    options = ["-b", benchmark.folder, "--results", tmp_path / "results"]
    assert "first tokens only" in refused(capsys, "score", run, *options, "--convention", "repope")
    assert "Did you mean 'repope'" in refused(capsys, "score", run, *options, "--convention", "re-pope")
    assert "belongs to the strict convention" in refused(
        capsys, "score", run, *options, "--convention", "pope", "--language", "de"
    )
    assert "needs --labels" in refused(capsys, "score", run, *options, "--name", "x")
    assert not (tmp_path / "results").exists()


def test_languages_are_read_and_recorded(benchmark: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = answered(tmp_path / "run", benchmark, ["Ja", "Nein", "Ja.", "Kein Fuchs"])
    options = ["-b", benchmark.folder, "--results", tmp_path / "results", "--replicates", 100]
    assert hope_bench(capsys, "score", run, *options, "--language", "de").code == 0
    result = read_result(tmp_path / "results" / "tiny" / "unranked" / "run.json")  # a quarter of the answers is neither
    assert result.languages == ("de",)
    assert result.splits["adversarial"].verdicts == "ynyu"
