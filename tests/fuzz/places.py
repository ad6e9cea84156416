"""Where the code reads: every function that decodes something, and which of them a reader's whole file goes through."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import hope_bench

ROOT = Path(hope_bench.__file__).parent
READING = {
    "read_bytes", "read_text", "read_toml", "read_json", "parse_json", "json_of", "text_of", "lines_of", "decode", "loads",
    "load", "safe_load", "open",
    "open_picture", "load_from_disk", "load_dataset", "ParquetFile", "read_schema", "ZipFile", "decompress", "decompressobj",
    "safe_open", "parse",
    "read_excel", "from_pretrained", "mmap", "fromstring", "literal_eval", "TypeAdapter",
}  # fmt: skip
"""Calls that decode what may come from outside, by the last part of their name."""


def reading_functions() -> Iterator[tuple[str, str]]:
    """(module, function) of every function of hope_bench that makes such a call itself."""
    for path in sorted(ROOT.rglob("*.py")):
        module = path.relative_to(ROOT).as_posix()
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and any(map(_reads, _own(function))):
                yield module, function.name


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What stands in a function, but for the functions in it."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        yield node
        left += [] if isinstance(node, ast.FunctionDef) else list(ast.iter_child_nodes(node))


def _reads(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name in READING


def gone_through(work: Callable[[], object]) -> set[tuple[str, str]]:
    """(module, function) of every function of hope_bench that runs during some work."""
    found: set[tuple[str, str]] = set()
    root = f"{ROOT}/"

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (name := frame.f_code.co_filename).startswith(root):
            found.add((name.removeprefix(root), frame.f_code.co_name))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return found
