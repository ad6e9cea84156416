"""A card's own chat template against what the model's processor makes of a picture and a question by itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers as hf

from hope_bench.adapters.chat_template import find_template
from hope_bench.files.card import find_card
from tests.checkpoints import CARD_OF, pictures, prompts
from tests.real_vocabulary import unpacked

PICTURE = pictures(1)[0]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*")


@pytest.fixture(scope="module")
def paligemma(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """PaliGemma's processor with Gemma's real vocabulary, whose tokenizer adds <bos> by itself: without the image token of
    Gemma 3, as PaliGemma's has none either."""
    folder = Path(shutil.copytree(unpacked(real, "gemma3"), tmp_path_factory.mktemp("paligemma") / "gemma"))
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    assert config["add_bos_token"] is True
    of_gemma3 = ("image_token", "boi_token", "eoi_token", "extra_special_tokens", "chat_template", "processor_class")
    file.write_text(json.dumps({key: value for key, value in config.items() if key not in of_gemma3}))
    images = hf.SiglipImageProcessor(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    return hf.PaliGemmaProcessor(images, hf.AutoTokenizer.from_pretrained(folder))


@pytest.mark.parametrize("prompt", [*prompts(2), "two\nlines", "answer en Is there a dog?"])
def test_paligemma_is_asked_as_its_processor_asks(prompt: str, paligemma: Any) -> None:
    template = find_template(paligemma, find_card("paligemma2-3b-mix"))
    found = template.inputs(paligemma, [(PICTURE, prompt)])["input_ids"][0].tolist()
    expected = paligemma(text=prompt, images=PICTURE, return_tensors="pt")["input_ids"][0].tolist()
    assert found == expected
    tokenizer = paligemma.tokenizer
    assert found.count(tokenizer.bos_token_id) == 1
    assert found.count(paligemma.image_token_id) == 16
    assert tokenizer.decode(found[17:]) == prompt + "\n"


@pytest.mark.parametrize("name", sorted(set(CARD_OF.values())))
def test_a_card_of_a_model_without_a_template_has_one(name: str) -> None:
    assert find_card(name).chat_template
