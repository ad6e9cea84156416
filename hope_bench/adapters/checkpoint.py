"""A checkpoint on disk: a folder, or a Hugging Face id found in the local cache or downloaded into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hope_bench.adapters import lora
from hope_bench.adapters.folders import files_of, known_format, what_it_is
from hope_bench.adapters.json_files import read_object
from hope_bench.adapters.processor_files import has_processor, nearest_processor, processor_sha256
from hope_bench.adapters.runnable import check_format, check_runnable
from hope_bench.adapters.weights import check_weights, lacks, lost_link
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.card import ModelCard
from hope_bench.files.model_name import meant
from hope_bench.provenance import file_sha256, json_sha256

_SMALL = ["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
"""Configuration, tokenizer, processor and chat template."""
_CODE = ["*.py"]
_SAFETENSORS = ["*.safetensors"]
_PICKLES = ["pytorch_model*.bin", "adapter_model.bin"]
_IGNORED = ["*/*", "consolidated*"]
"""Copies of the weights in other formats."""

_LONGEST_ID = 255
"""Characters; the Hub allows fewer."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a checkpoint lies and which it is: a Hub commit (`revision`) or, for a folder, a hash of what it holds. `adapter` is
    the folder of a PEFT adapter, whose base model `folder` then is; `processor` is the folder of its processor."""

    folder: Path
    identity: str
    revision: str | None = None
    weights_sha256: str | None = None
    adapter: Path | None = None
    processor: Path = Path()


def find_checkpoint(card: ModelCard, say: Say, trust_remote_code: bool, *, runs_here: bool = True) -> Checkpoint:
    """The checkpoint that a card means; a Hub id that isn't in the local cache is downloaded, and so are an adapter's base model
    and the card's processor.

    What is cached is used without asking the Hub, so that a run needs no network and doesn't change under the user's hands.
    Python files of the checkpoint are fetched and run only with `trust_remote_code`. What transformers can't run is refused
    before its weights are fetched; without `runs_here` another program runs it, and decides. Raises HopeBenchError for a folder
    that is no checkpoint and for a download that fails.
    """
    found = _find(card.checkpoint, card.revision, say, trust_remote_code, runs_here)
    if card.processor is None:
        return found
    return _asked_through(found, _small_files(card.processor, say), card.processor)


def known_checkpoint(card: ModelCard) -> Checkpoint | None:
    """What `find_checkpoint` would find, without asking transformers whether it can run it; None where it isn't all here."""
    folder = local_folder(card.checkpoint, card.revision, card.trust_remote_code)
    if folder is None:
        return None
    found: Checkpoint | None = _identified(card.checkpoint, folder)
    if lora.is_adapter(folder):
        base = lora.base_of(folder)
        beneath = local_folder(base.name, base.revision)
        lora.check_base(folder, beneath)
        found = None if beneath is None else _adapted(_identified(card.checkpoint, folder), _identified(base.name, beneath))
    if found is None or card.processor is None:
        return found
    processor = _cached_small(card.processor)
    return None if processor is None else _asked_through(found, processor, card.processor)


def _find(
    name: str, revision: str | None, say: Say, trust_remote_code: bool, runs_here: bool, adapter: Path | None = None
) -> Checkpoint:
    """The checkpoint of that name; of the base model of an `adapter`."""
    folder = local_folder(name, revision, trust_remote_code)
    if folder is None:
        folder = _download(name, revision, say, trust_remote_code, runs_here)
    elif runs_here and not lora.is_adapter(folder):
        check_runnable(name, folder, trust_remote_code)
    lora.check_base(adapter, folder)
    if runs_here:
        check_weights(folder)
    found = _identified(name, folder)
    if not lora.is_adapter(folder):
        return found
    lora.check_peft(name)
    base = lora.base_of(folder)
    return _adapted(found, _find(base.name, base.revision, say, trust_remote_code, runs_here, folder))


def _identified(name: str, folder: Path) -> Checkpoint:
    if not is_folder(name):
        return Checkpoint(folder, f"{name}@{folder.name}", revision=folder.name, processor=folder)
    digest = content_sha256(folder)
    found = Checkpoint(folder, f"sha256:{digest}", weights_sha256=digest, processor=folder)
    # What a Trainer saves on the way has weights, and its processor in the folder of the whole training.
    above = folder.resolve().parent
    return found if has_processor(folder) or not has_processor(above) else _asked_through(found, above, str(above))


def _adapted(adapter: Checkpoint, base: Checkpoint) -> Checkpoint:
    identity = f"{adapter.identity} on {base.identity}"
    return Checkpoint(
        base.folder,
        identity,
        weights_sha256=json_sha256(identity),
        adapter=adapter.folder,
        processor=nearest_processor((adapter.processor,)) or base.processor,
    )


def _asked_through(found: Checkpoint, processor: Path, name: str) -> Checkpoint:
    """With a processor that lies elsewhere, which its answers depend on as on its weights."""
    which = f"sha256:{processor_sha256(processor)}" if is_folder(name) else f"{name}@{processor.name}"
    return replace(found, identity=f"{found.identity} asked through {which}", processor=processor)


def local_folder(name: str, revision: str | None, trust_remote_code: bool = False) -> Path | None:
    """The folder of a checkpoint that is here already, complete; None where it would have to be downloaded. Raises HopeBenchError
    for a folder that lacks files or is of another format, for a folder's revision, and for what is neither a folder nor a Hub id.
    """
    folder = Path(name)
    if is_folder(name):
        if revision is not None:
            raise HopeBenchError(f"Checkpoint {name} is a folder, which has no revision {revision!r}. Leave the revision out.")
        _check_complete(folder)
        return folder
    if os.path.isfile(folder):  # noqa: PTH113
        raise HopeBenchError(known_format(name, [name]) or f"{name} is a file. Name the checkpoint's folder: {folder.parent}.")
    if folder.is_absolute() or name.startswith(("./", "../")) or name.count("/") != 1 or len(name) > _LONGEST_ID:
        shown = repr(name if len(name) <= 200 else name[:200] + "...")
        raise HopeBenchError(f"Checkpoint {shown} is no folder here, and no Hugging Face id (ORG/NAME) either.{meant(name)}")
    cached = _cached(name, revision)
    # Without trust, it may have been fetched without its code.
    return cached if cached is not None and (not trust_remote_code or any(cached.glob("*.py"))) else None


def check_here(card: ModelCard, say: Say | None) -> None:
    """Raise HopeBenchError for what can be seen of a card's checkpoint without transformers: what it lacks, a format that can't
    be run, an adapter without its base or peft. With `say`, also for a Hub id that isn't cached and can't be fetched, or is no
    such model: its config.json is, to see."""
    _check_one(card.checkpoint, card.revision, say, card.server in (None, "transformers") and not card.trust_remote_code)
    if card.processor is not None and not is_folder(card.processor) and card.processor.count("/") != 1:
        raise HopeBenchError(f"Processor {card.processor!r} is no folder here, and no Hugging Face id (ORG/NAME) either.")


def _check_one(name: str, revision: str | None, say: Say | None, runs_here: bool, adapter: Path | None = None) -> None:
    here = local_folder(name, revision)
    folder = _described(name, revision, say) if here is None and say is not None else here
    lora.check_base(adapter, folder)
    if folder is None:
        return
    whole = lora.is_adapter(folder)
    if whole:
        lora.check_peft(name)
        base = lora.base_of(folder)
        _check_one(base.name, base.revision, say, runs_here, folder)
    elif runs_here:
        config = read_object(folder / "config.json", name)
        check_format(name, config)
        # Of what may be no vision-language model at all, that is to be said first, which takes transformers.
        whole = "vision_config" in config
    if here is not None and runs_here:
        check_weights(folder, pointers_alone=not whole)


def _described(name: str, revision: str | None, say: Say) -> Path:
    from huggingface_hub import constants, snapshot_download

    if not constants.HF_HUB_OFFLINE:
        say(f"Looking for {name} on the Hugging Face Hub ...")
    with _explained(name, revision):
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=["config.json", lora.CONFIG]))
    _check_described(name, revision, folder)
    return folder


def _check_described(name: str, revision: str | None, folder: Path) -> None:
    if not any((folder / one).is_file() for one in ("config.json", lora.CONFIG)):
        raise HopeBenchError(what_it_is(name, _files_at_hub(name, revision)))


def _files_at_hub(name: str, revision: str | None) -> list[str]:
    """What a repository of the Hub holds; nothing where it doesn't say."""
    from huggingface_hub import HfApi

    try:
        with _explained(name, revision):
            return sorted(HfApi().list_repo_files(name, revision=revision))
    except HopeBenchError:
        return []


def _cached(name: str, revision: str | None) -> Path | None:
    folder = _cached_small(name, revision)
    return folder if folder is not None and not lacks(folder) else None


def _cached_small(name: str, revision: str | None = None) -> Path | None:
    from huggingface_hub import snapshot_download

    if is_folder(name):
        return Path(name)
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        return None


def _small_files(name: str, say: Say) -> Path:
    """The folder of a card's `processor`, downloaded where it is a Hub id without a processor in the cache."""
    from huggingface_hub import snapshot_download

    folder = _cached_small(name)
    if folder is None or not (has_processor(folder) or is_folder(name)):
        say(f"Downloading the processor of {name} from the Hugging Face Hub ...")
        with _explained(name, None):
            folder = Path(snapshot_download(name, allow_patterns=_SMALL, ignore_patterns=_IGNORED))
    if not has_processor(folder):
        raise HopeBenchError(f"{name} holds no processor: no processor_config.json or preprocessor_config.json. See --processor.")
    return folder


def _download(name: str, revision: str | None, say: Say, trust_remote_code: bool, runs_here: bool) -> Path:
    from huggingface_hub import constants, snapshot_download

    if not constants.HF_HUB_OFFLINE:
        say(f"Downloading {name} from the Hugging Face Hub ...")

    def fetch(patterns: list[str]) -> Path:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns, ignore_patterns=_IGNORED))

    with _explained(name, revision):
        # Small files first, so that a model that can't be run is refused before its weights travel.
        folder = fetch([*_SMALL, *_CODE] if trust_remote_code else _SMALL)
        _check_described(name, revision, folder)
        if (folder / lora.CONFIG).is_file():
            lora.check_peft(name)
        elif runs_here:
            check_runnable(name, folder, trust_remote_code)
        folder = fetch(_SAFETENSORS)
        if lacks(folder):
            folder = fetch(_PICKLES)
    missing = lacks(folder)
    if missing:
        raise HopeBenchError(
            known_format(name, _files_at_hub(name, revision))
            or f"{_wanted(name, revision)} is incomplete in the local Hugging Face cache: {missing}. Either the Hub can't be "
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
    missing = lacks(folder)
    described = (folder / "config.json").is_file() or lora.is_adapter(folder)
    if missing is None and described:
        return
    if not described:
        link = lost_link(folder, ("config.json", lora.CONFIG))
        if link is None:
            raise HopeBenchError(what_it_is(str(folder), files_of(folder)))
        missing = link
    known = known_format(str(folder), files_of(folder)) if described and not lora.is_adapter(folder) else None
    raise HopeBenchError(known or f"Checkpoint {folder} is incomplete: {missing}. Copy or download it again.")


def is_folder(name: str) -> bool:
    """Whether a name is that of a folder here; also of names that no file can have."""
    return os.path.isdir(name)  # noqa: PTH112 - Path's raises where a name is too long


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
