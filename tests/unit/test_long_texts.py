"""Long texts from outside take time that grows with their length, not with its square: asserted as a ratio, never in seconds."""

from __future__ import annotations

import functools
import tempfile
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from hope_bench import wording
from hope_bench.annotations.wording import alternatives, spoken_names
from hope_bench.files.reading import normalized
from hope_bench.inspection.training import training_overlap
from hope_bench.interchange.questions import read_question, wrapping
from hope_bench.reviewing.claims import _QUESTION
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.parsing import parse_answer
from hope_bench.search.known_words import as_words

PIECES = (
    "a", "s", " ", "(", " (a", "dog ", "A", "1", "/", "a/", " w/o ", "'s ", "e\u0301", "\u0300\u0316", "no ", "yes, ", ".", "\n",
    "there is no ", "<", "is there a ", "is there dog in the im", "[ ] ", "| a ", '"', "\\", '{"answer": ', "?", "_", '\\"',
)  # fmt: skip

READERS: dict[str, Callable[[str], object]] = {
    "training list": lambda text: training_overlap(["a.jpg"], _file(text)),
    "spoken": lambda text: spoken_names([text]),
    "alternatives": alternatives,
    "natural": lambda text: wording.existence_question(text, "natural"),
    "words": as_words,
    "question": read_question,
    "prompt": lambda text: wrapping(text, "dog"),
    "claim": lambda text: _QUESTION.fullmatch(f"Is there a {text}?"),
    "answer": lambda text: parse_answer(text, "Is there a dog in the image?"),
    "object": lambda text: parse_answer("yes", f"Is there a {text} in the image?"),
    **{name: lambda text, one=convention: one.parse(text) for name, convention in CONVENTIONS.items()},  # type: ignore[misc]
}


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _file(text: str) -> Path:
    """A list that also names an image."""
    path = Path(_folder().name) / "list.txt"
    path.write_text(f"7\n{text}")
    return path


SHORT, TIMES = 2_000, 16


def least(read: Callable[[str], object], texts: list[str]) -> float:
    """CPU seconds of one text: of several alike, as some readers remember what they read."""
    spent = []
    for text in texts:
        start = time.thread_time()
        read(text)
        spent.append(time.thread_time() - start)
    return min(spent)


@pytest.mark.parametrize("name", READERS)
def test_sixteen_times_the_text_takes_far_less_than_256_times_as_long(name: str) -> None:
    read = READERS[name]
    read("dog")  # what is made once is made now
    slow = {}
    for piece in PIECES:
        short, long = ([(piece * size)[:size] + end for end in ("", "!", "x")] for size in (SHORT, TIMES * SHORT))
        before, after = least(read, short), least(read, long)
        if after > 5 * TIMES * max(before, 1e-4):
            slow[piece] = (before, after)
    assert slow == {}


def test_inflect_is_asked_about_nouns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = wording.inflect_engine(), []

    class Counting:
        def __getattr__(self, name: str) -> Callable[[str], object]:
            def call(text: str) -> object:
                asked.append(len(text))
                return getattr(real, name)(text)

            return call

    monkeypatch.setattr(wording, "inflect_engine", Counting)
    for text in ("b" * 30_000, "cats" * 10_000, "a wine glass " * 3_000, "x|" * 9_000, "a" * 30_000 + "s", "9b" * 20_000):
        for say in (wording.plural, wording.forms, wording.indefinite, wording.is_plural):
            say(text)
        assert wording.plural(text) == text
    assert wording.plural("wine glass") == "wine glasses"
    assert asked
    assert max(asked) <= 100


def test_marks_without_end_are_normalized_as_unicode_says() -> None:
    for text in ("Café", "e\u0301\u0323 " * 50, "a\u0316\u0300" * 9, "한국어" * 30, "plain" * 99):
        assert normalized(text, "NFC") == unicodedata.normalize("NFC", text)
        assert normalized(text, "NFD") == unicodedata.normalize("NFD", text)
    assert len(normalized("a" + "\u0316\u0300" * 50_000, "NFC")) <= 31
