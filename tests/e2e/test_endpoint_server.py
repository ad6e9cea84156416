"""hope-bench evaluate against a real OpenAI-compatible server on this machine: `transformers serve` with the demo's model."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner, Result

from hope_bench.adapters.yes_no_words import english_words
from hope_bench.cli import app
from hope_bench.demo.dataset import write_world
from hope_bench.demo.world import EVALUATION_SEED
from hope_bench.files.benchmark import write_benchmark
from hope_bench.files.result_file import read_result
from hope_bench.files.run import asked_otherwise, read_answers, read_run
from hope_bench.provenance import file_sha256
from hope_bench.records import Label, Question
from tests.faulty_server import Handler, Server, answer, held, running, status
from tests.forks import Fork, interpreter
from tests.waiting import free_port, wait_until

MODEL = Path(__file__).resolve().parents[2] / "models" / "demo-llava"
KEY = "sk-secret-of-this-test"
IMAGES = 4


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The base URL of a running server."""
    port = free_port()
    command = [
        str(Path(sys.executable).parent / "transformers"), "serve", str(MODEL), "--host", "127.0.0.1", "--port", str(port),
        "--device", "cpu", "--dtype", "float32",
    ]  # fmt: skip
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = Fork(command, environment)

    def is_up() -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
            return True
        return False

    try:
        wait_until(is_up, process.is_alive, process.said)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A small benchmark on scenes of the demo's world, which its model knows."""
    write_world(tmp_path / "world", IMAGES, EVALUATION_SEED)
    (tmp_path / "world" / "images").rename(tmp_path / "images")
    things = [category["name"] for category in json.loads((tmp_path / "world" / "instances.json").read_text())["categories"]][:10]
    hashes: dict[str, str | None] = {path.name: file_sha256(path) for path in sorted((tmp_path / "images").iterdir())}
    labels: tuple[Label, Label] = ("yes", "no")
    rows = [
        Question(0, name, f"Is there a {thing}?", labels[i % 2], "random") for name in hashes for i, thing in enumerate(things)
    ]
    write_benchmark(
        tmp_path / "bench", {"random": rows}, {"random": "pope"}, name="tiny", title="Tiny", headline="random",
        prompt="{question} Answer yes or no.", k=None, dataset="drawn", images=hashes,
    )  # fmt: skip
    return tmp_path


def arguments(folder: Path, model: str, name: str, *more: str) -> list[str]:
    return [
        "evaluate", "--model", model, "--benchmark", str(folder / "bench"), "--images", str(folder / "images"),
        "--runs", str(folder / "runs"), "--name", name, "--max-new-tokens", "4", "--batch-size", "10", *more,
    ]  # fmt: skip


def evaluate(folder: Path, model: str, name: str, *more: str) -> Result:
    return CliRunner().invoke(app, arguments(folder, model, name, *more))


def write_card(folder: Path, url: str, model: str, more: str = "") -> str:
    path = folder / "endpoint.toml"
    path.write_text(f'name = "served"\nadapter = "endpoint"\nbase_url = "{url}"\ncheckpoint = "{model}"\nattempts = 2\n{more}')
    return str(path)


def test_a_served_model_gives_the_verdicts_it_gives_here(served: str, bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    here = evaluate(bench, "demo-llava", "here")
    there = evaluate(bench, write_card(bench, served, str(MODEL)), "there")
    assert (here.exit_code, there.exit_code) == (0, 0), there.output
    runs = bench / "runs" / "tiny"
    verdicts = [[answer.verdict for answer in read_answers(runs / name / "answers.jsonl").answers] for name in ("here", "there")]
    assert verdicts[0] == verdicts[1]
    assert len(set(verdicts[0])) > 1
    record = read_run(runs / "there")
    assert (record.run.adapter, record.run.processes, record.errors) == ("endpoint", 1, 0)
    assert record.run.input_tokens is not None
    assert record.run.input_tokens > 40 * 20
    assert record.model.checkpoint == "demo-llava"
    assert f"Tokens: {record.run.input_tokens:,} in" in there.output
    nowhere(bench, there.output, there.stderr)


def test_a_server_started_for_a_run_gives_the_same_verdicts_and_ends(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(bench))
    before = {process.pid for process in psutil.process_iter()}
    model = shutil.copytree(MODEL, bench / "model")
    own = json.loads((model / "generation_config.json").read_text())
    # What the checkpoint's authors like is put aside, by a server as in this process.
    words = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    own |= {"suppress_tokens": [place for word, place in words.items() if english_words().meant(word) == "yes"]}
    (model / "generation_config.json").write_text(json.dumps(own))
    same = ("--limit", "20", "--device", "cpu", "--dtype", "float32")
    here = evaluate(bench, str(model), "here", *same)
    with interpreter() as python:
        serve = python.with_name("transformers")
        serve.write_text(f'#!/bin/sh\nexec {python} {Path(sys.executable).with_name("transformers")} "$@"\n')
        serve.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        there = evaluate(bench, str(model), "there", *same, "--server", "transformers")
    assert (here.exit_code, there.exit_code) == (0, 0), there.output
    runs = bench / "runs" / "tiny"
    verdicts = [[answer.verdict for answer in read_answers(runs / name / "answers.jsonl").answers] for name in ("here", "there")]
    assert verdicts[0] == verdicts[1]
    assert set(verdicts[0]) == {"yes", "no"}
    one, other = read_run(runs / "here"), read_run(runs / "there")
    assert one.settings["model"] == other.settings["model"]
    assert (other.run.weights_sha256, other.run.adapter, other.addresses) == (one.run.weights_sha256, "transformers-serve", ())
    assert "The endpoint gives no logprobs, so answers carry no P(yes)." in other.notes
    left = [process for process in psutil.process_iter(["cmdline"]) if process.pid not in before]
    assert not [process for process in left if str(bench) in " ".join(process.info["cmdline"] or ())]


def nowhere(folder: Path, *outputs: str) -> None:
    """The key is in no file and no output."""
    assert KEY not in "".join(outputs)
    assert KEY.encode() not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def faulty() -> Iterator[Server]:
    with running() as server:
        yield server


def test_a_key_revoked_in_the_middle_makes_errors_of_the_rest_which_is_asked_later(
    bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m")
    assert evaluate(bench, card, "whole").exit_code == 0
    count = 0

    def revoked_after_15(handler: Handler, body: dict[str, object]) -> None:
        nonlocal count
        with faulty.lock:
            count += 1
            refuse = count > 15
        (status(403, f"key {KEY} was revoked") if refuse else answer)(handler, body)

    faulty.always = revoked_after_15
    result = evaluate(bench, card, "shaken")
    assert result.exit_code == 1
    assert "Check the key in OPENAI_API_KEY" in result.stderr
    folder = bench / "runs" / "tiny" / "shaken"
    kept = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(kept) == 40
    assert sum(line["error"] is None for line in kept) == 15
    assert read_run(folder).errors == 25
    assert count <= 15 + 5 + 16, "the rest was not tried"
    nowhere(bench, result.output, result.stderr)

    faulty.always = None
    asked = len(faulty.bodies)
    resumed = evaluate(bench, card, "shaken", "--progress", "json")
    assert resumed.exit_code == 0, resumed.output
    assert 25 <= len(faulty.bodies) - asked <= 30, "what was answered is not asked again, but for the rest of its step"
    files = [(bench / "runs" / "tiny" / name / "answers.jsonl").read_bytes() for name in ("whole", "shaken")]
    assert files[0] == files[1]
    faulty.always = status(401, f"no such key: {KEY}")
    refused = evaluate(bench, card, "refused", "--progress", "json")
    assert refused.exit_code == 2, "nothing was ever answered"
    events = [json.loads(line) for line in refused.stderr.splitlines()]
    assert "Check the key in OPENAI_API_KEY" in events[-2]["text"]
    assert events[-1]["event"] == "error"
    nowhere(bench, refused.output, refused.stderr, resumed.output, resumed.stderr)


def test_a_server_that_moved_is_asked_only_what_is_left(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m")
    assert evaluate(bench, card, "moved").exit_code == 0
    answers = bench / "runs" / "tiny" / "moved" / "answers.jsonl"
    whole = answers.read_bytes()
    answers.write_bytes(b"".join(whole.splitlines(keepends=True)[:20]))
    dry = evaluate(bench, card, "moved", "--dry-run").output
    assert "20 are answered in" in dry
    assert "2,000 in, 40 out" in dry
    with Server() as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        resumed = evaluate(bench, write_card(bench, elsewhere.url, "m"), "moved")
        elsewhere.shutdown()
    assert resumed.exit_code == 0, resumed.output
    assert len(elsewhere.bodies) == 20
    assert "The new address is taken to serve the same model" in resumed.stderr
    assert answers.read_bytes() == whole
    record = read_run(answers.parent)
    assert record.notes == ("Asked at more than one address (run.json says which).",), "no address is published"
    assert record.addresses == (faulty.url, elsewhere.url)
    assert record.asked == 60
    assert evaluate(bench, write_card(bench, "http://127.0.0.1:9/v1", "m"), "moved").exit_code == 0, "there is nothing to ask"
    assert read_run(answers.parent).addresses == record.addresses
    other = evaluate(bench, write_card(bench, faulty.url, "n"), "moved")
    assert "of another checkpoint called served, or of other files in it (m)" in str(other.exception)


def test_whole_answers_are_what_an_endpoint_gives_anyway(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m")
    assert evaluate(bench, card, "once").exit_code == 0
    assert evaluate(bench, card, "once", "--complete").exit_code == 0
    assert len(faulty.bodies) == 40, "none is asked, and paid, again"


def test_prompts_asked_at_two_addresses_are_one_models(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert evaluate(bench, write_card(bench, faulty.url, "m"), "one").exit_code == 0
    with Server() as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        card = write_card(bench, elsewhere.url, "m", 'prompt = "{question} Yes or no?"\n')
        assert evaluate(bench, card, "two").exit_code == 0
        elsewhere.shutdown()
    runs = bench / "runs" / "tiny"
    assert asked_otherwise(runs / "one") == (runs / "two",)


def test_a_price_is_that_of_the_questions_that_were_asked(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sitting that was cut by --limit reuses what an earlier one paid for."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m", "price_input = 2.0\nprice_output = 10.0\n")
    assert evaluate(bench, card, "x").exit_code == 0
    assert evaluate(bench, card, "x", "--limit", "4").exit_code == 0
    assert "4,000 in, 80 out" in evaluate(bench, card, "y", "--dry-run").output
    other = evaluate(bench, card, "x", "--dry-run")
    assert "Nothing is left to ask." in other.output
    revised = write_card(bench, faulty.url, "m", 'revision = "fp8"\n')
    assert "are answered" not in evaluate(bench, revised, "x", "--dry-run").output


def test_of_several_prompts_those_asked_before_the_key_was_revoked_are_shown(
    bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def revoked_after_40(handler: Handler, body: dict[str, object]) -> None:
        (status(403, "revoked") if len(faulty.bodies) > 40 else answer)(handler, body)

    faulty.always = revoked_after_40
    (bench / "ways.toml").write_text('plain = "{question}"\nshort = "{question} Yes or no?"\n')
    card = write_card(bench, faulty.url, "m")
    result = evaluate(bench, card, "ways", "--prompts", str(bench / "ways.toml"))
    assert "Prompt plain of ways" in result.stdout
    assert "nothing was asked further" in str(result.exception)


def test_flags_that_mean_nothing_to_an_endpoint_are_refused(bench: Path) -> None:
    card = write_card(bench, "http://127.0.0.1:9/v1", "m")
    for flags, words in ((["--path", "plain", "--quantize", "4bit"], "path, quantize"), (["--workers", "2"], "--workers")):
        result = evaluate(bench, card, "refused", *flags)
        assert f"{words} would have no effect" in str(result.exception)
    assert not (bench / "runs").exists()


def test_an_interruption_does_not_wait_for_the_next_attempt(bench: Path, faulty: Server) -> None:
    faulty.always = status(429, **{"Retry-After": "500"})
    words = arguments(bench, write_card(bench, faulty.url, "m"), "slow", "--progress", "json")
    process = Fork(["-m", "hope_bench", *words], os.environ | {"OPENAI_API_KEY": KEY})
    wait_until(lambda: faulty.bodies and not faulty.at_once, process.is_alive, process.said)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert json.loads(said.splitlines()[-1])["event"] == "interrupted", said


def test_an_interruption_does_not_wait_for_replies(bench: Path, faulty: Server) -> None:
    faulty.faults, faulty.always = [answer] * 10, held
    words = arguments(bench, write_card(bench, faulty.url, "m"), "held")
    process = Fork(["-m", "hope_bench", *words], os.environ | {"OPENAI_API_KEY": KEY})
    wait_until(lambda: len(faulty.bodies) >= 15, process.is_alive, process.said)
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Interrupted. What was written stays" in said
    assert "Traceback" not in said
    folder = bench / "runs" / "tiny" / "held"
    kept = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(kept) == 10, "what was answered before"
    assert all(line["error"] is None for line in kept)


def test_tokens_and_dollars_in_the_summary_the_record_and_the_next_estimate(
    bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m", "price_input = 2.0\nprice_output = 10.0\n")
    before = evaluate(bench, card, "x", "--dry-run")
    assert "40 pictures, which the server counts" in before.output
    assert "--limit 60 --name look" in before.output
    done = evaluate(bench, card, "priced")
    assert "Tokens: 4,000 in, 80 out, $0.0088 at the card's prices." in done.output
    run = read_run(bench / "runs" / "tiny" / "priced").run
    assert (run.input_tokens, run.output_tokens, run.cost_usd) == (4000, 80, pytest.approx(0.0088))
    after = evaluate(bench, card, "x", "--dry-run")
    assert "4,000 in, 80 out" in after.output
    assert "Price: about $0.01." in after.output


def test_a_budget_buys_whole_images_and_never_a_rank(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """$0.00022 a question, ten questions an image: $0.005 buys two of four images, in an order that more money only extends."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m", "price_input = 2.0\nprice_output = 10.0\n")
    done = evaluate(bench, card, "x", "--budget", "0.005")
    assert done.exit_code == 0, done.output
    folder = bench / "runs" / "tiny" / "x"
    assert "only 20 of 40 questions were asked, as the budget allowed" in " ".join(done.output.split())
    first = [(one.image, one.question) for one in read_answers(folder / "answers.jsonl").answers]
    images = list(dict.fromkeys(image for image, _ in first))
    assert (len(first), len(images)) == (20, 2)
    record = read_run(folder)
    assert record.run.cost_usd == pytest.approx(0.0044)
    assert record.questions == record.asked == 20
    asked = len(faulty.bodies)
    again = evaluate(bench, card, "x", "--budget", "0.005")
    assert again.exit_code == 0, again.output
    assert len(faulty.bodies) == asked, "a budget is for all sittings"
    assert read_run(folder).unranked == record.unranked
    assert evaluate(bench, card, "x", "--budget", "0.007").exit_code == 0
    more = [(one.image, one.question) for one in read_answers(folder / "answers.jsonl").answers]
    assert (more[:20], len(more)) == (first, 30)
    assert "pays for about 5 of them" in evaluate(bench, card, "other", "--dry-run", "--budget", "0.0011").output
    whole = evaluate(bench, card, "x")
    assert whole.exit_code == 0, whole.output
    assert "not ranked" not in whole.output
    record = read_run(folder)
    assert (record.unranked, record.questions, record.run.cost_usd) == (None, 40, pytest.approx(0.0088))
    assert len(faulty.bodies) == 40, "nothing was asked twice"


def test_a_budget_counts_what_a_killed_sitting_spent(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 leaves answers whose price nobody wrote down."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m", "price_input = 2.0\nprice_output = 10.0\n")
    assert evaluate(bench, card, "x", "--budget", "0.005").exit_code == 0
    file = bench / "runs" / "tiny" / "x" / "run.json"
    record = json.loads(file.read_text()) | {"asked": 0, "questions": 40, "complete": False, "unranked": None}
    record["run"] |= {"input_tokens": None, "output_tokens": None, "cost_usd": None}
    file.write_text(json.dumps(record))
    assert evaluate(bench, card, "x", "--budget", "0.007").exit_code == 0
    assert len(faulty.bodies) == 30, "$0.0066 of $0.0070"


def test_a_budget_spent_at_a_real_server(served: str, bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens are those that the server counts; interrupted in the middle, the rest of the money goes on where it was."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    prices = "price_input = 2.0\nprice_output = 10.0\n"
    assert evaluate(bench, write_card(bench, served, str(MODEL), prices), "whole", "--limit", "10").exit_code == 0
    each = read_run(bench / "runs" / "tiny" / "whole").run.cost_usd
    assert each is not None
    words = arguments(bench, str(bench / "endpoint.toml"), "x", "--budget", str(each * 3.5))
    process = Fork(["-m", "hope_bench", *words])
    folder = bench / "runs" / "tiny" / "x"
    answered = folder / "answers.jsonl"
    wait_until(lambda: answered.exists() and answered.read_bytes().count(b"\n") >= 10, process.is_alive, process.said)
    process.send_signal(signal.SIGINT)
    process.wait()
    before = read_answers(folder / "answers.jsonl").answers
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    answers = read_answers(folder / "answers.jsonl").answers
    record = read_run(folder)
    assert answers[: len(before)] == before
    assert len(answers) in (20, 30), "replies that came too late were paid, too"
    assert set(Counter(answer.image for answer in answers).values()) == {10}, "whole images"
    assert record.unranked is not None
    assert record.run.cost_usd == pytest.approx(2e-6 * (record.run.input_tokens or 0) + 1e-5 * (record.run.output_tokens or 0))
    assert record.run.cost_usd <= each * 3.5
    scored = CliRunner().invoke(app, ["score", str(folder), "--benchmark", str(bench / "bench"), "--results", str(bench / "r")])
    assert f"Not ranked: only {len(answers)} of 40 questions were asked" in " ".join(scored.output.split())
    (result,) = (bench / "r").rglob("x.json")
    added = CliRunner().invoke(app, ["leaderboard", "add", str(result), "--results", str(bench / "board")])
    assert added.exit_code == 0, added.output
    assert "as the budget allowed" in str(read_result(bench / "board" / "tiny" / "x.json").unranked)


def test_budgets_that_cannot_be_kept_are_refused(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    card = write_card(bench, faulty.url, "m")

    def told(*more: str) -> str:
        return str(evaluate(bench, card, "x", "--budget", *more).exception)

    assert "has no prices" in told("1")
    card = write_card(bench, faulty.url, "m", "price_input = 2.0\nprice_output = 10.0\n")
    assert "more than 0" in told("0")
    assert "Give one of them" in told("1", "--limit", "4")
    assert not faulty.bodies
    faulty.always = lambda handler, _: handler.reply(200, {"choices": [{"message": {"content": "Yes"}}]})
    assert "doesn't say how many tokens an answer took" in told("1")
    assert len(read_answers(bench / "runs" / "tiny" / "x" / "answers.jsonl").answers) == 10, "one image's"


def test_pictures_by_address(bench: Path, faulty: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    faulty.always = lambda handler, _: handler.reply(200, {"choices": [{"message": {"content": "Yes"}}]})
    card = write_card(bench, faulty.url, "m", 'image_url_base = "http://127.0.0.1:9/scenes"\n')
    assert evaluate(bench, card, "by-address").exit_code == 0
    urls = {body["messages"][0]["content"][0]["image_url"]["url"] for body in faulty.bodies}
    assert urls == {f"http://127.0.0.1:9/scenes/{path.name}" for path in (bench / "images").iterdir()}
