"""A model card (models/NAME.toml): what is known about one LVLM, and how it is run."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.model_name import meant
from hope_bench.files.placeholders import check_prompt
from hope_bench.files.registry import data_root, known_models
from hope_bench.files.validation import Declared, read_toml

_DEVICES = ("auto", "cpu", "cuda", "mps", "xpu", "npu", "hpu")
_OF_SERVERS = ("concurrency", "timeout", "attempts", "logprobs", "extra_body", "image_format", "image_max_side")
_OF_ENDPOINTS = (
    *_OF_SERVERS, "base_url", "base_urls", "api_key_env", "extra_headers", "extra_query", "price_input", "price_output",
    "image_url_base",
)  # fmt: skip
_OF_CHECKPOINTS = (
    "dtype", "device", "batch_tokens", "path", "chat_template", "trust_remote_code", "attention", "device_map", "quantize",
    "compile", "processor",
)  # fmt: skip
_BY_TRANSFORMERS = ("batch_tokens", "path", "attention", "device_map", "quantize", "compile", "processor")
"""Of the keys of checkpoints, those that no server is told."""
_OF_STARTING = ("server", "server_args", "server_timeout")
_OURS = (
    "model", "messages", "stream", "n", "temperature", "logprobs", "top_logprobs", "max_tokens", "max_completion_tokens",
)  # fmt: skip
"""What hope-bench itself says in every request."""
_SECRET = re.compile(r"(?i)(api|access|auth|subscription)[-_]?(key|token)|secret|passw|authorization|^(key|token|sig|code)$")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OF_TEMPLATES = ("messages", "tools", "documents", "chat_template", "add_generation_prompt", "tokenize")
"""What hope-bench or transformers itself gives a chat template."""
PRICED_TOKENS = 1e6
"""What `price_input` and `price_output` are for."""
LONGEST_NAME = 200
"""Letters of a run's or benchmark's name; a file is called by it, with an ending."""
THINKING_TOKENS, PLAIN_TOKENS = 4096, 16
MOST_SAMPLES = 100
_FILE = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")


class Sampling(Declared):
    """How a model that thinks is decoded where its authors say that it should not be decoded greedily; what is left out has no
    effect."""

    temperature: float = Field(default=1.0, gt=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=1)
    min_p: float | None = Field(default=None, ge=0, le=1)

    @property
    def chosen(self) -> dict[str, float | int]:
        """What was given, by the names that transformers and servers share."""
        return self.model_dump(exclude_none=True)


class ModelCard(Declared):
    """One LVLM. `checkpoint` is a Hugging Face id or a folder ("./x" is relative to the card); the rest has good defaults.

    What is known: `family` is transformers' model type, `vision_tower` names the CLIP-like encoder the LVLM is built on (so that
    results can say when the benchmark's own CLIP is of the same family), `parameters` and `license` are as the authors state
    them, and `sources` says where that can be read. `authors_prompt` is what the model's authors ask yes/no questions with, as
    `authors_prompt_source` shows; it is used only on demand (--authors-prompt). `conformance` says that the family is in the
    conformance suite (tests/unit/test_conformance.py).

    `processor` is the folder or id whose processor is taken where the checkpoint has none (the folder above is tried first, and
    an adapter's base model).

    How it is asked: `prompt` replaces the benchmark's own template (it must hold "{question}") and makes a result unranked.
    `chat_template` (Jinja) is used where the checkpoint has none, or names one of several that it has; `template_kwargs` are
    variables of the template. `thinking` says whether the model thinks before it answers: "on" and "off" turn its template's
    switch and "auto" leaves it; a thought is no part of an answer, and leaves no P(yes). `sampling` (temperature, top_p, top_k,
    min_p) with its `seed` is for a model that thinks; all else is decoded greedily. `samples` answers are drawn to each question,
    and all of them count. `path` chooses whether questions of an image
    share its computed prefix ("auto": where the self-check passes).

    How it is run: `dtype` "auto" is bfloat16 on a GPU and float32 elsewhere, `device` "auto" the GPU if there is one,
    `attention` "auto" transformers' own choice (sdpa where the family has it). `complete` writes out every answer instead of
    stopping at a yes or no (an endpoint always does). `batch_size` is how many questions make a step, and the most in one
    forward; `batch_tokens` the most tokens in one, those of images included. `device_map` spreads one model over several GPUs,
    `quantize` loads its weights in 4 or 8 bits with bitsandbytes (on a GPU), `compile` runs it through torch.compile.
    `trust_remote_code` says that the checkpoint needs Python
    code that it brings along; that code runs only if --trust-remote-code says so, too. `max_new_tokens` is the longest answer: if
    not given, 16, or 4096 of a model that thinks.

    `adapter` is "transformers", "endpoint" or "FILE.py:CLASS", a class in a file beside the card (docs/models.md). With
    "endpoint", `checkpoint` is the model's name at the OpenAI-compatible `base_url`, the key comes from the environment variable
    `api_key_env`, `concurrency` questions are under way at once, each with `attempts` of `timeout` seconds, prices are US
    dollars per million tokens, and images are fetched by the server from `image_url_base` where that is given. `base_urls`
    are several servers of the model that share the images. `logprobs` asks for P(yes); `extra_body` (JSON), `extra_query` and
    `extra_headers` go with every request, the latter's values being names of environment variables. `image_format` and
    `image_max_side` (pixels) make pictures smaller that a server would refuse.

    `server` has hope-bench start a server of the checkpoint on this machine and ask that, with the further arguments
    `server_args`, given `server_timeout` seconds to be ready (docs/servers.md).
    """

    name: str = Field(min_length=1, max_length=100)
    checkpoint: str
    revision: str | None = None
    processor: str | None = None
    vision_tower: str | None = None
    family: str | None = None
    parameters: str | None = None
    license: str | None = None
    sources: tuple[str, ...] = ()
    notes: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    batch_size: int = Field(default=64, ge=1)
    batch_tokens: int = Field(default=32768, ge=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    thinking: Literal["auto", "on", "off"] = "auto"
    template_kwargs: Mapping[str, Any] = {}
    sampling: Sampling | None = None
    samples: int = Field(default=1, ge=1, le=MOST_SAMPLES)
    seed: int = Field(default=0, ge=0, lt=2**31)
    prompt: str | None = None
    path: Literal["auto", "shared", "plain"] = "auto"
    chat_template: str | None = None
    adapter: str = "transformers"
    trust_remote_code: bool = False
    base_url: str | None = None
    base_urls: tuple[str, ...] = ()
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(default=16, ge=1)
    timeout: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=10, ge=1)
    price_input: float | None = Field(default=None, ge=0)
    price_output: float | None = Field(default=None, ge=0)
    image_url_base: str | None = None
    logprobs: bool = True
    extra_body: Mapping[str, Any] = {}
    extra_query: Mapping[str, str] = {}
    extra_headers: Mapping[str, str] = {}
    image_format: Literal["png", "jpeg"] = "png"
    image_max_side: int | None = Field(default=None, ge=28)
    server: Literal["vllm", "sglang", "transformers"] | None = None
    server_args: str = ""
    server_timeout: float = Field(default=1800.0, gt=0)
    authors_prompt: str | None = None
    authors_prompt_source: str | None = None
    conformance: bool = False
    complete: bool = False
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"] = "auto"
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = None
    quantize: Literal["4bit", "8bit"] | None = None
    compile: bool = False

    @property
    def adapter_file(self) -> tuple[Path, str] | None:
        """The Python file and the class in it that `adapter` names; None for the adapters that hope-bench brings."""
        found = _FILE.fullmatch(self.adapter)
        return None if found is None else (Path(found["path"]), found["name"])

    @field_validator("adapter")
    @classmethod
    def _known_adapter(cls, adapter: str) -> str:
        if adapter not in ("transformers", "endpoint") and not _FILE.fullmatch(adapter):
            kinds = did_you_mean(adapter, ("transformers", "endpoint"))
            raise ValueError(f'no adapter {adapter!r}. {kinds} Or "FILE.py:CLASS", a class in a file beside the card')
        return adapter

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not re.fullmatch(rf"(?:{'|'.join(_DEVICES)})(?::\d+)?", device):
            raise ValueError(f"no device {device!r}. Known: {', '.join(_DEVICES)}, or one of several, such as cuda:1")
        return device

    @field_validator("api_key_env")
    @classmethod
    def _variable_and_not_a_key(cls, name: str) -> str:
        if not _VARIABLE.fullmatch(name):
            # Not repeated here: it may be the key itself.
            raise ValueError("not the name of an environment variable (capitals, digits, _). Cards never hold keys")
        return name

    @field_validator("extra_headers")
    @classmethod
    def _headers_from_the_environment(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        for header, variable in headers.items():
            if not _HEADER.fullmatch(header):
                raise ValueError('not the name of a header. Write HEADER = "VARIABLE", VARIABLE being one of the environment')
            if not _VARIABLE.fullmatch(variable):
                raise ValueError(f"{header} must name the environment variable (capitals, digits, _) that holds the value")
        return headers

    @field_validator("extra_query", "extra_body")
    @classmethod
    def _no_secrets(cls, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in _names_in(extra):
            if _SECRET.search(name):
                raise ValueError(f"{name} looks like a key, and cards never hold keys. Use api_key_env or extra_headers")
        return extra

    @field_validator("extra_body")
    @classmethod
    def _nothing_of_ours(cls, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        if ours := [name for name in extra if name in _OURS]:
            raise ValueError(f"{', '.join(ours)}: hope-bench itself says that (see checkpoint, max_new_tokens, logprobs)")
        return extra

    @field_validator("template_kwargs")
    @classmethod
    def _variables_of_a_template(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if ours := [name for name in given if name in _OF_TEMPLATES or not name.isidentifier()]:
            raise ValueError(f"{', '.join(ours)}: not for a card to say. Name the template's own variables")
        try:
            json.dumps(dict(given))
        except (TypeError, ValueError) as error:
            raise ValueError(f"not what a file could hold: {error}") from None
        return given

    @field_validator("base_urls")
    @classmethod
    def _each_once(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if len({url.rstrip("/") for url in urls}) < len(urls):
            raise ValueError("an address is named twice")
        return urls

    @field_validator("prompt", "authors_prompt")
    @classmethod
    def _holds_the_question(cls, prompt: str | None) -> str | None:
        return None if prompt is None else check_prompt(prompt)

    @model_validator(mode="after")
    def _sampling_fits(self) -> ModelCard:
        if self.sampling is None and self.seed != 0:
            raise ValueError("seed would have no effect: it is for sampling, and decoding is greedy. Leave it out")
        if self.sampling is None and self.samples != 1:
            raise ValueError(
                f"samples = {self.samples} would ask the same {self.samples} times: decoding is greedy, so every answer to a "
                "question is the same. It is for sampling; leave it out"
            )
        if self.sampling is not None and self.thinking != "on":
            raise ValueError(
                'sampling is for a model that thinks before it answers (thinking = "on"); all else is decoded greedily'
            )
        return self

    @model_validator(mode="after")
    def _keys_fit_the_adapter(self) -> ModelCard:
        """Nothing is accepted that would have no effect. A Python file gets the card and may use what it likes of it."""
        if self.server is not None and self.adapter == "transformers":
            cpu = ("device",) if self.server != "transformers" else ()
            self._refuse([name for name in _OF_ENDPOINTS if name not in _OF_SERVERS], "another's endpoint")
            self._refuse((*_BY_TRANSFORMERS, *cpu), "a checkpoint that runs in this process", "server_args may say it")
            return self
        self._refuse(_OF_STARTING, "a checkpoint that a server of hope-bench's runs")
        if self.adapter == "endpoint":
            self._refuse(_OF_CHECKPOINTS, "a checkpoint that transformers runs")
        elif self.adapter == "transformers":
            self._refuse(_OF_ENDPOINTS, "an endpoint")
        else:
            self._refuse(("trust_remote_code", "samples"), "a checkpoint that transformers or a server runs")
        if self.base_url is not None and self.base_urls:
            raise ValueError("base_url and base_urls exclude each other: name all servers in base_urls")
        if self.image_url_base is not None:
            self._refuse(
                ("image_format", "image_max_side"), "pictures that hope-bench sends, and here image_url_base has them fetched"
            )
        return self

    def _refuse(self, names: Iterable[str], whose: str, instead: str = "Leave it out") -> None:
        fields = type(self).model_fields
        if set_here := [name for name in names if getattr(self, name) != fields[name].default]:
            run_by = (
                f"the server is {self.server!r}"
                if self.adapter == "transformers" and self.server
                else f"the adapter is {self.adapter!r}"
            )
            raise ValueError(f"{', '.join(set_here)} would have no effect: that is for {whose}, and {run_by}. {instead}")

    def new_tokens(self, thinks: bool) -> int:
        """The longest answer, in tokens, of this model if it `thinks` first or not."""
        return self.max_new_tokens or (THINKING_TOKENS if thinks else PLAIN_TOKENS)

    @property
    def served(self) -> bool:
        """Whether a server answers, somebody's or one that hope-bench starts."""
        return self.adapter == "endpoint" or self.server is not None

    def at(self, base_url: str, model: str) -> ModelCard:
        """The card of the same model at a server that calls it `model`, without what only a process with the weights can do."""
        there = self.model_dump(exclude={*_OF_CHECKPOINTS, *_OF_STARTING, "conformance"}, exclude_defaults=True)
        return ModelCard.model_validate({**there, "adapter": "endpoint", "base_url": base_url, "checkpoint": model})


def _names_in(value: Any) -> Iterable[str]:
    """Every key of a JSON value, at any depth."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _names_in(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _names_in(inner)


def slug(name: str) -> str:
    """A name as a file or folder name: lower case, letters, digits, "." and "-" only, of a very long one the beginning."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:LONGEST_NAME].rstrip("-.") or "model"


def check_name(name: str, what: str) -> None:
    """Raise HopeBenchError for a name that isn't its own slug; `what` says whose it is ("A run's name")."""
    if len(name) > LONGEST_NAME:
        raise HopeBenchError(f"{what} becomes a folder, and has {len(name)} letters. Give one of {LONGEST_NAME} at most.")
    if slug(name) != name:
        raise HopeBenchError(f"{what} becomes a folder: lower-case letters, digits, . and -. Call it {slug(name)!r}?")


def read_card(path: Path) -> ModelCard:
    """A validated card, with `checkpoint` and an adapter's file made absolute where they are relative to the card: to the real
    one, where `path` is a link to it.

    Reading a card runs no code. Raises HopeBenchError.
    """
    card = read_toml(path, ModelCard)
    folder = path.resolve().parent
    changed: dict[str, str] = {}
    if card.adapter_file is not None:
        file, name = card.adapter_file
        if file.name != str(file) or not (folder / file).is_file():
            raise HopeBenchError(f"{path}: the adapter's file {str(file)!r} is no file beside the card.")
        changed["adapter"] = f"{(folder / file).resolve()}:{name}"
    if card.checkpoint.startswith(("./", "../")):
        checkpoint = (folder / card.checkpoint).resolve()
        if not checkpoint.is_dir() and not (card.adapter_file is not None and checkpoint.is_file()):
            raise HopeBenchError(f"{path}: checkpoint {card.checkpoint!r} is not a folder beside the card.")
        changed["checkpoint"] = str(checkpoint)
    if card.processor is not None and card.processor.startswith(("./", "../")):
        changed["processor"] = str((folder / card.processor).resolve())
    return card.model_copy(update=changed)


def find_card(name: str) -> ModelCard:
    """The card that `name` means: a card file, a registered name, a checkpoint folder or a Hugging Face id ("org/model").

    An id finds the card that names it as its checkpoint; a folder, and an id that no card names, gets a card of its own. Raises
    HopeBenchError naming the nearest known card.
    """
    path, a_file = Path(name), os.path.isfile(name)  # noqa: PTH113 - Path's raises where a name is too long
    if path.suffix == ".toml" and a_file:
        return read_card(path)
    known = known_models()
    if name in known:
        return read_card(known[name])
    if os.path.isdir(name) or (a_file and path.suffix != ".toml"):  # noqa: PTH112
        return ModelCard(name=slug(path.resolve().name), checkpoint=str(path))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return _card_of(name, known.values()) or ModelCard(name=slug(name.split("/")[1]), checkpoint=name)
    shown = repr(name if len(name) <= 200 else name[:200] + "...")
    raise HopeBenchError(
        f"No model {shown}.{meant(name)} Give a card, a checkpoint folder or a Hugging Face id such as "
        "llava-hf/llava-1.5-7b-hf. " + did_you_mean(name, known)
    )


def check_code(model: ModelCard | str | os.PathLike[str], card: ModelCard, allow_code: bool = False) -> None:
    """Raise HopeBenchError where a card that was found by its name among the working directory's runs a Python file: whoever made
    the folder would run code under the name of any model. A card that is named by its path, or given itself, is meant."""
    if card.adapter_file is None or allow_code or isinstance(model, ModelCard) or Path(model).suffix == ".toml":
        return
    path = known_models()[str(model)]
    if not path.resolve().is_relative_to((data_root() / "models").resolve()):
        raise HopeBenchError(
            f"The card {card.name} was found by its name, and runs the Python file {card.adapter_file[0]}. Look at that file; "
            f"then name the card itself ({path}), or add --allow-code to evaluate (allow_code=True)."
        )


def endpoint_card(model: ModelCard | str, base_url: str) -> ModelCard:
    """The card of the model that the server at `base_url` calls `model`: an endpoint's card with its address changed, or one made
    for it, with what a known card of the same name or checkpoint says of the model. Raises HopeBenchError."""
    name = model.checkpoint if isinstance(model, ModelCard) else model
    path, known = Path(name), known_models()
    if isinstance(model, ModelCard):
        card = model
    elif path.suffix == ".toml" and path.is_file():
        card = read_card(path)
    elif name in known:
        card = read_card(known[name])
    else:
        card = _card_of(name, known.values()) or ModelCard(name=slug(name), checkpoint=name)
    if card.adapter == "endpoint":
        return card.model_copy(update={"base_url": base_url, "base_urls": ()})
    if card.adapter_file is not None:
        raise HopeBenchError(f"The card {card.name} runs {card.adapter_file[0]}, not a server: leave --base-url out.")
    return card.at(base_url, card.checkpoint if path.suffix == ".toml" else name)


def _card_of(checkpoint: str, paths: Iterable[Path]) -> ModelCard | None:
    for path in paths:
        with contextlib.suppress(HopeBenchError):  # somebody's half-written card must not be in the way
            card = read_card(path)
            if card.checkpoint == checkpoint and card.adapter == "transformers":
                return card
    return None
