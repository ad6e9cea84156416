"""Where code lives: imports run down CONTRIBUTING.md's table and never in circles, and each folder says what it is for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HOUSE = re.compile(r"<!-- the house, top to bottom -->\n(.*?)<!-- end of the house -->", re.DOTALL)
ROW = re.compile(r"^\| `([\w.]+/?)` \| (.+) \|$", re.MULTILINE)
MODULES = {"__init__", "__main__", "records", "wording", "images", "provenance", "processes", "progress", "tables", "errors"}
"""All modules that hope_bench/ shows beside its folders."""


def table() -> dict[str, str]:
    """What each folder (with a slash) and module of hope_bench/ is for, top to bottom."""
    found = HOUSE.search((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert found, "CONTRIBUTING.md holds no table of the house"
    return dict(ROW.findall(found[1]))


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its full name."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: Iterable[str]) -> set[str]:
    """What a module imports of its package anywhere: at the top, in functions, under TYPE_CHECKING, by a name in text."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            found.update(whole if (whole := f"{base}.{one.name}") in known else base for one in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            found.add(node.value)  # import_module("hope_bench.api"), or a table of lazy names
    return {one for one in found if one in known} - {name}


@cache
def graph(package: Path) -> dict[str, set[str]]:
    known = modules(package)
    return {name: imported(name, path, known) for name, path in known.items()}


def unit(name: str, package: Path) -> str:
    """The row that a module belongs to: its folder, or itself where it stands in the package's own."""
    parts = name.split(".")
    if len(parts) == 1:
        return "__init__.py"
    return f"{parts[1]}/" if (package / parts[1]).is_dir() else f"{parts[1]}.py"


def upward(package: Path, order: Iterable[str]) -> list[str]:
    """Imports that don't run down the order, in words. A unit that it lacks is a KeyError."""
    rank = {row: place for place, row in enumerate(order)}
    return [
        f"{name} imports {other}"
        for name, others in sorted(graph(package).items())
        for other in sorted(others)
        if (one := unit(name, package)) != (two := unit(other, package)) and rank[one] >= rank[two]
    ]


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in turn; nothing where none do."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_import_runs_up() -> None:
    assert upward(ROOT / "hope_bench", table()) == []


def test_no_modules_import_each_other() -> None:
    assert circle(graph(ROOT / "hope_bench")) == []


def test_the_table_is_what_is_there() -> None:
    there = {unit(name, ROOT / "hope_bench") for name in modules(ROOT / "hope_bench")}
    assert there == table().keys()
    assert {row.removesuffix(".py") for row in there if not row.endswith("/")} <= MODULES


def test_every_folder_says_what_it_is_for_in_the_tables_words() -> None:
    for row, sentence in table().items():
        path = ROOT / "hope_bench" / (f"{row}__init__.py" if row.endswith("/") else row)
        words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert words.splitlines()[:1] == [sentence], path


@pytest.mark.parametrize(
    "line",
    [
        "from house.attic.box import x",
        "import house.attic.box",
        "from house.attic import box",
        "from ..attic import box",
        "def f():\n    from house.attic.box import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.attic.box import x",
        "import importlib\nimportlib.import_module('house.attic.box')",
    ],
)
def test_an_import_that_runs_up_is_seen_however_it_is_written(line: str, tmp_path: Path) -> None:
    house = build(tmp_path, {"attic/box.py": "x = 1", "cellar/wine.py": line})
    assert upward(house, ["attic/", "cellar/", "__init__.py"]) == ["house.cellar.wine imports house.attic.box"]
    assert upward(house, ["cellar/", "attic/", "__init__.py"]) == []
    with pytest.raises(KeyError, match="attic/"):
        upward(house, ["cellar/", "__init__.py"])


def test_a_circle_within_a_folder_is_seen(tmp_path: Path) -> None:
    files = {"attic/one.py": "from house.attic import two", "attic/two.py": "def f():\n    import house.attic.one"}
    house = build(tmp_path, files)
    assert {*circle(graph(house))} == {"house.attic.one", "house.attic.two"}
    assert upward(house, ["attic/", "__init__.py"]) == []


def build(folder: Path, files: Mapping[str, str]) -> Path:
    """A package `house` of folders with an empty __init__.py each."""
    for name, text in files.items():
        path = folder / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for package in (path.parent, folder / "house"):
            (package / "__init__.py").touch()
    return folder / "house"
