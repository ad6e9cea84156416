"""Whether transformers can run a checkpoint, by its configuration, and what is said where it can't."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transformers

from hope_bench.adapters import runnable
from hope_bench.adapters.known import check_agreed
from hope_bench.adapters.runnable import (
    _CONVERTED,
    _bare,
    _check_quantized,
    _sibling,
    _unknown_model,
    _without_eyes,
    auto_map,
    check_code,
    check_runnable,
)
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from tests.checkpoint_files import fill


def test_a_checkpoints_bare_name() -> None:
    names = ("liuhaotian/llava-v1.5-7b", "llava-hf/llava-1.5-7b-hf", "a/b/It_2-HF/", "x-vision", "v2")
    assert [_bare(name) for name in names] == ["llava-1.5-7b", "llava-1.5-7b", "it.2", "x-vision", "v2"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": {"auto_map": {"AutoModel": "m.C"}}}, None),
        ({"tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["t.C", None]}}}, None),
        ({"config.json": {"auto_map": {"AutoModel": None}}}, "brings no Python code"),
        ({"config.json": {"auto_map": []}, "a.json": "[", "b.json": []}, "brings no Python code"),
        (
            {"config.json": {"auto_map": {"A": "me/code--m.C", "B": ["b/c--m.D", "x.C"]}}},
            "from another repository (b/c, me/code), which",
        ),
    ],
)
def test_code_that_a_checkpoint_brings_along(files: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    fill(tmp_path, files)
    if words is None:
        check_code(tmp_path)
    else:
        with pytest.raises(HopeBenchError) as refused:
            check_code(tmp_path)
        assert words in str(refused.value)
    assert auto_map(tmp_path / "no.json") == {}


SERVE = "Serve it with what runs it, and ask that with --base-url (docs/servers.md)."
NEWER = "It was saved by transformers 999.1, which does: pip install -U transformers."
OF_ITS_OWN = "It may be of a library of its own: serve it with what runs it, and ask that with --base-url."


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "has a damaged config.json: it says nothing. Copy or download it again."),
        (
            {"model_type": "llavaa", "transformers_version": "999.1"},
            f"is of model type 'llavaa', which KNOWS (the nearest it knows is 'llava'). {NEWER}",
        ),
        (
            {"model_type": "qqqqqq", "transformers_version": "4.0"},
            f"is of model type 'qqqqqq', which KNOWS. It was saved by transformers 4.0, so a newer one won't help: its class is "
            f"of other code. {SERVE}",
        ),
        (
            {"model_type": "qqqqqq", "transformers_version": transformers.__version__},
            f"is of model type 'qqqqqq', which KNOWS. It was saved by transformers {transformers.__version__}, so a newer one "
            f"won't help: its class is of other code. {SERVE}",
        ),
        ({"model_type": "qqqqqq"}, f"is of model type 'qqqqqq', which KNOWS. {OF_ITS_OWN}"),
        ({"model_type": None, "a": 1}, f"is of model type None, which KNOWS. {OF_ITS_OWN}"),
        (
            {"model_type": "llava", "text_config": {"model_type": "qqqqqq"}, "vision_config": {"model_type": "clip"}},
            f"has a text_config of model type 'qqqqqq', which KNOWS. {OF_ITS_OWN}",
        ),
        (
            {"model_type": "llava", "text_config": {"model_type": "llama"}, "other": {"model_type": "qqqqqq"}, "a_config": 7},
            "has a config.json that transformers can't use: ValueError: odd. Copy or download it again, or take the one of the "
            "model that it was trained from.",
        ),
    ],
    ids=str,
)
def test_why_transformers_does_not_know_a_model(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    fill(tmp_path, {"config.json": config})
    knows = f"transformers {transformers.__version__} doesn't know"
    assert _unknown_model("it", tmp_path, ValueError("odd")) == f"Checkpoint it {words.replace('KNOWS', knows)}"


def test_a_model_whose_code_was_not_run_may_have_a_sibling(tmp_path: Path) -> None:
    fill(tmp_path, {"config.json": {"model_type": "qqqqqq", "auto_map": {"AutoConfig": "m.C"}}})
    said = _unknown_model("me/it", tmp_path, ValueError("odd"))
    assert said.startswith(
        "Checkpoint me/it (qqqqqq) needs Python code that it brings along, and nothing of it was run. On the Hub"
    )
    said = _unknown_model("liuhaotian/llava-v1.5-7b", tmp_path, ValueError("odd"))
    assert " The same model for transformers is llava-hf/llava-1.5-7b-hf: --model llava-1.5-7b. If you trust the code" in said


def test_no_code_of_a_checkpoint_is_run_unless_it_is_trusted(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    fill(
        tmp_path, {"config.json": {"model_type": "qqqqqq", "auto_map": {"AutoConfig": "m.C"}}, "m.py": f"open({str(ran)!r}, 'w')"}
    )
    with pytest.raises(HopeBenchError, match="needs Python code that it brings along, and nothing of it was run"):
        check_runnable("me/it", tmp_path, False)
    assert not ran.exists()


def test_a_sibling_is_for_transformers_and_its_card_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = {
        "broken": "name = ",
        "served": 'name = "served"\ncheckpoint = "a/b-v1"\nadapter = "endpoint"\nbase_url = "http://h/v1"\n',
        "trusted": 'name = "trusted"\ncheckpoint = "a/b-v1"\ntrust_remote_code = true\n',
        "other": 'name = "other"\ncheckpoint = "a/b-1-hf-x"\n',
        "same": 'name = "same"\ncheckpoint = "c/B-1-hf/"\n',
        "later": 'name = "later"\ncheckpoint = "d/b-1-hf"\n',
    }
    fill(tmp_path, {f"{name}.toml": text for name, text in cards.items()})
    paths = {name: tmp_path / f"{name}.toml" for name in cards}
    monkeypatch.setattr(runnable, "known_models", lambda: paths)
    assert _sibling("a/b-v1") == "The same model for transformers is c/B-1-hf/: --model same"
    del paths["same"], paths["later"]
    assert _sibling("a/b-v1") == _CONVERTED


@pytest.mark.parametrize(
    ("how", "inner", "words"),
    [
        (None, None, None),
        ({"quant_method": "gptq"}, None, None),
        ({"load_in_8bit": True}, None, None),
        ({"load_in_4bit": True}, None, None),
        ({"load_in_4bit": False}, None, "and its quantization_config doesn't say by what"),
        ({"quant_method": "mlx"}, None, "by 'mlx', which transformers doesn't know"),
        (None, {"quant_method": "mlx"}, "by 'mlx', which transformers doesn't know"),
        ({"quant_method": "gptq"}, {"quant_method": "mlx"}, None),
        (SimpleNamespace(quant_method="mlx"), None, None),
    ],
)
def test_a_way_of_quantizing_that_transformers_does_not_know(how: Any, inner: Any, words: str | None) -> None:
    def text(decoder: bool) -> Any:
        assert decoder
        return SimpleNamespace(quantization_config=inner)

    config = SimpleNamespace(quantization_config=how, get_text_config=text)
    if words is None:
        _check_quantized("it", config)
        return
    with pytest.raises(HopeBenchError) as refused:
        _check_quantized("it", config)
    assert str(refused.value).startswith(
        f"Checkpoint it is quantized {words}; asked without its scales it would be another model."
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("LlamaConfig", "It is a language model without eyes"),
        ("WhisperConfig", "It is a model of sound."),
        ("BertConfig", "It is an encoder of texts"),
        ("T5Config", "It is a language model without eyes"),
        ("Qwen2_5OmniConfig", "It sees, but its class is for sound, too"),
        ("Qwen2AudioConfig", "It is a model of sound."),
        ("CLIPConfig", "hope-bench needs a vision-language model; an encoder for generate goes into --clip."),
    ],
)
def test_what_a_model_is_that_is_shown_no_picture(kind: str, words: str) -> None:
    assert _without_eyes(getattr(transformers, kind)()).startswith(words)


def test_code_runs_only_where_card_and_flag_agree() -> None:
    quiet_card, trusting = (ModelCard(name="m", checkpoint="o/c", trust_remote_code=trust) for trust in (False, True))
    check_agreed(quiet_card, False)
    check_agreed(trusting, True)
    with pytest.raises(HopeBenchError, match="Nothing of it was run"):
        check_agreed(trusting, False)
    with pytest.raises(HopeBenchError, match="the card m doesn't say trust_remote_code"):
        check_agreed(quiet_card, True)
