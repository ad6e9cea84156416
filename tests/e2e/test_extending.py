"""docs/extending.md's patches still apply, and what they add works: each is put into a copy of the project, and what the page
shows of it is run there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hope_bench.demo.dataset import write_world
from hope_bench.demo.world import EVALUATION_SEED
from tests.forks import afresh, run

ROOT = Path(__file__).resolve().parent.parent.parent

DO = """
import shlex, sys
import hope_bench as hb
def do(line):
    from hope_bench.cli import main
    sys.argv = shlex.split(line)
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
"""
STRATEGY = """
do(SHOWN)
from pathlib import Path
(made,) = map(hb.load_benchmark, Path("benchmarks").iterdir())
asked = {one: [q.object for q in made.splits[one] if q.label == "no"] for one in made.splits}
world = hb.load_annotations("instances.json")
counts = {c.name: 0 for c in world.categories}
for image in range(len(world.images)):
    for name in world.present(image):
        counts[name] += 1
rare, usual = (sum(counts[name] for name in asked[one]) for one in ("rarest", "random"))
assert rare < usual, (rare, usual)
"""
READER = """
open("photos.tsv", "w").write("a.jpg\\tdog; cat\\nb.jpg\\tdog;tree\\nbroken\\n")
found = eval(SHOWN)
assert [found.present(image) for image in range(2)] == [("dog", "cat"), ("dog", "tree")]
assert "1 line without a tab (line 3)" in found.problems[0]
"""
CONVENTION = """
class Says:
    def answer(self, batch):
        return ["I'd say: yes." for _ in batch]
hb.generate(annotations="instances.json", images="photos", name="my-photos", strategies=("random",))
hb.evaluate(Says(), "my-photos", name="llava-1.5-7b")
do(SHOWN)
from pathlib import Path
(file,) = Path("leaderboard/results").rglob("*.json")
result = hb.load_result(file)
assert (result.convention, result.splits["random"].on_no.yes) == ("last-word", len(result.splits["random"].labels) // 2)
from hope_bench.scoring.conventions import CONVENTIONS
read = CONVENTIONS["last-word"].parse
assert [read(text) for text in ("I'd say: yes.", "Yes and no", "Yes, a dog")] == ["yes", "no", "unparsed"]
"""
FAMILY = """
import os, runpy, shlex, sys
os.chdir(CLONE)
soak, python, m, *words = shlex.split(SHOWN)
assert (soak, python, m) == ("HOPE_BENCH_SOAK=1", "python", "-m"), SHOWN
os.environ["HOPE_BENCH_SOAK"] = "1"
sys.argv = words
try:
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
"""


def shown(part: str) -> str:
    """What the page shows after a part's patch, in one line."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"add-a-{part}.patch\n.*?```\n\n```(?:bash|python)\n(.*?)\n```", page, re.DOTALL)
    return str(found).replace("\\\n", " ")


@pytest.mark.parametrize(
    ("part", "script"),
    [("strategy", STRATEGY), ("reader", READER), ("convention", CONVENTION), ("family", FAMILY)],
    ids=("strategy", "reader", "convention", "family"),
)
def test_a_documented_part_can_be_added(part: str, script: str, tmp_path: Path) -> None:
    clone, here = tmp_path / "clone", tmp_path / "here"
    clone.mkdir()
    for name in ("hope_bench", "tests", "benchmarks", "models", "leaderboard", "pyproject.toml"):
        (clone / name).symlink_to(ROOT / name)
    patch = ROOT / "docs" / "examples" / f"add-a-{part}.patch"
    for line in patch.read_text(encoding="utf-8").splitlines():
        if line.startswith("+++ b/"):
            _own_copy(clone, line.removeprefix("+++ b/"))
    subprocess.run(["git", "apply", "--unsafe-paths", str(patch)], cwd=clone, check=True)
    write_world(here, 12, EVALUATION_SEED)
    (here / "images").rename(here / "photos")
    environment = {
        **os.environ, "PYTHONPATH": str(clone), "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    program = f"SHOWN, CLONE = {shown(part)!r}, {str(clone)!r}\n{DO}{script}"
    done = run(["-c", afresh(clone) + program], environment, here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert part != "family" or " passed" in done.stdout


def _own_copy(copy: Path, file: str) -> None:
    """Turn the links on the way to a file into folders of links, so that the project's own file stays as it is."""
    place = copy
    for part in Path(file).parts[:-1]:
        place /= part
        if place.is_symlink():
            target = place.resolve()
            place.unlink()
            place.mkdir()
            for child in target.iterdir():
                if child.name != "__pycache__":
                    (place / child.name).symlink_to(child)
    last = place / Path(file).name
    if last.is_symlink():
        text = last.read_bytes()
        last.unlink()
        last.write_bytes(text)
