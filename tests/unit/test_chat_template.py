"""Chat templates as checkpoints really have them: with today's date, several by name, for texts alone; and old processors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers.utils.chat_template_utils as rendering

from hope_bench.adapters.chat_template import PROBE, TODAY, ChatTemplate, find_template
from hope_bench.adapters.encoding import Encoder
from hope_bench.adapters.loading import load_processor
from hope_bench.adapters.nesting import too_deep
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.inference.record import answers_key, describe_run
from hope_bench.records import Prompt
from tests.checkpoints import pictures
from tests.engine import benchmark  # noqa: F401
from tests.real_vocabulary import CHATML, MARKS, processor_of, unpacked, vocabulary

MISTRAL = (
    '{%- set today = strftime_now("%Y-%m-%d") %}'
    '{%- set default_system_message = "Your knowledge ends on 2023-10-01. The current date is " + today + "." %}'
    "<|im_start|>system\n{{ default_system_message }}<|im_end|>\n"
) + CHATML
"""As Mistral Small 3.1's begins."""
LLAMA = (
    "\n{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    '{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}{%- endif %}'
    '{{- "Today Date: " + date_string + strftime_now("%-d%% %A %B %y %H:%M:%S %j") + "\n\n" }}'
) + CHATML
"""As Llama 3.2's, and every directive besides."""
IMAGE_TOKENS = 16


class Clock(datetime):
    """transformers' clock, on another day."""

    day = (2031, 5, 17)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(*cls.day, tzinfo=tz)


@pytest.fixture
def processor(real: Path) -> Any:
    return processor_of(vocabulary(real, "qwen3", *MARKS), None)


def template_of(processor: Any, template: str | None, **fields: Any) -> ChatTemplate:
    return find_template(processor, ModelCard(name="tiny", checkpoint="org/it", chat_template=template, **fields))


@pytest.mark.parametrize("template", [MISTRAL, LLAMA])
def test_a_template_is_told_the_same_day_every_day(template: str, processor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And renders that day as transformers would have rendered it then."""
    content = [{"type": "image"}, {"type": "text", "text": PROBE}]
    monkeypatch.setattr(rendering, "datetime", Clock)
    ours = template_of(processor, template).rendered
    monkeypatch.setattr(Clock, "day", (TODAY.year, TODAY.month, TODAY.day))
    rendering._compile_jinja_template.cache_clear()
    theirs = processor.apply_chat_template(
        [{"role": "user", "content": content}], chat_template=template, add_generation_prompt=True, tokenize=False
    )
    assert ours == theirs
    assert str(TODAY.year) in ours


@pytest.mark.usefixtures("loads_processors_once")
def test_what_the_template_writes_is_part_of_what_answers_depend_on(
    qwen_llava: Path,
    benchmark: Benchmark,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def key(**fields: Any) -> str:
        fields = {"chat_template": MISTRAL, **fields}
        card = ModelCard(name="tiny", checkpoint=str(qwen_llava), device="cpu", **fields)
        record = describe_run("run", benchmark, card, Prompt(), TransformersModel(card).info, None, {})
        assert record.run.decoding == "greedy"
        return answers_key(record)

    monkeypatch.setattr(rendering, "datetime", Clock)
    once = key()
    monkeypatch.setattr(Clock, "day", (2031, 5, 18))
    rendering._compile_jinja_template.cache_clear()
    assert key() == once
    assert key(thinking="on") != once
    assert key(template_kwargs={"today": "x"}) != once


def test_one_of_several_templates(processor: Any) -> None:
    """As Command R's tokenizers have them: "default" unless the card names another."""
    other = CHATML.replace("assistant", "model")
    processor.chat_template = {"default": CHATML, "rag": other}
    assert template_of(processor, None).rendered.endswith("assistant\n")
    assert template_of(processor, "rag").rendered.endswith("model\n")
    processor.chat_template = {"rag": other, "tool_use": other}
    with pytest.raises(HopeBenchError, match=r"rag, tool_use\) and none called 'default'\. Name one"):
        template_of(processor, None)
    assert template_of(processor, "tool_use").rendered.endswith("model\n")


_DEEP = {
    "-": ("{{ ", "a -", "a }}"),
    "- -": ("{{ ", "a--", "a }}"),
    "not": ("{{ ", "not ", "a }}"),
    "filters": ("{{ a", "|lower", "}}"),
    "names": ("{{ a", ".b", " }}"),
    "in a block": ("{% generation %}{{ ", "a*", "a }}{% endgeneration %}"),
    "if else": ("{{ ", "a if a else ", "a }}"),
    "and": ("{% if ", "a and ", "a %}{% endif %}"),
}


@pytest.mark.parametrize("parts", _DEEP.values(), ids=_DEEP)
def test_nested_expressions_are_refused_before_jinja_takes_minutes(processor: Any, parts: tuple[str, str, str]) -> None:
    """Jinja's time grows with the cube of the nesting: ten seconds at 300. What is long and flat, or nested a little, is read."""
    begin, middle, end = parts
    begin = "{{ messages[0].content[1].text }}{% set a = 1 %}" + begin
    for count in (98, 300, 2000):
        processor.chat_template = begin + middle * count + end
        assert too_deep(processor.chat_template) == (count > 98)
    with pytest.raises(HopeBenchError, match="more than 100 of its expressions stand within each other"):
        template_of(processor, None)
    processor.chat_template = (
        "{{ messages[0].content[1].text }}{% set a = [" + "'x', " * 500 + "] %}{{ '' " + "~ 'x'" * 500 + "}}"
    )
    assert len(template_of(processor, None).rendered) == 28 + 500


@pytest.mark.parametrize(
    "source",
    ["{{ " + "(" * 5000, "{{ " + "[" * 5000 + "]" * 5000 + "}}", "{% if a %}" * 3000 + "{% endif %}" * 3000, "{% if %}", "{{"],
)
def test_what_cant_be_read_at_all_is_refused(processor: Any, source: str) -> None:
    processor.chat_template = source
    with pytest.raises(HopeBenchError, match="chat template"):
        template_of(processor, None)


def test_a_template_that_makes_a_book_of_a_question_is_refused(processor: Any) -> None:
    """A model would take minutes to read it."""
    processor.chat_template = CHATML + "x" * 19_000
    assert len(template_of(processor, None).rendered) > 19_000
    processor.chat_template = CHATML + "x" * 20_000
    with pytest.raises(HopeBenchError, match=r"makes 20,\d+ characters of a question of 28, more than 20,000"):
        template_of(processor, None)


@pytest.mark.parametrize("name", ["qwen3", "deepseek_v3", "gemma3"])
def test_real_language_models_templates(name: str, real: Path) -> None:
    """Two want a text and no list of parts; Gemma's takes both. All are given the question once and the picture's tokens."""
    tokenizer = vocabulary(real, name)
    template = json.loads((unpacked(real, name) / "tokenizer_config.json").read_text())["chat_template"]
    template = template.replace("<start_of_image>", "<image>")
    processor = processor_of(tokenizer, template)
    encoder = Encoder(processor, frozenset({"input_ids", "pixel_values"}), torch.float32, template_of(processor, None))
    row = encoder.row(pictures(1)[0], "Is there a cup?")
    ids = row["input_ids"][0].tolist()
    assert ids.count(tokenizer.convert_tokens_to_ids("<image>")) == IMAGE_TOKENS
    assert processor.tokenizer.decode(ids).count("Is there a cup?") == 1
    assert ids.count(tokenizer.bos_token_id) <= 1
    both = encoder.batch([(image, "Is there a cup?") for image in pictures(2)])
    assert both["pixel_values"].shape[0] == 2


def test_several_templates_as_a_list_beside_the_weights(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """As tokenizers have them in tokenizer_config.json."""
    folder = Path(shutil.copytree(checkpoint("llava"), tmp_path / "tiny"))
    own = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "processor_config.json").read_text())
    named = [{"name": "default", "template": own}, {"name": "rag", "template": own + "RAG"}]
    (folder / "processor_config.json").write_text(json.dumps({**settings, "chat_template": named}))
    assert not template_of(load_processor(str(folder)), None).rendered.endswith("RAG")
    assert template_of(load_processor(str(folder)), "rag").rendered.endswith("RAG")


def test_a_template_that_leaves_the_question_out_is_refused(processor: Any) -> None:
    with pytest.raises(HopeBenchError, match="can't be given a picture and a question"):
        template_of(processor, "{% for part in messages[0].content %}<image>{% endfor %}")
    with pytest.raises(HopeBenchError, match="only for robots"):
        template_of(processor, "{{ raise_exception('only for robots') }}")


def test_llavas_first_processors(qwen_llava: Path, tmp_path: Path) -> None:
    """Saved before transformers knew patch_size: what the picture's tokens are is in the model's configuration."""
    folder = Path(shutil.copytree(qwen_llava, tmp_path / "old"))
    file = folder / "processor_config.json"
    config = json.loads(file.read_text())
    for key in ("patch_size", "vision_feature_select_strategy", "num_additional_image_tokens"):
        del config[key]
    file.write_text(json.dumps(config))
    model = TransformersModel(
        ModelCard(name="tiny", checkpoint=str(folder), device="cpu", max_new_tokens=2, chat_template=CHATML)
    )
    model.load()
    (answer,) = model.answer([(pictures(1)[0], PROBE)])
    assert answer.error is None
    row = Encoder(model._asking[0], frozenset({"input_ids"}), torch.float32, model._asking[1]).row(pictures(1)[0], PROBE)
    assert row["input_ids"][0].tolist().count(model._model.config.image_token_id) == IMAGE_TOKENS
