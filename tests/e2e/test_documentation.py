"""The documentation is built without a warning, and the quickstart does what it says, command by command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests import forks
from tests.soak import only_in_soak

ROOT = Path(__file__).resolve().parent.parent.parent


def reading(cwd: Path) -> dict[str, str]:
    """The environment of a reader who is offline."""
    bin = Path(sys.executable).parent
    return {
        **os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(cwd / "cache"), "COLUMNS": "80",
        "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip


def run(*command: str, cwd: Path) -> str:
    """A command as a reader runs it."""
    return said_by(subprocess.run(command, cwd=cwd, env=reading(cwd), capture_output=True, text=True, timeout=500, check=False))


def fork(*arguments: str, cwd: Path) -> str:
    """What `python ARGUMENTS` says to a reader."""
    return said_by(forks.run(arguments, reading(cwd), cwd))


def said_by(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@only_in_soak
def test_the_pages_are_built_and_found(tmp_path: Path) -> None:
    build = ("--fail-on-warning", "--keep-going", "--quiet", "--doctree-dir", str(tmp_path / "doctrees"))
    run(sys.executable, "-m", "sphinx", *build, str(ROOT / "docs"), str(tmp_path / "docs"), cwd=ROOT)
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "docs").rglob("*.html")}
    assert 'id="hope_bench.generate"' in pages["reference"], "the library from its docstrings"
    assert "--sample-images" in pages["commands"], "the commands from their options"
    drawing = (tmp_path / "docs" / "_images" / "house.svg").read_text(encoding="utf-8")
    assert 0 < drawing.index(">cli/<") < drawing.index(">search/<") < drawing.index(">errors.py<")
    fetched = [re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]+)"', page) for page in pages.values()]
    assert not any(fetched), "nothing comes from elsewhere"
    shown = "".join(pages.values()) + (ROOT / "README.md").read_text(encoding="utf-8")
    assert [picture.name for picture in (ROOT / "docs").glob("*.png") if picture.name not in shown] == []


def test_the_quickstart_does_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    lines = [line[2:] for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    assert len(lines) == 8
    for name in ("benchmarks", "models"):
        (tmp_path / name).mkdir()
    (tmp_path / "benchmarks" / "demo").symlink_to(ROOT / "benchmarks" / "demo")
    words = [shlex.split(line.replace("--scenes 60", "--scenes 10")) for line in lines]
    assert {one[0] for one in words} == {"hope-bench"}
    said = [fork("-m", "hope_bench", *one[1:], cwd=tmp_path) for one in words]
    assert "in a hundred questions of hope about absent objects" in said[0]
    assert (tmp_path / "first" / "site" / "index.html").is_file()
    assert "Spec written" in said[1]
    assert (tmp_path / "benchmarks" / "my-photos" / "spec.toml").is_file()
    assert "Precision drop" in said[5]
    assert (tmp_path / "build" / "report" / "my-photos" / "demo-llava.html").is_file()
    assert (tmp_path / "build" / "site" / "index.html").is_file()


def test_the_contrastive_decoder_is_asked(tmp_path: Path) -> None:
    """docs/mitigation.md's adapter on the demo's model: read, repeatable, and not the model without it."""
    card = (ROOT / "docs" / "examples" / "contrastive-decoding.toml").read_text(encoding="utf-8")
    (tmp_path / "card.toml").write_text(
        card.replace("llava-hf/llava-1.5-7b-hf", str(ROOT / "models" / "demo-llava")), encoding="utf-8"
    )
    adapter = (ROOT / "docs" / "examples" / "contrastive_decoding.py").read_text(encoding="utf-8")
    script = """
import hope_bench as hb
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import demo_spec
from hope_bench.demo.world import EVALUATION_SEED
from pathlib import Path
write_world(Path("world"), 6, EVALUATION_SEED)
made = hb.generate(demo_spec(Path("world"), 6), out="made")
asked = {"images": "world/images", "splits": ["random"], "limit": 6}
plain = hb.evaluate("demo-llava", made, name="plain", **asked).to_frame()
contrasted = [hb.evaluate("card.toml", made, name=name, **asked).to_frame() for name in ("one", "two")]
assert set(contrasted[0]["verdict"]) <= {"yes", "no"}
assert list(contrasted[0]["text"]) == list(contrasted[1]["text"])
assert len(plain) == len(contrasted[0]) == 6
"""
    (tmp_path / "contrastive_decoding.py").write_text(adapter, encoding="utf-8")
    fork("-c", script, cwd=tmp_path)
