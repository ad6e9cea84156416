"""The leaderboard in a real browser, opened from disk."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterator
from datetime import date
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from hope_bench.result import write_result
from hope_bench.site import SitePages, build_site
from hope_bench.site.pages import POLICY
from tests.chromium import launched
from tests.site_pictures import SHOTS, take
from tests.unit.test_site import make_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

LEFT = "net::ERR_ABORTED"
"""How a request fails when its page is left before it is answered."""
SIZES = ((390, 844), (820, 1180), (1280, 900), (2560, 1440))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as chromium:
        yield chromium


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
    page.on("requestfailed", lambda request: None if request.failure == LEFT else problems.append(f"failed: {request.url}"))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else problems.append(request.url))
    page.goto(path.as_uri())
    return page, problems


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_opens_from_disk_at_every_width(browser: Browser, site: SitePages, width: int, height: int) -> None:
    for path in (site.index, site.results[0]):
        page, problems = opened(browser, path, width, height)
        assert problems == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.styleSheets.length") >= 1
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


def drawn(page: Page) -> None:
    """Wait until every chart of the page is drawn."""
    page.locator("[data-chart]:not(.drawn)").first.wait_for(state="detached")


def test_links_lead_to_the_models_and_back(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, site.index)
    page.locator(".ranking a", has_text="mine").click()
    assert page.locator("h1").inner_text() == "mine"
    assert page.locator("table").count() == 5
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
    page.wait_for_timeout(50)  # a sort begins a moment after the click
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
            page.locator(".compare .plot.drawn").wait_for()
        drawn(page)
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
    page.locator("th[data-sort=name]").click()
    assert order(page) == sorted(RANKED, key=str.lower)
    assert page.locator("th[data-sort=name]").get_attribute("aria-sort") == "ascending"
    page.locator("th[data-sort=name]").click()
    assert order(page) == sorted(RANKED, key=str.lower, reverse=True)
    assert page.url.endswith("#sort=-name")
    page.reload()
    assert order(page) == sorted(RANKED, key=str.lower, reverse=True)
    page.locator("select[name=sort]").select_option("hr")
    assert order(page)[0] == "Half"
    page.locator("th[data-sort=hr]").click()
    assert order(page)[0] == "worst"
    page.locator("th[data-sort=name]").click(modifiers=["Shift"])
    assert order(page)[0] == "worst"
    assert page.url.endswith("#sort=-hr%2Cname")
    page.reload()
    assert order(page)[0] == "worst"
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
    page.locator(".compare .plot.drawn").wait_for()
    assert page.locator(".compare .plot").inner_text().split().count("A") == 2
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
    page.locator("th[data-sort=name] .dt-column-order").focus()
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
    page.goto(site.index.as_uri())
    assert page.locator(".plot").first.is_hidden()
    numbers = page.locator(".numbers tbody tr", has_text="mine")
    assert [cell.split("\n")[0] for cell in numbers.locator("td").all_inner_texts()] == ["0.0", "66.7", "+66.7"]
    assert numbers.is_visible()
    page.context.close()


def test_nothing_moves_while_a_page_loads(browser: Browser, site: SitePages) -> None:
    shift = """() => new Promise((done) => new PerformanceObserver((list) =>
        done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({type: "layout-shift", buffered: true})
        || setTimeout(() => done(0), 300))"""
    for path, width in ((site.index, 1280), (site.index, 390), (board_of(site), 1280), (site.results[0], 1280)):
        page, _ = opened(browser, path, width)
        drawn(page)
        assert page.evaluate(shift) < 0.01, (path.name, width)
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
    page.goto(site.index.as_uri())
    page.emulate_media(media="screen")
    drawn(page)
    ink = "getComputedStyle(document.querySelector('.plot .annotation-text')).fill.match(/[0-9]+/g).map(Number)[0]"
    assert page.evaluate(ink) > 200
    page.emulate_media(media="print")
    assert any(page.evaluate(ink) < 60 or page.wait_for_timeout(50) for _ in range(100))
    assert page.locator(".numbers table").first.is_visible()
    page.context.close()


def test_the_picture_tells_of_every_model(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, site.index)
    drawn(page)
    words = page.locator(".plot").first.inner_text()
    for name, rate in (("a-model-with-quite-a-long-name-8", "16.7"), ("mine", "66.7"), ("worst", "100.0")):
        assert name in words
        assert rate in words
    assert "Half" not in words
    finding = " ".join(page.locator(".finding").inner_text().split())
    assert "claims to see 0.0% when POPE asks, and 66.7% when HOPE does" in finding
    box = page.locator(".plot").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    assert problems == []
    page.context.close()


def test_what_a_number_must_be(browser: Browser, site: SitePages) -> None:
    """Filtering by any column, over the link too."""
    page, problems = opened(browser, board_of(site))
    page.locator("select[name=where]").select_option("hr")
    page.locator("input[name=than]").fill("70")
    assert order(page) == [RANKED[0], "mine", "Half"]
    page.locator("select[name=is]").select_option(">=")
    assert order(page) == ["worst"]
    page.reload()
    assert order(page) == ["worst"]
    page.locator("select[name=where]").select_option("size")
    assert len(order(page)) == 4
    page.locator("input[name=than]").fill("1")
    assert page.locator("table.full").is_hidden() or order(page) == []
    assert problems == []
    page.context.close()


def test_sorts_and_filters_by_date(browser: Browser, tmp_path: Path) -> None:
    for name, day in (("old", date(2025, 8, 10)), ("new", date(2026, 2, 1)), ("undated", None)):
        result = make_result(tmp_path, name, 2).model_copy(update={"added": day})
        write_result(tmp_path / "results" / "tiny" / f"{name}.json", result)
    built = build_site(tmp_path / "results", tmp_path / "site")
    page, problems = at(browser, board_of(built), "sort=-added&where=added>=2025-01-01")
    assert order(page) == ["new", "old"]
    page.locator("input[name=than]").fill("2025-09-01")
    assert order(page) == ["new"]
    page.locator("input[name=than]").fill("")
    assert order(page) == ["new", "old", "undated"]
    assert problems == []
    page.context.close()


def test_markup_in_a_name_is_text_in_a_chart(browser: Browser, tmp_path: Path) -> None:
    """plotly reads tags in its texts; a model's name has none."""
    for number, name in enumerate(("<b>bold</b> <a href='x'>x</a>", "a &lt;i&gt; b")):
        write_result(tmp_path / "results" / "tiny" / f"m{number}.json", make_result(tmp_path, name, number))
    built = build_site(tmp_path / "results", tmp_path / "site")
    page, problems = opened(browser, built.index)
    drawn(page)
    assert "<b>bold</b> <a href=" in page.locator(".plot").first.inner_text()
    assert "a &lt;i&gt; b" in page.locator(".plot").first.inner_text()
    assert page.locator(".plot a").count() == 0
    assert problems == []
    page.context.close()


def test_under_a_path_of_a_server_with_the_policy_as_a_header(browser: Browser, site: SitePages) -> None:
    class Strict(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_message(self, *arguments: object) -> None:
            """Requests are not worth a line."""

    root = site.index.parent.parent
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Strict, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page = browser.new_context().new_page()
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
        assert f"{base}assets/plotly.js" in requests
        page.context.close()
    finally:
        server.shutdown()
        server.server_close()


def test_the_pictures_of_the_docs_can_be_taken_again(browser: Browser, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent.parent
    for shot in SHOTS:
        assert (root / "docs" / f"leaderboard-{shot.name}.png").is_file()
    shots = tuple(shot for shot in SHOTS if shot.name == "hallucinations")
    (picture,) = take(browser, root / "leaderboard" / "results", tmp_path, shots)
    with Image.open(picture) as image:
        assert image.size == (1200, 1300)
        assert len(image.convert("P", palette=Image.Palette.ADAPTIVE, colors=256).getcolors() or ()) > 200


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> SitePages:
    """The site of the committed results: with charts, a heat map, pictures and label noise."""
    root = Path(__file__).resolve().parent.parent.parent
    return build_site(root / "leaderboard" / "results", tmp_path_factory.mktemp("committed") / "site")


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1280), ("light", 390)])
def test_the_committed_pages_have_no_barrier(browser: Browser, committed: SitePages, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed").Axe()
    folder = committed.index.parent
    for path in (folder / "demo" / "demo-llava.html", *folder.glob("benchmarks/*-about.html")):
        page, problems = opened(browser, path, width, scheme=scheme)
        drawn(page)
        assert problems == []
        assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
        found = axe.run(page).response["violations"]
        assert [(path.name, one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        page.context.close()


@pytest.mark.parametrize("width", [720, 1200, 1280, 1920])
def test_the_labels_of_an_axis_never_overlap(browser: Browser, committed: SitePages, width: int) -> None:
    for board in (committed.index.parent / "benchmarks").glob("*[0-9a-f].html"):
        page, problems = opened(browser, board, width)
        boxes = page.eval_on_selector_all(
            ".axis text",
            "all => all.map(one => one.getBoundingClientRect()).filter(box => box.width).map(box => [box.left, box.right])",
        )
        assert len(boxes) >= 2, board.name
        assert all(left[1] < right[0] for left, right in itertools.pairwise(boxes)), (board.name, boxes)
        assert problems == []
        page.context.close()
