"""A set of paraphrases asked, scored and reported; and whole answers on demand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import write_benchmark
from hope_bench.files.paraphrases import read_paraphrases
from hope_bench.files.result_file import read_result
from hope_bench.files.run import read_answers, read_run
from hope_bench.provenance import file_sha256
from hope_bench.records import Question
from tests.checkpoints import OBJECTS, pictures
from tests.cli import Outcome, hope_bench, refused

PROMPT = "Please answer yes or no. {question}"
Run = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A benchmark of eight images in `bench`, and a set of three ways to ask, one of them the benchmark's own."""
    (tmp_path / "images").mkdir()
    hashes = {}
    for place, picture in enumerate(pictures(8)):
        picture.save(tmp_path / "images" / f"{place}.png")
        hashes[f"{place}.png"] = file_sha256(tmp_path / "images" / f"{place}.png")
    asked = [
        Question(0, image, f"Is there a {thing} in the image?", "no" if place % 2 else "yes", "content", thing)
        for image in hashes for place, thing in enumerate(OBJECTS[:4])
    ]  # fmt: skip
    write_benchmark(
        tmp_path / "bench", {"content": asked}, {"content": "hope"}, name="tiny", title="Tiny", headline="content",
        prompt=PROMPT, k=2, dataset="drawn", images=hashes,
    )  # fmt: skip
    (tmp_path / "ways.toml").write_text(
        f'own = "{PROMPT}"\npolite = "Would you kindly tell me: {{question}}"\n"one word" = "{{question}}\\nOne word."\n'
    )
    return tmp_path


@pytest.fixture
def run(folder: Path, checkpoint: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> Run:
    def evaluate(*more: object) -> Outcome:
        return hope_bench(
            capsys, "evaluate", "--model", checkpoint("idefics3"), "--benchmark", folder / "bench", "--images", folder / "images",
            "--runs", folder / "runs", "--device", "cpu", "--name", "me", *more,
        )  # fmt: skip

    return evaluate


def test_each_way_is_a_run_and_the_report_shows_the_spread(folder: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    done = run("--prompts", folder / "ways.toml")
    assert done.code == 0, done.err
    runs = {path.parent.name: read_run(path.parent) for path in (folder / "runs" / "tiny").glob("*/run.json")}
    assert set(runs) == {"me-ways-own", "me-ways-polite", "me-ways-one-word"}
    for name, record in runs.items():
        assert record.run.prompt_set == "ways"
        assert name.endswith((record.run.prompt_name or "?").replace(" ", "-"))
        assert (record.unranked is None) == (record.run.prompt == PROMPT)
        assert name in done.out
    answers = {name: read_answers(folder / "runs" / "tiny" / name / "answers.jsonl").answers for name in runs}
    assert [one.mass for one in answers["me-ways-own"]] != [one.mass for one in answers["me-ways-polite"]]

    # The same command goes on where it was interrupted, and asks nothing twice.
    polite = folder / "runs" / "tiny" / "me-ways-polite" / "answers.jsonl"
    whole = polite.read_bytes()
    polite.write_bytes(b"".join(whole.splitlines(keepends=True)[:8]))
    counted = run("--prompts", folder / "ways.toml", "--dry-run")
    assert counted.out.count("Nothing is left to ask.") == 2
    again = run("--prompts", folder / "ways.toml")
    assert again.code == 0
    assert again.err.count("nothing to ask") == 2
    assert polite.read_bytes() == whole

    # The benchmark's own prompt without a set is asked as ever, with the same answers.
    assert run().code == 0
    own = [folder / "runs" / "tiny" / name / "answers.jsonl" for name in ("me", "me-ways-own")]
    assert own[0].read_bytes() == own[1].read_bytes()
    options = ["-b", folder / "bench", "--replicates", 100]
    page = folder / "report.html"
    reported = hope_bench(capsys, "report", folder / "runs" / "tiny" / "me", *options, "--out", page)
    assert reported.code == 0, reported.err
    text = page.read_text()
    assert "Would you kindly tell me" in text
    assert "Sampling error" in text
    assert text.count("</b>: <q>") == 3, "its own prompt counts once"

    # Each is scored into a file of its own. None is ranked: few of the answers are a yes or a no.
    for name in ("me", *runs):
        assert hope_bench(capsys, "score", folder / "runs" / "tiny" / name, *options, "--results", folder / "results").code == 0
    results = {path.stem: read_result(path) for path in (folder / "results" / "tiny").rglob("*.json")}
    assert len(results) == 4
    other = {name for name, one in results.items() if "another prompt" in (one.unranked or "")}
    assert other == {"me-ways-polite", "me-ways-one-word"}
    assert {path.stem for path in (folder / "results" / "tiny" / "unranked").iterdir()} == set(results)
    assert {one.run.prompt_name for one in results.values()} == {None, "own", "polite", "one word"}


def test_whole_answers_on_demand(folder: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--max-new-tokens", 5).code == 0
    assert run("--max-new-tokens", 5, "--complete", "--name", "whole").code == 0
    short, whole = (read_answers(folder / "runs" / "tiny" / name / "answers.jsonl").answers for name in ("me", "whole"))
    assert all(one.complete for one in whole)
    for one, other in zip(short, whole, strict=True):
        assert (one.p_yes, one.mass) == (other.p_yes, other.mass)
        if one.complete:
            assert one.text == other.text
        else:
            assert (other.text or "").startswith((one.text or "?").strip())
    options = ["-b", folder / "bench", "--replicates", 100, "--results", folder / "results", "--convention", "pope"]
    if not all(one.complete for one in short):
        assert "evaluate with --complete" in refused(capsys, "score", folder / "runs" / "tiny" / "me", *options)
    assert hope_bench(capsys, "score", folder / "runs" / "tiny" / "whole", *options).code == 0
    assert run("--max-new-tokens", 5, "--complete", "--name", "plain", "--path", "plain").code == 0
    plain = read_answers(folder / "runs" / "tiny" / "plain" / "answers.jsonl").answers
    assert [one.text for one in plain] == [one.text for one in whole], "the same words where no prefix is shared"


def test_the_documented_set_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parent.parent.parent / "docs" / "scoring.md").read_text()
    (tmp_path / "ways.toml").write_text(page[page.index("```toml\n") + 8 :].split("```")[0])
    assert [one.name for one in read_paraphrases(tmp_path / "ways.toml")] == ["plain", "polite", "one-word"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "declares no prompt"),
        ('a = "Is it there?"', 'a is no prompt: it holds no "{question}"'),
        ("a = 1", "a is no prompt: it is no text"),
        ('[a]\nb = "{question}"', "a is no prompt"),
        ('a = "{question}"\nb = "{question}"', "b asks exactly as a does"),
        ('"a b" = "{question}!"\na-b = "{question}"', "a-b and a b would be the same run"),
        ("a = ", "not TOML"),
    ],
)
def test_what_is_no_set_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "ways.toml"
    path.write_text(text)
    with pytest.raises(HopeBenchError, match=re.escape(words)):
        read_paraphrases(path)
    with pytest.raises(HopeBenchError, match="does not exist"):
        read_paraphrases(tmp_path / "nothing.toml")


def test_a_dry_run_counts_each_way(folder: Path, run: Run) -> None:
    done = run("--prompts", folder / "ways.toml", "--dry-run")
    assert done.code == 0
    assert done.out.count("unique ones would be asked") == 3
    assert not (folder / "runs").exists()
