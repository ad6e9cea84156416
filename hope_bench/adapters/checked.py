"""What somebody else's `answer(batch)` gives, checked before it counts as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.thinking import separate
from hope_bench.errors import HopeBenchError, counted

if TYPE_CHECKING:
    from PIL.Image import Image


def checked_answers(asked: Any, batch: Sequence[tuple[Image, str]], where: str) -> list[RawAnswer]:
    """`asked.answer(batch)`: one `RawAnswer` or text for each question, in order. `where` names the object in errors.

    Raises HopeBenchError for answers of the wrong kind or number, which is a bug in the object; an exception of its own passes
    through, and the engine finds out which question it was.
    """
    try:
        said = asked.answer(list(batch))
    except SystemExit as error:  # no Exception: it would end the run, in silence where its code is 0
        raise RuntimeError(f"{where}.answer() called sys.exit({error.code!r})") from None
    if not isinstance(said, (list, tuple)):
        raise HopeBenchError(f"{where}.answer() gave {kind(said)}, not a list of answers.")
    if len(said) != len(batch):
        raise HopeBenchError(
            f"{where}.answer() gave {counted(len(said), 'answer')} to {counted(len(batch), 'question')}, so "
            "which belongs to which is unknown."
        )
    return [_checked(one, where) for one in said]


def _checked(said: object, where: str) -> RawAnswer:
    answer = RawAnswer(text=said) if isinstance(said, str) else said
    if not isinstance(answer, RawAnswer):
        raise HopeBenchError(f"{where}.answer() gave {kind(said)} as an answer, not a text or a RawAnswer.")
    for name in ("text", "error"):
        value = getattr(answer, name)
        if value is not None and not isinstance(value, str):
            raise HopeBenchError(f"{where}.answer() gave {name} = {value!r}, which is not a text or None.")
    if answer.error is None and answer.text is None:
        raise HopeBenchError(f"{where}.answer() gave a RawAnswer with neither text nor error.")
    if not isinstance(answer.complete, bool):
        raise HopeBenchError(f"{where}.answer() gave complete = {answer.complete!r}, which is not True or False.")
    answer = replace(answer, p_yes=_probability("p_yes", answer.p_yes, where), mass=_probability("mass", answer.mass, where))
    return answer if answer.text is None else _without_thought(answer, answer.text)


def _without_thought(answer: RawAnswer, text: str) -> RawAnswer:
    """Where a text holds a thought, what follows it alone; a text that ends within one is no answer."""
    said = separate(text)
    if said.answer is None:
        return RawAnswer(error="the text ends within the model's thought, without an answer")
    return answer if said.thought is None else replace(answer, text=said.answer, p_yes=None, mass=None)


def _probability(name: str, value: object, where: str) -> float | None:
    """As a float, whatever kind of real number the object computes with (NumPy's have no place in JSON)."""
    if value is None:
        return None
    if not isinstance(value, Real):
        raise HopeBenchError(f"{where}.answer() gave {name} = {value!r}, which is not a number but {kind(value)}.")
    number: Any = value  # mypy knows no comparison of a Real
    if not 0 <= number <= 1:
        raise HopeBenchError(f"{where}.answer() gave {name} = {value!r}, which is not in [0, 1].")
    return float(number)


def kind(value: object) -> str:
    """What a value is, as part of a sentence."""
    return "nothing (None)" if value is None else f"a {type(value).__name__}"
