"""Adapters of what is given in Python: a loaded model with its processor, or any object that answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hope_bench.adapters.base import Adapter, AdapterInfo, AdapterReport, RawAnswer
from hope_bench.adapters.checked import checked_answers, kind
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.files.validation import validate

if TYPE_CHECKING:
    from PIL.Image import Image

_AS_IT_IS = (
    "checkpoint",
    "revision",
    "dtype",
    "device",
    "attention",
    "device_map",
    "quantize",
    "compile",
    "trust_remote_code",
    "server",
)
"""Settings that say how a model is loaded, and one that is given is loaded."""


def card_of(model: Any, name: str | None = None, **settings: Any) -> ModelCard:
    """A card for what is given: `name` (None: the model's own, else its class), and what the card of any model may say of how it
    is asked (`batch_size`, `max_new_tokens`, `prompt`, `path`, `complete`, `chat_template` ...).

    Raises HopeBenchError for settings that would have no effect.
    """
    if useless := [key for key in _AS_IT_IS if key in settings]:
        raise HopeBenchError(
            f"{', '.join(useless)} would have no effect: the model is loaded already, and is asked as it is. Leave it out."
        )
    config = getattr(model, "config", None)
    known = str(getattr(config, "_name_or_path", None) or type(model).__name__)
    own = os.path.basename(os.path.normpath(known))  # noqa: PTH119 - a Hub id or a path of any machine
    fields = {"name": (name or own)[:100], "checkpoint": own, "family": getattr(config, "model_type", None), **settings}
    return validate(fields, ModelCard, "The settings of the given model")


def adapter_of(
    model: Any, processor: Any, card: ModelCard, say: Callable[[str], None] = lambda _: None, *, identity: str | None = None
) -> Adapter:
    """The adapter of a loaded transformers model with its `processor`, or of any object with `answer(batch)` (without one).

    `identity` says which weights these are; without, a model's weights are hashed, and an object says it itself (`identity`, a
    text). Raises HopeBenchError for everything else.
    """
    if isinstance(model, str | os.PathLike):
        raise HopeBenchError(f"{str(model)!r} names a model, and a loaded one was expected. Leave the processor out.")
    if isinstance(model, type):
        raise HopeBenchError(f"{model.__name__} is a class. Give an object of it.")
    if processor is None and callable(getattr(model, "answer", None)):
        if card.sampling is not None:
            raise HopeBenchError(
                "sampling and samples would have no effect: an object with answer(batch) answers as it likes. Leave them out."
            )
        return GivenObject(model, say, identity=identity)
    import torch

    if not isinstance(model, torch.nn.Module):
        what = kind(model)
        raise HopeBenchError(
            f"{what[0].upper()}{what[1:]} is no model: give a card, a folder or an id, a loaded transformers model with its "
            "processor, or an object with answer(batch)."
        )
    if processor is None:
        raise HopeBenchError(
            f"A loaded model ({type(model).__name__}) needs the processor that makes its inputs: "
            "processor=AutoProcessor.from_pretrained(...)."
        )
    from hope_bench.adapters.loaded_model import LoadedModel

    return LoadedModel(model, processor, card, say, identity=identity)


class GivenObject:
    """Any object with `answer(batch)` as an `Adapter`.

    `answer` gives one `RawAnswer` or text for each (RGB image, prompt), in order; an image's `info["file_name"]` is its name in
    the images folder. The object may have `load()`, called once before, and a text `identity` that says which version of what
    it is, so that a run knows its answers again.
    """

    def __init__(self, asked: Any, say: Callable[[str], None] = lambda _: None, *, identity: str | None = None) -> None:
        """Raises HopeBenchError for an identity that is no text."""
        self._asked, self._where = asked, type(asked).__qualname__
        known = identity if identity is not None else getattr(asked, "identity", None)
        if known is not None and not (isinstance(known, str) and known):
            raise HopeBenchError(f"{self._where}.identity is {known!r}, not a text that says which model it is.")
        if known is None:
            say(
                f"Nothing tells one {self._where} from another: a run that goes on takes the answers there for this one's. Where "
                "that may be wrong, give the object an identity (a text), or this run another name."
            )
        self._said = known
        self._identity = f"{type(asked).__module__}.{self._where}" + ("" if known is None else f" {known}")

    @property
    def info(self) -> AdapterInfo:
        """Its class, and what it says of itself; where and how it computes is its own business."""
        unknown = "unknown"
        return AdapterInfo(f"object {self._where}", self._identity, None, None, unknown, unknown, unknown, said=self._said)

    @property
    def report(self) -> AdapterReport:
        """Nothing: an object has no way to say."""
        return AdapterReport()

    def load(self) -> None:
        """The object's own, if it has one."""
        if callable(load := getattr(self._asked, "load", None)):
            load()

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """Nothing to do ahead."""

    def answer(self, batch: Sequence[tuple[Image, str]]) -> list[RawAnswer]:
        """What the object answers, checked (`checked_answers`)."""
        return checked_answers(self._asked, batch, self._where)
