"""Which field of a line holds the model's answer: certain, or refused. A label must never be read as an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hope_bench.errors import HopeBenchError, first_few
from hope_bench.interchange.questions import Line, read_question
from hope_bench.scoring.parsing import parse_answer

_MODELS = {
    "pred", "preds", "predict", "predicted", "prediction", "predictions", "response", "responses", "resp", "resps", "output",
    "outputs", "generated", "generation", "completion", "reply", "hypothesis",
}  # fmt: skip
"""Words in the name of a field that holds what a model said."""
_GOLD = {"label", "labels", "gt", "gold", "golden", "truth", "groundtruth", "target", "correct", "reference", "ref", "expected"}
"""Words in the name of a field that holds what is right."""
_FLAGS = _GOLD - {"correct", "ref", "reference", "expected"}
_EITHER = {"answer", "answers", "text"}
"""What some files call the model's answer and others the label, or the question."""
_ASKED = {"question", "prompt", "query", "instruction", "input", "inputs", "conversations", "messages"}
_ABOUT = {"id", "ids", "idx", "index", "name", "time", "seconds", "tokens", "length", "len", "path", "file", "type", "category"}
"""Words in the name of a field that tells something about an answer and isn't one: response_id, output_tokens."""
_SAYS = re.compile(r"\b(?:yes|no|true|false)\b", re.IGNORECASE)

_ASK = "Name the field that holds the model's answers with --answer FIELD."


def question_of(line: Line) -> str:
    """The question that a line answers: `question` or `prompt`, else a `text` that asks something. Raises HopeBenchError."""
    if "question" not in line.data and "prompt" not in line.data and _text_asks(line.data):
        return line.text("text")
    return line.text("question", "prompt")


def answer_field(lines: Sequence[Line], named: str | None = None) -> tuple[str, bool]:
    """The field of these lines that holds what the model said, and whether its name alone leaves no doubt.

    `named` is what the user says (dots lead into objects). Otherwise a field is taken whose name says that it is a model's
    ("prediction", "response"); else `answer` or `text`, where no other field could be the answer. It must be in every line.
    Raises HopeBenchError, asking for --answer, where that is not clear.
    """
    if not lines:
        return named or "answer", True
    if named is not None:
        _everywhere(lines, named)
        return named, True
    kinds = _kinds(lines)
    models = [name for name, kind in kinds.items() if kind == "model"]
    if models:
        _everywhere(lines, models[0])
        differing = [name for name in models[1:] if not _says_the_same(lines, models[0], name)]
        if differing:
            raise HopeBenchError(f"{lines[0].where}: {_listed([models[0], *differing])} could each be the answer. {_ASK}")
        return models[0], True
    maybe = [name for name, kind in kinds.items() if kind == "either"]
    unknown = [name for name, kind in kinds.items() if kind == "unknown"]
    if len(maybe) == 1 and not unknown:
        _everywhere(lines, maybe[0])
        labelled = any(kind == "gold" for kind in kinds.values())
        replied = maybe[0] == "text"  # beside a prompt or a question of its own
        return maybe[0], (labelled or replied) and not any("image_source" in line.data for line in lines)
    if maybe or unknown:
        names = maybe + unknown
        doubt = f"{_listed(names)} could {'each ' if len(names) > 1 else ''}be the answer or the label"
        raise HopeBenchError(f"{lines[0].where}: {doubt}. {_ASK}")
    gold = [name for name, kind in kinds.items() if kind == "gold"]
    held = f", only {_listed(gold)}, which by the name is the label" if gold else ""
    raise HopeBenchError(f"{lines[0].where}: no 'text' or 'answer', and no other field that holds an answer{held}. {_ASK}")


def label_field(lines: Sequence[Line], answer: str, *, named: bool) -> str | None:
    """The one field beside `answer` that holds what is right; None where there is none, or several. Where the user `named` the
    answer, only a field whose name says so."""
    beside = {name: kind for name, kind in _kinds(lines).items() if name != answer}
    gold = [name for name, kind in beside.items() if kind == "gold"]
    maybe = [] if gold or named else [name for name, kind in beside.items() if kind == "either"]
    return (gold or maybe)[0] if len(gold or maybe) == 1 else None


def value_at(data: Mapping[str, Any], name: str) -> Any:
    """The value of a field; dots lead into objects ("doc.prediction"), where no field has the whole name. None where it isn't."""
    if name in data:
        return data[name]
    found: Any = data
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def answer_of(line: Line, name: str) -> str:
    """What a line's field says. Raises HopeBenchError where it isn't text."""
    value = value_at(line.data, name)
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if not isinstance(value, str):
        raise HopeBenchError(f"{line.where}: {name!r} is not text: {json.dumps(value)[:80]}. {_ASK}")
    return value


def refuse_labels(where: str, name: str, agreeing: int) -> None:
    """Raise HopeBenchError for a field that may hold labels and says nothing but the benchmark's own, `agreeing` times."""
    raise HopeBenchError(
        f"{where}: {name!r} says what the benchmark's labels say, {agreeing:,} times out of {agreeing:,}. Where these are the "
        f"labels, they are no answers; where they are a model's answers, say so with --answer {name}."
    )


_BALANCED = 20
"""In so many pictures, no model that errs says yes exactly as often as no."""


def refuse_balanced(where: str, name: str, said: Sequence[tuple[str, str]]) -> None:
    """Raise HopeBenchError for a field that may hold labels and, like POPE's, says yes in every picture as often as no: such
    are labels also of a benchmark whose own were corrected since. `said` are pictures and what the field says."""
    yes: dict[str, list[bool]] = {}
    for image, text in said:
        yes.setdefault(image, []).append(parse_answer(text, "") == "yes")
    if len(yes) >= _BALANCED and all(len(one) > 1 and 2 * sum(one) == len(one) for one in yes.values()):
        raise HopeBenchError(
            f"{where}: {name!r} says yes exactly as often as no in each of {len(yes):,} pictures, as labels do. Where these "
            f"are a model's answers, say so with --answer {name}."
        )


def _kinds(lines: Sequence[Line]) -> dict[str, str]:
    """Each field that may hold an answer or a label, by what its name and its values say."""
    values: dict[str, list[Any]] = {}
    for line in lines:
        for name, value in line.data.items():
            values.setdefault(name, []).append(value)
    asked = {"text"} if not any({"question", "prompt"} & line.data.keys() for line in lines) else set()
    asking = asked if all(_text_asks(line.data) for line in lines) else set()
    kinds = {name: _kind(name, found) for name, found in values.items() if name not in asking}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _kind(name: str, values: Sequence[Any]) -> str | None:
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    if name.lower() in _ASKED or words & _ABOUT or name.lower().startswith("image"):
        return None
    if name.lower() in _EITHER:
        return "either"
    model, gold = bool(words & _MODELS), bool(words & _GOLD)
    texts = [text for value in values for text in _texts(value)]
    if not texts:
        flags = all(isinstance(value, bool) or value in (0, 1) for value in values)  # is_correct tells of neither
        named = (model and not gold and "model") or (bool(words & _FLAGS) and not model and "gold") or None
        return named if flags else None
    says = 2 * sum(bool(_SAYS.search(text)) for text in texts) >= len(texts)
    if model != gold:
        return "model" if model else ("gold" if says else None)
    return "unknown" if says else None


def _texts(value: Any) -> list[str]:
    """A value's text, or the texts within the list or object that it is."""
    if isinstance(value, str):
        return [value]
    held = value if isinstance(value, list) else list(value.values()) if isinstance(value, Mapping) else []
    return [text for one in held for text in _texts(one)]


def _everywhere(lines: Sequence[Line], name: str) -> None:
    lacking = [line.where for line in lines if value_at(line.data, name) is None]
    if len(lacking) == len(lines):
        raise HopeBenchError(f"{lines[0].where}: no {name!r}. It has: {first_few(lines[0].data, 12)}.")
    if lacking:
        raise HopeBenchError(
            f"{first_few(lacking, 2)}: no {name!r}, though other lines have it. One field must hold the answer in every line: "
            f"mend the file, or n{_ASK[1:]}"
        )


def _says_the_same(lines: Sequence[Line], one: str, other: str) -> bool:
    for line in lines:
        first, second = value_at(line.data, one), value_at(line.data, other)
        if not (isinstance(first, str) and isinstance(second, str)) or parse_answer(first, "") != parse_answer(second, ""):
            return False
    return True


def _text_asks(data: Mapping[str, Any]) -> bool:
    text = data.get("text")
    return isinstance(text, str) and (read_question(text) is not None or "?" in text)


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
