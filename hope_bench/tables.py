"""Tables of text in one style, narrow enough for 80 columns: for terminals, pipes, consoles and notebooks."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from hope_bench.errors import COMMANDS, visible

WIDTH = 80
"""Columns that the main output of every command fits."""

_WIDEST = 10_000
"""Columns that no table needs."""

_GAP, _LEAST_WORDS = 2, 8
"""Columns between a table's, and those that broken words have at least."""

_RULE = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
"""A line under the headings and nothing else, in characters that every encoding has."""


def no_formula(cell: str) -> str:
    """A text for a table that may be opened in a spreadsheet: what that would run as a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


@dataclass(frozen=True, slots=True)
class Summary:
    """What a record says of itself: a verdict in sentences, a narrow table, and what a reader of it has to know."""

    verdict: tuple[str, ...]
    table: Table
    notes: tuple[str, ...] = ()

    def show(self, console: Console) -> None:
        """Print it: the verdict first."""
        for sentence in self.verdict:
            print_prose(console, Text(sentence))
        if self.verdict:
            console.print()
        print_table(console, self.table)
        for note in self.notes:
            print_prose(console, Text(note, style="dim"))

    def as_text(self) -> str:
        """The same as plain text, in lines of 80 columns."""
        stream = io.StringIO()
        self.show(_Page(file=stream, width=WIDTH, emoji=False, color_system=None, legacy_windows=False))
        return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())

    def as_html(self) -> str:
        """The same for a notebook."""
        heads = "".join(f"<th>{escape(_plain(column.header))}</th>" for column in self.table.columns)
        columns = [list(column.cells) for column in self.table.columns]
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(_plain(cell))}</td>' for cell in row)}</tr>" for row in zip(*columns, strict=True)
        )
        before, after = ("".join(f"<p>{escape(text)}</p>" for text in texts) for texts in (self.verdict, self.notes))
        title = "" if self.table.title is None else f"<p>{escape(_plain(self.table.title))}</p>"
        return f"{before}{title}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{after}"


def visible_json(text: str) -> str:
    """JSON with these characters escaped, which says the same."""
    return COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class SafeConsole(Console):
    """The console that everything is shown on: texts are `visible`, the styles are the console's own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """As Console's."""
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else visible(segment.text)
            yield segment if shown == segment.text else Segment(shown, segment.style)


class _Page(SafeConsole):
    """A console that breaks lines as a terminal's does."""

    @property
    def is_terminal(self) -> bool:
        return True


def markdown_text(text: object) -> str:
    """Text that is nothing but text in a line or a table's cell of Markdown."""
    plain = " ".join(str(text).split())
    for mark in ("\\", "|", "<", ">", "`", "*", "_", "[", "]", "#"):
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def markdown_code(text: object) -> str:
    """Text as it stands, as code in a line of Markdown: between more backticks than it holds itself."""
    plain = " ".join(str(text).split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    return f"{fence}{plain}{fence}" if len(fence) == 1 else f"{fence} {plain} {fence}"


def plain_table(title: str, *columns: str) -> Table:
    """A table without frames. A column's heading that begins with ">" is one of numbers: to the right, and never broken; other
    columns break at words where there is no room."""
    table = Table(
        title=Text(title, style="bold") if title else None, title_justify="left", box=_RULE, show_edge=False, pad_edge=False,
        padding=(0, 1, 0, 0), header_style="bold", caption_justify="left",
    )  # fmt: skip
    for heading in columns:
        number = heading.startswith(">")
        table.add_column(Text(heading.removeprefix(">")), justify="right" if number else "left", no_wrap=number, overflow="fold")
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table as wide as the terminal, but at least 80 columns and what its numbers need; in a pipe, no word is broken."""
    if not console.is_terminal:
        words = Measurement.get(console, console.options.update(width=_WIDEST), table).minimum
        _print(console, table, max(console.width, WIDTH, words))
        return
    numbers = [[column.header, *column.cells] for column in table.columns if column.no_wrap]
    needed = sum(max(cell_len(line) for cell in cells for line in _plain(cell).split("\n")) + _GAP for cells in numbers)
    needed += (_LEAST_WORDS + _GAP) * (len(table.columns) - len(numbers))
    _print(console, table, max(console.width, WIDTH, needed))


def print_whole(console: Console, table: Table) -> None:
    """Print a table whose columns don't wrap as wide as it needs, in a narrow terminal or pipe too: nothing of it is cut off."""
    needed = Measurement.get(console, console.options.update(width=_WIDEST), table).maximum
    _print(console, table, max(console.width, needed))


def print_prose(console: Console, text: Text) -> None:
    """Print sentences: a terminal breaks them at words, but a long path stays whole; a pipe gets them in one line."""
    lines = text.plain.split("\n")
    if console.is_terminal:
        lines = [part for line in lines for part in _wrapped(line, console.width)]
    for line in lines:
        console.print(Text(line, style=text.style), soft_wrap=True, highlight=False)


def _wrapped(line: str, width: int) -> list[str]:
    """A line broken at blanks into lines of at most so many columns, two for a wide character; a longer word stays whole."""
    lines: list[str] = []
    for word in re.findall(r"\s*\S+", line):
        if lines and cell_len(lines[-1] + word) <= width:
            lines[-1] += word
        else:
            lines.append(word.lstrip() if lines else word)
    return lines or [""]


def _print(console: Console, table: Table, width: int) -> None:
    SafeConsole(
        file=console.file, emoji=False, force_terminal=console.is_terminal, width=width, no_color=console.no_color,
        color_system=None if console.color_system is None else "auto",
    ).print(table)  # fmt: skip


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)
