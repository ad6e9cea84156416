"""The system's Chromium, for tests and pictures."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

LEFT = "net::ERR_ABORTED"
"""How a request fails when its page is left before it is answered."""
PATIENCE = 120_000
"""Milliseconds in which a page must come to a state: what is right comes at once, and on a busy machine late."""


WITHOUT = (
    "--disable-features=DestroyProfileOnBrowserClose,HttpsUpgrades,MediaRouter,OptimizationHints,PaintHolding,"
    "WebUIOmniboxAimPopup,WebUIOmniboxPopup"
)
"""What Playwright leaves out and might matter here, as only the last such word counts; and the suggestions below the address,
which are pages themselves and take as long to start, for each window, as the browser does."""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A Chromium without a window. Skips the test, saying so, where there is none."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"NO BROWSER: none of {', '.join(NAMES)} is installed, so the pages were not opened")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install hope-bench[dev])")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--process-per-site", WITHOUT],
        )
        context(chromium).new_page()  # for `opened`
        yield chromium
        chromium.close()


def context(browser: Browser, **options: Any) -> BrowserContext:
    """A context of its own, as `Browser.new_context` makes it."""
    made = browser.new_context(**options)
    made.set_default_timeout(PATIENCE)
    return made


def opened(
    browser: Browser,
    path: Path,
    width: int = 1280,
    height: int = 900,
    scheme: str = "light",
    fragment: str = "",
    scripted: bool = True,
) -> tuple[Page, list[str]]:
    """The page, and what goes wrong on it: console errors, failed requests, requests that leave the disk.

    It is shown in place of what was opened before: a page of its own takes as long to start as most files to show.
    """
    if not scripted and len(browser.contexts) == 1:
        context(browser, java_script_enabled=False).new_page()
    page = browser.contexts[0 if scripted else 1].pages[0]
    if page not in _PROBLEMS:
        _watch(page)
    page.goto((ROOT / "constraints.txt").as_uri())  # whatever was open is gone, with what it still says, and so is its view
    page.mouse.move(0, 0)
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(media="null", color_scheme="dark" if scheme == "dark" else "light")
    problems = _PROBLEMS[page] = []
    page.goto(path.as_uri() + fragment)
    return page, problems


_PROBLEMS: dict[Page, list[str]] = {}
"""What went wrong on a page since it was opened last."""


def _watch(page: Page) -> None:
    def went_wrong(what: str) -> None:
        _PROBLEMS[page].append(what)

    page.on("console", lambda message: went_wrong(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: went_wrong(str(error)))
    page.on("requestfailed", lambda request: None if request.failure == LEFT else went_wrong(f"failed: {request.url}"))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else went_wrong(request.url))
    _PROBLEMS[page] = []
