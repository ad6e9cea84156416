"""The strict convention's reading of answers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.yes_no_words import english_words
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.run import RunAnswers
from hope_bench.inference.engine import EvaluateOptions, evaluate
from hope_bench.records import Answer
from hope_bench.scoring.answer_marks import as_words
from hope_bench.scoring.answer_text import END, spoken
from hope_bench.scoring.asked_object import asked_about
from hope_bench.scoring.languages import LANGUAGES
from hope_bench.scoring.parsing import parse_answer, parse_strict
from hope_bench.scoring.verdicts import reread
from hope_bench.wording import existence_question
from tests.answer_table import BEGIN, DOCS, Labelled, labelled, table
from tests.answer_table import END as TABLE_END
from tests.engine import CARD, Model, benchmark, lines, options
from tests.soak import SOAK
from tests.unit.test_thinking import ANSWERED, CUT

__all__ = ["benchmark", "options"]

ANSWERS = labelled()


def test_every_labelled_answer_is_read_as_a_person_reads_it() -> None:
    wrong = [(one.text, one.object, one.verdict, found) for one in ANSWERS if (found := read(one)) != one.verdict]
    assert not wrong


def read(one: Labelled) -> str:
    return parse_strict(one.text, object=one.object)


def test_the_labelled_answers_are_many_and_of_both_polarities() -> None:
    assert len({(one.text, one.object) for one in ANSWERS}) == len(ANSWERS) >= 1_000
    verdicts = Counter((one.form, one.verdict) for one in ANSWERS)
    silent = ("might", "doubt", "refusal", "modifiers", "likenesses")  # kinds of answer of which hardly any is a yes or a no
    assert all(verdicts[form, side] for form in {one.form for one in ANSWERS} - set(silent) for side in ("yes", "no"))


def test_the_table_in_the_docs_is_what_the_readers_read() -> None:
    assert BEGIN + table() + TABLE_END in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (None, "unparsed"),
        ("There is a dog in the image.", "yes"),
        ("There isn\N{RIGHT SINGLE QUOTATION MARK}t a dog", "no"),
        ("no kernel image", "no"),
        ("The car isn't red, it is blue.", "no"),
        ("There is a car, but it isn't red.", "no"),
        ("There is a car, but it looks blue to me.", "unparsed"),
        ("There is a dog, but no cat.", "unparsed"),  # which of the two was asked?
        ("A dog", "unparsed"),
        ("There is a chance of a dog.", "unparsed"),
    ],
)
def test_where_the_object_is_not_known(text: str | None, verdict: str) -> None:
    assert parse_strict(text) == verdict


@pytest.mark.parametrize(
    ("verdict", "texts"),
    [
        (
            "yes",
            "There seems to be a car. Here are two cars. I can see some dogs. The image shows a dog. The picture "
            "contains a cat. A dog is visible. A dog can be seen in the background. A dog is clearly visible here. It "
            "is visible. I see a running dog. There is a dog running. There is a man walking a dog. I see here a dog. "
            "There is a dog and a cat. There appear to be several dogs. I see clearly a dog.",
        ),
        (
            "no",
            "I can't see a dog. The picture does not contain a cat. The dog is not visible. It is not. They are not "
            "there. It is not red. The cars are not red. No dog is visible. No dogs. Zero dogs. Without a dog. The "
            "picture lacks a dog. The picture lacks dogs. The image lacks any dog. There are no dogs or cats. There is "
            "a dog but it is not red. I see no dog. There is not a single dog. There is nothing there. I see nothing "
            "like a dog. I see nothing of the kind.",
        ),
        (
            "unparsed",
            "I have a dog. He has a dog. They hold a bat. I find a dog cute. That dog is visible. This dog can be "
            "seen. The car is red. A photo of a dog. There is a photo of a dog. The dog is a toy. There is the "
            "possibility of a dog. There is no chance of a dog. There is something that looks like a dog. I see "
            "nothing. I see nobody. I see neither. I see no one. I see everything. I see something. A dog and a cat. A "
            "dog is on the sofa. In the corner sits a dog.",
        ),
    ],
)
def test_what_is_said_where_nobody_knows_what_was_asked(verdict: str, texts: str) -> None:
    said = [f"{text.strip()}." for text in texts.split(".") if text.strip()]
    assert [(text, found) for text in said if (found := parse_strict(text)) != verdict] == []


SHORT = [line.split("\t") for line in Path(__file__).with_name("short_answers.tsv").read_text(encoding="utf-8").splitlines()]
"""Verdict, verdict where nobody knows what was asked (-: either), what was asked about, answer."""


def test_short_answers_whether_or_not_it_is_known_what_was_asked() -> None:
    wrong = [
        (text, object_, found)
        for verdict, unknown, object_, text in SHORT
        for found in [(parse_strict(text, object=object_), parse_strict(text))]
        if found[0] != verdict or unknown not in (found[1], "-")
    ]
    assert wrong == []
    assert len(SHORT) > 150


@pytest.mark.parametrize(("mark", "verdict"), [("\u2713", "yes"), ("\u2717", "no")])
def test_a_mark_before_up_to_three_words_is_said_of_them_and_before_more_words_is_none(mark: str, verdict: str) -> None:
    names = ["dog", "red dog", "big red dog", "a big red dog", "there is no red dog"]
    said = [" ".join(as_words(f"{mark} {name}").split()) for name in names]
    assert said == [*(f"{name}: {verdict}" for name in names[:3]), *names[3:]]
    assert as_words(f"{mark} no, a dog").split() == ["no,", "a", "dog"]


@pytest.mark.parametrize(("letter", "length"), [(".", END), ("!", END - 1), ("\n", END + 7)])
def test_the_two_ends_of_a_long_answer_are_whole_sentences(letter: str, length: int) -> None:
    """The first END characters up to their last stop, and the last ones from their first stop on."""
    begins, ends = f"yes{letter} and so on", f"one{letter}no more"
    said = spoken(begins + "x" * (2 * END) + ends)
    assert said == f"yes{letter}\nno more"
    said = spoken(f"one{letter}two{letter}three" + "x" * (2 * END) + f"four{letter}five{letter}six")
    assert said == f"one{letter}two{letter}\nfive{letter}six"
    whole = "a" * length
    assert spoken(whole + letter + "b" * (2 * END)) == (whole + letter if length < END else "a" * END) + "\n"
    assert spoken("c" * (2 * END)) == "c" * (2 * END)
    assert spoken("c" * (2 * END + 1)) == "c" * END + "\n"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Everything but a dog.", "no"),
        ("I can see everything except a dog.", "no"),
        ("There is nothing but all kinds of dogs.", "yes"),
        ("The dog is not wearing a collar.", "yes"),
        ("A dog is not wearing a collar.", "unparsed"),  # is there one?
    ],
)
def test_where_a_denial_is_of_something_else(text: str, verdict: str) -> None:
    assert parse_strict(text, object="a dog") == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The car is blue.", "no"),
        ("The car is large.", "unparsed"),  # and of which colour?
        ("A car mostly red.", "yes"),
        ("A car mostly blue.", "no"),
    ],
)
def test_what_is_said_of_the_object_is_held_against_the_description(text: str, verdict: str) -> None:
    assert parse_strict(text, object="a red car") == verdict


def test_what_a_question_asks_about() -> None:
    assert [asked_about(existence_question("skis", wording)) for wording in ("pope", "natural")] == ["a skis", "skis"]
    assert asked_about("Is there a red car in the image?") == "a red car"
    assert asked_about("Are there exactly two dogs in the image?") == "exactly two dogs"
    assert asked_about("Is there a dog on the left side of the image?") == "a dog on the left side of the image"
    assert asked_about("Is there an umbrella in the imange?") == "an umbrella"  # as LLaVA's files have it
    assert asked_about("Are there any people in this picture?") == "any people"
    assert asked_about("Is the car red?") == "red car"
    assert asked_about("Is the cup to the left of the plate?") == "cup to the left of the plate"
    assert [asked_about(other) for other in ("Describe the image.", "Is the image blurry?", "Is the dog happy?")] == [None] * 3


CORRECTED = re.compile(
    r"\b(?:actually|correction|wait|scratch that|i was wrong|yeah|i can (?:help|see the image)|hmm|oh|look again|dog\.\.\. no)\b"
)


def test_stopping_at_a_first_token_agrees_with_reading_the_whole_answer() -> None:
    """`evaluate` stops at a first token that is a yes or a no. The whole answer may be in doubt, but never says the opposite,
    save where it corrects itself in so many words."""
    idioms = ("no doubt", "no problem", "yes or no?", "no dog, i thought")  # docs/scoring.md; echoes, and a bare thought
    denies_another = ("no cat is visible, a dog", "no bus. car", "no one ", "no person is near", "no leash", "no cat has")
    opening = [(one, english_words().meant(one.text.split()[0].rstrip(".,!:;"))) for one in ANSWERS if one.text.split()]
    direct = [(one, word) for one, word in opening if word in ("yes", "no") and not one.text.lower().startswith(idioms)]
    plain = [(one, word) for one, word in direct if not one.text.lower().startswith(denies_another)]
    assert len(direct) > 100
    assert not [one.text for one, word in plain if read(one) not in (word, "unparsed") and not CORRECTED.search(one.text.lower())]


NASTY = {
    "marks": "e" + "\u0301" * 1_000_000,
    "mixed marks": "\u0323\u0301" * 500_000,
    "spaces": " " * 1_000_000 + "x",
    "no stop": "yes " * 250_000,
    "open thoughts": "<think>" * 150_000,
    "closed thoughts": "</think>" * 120_000,
    "thoughts": "<think></think>" * 70_000,
    "braces": "{" * 1_000_000,
    "boxes": "\\boxed{" * 150_000,
    "tags": "<" * 1_000_000,
    "commas": "," * 1_000_000,
    "labels": "answer: " * 120_000,
    "quotes": 'says "' * 170_000,
    "openers": "based on " * 110_000,
    "more openers": "upon closer " * 80_000,
    "denials": "it is not " * 100_000,
    "lists": "no dog, " * 120_000,
    "echoes": "yes or " * 140_000,
    "options": "a. yes " * 140_000,
    "letters": "a" * 1_000_000,
    "asking": "is there a dog " * 70_000,
    "ticks": "a \u2705" * 400_000,
    "boxes to tick": "\u2610 yes " * 150_000,
    "struck out": "~~" * 500_000,
    "scores": "(0.9" * 250_000,
    "mentions": "a dog or " * 110_000,
    "corrections": "no, wait, " * 100_000,
    "denied claims": "it is false that " * 60_000,
    "cells": "| a " * 250_000,
    "pauses": "hmm, oh, no, " * 5_000,
    "ellipses": "... no it is " * 5_000,
    "seeming": "what looks like a dog is actually " * 2_000,
    "scores in a row": "dog 0.9, " * 7_000,
    "names": '["dog", ' * 8_000,
    "boxes left empty": "[ ] dog " * 8_000,
    "no width": "n\u200bo " * 16_000,
    "counts": "the number of dogs " * 3_500,
    "nobody": "nobody wearing with a " * 3_000,
}


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("languages", [(), ("es", "zh")])
def test_very_long_answers_are_read_at_their_two_ends_alone(name: str, languages: tuple[str, ...]) -> None:
    text = NASTY[name] if SOAK else NASTY[name][:250_000]
    said = spoken(text)
    assert len(said) <= 2 * END + 1
    assert parse_strict(text, languages, "dog") in ("yes", "no", "unparsed")


def test_the_end_of_a_long_answer_counts() -> None:
    rambling = "The picture shows a street with many houses. " * 20_000
    assert parse_strict(f"{rambling}Final answer: no", object="dog") == "no"
    assert parse_strict(f"{rambling}There is a dog.", object="dog") == "yes"
    assert parse_strict(f"<think>{rambling}</think>Yes", object="dog") == "yes"
    assert parse_strict(f"<think>{rambling}", object="dog") == "unparsed"


@given(st.text())
def test_any_text_has_a_verdict(text: str) -> None:
    assert parse_strict(text, object="dog") in ("yes", "no", "unparsed")
    assert parse_strict(text, tuple(LANGUAGES)) in ("yes", "no", "unparsed")


@given(
    st.lists(
        st.sampled_from(
            [
                "there",
                "is",
                "not",
                "no",
                "a",
                "the",
                "dog",
                "cats",
                "I",
                "see",
                "it",
                ",",
                ".",
                ":",
                "?",
                "but",
                "and",
                "answer",
                "yes",
                "if",
                "looks",
                "like",
                "{",
            ]
        ),
        max_size=12,
    )
)
def test_any_words_have_a_verdict_whatever_their_case_and_markup(words: list[str]) -> None:
    text = " ".join(words)
    assert parse_strict(text, object="dog") == parse_strict(f"**{text.upper()}**", object="dog")


@given(st.sampled_from(["yes", "no"]), st.text("*_`#>.,:!\n \t"), st.text("*_`#>.,:!\n \t"))
def test_markdown_and_punctuation_do_not_matter(word: str, before: str, after: str) -> None:
    assert parse_strict(before + word.upper() + after) == word


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("No, wait, {is}.", "yes"),
        ("Yes, {is}. Actually, no, it's something else.", "no"),
        ("It is false that {is}.", "no"),
        ("It would be wrong to say that {is not}.", "yes"),
        ("I can't confirm that {is}.", "unparsed"),
        ("Yes, if a drawing counts.", "unparsed"),
        ("No, actually, {is}.", "yes"),
        ("No \u2705", "no"),
        ("Yes \u274c No \u2705", "no"),
        ("The room is empty, {is not}.", "no"),
        ("There is a lamp, no clock, and {it}.", "yes"),
        ("There is a lamp, no {bare}, and a clock.", "no"),
        ("{bare}: 0.94", "yes"),
        ("{bare}: 0.04", "no"),
        ("{bare} \u274c", "no"),
        ("The photo failed to load, so I see no {bare}.", "unparsed"),
        ('I can see why you say "yes", but the answer is no.', "no"),
        ('I can see why you say "no", but the answer is yes.', "yes"),
        ("I would like to say yes, but {is not}.", "no"),
        ('My earlier answer of "no" was incorrect; {is}.', "yes"),
        ("Yes, {is}. Hmm, no, that's a lamp.", "no"),
        ("{is}. Oh, no, {is not}.", "no"),
        ("Yes, {is}. No, {is not}.", "unparsed"),
        ("What looks like {it} is actually a lamp.", "no"),
        ("What looks like a lamp is actually {it}.", "yes"),
        ("At first I thought {is}, but it is a lamp.", "no"),
        ("The {bare} is actually a lamp.", "no"),
        ("The {bare} is actually quite large.", "yes"),
        ("The {bare} is just a drawing.", "unparsed"),
        ("A lamp? No, it's {it}.", "yes"),
        ("There is no real {bare}, just a statue.", "unparsed"),
        ("Nobody here has {it}.", "no"),
        ("Nobody is using the {bare}.", "yes"),
        ("No one is standing next to {it}.", "unparsed"),
        ("There is {it} or two.", "yes"),
        ("There is {it} or two lamps.", "unparsed"),
        ("There is {it} or more in the room.", "yes"),
        ("Lamp: not present. {bare}: present.", "yes"),
        ("Lamp: not present.", "unparsed"),
        ("Not as far as I can see.", "no"),
        ("There is at most one {bare}.", "unparsed"),
        ("There is at least one {bare}.", "yes"),
        ("lamp: 1, {bare}: 2", "yes"),
        ("lamp 0.98, {bare} 0.93", "yes"),
        ("lamp 0.98, {bare} 0.03", "no"),
        ("lamp (2), {bare} (0)", "no"),
        ('["lamp", "{bare}"]', "yes"),
        ("Present: a lamp. Not present: {bare}.", "no"),
        ("Visible objects: lamp, {bare}.", "yes"),
        ("Visible objects: lamp, chair.", "unparsed"),
        ("A man stands in front of {it}.", "yes"),
        ("{it} is probably behind the door.", "unparsed"),
        ("The {bare} is gone.", "no"),
        ("There is no", "unparsed"),
        ("\nQuestion: {is}?\nAnswer: no", "no"),
        ("No.\nQuestion: {is}?\nAnswer: yes", "no"),
    ],
)
def test_kinds_of_answers_whatever_the_object(text: str, verdict: str) -> None:
    for object_ in ("dog", "truck", "vase", "toothbrush", "pizza"):
        said = text.replace("{is not}", f"there is no {object_}").replace("{is}", f"there is a {object_}")
        said = said.replace("{it}", f"a {object_}").replace("{bare}", object_)
        assert parse_strict(said, object=object_) == verdict, said


@pytest.mark.parametrize(
    ("text", "object_", "verdict"),
    [
        ("There is a {other} vase next to a {asked} lamp.", "a {asked} vase", "no"),
        ("There is a {asked} vase next to a {other} lamp.", "a {asked} vase", "yes"),
        ("There is a {other} lamp and a {asked} vase.", "a {asked} vase", "yes"),
        ("The vase is {other} and the lamp is {asked}.", "a {asked} vase", "no"),
        ("The vase stands beside a {asked} lamp.", "a {asked} vase", "unparsed"),
    ],
)
@pytest.mark.parametrize(("one", "other"), [("red", "blue"), ("green", "white"), ("yellow", "black")])
def test_a_colour_belongs_to_its_own_noun(text: str, object_: str, verdict: str, one: str, other: str) -> None:
    assert parse_strict(text.format(asked=one, other=other), object=object_.format(asked=one)) == verdict


@pytest.mark.parametrize(("side", "opposite"), [("left", "right"), ("right", "left")])
def test_a_side_needs_its_subject_and_its_reference(side: str, opposite: str) -> None:
    asked = f"a cup to the {side} of the plate"
    assert parse_strict(f"There is a cup to the {side} of the plate.", object=asked) == "yes"
    assert parse_strict(f"There is a plate to the {opposite} of the cup.", object=asked) == "yes"
    assert parse_strict(f"There is a plate to the {side} of the cup.", object=asked) == "no"
    assert parse_strict(f"The cup is to the {opposite} of the plate.", object=asked) == "no"
    assert parse_strict("There is a cup and a plate.", object=asked) == "unparsed"


@pytest.mark.parametrize(
    ("said", "two", "three"),
    [
        ("two", "yes", "no"),
        ("more than two", "no", "unparsed"),
        ("at least two", "unparsed", "unparsed"),
        ("at least three", "no", "unparsed"),
        ("two or three", "unparsed", "unparsed"),
        ("three or four", "no", "unparsed"),
        ("about two", "unparsed", "unparsed"),
        ("several", "unparsed", "unparsed"),
        ("no", "no", "no"),
    ],
)
def test_a_number_asked_about_is_compared_with_what_is_said(said: str, two: str, three: str) -> None:
    for object_ in ("dog", "cup", "bicycle"):
        text = f"There are {said} {object_}s."
        assert parse_strict(text, object=f"exactly two {object_}s") == two
        assert parse_strict(text, object=f"exactly three {object_}s") == three
        assert parse_strict(text, object=object_) == ("no" if said == "no" else "yes")


@pytest.mark.parametrize(
    ("object_", "verdict"), [("chair", "yes"), ("bottle", "yes"), ("cat", "unparsed"), ("banana", "unparsed")]
)
def test_a_material_makes_a_likeness_only_of_what_is_born_or_grown(object_: str, verdict: str) -> None:
    assert parse_strict(f"There is a plastic {object_}.", object=object_) == verdict
    assert parse_strict(f"The {object_} is made of plastic.", object=object_) == verdict
    assert parse_strict(f"A {object_} lies next to a plastic box.", object=object_) == "yes"


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert parse_strict(unicodedata.normalize("NFD", "Sí, señor"), ["es"]) == "yes"


def test_earlier_verdicts_are_read_anew_and_counted() -> None:
    dog, cat = existence_question("dog"), existence_question("cat")
    earlier = (
        Answer("a.jpg", dog, "I see a dog.", "unparsed"),
        Answer("a.jpg", cat, "There is a dog, but no cat.", "no"),
        Answer("b.jpg", dog, None, "error", error="timeout"),
        Answer("b.jpg", cat, "Yes, there is", "error"),
    )
    found = reread(RunAnswers(earlier, truncated=False))
    assert [answer.verdict for answer in found.answers] == ["yes", "no", "error", "error"]
    assert found.reread == 1


def test_the_object_is_known_while_asking(benchmark: Benchmark, options: EvaluateOptions) -> None:
    model = Model(lambda batch: [RawAnswer(text="There is a b, but no c.") for _ in batch])
    evaluate(benchmark, CARD, options, adapter=model)
    said = {(line["question"], line["verdict"]) for line in lines(options)}
    assert said == {("Is there a a?", "unparsed"), ("Is there a b?", "yes"), ("Is there a c?", "no")}


@pytest.mark.parametrize("text", ANSWERED.values(), ids=ANSWERED)
def test_an_answer_that_another_tool_kept_with_its_thought(text: str) -> None:
    """The thought denies the dog, and says yes and no."""
    assert parse_answer(text, "Is there a dog in the image?") == "yes"
    assert parse_answer(text.replace("Yes", "No"), "Is there a dog in the image?") == "no"


@pytest.mark.parametrize("text", CUT.values(), ids=CUT)
def test_a_thought_without_an_end_is_no_answer(text: str) -> None:
    assert parse_answer(text, "Is there a dog in the image?") == "unparsed"
