"""docs/reliability.md's table: what came of each reader's inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.fuzz.readers import GROUPS
from tests.fuzz.watch import Tally

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_BETWEEN = re.compile(r"(?<=<!-- made by make fuzz -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table(tallies: Mapping[str, Tally], seed: int) -> str:
    """The sum, and a table of each group's readers."""
    whole = Tally(
        sum(one.inputs for one in tallies.values()), sum(one.accepted for one in tallies.values()),
        sum(one.refused for one in tallies.values()), sum(one.seconds for one in tallies.values()),
        faults=[fault for one in tallies.values() for fault in one.faults],
    )  # fmt: skip
    slowest = max(one.slowest for one in tallies.values())
    lines = [
        f"\n**{whole.inputs:,} damaged inputs (seed {seed}): {whole.accepted:,} accepted, {whole.refused:,} refused, "
        f"{len(whole.faults):,} faults**, in {whole.seconds / 60:.0f} CPU minutes; "
        f"the slowest took {slowest:.1f} CPU seconds.\n"
    ]
    for group, readers in GROUPS.items():
        lines += [f"| {group} | inputs | accepted | refused | faults |", "|---|---|---|---|---|"]
        for name in readers:
            one = tallies.get(name, Tally())
            lines.append(f"| {name} | {one.inputs:,} | {one.accepted:,} | {one.refused:,} | {len(one.faults):,} |")
        lines.append("")
    return "\n".join(lines)


def write_page(tallies: Mapping[str, Tally], seed: int) -> None:
    """Put the table where the page has it."""
    made = _BETWEEN.sub(lambda _: table(tallies, seed) + "\n", PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(made, encoding="utf-8")


def named() -> set[str]:
    """The readers that the page names."""
    (made,) = _BETWEEN.findall(PAGE.read_text(encoding="utf-8"))
    return {
        row.split(" | ")[0].removeprefix("| ") for row in made.splitlines() if row.startswith("| ") and " | inputs | " not in row
    }
