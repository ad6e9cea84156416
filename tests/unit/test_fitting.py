"""Annotations and the files they are about: names, sizes, turns, several files as one; whole records and whole words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from hope_bench.annotations import fitting, of_benchmark
from hope_bench.annotations.fitting import Misfits, check_layout, fit_boxes, fit_names, fit_sizes, named_within
from hope_bench.annotations.image_files import Folder, files_within, lies_in, plain_path
from hope_bench.annotations.merging import merge
from hope_bench.annotations.of_benchmark import check_images_folder, find_annotations, find_images, images_folder
from hope_bench.annotations.of_spec import dataset_files, listed_images, read_dataset
from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import BenchmarkSpec, DatasetSpec
from hope_bench.records import Annotations, Category, Image

CATEGORIES = (Category("dog"), Category("cup"))


def annotated(names: Sequence[str | Image], boxes: Any = None, **more: Any) -> Annotations:
    """A dog in every image."""
    images = tuple(Image(name) if isinstance(name, str) else name for name in names)
    count = len(images)
    held = None if boxes is None else np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return Annotations(
        CATEGORIES, images, np.arange(count + 1), np.zeros(count, np.int32), np.zeros(count, np.bool_), held, **more
    )


def fitted(names: list[str], there: set[str], files: list[str] | None = None) -> tuple[list[str], str]:
    """The names afterwards, and the last problem or the refusal; "the same" where the annotations are."""
    given = annotated(names, problems=("first",))
    try:
        found = fit_names(given, there.__contains__, None if files is None else lambda: iter(files))
    except HopeBenchError as error:
        return [], str(error)
    return [image.file_name for image in found.images], "the same" if found is given else found.problems[-1]


def test_names_as_files_are_found() -> None:
    deep = ["x/y/a.jpg", "x/y/b.jpg"]
    assert fitted(deep, {"x/y/a.jpg", "y/a.jpg"}) == (deep, "the same")
    assert fitted(deep, {"y/b.jpg", "a.jpg"}) == (["y/a.jpg", "y/b.jpg"], "first")
    assert fitted(deep, {"b.jpg"}) == (["a.jpg", "b.jpg"], "first")
    assert fitted(deep, {"x"}) == (deep, "the same")
    assert fitted(["x/y/a.jpg", "z/y/a.jpg"], {"y/a.jpg"}) == (["x/y/a.jpg", "z/y/a.jpg"], "the same")
    assert fitted([], {"a"}) == fitted([], {"a"}, ["a"]) == ([], "the same")
    # where the files are known, all must be there, or each is looked for
    assert fitted(deep, {"y/a.jpg", "y/b.jpg"}, []) == (["y/a.jpg", "y/b.jpg"], "first")
    assert fitted(deep, {"y/a.jpg"}, ["y/a.jpg", "q/b.jpg"]) == (["y/a.jpg", "x/y/b.jpg"], "first")
    assert fitted([*deep, "/c.jpg"], {"y/a.jpg"}, ["y/a.jpg", "b.jpg"]) == (["y/a.jpg", "b.jpg", "c.jpg"], "first")
    assert fitted(deep, set(), ["c.jpg"]) == (deep, "the same")


def test_names_that_could_be_several_files() -> None:
    names = [f"{name}.jpg" for name in "abcde"]
    files = [f"{folder}/{name}" for name in names[:4] for folder in "xyz"]
    told = ", ".join(f"{name}: x/{name}, y/{name} and 1 more" for name in names[:3]) + " and 1 more"
    assert fitted(names, set(), files) == (
        [],
        f"None of the 5 images is found: 4 could be several files, or share one with another image ({told}). Name the one "
        "folder that holds the images, or give them distinct names.",
    )
    assert fitted(names, set(), [*files, "e.jpg"]) == (
        names,
        f"4 images count as missing, since they could be several files, or share one with another image ({told}).",
    )
    one = (
        "1 image counts as missing, since they could be several files, or share one with another image (a.jpg: x/a.jpg, y/a.jpg)."
    )
    assert fitted(["a.jpg", "q/e.jpg"], set(), ["x/a.jpg", "y/a.jpg", "e.jpg"]) == (["a.jpg", "e.jpg"], one)


def test_many_names_are_looked_for_spread_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_PROBES", 2)
    names = [f"x/{n}.jpg" for n in range(5)]
    looked: list[str] = []
    fit_names(annotated(names), lambda name: bool(looked.append(name)))
    assert looked[:3] == [names[0], names[2], names[4]]
    assert len(looked) == 9


def test_names_that_lead_out_of_a_folder() -> None:
    def within(*names: str) -> list[str] | str:
        given = annotated(names)
        try:
            found = named_within(given)
        except HopeBenchError as error:
            return str(error)
        assert (found is given) == all(image in names for image in (one.file_name for one in found.images))
        return [image.file_name for image in found.images]

    assert within("a.jpg", "x/b.jpg") == ["a.jpg", "x/b.jpg"]
    assert within("/data/val/1.jpg", "x/b.jpg", "../c.jpg") == ["data/val/1.jpg", "x/b.jpg", "c.jpg"]
    assert within("/a.jpg", "x\\b.jpg") == ["a.jpg", "x\\b.jpg"]
    twice = "The annotations name 'a.jpg' in several folders outside of the images' own. Name each once."
    assert within("b.jpg", "/a.jpg", "../a.jpg") == twice


def test_what_does_not_fit_in_words() -> None:
    given = annotated([f"{n}.jpg" for n in range(6)])
    assert Misfits({}, {}).problems(given) == ()
    shapes, turns = {n: f"{n} x 9, not 9 x {n}" for n in range(4)}, {5: "EXIF orientation 3"}
    listed = "0.jpg: 0 x 9, not 9 x 0, 1.jpg: 1 x 9, not 9 x 1, 2.jpg: 2 x 9, not 9 x 2 and 1 more"
    shape = (
        f"4 pictures are of another shape than the annotations say, so their boxes are not used "
        f"({listed}). Were they turned or cut after they were annotated?"
    )
    turn = (
        "1 picture is turned by EXIF, and nothing says whether their boxes are on the picture as "
        "people see it or as it is stored, "
        'so their boxes are not used (5.jpg: EXIF orientation 3). Say it with dataset.orientation = "upright" or "stored".'
    )
    assert Misfits(shapes, turns).problems(given) == (shape, turn)
    assert Misfits({}, turns).problems(given) == (turn,)
    more = Misfits({}, {n: str(n) for n in range(4)}).problems(given)
    assert more[0].startswith("4 pictures are turned by EXIF")
    assert "(0.jpg: 0, 1.jpg: 1, 2.jpg: 2 and 1 more)" in more[0]


def picture(path: Path, size: tuple[int, int], orientation: int = 1) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    PillowImage.new("RGB", size).save(path, exif=exif)


BOX = (1.0, 2.0, 10.0, 5.0)
SAID: list[tuple[tuple[Any, ...], int, str | None, tuple[int, int] | str, tuple[float, ...]]] = [
    # sizes as said, the orientation of a file of 200 x 100, that of the spec, the size or misfit afterwards, and the box
    ((None, None), 1, None, (200, 100), BOX),
    ((200, None), 1, None, (200, 100), BOX),
    ((None, 7), 1, None, (200, 100), BOX),
    ((0, 7), 1, None, (200, 100), BOX),
    ((7, 0), 1, None, (200, 100), BOX),
    ((-4, -2), 1, None, (200, 100), BOX),
    ((400, 200), 1, None, (400, 200), BOX),
    ((209, 100), 1, None, (209, 100), BOX),
    ((191, 100), 1, None, (191, 100), BOX),
    ((211, 100), 1, None, "200 x 100, not 211 x 100", BOX),
    ((190, 100), 1, None, "200 x 100, not 190 x 100", BOX),
    ((100, 200), 1, None, "200 x 100, not 100 x 200", BOX),
    ((1, 9), 1, None, "200 x 100, not 1 x 9", BOX),
    ((2, 1), 1, None, (2, 1), BOX),
    ((1, 2), 6, "upright", (1, 2), BOX),
    ((200, 100), 3, "upright", (200, 100), BOX),
    ((None, None), 6, "upright", (100, 200), BOX),
    ((200, 100), 6, "upright", "100 x 200, not 200 x 100", BOX),
    ((None, None), 1, "stored", (200, 100), BOX),
    ((200, 100), 2, "stored", (200, 100), (189, 2, 10, 5)),
    ((200, 100), 3, "stored", (200, 100), (189, 93, 10, 5)),
    ((400, 200), 3, "stored", (400, 200), (389, 193, 10, 5)),
    ((None, None), 4, "stored", (200, 100), (1, 93, 10, 5)),
    ((None, None), 5, "stored", (100, 200), (2, 1, 5, 10)),
    ((400, 200), 6, "stored", (200, 400), (193, 1, 5, 10)),
    ((100, 200), 6, "stored", "200 x 100, not 100 x 200", BOX),
]


@pytest.mark.parametrize(("said", "orientation", "spec", "size", "box"), SAID)
def test_sizes_as_files_have_them(
    said: tuple[Any, ...], orientation: int, spec: Any, size: Any, box: tuple[float, ...], tmp_path: Path
) -> None:
    picture(tmp_path / "b.jpg", (200, 100), orientation)
    given = annotated([Image("none.jpg"), Image("b.jpg", *said)], [BOX, BOX], orientation=spec)
    made, misfits = fit_sizes(given, [0, 1], tmp_path)
    misfit = size if isinstance(size, str) else None
    assert misfits == Misfits({} if misfit is None else {1: misfit}, {})
    assert made.images == (Image("none.jpg"), Image("b.jpg", *(said if misfit else size)))
    assert made.boxes is not None
    assert made.boxes.tolist() == [list(BOX), pytest.approx(box)]
    assert made.fitted == {1}
    again, none = fit_sizes(made, [1, 0], tmp_path)
    assert (again.images, none, again.fitted) == (made.images, Misfits({}, {}), {1})
    assert again.boxes is not None
    assert again.boxes.tolist() == made.boxes.tolist()


def test_ratios_that_differ_by_a_twentieth_are_alike(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", (100, 100))
    for width, misfits in ((105, {}), (106, {0: "100 x 100, not 106 x 100"})):
        assert fit_sizes(annotated([Image("a.jpg", width, 100)], [BOX]), [0], tmp_path)[1].shape == misfits


def test_boxes_of_misfits_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, orientation in (("a", 6), ("b", 1), ("c", 1)):
        picture(tmp_path / f"{name}.jpg", (200, 100), orientation)
    bars: list[Any] = []

    @contextmanager
    def bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
        bars.append((title, total))
        yield bars.append

    monkeypatch.setattr(fitting, "progress_bar", bar)
    given = annotated([Image("a.jpg"), Image("b.jpg", 5, 9), Image("c.jpg")], [BOX] * 3)
    made, told = fit_boxes(given, [0, 1, 2], tmp_path)
    assert [size[:5] for size in told] == ["1 pic", "1 pic"]
    assert "(b.jpg: 200 x 100, not 5 x 9)" in told[0]
    assert "(a.jpg: EXIF orientation 6)" in told[1]
    assert made.boxes is not None
    np.testing.assert_array_equal(made.boxes, [[np.nan] * 4, [np.nan] * 4, BOX])
    assert [(one.width, one.height) for one in made.images] == [(100, 200), (5, 9), (200, 100)]
    assert bars == [("Reading the sizes of images", 3), 1, 1, 1]
    none = annotated(["a.jpg"])
    assert fit_boxes(none, [0], tmp_path) == (none, ())


def test_shares_of_pictures_that_were_turned(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", (200, 100), 3)
    made, _ = fit_sizes(annotated(["a.jpg"], [(0.1, 0.2, 0.3, 0.4)], orientation="stored", box_units="fractions"), [0], tmp_path)
    assert made.boxes is not None
    assert made.boxes.tolist() == [pytest.approx((0.6, 0.4, 0.3, 0.4))]


def test_sizes_of_files_may_tell_another_layout() -> None:
    corners = [(300, 200, 630, 470)] * 3
    before = annotated([Image("a", 99, 99), *"bcd"], [(300, 200, 630, 470), *corners])
    after = replace(before, images=tuple(Image(name, 640, 480) for name in "abcd"))
    with pytest.raises(HopeBenchError) as caught:
        check_layout(before, after, [0, 1, 2, 3], Path("x.json"))
    assert str(caught.value) == (
        "x.json gives no sizes of its images; by those of the pictures its boxes aren't (x, y, "
        "width, height). Set dataset.boxes = "
        '"xyxy", which they fit, or what they are instead ("xywh" included).'
    )
    check_layout(after, after, [0, 1, 2, 3], Path("x"))  # all were known
    check_layout(before, after, [0], Path("x"))
    check_layout(before, before, [1, 2, 3], Path("x"))  # none is
    check_layout(before, replace(after, boxes=None), [1, 2, 3], Path("x"))
    fine = replace(after, boxes=np.array([corners[0]] + [(1, 2, 300, 200)] * 3, dtype=np.float32))
    check_layout(before, fine, [1, 2, 3], Path("x"))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("C:\\x\\a.jpg", "x/a.jpg"),
        ("/x/../y/./a.jpg", "x/y/a.jpg"),
        ("http://h/x/a%20b.jpg?q=1", "x/a b.jpg"),
        ("/data/local-files/?d=x/a.jpg", "x/a.jpg"),
        ("s3://[bad/a.jpg", "s3:/[bad/a.jpg"),
        ("..", ".."),
        ("", ""),
        ("a%20b.jpg", "a%20b.jpg"),
    ],
)
def test_names_as_plain_paths(name: str, plain: str) -> None:
    assert plain_path(name) == plain


@pytest.mark.parametrize(
    ("name", "files", "found"),
    [
        ("a.jpg", ["a.jpg", "x/a.jpg"], "a.jpg"),
        ("x/a.jpg", ["y/x/a.jpg", "a.jpg"], "y/x/a.jpg"),
        ("A.jpg", ["a.jpg", "x/A.jpg"], "a.jpg"),
        ("y/A.jpg", ["q/a.jpg", "z/A.jpg"], None),
        ("q/y/A.jpg", ["y/a.jpg", "y/A.jpg"], "y/A.jpg"),
        ("a.JPG", ["a.jpeg", "a.jpg"], None),
        ("a.jpeg", ["a.jpg", "x/a.jpe"], "a.jpg"),
        ("a.jpg", ["a.png"], None),
        ("a.jpe", ["x/a.jpe", "a.jpeg"], "a.jpeg"),
        ("b/a", ["a.jpg"], "a.jpg"),
        ("b/a.jpg", ["a"], None),
        ("a.v2", ["a.v2.jpg"], "a.v2.jpg"),
        ("a%20b.jpg", ["a b.jpg"], "a b.jpg"),
        ("a%20b.jpg", ["a%20b.jpg", "a b.jpg"], "a%20b.jpg"),
        ("upload/12345678-a.jpg", ["a.jpg"], "a.jpg"),
        (".", ["a.jpg"], None),
        ("p/x/a.jpg", ["q/x/a.jpg", "r/a.jpg"], None),
        ("p/x/a.jpg", ["p/x/A.jpg", "x/a.jpg"], "p/x/A.jpg"),
        ("x/a.jpg", ["z/x/a.jpg", "y/x/a.jpg"], None),
        ("k/x/a.jpg", ["x/a.jpg", "X/a.jpg"], "x/a.jpg"),
        ("x/a.jpg", ["z/x/a.jpeg", "y/x/a.jpg"], "y/x/a.jpg"),
        ("x/a.jpg", ["x/A.jpg", "x/a.jpeg"], "x/A.jpg"),
    ],
)
def test_the_file_that_fits_best(name: str, files: list[str], found: str | None) -> None:
    assert Folder(files).find([name]).files == [found]
    assert Folder(reversed(files)).find([name]).files == [found]


def test_of_two_images_the_one_that_fits_better_has_a_file() -> None:
    assert Folder(["a.jpg"]).find(["A.jpg", "a.jpg"]).files == [None, "a.jpg"]
    assert Folder(["a.jpg"]).find(["x/a.jpg", "b.jpg", "A.jpg"]).files == [None, None, "a.jpg"]
    shared = Folder(["a.jpg", "b.jpg"]).find(["./a.jpg", "b.jpg", "a.jpg"])
    assert (shared.files, shared.unclear) == ([None, "b.jpg", None], {0: ("a.jpg",), 2: ("a.jpg",)})


def test_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "f.jpg").touch()
    linked, tmp_path = tmp_path / "other", tmp_path / "images"
    tmp_path.mkdir()
    (tmp_path / "y").symlink_to(linked)
    for name in ("b.jpg", "x/z.jpg", "x/a.jpg", "c/d/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "up").symlink_to(tmp_path)
    assert list(files_within(tmp_path)) == ["b.jpg", "c/d/e.jpg", "x/a.jpg", "x/z.jpg", "y/f.jpg"]
    assert [lies_in(tmp_path, name) for name in ("b.jpg", "x/a.jpg", "x", "q.jpg", "../b.jpg", "/b.jpg")] == [True, True] + [
        False
    ] * 4


def part(names: str, seed: int, categories: Sequence[Category] = CATEGORIES, **more: Any) -> Annotations:
    """Two instances an image."""
    rng, count = np.random.default_rng(seed), len(names)
    return Annotations(
        tuple(categories),
        tuple(Image(name) for name in names),
        2 * np.arange(count + 1),
        rng.integers(0, 2, 2 * count).astype(np.int32),
        rng.random(2 * count) < 0.5,
        **more,
    )


def said_of(made: Annotations) -> dict[str, Any]:
    """What is said of every image, by names."""

    def names(columns: Any) -> Any:
        return columns if columns is None else sorted(made.categories[column].name for column in columns)

    return {
        one.file_name: (
            made.instances(place),
            made.present(place),
            made.captions.get(place),
            names(made.also_present.get(place)),
            None if made.verified_absent is None else names(made.verified_absent.get(place)),
            names(made.not_exhaustive.get(place)),
        )
        for place, one in enumerate(made.images)
    }


def test_several_files_say_together_what_each_says() -> None:
    boxes = np.arange(16, dtype=np.float32).reshape(4, 4)
    first = part(
        "ab",
        1,
        boxes=boxes,
        areas=boxes[:, 0],
        attributes={3: {"n": 3}},
        captions={1: ("b",)},
        problems=("p", "q"),
        also_present={0: (1, 0)},
        verified_absent={1: frozenset({1})},
        not_exhaustive={0: frozenset({0})},
    )
    second = part(
        "c",
        2,
        CATEGORIES[::-1],
        attributes={0: {"n": 0}, 1: {"n": 1}},
        captions={0: ("c",)},
        problems=("q", "r"),
        also_present={0: (1,)},
        verified_absent={0: frozenset({0})},
        not_exhaustive={0: frozenset({1})},
    )
    third = part("de", 3, every_instance=False, verified_absent={}, boxes=boxes + 1, areas=None)
    made = merge([(Path(str(place)), one) for place, one in enumerate((first, second, third))])
    assert said_of(made) == said_of(first) | said_of(second) | said_of(third)
    assert (made.problems, made.every_instance, made.box_units) == (("p", "q", "r"), False, "pixels")
    assert made.boxes is not None
    assert made.areas is not None
    np.testing.assert_array_equal(made.boxes, [*boxes, *[[np.nan] * 4] * 2, *boxes + 1])
    np.testing.assert_array_equal(made.areas, [*boxes[:, 0], *[np.nan] * 6])
    plain = merge([(Path("1"), part("a", 1)), (Path("2"), part("b", 2))])
    assert (plain.boxes, plain.areas, plain.verified_absent, plain.every_instance) == (None, None, None, True)
    assert merge([(Path("1"), first)]) is first


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (part("a", 1), "x/1 and x/2 share 1 image (a): their objects would count twice. Name files of different images."),
        (
            part("dcba", 1),
            "x/1 and x/2 share 4 images (a, b, c and 1 more): their objects would count twice. Name files of different images.",
        ),
        (
            part("z", 1, [Category("dog"), Category("hat"), *map(Category, "efg")]),
            "x/1 and x/2 have other categories (1 lacks e, f, g and 1 more; 2 lacks cup): what one "
            "doesn't list, its images were not "
            "looked through for. Join only files of the same categories.",
        ),
        (
            part("z", 1, CATEGORIES[:1]),
            "x/1 and x/2 have other categories (2 lacks cup): what one doesn't list, its images were "
            "not looked through for. Join only files of the same categories.",
        ),
        (part("z", 1, box_units="fractions"), "The boxes of x/1 are pixels, those of x/2 fractions. Convert one of them."),
        (
            part("z", 1, verified_absent={}),
            "Only one of x/1 and x/2 says what is verified to be absent. Give them one at a time.",
        ),
        (part("z", 1, relationships=()), "x/1 and x/2 can't be joined: relationships are known of one dataset at a time."),
    ],
)
def test_files_that_are_not_of_one_dataset(other: Annotations, words: str) -> None:
    for between in ([], [(Path("x/0"), part("q", 1))]):
        with pytest.raises(HopeBenchError) as caught:
            merge([(Path("x/1"), part("abcd", 1)), *between, (Path("x/2"), other)])
        assert str(caught.value) == words


def test_lists_of_images(tmp_path: Path) -> None:
    given, path = annotated([f"v/{n}.jpg" for n in range(5)]), tmp_path / "list.txt"
    path.write_text("v/1.jpg\n\n 3.jpg \nv/1.jpg\n")
    assert listed_images(path, given) == ({1, 3}, ())
    path.write_text("q\nv/1.jpg\nr\ns\nt\n")
    assert listed_images(path, given) == ({1}, ("list.txt: 4 of its 5 images are not in the annotations (q, r, s and 1 more).",))
    for text, of in (("q\nr\nq\ns\n", "3 lines, such as q, r and 1 more"), ("\n", "0 lines, such as none")):
        path.write_text(text)
        with pytest.raises(HopeBenchError) as caught:
            listed_images(path, given)
        names = f"({of}; they name v/0.jpg, v/1.jpg and 3 more). Write one file name a line."
        assert str(caught.value) == f"{path} names no image of the annotations {names}"


def test_the_files_of_a_spec(tmp_path: Path) -> None:
    lines = [tmp_path / f"{n}.jsonl" for n in range(2)]
    for name, line in zip("ab", lines, strict=True):
        line.write_text(f'{{"image": "{name}.jpg", "objects": ["dog"]}}\n')
    dataset = DatasetSpec(annotations=tuple(map(str, lines)), orientation="stored")
    both = read_dataset(dataset)
    assert ([one.file_name for one in both.images], both.orientation) == (["a.jpg", "b.jpg"], "stored")
    assert [one.file_name for one in read_dataset(dataset, lines[1:]).images] == ["b.jpg"]
    assert dataset_files(dataset) == tuple(lines)
    listed = dataset.model_copy(update={"image_list": "list.txt", "annotations": (str(lines[0]), str(lines[0]))})
    assert dataset_files(listed) == (lines[0], Path("list.txt"))
    lines[1].write_text('{"image": "b.jpg", "objects": ["Dog"]}\n')
    with pytest.raises(HopeBenchError, match="have other categories"):
        read_dataset(dataset)


def test_captions_of_a_spec(tmp_path: Path) -> None:
    file, captions = tmp_path / "x.json", tmp_path / "captions.json"
    content = {"images": [{"id": 1, "file_name": "a"}], "annotations": [], "categories": [{"id": 1, "name": "dog"}]}
    file.write_text(json.dumps(content))
    captions.write_text('{"annotations": [{"image_id": 1, "caption": "a dog"}]}')
    dataset = DatasetSpec(annotations=str(file), captions=str(captions))
    assert (read_dataset(dataset).captions, read_dataset(dataset, captions=False).captions) == ({0: ("a dog",)}, {})
    assert dataset_files(dataset) == (file, captions)
    assert read_dataset(dataset).orientation is None


def benchmark(folder: Path, dataset: DatasetSpec | None = None, spec: str | None = None) -> Any:
    """What is asked of one: its images, how it was made, and perhaps its spec.toml."""
    folder.mkdir(exist_ok=True)
    if spec is not None:
        head = 'name = "x"\nstrategies = ["random"]\nheadline = "random"\n'
        (folder / "spec.toml").write_text(f"{head}[dataset]\n{spec}\n")
    made = None if dataset is None else BenchmarkSpec(name="x", strategies=("random",), headline="random", dataset=dataset)
    images = {"a.jpg": "", "b.jpg": "", "c.jpg": "", "d.jpg": ""}
    return SimpleNamespace(folder=folder, manifest=SimpleNamespace(name="mine", images=images, spec=made))


def test_where_the_images_of_a_benchmark_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = tmp_path / "remembered"
    monkeypatch.setattr(of_benchmark, "remembered_images", lambda _: remembered)
    plain, named = benchmark(tmp_path / "plain"), benchmark(tmp_path / "named", spec=f'images = "{tmp_path / "there"}"')
    assert (images_folder(plain, tmp_path), images_folder(plain, None), images_folder(named, None)) == (
        tmp_path,
        None,
        tmp_path / "there",
    )
    remembered.mkdir()
    (remembered / "x.jpg").touch()
    assert images_folder(named, None) == tmp_path / "there"
    (remembered / "b.jpg").touch()
    assert images_folder(named, None) == images_folder(plain, None) == find_images(plain, None) == remembered
    monkeypatch.setattr(of_benchmark, "remembered_images", lambda _: None)

    def refused(of: Any, given: Path | None = None) -> str:
        with pytest.raises(HopeBenchError) as caught:
            find_images(of, given)
        return str(caught.value).replace(f"{tmp_path}/", "")

    nothing = "Nothing says where the images of mine are: {}. Give it with --images FOLDER."
    assert refused(plain) == nothing.format("plain holds no spec.toml that could name their folder")
    assert refused(benchmark(tmp_path / "bare", spec="")) == nothing.format("its spec.toml names no folder")
    made = benchmark(tmp_path / "made", DatasetSpec(images="gone"))
    assert refused(made) == nothing.format("the folder gone that it was generated from is not where it was")
    assert refused(benchmark(tmp_path / "other", DatasetSpec())) == nothing.format(
        "other holds no spec.toml that could name their folder"
    )
    assert refused(named) == "The images folder there does not exist or is no folder. Give the right one with --images."
    none = (
        "The images folder plain holds none of the 4 images to ask about (a.jpg, b.jpg, c.jpg and "
        "1 more). Give the right one with --images FOLDER."
    )
    assert refused(plain, tmp_path / "plain") == none
    assert check_images_folder(remembered, ["q.jpg", "b.jpg"], plain) == remembered


def test_the_annotations_of_a_benchmark(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"image": "x/b.jpg", "objects": ["dog"]}\n')
    said: list[str] = []

    def names(of: Any, *given: Any) -> list[str] | None:
        found = find_annotations(of, *given, say=said.append)
        return None if found is None else [image.file_name for image in found.images]

    plain, named = benchmark(tmp_path / "plain"), benchmark(tmp_path / "named", spec=f'annotations = "{lines}"')
    assert names(plain, None) is None
    assert (
        names(plain, lines)
        == names(named, None)
        == names(named, None, lines.stat().st_size)
        == names(named, lines, 1)
        == ["b.jpg"]
    )
    assert names(benchmark(tmp_path / "gone", spec=f'annotations = ["{lines}", "gone.json"]'), None) is None
    assert said == []
    assert names(named, None, lines.stat().st_size - 1) is None
    assert said == ["Object sizes are left out, as lines.jsonl takes long to read. Pass --annotations to have them."]
    coco = tmp_path / "x.json"
    rows = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 5, 6]}]
    coco.write_text(
        json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "dog"}], "annotations": rows})
    )
    made = benchmark(tmp_path / "made", DatasetSpec(annotations="gone.json", images="gone", boxes="xyxy", orientation="stored"))
    found = find_annotations(made, coco)
    assert found is not None
    assert (found.orientation, found.instances(0)[0].bbox) == ("stored", (1, 2, 4, 4))
    assert names(made, None) is None
