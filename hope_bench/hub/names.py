"""What is on the Hub is called hf:ORG/NAME[@REVISION], and nothing else is ever looked for there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hope_bench.errors import HopeBenchError

PREFIX = "hf:"
_KEPT = "datasets--"
_REVISION = re.compile(r"[\w][\w./-]*")


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository of the Hub, and which revision of it: a branch, a tag or a commit (None: its main branch)."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        """As it is written on the command line."""
        return PREFIX + self.repo + ("" if self.revision is None else f"@{self.revision}")


def is_hub_name(name: object) -> bool:
    """Whether a name is meant to be looked for on the Hub."""
    return isinstance(name, str) and name.startswith(PREFIX)


def name_of(folder: Path) -> HubName | None:
    """The repository, at its commit, of which a folder is what huggingface_hub's cache keeps; None for every other folder."""
    snapshots, kept = folder.parent, folder.parent.parent.name
    if snapshots.name != "snapshots" or not kept.startswith(_KEPT) or kept.count("--") != 2:
        return None
    return HubName(kept.removeprefix(_KEPT).replace("--", "/"), folder.name)


def hub_name(text: str) -> HubName:
    """The repository that `text` names, with or without the prefix. Raises HopeBenchError for what can be none."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    repo, at, revision = text.removeprefix(PREFIX).partition("@")
    shown = repr(text if len(text) <= 200 else text[:200] + "...")
    if "://" in repo or repo.startswith("datasets/"):
        raise HopeBenchError(f"{shown} is no name of the Hub. Write hf:ORG/NAME, without address and without datasets/.")
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise HopeBenchError(f"{shown} is no name of the Hub. Write hf:ORG/NAME, or hf:ORG/NAME@REVISION.")
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise HopeBenchError(f"{shown} is no name of the Hub: {str(error).split(':')[0].rstrip('.')}.") from None
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise HopeBenchError(f"{shown} names no revision behind the @: give a branch, a tag or a commit.")
    return HubName(repo, revision or None)
