"""What passes before a command begins its work: CPU seconds of commands that only have to say what is wrong, or nothing to do."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.card import find_card
from hope_bench.inference.engine import EvaluateOptions, evaluate
from tests.small_benchmark import write_small

ROUNDS = 5


def bench_start() -> dict[str, Any]:
    """CPU seconds (user and system, the median of five fresh processes) of each command, and of a first natural question."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = write_small(folder)
        options = EvaluateOptions(images=small.images, runs=folder / "runs", progress="quiet")
        evaluate(read_benchmark(small.folder), find_card("demo-llava"), options)
        ask = ["evaluate", "-m", "demo-llava", "-b", str(small.folder), "--images", str(small.images)]
        hope_bench = ["-m", "hope_bench"]
        commands = {
            "import_hope_bench": ["-c", "import hope_bench"],
            "natural_wording": ["-c", "from hope_bench.wording import plural; plural('wine glass')"],
            "version": [*hope_bench, "--version"],
            "help": [*hope_bench, "--help"],
            "evaluate_model_typo": [*hope_bench, "evaluate", "-m", "demo-lava", "-b", str(small.folder)],
            "evaluate_images_missing": [*hope_bench, *ask[:-1], "nowhere"],
            "evaluate_finished": [*hope_bench, *ask, "--runs", str(folder / "runs")],
            "evaluate_dry_run_finished": [*hope_bench, *ask, "--runs", str(folder / "runs"), "--dry-run"],
            "evaluate_all_asked": [*hope_bench, *ask, "--runs", "runs", "--name", "new"],
            "generate_spec_typo": [*hope_bench, "generate", "dmeo"],
            "score_run_typo": [*hope_bench, "score", "small/demo-lava"],
            "compare_metric_typo": [*hope_bench, "compare", "small", "--metric", "acuracy"],
            "report_run_typo": [*hope_bench, "report", "small/demo-lava"],
            "leaderboard_results_missing": [*hope_bench, "leaderboard", "build", "--results", "nowhere"],
        }
        return {command: _cpu_seconds(arguments, folder) for command, arguments in commands.items()}


def _cpu_seconds(arguments: list[str], folder: Path) -> float:
    """The median of several fresh processes, started in a folder where each finds what it found before."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "HF_HUB_OFFLINE": "1"}
    seconds = []
    for number in range(ROUNDS):
        own = [str(number) if word == "new" else word for word in arguments]
        process = subprocess.Popen(
            [sys.executable, *own], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds.append(used.ru_utime + used.ru_stime)
    return statistics.median(seconds)
