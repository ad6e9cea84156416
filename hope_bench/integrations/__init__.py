"""hope-bench inside other tools: transformers' Trainer, and experiment trackers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hope_bench.integrations.trackers import log_result
    from hope_bench.integrations.trainer import HopeBenchCallback

__all__ = ["HopeBenchCallback", "log_result"]

_MODULES = {"HopeBenchCallback": "trainer", "log_result": "trackers"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
