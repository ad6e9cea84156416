"""hope-bench models: the cards that are known by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hope_bench.cli.app import app, console, errors
from hope_bench.errors import HopeBenchError

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard

_WIDE = 200
"""Characters of a line that goes into a file or a pipe: nothing is cut there."""

_COLUMNS: tuple[tuple[str, Callable[[ModelCard], str]], ...] = (
    ("family", lambda card: card.family or card.adapter),
    ("size", lambda card: card.parameters or ""),
    ("tested", lambda card: _tested(card)),
    ("licence", lambda card: card.license or ""),
    ("authors' prompt", lambda card: "known" if card.authors_prompt else ""),
    ("vision tower", lambda card: card.vision_tower or ""),
)
"""The most telling first: a narrow terminal shows as many as it has room for."""


@app.command()
def models(name: Annotated[str | None, typer.Argument(help="Show all that one card says.")] = None) -> None:
    """List the models that --model knows by name. Any Hugging Face id or checkpoint folder works without a card.

    "tested" says that the family is in the conformance suite; every other model is checked when it runs, too. "own code" needs
    --trust-remote-code. Cards of your own go into ./models (docs/models.md).

    Examples:

    hope-bench models

    hope-bench models qwen2.5-vl-7b
    """
    from hope_bench.files.card import find_card
    from hope_bench.files.registry import known_models

    if name is not None:
        _show(find_card(name))
        return
    cards, problems = _read(known_models())
    out = console if console.is_terminal else Console(file=console.file, emoji=False, width=_WIDE)
    out.print(_table(cards, out.width))
    out.print(
        f"{len(cards)} cards, ./models first. One in full, with its sources: hope-bench models {next(iter(cards))}",
        highlight=False,
        soft_wrap=True,
    )
    for problem in problems:
        errors.print(escape(problem), highlight=False, soft_wrap=True)


def _read(paths: dict[str, Path]) -> tuple[dict[str, ModelCard], list[str]]:
    """The cards by name, and what is wrong with those that can't be read."""
    from hope_bench.files.card import read_card

    cards, problems = {}, []
    for known, path in sorted(paths.items()):
        try:
            cards[known] = read_card(path)
        except HopeBenchError as error:
            problems.append(str(error))
    return cards, problems


def _tested(card: ModelCard) -> str:
    if card.adapter != "transformers":
        return ""
    return "own code" if card.trust_remote_code else "yes" if card.conformance else "no"


def _table(cards: dict[str, ModelCard], width: int) -> Table:
    """As many columns as fit whole; a name is never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    columns = [list(cards)]
    room = width - max(map(len, cards))
    for title, value in _COLUMNS:
        cells = [value(card) for card in cards.values()]
        room -= max(map(len, (title, *cells))) + 2
        if room < 0:
            break
        table.add_column(title, no_wrap=True)
        columns.append(cells)
    for row in zip(*columns, strict=True):
        table.add_row(*map(escape, row))
    return table


def _show(card: ModelCard) -> None:
    """What the card says beyond the defaults, in its own words."""
    for key, value in card.model_dump(exclude_none=True, exclude_defaults=True).items():
        for line in value if isinstance(value, tuple) else (value,):
            text = str(line).replace("\n", "\\n")
            console.print(f"[bold]{key}[/] = {escape(text)}", soft_wrap=True, highlight=False)
    if card.authors_prompt is not None:
        console.print("Ask with the authors' prompt (unranked): --authors-prompt", style="dim", highlight=False)
