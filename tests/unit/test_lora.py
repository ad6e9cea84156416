"""Adapters of PEFT's, by their files: what is one, of which base, and which can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hope_bench.adapters.checkpoint import (
    Checkpoint,
    _adapted,
)
from hope_bench.adapters.lora import Base, base_of, check_base, is_adapter
from hope_bench.errors import HopeBenchError
from hope_bench.provenance import json_sha256
from tests.checkpoint_files import fill


def test_what_is_an_adapter_and_of_what(tmp_path: Path) -> None:
    folder = fill(tmp_path / "adapter", {"adapter_config.json": {"base_model_name_or_path": "org/base", "revision": "2"}})
    assert is_adapter(folder)
    assert base_of(folder) == Base("org/base", "2")
    (folder / "org" / "base").mkdir(parents=True)
    assert base_of(folder) == Base(str(folder / "org" / "base"), None)
    for own in ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"):
        assert not is_adapter(fill(tmp_path / own, {own: "", "adapter_config.json": {}}))
    assert not is_adapter(tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"base_model_name_or_path": "a/b", "peft_type": "PROMPT_TUNING"}, "is a learnt prompt (PROMPT_TUNING)"),
        ({"base_model_name_or_path": "a/b", "peft_type": "P_TUNING"}, "is a learnt prompt (P_TUNING)"),
        ({}, "names no base model"),
        ({"base_model_name_or_path": 7}, "base_model_name_or_path is 7, not a name"),
        ({"base_model_name_or_path": "a/b", "revision": 7}, "revision is 7, not a name"),
        ({"base_model_name_or_path": "a\0/b"}, "is 'a\\x00/b', not a name"),
        *(
            ({"base_model_name_or_path": name}, f"was trained on {name}, which is no folder here, and no Hugging Face id either")
            for name in ("/a/b", "./b", "b", "a/b/c")
        ),
    ],
)
def test_an_adapter_that_can_not_be_asked(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    fill(tmp_path, {"adapter_config.json": config})
    with pytest.raises(HopeBenchError) as refused:
        base_of(tmp_path)
    assert words in str(refused.value)


def test_an_adapters_base_is_a_model(tmp_path: Path) -> None:
    one, other = (fill(tmp_path / name, {"adapter_config.json": {}}) for name in ("one", "other"))
    model = fill(tmp_path / "model", {"config.json": {}})
    for adapter, base in ((None, one), (one, None), (one, model)):
        check_base(adapter, base)
    with pytest.raises(HopeBenchError, match="names itself"):
        check_base(one, tmp_path / "other" / ".." / "one")
    with pytest.raises(HopeBenchError, match="is itself an adapter"):
        check_base(one, other)
    found = _adapted(Checkpoint(one, "sha256:aa", processor=model), Checkpoint(model, "o/m@1", processor=other))
    identity = "sha256:aa on o/m@1"
    assert found == Checkpoint(model, identity, None, json_sha256(identity), one, other)
    (model / "processor_config.json").write_text("{}")
    assert _adapted(Checkpoint(one, "a", processor=model), Checkpoint(model, "b", processor=other)).processor == model
