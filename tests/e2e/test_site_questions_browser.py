"""The question wall in a real browser, from disk: every view by mouse and keyboard, without JavaScript, under a server's path."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from hope_bench.files.benchmark import read_benchmark
from hope_bench.scoring.probability import unpack
from hope_bench.site import SitePages, build_site
from tests.chromium import opened
from tests.e2e.site_views import Look, address, barriers, copy_link, fits, in_turn
from tests.faulty_server import LocalServer, serving
from tests.questioned import IMAGES, LIKELY, p_yes, publish, publish_known

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
COCO = tuple(f"COCO_val2014_{number:012}.jpg" for number in range(40))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SitePages:
    """Three benchmarks: 24 questions with pictures, 120 without, and 72 of which everything is known that chooses them."""
    folder = tmp_path_factory.mktemp("wall")
    publish(folder)
    publish_known(folder)
    publish(folder, "coco", COCO, pictures=False)
    return build_site(folder / "leaderboard" / "results", folder / "a sub folder" / "site", folder / "nowhere")


def wall_of(site: SitePages, name: str = "tiny") -> Path:
    return next(path for path in (site.index.parent / "questions").glob(f"{name}-*.html") if "-images-" not in path.stem)


def asked(site: SitePages) -> list[dict[str, Any]]:
    """The questions as programs find them, which test_site_questions.py holds against what was answered."""
    (path,) = (site.index.parent / "data" / "questions").glob("tiny-*.json")
    found: list[dict[str, Any]] = json.loads(path.read_text())["questions"]
    return found


def counts(page: Page, words: str) -> None:
    """Wait until the page says how many questions it shows."""
    page.locator(".count", has_text=re.compile(f"^{words}$")).wait_for()


def test_every_view_shows_what_the_models_answered(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, wall_of(site), 1440)
    page.locator(".card").first.wait_for()
    counts(page, "16 questions")  # cats and wolves
    first = page.locator(".card").first
    assert first.locator(".asks").inner_text() == "Is there a cat in the image?"
    assert "3 of 3 say yes" in first.inner_text()
    assert first.locator(".dots .yes").count() == 3
    page.get_by_label("The answer is").select_option("yes")
    counts(page, "8 questions")
    page.get_by_label("The answer is").select_option("no")

    page.locator(".views label", has_text="By object").click()
    rows = [row.split("\t")[:3] for row in page.locator(".summary tbody tr").all_inner_texts()]
    wolves = sum(p_yes(model, image, "wolf") > 0.5 for model in LIKELY for image in IMAGES)
    assert rows == [["wolf", "8", f"{100 * wolves / 24:.1f}"], ["cat", "8", f"{100 * 3 / 24:.1f}"]]
    page.locator(".summary a", has_text="wolf").click()
    counts(page, "8 questions")
    page.get_by_role("button", name="Show all").click()

    page.locator(".views label", has_text="By split and kind").click()
    assert [row.split("\t")[0] for row in page.locator(".summary tbody tr").all_inner_texts()] == [
        "adversarial",
        "content",
        "hope",
    ]
    page.locator(".summary a", has_text="content").click()
    counts(page, "8 questions")

    page.goto(wall_of(site).as_uri())
    page.locator(".views label", has_text="Fools A, not B").click()
    page.locator("[name=a]").select_option("Half")
    page.locator("[name=b]").select_option("Sure")
    counts(page, "4 questions")
    assert {text.split("\n")[0] for text in page.locator(".card").all_inner_texts()} == {"Is there a wolf in the image?"}
    assert "a=half&b=sure" in address(page)
    page.locator("[name=b]").select_option("anyone in particular")
    counts(page, "5 questions")

    page.locator(".views label", has_text="All say yes").click()
    counts(page, "1 question")
    assert "hope-bench review tiny" in page.locator(".unanimous-words").inner_text()
    assert page.get_by_role("link", name="the list").get_attribute("href") is not None
    assert problems == []


def test_a_question_is_a_page_with_a_link_and_a_citation(browser: Browser, site: SitePages) -> None:
    one = next(one for one in asked(site) if (one["image"], one.get("object")) == ("2.jpg", "wolf"))
    page, problems = opened(browser, wall_of(site), 1440, fragment=f"#q={one['id']}")
    page.locator(".answers").wait_for()
    assert page.locator("h1:visible").inner_text() == "Is there a wolf in the image?"
    rows = [row.split("\t")[:3] for row in page.locator(".answers tbody tr").all_inner_texts()]
    known = {model: p_yes(model, "2.jpg", "wolf") for model in LIKELY}
    assert {name: (said, p) for name, said, p in rows} == {
        name: ("yes" if p > 0.5 else "no", f"{p:.2f}") for name, p in known.items()
    }
    assert [p for _, _, p in rows] == sorted((f"{p:.2f}" for p in known.values()), reverse=True)
    assert page.locator(".asked tbody th").all_inner_texts() == ["content", "hope"]
    box = page.locator("#question img").bounding_box()
    assert box is not None
    assert box["width"] > 200
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assert copy_link(page) == address(page)
    page.get_by_text("Cite this question").click()
    cited = page.locator(".cite").inner_text()
    assert one["id"] in cited
    assert address(page) in cited
    page.get_by_role("link", name="Other questions about wolf").click()
    page.locator(".card").first.wait_for()
    counts(page, "8 questions")
    page.go_back()
    page.get_by_role("link", name="Others about this image").click()
    counts(page, "3 questions about 2.jpg")
    assert problems == []


def behind(chosen: Mapping[str, str], result: dict[str, Any], risks: Mapping[str, Sequence[float | None]]) -> int:
    """How many questions of a split are chosen, counted in the result's own letters."""
    name = chosen["split"]
    split, found, truth = result["splits"][name], 0, chosen.get("truth", "no")
    sizes = [part["name"] for part in split["breakdowns"]["object-size"]]
    size = base64.b64decode(split["part_of"]["object-size"])
    p_yes = unpack(split["probabilities"]["packed"])
    levels = {one["name"]: base64.b64decode(one["levels"]) for one in split["blind"] if one["levels"]}
    backwards = {one["name"] for one in split["blind"] if one["balanced_accuracy"] < 0.5}
    reviewed = split["corrected"]["truth"] if split["corrected"] else "-" * len(split["labels"])
    for place, (label, verdict) in enumerate(zip(split["labels"], split["verdicts"], strict=True)):
        said = {"y": "yes", "n": "no", "u": "unparsed", "e": "error", "-": "unasked"}[verdict]
        finding = {"-": None, "?": "unsure", label: "right"}.get(reviewed[place], "wrong")
        way, risk = chosen.get("blind"), risks[name][place]
        tests = (
            not truth or truth[0] == label,
            "size" not in chosen or (size[place] < len(sizes) and sizes[size[place]] == chosen["size"]),
            "said" not in chosen or (said != "unasked" if chosen["said"] == "asked" else said == chosen["said"]),
            "tenth" not in chosen
            or (said not in ("error", "unasked") and min(int(10 * p_yes[place]), 9) == int(chosen["tenth"])),
            "risk" not in chosen or (risk is not None and int(10 * risk) == int(chosen["risk"])),
            "reviewed" not in chosen or (finding is not None if chosen["reviewed"] == "any" else finding == chosen["reviewed"]),
            way is None or ((levels[way][place] >= 128) == (label == "y")) != (way in backwards),
        )
        found += all(tests)
    return found


def test_every_number_leads_to_the_questions_behind_it(browser: Browser, site: SitePages) -> None:
    """As many as a result's letters say, from the page of a model and from the benchmark's own; and where the number is one of
    questions, as many as it says."""
    model = site.index.parent / "known" / "odd.html"
    result = json.loads(model.with_suffix(".json").read_text())
    made = read_benchmark(site.index.parents[2] / "made" / "known")
    order = {image: place for place, image in enumerate(made.manifest.images)}
    risks = {name: [one.risk for one in sorted(some, key=lambda one: order[one.image])] for name, some in made.splits.items()}
    about = next((site.index.parent / "benchmarks").glob("known-*-about.html"))
    seen: set[str] = set()
    for start in (model, about):
        page, problems = opened(browser, start)
        links = page.locator("main a[href*='#split=']").evaluate_all("all => all.map(one => [one.href, one.textContent])")
        for href, words in links:
            chosen = dict(parse_qsl(href.partition("#")[2], keep_blank_values=True))
            if chosen.keys() & {"object", "kind"}:
                continue
            expected = behind(chosen, result, risks)
            assert re.fullmatch("[0-9,]+", words) is None or int(words) == expected, href
            page.goto(href)
            counts(page, f"{expected} questions?")
            assert not page.locator(".strange").is_visible()
            seen |= chosen.keys()
        assert problems == []
    assert seen == {"split", "truth", "size", "of", "said", "tenth", "risk", "reviewed", "blind"}


def test_filters_by_what_is_known_of_questions(browser: Browser, site: SitePages) -> None:
    """By hand, and kept in the address; what this benchmark doesn't know can't be asked for."""
    page, problems = opened(browser, wall_of(site, "known"), 390)
    page.locator(".card").first.wait_for()
    assert not page.get_by_label("It said").is_visible()
    page.get_by_text("More filters").click()
    assert page.get_by_label("It said").is_disabled()
    page.get_by_label("Answered by").select_option("Odd")
    page.get_by_label("It said").select_option("yes")
    page.locator("[name=split]").select_option("hope")
    counts(page, "3 questions")
    assert page.locator(".card .says").first.inner_text().startswith("yes P(yes) 0.94 · 2 of 2")
    assert address(page).endswith("#split=hope&of=odd&said=yes")
    page.reload()
    counts(page, "3 questions")
    assert page.get_by_label("It said").input_value() == "yes", "seen, as it is what chooses"
    page.get_by_role("button", name="Show all").click()
    counts(page, "45 questions")
    page.goto(wall_of(site, "known").as_uri() + "#size=huge&risk=12&blind=luck&reviewed=no&tenth=x&said=maybe&of=nobody")
    strange = page.locator(".strange")
    strange.wait_for()
    assert strange.inner_text().count("“") == 7
    assert problems == []
    page, problems = opened(browser, wall_of(site), 1440, fragment="#size=small")
    page.get_by_text("More filters").click()
    assert page.locator(".more label:visible").count() == 4, "model, verdict, P(yes) and the blind ways"
    assert "size “small”" in page.locator(".strange").inner_text()
    assert problems == []


def test_by_keyboard_alone(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, wall_of(site, "coco"), 1440)
    page.locator(".card").first.wait_for()
    focused = "document.activeElement.closest('.card')?.getAttribute('aria-posinset') ?? document.activeElement.value"
    page.locator("[name=view]:checked").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "objects"
    page.locator(".summary").wait_for()
    page.keyboard.press("ArrowLeft")
    page.locator(".card").first.wait_for()
    while page.evaluate(focused) != "1":
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == "1"
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    place = int(page.evaluate(focused))
    assert place > 31
    page.keyboard.press("Enter")
    page.locator(".answers").wait_for()
    assert f"{place} of 80" in page.locator(".steps").inner_text()
    page.keyboard.press("ArrowRight")
    page.get_by_text(f"{place + 1} of 80").wait_for()
    page.keyboard.press("Escape")
    page.locator(".card").first.wait_for()
    assert page.evaluate(focused) == str(place + 1)
    assert problems == []


def test_an_address_of_what_is_not_here_says_so(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, wall_of(site), fragment="#q=content.900&split=x%3Ci%3E")
    page.locator(".card").first.wait_for()
    told = page.locator(".strange")
    assert told.inner_text() == "This address asks for split “x<i>”, question “content.900”, which aren’t here."
    page.get_by_label("The answer is").select_option("yes")
    assert told.is_hidden()
    page.goto(wall_of(site).as_uri() + "#view=pair&a=renamed&b=sure")
    page.get_by_text("This address asks for model “renamed”, which isn’t here.").wait_for()
    assert problems == []


def test_only_what_is_in_sight_is_in_the_page(browser: Browser, site: SitePages) -> None:
    page, problems = opened(browser, wall_of(site, "coco"), 820, 500)
    page.locator(".card").first.wait_for()
    assert page.locator(".card").count() < 40
    page.evaluate("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
    page.locator(".card[aria-posinset='80']").wait_for()
    assert page.locator(".card[aria-posinset='1']").count() == 0
    assert page.locator(".card[aria-posinset='80']").get_attribute("aria-setsize") == "80"
    down = page.evaluate("scrollY")
    page.locator(".card[aria-posinset='80'] a").click()
    source = page.locator("figcaption a")
    assert source.get_attribute("href") == f"http://images.cocodataset.org/val2014/{source.inner_text()}"
    assert page.evaluate("scrollY") == 0
    page.go_back()
    page.locator(".card[aria-posinset='80']").wait_for()
    page.wait_for_function("down => scrollY === down", arg=down)
    assert problems == []


@pytest.mark.parametrize("looks", in_turn([(1440, "light"), (820, "dark"), (390, "light")]))
def test_no_view_has_a_barrier(browser: Browser, site: SitePages, looks: Sequence[Look]) -> None:
    found: list[str] = []
    one, pages = asked(site)[0]["id"], site.index.parent / "questions"
    views = [
        (wall_of(site), view) for view in ("", "#view=objects", "#view=splits", "#view=pair", "#view=unanimous", f"#q={one}")
    ]
    others = [
        (site.index.parent / "questions.html", ""),
        (wall_of(site, "known"), "#split=hope&of=odd&said=yes"),
        (next(pages.glob("tiny*-images-1.html")), ""),
    ]
    for path, view in (*views, *others):
        page, problems = opened(browser, path, looks[0][0], scheme=looks[0][1], fragment=view)
        page.locator("body").wait_for()
        assert fits(page, looks), (path.name, view)
        assert problems == []
        found += barriers(page)
    assert found == []


def test_without_javascript(browser: Browser, site: SitePages) -> None:
    page, _ = opened(browser, wall_of(site), scripted=False)
    assert page.locator("form.tools").is_hidden()
    assert page.locator(".cards li").count() == 24
    assert "Is there a cat in the image?" in page.locator(".cards li").first.inner_text()
    assert "3 of 3 say yes" in page.locator(".cards li").first.inner_text()
    page.get_by_role("link", name="image by image", exact=True).click()
    page.locator(".image-row").nth(7).wait_for()
    assert page.locator(".image-row").count() == 8
    assert page.locator(".image-row").first.locator("dt").all_inner_texts() == ["There", "adversarial", "content", "hope"]


@pytest.fixture
def served(site: SitePages) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Requests are not worth a line."""

    with serving(LocalServer(functools.partial(Quiet, directory=str(site.index.parents[1])))) as server:
        yield f"http://127.0.0.1:{server.server_port}/site/"


def test_under_a_path_of_a_server(browser: Browser, served: str) -> None:
    page = browser.contexts[0].new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.goto(f"{served}questions.html")
    page.locator("h2 a", has_text="Tiny").click()
    page.locator(".card a").first.click()
    page.locator(".answers td").first.wait_for()
    page.locator(".answers a").first.click()
    page.wait_for_url(f"{served}tiny/*")
    assert problems == []
    page.close()
