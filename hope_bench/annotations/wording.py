"""Category names as words: what a question says for "alarm_clock", "bow_(weapon)", "Cabinet/shelf" or "Traffic light"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_ASIDE = re.compile(r"\s*\([^()]*\)")
_AFTER_ASIDE = re.compile(r"(?<=\S)\s*\([^()]*\)\s+\S.*")
_PROPER = frozenset(("American", "Chinese", "Christmas", "English", "French", "Swiss"))
_MISSPELT = {
    "bakset": "basket", "ballon": "balloon", "billards": "billiards", "buttefly": "butterfly", "dinning": "dining",
    "extention": "extension", "hotair": "hot-air", "measur": "measure", "moniter": "monitor", "mushroon": "mushroom",
    "noddles": "noodles", "teniis": "tennis",
}  # fmt: skip
"""Words of zhiyuan_objv2_{train,val}.json: a question with a typo would test reading, not looking."""


def words(name: str) -> str:
    """Underscores as spaces, single spaces: "alarm_clock" is "alarm clock"."""
    return " ".join(name.replace("_", " ").split())


def without_aside(name: str) -> str:
    """The words without a remark in parentheses: "bow (weapon)" is "bow". A name that is all remark stays, and of LVIS' one name
    that goes on after its remark, "monitor (computer equipment) computer monitor", "monitor" stays."""
    return words(_ASIDE.sub(" ", _AFTER_ASIDE.sub("", name))) or name


def plain_names(names: Sequence[str]) -> list[str]:
    """LVIS names as words, without their remarks in parentheses where they stay distinct.

    "pop_(soda)" becomes "pop", while "bow_(weapon)" and "bow_(decorative_ribbons)" keep theirs. Distinct names stay distinct.
    """
    readable = _unless_equal([words(name) for name in names], names)
    return _unless_equal([without_aside(name) for name in readable], readable)


def spoken_names(names: Sequence[str]) -> list[str | None]:
    """How questions say published names, None where that is the name itself or would make two categories equal.

    "Cabinet/shelf" is "cabinet or shelf", "traffic_light" is "traffic light", "Drill (Tool)" is "drill". Capitals go only where
    nearly every name of the dataset starts with one, since then they say nothing (Objects365 has one name that doesn't); words
    of capitals alone, such as TV, keep theirs, and so do American and French. Misspelt words of Objects365 are spelt right.
    """
    capitals = sum(name[:1].isupper() for name in names) > 0.95 * len(names)
    readable = _unless_equal([_spoken(name, capitals) for name in names], names)
    spoken = _unless_equal([without_aside(name) for name in readable], readable)
    return [one if one != name else None for one, name in zip(spoken, names, strict=True)]


def alternatives(name: str) -> tuple[str, ...]:
    """The words that a name with slashes offers: "Cabinet/shelf" gives "Cabinet" and "shelf"; none for other names."""
    parts = [words(part) for part in name.split("/") if part.strip()]
    return tuple(parts) if len(parts) > 1 else ()


def _spoken(name: str, lower: bool) -> str:
    text = words(" or ".join(alternatives(name)) or name)
    return " ".join(_word(word) for word in text.split(" ")) if lower else text


def _word(word: str) -> str:
    if (len(word) > 1 and word.isupper()) or word in _PROPER:
        return word
    return _MISSPELT.get(word.lower(), word.lower())


def _unless_equal(changed: Sequence[str], originals: Sequence[str]) -> list[str]:
    """Each changed name, or its original where another category's changed or original name is the same."""
    taken = Counter(changed) + Counter(original for new, original in zip(changed, originals, strict=True) if new != original)
    return [new if taken[new] == 1 else original for new, original in zip(changed, originals, strict=True)]
