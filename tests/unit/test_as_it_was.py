"""A model that was asked is as it was before."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import torch
from transformers import GenerationConfig

from hope_bench.adapters.as_it_was import as_it_was, autocast_dtype


class Tiny(torch.nn.Module):
    """A module with all that asking may change: buffers, a plain tensor, containers, an attribute, its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.register_buffer("counts", torch.zeros(2))
        self.held, self.seen, self.names, self.kinds = torch.zeros(2), [1], {"a": 1}, {1}
        self.config, self.device, self.offset = 1, torch.device("cpu"), None
        self.elsewhere = torch.zeros(2, device="meta")
        with torch.inference_mode():
            self.inferred = torch.zeros(2)


def test_a_model_that_was_asked_is_as_it_was() -> None:
    model, given = Tiny().train(), GenerationConfig(max_new_tokens=5)
    before = (torch.get_default_dtype(), random.getstate(), torch.random.get_rng_state(), str(np.random.get_state()))
    torch.set_default_dtype(torch.float64)
    with contextlib.suppress(ZeroDivisionError), as_it_was(model, given):
        assert (model.training, model.layer.training, torch.get_default_dtype()) == (False, False, torch.float32)
        random.random()
        np.random.default_rng()
        np.random.random()
        torch.rand(1)
        model.counts += 1
        model.held += 1
        model.layer.new = 7
        model.seen.append(2)
        model.names["b"] = 2
        model.kinds.add(2)
        model.offset = 3
        raise ZeroDivisionError
    assert torch.get_default_dtype() == torch.float64
    torch.set_default_dtype(before[0])
    assert (random.getstate(), str(np.random.get_state())) == (before[1], before[3])
    assert torch.equal(torch.random.get_rng_state(), before[2])
    assert (model.counts.tolist(), model.held.tolist()) == ([0, 0], [0, 0])
    assert (model.seen, model.names, model.kinds, model.offset) == ([1], {"a": 1}, {1}, None)
    assert (model.training, model.layer.training, hasattr(model.layer, "new")) == (True, True, False)


def test_autocast_counts_where_weights_are_of_several_formats() -> None:
    model = Tiny()
    assert autocast_dtype(model) is None
    model.other = torch.nn.Linear(1, 1).bfloat16()
    assert autocast_dtype(model) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert autocast_dtype(model) == torch.bfloat16
        assert autocast_dtype(Tiny()) is None
