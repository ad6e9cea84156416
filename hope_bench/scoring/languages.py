"""Answers in other languages, by the words that their tables give (files/language.py); English is always understood."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.language import AnswerWords, answer_words, words_in
from hope_bench.files.reading import normalized

LANGUAGES = answer_words()
"""How languages answer, by ISO 639-1 code."""

Said = Literal["yes", "no", "doubt"]
_CLAUSE = re.compile(r"[^.!?,:;\n]+[.!?,:;\n]?")
_ACUTE = "\u0301"
_NEAR = 2
"""The most words between "none" (or "not", where a clause begins so) and what there is none of: "kein einziger großer Hund"."""


def find_words(languages: Iterable[str | AnswerWords]) -> tuple[AnswerWords, ...]:
    """How languages answer, each given by its code or by its words. Raises HopeBenchError for an unknown code."""
    found = []
    for language in languages:
        if isinstance(language, str) and language not in LANGUAGES:
            raise HopeBenchError(f"No words for yes and no in language {language!r}. " + did_you_mean(language, LANGUAGES))
        found.append(LANGUAGES[language] if isinstance(language, str) else language)
    return tuple(found)


def read_foreign(text: str, words: AnswerWords, question: str) -> tuple[int, Said] | None:
    """Where and what a plain answer in lower case says in a language: its first clause that answers `question`. None where none
    does."""
    language = _language(words)
    asked = language.asked(question)
    for clause in _CLAUSE.finditer(text):
        said = None if clause[0].endswith("?") else language.read(clause[0], asked)
        if said is not None:
            return clause.start(), said
    return None


class _Spaced:
    """A language whose words stand apart."""

    def __init__(self, words: AnswerWords) -> None:
        self._yes, self._no = _phrases(words.yes), _phrases(words.no)
        self._alone = {*_phrases(words.alone)}
        self._none_of, self._negators = {*words.none_of}, {*words.negators}
        self._affirm, self._doubt = _phrases(words.affirm), _phrases(words.doubt)
        self._endings = tuple(map(_plain, words.endings))
        self._frame = {*words.frame}
        self._usual = {*_phrases((words.yes[0], words.no[0]))}
        self._pronouns = {*words.pronouns}
        said = (*words.affirm, *words.none_of, *words.negators, *words.pronouns, *words.fillers, *words.frame)
        self._known = {word for phrase in said for word in words_in(phrase)}

    def asked(self, question: str) -> tuple[frozenset[str], ...]:
        """The words that say what a question asks about, each as the stems it may have."""
        return tuple(self._stems(word) for word in words_in(question) if word not in self._frame)

    def read(self, clause: str, asked: Sequence[frozenset[str]]) -> Said | None:
        said = tuple(words_in(clause))
        direct = self._direct(said)
        if direct is not None or any(_holds(said, phrase) for phrase in self._doubt):
            return direct or "doubt"
        return self._statement(said, asked)

    def _direct(self, said: tuple[str, ...]) -> Said | None:
        """What a clause answers that begins or ends with a yes or a no; one that holds both ("Ja oder Nein") says nothing."""
        if self._both(said):
            return None
        found: dict[Said, bool] = {}
        answers: tuple[tuple[Said, tuple[tuple[str, ...], ...]], ...] = (("yes", self._yes), ("no", self._no))
        for meaning, phrases in answers:
            for phrase in phrases:
                if phrase in self._alone:
                    ends = said == phrase or (phrase in self._usual and said[-1:] == phrase)
                else:
                    ends = said[: len(phrase)] == phrase or said[-len(phrase) :] == phrase
                found[meaning] = found.get(meaning, False) or ends
        yes, no = found["yes"], found["no"]
        return None if yes == no else "yes" if yes else "no"

    def _both(self, said: tuple[str, ...]) -> bool:
        return all(any(_holds(said, phrase) for phrase in side if phrase in self._usual) for side in (self._yes, self._no))

    def _statement(self, said: tuple[str, ...], asked: Sequence[frozenset[str]]) -> Said | None:
        """What a clause states of the thing that is asked about."""
        place = self._find(said, asked)
        if place is None:
            return self._elliptic(said)
        if not self._says(said):
            return "yes" if all(word in self._known or any(self._stems(word) & one for one in asked) for word in said) else None
        before = said[max(0, place - _NEAR - 1) : place]
        if any(word in self._none_of for word in before) or (said[0] in before and said[0] in self._negators):
            return "no"
        if any(word in self._none_of for word in said) or not self._affirms(said):
            return None
        return "no" if any(word in self._negators for word in said) else "yes"

    def _elliptic(self, said: tuple[str, ...]) -> Said | None:
        """What a clause says that names nothing: "Ich sehe keinen.", "Lo veo"."""
        if not all(word in self._known for word in said):
            return None
        if any(word in self._none_of for word in said):
            return "no"
        if not self._affirms(said) or self._pronouns.isdisjoint(said):
            return None
        return "no" if any(word in self._negators for word in said) else "yes"

    def _affirms(self, said: tuple[str, ...]) -> bool:
        return any(_holds(said, phrase) for phrase in self._affirm)

    def _says(self, said: tuple[str, ...]) -> bool:
        """Whether a clause affirms or denies anything in so many words."""
        return self._affirms(said) or any(word in self._none_of or word in self._negators for word in said)

    def _find(self, said: tuple[str, ...], asked: Sequence[frozenset[str]]) -> int | None:
        """Where a clause names all that is asked about, in its order: the place of the first word."""
        places, start = [], 0
        for stems in asked:
            found = next((at for at in range(start, len(said)) if stems & self._stems(said[at])), None)
            if found is None:
                return None
            places.append(found)
            start = found + 1
        return places[0] if places else None

    def _stems(self, word: str) -> frozenset[str]:
        plain = _plain(word)
        plain = f"{plain[:-3]}z" if plain.endswith("ces") and "es" in self._endings else plain  # lápiz, lápices
        cut = (plain[: -len(end)] for end in self._endings if plain.endswith(end) and len(plain) - len(end) > 2)
        return frozenset((plain, *cut))


class _Unspaced:
    """A language whose words stand against each other."""

    def __init__(self, words: AnswerWords) -> None:
        self._words = words
        self._meaning: dict[str, Said] = {**dict.fromkeys(words.yes, "yes"), **dict.fromkeys(words.no, "no")}
        known = {*self._meaning, *words.none_of, *words.negators, *words.affirm, *words.pronouns, *words.fillers}
        longest_first = sorted(known, key=len, reverse=True)
        self._longest_at = re.compile(f"(?=({'|'.join(map(re.escape, longest_first))}))")

    def asked(self, question: str) -> tuple[frozenset[str], ...]:
        """What is left of a question without its frame."""
        for part in self._words.frame:
            question = question.replace(part, " ")
        return tuple(frozenset((part,)) for part in words_in(question))

    def read(self, clause: str, asked: Sequence[frozenset[str]]) -> Said | None:
        words = self._words
        if any(one in clause for one in words.doubt):
            return "doubt"
        if asked and all(any(one in clause for one in part) for part in asked):
            if any(one in clause for one in (*words.none_of, *words.negators)):
                return "no"
            if any(one in clause for one in words.affirm):
                return "yes"
        return self._direct(clause.strip())

    def _direct(self, clause: str) -> Said | None:
        """What a clause answers by a yes or a no, wherever it stands. Where it holds both, the first counts, if it is a no or
        stands apart; a yes within a statement that goes on with a no ("有猫没有狗") is in doubt."""
        whole = words_in(clause)
        said = [
            (self._meaning[word], end)
            for start, end in self._apart(clause)
            if (word := clause[start:end]) in self._meaning and (word not in self._words.alone or words_in(word) == whole)
        ]
        if not said:
            return None
        (first, end), *others = said
        if first == "no" or all(meaning == first for meaning, _ in others):
            return first
        return "doubt" if clause[end].isalnum() else first

    def _apart(self, clause: str) -> list[tuple[int, int]]:
        """Where the known words are, without those that reach into a longer one: "いません" after "は" holds no "はい"."""
        places: list[tuple[int, int]] = []
        for found in self._longest_at.finditer(clause):
            start, end = found.span(1)
            if places and start < places[-1][1]:
                if end - start <= places[-1][1] - places[-1][0]:
                    continue
                places.pop()
            places.append((start, end))
        return places


def may_be_english(text: str, languages: Iterable[AnswerWords]) -> bool:
    """Whether a text can be read as English, too: not where its "no" is another language's, unless it is among English words."""
    said = words_in(text)
    return "no" not in said or not _ENGLISH.isdisjoint(said) or all("no" not in words.no for words in languages)


_ENGLISH = frozenset(("yes", "there", "the", "is", "are", "not", "image", "picture", "i", "this", "that", "answer"))


@lru_cache
def _language(words: AnswerWords) -> _Spaced | _Unspaced:
    return _Spaced(words) if words.spaces else _Unspaced(words)


def _phrases(phrases: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(words_in(phrase)) for phrase in phrases)


def _holds(said: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    return any(said[at : at + len(phrase)] == phrase for at in range(len(said)))


def _plain(word: str) -> str:
    """Without acute accents, which Spanish plurals lose: "avión" is "avion"; an umlaut makes another word ("Küche", "Kuchen")."""
    return normalized(normalized(word, "NFD").replace(_ACUTE, ""), "NFC")
