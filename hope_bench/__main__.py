"""`hope-bench` and `python -m hope_bench`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Ctrl-C before it listens ends it as later: exit code 130 and no traceback."""
    try:
        from hope_bench.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
