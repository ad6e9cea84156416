"""Fixtures that the tests in a browser share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hope_bench.files.result_file import write_result
from hope_bench.site import SitePages, build_site
from tests.chromium import launched
from tests.unit.test_site import make_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, for the tests of one module."""
    with launched() as chromium:
        yield chromium


@pytest.fixture
def site(tmp_path: Path) -> SitePages:
    """The leaderboard of four models, one of them unranked, on one benchmark."""
    for name, affirmed in (("a-model-with-quite-a-long-name-8b-instruct", 1), ("mine", 4), ("worst", 6)):
        write_result(tmp_path / "results" / "tiny" / f"{name}.json", make_result(tmp_path, name, affirmed))
    unranked = make_result(tmp_path, "Half", 0, unranked="only half of the questions were asked, and by another prompt")
    write_result(tmp_path / "results" / "tiny" / "half.json", unranked)
    return build_site(tmp_path / "results", tmp_path / "a sub folder" / "site")
