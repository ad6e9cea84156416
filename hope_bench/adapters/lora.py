"""A PEFT folder: weights of an adapter (LoRA and the like), which are nothing without the base model that they change."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hope_bench.adapters.json_files import read_object
from hope_bench.errors import HopeBenchError, first_few, short_reason

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True, slots=True)
class Base:
    """The model that an adapter was trained on: a folder or Hub id, and for an id the revision that the adapter names."""

    name: str
    revision: str | None


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and no model of its own beside it."""
    own = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
    return (folder / CONFIG).is_file() and not any((folder / name).is_file() for name in own)


def base_of(folder: Path) -> Base:
    """The base model of an adapter's folder. A path is as it was where the adapter was trained, or is beside the adapter.

    Raises HopeBenchError where peft isn't installed, where the adapter is none that can be asked, or names no base that is here.
    """
    config = read_object(folder / CONFIG, folder)
    name, revision, kind = config.get("base_model_name_or_path"), config.get("revision"), config.get("peft_type")
    if "PROMPT" in str(kind) or kind in ("P_TUNING", "PREFIX_TUNING", "CARTRIDGE"):
        raise HopeBenchError(
            f"The adapter {folder} is a learnt prompt ({kind}), which has no place in a chat template. Only adapters within the "
            "model (LoRA and the like) can be evaluated."
        )
    if config.get("megatron_config"):
        raise HopeBenchError(
            f"The adapter {folder} is for Megatron's layers (megatron_config), for which peft runs a Python module that the file "
            "names. Save it for the model's own layers."
        )
    if not name:
        raise HopeBenchError(f"{folder / CONFIG} names no base model. Write its id or folder there: base_model_name_or_path.")
    for key, value in (("base_model_name_or_path", name), ("revision", revision)):
        if not isinstance(value, str | None) or "\0" in (value or ""):
            raise HopeBenchError(f"{folder / CONFIG} is damaged: {key} is {value!r}, not a name. Copy or download it again.")
    for here in (Path(name), folder / name):
        if os.path.isdir(here):  # noqa: PTH112 - Path's raises where a name is too long
            return Base(str(here), None)
    if Path(name).is_absolute() or name.startswith(".") or name.count("/") != 1:
        raise HopeBenchError(
            f"The adapter {folder} was trained on {name}, which is no folder here, and no Hugging Face id either. Write where "
            f"its base model is into {folder / CONFIG}: base_model_name_or_path."
        )
    return Base(name, revision)


def check_base(adapter: Path | None, base: Path | None) -> None:
    """Raise HopeBenchError where the base model of an adapter is an adapter, itself even, and no model; where `base` is the
    folder of no adapter's base, or isn't here, nothing is to be checked."""
    if adapter is None or base is None or not is_adapter(base):
        return
    if base.resolve() == adapter.resolve():
        raise HopeBenchError(
            f"The adapter {adapter} names itself as its base model. Write the model that it was trained on into "
            f"{adapter / CONFIG}: base_model_name_or_path."
        )
    raise HopeBenchError(
        f"The base model of the adapter {adapter} is itself an adapter ({base}). Merge that one into its model first, and name "
        f"the merged folder in {adapter / CONFIG}: base_model_name_or_path."
    )


def check_peft(folder: str) -> None:
    """Raise HopeBenchError where peft isn't installed, saying how else `folder` can be evaluated."""
    if importlib.util.find_spec("peft") is None:
        raise HopeBenchError(
            f"{folder} is an adapter of PEFT's (LoRA or its kin), which needs peft: pip install 'hope-bench[peft]'. "
            f"{_merging(folder)}"
        )


def served(folder: Path, server: str) -> HopeBenchError:
    """Why no server is started for an adapter, and what to do."""
    return HopeBenchError(
        f"{folder} is an adapter of PEFT's, and --server {server} is given whole models only. Leave --server out. "
        f"{_merging(str(folder))}"
    )


def _merging(folder: str) -> str:
    return (
        f"Or merge it where it was trained: PeftModel.from_pretrained(model, {folder!r}).merge_and_unload()"
        ".save_pretrained(WHOLE), and save the processor there, too."
    )


def with_adapter(model: Any, folder: Path) -> Any:
    """The model with the adapter's layers within it, as in training, not merged: its class stays, and its numbers are the
    trained ones. Raises HopeBenchError where the adapter's weights don't fit the model."""
    from peft import PeftModel, get_peft_model_state_dict

    try:
        adapted = PeftModel.from_pretrained(model, str(folder))
        held = _names(folder)
    except Exception as error:  # noqa: BLE001 - peft, torch and safetensors raise anything at files that they don't expect
        raise HopeBenchError(
            f"The adapter {folder} can't be put into its base model: {short_reason(error)}. {_merging(str(folder))}"
        ) from None
    # peft leaves what it finds no weights for as it was made, at random, and goes on.
    missing = sorted(get_peft_model_state_dict(adapted, save_embedding_layers=False).keys() - held)
    if missing:
        raise HopeBenchError(
            f"The adapter {folder} lacks {len(missing)} of the weights that its base model would need ({first_few(missing, 2)}): "
            f"it was trained on another one, or with a transformers that called its layers otherwise. {_merging(str(folder))}"
        )
    return adapted.get_base_model()


def _names(folder: Path) -> set[str]:
    whole = folder / WEIGHTS[0]
    if whole.is_file():
        from safetensors import safe_open

        with safe_open(whole, framework="pt") as file:
            return set(file.keys())
    import torch

    return set(torch.load(folder / WEIGHTS[1], map_location="meta", weights_only=True))
