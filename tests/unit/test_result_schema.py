"""docs/result-schema.md is what the code says."""

from __future__ import annotations

from hope_bench.scoring.schema_docs import PAGE, schema_page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == schema_page(), "run: python -m hope_bench.scoring.schema_docs"


def test_every_field_is_there() -> None:
    page = schema_page()
    assert "<class" not in page
    for words in ("## Result\n", "## Probabilities\n", "| `auroc_drop` | [Estimate](#estimate) or null | null |", "`lmms-eval`"):
        assert words in page
