"""The committed results' pages in a real browser, and the pictures of them in docs/."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from hope_bench.site import SitePages, build_site
from tests.chromium import opened
from tests.e2e.site_views import SOAK, Look, barriers, fits, in_turn
from tests.site_pictures import SHOTS, take

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> SitePages:
    """The site of the committed results: with charts, a heat map, pictures and label noise."""
    root = Path(__file__).resolve().parent.parent.parent
    return build_site(root / "leaderboard" / "results", tmp_path_factory.mktemp("committed") / "site")


@pytest.mark.parametrize("looks", in_turn([(1280, "dark"), (390, "light")]))
def test_the_committed_pages_have_no_barrier(browser: Browser, committed: SitePages, looks: Sequence[Look]) -> None:
    folder = committed.index.parent
    for path in (folder / "demo" / "demo-llava.html", *folder.glob("benchmarks/*-about.html")):
        page, problems = opened(browser, path, looks[0][0], scheme=looks[0][1])
        assert fits(page, looks), path.name
        assert problems == []
        assert page.evaluate(
            "[...document.images].every((image) => image.loading === 'lazy' || (image.complete && image.naturalWidth > 0))"
        )
        if SOAK or not path.match("pope-coco-*-about.html"):  # as the demo's, with less on it
            assert barriers(page) == []


def broken_words(page: Page) -> list[str]:
    """The words of a table's heads that stand on two lines."""
    found: list[str] = page.locator("thead th").evaluate_all("""heads => heads.flatMap((head) => {
      const texts = document.createTreeWalker(head, NodeFilter.SHOW_TEXT), broken = [];
      for (let text = texts.nextNode(); text; text = texts.nextNode()) for (const word of text.data.matchAll(/[^\\s-]+/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size > 1) broken.push(word[0]);
      }
      return broken;
    })""")
    return found


@pytest.mark.parametrize("looks", in_turn([(width, "light") for width in (720, 1200, 1280, 1920)]))
def test_labels_are_apart_and_heads_whole(browser: Browser, committed: SitePages, looks: Sequence[Look]) -> None:
    boards = (committed.index, *(committed.index.parent / "benchmarks").glob("*[0-9a-f].html"))
    for board, (width, _) in itertools.product(boards, looks):
        if width == looks[0][0]:
            page, problems = opened(browser, board, width)
        page.set_viewport_size({"width": width, "height": 900})
        for axis in page.locator(".axis").all():
            boxes = axis.locator("text").evaluate_all(
                "all => all.map(one => one.getBoundingClientRect()).filter(box => box.width).map(box => [box.left, box.right])",
            )
            assert len(boxes) >= 2, board.name
            assert all(left[1] < right[0] for left, right in itertools.pairwise(boxes)), (board.name, boxes)
        assert broken_words(page) == [], board.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert problems == []


def test_the_pictures_of_the_docs_can_be_taken_again(browser: Browser, committed: SitePages, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent.parent
    pictures = {path.name for path in (root / "docs").glob("leaderboard-*.png")}
    words = "".join(path.read_text(encoding="utf-8") for path in (root / "README.md", *(root / "docs").glob("*.md")))
    assert pictures == {f"leaderboard-{shot.name}.png" for shot in SHOTS}
    assert [name for name in pictures if name not in words] == [], "every picture is shown somewhere"
    shots = tuple(shot for shot in SHOTS if shot.name == "model")
    (picture,) = take(browser, committed.index.parent, tmp_path, shots)
    with Image.open(picture) as image:
        assert image.size == (1440, 1200)
        assert len(image.convert("P", palette=Image.Palette.ADAPTIVE, colors=256).getcolors() or ()) > 200
