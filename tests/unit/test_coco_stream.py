"""Objects365, and COCO files too large for memory: the same whole and as a stream."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hope_bench.annotations import coco_file, coco_stream, read_annotations
from hope_bench.errors import HopeBenchError
from hope_bench.records import Image
from tests.datasets import (
    objects365_file,
)


@pytest.mark.parametrize("stream", [False, True])
def test_objects365_whole_and_as_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0 if stream else 1 << 40)
    annotations = read_annotations(objects365_file(tmp_path))
    assert [category.name for category in annotations.categories] == ["Person", "Cabinet/shelf", "Moniter/TV"]
    assert [category.in_words for category in annotations.categories] == ["person", "cabinet or shelf", "monitor or TV"]
    assert annotations.categories[1].synonyms == ("Cabinet", "shelf")
    assert annotations.images[0] == Image("images/v1/patch8/objects365_v1_00420917.jpg", 769, 512)
    assert annotations.present(0) == ("Moniter/TV", "Person")
    first, crowd, rounded = annotations.instances(0)
    assert first.bbox == pytest.approx((491.4, 88.2, 35.7, 44.4))
    assert (crowd.crowd, crowd.bbox) == (True, (700, 500, 69, 12))  # cut to the image
    assert rounded.bbox == (768.5, 1, 1, 1)  # less than a pixel beyond it
    assert [instance.bbox for instance in annotations.instances(1)] == [None, None]  # no size; wholly outside
    assert annotations.present(1) == ("Cabinet/shelf",)
    assert annotations.extent(0) == (769, 512)
    cut, empty = annotations.problems
    assert "1 box reaches beyond the image" in cut
    assert "(annotations 3," in cut
    assert "2 boxes have no size" in empty
    assert "(annotations 2, 4," in empty


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        (
            [{"image_id": 1, "category_id": 13, "bbox": [1, 2, 3]}],
            ["not a COCO instances file", "none has a bbox of four numbers"],
        ),
        ([{"image_id": 1, "bbox": [0, 0, 1, 1]}] * 2, ["not a COCO instances file", "2 without a category_id"]),
        ([{"image_id": 1, "category_id": 99, "bbox": [0, 0, 1, 1]}], ["category id ", "99"]),
        ([{"image_id": 2, "category_id": 13, "bbox": [0, 0, 1, 1]}], ["image id ", "2"]),
    ],
)
def test_a_stream_is_refused_as_a_whole_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, annotations: list[dict[str, Any]], words: list[str]
) -> None:
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    path = objects365_file(tmp_path, annotations)
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_streams_that_are_no_coco_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    path = objects365_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(HopeBenchError, match=r"not JSON .*cut off"):
        read_annotations(path)
    images, categories = [{"id": 1, "file_name": "a.jpg"}], [{"id": 1, "name": "dog"}]
    for data in ({"info": {}}, {"images": images, "annotations": []}, {"categories": categories, "images": []}):
        path.write_text(json.dumps(data))
        with pytest.raises(HopeBenchError, match="it lists no categories or no images"):
            read_annotations(path)


def test_attributes_stay_with_their_annotation_in_a_stream_of_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"image_id": 420917 if n % 3 else 1, "category_id": 13, "bbox": [n, 0, 1, 1], "attributes": {"n": n}} for n in range(9)
    ]
    path = objects365_file(tmp_path, rows)
    monkeypatch.setattr("hope_bench.annotations.coco_stream._BATCH", 2)
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    annotations = read_annotations(path)
    for image, expected in ((0, [1, 2, 4, 5, 7, 8]), (1, [0, 3, 6])):
        assert [one.attributes["n"] for one in annotations.instances(image)] == expected
        assert [one.bbox and one.bbox[0] for one in annotations.instances(image)] == expected


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_places_are_those_in_the_file_over_several_batches(bom: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_stream, "_BATCH", 2)
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    images: list[Any] = [{"id": number, "file_name": f"{number}.jpg"} for number in range(7)]
    images[2] = images[5] = None
    rows: list[Any] = [{"image_id": 0, "category_id": 1, "bbox": [number, 0, 1, 1]} for number in range(8)]
    for place in (0, 3, 6, 7):
        rows[place] = []
    path = tmp_path / "x.json"
    data = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "dog"}]}
    path.write_bytes(bom + json.dumps(data).encode())
    read = read_annotations(path)
    assert read.problems == (
        "x.json: 2 of its images left out, no JSON object (number 3, 6, in file order).",
        "x.json: 4 of its annotations left out, no JSON object (number 1, 4, 7, 8, in file order).",
    )
    assert [one.bbox and one.bbox[0] for one in read.instances(0)] == [1, 2, 4, 5]


@pytest.mark.parametrize("text", [b'{"images": [}', b'{"images": [{"id": 1', b'{"images": ["\xff"]}'])
def test_why_a_stream_is_no_json_is_said_in_a_line(text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_file, "STREAM_ABOVE", 0)
    path = tmp_path / "x.json"
    path.write_bytes(b'{"categories": [{"id": 1, "name": "dog"}], ' + text[1:])
    with pytest.raises(HopeBenchError) as caught:
        read_annotations(path, "coco")
    said = re.fullmatch(
        rf"{path} is not JSON \((.{{9,}})\)\. If it was downloaded, it may be cut off: get it again\.", str(caught.value)
    )
    assert said, caught.value
    assert said[1].isprintable()
    assert not said[1].startswith("b'")
    assert "\\n" not in said[1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
def test_brackets_within_texts_are_no_levels(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_stream, "_DEEPEST", 3)

    def read_all(text: bytes) -> str:
        stream, read = coco_stream._Shallow(io.BytesIO(text), Path("x")), b""
        try:
            while part := stream.read(size):
                read += part
        except HopeBenchError as error:
            return str(error)
        assert read == text
        return ""

    marks = b'["[[[[", {"{{{{": [1, "\\\\"], "a": []}, "\\"[[[[", "", "x\\\\\\"{{{{", [[]], [[]]'
    deep = "x can't be read: it is nested too deeply."
    assert read_all(marks + b"]") == ""
    assert read_all(marks + b', "[[[", "]", {"}": {"}}": 0}}]') == ""
    assert read_all(marks + b", [[[]]]]") == read_all(b'{"a": {"b": [{"c": 1}]}}') == deep
