"""A Hub on this machine: repositories in memory that huggingface_hub lists, downloads, makes and commits to, over HTTP."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from huggingface_hub.utils.sha import git_hash

from tests.faulty_server import LocalServer, serving
from tests.hub import listing


@dataclass
class Repository:
    """What the Hub keeps: `files` by path, the `commit` of them, and the pull requests that were opened."""

    files: dict[str, bytes]
    commit: str = "1" * 40
    private: bool = False
    pull_requests: list[dict[str, bytes]] = field(default_factory=list)

    def take(self, lines: list[dict[str, Any]], pull_request: bool) -> None:
        """A commit's header and operations."""
        header, *operations = lines
        assert header["key"] == "header"
        assert header["value"]["parentCommit"] == self.commit
        assert {one["key"] for one in operations} == {"file"}
        sent = {one["value"]["path"]: base64.b64decode(one["value"]["content"]) for one in operations}
        if pull_request:
            self.pull_requests.append(sent)
        else:
            self.files |= sent
            self.commit = f"{int(self.commit, 16) + 1:040x}"


class Hub(LocalServer):
    """`repositories` by their kind and name, such as ("datasets", "org/name")."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.repositories: dict[tuple[str, str], Repository] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def running() -> contextlib.AbstractContextManager[Hub]:
    """A Hub without repositories until the end of the block."""
    return serving(Hub())


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._do(self._get)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def do_POST(self) -> None:
        self._do(self._post)

    def _do(self, work: Callable[[list[str], bytes], None]) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            work([unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")], body)
        except KeyError as error:  # no such repository, or no such file in it
            kind = "RepoNotFound" if isinstance(error.args[0], tuple) else "EntryNotFound"
            self._reply({"error": str(error)}, 404, {"X-Error-Code": kind})

    def _get(self, parts: list[str], _: bytes) -> None:
        if parts[0] != "api":  # [datasets/]ORG/NAME/resolve/REVISION/FILE
            kind = parts.pop(0) if parts[0] == "datasets" else "models"
            repository = self.server.repositories[kind, "/".join(parts[:2])]
            data = repository.files["/".join(parts[4:])]
            self._reply(data, 200, {"ETag": f'"{git_hash(data)}"', "X-Repo-Commit": repository.commit})
            return
        _, kind, *name = parts[:4]
        repository = self.server.repositories[kind, "/".join(name)]
        if parts[4:5] == ["tree"]:
            self._reply(
                [
                    {"type": "file", "path": path, "size": len(data), "oid": git_hash(data)}
                    for path, data in repository.files.items()
                ]
            )
        else:
            self._reply(
                {"id": "/".join(name), "sha": repository.commit, "private": repository.private, "tags": []}
                | {"siblings": [{**one, "lfs": None} for one in listing(repository.files)]}
            )

    def _post(self, parts: list[str], body: bytes) -> None:
        assert self.headers["Authorization"].startswith("Bearer ")
        if parts[1:] == ["validate-yaml"]:
            self._reply({"errors": [], "warnings": []})
        elif parts[1:] == ["repos", "create"]:
            told = json.loads(body)
            name = f"{told['organization']}/{told['name']}"
            self.server.repositories[f"{told['type']}s", name] = Repository({}, private=told.get("visibility") == "private")
            self._reply({"url": f"{self.server.address}/{told['type']}s/{name}"})
        else:  # api/KIND/ORG/NAME/preupload or commit/REVISION
            repository = self.server.repositories[parts[1], "/".join(parts[2:4])]
            if parts[4] == "preupload":
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in json.loads(body)["files"]
                ]
                self._reply({"files": files})
                return
            pull_request = "create_pr=1" in self.path
            repository.take([json.loads(line) for line in body.splitlines()], pull_request)
            page = f"{self.server.address}/{'/'.join(parts[2:4])}"
            more = {"pullRequestUrl": f"{page}/discussions/1"} if pull_request else {}
            self._reply({"commitUrl": f"{page}/commit/{repository.commit}", "commitOid": repository.commit, **more})

    def _reply(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Silence."""
