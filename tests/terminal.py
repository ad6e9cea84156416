"""What the commands show in a real terminal: `python -m tests.terminal` writes the golden files again."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.result_file import write_result
from hope_bench.records import Verdict
from hope_bench.scoring.score import score
from tests.runs import Row, make_benchmark, make_run

GOLDEN = Path(__file__).resolve().parent / "golden"
WIDTHS = (80, 120)
IMAGES = [f"{number:012}.jpg" for number in range(40)]
ABSENT = {"random": "cat", "adversarial": "bus", "category-cooccurrence": "tram", "content": "wolf"}
MODELS = {"llava-1.5-7b": (4, 9, 12, 25), "a-name-that-somebody-gave-their-model-and-that-is-long": (2, 3, 5, 11)}

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("score", "runs/tiny/llava-1.5-7b", "-b", "tiny"),
    ("compare", "tiny", "-b", "tiny"),
    ("compare", "many"),
    ("trend", "tiny/train-step-500", "tiny/train-step-1000", "tiny/train-step-1500", "-b", "tiny", "--out", "trend.html"),
    ("baselines", "tiny"),
    ("inspect", "tiny", "--no-images"),
)
"""What is run, in a folder of `prepare`."""

_RUN = """
import json, sys
from hope_bench.cli import main
for words in json.loads(sys.argv[1]):
    print("$ hope-bench", *words, flush=True)
    sys.argv = ["hope-bench", *words]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, stop.code
"""


def prepare(folder: Path) -> None:
    """A benchmark `tiny`, runs of two models and of three checkpoints, and results of two and of twelve models."""
    splits: dict[str, list[Row]] = {
        name: [row for image in IMAGES for row in ((image, "dog", "yes"), (image, what, "no"))]  # type: ignore[misc]
        for name, what in ABSENT.items()
    }
    made = make_benchmark(folder / "benchmarks" / "tiny", splits, title="Tiny: forty drawn images")
    runs = folder / "runs" / "tiny"

    def run(name: str, affirmed: tuple[int, ...], step: int | None = None) -> Path:
        said: dict[tuple[str, str], Verdict] = {(image, "dog"): "yes" for image in IMAGES}
        said |= {(image, "dog"): "no" for image in IMAGES[:3]}
        for what, count in zip(ABSENT.values(), affirmed, strict=True):
            said |= {(image, what): "yes" if place >= 40 - count else "no" for place, image in enumerate(IMAGES)}
        said[IMAGES[0], "wolf"] = "unparsed"
        info = RunInfo(name=name, prompt=made.manifest.prompt, step=step)
        return make_run(runs / name, made, said, name=name, model=ModelInfo(name=name), run=info)

    for name, affirmed in MODELS.items():
        write_result(folder / "leaderboard" / "results" / "tiny" / f"{name}.json", score(made, run(name, affirmed)))
    for number in range(12):
        result = score(made, run(f"model-{'lkjihgfedcba'[number]}", (1, 2, 3, 3 * number)))
        write_result(folder / "leaderboard" / "results" / "many" / f"{result.called}.json", result)
    for number, step in enumerate((500, 1000, 1500)):
        run(f"train-step-{step}", (8 - number, 12, 14, 30 - 12 * number), step)


def in_terminal(width: int, folder: Path, *argv: str) -> str:
    """What a Python program prints into a terminal of so many columns, run in `folder`. Raises where it fails."""
    screen, program = pty.openpty()
    fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    hidden = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env |= {"TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    child = subprocess.Popen([sys.executable, *argv], stdin=program, stdout=program, stderr=program, cwd=folder, env=env)
    os.close(program)
    shown = b""
    while True:
        try:
            part = os.read(screen, 65536)
        except OSError:  # how a terminal ends on Linux
            break
        if not part:
            break
        shown += part
    os.close(screen)
    if child.wait():
        raise RuntimeError(shown.decode())
    return shown.decode()


def lines_of(shown: str) -> list[str]:
    """The lines as they stood on the screen, each state of a line that was written over by itself, without colours."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    return [line.rstrip() for line in re.split(r"\r\n|\r|\n", plain)]


def screen(width: int, folder: Path) -> list[str]:
    """What the COMMANDS show, with the folder's own path named FOLDER."""
    shown = lines_of(in_terminal(width, folder, "-c", _RUN, json.dumps(COMMANDS)))
    return [line.replace(str(folder.resolve()), "FOLDER") for line in shown]


def golden(width: int) -> Path:
    """The file that holds what is expected."""
    return GOLDEN / f"terminal-{width}.txt"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        for columns in WIDTHS:
            golden(columns).write_text("\n".join(screen(columns, Path(name))))
            print(golden(columns))
