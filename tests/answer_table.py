"""The answers labelled by hand (answers.jsonl), and the table in docs/scoring.md of how each convention reads them.

`python -m tests.answer_table` writes the table anew; a test holds the docs to it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hope_bench.records import Verdict
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.parsing import parse_strict

DOCS = Path(__file__).parents[1] / "docs" / "scoring.md"
BEGIN, END = "<!-- python -m tests.answer_table -->\n", "<!-- end -->\n"


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer: `object` is what was asked about, `verdict` what a person reads, `form` the kind of answer."""

    text: str
    object: str
    verdict: Verdict
    form: str


def labelled() -> list[Labelled]:
    """Every answer, in the file's order."""
    lines = Path(__file__).with_name("answers.jsonl").read_text(encoding="utf-8").splitlines()
    return [Labelled(**json.loads(line)) for line in lines]


def table() -> str:
    """How many answers with each label every convention reads as yes, no or neither, in Markdown."""
    answers = labelled()
    readers: dict[str, Callable[[Labelled], Verdict]] = {
        "`strict`": lambda one: parse_strict(one.text, object=one.object),
        "`strict`, object unknown": lambda one: parse_strict(one.text),
    }
    for name, convention in CONVENTIONS.items():
        if name != "strict":
            readers[f"`{name}`"] = lambda one, parse=convention.parse: parse(one.text)  # type: ignore[misc]
    totals = Counter(one.verdict for one in answers)
    heads = f"{totals['yes']} that say yes | {totals['no']} that say no | {totals['unparsed']} that say neither"
    lines = [f"| read by | {heads} | wrong |", "|---|---|---|---|---|"]
    for name, read in readers.items():
        found = Counter((one.verdict, read(one)) for one in answers)
        verdicts = ("yes", "no", "unparsed")
        cells = [" / ".join(str(found[label, verdict]) for verdict in verdicts) for label in verdicts]
        wrong = sum(count for (label, verdict), count in found.items() if label != verdict)
        lines.append(f"| {name} | {' | '.join(cells)} | {wrong} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    DOCS.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
