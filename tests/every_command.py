"""Every command that writes files, with what it needs, and those that write none: to be killed, run twice and starved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

import hope_bench as hb
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.provenance import write_text
from hope_bench.reviewing.decisions import decide, write_decisions
from hope_bench.reviewing.sampling import draw_samples, inclusions, sample_queue
from tests.hub import keep
from tests.runs import make_run
from tests.small_benchmark import write_small


@dataclass(frozen=True)
class Command:
    """`hope-bench WORDS` in a copy of the prepared folder, or Python code in its place (`script`). A `slow` one takes seconds.
    Run again after it was done, it may say that it `refuses`."""

    words: Sequence[str]
    script: str = ""
    slow: bool = False
    refuses: str = ""

    @property
    def name(self) -> str:
        """How it is told from the others."""
        group = self.words[0] in ("import", "leaderboard")
        which = [value for flag, value in zip(self.words, self.words[1:], strict=False) if flag in ("--to", "--from")]
        return " ".join(["run_eval"] if self.script == _RUN_EVAL else [*self.words[: 1 + group], *which])


_RUN_EVAL = "from hope_bench.cli import run_command\nfrom hope_bench.cli.run_eval import run_eval\nrun_command(run_eval)"
_PULL = """
import os
from huggingface_hub import constants
constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = os.path.abspath("hub"), True
from hope_bench.cli import main
main()
"""
_REVIEW = """
from pathlib import Path
from hope_bench.cli import run_command
from hope_bench.files.benchmark import read_benchmark
from hope_bench.reviewing.claims import review_queue
from hope_bench.reviewing.decisions import DecisionsFile
from hope_bench.reviewing.session import Session

def review() -> None:
    session = Session(review_queue(read_benchmark(Path("small/benchmark")).splits), DecisionsFile(Path("out/me.jsonl")), "me")
    while (place := session.next()) is not None:
        session.decide(place, "absent")
        session.undo()
        session.decide(place, "absent")
    session.decide(0, "unsure")

import sys
sys.argv[1:] = []
run_command(review)
"""

_SMALL, _IMAGES, _RUN = "small/benchmark", ("--images", "small/images"), "runs/small/mine"
_FEW = ("--replicates", "100")
_FULL_ALREADY = "holds files already"

WRITERS: tuple[Command, ...] = (
    Command(("init", "small/instances.json", *_IMAGES, "--out", "out/spec.toml"), refuses="exists already"),
    Command(("generate", "spec.toml", "--annotations", "small/instances.json", *_IMAGES, "--out", "out", "--cache", "cache")),
    Command(("evaluate", "-m", "model/says.toml", "-b", _SMALL, *_IMAGES, "--runs", "out")),
    Command(("score", _RUN, "--benchmark", _SMALL, "--results", "out", *_FEW)),
    Command(("report", _RUN, "--benchmark", _SMALL, *_IMAGES, "--out", "out/page.html", *_FEW)),
    Command(("trend", "runs/small/step-1", "runs/small/step-2", "--benchmark", _SMALL, "--out", "out/trend.html", *_FEW)),
    Command(("inspect", _SMALL, *_IMAGES, "--out", "out")),
    Command(("review", "small"), script=_REVIEW),
    Command(("review-merge", "reviews/alice.jsonl", "reviews/bob.jsonl", "--out", "out/merged.jsonl")),
    Command(("label-noise", _SMALL, "reviews/alice.jsonl", "reviews/bob.jsonl", "--sample", "9")),
    Command(("export", _SMALL, "--to", "llava", "--out", "out"), refuses=_FULL_ALREADY),
    Command(("export", _SMALL, "--to", "vlmevalkit", *_IMAGES, "--out", "out"), refuses=_FULL_ALREADY),
    Command(("export", _SMALL, "--to", "lmms-eval", *_IMAGES, "--out", "out"), refuses=_FULL_ALREADY),
    Command(("export", _SMALL, "--to", "datasets", *_IMAGES, "--out", "out"), refuses=_FULL_ALREADY),
    Command(("import", "pope", "--name", "p", "--split", "random=rows/pope.json", "--out", "out")),
    Command(("import", "labels", _SMALL, "rows/labels.json", "--keep", "--out", "out")),
    Command(("import", "questions", "rows/data", "--name", "q", "--images", "out/images", "--out", "out/benchmark")),
    Command(("import", "images", "rows/pictures.parquet", "--column", "file_name=name", "--out", "out")),
    Command(("import", "answers", "rows/answers.jsonl", "--benchmark", _SMALL, "--name", "theirs", "--answer", "said", "--prompt",
             "{question}", "--runs", "out")),
    Command(("import", "answers", "rows/logs", "--from", "vlmevalkit", "--benchmark", _SMALL, "--runs", "out")),
    Command(("leaderboard", "add", "scored/small/mine.json", "--results", "out/results")),
    Command(("leaderboard", "describe", _SMALL, "--results", "out/results", *_IMAGES, "--licence", "CC0-1.0")),
    Command(("leaderboard", "build", "--results", "scored", "--out", "out")),
    Command(("pull", "hf:org/name", "--out", "out/benchmark", "--images", "out/images"), script=_PULL),
    Command(("--model", "model/says.toml", "--benchmark", _SMALL, *_IMAGES, "--out", "out"), script=_RUN_EVAL),
    Command(("demo", "--scenes", "10", "--out", "out"), slow=True),
)  # fmt: skip

READERS: tuple[Command, ...] = (
    Command(("baselines", _SMALL)),
    Command(("check-data", "small/instances.json")),
    Command(("compare", "small/mine", "small/yours", "--results", "scored", *_FEW)),
    Command(("env",)),
    Command(("leaderboard", "check", "--results", "scored")),
    Command(("models",)),
    Command(("schema",)),
    Command(("transfer", "small/mine", "small/yours", "--results", "scored")),
)

ELSEWHERE = {
    "push": "writes to the Hub alone, in one commit (tests/unit/test_hub.py)",
    "verify": "writes as `import pope` and `evaluate` do",
    "leaderboard serve": "writes as `leaderboard build` does",
}
"""Commands of neither list, and why."""

IN_PLACE = ("answers.jsonl", "me.jsonl")
"""Files that grow by whole lines; every other one is replaced when its successor is whole."""


def prepare(folder: Path) -> None:
    """What the commands need, each under its own name."""
    small = write_small(folder / "small")
    benchmark = read_benchmark(small.folder)
    write_text(
        folder / "spec.toml",
        'name = "mine"\nsample_images = 2\nk = 1\nstrategies = ["random", "popular"]\nheadline = "popular"\n',
    )
    _write_model(folder / "model")
    _write_runs(folder, benchmark)
    _write_rows(folder / "rows", benchmark, small.images)
    _write_reviews(folder / "reviews", benchmark)
    _write_hub(folder, small.folder, small.images)
    (folder / "out").mkdir()


def _write_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "says.toml").write_text('name = "says"\ncheckpoint = "org/says"\nadapter = "says.py:Says"\nbatch_size = 2\n')
    (folder / "says.py").write_text(
        "class Says:\n    def __init__(self, card): pass\n    def load(self): pass\n"
        "    def answer(self, batch): return ['Yes' if 'cup' in prompt else 'No' for _, prompt in batch]\n"
    )


def _write_runs(folder: Path, benchmark: Benchmark) -> None:
    asked = {(one.image, str(one.object)): one.label for questions in benchmark.splits.values() for one in questions}
    said = dict.fromkeys(asked, "no")
    make_run(folder / "runs" / "small" / "mine", benchmark, said, name="mine")  # type: ignore[arg-type]
    make_run(folder / "runs" / "small" / "yours", benchmark, asked, name="yours")
    for step, answers in ((1, said), (2, asked)):
        run = make_run(folder / "runs" / "small" / f"step-{step}", benchmark, answers, name=f"step-{step}")  # type: ignore[arg-type]
        record = json.loads((run / "run.json").read_text())
        record["run"]["step"] = step
        (run / "run.json").write_text(json.dumps(record))
    for name in ("mine", "yours"):
        hb.score(folder / "runs" / "small" / name, benchmark=benchmark, results=folder / "scored", progress="quiet")


def _write_rows(folder: Path, benchmark: Benchmark, images: Path) -> None:
    (folder / "data").mkdir(parents=True)
    random, content = benchmark.splits["random"], benchmark.splits["content"]
    for name, questions in (("pope", random), ("labels", content)):
        rows = [{"question_id": one.question_id, "image": one.image, "text": one.text, "label": one.label} for one in questions]
        (folder / f"{name}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = [{"image": one.image, "question": one.text, "said": "No, I see none."} for one in random]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    hb.export(benchmark, "datasets", folder / "exported", images=images, splits=["random"])
    shutil.copy(folder / "exported" / "data" / "random.parquet", folder / "data" / "questions.parquet")
    pictures = [{"bytes": (images / name).read_bytes(), "path": None} for name in benchmark.manifest.images]
    parquet.write_table(pa.table({"image": pictures, "name": list(benchmark.manifest.images)}), folder / "pictures.parquet")
    log = ["index\timage_path\tquestion\tanswer\tcategory\tprediction"]
    log += [f"{n}\t{one.image}\t{one.text}\t{one.label.capitalize()}\trandom\tNo" for n, one in enumerate(random, 1)]
    (folder / "logs" / "Model").mkdir(parents=True)
    (folder / "logs" / "Model" / "Model_POPE.tsv").write_text("\n".join(log) + "\n")


def _write_reviews(folder: Path, benchmark: Benchmark) -> None:
    queue = sample_queue(draw_samples(benchmark, 9, 0), 0, inclusions(benchmark, 9))
    for name in ("alice", "bob"):
        write_decisions(
            folder / f"{name}.jsonl", [decide(one, "absent" if one.label == "no" else "present", name) for one in queue]
        )


def _write_hub(folder: Path, benchmark: Path, images: Path) -> None:
    hb.export(benchmark, "datasets", folder / "sent", images=images)
    files = {
        str(path.relative_to(at)): path.read_bytes()
        for at in (folder / "sent", benchmark)
        for path in at.rglob("*")
        if path.is_file()
    }
    keep(folder / "hub", "org/name", files)
    shutil.rmtree(folder / "sent")
