"""Where the classes of a loaded model come from, in words."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import torch

from hope_bench.adapters.identity import _class, _home, _settled
from tests.checkpoint_files import fill


class Tiny(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(2))


class Called:
    def __call__(self) -> None: ...


def test_where_code_was_written() -> None:
    here = __name__.split(".")[0]
    bound = SimpleNamespace(read=fill).read
    for code, home in (
        (fill, here),
        (functools.partial(fill), here),
        (Called(), here),
        (Called().__call__, here),
        (bound, here),
        (functools.partial(torch.nn.Linear(1, 1).forward), "torch"),
        (torch.nn.Linear(1, 1), "torch"),
        (len, "builtins"),
    ):
        assert _home(code) == home
    assert _class(torch.nn.Linear) == ["Linear"]
    assert _class(Tiny)[0] == "Tiny"
    assert "register_buffer" in _class(Tiny)[1]
    settings = {"dtype": "x", "a": (1, {"use_cache": True, "b": {2, 1}}), 3: torch.float32, "n": None, "t": True}
    assert _settled(settings) == {"a": [1, {"b": ["1", "2"]}], "3": "torch.float32", "n": None, "t": True}
