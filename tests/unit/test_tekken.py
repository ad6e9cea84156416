"""Folders with Mistral's own vocabulary (tekken.json) and no tokenizer.json, against what mistral-common itself makes of a
conversation. mistral-common carries the vocabulary."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf

from hope_bench.adapters.chat_template import find_template
from hope_bench.adapters.loading import load_processor
from hope_bench.adapters.processor_files import processor_sha256
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard, find_card
from tests.checkpoints import pictures
from tests.real_vocabulary import dictated

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*")

SPECIAL = [
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
    "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]", *(f"<SPECIAL_{rank}>" for rank in range(20, 32)), "[ARGS]", "[CALL_ID]", "[THINK]",
    "[/THINK]",
]  # fmt: skip
"""Magistral's, by rank."""

CARD = find_card("magistral-small-2509")
QUESTIONS = ("Is there a dog in the image?", "Please answer yes or no. Is there an Käsekuchen in the image?", "two\nlines  3.14?")


def tiny(**fields: Any) -> dict[str, Any]:
    return {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, **fields}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Magistral's folder as its authors give it, 16 numbers wide: the real vocabulary, no tokenizer.json, no template."""
    found = importlib.util.find_spec("mistral_common")
    if found is None or found.origin is None:
        pytest.skip("mistral-common, which carries Mistral's vocabulary, is not installed (pip install 'hope-bench[dev]')")
    data = json.loads((Path(found.origin).parent / "data" / "tekken_240911.json").read_text())
    data["special_tokens"] = [{"rank": rank, "token_str": token, "is_control": True} for rank, token in enumerate(SPECIAL)]
    data["config"]["version"] = "v13"
    data["vocab"] = data["vocab"][: 131072 - 1000]
    data["image"] = {"image_patch_size": 14, "max_image_size": 112, "spatial_merge_size": 2}
    made = tmp_path_factory.mktemp("magistral")
    (made / "tekken.json").write_text(json.dumps(data))
    (made / "processor_config.json").write_text(
        json.dumps(
            {
                "processor_class": "PixtralProcessor", "patch_size": 14, "spatial_merge_size": 2, "image_token": "[IMG]",
                "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]",
            }
        )
    )  # fmt: skip
    hf.PixtralImageProcessor(size={"longest_edge": 112}, patch_size={"height": 28, "width": 28}).save_pretrained(made)
    text = hf.MistralConfig(
        **tiny(num_key_value_heads=2, head_dim=8, vocab_size=131072, sliding_window=None), bos_token_id=1, eos_token_id=2,
        pad_token_id=11,
    )  # fmt: skip
    config = hf.Mistral3Config(
        vision_config=hf.PixtralVisionConfig(**tiny(image_size=112, patch_size=14)), text_config=text, image_token_index=10,
        spatial_merge_size=2,
    )  # fmt: skip
    hf.Mistral3ForConditionalGeneration(config).save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def processor(folder: Path) -> Any:
    return load_processor(str(folder), CARD.chat_template)


@pytest.fixture
def loaded_before(processor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models get the processor that is there: the vocabulary takes seconds to load."""
    monkeypatch.setattr("hope_bench.adapters.transformers_model.load_processor", lambda *_: processor)


@pytest.fixture(scope="module")
def mistral(folder: Path) -> Iterator[Any]:
    """mistral-common's own tokenizer of the same file. Its pixels, for which it would need OpenCV, are left out."""
    from mistral_common.tokens.tokenizers import image
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "transform_image", lambda *_: np.zeros((3, 28, 28)))
        yield MistralTokenizer.from_file(str(folder / "tekken.json"))


def conversation(question: str, picture: Any) -> Any:
    """Magistral's, as mistral-common's own classes say it: the thought within the system prompt is a part of its own."""
    from mistral_common.protocol.instruct import chunk, messages
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    assert CARD.chat_template is not None
    system = CARD.chat_template.split("[SYSTEM_PROMPT]")[1].split("[/SYSTEM_PROMPT]")[0]
    before, rest = system.split("[THINK]")
    thought, after = rest.split("[/THINK]")
    parts = [chunk.TextChunk(text=before), chunk.ThinkChunk(thinking=thought), chunk.TextChunk(text=after)]
    asked = [chunk.ImageChunk(image=picture), chunk.TextChunk(text=question)]
    return ChatCompletionRequest(messages=[messages.SystemMessage(content=parts), messages.UserMessage(content=asked)])


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("place", range(3))
def test_magistral_is_asked_as_mistral_common_asks(question: str, place: int, processor: Any, mistral: Any) -> None:
    """The very ids, of pictures of several shapes, thinking marks and all."""
    picture = pictures(3)[place]
    template = find_template(processor, CARD)
    found = template.inputs(processor, [(picture, question)])["input_ids"][0].tolist()
    assert found == mistral.encode_chat_completion(conversation(question, picture)).tokens
    assert template.thinks
    assert found.count(processor.tokenizer.convert_tokens_to_ids("[THINK]")) == 1


def test_its_special_tokens_are_named(processor: Any) -> None:
    """Else `{{ bos_token }}` would write nothing, and nothing would be cut off behind the end."""
    tokenizer = processor.tokenizer
    assert [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id] == [1, 2, 11, 0]


@pytest.mark.usefixtures("loaded_before")
def test_the_answer_behind_its_thought_is_read(folder: Path) -> None:
    card = CARD.model_copy(update={"checkpoint": str(folder), "device": "cpu", "max_new_tokens": 40, "path": "plain"})
    model = TransformersModel(card)
    model.load()
    with dictated(model, "[THINK]No dog is there, no. Or yes?[/THINK]Yes.</s>"):
        (answer,) = model.answer([(pictures(1)[0], QUESTIONS[0])])
    assert (answer.text, answer.p_yes, answer.error) == ("Yes.", None, None)
    with dictated(model, "[THINK]No dog is there, no." + " Or" * 40):
        (answer,) = model.answer([(pictures(1)[0], QUESTIONS[0])])
    assert "went by thinking" in str(answer.error)
    assert torch.isfinite(model._model.lm_head.weight).all()


@pytest.mark.usefixtures("loaded_before")
def test_questions_share_the_prompt_of_its_template(folder: Path) -> None:
    """The conformance suite's check on real ids: full-vocabulary logits of the shared prefix against asking one by one."""
    card = CARD.model_copy(update={"checkpoint": str(folder), "device": "cpu", "max_new_tokens": 2})
    model = TransformersModel(card)
    model.load()
    model.answer([(picture, f"Is there a {name} in the image?") for picture in pictures(2) for name in ("dog", "traffic light")])
    assert model.report.path == "shared"
    assert model.report.checks
    assert all(check.passed and (check.difference or 0) < 1e-4 for check in model.report.checks)


@pytest.fixture
def changed(folder: Path) -> Iterator[Path]:
    before = (folder / "tekken.json").read_bytes()
    (folder / "tekken.json").write_bytes(before.replace(b'"v13"', b'"v14"'))
    yield folder
    (folder / "tekken.json").write_bytes(before)


def test_a_vocabulary_is_part_of_the_processor_that_a_run_knows_again(folder: Path, changed: Path) -> None:
    other = processor_sha256(changed)
    (folder / "tekken.json").write_bytes((folder / "tekken.json").read_bytes().replace(b'"v14"', b'"v13"'))
    assert processor_sha256(folder) != other


def test_without_a_template_the_advice_is_mistrals(folder: Path) -> None:
    with pytest.raises(HopeBenchError, match="--tokenizer-mode mistral"):
        TransformersModel(ModelCard(name="it", checkpoint=str(folder), device="cpu")).load()
