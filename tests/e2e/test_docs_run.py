"""The documentation's commands and Python, page by page, run as a reader would run them: each page is the script of a folder that
holds what the page takes for granted. `make test` runs the README, and tests/unit/test_docs.py looks at every page's commands.

Checkpoints and data sets of the Hub lie in its cache, as if they had been downloaded, those of the demo under the names that the
pages give; on the page about the Hub they come from one on this machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import fake_servers, local_hub
from tests.docs_folder import BEFORE, CHECKPOINTS, supply
from tests.docs_reader import INSTEAD, ON_SLURM, SERVES, Reader, blocks, commands, equip
from tests.faulty_server import Server, running
from tests.forks import interpreter, run
from tests.soak import SOAK
from tests.unit.test_docs import PAGES

ELSEWHERE = {
    "quickstart.md": "tests/e2e/test_documentation.py runs its commands",
    "extending.md": "tests/e2e/test_extending.py applies its patches, and runs what it shows",
}
PYTHON_ELSEWHERE = {"README.md": "tests/e2e/test_notebooks.py runs its script"}
LEAVES = {
    "README.md": "build/site/my-photos/llava-1.5-7b.html build/demo/site/index.html",
    "hub.md": "benchmarks/my-photos/splits/hope.jsonl",
    "inference.md": "runs/my-photos/llava-1.5-7b/answers.jsonl",
    "interchange.md": "exported/lmms-eval/utils.py",
    "models.md": "runs/my-photos/phi-3.5-vision/answers.jsonl",
    "publishing.md": "build/site/index.html leaderboard/benchmarks",
    "review.md": "benchmarks/my-photos/label_noise.json",
    "scoring.md": "runs/my-photos/llava-1.5-7b-paraphrases-polite/answers.jsonl",
    "spec.md": "seen.jsonl",
}
"""What the reader then has."""
PAGES_RUN = [
    page
    for page in PAGES
    if page.name not in ELSEWHERE and any(block.language in ("bash", "console", "python") for block in blocks(page))
]


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


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with interpreter() as python:
        folder = tmp_path_factory.mktemp("programs")
        equip(folder, python)
        yield folder


@pytest.fixture(scope="module")
def hub(prepared: Path) -> Iterator[local_hub.Hub]:
    """A Hub that has the checkpoints of the cache."""
    with local_hub.running() as one:
        for name in CHECKPOINTS:
            (kept,) = (prepared / "hub" / f"models--{name.replace('/', '--')}" / "snapshots").iterdir()
            one.repositories["models", name] = local_hub.Repository({file.name: file.read_bytes() for file in kept.iterdir()})
        yield one


@pytest.mark.parametrize("page", [one for one in PAGES_RUN if SOAK or one.name == "README.md"], ids=lambda page: page.stem)
def test_a_page_does_what_it_says(
    page: Path,
    prepared: Path,
    programs: Path,
    server: Server,
    hub: local_hub.Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Path(shutil.copytree(prepared / "here", tmp_path / "here", symlinks=True))
    supply(page.name, here)
    fake_servers.install(tmp_path, monkeypatch)
    environment = {
        "XDG_CACHE_HOME": str(tmp_path / "cache"), "HF_HUB_CACHE": str(prepared / "hub"), "HF_HUB_OFFLINE": "1",
        "HF_MODULES_CACHE": str(tmp_path / "modules"), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    if page.name == "hub.md":
        environment |= {"HF_ENDPOINT": hub.address, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_TOKEN": "hf_ofNobody"}
        del environment["HF_HUB_OFFLINE"]
    reader = Reader(here, programs, environment, {"http://127.0.0.1:8000/v1": server.url}, reviews=SOAK)
    for block in blocks(page):
        if block.name is not None:
            reader.keeps(block.name, block.text)
        elif block.language == "python" and page.name not in PYTHON_ELSEWHERE:
            reader.runs(BEFORE.get(page.name, "") + block.text)
        for line in commands(block):
            reader.does(line)
    assert [name for name in LEAVES.get(page.name, "").split() if not (here / name).exists()] == []
    if page.name == "hub.md":
        _pushed_and_pulled(hub, prepared / "here", here)


def _pushed_and_pulled(hub: local_hub.Hub, before: Path, here: Path) -> None:
    """Every byte of the benchmark, by a private repository; and the numbers are in a pull request to the model's card."""
    pushed = hub.repositories["datasets", "my-org/my-photos"]
    assert pushed.private
    for file in (path.relative_to(before) for path in (before / "benchmarks" / "my-photos" / "splits").iterdir()):
        assert pushed.files[f"splits/{file.name}"] == (before / file).read_bytes() == (here / file).read_bytes()
    ((card,),) = (one.values() for one in hub.repositories["models", CHECKPOINTS[0]].pull_requests)
    assert b"hallucination_rate" in card


def test_what_is_stood_in_for_is_still_there() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES_RUN)
    for words in (*INSTEAD, *ON_SLURM, *SERVES):
        assert words in text, f"no page says {words!r} any more"
