"""The static leaderboard: what it accepts, what it shows, and that it stands alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.card import slug
from hope_bench.files.result import Bootstrap, ModelInfo, Result, RunInfo
from hope_bench.files.result_file import write_result
from hope_bench.files.split_score import Estimate
from hope_bench.records import Verdict
from hope_bench.reporting.marks import axis_over, mark
from hope_bench.reporting.render import signed
from hope_bench.reporting.rows import reproduce
from hope_bench.scoring.score import score
from hope_bench.site import build_site
from hope_bench.site.reading import ranked, read_groups
from tests.cli import hope_bench, refused
from tests.runs import Row, make_benchmark, make_run

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)
IMAGES = [f"{number}.jpg" for number in range(6)]


def make_result(folder: Path, model: str, affirmed: int, prompt: str = "{question}", **record: Any) -> Result:
    """A model that affirms the absent wolf in `affirmed` of 6 images, and every dog; the cat never."""
    splits: dict[str, list[Row]] = {
        name: [row for image in IMAGES for row in ((image, "dog", "yes"), (image, distractor, "no"))]  # type: ignore[misc]
        for name, distractor in (("adversarial", "cat"), ("content", "wolf"))
    }
    benchmark = make_benchmark(folder / "b", splits, prompt=prompt)
    said: dict[tuple[str, str], Verdict] = {}
    for number, image in enumerate(IMAGES):
        said |= {(image, "dog"): "yes", (image, "cat"): "no", (image, "wolf"): "yes" if number < affirmed else "no"}
    return score(benchmark, make_run(folder / "runs" / slug(model), benchmark, said, model=ModelInfo(name=model), **record), FAST)


BOARD = [
    '<script src="../assets/charts.js">', '<script defer src="../assets/datatables.js">',
    '<script defer src="../assets/copy.js">', '<script defer src="../assets/pairs.js">',
    '<script defer src="../assets/board.js">',
    '<script type="application/json" id="board">',
]  # fmt: skip
FRONT = ['<script src="assets/front.js">']
ESSAYS = ("method.html", "submit.html", "cite.html", "questions.html")
"""Pages without a table."""


def is_ranking(page: str) -> bool:
    return page.startswith("benchmarks/") and not page.endswith("-about.html")


Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(name: str, result: Result, folder: str = "tiny") -> Path:
        path = tmp_path / "results" / folder / f"{name}.json"
        write_result(path, result)
        return path

    return write


def pages(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.html"))}


class Links(HTMLParser):
    """Every attribute that could make a browser fetch something, and every element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action", "data", "poster")]
        assert not any(name.startswith("on") for name, _ in attrs)


def test_ranking_and_pages(tmp_path: Path, put: Put) -> None:
    put("bad", make_result(tmp_path, "Bad", 5))
    put("good", make_result(tmp_path, "Good", 1))
    put("also-good", make_result(tmp_path, "Also good", 1))
    put("half", make_result(tmp_path, "Half", 0, unranked="only half was asked"))
    site = build_site(tmp_path / "results", tmp_path / "site")
    assert site.index == tmp_path / "site" / "index.html"
    assert {path.name for path in site.results} == {"bad.html", "good.html", "also-good.html", "half.html"}
    (group,) = read_groups(tmp_path / "results")
    assert [(rank, entry.result.model.name) for rank, entry in ranked(group.entries)] == [
        (1, "Also good"),
        (1, "Good"),
        (3, "Bad"),
    ]
    index = site.index.read_text()
    ranking = index[index.index('<table class="front"') : index.index('class="unranked"')]
    assert re.findall(r'href="tiny/([a-z-]+)\.html"', ranking) == ["also-good", "good", "bad"]
    assert "Half</a>: only half was asked." in index
    said = re.search(r"Rank [^<,]*", (tmp_path / "site" / "tiny" / "bad.html").read_text())
    assert said is not None
    assert said[0] == "Rank 1–3 of 3", "eight images tell little"
    assert "<strong>Not ranked</strong>: only half was asked." in (tmp_path / "site" / "tiny" / "half.html").read_text()


def test_pages_say_what_searched_and_claim_no_review(tmp_path: Path, put: Put) -> None:
    result = make_result(tmp_path, "A", 1)
    for name, clip, digit in (("one", "local-dir:clip", "1"), ("two", "ViT-L-14:openai", "2")):
        benchmark = result.benchmark.model_copy(update={"name": name, "clip": clip, "hash": digit * 64})
        put("a", result.model_copy(update={"benchmark": benchmark}), folder=name)
    index = build_site(tmp_path / "results", tmp_path / "site").index.read_text()
    words = "".join(path.read_text() for path in (tmp_path / "site" / "benchmarks").glob("*-about.html"))
    assert "The misleading objects were found with a local CLIP (folder clip)." in words
    assert "The misleading objects were found with ViT-L-14:openai." in words
    assert "reviewed" not in index
    assert "from result files, each checked against its own verdicts" in index


def test_a_page_stands_alone_and_links_are_relative(tmp_path: Path, put: Put) -> None:
    put("mine", make_result(tmp_path, "Mine", 2))
    put("other", make_result(tmp_path, "Other", 3))
    build_site(tmp_path / "results", tmp_path / "site")
    built = pages(tmp_path / "site")
    for name, html in built.items():
        found = Links(html)
        assert not {"iframe", "object", "img", "style"} & set(found.tags)
        scripts = re.findall(r"<script[^>]*>", html)
        assert scripts == (BOARD if is_ranking(name) else FRONT if name == "index.html" else [])
        for link in found.links:
            assert link == "data:," or not re.match(r"[a-z]+:|/", link), link
            address, _, place = link.partition("#")
            target = ((tmp_path / "site" / name).parent / address).resolve() if address else tmp_path / "site" / name
            assert link == "data:," or target.is_file(), link
            assert not place or f'id="{place}"' in target.read_text(), (name, link)
    assert not re.search(r"url\(|@import|http", (tmp_path / "site" / "style.css").read_text())
    for script in ("board.js", "charts.js", "front.js", "pairs.js"):
        assert not re.search(r"fetch\(|innerHTML|eval\(|\.style\b", (tmp_path / "site" / "assets" / script).read_text())


def test_tables_have_captions_and_scoped_headers(tmp_path: Path, put: Put) -> None:
    put("mine", make_result(tmp_path, "Mine", 2))
    build_site(tmp_path / "results", tmp_path / "site")
    for name, html in pages(tmp_path / "site").items():
        tags = Links(html).tags
        assert tags.count("table") == tags.count("caption") > (-1 if name in ESSAYS else 0)
        assert all('scope="' in cell for cell in re.findall(r"<th\b[^>]*>", html))
        assert tags.count("h1") == tags.count("main") == 1
        assert '<html lang="en">' in html


def test_untrusted_text_is_escaped(tmp_path: Path, put: Put) -> None:
    evil = "<script>alert(1)</script>\"'&"
    result = make_result(
        tmp_path, evil, 2, prompt=evil + "{question}", notes=(evil,), run=RunInfo(prompt=evil, source=evil, device=evil)
    )
    put("x", result.model_copy(update={"unranked": evil, "benchmark": result.benchmark.model_copy(update={"title": evil})}))
    build_site(tmp_path / "results", tmp_path / "site")
    found = pages(tmp_path / "site")
    assert len(found) == 9
    for name in ("index.html", "tiny/x.html"):
        html = found[name]
        assert not re.search(r"<script(?! (?:defer )?src=| type=\"application/json\")", html)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" in html


def test_the_same_results_give_the_same_bytes(tmp_path: Path, put: Put) -> None:
    for number, name in enumerate(("a", "b", "c")):
        put(name, make_result(tmp_path, name, number))
    build_site(tmp_path / "results", tmp_path / "one")
    build_site(tmp_path / "results", tmp_path / "two")
    build_site(tmp_path / "results", tmp_path / "two")
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    pages_of_all, of_benchmark, assets, data = 6, 2, 3 + 2 + 8, 5 + 1
    assert len(files) == pages_of_all + of_benchmark + assets + data + 3 * 3
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_different_questions_are_never_in_one_ranking(tmp_path: Path, put: Put) -> None:
    put("old", make_result(tmp_path, "Old", 1))
    put("new", make_result(tmp_path, "New", 0, prompt="Well? {question}"))
    site = build_site(tmp_path / "results", tmp_path / "site")
    index = site.index.read_text()
    assert index.count('<table class="front"') == 2
    assert index.count('<td class="rank">1</td>') == 2
    assert len(set(re.findall(r'<section class="page broad benchmark[^"]*" id="([^"]+)"', index))) == 2
    for page in site.results:
        assert "Rank 1 of 1" in page.read_text()


def test_a_rebuild_removes_pages_of_results_that_are_gone_and_nothing_else(tmp_path: Path, put: Put) -> None:
    path = put("gone", make_result(tmp_path, "Gone", 1))
    put("kept", make_result(tmp_path, "Kept", 1))
    build_site(tmp_path / "results", tmp_path / "site")
    path.unlink()
    own = tmp_path / "site" / "tiny" / "own.html"
    own.write_text("my own page")
    build_site(tmp_path / "results", tmp_path / "site")
    assert sorted(file.name for file in own.parent.iterdir()) == ["kept.html", "kept.json", "own.html"]


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, put: Put, capsys: pytest.CaptureFixture[str]) -> None:
    results = put("a", make_result(tmp_path, "A", 3)).parent.parent
    out = tmp_path / "mine"
    out.mkdir()
    (out / ".git").mkdir()
    (out / "index.html").write_text("my own page")
    message = refused(capsys, "leaderboard", "build", "--results", results, "--out", out)
    assert "mine holds files, but no leaderboard that hope-bench built" in message
    assert {path.name for path in out.iterdir()} == {".git", "index.html"}
    assert (out / "index.html").read_text() == "my own page"
    (out / "index.html").unlink()
    for _ in range(2):  # a folder but for hidden files empty, then an earlier site
        assert hope_bench(capsys, "leaderboard", "build", "--results", results, "--out", out).code == 0
    assert (out / ".git").is_dir()


def test_no_results_yet(tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match="does not exist"):
        build_site(tmp_path / "results", tmp_path / "site")
    (tmp_path / "results").mkdir()
    assert "No results yet" in build_site(tmp_path / "results", tmp_path / "site").index.read_text()


Change = Callable[[dict[str, Any]], None]


def change(*keys: str | int, to: Any) -> Change:
    def apply(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (change("modle", to=1), "unknown key 'modle'. Did you mean 'model'"),
        (change("schema_version", to=4), "schema_version"),
        (change("splits", "content", "precision", "value", to=0.99), r"splits.content.precision.value is 0.99"),
        (change("splits", "content", "precision", "value", to=None), r"splits.content.precision.value is None"),
        (change("splits", "content", "on_no", "yes", to=1), r"splits.content.*breakdowns.category counts other questions"),
        (change("splits", "content", "verdicts", to="y" * 12), r"splits.content.on_no"),
        (change("splits", "content", "verdicts", to="y"), "different lengths"),
        (change("splits", "content", "labels", to="-" * 12), "unknown letter"),
        (change("splits", "content", "questions_per_image", to=[12]), "questions_per_image"),
        (change("comparisons", to=[{"split": "x", "baseline": "y", "precision_drop": {"value": 1},
                                    "hallucination_rise": {"value": 1}}]), r"comparisons.0 is of x, y, which is no split"),
        (change("benchmark", "headline", to="x"), "benchmark.headline 'x'"),
        (change("benchmark", "name", to="other"), "belongs in the folder 'other', not in 'tiny'"),
    ],
)  # fmt: skip
def test_what_a_result_file_may_not_be(tmp_path: Path, put: Put, changed: Change, words: str) -> None:
    path = put("mine", make_result(tmp_path, "Mine", 2))
    data = json.loads(path.read_text())
    changed(data)
    path.write_text(json.dumps(data))
    with pytest.raises(HopeBenchError, match=words) as error:
        build_site(tmp_path / "results", tmp_path / "site")
    assert "mine.json" in str(error.value)
    assert not (tmp_path / "site").exists()


def test_more_things_a_result_file_may_not_be(tmp_path: Path, put: Put) -> None:
    result = make_result(tmp_path, "Mine", 2)
    put("mine", result)
    pair = result.comparisons[0].model_copy(update={"precision_drop": Estimate(value=0.9)})
    path = put("drop", result.model_copy(update={"comparisons": (pair,)}))
    with pytest.raises(HopeBenchError, match=r"drop.json: comparisons.0.precision_drop.value is 0.9"):
        build_site(tmp_path / "results", tmp_path / "site")
    split = result.splits["content"].model_copy(update={"kind": "pope"})
    put("drop", result.model_copy(update={"splits": {**result.splits, "content": split}}))
    with pytest.raises(HopeBenchError, match=r"the same benchmark.hash"):
        build_site(tmp_path / "results", tmp_path / "site")
    path.rename(path.with_name("MINE.json"))
    with pytest.raises(HopeBenchError, match="would share the page"):
        build_site(tmp_path / "results", tmp_path / "site")
    path.with_name("MINE.json").rename(tmp_path / "results" / "stray.json")
    with pytest.raises(HopeBenchError, match="not in a benchmark's folder"):
        build_site(tmp_path / "results", tmp_path / "site")


def test_a_result_cannot_claim_a_rank(tmp_path: Path, put: Put) -> None:
    """Ranking asks for a complete headline split, whatever `unranked` says."""
    result = make_result(tmp_path, "Mine", 2)
    benchmark = make_benchmark(tmp_path / "b", {"content": [("0.jpg", "dog", "yes"), ("0.jpg", "wolf", "no")]})
    asked = score(benchmark, make_run(tmp_path / "r", benchmark, {("0.jpg", "dog"): "yes"}, model=result.model), FAST)
    put("mine", asked.model_copy(update={"unranked": None}))
    assert "were never asked" in build_site(tmp_path / "results", tmp_path / "site").index.read_text()


def test_how_to_reproduce(tmp_path: Path) -> None:
    run = RunInfo(prompt="{question}", dtype="float32", batch_size=8, max_new_tokens=16)
    result = make_result(tmp_path, "Mine 2", 2, run=run)
    asked = result.model_copy(update={"model": ModelInfo(name="Mine 2", checkpoint="org/mine; rm -rf", revision="abc")})
    assert reproduce(asked) == [
        "hope-bench evaluate --model 'org/mine; rm -rf' --benchmark tiny --images IMAGES --name mine-2 "
        "--revision abc --dtype float32 --batch-size 8 --max-new-tokens 16",
        "hope-bench score tiny/mine-2 --replicates 100",
    ]
    imported = result.model_copy(update={"run": RunInfo(source="elsewhere", command="hope-bench import answers f.jsonl")})
    assert reproduce(imported)[0] == "hope-bench import answers f.jsonl"


@pytest.mark.parametrize(
    ("values", "low", "high"), [((0.0, 0.0), 0, 0.02), ((0.02, 0.09), 0, 0.1), ((0.1, 0.42), 0, 0.5), ((1.0, 1.0), 0, 1)]
)
def test_axes_are_round_and_hold_everything(values: tuple[float, float], low: float, high: float) -> None:
    axis = axis_over([Estimate(value=value) for value in values], from_zero=True)
    assert (axis.low, axis.high) == (pytest.approx(low), pytest.approx(high))
    assert 3 <= len(axis.ticks) <= 6
    assert (axis.ticks[0].at, axis.ticks[-1].at) == (0, 100)


def test_axes_that_do_not_start_at_zero() -> None:
    axis = axis_over([Estimate(value=0.62, low=0.601, high=0.64), Estimate(value=0.99, low=0.985, high=1.0)], from_zero=False)
    assert (axis.low, axis.high) == (pytest.approx(0.6), pytest.approx(1.0))
    assert axis_over([Estimate(value=1.0)], from_zero=False).high == pytest.approx(1)
    assert axis_over([Estimate(value=None)], from_zero=False).ticks
    placed = mark("hope", Estimate(value=0.8, low=0.7, high=0.9), axis, Estimate(value=0.6))
    assert placed is not None
    assert (placed.at, placed.low, placed.high, placed.start) == (50, 25, 75, 0)
    assert mark("pope", Estimate(value=None), axis) is None


def test_differences_carry_a_true_sign() -> None:
    assert [signed(value) for value in (0.165, -0.018, 0.0, -0.00001, None)] == ["+16.5", "−1.8", "+0.0", "+0.0", "–"]
