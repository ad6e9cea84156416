"""How existence questions are worded: POPE's own sentence, with the right article."""

from __future__ import annotations


def article(name: str) -> str:
    """ "an" before a vowel letter, else "a": POPE's rule, by spelling rather than sound."""
    return "an" if name[:1].lower() in tuple("aeiou") else "a"


def existence_question(name: str) -> str:
    """POPE's question about one category: "Is there an apple in the image?"."""
    return f"Is there {article(name)} {name} in the image?"
