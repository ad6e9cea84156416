"""One run by two processes, as torchrun and accelerate start them: the same bytes as by one, also after a process was lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from hope_bench.files.run import read_run, write_run
from tests.e2e.test_evaluate import IMAGES, UNIQUE, World, quiet, world  # noqa: F401 - the fixtures
from tests.forks import Fork
from tests.soak import SOAK, only_in_soak
from tests.waiting import free_port, wait_until

TORCHRUN = ("torch.distributed.run", "--nproc-per-node", "2", "--master-port")
ACCELERATE = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port")

DYING = """
import os, signal
from hope_bench.inference.asking import Asker
answer, asked = Asker.answer, []
def answer_or_die(*arguments):
    asked.append(arguments)
    if len(asked) == 4 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(*arguments)
Asker.answer = answer_or_die
from hope_bench.cli import main
main()
"""
"""The second process is killed midway."""


def launch(world: World, name: str, *more: str, by: Sequence[str] = TORCHRUN) -> subprocess.Popen[str]:  # noqa: F811
    command = [sys.executable, "-m", *by, str(free_port()), "-m", "hope_bench", *world.arguments(name, *more)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def pair(
    world: World,  # noqa: F811
    name: str,
    *more: str,
    later: float = 0,
    program: Sequence[str] = ("-m", "hope_bench"),
) -> list[tuple[int, str, str]]:
    """Exit code and output of two processes that share a run by their environment alone, the second one begun so much later."""
    shared = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    environment = os.environ | shared | {"MASTER_PORT": str(free_port())}
    processes = []
    for rank in "01":
        processes.append(Fork([*program, *world.arguments(name, *more)], environment | {"RANK": rank}))
        time.sleep(later)
    try:
        return [(process.wait(), *process.said()) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.parametrize("by", [(), TORCHRUN, ACCELERATE] if SOAK else [()])
def test_two_processes_write_the_bytes_of_one(by: Sequence[str], world: World, quiet: bytes) -> None:  # noqa: F811
    """By their environment alone nobody but the first process serves what they meet at; the second comes later."""
    if by:
        process = launch(world, "two", "--processes", "2", by=by)
        out, said = process.communicate()
        assert process.returncode == 0, said
    else:
        done = pair(world, "two", "--processes", "2", later=1)
        assert [code for code, _, _ in done] == [0, 0], done
        out, said = ("".join(texts) for texts in list(zip(*done, strict=True))[1:])
    assert f"2 processes share {IMAGES} steps" in said
    assert out.count("Answers: ") == 1, "only the first process speaks"
    assert (world.run("two") / "answers.jsonl").read_bytes() == quiet
    assert not list(world.run("two").glob("answers.process-*"))
    record = read_run(world.run("two"))
    assert (record.run.processes, record.run.path, record.complete, record.questions) == (2, "shared", True, IMAGES * UNIQUE)


@pytest.mark.parametrize("by", ["environment", "torchrun"] if SOAK else ["environment"])
def test_steps_of_a_lost_process_are_asked_by_the_next_run(by: str, world: World, quiet: bytes) -> None:  # noqa: F811
    if by == "torchrun":
        process = launch(world, "lost")
        shards = _lose_second(world, process)
        process.communicate()
        assert process.returncode != 0
    else:
        shards = _shards(world)
        done = pair(world, "lost", program=("-c", DYING))
        assert [code for code, _, _ in done] == [2, -signal.SIGKILL], done
        assert "Another process of this run was lost" in done[0][2]
    assert not read_run(world.run("lost")).complete
    assert all(shard.exists() for shard in shards)
    again = world.evaluate("lost")
    assert again.exit_code == 0
    assert "Going on: " in again.stderr
    assert (world.run("lost") / "answers.jsonl").read_bytes() == quiet
    assert not any(shard.exists() for shard in shards)


@only_in_soak
def test_a_lost_process_is_started_again(world: World, quiet: bytes) -> None:  # noqa: F811
    process = launch(world, "lost", by=(*TORCHRUN[:-1], "--max-restarts", "2", TORCHRUN[-1]))
    _lose_second(world, process)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "Going on: " in said
    assert (world.run("lost") / "answers.jsonl").read_bytes() == quiet


def test_several_prompts_are_asked_by_two_processes(world: World) -> None:  # noqa: F811
    prompts = world.folder / "ways.toml"
    prompts.write_text('plain = "{question}"\nshort = "{question} Yes or no?"\nlong = "Look at it. {question}"\n')
    done = pair(world, "two", "--prompts", str(prompts))
    assert [code for code, _, _ in done] == [0, 0], done
    assert sum(out.count("Answers: ") for _, out, _ in done) == 3


def test_a_wrong_number_of_processes_is_refused(world: World) -> None:  # noqa: F811
    result = world.evaluate("refused", "--processes", "2")
    assert "has 1 process, not the 2 of --processes" in str(result.exception)


def test_what_is_wrong_is_heard_by_all(world: World, quiet: bytes) -> None:  # noqa: F811
    record = read_run(world.run("quiet"))
    write_run(world.run("quiet"), record.model_copy(update={"model": record.model.model_copy(update={"name": "another"})}))
    done = pair(world, "quiet")
    assert all(code not in (0, None) for code, _, _ in done), done
    assert "holds the answers of another model, another" in done[0][2]
    assert (world.run("quiet") / "answers.jsonl").read_bytes() == quiet


def test_json_progress_is_one_object_a_line(world: World) -> None:  # noqa: F811
    result = world.evaluate("json", "--progress", "json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    shown = [event for event in events if event["event"] == "progress"]
    assert len(shown) == IMAGES
    assert {key: events[-1][key] for key in ("event", "questions", "errors")} == {
        "event": "done", "questions": IMAGES * UNIQUE, "errors": 0
    }  # fmt: skip
    assert (shown[-1]["done"], shown[-1]["total"], shown[-1]["path"]) == (IMAGES * UNIQUE, IMAGES * UNIQUE, "shared")
    assert world.evaluate("quiet", "--progress", "quiet").stderr == ""
    (world.images / "00.png").unlink()
    broken = world.evaluate("broken", "--progress", "json")
    assert broken.exit_code == 1
    assert [json.loads(line) for line in broken.stderr.splitlines()][-1]["reasons"] == {"image: the file is missing": UNIQUE}
    refused = world.evaluate("broken", "--progress", "json", "--split", "nothing")
    assert refused.exit_code == 2
    assert "no split 'nothing'" in json.loads(refused.stderr)["text"]


def _lose_second(world: World, process: subprocess.Popen[str]) -> list[Path]:  # noqa: F811
    """Kill the second process once both have answered something; returns their files."""
    shards = _shards(world)
    wait_until(lambda: all(shard.exists() and shard.read_bytes() for shard in shards), lambda: process.poll() is None)
    os.kill(next(pid for pid in _children(process.pid) if _environment(pid).get("RANK") == "1"), signal.SIGKILL)
    return shards


def _shards(world: World) -> list[Path]:  # noqa: F811
    return [world.run("lost") / f"answers.process-{rank}.jsonl" for rank in (0, 1)]


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)
