"""Measures the demo's trained models on held-out scenes, loading them exactly as a user would.

python -m hope_bench.demo.quality
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional

from hope_bench.demo.dataset import LEAST_CATEGORIES
from hope_bench.demo.questions import ATTRIBUTE_WEIGHTS, QuestionSampler, WorldQuestion, attribute_question, phrase
from hope_bench.demo.scenes import draw_scene
from hope_bench.demo.training import present_above_absent
from hope_bench.demo.world import CATEGORIES, VALIDATION_SEEDS, Scene

CLIP_FOLDER: Final = Path("benchmarks/demo/clip")
LVLM_FOLDER: Final = Path("models/demo-llava")
ATTEMPTS: Final = 4
"""How often a question of one kind and answer is sought in one scene."""


@dataclass(frozen=True)
class Quality:
    """Shares 0..1: CLIP's per-image AUC; the LVLM's recall and specificity on objects, accuracy by kind of attribute."""

    clip_auc: float
    recall: float
    specificity: float
    attributes: dict[str, float]
    unparsed: float

    @property
    def objects(self) -> float:
        """Accuracy on as many present as absent objects."""
        return (self.recall + self.specificity) / 2

    @property
    def attribute_mean(self) -> float:
        """Mean over colour, size, side and half; relations and counts are trained at low weight."""
        return float(np.mean([self.attributes[kind] for kind in ("color", "size", "side", "half")]))


def held_out(scenes: int, first_seed: int = VALIDATION_SEEDS.start) -> list[Scene]:
    """The first `scenes` scenes at and after `first_seed` that show at least three categories, as the demo's do."""
    drawn = (draw_scene(seed) for seed in count(first_seed))
    fitting: Iterator[Scene] = (scene for scene in drawn if len(scene.categories) >= LEAST_CATEGORIES)
    return [next(fitting) for _ in range(scenes)]


def presence(scenes: Sequence[Scene]) -> npt.NDArray[np.bool_]:
    """(scenes, categories): which of CATEGORIES each scene shows."""
    return np.array([[category in scene.categories for category in CATEGORIES] for scene in scenes])


@torch.no_grad()
def clip_similarities(folder: Path, scenes: Sequence[Scene], texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """(scenes, texts): cosine of each scene's and each text's embedding."""
    import open_clip

    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    # open_clip doesn't resolve the path in the configuration against the folder.
    tokenizer = open_clip.get_tokenizer(name, bpe_path=str((folder / "bpe.txt.gz").resolve()))
    model.eval()
    said = functional.normalize(model.encode_text(tokenizer(list(texts))), dim=-1)
    images = torch.stack([preprocess(scene.image) for scene in scenes])
    seen = torch.cat([functional.normalize(model.encode_image(part), dim=-1) for part in torch.split(images, 100)])
    similarities: npt.NDArray[np.float32] = (seen @ said.T).numpy()
    return similarities


def clip_category_similarities(folder: Path, scenes: Sequence[Scene]) -> npt.NDArray[np.float32]:
    """(scenes, categories): cosine of each scene with "a photo of a CATEGORY"."""
    return clip_similarities(folder, scenes, [f"a photo of {phrase(category, 'object')}" for category in CATEGORIES])


@torch.no_grad()
def lvlm_answers(
    folder: Path, asked: Sequence[tuple[Scene, str]], batch: int = 64, told: Callable[[int], None] | None = None
) -> list[str]:
    """The LVLM's greedy answers, through AutoProcessor, its chat template and `generate`; `told` hears the number done."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    answers: list[str] = []
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        contents = [[{"type": "image"}, {"type": "text", "text": text}] for _, text in part]
        talks = [[{"role": "user", "content": content}] for content in contents]
        prompts = [processor.apply_chat_template(talk, add_generation_prompt=True) for talk in talks]
        inputs = processor(text=prompts, images=[scene.image for scene, _ in part], padding=True, return_tensors="pt")
        generated = model.generate(**inputs, max_new_tokens=4, do_sample=False)
        answers += processor.batch_decode(generated[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        if told:
            told(len(answers))
    return answers


def attribute_questions(scene: Scene, rng: random.Random) -> list[WorldQuestion]:
    """A true and a false question of each kind of attribute, where the scene allows them."""
    found: list[WorldQuestion] = []
    for kind in ATTRIBUTE_WEIGHTS:
        pair = [_sought(scene, kind, answer, rng) for answer in (True, False)]
        found += [item for item in pair if item and None not in pair]
    return found


def _sought(scene: Scene, kind: str, answer: bool, rng: random.Random) -> WorldQuestion | None:
    attempts = (attribute_question(scene.objects, kind, answer, rng) for _ in range(ATTEMPTS))
    return next((item for item in attempts if item), None)


def measure(clip: Path, lvlm: Path, scenes: Sequence[Scene], told: Callable[[int], None] | None = None) -> Quality:
    """Measure both models on `scenes`: per scene three present and three POPE-like absent objects, and its attributes."""
    auc = present_above_absent(clip_category_similarities(clip, scenes), presence(scenes))
    rng = random.Random(0)
    sampler = QuestionSampler(scene.objects for scene in scenes)
    asked = [(scene, item) for scene in scenes for item in sampler.objects(scene.objects, rng) + attribute_questions(scene, rng)]
    answers = lvlm_answers(lvlm, [(scene, item.text) for scene, item in asked], told=told)
    right: dict[tuple[str, bool], list[bool]] = {}
    for (_, item), answer in zip(asked, answers, strict=True):
        right.setdefault((item.kind, item.answer), []).append(answer == ("yes" if item.answer else "no"))
    shares = {key: float(np.mean(values)) for key, values in right.items()}
    attributes = {kind: (shares[kind, True] + shares[kind, False]) / 2 for kind in ATTRIBUTE_WEIGHTS if (kind, True) in shares}
    unparsed = float(np.mean([answer not in ("yes", "no") for answer in answers]))
    return Quality(auc, shares["object", True], shares["object", False], attributes, unparsed)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the demo's trained models on held-out scenes.")
    parser.add_argument("--clip", type=Path, default=CLIP_FOLDER)
    parser.add_argument("--lvlm", type=Path, default=LVLM_FOLDER)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--first-seed", type=int, default=VALIDATION_SEEDS.start)
    arguments = parser.parse_args()
    quality = measure(arguments.clip, arguments.lvlm, held_out(arguments.scenes, arguments.first_seed))
    print(f"CLIP per-image AUC      {quality.clip_auc:.3f}")
    print(f"LVLM object accuracy    {quality.objects:.3f} (yes {quality.recall:.3f}, no {quality.specificity:.3f})")
    print(f"LVLM attribute accuracy {quality.attribute_mean:.3f} (mean of color, size, side, half)")
    for kind, value in quality.attributes.items():
        print(f"  {kind:20} {value:.3f}")
    print(f"LVLM unparsed answers   {quality.unparsed:.3f}")


if __name__ == "__main__":
    main()
