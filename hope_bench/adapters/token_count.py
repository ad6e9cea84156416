"""How many tokens an image's questions have, counted by the checkpoint's own processor without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.adapters.chat_template import ChatTemplate


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Of `questions` about one image: all their `tokens`, and those that are each question's `own` after the common beginning."""

    questions: int
    tokens: int
    own: int


def count_tokens(processor: Any, template: ChatTemplate, image: Image, prompts: Sequence[str]) -> TokenCount:
    """Tokenize the questions about one image, image tokens included."""
    rows = [template.inputs(processor, [(image, prompt)])["input_ids"][0].tolist() for prompt in prompts]
    shortest = min(map(len, rows))
    common = next((i for i in range(shortest) if len({row[i] for row in rows}) > 1), shortest - 1)
    return TokenCount(len(rows), sum(map(len, rows)), sum(len(row) - common for row in rows))
