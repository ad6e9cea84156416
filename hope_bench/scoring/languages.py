"""How other languages say yes and no, for the `strict` convention's option; English is always understood."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hope_bench.errors import HopeBenchError, did_you_mean

LANGUAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ar": (("نعم", "أجل"), ("لا", "كلا")),
    "de": (("ja", "jawohl"), ("nein", "nee")),
    "es": (("sí", "si"), ("no",)),
    "fr": (("oui",), ("non",)),
    "hi": (("हाँ", "हां", "जी हाँ"), ("नहीं", "नही")),
    "id": (("ya", "iya"), ("tidak", "bukan")),
    "it": (("sì", "si"), ("no",)),
    "ja": (("はい", "あります"), ("いいえ", "ありません")),
    "ko": (("네", "예", "있습니다"), ("아니요", "아니오", "아뇨", "없습니다")),
    "nl": (("ja",), ("nee", "neen")),
    "pl": (("tak",), ("nie",)),
    "pt": (("sim",), ("não", "nao")),
    "ru": (("да",), ("нет",)),
    "tr": (("evet",), ("hayır",)),
    "vi": (("có",), ("không",)),
    "zh": (("是", "有", "对"), ("不是", "不", "否", "没有", "沒有", "没")),
}
"""The words for yes and for no, by ISO 639-1 code, in lower case."""

_WITHOUT_SPACES = ("ja", "ko", "zh")
"""Languages in which a word may stand against the next one."""


def word_pattern(languages: Iterable[str], side: int) -> str:
    """A regular expression of the words for yes (`side` 0) or no (1) in the languages; it never matches where there are none.

    Raises HopeBenchError for an unknown language.
    """
    alternatives = []
    for language in languages:
        if language not in LANGUAGES:
            raise HopeBenchError(f"No words for yes and no in language {language!r}. " + did_you_mean(language, LANGUAGES))
        words = sorted(LANGUAGES[language][side], key=len, reverse=True)
        joined = "|".join(map(re.escape, words))
        alternatives.append(f"(?:{joined})" if language in _WITHOUT_SPACES else rf"(?<!\w)(?:{joined})(?!\w)")
    return "|".join(alternatives) or r"(?!)"
