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
    page.locator(".kicker a").first.click()
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


AXE = ("light", 1280), ("dark", 1280), ("light", 390)


def board_of(site: SitePages) -> Path:
    return next(path for path in (site.index.parent / "benchmarks").glob("*.html") if not path.stem.endswith("-about"))


def at(browser: Browser, path: Path, view: str, width: int = 1280) -> tuple[Page, list[str]]:
    """A page as a deep link opens it."""
    page, problems = opened(browser, path, width)
    page.goto(f"{path.as_uri()}#{view}")
    page.reload()
    return page, problems


def order(page: Page) -> list[str]:
    return page.locator("table.full tbody th a").all_inner_texts()


RANKED = ["a-model-with-quite-a-long-name-8b-instruct", "mine", "worst", "Half"]


@pytest.mark.parametrize(("scheme", "width"), AXE)
def test_no_page_has_a_barrier(browser: Browser, site: SitePages, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed").Axe()
    barriers: list[str] = []
    for path in sorted(site.index.parent.rglob("*.html")):
        page, problems = opened(browser, path, width, scheme=scheme)
        if path == board_of(site):
            page.goto(f"{path.as_uri()}#models=mine,worst&sort=-f1")
            page.reload()
            assert page.locator(".side-by-side").count() == 1
        assert problems == []
        found = axe.run(page)
        barriers += [
            f"{path.name}: {one['id']} {[node['html'] for node in one['nodes']][:3]}" for one in found.response["violations"]
        ]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        page.context.close()
    assert barriers == []


def test_the_ranking_sorts_and_the_address_follows(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, board_of(site))
    assert order(page) == RANKED
    page.locator("th[data-sort=name] button").click()
    assert order(page) == sorted(RANKED, key=str.lower)
    assert page.locator("th[data-sort=name]").get_attribute("aria-sort") == "ascending"
    page.locator("th[data-sort=name] button").click()
    assert order(page) == sorted(RANKED, key=str.lower, reverse=True)
    assert page.url.endswith("#sort=-name")
    page.reload()
    assert order(page) == sorted(RANKED, key=str.lower, reverse=True)
    page.locator("select[name=sort]").select_option("hr")
    assert order(page)[0] == "Half"
    assert problems == []
    page.context.close()


def test_the_ranking_filters_and_shows_another_split(browser: Browser, site: SitePages) -> None:
    page, problems = at(browser, board_of(site), "split=adversarial&q=m")
    assert order(page) == ["a-model-with-quite-a-long-name-8b-instruct", "mine"]
    assert page.locator(".count").inner_text() == "2 of 4 models"
    first = page.locator("table.full tbody tr").first
    assert first.locator("svg.strip.pope").count() == 1
    assert "100.0" in first.locator(".lead").inner_text()
    page.locator("select[name=split]").select_option("content")
    assert first.locator("svg.strip.hope").count() == 1
    page.locator("input[name=q]").fill("no such model")
    assert page.locator("table.full").is_hidden()
    page.locator(".clear").click()
    assert len(order(page)) == 4
    page.locator("input[name=open]").check()
    assert order(page) == []
    assert "open=1" in page.url
    assert problems == []
    page.context.close()


def test_two_to_four_models_side_by_side(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, board_of(site))
    assert page.locator(".side-by-side").count() == 0
    page.get_by_label("Compare mine").check()
    page.get_by_label("Compare worst").check()
    table = page.locator(".side-by-side")
    assert table.locator("tbody tr").count() == 2
    assert table.locator("tbody tr", has_text="content").locator("td.num .number").all_inner_texts() == ["66.7", "100.0"]
    page.locator("select[name=by]").select_option("ba")
    assert table.locator("tbody tr", has_text="content").locator("td.num .number").all_inner_texts() == ["66.7", "50.0"]
    again, more = opened(browser, board_of(site))
    again.goto(page.url)
    again.reload()
    assert again.locator(".side-by-side thead a").all_inner_texts() == ["mine", "worst"]
    assert problems == more == []
    page.context.close()
    again.context.close()


@pytest.mark.parametrize(
    "view", ["split=%3Cimg%3E&sort=-x&models=a,b,__proto__", "models=mine,mine", "sort=__proto__", "%", "size=9&by=z"]
)
def test_a_link_that_means_harm_shows_the_plain_page(browser: Browser, site: SitePages, view: str) -> None:
    page, problems = at(browser, board_of(site), view)
    assert order(page) == RANKED
    assert page.locator(".side-by-side").count() == 0
    assert problems == []
    page.context.close()


def test_the_ranking_by_keyboard(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, board_of(site))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.locator("th[data-sort=name] button").focus()
    page.keyboard.press("Enter")
    assert order(page) == sorted(RANKED, key=str.lower)
    assert page.evaluate("document.activeElement.closest('th').dataset.sort") == "name"
    page.get_by_label("Compare mine").focus()
    page.keyboard.press("Space")
    page.get_by_label("Compare worst").focus()
    page.keyboard.press("Space")
    assert page.locator(".side-by-side").is_visible()
    page.context.close()


def test_the_ranking_without_its_script(browser: Browser, site: SitePages) -> None:
    page = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(board_of(site).as_uri())
    assert order(page) == RANKED
    assert page.locator("form.tools").is_hidden()
    assert page.locator("td.pick").first.is_hidden()
    assert "needs JavaScript" in page.locator(".hint").inner_text()
    page.context.close()


def test_nothing_moves_while_a_page_loads(browser: Browser, site: SitePages) -> None:
    shift = """() => new Promise((done) => new PerformanceObserver((list) =>
        done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({type: "layout-shift", buffered: true})
        || setTimeout(() => done(0), 300))"""
    for path in (site.index, board_of(site), site.results[0]):
        page, _ = opened(browser, path)
        assert page.evaluate(shift) < 0.01, path.name
        page.context.close()


def test_no_inline_script_or_style_runs(browser: Browser, site: SitePages) -> None:
    """The policy holds: a script and a style that somebody put into a page do nothing."""
    path = board_of(site)
    page, problems = opened(browser, path)
    page.evaluate("""() => {
        const script = document.createElement("script"); script.textContent = "window.ran = true"; document.body.append(script);
        const style = document.createElement("style"); style.textContent = "body { color: rgb(1, 2, 3) }";
        document.head.append(style);
    }""")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    assert any("Content Security Policy" in problem for problem in problems)
    page.context.close()


def test_prints_without_controls(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, board_of(site), scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("form.tools").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.context.close()
