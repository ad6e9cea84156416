"""Every reader of files from outside, fed every damage: one HopeBenchError, one counted row, or all that the whole file holds."""

from __future__ import annotations

import os
import sys
import zipfile
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from hope_bench import load_annotations
from hope_bench.annotations.hf_source import open_dataset
from hope_bench.errors import HopeBenchError
from hope_bench.files import parquet as files_parquet
from hope_bench.files.reading import read_toml
from hope_bench.interchange import logs_inspect
from hope_bench.interchange.question_rows import read_rows
from hope_bench.interchange.tables import read_table
from tests.datasets import hf_dataset
from tests.fuzz.files import ANNOTATIONS, PACKED, TEXTS, TOLD, Maker
from tests.soak import SOAK


def in_word(put: bytes) -> Callable[[bytes], bytes]:
    """In the first text that holds a word of the user's."""

    def damage(data: bytes) -> bytes:
        word = next((one for one in (b"dog", b"a.jpg", b"Person", b"tree", b"llava", b"de", b"e") if one in data), None)
        return data + put if word is None else data.replace(word, word[:1] + put + word[1:], 1)

    return damage


def instead(put: bytes) -> Callable[[bytes], bytes]:
    """In the place of the first quoted text, or else of the whole."""

    def damage(data: bytes) -> bytes:
        start = data.find(b': "') + 2
        return put if start < 2 else data[:start] + put + data[data.index(b'"', start + 1) + 1 :]

    return damage


DEEP = 10_000
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "invalid UTF-8": in_word(b"\xff\xc3"),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "UTF-8 with a mark": lambda data: BOM_UTF8 + data,
    "brackets": lambda _: b"[" * DEEP,
    "closed brackets": lambda _: b"[" * DEEP + b"]" * DEEP,
    "keys": lambda _: b'{"a":' * DEEP,
    "brackets within": instead(b"[" * DEEP + b"]" * DEEP),
    "TOML brackets": lambda data: data + b"\nx = " + b"[" * DEEP,
    "elements": lambda _: b"<annotation>" * DEEP,
    "digits": instead(b"9" * 5000),
    "TOML digits": lambda data: data + b"\nx = " + b"9" * 5000,
    "half a character": in_word(b"\\ud800"),
    "NUL": in_word(b"\\u0000"),
    "a plain NUL": in_word(b"\0"),
    "a name too long": in_word(b"o" * 5000),
    "other bytes": lambda data: data[: len(data) // 2] + b"\xff" * 40 + data[len(data) // 2 + 40 :],
    "half": lambda data: data[: len(data) * 3 // 5],
    "empty": lambda _: b"",
}  # fmt: skip
SWAPPED = ("a folder", "a loop of links", "nothing", *(("a pipe", "a device") if sys.platform != "win32" else ()))


def swap(path: Path, fault: str) -> None:
    path.unlink()
    if fault == "a folder":
        path.mkdir()
    elif fault == "a loop of links":
        path.symlink_to(path.name)
    elif fault == "a pipe":
        os.mkfifo(path)
    elif fault == "a device":
        path.symlink_to("/dev/null")  # as /dev/zero, but that it ends


FINE = {
    ("answers", "empty"): "a run that was killed before its first answer",
    ("open images", "nothing"): "image labels go without boxes",
    ("labels", "empty"): "refused where none is a label of the benchmark's",
    ("noise", "nothing"): "optional",
}
"""What is no damage after all."""


def flaws(make: Maker, faults: Iterable[str], folder: Path) -> dict[str, str]:
    """What is wrong with how each damage is met; nothing where it is refused, told, or changes nothing."""
    wrong = {}
    (folder / "whole").mkdir()
    whole = make(folder / "whole")[1]()
    for number, fault in enumerate(faults):
        (folder / str(number)).mkdir()
        path, read = make(folder / str(number))
        if fault in SWAPPED:
            swap(path, fault)
        elif not fault.startswith("TOML") or path.suffix == ".toml":
            path.write_bytes(DAMAGE[fault](path.read_bytes()))
        try:
            made = read()
        except HopeBenchError as error:
            if len(str(error)) > 2000:
                wrong[fault] = f"an error of {len(str(error))} characters"
        except Exception as error:  # noqa: BLE001 - which is what is looked for
            wrong[fault] = f"{type(error).__name__}: {error}"[:200]
        else:
            if made not in (TOLD, whole):
                wrong[fault] = f"{made} of {whole} read, and nothing told"
    return wrong


@pytest.mark.parametrize("reader", [*ANNOTATIONS, *TEXTS])
def test_a_damaged_file_is_refused_told_or_read_whole(reader: str, tmp_path: Path) -> None:
    found = flaws((ANNOTATIONS | TEXTS)[reader], [*DAMAGE, *SWAPPED], tmp_path)
    assert found.keys() == {fault for name, fault in FINE if name == reader}, found


@pytest.mark.parametrize("reader", PACKED)
def test_a_damaged_packed_file_is_refused(reader: str, tmp_path: Path) -> None:
    faults = ["half", "empty", "brackets", "keys", "invalid UTF-8", "other bytes", *SWAPPED]
    assert flaws(PACKED[reader], faults, tmp_path) == {}


@pytest.mark.parametrize("name", ["a", '"a b"', "'a'", "a "])
@pytest.mark.parametrize("place", ["{} = 1", "[{}]", "a = {{ {} = 1 }}"])
def test_a_key_of_toml_without_end_is_refused(name: str, place: str, tmp_path: Path) -> None:
    """Python's reader takes gigabytes for 30,000 parts."""
    file = tmp_path / "spec.toml"
    file.write_text(place.format(".".join([name] * 300_000)))
    with pytest.raises(HopeBenchError, match=r"more than 100 names stand there in a row"):
        read_toml(file)
    file.write_text(place.format(".".join([name] * 50)))
    assert "a" in {str(one).strip("' b") for one in read_toml(file)}


@pytest.mark.parametrize("name", ["log.eval", "m_POPE.xlsx"])
def test_an_archive_that_takes_all_memory_is_refused_unopened(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        with archive.open("samples/1.json", "w") as entry:
            for _ in range(70):
                entry.write(bytes(2**20))
    assert file.stat().st_size < 2**17
    with pytest.raises(HopeBenchError, match=r"would unpack to 0\.1 GB"):
        list(logs_inspect.read([file], None)) if name == "log.eval" else read_table(file)


_VALUES = {
    "a page of one letter": lambda: ["a" * 70_000_000],
    "one long text of every row": lambda: ["a" * 100_000] * 700,
    "a row of one number": lambda: [[0] * 9_000_000],
    "rows of one number": lambda: [0] * 9_000_000,
}


_READERS = ("annotations", "questions", "imagefolder")
_EACH = [(values, reader) for values in _VALUES for reader in _READERS]
_SOME = [(values, _READERS[place % 3]) for place, values in enumerate(_VALUES)]
"""All go by one door: every form by one of its readers, every pair in make soak."""


@pytest.mark.parametrize(("values", "reader"), _EACH if SOAK else _SOME)
def test_parquet_of_some_bytes_that_takes_all_memory_is_refused(values: str, reader: str, tmp_path: Path) -> None:
    file = tmp_path / ("metadata.parquet" if reader == "imagefolder" else "data.parquet")
    made = pyarrow.array(_VALUES[values]())
    table = pyarrow.table({"file_name": made, "question": made, "objects": made})
    parquet.write_table(table, file, compression="zstd", dictionary_pagesize_limit=2**30)
    assert file.stat().st_size < 2**19

    def read() -> list[Any]:
        if reader == "questions":
            return list(read_rows([(file, "")]))
        return list(open_dataset(file if reader == "annotations" else tmp_path, "").batches(["question"], False))

    with pytest.raises(HopeBenchError, match=r"would unpack to 0\.[12] GB"):
        read()


def test_a_long_text_of_every_row_is_read_a_few_rows_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch would hold it as often as it has rows; pictures, which are written once, may be so repeated."""
    monkeypatch.setattr(files_parquet, "_AT_ONCE", 2**20)
    picture = {"bytes": b"x" * 100_000, "path": "a.png"}
    table = pyarrow.Table.from_pylist([{"image": picture, "number": one} for one in range(2000)])
    parquet.write_table(table, tmp_path / "data.parquet", compression="zstd")
    with files_parquet.open_parquet(tmp_path / "data.parquet") as opened:
        batches = list(files_parquet.read_batches(tmp_path / "data.parquet", opened, 1000))
        bare = list(files_parquet.read_batches(tmp_path / "data.parquet", opened, 1000, ["number"]))
    assert max(batch.nbytes for batch in batches) < 2**20 + 100_000
    assert sum(map(len, batches)) == 2000
    assert [len(batch) for batch in bare] == [1000, 1000]


@pytest.mark.parametrize("packed", [None, "zstd", "lz4"])
def test_a_compressed_arrow_file_is_refused_unopened(packed: str | None, tmp_path: Path) -> None:
    """As saved it is read; packed it takes some thousand bytes for gigabytes."""
    hf_dataset().save_to_disk(tmp_path)
    (file,) = tmp_path.glob("*.arrow")
    with pyarrow.ipc.open_stream(file.read_bytes()) as held:
        table = held.read_all()
    with pyarrow.ipc.new_stream(file, table.schema, options=pyarrow.ipc.IpcWriteOptions(compression=packed)) as written:
        written.write_table(table, max_chunksize=1)
    if packed is None:
        assert len(list(read_rows([(tmp_path, "")]))) == len(table)
        return
    for read in (lambda: list(read_rows([(tmp_path, "")])), lambda: open_dataset(tmp_path, "")):
        with pytest.raises(HopeBenchError, match=r"arrow is compressed, and could unpack to any size"):
            read()


@pytest.mark.parametrize(
    "put", ["names: *a9", "names: {{0: *a9}}", "names: [cat]\n? *a9\n: 1", "names: [cat]\nx: {{<<: [{merged}]}}"]
)
def test_yaml_of_a_few_lines_that_stands_for_more_than_memory_holds_is_refused(put: str, tmp_path: Path) -> None:
    aliases = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10))
    file = tmp_path / "data.yaml"
    file.write_text(f"a0: &a0 [x]\n{aliases}train: images\n{put.format(merged='*a1')}\n")
    with pytest.raises(HopeBenchError, match=r"aliases \(\*NAME\)"):
        load_annotations(tmp_path)
