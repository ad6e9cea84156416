"""The leaderboard in a real browser, opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hope_bench.result import write_result
from hope_bench.site import SitePages, build_site
from tests.unit.test_site import make_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZES = ((390, 844), (820, 1180), (1280, 900), (2560, 1440))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"NO BROWSER: none of {', '.join(NAMES)} is installed, so the pages were not opened")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install hope-bench[dev])")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def site(tmp_path: Path) -> SitePages:
    for name, affirmed in (("a-model-with-quite-a-long-name-8b-instruct", 1), ("mine", 4), ("worst", 6)):
        write_result(tmp_path / "results" / "tiny" / f"{name}.json", make_result(tmp_path, name, affirmed))
    unranked = make_result(tmp_path, "Half", 0, unranked="only half of the questions were asked, and by another prompt")
    write_result(tmp_path / "results" / "tiny" / "half.json", unranked)
    return build_site(tmp_path / "results", tmp_path / "a sub folder" / "site")


def opened(browser: Browser, path: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page, and what went wrong on it: console errors, failed requests, requests that leave the disk."""
    problems: list[str] = []
    page = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    ).new_page()
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else problems.append(request.url))
    page.goto(path.as_uri())
    return page, problems


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_opens_from_disk_at_every_width(browser: Browser, site: SitePages, width: int, height: int) -> None:
    for path in (site.index, site.results[0]):
        page, problems = opened(browser, path, width, height)
        assert problems == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.styleSheets.length") == 1
        page.context.close()


def test_the_ranking_is_readable_on_a_phone(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, site.index, 390, 844)
    for row in page.locator(".ranking tbody tr").all():
        for cell in (row.locator("a"), row.locator(".lead .number"), row.locator("svg.strip")):
            box = cell.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert row.locator(".lead .number").evaluate("node => parseFloat(getComputedStyle(node).fontSize)") >= 16
    page.context.close()


def test_links_lead_to_the_models_and_back(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, site.index)
    page.locator(".ranking a", has_text="mine").click()
    assert page.locator("h1").inner_text() == "mine"
    assert page.locator("table").count() == 4
    page.locator(".kicker a").click()
    assert page.locator("h2").first.inner_text() == "Tiny"
    assert problems == []
    page.context.close()


def test_marks_are_drawn_and_splits_look_different(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, site.results[0])
    hope, pope = page.locator(".strip.hope .point"), page.locator(".strip.pope .point")
    assert hope.first.evaluate("node => node.tagName") != pope.first.evaluate("node => node.tagName")
    colour = "node => getComputedStyle(node).fill"
    assert hope.first.evaluate(colour) != pope.first.evaluate(colour)
    box = hope.first.bounding_box()
    assert box is not None
    assert box["width"] > 5
    page.context.close()


def test_dark_and_light(browser: Browser, site: SitePages) -> None:
    def lightness(scheme: str) -> tuple[float, float]:
        page, problems = opened(browser, site.index, scheme=scheme)
        assert problems == []
        channels = "name => getComputedStyle(document.body)[name].match(/[0-9.]+/g).slice(0, 3).map(Number)"
        paper, ink = (sum(page.evaluate(channels, name)) / (3 * 255) for name in ("backgroundColor", "color"))
        page.context.close()
        return paper, ink

    paper, ink = lightness("light")
    assert paper - ink > 0.7
    paper, ink = lightness("dark")
    assert ink - paper > 0.7
