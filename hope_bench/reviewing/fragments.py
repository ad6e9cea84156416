"""The page's moving parts as HTML: picture, claim and progress. Every text from a file is escaped."""

from __future__ import annotations

from html import escape

from hope_bench.errors import counted
from hope_bench.images import UnreadableImageError
from hope_bench.reviewing.claims import Claim, is_existence, question
from hope_bench.reviewing.picture import Pictures
from hope_bench.reviewing.session import LATEST, Session
from hope_bench.search.decisions import Verdict


def picture(pictures: Pictures, claim: Claim, boxes: bool) -> str:
    """The claim's image, or why it can't be shown."""
    try:
        url = pictures.encoded(claim.image, boxes)
    except UnreadableImageError as error:
        return f'<p class="problem">{escape(claim.image)} can’t be shown: {escape(str(error))}. Decide “unsure”.</p>'
    return f'<img class="picture" title="Click, or press +, to look closer" src="{url}" alt="{escape(claim.image, quote=True)}">'


def claim(place: int, shown: Claim) -> str:
    """What the model is asked. What the benchmark says of it stands below, for those who aren't blind to it."""
    words = question(shown)
    emphasis = f"<em>{escape(words.stress)}</em>" if words.stress else ""
    gap = "" if words.after.startswith((" ", "?")) else " "
    return (
        f'<div class="claim" data-place="{place}" aria-live="polite"><h1>{escape(words.before)} {emphasis}{gap}'
        f"{escape(words.after)}</h1></div>"
    )


def verdict_words(shown: Claim) -> dict[Verdict, str]:
    """What the buttons say, with their keys: an object is there or not, of a description the answer is yes or no."""
    present, absent = ("There (T)", "Not there (N)") if is_existence(shown) else ("Yes (Y)", "No (N)")
    return {"present": present, "absent": absent, "unsure": "Unsure (U)"}


def facts(pictures: Pictures, shown: Claim, blind: bool) -> str:
    """What the claim rests on; for a blind reviewer only which image it is."""
    scores = [f"{name} {_number(score)}".strip() for name, score in shown.splits.items()]
    rows = [
        ("Asked as", f"{shown.text} – {shown.label}"),
        ("Risk of being there", _number(shown.risk)),
        *((f"Evidence: {name}", _number(value)) for name, value in (shown.evidence or {}).items()),
        ("Splits and scores", ", ".join(scores)),
        ("Annotated objects", ", ".join(pictures.of(shown.image).names)),
    ]
    rows = [*(() if blind else rows), ("Image", shown.image)]
    shown_rows = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows if value)
    return f"<dl>{''.join(shown_rows)}</dl>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def progress(session: Session) -> str:
    """How far the review is."""
    counts, total = session.counts(), len(session.queue)
    done = counts.total()
    parts = " · ".join(f"{counts[verdict]:,} {words}" for verdict, words in _WORDS.items())
    share = 100 * done / max(total, 1)
    return (
        f'<div class="decided" role="status"><div class="bar" aria-hidden="true"><i style="width:{share:.2f}%"></i></div>'
        f"<p><b>{done:,}</b> of {counted(total, 'claim')} decided <span>{parts}</span></p>"
        f"<p class='left'>{_left(session)}</p>"
        f"<p class='file'>{escape(session.reviewer)} → {escape(str(session.file.path))}</p></div>"
    )


_WORDS: dict[Verdict, str] = {"present": "there", "absent": "not there", "unsure": "unsure"}
"""What decisions are called on the page, in the order of its buttons."""


def _left(session: Session) -> str:
    """How long is left, and when to stop, in sentences."""
    left = len(session.queue) - session.counts().total()
    if not left:
        return ""
    seconds = session.seconds_left()
    about = "" if seconds is None else f"About {counted(max(round(seconds / 60), 1), 'minute')} left. "
    if session.blind:
        return f"{about}Stop at the end: the estimate takes the sample in this order, and every claim narrows it."
    wrong, looked = session.latest_wrong()
    if looked < LATEST:
        return f"{about}The likeliest wrong come first. You can stop when none of {LATEST} in a row is wrong."
    if not wrong:
        return f"{about}None of the last {LATEST} was wrong, and the rest is less likely to be: you can stop here."
    return f"{about}{wrong} of the last {LATEST} {'was' if wrong == 1 else 'were'} wrong: go on."


def finished(session: Session) -> str:
    """What stands in the claim's place when nothing is left to decide."""
    found = "All claims are decided." if session.queue else "There is nothing to review: no split claims an absence."
    advice = "You can close this page and stop the program."
    return f'<div class="claim done" data-place="done" aria-live="polite"><h1>{found}</h1><p>{advice}</p></div>'
