"""Where things stand on the leaderboard, in a real browser: 40 models with rates from 0.3 to 95%, on screens of three widths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from hope_bench.files.result import Comparison, ModelInfo, Result
from hope_bench.files.result_file import write_result
from hope_bench.files.spec import Kind
from hope_bench.files.split_score import Estimate, SplitScore
from hope_bench.scoring.metrics import count_table, point_metrics, verdict_counts
from hope_bench.site import SitePages, build_site
from tests.bench.bench_site import _result as plain_result
from tests.chromium import opened
from tests.e2e.site_views import at, board_of, drawn

pytestmark = pytest.mark.browser
NAMES = ("Qwen2.5-VL-72B-Instruct", "LLaVA-v1.5", "A-very-long-name-that-somebody-gave-their-model-preview", "m")
MODELS, IMAGES = 40, 60
_WORDS = """(rows, parts) => rows.map(row => parts.map(part => {
  const words = document.createRange();
  words.selectNodeContents(row.querySelector(part));
  const box = words.getBoundingClientRect();
  return [box.left, box.right];
}))"""
"""Where the words of each row's parts begin and end."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SitePages:
    folder, rng = tmp_path_factory.mktemp("layout"), np.random.default_rng(0)
    for number, rate in enumerate(np.geomspace(0.003, 0.95, MODELS)):
        result = _result(number, float(rate), rng)
        write_result(folder / "results" / "bench-0" / f"{result.called}.json", result)
    return build_site(folder / "results", folder / "site")


def _result(number: int, rate: float, rng: np.random.Generator) -> Result:
    """A model that affirms absent objects at this rate, and at a third of it, or more often, when POPE asks."""
    plain = plain_result(0, number, 0.8, IMAGES, rng)
    splits = {
        name: _split(split.kind, min(rate * (1 if split.kind == "hope" else 1.3 if number % 7 == 3 else 0.3), 0.97), rng)
        for name, split in plain.splits.items()
    }
    pairs = tuple(
        Comparison(
            split=pair.split, baseline=pair.baseline, precision_drop=Estimate(value=_less(splits, pair, "precision", -1)),
            hallucination_rise=Estimate(value=_less(splits, pair, "hallucination_rate", 1)),
        )
        for pair in plain.comparisons
    )  # fmt: skip
    name = f"{NAMES[number % len(NAMES)]}-{number}"
    model = ModelInfo(name=name, checkpoint="openai/gpt-4o" if number % 2 else "liuhaotian/llava-v1.5-13b", parameters="7B")
    return plain.model_copy(update={"splits": splits, "comparisons": pairs, "model": model, "added": date(2026, 3, 1)})


def _split(kind: Kind, rate: float, rng: np.random.Generator) -> SplitScore:
    labels, per_image = "yn" * (IMAGES * 3), (6,) * IMAGES
    said = rng.random(len(labels)) < np.where([label == "y" for label in labels], 0.9, rate)
    verdicts = "".join("y" if one else "n" for one in said)
    counts = count_table(labels, verdicts, per_image).sum(axis=0)
    numbers = {
        name: Estimate(value=value)
        if value is None
        else Estimate(value=value, low=max(value - 0.01, 0), high=min(value + 0.01, 1))
        for name, value in point_metrics(counts).items()
        if name != "mcc"
    }
    return SplitScore(
        kind=kind, on_yes=verdict_counts(counts[0]), on_no=verdict_counts(counts[1]), questions_per_image=per_image,
        labels=labels, verdicts=verdicts, **numbers,
    )  # fmt: skip


def _less(splits: dict[str, SplitScore], pair: Comparison, metric: str, sign: int) -> float | None:
    one, other = getattr(splits[pair.split], metric).value, getattr(splits[pair.baseline], metric).value
    return None if one is None or other is None else round(sign * (one - other), 6)


def boxes(page: Page, selector: str) -> list[tuple[str, float, float, float, float]]:
    """Text, left, top, right and bottom of what a selector finds."""
    found = page.locator(selector).evaluate_all(
        "all => all.map(one => [one.textContent, one.getBoundingClientRect()])"
        ".map(([words, at]) => [words, at.left, at.top, at.right, at.bottom])"
    )
    return [tuple(one) for one in found]


def overlaps(found: list[tuple[str, float, float, float, float]]) -> Iterator[tuple[str, str]]:
    """The texts that lie over each other by more than a pixel."""
    for place, (one, left, top, right, bottom) in enumerate(found):
        for other, left2, top2, right2, bottom2 in found[place + 1 :]:
            if min(right, right2) - max(left, left2) > 1 and min(bottom, bottom2) - max(top, top2) > 4:
                yield one, other


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_no_label_of_the_first_chart_lies_over_another(browser: Browser, site: SitePages, width: int) -> None:
    page, problems = opened(browser, site.index, width)
    drawn(page)
    labels = boxes(page, ".plot .annotation-text, .plot .textpoint text")
    assert list(overlaps(labels)) == []
    numbers = [text.strip(" →") for text, *_ in labels if text.strip(" →")[:1].isdigit()]
    assert len(numbers) == 2 * 20, "POPE's number and HOPE's of each model, on a phone too"
    assert max(right for _, _, _, right, _ in labels) <= width
    assert problems == []


def test_a_rank_range_is_beside_the_name_on_a_phone(browser: Browser, site: SitePages) -> None:
    for path in (site.index, board_of(site)):
        page, _ = opened(browser, path, 390)
        rows = page.locator(".ranking tbody tr").evaluate_all(_WORDS, [".rank", "th a", ".lead .number"])
        assert any("–" in text for text in page.locator(".ranking tbody .rank").all_inner_texts())
        assert [row for row in rows if row[0][1] > row[1][0] or row[1][1] > row[2][0] + 1] == []


def test_a_name_stays_in_sight_where_the_ranking_scrolls(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, board_of(site), 820)
    region = page.get_by_role("region", name="Ranking, scrolls")
    assert region.evaluate("node => node.scrollWidth > node.clientWidth")
    region.evaluate("node => node.scrollTo(node.scrollWidth, 0)")
    whole, name = region.bounding_box(), page.locator("table.full tbody th").first.bounding_box()
    assert whole is not None
    assert name is not None
    assert name["x"] == pytest.approx(whole["x"], abs=1)
    assert "gradient" in region.evaluate("node => getComputedStyle(node).backgroundImage"), "an edge tells that there is more"


def test_all_metrics_fit_a_desk_and_no_figure_stands_alone(browser: Browser, site: SitePages) -> None:
    committed = Path(__file__).resolve().parents[2] / "leaderboard" / "results"
    pages = build_site(committed, site.index.parent.parent / "committed")
    page, _ = opened(browser, next(path for path in pages.results if "demo" in path.name), 1440)
    assert page.get_by_role("region", name="All metrics").evaluate("node => node.scrollWidth <= node.clientWidth")
    for width in (390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        rows = Counter(round(top) for _, _, top, _, _ in boxes(page, ".figures > div"))
        assert rows.total() == 6
        assert len(set(rows.values())) == 1, f"rows at {width} px are as long as each other: {rows}"


def test_models_compared_have_colours_of_their_own(browser: Browser, site: SitePages) -> None:
    ids = ",".join(path.stem for path in site.results[:4])
    page, problems = at(browser, site, f"models={ids}")
    drawn(page)
    strokes = page.locator(".compare .plot .points path").evaluate_all("all => all.map(one => one.style.stroke)")
    shown = {stroke for stroke in strokes if stroke}
    inks = page.evaluate(
        "['pope', 'hope', 'control'].map(name => { const n = document.body.appendChild(document.createElement('i'));"
        " n.className = `ink-${name}`; const found = getComputedStyle(n).color; n.remove(); return found; })"
    )
    assert len(shown) == 4
    assert not shown & set(inks)
    assert problems == []


def test_another_splits_places_are_not_called_ranks(browser: Browser, site: SitePages) -> None:
    page, _ = at(browser, site, "split=content")
    head = page.locator("th[data-sort=rank]")
    expect(head).to_have_text("Place")
    expect(page.locator("table.full caption")).to_contain_text("A place counts the models with a higher balanced accuracy")
    page.locator("select[name=split]").select_option("hope")
    expect(head).to_have_text("Rank")
    expect(page.locator("table.full caption")).not_to_contain_text("A place counts", use_inner_text=True)


def test_only_weights_that_something_shows_are_open(browser: Browser, site: SitePages) -> None:
    page, _ = at(browser, site, "open=1")
    expect(page.locator(".count")).to_have_text("20 of 40 models")
