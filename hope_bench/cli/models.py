"""hope-bench models: the cards that are known by name."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hope_bench.card import ModelCard, find_card, read_card
from hope_bench.cli.app import app, console
from hope_bench.registry import known_models


@app.command()
def models(name: Annotated[str | None, typer.Argument(help="Show all that one card says.")] = None) -> None:
    """List the models that --model knows by name. Any Hugging Face id or checkpoint folder works without a card.

    Example: hope-bench models qwen2.5-vl-7b
    """
    if name is not None:
        _show(find_card(name))
        return
    table = Table(title="Model cards (./models first, then the packaged ones)", title_justify="left")
    for column in ("name", "checkpoint", "family", "family tested"):
        table.add_column(column, no_wrap=True)
    for known, path in sorted(known_models().items()):
        card = read_card(path)
        checkpoint = path.parent.name + "/" + path.stem if card.checkpoint.startswith("/") else card.checkpoint
        cells = (known, checkpoint, card.family or "")
        table.add_row(*map(escape, cells), "yes" if card.conformance else "no" if card.adapter == "transformers" else "")
    Console(file=console.file, force_terminal=console.is_terminal, width=max(console.width, 110)).print(table)
    console.print(
        'A "family tested" is in the conformance suite: its questions share a computed image exactly, or are known not to. Every '
        "other model is checked when it runs, too.",
        highlight=False,
    )


def _show(card: ModelCard) -> None:
    for key, value in card.model_dump(exclude_none=True, exclude_defaults=True).items():
        text = ", ".join(value) if isinstance(value, tuple) else str(value)
        console.print(f"[bold]{key}[/] = {escape(text)}", soft_wrap=True, highlight=False)
