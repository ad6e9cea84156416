"""Files of other kinds under a text file's name: whoever reads them says what they are, and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hope_bench.annotations import detect_format
from hope_bench.annotations.coco_file import load_instances
from hope_bench.annotations.hf_source import open_dataset
from hope_bench.errors import HopeBenchError
from hope_bench.files.parquet import open_parquet
from hope_bench.files.reading import no_text, read_toml
from hope_bench.files.run import read_answers
from hope_bench.files.validation import parse_json
from hope_bench.interchange.logs_inspect import read as read_inspect
from hope_bench.interchange.tables import read_table
from hope_bench.site.safety import read_bounded
from tests.checkpoint_files import POINTER


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, "{}" * 100)
    return stream.getvalue()


FETCH = "a Git LFS pointer in the place of the file. Run git lfs pull in the clone, or download the file itself."
UNPACK = "Unpack it and name the file that comes out."
KINDS = {
    "a pointer": (POINTER, FETCH),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "UTF-16 text, not UTF-8. Save it as UTF-8 (iconv -f utf-16 -t utf-8)."),
    "packed": (gzip.compress(b"{}"), "compressed. Unpack it (gunzip) and name the file that comes out."),
    "an archive": (zipped("a.json"), f"a zip archive. {UNPACK}"),
    "half an archive": (zipped("a.json")[:99], "a zip archive that is cut off. Copy or download it again."),
    "a workbook": (zipped("xl/workbook.xml"), "an Office document under another name. Save what it holds as text, in UTF-8."),
    "UTF-32": ('{"a": 1}'.encode("utf-32"), "UTF-32 text, not UTF-8. Save it as UTF-8 (iconv -f utf-32 -t utf-8)."),
    "a page": (b"<!DOCTYPE html><html>", "a web page. Download the file itself."),
    "a marked page": (BOM_UTF8 + b" <head>", "a web page. Download the file itself."),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a binary file, not text in UTF-8. Name the file that holds the text."),
    "a PDF": (b"%PDF-1.7\n", "a binary file, not text in UTF-8. Name the file that holds the text."),
    "bzip2": (bz2.compress(b"{}"), "a binary file, not text in UTF-8. Name the file that holds the text."),
}
READERS: dict[str, Callable[[Path], Any]] = {
    "result.json": lambda path: read_bounded(path, path.parent),
    "run.json": parse_json,
    "spec.toml": read_toml,
    "answers.jsonl": read_answers,
    "questions.csv": read_table,
    "questions.json": read_table,
    "instances.json": load_instances,
    "boxes.csv": detect_format,
    "coco.json": detect_format,
}


@pytest.mark.parametrize(("data", "words"), KINDS.values(), ids=KINDS)
def test_what_is_no_text_is_named_with_what_to_do(data: bytes, words: str, tmp_path: Path) -> None:
    for name, read in READERS.items():
        path = tmp_path / name
        path.write_bytes(data)
        if name in ("instances.json", "coco.json", "boxes.csv") and data.startswith(b"\xff\xfe"):
            continue  # which Python's own reader of JSON takes
        with pytest.raises(HopeBenchError) as refused:
            read(path)
        assert str(refused.value) == f"{path} is {words}", name


def test_files_that_are_archives_themselves(tmp_path: Path) -> None:
    def opened(path: Path) -> None:
        with open_parquet(path):
            pass

    half = KINDS["half an archive"][1]
    for name, read, data, words in (
        ("a.eval", lambda path: list(read_inspect([path], None)), zipped("header.json")[:99], half),
        ("a.eval", lambda path: list(read_inspect([path], None)), POINTER, FETCH),
        ("a.xlsx", read_table, zipped("xl/workbook.xml")[:99], half),
        ("a.xlsx", read_table, POINTER, FETCH),
        ("a.parquet", opened, POINTER, FETCH),
        ("a.parquet", lambda path: open_dataset(path, ""), POINTER, FETCH),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(HopeBenchError) as refused:
            read(tmp_path / name)
        assert str(refused.value) == f"{tmp_path / name} is {words}"
    for data in (zipped("xl/workbook.xml"), b"question,label\n"):
        (tmp_path / "a.xlsx").write_bytes(data)
        with pytest.raises(
            HopeBenchError, match=r"a\.xlsx is no Excel workbook that can be read \(.*\)\. Save it as one, or name"
        ):
            read_table(tmp_path / "a.xlsx")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "result.json"])
def test_what_is_no_utf8_is_said_with_what_to_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes("id,question\n1,Is there a café?\n".encode("cp1252"))
    with pytest.raises(HopeBenchError, match=r"is not UTF-8 text \(.*\)\. Save it as UTF-8 \(iconv -f latin1 -t utf-8\)\.$"):
        READERS.get(name, read_table)(path)


@pytest.mark.parametrize(
    ("text", "expected"), [("1e999", "the file is inf"), ("[1e999]", "0 is inf"), ('{"a": [1e999]}', "a.0 is inf")]
)
def test_a_result_with_the_mark_of_windows_and_one_with_an_endless_number(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(BOM_UTF8 + b'{"a": 1}')
    assert read_bounded(path, tmp_path) == {"a": 1}
    path.write_text(text)
    with pytest.raises(HopeBenchError, match=rf"result\.json: {expected}, which is no number"):
        read_bounded(path, tmp_path)


def test_what_only_looks_like_it_is_text() -> None:
    for head in (b"", b"version 1", b"P", b'{"a": "<html>"}', b"<annotations>", BOM_UTF8 + b"a"):
        assert no_text(head, Path("a")) is None
