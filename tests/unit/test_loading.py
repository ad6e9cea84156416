"""How a model is loaded, without one: its device and number format, its threads, its progress bars and its processor."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from hope_bench.adapters import loading
from hope_bench.adapters.known import check_quantize, known_device, known_dtype
from hope_bench.adapters.loading import find_device, find_dtype, load_processor, one_thread_if_small, quiet
from hope_bench.errors import HopeBenchError
from tests.checkpoint_files import fill


@pytest.mark.parametrize(
    ("gpus", "name", "kind"),
    [
        (None, "cpu", "cpu"),
        (None, "auto", None),
        ((), "auto", "cpu"),
        ((), "cuda", "cpu"),
        ((), "cuda:1", "cpu"),
        ((), "mps", None),
        ((8,), "auto", "cuda"),
        ((8,), "cuda", "cuda"),
        ((8,), "cuda:0", "cuda"),
        ((8,), "cuda:1", None),
        ((8, 7), "cuda:1", "cuda"),
    ],
)
def test_the_kind_of_device_is_known_without_torch(
    gpus: tuple[int, ...] | None, name: str, kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda: gpus)
    assert known_device(name) == kind


def test_the_number_format_is_known_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for major, auto in ((7, "float16"), (8, "bfloat16"), (9, "bfloat16")):
        monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda major=major: (major,))
        assert [known_dtype(name, kind) for name, kind in (("auto", "cuda"), ("auto", "cpu"), ("float32", "cuda"))] == [
            auto,
            "float32",
            "float32",
        ]
    monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda: None)
    assert known_dtype("auto", "cuda") == "float16"
    for capable in (True, False):
        monkeypatch.setattr(loading, "computes_bfloat16", lambda _, capable=capable: capable)
        found = [find_dtype(name, torch.device(kind)) for name, kind in (("auto", "cuda"), ("auto", "cpu"), ("float16", "cpu"))]
        assert found == [torch.bfloat16 if capable else torch.float16, torch.float32, torch.float16]
    check_quantize(None, "cpu")
    with pytest.raises(HopeBenchError, match="4bit needs a GPU, and this run is on the CPU"):
        check_quantize("4bit", "cpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(HopeBenchError, match="4bit needs bitsandbytes, which is not installed"):
        check_quantize("4bit", "cuda")


@pytest.mark.parametrize(
    ("gpus", "world", "name", "found"),
    [
        (0, None, "auto", "cpu"),
        (2, None, "auto", "cuda:1"),
        (2, None, "cuda", "cuda:1"),
        (0, None, "cpu", "cpu"),
        (2, "1", "cpu", "cpu"),
        (2, "2", "cuda:0", "would be that of every process"),
        (2, "2", "auto", "cuda:1"),
        (0, None, "cuda", "Use auto or cpu (torch sees no GPU here)."),
        (0, "1", "odd", "Use auto or cpu (torch sees no GPU here)."),
        (3, None, "odd", "Use auto or cuda:0 to cuda:2."),
    ],
)
def test_the_device_that_a_card_means(
    gpus: int, world: str | None, name: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(loading, "own_gpu", lambda _: 1)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if world is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", world)
    if " " not in found:
        assert find_device(name) == torch.device(found)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # with a driver that is too old, they are counted
        assert find_device("auto") == torch.device("cpu")
        return
    with pytest.raises(HopeBenchError) as refused:
        find_device(name)
    assert found in str(refused.value)


def test_a_small_model_on_the_cpu_is_asked_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def within(parameters: int, device: str = "cpu") -> int:
        with one_thread_if_small(SimpleNamespace(num_parameters=lambda: parameters), torch.device(device)):
            return threads[-1]

    assert [within(50_000_000), within(50_000_001), within(1, "cuda")] == [1, 4, 4]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert within(1) == 4
    assert threads == [4, 1, 4]


def test_progress_bars_come_back_with_the_last_who_wanted_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY", raising=False)
    shown = loading.hf_logging.is_progress_bar_enabled
    loading.hf_logging.enable_progress_bar()
    with quiet():
        assert not shown()
        with quiet():
            assert not shown()
        assert not shown()
    assert shown()
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    with quiet():
        assert shown()
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY")
    loading.hf_logging.disable_progress_bar()
    with quiet():
        pass
    assert not shown()
    loading.hf_logging.enable_progress_bar()


def processor(**more: Any) -> Any:
    fields = {"tokenizer": SimpleNamespace(chat_template=None), "image_processor": 1, "chat_template": "x", "patch_size": 14}
    return SimpleNamespace(**{**fields, **more})


@pytest.mark.parametrize(
    ("made", "template", "words"),
    [
        (processor(), None, None),
        (processor(chat_template={"a": "x"}), None, None),
        (processor(chat_template=[{"name": "a", "template": "x"}]), None, None),
        (processor(chat_template=None), "x", None),
        (processor(tokenizer=None), None, "holds no processor for images and text (transformers found only a SimpleNamespace)"),
        (processor(image_processor=None), None, "holds no processor for images and text"),
        (processor(chat_template=7), None, "is damaged: 7 is no text"),
        (processor(chat_template={"a": 7}), None, "is damaged: {'a': 7} is no text"),
        (processor(chat_template=[{"name": "a"}]), None, "is damaged: [{'name': 'a'}] is no text"),
        (processor(chat_template=None), None, "a base model needs an instruction-tuned sibling."),
        (
            processor(chat_template=None, tokenizer=SimpleNamespace(chat_template="y")),
            None,
            "sibling. Its tokenizer (tokenizer_config.json) has one, which",
        ),
        (
            processor(chat_template="", tokenizer=SimpleNamespace(chat_template={"b": "y", "a": "z"})),
            None,
            "sibling. Its tokenizer (tokenizer_config.json) has some (a, b), which",
        ),
    ],
)
def test_a_processor_takes_images_and_has_a_template(
    made: Any, template: str | None, words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted: list[bool] = []

    def from_pretrained(_: str, trust_remote_code: bool) -> Any:
        trusted.append(trust_remote_code)
        return made

    monkeypatch.setattr(loading.AutoProcessor, "from_pretrained", from_pretrained)
    if words is None:
        assert load_processor(str(tmp_path), template) is made
        assert load_processor(str(tmp_path), template, True) is made
        assert trusted == [False, True]
        assert made.chat_template in ("x", {"a": "x"}, None)
        return
    with pytest.raises(HopeBenchError) as refused:
        load_processor(str(tmp_path), template)
    assert words in str(refused.value)
    if "sibling" in words:
        assert ("Its tokenizer" in str(refused.value)) == ("Its tokenizer" in words)
        assert "tekken" not in str(refused.value)
        (tmp_path / "tekken.json").touch()
        vars(made.tokenizer).update(get_vocab=dict, bos_token=1, eos_token=1, pad_token=1, unk_token=1)
        with pytest.raises(
            HopeBenchError, match=rf"sibling\. Where tekken\.json is, .* \(vllm serve {tmp_path} --tokenizer-mode"
        ):
            load_processor(str(tmp_path), template)


def test_a_librarys_word_that_is_understood_is_dropped_once() -> None:
    logger = logging.getLogger("hope_bench.tests.understood")
    for beginning in ("Begins", "Begins", "Other"):
        loading._drop_understood({logger.name: beginning})
    assert [cast(Any, one).name for one in logger.filters] == ["Begins", "Other"]
    logger.filters[:] = [logging.Filter("Begins")]
    loading._drop_understood({logger.name: "Begins"})
    assert len(logger.filters) == 2, "a filter of somebody else's is none of ours"
    shown = [bool(logger.filters[1].filter(logging.makeLogRecord({"msg": text}))) for text in ("Begins so", "It begins", "Begin")]  # type: ignore[union-attr]
    assert shown == [False, True, True]


@pytest.mark.parametrize(
    ("config", "strategy", "extra", "expected"),
    [
        ({"vision_config": {"patch_size": 14, "model_type": "clip_vision_model"}}, None, 0, (14, "default", 1)),
        (
            {"vision_config": {"patch_size": 16, "model_type": "siglip"}, "vision_feature_select_strategy": "full"},
            None,
            0,
            (16, "full", 0),
        ),
        ({"vision_config": {"patch_size": 14, "model_type": "clip_vision_model"}}, "own", 2, (14, "own", 2)),
        ({"vision_config": {}}, None, 0, None),
        ({}, None, 0, None),
    ],
)
def test_a_first_processor_of_llavas_takes_its_patches_from_the_model(
    config: dict[str, Any], strategy: str | None, extra: int, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = processor(patch_size=None, vision_feature_select_strategy=strategy, num_additional_image_tokens=extra)
    monkeypatch.setattr(loading.AutoProcessor, "from_pretrained", lambda *_, **__: made)

    def read(folder: str) -> Any:
        assert folder == "model"
        parts = {name: SimpleNamespace(**part) if isinstance(part, dict) else part for name, part in config.items()}
        return SimpleNamespace(**parts)

    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", read)
    if expected is None:
        with pytest.raises(HopeBenchError, match=r"doesn't say its patch_size, and neither does config\.json"):
            load_processor(str(tmp_path), model_folder="model")
        return
    found = load_processor(str(tmp_path), model_folder="model")
    assert (found.patch_size, found.vision_feature_select_strategy, found.num_additional_image_tokens) == expected


def test_classes_of_a_checkpoints_own(tmp_path: Path) -> None:
    causal, image = loading.AutoModelForCausalLM, loading.AutoModelForImageTextToText
    for names, trusted, expected in (
        (["AutoModelForCausalLM"], True, causal),
        (["AutoModelForCausalLM"], False, image),
        ([], True, image),
        (["AutoModelForCausalLM", "AutoModelForImageTextToText"], True, image),
        (["AutoModelForImageTextToText"], True, image),
    ):
        fill(tmp_path, {"config.json": {"auto_map": dict.fromkeys(names, "m.C")}})
        assert loading._auto_class(str(tmp_path), trusted) is expected
