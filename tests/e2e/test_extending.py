"""docs/extending.md's patches still apply, and what they add works: each is put into a copy of the project and run there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hope_bench.demo.dataset import write_world
from hope_bench.demo.world import EVALUATION_SEED
from tests.forks import afresh, run

ROOT = Path(__file__).resolve().parent.parent.parent

STRATEGY = """
import hope_bench as hb
made = hb.generate(annotations="world/instances.json", images="world/images", name="rare", strategies=("random", "rarest"), sample_images=8, out="made")
asked = {one: [q.object for q in made.splits[one] if q.label == "no"] for one in made.splits}
counts = {c.name: 0 for c in hb.load_annotations("world/instances.json").categories}
world = hb.load_annotations("world/instances.json")
for image in range(len(world.images)):
    for name in world.present(image):
        counts[name] += 1
rare, usual = (sum(counts[name] for name in asked[one]) for one in ("rarest", "random"))
assert rare < usual, (rare, usual)
"""  # noqa: E501 - a script
READER = """
import hope_bench as hb
open("list.tsv", "w").write("a.jpg\\tdog; cat\\nb.jpg\\tdog;tree\\nbroken\\n")
found = hb.load_annotations("list.tsv", format="image-list")
assert [found.present(image) for image in range(2)] == [("dog", "cat"), ("dog", "tree")]
assert "1 line without a tab (line 3)" in found.problems[0]
"""
CONVENTION = """
from hope_bench.scoring.conventions import CONVENTIONS
read = CONVENTIONS["last-word"].parse
assert [read(text) for text in ("I'd say: yes.", "Yes and no", "Yes, a dog")] == ["yes", "no", "unparsed"]
"""
FAMILY = """
import os, sys
os.environ["HOPE_BENCH_SOAK"] = "1"
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/unit/test_conformance.py", "-k", "llava_qwen2"]))
"""


@pytest.mark.parametrize(
    ("part", "script"),
    [("strategy", STRATEGY), ("reader", READER), ("convention", CONVENTION), ("family", FAMILY)],
    ids=("strategy", "reader", "convention", "family"),
)
def test_a_documented_part_can_be_added(part: str, script: str, tmp_path: Path) -> None:
    for name in ("hope_bench", "tests", "benchmarks", "models", "leaderboard", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    patch = ROOT / "docs" / "examples" / f"add-a-{part}.patch"
    for line in patch.read_text(encoding="utf-8").splitlines():
        if line.startswith("+++ b/"):
            _own_copy(tmp_path, line.removeprefix("+++ b/"))
    subprocess.run(["git", "apply", "--unsafe-paths", str(patch)], cwd=tmp_path, check=True)
    if part == "strategy":
        write_world(tmp_path / "world", 12, EVALUATION_SEED)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run(["-c", afresh(tmp_path) + script], environment, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


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
