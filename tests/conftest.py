"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of public data (COCO images, POPE files, a real model's answers), or a skip that says how to have it."""
    folder = Path(os.environ.get("HOPE_BENCH_REAL", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set HOPE_BENCH_REAL to its folder")
    return folder
