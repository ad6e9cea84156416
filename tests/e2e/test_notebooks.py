"""The notebooks and the README's script, run as a reader would run them, offline."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.provisioning import local_provisioner
from nbclient import NotebookClient

from hope_bench.demo.dataset import write_world
from hope_bench.demo.world import EVALUATION_SEED
from tests.forks import Fork, run
from tests.soak import SOAK

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb" if SOAK else "quickstart.ipynb"))


class Kernel(Fork):
    stdin = stdout = stderr = None


def fork_kernel(command: list[str], *, env: dict[str, str], cwd: str, **_: object) -> Kernel:
    """What starts `python -m ipykernel_launcher`, as a fork in a group of its own, which the manager signals as a whole."""
    python, module, name, *rest = command
    assert (python, module) == (sys.executable, "-m")
    script = f"import os, runpy, sys; os.setsid(); sys.argv[0] = {name!r}; runpy.run_module({name!r}, run_name='__main__')"
    process = Kernel(["-c", script, *rest], env, Path(cwd))
    while os.getpgid(process.pid) != process.pid:
        assert process.poll() is None, process.said()
        time.sleep(0.001)
    return process


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_is_kept_without_outputs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in book.cells)
    for cell in book.cells:  # no cell says less of fewer pictures
        cell.source = cell.source.replace("write_world(world, 40,", "write_world(world, 8,").replace("scenes=40", "scenes=8")
    monkeypatch.setattr(local_provisioner, "launch_kernel", fork_kernel)
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in book.cells for output in cell.get("outputs", ())]
    assert not any("error" in output.output_type for output in shown)
    assert any("<table" in output.get("data", {}).get("text/html", "") for output in shown), "a table is shown as HTML"
    assert any("application/vnd.plotly.v1+json" in output.get("data", {}) for output in shown), "and a picture"


def test_the_readme_script_runs(tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in script.splitlines() if line.strip()]) <= 15
    write_world(tmp_path / "photos", 8, EVALUATION_SEED)
    here = {
        '"instances.json"': '"photos/instances.json"',
        'images="photos"': 'images="photos/images"',
        "ViT-L-14:openai": f"local-dir:{ROOT / 'benchmarks' / 'demo' / 'clip'}",
        "llava-hf/llava-1.5-7b-hf": str(ROOT / "models" / "demo-llava"),
    }
    for published, drawn in here.items():
        assert published in script
        script = script.replace(published, drawn)
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = run(["script.py"], {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "questions of hope about" in " ".join(done.stdout.split())
    assert "plotly" in (tmp_path / "result.html").read_text(encoding="utf-8")
    (result,) = (tmp_path / "leaderboard" / "results" / "my-photos").rglob("*.json")
    assert result.stem == "demo-llava"
