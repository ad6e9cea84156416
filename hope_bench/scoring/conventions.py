"""Scoring conventions by name: how each reads an answer, and what it does with the answers it can't read.

The peers' rules were read from their public code: POPE evaluate.py (Li et al. 2023); VLMEvalKit vlmeval/dataset/utils/yorn.py
(YOrN_Extraction, POPE_rating); lmms-eval lmms_eval/tasks/pope/utils.py; RePOPE src/eval_utils.py (compute_answer,
compute_results); evalscope evalscope/benchmarks/pope/pope_adapter.py (match_score, aggregate_scores); HELM
helm/benchmark/metrics/evaluate_reference_metrics.py (quasi_exact_match). Where their code writes 0 or fails for an undefined
number, a result says null.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.language import AnswerWords
from hope_bench.records import Answer, Label, Verdict
from hope_bench.scoring.asked_object import asked_about
from hope_bench.scoring.parsing import parse_strict


@dataclass(frozen=True, slots=True)
class Convention:
    """A named way of scoring.

    `unread` says where answers that are neither yes nor no (unparsed, error) count: "wrong" in every number that counts
    questions; "not in recall": wrong in accuracy, but in no other number (and F1 follows from that recall); "nowhere".
    `gold_yes_ratio`: the yes-ratio counts the labels instead of the answers, as lmms-eval's does. `needs_text`: it reads the
    model's words, so it can't score a run that kept only first tokens. `against` reads an answer knowing the label, as
    evalscope does, where `parse` says what the words alone tell.
    """

    name: str
    parse: Callable[[str], Verdict]
    unread: Literal["wrong", "not in recall", "nowhere"]
    gold_yes_ratio: bool = False
    needs_text: bool = True
    against: Callable[[str, Label], Verdict] | None = None


def parse_pope(text: str) -> Verdict:
    """POPE's reading: the first sentence without commas; "No", "not" or "no" among its words (cut at spaces) is no, else yes."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "not", "no"} & set(words) else "yes"


_PUNCTUATION = (";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",", "?", "!")
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"(?<!\d)\.(?!\d)")
_MOST_PERIODS = 32
"""VLMEvalKit hands a flag to `sub` where it takes a count, so only the first 32 (re.UNICODE) full stops go."""


def parse_vlmevalkit(text: str) -> Verdict:
    """VLMEvalKit's reading: exactly one of "yes" and "no" among the lower-cased words, after its punctuation rule.

    A mark that stands beside a space anywhere in the text is removed throughout, any other becomes a space. "*" and ":" stay, so
    that "**Yes**" has no word "yes".
    """
    lowered = text.lower()
    number = _COMMA_IN_NUMBER.search(lowered) is not None
    plain = lowered
    for mark in _PUNCTUATION:
        glued = number or f"{mark} " in lowered or f" {mark}" in lowered
        plain = plain.replace(mark, "" if glued else " ")
    words = set(_PERIOD.sub("", plain, count=_MOST_PERIODS).split())
    return "unparsed" if ("yes" in words) == ("no" in words) else "yes" if "yes" in words else "no"


def parse_lmms_eval(text: str) -> Verdict:
    """lmms-eval's reading: the whole answer, lower-cased and stripped, is "yes" or "no"."""
    whole = text.lower().strip()
    return "yes" if whole == "yes" else "no" if whole == "no" else "unparsed"


def parse_repope(text: str) -> Verdict:
    """RePOPE's reading: "yes" anywhere in the lower-cased answer is yes, else "no" anywhere ("know", "snow") is no."""
    lowered = text.lower()
    return "yes" if "yes" in lowered else "no" if "no" in lowered else "unparsed"


def parse_evalscope(text: str) -> Verdict:
    """What evalscope's reading takes from the words alone: exactly one of YES and NO anywhere in the upper-cased answer."""
    upper = text.upper()
    return "unparsed" if ("YES" in upper) == ("NO" in upper) else "yes" if "YES" in upper else "no"


def evalscope_against(text: str, label: Label) -> Verdict:
    """evalscope's reading: right where the label is anywhere in the upper-cased answer ("NO" is in "snow"), else the other word.

    So an answer with both words is always right, and one with neither always wrong: on a no-question it is a yes.
    """
    right = label.upper() in text.upper()
    return label if right else "no" if label == "yes" else "yes"


_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def parse_helm(text: str) -> Verdict:
    """HELM's quasi_exact_match: the whole answer, lower-cased, without punctuation, articles and surplus spaces, is yes or no."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    whole = " ".join(_ARTICLES.sub(" ", bare).split())
    return "yes" if whole == "yes" else "no" if whole == "no" else "unparsed"


CONVENTIONS: dict[str, Convention] = {
    one.name: one
    for one in (
        Convention("strict", parse_strict, "wrong", needs_text=False),
        Convention("pope", parse_pope, "nowhere"),
        Convention("vlmevalkit", parse_vlmevalkit, "wrong"),
        Convention("lmms-eval", parse_lmms_eval, "not in recall", gold_yes_ratio=True),
        Convention("repope", parse_repope, "nowhere"),
        Convention("evalscope", parse_evalscope, "wrong", against=evalscope_against),
        Convention("helm", parse_helm, "wrong"),
    )
}
"""Every convention by name. POPE's reads every text as yes or no, so only errors count nowhere there."""

STRICT = CONVENTIONS["strict"]


def find_convention(name: str) -> Convention:
    """The convention of that name. Raises HopeBenchError naming the nearest known one."""
    if name not in CONVENTIONS:
        raise HopeBenchError(f"No scoring convention {name!r}. " + did_you_mean(name, CONVENTIONS))
    return CONVENTIONS[name]


def reader(
    answers: Sequence[Answer],
    convention: Convention,
    languages: Sequence[str] = (),
    labels: Mapping[tuple[str, str], Label] | None = None,
    own: AnswerWords | None = None,
) -> Callable[[Answer], Verdict]:
    """What turns an answer of this run into its verdict under the convention; an error stays an error under every one.

    Plain `strict` keeps the verdict that stands with the answer. `languages` are an option of `strict` alone, which reads them
    beside the benchmark's `own`. `labels` are those
    of the questions, by (image, question), for a convention that reads answers against them. Raises HopeBenchError where the
    convention needs text that the run doesn't have.
    """
    if languages and convention is not STRICT:
        raise HopeBenchError(f"--language belongs to the strict convention; {convention.name} knows only English.")
    if convention is STRICT:
        parse_strict(None, languages)  # names an unknown language before any answer is read
        every: Sequence[str | AnswerWords] = languages if own is None or not languages else [own, *languages]
        return lambda answer: _strict(answer, every)
    cut = [answer for answer in answers if answer.error is None and (answer.text is None or not answer.complete)]
    if cut:
        raise HopeBenchError(
            f"Convention {convention.name} reads the model's whole answer, but {len(cut):,} of this run's {len(answers):,} "
            f"answers are first tokens only, such as that to {cut[0].image}: {cut[0].question} Score the run with the strict "
            "convention, or evaluate with --complete under another --name."
        )
    known = labels or {}

    def read(answer: Answer) -> Verdict:
        if answer.error is not None or answer.verdict == "error":
            return "error"
        label = known.get((answer.image, answer.question))
        if convention.against is not None and label is not None:
            return convention.against(answer.text or "", label)
        return convention.parse(answer.text or "")

    return read


def _strict(answer: Answer, languages: Sequence[str | AnswerWords]) -> Verdict:
    if not languages or answer.error is not None or answer.text is None or not answer.complete:
        return answer.verdict
    return parse_strict(answer.text, languages, asked_about(answer.question), answer.question)
