"""A loaded model is asked as its checkpoint would be, and left as it was; any object that answers will do, too."""

from __future__ import annotations

import copy
import io
import random
import types
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, LlamaConfig, LlavaModel

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.given import adapter_of, card_of
from hope_bench.adapters.identity import weights_sha256
from hope_bench.adapters.loaded_model import LoadedModel
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.clip.exact import computing_exactly
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.inference.engine import EvaluateOptions, evaluate
from tests.checkpoints import pictures, prompts
from tests.engine import benchmark, by_brightness, lines, options  # noqa: F401 - fixtures

Checkpoint = Callable[[str], Path]
FAMILIES = ("llava", "qwen2_5_vl", "gemma3")
BATCH = [(image, prompt) for image in pictures(3) for prompt in prompts(3)]

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*"),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


def load(folder: Path) -> tuple[Any, Any]:
    return AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)


def asked(model: Any, processor: Any, **settings: Any) -> LoadedModel:
    adapter = LoadedModel(model, processor, card_of(model, max_new_tokens=4, **settings))
    adapter.load()
    return adapter


def in_training(model: Any, processor: Any) -> None:
    """As training code leaves a model: all of this would change answers, or be changed by asking."""
    model.train()
    next(model.children()).eval()
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.9
            module.train()
    model.gradient_checkpointing_enable()
    model.config.use_cache = False
    for place, weight in enumerate(model.parameters()):
        weight.requires_grad_(place % 3 > 0)
        if place % 3 == 1:
            weight.grad = torch.full_like(weight, 0.5)
    model.generation_config.do_sample, model.generation_config.temperature = True, 3.0
    processor.tokenizer.padding_side, processor.tokenizer.pad_token = "right", None
    processor.tokenizer.backend_tokenizer.enable_truncation(512)

    def takes_random_numbers(*_: Any) -> None:
        torch.rand(3), np.random.rand(3), random.random()
        model.seen += 1  # in place, as a running mean is
        model.kept.append(model.seen.item())

    model.register_buffer("seen", torch.zeros(1))
    model.kept = deque([1])
    model.register_forward_pre_hook(takes_random_numbers)


def state_of(model: Any, processor: Any) -> dict[str, Any]:
    """All that asking could change, in comparable form."""
    tokenizer = processor.tokenizer
    return {
        "weights": {name: (value.dtype, value.device, value.numpy().tobytes()) for name, value in model.state_dict().items()},
        "gradients": {
            name: (weight.requires_grad, None if weight.grad is None else (id(weight.grad), weight.grad.sum().item()))
            for name, weight in model.named_parameters()
        },
        "modules": {
            name: {
                key: (list(value) if isinstance(value, dict | set | list | deque) else None, id(value))
                for key, value in vars(module).items()
            }
            for name, module in model.named_modules()
        },
        "training": {name: module.training for name, module in model.named_modules()},
        "buffers": {name: value.numpy().tobytes() for name, value in model.named_buffers()},
        "generation": [copy.deepcopy(part.generation_config.to_dict()) for part in model.modules() if _generates(part)],
        "config": copy.deepcopy(model.config.to_dict()),
        "attention": model.config._attn_implementation,
        "processor": [
            str(processor.to_dict()), processor.chat_template, id(processor.image_processor), tokenizer.padding_side,
            tokenizer.pad_token, tokenizer.backend_tokenizer.to_str(),
        ],
        "random": [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()],
        "torch": [torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads(), tf32()],
    }  # fmt: skip


def _generates(part: Any) -> bool:
    return getattr(part, "generation_config", None) is not None


def tf32() -> list[Any]:
    backends: Any = torch.backends
    places = (backends, backends.cudnn, backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)
    return [place.fp32_precision for place in places] + [backends.cuda.cudnn_sdp_enabled()]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_in_training_is_left_as_it_was(family: str, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    model, processor = load(checkpoint(family))
    in_training(model, processor)
    adapter = LoadedModel(model, processor, card_of(model, max_new_tokens=4), identity="in training")
    before = state_of(model, processor)

    assert adapter.info.identity == "in training"
    assert len(weights_sha256(model)) == 64
    adapter.load()
    adapter.prepare(BATCH[:3])
    first = adapter.answer(BATCH)
    assert state_of(model, processor) == before
    assert adapter.answer(BATCH) == first
    assert state_of(model, processor) == before
    assert {answer.error for answer in first} == {None}

    def out_of_memory(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(type(model.get_output_embeddings()), "forward", out_of_memory)
    assert all("memory" in str(answer.error) for answer in adapter.answer(BATCH))
    monkeypatch.setattr(type(model.get_output_embeddings()), "forward", lambda *_: 1 / 0)
    with pytest.raises(Exception, match=r"division|ZeroDivision|not"):
        adapter.answer(BATCH[:1])
    assert state_of(model, processor) == before


def test_torchs_settings_are_as_they_were_however_they_were_set() -> None:
    backends: Any = torch.backends
    before = backends.fp32_precision, tf32()
    try:
        for change in (
            lambda: None,
            lambda: setattr(backends.cudnn, "allow_tf32", True),
            lambda: torch.set_float32_matmul_precision("high"),
            lambda: setattr(backends, "fp32_precision", "tf32"),  # as transformers' Trainer does; the older flags then raise
        ):
            change()
            now = tf32()
            with computing_exactly():
                inside = [place.fp32_precision for place in (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)]
                assert inside == ["ieee"] * 3
                assert not backends.cuda.cudnn_sdp_enabled()
            assert tf32() == now
    finally:
        backends.fp32_precision = before[0]
        for place, value in zip((backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul), before[1][2:5], strict=True):
            place.fp32_precision = value
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_the_checkpoint(family: str, checkpoint: Checkpoint) -> None:
    folder = checkpoint(family)
    by_folder = TransformersModel(ModelCard(name="tiny", checkpoint=str(folder), device="cpu", max_new_tokens=4))
    by_folder.load()
    expected = by_folder.answer(BATCH)
    model, processor = load(folder)
    in_training(model, processor)
    processor.tokenizer.pad_token = by_folder._encoder._processor.tokenizer.pad_token  # type: ignore[union-attr]
    ours = asked(model, processor)
    same(ours.answer(BATCH), expected)
    assert ours.report.path == by_folder.report.path
    assert [check.what for check in ours.report.checks] == [check.what for check in by_folder.report.checks]


def same(found: list[RawAnswer], expected: list[RawAnswer]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.complete, one.error) == (other.text, other.complete, other.error)
        assert one.p_yes == pytest.approx(other.p_yes, abs=1e-6)
        assert one.mass == pytest.approx(other.mass, abs=1e-6)


@contextmanager
def one_process() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def test_wrapped_models_are_the_model_within(checkpoint: Checkpoint) -> None:
    model, processor = load(checkpoint("llava"))
    plain = asked(model, processor)
    expected = plain.answer(BATCH)
    with one_process():
        for wrapped in (
            torch.compile(model),
            torch.nn.parallel.DistributedDataParallel(model),
            torch.nn.parallel.DistributedDataParallel(torch.compile(model)),
        ):
            adapter = asked(wrapped, processor)
            same(adapter.answer(BATCH), expected)
            assert adapter.info == plain.info
    model.compile(fullgraph=True)  # in place: a call of the model would compile it
    same(asked(model, processor).answer(BATCH), expected)
    with torch.autocast("cpu", torch.bfloat16):
        same(asked(model, processor).answer(BATCH), expected)


def changed_code(model: Any, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """What people do to a model to see whether it hallucinates less."""
    decoder = model.get_decoder().layers[0]
    if how == "hook":
        decoder.register_forward_hook(lambda *given: given[-1])
    elif how == "forward":
        decoder.mlp.forward = lambda hidden: hidden * 0
    elif how == "method":
        model.get_image_features = types.MethodType(lambda *_, **__: None, model)
    else:
        monkeypatch.setattr(type(decoder.mlp), "forward", lambda *given: given[-1] * 0)


@pytest.mark.parametrize("how", ["hook", "forward", "method", "class"])
def test_code_of_ones_own_in_a_model_takes_an_identity(how: str, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    model, processor = load(checkpoint("llava"))
    changed_code(model, monkeypatch, how)
    with pytest.raises(HopeBenchError, match=r'say which model it is, identity="'):
        _ = asked(model, processor).info
    told = adapter_of(model, processor, card_of(model), identity="steered, 0.5")
    assert (told.info.identity, told.info.said) == ("steered, 0.5", "steered, 0.5")


class Another(torch.nn.Linear):
    """A layer of one's own, of the same weights."""


def test_whatever_answers_depend_on_tells_a_model_from_another(checkpoint: Checkpoint) -> None:
    model, processor = load(checkpoint("llava"))
    plain = asked(model, processor).info.identity

    def identity_with(change: Callable[[], Callable[[], None]]) -> str:
        back = change()
        found = asked(model, processor).info.identity
        back()
        assert asked(model, processor).info.identity == plain
        return found

    decoder = model.get_decoder()
    attention, head, frequencies = decoder.layers[0].self_attn, model.lm_head, decoder.rotary_emb.inv_freq

    def scaled() -> Callable[[], None]:
        attention.scaling *= 5
        return lambda: setattr(attention, "scaling", attention.scaling / 5)

    def turned() -> Callable[[], None]:
        before = frequencies.clone()
        frequencies.mul_(0.1)
        return lambda: frequencies.copy_(before)

    def replaced() -> Callable[[], None]:
        head.__class__ = Another
        return lambda: setattr(head, "__class__", torch.nn.Linear)

    assert len({plain, *map(identity_with, (scaled, turned, replaced))}) == 4


def test_extra_state_is_told_by_what_it_holds() -> None:
    class Kept(torch.nn.Module):
        def __init__(self, kept: Any) -> None:
            super().__init__()
            self._kept = kept

        def get_extra_state(self) -> Any:
            return self._kept

        def set_extra_state(self, state: Any) -> None:
            self._kept = state

    large = torch.zeros(100, 100)
    other = large.clone()
    other[50, 50] = 1  # which torch doesn't show
    same, differing = (weights_sha256(Kept({"w": one})) for one in (large.clone(), other))
    assert same == weights_sha256(Kept({"w": large}))
    assert same != differing
    assert (
        weights_sha256(Kept(io.BytesIO(b"a"))) == weights_sha256(Kept(io.BytesIO(b"a"))) != weights_sha256(Kept(io.BytesIO(b"b")))
    )
    with pytest.raises(HopeBenchError, match="identity="):
        weights_sha256(Kept(lambda: 0))


def test_weights_of_several_formats_are_asked_under_the_callers_autocast(checkpoint: Checkpoint) -> None:
    model, processor = load(checkpoint("llava"))
    model.model.vision_tower.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        adapter = asked(model, processor)
        assert {answer.error for answer in adapter.answer(BATCH)} == {None}
        assert adapter.info.dtype == "several, autocast to bfloat16"


def test_threads_take_turns_with_a_model(checkpoint: Checkpoint) -> None:
    model, processor = load(checkpoint("llava"))
    model.train()
    settings = model.generation_config
    adapters = [asked(model, processor) for _ in range(2)]
    expected = adapters[0].answer(BATCH)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda adapter: adapter.answer(BATCH), adapters * 3):
            same(found, expected)
    assert model.training
    assert model.generation_config is settings


@pytest.fixture
def accelerate_state() -> Iterator[None]:
    """Accelerate keeps one state per process: whatever a Trainer of another test left is dropped, and ours after it."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("accelerate_state")
def test_mixed_precision_of_accelerate_stays_in_place(checkpoint: Checkpoint) -> None:
    from accelerate import Accelerator

    model, processor = load(checkpoint("llava"))
    expected = asked(model, processor).answer(BATCH)
    accelerator = Accelerator(mixed_precision="bf16", cpu=True)
    prepared = accelerator.prepare(model)
    forward, original = vars(model)["forward"], vars(model)["_original_forward"]
    same(asked(prepared, processor).answer(BATCH), expected)
    assert (vars(model)["forward"], vars(model)["_original_forward"]) == (forward, original)


def test_a_peft_model_is_asked_with_its_adapters(checkpoint: Checkpoint) -> None:
    peft = pytest.importorskip("peft")
    model, processor = load(checkpoint("llava"))
    base = asked(model, processor)
    without = base.answer(BATCH)
    lora = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=4, init_lora_weights=False)
    wrapped = peft.get_peft_model(model, lora).train()
    adapter = asked(wrapped, processor)
    answers = adapter.answer(BATCH)
    assert [one.p_yes for one in answers] != [one.p_yes for one in without]
    assert wrapped.training
    identity = adapter.info.identity
    with wrapped.disable_adapter():
        same(asked(wrapped, processor).answer(BATCH), without)
        assert asked(wrapped, processor).info.identity != identity
    prompt = peft.PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM")
    learnt = peft.get_peft_model(load(checkpoint("llava"))[0], prompt)
    with pytest.raises(HopeBenchError, match="learnt prompt"):
        asked(learnt, processor)


def test_the_identity_is_of_all_that_answers_depend_on(checkpoint: Checkpoint) -> None:
    def identity(change: Callable[[Any, Any], object] = lambda *_: None) -> str:
        model, processor = load(checkpoint("llava"))
        change(model, processor)
        return LoadedModel(model, processor, card_of(model)).info.identity

    def bit(model: Any, _: Any) -> None:
        weight = model.get_output_embeddings().weight.data.view(torch.int32)
        weight[3, 3] ^= 1

    own = identity()
    assert identity() == own
    assert identity(in_training_only) == own
    others = {
        identity(bit),
        identity(lambda model, _: model.to(torch.bfloat16)),
        identity(lambda _, processor: setattr(processor, "chat_template", processor.chat_template + " ")),
        identity(lambda _, processor: setattr(processor.image_processor, "image_mean", [0.1, 0.2, 0.3])),
        identity(lambda model, _: setattr(model.config, "vision_feature_layer", 0)),
        identity(lambda _, processor: processor.tokenizer.add_tokens(["yesss"])),
    }
    assert len(others | {own}) == 7


def in_training_only(model: Any, processor: Any) -> None:
    """What makes no difference to answers."""
    model.train()
    model.config.use_cache = False
    processor.tokenizer.padding_side = "right"
    processor.tokenizer.backend_tokenizer.enable_truncation(512)


def test_a_run_knows_the_model_again(
    benchmark: Benchmark,  # noqa: F811
    options: EvaluateOptions,  # noqa: F811
    checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, processor = load(checkpoint("llava"))
    card = card_of(model, "A model", batch_size=4)
    record = evaluate(benchmark, card, options, adapter=LoadedModel(model, processor, card))
    assert (record.complete, record.errors, record.run.weights_sha256 is not None) == (True, 0, True)
    again, other = load(checkpoint("llava"))
    monkeypatch.setattr(LoadedModel, "answer", None)
    evaluate(benchmark, card, options, adapter=LoadedModel(again, other, card))
    with torch.no_grad():
        next(iter(again.parameters()))[0] += 1
    with pytest.raises(HopeBenchError, match="another checkpoint"):
        evaluate(benchmark, card, options, adapter=LoadedModel(again, other, card))


REFUSED: list[tuple[Callable[[Any, Any], tuple[Any, Any]], str]] = [
    (lambda model, _: (model, None), "needs the processor"),
    (lambda model, processor: (model, processor.tokenizer), "whole processor"),
    (lambda model, processor: (model, processor.image_processor), "whole processor"),
    (lambda _, processor: (AutoModelForCausalLM.from_config(tiny_text()), processor), "image-text-to-text"),
    (lambda model, processor: (LlavaModel(model.config), processor), "AutoModelForImageTextToText"),
    (lambda _, processor: (torch.nn.Linear(2, 2), processor), "no transformers model"),
    (lambda _, processor: ("org/model", processor), "names a model"),
    (lambda *_: (3, None), "A int is no model"),
    (lambda *_: (None, None), "no model"),
    (lambda *_: (LoadedModel, None), "is a class"),
    (lambda model, processor: (model, without_template(processor)), "no chat template"),
    (lambda model, processor: (model.to("meta"), processor), "no weights yet"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_asked_is_refused_in_words(given: Any, words: str, checkpoint: Checkpoint) -> None:
    model, processor = given(*load(checkpoint("llava")))
    with pytest.raises(HopeBenchError, match=words):
        adapter_of(model, processor, card_of(model))


def tiny_text() -> LlamaConfig:
    return LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)


def without_template(processor: Any) -> Any:
    processor.chat_template = None
    return processor


def test_weights_that_are_spread_over_processes_are_refused(checkpoint: Checkpoint) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

    with one_process():
        model, processor = load(checkpoint("llava"))
        sharded = fully_shard(model, mesh=distributed.init_device_mesh("cpu", (1,)))
        for spread in (sharded, FullyShardedDataParallel(load(checkpoint("llava"))[0], device_id=torch.device("cpu"))):
            with pytest.raises(HopeBenchError, match="Save a checkpoint"):
                adapter_of(spread, processor, card_of(model))


def test_settings_of_loading_have_no_place() -> None:
    with pytest.raises(HopeBenchError, match="dtype would have no effect"):
        card_of(object(), dtype="float32")
    with pytest.raises(HopeBenchError, match="batch_sise"):
        card_of(object(), batch_sise=3)


class Bright:
    """An object that answers, and says which version it is."""

    def __init__(self, identity: str | None = None) -> None:
        if identity is not None:
            self.identity = identity
        self.batches = self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def answer(self, batch: Any) -> list[Any]:
        self.batches += 1
        return [str(one.text) for one in by_brightness(batch)]


def test_an_object_that_answers_is_a_model(benchmark: Benchmark, options: EvaluateOptions) -> None:  # noqa: F811
    said: list[str] = []
    bright = Bright("v1")
    card = card_of(bright, batch_size=4)
    record = evaluate(benchmark, card, options, adapter=adapter_of(bright, None, card, said.append))
    assert (record.complete, record.errors, bright.loads, said) == (True, 0, 1, [])
    assert {line["verdict"] for line in lines(options, "bright")} == {"yes", "no"}

    for version, batches in (("v1", 0), ("v2", 4)):  # the same one is known again, another one is asked anew
        other = Bright(version)
        evaluate(benchmark, card, options, adapter=adapter_of(other, None, card))
        assert other.batches == batches
    adapter_of(Bright(), None, card, said.append)
    assert "Nothing tells one Bright from another" in said[0]
    with pytest.raises(HopeBenchError, match="not a text"):
        adapter_of(Bright(3), None, card)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (lambda _: None, "gave nothing"),
        (lambda _: ["yes"], "gave 1 answer to 3"),
        (lambda _: [RawAnswer(text="yes", p_yes=1.5)] * 3, "not in"),
        (lambda _: [b"yes"] * 3, "a bytes as an answer"),
    ],
)
def test_an_objects_answers_are_checked(
    reply: Any,
    words: str,
    benchmark: Benchmark,  # noqa: F811
    options: EvaluateOptions,  # noqa: F811
) -> None:
    class Wrong:
        def answer(self, batch: Any) -> Any:
            return reply(batch)

    card = card_of(Wrong(), batch_size=3)
    with pytest.raises(HopeBenchError, match=words):
        evaluate(benchmark, card, options, adapter=adapter_of(Wrong(), None, card))
