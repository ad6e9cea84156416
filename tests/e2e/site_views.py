"""What the tests of the leaderboard in a browser look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.site import SitePages
from tests.chromium import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def drawn(page: Page) -> None:
    """Wait until every chart of the page is drawn."""
    page.locator("[data-chart]:not(.drawn)").first.wait_for(state="detached")


def board_of(site: SitePages) -> Path:
    """The ranking page of a site of one benchmark."""
    return next(path for path in (site.index.parent / "benchmarks").glob("*.html") if not path.stem.endswith("-about"))


def at(browser: Browser, site: SitePages, view: str) -> tuple[Page, list[str]]:
    """The ranking page as a deep link opens it."""
    return opened(browser, board_of(site), fragment=f"#{view}")


def order(page: Page) -> list[str]:
    """The models that the ranking shows, from above."""
    page.wait_for_timeout(50)  # a sort begins a moment after the click
    return page.locator("table.full tbody th a").all_inner_texts()
