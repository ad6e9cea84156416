"""Nothing that a result file states gets onto the leaderboard unless its own packed strings give it."""

from __future__ import annotations

import functools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Result
from hope_bench.files.result_file import read_result, write_result
from hope_bench.scoring import restating
from hope_bench.scoring.recount import Recount
from hope_bench.site.adding import add_result
from tests.forger import Forgery, differing, forgeries, stated, without_gone

COMMITTED = Path(__file__).resolve().parent.parent.parent / "leaderboard" / "results"
EVERY = os.environ.get("HOPE_BENCH_SOAK") is not None
"""Under `make soak` every forgery is tried, on the whole results; else a sample, on some of the demo's splits."""

SAMPLE = {"pope-coco/llava-v1.5-13b": 60, "demo/demo-llava": 25}
KEPT = ("random", "hope", "description-twins")
"""The demo's splits that are kept, with those that hold its surest hallucinations."""


class SharedRecount(Recount):
    """Most forgeries leave the packed strings as they are, so the same numbers are counted once."""

    split = functools.cache(Recount.split)  # type: ignore[assignment]
    comparison = functools.cache(Recount.comparison)  # type: ignore[assignment]
    averages = functools.cache(Recount.averages)  # type: ignore[assignment]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, SharedRecount] = {}

    def recount(*given: Any) -> SharedRecount:
        key = repr(given)
        if key not in made:
            made[key] = SharedRecount(*given)
        return made[key]

    monkeypatch.setattr(restating, "Recount", recount)


def _honest(name: str) -> Result:
    """A committed result; of the demo's, some splits suffice for every kind of number."""
    result = read_result(COMMITTED / f"{name}.json")
    if EVERY or len(result.splits) < len(KEPT):
        return result
    kept = {*KEPT, *(one.split for one in result.worst or ())}
    splits = {split: numbers for split, numbers in result.splits.items() if split in kept}
    bootstrap = result.bootstrap.model_copy(update={"replicates": 200})
    return restating.restate(result.model_copy(update={"splits": splits, "bootstrap": bootstrap}))


def _chosen(found: list[Forgery], sample: int) -> Iterator[Forgery]:
    """All, or a sample that every kind of key has its share of: a key that thousands of parts have is tried as often as one."""
    if EVERY:
        yield from found
        return
    kinds: dict[object, list[Forgery]] = {}
    for one in found:
        at_split = one.path[:1] == ("splits",)
        kind = tuple("*" if isinstance(key, int) or (at_split and place == 1) else key for place, key in enumerate(one.path))
        kinds.setdefault((kind, one.how), []).append(one)
    drawn = random.Random(16)
    for kind in drawn.sample(sorted(kinds, key=repr), min(sample, len(kinds))):
        yield drawn.choice(kinds[kind])


def _taken(forged: object, source: Path, results: Path) -> Any:
    """What the leaderboard makes of a file; None where it is refused."""
    source.write_text(json.dumps(forged))
    try:
        return json.loads(add_result(source, results).read_text())
    except HopeBenchError:
        return None


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("name", SAMPLE)
def test_no_forged_number_gets_in(name: str, tmp_path: Path) -> None:
    source, results = tmp_path / "mine.json", tmp_path / "results"
    write_result(source, _honest(name))
    honest = json.loads(source.read_text())
    accepted = _taken(honest, source, results)
    assert not list(differing(accepted | {"added": None}, honest | {"added": None})), "an honest result stays as it is"
    lies = []
    for one in _chosen([one for one in forgeries(honest) if not stated(one.path)], SAMPLE[name]):
        for path in results.glob("*/*.json"):
            path.unlink()
        taken = _taken(without_gone(one.of(honest)), source, results)
        if taken is not None and [path for path in differing(taken, accepted) if not stated(path)]:
            lies.append(str(one))
    assert not lies
