"""Every reader of outside data and every server reply, fed damaged inputs (more of them: make fuzz), and what watches over it."""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hope_bench.errors import HopeBenchError
from tests.fuzz import watch
from tests.fuzz.files import Maker, written
from tests.fuzz.models import LOADED, REPLY, parsed, question_read, read_alone
from tests.fuzz.mutate import mutated
from tests.fuzz.places import gone_through, reading_functions
from tests.fuzz.readers import READERS
from tests.fuzz.report import named
from tests.fuzz.watch import Watched

EXAMPLES = int(os.environ.get("HOPE_BENCH_FUZZ", "60"))
"""What hypothesis makes up for each property."""

NOT_FROM_OUTSIDE = {
    "own or shipped data": (
        "scoring/averaging.py", "scoring/probability.py", "search/attribute_bank.py", "search/encoder_session.py",
        "inference/workers.py",
        "demo/dataset.py", "demo/llava.py", "demo/quality.py", "files/language.py", "clip/names.py", "scoring/conventions.py",
        "adapters/given.py",
        "adapters/decoding.py", "adapters/encoding.py", "adapters/kept.py", "wording.py", "site/libraries.py",
        "scoring/asked_object.py", "search/known_words.py _known", "adapters/secrets.py",
    ),
    "written, or its own file before it is written": (
        "cli/__init__.py", "cli/app.py", "hub/model_card.py", "hub/parcel.py", "hub/push.py", "inference/asking.py",
        "inference/engine.py",
        "inspection/gallery.py", "interchange/export_datasets.py", "interchange/export_llava.py",
        "interchange/export_lmms_eval.py",
        "interchange/export_vlmevalkit.py", "interchange/lmms_eval_task.py", "interchange/parquet.py", "provenance.py",
        "reporting/page.py",
        "reviewing/page.py", "reviewing/picture.py", "site/data.py", "site/wall.py", "reviewing/decisions.py write_decisions",
        "inference/answers.py _rewrite", "scoring/blind.py _score",
    ),
    "looked through for a few bytes, or copied": (
        "hub/pull.py _alike", "hub/pull.py _copy", "hub/pull.py has_pictures", "preparing/propose.py speaks_of",
        "annotations/detect.py _says_coco",
        "site/sheet.py _checked",
    ),
    "called by pyarrow in a thread of its own": ("annotations/csv_file.py read",),
    "a server that is started here: its log, and whether it says 200": ("adapters/server.py", "adapters/server_guard.py"),
    "of what is damaged": ("annotations/coco_file.py rows", "annotations/json_file.py not_json"),
}  # fmt: skip
"""Functions that decode something and are fed by no reader here: modules as a whole, or one of their functions."""

REFUSED_WHOLE = {
    "imagefolder of csv", "reply: refusal", "reply: blocked", "sent: stream", "sent: refusal", "sent: busy", "sent: page",
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_input_is_read_or_refused(name: str) -> None:
    with Watched(name, READERS[name]) as watched:
        for number in range(1, 3 if name in LOADED else 9):
            watched.feed(0, number)
        assert watched.tally.faults == [], f"python -m tests.fuzz --seed 0 --reader {name!r} --input NUMBER shows one again"


def test_all_that_decodes_is_fed() -> None:
    """Whole files are accepted, and no function that decodes something is without a reader that goes through it."""
    fed: set[str] = set()
    refused = set()
    for name, maker in READERS.items():
        with Watched(name, maker) as watched:
            watched.feed(0, 0)  # what it imports is imported now, and not looked at
            fed |= {f"{module} {function}" for module, function in gone_through(lambda: watched.feed(0, 0))}
            assert watched.tally.faults == [], name
            refused.update({name} if watched.tally.refused else ())

    elsewhere = [place for places in NOT_FROM_OUTSIDE.values() for place in places]
    every = {f"{module} {function}" for module, function in reading_functions()}
    assert {one for one in every - fed if one not in elsewhere and one.split()[0] not in elsewhere} == set()
    assert refused == REFUSED_WHOLE


def test_the_page_names_the_readers_that_there_are() -> None:
    assert named() == set(READERS), "make fuzz writes docs/reliability.md"


def _json() -> st.SearchStrategy[Any]:
    plain = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=9)
        | st.sampled_from(["yes", "No", "length", "text"])
    )
    names = st.sampled_from(sorted(set(re.findall(r'"(\w+)":', json.dumps(REPLY))))) | st.text(max_size=5)
    return st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=20
    )


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(message=_json(), logprobs=_json(), more=_json(), whole=st.booleans())
def test_a_reply_of_any_json_is_read_or_refused(message: Any, logprobs: Any, more: Any, whole: bool) -> None:
    choice = {"message": message, "logprobs": logprobs, "finish_reason": more}
    _allowed(read_alone, json.dumps({"choices": [choice], "usage": more} if whole else more).encode())


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(st.text() | st.from_regex(r"(Yes|No|no|there|is|isn't|a|dog|not|answer|[.,:*\n\"{}()<>/ ]){0,40}", fullmatch=True))
def test_any_text_is_an_answer_and_a_question(text: str) -> None:
    for read in (parsed, question_read):
        _allowed(read, text.encode("utf-8", "surrogatepass"))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(
    st.binary(max_size=99),
    st.sampled_from(["", ".toml", ".csv", ".tsv", ".xml", ".http", ".gz", ".eval", ".safetensors", ".parquet"]),
    st.integers(),
)
def test_the_mutator_takes_anything_and_makes_the_same_of_it(data: bytes, suffix: str, seed: int) -> None:
    assert mutated(data, suffix, random.Random(seed)) == mutated(data, suffix, random.Random(seed))


def _allowed(read: Callable[[Path], object], data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            read(written(Path(folder) / "input", data))
        except HopeBenchError as error:
            assert 0 < len(str(error)) <= watch.LONGEST_MESSAGE  # noqa: PT017 - that there is one or none is the point


def _bad(folder: Path, what: str) -> None:
    if what == "an exception":
        raise KeyError("x")
    if what == "written elsewhere":
        (folder.parent.parent.parent / "elsewhere").write_text("x")
    if what == "removed elsewhere":
        (folder.parent.parent.parent / "elsewhere").unlink(missing_ok=True)
    if what == "half a file":
        (folder / ".a.json.1.partial").touch()
    if what == "a program":
        os.system("true")
    if what == "no end":
        while True:
            pass
    if what == "a long message":
        raise HopeBenchError("x" * 3000, 4000)
    if what == "no message":
        raise HopeBenchError("")
    if what == "a traceback on the screen":

        class Falls:
            def __del__(self) -> None:
                raise KeyError

        Falls()


BAD = {
    "an exception": r"KeyError", "written elsewhere": "open outside", "removed elsewhere": "os.remove outside",
    "half a file": "left behind",
    "a program": "os.system", "no end": "CPU seconds", "a long message": "3,000 characters", "no message": "an empty message",
    "a traceback on the screen": "printed a traceback",
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_may_not_be_is_seen(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_SECONDS", 0.2)
    maker: Maker = lambda folder: (written(folder / "a.json", [1]), lambda: _bad(folder, what) or 1)  # noqa: E731
    with Watched(what, maker) as watched:
        watched.feed(0, 1)
        assert any(re.search(BAD[what], fault) for _, fault in watched.tally.faults), watched.tally
        watched.feed(0, 2)
        assert {number for number, _ in watched.tally.faults} >= {1, 2}, "and all is put back for the next"
    (Path(tempfile.gettempdir()) / "elsewhere").unlink(missing_ok=True)
