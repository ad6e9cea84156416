"""Runs killed at random moments, again and again: no answer lost, doubled or changed.

12 kills in the suite; HOPE_BENCH_SOAK=200 for more (make soak). The model is a function, so that a process is up at once.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest
from PIL import Image

from hope_bench.files.benchmark import write_benchmark
from hope_bench.provenance import file_sha256
from hope_bench.records import Label, Question
from tests.forks import Fork
from tests.soak import SOAK

KILLS = SOAK or 12
IMAGES, THINGS = 60, 6

SITTING = """
import hashlib, os, sys, time
from pathlib import Path
from hope_bench.adapters.base import AdapterInfo, AdapterReport, RawAnswer
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.card import ModelCard
from hope_bench.inference.engine import EvaluateOptions, evaluate

class Model:
    info = AdapterInfo("function", "it@1", "1", None, "float32", "cpu", "cpu")
    report = AdapterReport()
    def load(self): pass
    def prepare(self, batch): pass
    def answer(self, batch):
        time.sleep(0.004)
        while os.environ.get("LAST") == batch[0][0].info["file_name"]:
            time.sleep(0.01)  # to be killed, before all is done
        digests = [hashlib.sha256(image.tobytes() + prompt.encode()).digest() for image, prompt in batch]
        return [RawAnswer("yes" if digest[0] % 2 else "no", digest[1] / 255, digest[2] / 255) for digest in digests]

folder, name = Path(sys.argv[1]), sys.argv[2]
options = EvaluateOptions(images=folder / "images", runs=folder / "runs", name=name)
print("begun", flush=True)
evaluate(read_benchmark(folder / "bench"), ModelCard(name="it", checkpoint="it", batch_size=THINGS), options, adapter=Model())
""".replace("THINGS", str(THINGS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A benchmark of 60 images, 6 questions each: 60 steps."""
    (tmp_path / "images").mkdir()
    hashes: dict[str, str | None] = {}
    for place in range(IMAGES):
        path = tmp_path / "images" / f"{place:02}.png"
        Image.new("RGB", (4, 4), (place, 0, 0)).save(path)
        hashes[path.name] = file_sha256(path)
    labels: tuple[Label, Label] = ("yes", "no")
    questions = [Question(0, name, f"Is there a {n}?", labels[n % 2], "random") for name in hashes for n in range(THINGS)]
    write_benchmark(
        tmp_path / "bench", {"random": questions}, {"random": "pope"}, name="tiny", title="Tiny", headline="random",
        prompt="{question}", k=None, dataset="drawn", images=hashes,
    )  # fmt: skip
    return tmp_path


def start(folder: Path, name: str, ends: bool = True) -> Fork:
    """A sitting, which has begun to work when this returns; unless it `ends`, it stays at the last image."""
    process = Fork(["-c", SITTING, folder, name], os.environ | ({} if ends else {"LAST": f"{IMAGES - 1:02}.png"}))
    process.wait_for_line("begun")
    return process


def wait_for(process: Fork, answers: Path, size: int) -> None:
    """Until a run has written so many bytes of answers, or is done."""
    while process.poll() is None and (answers.stat().st_size if answers.exists() else 0) < size:
        time.sleep(0.001)


def test_killed_anywhere_the_bytes_are_those_of_a_quiet_run(folder: Path) -> None:
    assert start(folder, "quiet").wait() == 0
    quiet = (folder / "runs" / "tiny" / "quiet" / "answers.jsonl").read_bytes()
    assert quiet.count(b"\n") == IMAGES * THINGS
    last = len(b"".join(quiet.splitlines(keepends=True)[:-THINGS]))
    rng = random.Random(KILLS)
    kills = runs = midway = 0
    while kills < KILLS:
        answers = folder / "runs" / "tiny" / f"run-{runs}" / "answers.jsonl"
        # By what is written, not by the clock; one in five before anything is, in whatever comes first.
        # However busy the machine, most find it at work; only the last may come while it finishes, or too late.
        for place, size in enumerate(sorted(rng.randrange(last) for _ in range(4))):
            process = start(folder, f"run-{runs}", ends=place == 3)
            wait_for(process, answers, size)
            process.kill()
            kills += process.wait() != 0
            size = answers.stat().st_size if answers.exists() else 0
            midway += 0 < size < len(quiet)
        process = start(folder, f"run-{runs}")
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        kills += process.wait() != 0
        process = start(folder, f"run-{runs}")
        assert process.wait() == 0
        assert answers.read_bytes() == quiet
        assert json.loads((answers.parent / "run.json").read_text())["complete"]
        assert {path.name for path in answers.parent.iterdir()} == {"answers.jsonl", "run.json"}
        runs += 1
    assert midway, "no kill came while answers were written"


def test_what_a_killed_writer_left_is_swept_up(folder: Path) -> None:
    run = folder / "runs" / "tiny" / "run"
    run.mkdir(parents=True)
    (run / ".run.json.partial").write_text("{")
    assert start(folder, "run").wait() == 0
    assert {path.name for path in run.iterdir()} == {"answers.jsonl", "run.json"}
