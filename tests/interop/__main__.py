"""python -m tests.interop: run lmms-eval on an exported task, print what it and hope-bench have, exit 1 where they differ."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from tests.interop.compare_lmms_eval import VERSION, checks

table = Table("", "lmms-eval", "hope-bench", "", title=f"lmms-eval {VERSION} on an exported task", title_justify="left")
compared = list(checks())
for check in compared:
    table.add_row(check.what, check.theirs, check.ours, "same" if check.same else "DIFFERS")
Console().print(table)
differing = sum(not check.same for check in compared)
print(f"{len(compared)} compared, {differing} differ")
sys.exit(differing > 0)
