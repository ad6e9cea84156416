"""Bad input through the command line: a paragraph that says what, where and what to do; exit code 2; nothing written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from hope_bench.cli import app
from tests.cli import hope_bench, refused
from tests.unit.test_annotations import coco_file

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text('name = "mine"\nsample_images = 2\nk = 1\nstrategies = ["random", "popular"]\nheadline = "popular"\n')
    return path


def generate(capsys: Capture, spec: Path, annotations: Path, *more: object) -> str:
    out = spec.parent / "out"
    message = refused(capsys, "generate", spec, "--annotations", annotations, "--out", out, *more)
    assert not out.exists()
    return message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"annotations": None}, ["not a COCO instances file", "annotations"]),
        ({"annotations": [{"image_id": 55, "category_id": 1, "bbox": [0, 0, 1, 1]}]}, ["1 annotation names 1 image id ", "55"]),
        ({"annotations": [{"image_id": 3, "category_id": 55, "bbox": [0, 0, 1, 1]}]}, ["1 category id ", "55"]),
        ({"annotations": []}, ["0 images with at least 1", "2 are wanted", "Is it the right file?"]),
    ],
)
def test_annotations_that_do_not_fit(capsys: Capture, spec: Path, changes: dict[str, Any], words: list[str]) -> None:
    message = generate(capsys, spec, coco_file(spec.parent, **changes))
    for word in [*words, "instances.json"]:
        assert word in message


def test_annotations_that_are_no_json_or_missing(capsys: Capture, spec: Path) -> None:
    assert "does not exist" in generate(capsys, spec, spec.parent / "no.json")
    path = spec.parent / "instances.json"
    for text, said in (("<html>", "is a web page"), ('{"images": [', "not JSON")):
        path.write_text(text)
        assert said in generate(capsys, spec, path)
    path.write_text(json.dumps({"annotations": [{"image_id": 1, "caption": "x"}], "images": [], "categories": []}))
    assert "not a COCO instances file" in generate(capsys, spec, path)


def test_unknown_names_and_keys(capsys: Capture, spec: Path, tmp_path: Path) -> None:
    assert "Did you mean 'hope-coco'" in refused(capsys, "generate", "hope-cocoo")
    spec.write_text(spec.read_text() + "sede = 1\n")
    assert "Did you mean 'seed'" in refused(capsys, "generate", spec)
    questions = benchmark(capsys, tmp_path)
    assert "Did you mean 'demo-llava'" in refused(capsys, "evaluate", "--model", "demo-llavva", "--benchmark", questions)
    message = refused(capsys, "evaluate", "--model", "demo-llava", "--benchmark", tmp_path / "b", "--split", "populer")
    assert "Did you mean 'popular'" in message
    assert "No benchmark" in refused(capsys, "evaluate", "--model", "demo-llava", "--benchmark", "nothing")


def benchmark(capsys: Capture, folder: Path) -> Path:
    (folder / "own").mkdir(exist_ok=True)
    path = folder / "own" / "spec.toml"
    path.write_text('name = "own"\nsample_images = 2\nk = 1\nstrategies = ["random", "popular"]\nheadline = "popular"\n')
    out = folder / "b"
    outcome = hope_bench(capsys, "generate", path, "--annotations", coco_file(folder), "--out", out)
    assert outcome.code == 0, outcome.err
    assert "popular" in outcome.out
    return out


def test_usage_errors_and_help(capsys: Capture) -> None:
    assert hope_bench(capsys, "generate").code == 2
    assert hope_bench(capsys, "generate", "x", "--bogus").code == 2
    for command in ([], ["generate"], ["evaluate"], ["score"], ["leaderboard"], ["leaderboard", "build"], ["import"], ["demo"]):
        outcome = hope_bench(capsys, *command, "--help")
        assert outcome.code == 0
        assert "Usage" in outcome.out
    assert hope_bench(capsys, "--version").out.strip() == "0.1.0"


def test_help_is_whole_at_80_columns(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """No option, default or file name is cut off in a terminal of the usual width."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)

    def commands(at: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        yield path
        for name, inner in getattr(at, "commands", {}).items():
            yield from commands(inner, (*path, name))

    listed = list(commands(typer.main.get_command(app)))
    assert ("leaderboard", "build") in listed
    for path in listed:
        assert "…" not in hope_bench(capsys, *path, "--help").out, path
