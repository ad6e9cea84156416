"""The leaderboard for programs: JSON, CSV and parquet of every number, the schema of a result, a feed, and badges."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import pyarrow.parquet as pq

from hope_bench.files.result import ModelInfo, Result
from hope_bench.files.validation import Strict, json_schema
from hope_bench.reporting.render import percent
from hope_bench.scoring.metrics import METRICS
from hope_bench.site.views import ModelRow, Section
from hope_bench.tables import no_formula

SHARED = (
    "benchmark",
    "benchmark_hash",
    "model",
    "checkpoint",
    "parameters",
    "added",
    "rank_best",
    "rank_worst",
    "not_ranked",
    "split",
    "kind",
)
COUNTS = ("yes", "no", "unparsed", "error", "unasked")
_COLUMNS = (
    *SHARED,
    *(f"on_{label}_{verdict}" for label in ("yes", "no") for verdict in COUNTS),
    *(f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")),
)
BADGE_MARK = "<!-- hope-bench leaderboard -->"


class Rank(Strict):
    """The ranks that a model may have, from 1."""

    best: int
    worst: int


class ResultData(Strict):
    """A result on the leaderboard: its ranks (null: it is not ranked, and why), its files on the site, and its numbers in [0, 1]
    by split and metric, null where they can't be computed."""

    model: ModelInfo
    rank: Rank | None
    not_ranked: str | None
    added: date | None
    page: str
    result: str
    badge: str
    splits: Mapping[str, Mapping[str, float | None]]


class BenchmarkData(Strict):
    """A benchmark on the leaderboard, with its results in the order of the ranking."""

    key: str
    name: str
    title: str
    hash: str
    dataset: str
    images: int
    prompt: str
    headline: str
    baseline: str | None
    ranking: str
    results: tuple[ResultData, ...]


class LeaderboardData(Strict):
    """data/leaderboard.json: the whole leaderboard for programs."""

    schema_version: Literal[1] = 1
    benchmarks: tuple[BenchmarkData, ...]


def data_files(sections: Sequence[Section]) -> dict[str, bytes]:
    """Every data file by its path under the site's root; the same results give the same bytes."""
    rows = [row for section in sections for model in section.rows for row in _rows(model)]
    numbers = LeaderboardData(benchmarks=tuple(_benchmark(section) for section in sections))
    files = {
        "data/leaderboard.json": _json(numbers.model_dump(mode="json")),
        "data/leaderboard.csv": _csv(rows),
        "data/leaderboard.parquet": _parquet(rows),
        "data/result.schema.json": _json(json_schema(Result)),
        "data/feed.xml": _feed(sections),
    }
    return files | {badge_path(row): badge(section, row) for section in sections for row in section.rows}


def badge_path(row: ModelRow) -> str:
    """Where a result's badge lies."""
    return f"badges/{row.entry.page.removesuffix('.html')}.svg"


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n").encode()


def _benchmark(section: Section) -> BenchmarkData:
    about = section.about.benchmark
    return BenchmarkData(
        key=section.key, name=about.name, title=about.title, hash=about.hash, dataset=about.dataset, images=about.images,
        prompt=about.prompt, headline=about.headline, baseline=section.baseline, ranking=f"benchmarks/{section.key}.html",
        results=tuple(_result(row) for row in section.rows),
    )  # fmt: skip


def _result(row: ModelRow) -> ResultData:
    result = row.entry.result
    return ResultData(
        model=result.model,
        rank=None if row.range is None else Rank(best=row.range[0], worst=row.range[1]),
        not_ranked=row.reason,
        added=result.added,
        page=row.entry.page,
        result=row.entry.page.removesuffix(".html") + ".json",
        badge=badge_path(row),
        splits={name: {metric: _value(split, metric) for metric in METRICS} for name, split in result.splits.items()},
    )


def _added(result: Result) -> str | None:
    return None if result.added is None else result.added.isoformat()


def _value(split: Any, metric: str) -> float | None:
    estimate = getattr(split, metric)
    return None if estimate is None else estimate.value


def _rows(row: ModelRow) -> Iterator[tuple[Any, ...]]:
    """A row for each split of a model, in the order of the columns."""
    result = row.entry.result
    best, worst = row.range or (None, None)
    shared = (result.benchmark.name, result.benchmark.hash, result.model.name, result.model.checkpoint, result.model.parameters,
              _added(result), best, worst, row.reason)  # fmt: skip
    for name, split in result.splits.items():
        counts = (getattr(side, verdict) for side in (split.on_yes, split.on_no) for verdict in COUNTS)
        estimates = (getattr(split, metric) for metric in METRICS)
        ends = (end for one in estimates for end in ((None,) * 3 if one is None else (one.value, one.low, one.high)))
        yield (*shared, name, split.kind, *counts, *ends)


def _csv(rows: Sequence[tuple[Any, ...]]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        texts = (no_formula(str(cell or "")) for cell in row[: len(SHARED)])
        writer.writerow([*texts, *row[len(SHARED) :]])
    return stream.getvalue().encode()


def _parquet(rows: Sequence[tuple[Any, ...]]) -> bytes:
    def kind(column: str) -> Any:
        if column.startswith(("rank_", "on_")):
            return pa.int64()
        return pa.string() if column in SHARED else pa.float64()

    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    arrays = [pa.array(values, type=kind(name)) for name, values in zip(_COLUMNS, columns, strict=True)]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=list(_COLUMNS)), stream, compression="zstd")
    return stream.getvalue()


def _feed(sections: Sequence[Section]) -> bytes:
    """An Atom feed with an entry for each content of a result that was added (`hope-bench leaderboard add`), the latest first."""
    rows = [(day, section, row) for section in sections for row in section.rows if (day := row.entry.result.added)]
    rows.sort(key=lambda one: one[0], reverse=True)
    entries = "".join(_feed_entry(section, row, _when(day)) for day, section, row in rows)
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<title>Object hallucination leaderboard</title><id>tag:hope-bench,2025:leaderboard</id>"
        f"<updated>{_when(rows[0][0] if rows else date(1970, 1, 1))}</updated>\n"
        '<author><name>hope-bench</name></author><link rel="alternate" href="../index.html"/>\n'
    )
    return f"{head}{entries}</feed>\n".encode()


def _when(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _feed_entry(section: Section, row: ModelRow, when: str) -> str:
    digest = hashlib.sha256(row.entry.source.read_bytes()).hexdigest()[:16]
    headline = section.about.benchmark.headline
    title = escape(f"{row.entry.result.model.name} on {section.about.benchmark.title}")
    words = escape(
        f"Balanced accuracy on {headline}: {percent(row.headline.balanced_accuracy.value)}%, hallucination rate "
        f"{percent(row.headline.hallucination_rate.value)}%. " + (f"Rank {row.place}." if row.range else "Not ranked.")
    )
    return (
        f"<entry><title>{title}</title><id>tag:hope-bench,2025:{row.entry.page}:{digest}</id><updated>{when}</updated>"
        f'<link rel="alternate" href={quoteattr("../" + row.entry.page)}/><summary>{words}</summary></entry>\n'
    )


def badge(section: Section, row: ModelRow) -> bytes:
    """A small picture for a README: how often the model hallucinates on the headline split, and its rank."""
    left = f"hallucinates on {section.about.benchmark.name[:40]}"
    right = f"{percent(row.headline.hallucination_rate.value)}%" + (f" · rank {row.place}" if row.range else "")
    widths = [_width(left) + 14, _width(right) + 14]
    title = escape(f"{row.entry.result.model.name}: {left} {right}")
    total = sum(widths)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img">{BADGE_MARK}<title>{title}</title>'
        f'<rect width="{total}" height="20" rx="3" fill="#1d1c1a"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="20" rx="3" fill="#b8391a"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="7" y="14">{escape(left)}</text><text x="{widths[0] + 7}" y="14">{escape(right)}</text></g></svg>\n'
    ).encode()


@cache
def _width(text: str) -> int:
    """About as wide as the text is in 11 px Verdana."""
    return round(sum(4.2 if character in "ijl.,:·' 1" else 7.1 for character in text))
