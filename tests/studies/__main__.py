"""Run every study and write its tables to build/studies: python -m tests.studies."""

from __future__ import annotations

from pathlib import Path

from tests.studies import intervals

OUT = Path("build/studies")

if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    page = intervals.page()
    (OUT / "intervals.md").write_text(page, encoding="utf-8")
    print(page)
