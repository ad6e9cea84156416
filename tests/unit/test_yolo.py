"""YOLO folders in all their layouts: which files are a split's, which labels are a picture's, and what each line says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hope_bench.annotations.yolo import classes_of, find_split, labels_of, read_yolo, yaml_of
from hope_bench.errors import HopeBenchError

NAMES = "names: [dog, cup]\n"


def write(folder: Path, *names: str, **texts: str) -> Path:
    """Files, empty, or with a text: `data_yaml` is data.yaml."""
    for name, text in (
        dict.fromkeys(names, "") | {key.replace("__", "/").replace("_", "."): text for key, text in texts.items()}
    ).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def split_of(path: Path, split: str = "") -> Any:
    """Names, (picture, labels), numbers of key points, the split, the other splits; or the words of the refusal."""
    root = path if path.is_dir() else path.parent
    try:
        found = find_split(path, split)
    except HopeBenchError as error:
        return str(error).replace(f"{root}/", "").replace(str(root), "ROOT")
    labels = [(name, file.relative_to(root).as_posix()) for name, file in found.labels]
    return found.names, labels, found.points, found.name, found.others


def test_the_file_that_names_the_classes(tmp_path: Path) -> None:
    assert yaml_of(tmp_path) is None
    write(tmp_path, "data.yaml", b_yml=NAMES)
    assert yaml_of(tmp_path) == tmp_path / "b.yml"
    for better in ("c.yaml", "a.yaml", "dataset.yml", "dataset.yaml", "data.yml", "data.yaml"):
        (tmp_path / better).write_text("path: .\n" + NAMES)
        assert yaml_of(tmp_path) == tmp_path / better
    assert [yaml_of(tmp_path / name) for name in ("x.YAML", "x.yml", "x.txt")] == [tmp_path / "x.YAML", tmp_path / "x.yml", None]


def test_plain_lists_of_classes(tmp_path: Path) -> None:
    assert classes_of(tmp_path) is None
    order = [
        "data/voc.names",
        "b.names",
        "a.names",
        "x/labels/classes.txt",
        "data/obj.names",
        "obj.names",
        "labels/classes.txt",
        "classes.txt",
    ]
    for better in order:
        write(tmp_path, better)
        assert classes_of(tmp_path) == tmp_path / better
    (tmp_path / "classes.txt").write_text("\ufeffdog\n\n cup \n", encoding="utf-8")
    assert split_of(tmp_path) == "ROOT holds YOLO labels (classes.txt) and no pictures. Put them into its folder images."
    write(tmp_path, "images/a.jpg", "q/b.png")
    assert split_of(tmp_path) == (("dog", "cup"), [("a.jpg", "labels/a.txt")], 0, "", ())


def test_the_labels_of_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "labels/x", "images/x/labels/y", "labels/q.txt")
    for picture, labels in (
        ("images/a.jpg", "labels/a.txt"),
        ("images/x/images/a.jpg", "images/x/labels/a.txt"),
        ("images/z/a.jpg", "images/z/a.txt"),
        ("photos/q.jpg", "labels/q.txt"),
        ("photos/r.jpg", "photos/r.txt"),
        ("photos/images", "photos/images.txt"),
        ("images/x/b/images/a.jpg", "images/x/b/images/a.txt"),
    ):
        for base in (Path(), tmp_path):
            assert labels_of(base / picture, base / picture.split("/")[0]) == base / labels


LAYOUTS: dict[str, tuple[dict[str, str], tuple[str, ...], str, Any]] = {
    "one split": (
        {"data_yaml": f"val: images/val\n{NAMES}"},
        ("images/val/b.PNG", "images/val/a.jpg", "images/val/c.txt", "labels/val/a.txt"),
        "",
        (("dog", "cup"), [("a.jpg", "labels/val/a.txt"), ("b.PNG", "labels/val/b.txt")], 0, "val", ()),
    ),
    "three splits": (
        {"data_yaml": f"train: t\nval: v\ntest: e\n{NAMES}"},
        ("t/a.jpg", "v/b.jpg", "e/c.jpg"),
        "",
        (("dog", "cup"), [("b.jpg", "v/b.txt")], 0, "val", ("train", "test")),
    ),
    "two splits": (
        {"data_yaml": f"train: t\ntest: e\n{NAMES}"},
        ("t/a.jpg", "e/c.jpg"),
        "",
        (("dog", "cup"), [("c.jpg", "e/c.txt")], 0, "test", ("train",)),
    ),
    "a split that is named": (
        {"data_yaml": f"train: t\nval: v\n{NAMES}"},
        ("t/a.jpg", "v/b.jpg"),
        "train",
        (("dog", "cup"), [("a.jpg", "t/a.txt")], 0, "train", ()),
    ),
    "another split is named": (
        {"data_yaml": f"train: t\nval: v\n{NAMES}"},
        ("t/a.jpg", "v/b.jpg"),
        "tran",
        "data.yaml has no split 'tran'; name one as files.split. Did you mean 'train'?",
    ),
    "valid": ({"data_yaml": f"valid: v\n{NAMES}"}, ("v/b.jpg",), "", (("dog", "cup"), [("b.jpg", "v/b.txt")], 0, "val", ())),
    "several folders and none": (
        {"data_yaml": f"val: [v, '', 5, w]\n{NAMES}"},
        ("v/b.jpg", "w/x/c.jpg"),
        "",
        (("dog", "cup"), [("b.jpg", "v/b.txt"), ("x/c.jpg", "w/x/c.txt")], 0, "val", ()),
    ),
    "lists": (
        {"data_yaml": f"val: [a.txt, b.txt]\n{NAMES}", "a_txt": "./images/a.jpg\n\n", "b_txt": "images/b.jpg\n"},
        ("labels/x",),
        "",
        (("dog", "cup"), [("images/a.jpg", "labels/a.txt"), ("images/b.jpg", "labels/b.txt")], 0, "val", ()),
    ),
    "below path": (
        {"data_yaml": f"path: in\nval: v\n{NAMES}"},
        ("in/v/a.jpg", "v/b.jpg"),
        "",
        (("dog", "cup"), [("a.jpg", "in/v/a.txt")], 0, "val", ()),
    ),
    "path is elsewhere": (
        {"data_yaml": f"path: out\nval: v\n{NAMES}"},
        ("v/b.jpg",),
        "",
        (("dog", "cup"), [("b.jpg", "v/b.txt")], 0, "val", ()),
    ),
    "path is no text": (
        {"data_yaml": f"path: 5\nval: v\n{NAMES}"},
        ("v/b.jpg",),
        "",
        (("dog", "cup"), [("b.jpg", "v/b.txt")], 0, "val", ()),
    ),
    "what lies here": (
        {"data_yaml": f"val: '../..\\..\\v/images'\n{NAMES}"},
        ("v/images/b.jpg", "v/labels/x"),
        "",
        (("dog", "cup"), [("b.jpg", "v/labels/b.txt")], 0, "val", ()),
    ),
    "nothing there": (
        {"data_yaml": f"val: v\n{NAMES}"},
        ("w/b.jpg",),
        "",
        "data.yaml names no folder of images that is there. Write where they are, relative to it, as train or val.",
    ),
    "no splits": (
        {"data_yaml": f"val:\n{NAMES}kpt_shape: [2, 3]\n"},
        ("w/b.jpg",),
        "",
        (("dog", "cup"), [("w/b.jpg", "w/b.txt")], 6, "", ()),
    ),
    "no splits, images": (
        {"data_yaml": NAMES},
        ("images/b.jpg", "c.jpg"),
        "",
        (("dog", "cup"), [("b.jpg", "images/b.txt")], 0, "", ()),
    ),
    "no dict": ({"data_yaml": "- names\n"}, (), "", "ROOT holds no data.yaml, which names the classes of YOLO labels."),
    "nothing": ({}, (), "", "ROOT holds no data.yaml, which names the classes of YOLO labels."),
}


@pytest.mark.parametrize(("texts", "files", "split", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_pictures_of_a_split(
    texts: dict[str, str], files: tuple[str, ...], split: str, expected: Any, tmp_path: Path
) -> None:
    found = split_of(write(tmp_path, *files, **texts), split)
    if isinstance(expected, str) and isinstance(found, str):
        assert found.startswith(expected)
    else:
        assert found == expected


def test_a_yaml_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    assert split_of(file) == "x.yaml holds no data.yaml, which names the classes of YOLO labels."
    file.write_text("- a\n")
    assert split_of(file) == "x.yaml is YAML, but no YOLO data.yaml (names, train, val)."
    file.write_text("a: [\n")
    assert split_of(file).startswith("x.yaml is not YAML: ")
    file.write_bytes(b"a: \xff\n")
    assert split_of(file).startswith("x.yaml is not YAML: ")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("[ dog , 5]", ("dog", "5")),
        ("{0: dog, 2: cup}", ("dog", "", "cup")),
        ("{'1': dog}", ("", "dog")),
        ("[]", None),
        ("{}", None),
        ("{a: dog}", None),
        ("{0: dog, -1: cup}", None),
        ("{1000000: dog}", None),
        ("dog", None),
        ("", None),
        ("5", None),
        ("{100000: dog}", (*[""] * 100_000, "dog")),
    ],
)
def test_the_names_of_classes(given: str, names: tuple[str, ...] | None, tmp_path: Path) -> None:
    found = split_of(write(tmp_path, "v/a.jpg", data_yaml=f"val: v\nnames: {given}\n"))
    lists = "data.yaml lists no class names (names: [dog, cat] or names: {0: dog, 1: cat})."
    assert found == (lists if names is None else (names, [("a.jpg", "v/a.txt")], 0, "val", ()))


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        ("[17, 3]", 51),
        ("[1, 2]", 2),
        ("[2, 0]", 0),
        ("[0, 3]", 0),
        ("[3]", 0),
        ("[2, 3, 4]", 0),
        ("5", 0),
        ("[2, x]", 0),
        ("[2, 1.5]", 0),
        ("ab", 0),
    ],
)
def test_the_shape_of_key_points(shape: str, points: int, tmp_path: Path) -> None:
    assert split_of(write(tmp_path, "v/a.jpg", data_yaml=f"val: v\nkpt_shape: {shape}\n{NAMES}"))[2] == points


def labelled(folder: Path, *texts: str | None, yaml: str = NAMES) -> Any:
    """By image its (category, box in 1/8 of the picture), and the problems; or the refusal. None has no file of labels."""
    write(folder, *(f"v/{place}.jpg" for place in range(len(texts))), data_yaml="val: v\n" + yaml)
    for place, text in enumerate(texts):
        if text is not None:
            (folder / "v" / f"{place}.txt").write_text(text, encoding="utf-8")
    try:
        made = read_yolo(folder)
    except HopeBenchError as error:
        return str(error).replace(f"{folder}", "ROOT")
    assert (made.box_units, made.boxes is not None) == ("fractions", True)
    boxes = [
        [
            (one.category, None if one.bbox is None else tuple(round(8 * side, 4) for side in one.bbox))
            for one in made.instances(image)
        ]
        for image in range(len(texts))
    ]
    return boxes, [problem.replace(folder.name, "ROOT") for problem in made.problems]


DOG, CUP = "0 0.25 0.5 0.25 0.5", "1 0.75 0.25 0.25 0.25"
THE_DOG, THE_CUP = ("dog", (1, 2, 2, 4)), ("cup", (5, 1, 2, 2))


def test_every_line_of_labels(tmp_path: Path) -> None:
    assert labelled(tmp_path / "data-a", f"\ufeff{DOG}\n\n{CUP}\n", "") == ([[THE_DOG, THE_CUP], []], [])
    assert labelled(tmp_path / "data-b", None, f"{DOG} 0.9\n{CUP} 0.8\n") == (
        [[], [THE_DOG, THE_CUP]],
        ["ROOT: 1 picture without a file of labels, counted as empty (0.jpg)."],
    )
    polygon = "1 0.625 0.125 0.875 0.125 0.875 0.375\n"
    assert labelled(tmp_path / "data-c", polygon + DOG) == ([[THE_CUP, THE_DOG]], [])
    points = "kpt_shape: [2, 3]\n" + NAMES
    assert labelled(tmp_path / "data-d", f"{DOG} 0.1 0.1 2 0.2 0.2 1\n{CUP}\n{polygon}", yaml=points) == (
        [[THE_DOG, THE_CUP, THE_CUP]],
        [],
    )
    assert labelled(tmp_path / "data-e", f"{DOG} 0.1 0.1 2", yaml="kpt_shape: [1, 3]\n" + NAMES) == ([[THE_DOG]], [])


def test_lines_of_other_classes_are_left_out(tmp_path: Path) -> None:
    reason = "line of labels left out, of a class that data.yaml doesn't name"
    strays = f"{DOG}\n-1 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n{CUP}\n9 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n"
    assert labelled(tmp_path / "data-a", strays) == (
        [[THE_DOG, THE_CUP]],
        [f"ROOT: 4 {reason.replace(' ', 's ', 1)} (0.txt: -1, 0.txt: 2, 0.txt: 9 and 1 more)."],
    )
    gap = "names: {0: dog, 2: cup}\n"
    assert labelled(tmp_path / "data-b", f"{DOG}\n1 0.5 0.5 0.1 0.1\n2{CUP[1:]}", yaml=gap) == (
        [[THE_DOG, THE_CUP]],
        [f"ROOT: 1 {reason} (0.txt: 1)."],
    )
    bad = "x" * 50 + " 0.5 0.5 0.1 0.1\n"
    boxes, (problem,) = labelled(tmp_path / "data-c", DOG, bad + CUP)
    assert boxes == [[THE_DOG], [THE_CUP]]
    assert problem.startswith(f"ROOT: 1 line of labels left out (1.txt: '{'x' * 40}': ")
    huge = "99999999999999999999 0.5 0.5 0.1 0.1\n"
    assert labelled(tmp_path / "data-d", DOG, huge + CUP)[0] == [[THE_DOG], [THE_CUP]]


def test_classes_counted_from_one(tmp_path: Path) -> None:
    shifted = "1 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n2 0.6 0.5 0.1 0.1\n"
    found = labelled(tmp_path / "data-a", shifted)
    assert found.startswith("ROOT: its categories are numbered 0 to 1, but 2 annotations name category 2, and none 0: ")
    # with as many others as make two rare: 4 x 2 numbers x 2 unknown ones are fewer than all
    rare = shifted + "".join(f"1 0.5 0.5 0.1 {side:.4f}\n" for side in np.linspace(0.1, 0.2, 14))
    assert len(labelled(tmp_path / "data-b", rare)[0][0]) == 15
    assert labelled(tmp_path / "data-c", rare.rsplit("\n", 2)[0]).startswith("ROOT: its categories are numbered")


def test_other_splits_are_told(tmp_path: Path) -> None:
    write(tmp_path, "t/x.jpg", "e/x.jpg")
    found = labelled(tmp_path, DOG, yaml="train: t\ntest: e\n" + NAMES)
    assert found == ([[THE_DOG]], ["data.yaml has several splits, of which val is read. files.split names another: train, test."])
