"""A run that may cost only so much: whole images in a drawn order, until the next would exceed it."""

from __future__ import annotations

from collections.abc import Callable

from hope_bench.adapters.base import AdapterReport
from hope_bench.adapters.endpoint_asks import thinks
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import PRICED_TOKENS, ModelCard
from hope_bench.files.run import RunRecord
from hope_bench.inference.plan import Step

CHARACTERS_PER_TOKEN = 4
"""Of English text, as a rule of thumb."""


def check_budget(card: ModelCard, budget: float, limit: int | None, processes: int) -> None:
    """Raise HopeBenchError where nothing tells what a question costs, or something else says how much is asked."""
    if not budget > 0:
        raise HopeBenchError(f"--budget {budget:g}: give dollars, more than 0.")
    if card.adapter != "endpoint" or card.price_input is None or card.price_output is None:
        raise HopeBenchError(
            f"--budget needs to know what a question costs, and {card.name} has no prices: an endpoint's card says them as "
            "price_input and price_output, in dollars per million tokens."
        )
    if limit is not None:
        raise HopeBenchError("--budget and --limit both say how much is asked. Give one of them.")
    if processes > 1:
        raise HopeBenchError("--budget is kept by one process; an endpoint is asked by one anyway. Start hope-bench once.")


class Budget:
    """How much of `dollars` is left, over all sittings of a run, of which `answered` questions are answered already. By question,
    an image is taken to cost what the dearest one did; of the first, only its text and the longest possible answers are known.
    What a sitting that was killed could not write down is taken to have cost as much, too."""

    def __init__(
        self, dollars: float, card: ModelCard, record: RunRecord, report: Callable[[], AdapterReport], answered: int
    ) -> None:
        self._dollars, self._card, self._report = dollars, card, report
        self._before = record.run.cost_usd or 0.0
        self._unpriced = max(0, answered - record.asked)
        self._dearest = self._before / record.asked if record.asked else None
        self._counted = 0.0

    @property
    def spent(self) -> float:
        """Dollars so far, those of earlier sittings included."""
        return self._before + self._unpriced * (self._dearest or 0.0) + (self._report().cost or 0.0)

    def allows(self, step: Step) -> bool:
        """Whether the questions of a step, all of one image or more, can be asked and paid; nothing is asked of an empty one."""
        return not step or self.spent + self._price(step) <= self._dollars

    def asked(self, step: Step) -> None:
        """Take note that a step was asked. Raises HopeBenchError where the server counts no tokens: no budget could be kept."""
        report = self._report()
        if step and not report.input_tokens:
            raise HopeBenchError(
                "The server doesn't say how many tokens an answer took, so no budget can be kept. What was answered stays; go on "
                "with --limit instead."
            )
        cost = report.cost or 0.0
        if step:
            self._dearest = max(self._dearest or 0.0, (cost - self._counted) / len(step))
        self._counted = cost

    def _price(self, step: Step) -> float:
        if self._dearest is not None:
            return self._dearest * len(step)
        text = sum(len(request.text) for request in step) / CHARACTERS_PER_TOKEN
        longest = len(step) * self._card.new_tokens(thinks(self._card))
        return (text * (self._card.price_input or 0.0) + longest * (self._card.price_output or 0.0)) / PRICED_TOKENS
