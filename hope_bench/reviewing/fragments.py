"""The page's moving parts as HTML: picture, claim and progress. Every text from a file is escaped."""

from __future__ import annotations

from html import escape

from hope_bench.errors import counted
from hope_bench.images import UnreadableImageError
from hope_bench.reviewing.claims import Claim, is_existence, question, statement
from hope_bench.reviewing.decisions import VERDICTS
from hope_bench.reviewing.picture import Pictures
from hope_bench.reviewing.session import Session
from hope_bench.search.decisions import Verdict


def picture(pictures: Pictures, claim: Claim, boxes: bool) -> str:
    """The claim's image, or why it can't be shown."""
    try:
        url = pictures.encoded(claim.image, boxes)
    except UnreadableImageError as error:
        return f'<p class="problem">{escape(claim.image)} can’t be shown: {escape(str(error))}. Decide “unsure”.</p>'
    return f'<img class="picture" src="{url}" alt="{escape(claim.image, quote=True)}">'


def claim(place: int, shown: Claim, blind: bool) -> str:
    """The claim in words; for a blind reviewer the question alone. A description stands as a question too, with its label:
    a denied "exactly two dogs" is hard to read."""
    stated = not blind and is_existence(shown)
    words = statement(shown) if stated else question(shown)
    says = "" if blind else "True?" if stated else f"Label: {shown.label}."
    ask = f' <span class="ask">{says}</span>' if says else ""
    emphasis = f"<em>{escape(words.stress)}</em>" if words.stress else ""
    gap = "" if words.after.startswith((" ", "?")) else " "
    return (
        f'<div class="claim" data-place="{place}" aria-live="polite"><h1>{escape(words.before)} {emphasis}{gap}'
        f"{escape(words.after)}{ask}</h1></div>"
    )


def verdict_words(shown: Claim) -> dict[Verdict, str]:
    """What the buttons say, with their keys: an object is absent or present, of a description the answer is no or yes."""
    absent, present = ("Absent", "Present") if is_existence(shown) else ("No", "Yes")
    return {"absent": f"{absent} (A)", "present": f"{present} (P)", "unsure": "Unsure (U)"}


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
    parts = " · ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS)
    share = 100 * done / max(total, 1)
    return (
        f'<div class="decided" role="status"><div class="bar" aria-hidden="true"><i style="width:{share:.2f}%"></i></div>'
        f"<p><b>{done:,}</b> of {counted(total, 'claim')} decided <span>{parts}</span></p>"
        f"<p class='file'>{escape(session.reviewer)} → {escape(str(session.file.path))}</p></div>"
    )


def finished(session: Session) -> str:
    """What stands in the claim's place when nothing is left to decide."""
    found = "All claims are decided." if session.queue else "There is nothing to review: no split claims an absence."
    advice = "You can close this page and stop the program."
    return f'<div class="claim done" data-place="done" aria-live="polite"><h1>{found}</h1><p>{advice}</p></div>'
