"""Somebody who does what a page of the documentation says, in a folder: its commands, its scripts and its Python.

Each is run by the program that it names. What a reader has and this machine hasn't is stood in for by less of the same: two
processes for eight, a Slurm of one machine, a Hub in memory, pip that finds all it needs installed and installs nothing.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.forks import Fork
from tests.hub import COMMIT
from tests.waiting import free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(bash|console|python|toml|json)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# (\S+\.(?:toml|py|jsonl))\n")
"""How a block begins that is a file of the reader's own."""

DEMO_CLIP = f"local-dir:{ROOT / 'benchmarks' / 'demo' / 'clip'}"
INSTEAD = {
    "ViT-L-14:openai": DEMO_CLIP,  # of 1.7 GB
    "hope-bench init my-photos": f"hope-bench init my-photos --clip {DEMO_CLIP}",
    "--nproc-per-node 8": "--nproc-per-node 2",
    "--processes 8": "--processes 2",
    "THE COMMIT YOU READ": COMMIT,
    "hope-bench verify": "hope-bench verify --figures figures.toml",  # those of so few questions
}
ON_SLURM = {"--nproc-per-node 8": "--nproc-per-node 1", "--processes 32": "--processes 2"}
"""Of two nodes."""
SERVES = {"hope-bench review ": " --port 0", "hope-bench leaderboard serve": " --port 0"}
"""Goes on until Ctrl-C, at any free port."""
WITHOUT_PAGE = """
import sys, types
page = sys.modules["hope_bench.reviewing.page"] = types.ModuleType("page")
page.serve = lambda session, pictures, port, ready: ready("http://127.0.0.1:0")
"""
"""A review that nobody answers. gradio takes many seconds of CPU to import: tests/e2e/test_review_browser.py opens pages with it,
and of these `make soak` each page's first."""
GONE_BEFORE = {
    "torchrun ": "runs/*/llava-1.5-7b",
    "#!/bin/bash": "runs/*/llava-1.5-7b",
    "hope-bench pull hf:my-org/my-photos": "benchmarks/my-photos",
}
"""What an earlier line has made is made again, as where it wasn't run."""

SMALL_DEMO = """import runpy
from hope_bench.demo import run
run.run_demo.__defaults__ = (None, 6, *run.run_demo.__defaults__[2:])
runpy.run_path("run_eval.py", run_name="__main__")"""
PROGRAMS = {
    "python-of-a-clone": f"""if [ "$1" = run_eval.py ]; then
  shift
  exec python-by-forks -c '{SMALL_DEMO}' "$@"
fi
exec python-by-forks "$@\"""",
    "torchrun": 'exec python-by-forks -m torch.distributed.run "$@"',
    "chromium": "exit 1",  # of which `make test` wants only that it is there
    "scontrol": "echo localhost; echo another",
    "srun": """[ "$1" = --cpus-per-task ] && shift 2
for task in 0 1; do SLURM_PROCID=$task "$@" & tasks="$tasks $!"; done
for task in $tasks; do wait "$task" || exit 1; done""",
}
SURROUNDINGS = {
    "COLUMNS": "80", "PYTEST_XDIST_AUTO_NUM_WORKERS": "0",
    "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2",
    "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_DRY_RUN": "1", "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_NO_INDEX": "1",
}  # fmt: skip
EDITABLES = """class EditableProject:
    def __init__(self, name, root): pass
    def map(self, name, target): pass
    def add_to_path(self, folder): pass
    def files(self): return []
    def dependencies(self): return []
"""
"""What hatchling makes an editable wheel with, which pip only looks at here."""


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def name(self) -> str | None:
        """Of the reader's own file that it is."""
        found = NAMED.match(self.text)
        return found and found[1]


def blocks(page: Path) -> list[Block]:
    """All that a program can read."""
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def commands(block: Block) -> list[str]:
    """The lines of a block of commands, continued ones joined; a script whole."""
    if block.language not in ("bash", "console"):
        return []
    if block.text.startswith("#!"):
        return [block.text]
    lines = (line.strip().removeprefix("$ ") for line in block.text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def equip(folder: Path, python: Path) -> None:
    """Put the programs, and what they import, into a folder, from which `Reader` takes them."""
    for name, text in PROGRAMS.items():
        program = folder / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        program.chmod(0o755)
    (folder / "bin" / "python-by-forks").symlink_to(python)
    (folder / "lib").mkdir(exist_ok=True)
    (folder / "lib" / "editables.py").write_text(EDITABLES, encoding="utf-8")


class Reader:
    """Somebody in the folder `here`, who has the `programs` of `equip`, this `environment` besides their own, and of some words
    others `instead`; whether they open a page for a first review."""

    def __init__(
        self, here: Path, programs: Path, environment: Mapping[str, str], instead: Mapping[str, str], *, reviews: bool = True
    ) -> None:
        self.here, self._words = here, {**INSTEAD, **instead}
        path = os.pathsep.join((str(programs / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
        imported = os.pathsep.join((str(ROOT), str(programs / "lib"), os.environ.get("PYTHONPATH", "")))
        own = {"PATH": path, "PYTHONPATH": imported.rstrip(os.pathsep), "PYTHON_EXEC": str(programs / "bin" / "python-by-forks")}
        self._environment = {**os.environ, **SURROUNDINGS, **own, **environment}
        self._reviewed = not reviews

    def keeps(self, name: str, text: str) -> None:
        """A file of the page."""
        (self.here / name).parent.mkdir(exist_ok=True)
        (self.here / name).write_text(_instead(text, self._words), encoding="utf-8")

    def does(self, line: str) -> None:
        """A command, or a script of them."""
        for start, made in GONE_BEFORE.items():
            for folder in self.here.glob(made) if line.startswith(start) else ():
                shutil.rmtree(folder)
        if line.startswith("#!"):
            self._in_shell(_instead(line, {**ON_SLURM, ":29500": f":{free_port()}"}))
        elif line.startswith(("hope-bench ", "python ")):
            self._forked(_instead(line, self._words))
        else:
            self._in_shell(_instead(line, self._words))

    def runs(self, code: str) -> None:
        """Python, as a script in that folder."""
        self._done(code, self._start(_instead(code, self._words), ()))

    def _forked(self, line: str) -> None:
        served = next((options for start, options in SERVES.items() if line.startswith(start)), None)
        program, *words = shlex.split(line + (served or ""), comments=True)
        if program == "python":
            process = self._start(f"import runpy; runpy.run_path({str(ROOT / words.pop(0))!r}, run_name='__main__')", words)
            again = False
        else:
            again = self._reviewed and words[0] == "review"
            self._reviewed |= words[0] == "review"
            process = self._start(f"{WITHOUT_PAGE * again}import hope_bench.cli; hope_bench.cli.main()", words)
        if served is not None and not again:
            wait_until(lambda: "http://127.0.0.1:" in "".join(process.said()), process.is_alive, process.said)
            process.send_signal(signal.SIGINT)
        self._done(line, process)

    def _in_shell(self, script: str) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=self.here, env=self._environment, capture_output=True, text=True, timeout=500,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (script, done.stdout, done.stderr)

    def _start(self, code: str, words: Sequence[str]) -> Fork:
        named = f"import sys; sys.argv = ['hope-bench', *{list(words)!r}]"
        return Fork(["-c", f"{named}\n{code}"], self._environment, self.here)

    def _done(self, what: str, process: Fork) -> None:
        out, err = process.communicate()
        assert process.returncode == 0, (what, out, err)


def _instead(text: str, words: Mapping[str, str]) -> str:
    for published, here in words.items():
        text = text.replace(published, here)
    return text
