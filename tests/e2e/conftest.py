"""Fixtures that the tests in a browser share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hope_bench.files.result_file import write_result
from hope_bench.site import SitePages, build_site
from tests.chromium import launched
from tests.forty_models import write_forty
from tests.unit.test_site import make_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, for the tests of one module."""
    with launched() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> SitePages:
    """The leaderboard of four models, one of them unranked, on one benchmark."""
    folder = tmp_path_factory.mktemp("four")
    for name, affirmed in (("a-model-with-quite-a-long-name-8b-instruct", 1), ("mine", 4), ("worst", 6)):
        write_result(folder / "results" / "tiny" / f"{name}.json", make_result(folder, name, affirmed))
    unranked = make_result(folder, "Half", 0, unranked="only half of the questions were asked, and by another prompt")
    write_result(folder / "results" / "tiny" / "half.json", unranked)
    return build_site(folder / "results", folder / "a sub folder" / "site")


@pytest.fixture(scope="session")
def forty(tmp_path_factory: pytest.TempPathFactory) -> SitePages:
    """The leaderboard of 40 models with rates from 0.3 to 95%, whose questions and pictures are published."""
    folder = tmp_path_factory.mktemp("forty")
    return build_site(write_forty(folder), folder / "a sub folder" / "site")
