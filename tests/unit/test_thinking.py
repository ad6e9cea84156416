"""Thought and answer told apart: in words as models and servers really write them, and in whole models with real vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from hope_bench.adapters.chat_template import find_template
from hope_bench.adapters.thinking import Said, ends_open, mentions_thinking, no_answer, separate
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from tests.checkpoints import pictures
from tests.real_vocabulary import CHATML, MARKS, dictated, processor_of, vocabulary

pytestmark = pytest.mark.usefixtures("loads_processors_once")

NO_DOG = "No dog is there, no. Or yes?"
ANSWERED = {
    "Qwen, DeepSeek": f"<think>\n{NO_DOG}\n</think>\n\nYes",
    "GLM": f"<think>{NO_DOG}</think><answer><|begin_of_box|>Yes<|end_of_box|></answer>",
    "Magistral": f"[THINK]{NO_DOG}[/THINK]Yes",
    "harmony": f"<|channel|>analysis<|message|>{NO_DOG}<|end|><|start|>assistant<|channel|>final<|message|>Yes",
    "Gemma": f"<|channel>thought\n{NO_DOG}\n<channel|>Yes<turn|>",
    "Gemma that was told not to": "<|channel>thought\n<channel|>Yes",
    "Cohere": f"<|START_THINKING|>{NO_DOG}<|END_THINKING|><|START_RESPONSE|>Yes<|END_RESPONSE|>",
    "Seed": f"<seed:think>{NO_DOG}</seed:think>Yes",
    "Kimi": f"◁think▷{NO_DOG}◁/think▷Yes",
    "OpenThoughts": f"<|begin_of_thought|>\n{NO_DOG}\n<|end_of_thought|>\n\n<|begin_of_solution|>Yes<|end_of_solution|>",
    "MedGemma": f"<unused94>thought\n{NO_DOG}<unused95>Yes",
    "Solar": f"<|think|>{NO_DOG}<|/think|>Yes",
    "Keye": f"<analysis>{NO_DOG}</analysis>Yes",
    "ERNIE": f"{NO_DOG}\n</think>\n\n<response>\nYes\n</response>\n",
    "Apriel": f"Here are my reasoning steps:\n{NO_DOG}\n[BEGIN FINAL RESPONSE]\nYes\n[END FINAL RESPONSE]",
    "LLaVA-CoT": f"<SUMMARY>{NO_DOG}</SUMMARY> <REASONING>{NO_DOG}</REASONING> <CONCLUSION>Yes</CONCLUSION>",
    "in two thoughts": f"<think>{NO_DOG}</think><think>{NO_DOG}</think>Yes",
    "opened by the prompt": f"{NO_DOG}\n</think>\n\nYes",
}
CUT = {
    "Qwen, DeepSeek": f"<think>\n{NO_DOG}",
    "Magistral": f"[THINK]{NO_DOG}",
    "harmony": f"<|channel|>analysis<|message|>{NO_DOG}",
    "harmony, before the final channel": f"<|channel|>analysis<|message|>{NO_DOG}<|end|><|start|>assistant",
    "Gemma": f"<|channel>thought\n{NO_DOG}",
    "Kimi": f"◁think▷{NO_DOG}",
    "MedGemma": f"<unused94>thought\n{NO_DOG}",
    "Apriel": f"Here are my reasoning steps:\n{NO_DOG}",
    "LLaVA-CoT": f"<SUMMARY>{NO_DOG}</SUMMARY>\n\n<CAPTION>{NO_DOG}",
    "a second thought": f"<think>{NO_DOG}</think>Let me see. <think>{NO_DOG}",
}


@pytest.mark.parametrize("text", ANSWERED.values(), ids=ANSWERED)
def test_the_answer_is_what_follows_the_thought(text: str) -> None:
    said = separate(text)
    assert said.answer == "Yes"
    assert said.thought is not None


@pytest.mark.parametrize("text", CUT.values(), ids=CUT)
def test_a_thought_without_an_end_holds_no_answer(text: str) -> None:
    assert separate(text).answer is None


@pytest.mark.parametrize(
    "text",
    ["Yes.", "No, there is no dog.", "I think so.", "Thinking about it: yes", "[Reasoning] None.", "analysis: no", "Thought so.",
     "final answer: yes", "", "In the channel, yes", "<b>Yes</b>"],
)  # fmt: skip
def test_words_without_a_thought_stay_as_they_are(text: str) -> None:
    assert separate(text) == separate(text, finished=False)
    assert (separate(text).thought, separate(text).answer) == (None, text)


def test_a_thinking_model_that_used_up_its_tokens_has_not_answered() -> None:
    """vLLM without a reasoning parser, the opening mark having been part of the prompt."""
    text = "Got it, the question asks ... Yes, I can see something that"
    assert separate(text, thinks=True, finished=False).answer is None
    assert separate(text, thinks=True, finished=True).answer == text, "it didn't think this time"
    assert separate("No dog.", opened=True).answer is None
    assert separate(f"<SUMMARY>{NO_DOG}</SUMMARY>\n\n<REASONING>{NO_DOG}</REASONING>").answer is None, "before its conclusion"


def test_marks_by_the_thousand_cost_no_more_than_their_length() -> None:
    """Quadratic work would take minutes here."""
    said = separate("<think>a</think>" * 60_000 + "</think>" * 60_000 + "<|start|>" * 60_000 + "Yes")
    assert said.answer == "Yes"


def test_which_prompts_end_within_a_thought() -> None:
    assert ends_open("<|im_start|>assistant\n<think>\n")
    assert ends_open("<|turn>model\n<|channel>thought\n")
    assert not ends_open("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert not ends_open("<|turn>model\n<|channel>thought\n<channel|>")
    assert not ends_open("Think within <think> and </think>. Is there a <think> in the image?<|im_start|>assistant\n")


@pytest.fixture(scope="module")
def processor(real: Path) -> Any:
    return processor_of(vocabulary(real, "qwen3", *MARKS), None)


def loaded(folder: Path, template: str = CHATML, **fields: Any) -> TransformersModel:
    card = ModelCard(name="tiny", checkpoint=str(folder), device="cpu", path="plain", chat_template=template, **fields)
    model = TransformersModel(card)
    model.load()
    return model


OPENS = CHATML.replace("assistant\n", "assistant\n<think>\n")
PAIR = (pictures(1)[0], "Is there a dog in the image?")


@pytest.mark.parametrize("thinking", ["auto", "on"])
def test_a_checkpoint_that_thinks(thinking: str, qwen_llava: Path) -> None:
    """Whether known to think or not: the answer after it is read, without any P(yes), and a cut-off thought is an error."""
    model = loaded(qwen_llava, thinking=thinking, max_new_tokens=60)
    for text in ANSWERED.values():
        if text.startswith(NO_DOG):
            continue
        with dictated(model, f"{text}<|im_end|>"):
            (answer,) = model.answer([PAIR])
        assert (answer.text, answer.p_yes, answer.mass, answer.error) == ("Yes", None, None, None), text
    for text in CUT.values():
        with dictated(model, text + " see" * 60):
            (answer,) = model.answer([PAIR])
        assert (answer.text, answer.p_yes) == (None, None), text
        assert "60 new tokens went by thinking" in str(answer.error)


def test_a_template_that_opens_the_thought_itself(qwen_llava: Path) -> None:
    model = loaded(qwen_llava, OPENS, max_new_tokens=40)
    assert model.info.thinks
    with dictated(model, f"{NO_DOG}\n</think>\n\nYes<|im_end|>"):
        (answer,) = model.answer([PAIR])
    assert (answer.text, answer.p_yes, answer.complete) == ("Yes", None, True)
    with dictated(model, "Yes" + " yes" * 40):
        (answer,) = model.answer([PAIR])
    assert "went by thinking" in str(answer.error)
    with dictated(model, "Yes, there is.<|im_end|>"):
        (answer,) = model.answer([PAIR])
    assert "ended within its thought" in str(answer.error)


def test_the_first_token_of_a_thinking_model_is_no_answer(qwen_llava: Path) -> None:
    """ "No" begins its thoughts here; it is neither the answer nor worth a P(yes)."""
    model = loaded(qwen_llava, thinking="on", max_new_tokens=40)
    with dictated(model, "No hurry. Let me look.</think>Yes<|im_end|>"):
        (answer,) = model.answer([PAIR])
    assert (answer.text, answer.p_yes, answer.complete) == ("Yes", None, True)


SWITCH = CHATML + (
    "{% if add_generation_prompt and enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
)
"""Qwen3's: on unless told."""
UNLESS = "{% if enable_thinking is defined and enable_thinking %}<|im_start|>system\n<|think|>\n{% endif %}" + CHATML
"""Gemma 4's: off unless told."""


@pytest.mark.parametrize(
    ("template", "fields", "thinks", "tokens"),
    [
        (CHATML, {}, False, 16),
        (CHATML, {"thinking": "on"}, True, 4096),
        (CHATML, {"thinking": "on", "max_new_tokens": 99}, True, 99),
        (SWITCH, {}, True, 4096),
        (SWITCH, {"thinking": "off"}, False, 16),
        (SWITCH, {"template_kwargs": {"enable_thinking": False}}, False, 16),
        (UNLESS, {}, False, 16),
        (UNLESS, {"thinking": "on"}, True, 4096),
        (UNLESS, {"template_kwargs": {"enable_thinking": True}}, True, 4096),
        ("First [THINK]your thoughts[/THINK], then the answer. " + CHATML, {}, True, 4096),
    ],
)
def test_auto_is_what_the_template_does(template: str, fields: dict[str, Any], thinks: bool, tokens: int, processor: Any) -> None:
    card = ModelCard(name="tiny", checkpoint="org/it", chat_template=template, **fields)
    found = find_template(processor, card)
    assert (found.thinks, card.new_tokens(found.thinks)) == (thinks, tokens)


def test_a_switch_is_turned_in_the_prompt(processor: Any) -> None:
    def rendered(template: str, **fields: Any) -> str:
        return find_template(processor, ModelCard(name="tiny", checkpoint="org/it", chat_template=template, **fields)).rendered

    assert rendered(SWITCH, thinking="off").endswith("assistant\n<think>\n\n</think>\n\n")
    assert rendered(SWITCH, thinking="on") == rendered(SWITCH)
    assert "<|think|>" in rendered(UNLESS, thinking="on")
    with pytest.raises(HopeBenchError, match="knows no such variable"):
        rendered(SWITCH, template_kwargs={"enable_thinkin": False})
    with pytest.raises(HopeBenchError, match="whatever it is told"):
        rendered(OPENS, thinking="off")


def test_a_model_that_thinks_may_be_sampled(qwen_llava: Path) -> None:
    """The same seed, the same words, whatever else drew random numbers before; another seed, other words."""
    sampling = {"temperature": 0.9, "top_p": 0.95}

    def said(seed: int) -> list[str | None]:
        model = loaded(qwen_llava, thinking="on", max_new_tokens=6, sampling=sampling, seed=seed)
        ends = model._asking[0].tokenizer.eos_token_id
        steps = iter(range(100))

        def say(_module: Any, _inputs: Any, logits: torch.Tensor) -> torch.Tensor:
            """Any of 200 tokens, twice; then the end."""
            likely = torch.tensor([ends]) if next(steps) % 3 == 2 else torch.arange(1000, 1200)
            return torch.zeros_like(logits).index_fill_(-1, likely, 30.0)

        model._model.get_output_embeddings().register_forward_hook(say)
        torch.rand(3)
        before = torch.get_rng_state()
        texts = [answer.text for pair in (PAIR, (PAIR[0], "Is there a cat?")) for answer in model.answer([pair])]
        assert torch.equal(torch.get_rng_state(), before), "nobody else's random numbers are touched"
        return texts

    once = said(1)
    assert once == said(1) != said(2)
    assert len(set(once)) == 2
    with pytest.raises(ValidationError, match="a model that thinks"):
        ModelCard(name="tiny", checkpoint="org/it", sampling=sampling)
    with pytest.raises(ValidationError, match="decoding is greedy"):
        ModelCard(name="tiny", checkpoint="org/it", seed=3)


@pytest.mark.parametrize(
    ("text", "settings", "thought", "answer"),
    [
        (" Yes ", {}, None, "Yes"),
        ("", {}, None, ""),
        ("<think> hm </think> Yes", {}, "hm", "Yes"),
        ("hm</think>Yes", {}, "hm", "Yes"),
        ("hm</think>Yes", {"opened": True}, "hm", "Yes"),
        ("Yes", {"opened": True}, "Yes", None),
        ("<think>hm</think>", {}, "hm", None),
        ("<think>hm", {}, "hm", None),
        ("a<think>b</think>c", {}, "b", "ac"),
        ("a<think>b</think>c</think>d", {}, "bac", "d"),
        ("<think>a</think>b<think>c</think>d", {}, "ac", "bd"),
        ("<think>a</think><answer>Yes</answer>", {}, "a", "Yes"),
        ("Yes", {"thinks": True}, None, "Yes"),
        ("Yes ", {"thinks": True, "finished": False}, "Yes", None),
        ("Yes", {"finished": False}, None, "Yes"),
    ],
)
def test_an_answer_is_what_follows_the_thought(
    text: str, settings: dict[str, bool], thought: str | None, answer: str | None
) -> None:
    assert separate(text, **settings) == Said(thought, answer)


def test_a_prompt_may_end_inside_a_thought() -> None:
    prompts = ("q<think>\n", "q<think>\n</think>", "q<think>x", "q", "<think>a</think><think>")
    assert [ends_open(prompt) for prompt in prompts] == [True, False, False, False, True]
    assert [mentions_thinking(prompt) for prompt in prompts] == [True, True, True, False, True]
    assert no_answer(True, 9) == "the model ended within its thought, without an answer"
    assert no_answer(False, 4096) == "all 4,096 new tokens went by thinking; raise --max-new-tokens, or see --thinking"
