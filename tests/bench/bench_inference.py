"""Questions per second against what peers do, on a LLaVA of random weights with 576 image tokens.

36 questions per image of which half are unique, as a suite of splits asks them. Peers: a per-question generate loop (VLMEvalKit)
and left-padded batches of 16 (lmms-eval), both with `PEER_TOKENS` new tokens; ours reads the first. All sides run in turn on
the same images. On a CPU the model has 70M parameters, and seconds are the process's CPU seconds, so that other work on the
machine changes little; where CUDA is there it has 1.6 billion in bfloat16, and seconds are those of the clock.
"""

from __future__ import annotations

import random
import statistics
import tempfile
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
from hope_bench.files.card import ModelCard
from hope_bench.inference.asking import batch_of
from hope_bench.inference.images import steps_with_images
from hope_bench.inference.workers import Workers
from hope_bench.records import Request
from tests.checkpoints import tokenizer_with

QUESTIONS, UNIQUE = 36, 18
PEER_TOKENS = 8
NAIVE_SAMPLE = 8
"""Questions of an image that the slowest side is timed on."""
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
    heads: int = 8
    vocabulary: int = 32064
    vision_hidden: int = 384
    vision_layers: int = 6
    vision_heads: int = 6
    image: int = 336

    @property
    def image_tokens(self) -> int:
        """Patches of 14 x 14 pixels."""
        return (self.image // 14) ** 2


@dataclass(frozen=True)
class Setup:
    """What is measured on: the model's `sizes`, kept in `folder`, and how many `images` a round of ours asks together."""

    folder: Path = Path("build/bench/llava-70m")
    sizes: Sizes = Sizes()
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    images: int = 3
    rounds: int = 3


GPU = Setup(
    Path("build/bench/llava-1.6b"), Sizes(2048, 5504, 24, 16, 32064, 1024, 24, 16), "cuda", torch.bfloat16, images=16, rounds=5
)


def build(folder: Path = Setup.folder, sizes: Sizes = Sizes(), dtype: torch.dtype = torch.float32) -> Path:
    """Save the model, once: its first token is always a yes or a no, decided by image and question."""
    if (folder / "config.json").is_file():
        return folder
    tokenizer = tokenizer_with()
    side = sizes.image
    images = hf.CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
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
            num_attention_heads=sizes.vision_heads, image_size=side, patch_size=14,
        ),
        text_config=hf.LlamaConfig(
            hidden_size=sizes.hidden, intermediate_size=sizes.inner, num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads, vocab_size=sizes.vocabulary, max_position_embeddings=4096,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.image_token_id,
    )  # fmt: skip
    model = hf.LlavaForConditionalGeneration(config).to(dtype)
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

    def __init__(self, setup: Setup) -> None:
        self.processor = hf.AutoProcessor.from_pretrained(setup.folder)
        self.processor.tokenizer.padding_side = "left"
        model = hf.AutoModelForImageTextToText.from_pretrained(setup.folder, dtype=setup.dtype)
        self.model = model.eval().to(setup.device)

    @torch.no_grad()
    def ask(self, image: Image.Image, prompts: list[str]) -> int:
        """One batch of questions; returns the tokens generated."""
        chats = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}] for prompt in prompts]
        texts = [self.processor.apply_chat_template(chat, add_generation_prompt=True) for chat in chats]
        inputs = self.processor(
            images=[image] * len(prompts), text=texts, return_tensors="pt", padding=True, add_special_tokens=False
        ).to(self.model.device, self.model.dtype)
        made = self.model.generate(**inputs, max_new_tokens=PEER_TOKENS, do_sample=False)
        return int(made.shape[1] - inputs["input_ids"].shape[1])


def floor_seconds(length: int, suffix: float, asked: int, rate: float, sizes: Sizes) -> float:
    """Seconds an image needs at least, at `rate` FLOP/s: vision tower once, prefix once, each question's own tokens once."""
    layer = 2 * (4 * sizes.hidden**2 + 3 * sizes.hidden * sizes.inner)
    seen = sizes.image_tokens + 1
    vision = seen * sizes.vision_layers * (2 * 12 * sizes.vision_hidden**2 + 4 * seen * sizes.vision_hidden)
    projector = 2 * sizes.image_tokens * (sizes.vision_hidden * sizes.hidden + sizes.hidden**2)
    tokens = length + asked * suffix
    attention = 4 * sizes.hidden * sizes.layers * (length * length / 2 + asked * suffix * length)
    return (vision + projector + layer * sizes.layers * tokens + attention + 2 * sizes.hidden * sizes.vocabulary * asked) / rate


class Clock:
    """Seconds: the process's CPU seconds on a CPU, those of the clock on a GPU that has done its work."""

    def __init__(self, device: str) -> None:
        self._gpu = device == "cuda"

    def now(self) -> float:
        if self._gpu:
            torch.cuda.synchronize()
        return time.perf_counter() if self._gpu else time.process_time()

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds of one call."""
        start = self.now()
        work()
        return self.now() - start


def matmul_rate(setup: Setup, clock: Clock, seconds: float = 1.5) -> float:
    """FLOP/s of the prefix's largest matrix product, with torch's threads."""
    rows = (setup.sizes.image_tokens + 52) * (setup.images if setup.device == "cuda" else 1)
    x, w = (
        torch.randn(n, setup.sizes.hidden, device=setup.device, dtype=setup.dtype) for n in (rows, setup.sizes.inner)
    )  # fmt: skip
    for _ in range(20):
        torch.nn.functional.linear(x, w)
    count, spent = 0, 0.0
    while spent < seconds:
        spent += clock.timed(lambda: [torch.nn.functional.linear(x, w) for _ in range(50)])
        count += 50
    return 2 * rows * setup.sizes.hidden * setup.sizes.inner * count / spent


@contextmanager
def model_seconds(model: Any, clock: Clock) -> Iterator[list[float]]:
    """Adds up the time inside the model's outermost forwards."""
    spent, begun = [0.0], [0.0]
    hooks = (
        model.register_forward_pre_hook(lambda *_: begun.__setitem__(0, clock.now())),
        model.register_forward_hook(lambda *_: spent.__setitem__(0, spent[0] + clock.now() - begun[0])),
    )
    try:
        yield spent
    finally:
        for hook in hooks:
            hook.remove()


def feeding(ours: TransformersModel, folder: Path, images: int = 24) -> dict[str, float]:
    """CPU milliseconds an image costs the model's own process, read and encoded in its threads or in two worker processes."""
    for number in range(images):
        picture(number).save(folder / f"{number}.jpg", quality=92)
    steps = [tuple(Request(f"{n}.jpg", text, text) for text in dict.fromkeys(questions(n))) for n in range(images)]
    spent = {}
    assert ours._paths is not None
    for name in ("threads", "workers"):
        ready = (
            steps_with_images(steps, folder, {}, lambda step, images: ours.prepare(batch_of(step, images)))
            if name == "threads"
            else Workers(2, print).steps(ours, steps, folder, {})
        )
        next(ready)
        start = time.process_time()
        for step, pictures in ready:
            ours._paths.forget(batch_of(step, pictures))
        spent[name] = 1000 * (time.process_time() - start) / (images - 1)
    return spent


def bench_inference(setup: Setup | None = None) -> dict[str, Any]:
    """Questions per second of each side and their ratios (medians of rounds), the FLOP floor's share and the overhead."""
    if setup is None:
        setup = GPU if torch.cuda.is_available() else Setup()
    if setup.device == "cpu":
        # One thread: threads that wait for each other on a busy machine would count as work.
        torch.set_num_threads(1)
    clock = Clock(setup.device)
    build(setup.folder, setup.sizes, setup.dtype)
    dtype: Any = str(setup.dtype).removeprefix("torch.")
    card = ModelCard(name="bench", checkpoint=str(setup.folder), dtype=dtype, device=setup.device, batch_size=32 * setup.images)
    ours, peers = TransformersModel(card), Peers(setup)
    ours.load()
    times: dict[str, list[float]] = {name: [] for name in ("loop", "batched", "ours", "undeduplicated", "ours_encoded_ahead")}
    shares: list[float] = []
    overheads: list[float] = []
    _warm_up(ours, setup)
    rate = 0.0
    for number in range(setup.rounds):
        seeds = range(number * setup.images, (number + 1) * setup.images)
        asked = [(picture(seed), questions(seed)) for seed in seeds]
        image, prompts = asked[0]
        loop = clock.timed(lambda image=image, prompts=prompts: [peers.ask(image, [one]) for one in prompts[:NAIVE_SAMPLE]])
        times["loop"].append(NAIVE_SAMPLE / loop)
        times["batched"].append(16 / clock.timed(lambda image=image, prompts=prompts: peers.ask(image, prompts[:16])))
        batch = [(image, prompt) for image, prompts in asked for prompt in dict.fromkeys(prompts)]
        rate = matmul_rate(setup, clock)
        with model_seconds(ours._model, clock) as inside:
            seconds = clock.timed(lambda batch=batch: ours.answer(batch))
        times["ours"].append(setup.images * QUESTIONS / seconds)
        overheads.append(1 - inside[0] / seconds)
        shares.append(setup.images * _floor(ours, batch, rate, setup.sizes) / seconds)
        ours.prepare(batch)
        times["ours_encoded_ahead"].append(setup.images * QUESTIONS / clock.timed(lambda batch=batch: ours.answer(batch)))
        every = [(image, prompt) for image, prompts in asked for prompt in prompts]
        seconds = clock.timed(
            lambda every=every: [ours.answer(every[i : i + QUESTIONS]) for i in range(0, len(every), QUESTIONS)]
        )
        times["undeduplicated"].append(setup.images * QUESTIONS / seconds)
    ratios = {
        f"{ours_name}_vs_{peer}": statistics.median(a / b for a, b in zip(times[ours_name], times[peer], strict=True))
        for ours_name in ("ours", "undeduplicated")
        for peer in ("loop", "batched")
    }
    with tempfile.TemporaryDirectory() as folder:
        milliseconds = feeding(ours, Path(folder))
    return {
        "parameters_million": sum(weight.numel() for weight in ours._model.parameters()) / 1e6,
        "device": ours.info.device,
        "dtype": dtype,
        "path": ours.report.path,
        "tokens_generated": f"loop and batched {PEER_TOKENS}, ours 1",
        "threads": torch.get_num_threads(),
        "seconds": "of the clock" if setup.device == "cuda" else "CPU seconds of the process",
        **{f"{name}_questions_per_second": statistics.median(values) for name, values in times.items()},
        **ratios,
        "matmul_teraflops": rate / 1e12,
        "share_of_flop_floor": statistics.median(shares),
        "overhead_outside_the_model": statistics.median(overheads),
        "cpu_ms_an_image_costs_the_model's_process": milliseconds,
    }


def _warm_up(ours: TransformersModel, setup: Setup) -> None:
    """Ask once in each way, self-checks included."""
    pictures = [picture(1000 + number) for number in range(setup.images)]
    prompts = questions(99)
    ours.answer([(image, prompt) for image in pictures for prompt in dict.fromkeys(prompts)])
    ours.answer([(pictures[0], prompt) for prompt in prompts])


def _floor(model: TransformersModel, batch: list[tuple[Image.Image, str]], rate: float, sizes: Sizes) -> float:
    """Seconds of one of the batch's images at least."""
    assert model._encoder is not None
    lengths = [row["input_ids"].shape[1] for row in model._encoder.rows(batch[:UNIQUE])]
    prefix = min(lengths) - 10
    return floor_seconds(prefix, statistics.mean(lengths) - prefix, UNIQUE, rate, sizes)


if __name__ == "__main__":
    import json

    print(json.dumps(bench_inference(), indent=1))
