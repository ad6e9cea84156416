"""A chat completions server on this machine that answers like a model, and misbehaves as told."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from PIL import Image

Reply = Callable[["Handler", dict[str, Any]], None]


class LocalServer(ThreadingHTTPServer):
    """On a free port of this machine. Clients that go before their reply is there are none of its errors: it says nothing of them
    on stderr, which a test may be reading."""

    daemon_threads = True

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Server(LocalServer):
    """Answers like a chat model; `faults` are used up first, one a request."""

    request_queue_size = 128  # else, of many that connect at once, some wait a second for their next try

    def __init__(self, port: int = 0) -> None:
        super().__init__(Handler, port)
        self.faults: list[Reply] = []
        self.always: Reply | None = None
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.at_once = self.most_at_once = 0
        self.healthy = True
        self.lock = threading.Lock()
        self.connections: list[socket.socket] = []
        self.ends = threading.Event()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def server_close(self) -> None:
        """End, with every connection."""
        self.ends.set()
        super().server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


_Kind = TypeVar("_Kind", bound=LocalServer)


@contextlib.contextmanager
def serving(server: _Kind) -> Iterator[_Kind]:
    """A server that answers until the end of the block."""
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def running() -> contextlib.AbstractContextManager[Server]:
    """One of these servers, until the end of the block."""
    return serving(Server())


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"  # connections are kept, as servers keep them
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.reply(200 if self.server.healthy else 503, {"data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.keys.add(self.headers["Authorization"])
            self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.server.paths.append(self.path)
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            fault = self.server.faults.pop(0) if self.server.faults else self.server.always
        try:
            (fault or answer)(self, body)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def reply(self, status: int, data: Any, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw) if length is None else length))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Silence."""


def answer(handler: Handler, body: dict[str, Any], **changes: Any) -> None:
    """The right answer, with the changes that `completion` knows."""
    handler.reply(200, completion(body, **changes))


def completion(
    body: dict[str, Any], choices: int = 1, logprobs: bool = True, finish: str | None = "stop", **message: Any
) -> dict[str, Any]:
    """Yes to wide pictures, with the prompt repeated: a wrong pairing shows."""
    image, text = body["messages"][0]["content"]
    picture = Image.open(io.BytesIO(base64.b64decode(image["image_url"]["url"].split(",")[1])))
    said = "Yes" if picture.width > picture.height else "No"
    choice: dict[str, Any] = {
        "index": 0, "finish_reason": finish,
        "message": {"role": "assistant", "content": f"{said}: {text['text']}", **message},
    }  # fmt: skip
    if logprobs and body.get("logprobs"):
        top = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in ((" Yes", 0.6), ("No", 0.2), ("It", 0.1))]
        choice["logprobs"] = {"content": [{**top[said == "No"], "top_logprobs": top}]}
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice] * choices, "usage": usage}


def status(code: int, message: str = "no", kind: str | None = None, **headers: str) -> Reply:
    return lambda handler, _: handler.reply(code, {"error": {"message": message, "code": kind}}, headers)


def half(handler: Handler, _: dict[str, Any]) -> None:
    handler.reply(200, b'{"id": "1", "choices": [', length=500)
    handler.close_connection = True


def slow(handler: Handler, body: dict[str, Any]) -> None:
    time.sleep(1.2)
    answer(handler, body)


def held(handler: Handler, body: dict[str, Any]) -> None:
    """The right answer when the server ends, for whoever is still there."""
    handler.server.ends.wait()
    with contextlib.suppress(OSError):
        answer(handler, body)
    handler.close_connection = True


def dripping(handler: Handler, _: dict[str, Any]) -> None:
    """A byte now and then, for longer than anybody waits."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _byte in range(50):
            handler.wfile.write(b" ")
            time.sleep(0.1)
    handler.close_connection = True


def odd(change: Callable[[dict[str, Any]], object]) -> Reply:
    """The right answer with something of a type that the API doesn't have."""

    def fault(handler: Handler, body: dict[str, Any]) -> None:
        whole = completion(body)
        change(whole)
        handler.reply(200, whole)

    return fault


FAULTS: dict[str, Reply] = {
    "dripping": dripping,
    "not utf-8": lambda handler, _: handler.reply(200, b'{"id": "\xff"}'),
    "deep": lambda handler, _: handler.reply(200, b"[" * 100_000),
    "choices of text": odd(lambda whole: whole.update(choices=["yes"])),
    "a message of text": odd(lambda whole: whole["choices"][0].update(message="yes")),
    "408": status(408),
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "half": half,
    "slow": slow,
    "malformed": lambda handler, _: handler.reply(200, b'{"id": '),
    "not json": lambda handler, _: handler.reply(200, b"<html>busy</html>", {"Content-Type": "text/html"}),
    "a list": lambda handler, _: handler.reply(200, []),
    "two choices": lambda handler, body: answer(handler, body, choices=2),
    "no choices": lambda handler, body: answer(handler, body, choices=0),
    "no text": lambda handler, _: handler.reply(200, {"choices": [{"message": {"role": "assistant", "content": None}}]}),
}
