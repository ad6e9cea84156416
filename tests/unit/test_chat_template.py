"""Chat templates as checkpoints really have them: with today's date, several by name, for texts alone; and old processors."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import torch
import transformers.utils.chat_template_utils as rendering
from PIL import Image

from hope_bench.adapters.chat_template import PROBE, TODAY, ChatTemplate, find_template
from hope_bench.adapters.encoding import (
    Encoder,
)
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


PARTS = "{% for m in messages %}{% for c in m.content %}{{ '<img>' if c.type == 'image' else c.text }}{% endfor %}{% endfor %}"
TEXT = "{% for m in messages %}Q: {{ m.content + '' }}{% endfor %}"
SWITCH = "{% if enable_thinking %}<think>{% endif %}"
UNLESS = "{% if thinking is defined and not thinking %}<think></think>{% endif %}"


class Templates:
    """A processor that renders a template and nothing else."""

    def __init__(self, chat_template: Any, image_token: str | None = None) -> None:
        self.chat_template = chat_template
        self.tokenizer = SimpleNamespace(image_token=image_token)

    def apply_chat_template(self, conversation: Any, chat_template: str, tokenize: bool, **variables: Any) -> Any:
        if tokenize:
            return {"conversation": conversation, "template": chat_template, **variables}
        return jinja2.Environment().from_string(chat_template).render(messages=conversation, **variables)


def asking(source: Any, image_token: str | None = None, **settings: Any) -> ChatTemplate:
    card = ModelCard(name="m", checkpoint="o/c").model_copy(update=settings)
    return find_template(Templates(source, image_token), card)


@pytest.mark.parametrize(
    ("source", "settings", "more", "variables", "thinks"),
    [
        (PARTS, {}, "", {}, False),
        (PARTS + SWITCH, {}, "", {}, False),
        (PARTS + SWITCH, {"thinking": "on"}, "<think>", {"enable_thinking": True}, True),
        (PARTS + SWITCH, {"thinking": "off"}, "", {"enable_thinking": False}, False),
        (PARTS + SWITCH, {"template_kwargs": {"enable_thinking": True}}, "<think>", {"enable_thinking": True}, True),
        (PARTS + SWITCH, {"thinking": "on", "template_kwargs": {"enable_thinking": False}}, "", {"enable_thinking": False}, True),
        (PARTS + UNLESS, {}, "", {}, True),
        (PARTS + UNLESS, {"thinking": "on"}, "", {"thinking": True}, True),
        (PARTS + UNLESS, {"thinking": "off"}, "<think></think>", {"thinking": False}, False),
        (PARTS + "<think>", {}, "<think>", {}, True),
        (PARTS + "{{ messages[0].content[0] | length }}", {}, "1", {}, False),
        (PARTS, {"thinking": "on"}, "", {}, True),
        (PARTS + "{{ 'x' if y else '' }}", {"template_kwargs": {"y": 1}}, "x", {"y": 1}, False),
    ],
)
def test_what_a_template_makes_of_a_question(
    source: str, settings: dict[str, Any], more: str, variables: dict[str, Any], thinks: bool
) -> None:
    found = asking(source, **settings)
    rendered = f"<img>Is there a dog in the image?{more}"
    assert found == ChatTemplate(source, variables, None, rendered, more == "<think>", thinks)
    assert found.sha256 == hashlib.sha256(rendered.encode()).hexdigest()


def test_magistrals_system_prompt_tells_that_it_thinks() -> None:
    assert asking("First [THINK] about it. " + PARTS).thinks
    assert not asking("First [THINK] about it. " + PARTS, thinking="off").thinks
    assert not asking(PARTS + " (no [THINK] of it)").thinks


def test_a_template_may_take_a_text_and_a_mark_in_the_pictures_place() -> None:
    found = asking(TEXT, "<image>")
    assert (found.image_token, found.rendered) == ("<image>", "Q: <image>\nIs there a dog in the image?")
    picture = Image.new("RGB", (1, 1))
    for token, source, images in (("<image>", TEXT, {"images": [[picture]]}), (None, PARTS, {})):
        made = asking(source, token)
        asked = made.inputs(Templates(source), [(picture, "q")], padding=True)
        parts = [{"type": "image", "image": picture}, {"type": "text", "text": "q"}]
        content = parts if token is None else "<image>\nq"
        assert asked == {
            "conversation": [[{"role": "user", "content": content}]], "template": source, "add_generation_prompt": True,
            "return_dict": True, "return_tensors": "pt", "processor_kwargs": {"padding": True, **images},
        }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "token", "settings", "words"),
    [
        ("x", None, {}, "can't be given a picture and a question: it leaves the question out."),
        ("{{ messages[0].content }}", None, {}, "can't be given a picture and a question: it leaves the question out."),
        (TEXT, None, {}, "can't be given a picture and a question: TypeError: "),
        ("{{ messages[0].content.split('<')[0] }}", "<image>", {}, "can't be given a picture and a question: UndefinedError"),
        (PARTS, None, {"template_kwargs": {"a": 1, "b": 2}}, "The card m gives its chat template a, b (template_kwargs), but"),
        (PARTS + "{{ 1 // a if a is defined else '' }}", None, {"template_kwargs": {"a": 0}}, "can't be given a picture"),
        (PARTS + "{{ 1 // 0 if enable_thinking else '' }}", None, {}, "can't take enable_thinking = True: ZeroDivisionError"),
        (PARTS + "<think>", None, {"thinking": "off"}, "makes the model think whatever it is told, so thinking can't be off."),
        ({"b": PARTS, "a": "x"}, None, {}, "o/c has several chat templates (a, b) and none called 'default'."),
        ({"b": PARTS}, None, {"chat_template": "a"}, "o/c has several chat templates (b) and none called 'a'."),
    ],
)
def test_a_template_that_can_not_ask(source: Any, token: str | None, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(HopeBenchError) as refused:
        asking(source, token, **settings)
    assert words in str(refused.value)


def test_a_template_makes_no_book_of_a_question_and_no_tower_of_expressions() -> None:
    whole = "<img>Is there a dog in the image?"
    assert len(asking(PARTS + "x" * (20_000 - len(whole))).rendered) == 20_000
    with pytest.raises(HopeBenchError, match=r"makes 20,001 characters of a question of 28, more than 20,000\."):
        asking(PARTS + "x" * (20_001 - len(whole)))
    assert not too_deep("{{ " + "not " * 99 + "x }}")
    assert too_deep("{{ " + "not " * 100 + "x }}")
    assert not too_deep("{% if x %}{{ y }}{% endif %}" * 101)
    assert not too_deep("{% if")
    with pytest.raises(HopeBenchError, match="more than 100 of its expressions stand within each other"):
        asking(PARTS + "{{ " + "not " * 100 + "x }}")


def test_which_of_several_templates() -> None:
    assert asking({"default": PARTS, "a": "x"}).source == PARTS
    assert asking({"a": PARTS, "default": "x"}, chat_template="a").source == PARTS
    assert asking(PARTS, chat_template="x").source == PARTS
    assert asking(None, chat_template=PARTS).source == PARTS


@pytest.mark.parametrize(
    "how", ["%Y-%m-%d", "%d %b %Y", "%-d/%-m", "%e", "%A, %B", "100%% of %y", "%%Y", "%H:%M:%S", "%-H", "%j %-j"]
)
def test_a_template_is_told_one_day(how: str) -> None:
    day = datetime(2025, 1, 1)
    found = asking("{{ strftime_now('" + how + "') }}" + PARTS).rendered
    assert found == f"{day.strftime(how)}<img>Is there a dog in the image?"
