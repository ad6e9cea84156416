"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Where the suite was started in the background, Ctrl-C is ignored, here and in every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of public data (COCO images, POPE files, a real model's answers), or a skip that says how to have it."""
    folder = Path(os.environ.get("HOPE_BENCH_REAL", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set HOPE_BENCH_REAL to its folder")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny checkpoint of a family (tests/checkpoints.py), built when first asked for. Copy it to change it."""
    built: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in built:
            from tests.checkpoints import save_checkpoint

            built[family] = save_checkpoint(family, tmp_path_factory.mktemp(family) / family)
        return built[family]

    return get
