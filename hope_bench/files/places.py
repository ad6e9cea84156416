"""Where runs, results and the site lie in the working directory, unless a caller says otherwise."""

from __future__ import annotations

from pathlib import Path

RUNS = Path("runs")
RESULTS = Path("leaderboard/results")
SITE = Path("build/site")
