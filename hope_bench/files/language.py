"""A language's table (a TOML file): how questions are worded in it, what its nouns are, and how it says yes and no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.placeholders import PLACEHOLDER, check_placeholders, check_prompt
from hope_bench.files.validation import Strict, read_toml

SHIPPED = Path(__file__).parents[1] / "languages"
"""The folder of the tables that come with hope-bench."""

WRITTEN_HERE = "name", "plural", "number", "attribute", "described", "place", "relation", "claim"
"""What a template may hold besides the words of a gender and the further forms of nouns."""
_ENGLISH = ("is", "some", "other_name")
_CODE = r"^[a-z]{2,3}(-[A-Za-z]+)?$"
PLACES = ("left", "right", "top", "bottom")


class Answers(Strict):
    """How answers are read in a language, all in lower case.

    `yes` and `no` answer at the beginning or end of a clause, those of them that are `alone` only where a clause holds nothing
    else. A clause that names what is asked about says no where a word of `none_of` stands before that, or a negator beside one of
    `affirm`; it says yes where it holds one of `affirm` and no word of either, or nothing but the thing. Of `pronouns` one may
    stand for the thing, where all other words are of these lists, of the questions' frame or `fillers`. One of `doubt` leaves the
    answer unread. `endings` are what a word may have behind it and still be the same. `spaces` says whether words stand apart: if
    not, any of these is found wherever it stands, but not within a longer one.
    """

    yes: tuple[str, ...] = Field(min_length=1)
    no: tuple[str, ...] = Field(min_length=1)
    alone: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    negators: tuple[str, ...] = ()
    affirm: tuple[str, ...] = ()
    pronouns: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()
    doubt: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    spaces: bool = True


class AnswerWords(Answers):
    """The same as a manifest records it, with the language's `code` and the `frame`: the words of its questions that don't say
    what is asked about."""

    code: str = Field(pattern=_CODE)
    frame: tuple[str, ...] = ()


class Noun(Strict):
    """What a category is called: `name` (None: as the annotations call it), its `gender` (None: unknown), its `plural` (None: it
    isn't counted), whether it is a mass that takes no article (`uncounted`), and further `forms` that templates ask for, where
    they aren't the name itself."""

    name: str | None = None
    gender: str | None = None
    plural: str | None = None
    uncounted: bool = False
    forms: Mapping[str, str] = {}


class Templates(Strict):
    """The questions. One that is missing isn't asked in the language; `plain` is existence without any grammar, for nouns of
    unknown gender. `one` and `several` are about exact numbers, `described` an attribute with its noun, `place` the image's sides
    and halves, `relation` how one thing stands to another, and `given` holds a person's own claim."""

    existence: str
    plain: str | None = None
    described: str | None = None
    attribute: str | None = None
    one: str | None = None
    several: str | None = None
    place: str | None = None
    relation: str | None = None
    given: str | None = None


class LanguageTable(Strict):
    """One language. `prompt` is how a benchmark in it asks for yes or no. `genders` holds the words that go with a noun of each
    gender (of English nouns wording.py knows them: `rules`), and `ending`, which stands for * in `attributes`; a gender that
    shares another's attributes says so in `attributes_of`. `numbers` begin with one."""

    code: str = Field(pattern=_CODE)
    prompt: str
    rules: Literal["english", "table"] = "table"
    answers: Answers
    questions: Templates
    genders: Mapping[str, Mapping[str, str]] = {}
    forms: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    places: Mapping[str, str] = {}
    relations: Mapping[str, str] = {}
    attributes: Mapping[str, str | Mapping[str, str]] = {}
    nouns: Mapping[str, Noun] = {}

    @field_validator("prompt")
    @classmethod
    def _asks(cls, prompt: str) -> str:
        return check_prompt(prompt)

    @model_validator(mode="after")
    def _consistent(self) -> LanguageTable:
        known = self.placeholders()
        texts = {f"questions.{key}": text for key, text in self.questions if text is not None}
        texts |= {f"relations.{key}": text for key, text in self.relations.items()}
        for where, text in texts.items():
            check_placeholders(text, known, where)
        if "{name}" not in self.questions.existence and self.rules == "table":
            raise ValueError('questions.existence must hold "{name}"')
        if self.genders and self.questions.plain is None:
            raise ValueError("questions.plain is missing: nouns of unknown gender are asked about by it")
        for gender, own in self.genders.items():
            if missing := [word for word in self._gender_words() if word not in own]:
                raise ValueError(f"genders.{gender} has no {missing[0]!r}, which other genders have")
        for key in self.places:
            if key not in PLACES:
                raise ValueError(f"places: no place {key!r}. " + did_you_mean(key, PLACES))
        for name, noun in self.nouns.items():
            check_noun(name, noun, self)
        return self

    def placeholders(self) -> tuple[str, ...]:
        """Everything that a template may hold."""
        if self.rules == "english":
            return (*WRITTEN_HERE, *_ENGLISH)
        own = ("name", *self._gender_words(), *self.forms)
        return (*dict.fromkeys((*WRITTEN_HERE, *own, *(f"other_{word}" for word in own))),)

    def _gender_words(self) -> tuple[str, ...]:
        words = dict.fromkeys(word for own in self.genders.values() for word in own)
        return tuple(word for word in words if word not in ("ending", "attributes_of"))

    def words(self) -> AnswerWords | None:
        """How answers are read, as a manifest records it; None of English, which is always understood."""
        if self.code == "en":
            return None
        texts = [text for _, text in self.questions if text is not None]
        return AnswerWords(**self.answers.model_dump(), code=self.code, frame=self._frame(texts))

    def _frame(self, texts: Iterable[str]) -> tuple[str, ...]:
        own = [word for gender in self.genders.values() for key, word in gender.items() if key not in ("ending", "attributes_of")]
        parts = [part.strip() for text in texts for part in PLACEHOLDER.split(text)[::2]]
        if not self.answers.spaces:
            return tuple(sorted({part for part in (*parts, *own) if len(part) > 1}, key=lambda part: (-len(part), part)))
        return tuple(sorted({word for part in (*parts, *own) for word in words_in(part)}))


def words_in(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


def check_noun(name: str, noun: Noun, table: LanguageTable) -> None:
    """Raise ValueError where a noun has a gender or a form that its language doesn't know."""
    if noun.gender is not None and noun.gender not in table.genders:
        raise ValueError(f"nouns.{name}: no gender {noun.gender!r}. " + did_you_mean(noun.gender, table.genders))
    for form in noun.forms:
        if form not in table.forms:
            raise ValueError(f"nouns.{name}: no form {form!r}. " + did_you_mean(form, table.forms or ("(none)",)))


def shipped_languages() -> list[str]:
    """The languages in which questions can be asked out of the box."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml") if path.stem != "answers")


def is_file(language: str) -> bool:
    """Whether a spec's `language` is a table of one's own, rather than the name of a shipped one."""
    return language.endswith(".toml") or "/" in language or "\\" in language


def read_language(language: str) -> LanguageTable:
    """The table of a shipped language ("de") or of a TOML file. Raises HopeBenchError naming what is wrong with it."""
    if is_file(language):
        return read_toml(Path(language), LanguageTable)
    if language not in shipped_languages():
        raise HopeBenchError(unknown_language(language))
    return _shipped(language)


def unknown_language(language: str) -> str:
    """What to say of a language that no questions ship in."""
    told = "Its words for yes and no are known, but not how to ask. " if language in answer_words() else ""
    known = did_you_mean(language, shipped_languages())
    return f"no questions in language {language!r}. {told}{known} Or name the file of a table of your own (docs/languages.md)."


@cache
def _shipped(language: str) -> LanguageTable:
    return read_toml(SHIPPED / f"{language}.toml", LanguageTable)


class _Others(Strict):
    languages: Mapping[str, Answers]


@cache
def answer_words() -> Mapping[str, AnswerWords]:
    """How every shipped language answers, by code; of some the words for yes and no are known and nothing else."""
    table = read_toml(SHIPPED / "answers.toml", _Others).languages
    known = {code: AnswerWords(**own.model_dump(), code=code) for code, own in table.items()}
    shipped = {language: _shipped(language).words() for language in shipped_languages()}
    known |= {language: words for language, words in shipped.items() if words is not None}
    return dict(sorted(known.items()))
