"""hope-bench evaluate against a real OpenAI-compatible server on this machine: `transformers serve` with the demo's model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hope_bench.benchmark import write_benchmark
from hope_bench.cli import app
from hope_bench.demo.dataset import write_world
from hope_bench.demo.world import EVALUATION_SEED
from hope_bench.provenance import file_sha256
from hope_bench.records import Label, Question
from hope_bench.runs import read_run
from hope_bench.scoring.verdicts import read_answers
from tests.unit.test_endpoint import Handler, Server, answer, status

MODEL = Path(__file__).resolve().parents[2] / "models" / "demo-llava"
KEY = "sk-secret-of-this-test"
IMAGES = 4


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The base URL of a running server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "transformers"), "serve", str(MODEL), "--host", "127.0.0.1", "--port", str(port),
        "--device", "cpu", "--dtype", "float32",
    ]  # fmt: skip
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert process.poll() is None, "the server ended"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A small benchmark on scenes of the demo's world, which its model knows."""
    write_world(tmp_path / "world", IMAGES, EVALUATION_SEED)
    (tmp_path / "world" / "images").rename(tmp_path / "images")
    things = [category["name"] for category in json.loads((tmp_path / "world" / "instances.json").read_text())["categories"]][:10]
    hashes: dict[str, str | None] = {path.name: file_sha256(path) for path in sorted((tmp_path / "images").iterdir())}
    labels: tuple[Label, Label] = ("yes", "no")
    rows = [
        Question(0, name, f"Is there a {thing}?", labels[i % 2], "random") for name in hashes for i, thing in enumerate(things)
    ]
    write_benchmark(
        tmp_path / "bench", {"random": rows}, {"random": "pope"}, name="tiny", title="Tiny", headline="random",
        prompt="{question} Answer yes or no.", k=None, dataset="drawn", images=hashes,
    )  # fmt: skip
    return tmp_path


def evaluate(folder: Path, model: str, name: str, *more: str) -> Result:
    arguments = [
        "evaluate", "--model", model, "--benchmark", str(folder / "bench"), "--images", str(folder / "images"),
        "--runs", str(folder / "runs"), "--name", name, "--max-new-tokens", "4", "--batch-size", "10", *more,
    ]  # fmt: skip
    return CliRunner().invoke(app, arguments)


def write_card(folder: Path, url: str, model: str) -> str:
    path = folder / "endpoint.toml"
    path.write_text(f'name = "served"\nadapter = "endpoint"\nbase_url = "{url}"\ncheckpoint = "{model}"\nattempts = 2\n')
    return str(path)


def test_a_served_model_gives_the_verdicts_it_gives_here(served: str, bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    here = evaluate(bench, "demo-llava", "here")
    there = evaluate(bench, write_card(bench, served, str(MODEL)), "there")
    assert (here.exit_code, there.exit_code) == (0, 0), there.output
    runs = bench / "runs" / "tiny"
    verdicts = [[answer.verdict for answer in read_answers(runs / name / "answers.jsonl").answers] for name in ("here", "there")]
    assert verdicts[0] == verdicts[1]
    assert len(set(verdicts[0])) > 1
    record = read_run(runs / "there")
    assert (record.run.adapter, record.run.processes, record.errors) == ("endpoint", 1, 0)
    assert record.run.input_tokens is not None
    assert record.run.input_tokens > 40 * 20
    assert record.model.checkpoint == "demo-llava"
    written = b"".join(path.read_bytes() for path in bench.rglob("*") if path.is_file())
    assert KEY.encode() not in written
    assert KEY not in there.output + there.stderr


def test_a_key_revoked_in_the_middle_is_errors_and_the_rest_is_asked_later(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        card = write_card(bench, server.url, "m")
        assert evaluate(bench, card, "whole").exit_code == 0
        count = 0

        def revoked_after_20(handler: Handler, body: dict[str, object]) -> None:
            nonlocal count
            with server.lock:
                count += 1
                refuse = count > 20
            (status(403, f"key {KEY} was revoked") if refuse else answer)(handler, body)

        server.always = revoked_after_20
        result = evaluate(bench, card, "shaken")
        assert result.exit_code == 1
        record = read_run(bench / "runs" / "tiny" / "shaken")
        assert (record.errors, record.questions, record.complete) == (20, 40, True)
        assert "PermissionDeniedError" in result.stderr
        assert KEY not in result.output + (bench / "runs" / "tiny" / "shaken" / "answers.jsonl").read_text()

        server.always = None
        assert evaluate(bench, card, "shaken").exit_code == 0
        files = [(bench / "runs" / "tiny" / name / "answers.jsonl").read_bytes() for name in ("whole", "shaken")]
        assert files[0] == files[1]
        server.always = status(401)
        assert "failed on its first 10 questions" in str(evaluate(bench, card, "refused").exception)
        server.shutdown()
