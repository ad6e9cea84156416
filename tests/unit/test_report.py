"""The report: what it holds, that it is self-contained and harmless, and its Markdown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.records import Answer, Verdict
from tests.cli import hope_bench, refused
from tests.runs import Row, make_benchmark, make_run, write_answers
from tests.small_benchmark import IMAGES, Small, write_small

EVIL = "</style><script>alert(1)</script>\"'&|`[x](y)"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


@pytest.fixture
def run(small: Small, tmp_path: Path) -> Path:
    """Affirms everything, surest of b.png's questions."""
    chosen = read_benchmark(small.folder)
    folder = make_run(tmp_path / "runs" / "small" / "me", chosen, {}, model=ModelInfo(name="Mine"))
    asked = {(one.image, one.text): one for questions in chosen.splits.values() for one in questions}
    write_answers(folder, [
        Answer(image, text, "Yes, surely", "yes", p_yes=0.95 if image == "b.png" else 0.85 if "vase" in text else 0.8)
        for image, text in asked
    ])  # fmt: skip
    return folder


def test_a_page_of_its_own(small: Small, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.html"
    options = ["-b", small.folder, "--images", small.images, "--annotations", small.annotations, "--replicates", 100]
    done = hope_bench(capsys, "report", run, *options, "--out", out)
    assert done.code == 0, done.err
    assert str(out) in " ".join(done.out.split())
    page = out.read_text()
    pictures = re.findall(r'<img src="data:image/jpeg;base64,[^"]+" alt="([^"]+)"', page)
    assert pictures[0] == "b.png"  # the surest first, one an image
    assert set(pictures) == set(IMAGES)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "<script" not in page
    for words in (
        "Its surest hallucinations",
        "Does P(yes) mean",
        "How much harder",
        "risk 0.45",
        "Yes, surely",
        "By size of the object",
    ):
        assert words in page, words
    again = tmp_path / "again.html"
    hope_bench(capsys, "report", run, *options, "--out", again)
    assert again.read_bytes() == out.read_bytes()


def differences(page: str, table: str) -> list[list[str]]:
    """Split, baseline and differences of each row of a table of comparisons."""
    found = page[page.index(f'aria-label="{table}"') :].partition("</table>")[0]
    rows = re.findall(r'<tr class="\w+"><th scope="row">([^<]*)</th><td>(\S+) (.*?)</tr>', found)
    return [[split, baseline, *re.findall(r'class="number">([^<]*)', cells)] for split, baseline, cells in rows]


def test_categories_by_split_and_drops_by_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Foxes are affirmed in 2 of 8 random questions and in 6 of 8 content questions; wolves, asked 4 times, have no cell."""
    images = [f"{number}.jpg" for number in range(8)]
    shared: list[Row] = [(image, "dog", "yes") for image in images]
    splits: dict[str, list[Row]] = {
        "random": [*shared, *((image, "fox", "no") for image in images)],
        "content": [*shared, *((f"c{image}", "fox", "no") for image in images), *((image, "wolf", "no") for image in images[:4])],
    }
    benchmark = make_benchmark(tmp_path / "b", splits)
    said: dict[tuple[str, str], Verdict] = {(image, "dog"): "yes" for image in images}
    said |= {(image, "fox"): "yes" if number < 2 else "no" for number, image in enumerate(images)}
    said |= {(f"c{image}", "fox"): "yes" if number < 6 else "no" for number, image in enumerate(images)}
    said |= {(image, "wolf"): "no" for image in images[:4]}
    run = make_run(tmp_path / "r", benchmark, said)
    assert hope_bench(capsys, "report", run, "-b", benchmark.folder, "--replicates", 100, "--out", tmp_path / "r.html").code == 0
    page = (tmp_path / "r.html").read_text()
    foxes = re.search(r'<th scope="row">fox</th>(.*)', page)
    assert foxes is not None
    assert re.findall(r">(\d+)</td>", foxes[1]) == ["25", "75"]
    # precision: 8 of 10 on random, 8 of 14 on content; the rate rises from 2 of 8 to 6 of 12; no P(yes)
    assert differences(page, "Comparisons") == [["content", "random", "+22.9", "+25.0"]]
    assert hope_bench(capsys, "report", run, "-b", benchmark.folder, "--replicates", 100, "--out", tmp_path / "r.md").code == 0
    assert "Some of its hallucinations" in page, "without P(yes), none is the surest"
    assert "Every question got a yes or a no." in page
    assert re.search(r"\| fox \| 75\.0 \| 6 of 8 \| - \| 25\.0 \| 75\.0 \|", (tmp_path / "r.md").read_text())


def test_a_splits_own_control_stands_apart_from_the_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [f"{number}.jpg" for number in range(8)]
    absent = {"random": "fox", "content": "wolf", "control-content": "bear"}
    rows: dict[str, list[Row]] = {
        split: [row for image in images for row in ((image, "dog", "yes"), (image, name, "no"))] for split, name in absent.items()
    }  # type: ignore[misc]
    benchmark = make_benchmark(tmp_path / "b", rows)
    said: dict[tuple[str, str], Verdict] = {(image, "dog"): "yes" for image in images}
    for name, affirmed in (("fox", 2), ("wolf", 6), ("bear", 4)):
        said |= {(image, name): "yes" if number < affirmed else "no" for number, image in enumerate(images)}
    run = make_run(tmp_path / "r", benchmark, said)
    assert hope_bench(capsys, "report", run, "-b", benchmark.folder, "--replicates", 100, "--out", tmp_path / "r.html").code == 0
    page = (tmp_path / "r.html").read_text()
    # precision 8 of 10, 14 and 12; 6 of 8 against 2 of 8, and against 4 of 8; no P(yes)
    assert differences(page, "Comparisons") == [
        ["content", "random", "+22.9", "+50.0"], ["content", "control-content", "+9.5", "+25.0"],
    ]  # fmt: skip


def test_details_in_the_terminal(small: Small, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-b", small.folder, "--annotations", small.annotations, "--results", tmp_path / "out", "--replicates", 100]
    done = hope_bench(capsys, "score", run, *options, "--details")
    assert done.code == 0, done.err
    lines = done.out[done.out.index("content by category") :].splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows["cup"][1:8] == ["1", "1", "/", "0", "-", "100.0", "100.0"]
    assert rows["vase"][1:7] == ["1", "0", "/", "1", "100.0", "-"]
    assert rows["large"][1:5] == ["3", "3", "/", "0"]
    assert "Corrected" not in done.out


def test_a_page_without_a_known_ending_is_refused(
    small: Small, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("rep", "rep.pdf"):
        assert ".html or .md" in refused(capsys, "report", run, "-b", small.folder, "--out", tmp_path / name)
        assert not (tmp_path / name).exists()


def test_markdown(small: Small, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.md"
    assert hope_bench(capsys, "report", run, "-b", small.folder, "--replicates", 100, "--out", out).code == 0
    text = out.read_text()
    assert text.startswith("# Mine on ")
    assert "| content | HOPE | 100.0" in text
    assert "<" not in text.replace("\\<", "")
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_no_images_no_pictures(small: Small, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = hope_bench(capsys, "report", run, "-b", small.folder, "--replicates", 100, "--out", tmp_path / "r.html")
    assert done.code == 0
    assert "--images FOLDER" in done.err
    assert "<img" not in (tmp_path / "r.html").read_text()
    (small.images / "b.png").write_bytes(b"broken")
    options = ["-b", small.folder, "--images", small.images, "--replicates", 100, "--out", tmp_path / "r.html"]
    done = hope_bench(capsys, "report", run, *options)
    assert "1 image can't be shown" in done.err
    assert (tmp_path / "r.html").read_text().count("<img") == 2


def test_prompts_and_corrected_rates(small: Small, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = read_benchmark(small.folder)
    asked = {(one.image, one.text): one for questions in chosen.splits.values() for one in questions}
    other = make_run(run.parent / "other", chosen, {}, model=ModelInfo(name="Mine"), run=RunInfo(prompt="Really? {question}"))
    write_answers(other, [Answer(image, text, "no", "no") for image, text in asked])
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text("".join(
        json.dumps({
            "image": one.image, "object": one.object, "decision": "absent" if one.label == "no" else "present", "inclusion": 1.0,
        }) + "\n"
        for one in chosen.splits["content"]
    ), encoding="utf-8")  # fmt: skip
    assert hope_bench(capsys, "label-noise", small.folder, decisions, "--sample", 50).code == 0
    options = ["-b", small.folder, "--replicates", 100, "--paraphrase", other]
    for name in ("r.html", "r.md"):
        done = hope_bench(capsys, "report", run, *options, "--out", tmp_path / name)
        assert done.code == 0, done.err
        text = (tmp_path / name).read_text()
        assert "Really?" in text
        assert "Under reviewed truth" in text
        assert "eviation" in text


def test_only_the_same_model_and_questions_with_another_prompt_stand_beside_a_run(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = read_benchmark(small.folder)
    asked = list({(one.image, one.text): one for questions in chosen.splits.values() for one in questions})
    mine = ModelInfo(name="Mine", checkpoint="org/mine", revision="abc")

    def asked_in(name: str, prompt: str | None, count: int = len(asked), model: ModelInfo = mine, **record: Any) -> Path:
        sha256 = record.pop("sha256", None)
        run = RunInfo(prompt=prompt, weights_sha256=sha256)
        folder = make_run(tmp_path / "runs" / "small" / name, chosen, {}, settings={}, model=model, run=run, **record)
        write_answers(folder, [Answer(image, text, "no", "no") for image, text in asked[:count]])
        return folder

    own = asked_in("own", chosen.manifest.prompt)
    good, again = asked_in("good", "Really? {question}"), asked_in("again", "Really? {question}")
    unknown = asked_in("unknown", None)
    imported = asked_in("imported", "So? {question}", model=ModelInfo(name="Mine"))
    command = ("report", own, "-b", small.folder, "--replicates", 100, "--out", tmp_path / "r.md", "--paraphrase")
    for path, words in {
        asked_in("a", "A {question}", model=ModelInfo(name="Theirs")): "it is a run of the model Theirs, not of Mine",
        asked_in("b", "B {question}", model=mine.model_copy(update={"checkpoint": "org/x"})): "checkpoint org/x, not org/mine",
        asked_in("c", "C {question}", model=mine.model_copy(update={"revision": "def"})): "revision def, not abc",
        asked_in("d", "D {question}", benchmark_hash="0" * 64): "answered other questions, those of small (hash 000000000000)",
        asked_in("e", "E {question}", 6): "asked 4 of content, and the report's run 6, of which 4 are the same",
        asked_in("f", "F {question}", 0): "asked 0 of random, and",
        unknown: f"nothing says which prompt {unknown} was asked with",
        own: f"the same prompt as {own}",
    }.items():
        message = refused(capsys, *command, path)
        assert f"--paraphrase {path}: " in message
        assert words in message
        assert not (tmp_path / "r.md").exists()
    assert f"--paraphrase {again}: it was asked with the same prompt as {good}" in refused(
        capsys, *command, good, "--paraphrase", again
    )
    done = hope_bench(capsys, *command, good, "--paraphrase", imported, "--paraphrase", good)
    assert done.code == 0, done.err
    text = (tmp_path / "r.md").read_text()
    assert (text.count("Really? {question}"), text.count("So? {question}")) == (1, 1)

    # A checkpoint folder is what it holds, wherever it lies.
    one, two = (ModelInfo(name="Mine", checkpoint=name) for name in ("here", "there"))
    own = asked_in("own", chosen.manifest.prompt, model=one, sha256="1")
    same = asked_in("same", "G {question}", model=two, sha256="1")
    assert hope_bench(capsys, *command, same).code == 0
    changed = asked_in("changed", "H {question}", model=one, sha256="2")
    assert "holds other weights" in refused(capsys, *command, changed)


def test_what_the_report_finds_itself_may_be_named_too(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = read_benchmark(small.folder)
    asked = {(one.image, one.text): one for questions in chosen.splits.values() for one in questions}
    folders = [
        make_run(tmp_path / "runs" / "small" / name, chosen, {}, complete=True, run=RunInfo(prompt=prompt))
        for name, prompt in {"own": chosen.manifest.prompt, "beside": "Really? {question}"}.items()
    ]
    for folder in folders:
        write_answers(folder, [Answer(image, text, "no", "no") for image, text in asked])
    out = tmp_path / "r.md"
    options = ["-b", small.folder, "--replicates", 100, "--out", out]
    assert hope_bench(capsys, "report", folders[0], *options).code == 0
    found = out.read_bytes()
    assert b"Really?" in found
    elsewhere = folders[1].parent / ".." / "small" / "beside"
    assert hope_bench(capsys, "report", folders[0], *options, "--paraphrase", elsewhere).code == 0
    assert out.read_bytes() == found


def test_hostile_texts_stay_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark: Benchmark = make_benchmark(
        tmp_path / "b", {"content": [("0.jpg", "dog", "yes"), ("0.jpg", f"cat{EVIL}", "no")]}, title=EVIL, dataset=EVIL
    )
    said: dict[tuple[str, str], Verdict] = {("0.jpg", "dog"): "yes", ("0.jpg", f"cat{EVIL}"): "yes"}
    run = make_run(tmp_path / "r", benchmark, said, model=ModelInfo(name=EVIL), unranked=EVIL, notes=(EVIL,))
    for name in ("r.html", "r.md"):
        options = ["-b", benchmark.folder, "--replicates", 100, "--out", tmp_path / name]
        assert hope_bench(capsys, "report", run, *options).code == 0
        text = (tmp_path / name).read_text()
        assert "<script" not in text.replace("\\<script", "")
        assert text.count("</style>") == (1 if name == "r.html" else 0)


def test_nothing_answered_is_still_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = make_benchmark(tmp_path / "b", {"content": [("0.jpg", "dog", "yes"), ("0.jpg", "cat", "no")]})
    run = make_run(tmp_path / "r", benchmark, {})
    for name in ("r.html", "r.md"):
        options = ["-b", benchmark.folder, "--replicates", 100, "--out", tmp_path / name]
        assert hope_bench(capsys, "report", run, *options).code == 0
    assert "content: 2 unasked." in (tmp_path / "r.html").read_text()
    assert "No run 'nowhere'" in refused(capsys, "report", "nowhere")
