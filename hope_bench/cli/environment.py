"""hope-bench env: what a bug report needs."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.text import Text

from hope_bench.cli.app import app, console
from hope_bench.tables import plain_table, print_table


@app.command(name="env")
def env(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, and nothing else.")] = False,
) -> None:
    """Print what a bug report needs: versions, the device, and where things are kept. Keys are never shown.

    Example: hope-bench env
    """
    from hope_bench.api.starting import environment

    found = environment()
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        return
    table = plain_table("", "what", "here")
    for name, value in found.items():
        table.add_row(Text(name), Text("-" if value is None else value))
    print_table(console, table)
