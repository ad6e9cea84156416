"""Nothing that a result file states gets onto the leaderboard unless its own packed strings give it."""

from __future__ import annotations

import functools
import json
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Result
from hope_bench.files.result_file import read_result, write_result
from hope_bench.scoring import restating
from hope_bench.scoring.recount import Recount
from hope_bench.site import adding
from hope_bench.site.adding import add_result
from tests.forger import Forgery, differing, forgeries, stated, without_gone
from tests.soak import SOAK
from tests.unit.test_site import make_result

COMMITTED = Path(__file__).resolve().parent.parent.parent / "leaderboard" / "results"
"""Under `make soak` a forgery of every kind and thousands more are tried, on the whole results, of whose tens of thousands all
would take hours; else a sample, on some of the demo's splits."""

SAMPLE = {"pope-coco/llava-v1.5-13b": 40, "demo/demo-llava": 15}
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
    if SOAK or len(result.splits) < len(KEPT):
        return result
    kept = {*KEPT, *(one.split for one in result.worst or ())}
    splits = {split: numbers for split, numbers in result.splits.items() if split in kept}
    bootstrap = result.bootstrap.model_copy(update={"replicates": 200})
    return restating.restate(result.model_copy(update={"splits": splits, "bootstrap": bootstrap}))


def _chosen(found: list[Forgery], sample: int) -> Iterator[Forgery]:
    """A sample that every kind of key has its share of: a key that thousands of parts have is tried as often as one."""
    kinds: dict[object, list[Forgery]] = {}
    for one in found:
        at_split = one.path[:1] == ("splits",)
        kind = tuple("*" if isinstance(key, int) or (at_split and place == 1) else key for place, key in enumerate(one.path))
        kinds.setdefault((kind, one.how), []).append(one)
    drawn = random.Random(16)
    for kind in drawn.sample(sorted(kinds, key=repr), len(kinds) if SOAK else min(sample, len(kinds))):
        yield drawn.choice(kinds[kind])
    yield from drawn.sample(found, min(10 * SOAK, len(found)))


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": "{question} Be honest."}, "asked with another prompt than the benchmark's"),
        ({"prompt": None}, "run.prompt doesn't say how the model was asked"),
        ({"limit": 10}, "evaluated with --limit 10"),
        ({"blind": "gray"}, "asked without looking"),
        ({"samples": 3}, "how many answers each question got"),
    ],
)
def test_a_rank_is_not_claimed_for_what_was_asked_otherwise(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    source, results = tmp_path / "mine.json", tmp_path / "results"
    result = make_result(tmp_path, "Mine", 2)
    write_result(source, result.model_copy(update={"run": result.run.model_copy(update=change)}))
    with pytest.raises(HopeBenchError, match=words):
        add_result(source, results)
    assert not results.exists()


def test_what_a_benchmark_asks_is_the_same_in_all_its_results(tmp_path: Path) -> None:
    source, results = tmp_path / "mine.json", tmp_path / "results"
    shutil.copytree(COMMITTED.parent, tmp_path / "there")
    honest = json.loads((COMMITTED / "pope-coco" / "llava-v1.5-13b.json").read_text())
    honest["run"]["name"] = honest["model"]["name"] = "another"
    assert _taken(honest, source, tmp_path / "there" / "results") is not None
    facts = ("benchmark.title", "benchmark.dataset", "benchmark.headline", "splits.random.breakdowns.category.0.name")
    for one in forgeries(honest):
        if ".".join(map(str, one.path)) in facts and one.how != "deleted":
            assert _taken(one.of(honest), source, tmp_path / "there" / "results") is None, one
    honest["splits"] = {name: honest["splits"][name] | {"kind": "control"} for name in honest["splits"]}
    assert _taken(honest, source, results) is None


def test_what_takes_minutes_to_count_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "mine.json"
    monkeypatch.setattr(adding, "restate", lambda _: pytest.fail("counted before its size was known"))
    images = 20_000
    split = make_result(tmp_path, "Mine", 2).splits["content"].model_copy(
        update={"questions_per_image": (5,) * images, "labels": "ynyny" * images, "verdicts": "yyynn" * images}
    )  # fmt: skip
    small = make_result(tmp_path, "Mine", 2)
    benchmark = small.benchmark.model_copy(update={"images": images})
    bootstrap = small.bootstrap.model_copy(update={"replicates": 20_000})
    bare = split.model_copy(update={"blind": (), "breakdowns": {}, "part_of": {}, "repeated": None})
    update = {"splits": {"content": bare}, "benchmark": benchmark, "bootstrap": bootstrap, "comparisons": (), "worst": None}
    write_result(source, small.model_copy(update=update))
    with pytest.raises(HopeBenchError, match=r"at most 4,166 are counted again\. Score the run with fewer --replicates"):
        add_result(source, tmp_path / "results")


def test_of_two_results_of_one_name_added_at_once_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins when the first is about to write, and must not be done before it has."""
    results, named = tmp_path / "results", {"name": "mine"}
    for model, affirmed in (("One", 1), ("Other", 2)):
        made = make_result(tmp_path, model, affirmed)
        write_result(tmp_path / f"{model}.json", made.model_copy(update={"run": made.run.model_copy(update=named)}))
    said: list[str] = []

    def add_other() -> None:
        try:
            add_result(tmp_path / "Other.json", results)
        except HopeBenchError as error:
            said.append(str(error))

    second, waits, pause = threading.Thread(target=add_other), threading.Event(), time.sleep

    def write(path: Path, result: Result) -> None:
        if second.ident is None:
            second.start()
            while second.is_alive() and not waits.is_set():
                pause(0.005)
        write_result(path, result)

    monkeypatch.setattr("time.sleep", lambda seconds: (waits.set(), pause(seconds)))  # until the lock is free
    monkeypatch.setattr(adding, "write_result", write)
    target = add_result(tmp_path / "One.json", results)
    second.join()
    assert read_result(target).model.name == "One"
    assert len(said) == 1
    assert "is another model's result (One)" in said[0]
