"""Commands in the README and the docs are commands that exist: every `hope-bench` line of a code block is parsed, not run."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from hope_bench.cli import app
from hope_bench.cli.run_eval import run_eval
from hope_bench.files.card import ModelCard
from hope_bench.files.spec import BenchmarkSpec

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_commands_exist(page: Path) -> None:
    single = typer.Typer(add_completion=False)
    single.command()(run_eval)
    for line in commands(page):
        words = shlex.split(line, comments=True)
        if words[0] == "python":
            parse(words[2:], typer.main.get_command(single))
        else:
            parse(words[1:], typer.main.get_command(app))


def test_there_are_commands_to_check() -> None:
    assert len(commands(ROOT / "README.md")) >= 5


def test_documented_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_documented_spec_is_valid() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "spec.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        BenchmarkSpec.model_validate(tomllib.loads(block))


def test_the_documented_cards_are_valid() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    for block in blocks:
        ModelCard.model_validate(tomllib.loads(block))
