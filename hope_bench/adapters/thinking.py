"""What a model thinks before it answers, told from the answer by the marks that models put around it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:\w{1,16}[:_])?(?:think|thinking|thoughts?|reasoning|analysis)"
_MARK = re.compile(
    rf"""
    (?P<close>
        </{_NAME}> | \[/think(?:ing)?\] | ◁/think(?:ing)?▷
        | <\|end_of_(?:thought|thinking)\|> | <\|end_thinking\|> | <\|inner_suffix\|>
        | <\|/think(?:ing)?\|>
        | <channel\|> | <unused95>                                                 # Gemma 4, MedGemma
        | (?:<\|start\|>assistant)?<\|channel\|>final\b(?:[^<]{{0,40}}<\|message\|>)?    # harmony (gpt-oss)
        | assistantfinal                                                           # the same without its special tokens
        | \[begin\ final\ response\] | \bhere\ is\ my\ response:                   # Apriel, Granite
        | <conclusion>                                                             # LLaVA-CoT
    )
    | (?P<open>
        <{_NAME}> | \[think(?:ing)?\] | ◁think(?:ing)?▷
        | <\|begin_of_(?:thought|thinking)\|> | <\|start_thinking\|> | <\|inner_prefix\|>
        | <\|think(?:ing)?\|>
        | <\|channel>(?:thought\b)? | <unused94>(?:thought\b)?
        | <\|channel\|>(?:analysis|commentary)\b(?:[^<]{{0,40}}<\|message\|>)?
        | \A(?-i:analysis(?=[A-Z])|thought\n)                                        # harmony, Gemma without special tokens
        | \Ahere\ (?:is\ my\ thought\ process|are\ my\ reasoning\ steps): | \A<summary>
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_AROUND = re.compile(
    r"</?(?:answer|response|conclusion|final|final_answer|solution)>|\[end final response\]|<\|[^|<>\s]{1,40}\|>|<\|?turn\|?>",
    re.IGNORECASE,
)
"""What stands around an answer after a thought: GLM's boxes, Cohere's <|START_RESPONSE|>, ERNIE's <response>, a turn's end."""


@dataclass(frozen=True, slots=True)
class Said:
    """A model's words, taken apart: what it `thought` (None where it didn't think) and its `answer`, None where the words end
    before the thought does, or with it."""

    thought: str | None
    answer: str | None


def separate(text: str, *, opened: bool = False, thinks: bool = False, finished: bool = True) -> Said:
    """Tell thought from answer in a model's words, special tokens kept; in time linear in their length.

    `opened`: the prompt itself ends with an opening mark. Else a closing mark without an opening one ends a thought, too.
    `thinks` and not `finished`: a model known to think used up its tokens; without any mark, what it wrote is part of a thought.
    """
    thoughts: list[str] = []
    answers: list[str] = []
    inside, marked, start = opened, opened, 0
    for mark in _MARK.finditer(text):
        closes, before = mark.lastgroup == "close", text[start : mark.start()]
        if closes and not inside:
            thoughts += [*answers, before]
            answers = []
        else:
            (thoughts if inside else answers).append(before)
        inside, marked, start = not closes, True, mark.end()
    (thoughts if inside else answers).append(text[start:])
    if not marked:
        cut = thinks and not finished
        return Said(text.strip(), None) if cut else Said(None, text.strip())
    answer = "" if inside else _AROUND.sub(" ", "".join(answers)).strip()
    return Said("".join(thoughts).strip(), answer or None)


def ends_open(prompt: str) -> bool:
    """Whether a rendered prompt ends inside a thought, so that the model only writes the closing mark."""
    marks = list(_MARK.finditer(prompt))
    return bool(marks) and marks[-1].lastgroup == "open" and not prompt[marks[-1].end() :].strip()


def mentions_thinking(text: str) -> bool:
    """Whether a prompt's own words hold marks of thinking, as Magistral's system prompt does."""
    return _MARK.search(text) is not None


def no_answer(finished: bool, tokens: int) -> str:
    """Why there is no answer, in words; `tokens` are those it was given."""
    if finished:
        return "the model ended within its thought, without an answer"
    return f"all {tokens:,} new tokens went by thinking; raise --max-new-tokens, or see --thinking"
