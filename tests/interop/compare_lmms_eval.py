"""lmms-eval in an environment of its own, on an exported task with the demo's LLaVA: its answers and its scores beside ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hope_bench.api.asking import evaluate
from hope_bench.api.exchange import export, import_logs
from hope_bench.api.making import generate
from hope_bench.demo.dataset import write_world
from hope_bench.demo.run import demo_card, demo_spec
from hope_bench.demo.world import EVALUATION_SEED
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.run import Run, load_run
from hope_bench.files.split_score import PACKED
from hope_bench.records import Label
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.metrics import count_table, point_metrics

VERSION = "0.7.3"
REQUIREMENTS = (f"lmms-eval[video-legacy]=={VERSION}", "filelock<4")
"""What it runs with: llava_hf imports decord, which only that extra declares, and lmms-eval imports filelock._api, which is
gone in filelock 4."""
SAME = ("torch", "torchvision", "transformers", "tokenizers", "accelerate", "numpy", "pillow", "safetensors")
"""Packages of which both take the same version, so that the same weights give the same answers."""
SCENES = 20
SPLITS = ("random", "content", "description")
TOKENS = 32
"""How long an answer may be: as an exported task says."""
MADE_UP = ("Yes", "yes", " no\n", "No.", "Yes, there is.", "**No**", "YES", "I don't know", "yes no", "")
"""Answers that the demo's LLaVA never gives, for the convention."""

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "interop"
PYTHON = OUT / "venv" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared, and what either has."""

    what: str
    theirs: str
    ours: str

    @property
    def same(self) -> bool:
        """Whether they agree."""
        return self.theirs == self.ours


def checks() -> Iterator[Check]:
    """Install lmms-eval where it isn't, run it, and compare."""
    install()
    work = OUT / "lmms-eval"
    shutil.rmtree(work, ignore_errors=True)
    benchmark, ours = _ours(work)
    export(benchmark, "lmms-eval", work / "task", images=work / "world" / "images")
    _run(work, f"pretrained={ROOT / 'models' / 'demo-llava'},device=cpu,device_map=cpu", "hope_demo")
    (imported,) = import_logs([work / "logs"], benchmark, "lmms-eval", runs=work / "imported")
    if imported.folder is None or imported.report is None:
        raise SystemExit(f"lmms-eval's log can't be imported: {imported.refused}")
    theirs = load_run(imported.folder)
    yield Check("questions answered", str(len(_texts(theirs))), str(len(_texts(ours))))
    mine = _texts(ours)
    same = sum(text == mine.get(key) for key, text in _texts(theirs).items())
    yield Check("answers, word for word", str(same), str(len(mine)))
    expected = len(benchmark.splits) * 6
    yield Check("scores that the log states", str(len(imported.scores)), str(expected))
    for score in imported.scores:
        yield Check(f"{score.convention}: {score.metric}", _digits(score.stated), _digits(score.ours))
    yield from _convention(benchmark, theirs, work)


def install() -> None:
    """Make the environment, once for each version and each of our constraints."""
    constraints = [
        line for line in (ROOT / "constraints.txt").read_text().splitlines() if re.split("==", line)[0].lower() in SAME
    ]
    wanted, stamp = "\n".join([*REQUIREMENTS, *constraints]) + "\n", OUT / "installed.txt"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    OUT.mkdir(parents=True, exist_ok=True)
    print(f"Installing lmms-eval {VERSION} into {PYTHON.parent.parent} (minutes, and 8 GB)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", PYTHON.parent.parent], check=True)
    (OUT / "constraints.txt").write_text("\n".join(constraints) + "\n")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", OUT / "constraints.txt"]
    subprocess.run([*pip, *REQUIREMENTS], check=True)
    stamp.write_text(wanted)


def _ours(work: Path) -> tuple[Benchmark, Run]:
    """A benchmark of the drawn world, and hope-bench's own run on it."""
    write_world(work / "world", SCENES, EVALUATION_SEED)
    spec = demo_spec(work / "world", SCENES).model_copy(update={"strategies": SPLITS, "headline": "content"})
    benchmark = generate(spec, out=work / "benchmark", cache=work / "cache")
    card = demo_card().model_copy(update={"max_new_tokens": TOKENS})
    return benchmark, evaluate(card, benchmark, images=work / "world" / "images", runs=work / "runs")


def _run(work: Path, model: str, tasks: str) -> None:
    """lmms-eval's own command, offline."""
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "1")
    command = [PYTHON, "-m", "lmms_eval", "--model", "llava_hf", "--model_args", model, "--include_path", work / "task"]
    command += ["--tasks", tasks, "--batch_size", "1", "--log_samples", "--output_path", work / "logs"]
    with (work / "lmms-eval.log").open("w") as log:
        done = subprocess.run(
            command, cwd=work, env=os.environ | offline | {"HF_HOME": str(work / "hf")}, stdout=log, stderr=subprocess.STDOUT
        )
    if done.returncode != 0 or not (work / "logs").is_dir():
        raise SystemExit(f"lmms-eval failed; its last words, of {log.name}:\n" + Path(log.name).read_text()[-2000:])


def _texts(run: Run) -> Mapping[tuple[str, str], str | None]:
    return {(answer.image, answer.question): answer.text for answer in run.answers().answers}


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def _convention(benchmark: Benchmark, theirs: Run, work: Path) -> Iterator[Check]:
    """lmms-eval's own POPE metrics of its answers, and of made-up ones, beside those of our convention of that name."""
    way = CONVENTIONS["lmms-eval"]
    texts = _texts(theirs)
    asked: dict[str, list[tuple[Label, str]]] = {
        name: [(one.label, texts[one.image, one.text] or "") for one in questions] for name, questions in benchmark.splits.items()
    }
    asked["made-up answers"] = [(label, text) for text in MADE_UP for label in ("yes", "yes", "no")]
    rows = [
        {"split": name, "question_id": number, "answer": label, "text": text}
        for name, answers in asked.items()
        for number, (label, text) in enumerate(answers)
    ]
    (work / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = Path(__file__).with_name("pope_scores.py")
    subprocess.run([PYTHON, script, work / "answers.jsonl", work / "scores.json"], check=True, cwd=work)
    for name, scores in json.loads((work / "scores.json").read_text()).items():
        labels = "".join(PACKED[label] for label, _ in asked[name])
        verdicts = "".join(PACKED[way.parse(text)] for _, text in asked[name])
        ours = point_metrics(count_table(labels, verdicts, [len(labels)]).sum(axis=0), way)
        for metric, value in scores.items():
            yield Check(f"lmms-eval, {name}: {metric}", _digits(value), _digits(ours[metric]))
