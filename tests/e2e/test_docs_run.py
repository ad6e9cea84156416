"""The documentation's commands and Python, page by page, run as a reader would run them: each page is the script of a folder that
holds what the page takes for granted.

Checkpoints and data sets of the Hub lie in its cache, as if they had been downloaded: those of the demo under the names that the
pages give. What isn't run is listed below with its reason; tests/unit/test_docs.py parses it all the same.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import fake_vllm
from tests.docs_folder import BEFORE, supply
from tests.faulty_server import Server, running
from tests.forks import Fork, run

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(bash|console|python|toml|json)\n(.*?)^```", re.DOTALL | re.MULTILINE)

ELSEWHERE = {
    "quickstart.md": "tests/e2e/test_documentation.py runs its commands",
    "extending.md": "tests/e2e/test_extending.py applies its patches and runs what they add",
}
PYTHON_ELSEWHERE = {"README.md": "tests/e2e/test_notebooks.py runs its script"}
NOT_RUN = {
    "pip install": "asks a package registry",
    "make ": "installs; continuous integration runs it",
    "torchrun ": "wants eight GPUs; tests/e2e/test_processes.py and test_generate_processes.py run two processes on CPUs",
    "hope-bench evaluate --server sglang": "wants SGLang; tests/unit/test_server.py has its command line",
    "hope-bench push my-photos hf:my-org/my-photos --licence cc-by-4.0\n": "sends to the Hub; tests/unit/test_hub.py",
    "hope-bench push leaderboard/results/": "sends to the Hub; tests/unit/test_hub.py",
    "hope-bench leaderboard add build/demo/": "wants the whole demo; tests/e2e/test_demo.py runs this page after it",
    "hope-bench leaderboard describe build/demo/": "the same",
    "hope-bench verify ": "wants POPE's 9,000 questions; tests/e2e/test_verify.py",
    "hope-bench evaluate --model phi-3.5-vision.toml": "runs code of a checkpoint; tests/unit/test_remote_code.py",
}
INSTEAD = {
    "ViT-L-14:openai": f"local-dir:{ROOT / 'benchmarks' / 'demo' / 'clip'}",
    "hope-bench init my-photos": f"hope-bench init my-photos --clip local-dir:{ROOT / 'benchmarks' / 'demo' / 'clip'}",
}
"""An encoder of 1.7 GB gives way to the demo's."""
SERVES = {"hope-bench review ": " --port 0", "hope-bench leaderboard serve": " --port 0"}
"""Goes on until Ctrl-C, at any free port."""
WITHOUT_PAGE = """
import sys, types
page = sys.modules["hope_bench.reviewing.page"] = types.ModuleType("page")
page.serve = lambda session, pictures, port, ready: ready("http://127.0.0.1:0")
"""
"""A review that nobody answers. gradio takes three seconds of CPU to import, so only a page's first review is opened with it."""
LEAVES = {
    "README.md": "build/site/my-photos/llava-1.5-7b.html",
    "hub.md": "benchmarks/my-photos/splits/hope.jsonl",
    "interchange.md": "exported/lmms-eval/utils.py",
    "models.md": "runs/my-photos/my-model/answers.jsonl",
    "publishing.md": "build/site/index.html",
    "review.md": "benchmarks/my-photos/label_noise.json",
    "scoring.md": "runs/my-photos/llava-1.5-7b-paraphrases-polite/answers.jsonl",
    "spec.md": "seen.jsonl",
}
"""What the reader then has."""


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def commands(block: Block) -> list[str]:
    """The lines of a block of commands, continued ones joined."""
    if block.language not in ("bash", "console"):
        return []
    lines = (line.strip().removeprefix("$ ") for line in block.text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def runs(page: Path) -> bool:
    """Whether a page has anything to run here."""
    return page.name not in ELSEWHERE and any(block.language in ("bash", "console", "python") for block in blocks(page))


def why_not(line: str) -> str | None:
    """Why a command isn't run, None where it is."""
    return next((reason for start, reason in NOT_RUN.items() if f"{line}\n".startswith(start)), None)


class Reader:
    """Somebody at a page, in a folder."""

    def __init__(self, here: Path, cache: Path, server: str) -> None:
        self.here, self._cache, self._server = here, cache, server
        self._reviewed = False

    def does(self, line: str) -> None:
        for published, here in {**INSTEAD, "http://127.0.0.1:8000/v1": self._server}.items():
            line = line.replace(published, here)
        served = next((options for start, options in SERVES.items() if line.startswith(start)), None)
        program, *words = shlex.split(line + (served or ""), comments=True)
        if program == "python":
            process = self._start(f"runpy.run_path({str(ROOT / words.pop(0))!r}, run_name='__main__')", words)
        else:
            assert program == "hope-bench", line
            again = self._reviewed and words[0] == "review"
            self._reviewed |= words[0] == "review"
            process = self._start(f"{WITHOUT_PAGE * again}import hope_bench.cli; hope_bench.cli.main()", words)
        if served is not None and not again:
            while "http://127.0.0.1:" not in "".join(process.said()):
                assert process.poll() is None, (line, *process.said())
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (line, out, err)

    def runs(self, code: str) -> None:
        """Python, as a script in that folder."""
        for published, here in INSTEAD.items():
            code = code.replace(published, here)
        out, err = (process := self._start(code, ())).communicate(timeout=300)
        assert process.returncode == 0, (code, out, err)

    def _start(self, code: str, words: Sequence[str]) -> Fork:
        """In a fork that has the Hub's cache in place; where that lies was read when huggingface_hub was imported."""
        hub = f"from huggingface_hub import constants; constants.HF_HUB_CACHE = {str(self._cache)!r}"
        name = f"import runpy, sys; sys.argv = ['hope-bench', *{list(words)!r}]"
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.here.parent / "cache"), "COLUMNS": "80"}
        return Fork(["-c", f"{hub}\n{name}\n{code}"], environment, self.here)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FOLDER/here with what pages take for granted, FOLDER/hub with what they download."""
    folder = tmp_path_factory.mktemp("reader")
    done = run(["-c", f"from pathlib import Path\nfrom tests.docs_folder import prepare\nprepare(Path({str(folder)!r}))"])
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ELSEWHERE and runs(page)], ids=lambda page: page.stem
)
def test_a_page_does_what_it_says(
    page: Path, prepared: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path(shutil.copytree(prepared / "here", tmp_path / "here", symlinks=True))
    supply(page.name, here)
    fake_vllm.install(tmp_path, monkeypatch)
    reader = Reader(here, prepared / "hub", server.url)
    for block in blocks(page):
        named = re.match(r"# (\S+\.(?:toml|py|jsonl))\n", block.text)
        if named is not None:  # a file of the reader's own
            (here / named[1]).parent.mkdir(exist_ok=True)
            (here / named[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "python" and page.name not in PYTHON_ELSEWHERE:
            reader.runs(BEFORE.get(page.name, "") + block.text)
        for line in commands(block):
            if why_not(line) is None:
                reader.does(line)
    assert (here / LEAVES.get(page.name, ".")).exists()


def test_what_is_not_run_is_little_and_still_there() -> None:
    lines = [line for page in PAGES if page.name not in ELSEWHERE for block in blocks(page) for line in commands(block)]
    left = [line for line in lines if why_not(line) is not None]
    assert len(left) <= len(lines) / 5, left
    for start in (*NOT_RUN, *SERVES):
        assert any(f"{line}\n".startswith(start) for line in lines), f"no page says {start!r} any more"
