"""The first page in a real browser: the first screen of 40 models, its table sorted, and what a link to it shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from hope_bench.site import SitePages
from tests.chromium import opened
from tests.e2e.site_views import boxes, overlaps

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SCREENS = ((390, 844), (820, 1180), (1440, 900))
SHOWN = "table.front tbody tr:not([hidden])"


def numbers(page: Page, column: str) -> list[float]:
    """A column's numbers, as far as rows are shown and have one."""
    texts = page.locator(f"{SHOWN} {column}").all_text_contents()
    return [float(found[0]) for text in texts if (found := re.match(r"[0-9.]+", text))]


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_the_first_screen_answers(browser: Browser, forty: SitePages, width: int, height: int) -> None:
    """A verdict, one real question and at least five ranked models, with no word over another."""
    page, problems = opened(browser, forty.index, width, height)
    for part in (".verdict", ".question .words", ".question .count", ".question img"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= width, part
        assert 0 <= box["y"] < box["y"] + box["height"] <= height, part
    rows = [box for row in page.locator(SHOWN).all() if (box := row.bounding_box())]
    assert len(rows) == 20
    assert rows[4]["y"] + rows[4]["height"] <= height, "five ranked rows"
    words = boxes(page, f"{SHOWN} :is(td.rank, th, td.pope-rate, td.lead > *, td.ba, td.auroc), .question p")
    assert list(overlaps(words)) == []
    assert max(right for *_, right, _ in words) <= width
    assert any("–" in text for text in page.locator(f"{SHOWN} .rank").all_inner_texts())
    yes, models = re.findall(r"(\d+) of (\d+) models say yes", page.locator(".question .count").inner_text())[0]
    assert page.locator(".question .says i:not(.no)").count() == int(yes)
    assert int(models) == 40
    assert problems == []


def test_the_table_sorts_by_each_number_with_its_own_ranks(browser: Browser, forty: SitePages) -> None:
    page, problems = opened(browser, forty.index, 1440)
    by_accuracy = page.locator(f"{SHOWN} .rank").all_inner_texts()
    assert numbers(page, "td.ba") == sorted(numbers(page, "td.ba"), reverse=True)
    page.get_by_role("button", name="HOPE").click()
    rates = numbers(page, "td.lead > :first-child")
    assert rates == sorted(rates)
    assert page.locator("th[data-by=hallucination_rate]").get_attribute("aria-sort") == "ascending"
    assert page.locator("th[data-by=balanced_accuracy]").get_attribute("aria-sort") is None
    assert page.locator(f"{SHOWN} .rank").all_inner_texts() != by_accuracy
    page.get_by_role("button", name="AUROC").focus()
    page.keyboard.press("Enter")
    known = numbers(page, "td.auroc")
    assert known == sorted(known, reverse=True)
    assert len(known) == 20, "those without P(yes) come last"
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_label("Ranked by").select_option("balanced accuracy")
    assert page.locator(f"{SHOWN} .rank").all_inner_texts() == by_accuracy
    assert problems == []


def test_without_javascript_it_is_the_ranking(browser: Browser, forty: SitePages) -> None:
    page, _ = opened(browser, forty.index, 1440, scripted=False)
    assert page.locator(SHOWN).count() == 20
    assert page.locator("table.front select").is_hidden()
    assert "Ranked by balanced accuracy" in page.locator("table.front caption").inner_text()


def test_what_a_link_to_it_shows_and_where_its_header_leads(browser: Browser, forty: SitePages) -> None:
    page, problems = opened(browser, forty.index, 1440)
    content = "name => document.querySelector(`meta[name='${name}'], meta[property='${name}']`).content"
    assert re.search(r"makes up least, [0-9.]+%.*when POPE asks", page.evaluate(content, "description"))
    with Image.open(forty.index.parent / page.evaluate(content, "og:image")) as card:
        assert card.size == (1200, 630)
    assert page.evaluate("fetch === undefined || document.querySelector('link[rel=icon]').href").endswith("favicon.svg")
    for name in ("Questions", "Models", "Submit", "Docs", "Cite"):
        link = page.locator("header.site nav a", has_text=name)
        where = link.evaluate("one => one.href")
        link.click()
        page.wait_for_url(where)
        assert page.locator("h1").count() == 1, name
        page.locator("header.site .brand").click()
        page.wait_for_url(forty.index.as_uri())
    assert page.locator(".updated").inner_text() == "updated 2026-10-01"
    assert problems == []
