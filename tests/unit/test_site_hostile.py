"""Result files that mean harm: refused in words, or shown as the text they are."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hope_bench.errors import HopeBenchError, hidden
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.result_file import write_result
from hope_bench.site import build_site
from hope_bench.site.pages import POLICY
from hope_bench.site.safety import LARGEST_FILE, _plain, _unique, text_problem
from hope_bench.site.sheet import describe_benchmark
from tests.unit.test_site import Links, change, make_result, pages

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>{{7*7}}</title></style>--></script>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "results" / "tiny" / "mine.json"
    write_result(path, make_result(tmp_path, "Mine", 2))
    return path


def refusal(path: Path) -> str:
    """What building says of a refused file; nothing is written then."""
    site = path.parents[2] / "site"
    with pytest.raises(HopeBenchError) as error:
        build_site(path.parents[1], site)
    assert path.name in str(error.value)
    assert len(str(error.value)) < 2000
    assert not site.exists()
    return str(error.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (change("model", "name", to="x" * 101), "model.name"),
        (change("model", "checkpoint", to="x" * 10_000_000), "larger than 8 MB"),
        (change("notes", to=["x" * 5000]), "notes.0 is longer than 4,000 characters"),
        (change("notes", to=["x"] * 5000), "notes has more than 4096 items"),
        (change("model", "name", to="GPT\u202e4-olleh"), "model.name holds the character U+202E"),
        (change("model", "name", to="GP\u200bT"), "U+200B"),
        (change("model", "name", to="a\x00b"), "U+0000"),
        (change("model", "name", to="\ud800"), "U+D800"),
        (change("model", "name", to="Z" + "\u0301" * 40), "accents on one letter"),
        (change("model", "name", to="   "), "blank"),
        (change("run", "source", to="javascript:alert(1)"), "a link with javascript:"),
        (change("run", "source", to="see JavaScript : alert(1)"), "a link with javascript:"),
        (change("run", "source", to="data:text/html,x"), "a link with data:"),
        (change("run", "source", to="file:///etc/passwd"), "a link with file:"),
        (change("splits", "content", "precision", "low", to=float("nan")), "NaN is no number"),
        (change("splits", "content", "precision", "high", to=float("inf")), "Infinity is no number"),
        (change("splits", "content", "precision", "high", to=1e300), "splits.content.precision is not between 0 and 1"),
        (change("splits", "content", "precision", "high", to=1.5), "splits.content.precision is not between 0 and 1"),
        (change("splits", "content", "precision", "low", to=-0.5), "splits.content.precision is not between 0 and 1"),
        (change("splits", "content", "precision", to={"value": 0.75, "low": 0.9, "high": 0.1}), "ends are swapped"),
        (change("splits", "content", "precision", "low", to=None), "half an interval"),
        (change("splits", "content", "questions_per_image", to=[-2, 4, 4, 2, 2, 2]), "fewer than none"),
        (change("splits", "content", "on_yes", "yes", to=-3), "splits.content.on_yes.yes"),
        (change("splits", "content", "k" * 100_000, to=1), "unknown key 'splits.content.kkk"),
        (change("benchmark", "images", to=-1), "benchmark.images"),
        (change("benchmark", "images", to=10**400), "benchmark.images"),
        (change("benchmark", "hash", to="../../x"), "benchmark.hash"),
        (change("benchmark", "name", to="data"), "a folder of the site itself"),
        (change("benchmark", "name", to="../../../etc"), "belongs in the folder 'etc'"),
        (change("bootstrap", "replicates", to=10**9), "bootstrap"),
        (change("bootstrap", "confidence", to=0), "bootstrap"),
    ],
)  # fmt: skip
def test_refused(path: Path, changed: Callable[[dict[str, Any]], None], words: str) -> None:
    data = json.loads(path.read_text())
    changed(data)
    path.write_text(json.dumps(data))
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": ' * 100_000, "nested too deeply"),
        ('{"schema_version": ' + "1" * 5000 + "}", "not JSON"),
        ('{"model": {"name": "a"}, "model": {"name": "b"}}', "a key stands twice"),
        (r'{"model": {"name": "a", "name": "b\u003a"}}', "a key stands twice"),
        (r'{"model": {"name": "a", "nam\u0065": "b"}}', "a key stands twice"),
        ('{"notes": ["a:b", {"c": [{"d": 1, "d": 1}]}]}', "a key stands twice"),
        ("[" * 50 + "]" * 50, "nested too deeply"),
        ("null", "not a valid result"),
        ("", "not JSON"),
        ('{"' + "k" * 5000 + '": 1}', "a key of the file is longer than 100"),
        (json.dumps({"notes": {str(n): 0 for n in range(300)}}), "more than 200 keys"),
    ],
)
def test_json_that_is_no_result(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    assert words in refusal(path)


PAIRS = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(["", ":", '"', "\\", "a:b", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(st.sampled_from(["a", "b", ":", '":', "é"]), inner), max_size=3).map(tuple)
    ),
)
"""JSON whose objects are tuples of pairs, so that a key may stand twice."""


def written(value: Any, escape: bool) -> str:
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{written(key, escape)}: {written(one, escape)}" for key, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(one, escape) for one in value) + "]"
    return json.dumps(value).replace(":", "\\u003A" if escape else ":")


@given(PAIRS, st.booleans())
def test_the_quick_reading_takes_nothing_that_the_careful_one_refuses(value: Any, escape: bool) -> None:
    text = written(value, escape)
    quick = _plain(text.encode())
    try:
        careful = json.loads(text, object_pairs_hook=_unique)
    except ValueError:
        careful = None
    assert quick is None or quick == careful
    assert quick == careful or escape


def test_files_that_are_too_large_or_elsewhere(path: Path, tmp_path: Path) -> None:
    good = path.read_text()
    path.write_text(good + " " * LARGEST_FILE)
    assert "larger than 8 MB" in refusal(path)
    (tmp_path / "secret.json").write_text(good)
    path.unlink()
    path.symlink_to(tmp_path / "secret.json")
    assert "leads out of" in refusal(path)
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    assert "is UTF-16 text" in refusal(path)


def test_too_many_splits(path: Path) -> None:
    data = json.loads(path.read_text())
    for number in range(100):
        data["splits"][f"s{number}"] = data["splits"]["content"]
    path.write_text(json.dumps(data))
    assert "splits: 102 are more than 64" in refusal(path)
    data["splits"] = dict.fromkeys(("adversarial", "content", "s" * 101), data["splits"]["content"])
    path.write_text(json.dumps(data))
    assert "splits: a key is longer than 100 characters: 'sss" in refusal(path)


def test_markup_is_shown_as_text_everywhere(tmp_path: Path) -> None:
    run = RunInfo(source=EVIL, device=EVIL, prompt=EVIL, command=EVIL, adapter=EVIL, versions={EVIL: EVIL})
    result = make_result(tmp_path, EVIL[:100], 2, notes=(EVIL,), run=run)
    model = ModelInfo(name=EVIL[:100], checkpoint=EVIL, family=EVIL, parameters=EVIL, license=EVIL, vision_tower=EVIL)
    benchmark = result.benchmark.model_copy(
        update={
            "title": EVIL,
            "description": EVIL,
            "dataset": EVIL,
            "clip": EVIL,
            "notes": (EVIL,),
            "headline": EVIL,
            "prompt": EVIL,
        }
    )
    splits = {EVIL if name == result.benchmark.headline else name: split for name, split in result.splits.items()}
    worst = tuple(
        one.model_copy(update={"split": EVIL, "image": EVIL, "question": EVIL, "object": EVIL, "description": EVIL})
        for one in result.worst or ()
    )
    assert worst
    assert splits[EVIL].breakdowns
    splits[EVIL] = splits[EVIL].model_copy(update={"breakdowns": {
        name: (parts[0].model_copy(update={"name": EVIL}), *parts[1:]) for name, parts in splits[EVIL].breakdowns.items()
    }})  # fmt: skip
    evil = result.model_copy(
        update={
            "model": model, "benchmark": benchmark, "splits": splits, "comparisons": (), "unranked": EVIL, "worst": worst,
        }
    )  # fmt: skip
    write_result(tmp_path / "results" / "tiny" / "a.json", evil)
    write_result(tmp_path / "results" / "tiny" / "b.json", evil.model_copy(update={"unranked": None}))
    build_site(tmp_path / "results", tmp_path / "site")
    for file, html in pages(tmp_path / "site").items():
        found = Links(html)
        assert "img" not in found.tags, file
        assert "style" not in found.tags
        assert not re.search(r"<script(?! (defer )?src=| type=\"application/json\")", html), file
        assert not re.search(r"\sstyle=|\son[a-z]+=\"", html.replace("onerror=alert", "")), file
        assert f'content="{POLICY.replace(chr(39), "&#39;")}"' in html
        assert not any(re.match(r"(?i)\s*(javascript|vbscript|file|https?):", link) for link in found.links)
        for link in found.links:
            target = ((tmp_path / "site" / file).parent / link.partition("#")[0]).resolve()
            assert target.is_relative_to((tmp_path / "site").resolve())
    assert {path.name for path in tmp_path.iterdir()} == {"results", "site", "b", "runs"}


def test_harmless_texts() -> None:
    for text in (
        "LLaVA-1.5 (13B): a note",
        "https://example.org/x",
        "日本語モデル",
        "مدل",
        "Zoë, nota bene: yes",
        "two\nlines",
        "local-dir:clip",
    ):
        assert text_problem(text) is None, text
    assert hidden("نمی\u200cدانم") is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_what_is_no_page_of_an_earlier_site_stays_and_stops_nothing(path: Path) -> None:
    site, results = path.parents[2] / "site", path.parents[1]
    build_site(results, site)
    (site / "tiny" / "folder.html").mkdir()
    (site / "tiny" / "loop.html").symlink_to("loop.html")
    (site / "badges" / "tiny" / "folder.svg").mkdir()
    os.mkfifo(site / "tiny" / "pipe.html")
    build_site(results, site)
    assert {one.name for one in (site / "tiny").iterdir()} >= {"folder.html", "loop.html", "pipe.html", "mine.html"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.parametrize("place", ["results/tiny/other.json", "benchmarks/other.json", "benchmarks/{}/questions.json.gz"])
def test_pipes_and_loops_among_the_files_are_one_error(place: str, path: Path, tmp_path: Path) -> None:
    results = path.parents[1]
    sheet = describe_benchmark(read_benchmark(tmp_path / "b"), results)
    (sheet.with_suffix("") / "a folder").mkdir()
    assert describe_benchmark(read_benchmark(tmp_path / "b"), results) == sheet
    odd = tmp_path / place.format(sheet.stem)
    odd.unlink(missing_ok=True)
    odd.symlink_to(odd.name)
    with pytest.raises(HopeBenchError, match="its links lead in a circle"):
        build_site(results, tmp_path / "site")
    odd.unlink()
    os.mkfifo(odd)
    with pytest.raises(HopeBenchError, match="no regular file"):
        build_site(results, tmp_path / "site")
