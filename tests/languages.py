"""What words questions in a language, for categories of these names."""

from __future__ import annotations

from hope_bench.files.language import Noun
from hope_bench.languages.worder import Worder, make_worder
from hope_bench.records import Category


def worder(language: str, *names: str, **own: Noun) -> Worder:
    return make_worder([Category(name) for name in names], language, own=own)
