"""Questions in words: the templates of a language, filled in with what goes with each noun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.language import LanguageTable, Noun, read_language
from hope_bench.languages.nouns import EnglishNouns, Nouns, Style, TableNouns, Words, fill
from hope_bench.records import Category


class Worder:
    """Words the questions about one vocabulary in one language. What can't be worded in it is None."""

    def __init__(self, table: LanguageTable, nouns: Nouns) -> None:
        self.table, self.nouns = table, nouns
        self._existence: dict[str, str] = {}

    def notes(self) -> tuple[str, ...]:
        """What is to be known of how the vocabulary is asked about, in sentences."""
        if not self.nouns.unknown:
            return ()
        names = counted(len(self.nouns.unknown), "category", "categories")
        example = self.existence(self.nouns.unknown[0])
        return (
            f"{names} ({first_few(self.nouns.unknown, 3)}) have no noun with a gender in the table of {self.table.code}: they "
            f"are asked about as they are called, without an article ({example}), and never described. [nouns] gives them one.",
        )

    def existence(self, category: str) -> str:
        """Whether a category is there: "Is there a dog in the image?"."""
        if category not in self._existence:
            words, questions = self.nouns.existing(category), self.table.questions
            plain = {"name": self.nouns.bare(category)}
            template = questions.existence if words is not None else questions.plain or questions.existence
            self._existence[category] = _question(template, plain if words is None else words)
        return self._existence[category]

    def attribute(self, category: str, value: str) -> str | None:
        """Whether there is one with an attribute ("red")."""
        return self._asked(self.table.questions.attribute, self.nouns.described(category, value), {})

    def counts(self, category: str) -> bool:
        """Whether there can be a number of them: not of a mass. One of which nothing is known may be counted or not."""
        return self.nouns.several(category) is not None or self.nouns.words(category) is None

    def count(self, category: str, number: int) -> str | None:
        """Whether there are exactly so many."""
        several = self.nouns.several(category)
        if several is None or number > len(self.table.numbers):
            return None
        template = self.table.questions.one if number == 1 else self.table.questions.several
        more = {"number": self.table.numbers[number - 1], "plural": several}
        return self._asked(template, self.nouns.words(category), more)

    def place(self, category: str, value: str) -> str | None:
        """Whether one is on a side or in a half of the image ("left", "right", "top", "bottom")."""
        place = self.table.places.get(value)
        return None if place is None else self._asked(self.table.questions.place, self.nouns.words(category), {"place": place})

    def relation(self, category: str, relation: str, other: str) -> str | None:
        """Whether one stands so to another thing ("left" of it, "behind" it)."""
        template, others = self.table.relations.get(relation), self.nouns.words(other)
        if template is None or others is None:
            return None
        phrase = fill(template, {f"other_{key}": word for key, word in others.items()})
        return self._asked(self.table.questions.relation, self.nouns.words(category), {"relation": phrase})

    def given(self, claim: str, begins: str) -> str | None:
        """Whether a person's own claim is true; `begins` is "Is" or "Are" in English."""
        return self._asked(self.table.questions.given, {"is": begins}, {"claim": claim})

    def _asked(self, template: str | None, words: Words | None, more: Words) -> str | None:
        return None if template is None or words is None else _question(template, {**words, **more})


def _question(template: str, words: Words) -> str:
    text = fill(template, words)
    return text[:1].upper() + text[1:]


def make_worder(
    categories: Sequence[Category], language: str = "en", style: Style = "pope", own: Mapping[str, Noun] | None = None
) -> Worder:
    """The worder of a vocabulary. `language` is "en", "de", "es" or a table's file, `style` how English asks whether something is
    there, `own` a spec's nouns by category. Raises HopeBenchError for what is wrong with any of them."""
    table = read_language(language)
    if table.rules == "table" and style != "pope":
        raise HopeBenchError(f'wording = "{style}" is how English asks, and language is {language!r}. Leave it out.')
    if table.rules == "table":
        return Worder(table, TableNouns(table, categories, own or {}))
    if own:
        raise HopeBenchError("[nouns] are for other languages: English goes by rules of its own. Leave them out.")
    return Worder(table, EnglishNouns(categories, style))
