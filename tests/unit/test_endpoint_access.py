"""Where an endpoint's servers are and what goes with a request: several servers, headers, queries, further fields, pictures."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.main import get_command

from hope_bench.adapters import endpoint_failures as failures
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.cli import run_command
from hope_bench.cli.evaluate import evaluate
from hope_bench.cli.run_eval import run_eval
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard, endpoint_card, read_card
from hope_bench.files.result_file import read_result
from hope_bench.files.run import read_run
from hope_bench.files.validation import validate
from tests.checkpoints import pictures, prompts
from tests.cli import hope_bench, refused
from tests.faulty_server import Server, answer, running, status
from tests.small_benchmark import write_small

KEY = "sk-secret-1234"
PICTURES = pictures(12)
for number, picture in enumerate(PICTURES):
    picture.info["file_name"] = f"{number}.png"
BATCH = [(image, prompt) for image in PICTURES for prompt in prompts(2)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_backoff", lambda _: 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture
def fleet() -> Iterator[list[Server]]:
    with ExitStack() as held:
        yield [held.enter_context(running()) for _ in range(3)]


def card(server: Server | list[Server], **settings: Any) -> ModelCard:
    where: dict[str, Any] = {"base_url": server.url} if isinstance(server, Server) else {"base_urls": [one.url for one in server]}
    fields = {"name": "it", "checkpoint": "m", "adapter": "endpoint", "timeout": 20.0, "concurrency": 2, **where, **settings}
    return validate(fields, ModelCard, "it")


def right(answers: list[Any]) -> bool:
    said = [("Yes" if image.width > image.height else "No") + f": {prompt}" for image, prompt in BATCH]
    return [reply.text for reply in answers] == said


def asked(server: Server) -> set[str]:
    return {body["messages"][0]["content"][0]["image_url"]["url"] for body in server.bodies}


def test_an_images_questions_go_to_one_server_of_several(fleet: list[Server]) -> None:
    assert right(Endpoint(card(fleet)).answer(BATCH))
    shares = [asked(one) for one in fleet]
    assert sum(map(len, shares)) == len(set.union(*shares)) == 12
    assert all(shares), "nobody is idle"
    with ExitStack() as held:
        elsewhere = [held.enter_context(running()) for _ in fleet]
        assert right(Endpoint(card(elsewhere)).answer(BATCH))
        assert [asked(one) for one in elsewhere] == shares, "by the place in the card: a port may be another tomorrow"


def test_a_lost_servers_work_goes_to_the_others(fleet: list[Server]) -> None:
    said: list[str] = []
    model = Endpoint(card(fleet), said.append)
    assert right(model.answer(BATCH))
    before = [asked(one) for one in fleet]
    fleet[1].shutdown()
    fleet[1].server_close()
    assert right(model.answer(BATCH))
    assert [line for line in said if f"{fleet[1].url} doesn't answer any more" in line]
    after = [asked(one) for one in fleet]
    assert after[0] | after[2] == set.union(*before)
    assert before[0] <= after[0]
    assert before[2] <= after[2]
    later = Endpoint(card(fleet), said.append)
    later.load()
    assert f"Nothing answers at {fleet[1].url}" in said[-1]
    assert right(later.answer(BATCH))


def test_a_picture_that_makes_servers_fail_loses_none_of_them(fleet: list[Server]) -> None:
    bad = asked_url(BATCH[0][0])

    def picky(handler: Any, body: dict[str, Any]) -> None:
        (status(500) if body["messages"][0]["content"][0]["image_url"]["url"] == bad else answer)(handler, body)

    for one in fleet:
        one.always = picky
    said: list[str] = []
    model = Endpoint(card(fleet, concurrency=1, attempts=8), said.append)
    replies = model.answer(BATCH)
    assert [reply.error is None for reply in replies] == [image is not BATCH[0][0] for image, _ in BATCH]
    assert not [line for line in said if "any more" in line]
    assert not set.intersection(*map(asked, fleet))


def asked_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def test_no_server_of_several_is_there(server: Server) -> None:
    one = card(server, base_url=None, base_urls=["http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1"])
    with pytest.raises(HopeBenchError, match="Nothing answers at http://127"):
        Endpoint(one).load()


def test_headers_come_from_the_environment_and_show_nowhere(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", "azure-secret-567\n")  # as a file gives it
    monkeypatch.setenv("SITE", "https://me.example")
    one = card(
        server, api_key_env="AZURE_KEY", extra_headers={"api-key": "AZURE_KEY", "HTTP-Referer": "SITE"},
        extra_query={"api-version": "2024-10-21"}, extra_body={"min_pixels": 784, "provider": {"sort": "price"}},
    )  # fmt: skip
    server.always = lambda handler, body: answer(handler, body, content="Yes azure-secret-567")
    model = Endpoint(one)
    assert model.answer(BATCH[:1])[0].text == "Yes ***"
    (headers,) = server.headers
    assert headers["api-key"] == "azure-secret-567"
    assert headers["http-referer"] == "https://me.example"
    assert "authorization" not in headers, "a key that has a header of its own travels once"
    assert server.paths == ["/v1/chat/completions?api-version=2024-10-21"]
    assert (server.bodies[0]["min_pixels"], server.bodies[0]["provider"]) == (784, {"sort": "price"})
    server.always = status(400, "azure-secret-567 may not")
    assert "azure" not in str(model.answer(BATCH[:1])[0].error)
    monkeypatch.delenv("SITE")
    with pytest.raises(HopeBenchError, match="Set the environment variable SITE to the value of the header HTTP-Referer"):
        Endpoint(one)


def test_a_key_that_no_header_can_hold_is_not_repeated(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\n234")
    with pytest.raises(HopeBenchError, match="OPENAI_API_KEY holds characters") as caught:
        Endpoint(card(server))
    assert "234" not in str(caught.value)


def test_logprobs_may_be_left_out(server: Server) -> None:
    said: list[str] = []
    model = Endpoint(card(server, logprobs=False), said.append)
    replies = model.answer(BATCH)
    assert right(replies)
    assert {reply.p_yes for reply in replies} == {None}
    assert "logprobs" not in server.bodies[0]
    assert "top_logprobs" not in server.bodies[0]
    assert (said, model.report.notes) == ([], ())


@pytest.mark.parametrize("size", [(96, 64), (640, 480), (480, 641)])
def test_pictures_may_be_made_smaller(size: tuple[int, int], server: Server) -> None:
    noise = Image.effect_noise(size, 80).convert("RGB")
    Endpoint(card(server, image_format="jpeg", image_max_side=320)).answer([(noise, "?")])
    kind, data = server.bodies[0]["messages"][0]["content"][0]["image_url"]["url"].split(",")
    assert kind == "data:image/jpeg;base64"
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert sent.format == "JPEG"
    scale = min(1, 320 / max(size))
    assert sent.size == (round(size[0] * scale), round(size[1] * scale))
    small = noise.resize(sent.size, Image.Resampling.BICUBIC)
    difference = [abs(a - b) for a, b in zip(small.convert("L").tobytes(), sent.convert("L").tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extra_headers": {"api-key": "sk-1234"}}, "must name the environment variable"),
        ({"extra_headers": {"a b": "KEY"}}, "not the name of a header"),
        ({"extra_query": {"api_key": "1234"}}, "api_key looks like a key, and cards never hold keys"),
        ({"extra_body": {"a": [{"api-key": "1234"}]}}, "api-key looks like a key"),
        ({"extra_body": {"model": "n", "top_logprobs": 3}}, "model, top_logprobs: hope-bench itself says that"),
        ({"base_urls": ["http://a/v1", "http://a/v1/"], "base_url": None}, "an address is named twice"),
        ({"base_urls": ["http://a/v1"]}, "base_url and base_urls exclude each other"),
        ({"image_url_base": "http://h", "image_max_side": 640}, "image_max_side would have no effect"),
        ({"image_format": "jpg"}, "Did you mean 'jpeg'?"),
    ],
)
def test_what_a_card_may_not_say(settings: dict[str, Any], message: str, server: Server) -> None:
    with pytest.raises(HopeBenchError) as caught:
        card(server, **settings)
    assert message in str(caught.value)
    assert "1234" not in str(caught.value)


SERVERS = (Path(__file__).resolve().parents[2] / "docs" / "servers.md").read_text(encoding="utf-8")
CARDS = re.findall(r"^```toml\n(.*?)^```", SERVERS, re.DOTALL | re.MULTILINE)


def test_the_servers_page_has_a_card_for_each() -> None:
    for name in ("vLLM", "SGLang", "llama.cpp", "Ollama", "OpenAI", "Azure OpenAI", "Gemini", "Anthropic", "OpenRouter"):
        section = SERVERS.split(f"### {name}\n")[1].split("\n### ")[0]
        assert "```toml" in section, name
        assert "run here" in section.lower(), f"{name}: it is said whether that was tried"


@pytest.mark.parametrize("text", CARDS, ids=[str(tomllib.loads(text)["name"]) for text in CARDS])
def test_a_card_of_the_servers_page_works(text: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as that shows without the server itself: another one is asked just so."""
    (tmp_path / "it.toml").write_text(text)
    one = read_card(tmp_path / "it.toml")
    for variable in (one.api_key_env, *one.extra_headers.values()):
        monkeypatch.setenv(variable, KEY)
    Endpoint(one)
    here = {"base_urls": (server.url,)} if one.base_urls else {"base_url": server.url}
    model = Endpoint(one.model_copy(update=here))
    assert right(model.answer(BATCH))
    body = server.bodies[0]
    assert body["model"] == one.checkpoint
    assert {name: body[name] for name in one.extra_body} == dict(one.extra_body)
    assert ("logprobs" in body) == one.logprobs
    assert server.paths[0].endswith("".join(f"?{name}={value}" for name, value in one.extra_query.items()))
    sent = server.headers[0]
    assert sent.get("authorization", sent.get("api-key", "")).endswith(KEY)


def arguments(folder: Path, *more: object) -> list[object]:
    small = ("--benchmark", folder / "benchmark", "--images", folder / "images", "--runs", folder / "runs")
    return ["evaluate", *small, *more]


def test_a_server_without_a_card(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_small(tmp_path)
    ask = arguments(tmp_path, "--base-url", server.url, "--model", "Qwen/Qwen2.5-VL-7B-Instruct")
    done = hope_bench(capsys, *ask)
    assert done.code == 0, done.err
    record = read_run(tmp_path / "runs" / "small" / "qwen2.5-vl-7b")
    assert {body["model"] for body in server.bodies} == {"Qwen/Qwen2.5-VL-7B-Instruct"}
    assert (record.model.checkpoint, record.model.family) == ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl"), "as its card says"
    assert record.addresses == (server.url,)
    other = hope_bench(capsys, *arguments(tmp_path, "--base-url", server.url, "--model", "gpt-4o"))
    assert other.code == 0
    assert (tmp_path / "runs" / "small" / "gpt-4o" / "answers.jsonl").is_file()
    no_effect = refused(capsys, *ask, "--dtype", "float16")
    assert "dtype would have no effect" in no_effect
    assert "must be http(s)://HOST" in refused(capsys, *arguments(tmp_path, "--base-url", "host:8000", "--model", "m"))
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_an_endpoints_card_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "it.toml"
    path.write_text('name = "it"\nadapter = "endpoint"\nbase_url = "http://a/v1"\ncheckpoint = "m"\nconcurrency = 3\n')
    moved = endpoint_card(str(path), "http://b/v1")
    assert moved == read_card(path).model_copy(update={"base_url": "http://b/v1"})
    assert endpoint_card("demo-llava", "http://b/v1").adapter == "endpoint"


def test_what_is_sent_is_in_the_identity_and_notes_are_kept(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small(tmp_path)
    path = tmp_path / "it.toml"

    def asked_with(more: str) -> int:
        path.write_text(f'name = "it"\nadapter = "endpoint"\nbase_url = "{server.url}"\ncheckpoint = "m"\n{more}')
        before = len(server.bodies)
        done = hope_bench(capsys, *arguments(tmp_path, "--model", path))
        assert done.code == 0, done.err
        return len(server.bodies) - before

    whole = asked_with("")
    assert asked_with("concurrency = 3\n") == 0
    assert asked_with("image_max_side = 100\n") == whole
    assert read_run(tmp_path / "runs" / "small" / "it").notes == ("Pictures were sent at most 100 pixels a side.",)
    assert asked_with('image_format = "jpeg"\n') == whole
    assert asked_with("logprobs = false\n") == whole
    assert asked_with("extra_body = {top_k = 1}\n") == whole
    assert json.loads(str(read_run(tmp_path / "runs" / "small" / "it").settings["extra_body"])) == {"top_k": 1}
    server.always = lambda handler, body: (status(400, "temperature is no parameter") if "temperature" in body else answer)(
        handler, body
    )
    assert asked_with("extra_body = {top_k = 2}\n") > whole
    (note,) = read_run(tmp_path / "runs" / "small" / "it").notes
    assert note == "The endpoint takes no temperature, so it may answer differently when asked again."


def options_of(command: Any) -> dict[str, str | None]:
    """A command's options by name, with their help."""
    alone = typer.Typer()
    alone.command()(command)
    return {name: one.help for one in get_command(alone).params for name in one.opts if one.param_type_name == "option"}


def test_run_eval_takes_what_evaluate_takes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but what makes several runs or none, or what run_eval.py says by --out."""
    theirs, ours = options_of(evaluate), options_of(run_eval)
    assert set(theirs) - set(ours) == {"--prompts", "--dry-run", "--runs", "--progress", "--blind", "--budget"}
    shared = set(theirs) & set(ours) - {"--model", "-m"}
    assert len(shared) > 20
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}
    write_small(tmp_path)
    where = ("--base-url", server.url, "--model", "m", "--thinking", "on", "--max-new-tokens", "77", "--split", "random")
    small = ("--benchmark", tmp_path / "benchmark", "--images", tmp_path / "images", "--out", tmp_path / "out")
    monkeypatch.setattr(sys, "argv", ["run_eval.py", *map(str, (*where, *small))])
    with pytest.raises(SystemExit) as stop:
        run_command(run_eval)
    assert stop.value.code == 0, capsys.readouterr().err
    assert {(body["model"], body["max_tokens"]) for body in server.bodies} == {("m", 77)}
    result = read_result(tmp_path / "out" / "leaderboard" / "results" / "small" / "unranked" / "m.json")
    assert result.run.thinking
    assert set(result.splits["content"].verdicts) <= set("yn-"), "only what another split asks, too"
