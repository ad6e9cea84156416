"""Draw mutants of each folder, print how many the unit tests notice, and the others with what was changed. Ends with 1 where less
than 95% are killed or known to be equivalent. What was killed is not tried again: make clean forgets it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.drawn import FOLDERS, SECONDS, Mutant, draw, generate, known_equivalent, outcomes

ROOT = Path(__file__).resolve().parent.parent.parent
LEAST = 0.95

parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
parser.add_argument("only", nargs="*", metavar="PATTERN", help="draw of these alone, such as 'hope_bench.scoring.rates.*'")
parser.add_argument("--each", type=int, default=40, help="how many of each folder (default 40); 0 for all")
parser.add_argument("--seed", type=int, default=0, help="another seed, another sample (default 0)")
parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once (default: a core each)")
parser.add_argument("--quick", action="store_true", help="don't try those that survive their first 20 seconds on longer tests")
given = parser.parse_args()

os.chdir(ROOT)
os.environ.setdefault("HOPE_BENCH_REAL", str(ROOT.parent / "shared" / "real"))  # the tests run from a copy, elsewhere
mutants = draw(generate(given.jobs), given.only, given.each, given.seed)
found = outcomes(mutants, given.jobs, SECONDS[:1] if given.quick else SECONDS)
equivalent = known_equivalent()


def ended(mutant: Mutant) -> str:
    if found[mutant] in ("killed", "timeout"):
        return "killed"
    return "equivalent" if (mutant.function, mutant.was, mutant.became) in equivalent else "survived"


counted = ("drawn", "killed", "equivalent", "survived")
table = Table("folder", *counted, title=f"Mutants, seed {given.seed}", title_justify="left")
for folder in FOLDERS:
    ends = [ended(mutant) for mutant in mutants if mutant.folder == folder]
    table.add_row(folder, str(len(ends)), *(str(ends.count(end)) for end in counted[1:]))
left = [mutant for mutant in mutants if ended(mutant) == "survived"]
for mutant in left:
    print(f"{mutant.name}: {found[mutant]}\n  - {mutant.was}\n  + {mutant.became}")
Console().print(table)
sys.exit(len(left) > (1 - LEAST) * len(mutants))
