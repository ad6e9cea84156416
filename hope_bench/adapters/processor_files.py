"""Where a checkpoint's processor lies: beside its weights, in the folder above, or where the card says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hope_bench.provenance import file_sha256, json_sha256

_MARKS = ("processor_config.json", "preprocessor_config.json")
"""What every processor of pictures and text has one of."""
_FILES = (
    *_MARKS, "video_preprocessor_config.json", "image_preprocessor_config.json", "tokenizer*.json", "*.model", "*.tiktoken",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template*", "tekken.json",
)  # fmt: skip


def has_processor(folder: Path) -> bool:
    """Whether a processor of pictures and text was saved in a folder."""
    return any((folder / name).is_file() for name in _MARKS)


def nearest_processor(folders: Iterable[Path]) -> Path | None:
    """The first of the folders that has a processor."""
    return next((folder for folder in folders if has_processor(folder)), None)


def processor_sha256(folder: Path) -> str:
    """A hash of a processor's files, names included, and of nothing else that lies in a folder of trainings."""
    files = sorted({path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()})
    return json_sha256({path.name: file_sha256(path) for path in files})
