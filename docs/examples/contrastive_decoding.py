"""Visual contrastive decoding (Leng et al. 2023, arXiv 2311.16922) as an adapter, for checkpoints that transformers knows.

Each token is chosen by what the picture adds: (1 + ALPHA) times its logit with the picture, minus ALPHA times its logit with the
same picture drowned in noise, among the tokens that are likely with the picture (at least BETA of the likeliest's chance).
"""

from __future__ import annotations

import hashlib
import math

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, LogitsProcessor, LogitsProcessorList

ALPHA, BETA = 1.0, 0.1  # the paper's settings for POPE
NOISE_STEP, NOISE_STEPS = 500, 1000


class AgainstNoise(LogitsProcessor):
    """Changes the logits of each step; `blurred` are the model's inputs with the noisy picture."""

    def __init__(self, model, blurred):
        self._model, self._blurred = model, blurred

    def __call__(self, input_ids, scores):
        mask = torch.ones_like(input_ids)
        inputs = {**self._blurred, "input_ids": input_ids, "attention_mask": mask}
        without = self._model(**inputs, use_cache=False).logits[:, -1].to(scores.dtype)
        contrasted = (1 + ALPHA) * scores - ALPHA * without
        return contrasted.masked_fill(scores < scores.max(dim=-1, keepdim=True).values + math.log(BETA), float("-inf"))


class ContrastiveDecoding:
    def __init__(self, card):
        self._card = card

    def load(self):
        self._processor = AutoProcessor.from_pretrained(self._card.checkpoint)
        self._model = AutoModelForImageTextToText.from_pretrained(self._card.checkpoint, device_map="auto").eval()

    def answer(self, batch):
        return [self._one(image, prompt) for image, prompt in batch]

    @torch.inference_mode()
    def _one(self, image, prompt):
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
        text = self._processor.apply_chat_template(chat, add_generation_prompt=True)
        inputs = self._processor(images=image, text=text, return_tensors="pt").to(self._model.device, self._model.dtype)
        blurred = {**inputs, "pixel_values": self._noisy(inputs["pixel_values"], image.info["file_name"])}
        contrast = LogitsProcessorList([AgainstNoise(self._model, blurred)])
        made = self._model.generate(**inputs, max_new_tokens=16, do_sample=False, logits_processor=contrast)
        return self._processor.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    def _noisy(self, pixels, name):
        """The paper's noise of diffusion, half of the way; the same for the same picture, so that a run can be repeated."""
        schedule = torch.sigmoid(torch.linspace(-6, 6, NOISE_STEPS)) * (0.5e-2 - 1e-5) + 1e-5
        kept = torch.cumprod(1 - schedule, 0)[NOISE_STEP]
        seeded = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big"))
        noise = torch.randn(pixels.shape, generator=seeded).to(pixels)
        return kept.sqrt() * pixels + (1 - kept).sqrt() * noise
