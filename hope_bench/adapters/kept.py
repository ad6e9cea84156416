"""A model that stays loaded over several runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from hope_bench.adapters.base import Adapter, AdapterInfo, AdapterReport, Draws, RawAnswer

if TYPE_CHECKING:
    from PIL.Image import Image


class Kept:
    """An `Adapter` around another one that loads it once, and reports what each run used of tokens and money by itself."""

    def __init__(self, model: Adapter) -> None:
        self._model, self._loaded = model, False
        self._before = AdapterReport()

    @property
    def info(self) -> AdapterInfo:
        """The model's."""
        return self._model.info

    def new_run(self) -> None:
        """What was used so far belongs to earlier runs."""
        self._before = self._model.report

    @property
    def report(self) -> AdapterReport:
        """What happened since `new_run`; the path and the self-checks are those of the loaded model."""
        now, before = self._model.report, self._before
        return replace(
            now,
            input_tokens=_less(now.input_tokens, before.input_tokens),
            output_tokens=_less(now.output_tokens, before.output_tokens),
            cost=None if now.cost is None else round(now.cost - (before.cost or 0), 6),
        )

    def load(self) -> None:
        """Load the model, the first time."""
        if not self._loaded:
            self._model.load()
            self._loaded = True

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """As the model does."""
        self._model.prepare(batch)

    def __getattr__(self, name: str) -> Any:
        """What only some adapters have (`base.EncodesElsewhere`)."""
        return getattr(self._model, name)

    def answer(self, batch: Sequence[tuple[Image, str]], samples: Sequence[int] = ()) -> list[RawAnswer]:
        """As the model does."""
        return cast(Draws, self._model).answer(batch, samples) if samples else self._model.answer(batch)


def _less(now: int | None, before: int | None) -> int | None:
    return None if now is None else now - (before or 0)
