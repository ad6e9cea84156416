"""What people install is whole: the wheel runs the demo outside of the checkout, and the source archive makes the same wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests import forks

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd, env={**os.environ, "HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", **environment},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fork(installed: Path, *words: str, cwd: Path, **environment: str) -> str:
    """What `hope-bench WORDS` says, run from what is installed in a folder."""
    script = f"{forks.afresh(installed)}\nfrom hope_bench.__main__ import main\nmain()"
    done = forks.run(["-c", script, *words], {**os.environ, "HF_HUB_OFFLINE": "1", **environment}, cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, out: Path, *target: str) -> dict[str, Path]:
    """Both archives, or one, by their endings."""
    run("hatchling", "build", *target, "-d", out, cwd=source)
    return {path.suffix: path for path in out.iterdir()}


def held(wheel: Path) -> dict[str, int]:
    """A wheel's files with their checksums, but for its own list of them."""
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one.CRC for one in archive.infolist() if not one.filename.endswith("/RECORD")}


def test_the_wheel_is_all_one_needs(tmp_path: Path) -> None:
    made = build(ROOT, tmp_path / "dist")
    with tarfile.open(made[".gz"]) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert held(build(source, tmp_path / "again", "-t", "wheel")[".whl"]) == held(made[".whl"])

    installed, away = tmp_path / "installed", tmp_path / "away"
    away.mkdir()
    run("pip", "install", "--quiet", "--no-deps", "--target", installed, made[".whl"], cwd=away)
    here = {"PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    said = json.loads(fork(installed, "env", "--json", cwd=away, **here))
    assert said["hope-bench is in"] == str(installed / "hope_bench")
    assert "demo-llava on Demo" in fork(installed, "demo", "--scenes", "10", "--out", "demo", cwd=away, **here)
    assert (away / "demo" / "site" / "index.html").is_file()
    assert "llava-1.5-7b" in run("hope_bench", "models", cwd=away, **here)
