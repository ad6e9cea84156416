"""One generation by two processes: the bytes of one, also after either was killed; and what the other one then says."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hope_bench as hb
from tests.clips import save_tiny_clip
from tests.e2e.test_processes import TORCHRUN
from tests.forks import Fork
from tests.soak import SOAK
from tests.waiting import free_port

NAMES = ("apple", "bus", "cup", "dog", "egg", "fork", "gate", "hat")
IMAGES = 60
"""Their tiles are more batches than two processes encode in one round."""

DYING = """
import os, signal
from hope_bench.clip.crew import EncoderCrew
answer, asked = EncoderCrew._answer, []
def answer_or_die(crew, one):
    asked.append(one)
    if len(asked) == 3 and os.environ["RANK"] == os.environ["DIES"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(crew, one)
EncoderCrew._answer = answer_or_die
from hope_bench.cli import main
main()
"""
"""Each process is asked to load the encoder, then to embed; one of them is killed in the second round."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise, one of them cut off, with a spec that asks for tiles, crops and descriptions."""
    folder = tmp_path_factory.mktemp("generation")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    images, rows = [], []
    for index in range(IMAGES):
        name = f"{index:03}.png"
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / "images" / name)
        images.append({"id": index, "file_name": name, "width": 60, "height": 40})
        for category in rng.choice(len(NAMES), size=3 + index % 2, replace=False).tolist():
            box = [int(rng.integers(0, 40)), int(rng.integers(0, 20)), 20, 20]
            rows.append({"id": len(rows) + 1, "image_id": index, "category_id": category, "bbox": box, "area": 400, "iscrowd": 0})
    cut = folder / "images" / "007.png"
    cut.write_bytes(cut.read_bytes()[:3000])
    categories = [{"id": index, "name": name} for index, name in enumerate(NAMES)]
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    (folder / "spec.toml").write_text(
        'name = "two"\nsample_images = "all"\nk = 2\nstrategies = ["content", "category", "hope"]\n'
        '[dataset]\nannotations = "instances.json"\nimages = "images"\n'
        f'[clip]\nmodel = "{save_tiny_clip(folder / "clip")}"\n[guards.calibrated]\ncompleteness = 0.9\n'
    )
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, bytes]:
    return _generate(folder, "alone")


@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_process_costs_but_what_it_was_doing(lost: int, folder: Path, alone: dict[str, bytes]) -> None:
    name = f"lost-{lost}"
    # Without torchrun, which would end the other one: it must notice by itself.
    processes = _by_environment(["-c", DYING, *_arguments(folder, name)], DIES=str(lost))
    said = [process.communicate()[1] for process in processes]
    assert processes[lost].returncode == -signal.SIGKILL
    assert processes[1 - lost].returncode == 2, said
    assert "Another process of this run was lost" in said[1 - lost]
    assert "run the same command again" in said[1 - lost]
    assert "Traceback" not in said[1 - lost]
    assert not (folder / name).exists()
    kept = _kept(folder / f"{name}.cache")
    assert kept.items() < _kept(folder / "alone.cache").items()
    assert kept, "the first round was stored"
    if lost:
        assert _generate(folder, name) == alone
        return
    out, again = _torchrun(folder, name) if SOAK else _two(folder, name)
    assert out.count("Benchmark written to") == 1, "only the first process speaks"
    assert again.count("60 images, 210 annotations") == 1, "and reads the annotations"
    assert _files(folder / name) == alone
    assert _kept(folder / f"{name}.cache") == _kept(folder / "alone.cache")


def _generate(folder: Path, name: str) -> dict[str, bytes]:
    hb.generate(folder / "spec.toml", out=folder / name, cache=folder / f"{name}.cache", progress="quiet")
    return _files(folder / name)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _kept(cache: Path) -> dict[str, bytes]:
    (store,) = (cache / "embeddings").glob("*.sqlite")
    with sqlite3.connect(store) as connection:
        return dict(connection.execute("SELECT key, vector FROM embeddings"))


def _arguments(folder: Path, name: str) -> list[str]:
    return ["generate", str(folder / "spec.toml"), "--out", str(folder / name), "--cache", str(folder / f"{name}.cache")]


def _torchrun(folder: Path, name: str) -> tuple[str, str]:
    command = [sys.executable, "-m", *TORCHRUN, str(free_port()), "-m", "hope_bench", *_arguments(folder, name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def _two(folder: Path, name: str) -> tuple[str, str]:
    """What two processes print, the first one before the second."""
    processes = _by_environment(["-m", "hope_bench", *_arguments(folder, name)])
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    return said[0][0] + said[1][0], said[0][1] + said[1][1]


def _by_environment(command: list[str], **more: str) -> list[Fork]:
    """The command in two processes that share a job by their environment alone."""
    shared = os.environ | more | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [Fork(command, shared | {"RANK": str(rank)}) for rank in range(2)]
