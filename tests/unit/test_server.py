"""Servers that hope-bench starts: their command lines, and that nothing of them is left, whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hope_bench.adapters import server as servers
from hope_bench.adapters import server_guard
from hope_bench.adapters.served import Served
from hope_bench.adapters.server import command_line, further_arguments, plain_copy
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.files.run import read_run
from hope_bench.files.validation import validate
from tests import fake_servers
from tests.cli import hope_bench, refused
from tests.forks import Fork
from tests.small_benchmark import write_small
from tests.waiting import wait_until

MODEL = fake_servers.ROOT / "models" / "demo-llava"
FOLDER = Path("/models/it")


def card(**settings: object) -> ModelCard:
    return validate({"name": "it", "checkpoint": "ORG/NAME", **settings}, ModelCard, "it")


def arguments(folder: Path, *more: object) -> list[str]:
    return [
        *("evaluate", "--server", "vllm", "--model", str(MODEL), "--benchmark", str(folder / "benchmark")),
        *("--images", str(folder / "images"), "--runs", str(folder / "runs"), "--batch-size", "1", *map(str, more)),
    ]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("HF_TOKEN", "hf_secret_1234")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nothing on this machine is reached through a proxy
    write_small(tmp_path)
    return tmp_path


def log_of(said: str) -> Path:
    """The log that an error names."""
    return Path(said.partition("The end of its log (")[2].partition(")")[0])


def all_gone(told: Path) -> bool:
    """Whether the fake's processes have ended; they are waited for."""
    pids = [int(word) for word in told.read_text().splitlines()[0].split()]
    assert len(pids) == 2
    wait_until(lambda: not any(map(_is_running, pids)), said=told.read_text)
    return True


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_vllms_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_servers.install(tmp_path, monkeypatch)
    one = card(server="vllm", dtype="bfloat16", trust_remote_code=True, server_args="--tensor-parallel-size 2 --max-model-len 8k")
    program, *words = command_line(one, FOLDER, 8123, tmp_path / "it.jinja")
    assert program == str(tmp_path / "bin" / "vllm")
    told = fake_servers.vllm().parse_args(words)
    assert (told.command, told.model_tag, told.host, told.port) == ("serve", str(FOLDER), "127.0.0.1", 8123)
    assert (told.served_model_name, told.enable_prefix_caching) == ("ORG/NAME", True)
    assert (told.dtype, told.chat_template, told.trust_remote_code) == ("bfloat16", str(tmp_path / "it.jinja"), True)
    assert told.generation_config == "vllm", "the checkpoint's own penalties are put aside"
    assert (told.tensor_parallel_size, told.max_model_len) == (2, "8k")
    assert command_line(card(server="vllm"), FOLDER, 1, None)[1:] == [
        *("serve", str(FOLDER), "--host", "127.0.0.1", "--port", "1", "--served-model-name", "ORG/NAME"),
        *("--enable-prefix-caching", "--generation-config", "vllm"),
    ]


def test_sglangs_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The radix cache is on unless --disable-radix-cache."""
    fake_servers.install(tmp_path, monkeypatch)
    one = card(server="sglang", server_args="--dp 2")
    words = ["--model-path", str(FOLDER), "--host", "127.0.0.1", "--port", "8123", "--chat-template", "it.jinja"]
    words += ["--served-model-name", "ORG/NAME", "--sampling-defaults", "openai", "--dp", "2"]
    assert command_line(one, FOLDER, 8123, Path("it.jinja")) == [sys.executable, "-m", "sglang.launch_server", *words]
    told = fake_servers.sglang().parse_args(words)
    assert (told.model_path, told.served_model_name, told.dp_size) == (str(FOLDER), "ORG/NAME", 2)


def test_transformers_serves_command_line() -> None:
    """That it is taken, tests/e2e/test_endpoint_server.py shows."""
    one = card(server="transformers", device="cpu", dtype="float32", server_args="--model-timeout 600")
    assert command_line(one, FOLDER, 8123, None)[1:] == [
        *("serve", str(FOLDER), "--host", "127.0.0.1", "--port", "8123", "--dtype", "float32", "--device", "cpu"),
        *("--model-timeout", "600"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--host 0.0.0.0", "--host among the server's arguments: hope-bench sets that itself"),
        ("--port=1", "--port among"),
        ("--api-key sk-1234", "Keys stay in the environment"),
        ("--api_key sk-1234", "--api-key among"),
        ("--trust-remote", "--trust-remote among"),
        ("--max-model-len '8", "can't be read"),
    ],
)
def test_arguments_that_are_hope_benchs_own_to_set(words: str, message: str) -> None:
    with pytest.raises(HopeBenchError) as caught:
        further_arguments(words)
    assert message in str(caught.value)
    assert "1234" not in str(caught.value)
    assert further_arguments("--model-impl vllm -tp 2") == ["--model-impl", "vllm", "-tp", "2"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"server": "vlm"}, "server: 'vlm' is not known. Did you mean 'vllm'?"),
        ({"server": "vllm", "device": "cpu"}, "device would have no effect"),
        ({"server": "vllm", "path": "plain", "quantize": "4bit"}, "path, quantize would have no effect"),
        ({"server": "vllm", "base_url": "http://h/v1"}, "base_url would have no effect"),
        ({"server_args": "-tp 2"}, "server_args would have no effect"),
        ({"adapter": "endpoint", "server": "vllm"}, "server would have no effect"),
    ],
)
def test_what_no_started_server_takes(settings: dict[str, object], message: str) -> None:
    with pytest.raises(HopeBenchError) as caught:
        card(**settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_a_server_that_is_not_installed_is_said_how_to_install(
    kind: str, small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(small))
    message = refused(capsys, *arguments(small, "--server", kind))
    assert f"{kind} isn't installed here. Install it: pip install {kind}" in message
    assert not (small / "runs").exists()


def test_a_run_through_a_started_server_is_a_run_of_the_checkpoint(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fake_servers.install(small, monkeypatch)
    done = hope_bench(capsys, *arguments(small, "--server-args", "--max-model-len 4096"))
    assert done.code == 0, done.err
    assert all_gone(told)
    assert "--max-model-len 4096" in told.read_text()
    record = read_run(small / "runs" / "small" / "demo-llava")
    assert record.run.weights_sha256 is not None
    assert record.settings["model"] == f"sha256:{record.run.weights_sha256}"
    assert (record.settings["server"], record.settings["server_args"]) == ("vllm", "--max-model-len 4096")
    assert (record.addresses, record.settings["address"], record.run.adapter) == ((), None, "vllm")
    assert record.model.checkpoint == "demo-llava"
    assert "127.0.0.1" not in json.dumps(record.model_dump(mode="json"))
    told.unlink()
    again = hope_bench(capsys, *arguments(small, "--server-args", "--max-model-len 4096"))
    assert again.code == 0
    assert not told.exists(), "where nothing is left to ask, no server is started"
    assert (
        "Nothing is left to ask"
        in hope_bench(capsys, *arguments(small, "--server-args", "--max-model-len 4096", "--dry-run")).out
    )
    assert hope_bench(capsys, *arguments(small, "--server-args", "--max-model-len 8192")).code == 0
    assert told.exists(), "other arguments may make other answers"


def test_a_server_that_does_not_start_shows_the_end_of_its_log_and_leaves_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fake_servers.install(small, monkeypatch, "die")
    said = refused(capsys, *arguments(small))
    assert "The server ended before it was ready. Exit code 1. The end of its log" in said
    assert "ValueError: no room for the weights" in said
    assert "fake vllm with ***" in said, "keys are blotted out"
    assert log_of(said).is_file()
    log_of(said).unlink()
    assert all_gone(told)
    assert not (small / "runs" / "small" / "demo-llava").exists()


def test_a_server_that_is_never_ready_is_ended(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fake_servers.install(small, monkeypatch, "hang")
    port = servers.free_port()
    server = servers.Server(command_line(card(server="vllm"), FOLDER, port, None), port)
    wait_until(lambda: told.is_file() and told.read_text().count("\n") == 2, lambda: not server.ended)
    with pytest.raises(HopeBenchError, match=r"was not ready after 0 s \(more time: --server-timeout\)"):
        server.wait_until_ready(0.01, print)
    assert server.log.is_file()
    server.close()
    assert all_gone(told)
    assert not server.log.exists()


def test_a_server_that_ends_in_the_middle_ends_the_run_which_goes_on_later(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fake_servers.install(small, monkeypatch, "end")
    said = refused(capsys, *arguments(small))
    assert "The server ended in the middle of the run" in said
    assert "Exit code 3." in said
    assert "the engine died" in said
    assert log_of(said).is_file()
    log_of(said).unlink()
    assert all_gone(told)
    kept = (small / "runs" / "small" / "demo-llava" / "answers.jsonl").read_text().splitlines()
    assert 0 < len(kept) <= 6
    assert all(json.loads(line)["error"] is None for line in kept)
    fake_servers.install(small, monkeypatch)
    assert hope_bench(capsys, *arguments(small)).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_server_outlives_hope_bench(number: signal.Signals, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it ends; the second of the server's processes ignores a request to end."""
    told = fake_servers.install(small, monkeypatch, "hang")
    environment = os.environ | {"PYTHONPATH": str(fake_servers.ROOT)}
    process = Fork(["-m", "hope_bench", *arguments(small)], environment)
    try:
        wait_until(lambda: told.is_file() and told.read_text().count("\n") == 2, lambda: process.poll() is None)
        process.send_signal(number)
        _, said = process.communicate()
    finally:
        process.kill()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in said
    assert all_gone(told)


def test_a_copy_of_a_checkpoint_keeps_its_tokens_alone_of_what_it_decodes_by(tmp_path: Path) -> None:
    folder = tmp_path / "it"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    assert plain_copy(folder, tmp_path / "none") == folder
    (folder / "generation_config.json").write_text('{"eos_token_id": [2, 7], "repetition_penalty": 1.3, "do_sample": true}')
    copy = plain_copy(folder, tmp_path / "copy")
    assert json.loads((copy / "generation_config.json").read_text()) == {"eos_token_id": [2, 7]}
    assert (copy / "model.safetensors").resolve() == folder / "model.safetensors"


def test_what_only_the_server_can_run_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_servers.install(tmp_path, monkeypatch)
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "brand_new_vl", "architectures": ["BrandNewVLForConditionalGeneration"]}')
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    for dtype, told in (("auto", "the server's"), ("bfloat16", "bfloat16")):
        info = Served(card(server="vllm", checkpoint=str(folder), dtype=dtype)).info
        assert (info.adapter, info.dtype) == ("vllm", told)
    monkeypatch.setattr(servers, "_program", lambda kind: [kind])
    with pytest.raises(HopeBenchError, match="brand_new_vl"):
        Served(card(server="transformers", checkpoint=str(folder)))


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What the guard takes for its owner: the end of a pipe that whoever owns it closes."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    ours, owners = os.pipe()
    with os.fdopen(ours, "rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
        yield owners
        with contextlib.suppress(OSError):
            os.close(owners)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("stdin")
def test_the_guard_ends_as_its_server_does(tmp_path: Path) -> None:
    assert server_guard.main(str(tmp_path / "log"), [sys.executable, "-c", "print('ready'); exit(7)"]) == 7
    assert (tmp_path / "log").read_text() == "ready\n"
    assert server_guard.main(str(tmp_path / "log"), [str(tmp_path / "nowhere")]) == 127
    assert "nowhere: No such file or directory" in (tmp_path / "log").read_text()


def test_the_guard_ends_its_server_when_its_owner_is_gone(tmp_path: Path, stdin: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.close(stdin)
    assert server_guard.main(str(tmp_path / "log"), [sys.executable, "-c", "import time; time.sleep(600)"]) == 0
    assert not psutil.pid_exists(int(capsys.readouterr().out))
