"""A benchmark's questions on the leaderboard: what is published, what holds it to the results, and what review takes."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.result_file import read_result
from hope_bench.files.split_score import SplitScore
from hope_bench.reporting.model_page import Drill
from hope_bench.reviewing.claims import listed_queue
from hope_bench.scoring.probability import pack, unpack
from hope_bench.site import build_site, question_file
from hope_bench.site.question_file import check_asked_as_published
from hope_bench.site.questions import Claim, answer_codes, make_wall
from hope_bench.site.reading import read_groups
from hope_bench.site.sheet import read_sheets
from hope_bench.site.views import section
from hope_bench.site.wall import Shown
from hope_bench.site.wall_pages import listing
from tests.cli import hope_bench, refused
from tests.questioned import IMAGES, LIKELY, p_yes, publish
from tests.unit.test_site import Links

COCO = tuple(f"COCO_val2014_{number:012}.jpg" for number in range(3))
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both benchmarks, published once: with pictures, and without."""
    folder = tmp_path_factory.mktemp("published")
    publish(folder)
    publish(folder, "coco", COCO, pictures=False)
    return folder


@pytest.fixture
def benchmark(made: Path) -> Benchmark:
    return read_benchmark(made / "made" / "tiny")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    shutil.copytree(made / "leaderboard", tmp_path / "leaderboard")
    return tmp_path


def built(folder: Path) -> Path:
    build_site(folder / "leaderboard" / "results", folder / "site", folder / "nowhere")
    return folder / "site"


def published(site: Path, name: str = "tiny") -> tuple[str, dict[str, Any]]:
    (path,) = (site / "data" / "questions").glob(f"{name}-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return path.stem, found


def test_programs_find_every_question_and_its_answers(folder: Path, benchmark: Benchmark) -> None:
    site = built(folder)
    _, data = published(site)
    assert (data["benchmark"], data["hash"], data["prompt"]) == ("tiny", benchmark.manifest.hash, "{question}")
    results = [json.loads((site / one).read_text()) for one in data["results"]]
    assert {one["model"]["name"] for one in results} == set(LIKELY)
    asked = {(one.image, one.text) for questions in benchmark.splits.values() for one in questions}
    assert Counter((one["image"], one["question"]) for one in data["questions"]) == Counter(asked)
    for one in data["questions"]:
        yes = [p_yes(model, one["image"], one["object"]) > 0.5 for model in LIKELY]
        assert (one["say_yes"], one["answered"]) == (sum(yes), 3)
        for split, (place, *_) in one["asked_in"].items():
            at = [result["splits"][split] for result in results]
            assert {split_of["labels"][place] for split_of in at} == {one["label"][0]}
            assert [split_of["verdicts"][place] == "y" for split_of in at].count(True) == sum(yes)
    fooling = [one for one in data["questions"] if one["label"] == "no"]
    assert fooling[0]["question"] == "Is there a cat in the image?"  # all three say yes
    assert [one["say_yes"] for one in fooling] == sorted((one["say_yes"] for one in fooling), reverse=True)
    assert all((site / one["picture"]).is_file() for one in data["images"].values())


def test_a_link_to_a_question_stays_though_a_result_holds_its_splits_in_another_order(folder: Path) -> None:
    _, before = published(built(folder))
    path = folder / "leaderboard" / "results" / "tiny" / "fooled.json"  # the first by name
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"splits": dict(reversed(data["splits"].items()))}))
    _, after = published(built(folder))
    assert {one["id"]: one["question"] for one in after["questions"]} == {
        one["id"]: one["question"] for one in before["questions"]
    }
    assert any(one["id"].startswith("content.") and len(one["asked_in"]) == 2 for one in after["questions"])


def test_two_questions_of_one_id_are_refused(folder: Path) -> None:
    group = next(one for one in read_groups(folder / "leaderboard" / "results") if one.first.benchmark.name == "tiny")
    described = next(one for one in read_sheets(folder / "leaderboard" / "benchmarks").values() if one.sheet.name == "tiny")
    assert described.questions is not None
    content = tuple(replace(one, question_id=7) for one in described.questions.splits["content"])
    twice = replace(described.questions, splits={**described.questions.splits, "content": content})
    with pytest.raises(HopeBenchError, match=r"both called content\.7"):
        make_wall(section(group, alone=True), twice)


def test_pictures_with_long_names_are_described_and_built(tmp_path: Path) -> None:
    publish(tmp_path, images=tuple("photograph-" * 15 + f"_{number}.jpg" for number in range(2)))
    _, data = published(built(tmp_path))
    assert all("picture" in one for one in data["images"].values())


def test_the_page_gets_them_as_scripts(folder: Path) -> None:
    site = built(folder)
    key, data = published(site)
    parts = sorted((site / "data" / "questions").glob(f"{key}*.js"))
    calls = [re.fullmatch(r"/\* .+ \*/hopeBenchQuestions\((.+)\);\n", path.read_text()) for path in parts]
    (part, packed), (name, columns) = (json.loads(f"[{call[1]}]") for call in calls if call)
    assert (part, name) == (0, "questions")
    codes, models = base64.b64decode(packed), [one["name"] for one in columns["models"]]
    assert len(codes) == 3 * len(data["questions"])
    for index, one in enumerate(data["questions"]):
        for column, model in enumerate(models):
            p = p_yes(model, one["image"], one["object"])
            assert codes[3 * index + column] == round(100 * p) + (102 if p > 0.5 else 0)


def test_whole_percents_stay_in_their_tenth() -> None:
    """Else a tenth of P(yes) would lead to other questions than it counts; also of answers that are no yes or no."""
    p_yes = np.linspace(0, 1, 1001).tolist()
    packed = pack([None, *p_yes])
    split = SimpleNamespace(verdicts="n" * 1002, probabilities=SimpleNamespace(packed=packed))
    tenths = np.minimum((10 * unpack(packed)[1:]).astype(int), 9)
    percents = answer_codes(split)
    assert percents[0] == 101
    assert (np.minimum(percents[1:] // 10, 9) == tenths).all()
    assert (np.abs(percents[1:] - 100 * np.asarray(p_yes)) < 1.01).all()
    split.verdicts = "u" * 1002
    assert answer_codes(split).tolist() == [204, *(207 + tenths)]
    split.verdicts = "e" * 501 + "-" * 501
    assert answer_codes(split).tolist() == [205] * 501 + [206] * 501


def test_images_that_may_not_be_shown_are_linked_where_the_dataset_shows_them(folder: Path) -> None:
    site = built(folder)
    key, data = published(site, "coco")
    where = f"http://images.cocodataset.org/val2014/{COCO[1]}"
    assert data["images"][COCO[1]] == {"link": where}
    page = (site / "questions" / f"{key}-images-1.html").read_text()
    assert where in Links(page).links
    assert "img" not in Links(page).tags


def test_without_javascript_every_question_is_in_a_list(folder: Path) -> None:
    site = built(folder)
    key, data = published(site)
    links = Links((site / "questions" / f"{key}-images-1.html").read_text()).links
    assert {f"{key}.html#q={one['id']}" for one in data["questions"]} <= set(links)
    assert "Is there a cat in the image?" in (site / "questions" / f"{key}.html").read_text()
    assert f"questions/{key}.html" in Links((site / "questions.html").read_text()).links


def test_a_models_numbers_lead_to_questions(folder: Path) -> None:
    """Every way from a model's page shows something, on a phone too, also of a split that asks only about what is there."""
    site = built(folder)
    key, data = published(site)
    ways = [link for link in Links((site / "tiny" / "half.html").read_text()).links if f"{key}.html#split=" in link]
    asked = {name: f"../questions/{key}.html#split={name}" for name in ("adversarial", "content", "hope")}
    assert all(ways.count(link) == 2 for link in asked.values()), "in a column, and below the rate"
    for link in ways:
        chosen = dict(pair.split("=") for pair in link.partition("#")[2].split("&"))
        assert [one for one in data["questions"] if chosen["split"] in one["asked_in"] and one["label"] == "no"]
        assert chosen.keys() <= {"split", "truth", "object", "blind", "of", "said", "tenth"}
    assert (Drill("w").split("a b"), Drill("w").split("a", "")) == ("w#split=a%20b", "w#split=a&truth=")
    assert (Drill("w").kind("a", "plain"), Drill("w").kind("a", "half")) == ("w#split=a&kind=object", "w#split=a&kind=half")


def test_markup_in_a_question_is_text() -> None:
    one = Claim(id="a<b.1", image="x.jpg", text="Is there a <i>dog</i>?", label="no", object="<i>'\"", kind="object", risk=None,
                asked_in=())  # fmt: skip
    html = listing("wall.html")([Shown(one, 1, 2), Shown(replace(one, kind="half"), 1, 2)])
    assert Links(html).tags == ["li", "a", "small"] * 2
    assert Links(html).links == ["wall.html#q=a%3Cb.1"] * 2
    assert "&lt;i&gt;dog&lt;/i&gt;" in html


def test_a_benchmark_without_published_questions_has_no_wall(folder: Path) -> None:
    for path in (folder / "leaderboard" / "benchmarks").glob("*/questions.json.gz"):
        path.unlink()
    site = built(folder)
    assert "aren&rsquo;t published" in (site / "questions.html").read_text()
    assert not (site / "questions").exists()


def test_what_is_gone_is_removed(folder: Path) -> None:
    own = built(folder) / "data" / "questions" / "mine.js"
    own.write_text("mine")
    for path in (folder / "leaderboard").glob("*/coco*/*"):
        path.unlink()
    for path in (folder / "leaderboard" / "benchmarks").glob("coco*.json"):
        path.unlink()
    site = built(folder)
    assert not [path for path in site.rglob("*") if path.name.startswith("coco") and path.is_file()]
    assert own.is_file()


Change = Callable[[dict[str, Any]], None]


def of_first(**changes: Any) -> Change:
    def change(data: dict[str, Any]) -> None:
        data["splits"]["content"][1].update(changes)

    return change


def without_one(data: dict[str, Any]) -> None:
    data["splits"]["content"].pop()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (of_first(label="yes"), "doesn't hold the questions with the hash"),
        (of_first(text="Is there a fox in the image?"), "doesn't hold the questions with the hash"),
        (without_one, "doesn't hold the questions with the hash"),
        (of_first(risk=1.5), "a risk is 1.5"),
        (of_first(found_by="a\u202eb"), "U+202E"),
        (of_first(nonsense="x", question_id="one"), "holds no questions"),
        (lambda data: data["images"].remove("3.jpg"), "isn't among its images"),
        (lambda data: data["images"].append("../secret"), "is no file name"),
        (lambda data: data.update(reviewed={"content": "y" * 15}), "a letter for each question of 'content'"),
        (lambda data: data.update(reviewed={"content": "y" * 15 + "<"}), "a letter for each question of 'content'"),
        (lambda data: data.update(reviewed={"nowhere": "y"}), "a letter for each question of 'nowhere'"),
    ],
)
def test_forged_questions_are_refused(folder: Path, changed: Change, words: str) -> None:
    (path,) = (folder / "leaderboard" / "benchmarks").glob("tiny*/questions.json.gz")
    data = json.loads(gzip.decompress(path.read_bytes()))
    changed(data)
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    with pytest.raises(HopeBenchError, match=re.escape(words)):
        built(folder)
    assert not (folder / "site").exists()


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"{}", mtime=0)[:-9]], ids=["empty", "no gzip", "cut off"])
def test_no_questions_at_all_are_refused(folder: Path, content: bytes, capsys: Capture) -> None:
    (path,) = (folder / "leaderboard" / "benchmarks").glob("tiny*/questions.json.gz")
    path.write_bytes(content)
    assert "questions.json.gz" in refused(capsys, "leaderboard", "check", "--results", folder / "leaderboard" / "results")


def test_a_file_that_unpacks_to_too_much_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question_file, "LARGEST_UNPACKED", 1000)
    with pytest.raises(HopeBenchError, match="too large"):
        built(folder)


def moved(split: SplitScore) -> dict[str, Any]:
    return {"questions_per_image": (split.questions_per_image[0] + 1, *split.questions_per_image[1:-1], 1)}


@pytest.mark.parametrize("forge", [lambda split: {"labels": split.labels[::-1]}, moved])
def test_results_of_other_questions_are_refused(folder: Path, forge: Callable[[SplitScore], dict[str, Any]]) -> None:
    """Labels changed together with all that follows from them agree with themselves, not with the questions."""
    result = read_result(folder / "leaderboard" / "results" / "tiny" / "sure.json")
    described = next(one for one in read_sheets(folder / "leaderboard" / "benchmarks").values() if one.sheet.name == "tiny")
    assert described.questions is not None
    check_asked_as_published(result, described.questions, "as it is")
    splits = {**result.splits, "content": result.splits["content"].model_copy(update=forge(result.splits["content"]))}
    with pytest.raises(HopeBenchError, match=r"splits\.content has other labels"):
        check_asked_as_published(result.model_copy(update={"splits": splits}), described.questions, "forged")


def test_what_was_shown_no_image_is_no_model_here(folder: Path) -> None:
    path = folder / "leaderboard" / "results" / "tiny" / "fooled.json"
    data = json.loads(path.read_text())
    data["run"]["blind"] = "gray"
    data["unranked"] = "shown gray images"
    path.write_text(json.dumps(data))
    site = built(folder)
    key, found = published(site)
    assert len(found["results"]) == 2
    assert {one["answered"] for one in found["questions"]} == {2}
    block = re.search(r'id="board">(.+?)</script>', (site / "benchmarks" / f"{key}.html").read_text())
    assert block is not None
    asked = {one["id"]: one["asked"] for one in json.loads(block[1])["models"]}
    assert asked == {"sure": True, "half": True, "fooled": False}, "no pair with it leads to questions it isn't among"


def test_review_takes_the_list_of_what_fools_every_model(folder: Path, benchmark: Benchmark) -> None:
    site = built(folder)
    (listed,) = (site / "data" / "questions").glob("tiny*-review.jsonl")
    queue = listed_queue(benchmark.splits, listed)
    assert [(one.image, one.object, one.label) for one in queue] == [(IMAGES[0], "cat", "no")]
    listed.write_text('{"image": "2.jpg", "question": "Is there a wolf in the image?"}\n\n' + listed.read_text())
    assert [one.object for one in listed_queue(benchmark.splits, listed)] == ["wolf", "cat"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[]", "line 1"),
        ('{"image": "0.jpg"}', "question"),
        ('{"image": "0.jpg", "question": "Is there a fox?"}', "not asked here"),
    ],
)
def test_a_list_of_other_questions_is_refused(
    folder: Path, made: Path, benchmark: Benchmark, capsys: Capture, line: str, words: str
) -> None:
    (folder / "list.jsonl").write_text(line)
    command = ("review", benchmark.folder, "--images", made / "images", "--questions")
    assert words in refused(capsys, *command, folder / "list.jsonl")
    assert "does not exist" in refused(capsys, *command, folder / "none.jsonl")
    assert "--sample" in refused(capsys, *command, folder / "list.jsonl", "--sample", "3")


def test_describing_again_gives_the_same_questions(folder: Path, benchmark: Benchmark, capsys: Capture) -> None:
    (path,) = (folder / "leaderboard" / "benchmarks").glob("tiny*/questions.json.gz")
    before = path.read_bytes()
    results = folder / "leaderboard" / "results"
    assert hope_bench(capsys, "leaderboard", "describe", benchmark.folder, "--results", results).code == 0
    assert path.read_bytes() == before
