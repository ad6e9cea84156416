"""The leaderboard's pages in a real browser, opened from disk: widths, schemes, links, marks, charts, print, the policy."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from hope_bench.files.result_file import write_result
from hope_bench.site import SitePages, build_site
from hope_bench.site.pages import POLICY
from tests.chromium import opened
from tests.e2e.site_views import SOAK, Look, barriers, board_of, drawn, fits, in_turn
from tests.faulty_server import LocalServer, serving
from tests.unit.test_site import make_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("looks", in_turn([(width, "light") for width in (390, 820, 1280, 2560)]))
def test_opens_from_disk_at_every_width(browser: Browser, site: SitePages, looks: Sequence[Look]) -> None:
    for path in (site.index, site.results[0]):
        page, problems = opened(browser, path, looks[0][0])
        assert fits(page, looks), path.name
        assert problems == []
        assert page.evaluate("document.styleSheets.length") >= 1


def test_links_lead_to_the_models_and_back(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, site.index)
    page.locator("table.front a", has_text="mine").click()
    expect(page.locator("h1")).to_have_text("mine")
    contents = page.get_by_role("navigation", name="On this page")
    for link in contents.get_by_role("link").all():
        assert page.locator(link.get_attribute("href") or "").count() == 1
    assert page.get_by_role("region", name="All metrics").is_hidden()
    page.locator("summary", has_text="All metrics").click()
    assert page.get_by_role("region", name="All metrics").is_visible()
    page.locator(".kicker a").first.click()
    expect(page.locator("table.front")).to_contain_text("mine")
    assert problems == []


def test_marks_are_drawn_and_splits_look_different(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, site.results[0])
    hope, pope = page.locator(".strip.hope > svg:last-child .point"), page.locator(".strip.pope .point")
    assert hope.first.evaluate("node => node.tagName") != pope.first.evaluate("node => node.tagName")
    colour = "node => getComputedStyle(node).fill"
    assert hope.first.evaluate(colour) != pope.first.evaluate(colour)
    box = hope.first.bounding_box()
    assert box is not None
    assert box["width"] > 5


def test_dark_and_light(browser: Browser, site: SitePages) -> None:
    def lightness(scheme: str) -> tuple[float, float]:
        page, problems = opened(browser, site.index, scheme=scheme)
        assert problems == []
        channels = "name => getComputedStyle(document.body)[name].match(/[0-9.]+/g).slice(0, 3).map(Number)"
        paper, ink = (sum(page.evaluate(channels, name)) / (3 * 255) for name in ("backgroundColor", "color"))
        return paper, ink

    paper, ink = lightness("light")
    assert paper - ink > 0.7
    paper, ink = lightness("dark")
    assert ink - paper > 0.7


@pytest.mark.parametrize("looks", in_turn([(1280, "dark"), (390, "light")]))
def test_no_page_has_a_barrier(browser: Browser, site: SitePages, looks: Sequence[Look]) -> None:
    """Of a kind that another test shows to have none, on fuller pages, only `make soak` asks."""
    elsewhere = {site.index, *site.results, *site.index.parent.glob("benchmarks/*-about.html")}
    found: list[str] = []
    left_out = set() if SOAK else set(site.results[1:-1])
    for path in sorted(set(site.index.parent.rglob("*.html")) - left_out):
        board = path == board_of(site)
        view = "#models=mine,worst&sort=-f1" if board else ""
        page, problems = opened(browser, path, looks[0][0], scheme=looks[0][1], fragment=view)
        if board:
            assert page.locator(".side-by-side").count() == 1
            page.locator(".compare .plot.drawn").wait_for()
        assert fits(page, looks), path.name
        assert problems == []
        found += barriers(page) if SOAK or path not in elsewhere else []
    assert found == []


def test_nothing_moves_while_a_page_loads(browser: Browser, site: SitePages) -> None:
    """On a computer so slow that it paints a page before all of it is read and its scripts have run."""
    shift = """() => new Promise((done) => new PerformanceObserver((list) =>
        done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({type: "layout-shift", buffered: true})
        || setTimeout(() => done(0), 300))"""
    few = [(site.index, 390), (board_of(site), 390), (site.results[0], 1280)]
    more = [(site.index, 1280), (board_of(site), 1280), (site.results[0], 390)] if SOAK else []
    for path, width in few + more:
        page, _ = opened(browser, path, width)
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 6})
        page.reload()
        drawn(page)
        moved = page.evaluate(shift)
        session.detach()  # or all else in this page would be as slow
        assert moved < 0.01, (path.name, width)


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


def test_prints_without_controls(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, board_of(site), scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("form.tools").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.goto(site.results[0].as_uri())
    page.emulate_media(media="print")
    assert page.get_by_role("region", name="All metrics").is_visible()
    assert page.get_by_role("navigation", name="Site").is_hidden()


def test_markup_in_a_name_is_text_in_a_chart(browser: Browser, tmp_path: Path) -> None:
    """plotly reads tags in its texts; a model's name has none."""
    for number, name in enumerate(("<b>bold</b> <a href='x'>x</a>", "a &lt;i&gt; b")):
        result = make_result(tmp_path, name, 2 - number)
        model = result.model.model_copy(update={"parameters": f"{number + 1}B, of which a half or so is active at a time"})
        benchmark = result.benchmark.model_copy(update={"title": "T" * 200, "dataset": "D" * 400})
        changed = result.model_copy(update={"model": model, "benchmark": benchmark})
        write_result(tmp_path / "results" / "tiny" / f"m{number}.json", changed)
    built = build_site(tmp_path / "results", tmp_path / "site")
    page, problems = opened(browser, board_of(built))
    drawn(page)
    words = page.locator("[data-chart=size]").inner_text()
    assert "<b>bold</b> <a href=" in words
    assert "a &lt;i&gt; b" in words
    assert page.locator(".plot a").count() == 0
    assert page.locator("td.size").first.evaluate("node => node.scrollWidth <= node.clientWidth"), "its words stay in it"
    for path in (*built.index.parent.glob("*.html"), *built.index.parent.glob("*/*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, path.name
    assert problems == []


def test_under_a_path_of_a_server_with_the_policy_as_a_header(browser: Browser, site: SitePages) -> None:
    class Strict(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_message(self, *arguments: object) -> None:
            """Requests are not worth a line."""

    root = site.index.parent.parent
    with serving(LocalServer(functools.partial(Strict, directory=str(root)))) as server:
        page = browser.contexts[0].new_page()
        problems: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("request", lambda request: requests.append(request.url))
        base = f"http://127.0.0.1:{server.server_port}/site/"
        for path in site.index.parent.rglob("*.html"):
            page.goto(base + path.relative_to(site.index.parent).as_posix())
            drawn(page)
        assert problems == []
        assert all(url.startswith((base, "data:")) for url in requests)
        assert f"{base}assets/datatables.js" in requests
        page.close()
