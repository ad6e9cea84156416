"""Hugging Face datasets: images and objects in columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as PillowImage

from hope_bench.annotations import annotation_files, read_annotations
from hope_bench.annotations.hf_dataset import ExportedImages, export_images
from hope_bench.annotations.hf_source import _relative, open_dataset, sound
from hope_bench.errors import HopeBenchError, counted
from tests.cli import hope_bench, refused
from tests.datasets import (
    hf_dataset,
    png,
)


@pytest.mark.parametrize("layout", ["saved", "split", "parquet", "hub"])
def test_hf_dataset(tmp_path: Path, layout: str) -> None:
    import datasets

    path, files = tmp_path / "cppe-5", {}
    if layout == "saved":
        hf_dataset().save_to_disk(path)
    elif layout == "split":
        datasets.DatasetDict(train=hf_dataset().select([0]), test=hf_dataset()).save_to_disk(path)
        files = {"split": "test"}
    elif layout == "parquet":
        hf_dataset().to_parquet(path)
    else:
        (path / "data").mkdir(parents=True)
        hf_dataset().select([0]).to_parquet(path / "data" / "train-00000-of-00002.parquet")
        hf_dataset().select([1]).to_parquet(path / "data" / "train-00001-of-00002.parquet")
        hf_dataset().select([1]).to_parquet(path / "data" / "test-00000-of-00001.parquet")
        files = {"split": "train"}
    annotations = read_annotations(path, files=files)
    assert [image.file_name for image in annotations.images] == ["a.png", "00000001.jpg"]
    assert [category.in_words for category in annotations.categories] == ["coverall", "face shield"]
    assert annotations.present(0) == ("Face_Shield", "Coverall")
    assert annotations.instances(0)[0].bbox == (1, 1, 4, 3)
    assert annotations.instances(1)[0].bbox == (18, 1, 2, 9)
    assert "1 object without a known category left out (-1)" in "\n".join(annotations.problems)
    assert annotation_files(path, files=files)
    split = files.get("split", "")
    assert export_images(path, tmp_path / "images", split=split) == ExportedImages(2, ())
    assert export_images(path, tmp_path / "images", split=split) == ExportedImages(0, ())
    assert PillowImage.open(tmp_path / "images" / "00000001.jpg").size == (20, 10)
    (tmp_path / "images" / "00000001.jpg").write_bytes(b"another split's picture of that number")
    with pytest.raises(HopeBenchError, match=r"00000001\.jpg is there already, and is not the picture of row 1"):
        export_images(path, tmp_path / "images", split=split)


@pytest.mark.parametrize("layout", ["saved", "parquet"])
def test_pictures_stay_in_the_file_where_only_their_names_are_asked_for(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "cppe-5"
    (hf_dataset().save_to_disk if layout == "saved" else hf_dataset().to_parquet)(path)
    source = open_dataset(path, "")
    (names,) = source.batches(["image"], False)
    assert [row["image"] for row in names] == ["a.png", None]
    (pictures,) = source.batches(["image"], True)
    assert [row["image"]["bytes"][:4] for row in pictures] == [b"\x89PNG"] * 2


def test_hf_dataset_of_structs_and_of_names_under_other_column_names(tmp_path: Path) -> None:
    import datasets

    text = datasets.Value("string")
    structs = datasets.List({"what": text, "corners": datasets.List(datasets.Value("float32"))})
    rows = [[{"what": "naïve cup", "corners": [1, 1, 5, 3]}, {"what": None, "corners": None}], [{"what": "dog", "corners": None}]]
    data = datasets.Dataset.from_dict(
        {"photo": ["x/a.jpg", "x/b.jpg"], "things": rows}, features=datasets.Features({"photo": text, "things": structs})
    )
    data.save_to_disk(tmp_path / "a")
    columns = {"image": "photo", "objects": "things", "category": "what", "box": "corners", "box_format": "xyxy"}
    annotations = read_annotations(tmp_path / "a", columns=columns)
    assert [image.file_name for image in annotations.images] == ["x/a.jpg", "x/b.jpg"]
    assert [annotations.present(image) for image in range(2)] == [("naïve cup",), ("dog",)]
    assert annotations.instances(0)[0].bbox == (1, 1, 4, 2)
    assert annotations.instances(1)[0].bbox is None

    listed = datasets.Dataset.from_dict({"file_name": ["a.jpg", "b.jpg"], "objects": [["cup", "dog"], []]})
    listed.to_parquet(tmp_path / "b.parquet")
    annotations = read_annotations(tmp_path / "b.parquet")
    assert (annotations.boxes, annotations.areas) == (None, None)
    assert [annotations.present(image) for image in range(2)] == [("cup", "dog"), ()]


def test_hf_datasets_that_are_refused(tmp_path: Path) -> None:
    import datasets

    hf_dataset().save_to_disk(tmp_path / "a")
    for columns, words in (
        ({"objects": "object"}, r"no column 'object' .*'objects'"),
        ({"picture": "image"}, r"columns\.picture is nothing"),
        ({"box_format": "yolo"}, "box_format"),
    ):
        with pytest.raises(HopeBenchError, match=words):
            read_annotations(tmp_path / "a", columns=columns)
    numbers = datasets.List(datasets.Value("int64"))
    hf_dataset(objects=([[1], [2]], numbers)).save_to_disk(tmp_path / "b")
    with pytest.raises(HopeBenchError, match="numbers without names"):
        read_annotations(tmp_path / "b")
    datasets.DatasetDict(train=hf_dataset(), more=hf_dataset()).save_to_disk(tmp_path / "c")
    with pytest.raises(HopeBenchError, match=r"several splits.*files\.split.*more, train"):
        read_annotations(tmp_path / "c")
    hf_dataset(image=(["a.jpg", "a.jpg"], datasets.Value("string"))).save_to_disk(tmp_path / "d")
    with pytest.raises(HopeBenchError, match="occurs more than once"):
        read_annotations(tmp_path / "d")
    hf_dataset().to_parquet(tmp_path / "e.parquet")
    (tmp_path / "e.parquet").write_bytes((tmp_path / "e.parquet").read_bytes()[:-50])
    with pytest.raises(HopeBenchError, match="can't be read as a dataset"):
        read_annotations(tmp_path / "e.parquet")
    hf_dataset(file_name=(["../x.png", "y.png"], datasets.Value("string"))).save_to_disk(tmp_path / "f")
    with pytest.raises(HopeBenchError, match="outside"):
        export_images(tmp_path / "f", tmp_path / "images")


def test_of_several_splits_the_one_kept_from_training_is_read_and_told(tmp_path: Path) -> None:
    import datasets

    other = hf_dataset(file_name=(["x.png", "y.png"], datasets.Value("string")))
    datasets.DatasetDict(train=other, validation=hf_dataset(), test=other).save_to_disk(tmp_path / "saved")
    (tmp_path / "hub" / "data").mkdir(parents=True)
    other.to_parquet(tmp_path / "hub" / "data" / "train-00000-of-00001.parquet")
    hf_dataset().to_parquet(tmp_path / "hub" / "data" / "validation-00000-of-00001.parquet")
    for name, others in (("saved", "train, test"), ("hub", "train")):
        read = read_annotations(tmp_path / name)
        told = f"{name}: has several splits, of which validation is read. files.split names another: {others}."
        assert read.problems[0] == told
        named = read_annotations(tmp_path / name, files={"split": "validation"})
        assert (named.problems, named.images) == (read.problems[1:], read.images)
        assert read_annotations(tmp_path / name, files={"split": "train"}).images[0].file_name == "x.png"
        with pytest.raises(HopeBenchError, match=f"{name} has no split 'tain'; name one as files.split. Did you mean 'train'?"):
            read_annotations(tmp_path / name, files={"split": "tain"})


def test_a_batch_whose_offsets_lead_out_of_its_file_is_not_read() -> None:
    import pyarrow

    for within, offsets in ((True, [0, 1, 2]), (False, [0, 50, 2])):
        places = pyarrow.py_buffer(b"".join(one.to_bytes(4, "little") for one in offsets))
        texts = pyarrow.StringArray.from_buffers(2, places, pyarrow.py_buffer(b"ab"))
        batch = pyarrow.RecordBatch.from_arrays([texts], ["text"])
        if within:
            assert sound(batch) is batch
        else:
            with pytest.raises(pyarrow.ArrowInvalid, match="offset"):
                sound(batch)


def test_parquet_files_whose_names_tell_no_split_are_read_together(tmp_path: Path) -> None:
    hf_dataset().select([0]).to_parquet(tmp_path / "b.parquet")
    hf_dataset().select([1]).to_parquet(tmp_path / "c.parquet")
    assert [image.file_name for image in read_annotations(tmp_path).images] == ["a.png", "00000001.jpg"]


@pytest.mark.parametrize("column", ["objects", "labels"])
def test_one_label_a_picture_is_no_list_of_objects(column: str, tmp_path: Path) -> None:
    """The letters of "dog" are no three objects, and what a picture doesn't show can't be told from its class."""
    import datasets

    classes = datasets.Features(file_name=datasets.Value("string"), **{column: datasets.ClassLabel(names=["dog", "cat"])})
    rows = {"file_name": ["a.jpg", "b.jpg"]}
    datasets.Dataset.from_dict({**rows, column: [0, 1]}, classes).save_to_disk(tmp_path / "classes")
    datasets.Dataset.from_dict({**rows, column: ["dog", "cat"]}).to_parquet(tmp_path / "text.parquet")
    (tmp_path / "folder" / "train").mkdir(parents=True)
    for name in rows["file_name"]:
        PillowImage.new("RGB", (8, 8)).save(tmp_path / "folder" / "train" / name)
    (tmp_path / "folder" / "train" / "metadata.csv").write_text(f"file_name,{column}\na.jpg,dog\nb.jpg,cat\n")
    for name in ("classes", "text.parquet", "folder"):
        with pytest.raises(HopeBenchError, match=f"{column}.* a picture, not a list of the objects in it.*metadata.jsonl"):
            read_annotations(tmp_path / name)


def test_corners_are_not_taken_for_sizes(tmp_path: Path) -> None:
    boxes = [[10, 5, 19, 9], [12, 2, 18, 8], [11, 1, 15, 4], [2, 6, 8, 9]]
    objects = [{"id": [1] * 4, "area": [1] * 4, "bbox": boxes, "category": [0, 1, 0, 1]}] * 2
    data = hf_dataset()
    hf_dataset(objects=(objects, data.features["objects"])).save_to_disk(tmp_path / "corners")
    with pytest.raises(HopeBenchError, match=r'of 8 boxes reach beyond .*box_format = "xyxy"'):
        read_annotations(tmp_path / "corners")
    read = read_annotations(tmp_path / "corners", columns={"box_format": "xyxy"})
    assert read.instances(0)[0].bbox == (10, 5, 9, 4)
    assert read.problems == ()
    assert len(read_annotations(tmp_path / "corners", columns={"box_format": "xywh"}).problems) == 1


def test_pictures_become_files_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import datasets

    data = hf_dataset().rename_column("image", "photo")
    datasets.DatasetDict(train=data, test=data).save_to_disk(tmp_path / "data")
    options = ("--split", "test", "--out", tmp_path / "images")
    assert "no image column" in refused(capsys, "import", "images", tmp_path / "data", *options)
    done = hope_bench(capsys, "import", "images", tmp_path / "data", *options, "--column", "image=photo")
    assert done.code == 0, done.err
    assert "2 pictures written" in done.out
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["00000001.jpg", "a.png"]
    assert "does not exist" in refused(capsys, "import", "images", tmp_path / "no", *options)


def test_pictures_need_no_objects_and_no_categories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import datasets

    data = hf_dataset().rename_column("image", "photo")
    datasets.DatasetDict(train=data, validation=data.remove_columns("objects")).save_to_disk(tmp_path / "bare")
    data.remove_columns("objects").add_column("objects", [[{"id": 1}], [{"id": 2}]]).save_to_disk(tmp_path / "nameless")
    options = ("--column", "image=photo", "--out")
    for name, split in (("bare", ("--split", "validation")), ("nameless", ())):
        done = hope_bench(capsys, "import", "images", tmp_path / name, *split, *options, tmp_path / f"{name}-images")
        assert done.code == 0, done.err
        assert "2 pictures written" in done.out
    again = ("--column", "objects=things", *options, tmp_path / "nameless-images")  # a spec's columns, as a whole
    assert hope_bench(capsys, "import", "images", tmp_path / "nameless", *again).code == 0
    with pytest.raises(HopeBenchError, match="no objects column"):
        read_annotations(tmp_path / "bare", files={"split": "validation"}, columns={"image": "photo"})


def write_pictures(path: Path, pictures: list[tuple[bytes | None, str | None]]) -> None:
    """A parquet file of pictures (bytes, path) as other writers leave it: `datasets` itself would put files' bytes in."""
    import pyarrow as pa
    from pyarrow import parquet

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([{"bytes": data, "path": name} for data, name in pictures], kind)
    parquet.write_table(pa.table({"image": column}), path)


@pytest.mark.parametrize("kind", ["structs", "text"])
def test_rows_without_picture_bytes_are_refused_where_there_are_no_others(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import datasets

    paths = ["/data/imgs/a.jpg", "../imgs/b.jpg"]
    (tmp_path / "imgs").mkdir()
    (tmp_path / "imgs" / "b.jpg").write_bytes(png(20, 10))  # outside --out: not there already
    if kind == "structs":
        write_pictures(tmp_path / "data.parquet", [(None, path) for path in paths])
    else:
        hf_dataset(image=(paths, datasets.Value("string"))).to_parquet(tmp_path / "data.parquet")
    message = refused(capsys, "import", "images", tmp_path / "data.parquet", "--out", tmp_path / "images")
    assert "2 of 2 rows hold no picture bytes" in message
    assert "They point to /data/imgs/a.jpg, ../imgs/b.jpg." in message
    assert "--images" in message
    assert not (tmp_path / "images").exists()
    write_pictures(tmp_path / "empty.parquet", [])
    assert "holds no rows" in refused(capsys, "import", "images", tmp_path / "empty.parquet", "--out", tmp_path / "images")


def test_rows_without_picture_bytes_are_counted_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [(png(20, 10), "a.png"), (None, "imgs/b.jpg"), (png(20, 10), None), (None, None)]
    write_pictures(tmp_path / "data.parquet", pictures)
    for written in (2, 0):
        done = hope_bench(capsys, "import", "images", tmp_path / "data.parquet", "--out", tmp_path / "images")
        assert done.code == 0, done.err
        assert counted(written, "picture") + " written" in done.out
        assert "2 rows hold no picture bytes, and no picture of theirs was written: imgs/b.jpg, nowhere (row 3)." in done.out
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["00000002.jpg", "a.png"]


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["a.png", "a.png"], "a.png: rows 0, 1"),
        (["a.png", "A.png"], "a.png: rows 0, 1"),
        (["x/../a.png", "a.png"], "a.png: rows 0, 1"),
        (["/data/1/a.png", "/data/2/a.png"], "a.png: rows 0, 1"),
        (["00000001.jpg", None], "00000001.jpg: rows 0, 1"),
    ],
)
def test_no_two_rows_write_one_file(
    names: list[str | None], twice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path / "data", [(png(4, 4), names[0]), (png(5, 5), names[1])])
    told = refused(capsys, "import", "images", tmp_path / "data", "--out", tmp_path / "images")
    assert f"1 file of {tmp_path / 'images'} would hold the picture of more than one row ({twice})" in told
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize("bars", [True, False])
@pytest.mark.parametrize(
    ("cause", "told"), [(ValueError("line 7"), "ValueError: line 7"), (None, "DatasetGenerationError: outer")]
)
def test_why_an_imagefolder_cannot_be_read(
    cause: Exception | None, told: str, bars: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is what datasets met, where it says so; whether it shows bars of progress stays as it was."""
    import datasets

    def load(*_: object, **__: object) -> None:
        assert not datasets.is_progress_bar_enabled()
        raise datasets.exceptions.DatasetGenerationError("outer") from cause

    shown = datasets.is_progress_bar_enabled()
    (tmp_path / "metadata.csv").write_text("file_name,objects\na.png,dog\n")
    monkeypatch.setattr(datasets, "load_dataset", load)
    try:
        (datasets.enable_progress_bars if bars else datasets.disable_progress_bars)()
        with pytest.raises(HopeBenchError) as caught:
            open_dataset(tmp_path, "")
        assert datasets.is_progress_bar_enabled() == bars
    finally:
        (datasets.enable_progress_bars if shown else datasets.disable_progress_bars)()
    assert str(caught.value) == f"{tmp_path} can't be read as an imagefolder: {told}."


def test_paths_are_told_relative_to_the_folder_and_bytes_are_kept(tmp_path: Path) -> None:
    inside, outside = str(tmp_path.resolve() / "a" / "b.png"), "/elsewhere/b.png"
    assert _relative(tmp_path, inside) == "a/b.png"
    assert _relative(tmp_path, {"bytes": b"x", "path": inside}) == {"bytes": b"x", "path": "a/b.png"}
    for same in (outside, "a/b.png", 7, None, {"bytes": b"x", "path": outside}, {"bytes": None, "path": None}, {"path": inside}):
        assert _relative(tmp_path, same) == same
