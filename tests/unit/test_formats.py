"""Which format files have; names as words; boxes checked against their images."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from hope_bench.annotations import detect_format, read_annotations
from hope_bench.annotations.columns import TOLERANCE, clean_boxes
from hope_bench.annotations.fitting import fit_boxes, fit_names, named_within
from hope_bench.annotations.wording import _unless_equal, alternatives, plain_names, spoken_names
from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.spec import DatasetSpec
from hope_bench.records import Image
from tests.datasets import (
    hf_dataset,
    lvis_file,
    objects365_file,
    open_images_folder,
    visual_genome_folder,
    write_json,
)


def test_formats_are_told_from_the_files(tmp_path: Path) -> None:
    hf_dataset().save_to_disk(tmp_path / "hf")
    objects = tmp_path / "pope.json"
    objects.write_text('{"image": "a.jpg", "objects": ["cup"]}\n')
    for path, expected in (
        (objects365_file(tmp_path), "coco"),
        (lvis_file(tmp_path), "coco"),  # which of the two shows once decoded
        (open_images_folder(tmp_path / "oi"), "open-images"),
        (tmp_path / "oi" / "validation-annotations-bbox.csv", "open-images"),
        (visual_genome_folder(tmp_path / "vg"), "visual-genome"),
        (tmp_path / "hf", "hf-dataset"),
        (objects, "object-list"),
    ):
        assert detect_format(path) == expected
        assert DatasetSpec(format=expected).format == expected
    with pytest.raises(HopeBenchError, match="name the file itself"):
        read_annotations(tmp_path)
    with pytest.raises(HopeBenchError, match="is a folder"):
        read_annotations(tmp_path, "coco")
    other = tmp_path / "other.csv"
    other.write_text("image,object\n")
    with pytest.raises(HopeBenchError, match="no Open Images CSV"):
        read_annotations(other)
    empty = tmp_path / "empty.json"
    empty.write_text("\n[\n ]\n")
    with pytest.raises(HopeBenchError, match="empty list: no annotations"):
        read_annotations(empty, captions=objects)
    with pytest.raises(HopeBenchError, match="captions go with COCO"):
        read_annotations(tmp_path / "oi", captions=objects)
    with pytest.raises(HopeBenchError, match="columns are those of"):
        read_annotations(objects, columns={"image": "x"})


def test_importing_the_readers_is_light() -> None:
    code = (
        "import hope_bench.annotations, sys; print([m for m in ('torch', 'pandas', 'datasets', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_documented_specs_are_valid() -> None:
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    specs = [tomllib.loads(block)["dataset"] for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    read = [DatasetSpec.model_validate(spec) for spec in specs]
    assert [sorted(spec.files) for spec in read] == [[], ["boxes", "classes", "hierarchy", "labels"], ["split"]]


def test_names_as_words() -> None:
    lvis = ["mouse_(computer)", "mouse", "pan_(for_cooking)", "a_b", "a b", "monitor_(computer_equipment) computer_monitor"]
    assert plain_names(lvis) == ["mouse (computer)", "mouse", "pan", "a_b", "a b", "monitor"]
    objects365 = {
        "Person": "person", "Cabinet/shelf": "cabinet or shelf", "Moniter/TV": "monitor or TV", "SUV": None, "Bakset": "basket",
        "Street Lights": "street lights", "American Football": "American football", "Cigar/Cigarette ": "cigar or cigarette",
    }  # fmt: skip
    assert spoken_names(list(objects365)) == list(objects365.values())
    # the published list of Objects365 has one name in lower case
    many = [*objects365, "earphone", *(f"Thing {number}" for number in range(20))]
    assert spoken_names(many)[: len(objects365)] == list(objects365.values())
    assert alternatives("Cutting/chopping Board") == ("Cutting Board", "chopping Board")
    assert alternatives("Cabinet/shelf") == ("Cabinet", "shelf")
    assert alternatives("A/C unit") == ()
    # capitals that not every name has say something
    assert spoken_names(["person", "Eiffel Tower", "traffic_light"]) == [None, None, "traffic light"]
    assert spoken_names(["Cat", "cat"]) == [None, None]
    # Open Images' remarks go where names stay distinct
    assert spoken_names(["Drill (Tool)", "Bat (Animal)", "Bat (Stick)"]) == ["drill", "bat (animal)", "bat (stick)"]


@given(st.lists(st.tuples(*[st.floats(-30, 50, width=32)] * 4), max_size=6), st.sampled_from([(20, 10), (None, None)]))
def test_boxes_against_a_loop(boxes: list[tuple[float, ...]], size: tuple[int | None, int | None]) -> None:
    cleaned = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    problems = clean_boxes(cleaned, np.zeros(len(boxes), np.int32), [Image("a.jpg", *size)], "f.json", "pixels")
    cut = empty = 0
    for row, (x, y, width, height) in zip(cleaned.tolist(), np.array(boxes, np.float32).reshape(-1, 4).tolist(), strict=True):
        right, bottom = np.float32(x) + np.float32(width), np.float32(y) + np.float32(height)
        limit = [size[0] or np.inf, size[1] or np.inf]
        tolerance = TOLERANCE["pixels"]
        if width > 0 and height > 0 and (min(x, y) < -tolerance or right > limit[0] + tolerance or bottom > limit[1] + tolerance):
            x, y, right, bottom = max(x, 0), max(y, 0), min(right, limit[0]), min(bottom, limit[1])
            width, height = right - np.float32(x), bottom - np.float32(y)
            cut += bool(width > 0 and height > 0)
        if width > 0 and height > 0:
            assert row == pytest.approx([x, y, width, height])
        else:
            empty += 1
            assert np.isnan(row).all()
    assert sum(counted(cut, "box reaches", "boxes reach") in problem for problem in problems) == (cut > 0)
    assert sum(counted(empty, "box has no size", "boxes have no size") in problem for problem in problems) == (empty > 0)


def test_images_are_named_as_they_are_found(tmp_path: Path) -> None:
    """Objects365's archives hold patch8/..., LVIS' images may be at hand as the folder val2017 itself."""
    objects365 = read_annotations(objects365_file(tmp_path))
    names = [image.file_name for image in objects365.images]
    shorter = [name.removeprefix("images/v1/").removeprefix("images/v2/") for name in names]
    for there, expected in (
        ({names[1]}, names),
        ({shorter[1]}, shorter),
        ({shorter[0].split("/")[1]}, [name.split("/")[1] for name in shorter]),
        (set(), names),
    ):
        assert [image.file_name for image in fit_names(objects365, there.__contains__).images] == expected
    same = replace(objects365, images=(Image("a/1.jpg"), Image("b/1.jpg")))
    assert fit_names(same, {"1.jpg"}.__contains__) is same, "shorter names would be equal"


def test_no_images_name_leads_out_of_their_folder(tmp_path: Path) -> None:
    annotations = read_annotations(objects365_file(tmp_path))
    assert named_within(annotations) is annotations

    def named(*names: str) -> list[str]:
        return [one.file_name for one in named_within(replace(annotations, images=tuple(map(Image, names)))).images]

    assert named("/data/val/1.jpg", "../2.jpg", "val/3.jpg", "C:\\val\\4.jpg") == [
        "data/val/1.jpg",
        "2.jpg",
        "val/3.jpg",
        "val/4.jpg",
    ]
    with pytest.raises(HopeBenchError, match=r"name '1\.jpg' in several folders outside of the images' own"):
        named("/1.jpg", "../1.jpg", "2.jpg")


@pytest.mark.parametrize("size", [{}, {"width": 0, "height": 0}])
def test_a_size_that_annotations_leave_out_is_the_pictures(tmp_path: Path, size: dict[str, int]) -> None:
    images = [{"id": n, "file_name": f"{n}.png"} | size for n in range(2)]
    box = {"image_id": 0, "category_id": 0, "bbox": [1, 1, 5, 5]}
    data = {"images": images, "annotations": [box], "categories": [{"id": 0, "name": "cup"}]}
    annotations = read_annotations(write_json(tmp_path / "instances.json", data))
    assert annotations.extent(0) is None
    PillowImage.new("RGB", (40, 30)).save(tmp_path / "0.png")
    fitted, told = fit_boxes(annotations, [0, 1], tmp_path)
    assert (fitted.extent(0), fitted.extent(1), told) == ((40, 30), None, ())
    assert fitted.instances(0)[0].bbox == (1, 1, 5, 5)


def test_a_name_that_another_category_bears_or_bore_is_not_given() -> None:
    assert _unless_equal(["x", "y", "z"], ["a", "b", "z"]) == ["x", "y", "z"]
    assert _unless_equal(["x", "x", "y"], ["a", "b", "x"]) == ["a", "b", "y"]
    assert _unless_equal(["x", "y"], ["a", "x"]) == ["a", "y"]
