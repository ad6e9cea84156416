"""python -m tests.bench [NAME ...]: run the benchmarks (all by default), print a table, write build/bench.json."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hope_bench.provenance import commit, versions
from tests.bench.bench_annotations_memory import bench_annotations_memory
from tests.bench.bench_balanced import bench_balanced
from tests.bench.bench_coco import bench_coco
from tests.bench.bench_demo import bench_demo
from tests.bench.bench_embedding import bench_embedding
from tests.bench.bench_generation import bench_generation
from tests.bench.bench_guards import bench_guards
from tests.bench.bench_inference import bench_inference
from tests.bench.bench_scoring import bench_scoring
from tests.bench.bench_search import bench_search
from tests.bench.bench_site import bench_site
from tests.bench.bench_start import bench_start

OUT = Path("build/bench.json")

BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {
    "coco_reader": bench_coco,
    "annotations_memory": bench_annotations_memory,
    "embedding": bench_embedding,
    "generation": bench_generation,
    "search": bench_search,
    "balanced": bench_balanced,
    "guards": bench_guards,
    "inference": bench_inference,
    "scoring": bench_scoring,
    "site": bench_site,
    "start": bench_start,
    "demo": bench_demo,
}


def _flat(measures: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested measures as one row each, named by their path."""
    for name, value in measures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    return f"{value:,.3g}" if isinstance(value, float) else str(value)


def main(names: list[str]) -> None:
    unknown = sorted(set(names) - BENCHMARKS.keys())
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}. Known: {', '.join(BENCHMARKS)}.")
    report = json.loads(OUT.read_text()) if OUT.is_file() else {}
    report |= {"machine": {"cpus": os.cpu_count(), "platform": platform.platform()}, "versions": versions(), "commit": commit()}
    table = Table("benchmark", "measure", "value", title="hope-bench benchmarks", title_justify="left")
    table.columns[1].overflow = "fold"  # a pipe is narrow
    for name in names or BENCHMARKS:
        report[name] = BENCHMARKS[name]()
        for measure, value in _flat(report[name]):
            table.add_row(name, measure, _shown(value))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n")
    Console().print(table)
    print(f"Written to {OUT}")


main(sys.argv[1:])
