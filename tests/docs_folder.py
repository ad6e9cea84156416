"""What the pages of the documentation take for granted: somebody's photos with annotations, a benchmark and a run of them, POPE's
files with LLaVA's answers, other tools' logs, reviewers' decisions, and a cache of the Hub."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hope_bench as hb
from hope_bench.demo.dataset import write_world
from hope_bench.demo.world import EVALUATION_SEED
from hope_bench.files.benchmark import read_benchmark
from hope_bench.reviewing.decisions import decide, write_decisions
from hope_bench.reviewing.sampling import draw_samples, inclusions, sample_queue
from tests.hub import keep, offline
from tests.unit.test_logs import Asked, lmms_eval, vlmevalkit
from tests.unit.test_questions import amber

ROOT = Path(__file__).resolve().parent.parent
SCENES = 6
STRATEGIES = ("random", "popular", "adversarial", "content", "hope")
SPLITS = ("random", "popular", "adversarial")
CHECKPOINTS = ("llava-hf/llava-1.5-7b-hf", "Qwen/Qwen2.5-VL-7B-Instruct")
OF_OWN_CODE = "microsoft/Phi-3.5-vision-instruct"
SUFFIX = "\nAnswer the question using a single word or phrase."


def prepare(folder: Path) -> None:
    """Make FOLDER/here, and in FOLDER/hub the Hub's cache: the demo's model under the checkpoints' names, and data sets."""
    here = folder / "here"
    write_world(here / "my-photos", SCENES, EVALUATION_SEED)
    (here / "val2014").symlink_to("my-photos/images")
    shutil.copy(here / "my-photos" / "instances.json", here / "instances_val2014.json")
    hub = folder / "hub"
    demo = {path.name: path.read_bytes() for path in (ROOT / "models" / "demo-llava").iterdir() if path.is_file()}
    _detector(folder / "owl")
    owl = {path.name: path.read_bytes() for path in (folder / "owl").iterdir()}
    own = _with_code(demo)
    for name, files in {**dict.fromkeys(CHECKPOINTS, demo), "google/owlv2-base-patch16-ensemble": owl, OF_OWN_CODE: own}.items():
        keep(hub, name, files, kind="models")
    with pytest.MonkeyPatch.context() as patch:
        offline(patch, hub)
        patch.chdir(here)
        _own(folder / "cache")
        _pope()
        _data_sets(hub)


CODE = """
from transformers import LlavaConfig, LlavaForConditionalGeneration

class OwnConfig(LlavaConfig):
    model_type = "own"

class OwnModel(LlavaForConditionalGeneration):
    config_class = OwnConfig
"""


def _with_code(demo: Mapping[str, bytes]) -> dict[str, bytes]:
    """A checkpoint whose classes are its own."""
    mapped = {"AutoConfig": "modeling.OwnConfig", "AutoModelForImageTextToText": "modeling.OwnModel"}
    config = {**json.loads(demo["config.json"]), "model_type": "own", "auto_map": mapped}
    return {**demo, "config.json": json.dumps(config).encode(), "modeling.py": CODE.encode()}


class SaysYes:
    """A second model."""

    def answer(self, batch: Sequence[object]) -> list[str]:
        return ["Yes"] * len(batch)


def _own(cache: Path) -> None:
    """A benchmark of the photos, searched by two encoders, and a model's answers and result."""
    clip = f"local-dir:{ROOT / 'benchmarks' / 'demo' / 'clip'}"
    made = hb.init("my-photos", clip=clip, strategies=STRATEGIES)
    text = Path(made.path).read_text(encoding="utf-8")
    text = re.sub(r'"local-dir:.*?"', f'"{clip}"', text)  # absolute: pages run in a copy of this folder
    text = text.replace('"content",', '"content", "content@siglip",') + f'\n[encoders.siglip]\nmodel = "{clip}"\n'
    Path(made.path).write_text(text, encoding="utf-8")
    benchmark = hb.generate(made.path, cache=cache, progress="quiet")
    for model, name in (("llava-1.5-7b", None), (SaysYes(), "yes-sayer")):
        run = hb.evaluate(model, benchmark, name=name, progress="quiet")
        hb.score(run, results="leaderboard/results", progress="quiet")


def _pope() -> None:
    """POPE's files about the photos, RePOPE's labels of them, and what LLaVA answered."""
    own = read_benchmark(Path("benchmarks/my-photos"))
    asked, place = [], {}
    for split in SPLITS:
        rows = [
            {"question_id": one.question_id, "image": one.image, "text": one.text, "label": one.label}
            for one in own.splits[split]
        ]
        write_lines(Path(f"coco_pope_{split}.json"), rows)
        write_lines(Path(f"coco_repope_{split}.json"), [{**rows[0], "label": "no"}, *rows[1:]])  # a yes-question, that all ask
        for number, row in enumerate(rows):
            said = "Yes" if row["label"] == "yes" or number % 5 == 1 else "No"
            where = place.setdefault((row["image"], row["text"]), (len(place), said))
            asked.append(Asked(split, row["question_id"], row["image"], row["text"], row["label"], where[1], where[0]))
    write_lines(
        Path("questions.jsonl"),
        [{"question_id": n, "image": q.image, "text": q.question + SUFFIX, "category": q.split} for n, q in enumerate(asked)],
    )
    write_lines(
        Path("answers.jsonl"), [{"question_id": n, "prompt": q.question + SUFFIX, "text": q.said} for n, q in enumerate(asked)]
    )
    rows = sorted(asked, key=lambda one: one.split)  # lmms-lab/POPE's order
    lmms_eval(Path("logs"), rows)
    vlmevalkit(Path("outputs"), rows)
    hb.import_pope("pope-coco", {split: f"coco_pope_{split}.json" for split in SPLITS}, prompt="{question}" + SUFFIX)
    for name in ("llava-v1.5-13b", "llava-v1.5-7b"):
        hb.import_answers(
            ["answers.jsonl"], "pope-coco", name, questions="questions.jsonl", model_name=name, checkpoint=f"liuhaotian/{name}"
        )
        hb.score(f"pope-coco/{name}", results="leaderboard/results", progress="quiet")
    theirs = hb.evaluate("llava-1.5-7b", "pope-coco", images="val2014", runs="theirs", complete=True, progress="quiet")
    _publish({"llava-1.5-7b": theirs.folder, "llava-1.5-13b": Path("runs/pope-coco/llava-v1.5-13b")})
    shutil.rmtree("theirs")


def _publish(runs: Mapping[str, Path]) -> None:
    """Figures of so few questions, as leaderboard/published.toml has them of POPE's."""
    text = (ROOT / "leaderboard" / "published.toml").read_text(encoding="utf-8")
    text = re.sub(r"^questions = .*\n", "", text, flags=re.MULTILINE)
    for model, run in runs.items():
        f1 = {name: split.f1.value for name, split in hb.score(run, convention="pope", progress="quiet").splits.items()}
        for split, value in {**f1, "split-mean": sum(filter(None, f1.values())) / len(f1)}.items():
            text, changed = re.subn(rf'^("{model}" = .*?{split} = )[0-9.]+', rf"\g<1>{100 * value:.1f}", text, flags=re.MULTILINE)
            assert changed == 1
    Path("figures.toml").write_text(text, encoding="utf-8")


def _data_sets(hub: Path) -> None:
    """The benchmark as it was pushed, and POPE with its pictures."""
    benchmark = Path("benchmarks/my-photos")
    files = {str(path.relative_to(benchmark)): path.read_bytes() for path in benchmark.rglob("*") if path.is_file()}
    keep(hub, "my-org/my-photos", {name: data for name, data in files.items() if name != "images.json"})
    rows = [
        {"id": str(number), "question_id": str(row["question_id"]), "question": row["text"], "answer": row["label"]}
        | {"image_source": Path(row["image"]).stem, "category": split}
        | {"image": {"bytes": Path("val2014", row["image"]).read_bytes(), "path": None}}
        for split in ("adversarial", "popular", "random")
        for number, row in enumerate(map(json.loads, Path(f"coco_pope_{split}.json").read_text(encoding="utf-8").splitlines()))
    ]
    pq.write_table(pa.Table.from_pylist(rows), "pope.parquet")
    keep(hub, "lmms-lab/POPE", {"data/test-00000-of-00001.parquet": Path("pope.parquet").read_bytes()})
    Path("pope.parquet").unlink()


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def supply(page: str, here: Path) -> None:
    """What this page alone takes for granted."""
    if page in _SUPPLIES:
        _SUPPLIES[page](here)


def _nothing_made(here: Path) -> None:
    for made in ("benchmarks", "runs", "leaderboard"):
        shutil.rmtree(here / made)


def _datasets(here: Path) -> None:
    """Photos without a benchmark, and a data set of the Hub's kind that holds its pictures."""
    import datasets

    _nothing_made(here)
    pictures = sorted((here / "my-photos" / "images").iterdir())[:2]
    rows = datasets.Dataset.from_dict({"photo": [{"bytes": one.read_bytes(), "path": None} for one in pictures]})
    datasets.DatasetDict({"validation": rows.cast_column("photo", datasets.Image())}).save_to_disk(str(here / "my-dataset"))


def _interchange(here: Path) -> None:
    amber(here)
    (here / "repope").mkdir()
    shutil.copy(here / "coco_repope_random.json", here / "repope")
    with (here / "mine.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("ask", "truth", "photo"), ("Is there a dog in the image?", "present", "a.jpg")])
    for made in ("benchmarks/pope-coco", "runs/pope-coco", "leaderboard/results/pope-coco"):
        shutil.rmtree(here / made)


def _reviewed(here: Path) -> None:
    """Two people who have looked at the whole sample, and differ once."""
    benchmark = read_benchmark(here / "benchmarks" / "my-photos")
    fooling = benchmark.splits["hope"][:3]
    write_lines(here / "my-photos-review.jsonl", [{"image": one.image, "question": one.text} for one in fooling])
    queue = sample_queue(draw_samples(benchmark, 100, 0), 0, inclusions(benchmark, 100))
    for name, odd in (("alice", "present"), ("bob", "unsure")):
        verdicts = [odd if place == 0 else "present" if claim.label == "yes" else "absent" for place, claim in enumerate(queue)]
        path = here / "benchmarks" / "my-photos" / "review" / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        write_decisions(path, [decide(claim, verdict, name) for claim, verdict in zip(queue, verdicts, strict=True)])


def _detector(folder: Path) -> None:
    """An OWLv2 that has learnt nothing."""
    from tokenizers import Tokenizer, models, processors
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor, Owlv2Processor, PreTrainedTokenizerFast

    begin, end = "<|startoftext|>", "<|endoftext|>"
    words = {word: number for number, word in enumerate(["!", begin, end, *map(chr, range(34, 127))])}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[], unk_token="!"))
    around = [(begin, words[begin]), (end, words[end])]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{begin} $A {end}", special_tokens=around)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=begin, eos_token=end, pad_token="!", model_max_length=16
    )
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    texts = {**tower, "vocab_size": len(words), "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2}
    config = Owlv2Config(text_config=texts, vision_config={**tower, "image_size": 32, "patch_size": 16}, projection_dim=16)
    Owlv2ForObjectDetection(config).save_pretrained(folder)
    Owlv2Processor(Owlv2ImageProcessor(size={"height": 32, "width": 32}), wrapped).save_pretrained(folder)


def _mitigation(here: Path) -> None:
    """The adapter and its card, and nothing asked yet."""
    for made in ("runs", "leaderboard"):
        shutil.rmtree(here / made)
    for path in (ROOT / "docs" / "examples").glob("contrastive*"):
        shutil.copy(path, here)


def _steps(here: Path) -> None:
    """Runs of two checkpoints of each of two trainings."""
    whole = here / "runs" / "my-photos" / "llava-1.5-7b"
    for name in ("run-checkpoint-500", "run-checkpoint-1000", "my-model-step-500", "my-model-step-1000"):
        record = json.loads((whole / "run.json").read_text(encoding="utf-8"))
        shutil.copytree(whole, whole.with_name(name))
        (whole.with_name(name) / "run.json").write_text(json.dumps({**record, "name": name}), encoding="utf-8")


def _clone(here: Path) -> None:
    """Where nothing is made yet: the project with its environment, and one test of it."""
    _nothing_made(here)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "README.md", "LICENSE", "run_eval.py", "hope_bench", "models"):
        (here / name).symlink_to(ROOT / name)
    for folder in ("benchmarks", "leaderboard"):
        (here / folder).mkdir()
        for one in (ROOT / folder).iterdir():
            if folder == "benchmarks" or one.is_file():
                (here / folder / one.name).symlink_to(one)
    python = here / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nexec python-of-a-clone "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    for stamp in ("run", "dev"):  # installed: what make installs with is a line of its own
        (here / ".venv" / f"{stamp}.stamp").touch()
    (here / "tests").mkdir()
    (here / "tests" / "install_chromium.sh").symlink_to(ROOT / "tests" / "install_chromium.sh")
    (here / "tests" / "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")


def _unasked(here: Path) -> None:
    shutil.rmtree(here / "runs" / "my-photos" / "llava-1.5-7b")


def _published(here: Path) -> None:
    """POPE as it is downloaded."""
    _unasked(here)
    pope = here / "POPE" / "output" / "coco"
    pope.mkdir(parents=True)
    for split in SPLITS:
        shutil.copy(here / f"coco_pope_{split}.json", pope)


def _demo(here: Path) -> None:
    """What `make demo` leaves, of these photos."""
    demo = here / "build" / "demo"
    for made, place in (
        ("leaderboard/results/my-photos/llava-1.5-7b.json", "leaderboard/results/demo/demo-llava.json"),
        ("benchmarks/my-photos", "benchmarks/demo"),
        ("my-photos", "world"),
    ):
        (demo / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(here / made, demo / place) if (here / made).is_dir() else shutil.copy(here / made, demo / place)


_SUPPLIES: Mapping[str, Callable[[Path], None]] = {
    "README.md": _clone,
    "datasets.md": _datasets,
    "hub.md": _unasked,
    "inference.md": _published,
    "interchange.md": _interchange,
    "mitigation.md": _mitigation,
    "models.md": _unasked,
    "publishing.md": _demo,
    "review.md": _reviewed,
    "scoring.md": _steps,
    "spec.md": _nothing_made,
    "training.md": _steps,
}

BEFORE = {
    "training.md": """
from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainingArguments
from tests.training import CHECKPOINT, SayYes
from pathlib import Path
model = AutoModelForImageTextToText.from_pretrained(CHECKPOINT)
processor = AutoProcessor.from_pretrained(CHECKPOINT)
data = SayYes(Path("yes"), processor)
arguments = TrainingArguments(
    output_dir="out", max_steps=1, per_device_train_batch_size=1, use_cpu=True, report_to="none", save_strategy="no",
    remove_unused_columns=False, disable_tqdm=True,
)
"""
}
"""What a page's Python takes for granted."""
