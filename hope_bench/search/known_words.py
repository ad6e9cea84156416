"""Other words for categories: those that a spec or an annotation file brings, and English ones for COCO's and Objects365's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hope_bench.annotations.wording import alternatives
from hope_bench.errors import HopeBenchError, did_you_mean, first_few
from hope_bench.files.reading import normalized
from hope_bench.files.spec import BenchmarkSpec
from hope_bench.files.validation import Strict, read_toml
from hope_bench.records import Annotations, Category
from hope_bench.wording import bare, forms


class _Known(Strict):
    same: Mapping[str, tuple[str, ...]]
    mentioned: Mapping[str, tuple[str, ...]]


class OntologyTable(Strict):
    """An ontology table: lists of names that are related, so that none is claimed absent where another is present."""

    related: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...]


def with_words(annotations: Annotations, spec: BenchmarkSpec) -> Annotations:
    """The annotations, each category with every word that may stand for it: its own synonyms, then those of the spec's
    [synonyms], of its ontology table, and (unless `guards.known_synonyms` is off) the shipped ones.

    Raises HopeBenchError where a synonym is of no category, or a line of the ontology table names none.
    """
    categories = annotations.categories
    more = _own_words(categories, spec.synonyms)
    if spec.guards.ontology_table is not None:
        for place, related in _table_words(categories, Path(spec.guards.ontology_table)):
            more[place] += related
    if spec.guards.known_synonyms:
        mentioned = [_shipped(category, _known().mentioned) for category in categories]
        for category, own in zip(categories, more, strict=True):
            own += _shipped(category, _known().same)
    else:
        mentioned = [[] for _ in categories]
    extended = tuple(
        replace(category, synonyms=tuple(dict.fromkeys((*category.synonyms, *words))), mentioned_as=tuple(hints))
        for category, words, hints in zip(categories, more, mentioned, strict=True)
    )
    return replace(annotations, categories=extended)


def word_keys(words: Iterable[str]) -> frozenset[str]:
    """What words are found by: in the singular and the plural, without case, spaces, hyphens and articles. "Wine-glass",
    "wineglass" and "wine glasses" share theirs."""
    return frozenset(chain.from_iterable(_keys(word) for word in words))


@cache
def _keys(word: str) -> frozenset[str]:
    plain = as_words(bare(word))
    return frozenset(form.replace(" ", "") for form in forms(plain)) if plain else frozenset()


def as_words(text: str) -> str:
    """A text's words in lower case, without punctuation: "A dog's wine-glass" is "a dog wine glass". Letters that are written in
    several ways (an accent of its own, as macOS writes file names) are one."""
    plain = normalized(text, "NFKC").lower()
    return " ".join(re.sub(r"[^\w\s]|_", " ", re.sub(r"['’]s\b", " ", plain)).split())


def without_spaces(word: str) -> bool:
    """Whether a word is of a script that puts none between words (Chinese, Japanese, Thai): it may stand anywhere in a text."""
    return re.search("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]", word) is not None


def category_keys(category: Category) -> frozenset[str]:
    """The keys of a category's name, of how questions say it, and of its synonyms."""
    return word_keys((category.name, category.in_words, *category.synonyms))


def same_things(categories: Sequence[Category]) -> list[tuple[int, int]]:
    """The pairs of categories that some word stands for both of, in their order: "person" and "people", "couch" and "sofa"."""
    by_key: dict[str, list[int]] = {}
    for place, category in enumerate(categories):
        for key in category_keys(category):
            by_key.setdefault(key, []).append(place)
    return sorted({(one, other) for places in by_key.values() for one in places for other in places if one < other})


def _own_words(categories: Sequence[Category], synonyms: Mapping[str, Sequence[str]]) -> list[list[str]]:
    by_name = {name: place for place, category in enumerate(categories) for name in (category.in_words, category.name)}
    more: list[list[str]] = [[] for _ in categories]
    unknown = [name for name in synonyms if name not in by_name]
    if unknown:
        raise HopeBenchError(
            f"[synonyms] gives words for {first_few(map(repr, unknown), 3)}: no category of that name. "
            + did_you_mean(unknown[0], by_name)
        )
    for name, words in synonyms.items():
        more[by_name[name]] += words
    return more


def _table_words(categories: Sequence[Category], path: Path) -> list[tuple[int, tuple[str, ...]]]:
    """By category the words that a table relates to it. Its words may be no categories, but one of each line must be."""
    keys = [category_keys(category) for category in categories]
    found: list[tuple[int, tuple[str, ...]]] = []
    for names in read_toml(path, OntologyTable).related:
        wanted = word_keys(names)
        places = [place for place, own in enumerate(keys) if own & wanted]
        if not places:
            known = did_you_mean(names[0], [category.name for category in categories])
            raise HopeBenchError(
                f"{path} relates {', '.join(map(repr, names))}, of which none is a category or a synonym. {known}"
            )
        found += [(place, names) for place in places]
    return found


def _shipped(category: Category, table: Mapping[str, Sequence[str]]) -> list[str]:
    names = dict.fromkeys(as_words(name) for name in (category.in_words, category.name, *alternatives(category.name)))
    return [word for name in names for word in table.get(name, ())]


@cache
def _known() -> _Known:
    known = read_toml(Path(__file__).with_suffix(".toml"), _Known)
    tables = ({as_words(name): words for name, words in table.items()} for table in (known.same, known.mentioned))
    same, mentioned = tables
    return _Known(same=same, mentioned=mentioned)
