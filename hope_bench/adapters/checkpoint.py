"""A checkpoint on disk: a folder, or a Hugging Face id found in the local cache or downloaded into it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hope_bench.errors import HopeBenchError, first_few, short_reason
from hope_bench.provenance import file_sha256, json_sha256

_SMALL = ["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
"""Configuration, tokenizer, processor and chat template."""
_CODE = ["*.py"]
_SAFETENSORS = ["*.safetensors"]
_PICKLES = ["pytorch_model*.bin"]
_IGNORED = ["*/*", "consolidated*"]
"""Copies of the weights in other formats."""
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_WHOLE = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a checkpoint lies and which it is: a Hub commit (`revision`) or, for a folder, a hash of what it holds."""

    folder: Path
    identity: str
    revision: str | None = None
    weights_sha256: str | None = None


def find_checkpoint(name: str, revision: str | None, say: Callable[[str], None], trust_remote_code: bool = False) -> Checkpoint:
    """The checkpoint that a card's `checkpoint` and `revision` mean; a Hub id that isn't in the local cache is downloaded.

    What is cached is used without asking the Hub, so that a run needs no network and doesn't change under the user's hands.
    Python files of the checkpoint are fetched and run only with `trust_remote_code`. Raises HopeBenchError for a folder that is
    no checkpoint and for a download that fails.
    """
    folder = local_folder(name, revision, trust_remote_code)
    if folder is None:
        folder = _download(name, revision, say, trust_remote_code)
    elif Path(name).is_dir():
        _check_config(folder, trust_remote_code)
    if trust_remote_code:
        _check_code(folder)
    return _identified(name, folder)


def known_checkpoint(name: str, revision: str | None, trust_remote_code: bool = False) -> Checkpoint | None:
    """What `find_checkpoint` would find, without asking transformers whether it can run it; None where it isn't here."""
    folder = local_folder(name, revision, trust_remote_code)
    return None if folder is None else _identified(name, folder)


def _identified(name: str, folder: Path) -> Checkpoint:
    if Path(name).is_dir():
        digest = content_sha256(folder)
        return Checkpoint(folder, f"sha256:{digest}", weights_sha256=digest)
    return Checkpoint(folder, f"{name}@{folder.name}", revision=folder.name)


def local_folder(name: str, revision: str | None, trust_remote_code: bool = False) -> Path | None:
    """The folder of a checkpoint that is here already, complete; None where it would have to be downloaded. Raises HopeBenchError
    for a folder that lacks files, for a folder's revision, and for what is neither a folder nor a Hub id."""
    folder = Path(name)
    if folder.is_dir():
        if revision is not None:
            raise HopeBenchError(f"Checkpoint {name} is a folder, which has no revision {revision!r}. Leave the revision out.")
        _check_complete(folder)
        return folder
    if folder.is_absolute() or name.startswith(("./", "../")) or name.count("/") != 1:
        raise HopeBenchError(f"Checkpoint {name!r} is no folder here, and no Hugging Face id (ORG/NAME) either.")
    cached = _cached(name, revision)
    # Without trust, it may have been fetched without its code.
    return cached if cached is not None and (not trust_remote_code or any(cached.glob("*.py"))) else None


def check_reachable(name: str, revision: str | None, say: Callable[[str], None]) -> None:
    """Raise HopeBenchError where a Hub id isn't in the local cache and can't be downloaded: its config.json is, to see."""
    from huggingface_hub import constants, snapshot_download

    if not constants.HF_HUB_OFFLINE:
        say(f"Looking for {name} on the Hugging Face Hub ...")
    with _explained(name, revision):
        snapshot_download(name, revision=revision, allow_patterns=["config.json"])


def _cached(name: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        return None
    return folder if not _missing(folder) else None


def _download(name: str, revision: str | None, say: Callable[[str], None], trust_remote_code: bool) -> Path:
    from huggingface_hub import constants, snapshot_download

    if not constants.HF_HUB_OFFLINE:
        say(f"Downloading {name} from the Hugging Face Hub ...")

    def fetch(patterns: list[str]) -> Path:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns, ignore_patterns=_IGNORED))

    with _explained(name, revision):
        # Small files first, so that a model that can't be run is refused before its weights travel.
        folder = fetch([*_SMALL, *_CODE] if trust_remote_code else _SMALL)
        _check_config(folder, trust_remote_code)
        folder = fetch(_SAFETENSORS)
        if _missing(folder):
            folder = fetch(_PICKLES)
    missing = _missing(folder)
    if missing:
        raise HopeBenchError(
            f"{_wanted(name, revision)} is incomplete in the local Hugging Face cache: {missing}. Either the Hub can't be "
            "reached (check the network and HF_HUB_OFFLINE) or the repository holds no weights in transformers' format."
        )
    return folder


@contextmanager
def _explained(name: str, revision: str | None) -> Iterator[None]:
    # The base of everything the HTTP client raises, whichever client huggingface_hub is built on.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except (OSError, ValueError, HTTPError) as error:
        raise HopeBenchError(
            f"{_wanted(name, revision)} is not in the local Hugging Face cache and can't be downloaded: {short_reason(error)}. "
            "Check the id, the network and HF_HUB_OFFLINE (a gated model also needs: hf auth login), or give a checkpoint folder "
            "instead."
        ) from None


def _wanted(name: str, revision: str | None) -> str:
    return name if revision is None else f"{name} (revision {revision})"


def _check_complete(folder: Path) -> None:
    _check_is_one(folder)
    missing = _missing(folder)
    if missing:
        raise HopeBenchError(f"Checkpoint {folder} is incomplete: {missing}. Copy or download it again.")


def _check_is_one(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise HopeBenchError(f"{folder} holds no config.json, so it is not a checkpoint in transformers' format.")


def _check_config(folder: Path, trust_remote_code: bool) -> None:
    """A folder whose configuration names a model that transformers can't ask about an image is refused, in words."""
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig

    _check_is_one(folder)
    if trust_remote_code:
        _check_code(folder)
        return
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HopeBenchError(_unknown_model(folder, error)) from None
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise HopeBenchError(
            f"Checkpoint {folder} is a {config.model_type!r} model, which transformers can't ask about an image "
            "(it has no image-text-to-text class). hope-bench needs a vision-language model."
        )


def _check_code(folder: Path) -> None:
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
    try:
        mapped = json.loads(file.read_text(encoding="utf-8")).get("auto_map")
    except (OSError, ValueError, AttributeError):
        return {}
    return mapped if isinstance(mapped, dict) else {}


def _unknown_model(folder: Path, error: Exception) -> str:
    from transformers import CONFIG_MAPPING, __version__

    if "trust_remote_code" in str(error):
        return (
            f"Checkpoint {folder} needs Python code that it brings along, and nothing of it was run. Best use a copy converted "
            'to transformers\' own classes; on the Hub their names often end in "-hf". If you trust the code, write a card with '
            "trust_remote_code = true and add --trust-remote-code (docs/models.md)."
        )
    try:
        model_type = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return f"Checkpoint {folder} has a damaged config.json: {short_reason(error)}. Copy or download it again."
    if model_type in CONFIG_MAPPING:
        return f"Checkpoint {folder} has a config.json that transformers can't use: {short_reason(error)}."
    close = difflib.get_close_matches(str(model_type), CONFIG_MAPPING.keys(), n=1)
    nearest = f" (the nearest it knows is {close[0]!r})" if close else ""
    return (
        f"Checkpoint {folder} is of model type {model_type!r}, which transformers {__version__} doesn't know{nearest}. "
        "A newer transformers may: pip install -U transformers."
    )


def _missing(folder: Path) -> str | None:
    """What a checkpoint folder lacks, in words; None if it is complete."""
    for index in (folder / name for name in _INDEXES):
        if index.is_file():
            try:
                files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                return f"{index.name} is damaged"
            absent = sorted(file for file in files if not (folder / file).is_file())
            return f"{len(absent)} of {len(files)} weight files are missing (the first is {absent[0]})" if absent else None
    return None if any((folder / name).is_file() for name in _WHOLE) else f"it holds no weights ({' or '.join(_WHOLE)})"


def content_sha256(folder: Path) -> str:
    """A hash of every top-level file that answers depend on, names included."""
    patterns = (*_SMALL, *_CODE, *_SAFETENSORS, "*.bin")
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return _content_sha256(tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files))


@cache
def _content_sha256(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Of files with their sizes and times of change: before a model is loaded its files are asked for twice, and may be large."""
    paths = [path for path, _, _ in files]
    with ThreadPoolExecutor(max_workers=4) as pool:
        return json_sha256(dict(zip((path.name for path in paths), pool.map(file_sha256, paths), strict=True)))
