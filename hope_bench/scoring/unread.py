"""What can't be judged of a run: answers that are neither yes nor no, and errors; and what may be done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from hope_bench.adapters.thinking import mentions_thinking
from hope_bench.errors import counted
from hope_bench.files.split_score import SplitScore
from hope_bench.records import Answer, Verdict
from hope_bench.scoring.answer_words import REASONING
from hope_bench.scoring.verdicts import given_verdict

MOST_UNREAD = 0.05
"""The largest share of a split's answers that may be unparsed or errors in a ranked result."""

_SAMPLES = 3
_LONGEST_SAMPLE = 160


def unread_reason(splits: Mapping[str, SplitScore]) -> str | None:
    """Why a result of these splits must not be ranked, naming the worst split; None where at most MOST_UNREAD can't be judged."""
    worst = max(splits, key=lambda name: _share(splits[name]), default=None)
    if worst is None or _share(splits[worst]) <= MOST_UNREAD:
        return None
    unparsed, errors, asked = _unread(splits[worst])
    share = 100 * (unparsed + errors) / asked
    counts = f"{unparsed:,} unparsed and {counted(errors, 'error')} of {asked:,}; at most {100 * MOST_UNREAD:.0f}% may be"
    return f"{share:.3g}% of the answers on {worst} can't be judged ({counts})"


def _unread(split: SplitScore) -> tuple[int, int, int]:
    """How many of a split's answers are unparsed and how many errors, and how many questions were asked."""
    unparsed, errors = (getattr(split.on_yes, kind) + getattr(split.on_no, kind) for kind in ("unparsed", "error"))
    read = sum(side.yes + side.no for side in (split.on_yes, split.on_no))
    return unparsed, errors, unparsed + errors + read


def _share(split: SplitScore) -> float:
    unparsed, errors, asked = _unread(split)
    return (unparsed + errors) / asked if asked else 0.0


def unread_report(answers: Sequence[Answer], read: Callable[[Answer], Verdict] = given_verdict) -> list[str]:
    """Lines for people where more than MOST_UNREAD of a run's answers can't be judged: how many, three samples of what was said,
    and what to do about it. Empty otherwise."""
    verdicts = [read(answer) for answer in answers]
    unread = [answer for answer, verdict in zip(answers, verdicts, strict=True) if verdict in ("unparsed", "error")]
    if len(unread) <= MOST_UNREAD * len(answers):
        return []
    counts = Counter(verdicts)
    lines = [
        f"{len(unread):,} of {len(answers):,} answers can't be judged ({counts['unparsed']:,} unparsed, {counts['error']:,} "
        "errors), so a result of this run is not ranked. For example:"
    ]
    lines += [f"  {_shortened(one.question)} -> {_said(one)}" for one in _samples(unread)]
    return [*lines, _advice(unread)]


def _samples(unread: Sequence[Answer]) -> list[Answer]:
    """The first answer of each of the commonest texts, then further ones in order."""
    first: dict[str, Answer] = {}
    for one in unread:
        first.setdefault(_said(one), one)
    common = [first[said] for said, _ in Counter(map(_said, unread)).most_common(_SAMPLES)]
    others = [one for one in unread if all(one is not other for other in common)]
    return [*common, *others][:_SAMPLES]


def _said(answer: Answer) -> str:
    if answer.error is not None or answer.verdict == "error":
        return f"error: {_shortened(answer.error or 'no reason given')}"
    return repr(_shortened(answer.text)) if answer.text and answer.text.strip() else "(nothing)"


def _shortened(text: str) -> str:
    line = " ".join(text[: 4 * _LONGEST_SAMPLE].split())
    return line if len(line) <= _LONGEST_SAMPLE else f"{line[:_LONGEST_SAMPLE]}..."


def _advice(unread: Sequence[Answer]) -> str:
    """What to do about the commonest of the reasons."""
    causes = Counter(map(_cause, unread))
    return _ADVICE[max(causes, key=causes.__getitem__)]


def _cause(answer: Answer) -> str:
    text = (answer.text or "").strip().lower()[:1000]
    letters = [letter for letter in text if letter.isalpha()]
    if answer.error is not None or answer.verdict == "error":
        return "error"
    if not letters:
        return "empty"
    if mentions_thinking(text) or REASONING.match(text):
        return "reasons"
    return "foreign" if sum(letter.isascii() for letter in letters) < len(letters) / 2 else "words"


_ADVICE = {
    "error": "What to do: the same evaluate command asks again what failed; the reasons above say what to mend first.",
    "empty": "What to do: a model that says nothing is mostly asked wrongly. See that the checkpoint is instruction-tuned and "
    "that its chat template is the right one (chat_template in the card).",
    "reasons": "What to do: the model reasons and is cut off before its answer. Evaluate with a larger --max-new-tokens, under "
    "another --name.",
    "foreign": "What to do: the model answers in another language. Score with --language (de, fr, zh, ...).",
    "words": "What to do: see whether these are answers at all. If they break off, evaluate with a larger --max-new-tokens; if "
    "they talk, ask for one word with a prompt of its own (--prompts, docs/scoring.md). Either takes another --name.",
}
