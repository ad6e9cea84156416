"""What pages show is there: commands, in blocks and in the text, with their options; targets of make; extras; files as they are
read. tests/e2e/test_docs_run.py runs the blocks."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
from jsonschema import Draft202012Validator

import hope_bench as hb
from hope_bench.cli import app
from hope_bench.cli.run_eval import run_eval
from hope_bench.files.card import ModelCard
from hope_bench.files.spec import BenchmarkSpec
from hope_bench.site.settings import SiteSettings
from tests.cli import tree
from tests.docs_reader import blocks

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(page for folder in (ROOT, ROOT / "docs", ROOT / ".github") for page in folder.glob("*.md"))
NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
RUN_OR_READ = {"bash", "console", "python", "toml", "json"}
LEFT_OUT = ("MissingParameter", "BadOptionUsage")
"""What click says of a command without all its arguments, or of an option without its value."""
TOML = {"models.md": ModelCard, "publishing.md": SiteSettings, "spec.md": BenchmarkSpec}
TOML_ELSEWHERE = {
    "datasets.md": "tests/unit/test_formats.py",
    "languages.md": "tests/unit/test_languages.py",
    "scoring.md": "a command of the page reads it",
    "servers.md": "tests/unit/test_endpoint_access.py",
}
JSON = {"review.md": ("decision", "label-noise"), "spec.md": ("description", "evidence", "question")}


def commands(page: Path) -> list[str]:
    """Every command line of a page's code blocks, continued lines joined, comments cut."""
    blocks = (block.replace("\\\n", " ") for block in BLOCK.findall(page.read_text(encoding="utf-8")))
    lines = (line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines())
    return [line for line in lines if line.startswith(("hope-bench ", "python run_eval.py"))]


def parse(arguments: list[str], command: object) -> None:
    """Walk down to the command that the arguments name and let it check its options, without running it."""
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context("x", list(arguments))  # type: ignore[attr-defined]


SINGLE = typer.Typer(add_completion=False)
SINGLE.command()(run_eval)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_exist(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line, comments=True)
        if words[0] == "python":
            parse(words[2:], tree(SINGLE))
        else:
            parse(words[1:], tree(app))


def test_there_are_commands_to_check() -> None:
    assert len(commands(ROOT / "README.md")) >= 5


def test_documented_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def inline(page: Path, *programs: str) -> list[str]:
    """What a page's text, and not its blocks, has between backticks that begins with one of these words."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [found for found in re.findall(r"`([^`]+)`", text) if found.startswith(tuple(f"{one} " for one in programs))]


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page: Path) -> None:
    """With the options that are named, be the rest left out; and so do modules that Python is to run."""
    for line in inline(page, "hope-bench"):
        try:
            parse(shlex.split(line)[1:], tree(app))
        except Exception as error:
            if type(error).__name__ not in LEFT_OUT:
                raise
    for line in inline(page, "python -m"):
        module = line.split()[2]
        assert module.split(".")[0] not in ("tests", "hope_bench") or importlib.util.find_spec(module) is not None, line


def test_targets_and_extras_exist() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in NOW)
    targets = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)$", text, re.MULTILINE))
    assert {"demo", "test", "docs"} <= targets
    done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "hope_bench").rglob("*.py"))
    named = set(re.findall(r"hope-bench\[([a-z]+)\]", text + source))
    assert "formats" in named <= known.keys()


def test_blocks_are_of_kinds_that_are_run_or_read() -> None:
    """But for what a command prints, which is no language's."""
    for page in PAGES:
        opened = re.findall(r"^[ \t]*(?:```|~~~)(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(opened) % 2 == 0, page.name
        languages = {one for one in opened[::2] if not one.startswith("{")}
        assert languages <= RUN_OR_READ | {"text"}, page.name
        assert len(blocks(page)) == sum(one in RUN_OR_READ for one in opened[::2]), page.name


def test_documented_files_are_read() -> None:
    for page in PAGES:
        texts = [block.text for block in blocks(page) if block.language == "toml"]
        if page.name not in TOML_ELSEWHERE:
            for text in texts:
                TOML[page.name].model_validate(tomllib.loads(text))
        assert bool(texts) == (page.name in {*TOML, *TOML_ELSEWHERE}), page.name
        shown = [json.loads(block.text) for block in blocks(page) if block.language == "json"]
        for one, kind in zip(shown, JSON.get(page.name, ()), strict=True):
            Draft202012Validator(hb.schema(kind)).validate(one)
