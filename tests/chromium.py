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
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

LEFT = "net::ERR_ABORTED"
"""How a request fails when its page is left before it is answered."""
PATIENCE = 120_000
"""Milliseconds in which a page must come to a state: what is right comes at once, and on a busy machine late."""


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
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--process-per-site"],
        )
        # A first page, left open, for `opened`: as long as it is there, other files are shown by its process in its context. To
        # start those anew for each page takes as long as the page itself.
        context(chromium).new_page().goto((ROOT / "constraints.txt").as_uri())
        yield chromium
        chromium.close()


def context(browser: Browser, **options: Any) -> BrowserContext:
    """A context of its own, as `Browser.new_context` makes it."""
    made = browser.new_context(**options)
    made.set_default_timeout(PATIENCE)
    return made


def opened(
    browser: Browser, path: Path, width: int = 1280, height: int = 900, scheme: str = "light", fragment: str = ""
) -> tuple[Page, list[str]]:
    """The page, and what went wrong on it: console errors, failed requests, requests that leave the disk."""
    problems: list[str] = []
    page = browser.contexts[0].new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: None if request.failure == LEFT else problems.append(f"failed: {request.url}"))
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else problems.append(request.url))
    page.goto(path.as_uri() + fragment)
    return page, problems
