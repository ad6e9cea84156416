"""The demo from nothing to the page, as `make demo` runs it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from typing import Any


def bench_demo() -> dict[str, Any]:
    """Seconds of `python run_eval.py --out FOLDER`, process start included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, "run_eval.py", "--out", folder], check=True, capture_output=True)
        return {"seconds": time.perf_counter() - start}
