"""Category names as words: what a question says for "alarm_clock", "bow_(weapon)", "Cabinet/shelf" or "Traffic light"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from hope_bench.wording import bare, is_abbreviation

_ASIDE = re.compile(r"\s*\([^()]*\)")
_AFTER_ASIDE = re.compile(r"(?<=\S)\s*\([^()]*\)\s+\S.*")
_PROPER = frozenset(
    (
        "African", "American", "Asian", "Australian", "British", "Canadian", "Chinese", "Christmas", "Danish", "Dutch", "Easter",
        "English", "European", "French", "German", "Greek", "Halloween", "Indian", "Irish", "Italian", "Japanese", "Korean",
        "Mexican", "Russian", "Spanish", "Swiss", "Thai", "Turkish",
    )
)  # fmt: skip
_BRANDS = frozenset(
    (
        "AirPods", "BlackBerry", "DeLorean", "FedEx", "GitHub", "GoPro", "LinkedIn", "MacBook", "MasterCard", "McDonalds",
        "OnePlus", "PayPal", "PlayStation", "PowerPoint", "ThinkPad", "TikTok", "WhatsApp", "YouTube",
    )
)  # fmt: skip
"""Written with a capital within: one word each."""
_MISSPELT = {
    "bakset": "basket", "ballon": "balloon", "billards": "billiards", "buttefly": "butterfly", "dinning": "dining",
    "extention": "extension", "hotair": "hot-air", "measur": "measure", "moniter": "monitor", "mushroon": "mushroom",
    "noddles": "noodles", "teniis": "tennis", "ipod": "iPod",
}  # fmt: skip
"""Words of zhiyuan_objv2_{train,val}.json (and Open Images' Ipod): a question with a typo would test reading, not looking."""


_SPOKEN_OBJECTS365 = {
    "Canned": "canned food", "Curling": "curling stone", "Formula 1": "Formula 1 car", "French": "French horn",
    "Hami melon": "Hami melon", "Head Phone": "headphones", "Soccer": "soccer ball", "Table Tennis": "table tennis ball",
    "Tennis": "tennis ball", "Tong": "tongs", "Trash bin Can": "trash can",
}  # fmt: skip
"""What Objects365 boxes under names that say something else, or too little."""

_SLASH = re.compile(r"\s*/\s*")
_SYNSET = re.compile(r"(.+)\.[nvasr]\.\d\d")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LOWER_CAMEL = re.compile(r"[a-z]{2,}(?:[A-Z][a-z]*|[A-Z]+)+\d*")
_UPPER_CAMEL = re.compile(r"(?:[A-Z][a-z]+|[A-Z]+(?=[A-Z][a-z]))(?:[A-Z][a-z]+|[A-Z]+)+\d*")
_EDGES = " .,;:!?\"'`-"
_SHORT = ((re.compile(r"\bw/o\b\s*", re.IGNORECASE), "without "), (re.compile(r"\bw/(?:\s+|(?=\w\w))", re.IGNORECASE), "with "),
          (re.compile(r"\band/or\b", re.IGNORECASE), "or"), (re.compile(r"\s&\s"), " and "))  # fmt: skip


_LONGEST_NAME = 500
"""Characters of a name that is looked at for alternatives: each of its slashes looks around itself."""


def words(name: str) -> str:
    """Underscores as spaces, single spaces: "alarm_clock" is "alarm clock"."""
    return " ".join(name.replace("_", " ").split())


def without_aside(name: str) -> str:
    """The words without a remark in parentheses: "bow (weapon)" is "bow". A name that is all remark stays, and of LVIS' one name
    that goes on after its remark, "monitor (computer equipment) computer monitor", "monitor" stays."""
    single = " ".join(name.split())
    return words(_ASIDE.sub(" ", _AFTER_ASIDE.sub("", single))) or name


def plain_names(names: Sequence[str]) -> list[str]:
    """LVIS names as words, without their remarks in parentheses where they stay distinct.

    "pop_(soda)" becomes "pop", while "bow_(weapon)" and "bow_(decorative_ribbons)" keep theirs. Distinct names stay distinct.
    """
    readable = _unless_equal([words(name) for name in names], names)
    return _unless_equal([without_aside(name) for name in readable], readable)


def spoken_names(names: Sequence[str]) -> list[str | None]:
    """How questions say published names, None where that is the name itself or would make two categories equal.

    "Cabinet/shelf" is "cabinet or shelf" and "A/C unit" itself, "traffic_light" is "traffic light", "Drill (Tool)" is "drill",
    and "a  dog" is "dog", as the question has an article of its own; "trafficLight" is "traffic light" (and so is "TrafficLight"
    where two names or more are written so and none in words), and WordNet's "person.n.01" is "person". Capitals go only where
    nearly every name of the dataset starts with one, since then they say nothing (Objects365 has one name that doesn't); words of
    capitals alone, such as TV, keep theirs unless all names are ("TRAFFIC LIGHT"), and so do American and French. Misspelt words
    of Objects365 are spelt right, and where a vocabulary is Objects365's, "Soccer" is "soccer ball".
    """
    capitals = sum(name[:1].isupper() for name in names) > 0.95 * len(names)
    own = _SPOKEN_OBJECTS365 if len(_SPOKEN_OBJECTS365.keys() & {words(name) for name in names}) > 5 else {}
    shouted = _shouted(names)
    said = [_spoken(shouted.get(name, part), capitals) for name, part in zip(names, _parted(names), strict=True)]
    readable = _unless_equal([own.get(words(name)) or one for name, one in zip(names, said, strict=True)], names)
    spoken = _unless_equal([without_aside(name) for name in readable], readable)
    return [one if one != name else None for one, name in zip(spoken, names, strict=True)]


def _parted(names: Sequence[str]) -> list[str]:
    """Names without WordNet's numbers, those that run their words together parted: "stopSign", and "StopSign" beside its like."""
    texts = [found[1] if (found := _SYNSET.fullmatch(name)) else name for name in names]
    run_together = [name for name in texts if name not in _BRANDS and _UPPER_CAMEL.fullmatch(name)]
    together = len(run_together) > 1 and not any(" " in words(name) for name in texts)

    def parts(name: str) -> str:
        if name in _BRANDS:
            return name
        if _LOWER_CAMEL.fullmatch(name) or (together and _UPPER_CAMEL.fullmatch(name)):
            return " ".join(_word(word) for word in _CAMEL.sub(" ", name).split())
        return name

    return [parts(name) for name in texts]


def _shouted(names: Sequence[str]) -> dict[str, str]:
    """Names in small letters where all are in capitals, and some are longer than an abbreviation: "CAR" beside "PEDESTRIAN"; what
    is spelled or pronounced as an abbreviation (SUV, LED) keeps them."""
    if not all(name.isupper() for name in names) or not any(len(word) > 4 for name in names for word in words(name).split()):
        return {}
    return {name: " ".join(word if is_abbreviation(word) else word.lower() for word in words(name).split()) for name in names}


def alternatives(name: str) -> tuple[str, ...]:
    """The words that a name with slashes offers: "Cabinet/shelf" gives "Cabinet" and "shelf", "Cutting/chopping Board" "Cutting
    Board" and "chopping Board"; none for other names, such as "A/C unit"."""
    parts = [words(part) for part in _split(name) if part.strip()]
    if len(parts) < 2:
        return ()
    last = parts[-1].split(" ")
    shared = last[1:] if len(last) == 2 and last[0].endswith("ing") else []
    return tuple(" ".join([part, *shared]) if shared and part.endswith("ing") else part for part in parts)


def _split(name: str) -> list[str]:
    """A name at the slashes that stand for "or": not at those of an abbreviation or a number ("A/C", "w/o", "24/7")."""
    name = " ".join(name.split())
    if len(name) > _LONGEST_NAME:
        return [name]
    parts, start = [], 0
    for slash in _SLASH.finditer(name):
        before, after = (
            re.split(r"[\s(]", name[start : slash.start()])[-1],
            re.split(r"[\s)]", name[slash.end() :])[0],
        )
        if len(slash[0]) > 1 or not any(len(one) < 2 or one[0].isdigit() for one in (before, after)):
            parts.append(name[start : slash.start()])
            start = slash.end()
    return [*parts, name[start:]]


def _spoken(name: str, lower: bool) -> str:
    text = " ".join(name.split())
    for short, said in _SHORT:
        text = short.sub(said, text)
    text = words(" or ".join(part.strip() for part in _split(text) if part.strip()))
    text = bare(text.strip(_EDGES)) or name
    return " ".join(_word(word) for word in text.split(" ")) if lower else text


def _word(word: str) -> str:
    if re.fullmatch(r"[A-Z]{2,}s", word) or (len(word) > 1 and word.isupper()) or word in _PROPER | _BRANDS:
        return word
    if "-" in word:  # T-shirt, USB-cable
        return "-".join(part if part.isupper() else _MISSPELT.get(part.lower(), part.lower()) for part in word.split("-"))
    return _MISSPELT.get(word.lower(), word.lower())


def _unless_equal(changed: Sequence[str], originals: Sequence[str]) -> list[str]:
    """Each changed name, or its original where another category's changed or original name is the same."""
    taken = Counter(changed) + Counter(original for new, original in zip(changed, originals, strict=True) if new != original)
    return [new if taken[new] == 1 else original for new, original in zip(changed, originals, strict=True)]
