"""The gallery in a real browser, opened from the disk: filters, search, order, pages, links to a view, phone and desktop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import hope_bench as hb
from hope_bench.files.benchmark import read_benchmark, write_benchmark
from hope_bench.files.result import ModelInfo
from hope_bench.inspection.gallery import write_gallery
from hope_bench.inspection.summary import summarize
from hope_bench.records import Verdict
from tests.chromium import opened
from tests.e2e.site_views import Look, address, fits, in_turn
from tests.runs import make_run
from tests.small_benchmark import no, write_small

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("looks", in_turn([(width, "light") for width in (1280, 2200, 390)]))
def test_filters_search_and_order(browser: Browser, tmp_path: Path, looks: Sequence[Look]) -> None:
    small = write_small(tmp_path / "small")
    benchmark = read_benchmark(small.folder)
    write_gallery(benchmark, summarize(benchmark), tmp_path / "a gallery", small.images)
    page, problems = opened(browser, tmp_path / "a gallery" / "index.html", looks[0][0])
    count, said = page.locator("#count"), page.locator(".card .said")
    expect(count).to_have_text("11 questions about 3 images")
    expect(page.locator(".card img").first).to_have_js_property("complete", True)
    assert fits(page, looks), "the page scrolls sideways"

    page.get_by_label("Label").select_option("no")
    page.locator("#split").select_option("content")
    expect(count).to_have_text("3 questions about 3 images")
    page.get_by_label("Order").select_option("score")
    expect(said).to_have_text(["bus", "vase", "dog"])
    page.get_by_label("Order").select_option("risk")
    expect(said).to_have_text(["vase", "dog", "bus"])
    expect(page.locator(".card .risk").first).to_contain_text("risk 0.45")
    page.get_by_label("Search").fill("DOG")
    expect(count).to_have_text("1 question about 1 image")

    again, more = opened(browser, tmp_path / "a gallery" / "index.html", looks[-1][0], fragment=page.evaluate("location.hash"))
    expect(again.locator(".card .said")).to_have_text(["dog"])
    again.get_by_label("Search").fill("no such thing")
    expect(again.locator("#count")).to_have_text("No question matches. Change the search or a filter.")
    again.locator("#split").select_option("")
    again.get_by_label("Search").fill("red CAR in the")
    expect(again.locator(".card .said")).to_have_text(["a red car"])
    assert problems + more == []


def test_a_models_answers_and_an_enlarged_picture_with_its_boxes(browser: Browser, tmp_path: Path) -> None:
    small = write_small(tmp_path / "small")
    benchmark = read_benchmark(small.folder)
    said: dict[tuple[str, str], Verdict] = {("a.jpg", "cup"): "yes", ("a.jpg", "vase"): "yes", ("b.png", "car"): "no"}
    said |= {("b.png", "bus"): "unparsed", ("b.png", "dog"): "no"}
    run = make_run(tmp_path / "run", benchmark, said, model=ModelInfo(name="<i>Mine</i>"))
    inspected = hb.inspect(benchmark, images=small.images, annotations=small.annotations, run=run, out=tmp_path / "out")
    page, problems = opened(browser, inspected.gallery)
    expect(page.locator(".lede")).to_contain_text("Answers: <i>Mine</i>.")
    card = page.locator(".card", has_text="a.jpg")
    expect(card.locator("li", has_text="vase").locator(".answer.wrong")).to_have_text("said yes")
    expect(card.locator("li", has_text="cup").locator(".answer:not(.wrong)")).to_have_text("said yes")
    for kind, claims in (("wrong", ["vase", "car", "bus"]), ("hallucinated", ["vase"]), ("missed", ["car"]), ("unread", ["bus"])):
        page.get_by_label("Answers").select_option(kind)
        expect(page.locator(".card .said")).to_have_text(claims)
    assert "answer=unread" in address(page)

    page.get_by_role("button", name="Enlarge b.png").click()
    picture = page.locator("#closer img")
    expect(picture).to_have_js_property("naturalWidth", 160)  # the original, not the small copy
    box, whole = page.locator("#closer .box").bounding_box(), picture.bounding_box()
    assert box is not None
    assert whole is not None
    assert box["x"] - whole["x"] == pytest.approx(whole["width"] * 20 / 160, abs=2)
    assert box["height"] == pytest.approx(whole["height"] * 70 / 120, abs=2)
    expect(page.locator("#closer .box")).to_have_text("car")
    page.get_by_label("Boxes").uncheck()
    expect(page.locator("#closer .box")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#closer")).to_be_hidden()
    assert problems == []
    alone, _ = opened(browser, hb.inspect(benchmark, images=small.images, out=tmp_path / "alone").gallery)
    expect(alone.get_by_label("Answers")).to_have_count(0)


def test_many_images_come_in_pages(browser: Browser, tmp_path: Path) -> None:
    names = [f"{number:04}.jpg" for number in range(130)]
    rows = [no(number, name, "<b>cup</b> & saucer", "random") for number, name in enumerate(names, 1)]
    write_benchmark(
        tmp_path / "many", {"random": rows}, {"random": "pope"}, name="many", title="Many", headline="random",
        prompt="{question}", k=1, dataset="none", images=dict.fromkeys(names),
    )  # fmt: skip
    benchmark = read_benchmark(tmp_path / "many")
    write_gallery(benchmark, summarize(benchmark), tmp_path / "out", None)
    page, problems = opened(browser, tmp_path / "out" / "index.html")
    expect(page.locator(".card")).to_have_count(48)
    expect(page.locator(".card .said").first).to_have_text("<b>cup</b> & saucer")
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".card .file").first).to_have_text("0096.jpg")
    expect(page.locator("#page")).to_have_text("Page 3 of 3")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    assert "page=3" in address(page)
    page.get_by_label("Search").fill("0001")
    expect(page.locator("#page")).to_have_text("Page 1 of 1")
    assert problems == []
