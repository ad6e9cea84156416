"""Hugging Face datasets on disk, opened: a save_to_disk folder, a parquet file or a folder of them as the Hub has, or an
imagefolder (pictures beside a metadata.jsonl, .csv or .parquet)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from hope_bench.errors import HopeBenchError, did_you_mean, short_reason
from hope_bench.files.parquet import is_image, open_parquet, read_batches
from hope_bench.files.reading import check_regular, decode, lines_of, open_bytes, pointer, read_bytes

BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError),
    *(NotImplementedError, OverflowError, MemoryError),
)
"""What datasets and pyarrow (whose own are among them) raise of a dataset whose files aren't what they should be: of corrupt ones
also that there is no memory for what they claim to hold."""

_FIRST = ("validation", "val", "valid", "dev", "test")
"""Of several splits the first of these is read, as of YOLO's: models are trained on the others."""
_DATA = frozenset((".arrow", ".json", ".jsonl", ".csv", ".parquet"))
_METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset's features, and its rows in batches of the named columns (as dicts, image bytes left out). `split` is the
    one that is read; `others` were there, and nobody said which."""

    path: Path
    features: Mapping[str, Any]
    batches: Callable[[Sequence[str], bool], Iterator[list[dict[str, Any]]]]
    split: str = ""
    others: tuple[str, ...] = ()


def is_hf_dataset(path: Path) -> bool:
    """Whether a path is a save_to_disk folder, an imagefolder, holds parquet files, or is one."""
    if path.is_dir():
        saved = any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))
        return saved or bool(_metadata_files(path)) or bool(_parquet_files(path, ""))
    with open_bytes(path) as stream:
        return stream.read(4) == b"PAR1"


def dataset_files(path: Path, split: str = "") -> tuple[Path, ...]:
    """The data files that are read, sorted."""
    if not path.is_dir():
        return (path,)
    return (
        _metadata_files(path) or _parquet_files(path, split) or tuple(sorted(file for file in path.rglob("*") if file.is_file()))
    )


def _parquet_files(path: Path, split: str) -> tuple[Path, ...]:
    """The parquet files of a folder or its data/, as the Hub has them; of one split where one is named."""
    found = sorted(path.glob("*.parquet")) or sorted((path / "data").glob("*.parquet"))
    return tuple(file for file in found if split in ("", _split_of(file)))


def _metadata_files(path: Path) -> tuple[Path, ...]:
    """An imagefolder's files of metadata: in the folder itself, or in those of its splits."""
    return tuple(sorted(file for at in ("", "*/") for name in _METADATA for file in path.glob(at + name)))


def _split_of(file: Path) -> str:
    """The "train" of train-00000-of-00002.parquet, "" where the name tells none."""
    return re.sub(r"-\d+-of-\d+$", "", file.stem) if "-of-" in file.stem else ""


@contextmanager
def reading_dataset(path: Path) -> Iterator[None]:
    """What corrupt files, and values of another kind than their column's, raise meanwhile becomes a HopeBenchError that names the
    dataset; so do pipes and devices among its files."""
    for file in (path, *(one for one in path.rglob("*") if one.suffix in _DATA)):
        check_regular(file)
        if file.is_file() and (error := pointer(file)) is not None:
            raise error
    try:
        yield
    except BROKEN as error:
        raise HopeBenchError(f"{path} can't be read as a dataset: {short_reason(error)}.") from None


def open_dataset(path: Path, split: str) -> Source:
    """The dataset at a path, of several splits the one named, else the one for validation or test. Raises HopeBenchError where it
    can't be read, or nothing tells its splits apart."""
    with reading_dataset(path):
        if path.is_dir() and _metadata_files(path):
            source = _open_imagefolder(path, split)
        elif path.is_dir() and not _parquet_files(path, ""):
            source = _open_saved(path, split)
        else:
            source = _open_parquet(path, split)

    def batches(columns: Sequence[str], with_bytes: bool) -> Iterator[list[dict[str, Any]]]:
        with reading_dataset(path):
            yield from source.batches(columns, with_bytes)

    return replace(source, batches=batches)


def sound(batch: Any) -> Any:
    """A record batch of a file that is only mapped into memory. Raises pyarrow's errors where its offsets lead out of it: reading
    it would end Python."""
    batch.validate(full=True)
    return batch


def load_saved(path: Path) -> Any:
    """The Dataset or DatasetDict of a save_to_disk folder. Raises HopeBenchError for one whose Arrow files are compressed, as
    `datasets` writes none: they are unpacked whole when they are opened."""
    import datasets
    import pyarrow

    for file in sorted(path.rglob("*.arrow")):
        with pyarrow.memory_map(str(file)) as mapped:
            messages = pyarrow.ipc.MessageReader.open_stream(mapped)
            if any(one.type == "record batch" and _compressed(one.metadata.to_pybytes()) for one in messages):
                raise HopeBenchError(f"{file} is compressed, and could unpack to any size. Save the dataset anew: save_to_disk.")
    return datasets.load_from_disk(str(path))


def _compressed(message: bytes) -> bool:
    """Whether an Arrow message (a flatbuffer, Message.fbs) is of a record batch with the field `compression`."""

    def field(table: int, number: int) -> int:
        """Where a table's field is, 0 where it has none."""
        fields = table - int.from_bytes(message[table : table + 4], "little", signed=True)
        if 4 + 2 * number >= int.from_bytes(message[fields : fields + 2], "little"):
            return 0
        offset = int.from_bytes(message[fields + 4 + 2 * number : fields + 6 + 2 * number], "little")
        return offset and table + offset

    header = field(int.from_bytes(message[:4], "little"), 2)
    return bool(field(header + int.from_bytes(message[header : header + 4], "little"), 3))


def _open_saved(path: Path, split: str) -> Source:
    return _of_table(path, load_saved(path), split)


def _open_imagefolder(path: Path, split: str) -> Source:
    import datasets

    _check_metadata(path)
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        with TemporaryDirectory() as cache:  # a small table of paths, which needs no keeping
            data = datasets.load_dataset(
                "imagefolder", data_dir=str(path), cache_dir=cache, keep_in_memory=True, drop_labels=True
            )
    except datasets.exceptions.DatasetGenerationError as error:
        raise HopeBenchError(f"{path} can't be read as an imagefolder: {short_reason(error.__cause__ or error)}.") from None
    finally:
        if bars:
            datasets.enable_progress_bars()
    source = _of_table(path, data, split)

    def batches(columns: Sequence[str], with_bytes: bool) -> Iterator[list[dict[str, Any]]]:
        for rows in source.batches(columns, with_bytes):
            yield [{name: _relative(path, value) for name, value in row.items()} for row in rows]

    return replace(source, batches=batches)


def _check_metadata(path: Path) -> None:
    """datasets takes minutes for a line of endless brackets, and stumbles over a file that holds none."""
    for file in _metadata_files(path):
        lines = lines_of(read_bytes(file), file) if file.suffix == ".jsonl" else []
        for number, line in enumerate(lines, 1):
            try:
                decode(line or b"{}", dict)
            except msgspec.DecodeError as error:
                raise HopeBenchError(f"{file}, line {number}: not a JSON object ({error}).") from None
        if not file.stat().st_size:
            raise HopeBenchError(f"{file} is empty.")
        if file.suffix == ".parquet":
            with open_parquet(file) as opened:  # which datasets unpacks whole
                for _ in read_batches(file, opened, _ROWS_AT_ONCE):
                    pass


def _relative(folder: Path, value: Any) -> Any:
    """A picture's path relative to the folder; other values as they are."""
    found = value.get("path") if isinstance(value, dict) and value.keys() == {"bytes", "path"} else value
    if not isinstance(found, str) or not Path(found).is_absolute() or not Path(found).is_relative_to(folder.resolve()):
        return value
    name = Path(found).relative_to(folder.resolve()).as_posix()
    return name if found is value else {**value, "path": name}


def _of_table(path: Path, data: Any, split: str) -> Source:
    import datasets

    chosen, others = split, tuple[str, ...]()
    if isinstance(data, datasets.DatasetDict):
        chosen, others = _chosen(path, split, list(data))
        data = data[chosen]

    def batches(columns: Sequence[str], with_bytes: bool) -> Iterator[list[dict[str, Any]]]:
        for batch in data.data.table.select(list(columns)).to_batches(max_chunksize=_ROWS_AT_ONCE):
            yield _rows(sound(batch), with_bytes)

    return Source(path, data.features, batches, chosen, others)


def _chosen(path: Path, split: str, known: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The split that is named, else the only one or the first of _FIRST, and the others if nobody named one."""
    found = split or (known[0] if len(known) == 1 else next((one for one in _FIRST if one in known), ""))
    if found in known:
        return found, () if split else tuple(one for one in known if one != found)
    what = f"has no split {split!r}" if split else "holds several splits"
    raise HopeBenchError(f"{path} {what}; name one as files.split. {did_you_mean(split, known)}")


def _open_parquet(path: Path, split: str) -> Source:
    import datasets
    from pyarrow import parquet

    chosen, others = split, tuple[str, ...]()
    files: tuple[Path, ...] = (path,)
    if path.is_dir():
        chosen, others = _chosen(path, split, list(dict.fromkeys(_split_of(file) for file in _parquet_files(path, ""))))
        files = _parquet_files(path, chosen)

    def batches(columns: Sequence[str], with_bytes: bool) -> Iterator[list[dict[str, Any]]]:
        for file in files:
            with open_parquet(file) as opened:
                schema = opened.schema_arrow
                leaves = [  # without the bytes of the images, most of the file need not be read
                    f"{name}.path" if is_image(schema.field(name).type) and not with_bytes else name for name in columns
                ]
                for batch in read_batches(file, opened, _ROWS_AT_ONCE, leaves):
                    yield _rows(batch, with_bytes)

    return Source(path, datasets.Features.from_arrow_schema(parquet.read_schema(files[0])), batches, chosen, others)


def _rows(batch: Any, with_bytes: bool) -> list[dict[str, Any]]:
    """A record batch as dicts; of images only the path unless the bytes are wanted."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    lists = {
        name: (column.field("path") if is_image(column.type) and not with_bytes else column).to_pylist()
        for name, column in columns
    }
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
