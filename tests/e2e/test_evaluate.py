"""hope-bench evaluate as a user runs it: processes killed and interrupted, images broken, exit codes and what is printed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from hope_bench.cli import app
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import write_benchmark
from hope_bench.files.run import read_answers, read_run
from hope_bench.provenance import file_sha256
from hope_bench.records import Label, Question
from tests.checkpoints import OBJECTS, pictures
from tests.forks import Fork
from tests.waiting import wait_until

YES: Label = "yes"
NO: Label = "no"
IMAGES = 12
UNIQUE = 9
"""Questions of an image over both splits: 3 yes in common, 3 no each."""


WAITING = """
import time
from hope_bench.cli import main
from hope_bench.inference.asking import Asker
answer, left = Asker.answer, STEPS
def answer_or_wait(*arguments):
    global left
    if not left:
        print("waiting", flush=True)
        while True:
            time.sleep(0.01)  # not once for long: a signal that comes just before a sleep doesn't end it
    left -= 1
    return answer(*arguments)
Asker.answer = answer_or_wait
main()
"""
"""The command, which asks some steps and then waits for a signal."""


@dataclass(frozen=True)
class World:
    """A benchmark, its images, a model, and where runs go."""

    folder: Path
    model: Path

    @property
    def images(self) -> Path:
        return self.folder / "images"

    def arguments(self, name: str, *more: str) -> list[str]:
        return [
            "evaluate", "--model", str(self.model), "--benchmark", str(self.folder / "bench"), "--images", str(self.images),
            "--runs", str(self.folder / "runs"), "--name", name, "--device", "cpu", "--batch-size", "2",
            "--max-new-tokens", "4", *more,
        ]  # fmt: skip

    def run(self, name: str) -> Path:
        return self.folder / "runs" / "tiny" / name

    def evaluate(self, name: str, *more: str) -> Result:
        return CliRunner().invoke(app, self.arguments(name, *more))

    def start(self, name: str, steps: int, *more: str) -> Fork:
        """The command in a process of its own, which asks so many steps and then waits to be stopped."""
        return Fork(["-c", WAITING.replace("STEPS", str(steps)), *self.arguments(name, *more)])


@pytest.fixture
def world(tmp_path: Path, checkpoint: Callable[[str], Path]) -> World:
    return make_world(tmp_path, checkpoint)


_QUIET: list[Path] = []


@pytest.fixture
def quiet(world: World, checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The answers of a run that nothing happened to, which the world then holds as its run `quiet`: made once, and copied."""
    if not _QUIET:
        first = make_world(tmp_path_factory.mktemp("quiet"), checkpoint)
        assert first.evaluate("quiet").exit_code == 0
        _QUIET.append(first.run("quiet"))
    shutil.copytree(_QUIET[0], world.run("quiet"))
    return (world.run("quiet") / "answers.jsonl").read_bytes()


def make_world(tmp_path: Path, checkpoint: Callable[[str], Path]) -> World:
    (tmp_path / "images").mkdir()
    hashes: dict[str, str | None] = {}
    for place, picture in enumerate(pictures(IMAGES)):
        path = tmp_path / "images" / f"{place:02}.png"
        picture.save(path)
        hashes[path.name] = file_sha256(path)
    splits = {
        strategy: [
            Question(0, image, f"Is there a {thing} in the image?", label, strategy, thing)
            for image in hashes
            for label, thing in [*((YES, thing) for thing in OBJECTS[:3]), *((NO, thing) for thing in OBJECTS[start : start + 3])]
        ]
        for strategy, start in (("random", 3), ("content", 6))
    }
    write_benchmark(
        tmp_path / "bench", splits, {"random": "pope", "content": "hope"}, name="tiny", title="Tiny", headline="content",
        prompt="Please answer yes or no. {question}", k=3, dataset="drawn", images=hashes,
    )  # fmt: skip
    return World(tmp_path, checkpoint("idefics3"))


def stop(process: Fork, answers: Path, lines: int, with_signal: int) -> tuple[int, str]:
    """Send a signal once the run has that many answers and waits; returns the exit code and what was said on stderr."""
    process.wait_for_line("waiting")
    wait_until(lambda: answers.read_bytes().count(b"\n") >= lines, process.is_alive, process.said)
    process.send_signal(with_signal)
    _, said = process.communicate()
    return process.returncode or 0, said


def test_killed_twice_and_interrupted_once_the_bytes_are_those_of_a_quiet_run(world: World, quiet: bytes) -> None:
    answers = world.run("shaken") / "answers.jsonl"
    lines = 0
    for steps, with_signal in ((2, signal.SIGKILL), (3, signal.SIGKILL), (3, signal.SIGINT)):
        lines += steps * UNIQUE
        code, said = stop(world.start("shaken", steps), answers, lines, with_signal)
        assert code == (130 if with_signal == signal.SIGINT else -signal.SIGKILL), said
        assert answers.read_bytes().count(b"\n") == lines < IMAGES * UNIQUE
    assert "run the same command again" in said
    assert not read_run(world.run("shaken")).complete
    done = world.evaluate("shaken")
    assert done.exit_code == 0
    assert "Going on: " in done.stderr
    assert answers.read_bytes() == quiet
    assert read_run(world.run("shaken")).complete


def test_broken_images_are_counted_and_asked_again_once_they_are_whole(world: World, quiet: bytes) -> None:
    saved = {name: (world.images / name).read_bytes() for name in ("00.png", "01.png", "02.png", "03.png")}
    (world.images / "00.png").unlink()
    (world.images / "01.png").write_bytes(saved["01.png"][:-40])
    (world.images / "02.png").write_text("no picture at all")
    Image.new("RGB", (50, 50)).save(world.images / "03.png")
    result = world.evaluate("broken")
    assert result.exit_code == 1
    assert f"{IMAGES * UNIQUE} questions asked" in result.stdout
    assert "the same command asks again" in result.stdout.lower()
    assert f"{3 * UNIQUE} failed: image: the image differs from the benchmark's (SHA-256)" in result.stderr
    assert f"{UNIQUE} failed: image: the file is missing" in result.stderr
    errors = [answer for answer in read_answers(world.run("broken") / "answers.jsonl").answers if answer.verdict == "error"]
    assert len(errors) == read_run(world.run("broken")).errors == 4 * UNIQUE

    for name, data in saved.items():
        (world.images / name).write_bytes(data)
    assert world.evaluate("broken").exit_code == 0
    assert (world.run("broken") / "answers.jsonl").read_bytes() == quiet


def test_without_hashes_the_reader_says_what_is_wrong_with_an_image(world: World) -> None:
    manifest = world.folder / "bench" / "manifest.json"
    text = manifest.read_text()
    for name in ("01.png", "02.png"):
        text = text.replace(f'"{file_sha256(world.images / name)}"', "null")
    manifest.write_text(text)
    (world.images / "01.png").write_bytes((world.images / "01.png").read_bytes()[:-40])
    (world.images / "02.png").write_text("no picture at all")
    result = world.evaluate("unhashed", "--split", "content")
    assert result.exit_code == 1
    reasons = {answer.error for answer in read_answers(world.run("unhashed") / "answers.jsonl").answers}
    assert len(reasons) == 3
    assert any(str(reason).startswith("image: truncated or corrupt") for reason in reasons)
    assert "image: not an image, or of an unknown format" in reasons


def test_what_it_prints_and_where_it_sends_you_next(world: World) -> None:
    result = world.evaluate("short", "--limit", "12", "--max-new-tokens", "3")
    assert result.exit_code == 0
    assert "18 questions asked" in result.stdout
    assert "only 12 questions of each split were asked" in result.stdout
    assert f"Next: hope-bench score {world.run('short')} --benchmark {world.folder / 'bench'}\n" in result.stdout
    run = read_run(world.run("short"))
    assert (run.run.limit, run.run.max_new_tokens, run.run.dtype, run.run.device) == (12, 3, "float32", "cpu")
    assert "nothing to ask" in world.evaluate("short", "--limit", "12", "--max-new-tokens", "3").stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--blind", "grey"], "is neither gray nor shuffled. Did you mean 'gray'?"),
        (["--dtype", "float17"], "dtype: 'float17' is not known. Did you mean 'float16'?"),
        (["--model", "demo-lava"], "No model 'demo-lava'"),
        (["--benchmark", "nothing"], "No benchmark 'nothing'"),
        (["--split", "contend"], "Did you mean 'content'"),
        (["--device", "cuda:7"], "Device 'cuda:7' can't be used"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(flags: list[str], message: str, world: World) -> None:
    result = world.evaluate("refused", *flags)
    assert isinstance(result.exception, HopeBenchError)
    assert message in str(result.exception)
    assert not world.run("refused").exists()


def test_a_dry_run_counts_and_writes_nothing(world: World) -> None:
    counted = world.evaluate("dry", "--dry-run")
    assert counted.exit_code == 0
    text = " ".join(counted.stdout.split())
    assert (
        f"{IMAGES * 12} questions in 2 splits, of which {IMAGES * UNIQUE} unique ones would be asked, about {IMAGES} images"
        in text
    )
    tokens = re.search(r"Tokens, from a sample: ([\d,]+) asked one by one, ([\d,]+) where", text)
    assert tokens is not None
    whole, shared = (int(count.replace(",", "")) for count in tokens.groups())
    assert shared < whole / 2
    assert "Time: unknown" in text
    assert not (world.folder / "runs").exists()
    assert "missing" not in counted.stderr
    (world.images / "00.png").rename(world.folder / "00.png")
    assert "Images that are missing: 1 (00.png). Their questions would be errors." in world.evaluate("dry", "--dry-run").stderr
    (world.folder / "00.png").rename(world.images / "00.png")
    elsewhere = world.evaluate("dry", "--dry-run", "--images", str(world.folder / "nowhere"))
    assert (elsewhere.exit_code, "The run would stop at once: The images folder" in elsewhere.stderr) == (0, True)
    assert "not the 2 of --processes" in str(world.evaluate("dry", "--dry-run", "--processes", "2").exception)
    assert world.evaluate("short", "--limit", "12").exit_code == 0
    assert "24 questions in 2 splits" in world.evaluate("dry", "--dry-run", "--limit", "12").stdout
    again = world.evaluate("dry", "--dry-run", "--name", "short")
    text = " ".join(again.stdout.split())
    assert re.search(r"Time: about \d+ s at the speed of .*short", text)
    answered = len((world.run("short") / "answers.jsonl").read_bytes().splitlines())
    assert 0 < answered < IMAGES * UNIQUE
    assert f"{answered} are answered in" in text
    assert f"{IMAGES * UNIQUE - answered} are left" in text
    for change in (["--max-new-tokens", "3"], ["--dtype", "bfloat16"], ["--path", "plain"]):
        assert "are answered" not in world.evaluate("dry", "--dry-run", "--name", "short", *change).stdout
    other = world.evaluate("dry", "--dry-run", "--name", "short", "--model", "demo-llava").stderr
    assert "The run would stop at once" in other
    assert "another model" in other
    said = world.evaluate("short").stderr
    assert f"{IMAGES * UNIQUE - answered} of {IMAGES * UNIQUE} questions are asked now" in said, "as counted"
    done = world.evaluate("dry", "--dry-run", "--name", "short").stdout
    assert "Nothing is left to ask." in done
    assert "Tokens" not in done
    answers = world.run("short") / "answers.jsonl"
    answers.write_bytes(b"".join(answers.read_bytes().splitlines(keepends=True)[:-1]))
    assert f"{UNIQUE} are left, about 1 image." in world.evaluate("dry", "--dry-run", "--name", "short").stdout, "a whole step"
    assert world.evaluate("short").exit_code == 0
    assert world.evaluate("short", "--limit", "12").exit_code == 0
    assert "Nothing is left to ask." in world.evaluate("dry", "--dry-run", "--name", "short").stdout, "set aside, and found again"
    record = read_run(world.run("short"))
    assert (record.questions, record.asked) == (answered, IMAGES * UNIQUE + UNIQUE)
    (world.images / "00.png").unlink()
    events = world.evaluate("new", "--dry-run", "--progress", "json").stderr.splitlines()
    assert [json.loads(line)["event"] for line in events] == ["message"]
    assert "missing" not in world.evaluate("dry", "--dry-run", "--name", "short").stderr, "its questions are answered"


def test_interrupted_while_it_is_still_imported() -> None:
    script = """
import builtins
from hope_bench.__main__ import main
imported = builtins.__import__
def slow(name, *rest, **more):
    if name == "hope_bench.cli":
        raise KeyboardInterrupt
    return imported(name, *rest, **more)
builtins.__import__ = slow
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
