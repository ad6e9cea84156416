"""What the tests of the leaderboard in a browser look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.site import SitePages
from tests.chromium import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Box = tuple[str, float, float, float, float]
"""Text, left, top, right and bottom."""


def drawn(page: Page) -> None:
    """Wait until every chart of the page is drawn."""
    page.locator("[data-chart]:not(.drawn)").first.wait_for(state="detached")


def board_of(site: SitePages) -> Path:
    """The ranking page of a site of one benchmark."""
    return next(path for path in (site.index.parent / "benchmarks").glob("*.html") if not path.stem.endswith("-about"))


def questions_of(site: SitePages) -> Path:
    """The questions' page of a site of one benchmark."""
    return next(path for path in (site.index.parent / "questions").glob("*.html") if "-images-" not in path.stem)


def at(browser: Browser, site: SitePages, view: str, width: int = 1280) -> tuple[Page, list[str]]:
    """The ranking page as a deep link opens it."""
    return opened(browser, board_of(site), width, fragment=f"#{view}")


def order(page: Page) -> list[str]:
    """The models that the ranking shows, from above."""
    page.wait_for_timeout(50)  # a sort begins a moment after the click
    return page.locator("table.full tbody th a").all_inner_texts()


def boxes(page: Page, selector: str) -> list[Box]:
    """Where the words of what a selector finds stand, as far as they are seen."""
    found = page.locator(selector).evaluate_all("""all => all.map(one => {
      const words = document.createRange();
      words.selectNodeContents(one);
      return [one.textContent, words.getBoundingClientRect()];
    }).filter(([, at]) => at.width > 0 && at.height > 0).map(([words, at]) => [words, at.left, at.top, at.right, at.bottom])""")
    return [tuple(one) for one in found]


def overlaps(found: list[Box]) -> Iterator[tuple[str, str]]:
    """The texts that lie over each other by more than a pixel."""
    for place, (one, left, top, right, bottom) in enumerate(found):
        for other, left2, top2, right2, bottom2 in found[place + 1 :]:
            if min(right, right2) - max(left, left2) > 1 and min(bottom, bottom2) - max(top, top2) > 4:
                yield one, other
