"""The ranking of 40 models in a real browser: pairs, charts, the view taken away, and what stays in sight."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from hope_bench.files.result_file import read_result
from hope_bench.scoring.comparing import compare
from hope_bench.site import SitePages
from tests.chromium import opened
from tests.e2e.site_views import (
    SOAK,
    Look,
    address,
    at,
    barriers,
    board_of,
    boxes,
    copy_link,
    drawn,
    fits,
    in_turn,
    overlaps,
    questions_of,
    ranks,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
PICKED = ("m-3", "llava-v1.5-25", "mine-1000")
_WORDS = """(rows, parts) => rows.map(row => parts.map(part => {
  const words = document.createRange();
  words.selectNodeContents(row.querySelector(part));
  const box = words.getBoundingClientRect();
  return [box.left, box.right];
}))"""
"""Where the words of each row's parts begin and end."""


def points(text: str) -> float:
    return float(text.replace("−", "-"))


def test_picked_models_are_compared_in_pairs_as_the_command_does(browser: Browser, forty: SitePages) -> None:
    """Differences, intervals and p-values of the page against `compare`, up to the decimals shown."""
    page, problems = at(browser, forty, f"models={','.join(PICKED)}", 1440)
    page.locator(".paired.ready").wait_for()
    results = [read_result(forty.index.parent / "pictures" / f"{name}.json") for name in PICKED]
    letters = {result.model.name: letter for result, letter in zip(results, "ABC", strict=True)}
    for split, table in zip(("hope", "adversarial"), page.locator("table.pairs").all(), strict=True):
        rows = [row.locator("td, th").all_inner_texts() for row in table.locator("tbody tr").all()]
        for column, metric in ((1, "hallucination_rate"), (3, "balanced_accuracy")):
            ours = {f"{letters[pair.one]} − {letters[pair.other]}": pair for pair in compare(results, split, metric).pairs}
            for row in rows:
                found, pair = [points(one) for one in re.findall(r"[+−][0-9.]+", row[column])], ours[row[0]]
                expected = [pair.difference.value, pair.difference.low, pair.difference.high]
                assert found == pytest.approx([100 * (one or 0) for one in expected], abs=0.11), (split, metric, row)
                told = {"–": None, "<0.001": 0.0005}.get(row[column + 1])
                p = told if row[column + 1] in ("–", "<0.001") else float(row[column + 1])
                assert p == (None if pair.p_holm is None else pytest.approx(pair.p_holm, abs=0.00051)), (split, metric, row)
    drawn(page)
    page.locator(".compare .plot.drawn").wait_for()  # from here on nothing moves under the mouse
    page.get_by_role("link", name="fools B, not A").first.click()
    page.wait_for_url("**/questions/*view=pair*")
    page.locator("[name=view][value=pair]:checked").wait_for()
    chosen = [page.locator(f"[name={one}]").evaluate("node => node.selectedOptions[0].textContent") for one in "ab"]
    assert chosen == [results[1].model.name, results[0].model.name]
    assert problems == []


def test_going_to_a_place_on_the_page_keeps_the_view(browser: Browser, forty: SitePages) -> None:
    page, problems = at(browser, forty, "sort=-size", 1440)
    for row in (0, 3):
        page.locator("td.pick input").nth(row).focus()
        page.keyboard.press("Space")
    page.locator(".tray .go").focus()
    page.keyboard.press("Enter")
    expect(page.locator("table.pairs")).to_have_count(2)
    page.get_by_role("link", name="Size against hallucination").click()
    expect(page.locator(".tray .names button")).to_have_count(2)
    expect(page).to_have_url(re.compile("sort=-size"))
    expect(page).to_have_url(re.compile("models="))
    page.goto(questions_of(forty).as_uri() + "#q=hope.1")
    page.locator(".answers td").first.wait_for()
    page.get_by_role("link", name="To the content").press("Enter")
    page.wait_for_timeout(100)
    expect(page).to_have_url(re.compile("#q=hope\\.1$"))
    assert page.locator(".answers td").first.is_visible()
    assert problems == []


def test_the_tray_by_keyboard(browser: Browser, forty: SitePages) -> None:
    page, problems = opened(browser, board_of(forty), 390, 844)
    tray = page.get_by_role("region", name="Picked models")
    assert tray.is_hidden()
    for name in ("m-3", "m-7"):
        page.get_by_label(re.compile(f"Compare {name},")).focus()
        page.keyboard.press("Space")
    expect(tray.get_by_role("status")).to_have_text("2 picked")
    box = tray.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 845, "in sight however far the page is scrolled"
    tray.get_by_role("button", name="Leave out m-3").focus()
    page.keyboard.press("Enter")
    expect(tray.get_by_role("status")).to_have_text("1 picked")
    assert page.locator(".paired").count() == 0
    tray.get_by_role("button", name="Clear").click()
    assert tray.is_hidden()
    assert problems == []


@pytest.mark.parametrize("looks", in_turn([(1440, "dark"), (820, "light"), (390, "light")]))
def test_no_label_lies_over_another_and_nothing_is_a_barrier(browser: Browser, forty: SitePages, looks: Sequence[Look]) -> None:
    ids = ",".join(PICKED)
    views = {board_of(forty): f"#models={ids}", forty.index: "", forty.results[0]: "", questions_of(forty): "#q=content.5"}
    fullest = (board_of(forty), forty.index)  # the committed model's page and the wall's have more that could be a barrier
    for path, view in views.items():
        page, problems = opened(browser, path, looks[0][0], scheme=looks[0][1], fragment=view)
        for look in looks:
            assert fits(page, [look]), (path.name, look)
            for chart in page.locator("[data-chart]").all():
                kind = chart.get_attribute("data-chart")
                assert list(overlaps(boxes(page, f"[data-chart={kind}] .annotation-text"))) == []
            assert list(overlaps(boxes(page, ".measure .axis text"))) == []
        assert problems == []
        if SOAK or path in fullest:
            assert barriers(page) == []


def test_charts_name_who_leads(browser: Browser, forty: SitePages) -> None:
    page, problems = opened(browser, board_of(forty), 1440)
    drawn(page)
    names = set(page.locator("[data-chart=size] .annotation-text").all_text_contents())
    leading = page.locator("#size tbody th").all_text_contents()
    assert names
    assert names <= set(leading)
    assert page.locator("[data-chart=steps]").count() == 1
    assert page.locator("#trend figure", has_text="runs/mine").locator("tbody tr").count() == 5
    assert problems == []


def test_the_view_is_taken_away_as_csv_and_as_a_link(browser: Browser, forty: SitePages, tmp_path: Path) -> None:
    page, problems = at(browser, forty, "sort=-hr&q=llava&split=content", 1440)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "view.csv")
    assert download.value.suggested_filename.endswith("-content.csv")
    rows = list(csv.DictReader((tmp_path / "view.csv").read_text().splitlines()))
    ranks(page, [row["model"] for row in rows])
    rates = [float(row["hallucination_rate"]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    known = read_result(forty.index.parent / "pictures" / f"{rows[0]['run']}.json").splits["content"]
    assert rates[0] == pytest.approx(known.hallucination_rate.value, abs=1e-7)
    assert float(rows[0]["balanced_accuracy_low"]) == pytest.approx(known.balanced_accuracy.low, abs=1e-7)
    shown = page.locator("table.full tbody tr").first.locator(".lead .number").inner_text()
    assert f"{100 * rates[0]:.1f}" == shown
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assert copy_link(page) == address(page)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over plain http
    page.get_by_label("Find").fill("m")
    copy_link(page)
    link = address(page)
    page.get_by_label("Find").fill("")
    page.get_by_label("Find").press("Control+v")
    expect(page.get_by_label("Find")).to_have_value(link[:80])
    assert problems == []


def test_heads_and_names_stay_in_sight(browser: Browser, forty: SitePages) -> None:
    page, _ = opened(browser, board_of(forty), 1440)
    page.locator("table.full tbody tr").nth(30).scroll_into_view_if_needed()
    head = page.locator("table.full thead").bounding_box()
    assert head is not None
    assert -1 <= head["y"] <= 1
    page.set_viewport_size({"width": 820, "height": 900})
    region = page.get_by_role("region", name="Ranking, scrolls")
    assert region.evaluate("node => node.scrollWidth > node.clientWidth && node.scrollHeight > node.clientHeight")
    region.evaluate("node => node.scrollTo(node.scrollWidth, node.scrollHeight)")
    whole, name = region.bounding_box(), page.locator("table.full tbody th").last.bounding_box()
    first = page.locator("table.full thead th").nth(6).bounding_box()
    assert whole is not None
    assert name is not None
    assert first is not None
    assert name["x"] == pytest.approx(whole["x"], abs=1)
    assert first["y"] == pytest.approx(whole["y"], abs=1)
    assert "gradient" in region.evaluate("node => getComputedStyle(node).backgroundImage"), "an edge tells that there is more"


def test_a_rank_range_is_beside_the_name_on_a_phone(browser: Browser, forty: SitePages) -> None:
    page, _ = opened(browser, board_of(forty), 390)
    rows = page.locator(".ranking tbody tr").evaluate_all(_WORDS, [".rank", "th a", ".lead .number"])
    assert any("–" in text for text in page.locator(".ranking tbody .rank").all_inner_texts())
    assert [row for row in rows if row[0][1] > row[1][0] or row[1][1] > row[2][0] + 1] == []


def test_strips_are_scaled_to_the_models_in_view(browser: Browser, forty: SitePages) -> None:
    page, _ = at(browser, forty, "where=hr<=2", 1440)
    labels = page.locator(".measure .axis text").all_text_contents()
    assert float(labels[-1].strip("%")) <= 10
    page.locator(".tools input[name=than]").fill("")
    wider = page.locator(".measure .axis text").all_text_contents()
    assert float(wider[-1].strip("%")) > float(labels[-1].strip("%"))
    assert page.locator('table.full .point[d^="M-7-6"]').count() > 0, "what lies beyond the axis is an arrow"


def test_another_splits_places_are_not_called_ranks(browser: Browser, forty: SitePages) -> None:
    page, _ = at(browser, forty, "split=content")
    head = page.locator("th[data-sort=rank]")
    expect(head).to_have_text("Place")
    expect(page.locator("table.full caption")).to_contain_text("A place counts the models with a higher balanced accuracy")
    page.locator("select[name=split]").select_option("hope")
    expect(head).to_have_text("Rank")
    expect(page.locator("table.full caption")).not_to_contain_text("A place counts", use_inner_text=True)
    page.locator("input[name=open]").check()
    expect(page.locator(".count")).to_have_text("17 of 40 models")


def test_a_number_reads_the_same_after_another_split(browser: Browser, forty: SitePages) -> None:
    page, _ = opened(browser, board_of(forty), 1440)
    before = page.locator("table.full tbody td.num").all_text_contents()
    page.locator("select[name=split]").select_option("content")
    assert page.locator("table.full tbody td.num").all_text_contents() != before
    page.locator("select[name=split]").select_option("hope")
    assert page.locator("table.full tbody td.num").all_text_contents() == before


def test_models_compared_have_colours_of_their_own(browser: Browser, forty: SitePages) -> None:
    page, problems = at(browser, forty, f"models={','.join(path.stem for path in forty.results[:4])}")
    page.locator(".compare .plot.drawn").wait_for()
    strokes = page.locator(".compare .plot .points path").evaluate_all("all => all.map(one => one.style.stroke)")
    shown = {stroke for stroke in strokes if stroke}
    inks = page.evaluate(
        "['pope', 'hope', 'control'].map(name => { const n = document.body.appendChild(document.createElement('i'));"
        " n.className = `ink-${name}`; const found = getComputedStyle(n).color; n.remove(); return found; })"
    )
    assert len(shown) == 4
    assert not shown & set(inks)
    assert problems == []
