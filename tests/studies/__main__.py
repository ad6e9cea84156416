"""Run every study: tables go to build/studies, and docs/validity.md is made anew. python -m tests.studies"""

from __future__ import annotations

from pathlib import Path

from tests.studies import intervals, reviewed, validity

OUT = Path("build/studies")

if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    page = "\n".join([intervals.page(), *reviewed.table(), ""])
    (OUT / "intervals.md").write_text(page, encoding="utf-8")
    print(page)
    validity.PAGE.write_text(validity.study(), encoding="utf-8")
    print(f"Written to {validity.PAGE}")
