"""`hope-bench verify`: the whole path on the demo's model and its committed result, and LLaVA-1.5-13B's real answers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import hope_bench as hb
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import demo_spec
from hope_bench.demo.world import EVALUATION_SEED
from tests.cli import hope_bench, refused
from tests.soak import SOAK

ROOT = Path(__file__).resolve().parent.parent.parent
SCENES = 500
ASKED = 500 if SOAK else 60
"""Images whose questions are at hand, the first ones of the drawn world's."""
SPLITS = ("random", "popular", "adversarial")
LLAVA = "{question}\nAnswer the question using a single word or phrase."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's drawn world, POPE questions of it in POPE's files, and the committed answers' F1 as if it were published."""
    folder = tmp_path_factory.mktemp("verify")
    write_world(folder / "world", SCENES, EVALUATION_SEED)
    spec = demo_spec(folder / "world", SCENES).model_copy(update={"strategies": SPLITS, "headline": "adversarial", "clip": None})
    made = hb.generate(spec, out=folder / "made", cache=folder / "cache", progress="quiet")
    (folder / "pope").mkdir()
    for split, questions in made.splits.items():
        rows = [
            {"question_id": one.question_id, "image": one.image, "text": one.text, "label": one.label}
            for one in questions[: 6 * ASKED]
        ]
        (folder / "pope" / f"coco_pope_{split}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_figures(folder / "right.toml", {split: committed_f1(split) for split in SPLITS})
    return folder


def committed_f1(split: str) -> float:
    """F1 in percent of the first images' questions, from the labels and answers that the committed result holds."""
    committed = json.loads((ROOT / "leaderboard" / "results" / "demo" / "demo-llava.json").read_text(encoding="utf-8"))
    numbers = committed["splits"][split]
    assert set(numbers["questions_per_image"]) == {6}
    pairs = Counter(zip(numbers["labels"][: 6 * ASKED], numbers["verdicts"][: 6 * ASKED], strict=True))
    f1 = 200 * pairs["y", "y"] / (2 * pairs["y", "y"] + pairs["n", "y"] + pairs["y", "n"])
    assert ASKED < SCENES or f1 == pytest.approx(100 * numbers["f1"]["value"], abs=1e-4)
    return f1


def write_figures(path: Path, values: dict[str, float], prompt: str = "{question}", model: str = "demo-llava") -> None:
    row = ", ".join(f"{split} = {value:.2f}" for split, value in values.items())
    path.write_text(
        f'[[table]]\nname = "demo"\nsource = "the committed result"\nbenchmark = "POPE"\ndataset = "drawn world"\nmetric = "f1"\n'
        f'decimals = 2\nprompt = {json.dumps(prompt)}\nconvention = "strict"\nsame_questions = true\n'
        f'[table.values]\n"{model}" = {{ {row} }}\n'
    )


def test_a_model_is_asked_and_agrees_with_what_was_published_of_it(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the adversarial file is at hand: the figures that it allows are compared, and the same command asks nothing twice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    adversarial = world / "pope" / "coco_pope_adversarial.json"
    asked = ("verify", "demo-llava", "--pope", adversarial, "--images", world / "world" / "images", "--figures")
    done = hope_bench(capsys, *asked, world / "right.toml")
    assert done.code == 0, done.err
    assert "Agrees: 1 of 1" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert done.err.index("--images FOLDER") < done.err.index(f"To ask: {6 * ASKED:,} different questions about {ASKED} images")
    assert "the figures that need random, popular" in done.err

    answers = tmp_path / "runs" / "pope-published-adversarial" / "demo-llava" / "answers.jsonl"
    before = answers.read_bytes()
    right = committed_f1("adversarial")
    write_figures(tmp_path / "wrong.toml", {"adversarial": right + 5})
    again = hope_bench(capsys, *asked, tmp_path / "wrong.toml", "--json")
    assert again.code == 1
    assert answers.read_bytes() == before
    said = json.loads(again.out)
    assert not said["agrees"]
    [figure] = said["figures"]
    assert figure["here"] == pytest.approx(right, abs=0.15)
    assert figure["difference"] == pytest.approx(figure["here"] - right - 5, abs=0.006)
    assert 0.5 < figure["allowed"] < (1.5 if ASKED == SCENES else 3.5)
    assert any("cropped or padded" in note for note in said["notes"])


def test_every_source_is_asked_as_it_asked_and_read_as_it_read(world: Path, tmp_path: Path) -> None:
    """Two sources with prompts of their own: two runs, whole answers where the convention reads them, and a mean of three."""
    for split in SPLITS:
        lines = (world / "pope" / f"coco_pope_{split}.json").read_text().splitlines(keepends=True)
        (tmp_path / f"{split}.json").write_text("".join(lines[:12]))
    write_figures(tmp_path / "one.toml", {"random": 80.0})
    write_figures(tmp_path / "two.toml", {"adversarial": 80.0, "split-mean": 80.0}, LLAVA)
    second = (tmp_path / "two.toml").read_text().replace('"strict"', '"pope"').replace('name = "demo"', 'name = "other"')
    (tmp_path / "both.toml").write_text((tmp_path / "one.toml").read_text() + second)
    found = hb.verify(
        "demo-llava", pope=[tmp_path / f"{split}.json" for split in SPLITS], images=world / "world" / "images",
        figures=tmp_path / "both.toml", runs=tmp_path / "runs", out=tmp_path / "pope", progress="quiet",
    )  # fmt: skip
    plain, other = found.runs
    assert (plain.name, plain.record.run.prompt) == ("demo-llava", "{question}")
    assert (other.name, other.record.run.prompt) == ("demo-llava-other", LLAVA)
    assert all(answer.complete for answer in other.answers().answers)
    for run, way, splits in ((plain, "strict", SPLITS[:1]), (other, "pope", SPLITS)):
        result = hb.score(run, benchmark=tmp_path / "pope", convention=way, progress="quiet")
        f1 = [100 * (result.splits[split].f1.value or 0) for split in splits]
        mean_or_only = next(
            one for one in found.checks if one.figure.table.convention == way and set(one.figure.splits) == set(splits)
        )
        assert mean_or_only.here == pytest.approx(sum(f1) / len(f1), abs=1e-3)
    assert all(check.allowed > 9 for check in found.checks)  # twelve questions tell little


def test_what_it_needs_is_said_before_anything_is_done(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, "verify", "llava-hf/llava-1.5-7b-hf")
    for words in (
        "coco_pope_random.json",
        "AoiDragon/POPE",
        "val2014",
        "llava-hf/llava-1.5-7b-hf, downloaded",
        "--images FOLDER",
    ):
        assert words in said
    said = refused(capsys, "verify", "llava-1.5-7b", "--pope", world / "pope", "--images", tmp_path)
    assert f"lacks {ASKED} of the {ASKED} images" in said
    assert "None of the files needed" in refused(capsys, "verify", "llava-1.5-7b", "--pope", tmp_path, "--images", tmp_path)
    assert "a run to compare" in refused(capsys, "verify")
    assert "--dtype would have no effect" in refused(capsys, "verify", "--run", "pope-coco/x", "--dtype", "float16")
    assert "--benchmark would have no effect" in refused(capsys, "verify", "llava-1.5-7b", "--benchmark", "pope-coco")
    assert "leave prompt and complete out" in _raised(world, prompt="{question}?")
    assert not list(tmp_path.iterdir())


def _raised(world: Path, **settings: str) -> str:
    with pytest.raises(hb.HopeBenchError) as error:
        hb.verify("llava-1.5-7b", pope=world / "pope", images=world, **settings)  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.real
def test_llavas_real_answers_agree_with_its_paper(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {split: real / "pope" / f"coco_pope_{split}.json" for split in SPLITS}
    benchmark = hb.import_pope("pope-coco", files, prompt=LLAVA, out=tmp_path / "pope-coco")
    llava = real / "llava-v1.5-13b"
    folder, _ = hb.import_answers(
        [llava / "answers.jsonl"], benchmark, "imported", questions=llava / "questions.jsonl",
        checkpoint="liuhaotian/llava-v1.5-13b", runs=tmp_path / "runs",
    )  # fmt: skip
    found = hb.verify(run=folder, benchmark=benchmark, progress="quiet")
    assert found.agrees
    numbers = found.to_frame().set_index("split")
    assert numbers["published"].to_dict() == {"random": 87.1, "popular": 86.2, "adversarial": 84.5, "split-mean": 85.9}
    assert numbers["questions"].to_dict() == {"random": 2910, "popular": 3000, "adversarial": 3000, "split-mean": 8910}
    assert numbers["here"].round(2).to_dict() == {"random": 87.14, "popular": 86.25, "adversarial": 84.46, "split-mean": 85.95}
    assert numbers["allowed"].between(0.7, 1.1).all()

    # Another model's figure, over other questions and by another prompt: more is allowed, and the prompts are told.
    other = hb.verify(run=folder, benchmark=benchmark, published_as="qwen2.5-vl-7b", progress="quiet")
    assert not other.agrees
    assert other.checks[0].allowed > 2 * numbers["allowed"]["adversarial"]
    assert "Please answer yes or no. {question}" in " ".join(other.notes)

    write_figures(tmp_path / "wrong.toml", {"adversarial": 86.2, "random": 87.1}, LLAVA, "liuhaotian/llava-v1.5-13b")
    differs = hope_bench(capsys, "verify", "--run", folder, "--benchmark", benchmark.folder, "--figures", tmp_path / "wrong.toml")
    assert differs.code == 1
    assert "Differs here: 1 of 2 published figures (adversarial by -1.74 points)" in differs.out

    half = tmp_path / "half.jsonl"
    half.write_text("".join((llava / "answers.jsonl").read_text().splitlines(keepends=True)[:5000]))
    folder, _ = hb.import_answers(
        [half],
        benchmark,
        "half",
        questions=llava / "questions.jsonl",
        checkpoint="liuhaotian/llava-v1.5-13b",
        runs=tmp_path / "runs",
    )
    part = hb.verify(run=folder, benchmark=benchmark, progress="quiet")
    assert {check.figure.split for check in part.checks} < set(numbers.index)
    assert "questions of" in part.notes[0]
