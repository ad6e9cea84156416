"""hope-bench in a real training run: what TensorBoard shows, that training is not changed, and that nothing ends it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainerCallback

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.run import read_run
from hope_bench.integrations import HopeBenchCallback, log_result
from hope_bench.scoring.score import score
from tests.forks import Fork
from tests.soak import SOAK
from tests.training import STEPS, demo_benchmark, make_trainer, train
from tests.waiting import free_port

World = tuple[Benchmark, Path]
RATE = "hope_bench/random/hallucination_rate"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Benchmark, Path]:
    """The benchmark and its images folder."""
    folder = tmp_path_factory.mktemp("world")
    return demo_benchmark(folder), folder / "images"


def attaching(world: World, runs: Path, **settings: Any) -> Callable[[Trainer], None]:
    benchmark, images = world

    def attach(trainer: Trainer) -> None:
        trainer.add_callback(HopeBenchCallback(trainer, benchmark, images=images, runs=runs, **{"limit": 12, **settings}))

    return attach


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a folder of event files: (step, value) by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(folder))
    shown.Reload()
    return {tag: [(one.step, one.value) for one in shown.Scalars(tag)] for tag in shown.Tags()["scalars"]}


def test_tensorboard_shows_a_model_learn_to_say_yes_and_training_is_the_same(world: World, tmp_path: Path) -> None:
    plain = train(tmp_path / "plain", report_to="tensorboard")
    attach = attaching(world, tmp_path / "runs", every=4, at_start=True, name="yes man")
    watched = train(tmp_path / "watched", attach, report_to="tensorboard")

    before, after = (
        {name: value.numpy().tobytes() for name, value in one.model.state_dict().items()} for one in (plain, watched)
    )
    assert after == before
    shown = [scalars(next((tmp_path / name).rglob("events.out.tfevents.*")).parent) for name in ("plain", "watched")]
    assert shown[1]["train/loss"] == shown[0]["train/loss"]
    assert [step for step, _ in shown[0]["train/loss"]] == list(range(1, STEPS + 1))

    rates = shown[1][f"train/{RATE}"]
    assert [step for step, _ in rates] == [0, 4, STEPS], "before, every four steps, and after the last one"
    assert rates[-1][1] > rates[0][1] + 0.4
    assert shown[1]["train/hope_bench/content/balanced_accuracy"][-1][1] == 0.5
    assert {value for _, value in shown[1]["train/hope_bench/failed"]} == {0.0}

    benchmark, _ = world
    for step, rate in rates:
        run = tmp_path / "runs" / "demo" / f"yes-man-step-{step}"
        record = read_run(run)
        assert (record.run.step, record.complete, record.run.limit, record.run.weights_sha256) == (step, True, 12, None)
        result = score(benchmark, run)
        assert result.run.step == step
        assert result.splits["random"].hallucination_rate.value == pytest.approx(rate)
        assert result.unranked is not None


def test_another_training_of_the_same_name_asks_anew(world: World, tmp_path: Path) -> None:
    attach = attaching(world, tmp_path / "runs", every=STEPS, splits=["random"], name="it")
    first = train(tmp_path / "first", attach)
    second = train(tmp_path / "second", attach, learning_rate=0.0)
    said = [[entry[RATE] for entry in one.state.log_history if RATE in entry] for one in (first, second)]
    assert said[0] != said[1]
    assert len(said[0]) == len(said[1]) == 1
    assert not any("content" in key for entry in first.state.log_history for key in entry)


@pytest.mark.parametrize(("every", "times"), [("epoch", 2), ("evaluate", 3)])
def test_when(every: Any, times: int, world: World, tmp_path: Path) -> None:
    more = {"eval_strategy": "steps", "eval_steps": 2} if every == "evaluate" else {}

    trainer = train(tmp_path, attaching(world, tmp_path / "runs", every=every, limit=4), **more)
    history = trainer.state.log_history
    assert sum(RATE in entry for entry in history) == times
    assert sum("loss" in entry for entry in history) == STEPS
    assert sum("eval_loss" in entry for entry in history) == (3 if more else 0)


def test_a_training_that_stops_early_is_measured_at_its_last_step(world: World, tmp_path: Path) -> None:
    class Stop(TrainerCallback):  # type: ignore[misc]
        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            del args
            control.should_training_stop = state.global_step >= 4

    def attach(trainer: Trainer) -> None:
        attaching(world, tmp_path / "runs", every=5, limit=4)(trainer)
        trainer.add_callback(Stop())

    trainer = train(tmp_path, attach, eval_strategy="steps", eval_steps=2)
    assert [entry["step"] for entry in trainer.state.log_history if RATE in entry] == [4]


def test_weights_of_several_formats_are_measured_in_the_trainers_autocast(world: World, tmp_path: Path) -> None:
    def attach(trainer: Trainer) -> None:
        trainer.model.model.vision_tower.to(torch.bfloat16).requires_grad_(False)
        attaching(world, tmp_path / "runs", every=STEPS, limit=4, name="mixed")(trainer)

    trainer = train(tmp_path, attach, bf16=True)
    assert [entry["hope_bench/failed"] for entry in trainer.state.log_history if "hope_bench/failed" in entry] == [0.0]
    assert read_run(tmp_path / "runs" / "demo" / f"mixed-step-{STEPS}").run.dtype == "several, autocast to bfloat16"


def test_several_callbacks_are_kept_apart(world: World, tmp_path: Path) -> None:
    def attach(*each: dict[str, Any]) -> Callable[[Trainer], None]:
        def attach_all(trainer: Trainer) -> None:
            for settings in each:
                attaching(world, tmp_path / "runs", every=STEPS, limit=4, **settings)(trainer)

        return attach_all

    with pytest.raises(HopeBenchError, match="give one a prefix="):
        train(tmp_path, attach({"name": "a"}, {"name": "b"}))
    with pytest.raises(HopeBenchError, match="give one a name="):
        train(tmp_path, attach({"name": "a"}, {"name": "a", "prefix": "plain"}))
    trainer = train(tmp_path, attach({"name": "a"}, {"name": "b", "prefix": "plain", "prompt": "{question}"}))
    logged = {name for entry in trainer.state.log_history for name in entry}
    assert {"hope_bench/failed", "plain/failed", RATE, "plain/random/hallucination_rate"} <= logged

    def of_another(trainer: Trainer) -> None:
        trainer.add_callback(HopeBenchCallback(other, world[0], images=world[1]))

    other = make_trainer(tmp_path / "other")
    with pytest.raises(HopeBenchError, match="made of another trainer"):
        train(tmp_path, of_another)


def test_a_failed_evaluation_is_logged_and_training_goes_on(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    benchmark, images = world
    own = tmp_path / "images"
    own.mkdir()
    for image in images.iterdir():
        (own / image.name).write_bytes(image.read_bytes())

    def attach(trainer: Trainer) -> None:
        attaching((benchmark, own), tmp_path / "runs", every=3)(trainer)
        own.rename(tmp_path / "gone")

    with caplog.at_level(logging.WARNING, "hope_bench"):
        trainer = train(tmp_path, attach)
    assert trainer.state.global_step == STEPS
    assert [entry["hope_bench/failed"] for entry in trainer.state.log_history if "hope_bench/failed" in entry] == [1.0, 1.0]
    assert "could not evaluate step 3; training goes on" in caplog.text
    assert "images folder" in caplog.text


@pytest.mark.parametrize("how", ["environment", "torchrun"] if SOAK else ["environment"])
def test_two_processes_share_the_questions_and_agree_on_failure(how: str, tmp_path: Path) -> None:
    demo_benchmark(tmp_path / "world")
    program = ["-m", "tests.training", str(tmp_path)]
    port = str(free_port())
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    if how == "torchrun":
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port, *program]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        codes, said = [done.returncode], done.stderr
    else:
        shared = environment | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes = [Fork(program, shared | {"RANK": rank, "LOCAL_RANK": rank}) for rank in "01"]
        try:
            codes = [process.wait() for process in processes]
            said = "".join(process.said()[1] for process in processes)
        finally:
            for process in processes:
                process.kill()
    assert set(codes) == {0}, said
    histories = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    for history in histories:
        assert [entry["step"] for entry in history if "loss" in entry] == list(range(1, STEPS + 1))
        failed = {entry["step"]: entry["hope_bench/failed"] for entry in history if "hope_bench/failed" in entry}
        assert failed == {2: 0.0, 4: 1.0, 6: 0.0}
    numbers = [[{k: v for k, v in entry.items() if "hope_bench" in k} for entry in history] for history in histories]
    assert numbers[0] == numbers[1]
    assert "could not evaluate step 4; training goes on. Process 1 of 2 failed" in said
    assert "this process can't evaluate" in said
    for step in (2, 6):
        record = read_run(tmp_path / "runs" / "demo" / f"ddp-step-{step}")
        assert (record.complete, record.run.processes) == (True, 2)


@pytest.mark.parametrize("how", ["FSDP", "ZeRO-3", "ZeRO-2"])
def test_weights_spread_over_processes_are_refused_when_the_callback_is_made(
    how: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer: Any = make_trainer(tmp_path)
    # As accelerate would start them; neither runs in one process on a CPU.
    if how == "FSDP":
        trainer.is_fsdp_enabled = True
    else:
        plugin = SimpleNamespace(zero_stage=int(how[-1]))
        monkeypatch.setattr(type(trainer.accelerator.state), "deepspeed_plugin", property(lambda _: plugin))
    if how == "ZeRO-2":  # every process has all weights
        attaching(world, tmp_path)(trainer)
        return
    with pytest.raises(HopeBenchError, match="Save a checkpoint and evaluate that: hope-bench evaluate --model"):
        attaching(world, tmp_path)(trainer)


def test_what_can_never_work_is_said_at_once(world: World, tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    (tmp_path / "file").write_text("")
    for settings, words in (
        ({"every": 0}, "every is 0"),
        ({"every": "day"}, "every is 'day'. It takes a whole number"),
        ({"splits": ["kontent"]}, "no split 'kontent'"),
        ({"images": tmp_path}, "holds none of the"),
        ({"processor": trainer.processing_class.tokenizer}, "whole processor"),
        ({"dtype": "float32"}, "no effect"),
        ({"runs": tmp_path / "file"}, "is a file"),
        ({"name": "a" * 300}, "has 300 letters"),
    ):
        with pytest.raises(HopeBenchError, match=words):
            HopeBenchCallback(trainer, world[0], **{"images": world[1], "runs": tmp_path, **settings})
    with pytest.raises(HopeBenchError, match="No benchmark 'demmo'"):
        HopeBenchCallback(trainer, "demmo")


def test_a_result_goes_to_a_tracker(world: World, tmp_path: Path) -> None:
    train(tmp_path, attaching(world, tmp_path / "runs", every=STEPS, name="it"))
    result = score(world[0], tmp_path / "runs" / "demo" / f"it-step-{STEPS}")
    logged = log_result(result, "tensorboard", run="mine", folder=tmp_path / "boards")
    shown = scalars(tmp_path / "boards" / "mine")
    assert set(shown) == set(logged)
    assert {RATE, "hope_bench/content/precision_drop_from_random"} <= set(logged)
    assert all(points == [(STEPS, pytest.approx(logged[tag]))] for tag, points in shown.items())
    with pytest.raises(HopeBenchError, match="Did you mean 'tensorboard'"):
        log_result(result, "tensorbord")


def test_importing_the_integrations_imports_no_torch() -> None:
    code = "import sys, hope_bench.integrations; sys.exit(bool({'torch', 'transformers', 'accelerate'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
