"""What repeats itself, or takes long: `make test` takes some of it, `make soak` (HOPE_BENCH_SOAK) all."""

from __future__ import annotations

import os

import pytest

SOAK = int(os.environ.get("HOPE_BENCH_SOAK", "0"))
"""0 in `make test`; else at how many points an evaluation is struck."""

only_in_soak = pytest.mark.skipif(not SOAK, reason="it runs with make soak")
