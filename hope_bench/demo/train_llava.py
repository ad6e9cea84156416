"""Trains the demo's LLaVA from scratch on drawn scenes and yes/no questions (CPU, one thread, about 25 minutes).

python -m hope_bench.demo.train_llava --out models/demo-llava

Stage 1 teaches the vision tower what each patch shows, stage 2 the whole model to answer. Wrong answers are asked for as
POPE would; no CLIP takes part.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor

from hope_bench.demo import llava
from hope_bench.demo.packing import WORD_GROUPS, WORDS, Packed, Packer, patch_words
from hope_bench.demo.questions import QuestionSampler, WorldQuestion, instructed, open_question
from hope_bench.demo.training import Progress, SceneSet, cosine, present_above_absent, render
from hope_bench.demo.world import CATEGORIES, LVLM_TRAINING_SEEDS, VALIDATION_SEEDS, SceneObject

SEED: Final = 23
VISION_STEPS: Final = 2000
VISION_BATCH: Final = 64
STEPS: Final = 2000
BATCH: Final = 32
PEAK_RATE: Final = 1.5e-3
WEIGHT_DECAY: Final = 0.05
WARMUP: Final = 100
VISION_RATE: Final = 0.25
"""The vision tower's share of the learning rate in stage 2."""
OBJECT_QUESTIONS: Final = 3
"""Per image, about present objects and as many about absent ones."""
ATTRIBUTE_QUESTIONS: Final = 4
OPEN_QUESTIONS: Final = 3
"""Per image, in training only: "What color is the car in the image?"."""
END_WEIGHT, PATCH_WEIGHT, SPELL_WEIGHT = 0.05, 0.3, 0.5
MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
STD: Final = (0.26862954, 0.26130258, 0.27577711)


def normalized(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """(scenes, height, width, 3) uint8 to (scenes, 3, height, width) float32, as the saved processor does."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std


def _fast() -> torch.autocast:
    """bfloat16 where it is safe: a third faster on CPUs that have it."""
    return torch.autocast("cpu", torch.bfloat16)


def _word(item: WorldQuestion) -> str:
    return "yes" if item.answer else "no"


class Trainer:
    """One seeded training run in two stages of a fixed number of steps."""

    def __init__(self, scenes: int) -> None:
        self._rng = random.Random(SEED)
        tokenizer = llava.build_tokenizer()
        self.processor, self.model = llava.build_processor(tokenizer), llava.build_model(tokenizer, SEED)
        self._tower = self.model.model.vision_tower
        # Thrown away after training: reads the words of a patch from the vision tower's output.
        self._patch_head = torch.nn.Linear(llava.WIDTH, len(WORDS))
        self._packer = Packer(tokenizer)
        spelled = [tokenizer.convert_tokens_to_ids(list(group)) for group in WORD_GROUPS]
        spelled[0].append(tokenizer.convert_tokens_to_ids("."))
        self._spelled: list[list[int]] = spelled
        self._train = render(LVLM_TRAINING_SEEDS[:scenes], "LVLM training scenes")
        self._validation = render(VALIDATION_SEEDS[:500], "validation scenes")
        self._sampler = QuestionSampler(self._train.objects)
        rng = random.Random(SEED)
        self._asked = [self._questions(objects, rng) for objects in self._validation.objects]

    def _questions(self, objects: Sequence[SceneObject], rng: random.Random) -> list[WorldQuestion]:
        about_objects = self._sampler.objects(objects, rng, OBJECT_QUESTIONS)
        return about_objects + self._sampler.attributes(objects, rng, ATTRIBUTE_QUESTIONS)

    def _training_questions(self, objects: Sequence[SceneObject]) -> list[tuple[str, str]]:
        closed = self._questions(objects, self._rng)
        asked = [(instructed(item.text, self._rng), _word(item)) for item in closed]
        return asked + [open_question(objects, self._rng) for _ in range(OPEN_QUESTIONS)]

    def _optimizer(self, modules: Sequence[tuple[torch.nn.Module, float]]) -> torch.optim.Optimizer:
        groups = [
            {"params": [w for w in module.parameters() if (w.ndim > 1) == matrix], "share": share}
            | {"weight_decay": WEIGHT_DECAY if matrix else 0.0}
            for module, share in modules
            for matrix in (True, False)
        ]
        return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98))

    @staticmethod
    def _step(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * rate * group["share"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()

    def train_vision(self, steps: int) -> None:
        """Stage 1: the vision tower alone names category, colour, size and place of each patch's object."""
        optimizer = self._optimizer([(self._tower, 1.0), (self._patch_head, 1.0)])
        progress, recent = Progress("vision step", steps, 50), []
        for step in range(steps):
            batch = self._train.batch(VISION_BATCH, self._rng)
            with _fast():
                loss = self._patch_loss(self._features(batch), patch_words(batch.objects))
            self._step(optimizer, loss, min(1.0, (step + 1) / WARMUP) * (1 - 0.7 * step / steps))
            recent.append(loss.item())
            measured = (step + 1) % 300 == 0 or step + 1 == steps
            note = f"  per-image AUC {self._vision_auc():.3f}" if measured else ""
            progress(step + 1, f"loss {np.mean(recent[-50:]):.3f}{note}")

    def _features(self, batch: SceneSet) -> Tensor:
        """(scenes, 64, width) float32: the vision tower's patches, without its class token."""
        features: Tensor = self._tower(normalized(batch.pixels)).last_hidden_state[:, 1:]
        return features

    def _patch_loss(self, features: Tensor, targets: Tensor) -> Tensor:
        scores = self._patch_head(features)
        return functional.binary_cross_entropy_with_logits(scores, targets, reduction="none").sum(-1).mean()

    def train_answers(self, steps: int) -> None:
        """Stage 2: end to end, the vision tower at a lower rate."""
        vision = [(self._tower, VISION_RATE), (self._patch_head, VISION_RATE)]
        language = [(self.model.model.multi_modal_projector, 1.0), (self.model.model.language_model, 1.0)]
        optimizer = self._optimizer(vision + language)
        progress, recent = Progress("answer step", steps, 50), []
        for step in range(steps):
            batch = self._train.batch(BATCH, self._rng)
            with _fast():
                answers, others = self._losses(batch)
            self._step(optimizer, answers + others, cosine(step, steps, WARMUP))
            recent.append(answers.item())
            measured = (step + 1) % 200 == 0 or step + 1 == steps
            note = f"  {self._accuracy()}" if measured else ""
            progress(step + 1, f"loss {np.mean(recent[-50:]):.3f}{note}")

    def _losses(self, batch: SceneSet) -> tuple[Tensor, Tensor]:
        """The answers' loss, and the sum of the helpers': end of answer, patches, spelling."""
        packed = self._packer.pack([self._training_questions(objects) for objects in batch.objects])
        features, targets = self._features(batch), patch_words(batch.objects)
        hidden, images = self._read(packed, features)
        before_answer = self.model.lm_head(hidden[packed.rows, packed.columns])
        before_end = self.model.lm_head(hidden[packed.rows, packed.columns + 1])
        end = functional.cross_entropy(before_end, torch.full_like(packed.answers, llava.EOS))
        others = END_WEIGHT * end + PATCH_WEIGHT * self._patch_loss(features, targets)
        others = others + SPELL_WEIGHT * self._spelling_loss(images, targets)
        return functional.cross_entropy(before_answer, packed.answers), others

    def _read(self, packed: Packed, features: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states (scenes, tokens, width) of the packed prompts, and the projected image tokens."""
        images = self.model.model.multi_modal_projector(features)
        words = self.model.get_input_embeddings()(packed.ids)
        start = self._packer.image_start
        embedded = torch.cat([words[:, :start], images, words[:, start + images.shape[1] :]], 1)
        output = self.model.model.language_model(
            inputs_embeds=embedded, attention_mask=packed.mask, position_ids=packed.positions, use_cache=False
        )
        return output.last_hidden_state, images

    def _spelling_loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Each image token, read through the output layer, should spell what its patch shows, "." where nothing is."""
        scores, total, start = self.model.lm_head(images).float(), torch.zeros(()), 0
        for group, tokens in zip(WORD_GROUPS, self._spelled, strict=True):
            truth = targets[..., start : start + len(group)]
            start += len(group)
            if len(tokens) > len(group):
                truth = torch.cat([truth, (truth.sum(-1, keepdim=True) == 0).float()], -1)
            amount = truth.sum(-1, keepdim=True)
            wanted = truth / amount.clamp(min=1)
            loss = -(wanted * functional.log_softmax(scores[..., tokens], -1)).sum(-1)
            total = total + loss.sum() / (amount > 0).sum().clamp(min=1) * (1.0 if group is CATEGORIES else 0.4)
        return total

    @torch.no_grad()
    def _vision_auc(self) -> float:
        scores = []
        for rows in np.array_split(np.arange(len(self._validation)), 5):
            patches = self._tower(normalized(self._validation.pixels[rows])).last_hidden_state[:, 1:]
            scores.append(self._patch_head(patches).amax(1)[:, : len(CATEGORIES)].numpy())
        here = [{item.category for item in objects} for objects in self._validation.objects]
        present = np.array([[category in names for category in CATEGORIES] for names in here])
        return present_above_absent(np.concatenate(scores), present)

    @torch.no_grad()
    def _accuracy(self) -> str:
        """Accuracy by kind of question on the validation scenes, from the answer position's yes and no."""
        right: dict[str, list[bool]] = {}
        for rows in np.array_split(np.arange(len(self._validation)), 10):
            asked = [self._asked[row] for row in rows]
            packed = self._packer.pack([[(q.text, _word(q)) for q in row] for row in asked])
            features = self._tower(normalized(self._validation.pixels[rows])).last_hidden_state[:, 1:]
            hidden, _ = self._read(packed, features)
            told = self.model.lm_head(hidden[packed.rows, packed.columns]).argmax(-1) == packed.answers
            for item, good in zip((q for row in asked for q in row), told.tolist(), strict=True):
                name = item.kind if item.kind != "object" else f"object-{'yes' if item.answer else 'no'}"
                right.setdefault(name, []).append(good)
        return " ".join(f"{name} {np.mean(values):.3f}" for name, values in sorted(right.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint, created when missing")
    parser.add_argument("--vision-steps", type=int, default=VISION_STEPS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--scenes", type=int, default=len(LVLM_TRAINING_SEEDS), help="training scenes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    trainer = Trainer(arguments.scenes)
    trainer.train_vision(arguments.vision_steps)
    trainer.train_answers(arguments.steps)
    arguments.out.mkdir(parents=True, exist_ok=True)
    llava.save(trainer.model, trainer.processor, arguments.out)
    print(f"saved in {arguments.out}")


if __name__ == "__main__":
    main()
