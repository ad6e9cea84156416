"""Draw mutants of each folder, print how many the unit tests notice, and the others with what was changed. Ends with 1 where fewer
than 95% are killed or known to be equivalent. python -m tests.mutants --help"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutants.drawn import FOLDERS, Mutant, draw, generate, known_equivalent, outcomes

LEAST = 0.95

parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
parser.add_argument("only", nargs="*", metavar="PATTERN", help="draw only mutants whose name matches, such as 'hope_bench.scoring.rates.*'")
parser.add_argument("--each", type=int, default=50, help="how many of each folder (default 50); 0 for all")
parser.add_argument("--seed", type=int, default=0, help="another seed, another sample")
parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
given = parser.parse_args()

os.chdir(Path(__file__).resolve().parent.parent.parent)
mutants = draw(generate(given.jobs), given.only, given.each, given.seed)
found = outcomes(mutants, given.jobs)
equivalent = known_equivalent()


def outcome(mutant: Mutant) -> str:
    if found[mutant] != "killed" and (mutant.function, mutant.was, mutant.became) in equivalent:
        return "equivalent"
    return "killed" if found[mutant] in ("killed", "timeout") else "survived"


ended = {mutant: outcome(mutant) for mutant in mutants}
table = Table("folder", *(heading := ("drawn", "killed", "equivalent", "survived")), title=f"seed {given.seed}", title_justify="left")
for folder in FOLDERS:
    of_folder = [end for mutant, end in ended.items() if mutant.folder == folder]
    table.add_row(folder, str(len(of_folder)), *(str(of_folder.count(end)) for end in heading[1:]))
for mutant, end in ended.items():
    if end == "survived":
        print(f"{mutant.name}: {found[mutant]}\n  - {mutant.was}\n  + {mutant.became}")
Console().print(table)
sys.exit(sum(end != "survived" for end in ended.values()) < LEAST * len(ended))
