"""lmms-eval's own POPE scores of answers: run by its environment's Python, on JSON lines of split, question_id, answer, text."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

from lmms_eval.tasks.pope import utils  # type: ignore[import-not-found]

METRICS = {
    "accuracy": utils.pope_aggregate_accuracy,
    "precision": utils.pope_aggregate_precision,
    "recall": utils.pope_aggregate_recall,
    "f1": utils.pope_aggregate_f1_score,
    "yes_ratio": utils.pope_aggregate_yes_ratio,
}

if __name__ == "__main__":
    splits = defaultdict(list)
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        splits[row["split"]].append(utils.pope_process_results(row, [row["text"]])["pope_accuracy"])
    made = {split: {name: aggregate(rows) for name, aggregate in METRICS.items()} for split, rows in splits.items()}
    Path(sys.argv[2]).write_text(json.dumps(made), encoding="utf-8")
