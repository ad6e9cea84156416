"""JSON, TOML and tables taken apart, changed as nobody would expect, and written again: also as no writer would write them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

ODD_TEXTS = (
    "", " ", "\0", "\n", "\r\n", "\x1b[31m", "\x1b]0;t\x07", "\x9b1A", "\u202e", "\u2028", "\ufeff", "\ud800", "\udfff\ud83d",
    "\U0001f469",
    "a\u0301", "\u0300" * 40, "ß", "İ", "ﬁ", "..", "../x", "../../../x", "/etc/passwd", "C:\\x", "\\\\h\\x", "~", "~root",
    "a/b", "-x", "--out",
    "%s%n", "{}", "{0}", "{question}", "{question}{question}", "$(x)", "`x`", "<script>", "&lt;", "<!--", "]]>", "'", '"', "\\",
    "=1+1", ",", "\t",
    "null", "None", "nan", "true", "-0", "1e999", "0x10", "٣", "1_0", "yes", "no", "Yes.", "dog", "a", "the", "person", "a.jpg",
    ".", "/", "?",
    "is there a dog in the image?", "https://x.org/\x01", "javascript:x", "!!python/object:x", "http://[::1", "file:///x",
    "\\ud800", "\\u0000",
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2, -0.0, 0.5, 1.5, 1e-320, 1e308, -1e308, 2**31, -(2**31), 2**32, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**40,
    math.nan, math.inf,
    -math.inf, 255, 256, 65536, 10**9,
)  # fmt: skip


class Raw(str):
    """A piece of a file that is written as it is."""


class Pairs(list[tuple[str, Any]]):
    """An object's keys and values, of which two may be alike."""


RAWS = (
    Raw("NaN"), Raw("-Infinity"), Raw("1e999"), Raw("9" * 5000), Raw("-" + "9" * 400 + "e5"), Raw("01"),
    Raw("[" * 3000 + "]" * 3000), Raw("[" * 2000),
    Raw('{"a":' * 1500 + "1" + "}" * 1500), Raw('"\\ud800"'), Raw('"\\u0000"'), Raw('"\x01"'), Raw(""), Raw("nil"), Raw("'x'"),
    Raw('"x'), Raw("{}{}"),
    Raw("1." + "0" * 3000 + "1"), Raw("1979-05-27T07:32:00Z"), Raw("0xff"), Raw('"""x"""'),
)  # fmt: skip

Place = tuple[Any, Any]
"""What holds a value (a list; of an object the pairs), and which of them it is."""


def parsed(text: str) -> Any:
    """The tree in a JSON text. Raises ValueError or RecursionError."""
    return json.loads(text, object_pairs_hook=Pairs)


def tree_of(value: Any) -> Any:
    """Python's own value as a tree."""
    if isinstance(value, dict):
        return Pairs((str(key), tree_of(one)) for key, one in value.items())
    return [tree_of(one) for one in value] if isinstance(value, list | tuple) else value


def as_json(tree: Any) -> str:
    """The tree as JSON, or as near as it comes."""
    return _written(tree, ": ", json.dumps)


def as_toml(tree: Any) -> str:
    """The tree as TOML, its objects in line."""
    if not isinstance(tree, Pairs):
        return as_json(tree)
    return "".join(f"{json.dumps(key)} = {_written(value, ' = ', _toml_leaf)}\n" for key, value in tree)


def _written(tree: Any, between: str, leaf: Callable[[Any], str]) -> str:
    if isinstance(tree, Raw):
        return str(tree)
    if isinstance(tree, Pairs):
        return "{" + ", ".join(f"{json.dumps(key)}{between}{_written(value, between, leaf)}" for key, value in tree) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(_written(one, between, leaf) for one in tree) + "]"
    return leaf(tree)


def _toml_leaf(tree: Any) -> str:
    if isinstance(tree, float) and not math.isfinite(tree):
        return str(tree)
    return "1979-05-27" if tree is None else json.dumps(tree)


def places(tree: Any, deep: int = 60) -> Iterator[Place]:
    """Every value below the root, by what holds it."""
    if isinstance(tree, list) and deep:
        for index, one in enumerate(tree[:200]):
            yield tree, index
            yield from places(one[1] if isinstance(tree, Pairs) else one, deep - 1)


def get(place: Place) -> Any:
    held, index = place
    return held[index][1] if isinstance(held, Pairs) else held[index]


def put(place: Place, value: Any) -> None:
    held, index = place
    held[index] = (held[index][0], value) if isinstance(held, Pairs) else value


def changed(tree: Any, rng: random.Random) -> Any:
    """The tree, changed in place at one to three points, now and then at more; its root may be another one."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 8))):
        found = list(places(tree))
        if not found or rng.random() < 0.02:
            tree = odd_value(rng, tree)
            continue
        place = rng.choice(found)
        if place[1] < len(place[0]):
            rng.choice(_CHANGES)(place, found, rng)
    return tree


def odd_value(rng: random.Random, like: Any = None) -> Any:
    """A value that is seldom expected."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.choice(RAWS)
    if kind == 1:
        return rng.choice(
            (
                [],
                Pairs(),
                [[]],
                [None],
                [like],
                Pairs([("", like)]),
                [like] * rng.randint(2, 300),
                Pairs([("id", 1), ("name", "dog")]),
            )
        )
    if kind in (2, 3):
        return rng.choice(ODD_NUMBERS)
    return rng.choice((None, True, False)) if kind == 4 else odd_text(rng)


def odd_text(rng: random.Random) -> str:
    text = rng.choice(ODD_TEXTS)
    length = rng.random()
    if length < 0.04:
        return text * rng.choice((300, 5000, 30_000))
    return text + rng.choice(ODD_TEXTS) if length < 0.3 else text


def odd_in(text: str, rng: random.Random) -> str:
    """A text changed a little, or without end."""
    at = rng.randint(0, len(text))
    put_in = rng.choice(ODD_TEXTS)
    kind = rng.randrange(7)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[at:] + text[:at]
    if kind == 2:
        return text.upper() if rng.random() < 0.5 else text.swapcase()
    if kind == 3:
        return (text + rng.choice(("", " ", ", ", "\n"))) * rng.choice((2, 2, 3, 100, 2000))
    return text[:at] + put_in + text[at + rng.randint(0, 2) :]


def _replace(place: Place, _: Any, rng: random.Random) -> None:
    put(place, odd_value(rng, get(place)))


def _tweak(place: Place, _: Any, rng: random.Random) -> None:
    value = get(place)
    if isinstance(value, str) and not isinstance(value, Raw):
        put(place, odd_in(value, rng))
    elif isinstance(value, bool) or value is None:
        put(place, rng.choice((None, True, False, 0, 1, "true")))
    elif isinstance(value, int | float):
        put(
            place,
            rng.choice(
                (
                    -value,
                    value + 1,
                    value - 1,
                    value * 1000,
                    value + 0.5,
                    str(value),
                    [value],
                    float(value) if abs(value) < 1e300 else 0,
                )
            ),
        )
    elif isinstance(value, list):
        _reorder(value, rng)


def _reorder(value: Any, rng: random.Random) -> None:
    kind = rng.randrange(4)
    if kind == 0:
        value.clear()
    elif kind == 1:
        rng.shuffle(value)
    elif kind == 2 and len(value) < 500:
        value.extend(value * rng.choice((1, 1, 20)))
    else:
        del value[rng.randint(0, len(value)) :]


def _remove(place: Place, _: Any, __: random.Random) -> None:
    del place[0][place[1]]


def _double(place: Place, _: Any, rng: random.Random) -> None:
    held, index = place
    held.insert(rng.randint(0, len(held)), held[index])


def _double_key(place: Place, _: Any, rng: random.Random) -> None:
    held, index = place
    if isinstance(held, Pairs):
        held.append((held[index][0], odd_value(rng)))


def _rename(place: Place, found: list[Place], rng: random.Random) -> None:
    held, index = place
    if isinstance(held, Pairs):
        names = [one[0][one[1]][0] for one in found if isinstance(one[0], Pairs) and one[1] < len(one[0])]
        name = held[index][0]
        held[index] = (rng.choice((rng.choice(names or [""]), odd_text(rng), odd_in(name, rng), name.upper())), held[index][1])


def _swap(place: Place, found: list[Place], rng: random.Random) -> None:
    other = rng.choice(found)
    if other[1] < len(other[0]) and not _within(get(place), other[0]) and not _within(get(other), place[0]):
        one, two = get(place), get(other)
        put(place, two)
        put(other, one)


def _copy(place: Place, found: list[Place], rng: random.Random) -> None:
    other = rng.choice(found)
    if other[1] < len(other[0]) and not _within(get(other), place[0]):
        put(place, get(other))


def _within(tree: Any, wanted: Any) -> bool:
    """Whether a tree holds what would then hold itself."""
    if not isinstance(tree, list):
        return False
    return tree is wanted or any(_within(one[1] if isinstance(tree, Pairs) else one, wanted) for one in tree)


def _wrap(place: Place, _: Any, rng: random.Random) -> None:
    value = get(place)
    put(place, rng.choice(([value], [value, value], Pairs([("id", value)]), [[value]])))


def _unwrap(place: Place, _: Any, rng: random.Random) -> None:
    value = get(place)
    if isinstance(value, list) and value:
        one = rng.choice(value)
        put(place, one[1] if isinstance(value, Pairs) else one)


def _add(place: Place, _: Any, rng: random.Random) -> None:
    held, index = place
    held.insert(index, (odd_text(rng), odd_value(rng)) if isinstance(held, Pairs) else odd_value(rng))


_CHANGES: tuple[Callable[[Place, list[Place], random.Random], None], ...] = (
    _replace, _replace, _replace, _tweak, _tweak, _tweak, _remove, _double, _double_key, _rename, _swap, _copy, _wrap, _unwrap,
    _add,
)  # fmt: skip
