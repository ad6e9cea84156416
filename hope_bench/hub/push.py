"""Sending a parcel to the Hub in one commit: only what differs, on top of what was looked at, and over nothing unasked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.hub.client import Repository, check_can_push, explained, look
from hope_bench.hub.names import HubName
from hope_bench.hub.parcel import CARD, Parcel
from hope_bench.progress import Say
from hope_bench.provenance import file_sha256, versions

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

Change = Literal["added", "replaced", "removed", "the same"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One file of a push: its path in the repository, its `bytes`, and what becomes of it there (None: nobody asked)."""

    path: str
    bytes: int
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push sent (or, of a dry run, would send): `files`, and the `commit` that holds them now (None: nothing was sent).
    `url` is the repository's page, or that of the pull request."""

    name: str
    url: str
    files: tuple[Sent, ...]
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to send: to a `public` repository, and over what is there (`overwrite`)."""

    public: bool = False
    overwrite: bool = False
    dry_run: bool = False


def push(name: HubName, parcel: Parcel, options: PushOptions, say: Say) -> Pushed:
    """Send a parcel to a dataset repository, made (private, unless `public`) where there is none; of a dry run, ask nobody.

    Raises HopeBenchError where the repository holds other contents in its place (unless `overwrite`), is public without
    `public`, or was changed meanwhile.
    """
    for told in parcel.tells:
        say(f"It tells whoever may read it {told}.")
    if options.dry_run:
        files = parcel.files if parcel.card is None else {CARD: parcel.card, **parcel.files}
        return Pushed(str(name), page(name), tuple(Sent(path, size(data)) for path, data in files.items()))
    check_can_push(name)
    found = look(name, "dataset")
    if found is not None:
        _check_visible(name, found, options, say)
    changes = _changes(parcel, found or Repository())
    _check_overwritten(name, changes, options.overwrite)
    sent = tuple(Sent(path, size(data), change) for path, (change, data) in changes.items())
    if found is not None and all(change == "the same" for change, _ in changes.values()):
        return Pushed(str(name), page(name), sent, found.commit)
    if found is None:
        found = _create(name, public=options.public)
        changes = _changes(parcel, found)  # whatever the Hub, or somebody, put there first
        _check_overwritten(name, changes, options.overwrite)
    return Pushed(str(name), page(name), sent, _commit(name, parcel, found, changes))


def _check_visible(name: HubName, found: Repository, options: PushOptions, say: Say) -> None:
    if found.private is False and not options.public:
        raise HopeBenchError(f"hf:{name.repo} is public. Say so with --public if all the world may have this.")
    if found.private and options.public:
        say(f"hf:{name.repo} is private and stays so: change that on its page.")


def _create(name: HubName, *, public: bool) -> Repository:
    from huggingface_hub import HfApi

    if name.revision is not None:
        raise HopeBenchError(f"There is no hf:{name.repo} yet, so it has no revision {name.revision!r}. Leave it out.")
    with explained(name):
        HfApi().create_repo(name.repo, repo_type="dataset", private=not public, exist_ok=False)
    made = look(name, "dataset")
    if made is None:
        raise HopeBenchError(f"{name} was made, but the Hub doesn't show it yet. Push again.")
    return made


_Changes = Mapping[str, tuple[Change, bytes | Path]]


def _changes(parcel: Parcel, found: Repository) -> _Changes:
    """What becomes of every file of the parcel, and of those that it takes the place of."""
    files = dict(parcel.files)
    if parcel.card is not None and CARD not in found.git_hashes:
        files = {CARD: parcel.card, **files}
    changes: dict[str, tuple[Change, bytes | Path]] = {}
    for path, data in files.items():
        there = path in found.git_hashes
        changes[path] = ("added" if not there else "the same" if _same(data, path, found) else "replaced", data)
    stale = (path for path in found.git_hashes if path not in files and parcel.takes_the_place_of(path))
    return {**changes, **dict.fromkeys(stale, ("removed", b""))}


def _same(data: bytes | Path, path: str, found: Repository) -> bool:
    from huggingface_hub.utils.sha import git_hash

    if (known := found.sha256s.get(path)) is not None:
        return known == (file_sha256(data) if isinstance(data, Path) else hashlib.sha256(data).hexdigest())
    return found.git_hashes[path] == git_hash(data.read_bytes() if isinstance(data, Path) else data)


def _check_overwritten(name: HubName, changes: _Changes, overwrite: bool) -> None:
    """Raise HopeBenchError where something that is there would be lost."""
    lost = [path for path, (change, _) in changes.items() if change in ("replaced", "removed")]
    if lost and not overwrite:
        raise HopeBenchError(
            f"{name} holds other contents ({counted(len(lost), 'file')}: {first_few(lost, 3)}). "
            "Give another name, or --overwrite if this is to take their place; what is there stays in its history."
        )


def _commit(name: HubName, parcel: Parcel, found: Repository, changes: _Changes) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    operations: list[CommitOperationAdd | CommitOperationDelete] = []
    for path, (change, data) in changes.items():
        if change == "removed":
            operations.append(CommitOperationDelete(path_in_repo=path))
        elif change != "the same":
            operations.append(CommitOperationAdd(path_in_repo=path, path_or_fileobj=data))
    with explained(name):
        done = HfApi().create_commit(
            name.repo,
            operations,
            commit_message=f"Push {parcel.what} with {tool()}",
            repo_type="dataset",
            revision=name.revision,
            parent_commit=found.commit,
        )
    return str(done.oid)


def page(name: HubName, kind: Literal["datasets/", ""] = "datasets/") -> str:
    """The address of a repository's page."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{kind}{name.repo}"


def tool() -> str:
    """What makes the commits, with its version."""
    return f"hope-bench {versions().get('hope-bench', '')}".rstrip()


def size(data: bytes | Path) -> int:
    """How many bytes a file has."""
    return data.stat().st_size if isinstance(data, Path) else len(data)
