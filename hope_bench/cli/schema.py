"""hope-bench schema: what every kind of file may hold, for other programs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from hope_bench.cli.app import app, line, print_json, print_tables
from hope_bench.tables import plain_table


@app.command()
def schema(
    name: Annotated[str | None, typer.Argument(help="Of which kind of file. Default: list them.", show_default=False)] = None,
) -> None:
    """Print the JSON schema of a kind of file: spec, manifest, question, card, run, answer, result and so on.

    Of JSON lines, it is that of a line.

    Examples:

    hope-bench schema

    hope-bench schema result > result.schema.json
    """
    from hope_bench.api.schemas import KINDS
    from hope_bench.api.schemas import schema as find

    if name is not None:
        print_json(find(name))
        return
    table = plain_table("", "schema", "of", "form")
    for known, kind in KINDS.items():
        table.add_row(known, Text(kind.file), kind.form)
    print_tables([table])
    line("One as JSON: hope-bench schema NAME")
