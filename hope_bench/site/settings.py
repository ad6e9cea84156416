"""What a leaderboard's own settings say (leaderboard/site.toml, optional): where it stands, and where its results are kept."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, field_validator

from hope_bench.files.validation import Strict, read_toml

FILE = "site.toml"


class SiteSettings(Strict):
    """`address` is where the site is published, with which its pictures can be shared; `repository` where results are submitted,
    `docs` a documentation of one's own."""

    address: str | None = Field(default=None, max_length=500)
    repository: str | None = Field(default=None, max_length=500)
    docs: str | None = Field(default=None, max_length=500)

    @field_validator("address", "repository", "docs")
    @classmethod
    def _is_a_link(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError(f"{value!r} is no link: it must begin with https:// or http://")
        return value


def read_settings(leaderboard: Path) -> SiteSettings:
    """The settings beside a folder of results. Raises HopeBenchError naming the key that is off."""
    path = leaderboard / FILE
    return read_toml(path, SiteSettings) if os.path.lexists(path) else SiteSettings()
