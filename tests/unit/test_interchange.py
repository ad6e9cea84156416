"""POPE's files and other tools' answers, with the traps found in real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.result import ModelInfo
from hope_bench.files.run import read_answers, read_run
from hope_bench.interchange.answers_files import AnswersSource, ImportReport, import_answers
from hope_bench.interchange.pope_files import import_pope
from hope_bench.interchange.questions import question_key, read_question
from hope_bench.scoring.score import score
from tests.cli import hope_bench, refused
from tests.runs import make_benchmark, make_run
from tests.small_benchmark import write_small

MODEL = ModelInfo(name="Model")
SUFFIX = "\nAnswer the question using a single word or phrase."


def write_lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def pope_row(number: int, image: str, text: str, label: str) -> dict[str, Any]:
    return {"question_id": number, "image": image, "text": text, "label": label}


ROWS = [
    pope_row(1, "a.jpg", "Is there a dog in the image?", "yes"),
    pope_row(2, "a.jpg", "Is there a umbrella in the imange?", "no"),
    pope_row(3, "b.jpg", "Is there an orange in the image?", "yes"),
    pope_row(4, "b.jpg", "Is there a traffic light in the image?", "no"),
]


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    file = write_lines(tmp_path / "random.json", *ROWS)
    other = write_lines(tmp_path / "popular.json", ROWS[0], {**ROWS[1], "text": "Is there a cup in the image?"}, *ROWS[2:])
    import_pope({"random": file, "popular": other}, "tiny", "Tiny", tmp_path / "tiny", prompt="{question}" + SUFFIX)
    return read_benchmark(tmp_path / "tiny")


@pytest.mark.parametrize(
    ("text", "key", "template"),
    [
        ("Is there a dog in the image?", "dog", "{question}"),
        ("Is there an umbrella in the imange?" + SUFFIX, "umbrella", "{question}" + SUFFIX),
        (
            "Please answer yes or no. Is there a TRAFFIC light in the image?",
            "traffic light",
            "Please answer yes or no. {question}",
        ),
        ("is there a umbrella in the image", "umbrella", "{question}"),
        ("Is there a red car in the image?", "red car", "{question}"),
    ],
)
def test_questions_are_recognised(text: str, key: str, template: str) -> None:
    worded = read_question(text)
    assert worded is not None
    assert worded.template == template
    assert question_key(text) == key


def test_other_questions_match_by_their_text() -> None:
    assert read_question("Is the dog asleep?") is None
    assert question_key("Is the dog  asleep?") == question_key("is the DOG asleep?")


def test_pope_files_become_a_benchmark(benchmark: Benchmark) -> None:
    manifest = benchmark.manifest
    assert [question.text for question in benchmark.splits["random"]][:2] == [
        "Is there a dog in the image?",
        "Is there an umbrella in the image?",
    ]
    assert benchmark.splits["random"][3].object == "traffic light"
    assert manifest.images == {"a.jpg": None, "b.jpg": None}
    assert manifest.headline == "popular"
    assert manifest.splits["random"].kind == "pope"
    assert [source.file for source in manifest.sources] == ["random.json", "popular.json"]
    assert manifest.notes == ("1 question was worded 'Is there a umbrella in the imange?'; repaired.",)


def test_a_prompt_in_the_file_becomes_the_benchmarks(tmp_path: Path) -> None:
    rows = [{**row, "text": "Please answer yes or no. " + row["text"]} for row in ROWS]
    manifest = import_pope({"content": write_lines(tmp_path / "f", *rows)}, "h", "H", tmp_path / "h")
    assert manifest.prompt == "Please answer yes or no. {question}"
    assert manifest.splits["content"].kind == "hope"
    with pytest.raises(HopeBenchError, match="2 ways"):
        import_pope({"content": write_lines(tmp_path / "f", *rows[:2], ROWS[3])}, "h", "H", tmp_path / "h")


def test_splits_of_different_yes_questions_are_noted(tmp_path: Path) -> None:
    files = {"random": write_lines(tmp_path / "r", *ROWS), "popular": write_lines(tmp_path / "p", *ROWS[1:])}
    assert any("don't share" in note for note in import_pope(files, "x", "X", tmp_path / "x").notes)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{nonsense", "line 5 is not JSON"),
        ("[1]", "line 5: not a JSON object"),
        ({"question_id": 5, "image": "a.jpg", "text": "Is there a cat in the image?"}, "line 5: no 'label'"),
        (pope_row(5, "a.jpg", "Is there a cat in the image?", "maybe"), "line 5: label must be"),
        (pope_row(5, "a.jpg", "What is this?", "no"), "line 5: not a question of the form"),
        (pope_row(5, "../a.jpg", "Is there a cat in the image?", "no"), "line 5: image must be a file name"),
        ({**ROWS[0], "question_id": "x"}, "line 5: question_id must be"),
        ({**ROWS[0], "image": 3}, "line 5: 'image' is not text"),
        ({**ROWS[0], "question_id": 9}, r"line 5: the same question as in .*line 1"),
        (pope_row(1, "a.jpg", "Is there a cat in the image?", "no"), r"line 5: the same question_id as in .*line 1"),
    ],
)
def test_malformed_pope_lines(tmp_path: Path, bad: Any, words: str) -> None:
    with pytest.raises(HopeBenchError, match=words):
        import_pope({"random": write_lines(tmp_path / "f.json", *ROWS, bad)}, "x", "X", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_impossible_pope_imports(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "f", *ROWS)
    with pytest.raises(HopeBenchError, match="Did you mean 'random'"):
        import_pope({"randm": file}, "x", "X", tmp_path / "x")
    with pytest.raises(HopeBenchError, match="headline split 'popular'"):
        import_pope({"random": file}, "x", "X", tmp_path / "x", headline="popular")
    with pytest.raises(HopeBenchError, match="holds no"):
        import_pope({"random": file}, "x", "X", tmp_path / "x", prompt="Well?")
    with pytest.raises(HopeBenchError, match="Call it 'x-y'"):
        import_pope({"random": file}, "X/y", "X", tmp_path / "x")
    with pytest.raises(HopeBenchError, match="no questions"):
        import_pope({"random": write_lines(tmp_path / "e")}, "x", "X", tmp_path / "x")


def llava(folder: Path, *rows: tuple[str, str, str, str]) -> AnswersSource:
    """(image, question, category, answer) rows as LLaVA's two files."""
    questions = [
        {"question_id": n, "image": image, "text": text + SUFFIX, "category": category}
        for n, (image, text, category, _) in enumerate(rows, 1)
    ]
    answers = [
        {"question_id": n, "prompt": text + SUFFIX, "text": answer, "model_id": "m"}
        for n, (_, text, _, answer) in enumerate(rows, 1)
    ]
    return AnswersSource(
        {write_lines(folder / "answers.jsonl", *answers): None}, write_lines(folder / "questions.jsonl", *questions)
    )


def run_import(source: AnswersSource, benchmark: Benchmark, folder: Path) -> ImportReport:
    return import_answers(source, benchmark, folder / "run", MODEL)


def test_llava_answers(benchmark: Benchmark, tmp_path: Path) -> None:
    source = llava(
        tmp_path,
        ("a.jpg", "Is there a dog in the image?", "random", "Yes"),
        ("a.jpg", "Is there a umbrella in the imange?", "random", "No"),
        ("b.jpg", "Is there an Orange in the image?", "random", "**No**"),
        ("b.jpg", "Is there an Orange in the image?", "random", "no."),
        ("b.jpg", "Is there a horse in the image?", "random", "No"),
        ("a.jpg", "Is there a dog in the image?", "adversarial", "No"),
    )
    report = run_import(source, benchmark, tmp_path)
    assert report.asked == {"random": 3, "popular": 0}
    assert report.unasked == {"random": 1, "popular": 4}
    assert len(report.unmatched) == 2  # a horse nobody asks about, and a split the benchmark doesn't have
    assert report.collapsed == 1
    answers = read_answers(report.folder / "answers.jsonl").answers
    assert {answer.splits for answer in answers} == {("random",)}
    record = read_run(report.folder)
    assert record.run.prompt == "{question}" + SUFFIX
    assert record.unranked is None
    assert "answers.jsonl (sha256" in (record.run.source or "")
    assert record.run.command == (
        "hope-bench import answers answers.jsonl --questions questions.jsonl --benchmark tiny --name run --model-name Model"
    )
    assert str(tmp_path) not in (report.folder / "run.json").read_text()
    assert any("2 of 6 imported answers match no question: b.jpg: Is there a horse" in note for note in record.notes)
    assert any("1 of random, 4 of popular" in note for note in record.notes)
    assert any(
        "1 of 6 questions were worded otherwise, such as 'Is there a umbrella in the imange" in note for note in record.notes
    )
    result = score(benchmark, report.folder)
    assert result.splits["random"].on_yes.model_dump() == {"yes": 1, "no": 1, "unparsed": 0, "error": 0, "unasked": 0}
    assert result.splits["random"].on_no.unasked == 1
    assert "4 of 4 questions of the headline split popular were never asked" in (result.unranked or "")


def test_an_answer_counts_in_the_split_it_was_given_in(benchmark: Benchmark, tmp_path: Path) -> None:
    dog = "Is there a dog in the image?"
    both = (("a.jpg", dog, "random", "Yes"), ("a.jpg", dog, "popular", "No"))
    report = run_import(llava(tmp_path, *both), benchmark, tmp_path)
    splits = score(benchmark, report.folder).splits
    assert (splits["random"].on_yes.yes, splits["popular"].on_yes.no) == (1, 1)
    unnamed = run_import(llava(tmp_path, ("a.jpg", dog, "default", "Yes")), benchmark, tmp_path)
    assert unnamed.asked == {"random": 1, "popular": 1}


def test_answers_that_disagree_are_refused(benchmark: Benchmark, tmp_path: Path) -> None:
    dog = "Is there a dog in the image?"
    with pytest.raises(HopeBenchError, match=r"1 question is answered more than once, and differently.*line 1 and .*line 2"):
        run_import(llava(tmp_path, ("a.jpg", dog, "random", "Yes"), ("a.jpg", dog, "random", "No")), benchmark, tmp_path)
    assert not (tmp_path / "run").exists()


def test_answers_in_a_splits_order(benchmark: Benchmark, tmp_path: Path) -> None:
    lines = [{"question": question.text.lower(), "answer": "yes"} for question in benchmark.splits["random"]]
    file = write_lines(tmp_path / "a.json", *lines)
    report = run_import(AnswersSource({file: "random"}), benchmark, tmp_path)
    assert report.asked == {"random": 4, "popular": 0}
    assert "doesn't show the prompt" in (read_run(report.folder).unranked or "")
    report = run_import(AnswersSource({file: "random"}, prompt="{question}" + SUFFIX), benchmark, tmp_path)
    assert read_run(report.folder).unranked is None
    report = run_import(AnswersSource({file: "random"}, prompt="{question} Well?"), benchmark, tmp_path)
    assert "another prompt" in (read_run(report.folder).unranked or "")
    with pytest.raises(HopeBenchError, match="holds no"):
        run_import(AnswersSource({file: "random"}, prompt="Well?"), benchmark, tmp_path)
    with pytest.raises(HopeBenchError, match=r"line 2: asks 'is there an umbrella.*asks 'Is there a cup"):
        run_import(AnswersSource({file: "popular"}), benchmark, tmp_path)
    with pytest.raises(HopeBenchError, match="name no image"):
        run_import(AnswersSource({file: None}), benchmark, tmp_path)
    with pytest.raises(HopeBenchError, match="5 answers, but split random asks 4"):
        run_import(AnswersSource({write_lines(file, *lines, lines[0]): "random"}), benchmark, tmp_path)
    with pytest.raises(HopeBenchError, match="Did you mean 'random'"):
        run_import(AnswersSource({file: "rndom"}), benchmark, tmp_path)


def test_answers_that_name_their_image(benchmark: Benchmark, tmp_path: Path) -> None:
    lines = [
        {"image": "b.jpg", "question": "is there a orange in the image?", "answer": "Yes"},
        {"image": "a.jpg", "question": "is there a cup in the image?", "answer": "I am not sure"},
    ]
    report = run_import(AnswersSource({write_lines(tmp_path / "a.json", *lines): None}), benchmark, tmp_path)
    assert report.asked == {"random": 1, "popular": 2}
    assert score(benchmark, report.folder).splits["popular"].on_no.unparsed == 1


def test_files_that_do_not_belong_together(benchmark: Benchmark, tmp_path: Path) -> None:
    dog = "Is there a dog in the image?"
    source = llava(tmp_path, ("a.jpg", dog, "random", "Yes"))
    (file,) = source.files
    write_lines(file, {"question_id": 7, "prompt": dog, "text": "Yes"})
    with pytest.raises(HopeBenchError, match="question_id 7 is not in the questions file"):
        run_import(source, benchmark, tmp_path)
    write_lines(file, {"question_id": 1, "prompt": "Is there a cat in the image?", "text": "Yes"})
    with pytest.raises(HopeBenchError, match=r"answers 'Is there a cat"):
        run_import(source, benchmark, tmp_path)
    write_lines(file, {"question_id": 1, "prompt": dog})
    with pytest.raises(HopeBenchError, match="line 1: no 'text' or 'answer'"):
        run_import(source, benchmark, tmp_path)
    with pytest.raises(HopeBenchError, match="Of 1 answer, none matches"):
        run_import(llava(tmp_path, ("z.jpg", dog, "random", "Yes")), benchmark, tmp_path)


def test_an_import_never_replaces_an_evaluated_run(benchmark: Benchmark, tmp_path: Path) -> None:
    make_run(tmp_path / "run", benchmark, {("a.jpg", "dog"): "no"})
    source = llava(tmp_path, ("a.jpg", "Is there a dog in the image?", "random", "Yes"))
    with pytest.raises(HopeBenchError, match="Choose another --name"):
        run_import(source, benchmark, tmp_path)


def test_an_import_replaces_an_earlier_one_but_no_generated_benchmark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_lines(tmp_path / "random.json", *ROWS)
    small = write_small(tmp_path / "benchmarks" / "x").folder
    small.rename(tmp_path / "benchmarks" / "made")
    (tmp_path / "benchmarks" / "planned").mkdir()
    (tmp_path / "benchmarks" / "planned" / "spec.toml").write_text('name = "planned"\n')
    before = {path: path.read_bytes() for path in (tmp_path / "benchmarks").rglob("*") if path.is_file()}
    for name in ("made", "planned"):
        for labels in ([], ["--labels", file]):
            message = refused(capsys, "import", "pope", "--name", name, "--split", f"random={file}", *labels)
            words = "is a benchmark that hope-bench generate makes. Give another --name or --out."
            assert f"benchmarks/{name} {words}" in message
        with pytest.raises(HopeBenchError, match="hope-bench generate makes"):
            import_pope({"random": file}, name, "", tmp_path / "benchmarks" / name)
    assert {path: path.read_bytes() for path in (tmp_path / "benchmarks").rglob("*") if path.is_file()} == before
    for split in ("random", "popular"):
        assert hope_bench(capsys, "import", "pope", "--name", "again", "--split", f"{split}={file}").code == 0
    assert [path.name for path in (tmp_path / "benchmarks" / "again" / "splits").iterdir()] == ["popular.jsonl"]


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pope = write_lines(tmp_path / "pope.json", *ROWS)
    made = hope_bench(capsys, "import", "pope", "--name", "tiny", "--split", f"random={pope}")
    assert made.code == 0, made.err
    assert "Benchmark written to benchmarks/tiny" in made.out
    lines = [{"question": row["text"], "answer": row["label"]} for row in ROWS]
    file = write_lines(tmp_path / "answers.json", *lines)
    done = hope_bench(
        capsys, "import", "answers", file, "--split", "random", "-b", "tiny", "--name", "mine", "--prompt", "{question}"
    )
    assert done.code == 0, done.err
    assert "Next: hope-bench score runs/tiny/mine\n" in done.out
    scored = hope_bench(capsys, "score", "tiny/mine")
    assert scored.code == 0, scored.err
    assert "leaderboard/results/tiny/mine.json" in scored.out
    assert (tmp_path / "leaderboard" / "results" / "tiny" / "mine.json").is_file()
    built = hope_bench(capsys, "leaderboard", "build")
    assert built.code == 0, built.err
    assert (tmp_path / "build" / "site" / "tiny" / "mine.html").is_file()
    assert "Did you mean 'tiny/mine'" in refused(capsys, "score", "tiny/mien")
    misnamed = refused(capsys, "import", "answers", file, "--split", "random", "-b", "tiny", "--name", "../../Mine")
    assert "A run's name becomes a folder" in misnamed
    assert "Call it 'mine'?" in misnamed
    assert "give STRATEGY=FILE" in refused(capsys, "import", "pope", "--name", "x", "--split", "random")
    assert "1 file, but 2 --split" in refused(
        capsys, "import", "answers", file, "--split", "a", "--split", "b", "-b", "tiny", "--name", "x"
    )
    assert "Did you mean" in refused(capsys, "import", "answers", file, "-b", "tinny", "--name", "x")


def test_a_title_is_shown_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither brackets nor colons are taken for markup."""
    monkeypatch.chdir(tmp_path)
    line = {"question_id": 1, "image": "a.jpg", "text": "Is there a cat in the image?", "label": "no"}
    file = write_lines(tmp_path / "pope.json", line)
    title = "POPE [/v2] of [red]:cat:[1]"
    done = hope_bench(capsys, "import", "pope", "--name", "x", "--title", title, "--split", f"random={file}")
    assert (done.code, done.err) == (0, "")
    assert title in done.out
    assert "data:cat:set" in refused(capsys, "import", "pope", "--name", "y", "--split", "random=data:cat:set")


def test_benchmarks_of_ours_take_answers_too(tmp_path: Path) -> None:
    benchmark = make_benchmark(tmp_path / "b", {"content": [("a.jpg", "cat", "no")]})
    file = write_lines(tmp_path / "f", {"image": "a.jpg", "question": "Is there a CAT in the image?", "answer": "Yes!"})
    assert run_import(AnswersSource({file: None}), benchmark, tmp_path).asked == {"content": 1}
