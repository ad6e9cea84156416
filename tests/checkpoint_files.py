"""Files of checkpoints, written by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 9\n"


IS_POINTER = "a Git LFS pointer in the place of the file: run git lfs pull in the clone, or download the model with hf download"


def fill(folder: Path, files: dict[str, Any]) -> Path:
    """Write files: bytes and texts as they are, all else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content
            if isinstance(content, bytes)
            else content.encode()
            if isinstance(content, str)
            else json.dumps(content).encode()
        )
    return folder


def index(*files: str) -> dict[str, Any]:
    return {"weight_map": {f"w{place}": file for place, file in enumerate(files)}}


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    told = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(told) if length is None else length) + told + data
