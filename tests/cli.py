"""The command line run in this process, as a user would type it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from hope_bench.cli import main

tree = cache(typer.main.get_command)
"""The commands that an application consists of. A user's command line is built once; so is that of a process of tests."""


class Outcome(NamedTuple):
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


def hope_bench(capsys: pytest.CaptureFixture[str], *arguments: object) -> Outcome:
    """Run `hope-bench ARGUMENTS`."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["hope-bench", *map(str, arguments)])
        patch.setattr(typer.main, "get_command", tree)
        with pytest.raises(SystemExit) as stop:
            main()
    code = stop.value.code
    out, err = capsys.readouterr()
    return Outcome(code if isinstance(code, int) else int(code is not None), out, err)


def generated(capsys: pytest.CaptureFixture[str], folder: Path, annotations: Path) -> Outcome:
    """Run `hope-bench generate` on a folder's spec.toml and pictures/, into its out/; it must succeed."""
    where = ("--images", folder / "pictures", "--out", folder / "out", "--cache", folder / "cache")
    outcome = hope_bench(capsys, "generate", folder / "spec.toml", "--annotations", annotations, *where)
    assert outcome.code == 0, outcome.err
    return outcome


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must be refused: exit code 2, one paragraph, no traceback. Returns the paragraph."""
    outcome = hope_bench(capsys, *arguments)
    assert outcome.code == 2, outcome
    message = outcome.err[outcome.err.index("Error: ") :].strip()
    assert "\n\n" not in message
    assert "Traceback" not in outcome.err
    return " ".join(message.split())
