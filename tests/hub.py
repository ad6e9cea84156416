"""The Hub's edge in tests: what would be sent is kept, and what was sent lies in a cache as huggingface_hub lays it out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.hf_api import CommitInfo, DatasetInfo, ModelInfo
from huggingface_hub.utils.sha import git_hash

COMMIT, NEXT = "a" * 40, "b" * 40
LARGE = 1000
"""The Hub keeps files as large ones by their ending and size; here, by this many bytes."""


def listing(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Files as the Hub's API lists them."""
    return [
        {"rfilename": name, "blobId": git_hash(data), "size": len(data)}
        | (
            {"lfs": {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}}
            if len(data) > LARGE
            else {}
        )
        for name, data in files.items()
    ]


def dataset(files: Mapping[str, bytes], *, private: bool = True, commit: str = COMMIT) -> DatasetInfo:
    """What the Hub's API says of a dataset repository."""
    return DatasetInfo(id="org/name", sha=commit, private=private, siblings=listing(files), tags=[], downloads=0, likes=0)


def model(files: Mapping[str, bytes]) -> ModelInfo:
    """What the Hub's API says of a model repository."""
    return ModelInfo(id="org/model", sha=COMMIT, private=False, siblings=listing(files), tags=[], downloads=0, likes=0)


@dataclass
class Edge:
    """What HfApi was asked, and answers given in turn: `infos` to repo_info; an exception is raised."""

    infos: list[Any] = field(default_factory=list)
    looked: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    fails: BaseException | None = None

    def install(self, patch: pytest.MonkeyPatch) -> Edge:
        """Put it in the network's place; a token is known."""

        def repo_info(_: HfApi, repo_id: str, **given: Any) -> Any:
            if constants.HF_HUB_OFFLINE:
                raise OfflineModeIsEnabled("off")
            self.looked.append({"repo_id": repo_id, **given})
            found = self.infos.pop(0)
            if isinstance(found, BaseException):
                raise found
            return found

        def create_repo(_: HfApi, repo_id: str, **given: Any) -> str:
            self.created.append({"repo_id": repo_id, **given})
            return f"https://huggingface.co/datasets/{repo_id}"

        def create_commit(_: HfApi, repo_id: str, operations: Sequence[Any], **given: Any) -> CommitInfo:
            if self.fails is not None:
                raise self.fails
            self.commits.append({"repo_id": repo_id, "files": sent(operations), **given})
            pull_request = f"https://huggingface.co/{repo_id}/discussions/7" if given.get("create_pr") else None
            url = f"https://huggingface.co/{repo_id}/commit/{NEXT}"
            return CommitInfo(url, given["commit_message"], "", NEXT, pr_url=pull_request)

        for name, function in (("repo_info", repo_info), ("create_repo", create_repo), ("create_commit", create_commit)):
            patch.setattr(HfApi, name, function)
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        patch.setenv("HF_TOKEN", "hf_thisIsNoRealToken")
        return self


def sent(operations: Sequence[Any]) -> dict[str, bytes | None]:
    """What a commit's operations would leave: bytes by path, None for what they delete."""
    found: dict[str, bytes | None] = {}
    for one in operations:
        if isinstance(one, CommitOperationDelete):
            found[one.path_in_repo] = None
        else:
            assert isinstance(one, CommitOperationAdd)
            with one.as_file() as stream:
                found[one.path_in_repo] = stream.read()
    return found


def keep(cache: Path, repo: str, files: Mapping[str, bytes | None], commit: str = COMMIT, *, kind: str = "datasets") -> Path:
    """A repository in huggingface_hub's cache: blobs by hash, a snapshot of links to them, and the ref of main."""
    folder = cache / f"{kind}--{repo.replace('/', '--')}"
    for name, data in files.items():
        assert data is not None
        blob = folder / "blobs" / (hashlib.sha256(data).hexdigest() if len(data) > LARGE else git_hash(data))
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link = folder / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return folder / "snapshots" / commit


def offline(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Nothing but this cache is there."""
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
