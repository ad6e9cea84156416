"""Names in files of others: none leads out of the folder it is meant for, and no text is code in what is written of it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import hope_bench as hb
from hope_bench import HopeBenchError
from hope_bench.cli.app import print_numbers
from hope_bench.files.benchmark import write_benchmark
from hope_bench.files.card import LONGEST_NAME, check_name, slug
from hope_bench.files.frames import typed_frame
from hope_bench.files.result_file import write_result
from tests.runs import make_benchmark, make_run
from tests.small_benchmark import IMAGES, KINDS, Small, questions, write_small
from tests.unit.test_site import make_result

SECRET = "../secret.png"
NAMES = (
    "", ".", "..", "../up", "a/b", "a\\b", "/abs", "C:up", ".hidden", "-rf", "n" * 201, "a\0", "a\n- !function os.system", "a|b",
)  # fmt: skip
ELSEWHERE = (
    SECRET, "a/../../secret.png", "..\\secret.png", "/etc/x.png", "\\\\host\\x.png", "C:\\x.png", "", ".", "\0.png", "n" * 256,
)  # fmt: skip
"""Names of images that aren't in their folder, on one system or another, or can't be any file's."""


def hostile(folder: Path, image: str = IMAGES[0], **manifest: str) -> Path:
    """A benchmark whose hashes are all right, as somebody would write one who wants a file of this machine."""
    splits = {
        name: [replace(one, image=image) if one.image == IMAGES[0] else one for one in rows] for name, rows in questions().items()
    }
    fields = {"name": "small", "title": "Small", "headline": "content", "prompt": "{question}", "dataset": "drawn", **manifest}
    write_benchmark(folder, splits, KINDS, k=1, images=dict.fromkeys((image, *IMAGES[1:])), **fields)
    return folder


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The folder of a JSON file after a change of what it holds."""
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))
    return path.parent


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


class Spy:
    """A model that keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def answer(self, batch: list[object]) -> list[str]:
        self.seen += batch
        return ["yes"] * len(batch)


USES: dict[str, Callable[[Path, Small, Path], object]] = {
    "evaluate": lambda folder, small, out: hb.evaluate(Spy(), folder, images=small.images, name="spy", identity="1", runs=out),
    "inspect": lambda folder, small, out: hb.inspect(folder, images=small.images, out=out),
    **{
        to: lambda folder, small, out, to=to: hb.export(folder, to, out, images=None if to == "llava" else small.images)  # type: ignore[misc]
        for to in ("llava", "vlmevalkit", "lmms-eval", "datasets")
    },
}


@pytest.mark.parametrize("use", USES)
def test_no_picture_from_outside_of_its_folder_is_read(use: str, small: Small, tmp_path: Path) -> None:
    (small.images.parent / "secret.png").write_bytes((small.images / "b.png").read_bytes())
    for place, name in enumerate((SECRET, str((small.images.parent / "secret.png").resolve()))):
        folder = hostile(tmp_path / f"hostile-{place}", name)
        with pytest.raises(HopeBenchError, match=re.escape(f"{name!r} is no file name within a folder of images")):
            USES[use](folder, small, tmp_path / "out")
        assert not (tmp_path / "out").exists(), "the name is refused before anything is written"


def test_names_of_images_are_checked_where_they_are_read(tmp_path: Path) -> None:
    for place, name in enumerate(ELSEWHERE):
        with pytest.raises(HopeBenchError, match="is no file name within a folder of images"):
            hb.load_benchmark(hostile(tmp_path / str(place), name))
    for place, name in enumerate(("deep/er/a.jpg", "straße ü.jpg", "two..dots.png", "a b'c\"$(d).png")):
        assert name in hb.load_benchmark(hostile(tmp_path / f"fine-{place}", name)).manifest.images


@pytest.mark.parametrize("bad", NAMES, ids=ascii)
def test_names_become_files_and_tasks_so_they_are_plain(bad: str, tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match="A benchmark's name can't be"):
        hb.load_benchmark(edited(hostile(tmp_path / "one") / "manifest.json", lambda held: held.update(name=bad)))
    path = hostile(tmp_path / "two") / "manifest.json"
    with pytest.raises(HopeBenchError, match="A split's name can't be"):
        hb.load_benchmark(edited(path, lambda held: held["splits"].update({bad: held["splits"]["random"]})))
    benchmark = make_benchmark(tmp_path / "three", {"random": [("a.jpg", "dog", "yes")]})
    for field in ("name", "benchmark"):
        run = make_run(tmp_path / field, benchmark, {("a.jpg", "dog"): "yes"})
        with pytest.raises(HopeBenchError, match=r"run.json: A (run|benchmark)'s name can't be"):
            hb.load_run(edited(run / "run.json", lambda held: held.update({field: bad})))  # noqa: B023


def test_annotations_of_elsewhere_are_asked_about_by_a_name_within_the_folder(tmp_path: Path) -> None:
    names = ("/data/val/a.jpg", "../b.jpg", "C:\\pictures\\c.jpg", "d.jpg")
    path = tmp_path / "instances.json"
    path.write_text(
        json.dumps(
            {
                "images": [{"id": i, "file_name": name, "width": 9, "height": 9} for i, name in enumerate(names)],
                "annotations": [{"id": i, "image_id": i, "category_id": i % 3, "bbox": [1, 1, 5, 5]} for i in range(4)],
                "categories": [{"id": i, "name": name} for i, name in enumerate(("cat", "dog", "cup"))],
            }
        )
    )
    made = hb.generate(annotations=path, out=tmp_path / "made", strategies=["random"], k=1, sample_images="all")
    assert sorted(made.manifest.images) == ["b.jpg", "d.jpg", "data/val/a.jpg", "pictures/c.jpg"]


EVIL = "{question} \u2028!function os.system\n# Title | <script>alert(1)</script> `rm -rf /`\t\x07"


def test_texts_are_texts_in_yaml_tsv_and_markdown(small: Small, tmp_path: Path) -> None:
    folder = hostile(tmp_path / "hostile", title=EVIL, dataset=EVIL, prompt=EVIL)
    for to in ("lmms-eval", "datasets", "vlmevalkit"):
        hb.export(folder, to, tmp_path / to, images=small.images)
    (template,) = (tmp_path / "lmms-eval").glob("*_yaml")
    text = re.sub("!function utils", "utils", template.read_text(encoding="utf-8"))
    shown = yaml.safe_load(text)["lmms_eval_specific_kwargs"]["default"]
    assert shown["pre_prompt"] + "{question}" + shown["post_prompt"] == EVIL
    with next((tmp_path / "vlmevalkit").glob("*.tsv")).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    first = next(iter(questions().values()))[0]
    assert rows[0]["question"] == EVIL.replace("{question}", first.text)
    assert all(row["answer"] in ("Yes", "No") for row in rows)
    for readme in tmp_path.glob("*/README.md"):
        body = readme.read_text(encoding="utf-8")
        assert not re.search(r"(?<!\\)<script>", re.sub(r"(`+)[^`].*?(?<!`)\1(?!`)", "", body.split("\n---\n")[-1])), readme
        assert not re.search(r"^# Title", body, re.MULTILINE), readme


def test_no_cell_of_a_table_is_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tcmd", "plain", None)
    frame = typed_frame(
        [(name, 1, -0.5, None) for name in names], {"model": "string", "n": "int64", "x": "float64", "y": "Int64"}
    )
    print_numbers(frame, as_json=False)
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert [row[0] for row in rows[1:]] == [f"'{name}" for name in names[:5]] + ["plain", ""]
    assert {tuple(row[1:]) for row in rows[1:]} == {("1", "-0.5", "")}


@pytest.mark.parametrize("name", ["a" * 300, "B " * 2000, "-" * 300, "é" * 300, "a" * 199 + "--b", ""])
def test_a_name_of_any_length_can_be_a_file_s(name: str, tmp_path: Path) -> None:
    assert len(slug(name)) <= LONGEST_NAME
    assert slug(slug(name)) == slug(name)
    check_name(slug(name), "It")
    result = make_result(tmp_path, "Mine", 2)
    write_result(tmp_path / "it.json", result.model_copy(update={"run": result.run.model_copy(update={"name": name})}))
    assert hb.add_result(tmp_path / "it.json", tmp_path / "results").is_file()
