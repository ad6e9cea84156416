"""Labels replaced: what changes, what is left out, and RePOPE's own files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hope_bench.files.benchmark import read_benchmark, write_benchmark
from hope_bench.files.result import Bootstrap
from hope_bench.files.result_file import read_result
from hope_bench.interchange.pope_files import import_pope
from hope_bench.interchange.relabel import relabel, relabelled
from hope_bench.records import Answer, Verdict
from hope_bench.scoring.labels import _asked, score_relabelled
from hope_bench.scoring.measuring import measure
from hope_bench.scoring.recount import paired
from tests.cli import hope_bench, refused
from tests.runs import make_run, write_answers
from tests.small_benchmark import Small, write_small


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


def write_labels(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    path.write_text("".join(json.dumps({"image": i, "text": t, "label": label}) + "\n" for i, t, label in rows), encoding="utf-8")
    return path


def test_labels_are_replaced_by_image_and_object(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = write_labels(tmp_path / "labels.json", [
        ("a.jpg", "Is there a cup in the imange?", "yes"), ("a.jpg", "is there a Vase in the image", "yes"),
        ("b.png", "Is there a car in the image?", "no"), ("b.png", "Is there a bus in the image?", "no"),
    ])  # fmt: skip
    outcome = hope_bench(capsys, "import", "labels", small.folder, given, "--out", tmp_path / "new")
    assert outcome.code == 0
    assert "content 4 2 1 1 2" in " ".join(outcome.out.split())
    old, new = read_benchmark(small.folder), read_benchmark(tmp_path / "new")
    assert new.manifest.name == "small-relabelled"
    assert [(one.question_id, one.object, one.label) for one in new.splits["content"]] == [
        (1, "cup", "yes"), (2, "vase", "yes"), (3, "car", "no"), (4, "bus", "no"),
    ]  # fmt: skip
    assert new.splits["content"][1].risk == old.splits["content"][1].risk
    assert set(new.manifest.images) == {"a.jpg", "b.png"}
    assert new.manifest.hash != old.manifest.hash
    assert "content: 1 labels yes to no, 1 no to yes, 2 questions left out." in new.manifest.notes
    assert {source.file for source in new.manifest.sources} == {"labels.json"}
    again = hope_bench(capsys, "import", "labels", small.folder, given, "--out", tmp_path / "new")
    assert again.code == 0, "an earlier import may be replaced"
    made = write_small(tmp_path / "made").folder
    message = refused(capsys, "import", "labels", small.folder, given, "--out", made)
    assert f"{made} is a benchmark that hope-bench generate makes. Give another --name or --out." in message
    assert read_benchmark(made).manifest.hash == old.manifest.hash


def test_a_run_is_scored_under_the_labels_of_a_folder(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = read_benchmark(small.folder)
    run = make_run(tmp_path / "run", benchmark, {})
    write_answers(run, [Answer(one.image, one.text, "yes", "yes") for asked in benchmark.splits.values() for one in asked])
    (tmp_path / "labels").mkdir()
    rows = [("a.jpg", "Is there a cup in the image?", "yes"), ("a.jpg", "Is there a vase in the image?", "yes")]
    for number, row in enumerate(rows):
        write_labels(tmp_path / "labels" / f"{number}.json", [row])
    options = ["-b", small.folder, "--results", tmp_path / "results", "--replicates", 100]
    done = hope_bench(capsys, "score", run, *options, "--labels", tmp_path / "labels", "--name", "new")
    assert done.code == 0, done.err
    (file,) = (tmp_path / "results" / "new").glob("*.json")
    assert read_result(file).splits["content"].on_yes.yes == 2
    (tmp_path / "empty").mkdir()
    assert "holds no label files" in refused(capsys, "score", run, *options, "--labels", tmp_path / "empty")


def test_each_number_moves_from_before_to_after_image_by_image(small: Small, tmp_path: Path) -> None:
    """The first image is left out, and in the last one a dog was found; the car is denied, all else affirmed."""
    benchmark = read_benchmark(small.folder)
    run = make_run(tmp_path / "run", benchmark, {})
    said: dict[bool, Verdict] = {True: "no", False: "yes"}
    write_answers(
        run,
        [
            Answer(one.image, one.text, said["a car" in one.text], said["a car" in one.text])
            for asked in benchmark.splits.values() for one in asked
        ],
    )  # fmt: skip
    given = write_labels(tmp_path / "labels.json", [
        ("b.png", "Is there a car in the image?", "yes"), ("b.png", "Is there a bus in the image?", "no"),
        ("straße ü.jpg", "Is there an ox in the image?", "yes"), ("straße ü.jpg", "Is there a dog in the image?", "yes"),
    ])  # fmt: skip
    bootstrap = Bootstrap(replicates=100, seed=0, confidence=0.9)
    sizes = {("a.jpg", "cup"): "small", ("straße ü.jpg", "ox"): "large"}
    found = score_relabelled(benchmark, relabelled(benchmark, [given], "new"), run, bootstrap, sizes=sizes)
    before, after = np.zeros((2, 1, 3, 2, 5), dtype=np.int64)  # of each image the yes- and the no-questions, answered yes or no
    before[0, :, :, :2] = [[[1, 0], [1, 0]], [[0, 1], [1, 0]], [[1, 0], [1, 0]]]
    after[0, :, :, :2] = [[[0, 0], [0, 0]], [[0, 1], [1, 0]], [[2, 0], [0, 0]]]
    moved = found.differences["content"]
    values = [moved[metric].value for metric in ("accuracy", "precision", "recall", "hallucination_rate")]
    assert values == pytest.approx([2 / 4 - 2 / 6, 2 / 3 - 2 / 5, 0, 0], abs=1e-6)
    for metric, one in moved.items():
        new, old = (measure(table, bootstrap, metrics=[metric])[metric][0] for table in (after, before))
        assert one == paired(new, old), metric
    assert found.before.splits["content"].accuracy.value == round(2 / 6, 6)
    assert found.after.splits["content"].accuracy.value == 2 / 4
    parts = [one.splits["content"].breakdowns["object-size"] for one in (found.before, found.after)]
    assert [[part.name for part in one] for one in parts] == [["small", "large"], ["large"]]


def test_answers_to_splits_that_are_left_out_are_left_out(small: Small) -> None:
    benchmark = read_benchmark(small.folder)
    left = replace(benchmark, splits={"content": benchmark.splits["content"]})
    cup, red = benchmark.splits["content"][0], benchmark.splits["description"][3]
    given = [
        Answer(one.image, one.text, "yes", "yes", splits=splits)
        for one in (cup, red)
        for splits in (None, ("content",), ("description",), ("description", "content"))
    ]
    assert _asked(left, given) == (given[0], given[1], given[3])


def test_what_is_not_labelled_can_be_kept(small: Small, tmp_path: Path) -> None:
    given = write_labels(tmp_path / "labels.json", [("a.jpg", "Is there a vase in the image?", "yes")])
    manifest, changes = relabel(read_benchmark(small.folder), [given], "kept", "Kept", tmp_path / "new", keep=True)
    assert manifest.splits["content"].yes == 4
    assert changes["description"].left_out == 0


def test_twins_stay_together(small: Small, tmp_path: Path) -> None:
    questions = read_benchmark(small.folder).splits["description"]
    pair = [one for one in questions if one.description is not None]
    write_benchmark(
        tmp_path / "twins", {"content": questions[:2], "description-twins": pair},
        {"content": "hope", "description-twins": "twin"}, name="twins", title="", prompt="{question}", headline="content", k=1,
        dataset="", images=dict.fromkeys(["a.jpg", "b.png"]),
    )  # fmt: skip
    cup = ("a.jpg", "Is there a cup in the image?", "yes")
    half = write_labels(tmp_path / "half.json", [cup, ("b.png", pair[0].text, "no")])
    manifest, changes = relabel(read_benchmark(tmp_path / "twins"), [half], "half", "", tmp_path / "half")
    assert (list(manifest.splits), changes["description-twins"].left_out) == (["content"], 2)
    both = write_labels(tmp_path / "both.json", [cup, *(("b.png", one.text, one.label) for one in pair)])
    manifest, _ = relabel(read_benchmark(tmp_path / "twins"), [both], "both", "", tmp_path / "both")
    assert manifest.splits["description-twins"].questions == 2


def test_bad_labels_are_refused(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vase = "Is there a vase in the image?"
    one = write_labels(tmp_path / "one.json", [("a.jpg", vase, "yes")])
    other = write_labels(tmp_path / "other.json", [("a.jpg", vase, "no")])
    message = refused(capsys, "import", "labels", small.folder, one, other, "--out", tmp_path / "new")
    assert "other.json, line 1: 'vase' in a.jpg is labelled no, but not so in" in message
    maybe = write_labels(tmp_path / "maybe.json", [("a.jpg", vase, "maybe")])
    assert 'label must be "yes" or "no"' in refused(capsys, "import", "labels", small.folder, maybe, "--out", tmp_path / "new")
    far = write_labels(tmp_path / "far.json", [("z.jpg", vase, "no")])
    assert "label no question of the headline" in refused(
        capsys, "import", "labels", small.folder, far, "--out", tmp_path / "new"
    )
    assert "is the benchmark itself" in refused(capsys, "import", "labels", small.folder, one, "--out", small.folder)


@pytest.mark.real
def test_repope_over_pope_is_repope(real: Path, tmp_path: Path) -> None:
    pope = {split: real / "pope" / f"coco_pope_{split}.json" for split in ("random", "popular", "adversarial")}
    repope = {split: real / "repope" / f"coco_repope_{split}.json" for split in pope}
    import_pope(pope, "pope", "POPE", tmp_path / "pope")
    manifest, changes = relabel(read_benchmark(tmp_path / "pope"), list(repope.values()), "repope", "RePOPE", tmp_path / "re")
    assert {split: info.questions for split, info in manifest.splits.items()} == {
        "random": 2774, "popular": 2727, "adversarial": 2684,
    }  # fmt: skip
    assert {change.yes_to_no for change in changes.values()} == {139}
    assert manifest.hash == import_pope(repope, "repope", "RePOPE", tmp_path / "direct").hash
