"""YOLO (Ultralytics): data.yaml with the class names and splits, and one text file of labels per picture, read with supervision.

Layout (docs.ultralytics.com/datasets/detect): images/SPLIT/1.jpg has its labels in labels/SPLIT/1.txt, Roboflow's
SPLIT/images/1.jpg in SPLIT/labels/1.txt; a line is a class number and a box (centre x, centre y, width, height), a polygon, or a
box and key points, all as fractions of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hope_bench.annotations.collected import Collected, corners_as_boxes, each_or_none, no_duplicates, parsers
from hope_bench.annotations.ids import Id, check_first_number
from hope_bench.annotations.segments import Box
from hope_bench.errors import HopeBenchError, did_you_mean, short_reason
from hope_bench.files.reading import check_regular, read_bytes
from hope_bench.records import Annotations, Image

SPLITS = ("train", "val", "test")
_FIRST = ("val", "test", "train")
"""Of several splits the first of these is read: models are trained on the others."""
_PICTURES = frozenset((".bmp", ".dng", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"))


@dataclass(frozen=True, slots=True)
class YoloSplit:
    """One split: the `yaml`, the class `names`, each picture's name relative to the split's images and its labels' file, and how
    many numbers a line's key points have. `name` is the split's, "" where there are none; `others` were there, and nobody
    said which."""

    yaml: Path
    names: tuple[str, ...]
    labels: tuple[tuple[str, Path], ...]
    points: int = 0
    name: str = ""
    others: tuple[str, ...] = ()


def yaml_of(path: Path) -> Path | None:
    """The data.yaml at or in a path, None where there is none."""
    if path.is_dir():
        named = [path / name for name in ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")]
        found = [file for file in (*named, *sorted(path.glob("*.yaml")), *sorted(path.glob("*.yml"))) if file.is_file()]
        return next((file for file in found if _lists_names(file)), None)
    return path if path.suffix.lower() in (".yaml", ".yml") else None


def classes_of(folder: Path) -> Path | None:
    """The file that lists the classes, one a line, of a folder without data.yaml: labelImg's and Label Studio's classes.txt,
    CVAT's obj.names, darknet's own data/obj.names (or voc.names). None where there is none."""
    named = [folder / name for name in ("classes.txt", "labels/classes.txt", "obj.names", "data/obj.names")]
    inner = [one for form in ("*/labels/classes.txt", "*.names", "data/*.names") for one in sorted(folder.glob(form))]
    return next((file for file in (*named, *inner) if file.is_file()), None)


def _lists_names(file: Path) -> bool:
    return any(line.startswith("names") for line in read_bytes(file).decode(errors="replace").splitlines())


def find_split(path: Path, split: str = "") -> YoloSplit:
    """The split that is named, else what there is of val, test and train. Raises HopeBenchError."""
    parsers("yolo")  # tells what to install, before yaml is missed
    import yaml

    file = yaml_of(path)
    if file is None and path.is_dir() and (classes := classes_of(path)) is not None:
        return _without_yaml(path, classes)
    if file is None or not file.is_file():
        raise HopeBenchError(f"{path} holds no data.yaml, which names the classes of YOLO labels.")
    try:
        text = file.read_text(encoding="utf-8")
        # A few lines of aliases of aliases stand for more than any memory holds.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise HopeBenchError(f"{file} isn't read: it repeats values by aliases (*NAME). Write them out.")
        data = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HopeBenchError(f"{file} is not YAML: {short_reason(error)}.") from None
    if not isinstance(data, dict):
        raise HopeBenchError(f"{file} is YAML, but no YOLO data.yaml (names, train, val).")
    # As they stand: YAML alone makes False of a class "no", and 1 of "01".
    names = _names(file, yaml.load(text, yaml.BaseLoader).get("names"))
    there = {name: found for name in SPLITS if (found := _pictures(file, data, name))}
    if not there and not any(data.get(name) for name in (*SPLITS, "valid")):  # supervision's as_yolo names none
        return replace(_of_folder(file.parent, file, names), points=_points(data.get("kpt_shape")))
    if not there:
        raise HopeBenchError(
            f"{file} names no folder of images that is there. Write where they are, relative to it, as train or val."
        )
    if split and split not in there:
        raise HopeBenchError(f"{file} has no split {split!r}; name one as files.split. {did_you_mean(split, there)}")
    chosen = split or next(name for name in _FIRST if name in there)
    others = () if split else tuple(name for name in there if name != chosen)
    return YoloSplit(file, names, tuple(there[chosen]), _points(data.get("kpt_shape")), chosen, others)


def _without_yaml(path: Path, classes: Path) -> YoloSplit:
    lines = [line.strip() for line in classes.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
    return _of_folder(path, classes, _names(classes, [line for line in lines if line]))


def _of_folder(path: Path, classes: Path, names: tuple[str, ...]) -> YoloSplit:
    """All pictures of a folder that has no splits."""
    place = path / "images" if (path / "images").is_dir() else path
    pictures = sorted(file for file in place.rglob("*") if file.suffix.lower() in _PICTURES)
    if not pictures:
        raise HopeBenchError(f"{path} holds YOLO labels ({classes.name}) and no pictures. Put them into its folder images.")
    return YoloSplit(classes, names, tuple((file.relative_to(place).as_posix(), labels_of(file, place)) for file in pictures))


_MOST_DIGITS = 6
"""Of a class's number: nobody has a million classes."""


def _names(file: Path, given: Any) -> tuple[str, ...]:
    if isinstance(given, dict) and given and all(str(key).isdecimal() and len(str(key)) <= _MOST_DIGITS for key in given):
        places = {int(key): str(name) for key, name in given.items()}
        given = [places.get(place, "") for place in range(max(places) + 1)]
    if not isinstance(given, list) or not given:
        raise HopeBenchError(f"{file} lists no class names (names: [dog, cat] or names: {{0: dog, 1: cat}}).")
    names = tuple(str(name).strip() for name in given)
    no_duplicates(file, [name for name in names if name])
    return names


def _points(shape: Any) -> int:
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(one, int) and one > 0 for one in shape):
        return int(shape[0] * shape[1])
    return 0


def _pictures(file: Path, data: Mapping[str, Any], split: str) -> list[tuple[str, Path]]:
    """Each picture's name and labels' file of a split; empty where its images aren't there."""
    given = data.get(split, data.get("valid") if split == "val" else None)
    found: list[tuple[str, Path]] = []
    for one in given if isinstance(given, list) else [given]:
        place = _place(file, data.get("path"), one) if isinstance(one, str) and one.strip() else None
        if place is not None and place.is_dir():
            pictures = sorted(path for path in place.rglob("*") if path.suffix.lower() in _PICTURES)
            found += [(path.relative_to(place).as_posix(), labels_of(path, place)) for path in pictures]
        elif place is not None:
            check_regular(place)
            lines = [line.strip() for line in place.read_text(encoding="utf-8").splitlines() if line.strip()]
            named = [(line.removeprefix("./"), place.parent / line) for line in lines]
            found += [(name, labels_of(path, path.parent)) for name, path in named]
    return found


def _place(file: Path, root: Any, name: str) -> Path | None:
    """Where a split's images are: below `path`, else beside data.yaml; Roboflow writes ../train/images for what lies there."""
    roots = [file.parent / root] if isinstance(root, str) and root else []
    inner = name.replace("\\", "/")
    candidates = [base / inner for base in (*roots, file.parent)]
    while inner.startswith("../"):
        inner = inner.removeprefix("../")
        candidates.append(file.parent / inner)
    return next((one for one in candidates if one.exists()), None)


def labels_of(picture: Path, images: Path) -> Path:
    """A picture's labels' file: the last folder `images` in its path is `labels` there; else it lies beside the picture."""
    parts = list(picture.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place] == "images":
            other = Path(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt")
            return other if other.parent.is_dir() else picture.with_suffix(".txt")
    beside = images.parent / "labels" / picture.relative_to(images).with_suffix(".txt")
    return beside if beside.is_file() else picture.with_suffix(".txt")


def _without_points(line: str, points: int) -> str:
    """A line of labels without its key points, which supervision would take for a polygon's."""
    numbers = line.split()
    return " ".join(numbers[:-points]) if points and len(numbers) == 5 + points else line


def read_yolo(path: Path, split: str = "") -> Annotations:
    """Read a split of a YOLO dataset from its folder or data.yaml; boxes are fractions of the picture.

    Image files are named relative to the split's folder of images. Lines that can't be read are left out and counted. Raises
    HopeBenchError where data.yaml isn't in its layout, or nothing can be used.
    """
    chosen = find_split(path, split)
    yolo = parsers("yolo")

    def corners(lines: Sequence[str]) -> list[tuple[int, Box]]:
        cut = [_without_points(line, chosen.points) for line in lines]
        try:
            found = yolo.yolo_annotations_to_detections(lines=cut, resolution_wh=(1, 1), with_masks=False)
        except (OverflowError, RuntimeWarning) as error:  # a class or a side beyond what a number can be
            raise ValueError(short_reason(error)) from None
        assert found.class_id is not None, "each line has a class"
        return list(zip(found.class_id.tolist(), corners_as_boxes(found.xyxy), strict=True))

    collected = Collected(path, {name: place for place, name in enumerate(name for name in chosen.names if name)})
    names, strays = list(collected.vocabulary), list[Id]()
    for name, file in chosen.labels:
        collected.add_image(Image(name))
        if not file.is_file():
            collected.leave_out("picture without a file of labels, counted as empty", name)
            continue
        lines = [line for line in file.read_text(encoding="utf-8-sig", errors="replace").splitlines() if line.strip()]
        for line, made, why in each_or_none(corners, lines):
            if made is None:
                collected.leave_out("line of labels left out", f"{file.name}: {line[:40]!r}: {why}")
            elif not (0 <= made[0] < len(chosen.names) and chosen.names[made[0]]):
                strays.append(made[0])
                collected.leave_out("line of labels left out, of a class that data.yaml doesn't name", f"{file.name}: {made[0]}")
            else:
                collected.add(chosen.names[made[0]], made[1])
    if strays:
        used = {names[place] for place in set(collected.category_of)}
        known: dict[Id, bool] = {place: name in used for place, name in enumerate(chosen.names)}
        check_first_number(path, known, strays, len(strays) + len(collected.category_of))
    made = collected.annotations("fractions")
    if not chosen.others:
        return made
    others = ", ".join(chosen.others)
    told = f"{chosen.yaml.name} has several splits, of which {chosen.name} is read. files.split names another: {others}."
    return replace(made, problems=(told, *made.problems))
