"""Which adapter a card asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hope_bench.adapters.base import Adapter
from hope_bench.adapters.known import check_card
from hope_bench.files.card import ModelCard
from hope_bench.records import no_collector


@contextmanager
def open_adapter(card: ModelCard, say: Callable[[str], None], trust_remote_code: bool = False) -> Iterator[Adapter]:
    """The card's adapter (`make_adapter`); what it started ends with the block, however that ends."""
    adapter = make_adapter(card, say, trust_remote_code)
    try:
        yield adapter
    finally:
        close = getattr(adapter, "close", None)
        if card.adapter_file is None and close is not None:
            close()


def make_adapter(card: ModelCard, say: Callable[[str], None], trust_remote_code: bool = False) -> Adapter:
    """The card's adapter, its weights not loaded. `say` is told in words what is going on.

    Code that a checkpoint brings along runs only where the card and `trust_remote_code` (the flag) both say so. Raises
    HopeBenchError where only one of them does, and for everything wrong that can be found without the weights.
    """
    check_card(card, trust_remote_code, say)
    if card.adapter_file is not None:
        from hope_bench.adapters.python_file import PythonFile

        say(f"Running {card.adapter_file[0]}, which the card names.")
        return PythonFile(card)
    if card.adapter == "endpoint":
        from hope_bench.adapters.endpoint import Endpoint

        return Endpoint(card, say)
    if card.server is not None:
        from hope_bench.adapters.served import Served

        return Served(card, say)
    with no_collector():
        from hope_bench.adapters.transformers_model import TransformersModel

    if trust_remote_code:
        say(f"Running the Python code that {card.checkpoint} brings along.")
    return TransformersModel(card, say, trust_remote_code=trust_remote_code)
