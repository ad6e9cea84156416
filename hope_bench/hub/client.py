"""Talking to the Hub through huggingface_hub: what is there, what comes from there, and what went wrong, in words."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hope_bench.adapters.secrets import environment_secrets, without_secrets
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.hub.names import HubName

RepoType = Literal["dataset", "model"]
_TOKEN = re.compile(r"\b(hf|api_org)_[A-Za-z0-9]{6,}|Bearer\s+\S+")
_LOGIN = "Log in (hf auth login), or set HF_TOKEN"
_OFFLINE = "the Hub is not to be asked (HF_HUB_OFFLINE is set)"


@dataclass(frozen=True, slots=True)
class Repository:
    """What a repository holds at a `commit`: files by path, each with the git hash of its bytes, or their SHA-256 where it is
    kept as a large file. `private` is None where the Hub doesn't say."""

    commit: str | None = None
    private: bool | None = None
    git_hashes: Mapping[str, str | None] = field(default_factory=dict)
    sha256s: Mapping[str, str] = field(default_factory=dict)


def look(name: HubName, kind: RepoType) -> Repository | None:
    """What a repository holds; None where there is none that the token may see. Raises HopeBenchError."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    with explained(name):
        try:
            found = HfApi().repo_info(name.repo, repo_type=kind, revision=name.revision, files_metadata=True)
        except GatedRepoError:
            raise
        except RepositoryNotFoundError as error:
            if _status(error) == 401:  # without a token that counts, nothing says whether there is one
                raise
            return None
    siblings = getattr(found, "siblings", None) or []
    large = {one.rfilename: one.lfs.sha256 for one in siblings if getattr(one, "lfs", None) is not None}
    return Repository(found.sha, getattr(found, "private", None), {one.rfilename: one.blob_id for one in siblings}, large)


def fetch(name: HubName, patterns: Sequence[str], kind: RepoType = "dataset", *, bar: bool = False) -> Path:
    """The folder of huggingface_hub's cache that holds a repository's files of these patterns, downloaded (with a `bar`, where
    they may be large) as far as they aren't there. It is called by the commit. Raises HopeBenchError."""
    from huggingface_hub import snapshot_download

    with explained(name), nullcontext() if bar else _without_bars():
        return Path(snapshot_download(name.repo, repo_type=kind, revision=name.revision, allow_patterns=list(patterns)))


@contextmanager
def _without_bars() -> Iterator[None]:
    from huggingface_hub import utils as bars

    if bars.are_progress_bars_disabled():  # type: ignore[attr-defined]
        yield
        return
    bars.disable_progress_bars()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        bars.enable_progress_bars()  # type: ignore[attr-defined]


def check_can_push(name: HubName) -> None:
    """Raise HopeBenchError where nothing can be sent from here: offline, or without a token."""
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise HopeBenchError(f"Nothing can be sent: {_OFFLINE}. What would be sent: --dry-run.")
    with explained(name):  # a login that expired is renewed
        token = get_token()
    if token is None:
        raise HopeBenchError(f"No token of the Hugging Face Hub is known here. {_LOGIN}; it must be allowed to write.")


@contextmanager
def explained(name: HubName) -> Iterator[None]:
    """What the Hub and its library raise, as a HopeBenchError in words. No token gets into it."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except (OSError, ValueError, RuntimeError, ImportError, HTTPError) as error:  # a proxy's client may not be installed
        raise HopeBenchError(_in_words(name, error)) from None


def _in_words(name: HubName, error: BaseException) -> str:
    from huggingface_hub import errors

    status = _status(error)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"{name}: {_OFFLINE}."
    if isinstance(error, errors.LocalEntryNotFoundError):
        return _not_here(name, error)
    if isinstance(error, errors.GatedRepoError):
        return f"{name} is gated: ask for access on its page, {_LOGIN[0].lower()}{_LOGIN[1:]}, and try again."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{name.repo} has no revision {name.revision or 'main'!r} on the Hub. Give a branch, tag or commit that it has."
    if isinstance(error, errors.DisabledRepoError):
        return f"The Hub has closed {name.repo}."
    if status == 401:
        return (
            f"The Hub doesn't give {name}: there is none of that name, or it is private and the token here isn't its owner's. "
            f"Check the name. {_LOGIN}."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"There is no {name} on the Hub, or the token here may not see it. Check the name. {_LOGIN}."
    if status == 403:
        return f"The token here may not do that with {name}{_said(error)}. Use one that may write there."
    if status in (409, 412):
        return f"{name} was changed by somebody else meanwhile, and nothing was sent. Look at it, and push again."
    if status is not None and (status == 429 or status >= 500):
        return f"The Hub answers {status}{_said(error)}. Try again later."
    if status is not None:
        return f"The Hub refuses {name} (status {status}{_said(error)})."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full, so {name} can't be kept here. Make room, or set HF_HOME to a folder that has some."
    if isinstance(error, PermissionError):
        return f"{name} can't be kept in {error.filename or 'the cache'}: {error.strerror}. Set HF_HOME to a folder of yours."
    if isinstance(error, ValueError | RuntimeError | ImportError):
        return f"huggingface_hub can't do that with {name}: {_reason(error)}."
    return f"The Hub can't be reached for {name}: {_reason(error)}. Check the network."


def _not_here(name: HubName, error: BaseException) -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return f"{name} is not (or not whole) in the cache of this machine, and {_OFFLINE}. Pull it once with a network."
    cause = error.__cause__
    why = "" if cause is None else f": {_reason(cause)}"
    if cause is not None and (status := _status(cause)) is not None:
        return f"The Hub answers {status} for {name}, which is not in the cache of this machine{_said(cause)}. Try again later."
    return f"{name} is not in the cache of this machine, and the Hub can't be reached{why}. Check the network."


def _status(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _said(error: BaseException) -> str:
    """What the Hub says of it, where it says anything."""
    message = getattr(error, "server_message", None)
    return f": {clean(' '.join(str(message).split()).rstrip('.'))[:300]}" if message else ""


def _reason(error: BaseException) -> str:
    """The library's own words, cut off only where no key can be cut in two."""
    return clean(short_reason(error, limit=100_000))[:300]


def clean(text: str) -> str:
    """A text without any token of the Hub's, or other key of the environment."""
    return _TOKEN.sub("(token)", without_secrets(text, environment_secrets()))
