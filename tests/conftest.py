"""Fixtures that several test modules share."""

from __future__ import annotations

import atexit
import gc
import os
import signal
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from packaging.version import Version

from tests.clips import read_words_once

ROOT = Path(__file__).resolve().parent.parent

# No test depends on how fast the machine is just now.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# All that the modules of tests import stays, so nobody looks for garbage in it: that takes a third of the time of importing it,
# and each later look as much again.
gc.disable()
atexit.register(gc.unfreeze)


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None):  # not in the processes themselves
        from tests.forks import share

        share()


def pytest_collection_finish() -> None:
    read_words_once()
    gc.freeze()
    gc.enable()


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
            from tests.checkpoints import SINCE, save_checkpoint

            if Version(version("transformers")) < Version(SINCE.get(family, "0")):
                pytest.skip(f"transformers before {SINCE[family]} doesn't run {family}")
            built[family] = save_checkpoint(family, tmp_path_factory.mktemp(family) / family)
        return built[family]

    return get


@pytest.fixture(scope="session")
def qwen_llava(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny LLaVA with Qwen's vocabulary, in which others' thinking marks are special tokens, without a template of its own."""
    from tests.real_vocabulary import MARKS, save_llava, vocabulary

    return save_llava(tmp_path_factory.mktemp("qwen"), vocabulary(real, "qwen3", *MARKS), template=None)


@pytest.fixture
def loads_processors_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real vocabulary takes seconds to load, and is the same each time."""
    from hope_bench.adapters import loading, transformers_model

    def load(folder: str, *_: object) -> object:
        if folder not in _PROCESSORS:
            _PROCESSORS[folder] = loading.load_processor(folder, "the card's")
        return _PROCESSORS[folder]

    monkeypatch.setattr(transformers_model, "load_processor", load)


_PROCESSORS: dict[str, object] = {}
