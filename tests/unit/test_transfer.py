"""Who chose whom: rates and home advantages against loops over raw answers, what is unknown, the command and the site."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import hope_bench as hb
from hope_bench.files.benchmark import ClipInfo
from hope_bench.files.result import Bootstrap, ModelInfo, Result
from hope_bench.files.result_file import read_result, write_result
from hope_bench.records import Label, Verdict
from hope_bench.scoring.score import score
from hope_bench.scoring.who_chose_whom import transfer
from hope_bench.site import build_site
from tests.cli import hope_bench, refused
from tests.runs import Row, make_benchmark, make_run

FAST = Bootstrap(replicates=100, seed=0, confidence=0.95)
IMAGES = [f"{number:03}.jpg" for number in range(80)]
SPLITS = ["random", "content", "content@other", "content@third", "content-panel"]
CLIPS = {"": "ViT-L-14:openai", "other": "ViT-B-16-SigLIP:webli", "third": "local-dir:mystery"}
TOWERS = {
    "Openai A": "openai/clip-vit-large-patch14-336", "Openai B": "ViT-L-14:openai", "Siglip": "SigLIP, 1152 wide",
    "Eva": "EVA-CLIP ViT-g", "Own tower": None,
}  # fmt: skip

Answers = Mapping[str, Mapping[str, np.ndarray]]
"""By model and split: which of an image's two no-questions were answered yes, bool [images, 2]."""


def draw(seed: int, home: float, images: int = len(IMAGES), least: float = 0.1) -> Answers:
    """Models that say yes to a share from `least` to `least` + 0.4 of what is absent, higher in images that fool all of them,
    and `home` higher where an encoder of their family chose."""
    rng = np.random.default_rng(seed)
    hard = rng.uniform(0, 0.4, images)[:, None] ** 2 / 0.4
    at_home = {("Openai A", "content"), ("Openai B", "content"), ("Siglip", "content@other")}
    return {
        model: {split: rng.uniform(size=(images, 2)) < least + hard + home * ((model, split) in at_home) for split in SPLITS}
        for model in TOWERS
    }


def make_results(folder: Path, answers: Answers, asked: Mapping[str, Sequence[str]] | None = None) -> dict[str, Result]:
    """Scored results; `asked` names the splits that a model was asked, where those aren't all."""
    objects: list[tuple[str, Label]] = [("dog", "yes"), ("{} a", "no"), ("{} b", "no")]
    images = IMAGES[: len(next(iter(answers.values()))["content"])]
    rows: dict[str, list[Row]] = {
        split: [(image, what.format(split), label) for image in images for what, label in objects] for split in SPLITS
    }
    encoders = {name: ClipInfo(model=model, sha256="0", templates=()) for name, model in CLIPS.items()}
    benchmark = make_benchmark(folder / "b", rows, headline="content", clip=encoders.pop(""), encoders=encoders)
    made = {}
    for model, by_split in answers.items():
        said: dict[tuple[str, str], Verdict] = {(image, "dog"): "yes" for image in images}
        for split in (asked or {}).get(model, SPLITS):
            for row, image in enumerate(images):
                for place, letter in enumerate("ab"):
                    said[image, f"{split} {letter}"] = "yes" if by_split[split][row, place] else "no"
        info = ModelInfo(name=model, vision_tower=TOWERS[model])
        made[model] = score(benchmark, make_run(folder / model, benchmark, said, model=info), FAST)
    return made


@pytest.fixture(scope="module")
def answers() -> Answers:
    return draw(seed=1, home=0.25)


@pytest.fixture(scope="module")
def results(answers: Answers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    return make_results(tmp_path_factory.mktemp("transfer"), answers)


HOME = {
    "Openai A": ("content", "content@other"), "Openai B": ("content", "content@other"), "Siglip": ("content@other", "content"),
}  # fmt: skip
"""The split that a model's family searched, and the other one; nobody knows whose the third is."""
OTHERS = {
    "Openai A": ["Siglip", "Eva"], "Openai B": ["Siglip", "Eva"], "Siglip": ["Openai A", "Openai B", "Eva"],
}  # fmt: skip


def naive(answers: Answers, model: str, images: np.ndarray) -> float:
    """The home advantage over some images, in plain counting."""
    home, away = HOME[model]

    def more(one: str) -> float:
        return float(answers[one][home][images].mean() - answers[one][away][images].mean())

    return more(model) - sum(map(more, OTHERS[model])) / len(OTHERS[model])


def test_the_matrix_and_home_advantages_by_hand(answers: Answers, results: dict[str, Result]) -> None:
    found = transfer(list(results.values()))
    assert (found.strategy, found.images, found.unasked) == ("content", len(IMAGES), ())
    assert [(one.split, one.encoder, one.family) for one in found.searchers] == [
        ("content", CLIPS[""], "openai"), ("content@other", CLIPS["other"], "siglip"), ("content@third", CLIPS["third"], None),
        ("content-panel", None, None),
    ]  # fmt: skip
    everyone = np.arange(len(IMAGES))
    for row in found.models:
        for searcher, rate in zip(found.searchers, row.rates, strict=True):
            assert rate.value == pytest.approx(answers[row.name][searcher.split].mean(), abs=1e-6)
            assert rate == results[row.name].splits[searcher.split].hallucination_rate
        if row.name not in HOME:  # EVA-CLIP searched nothing; nobody knows whose the last one's tower is
            assert row.home is None
            continue
        assert row.home is not None
        home, away = (answers[row.name][split].mean() for split in HOME[row.name])
        assert list(row.home.compared) == OTHERS[row.name]
        assert row.home.own.value == pytest.approx(home - away, abs=1e-6)
        assert row.home.advantage.value == pytest.approx(naive(answers, row.name, everyone), abs=1e-6)
        assert row.home.advantage.value == pytest.approx((row.home.own.value or 0) - (row.home.others.value or 0), abs=2e-6)


@pytest.mark.parametrize("model", HOME)
def test_the_interval_is_what_resampling_images_gives(answers: Answers, results: dict[str, Result], model: str) -> None:
    """With 80 images and no rare errors the percentile bootstrap is sound."""
    rng = np.random.default_rng(0)
    drawn = [naive(answers, model, rng.integers(len(IMAGES), size=len(IMAGES))) for _ in range(3000)]
    (row,) = (one for one in transfer(list(results.values())).models if one.name == model)
    assert row.home is not None
    ends = row.home.advantage.low, row.home.advantage.high
    assert ends == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.015)


@pytest.mark.parametrize(("images", "least", "home"), [(20, 0.2, 0.25), (20, 0, 0)])
def test_the_interval_covers_the_truth(tmp_path: Path, images: int, least: float, home: float) -> None:
    """The truth is `home` for a model at home, and more for what the others have at theirs. 93% of 200 draws at least."""
    drawn = draw(0, home, images, least)
    first = make_results(tmp_path, {name: drawn[name] for name in ("Openai A", "Siglip", "Eva")})
    truth = home + home / 2  # of the two other models, one is at home with the other encoder
    covered = 0
    for seed in range(200):
        answers = draw(seed, home, images, least)
        found = transfer([answered(result, answers[name]) for name, result in first.items()]).models[0].home
        assert found is not None
        covered += found.advantage.low <= truth <= found.advantage.high  # type: ignore[operator]
    assert covered >= 0.93 * 200


def answered(result: Result, by_split: Mapping[str, np.ndarray]) -> Result:
    """A result with other answers to the no-questions, of which transfer takes the letters alone."""

    def letters(said: np.ndarray) -> str:
        return "".join(f"y{''.join(row)}" for row in np.where(said, "y", "n"))

    splits = {name: split.model_copy(update={"verdicts": letters(by_split[name])}) for name, split in result.splits.items()}
    return result.model_copy(update={"splits": splits})


def test_cells_hold_the_rate_its_interval_and_a_mark_for_the_own_family(results: dict[str, Result]) -> None:
    found = transfer([*results.values()])
    table = found.summary().table
    for place, searcher in enumerate(found.searchers, 1):
        for model, cell in zip(found.models, table.columns[place].cells, strict=True):
            rate = model.rates[place - 1]
            assert rate.value is not None
            assert rate.low is not None
            own = "*" if model.family is not None and model.family == searcher.family else ""
            ends = f"{100 * rate.low:.1f}-{100 * (rate.high or 0):.1f}"
            assert str(cell) == f"{100 * rate.value:.1f}{own}\n{ends}"
    home = found.home_table()
    assert home is not None
    known = [(model.home.advantage.value or 0, model.name) for model in found.models if model.home is not None]
    assert [str(cell) for cell in home.columns[0].cells] == [name for _, name in sorted(known, key=lambda one: -one[0])]


def test_with_one_model_of_each_of_two_families_both_have_the_same(results: dict[str, Result]) -> None:
    """The double difference of a table of two by two: what the one has more at home, the other has less abroad."""
    one, other = transfer([results["Openai A"], results["Siglip"]]).models
    assert one.home is not None
    assert other.home is not None
    assert one.home.advantage.value == pytest.approx(other.home.advantage.value, abs=1e-6)
    assert one.home.advantage.low == pytest.approx(other.home.advantage.low, abs=1e-6)


def test_models_weigh_alike_however_often_they_were_asked(results: dict[str, Result]) -> None:
    def thrice(result: Result) -> Result:
        splits = {
            name: split.model_copy(update={"further_verdicts": (split.verdicts,) * 2}) for name, split in result.splits.items()
        }
        return result.model_copy(update={"splits": splits})

    def advantage(given: dict[str, Result]) -> float | None:
        home = transfer(list(given.values())).models[0].home
        return None if home is None else home.advantage.value

    assert advantage({**results, "Siglip": thrice(results["Siglip"])}) == advantage(results) is not None


def test_what_is_unknown_is_left_out(results: dict[str, Result], tmp_path: Path, answers: Answers) -> None:
    assert transfer([results["Openai A"]]).models[0].home is None  # relative to nobody
    assert transfer([results["Openai A"], results["Openai B"]]).models[0].home is None  # to nobody of another family
    other = results["Siglip"]
    liar = other.model_copy(update={"benchmark": other.benchmark.model_copy(update={"clip": "EVA02-L-14:merged2b"})})
    found = transfer([results["Openai A"], liar])
    assert found.searchers[0].family is None  # the results don't agree
    assert all(row.home is None for row in found.models)
    few = {model: answers[model] for model in ("Openai A", "Eva", "Siglip")}
    found = transfer(list(make_results(tmp_path, few, {"Eva": ["random", "content", "content@other"]}).values()))
    assert found.unasked == ("Eva",)
    assert [row.name for row in found.models] == ["Openai A", "Siglip"]


def test_other_benchmarks_are_refused_with_what_to_do(
    results: dict[str, Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.json"
    write_result(path, results["Eva"])
    assert "not searched by 'contents'" in refused(capsys, "transfer", path, "--strategy", "contents")
    only = {"splits": {"content": results["Eva"].splits["content"]}, "comparisons": (), "averages": (), "worst": None}
    write_result(path, results["Eva"].model_copy(update=only))
    assert "content and content@NAME" in refused(capsys, "transfer", path)
    alone = make_results(tmp_path, {"Eva": draw(2, home=0, images=9)["Eva"]}, {"Eva": ["random", "content"]})
    with pytest.raises(hb.HopeBenchError, match="None of the results answers no-questions of all of content, content@other"):
        transfer(list(alone.values()))


def test_the_command_fits_80_columns(results: dict[str, Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{name}.json" for name in results]
    for path, result in zip(paths, results.values(), strict=True):
        write_result(path, result)
        assert read_result(path) == result
    out = hope_bench(capsys, "transfer", *paths).out
    found = transfer(list(results.values()))
    tables = [line for line in out.splitlines() if not line.endswith(".")]  # a pipe gets sentences whole
    assert max(map(len, (*tables, *str(found).splitlines()))) <= 80
    home = found.models[0].home
    assert home is not None
    assert home.advantage.points() in out
    assert "than models of other families are: Openai A, Openai B, Siglip." in out
    assert "content@third: local-dir:mystery, of a family that its name doesn't tell." in out
    assert "in no home advantage: Own tower." in out
    rows = json.loads(hope_bench(capsys, "transfer", *paths, "--json").out)
    frame = hb.transfer(paths).to_frame()
    assert [(row["name"], row["split"]) for row in rows] == list(zip(frame["name"], frame["split"], strict=True))
    assert len(rows) == len(TOWERS) * 4
    assert rows[0]["home_advantage"] == home.advantage.value == frame["home_advantage"][0]


def test_the_site_shows_it_where_several_encoders_searched(results: dict[str, Result], tmp_path: Path) -> None:
    for place, result in enumerate(results.values()):
        write_result(tmp_path / "results" / "tiny" / f"m{place}.json", result)
    build_site(tmp_path / "results", tmp_path / "site", tmp_path / "benchmarks")
    (about,) = (tmp_path / "site" / "benchmarks").glob("*-about.html")
    page = about.read_text()
    assert "<h2>Who chose whom</h2>" in page
    home = transfer(list(results.values())).models[0].home
    assert home is not None
    assert home.advantage.points().split()[0] in page
    assert page.count("own family") == 3

    asked: list[tuple[str, Label]] = [("dog", "yes"), ("wolf", "no")]
    rows: list[Row] = [(image, what, label) for image in IMAGES[:6] for what, label in asked]
    benchmark = make_benchmark(tmp_path / "b", {"content": rows})
    alone = score(benchmark, make_run(tmp_path / "run", benchmark, {(image, what): "yes" for image, what, _ in rows}), FAST)
    write_result(tmp_path / "one" / "tiny" / "m.json", alone)
    build_site(tmp_path / "one", tmp_path / "other-site", tmp_path / "benchmarks")
    (about,) = (tmp_path / "other-site" / "benchmarks").glob("*-about.html")
    assert "Who chose whom" not in about.read_text()
