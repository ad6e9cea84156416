"""The command line. Each module of this package holds one command or family of commands; `main` runs them.

Exit codes: 0 done; 1 done, but some answers are errors; 2 bad input or an impossible request; 130 interrupted.
"""

from __future__ import annotations

import sys

from rich.markup import escape

from hope_bench.cli import evaluate, generate, interchange, leaderboard, score
from hope_bench.cli.app import app, errors
from hope_bench.errors import HopeBenchError

__all__ = ["app", "evaluate", "generate", "interchange", "leaderboard", "main", "score"]


def main() -> None:
    """Run the command line and exit with its code; an expected failure is a paragraph on stderr, never a traceback."""
    try:
        app()
    except HopeBenchError as error:
        errors.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("Interrupted. What was written stays; run the same command again to go on.")
        sys.exit(130)
