"""A server's command line, and the wait for its beginning and its end, on a clock that is made up."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hope_bench.adapters import server, server_guard
from hope_bench.adapters.served import Served
from hope_bench.adapters.server import command_line, further_arguments, plain_copy, served_name
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from tests.checkpoint_files import fill


@pytest.mark.parametrize(
    ("healthy", "ends", "raised", "slept"),
    [
        (3, None, None, 3),
        (10**6, 4, "The server ended before it was ready. words", 4),
        (10**6, None, "The server was not ready after 400 s (more time: --server-timeout). words", 2001),
    ],
)
def test_a_server_is_waited_for(
    healthy: int, ends: int | None, raised: str | None, slept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps, said = [0], list[tuple[int, str]]()
    monkeypatch.setattr(server.time, "monotonic", lambda: sleeps[0] / 5)
    monkeypatch.setattr(server.time, "sleep", lambda seconds: sleeps.__setitem__(0, sleeps[0] + round(seconds * 5)))

    class Waiting(server.Server):
        log = Path("log")

        def __init__(self) -> None:
            """Nothing is started."""

        def _is_healthy(self) -> bool:
            return sleeps[0] >= healthy

        @property
        def ended(self) -> bool:
            return ends is not None and sleeps[0] >= ends

        def last_words(self) -> str:
            return "words"

    def say(line: str) -> None:
        said.append((sleeps[0], line))

    if raised is None:
        Waiting().wait_until_ready(400, say)
    else:
        with pytest.raises(HopeBenchError) as refused:
            Waiting().wait_until_ready(400, say)
        assert str(refused.value) == raised
    assert sleeps == [slept]
    told = (301, 1801) if slept == 2001 else ()
    assert said == [(place, "Waiting for the server; its log: log") for place in told], "after a minute, and five more"


def test_a_served_models_end_is_the_servers_and_of_its_files() -> None:
    served, ended = Served.__new__(Served), list[object]()
    served._server = cast(Any, SimpleNamespace(close=lambda keep: ended.append(("server", keep))))
    served._endpoint = cast(Any, SimpleNamespace(close=lambda: ended.append("endpoint")))
    served._files = cast(Any, SimpleNamespace(cleanup=lambda: ended.append("files")))
    served.close()
    served.close()
    assert ended == [("server", False), "endpoint", "files", "endpoint"]
    served._endpoint = None
    served.close()
    assert len(ended) == 4


def test_what_starts_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_program", lambda kind: [kind])
    plain = ["--host", "127.0.0.1", "--port", "7"]
    for kind, card, template, expected in (
        ("vllm", {}, None, [*plain, "--served-model-name", "o/c", "--enable-prefix-caching", "--generation-config", "vllm"]),
        (
            "sglang",
            {"dtype": "float16"},
            None,
            [*plain, "--dtype", "float16", "--served-model-name", "o/c", "--sampling-defaults", "openai"],
        ),
        (
            "transformers",
            {"trust_remote_code": True, "device": "cpu"},
            Path("t.jinja"),
            [*plain, "--trust-remote-code", "--chat-template", "t.jinja", "--device", "cpu"],
        ),
        ("transformers", {}, None, plain),
    ):
        one = ModelCard(name="m", checkpoint="o/c", server=cast(Any, kind), server_args="--x=1 y").model_copy(update=card)
        at = ["--model-path", "F"] if kind == "sglang" else ["F"]
        assert command_line(one, Path("F"), 7, template) == [kind, *at, *expected, "--x=1", "y"]
        assert served_name(one, Path("F")) == ("F" if kind == "transformers" else "o/c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("--tp 2 'a b'", ["--tp", "2", "a b"]),
        ("-p 3", ["-p", "3"]),
        ("--h=a", ["--h=a"]),
        ("--ho=a=b", "--ho among"),
        ("--host-x", ["--host-x"]),
        ("--por 7", "--por among"),
        ("--api_key=x=y", "--api-key among"),
        ("--x=--host", ["--x=--host"]),
        ("--", ["--"]),
        ("--x 'y", "The server's arguments can't be read (No closing quotation): \"--x 'y\"."),
        ("--dt 1", "--dt among"),
    ],
)
def test_a_servers_further_arguments(text: str, words: list[str] | str) -> None:
    if isinstance(words, list):
        assert further_arguments(text) == words
        return
    with pytest.raises(HopeBenchError) as refused:
        further_arguments(text)
    assert str(refused.value).startswith(words)


def test_a_served_copy_keeps_special_tokens_alone_of_its_generation_settings(tmp_path: Path) -> None:
    folder = fill(tmp_path / "it", {"config.json": "{}"})
    assert plain_copy(folder, tmp_path / "no") == folder
    for own, left in (({"eos_token_id": 2, "top_p": 0.5}, {"eos_token_id": 2}), ([], {})):
        fill(folder, {"generation_config.json": own})
        copy = plain_copy(folder, tmp_path / f"copy{len(left)}")
        assert json.loads((copy / "generation_config.json").read_text()) == left
        assert (copy / "config.json").readlink() == folder / "config.json"


@pytest.mark.parametrize(("lives", "slept"), [(0, 0), (3, 3), (10**6, 40)])
def test_a_servers_processes_are_asked_to_end_and_then_killed(lives: int, slept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told, looks = [0.0], list[int](), list[int]()

    def killpg(group: int, number: int) -> None:
        assert group == 77
        if number:
            told.append(number)
        else:
            looks.append(number)
            if len(looks) > lives:
                raise ProcessLookupError

    monkeypatch.setattr(server_guard.os, "killpg", killpg)
    monkeypatch.setattr(server_guard.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(server_guard.time, "sleep", lambda seconds: clock.__setitem__(0, round(clock[0] + seconds, 6)))
    waited: list[float] = []
    server_guard.end_group(77, cast(Any, SimpleNamespace(wait=waited.append)))
    assert told == [signal.SIGTERM, signal.SIGKILL]
    assert waited == [15.0]
    assert clock[0] == pytest.approx(0.05 * slept)
