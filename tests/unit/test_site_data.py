"""What programs read from the leaderboard: JSON, CSV, parquet, schema, feed, badges; and ranks as ranges."""

from __future__ import annotations

import csv
import itertools
import json
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import norm, t

from hope_bench.files.result import Bootstrap, Result
from hope_bench.files.result_file import read_result, write_result
from hope_bench.files.split_score import SplitScore
from hope_bench.scoring.intervals import resampling_weights
from hope_bench.site import build_site
from hope_bench.site.about import strategy
from hope_bench.site.board import size
from hope_bench.site.ranges import headline_ranges
from tests.unit.test_site import make_result

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, affirmed in (("Good & cheap", 0), ("=cmd|' /C calc'!A0", 5), ("Half", 2)):
        result = make_result(tmp_path, name, affirmed, unranked="only half" if name == "Half" else None)
        write_result(tmp_path / "results" / "tiny" / f"m{affirmed}.json", result)
    build_site(tmp_path / "results", tmp_path / "site")
    return tmp_path / "site"


def test_json_csv_and_parquet_say_the_same(site: Path) -> None:
    data = json.loads((site / "data" / "leaderboard.json").read_text())
    (benchmark,) = data["benchmarks"]
    rows = list(csv.DictReader((site / "data" / "leaderboard.csv").read_text().splitlines()))
    table = pq.read_table(site / "data" / "leaderboard.parquet").to_pylist()
    assert len(rows) == len(table) == 3 * 2
    for result in benchmark["results"]:
        for split, metrics in result["splits"].items():
            name = result["model"]["name"]
            (flat,) = [row for row in table if (row["model"], row["split"]) == (name, split)]
            (text,) = [row for row in rows if (row["model"].lstrip("'"), row["split"]) == (name, split)]
            for metric, value in metrics.items():
                assert flat[metric] == value
                assert text[metric] == ("" if value is None else str(value))
            assert (flat["not_ranked"], flat["rank_best"] is None) == (result["not_ranked"], name == "Half")
        for link in ("page", "result", "badge"):
            assert (site / result[link]).is_file()
    assert (site / benchmark["ranking"]).is_file()
    assert {row["model"][0] for row in rows} == {"G", "'", "H"}


def test_the_schema_is_that_of_results(site: Path) -> None:
    schema = json.loads((site / "data" / "result.schema.json").read_text())
    assert set(schema["properties"]) == set(Result.model_fields)
    assert schema["additionalProperties"] is False


def test_the_feed_tells_of_each_result_once_and_again_when_it_changes(site: Path, tmp_path: Path) -> None:
    def feed() -> dict[str, str]:
        """When each entry was updated, by its id."""
        root = ET.fromstring((site / "data" / "feed.xml").read_text())
        found = {}
        for entry in root.iter(f"{ATOM}entry"):
            link = entry.find(f"{ATOM}link")
            assert link is not None
            assert (site / "data" / link.attrib["href"]).resolve().is_file()
            found[entry.findtext(f"{ATOM}id", "")] = entry.findtext(f"{ATOM}updated", "")
        assert root.findtext(f"{ATOM}updated") == max(found.values(), default="1970-01-01T00:00:00Z")
        return found

    assert feed() == {}
    for name, day in (("m0", date(2025, 8, 10)), ("m5", date(2026, 2, 1))):
        path = tmp_path / "results" / "tiny" / f"{name}.json"
        write_result(path, read_result(path).model_copy(update={"added": day}))
    build_site(tmp_path / "results", site)
    before = feed()
    assert list(before.values()) == ["2026-02-01T00:00:00Z", "2025-08-10T00:00:00Z"]
    changed = make_result(tmp_path, "Good & cheap", 1).model_copy(update={"added": date(2026, 3, 1)})
    write_result(tmp_path / "results" / "tiny" / "m0.json", changed)
    build_site(tmp_path / "results", site)
    assert len(set(feed()) - set(before)) == 1
    assert next(iter(feed().values())) == "2026-03-01T00:00:00Z"
    table = pq.read_table(site / "data" / "leaderboard.parquet").to_pylist()
    assert {row["added"] for row in table} == {"2026-02-01", "2026-03-01", None}


def test_badges_are_svg_and_go_with_their_results(site: Path, tmp_path: Path) -> None:
    badges = sorted((site / "badges" / "tiny").glob("*.svg"))
    assert [badge.stem for badge in badges] == ["m0", "m2", "m5"]
    words = ["".join(ET.fromstring(badge.read_text()).itertext()) for badge in badges]
    assert "Good & cheap: hallucinates on tiny 0.0% · rank 1" in words[0]
    assert "rank" not in words[1]
    (tmp_path / "results" / "tiny" / "m5.json").unlink()
    build_site(tmp_path / "results", site)
    assert not badges[2].exists()


def _split(right: str) -> SplitScore:
    """A split of kind "hope" whose answers are right where `right` says 1; one yes- and one no-question an image."""
    unknown = {key: {"value": None} for key in ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity",
                                                "hallucination_rate", "yes_ratio")}  # fmt: skip
    labels = "yn" * (len(right) // 2)
    verdicts = "".join(label if one == "1" else "ny"[label == "n"] for label, one in zip(labels, right, strict=True))
    fixed = {"kind": "hope", "on_yes": {}, "on_no": {}, "labels": labels, "verdicts": verdicts}
    return SplitScore.model_validate({**fixed, **unknown, "questions_per_image": [2] * (len(right) // 2)})


def test_rank_ranges_against_a_naive_oracle() -> None:
    """Max-t over all pairs (Mogstad, Romano, Shaikh and Wilhelm 2024), one replicate and one pair at a time."""
    rng = np.random.default_rng(3)
    splits = [_split("".join("01"[int(one)] for one in rng.random(120) < skill)) for skill in (0.95, 0.9, 0.85, 0.6, 0.6, 0.3)]
    resamples = Bootstrap(replicates=200, seed=1, confidence=0.9)
    right = [
        np.array([a == b for a, b in zip(split.labels, split.verdicts, strict=True)], dtype=float).reshape(60, 2).mean(axis=1)
        for split in splits
    ]
    pairs = list(itertools.permutations(range(6), 2))
    gap = {(a, b): right[a] - right[b] for a, b in pairs}
    error = {pair: gap[pair].std(ddof=1) / np.sqrt(60) for pair in pairs}
    largest = [
        max(abs(weights @ gap[pair] / 60 - gap[pair].mean()) / error[pair] for pair in pairs)
        for weights in resampling_weights(60, 200, np.random.default_rng(1))
    ]
    critical = t.ppf(norm.cdf(np.quantile(largest, 0.9) * np.sqrt(60 / 59)), 59)
    surely = {pair: gap[pair].mean() / error[pair] > critical for pair in pairs}
    above = [sum(surely[other, one] for other in range(6) if other != one) for one in range(6)]
    below = [sum(surely[one, other] for other in range(6) if other != one) for one in range(6)]
    ranges = headline_ranges(splits, resamples)
    found = ranges["balanced_accuracy"]
    assert found == [(1 + more, 6 - less) for more, less in zip(above, below, strict=True)]
    assert found[0][0] == 1
    assert found[-1][1] == 6
    assert any(best < worst for best, worst in found)
    least = min(range(6), key=lambda one: splits[one].hallucination_rate.value or 0)
    assert ranges["hallucination_rate"][least][0] == 1
    assert ranges["auroc"] == [None] * 6


def test_equal_models_share_all_ranks() -> None:
    assert headline_ranges([_split("10" * 20)] * 3)["balanced_accuracy"] == [(1, 3)] * 3
    assert headline_ranges([_split("1" * 20)])["hallucination_rate"] == [(1, 1)]


@pytest.mark.parametrize(
    ("words", "billions"), [("7B", 7), ("1.1M", 0.0011), ("about 13 B, dense", 13), ("1.5T", 1500), ("large", None), (None, None)]
)
def test_sizes(tmp_path: Path, words: str | None, billions: float | None) -> None:
    result = make_result(tmp_path, "M", 0)
    assert size(result.model_copy(update={"model": result.model.model_copy(update={"parameters": words})})) == billions


def test_strategies_in_words() -> None:
    assert strategy("random-guarded").endswith("under the same guards as HOPE's splits")
    assert strategy("content@B16").endswith("with the encoder B16")
    assert strategy("hope-twins").startswith("the false descriptions of hope")
    assert strategy("my own") == ""


def test_published_figures_stand_apart(site: Path) -> None:
    page = (site / "elsewhere.html").read_text()
    for words in (
        "Not measured here",
        "InternVL3-8B",
        "90.5",
        "89.88",
        "87.08",
        "LLaVA-1.5-13B",
        "87.1",
        "86.2",
        "84.5",
        "2508.06530",
    ):
        assert words in page
    assert "InternVL" not in (site / "index.html").read_text()
