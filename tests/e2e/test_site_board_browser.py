"""The ranking page in a real browser: sorting, filters, another split, links to a view, the keyboard, no script."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hope_bench.files.result_file import write_result
from hope_bench.site import SitePages, build_site
from tests.chromium import opened
from tests.e2e.site_views import address_has, at, board_of, leads, ranks
from tests.unit.test_site import make_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

RANKED = ["a-model-with-quite-a-long-name-8b-instruct", "mine", "worst", "Half"]


@pytest.mark.parametrize("added", [None, date(2026, 2, 1)])
def test_columns_stand_below_their_heads(browser: Browser, tmp_path: Path, added: date | None) -> None:
    result = make_result(tmp_path, "a-model-with-quite-a-long-name-8b-instruct", 2).model_copy(update={"added": added})
    write_result(tmp_path / "results" / "tiny" / "mine.json", result)
    board = board_of(build_site(tmp_path / "results", tmp_path / "site"))
    for scripted in (True, False):
        page, _ = opened(browser, board, scripted=scripted)
        head, row = (
            [box for cell in page.locator(f"table.full {cells}").all() if (box := cell.bounding_box())]
            for cells in ("thead th", "tbody tr > *")
        )
        assert len(head) == 11 + scripted + (added is not None), "no AUROC, so no drop of it"
        assert [(box["x"], box["width"]) for box in head] == [(box["x"], box["width"]) for box in row]
        assert len({box["y"] + box["height"] for box in head}) == 1


def test_the_ranking_sorts_and_the_address_follows(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, board_of(site))
    ranks(page, RANKED)
    page.locator("th[data-sort=name]").click()
    ranks(page, sorted(RANKED, key=str.lower))
    assert page.locator("th[data-sort=name]").get_attribute("aria-sort") == "ascending"
    page.locator("th[data-sort=name]").click()
    ranks(page, sorted(RANKED, key=str.lower, reverse=True))
    address_has(page, "#sort=-name$")
    page.reload()
    ranks(page, sorted(RANKED, key=str.lower, reverse=True))
    page.locator("select[name=sort]").select_option("hr")
    leads(page, "Half")
    page.locator("th[data-sort=hr]").click()
    leads(page, "worst")
    page.locator("th[data-sort=name]").click(modifiers=["Shift"])
    leads(page, "worst")
    address_has(page, "#sort=-hr%2Cname$")
    page.reload()
    leads(page, "worst")
    assert problems == []


def test_the_ranking_filters_and_shows_another_split(browser: Browser, site: SitePages) -> None:
    page, problems = at(browser, site, "split=adversarial&q=m")
    ranks(page, ["a-model-with-quite-a-long-name-8b-instruct", "mine"])
    assert page.locator(".count").inner_text() == "2 of 4 models"
    first = page.locator("table.full tbody tr").first
    assert first.locator("svg.strip.pope").count() == 1
    assert "0.0" in first.locator(".lead").inner_text()
    page.locator("select[name=split]").select_option("content")
    assert first.locator("svg.strip.hope").count() == 1
    page.locator("input[name=q]").fill("no such model")
    ranks(page, [])
    assert page.locator("table.full").is_hidden()
    page.locator(".clear").click()
    ranks(page, RANKED)
    page.locator("input[name=open]").check()
    ranks(page, [])
    address_has(page, "open=1")
    assert problems == []


@pytest.mark.parametrize(
    "view",
    [
        "split=%3Cimg%3E&sort=-x&models=a,b,__proto__",
        "models=mine,mine",
        "sort=__proto__",
        "%",
        "size=9&by=z",
        "where=__proto__>=1&sort=,,-",
        "where=hr<=abc",
    ],
)
def test_a_link_that_means_harm_shows_the_plain_page(browser: Browser, site: SitePages, view: str) -> None:
    page, problems = at(browser, site, view)
    ranks(page, RANKED)
    assert page.locator(".side-by-side").count() == 0
    assert problems == []


def test_the_ranking_by_keyboard(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, board_of(site))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.locator("th[data-sort=name] .dt-column-order").focus()
    page.keyboard.press("Enter")
    ranks(page, sorted(RANKED, key=str.lower))
    assert page.evaluate("document.activeElement.closest('th').dataset.sort") == "name"
    page.get_by_label("Compare mine").focus()
    page.keyboard.press("Space")
    page.get_by_label("Compare worst").focus()
    page.keyboard.press("Space")
    assert page.locator(".side-by-side").is_visible()


def test_the_ranking_without_its_script(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, board_of(site), scripted=False)
    ranks(page, RANKED)
    assert page.locator("form.tools").is_hidden()
    assert page.locator("td.pick").first.is_hidden()
    assert "needs JavaScript" in page.locator(".hint").inner_text()
    page.goto(site.index.as_uri())


def test_what_a_number_must_be(browser: Browser, site: SitePages) -> None:
    """Filtering by any column, over the link too."""
    page, problems = opened(browser, board_of(site))
    page.locator("select[name=where]").select_option("hr")
    page.locator("input[name=than]").fill("70")
    ranks(page, [RANKED[0], "mine", "Half"])
    page.locator("select[name=is]").select_option(">=")
    ranks(page, ["worst"])
    page.reload()
    ranks(page, ["worst"])
    page.locator("select[name=where]").select_option("size")
    ranks(page, RANKED)
    page.locator("input[name=than]").fill("1")
    ranks(page, [])
    assert problems == []


def test_sorts_and_filters_by_date(browser: Browser, tmp_path: Path) -> None:
    for name, day in (("old", date(2025, 8, 10)), ("new", date(2026, 2, 1)), ("undated", None)):
        result = make_result(tmp_path, name, 2).model_copy(update={"added": day})
        write_result(tmp_path / "results" / "tiny" / f"{name}.json", result)
    built = build_site(tmp_path / "results", tmp_path / "site")
    page, problems = at(browser, built, "sort=-added&where=added>=2025-01-01")
    ranks(page, ["new", "old"])
    page.locator("input[name=than]").fill("2025-09-01")
    ranks(page, ["new"])
    page.locator("input[name=than]").fill("")
    ranks(page, ["new", "old", "undated"])
    assert problems == []
