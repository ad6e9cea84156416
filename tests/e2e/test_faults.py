"""What can go wrong under a run: the right questions fail, the others' answers are those of a quiet run, the exit code tells."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from PIL import Image

from hope_bench.adapters.budget import Budget, Forward
from hope_bench.adapters.encoding import Encoder, Row
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.errors import HopeBenchError
from hope_bench.files.run import read_answers, read_run
from hope_bench.records import Answer
from tests.e2e.test_evaluate import IMAGES, UNIQUE, World, quiet, world  # noqa: F401 - the fixtures
from tests.forks import run

Pixels = Callable[[torch.Tensor], torch.Tensor]


def answers(world: World, name: str) -> list[Answer]:  # noqa: F811
    return list(read_answers(world.run(name) / "answers.jsonl").answers)


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Pixels], None]:
    """Change what the model sees of one image file."""

    def set_up(name: str, change: Pixels) -> None:
        def row(encoder: Encoder, image: Image.Image, prompt: str) -> Row:
            made = at_first(encoder, image, prompt)
            return {**made, "pixel_values": change(made["pixel_values"])} if image.info.get("file_name") == name else made

        at_first = Encoder.row
        monkeypatch.setattr(Encoder, "row", row)

    return set_up


def only_these_failed(world: World, image: str, reason: str) -> None:  # noqa: F811
    """The image's questions are errors with that reason; all others have the bytes of a quiet run."""
    undisturbed, spoilt = answers(world, "quiet"), answers(world, "spoilt")
    assert [answer.error is not None for answer in spoilt] == [answer.image == image for answer in undisturbed]
    assert all(reason in str(answer.error) and answer.verdict == "error" for answer in spoilt if answer.image == image)
    assert [answer for answer in spoilt if answer.image != image] == [answer for answer in undisturbed if answer.image != image]
    record = read_run(world.run("spoilt"))
    assert (record.complete, record.questions, record.errors) == (True, IMAGES * UNIQUE, UNIQUE)


@pytest.mark.parametrize("path", ["auto", "plain"])
def test_logits_that_are_no_numbers(path: str, world: World, spoil: Callable[[str, Pixels], None]) -> None:  # noqa: F811
    """Of the very first image: the self-checks must not take it for the others."""
    assert world.evaluate("quiet", "--path", path).exit_code == 0
    spoil("00.png", lambda pixels: pixels * float("nan"))
    assert world.evaluate("spoilt", "--path", path).exit_code == 1
    only_these_failed(world, "00.png", "logits are not finite in float32")
    record = read_run(world.run("spoilt"))
    assert record.run.path == ("shared and plain" if path == "auto" else "plain")
    assert all(check.passed for check in record.run.self_checks)


@pytest.mark.usefixtures("quiet")
def test_an_exception_in_the_models_forward(
    world: World,  # noqa: F811
    spoil: Callable[[str, Pixels], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil("00.png", lambda pixels: pixels * 0 + 77)
    at_first = TransformersModel.load

    def load(model: TransformersModel) -> None:
        def refuse(_: Any, __: Any, inputs: dict[str, Any]) -> None:
            if bool((inputs["pixel_values"] == 77).all()):
                raise IndexError("index 9 is out of bounds for dimension 0 with size 4")

        at_first(model)
        model._model.model.vision_model.register_forward_pre_hook(refuse, with_kwargs=True)

    monkeypatch.setattr(TransformersModel, "load", load)
    assert world.evaluate("spoilt").exit_code == 1
    only_these_failed(world, "00.png", "IndexError: index 9 is out of bounds")


def test_too_little_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    some = ("--batch-size", "64", "--limit", "36")
    assert world.evaluate("quiet", *some).exit_code == 0
    at_first, fit = Budget.forward, list[int]()

    @contextmanager
    def forward(budget: Budget, kind: Forward, tokens: int) -> Iterator[None]:
        with at_first(budget, kind, tokens):
            if kind == "packed" and tokens > 20:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield
        fit.append(tokens)

    monkeypatch.setattr(Budget, "forward", forward)
    result = world.evaluate("cramped", *some)
    assert result.exit_code == 0
    assert "tokens at once don't fit in memory; going on with fewer" in result.stderr
    roomy, cramped = answers(world, "quiet"), answers(world, "cramped")
    assert [(one.text, one.verdict) for one in cramped] == [(one.text, one.verdict) for one in roomy]
    assert [one.p_yes for one in cramped] == pytest.approx([one.p_yes for one in roomy], abs=1e-4)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk(world: World, quiet: bytes) -> None:  # noqa: F811
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); from hope_bench.cli import main; main()"
    done = run(["-c", limited, *world.arguments("full")])
    assert done.returncode == 2, done.stderr
    assert "answers.jsonl can't be written: File too large" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    kept = (world.run("full") / "answers.jsonl").read_bytes()
    assert kept.count(b"\n") % UNIQUE == 0
    assert kept
    assert world.evaluate("full").exit_code == 0
    whole = (world.run("full") / "answers.jsonl").read_bytes()
    assert whole.startswith(kept)
    assert whole == quiet


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that nobody can write, not even root")
def test_a_folder_that_can_not_be_written(world: World) -> None:  # noqa: F811
    result = world.evaluate("nowhere", "--runs", "/sys/hope-bench-runs")
    assert isinstance(result.exception, HopeBenchError)
    assert "/sys/hope-bench-runs/tiny/nowhere can't be written" in str(result.exception)
