"""Models side by side on the ranking page, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hope_bench.site import SitePages
from tests.chromium import opened
from tests.e2e.site_views import board_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_two_to_four_models_side_by_side(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, board_of(site))
    assert page.locator(".side-by-side").count() == 0
    page.get_by_label("Compare mine").check()
    page.get_by_label("Compare worst").check()
    table = page.locator(".side-by-side")
    assert table.locator("tbody tr").count() == 2
    page.locator(".compare .plot.drawn").wait_for()
    assert page.locator(".compare .plot").inner_text().split().count("A") == 2
    assert table.locator("tbody tr", has_text="content").locator("td.num .number").all_inner_texts() == ["66.7", "100.0"]
    page.locator("select[name=by]").select_option("ba")
    assert table.locator("tbody tr", has_text="content").locator("td.num .number").all_inner_texts() == ["66.7", "50.0"]
    again, more = opened(browser, board_of(site), fragment=page.evaluate("location.hash"))
    assert again.locator(".side-by-side thead a").all_inner_texts() == ["mine", "worst"]
    assert problems == more == []
    page.context.close()
    again.context.close()
