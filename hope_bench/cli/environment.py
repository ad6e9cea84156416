"""hope-bench env: what a bug report needs."""

from __future__ import annotations

from rich.text import Text

from hope_bench.cli.app import app, console, print_json
from hope_bench.cli.options import AsJson
from hope_bench.tables import plain_table, print_table


@app.command(name="env")
def env(
    as_json: AsJson = False,
) -> None:
    """Print what a bug report needs: versions, the device, and where things are kept. Keys are never shown.

    Example: hope-bench env
    """
    from hope_bench.api.starting import environment

    found = environment()
    if as_json:
        print_json(found)
        return
    table = plain_table("", "what", "here")
    for name, value in found.items():
        table.add_row(Text(name), Text("-" if value is None else value))
    print_table(console, table)
