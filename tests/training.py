"""A real training run of the demo's LLaVA with transformers' Trainer: fine-tuned to say yes, whatever is asked.

python -m torch.distributed.run --nproc-per-node 2 -m tests.training FOLDER

trains in two processes, of which the second one can't evaluate.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainingArguments, set_seed

from hope_bench.demo.dataset import write_world
from hope_bench.demo.world import CATEGORIES, EVALUATION_SEED, VALIDATION_SEEDS
from hope_bench.files.benchmark import Benchmark
from hope_bench.wording import existence_question
from tests.runs import make_benchmark

CHECKPOINT = Path(__file__).resolve().parent.parent / "models" / "demo-llava"
SCENES = 6
STEPS = 6
Attach = Callable[[Trainer], Any]


def demo_benchmark(folder: Path) -> Benchmark:
    """A random and a content split about drawn scenes (images in FOLDER/images): two present and two absent objects each."""
    write_world(folder, SCENES, EVALUATION_SEED)
    rows: dict[str, list[tuple[str, str, Any]]] = {"random": [], "content": []}
    for place, (image, present) in enumerate(_scenes(folder)):
        absent = [name for name in CATEGORIES if name not in present]
        for split, start in (("random", place), ("content", place + 3)):
            asked = [(name, "yes") for name in sorted(present)[:2]]
            asked += [(absent[(start + step) % len(absent)], "no") for step in (0, 7)]
            rows[split] += [(image, name, label) for name, label in asked]
    return make_benchmark(folder / "benchmark", rows, name="demo", prompt="{question}\nAnswer yes or no.")


def _scenes(folder: Path) -> list[tuple[str, set[str]]]:
    """Image names with the categories they hold."""
    content = json.loads((folder / "instances.json").read_text())
    names = {one["id"]: one["name"] for one in content["categories"]}
    return [
        (
            image["file_name"],
            {names[one["category_id"]] for one in content["annotations"] if one["image_id"] == image["id"]},
        )
        for image in content["images"]
    ]


class SayYes(torch.utils.data.Dataset[dict[str, Any]]):
    """Questions about drawn scenes, all to be answered yes."""

    def __init__(self, folder: Path, processor: Any) -> None:
        write_world(folder, 8, VALIDATION_SEEDS[0])
        self._rows = [
            _example(processor, Image.open(folder / "images" / name).convert("RGB"), existence_question(category))
            for name, _ in _scenes(folder)
            for category in CATEGORIES[::6]
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self._rows[place]


def _example(processor: Any, image: Image.Image, question: str) -> dict[str, Any]:
    content = [{"type": "image", "image": image}, {"type": "text", "text": f"{question}\nAnswer yes or no."}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    answer = torch.tensor([[processor.tokenizer.convert_tokens_to_ids("yes")]])
    ids = torch.cat([inputs["input_ids"], answer], 1)
    labels = torch.cat([torch.full_like(inputs["input_ids"], -100), answer], 1)
    return {"input_ids": ids[0], "labels": labels[0], "pixel_values": inputs["pixel_values"][0]}


def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One right-padded batch."""
    longest = max(len(row["input_ids"]) for row in rows)

    def padded(key: str, filler: int) -> torch.Tensor:
        return torch.stack([torch.nn.functional.pad(row[key], (0, longest - len(row[key])), value=filler) for row in rows])

    ids = padded("input_ids", 0)
    return {
        "input_ids": ids,
        "attention_mask": (ids != 0).long(),
        "labels": padded("labels", -100),
        "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
    }


def make_trainer(folder: Path, **settings: Any) -> Trainer:
    """A trainer of the demo's LLaVA, with dropout, so that the weights show whether random numbers were taken."""
    set_seed(5)
    processor = AutoProcessor.from_pretrained(CHECKPOINT)
    model = AutoModelForImageTextToText.from_pretrained(CHECKPOINT, attn_implementation="eager")
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.1
    usual = {
        "max_steps": STEPS, "per_device_train_batch_size": 8, "learning_rate": 2e-4, "lr_scheduler_type": "constant",
        "use_cpu": True, "logging_steps": 1, "save_strategy": "no", "report_to": "none", "disable_tqdm": True,
        "remove_unused_columns": False,
    }  # fmt: skip
    arguments = TrainingArguments(output_dir=str(folder / "out"), **{**usual, **settings})
    rows = SayYes(folder / "yes", processor)
    few = torch.utils.data.Subset(rows, range(2))
    return Trainer(model, arguments, data_collator=collate, train_dataset=rows, eval_dataset=few, processing_class=processor)


def train(folder: Path, attach: Attach = lambda _: None, **settings: Any) -> Trainer:
    """Train with what `attach` adds to the trainer; gives the trainer afterwards."""
    torch.set_num_threads(1)
    trainer = make_trainer(folder, **settings)
    attach(trainer)
    trainer.train()
    return trainer


def main(folder: Path) -> None:
    """Train in this process of several; in the second one a forward of the evaluation raises."""
    from hope_bench.integrations import HopeBenchCallback

    rank = int(os.environ["RANK"])
    benchmark_folder = folder / "world"
    own = folder / f"rank-{rank}"

    def attach(trainer: Trainer) -> None:
        def fail(module: Any, *_: Any) -> None:
            if rank == 1 and not module.training and trainer.state.global_step == 4:
                raise SystemError("this process can't evaluate")

        trainer.model.register_forward_pre_hook(fail)
        trainer.add_callback(
            HopeBenchCallback(
                trainer, benchmark_folder / "benchmark", images=benchmark_folder / "images", every=2, limit=8,
                runs=folder / "runs", name="ddp", batch_size=4,
            )
        )  # fmt: skip

    trainer = train(own, attach)
    (folder / f"rank-{rank}.json").write_text(json.dumps(trainer.state.log_history))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
