"""A `vllm` for the PATH and a package `sglang`: they take the documented flags, and answer as `faulty_server` does, from a
process of their own that has another one beside it, as real servers have."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
DTYPES = ["auto", "bfloat16", "float", "float16", "float32", "half"]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, does: str = "answer") -> Path:
    """Put them in place; what they `do` besides answering: "die" at once, "hang" instead, "end" after six answers. The file gets
    the process ids of the one that is started, and the arguments it was given."""
    starts = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests import fake_servers\nfake_servers"
    program, module = folder / "bin" / "vllm", folder / "lib" / "sglang" / "launch_server.py"
    for file, kind in ((program, "vllm"), (module, "sglang")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{starts}.main(fake_servers.{kind}())\n")
    program.chmod(0o755)
    for name, place in (("PATH", program.parent), ("PYTHONPATH", module.parent.parent)):
        monkeypatch.setenv(name, str(place), prepend=os.pathsep)
    monkeypatch.syspath_prepend(module.parent.parent)
    monkeypatch.setenv("FAKE_SERVER", does)
    monkeypatch.setenv("FAKE_SERVER_TOLD", str(folder / "told.txt"))
    return folder / "told.txt"


def vllm() -> argparse.ArgumentParser:
    """The documented flags (docs.vllm.ai, "vllm serve") that hope-bench uses."""
    made = argparse.ArgumentParser("vllm", allow_abbrev=False)
    made.add_argument("command", choices=["serve"])
    made.add_argument("model_tag")
    _common(made)
    made.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction)
    made.add_argument("--trust-remote-code", action=argparse.BooleanOptionalAction)
    made.add_argument("--tensor-parallel-size", "-tp", type=int)
    made.add_argument("--data-parallel-size", "-dp", type=int)
    made.add_argument("--max-model-len")
    made.add_argument("--generation-config")
    return made


def sglang() -> argparse.ArgumentParser:
    """The documented flags (docs.sglang.io, "Server Arguments") that hope-bench uses; the radix cache is on by default."""
    made = argparse.ArgumentParser("sglang.launch_server", allow_abbrev=False)
    made.add_argument("--model-path", "--model", required=True)
    _common(made)
    made.add_argument("--trust-remote-code", action="store_true")
    made.add_argument("--tp-size", "--tp", "--tensor-parallel-size", type=int)
    made.add_argument("--dp-size", "--dp", "--data-parallel-size", type=int)
    made.add_argument("--sampling-defaults", choices=["openai", "model"])
    return made


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name")
    parser.add_argument("--dtype", choices=DTYPES)
    parser.add_argument("--chat-template")


def main(parser: argparse.ArgumentParser) -> None:
    told = parser.parse_args()
    does = os.environ["FAKE_SERVER"]
    print(f"fake {parser.prog} with {os.environ.get('HF_TOKEN')}", flush=True)
    beside = subprocess.Popen([sys.executable, "-c", STUBBORN])
    Path(os.environ["FAKE_SERVER_TOLD"]).write_text(f"{os.getpid()} {beside.pid}\n{' '.join(sys.argv[1:])}\n")
    if does == "die":
        sys.exit("ValueError: no room for the weights")
    from tests.faulty_server import Handler, Server, answer

    server = Server(told.port)
    server.healthy = does != "hang"

    def always(handler: Handler, body: dict[str, object]) -> None:
        if does == "end" and len(server.bodies) > 6:
            print("the engine died", flush=True)
            os._exit(3)
        assert body["model"] == told.served_model_name
        answer(handler, body)

    server.always = always
    threading.Thread(target=server.serve_forever).start()
