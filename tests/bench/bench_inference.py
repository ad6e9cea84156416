"""Questions per second against what peers do, on a LLaVA of about 70M random parameters with 576 image tokens.

36 questions per image of which half are unique, as a suite of splits asks them. Peers: a per-question generate loop (VLMEvalKit)
and left-padded batches of 16 (lmms-eval), both with `PEER_TOKENS` new tokens; ours reads the first. All sides run in turn on
the same images, and seconds are the process's CPU seconds, so that other work on the machine changes little.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image

from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.card import ModelCard
from tests.checkpoints import tokenizer_with

FOLDER = Path("build/bench/llava-70m")
QUESTIONS, UNIQUE = 36, 18
PEER_TOKENS = 8
NAIVE_SAMPLE = 8
"""Questions of an image that the slowest side is timed on."""
IMAGES = 3
"""Images of a round, asked together by ours."""
THINGS = [
    "person",
    "bicycle",
    "car",
    "bus",
    "truck",
    "boat",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "bear",
    "zebra",
    "umbrella",
    "tie",
    "kite",
    "cup",
    "fork",
    "bowl",
    "cake",
]
PLACES = ("", " on the table", " next to the person", " that is red", " near the window")


@dataclass(frozen=True)
class Sizes:
    """The model's dimensions, for the FLOP floor."""

    hidden: int = 512
    inner: int = 1376
    layers: int = 8
    vocabulary: int = 32064
    vision_hidden: int = 384
    vision_layers: int = 6
    vision_tokens: int = 577


def build(folder: Path = FOLDER, sizes: Sizes = Sizes()) -> Path:
    """Save the model, once: its first token is always a yes or a no, decided by image and question."""
    if (folder / "model.safetensors").is_file():
        return folder
    tokenizer = tokenizer_with()
    images = hf.CLIPImageProcessor(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    template = (
        "{{ bos_token }}A chat between a curious human and an artificial intelligence assistant. {% for m in messages %}USER: "
        "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} "
        "{% endfor %}ASSISTANT:"
    )
    processor = hf.LlavaProcessor(
        images, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=template,
    )  # fmt: skip
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(
            hidden_size=sizes.vision_hidden, intermediate_size=4 * sizes.vision_hidden, num_hidden_layers=sizes.vision_layers,
            num_attention_heads=6, image_size=336, patch_size=14,
        ),
        text_config=hf.LlamaConfig(
            hidden_size=sizes.hidden, intermediate_size=sizes.inner, num_hidden_layers=sizes.layers, num_attention_heads=8,
            vocab_size=sizes.vocabulary, max_position_embeddings=4096, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.image_token_id,
    )  # fmt: skip
    model = hf.LlavaForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(0)
    words = {word: [i for t, i in tokenizer.get_vocab().items() if t.strip("Ġ").lower() == word] for word in ("yes", "no")}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                weight.copy_(
                    torch.randn(weight.shape, generator=generator) * (1.0 if "embed" in name else weight.shape[1] ** -0.5)
                )
        head = model.get_output_embeddings().weight
        row = 4000 * head[words["yes"][0]].clone()
        head[words["yes"]], head[words["no"]] = row, -row
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def questions(seed: int) -> list[str]:
    """36 prompts in a random order, 18 of them unique."""
    rng = random.Random(seed)
    things = rng.sample(THINGS, UNIQUE)
    unique = [
        f"Is there a {thing}{rng.choice(PLACES) if i % 2 else ''} in the image? Please answer yes or no."
        for i, thing in enumerate(things)
    ]
    asked = [*unique, *rng.choices(unique, k=QUESTIONS - UNIQUE)]
    rng.shuffle(asked)
    return asked


def picture(seed: int) -> Image.Image:
    """A drawn 640 x 480 image."""
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC)


class Peers:
    """The documented calls, as the peers make them."""

    def __init__(self, folder: Path) -> None:
        self.processor = hf.AutoProcessor.from_pretrained(folder)
        self.processor.tokenizer.padding_side = "left"
        self.model = hf.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.no_grad()
    def ask(self, image: Image.Image, prompts: list[str]) -> int:
        """One batch of questions; returns the tokens generated."""
        chats = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}] for prompt in prompts]
        texts = [self.processor.apply_chat_template(chat, add_generation_prompt=True) for chat in chats]
        inputs = self.processor(
            images=[image] * len(prompts), text=texts, return_tensors="pt", padding=True, add_special_tokens=False
        )
        made = self.model.generate(**inputs, max_new_tokens=PEER_TOKENS, do_sample=False)
        return int(made.shape[1] - inputs["input_ids"].shape[1])


def floor_seconds(length: int, suffix: float, asked: int, rate: float, sizes: Sizes = Sizes()) -> float:
    """Seconds an image needs at least, at `rate` FLOP/s: vision tower once, prefix once, each question's own tokens once."""
    layer = 2 * (4 * sizes.hidden**2 + 3 * sizes.hidden * sizes.inner)
    vision = (
        sizes.vision_tokens
        * sizes.vision_layers
        * (2 * 12 * sizes.vision_hidden**2 + 4 * sizes.vision_tokens * sizes.vision_hidden)
    )
    projector = 2 * 576 * (sizes.vision_hidden * sizes.hidden + sizes.hidden**2)
    tokens = length + asked * suffix
    attention = 4 * sizes.hidden * sizes.layers * (length * length / 2 + asked * suffix * length)
    return (vision + projector + layer * sizes.layers * tokens + attention + 2 * sizes.hidden * sizes.vocabulary * asked) / rate


def matmul_rate(seconds: float = 1.5) -> float:
    """FLOP/s of the prefix's largest matrix product, float32, with torch's threads."""
    x, w = torch.randn(628, 512), torch.randn(1376, 512)
    for _ in range(20):
        torch.nn.functional.linear(x, w)
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        torch.nn.functional.linear(x, w)
        count += 1
    return 2 * 628 * 512 * 1376 * count / (time.process_time() - start)


@contextmanager
def model_seconds(model: Any) -> Iterator[list[float]]:
    """Adds up the time inside the model's outermost forwards."""
    spent, begun = [0.0], [0.0]
    parts = [model]
    before = [part.register_forward_pre_hook(lambda *_: begun.__setitem__(0, time.process_time())) for part in parts]
    after = [
        part.register_forward_hook(lambda *_: spent.__setitem__(0, spent[0] + time.process_time() - begun[0])) for part in parts
    ]
    try:
        yield spent
    finally:
        for hook in (*before, *after):
            hook.remove()


def _timed(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def bench_inference(rounds: int = 3) -> dict[str, Any]:
    """Questions per second of each side and their ratios (medians of rounds), the FLOP floor's share and the overhead."""
    # One thread: threads that wait for each other on a busy machine would count as work.
    torch.set_num_threads(1)
    folder = build()
    ours = TransformersModel(ModelCard(name="bench", checkpoint=str(folder), dtype="float32", device="cpu"))
    ours.load()
    peers = Peers(folder)
    times: dict[str, list[float]] = {name: [] for name in ("loop", "batched", "ours", "undeduplicated")}
    shares: list[float] = []
    overheads: list[float] = []
    for prompts in (list(dict.fromkeys(questions(99))), questions(99)):
        image = picture(99)
        ours.answer([(image, prompt) for prompt in prompts])
    for number in range(rounds):
        seeds = range(number * IMAGES, (number + 1) * IMAGES)
        asked = [(picture(seed), questions(seed)) for seed in seeds]
        image, prompts = asked[0]
        loop = _timed(lambda image=image, prompts=prompts: [peers.ask(image, [prompt]) for prompt in prompts[:NAIVE_SAMPLE]])
        times["loop"].append(NAIVE_SAMPLE / loop)
        times["batched"].append(16 / _timed(lambda image=image, prompts=prompts: peers.ask(image, prompts[:16])))
        batch = [(image, prompt) for image, prompts in asked for prompt in dict.fromkeys(prompts)]
        rate = matmul_rate()
        with model_seconds(ours._model) as inside:
            seconds = _timed(lambda batch=batch: ours.answer(batch))
        times["ours"].append(IMAGES * QUESTIONS / seconds)
        overheads.append(1 - inside[0] / seconds)
        shares.append(IMAGES * _floor(ours, batch, rate) / seconds)
        every = [(image, prompt) for image, prompts in asked for prompt in prompts]
        seconds = _timed(lambda every=every: [ours.answer(every[i : i + QUESTIONS]) for i in range(0, len(every), QUESTIONS)])
        times["undeduplicated"].append(IMAGES * QUESTIONS / seconds)
    ratios = {
        f"{ours_name}_vs_{peer}": statistics.median(a / b for a, b in zip(times[ours_name], times[peer], strict=True))
        for ours_name in ("ours", "undeduplicated")
        for peer in ("loop", "batched")
    }
    return {
        "parameters_million": sum(weight.numel() for weight in ours._model.parameters()) / 1e6,
        "path": ours.report.path,
        "tokens_generated": f"loop and batched {PEER_TOKENS}, ours 1",
        "threads": torch.get_num_threads(),
        "seconds": "CPU seconds of the process",
        **{f"{name}_questions_per_second": statistics.median(values) for name, values in times.items()},
        **ratios,
        "share_of_flop_floor": statistics.median(shares),
        "overhead_outside_the_model": statistics.median(overheads),
    }


def _floor(model: TransformersModel, batch: list[tuple[Image.Image, str]], rate: float) -> float:
    """Seconds of one of the batch's images at least."""
    assert model._paths is not None
    lengths = [model._paths._decoder.encoder.row(*pair)["input_ids"].shape[1] for pair in batch[:UNIQUE]]
    prefix = min(lengths) - 10
    return floor_seconds(prefix, statistics.mean(lengths) - prefix, UNIQUE, rate)


if __name__ == "__main__":
    import json

    print(json.dumps(bench_inference(), indent=1))
