"""Which of the files that a user has are POPE's, by the split they hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hope_bench.errors import HopeBenchError

_SUFFIXES = (".json", ".jsonl")


def find_pope_files(given: Sequence[Path], splits: Sequence[str]) -> dict[str, Path]:
    """The file of each split among files and folders, by how their names end: coco_pope_random.json holds `random`.

    In a folder that holds several sets (gqa_pope_random.json, ...) those that begin with coco_ count. Splits without a file are
    left out. Raises HopeBenchError for a path that isn't there, and where two files would be one split.
    """
    files: list[Path] = []
    for path in given:
        if not path.exists():
            raise HopeBenchError(f"{path} does not exist. Give POPE's files, or the folder that holds them, with --pope.")
        files += sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    found: dict[str, Path] = {}
    for split in splits:
        fitting = [one for one in files if one.suffix in _SUFFIXES and one.stem.lower().split("_")[-1] == split]
        fitting = [one for one in fitting if one.name.startswith("coco_")] or fitting
        if len(fitting) > 1:
            names = ", ".join(map(str, fitting))
            raise HopeBenchError(f"{len(fitting)} files may be POPE's {split} split: {names}. Give the right files with --pope.")
        if fitting:
            found[split] = fitting[0]
    return found
