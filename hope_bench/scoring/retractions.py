"""Where an answer takes back or disowns words of its own: corrections, claims called wrong, pictures that weren't seen."""

from __future__ import annotations

import re

_CORRECTS = re.compile(
    r"(?:^|[.,!?;:\n(-]\s{0,3}|\b(?:no|yes|oh|but|and) )(?:oh,? |oops,? |sorry,? |but |and )?"
    r"(?:wait(?=\s{0,2}(?:[,.!\n-]|(?:yes|no|actually|that|there|i|it)\b))(?: a (?:minute|second|moment))?"
    r"|hold on|hang on|let me (?:look|check|see) (?:again|closer|more closely)|correction|scratch that|strike that"
    r"|(?:i was|i am|i'm|i stand) (?:wrong|mistaken|corrected|incorrect)|my (?:mistake|bad|apologies)|i misspoke"
    r"|i (?:have )?made (?:a mistake|an error)|on second thought"
    r"|i mean(?=,? (?:yes|no)\b)|let me correct (?:myself|that)|i take (?:that|it) back"
    r"|that was (?:wrong|incorrect|a mistake)(?= ?[,.:])|(?:well,? )?actually(?=,? (?:no|yes|yeah|nope)\b))\b[\s,.:!;-]{0,5}"
)
_ON_SECOND_THOUGHT = re.compile(
    r"(?:[.,!?;:\n-]\s{0,3}(?:(?:ah|ehm?|er+m?|h+m+|oh|oops|ugh|u+h+|u+m+|well)\b[\s,.!-]{0,6}){1,3}|\.{2,5}\s{0,3})"
    r"(?:but )?(?=(?:no|nope|yeah|yes)\b,? {0,2}"
    r"(?:(?:an?|i (?:can )?(?:do )?(?:not )?see|it|not|that|the|there|these|they|this|those)\b|[.!]?\s{0,9}$))"
)
"""A yes or no after a pause, that goes on ("Yes, there's a dog. Hmm, no, that's a fox.")."""
_ACTUALLY = re.compile(r"\W{0,3}(?:yes|no)\W{1,4}(?:but )?actually,? ")
_YEAH_NO = re.compile(r"^\W{0,3}(?:(?:yeah|yea|ya|well)[, ]{1,3}(?=(?:no|nah|nope)\s{0,2}(?:[,.!\n]|$))|no[, ]{1,3}(?=yeah\b))")

_FALSELY = r"false|wrong|incorrect|untrue|inaccurate|mistaken|a lie|a mistake|misleading|invalid"
_WRONG = rf"(?:{_FALSELY}|not (?:true|correct|right|accurate|the case|so))"
_FALSE = re.compile(rf"\b(?:{_FALSELY})\b")
_NOT = re.compile(r"\bnot\b|n't\b")
_CLAIM = (
    r"(?:claim|statement|assumption|idea|suggestion|premise|notion|assertion|belief|proposition|sentence"
    r"|description|hypothesis|view)"
)
_DENIES = re.compile(
    rf"""(?P<before>it(?:'s|\ is|\ would\ be|\ isn't|\ is\ not|\ would\ not\ be)\ (?:simply\ |just\ |clearly\ |also\ )?
        (?:{_WRONG}|true|correct|accurate|the\ case|right)\ (?:that|to\ (?:say|claim|state|assume|think|believe|assert
        |conclude)(?:\ that)?)\ )
    | (?P<deny>i\ (?:would\ |must\ |have\ to\ )?(?:deny|disagree|dispute|reject|refute
        |contest)(?:\ with)?(?:\ the\ {_CLAIM})?\ that\ )
    | (?P<not_say>i\ (?:would\ not|wouldn't|would\ never)\ (?:say|claim)\ (?:that\ )?(?!so\b|yes\b|no\b))
    | (?P<claim>(?:the|your|this|that|any)\ {_CLAIM}\ (?:that\ |of\ )?["']?)
    | (?P<saying>(?:saying|claiming|stating|to\ say|to\ claim|to\ state)\ (?:that\ )?)
    | (?P<quoted>["'](?=there\ |a\ |the\ |it\ |this\ ))
    """,
    re.VERBOSE,
)
_CALLED = re.compile(
    rf"[\"']?,? (?:is|was|'s|would be|isn't|is not|would not be|wouldn't be) (?:simply |just "
    rf"|clearly )?(?P<wrong>{_WRONG}|true|correct|accurate|right)\s?$"
)
_WORD_DENIED = re.compile(
    rf"""(?:(?:(?:the|my|your)\ )?(?:(?:correct|earlier|first|initial|previous|prior)\ )?(?:answer|reply|response)\ )?(?:of\ )?
        ["']?(?P<word>yes|no)["']?
        \ (?:is|would\ be|was)\ (?:the\ |an?\ )?{_WRONG}(?:\ answer|\ here)?
    | (?:the\ )?(?:correct\ |right\ )?answer\ (?:is\ not|isn't|cannot\ be|can't\ be|is\ definitely\ not)\ ["']?(?P<other>yes
        |no)\b["']?(?!\ but)
    | i\ (?:can't|cannot|can\ not|would\ not|wouldn't|won't)\ (?:say|answer)\ ["']?(?P<say>yes|no)\b["']?(?!\ (?:or|nor))""",
    re.VERBOSE,
)

_PICTURE = r"(?:image|picture|photo|photograph|screenshot|file|attachment)"
_WHOLE = r"(?:completely |entirely |all |totally |just |pure |fully |solid |mostly )"
_UNSEEN = re.compile(
    rf"(?:^|[.,!;:\n]|\b(?:because|but|as|since|and|that|see))\s{{0,3}}(?:sorry,? )?(?:(?:the|this|your|an?"
    rf"|that) )?(?:provided |given |uploaded )?{_PICTURE}s? ?"
    r"(?:(?:has|have|was|is|are|seems to be|appears to be|seems|appears)? ?(?:failed to load|fails to load"
    r"|not found|not available|unavailable|missing$|corrupted|corrupt|broken|unreadable"
    rf"|{_WHOLE}?(?:black|blank)\b(?! and white)|{_WHOLE}(?:white|dark|empty)\b(?! except| apart| but| of)"
    rf"|empty\b(?! except| apart| but| of))"
    r"|(?:could not|couldn't|cannot|can't|can not|did not|didn't|does not|doesn't|is not|isn't|was not|wasn't"
    r"|has not|hasn't|won't|will not) (?:be |been )?(?:load(?:ed)?|open(?:ed)?|come|found|available|downloaded"
    r"|readable|uploaded|loading)\b)"
    rf"|\b(?:failed|unable) to load\b|\b(?:blank|corrupted) {_PICTURE}\b"
    rf"|\bit(?:'s| is) {_WHOLE}(?:black|blank|dark|white)\b(?! and)"
    r"|\b(?:text|language)[- ](?:based )?(?:ai )?(?:language )?(?:only )?(?:model|assistant|ai)\b"
    r"|\berror: (?:image|no image|could|cannot|failed|file)"
)
_DECLINES = re.compile(
    r"\W{0,3}no\W{1,3}(?:sorry\W{1,3})?(?:i|we) (?:can't|cannot|can not|could not|couldn't|am unable to"
    r"|am not able to|don't|do not|won't) "
    r"(?:really )?(?:help|assist|answer|comment|provide|(?:see|view|access|open|have|process) (?:the|any|an|your"
    r"|this|that) (?:image|picture|photo)s?\s{0,2}(?:[.,!;]|$))"
)
_OFFERS = re.compile(
    r"\W{0,3}(?:yes|sure|yeah)\W{1,3}(?:of course\W{1,3})?i (?:can|will|could|would be (?:happy"
    r"|glad) to) (?:certainly |gladly |definitely )?"
    r"(?:help|assist|answer|analy[sz]e|describe|do that|see (?:the|this|your|that) (?:image|picture"
    r"|photo))\b[^.!\n]{0,200}(?:[.!\n]|$)"
)


def last_word(text: str) -> str:
    """What an answer comes to where it corrects itself in so many words ("No, wait, yes"), else the whole of it."""
    if (idiom := _YEAH_NO.match(text)) is not None:
        return text[idiom.end() :]
    last = max((*_CORRECTS.finditer(text), *_ON_SECOND_THOUGHT.finditer(text)), key=lambda found: found.end(), default=None)
    if last is None or not text[: last.start()].strip(" \n"):
        return text
    return text[last.end() :] if any(map(str.isalnum, text[last.end() :])) else "?"


def corrected_by_actually(text: str) -> str | None:
    """What follows "No, actually, ...", which counts where it says anything of the object; None where nothing is so corrected."""
    found = _ACTUALLY.match(text)
    return None if found is None else text[found.end() :]


def without_offer(text: str) -> str:
    """An answer without a "Yes, I can help with that." that opens it and something follows."""
    found = _OFFERS.match(text)
    return text if found is None else text[found.end() :]


def disowned(text: str) -> bool:
    """Whether an answer says that no picture was seen, or that it won't answer."""
    return _UNSEEN.search(text.replace('"', "")) is not None or _DECLINES.match(text) is not None


def denied_word(text: str) -> tuple[str, str] | None:
    """Which of yes and no a sentence calls the wrong answer, and what is left of the sentence."""
    found = _WORD_DENIED.match(text)
    if found is None:
        return None
    return found["word"] or found["other"] or found["say"], text[found.end() :]


def denied_claim(text: str) -> tuple[str, str] | None:
    """The claim that a sentence calls wrong ("it is false that there is a dog"), and what follows it; None where there is none.

    Read the claim alone, and turn what it says round.
    """
    text = text.strip()
    found = _DENIES.match(text)
    if found is None:
        return None
    if found["before"] is not None or found["deny"] or found["not_say"]:
        if found["before"] is not None and not _wrong(found["before"]):
            return None
        said = text[found.end() :]
        claim = re.split(",| but ", said)[0]
        return claim, said.removeprefix(claim)
    called = _CALLED.search(text)
    if called is None or called.start() < found.end():
        return None
    return (text[found.end() : called.start()], "") if _wrong(called[0]) else None


def _wrong(words: str) -> bool:
    return (_FALSE.search(words) is None) == (_NOT.search(words) is not None)
