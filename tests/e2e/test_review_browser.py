"""The review page in a real browser: clicks and keys decide, undo takes back, a reload resumes, nothing leaves this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hope_bench.annotations import read_annotations
from hope_bench.files.benchmark import read_benchmark
from hope_bench.reviewing.claims import review_queue
from hope_bench.reviewing.decisions import DecisionsFile
from hope_bench.reviewing.picture import Pictures, known_present
from hope_bench.reviewing.session import Session
from tests.chromium import context, launched
from tests.forks import Fork
from tests.small_benchmark import write_small
from tests.waiting import wait_until

if find_spec("gradio") is None:  # it takes seconds to import, which no other test needs to wait for
    pytest.skip("the review page needs gradio: pip install -e '.[review]'", allow_module_level=True)
from playwright.sync_api import Page, expect

from hope_bench.reviewing.page import serve

pytestmark = pytest.mark.browser
_CONNECTIONS: list[str] = []


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with launched() as browser:
        yield context(browser, viewport={"width": 1300, "height": 800}).new_page()


@pytest.fixture
def review(tmp_path: Path) -> Callable[..., tuple[str, Path]]:
    """Serves the small benchmark's claims; returns the page's address and the decisions file. Called again, it restarts."""
    small = write_small(tmp_path / "small")
    benchmark = read_benchmark(small.folder)
    pictures = Pictures(small.images, known_present(benchmark, read_annotations(small.annotations)))
    path = tmp_path / "alice.jsonl"

    def start(blind: bool = False) -> tuple[str, Path]:
        address: list[str] = []
        session = Session(review_queue(benchmark.splits), DecisionsFile(path), "alice", blind)
        threading.Thread(target=serve, args=(session, pictures, 0, address.append), daemon=True).start()
        wait_until(lambda: address)
        return address[0], path

    return start


def decisions(path: Path) -> list[tuple[str, str, str]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["image"], row["object"], row["decision"]) for row in rows]


def at(page: Page, place: int, words: str) -> None:
    """Wait until the page shows that claim, and for the moment in which a second press counts as an accident."""
    expect(page.locator(f'#claim [data-place="{place}"]')).to_contain_text(words)
    page.wait_for_timeout(250)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" or event == "socket.getaddrinfo":
        _CONNECTIONS.append(str(arguments[1] if event == "socket.connect" else arguments[0]))


sys.addaudithook(_audit)


def test_a_review_by_clicks_and_keys(page: Page, review: Callable[[], tuple[str, Path]]) -> None:
    address, path = review()
    requested: list[str] = []
    _CONNECTIONS.clear()
    page.on("request", lambda request: requested.append(request.url))
    page.goto(address)
    at(page, 0, "Is there a vase in this picture?")
    expect(page.locator("#verdicts")).to_have_text(re.compile(r"There \(T\)\s*Not there \(N\)\s*Unsure \(U\)"))
    expect(page.locator("#facts")).to_contain_text("Is there a vase in the image? – no")
    expect(page.locator("#facts")).to_contain_text("best tile")
    expect(page.locator("#undo")).to_be_disabled()
    boxed = page.locator("#picture img").get_attribute("src")

    page.keyboard.press("b")
    expect(page.locator("#picture img")).not_to_have_attribute("src", str(boxed))
    page.locator("#absent").click()
    at(page, 1, "Is there a dog in this picture?")
    page.keyboard.press("t")
    at(page, 2, "Is there a bus")
    page.keyboard.press("U")
    at(page, 3, "Is there a red car in this picture?")
    expect(page.locator("#verdicts")).to_have_text(re.compile(r"Yes \(Y\)\s*No \(N\)\s*Unsure \(U\)"))
    assert decisions(path) == [("a.jpg", "vase", "absent"), ("straße ü.jpg", "dog", "present"), ("b.png", "bus", "unsure")]
    expect(page.locator("#progress")).to_contain_text("3 of 7 claims decided")
    expect(page.locator("#progress")).to_contain_text("1 there · 1 not there · 1 unsure")
    expect(page.locator("#progress")).to_contain_text("About 1 minute left. The likeliest wrong come first.")

    page.keyboard.press("z")
    at(page, 2, "Is there a bus")
    assert decisions(path) == [("a.jpg", "vase", "absent"), ("straße ü.jpg", "dog", "present")]
    page.locator("#present").click()
    at(page, 3, "red car")

    page.reload()
    at(page, 3, "red car")
    page.keyboard.press("Control+a")
    page.keyboard.press("x")
    page.wait_for_timeout(400)
    assert len(decisions(path)) == 3, "only the page's own keys decide"

    for place, words in ((3, "red car"), (4, "bowl"), (5, "dog"), (6, "apple")):
        at(page, place, words)
        page.keyboard.press("n")
    expect(page.locator("#claim")).to_contain_text("All claims are decided.")
    expect(page.locator("#absent")).to_be_disabled()
    last = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    assert last.pop("time").endswith("+00:00")
    assert last == {
        "image": "straße ü.jpg", "object": "apple", "decision": "absent", "reviewer": "alice", "label": "no",
        "question": "Is there an apple in the image?",
    }  # fmt: skip
    assert {url.split("/")[2] for url in requested if url.startswith("http")} == {address.split("/")[2]}
    assert not [target for target in _CONNECTIONS if "127.0.0.1" not in target and "localhost" not in target]


def test_a_hasty_second_press_decides_nothing_and_a_restart_resumes(page: Page, review: Callable[[], tuple[str, Path]]) -> None:
    address, path = review()
    page.goto(address)
    at(page, 0, "vase")
    page.evaluate("() => { for (const id of ['absent', 'present', 'absent']) document.getElementById(id).click(); }")
    at(page, 1, "dog")
    assert decisions(path) == [("a.jpg", "vase", "absent")]
    address, _ = review()
    page.goto(address)
    at(page, 1, "dog")


def test_a_blind_reviewer_sees_the_question_and_the_bare_picture(page: Page, review: Callable[..., tuple[str, Path]]) -> None:
    address, path = review(blind=True)
    page.goto(address)
    at(page, 0, "Is there a vase in this picture?")
    expect(page.locator("#claim")).not_to_contain_text("NO")
    expect(page.locator("#facts")).to_have_text("Imagea.jpg")
    expect(page.locator("#boxes input")).not_to_be_checked()
    page.keyboard.press("y")
    at(page, 1, "Is there a dog in this picture?")
    assert decisions(path) == [("a.jpg", "vase", "present")]


def test_a_click_or_a_key_looks_closer(page: Page, review: Callable[[], tuple[str, Path]]) -> None:
    address, path = review()
    page.goto(address)
    at(page, 0, "vase")
    picture = page.locator("#picture img")
    whole = picture.bounding_box()
    assert whole is not None
    picture.click(position={"x": whole["width"] - 5, "y": whole["height"] - 5})
    assert picture.evaluate("node => node.clientWidth") == pytest.approx(2.5 * whole["width"], abs=2)
    frame = picture.evaluate("({ parentElement: one }) => [one.scrollLeft, one.scrollTop, one.clientHeight]")
    assert min(frame[:2]) > 0, "at the corner that was clicked"
    assert frame[2] == pytest.approx(whole["height"], abs=2), "nothing else moves"
    page.keyboard.press("-")
    assert picture.bounding_box() == whole
    page.keyboard.press("+")
    assert picture.evaluate("node => node.clientWidth") > 2 * whole["width"]
    page.keyboard.press("n")
    at(page, 1, "dog")
    assert decisions(path) == [("a.jpg", "vase", "absent")]
    expect(page.locator("#picture .closer")).to_have_count(0)


def test_another_sites_name_does_not_lead_to_the_page(page: Page, review: Callable[[], tuple[str, Path]]) -> None:
    address, _ = review()
    response = page.request.get(address, headers={"Host": "evil.example"})
    assert response.status == 400
    policy = page.request.get(address).headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")


def test_ctrl_c_ends_it_in_words_though_a_page_is_open(page: Page, tmp_path: Path) -> None:
    small = write_small(tmp_path / "small")
    command = ["-m", "hope_bench", "review", small.folder, "--images", small.images, "--port", "0"]
    child = Fork(command, {**os.environ, "BROWSER": "true"}, tmp_path)
    try:
        wait_until(lambda: re.search(r"http://[0-9.:]+/", "".join(child.said())), child.is_alive, child.said)
        page.goto(re.findall(r"http://[0-9.:]+/", "".join(child.said()))[0])
        at(page, 0, "Is there a vase in this picture?")
        child.send_signal(signal.SIGINT)
        said = "".join(child.communicate())
    finally:
        child.kill()
    assert child.returncode == 0
    assert "Traceback" not in said
    assert "claims decided" in said
    page.goto("about:blank")
