"""What the tests of the leaderboard in a browser look at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as TookTooLong
from playwright.sync_api import expect

from hope_bench.site import SitePages
from tests.chromium import opened
from tests.soak import SOAK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Look = tuple[int, str]
"""Width and colour scheme."""
_NAMES = "table.full tbody th a"
_REPEATED = ("tbody tr:nth-child(n+8)", ".cards > :nth-child(n+5)", ".image-row:nth-child(n+4)")
"""What axe looks at in `make soak` alone: rows and cards like those above them."""
_FITS = """width => document.documentElement.scrollWidth <= width && [...document.querySelectorAll(".drawn")].every(
  node => Math.abs(node.querySelector(".main-svg").getBoundingClientRect().width - node.clientWidth) < 1)"""
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


def ranks(page: Page, names: Sequence[str]) -> None:
    """Wait until the ranking shows these models, from above, and no others."""
    expect(page.locator(_NAMES)).to_have_text(list(names))


def leads(page: Page, name: str) -> None:
    """Wait until this model is the ranking's first."""
    expect(page.locator(_NAMES).first).to_have_text(name)


def address_has(page: Page, pattern: str) -> None:
    """Wait until the address has what a regular expression finds."""
    expect(page).to_have_url(re.compile(pattern))


def address(page: Page) -> str:
    """The address that the page has now; `page.url` is what the driver has heard of it so far."""
    return str(page.evaluate("location.href"))


def copy_link(page: Page) -> str:
    """Press "Copy link", wait until the button has said that it did (which it takes back after two seconds), and return what the
    clipboard holds."""
    button = page.get_by_role("button", name="Copy link")
    button.evaluate("""one => {
      delete one.dataset.said;
      new MutationObserver(() => { one.dataset.said ??= one.textContent; }).observe(one, { childList: true });
    }""")
    button.click()
    expect(page.locator("[data-said]")).to_have_attribute("data-said", "Copied")
    return str(page.evaluate("navigator.clipboard?.readText() ?? ''"))


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


def in_turn(looks: Sequence[Look]) -> list[Sequence[Look]]:
    """For a parameter: a page at all of these looks, one after the other; `make soak` opens it anew for each."""
    return [[look] for look in looks] if SOAK else [looks]


def fits(page: Page, looks: Sequence[Look]) -> bool:
    """Whether a page, opened at the first look, is no wider than the window at any, once its charts are redrawn to their room."""
    for width, scheme in looks:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        drawn(page)
        try:
            page.wait_for_function(_FITS, arg=width)
        except TookTooLong:
            return False
    return True


def barriers(page: Page) -> list[str]:
    """What axe finds against a page as it stands. It asks for the style sheet itself, which the policy forbids: look at what went
    wrong before."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed").Axe()
    some = None if SOAK else {"exclude": [[one] for one in _REPEATED]}
    found = axe.run(page, context=some).response["violations"]
    return [f"{page.url}: {one['id']} {[node['html'] for node in one['nodes']][:3]}" for one in found]
