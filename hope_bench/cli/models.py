"""hope-bench models: the cards that are known by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hope_bench.cli.app import app, check_one_format, console, errors, line, print_json, print_tables, say_next
from hope_bench.cli.options import AsJson
from hope_bench.errors import HopeBenchError, counted
from hope_bench.tables import plain_table

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard

_COLUMNS: dict[str, Callable[[ModelCard], str]] = {
    "size": lambda card: card.parameters or "",
    "tested": lambda card: _tested(card),
    "licence": lambda card: card.license or "",
}
_DETAILS: dict[str, Callable[[ModelCard], str]] = {
    "family": lambda card: card.family or card.adapter,
    "authors' prompt": lambda card: "known" if card.authors_prompt else "",
    "vision tower": lambda card: card.vision_tower or "",
}


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Show all that one card says.")] = None,
    details: Annotated[bool, typer.Option("--details", help="Family, authors' prompt and vision tower, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that --model knows by name. Any Hugging Face id or checkpoint folder works without a card.

    "tested" says that the family is in the conformance suite; every other model is checked when it runs, too. "own code" needs
    --trust-remote-code. Cards of your own go into ./models (docs/models.md).

    Examples:

    hope-bench models

    hope-bench models qwen2.5-vl-7b
    """
    from hope_bench.files.card import find_card
    from hope_bench.files.registry import known_models

    check_one_format(as_json, False, details=details)
    if name is not None:
        card = find_card(name)
        print_json(card) if as_json else _show(card)
        return
    cards, problems = _read(known_models())
    if as_json:
        print_json(cards)
    else:
        line(f"{counted(len(cards), 'model is', 'models are')} known by name, those in ./models first.")
        print_tables([_table(cards, _COLUMNS | _DETAILS if details else _COLUMNS)], whole=details)
        say_next("One in full, with its sources:", "models", next(iter(cards)))
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


def _table(cards: dict[str, ModelCard], columns: dict[str, Callable[[ModelCard], str]]) -> Table:
    """A line a card."""
    table = plain_table("", "model", *columns)
    for known, card in cards.items():
        table.add_row(Text(known), *(Text(value(card)) for value in columns.values()))
    return table


def _show(card: ModelCard) -> None:
    """What the card says beyond the defaults, in its own words."""
    for key, value in card.model_dump(exclude_none=True, exclude_defaults=True).items():
        for one in value if isinstance(value, tuple) else (value,):
            text = str(one).replace("\n", "\\n")
            console.print(f"[bold]{key}[/] = {escape(text)}", soft_wrap=True, highlight=False)
    if card.authors_prompt is not None:
        console.print("Ask with the authors' prompt (unranked): --authors-prompt", style="dim", highlight=False)
