"""The strict convention's reading of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hope_bench.scoring.parsing import parse_strict

YES = [
    "Yes",
    "yes.",
    "**Yes**",
    "_Yes_",
    "`YES`",
    "Answer:Yes",
    "<answer>yes</answer>",
    "Yes, there is no dog",
    "Yes and no",
    "Yeah, a dog.",
    "Sure! Yes.",
    "Please answer yes or no. Yes",
    "There is a dog in the image.",
    "There are two dogs.",
    "<think>There is no dog? No.</think>Yes",
    "No dog, I thought at first.</think> Yes",
    "<thinking>no</thinking> Yes",
    "[THINK]No.[/THINK]Yes",
    "\u25c1think\u25b7No.\u25c1/think\u25b7Yes",
    "No problem! Yes, there is a dog.",
    "There is indeed a dog.",
    "\\boxed{yes}",
    "\u201cYes\u201d",
]
NO = [
    "No",
    "no.",
    "**No**, there isn't",
    "No, there isn't",
    "Nope",
    "NO!",
    "There is no dog in the image.",
    "There isn't a dog",
    "There isn\N{RIGHT SINGLE QUOTATION MARK}t a dog",
    "There are not any dogs.",
    "There's no dog",
    "no kernel image",
    "# Answer\n\nNo",
    "The answer is no, not yes.",
    "Yes/no: no",
    "<think>Yes yes yes</think>\n\nNo.",
    "It isn't there.",
    "The dog is not present in the image.",
    "The car isn't red, it is blue.",
    "The image does not contain a dog.",
    "There doesn't seem to be a dog.",
    "I don't see a dog.",
    "I cannot see any dogs here.",
    "Definitely not.",
    "- No",
    "There is a car, but it isn't red.",
    "Reasoning: it is a cat. Final answer: no",
]
UNPARSED = [
    None,
    "",
    " \n",
    "I am not sure",
    "I'm not sure, but there is no clear sign.",
    "It is unclear.",
    "I have no idea.",
    "There is no way to tell.",
    "There is not enough light to tell.",
    "I cannot determine whether there is a dog.",
    "There is a chance of a dog.",
    "A dog",
    "know yesterday november",
    "yes or no",
    "<think>Yes, because",
    "...",
    "I don't see an image.",
    "I can't see any picture, sorry.",
    "I'm sorry, but I can't help with that.",
    "It isn't clear.",
    "It is not possible to say.",
    "I can't see clearly.",
    "Neither yes nor no.",
    "There is a car, but it looks blue to me.",
    "No doubt about it",
    "None",
    "not",
]


@pytest.mark.parametrize("text", YES)
def test_yes(text: str) -> None:
    assert parse_strict(text) == "yes"


@pytest.mark.parametrize("text", NO)
def test_no(text: str) -> None:
    assert parse_strict(text) == "no"


@pytest.mark.parametrize("text", UNPARSED)
def test_unparsed(text: str | None) -> None:
    assert parse_strict(text) == "unparsed"


@given(st.text())
def test_any_text_has_a_verdict_whatever_its_case(text: str) -> None:
    assert parse_strict(text) in ("yes", "no", "unparsed")


@given(st.sampled_from(["yes", "no"]), st.text("*_`#>.,:!\n \t"), st.text("*_`#>.,:!\n \t"))
def test_markdown_and_punctuation_do_not_matter(word: str, before: str, after: str) -> None:
    assert parse_strict(before + word.upper() + after) == word
