"""A model spread over two devices answers as on one device, by the same path (tests/two_devices.py emulates two)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.utils import backend_registration

from tests.forks import run
from tests.soak import SOAK

ROOT = Path(__file__).resolve().parents[2]
MORE = ("gemma3", "blip_2", "mllama", "qwen3_5") if SOAK else ()
SPREAD = ("llava", "qwen2_vl", *MORE)
"""Asked in one packed row, and with M-RoPE offsets; and, in make soak, in padded rows, by the language model alone, with
cross-attention, and with linear attention."""

pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this version of torch has no backends in Python, by which devices are emulated",
)


@pytest.fixture(scope="module")
def compared(checkpoint: Callable[[str], Path]) -> dict[str, list[dict[str, Any]]]:
    """What tests/two_devices.py found, by family: in a process of its own, once, as most of its time goes into starting."""
    folders = [f"{family}={checkpoint(family)}" for family in SPREAD]
    done = run(["-m", "tests.two_devices", *folders], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        case = json.loads(line)
        found.setdefault(case["family"], []).append(case)
    return found


@pytest.mark.parametrize("family", SPREAD)
def test_two_devices_answer_as_one_does(family: str, compared: dict[str, list[dict[str, Any]]]) -> None:
    cases = compared[family]
    assert [case["together"] for case in cases] == [False, True]
    # Cut before the language model's layers, then between them.
    assert [case["layers"] for case in cases] == [["fake:1"], ["fake:0", "fake:1"]]
    for case in cases:
        assert case["map"] == case["weights"] == ["fake:0", "fake:1"]
        assert (case["said"], case["errors"]) == ([], [])
        assert case["paths"] == ["shared", "shared"]
        assert case["checks"][1] == case["checks"][0]
        assert (case["answers"], case["differ"]) == (12, 0)
