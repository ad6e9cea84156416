"""Whether transformers can ask what a config.json describes, and what to do where it can't: known before weights travel."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hope_bench.adapters.json_files import check_config, read_object
from hope_bench.errors import HopeBenchError, first_few, short_reason
from hope_bench.files.card import read_card
from hope_bench.files.registry import known_models

_LLAVA = re.compile(r"Llava\w*For(?:CausalLM|SequenceClassification)")
"""What LLaVA's own code calls its classes; transformers' are LlavaForConditionalGeneration and the like."""
_OF_LLAVA = ("mm_vision_tower", "mm_projector_type", "mm_hidden_size")
"""Keys by which LLaVA's own code, and what grew out of it, is known whatever its classes are called."""
_CONVERTED = (
    'On the Hub, names of copies that are converted to transformers\' own classes often end in "-hf" (llava-hf has those of '
    "LLaVA, OpenGVLab those of InternVL)"
)


def check_format(name: str, config: Mapping[str, Any]) -> None:
    """Raise HopeBenchError for LLaVA's own format, which transformers takes for another and fills with random weights. `name` is
    what the user called the checkpoint, `config` its config.json. Needs no transformers."""
    check_config(name, config)
    classes = list(config.get("architectures") or ())
    if any(map(_LLAVA.fullmatch, classes)) or (any(key in config for key in _OF_LLAVA) and "vision_config" not in config):
        what = f" (class {classes[0]})" if classes else ""
        raise HopeBenchError(
            f"Checkpoint {name} is in the format of LLaVA's own code{what}, which transformers can't run. {_sibling(name)}. Or "
            "serve it (SGLang reads this format) and ask the server with --base-url (docs/servers.md)."
        )


def check_runnable(name: str, folder: Path, trust_remote_code: bool) -> None:
    """Raise HopeBenchError for a folder whose config.json names a model that transformers can't ask about an image, saying what
    would help; `name` is what the user called it. With `trust_remote_code` its own code decides, and is looked at (`check_code`).
    """
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig

    if trust_remote_code:
        check_code(folder)
        return
    check_format(name, read_object(folder / "config.json", name))
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - transformers' classes raise anything at settings that they don't expect
        raise HopeBenchError(_unknown_model(name, folder, error)) from None
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise HopeBenchError(
            f"Checkpoint {name} is a {config.model_type!r} model, which transformers can't ask about an image "
            f"(it has no image-text-to-text class). {_without_eyes(config)}"
        )
    _check_quantized(name, config)


def _check_quantized(name: str, config: Any) -> None:
    """Raise HopeBenchError for a way of quantizing that transformers doesn't know: it warns, and takes what is stored for the
    weights themselves."""
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    parts = (config, config.get_text_config(decoder=True))
    how = next((told for part in parts if (told := getattr(part, "quantization_config", None)) is not None), None)
    if not isinstance(how, dict) or how.get("load_in_8bit") or how.get("load_in_4bit"):
        return
    method = how.get("quant_method")
    if method not in AUTO_QUANTIZATION_CONFIG_MAPPING:
        by = f"by {method!r}, which transformers doesn't know" if method else "and its quantization_config doesn't say by what"
        raise HopeBenchError(
            f"Checkpoint {name} is quantized {by}; asked without its scales it would be another model. Name the model that it "
            "was made from, or serve it with what reads it (vLLM, SGLang, MLX) and ask that with --base-url (docs/servers.md)."
        )


def read_config(folder: Path) -> dict[str, Any]:
    """A folder's config.json; empty where there is none, or it is damaged."""
    try:
        return read_object(folder / "config.json", folder)
    except HopeBenchError:
        return {}


def check_code(folder: Path) -> None:
    """What a checkpoint that is trusted to run code would run lies in its own folder, where it was pinned and hashed."""
    places = [place for file in sorted(folder.glob("*.json")) for place in auto_map(file).values()]
    # A tokenizer has two, of which one may be null.
    code = [str(one) for place in places for one in (place if isinstance(place, list) else [place]) if one]
    if not code:
        raise HopeBenchError(
            f"Checkpoint {folder} brings no Python code (no auto_map in its config.json), so there is nothing to trust. Leave "
            "trust_remote_code out of its card."
        )
    if elsewhere := sorted({one.split("--")[0] for one in code if "--" in one}):
        raise HopeBenchError(
            f"Checkpoint {folder} would run code from another repository ({first_few(elsewhere)}), which no revision pins and "
            "hope-bench does not run. Copy that code into a checkpoint folder of your own."
        )


def auto_map(file: Path) -> dict[str, str | list[str | None]]:
    """The Python classes that a checkpoint's JSON file names, by the auto class they stand for; empty if it names none."""
    if not file.is_file():
        return {}
    try:
        mapped = json.loads(file.read_text(encoding="utf-8")).get("auto_map")
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    return mapped if isinstance(mapped, dict) else {}


_BLIND = "It is a language model without eyes: name the vision-language model that is built on it."
_TEXTS = "It is an encoder of texts, which answers nothing. Name a vision-language model."
_SOUND = "It is a model of sound. Name a vision-language model."
_OMNI = "It sees, but its class is for sound, too: serve it, and ask the server with --base-url (docs/servers.md)."
_KINDS = {
    "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING": _SOUND, "MODEL_FOR_CTC_MAPPING": _SOUND,
    "MODEL_FOR_MULTIPLE_CHOICE_MAPPING": _TEXTS, "MODEL_FOR_CAUSAL_LM_MAPPING": _BLIND,
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING": _BLIND, "MODEL_FOR_MASKED_LM_MAPPING": _TEXTS,
}  # fmt: skip
"""What transformers has classes for, and what such a model is. The first counts: of Whisper and BERT there are decoders, too."""


def _without_eyes(config: Any) -> str:
    """What to do about a model that transformers knows, and knows no way to show a picture."""
    import transformers

    if type(config) in transformers.MODEL_FOR_MULTIMODAL_LM_MAPPING:
        sees = any(hasattr(config, part) for part in ("vision_config", "thinker_config"))
        return _OMNI if sees else _SOUND
    of = next((what for mapping, what in _KINDS.items() if type(config) in getattr(transformers, mapping)), None)
    return of or "hope-bench needs a vision-language model; an encoder for generate goes into --clip."


def _unknown_model(name: str, folder: Path, error: Exception) -> str:
    from transformers import CONFIG_MAPPING

    config = read_config(folder)
    if not config:
        return f"Checkpoint {name} has a damaged config.json: it says nothing. Copy or download it again."
    model_type = config.get("model_type")
    if model_type in CONFIG_MAPPING:
        for part, settings in config.items():
            inner = settings.get("model_type") if part.endswith("_config") and isinstance(settings, dict) else None
            if inner is not None and inner not in CONFIG_MAPPING:
                return f"Checkpoint {name} has a {part} of model type {inner!r}, which {_would_upgrading_help(config, inner)}"
        return (
            f"Checkpoint {name} has a config.json that transformers can't use: {short_reason(error)}. Copy or download it again, "
            "or take the one of the model that it was trained from."
        )
    if auto_map(folder / "config.json"):
        return (
            f"Checkpoint {name} ({model_type}) needs Python code that it brings along, and nothing of it was run. "
            f"{_sibling(name)}. If you trust the code, write a card with trust_remote_code = true and add --trust-remote-code "
            "(docs/models.md); or serve it and ask the server with --base-url (docs/servers.md)."
        )
    return f"Checkpoint {name} is of model type {model_type!r}, which {_would_upgrading_help(config, model_type)}"


def _would_upgrading_help(config: Mapping[str, Any], model_type: object) -> str:
    """A newer transformers helps where the checkpoint was written by one, and can't where this one is as new."""
    from packaging.version import InvalidVersion, Version
    from transformers import CONFIG_MAPPING, __version__

    unknown = f"transformers {__version__} doesn't know"
    close = difflib.get_close_matches(str(model_type), CONFIG_MAPPING.keys())
    nearest = f" (the nearest it knows is {close[0]!r})" if close else ""
    written = config.get("transformers_version")
    try:
        newer = Version(str(written)) > Version(__version__)
    except InvalidVersion:
        return f"{unknown}{nearest}. It may be of a library of its own: serve it with what runs it, and ask that with --base-url."
    if newer:
        return f"{unknown}{nearest}. It was saved by transformers {written}, which does: pip install -U transformers."
    return (
        f"{unknown}{nearest}. It was saved by transformers {written}, so a newer one won't help: its class is of other code. "
        "Serve it with what runs it, and ask that with --base-url (docs/servers.md)."
    )


def _sibling(name: str) -> str:
    """Where the same model is in transformers' format: a card knows, or the Hub's convention tells."""
    bare = _bare(name)
    for path in known_models().values():
        try:
            card = read_card(path)
        except HopeBenchError:
            continue  # a broken card of the user's is in nobody's way here
        if card.adapter == "transformers" and not card.trust_remote_code and _bare(card.checkpoint) == bare:
            return f"The same model for transformers is {card.checkpoint}: --model {card.name}"
    return _CONVERTED


def _bare(checkpoint: str) -> str:
    """A checkpoint's name without whose it is, "-hf" and a version's v: "liuhaotian/llava-v1.5-7b" is "llava-1.5-7b"."""
    name = checkpoint.rstrip("/").rpartition("/")[2].lower().replace("_", ".")
    return re.sub(r"-v(?=\d)", "-", name.removesuffix("-hf"))
