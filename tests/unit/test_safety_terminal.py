"""What is shown: texts of others never command the terminal, and every console is the one that sees to it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.panel import Panel
from rich.progress import Progress
from rich.text import Text

import hope_bench
from hope_bench.cli.app import print_json
from hope_bench.errors import HopeBenchError, visible
from hope_bench.progress import say_on_stderr
from hope_bench.tables import SafeConsole, Summary, plain_table, print_prose, print_table
from tests.cli import hope_bench as command
from tests.runs import make_benchmark, make_run

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
EVIL = "a\x1b[31mred\x1b]0;title\x07\x1b[2J\x9b1A\rover\x08\x7f\u202egnp.exe\u2028line\x00"
SOURCES = sorted(Path(hope_bench.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("terminal", [False, True])
def test_no_text_commands_the_terminal(terminal: bool) -> None:
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=100, emoji=False, force_terminal=terminal, color_system=None)
    table = plain_table(EVIL, EVIL, f">{EVIL}")
    table.add_row(EVIL, Text(EVIL, style="bold"))
    print_prose(console, Text(EVIL))
    print_table(console, table)
    console.print(EVIL, markup=False)
    console.print(Panel(EVIL, title=EVIL))
    Summary((EVIL,), table, (EVIL,)).show(console)
    if not terminal:
        with Progress(console=console) as bar:
            bar.add_task(EVIL.replace("[", "("), total=1)
    assert stream.getvalue().count("gnp.exe") >= 7
    assert RAW.findall(stream.getvalue()) == []
    assert RAW.findall(str(Summary((EVIL,), table))) == []


def test_styles_and_languages_stay() -> None:
    stream = io.StringIO()
    console = SafeConsole(file=stream, force_terminal=True, color_system="truecolor", emoji=False)
    console.print("[bold]חתול, gato, 猫, 👩‍🚀[/]", highlight=False)
    assert stream.getvalue() == "\x1b[1mחתול, gato, 猫, 👩‍🚀\x1b[0m\n"
    assert visible("two\nlines\tand a tab") == "two\nlines\tand a tab"


def test_json_says_the_same_in_characters_that_are_safe(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": EVIL, "ü": ["\x85", "\x7f"]}
    print_json(value)
    shown = capsys.readouterr().out
    assert json.loads(shown) == value
    assert RAW.findall(shown) == []
    assert '"ü"' in shown


def test_commands_show_what_others_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, thing = EVIL.replace("\x00", "") + ".png", EVIL
    benchmark = make_benchmark(tmp_path / "b", {"random": [(name, thing, "yes"), (name, "dog", "no")]}, title=EVIL, dataset=EVIL)
    run = make_run(tmp_path / "runs" / "tiny" / "r", benchmark, {(name, thing): "error", (name, "dog"): "yes"}, notes=(EVIL,))
    asked = (
        ("inspect", "b", "--no-images", "--out", "gallery"), ("inspect", "b", "--images", str(tmp_path)),
        ("score", run, "-b", "b"), ("score", run, "-b", "b", "--json"), ("score", run, "-b", "b", "--details"),
        ("evaluate", "-m", "none", "-b", "b"), ("evaluate", "-m", EVIL, "-b", EVIL),
        ("export", "b", "--to", "llava", "--out", "x"), ("export", EVIL, "--to", EVIL, "--out", "y"),
    )  # fmt: skip
    for arguments in asked:
        shown = command(capsys, *arguments)
        assert RAW.findall(shown.out + shown.err) == [], arguments
        assert shown.code in (0, 1, 2), shown.err
    say_on_stderr(EVIL)
    assert RAW.findall(capsys.readouterr().err) == []


def test_there_is_no_other_console() -> None:
    made = [path.name for path in SOURCES if re.search(r"(?<!Safe)Console\((?!Console\))", path.read_text(encoding="utf-8"))]
    assert made == []


def test_no_error_commands_the_terminal_or_has_no_end() -> None:
    assert RAW.findall(str(HopeBenchError(EVIL))) == [], "also in notebooks and in logs, where no console is between"
    assert str(HopeBenchError("as it is,\n\tin lines: ü")) == "as it is,\n\tin lines: ü"
    said = str(HopeBenchError(f"File {'x' * 10**6}: remove it."))
    assert len(said) <= 2000
    assert said.startswith("File xxx")
    assert said.endswith("x: remove it.")
