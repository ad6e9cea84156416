"""A model card (models/NAME.toml): what is known about one LVLM, and how it is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.registry import known_models
from hope_bench.validation import Strict, read_toml


class ModelCard(Strict):
    """One LVLM. `checkpoint` is a Hugging Face id or a folder ("./x" is relative to the card); the rest has good defaults.

    `vision_tower` names the CLIP-like encoder the LVLM is built on, so that results can say when the benchmark's own CLIP is
    of the same family. `path` chooses whether questions of an image share its computed prefix ("auto": where the self-check
    passes). `chat_template` (Jinja) is used where the checkpoint has none. `prompt` replaces the benchmark's own template (it
    must hold "{question}") and makes a result unranked.

    With `adapter` "endpoint", `checkpoint` is the model's name at the OpenAI-compatible `base_url`, the key comes from the
    environment variable `api_key_env`, `concurrency` questions are under way at once, each with `attempts` of `timeout` seconds,
    and prices are US dollars per million tokens.

    `authors_prompt` is what the model's authors ask yes/no questions with; it is used only on demand (--authors-prompt), as
    `prompt`. `conformance` says that the family is in the conformance suite (tests/unit/test_conformance.py).

    `batch_size` is how many questions make a step, and the most in one forward; `batch_tokens` the most tokens in one, those of
    images included. `attention` is a transformers attention implementation (None: its default), `device_map` spreads one model
    over several GPUs ("auto"), `quantize` loads its weights in 4 or 8 bits with bitsandbytes (on a GPU), and `compile` runs it
    through torch.compile.
    """

    name: str = Field(min_length=1, max_length=100)
    checkpoint: str
    revision: str | None = None
    vision_tower: str | None = None
    family: str | None = None
    parameters: str | None = None
    license: str | None = None
    notes: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    batch_size: int = Field(default=64, ge=1)
    batch_tokens: int = Field(default=32768, ge=1)
    max_new_tokens: int = Field(default=16, ge=1)
    prompt: str | None = None
    path: Literal["auto", "shared", "plain"] = "auto"
    chat_template: str | None = None
    adapter: Literal["transformers", "endpoint"] = "transformers"
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(default=16, ge=1)
    timeout: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=8, ge=1)
    price_input: float | None = Field(default=None, ge=0)
    price_output: float | None = Field(default=None, ge=0)
    authors_prompt: str | None = None
    authors_prompt_source: str | None = None
    conformance: bool = False
    attention: str | None = None
    device_map: str | None = None
    quantize: Literal["4bit", "8bit"] | None = None
    compile: bool = False


def slug(name: str) -> str:
    """A name as a file or folder name: lower case, letters, digits, "." and "-" only."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "model"


def read_card(path: Path) -> ModelCard:
    """A validated card with `checkpoint` made absolute where it is relative to the card. Raises HopeBenchError."""
    card = read_toml(path, ModelCard)
    if card.prompt is not None and "{question}" not in card.prompt:
        raise HopeBenchError(
            f'{path}: prompt holds no "{{question}}", so the model would never see one. Add it where the question goes.'
        )
    if not card.checkpoint.startswith(("./", "../")):
        return card
    checkpoint = (path.parent / card.checkpoint).resolve()
    if not checkpoint.is_dir():
        raise HopeBenchError(f"{path}: checkpoint {card.checkpoint!r} is not a folder beside the card.")
    return card.model_copy(update={"checkpoint": str(checkpoint)})


def find_card(name: str) -> ModelCard:
    """The card that `name` means: a card file, a registered name, a checkpoint folder or a Hugging Face id ("org/model").

    Raises HopeBenchError naming the nearest known card.
    """
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return read_card(path)
    known = known_models()
    if name in known:
        return read_card(known[name])
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise HopeBenchError(f"{path} is a folder without config.json, not a checkpoint in transformers' format.")
        return ModelCard(name=slug(path.resolve().name), checkpoint=str(path))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return ModelCard(name=slug(name.split("/")[1]), checkpoint=name)
    raise HopeBenchError(
        f"No model {name!r}. Give a card, a checkpoint folder or a Hugging Face id such as llava-hf/llava-1.5-7b-hf. "
        + did_you_mean(name, known)
    )
