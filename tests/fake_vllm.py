"""A `vllm` for the PATH: takes vLLM's documented flags, and answers as `faulty_server` does, from a process of its own that has
another one beside it, as real servers have."""

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


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, does: str = "answer") -> Path:
    """Put it on the PATH; what it `does` besides answering: "die" at once, "hang" instead, "end" after six answers. The file gets
    its process ids, and the arguments it was given."""
    program = folder / "bin" / "vllm"
    program.parent.mkdir(exist_ok=True)
    find = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.fake_vllm import main\nmain()\n"
    program.write_text(f"#!{sys.executable}\n{find}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_VLLM", does)
    monkeypatch.setenv("FAKE_VLLM_TOLD", str(folder / "told.txt"))
    return folder / "told.txt"


def parser() -> argparse.ArgumentParser:
    """The documented flags (docs.vllm.ai, "vllm serve") that hope-bench uses."""
    made = argparse.ArgumentParser("vllm", allow_abbrev=False)
    made.add_argument("command", choices=["serve"])
    made.add_argument("model_tag")
    made.add_argument("--host")
    made.add_argument("--port", type=int)
    made.add_argument("--served-model-name", nargs="+")
    made.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction)
    made.add_argument("--dtype", choices=["auto", "bfloat16", "float", "float16", "float32", "half"])
    made.add_argument("--chat-template")
    made.add_argument("--trust-remote-code", action=argparse.BooleanOptionalAction)
    made.add_argument("--tensor-parallel-size", "-tp", type=int)
    made.add_argument("--data-parallel-size", "-dp", type=int)
    made.add_argument("--max-model-len")
    made.add_argument("--generation-config")
    return made


def main() -> None:
    told = parser().parse_args()
    does = os.environ["FAKE_VLLM"]
    print(f"fake vllm with {os.environ.get('HF_TOKEN')}", flush=True)
    beside = subprocess.Popen([sys.executable, "-c", STUBBORN])
    Path(os.environ["FAKE_VLLM_TOLD"]).write_text(f"{os.getpid()} {beside.pid}\n{' '.join(sys.argv[1:])}\n")
    if does == "die":
        sys.exit("ValueError: no room for the weights")
    from tests.faulty_server import Handler, Server, answer

    server = Server(told.port)
    server.healthy = does != "hang"

    def always(handler: Handler, body: dict[str, object]) -> None:
        if does == "end" and len(server.bodies) > 6:
            print("the engine died", flush=True)
            os._exit(3)
        assert body["model"] in told.served_model_name
        answer(handler, body)

    server.always = always
    threading.Thread(target=server.serve_forever).start()
