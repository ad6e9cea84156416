"""Keys: cleaned or refused where they are read, and in no form in what comes back from a server that repeats them."""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from hope_bench.adapters import endpoint_failures as failures
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.secrets import environment_secrets, secret_of, without_secrets
from hope_bench.cli import _run
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from tests.checkpoints import pictures, prompts
from tests.faulty_server import Handler, answer, running, status

KEYS = ("sk-secret-1234", 'k"e\\y/+&%<1>=', "a'b\\\"c 23", "abcdefg", "QUJDREVGR0hJ")
BATCH = [(pictures(1)[0], prompts(1)[0])]

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "repr": repr,
    "of bytes": lambda key: repr(key.encode()),
    "twice": lambda key: repr(repr(key)),
    "JSON": json.dumps,
    "JSON in JSON": lambda key: json.dumps(json.dumps({"error": json.dumps(key)})),
    "code points": lambda key: "".join(f"\\u{ord(one):04X}" for one in key),
    "bytes": lambda key: "".join(f"\\x{ord(one):02x}" for one in key),
    "an address": lambda key: quote(key, safe=""),
    "an address in one": lambda key: quote(quote(key, safe=""), safe=""),
    "HTML": html.escape,
    "HTML code points": lambda key: "".join(f"&#{ord(one)};" for one in key),
    "hexadecimal": lambda key: key.encode().hex(),
    **{
        f"base64 of {before!r}": lambda key, before=before: base64.b64encode(f"{before}{key}".encode()).decode()  # type: ignore[misc]
        for before in ("", "Bearer ", "Authorization: Bearer ", "user:", "xy")
    },
    "base64 in lines": lambda key: base64.encodebytes(b"x" * 53 + key.encode() + b"x" * 50).decode(),
    "base64 in JSON": lambda key: json.dumps(base64.encodebytes(b"x" * 52 + key.encode() + b"x" * 50).decode()),
    "hexadecimal in pairs": lambda key: key.encode().hex(":").upper(),
    "base64 of an address": lambda key: base64.urlsafe_b64encode(f"?key={key}&x=".encode()).decode(),
}


def leaks(text: str, form: str, key: str) -> bool:
    """Whether a text holds a key in a form, told by undoing the form where there is something to undo."""
    shown = FORMS[form](key).strip("'\"b\\")
    if form in ("base64 in lines", "base64 in JSON"):  # of other bytes but for the middle
        shown, text = (re.sub(r"\s|\\n", "", one) for one in (shown, text))
        return shown[73 : 71 + len(key)] in text
    if form.startswith("base64"):  # what stands at the ends is of other bytes, too
        return shown.rstrip("=")[4:-4] in text
    return shown in text or key in text


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_blotted_out_in_every_form(form: str) -> None:
    for key in KEYS:
        written = f"before {FORMS[form](key)} after, {FORMS[form](key)}"
        found = without_secrets(written, [key])
        assert not leaks(found, form, key), (key, found)
        assert found.count("***") == 2
        assert found.startswith("before ")
        assert " after, " in found


def test_words_of_answers_are_no_keys() -> None:
    said = "No, there is none. The table is EMPTY, as AAAA."
    assert without_secrets(said, ["none", "EMPTY", "no", "AAAA", "x", "sk-secret-1234"]) == said


def test_a_long_text_takes_no_time() -> None:
    for text in ("\\" * 300_000, "&amp;" * 60_000, "%25" * 100_000, "c2stc2VjcmV0" * 25_000, "sk-secret-123" * 25_000):
        assert without_secrets(text, KEYS) == text


@pytest.mark.parametrize("value", ["sk-sécret-1234", "sk-secret\n1234", "sk-secret\x00"[:-1] + "\x07", "ключ", "\ud800sk-secret"])
def test_what_no_header_can_hold_is_refused_and_not_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": value})
    with pytest.raises(HopeBenchError, match="OPENAI_API_KEY holds characters that no key or header has") as caught:
        secret_of("OPENAI_API_KEY")
    assert "secret" not in str(caught.value)
    monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": " sk-secret-1234 \r\n"})
    assert secret_of("OPENAI_API_KEY") == "sk-secret-1234"


@pytest.mark.parametrize("reply", ["an answer", "a refusal", "a page", "no JSON", "an unknown parameter"])
def test_nothing_that_leaves_the_endpoint_holds_the_key(reply: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = KEYS[1]
    monkeypatch.setenv("OPENAI_API_KEY", key + "\n")
    monkeypatch.setattr(failures, "_backoff", lambda _: 0.01)
    every = " ".join(form(key) for form in FORMS.values())
    replies: dict[str, Callable[[Handler, dict[str, Any]], None]] = {
        "an answer": lambda handler, body: answer(handler, body, content=f"Yes. {every}"),
        "a refusal": status(401, f"Incorrect key: {every}"),
        "a page": status(403, f"<html>{every}"),
        "no JSON": lambda handler, _: handler.reply(200, f"<{every}".encode()),
        "an unknown parameter": status(400, f"Unrecognized request argument supplied: logprobs. {every}"),
    }
    lines: list[str] = []
    with running() as server:
        server.always = replies[reply]
        card = ModelCard(name="m", adapter="endpoint", checkpoint="m", base_url=server.url, attempts=2)
        model = Endpoint(card, lines.append)
        found = [model.answer(BATCH)[0] for _ in range(6)]
    shown = "\n".join([*map(repr, found), *(str(one.text) for one in found), *map(str, model.report.notes), *lines, repr(model)])
    for form in FORMS:
        assert not leaks(shown, form, key), (form, shown[:2000])


def test_what_ends_a_command_holds_no_key_of_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, key in (("OPENAI_API_KEY", KEYS[0]), ("HF_TOKEN", "hf_secretsecret")):
        monkeypatch.setenv(variable, key)
        every = " ".join(form(key) for form in FORMS.values())
        for fault, code in ((HopeBenchError(every), 2), (RuntimeError(every), 3)):

            def fail(fault: Exception = fault) -> None:
                raise fault

            with pytest.raises(SystemExit) as ended:
                _run(fail)
            assert ended.value.code == code
            shown = capsys.readouterr().err.replace("\n", "")
            assert all(not leaks(shown, form, key) for form in FORMS), shown


CUT: dict[str, Callable[[str], Callable[[Handler, dict[str, Any]], None]]] = {
    "a page": lambda key: lambda handler, _: handler.reply(200, f"{'Your token is unknown: ' * 3}{key}.".encode()),
    "a refusal": lambda key: status(400, " ".join([key] * 100)),
    "no text": lambda key: lambda handler, _: handler.reply(200, json.dumps({"error": {"message": f"{key} " * 100}}).encode()),
}


@pytest.mark.parametrize("reply", CUT)
def test_no_half_of_a_key_is_left_where_a_message_is_cut_off(reply: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = base64.urlsafe_b64encode(bytes(range(250))).decode().rstrip("=")
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with running() as server:
        server.always = CUT[reply](key)
        model = Endpoint(ModelCard(name="m", adapter="endpoint", checkpoint="m", base_url=server.url, attempts=1))
        shown = str(model.answer(BATCH)[0].error)
    assert "***" in shown
    assert not any(key[start : start + 8] in shown for start in range(len(key)))


@pytest.mark.parametrize(
    "address",
    ["http://[::1", "https://me:sk-secret@h/v1", "https://sk-secret@h/v1", "http://h:sk-secret/v1", "http://me:sk-secret@h:x/v1",
     "http://h/v1?key=sk-secret", "http://h/v1#sk-secret", "http://h\n.x/v1", "http://h/\ud800", "http://\u2025/v1", "http:///v1"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_address_or_holds_a_key_is_refused_without_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEYS[0])
    with pytest.raises(HopeBenchError, match="The base_url") as caught:
        Endpoint(ModelCard(name="m", adapter="endpoint", checkpoint="m", base_url=address))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("other://me:sk-secret@h:1", "ValueError"),
        ("http://me:sk-secret", "InvalidURL"),
        ("socks5://me:sk-secret@h:1", "ImportError: Using SOCKS proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_no_traceback(proxy: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEYS[0])
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(HopeBenchError, match="HTTPS_PROXY") as caught:
        Endpoint(ModelCard(name="m", adapter="endpoint", checkpoint="m", base_url="https://example.org/v1"))
    assert f"The base_url 'https://example.org/v1' of the card m can't be asked ({why}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_secrets_are_blotted_out_however_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    key = 'sk-"ä<1'
    data = key.encode()
    forms = [
        key,
        key.replace('"', '\\"'),
        json.dumps(key)[1:-1],
        key.replace("<", "&lt;"),
        key.replace("<", "&amp;lt;"),
        key.replace("<", "&#60;"),
        key.replace("<", "&#x003C;"),
        key.replace("<", "%3c"),
        key.replace("<", "%253C"),
        key.replace("<", "\\u003c"),
        data.hex(),
        data.hex(" ").upper(),
        *(base64.b64encode(b"x" * before + data + b"yyy").decode() for before in range(3)),
    ]
    for form in forms:
        blotted = without_secrets(f"({form})", [key])
        assert "***" in blotted, form
        assert key not in blotted
    assert without_secrets("a EMPTY key", ["EMPTY"]) == "a EMPTY key"
    assert without_secrets("a secret key", ["secret"]) == "a *** key"
    for name in ("A_KEY", "B_TOKEN", "C_PASSWORD", "D_SECRET", "KEY_NONE", "SHORT_KEY"):
        monkeypatch.setenv(name, " 12345678 " if name != "SHORT_KEY" else "1234567")
    assert environment_secrets().count("12345678") == 4
    assert "1234567" not in environment_secrets()
    for value, found in ((" key\n", "key"), ("", None), (" ", None)):
        monkeypatch.setenv("A_KEY", value)
        assert secret_of("A_KEY") == found
    monkeypatch.delenv("A_KEY")
    assert secret_of("A_KEY") is None
    for value in ("ké", "a\tb"):
        monkeypatch.setenv("A_KEY", value)
        with pytest.raises(HopeBenchError, match="The environment variable A_KEY holds characters"):
            secret_of("A_KEY")


@pytest.mark.parametrize("length", [6, 7, 8, 9])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_of_base64_exactly_what_tells_of_the_key_is_blotted_out(before: int, length: int) -> None:
    key = "s?~k>9<x2"[:length]
    around = before + 3, 3 - (before + length) % 3  # so that nothing is padded
    low, high = (base64.b64encode(one * around[0] + key.encode() + one * around[1]).decode() for one in (b"\0", b"\xff"))
    # What is the same between whichever other bytes is the key's.
    own = [place for place, (one, other) in enumerate(zip(low, high, strict=True)) if one == other]
    for text in (low, high, high.replace("+", "-").replace("/", "_")):
        assert without_secrets(text, [key]) == f"{text[: own[0]]}***{text[own[-1] + 1 :]}"


@pytest.mark.parametrize("last", ["&", "\\", "<", '"', "%", "x"])
def test_a_key_is_blotted_out_to_its_last_character(last: str) -> None:
    key = f"abcdef{last}"
    written = html.escape(key)
    for form in (key, json.dumps(key)[1:-1], json.dumps(json.dumps(key))[3:-3], written, html.escape(written), quote(quote(key))):
        assert without_secrets(f"({form})", [key]) == "(***)"
