"""The pictures of the leaderboard in docs/: `python -m tests.site_pictures` takes them again from the committed results."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.site import build_site
from tests.chromium import launched, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture of one page, from its top or from the heading that begins with `at`."""

    name: str
    page: str
    width: int = 1200
    height: int = 1300
    dark: bool = False
    at: str = ""


SHOTS = (
    Shot("index", "index.html", width=1440, height=900),
    Shot("questions", "questions/demo-????????????.html", width=1000, height=660),
    Shot("model", "demo/demo-llava.html", width=1440, height=1200),
)


def take(browser: Browser, site: Path, folder: Path, shots: tuple[Shot, ...] = SHOTS) -> list[Path]:
    """Write leaderboard-NAME.png of each shot of a site to `folder`; returns the files.

    Raises RuntimeError for whatever goes wrong on a page.
    """
    return [_picture(browser, site, shot, folder / f"leaderboard-{shot.name}.png") for shot in shots]


def _picture(browser: Browser, site: Path, shot: Shot, out: Path) -> Path:
    (file,) = site.glob(shot.page)
    page, problems = opened(browser, file, shot.width, shot.height, "dark" if shot.dark else "light")
    page.locator("[data-chart]:not(.drawn)").first.wait_for(state="detached")
    if shot.at:
        page.locator("h2", has_text=shot.at).first.evaluate(
            "node => window.scrollTo({top: node.offsetTop - 24, behavior: 'instant'})"
        )
    page.wait_for_timeout(300)
    page.screenshot(path=out)
    if problems:
        raise RuntimeError(f"{file.name}: {problems}")
    return out


if __name__ == "__main__":
    with launched() as chromium, tempfile.TemporaryDirectory() as made:
        build_site(ROOT / "leaderboard" / "results", Path(made))
        for picture in take(chromium, Path(made), ROOT / "docs"):
            print(picture)
