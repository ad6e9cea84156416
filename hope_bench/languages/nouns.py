"""What goes with a noun in a question: its article, verb, plural and attributes, by a language's table or by English rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from hope_bench.errors import HopeBenchError, did_you_mean, first_few
from hope_bench.files.language import LanguageTable, Noun, check_noun
from hope_bench.files.placeholders import PLACEHOLDER
from hope_bench.records import Category
from hope_bench.wording import bare, existence_words, indefinite, is_counted, plural, verb

Style = Literal["pope", "natural"]
Words = Mapping[str, str]
"""What the placeholders of a template stand for."""


class Nouns(Protocol):
    """The words that go with each category of a vocabulary. None: that can't be said."""

    def existing(self, category: str) -> Words | None:
        """To ask whether there is one; None where only the bare name is known."""
        ...

    def words(self, category: str) -> Words | None:
        """To say anything else of one."""
        ...

    def described(self, category: str, value: str) -> Words | None:
        """To speak of one with an attribute."""
        ...

    def several(self, category: str) -> str | None:
        """The plural; None of what isn't counted."""
        ...

    def bare(self, category: str) -> str:
        """The name alone."""
        ...

    @property
    def unknown(self) -> tuple[str, ...]:
        """The categories of whose nouns nothing is known that questions need."""
        ...


class EnglishNouns:
    """By the rules of wording.py; `style` is how a question asks whether something is there."""

    def __init__(self, categories: Sequence[Category], style: Style) -> None:
        self._spoken = {category.name: category.in_words for category in categories}
        self._style: Style = style

    def existing(self, category: str) -> Words | None:
        """ "Is" and "an apple", "Are" and "scissors"."""
        begins, some = existence_words(self._spoken[category], self._style)
        return {"is": begins, "some": some, "name": self.bare(category)}

    def words(self, category: str) -> Words | None:
        """The same by sound and number, whatever the style."""
        name = self._spoken[category]
        return {"is": verb(name), "some": indefinite(name), "name": self.bare(category)}

    def described(self, category: str, value: str) -> Words | None:
        """ "Is" and "a red car"."""
        name = self._spoken[category]
        return {"is": verb(name), "some": indefinite(name, value), "name": self.bare(category), "attribute": value}

    def several(self, category: str) -> str | None:
        """ "dogs"; None of "broccoli" and "gloves"."""
        return plural(self.bare(category)) if is_counted(self._spoken[category]) else None

    def bare(self, category: str) -> str:
        """ "dog" of "a dog"."""
        return bare(self._spoken[category])

    @property
    def unknown(self) -> tuple[str, ...]:
        """None: the rules are for every word."""
        return ()


class TableNouns:
    """By the nouns of a language's table, and `own` ones before them. A category is found by its name or by how it is said, in
    any case, and a noun also by its own name: annotations may be in the language already."""

    def __init__(self, table: LanguageTable, categories: Sequence[Category], own: Mapping[str, Noun]) -> None:
        """Raises HopeBenchError where an own noun is of no category or can't be one of the language's, or where two categories
        are called the same."""
        self._table = table
        self._spoken = {category.name: category.in_words for category in categories}
        known = {said.casefold(): noun for noun in table.nouns.values() for said in [noun.name or ""] if said}
        known |= {key.casefold(): noun for key, noun in table.nouns.items()}
        known |= _checked(own, categories, table, known)
        self._nouns = {one.name: _first(known, one.name, one.in_words) or Noun() for one in categories}
        self._refuse_equal()

    def _refuse_equal(self) -> None:
        called: dict[str, list[str]] = {}
        for category in self._nouns:
            called.setdefault(self.bare(category).casefold(), []).append(category)
        for name, same in called.items():
            if len(same) > 1:
                raise HopeBenchError(
                    f"{first_few(map(repr, same), 3)} would all be called {name!r} in the questions. Give each a name of its own "
                    f"in [nouns], such as: {same[0]!r} = {{ name = ... }}."
                )

    @property
    def unknown(self) -> tuple[str, ...]:
        """The categories of whose nouns nothing is known that questions need."""
        return tuple(name for name in self._nouns if self._unknown(name))

    def _unknown(self, category: str) -> bool:
        return bool(self._table.genders) and self._nouns[category].gender is None

    def existing(self, category: str) -> Words | None:
        """As `words`."""
        return self.words(category)

    def words(self, category: str) -> Words | None:
        """The words of its gender, the name and its forms; None where the gender isn't known."""
        if self._unknown(category):
            return None
        noun, name = self._nouns[category], self.bare(category)
        words = {"name": name, **{form: noun.forms.get(form, name) for form in self._table.forms}}
        words |= self._table.genders.get(noun.gender or "", {})
        return {**words, "a": ""} if noun.uncounted else words

    def described(self, category: str, value: str) -> Words | None:
        """With "roter Hund", "taza roja", "Stuhl aus Holz": an attribute in the form that the gender asks for."""
        words = self.words(category)
        known = self._table.attributes.get(value, self._table.attributes.get(value.lower()))
        if words is None or known is None:
            return None
        gender = words.get("attributes_of", self._nouns[category].gender or "")
        form = known if isinstance(known, str) else known.get(gender)
        if form is None:
            return None
        form = form.replace("*", words.get("ending", ""))
        template = form if "{name}" in form else self._table.questions.described or "{attribute} {name}"
        return {**words, "described": fill(template, {**words, "attribute": form})}

    def several(self, category: str) -> str | None:
        """The noun's plural; where the language counts without one, its name."""
        noun = self._nouns[category]
        needs_plural = "{plural}" in (self._table.questions.several or "{plural}")
        return noun.plural if needs_plural or noun.uncounted else self.bare(category)

    def bare(self, category: str) -> str:
        """What the noun is called, or else the category."""
        return self._nouns[category].name or self._spoken[category]


def fill(template: str, words: Words) -> str:
    """A template with its placeholders filled in, with single spaces."""
    return " ".join(PLACEHOLDER.sub(lambda found: words.get(found[1], ""), template).split())


def _first(known: Mapping[str, Noun], *names: str) -> Noun | None:
    return next((known[name.casefold()] for name in names if name.casefold() in known), None)


def _checked(
    own: Mapping[str, Noun], categories: Sequence[Category], table: LanguageTable, known: Mapping[str, Noun]
) -> dict[str, Noun]:
    """A spec's nouns by what they are found by. One without a name is the table's `known` one with these changes."""
    names = {said.casefold(): said for one in categories for said in (one.name, one.in_words)}
    found: dict[str, Noun] = {}
    for key, noun in own.items():
        if key.casefold() not in names:
            raise HopeBenchError(f"[nouns] names {key!r}: no category is called so. {did_you_mean(key, names.values())}")
        try:
            check_noun(key, noun, table)
        except ValueError as error:
            raise HopeBenchError(f"The spec's {error}") from None
        before = known.get(key.casefold(), Noun()) if noun.name is None else Noun()
        found[key.casefold()] = before.model_copy(update={one: getattr(noun, one) for one in noun.model_fields_set})
    return found
