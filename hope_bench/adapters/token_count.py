"""How many tokens an image's questions have, counted by the checkpoint's own processor without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Of `questions` about one image: all their `tokens`, and those that are each question's `own` after the common beginning."""

    questions: int
    tokens: int
    own: int


def count_tokens(processor: Any, template: str | None, image: Image, prompts: Sequence[str]) -> TokenCount:
    """Tokenize the questions about one image, image tokens included."""
    rows = [
        processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}],
            chat_template=processor.chat_template or template, add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt",
        )["input_ids"][0].tolist()
        for prompt in prompts
    ]  # fmt: skip
    shortest = min(map(len, rows))
    common = next((i for i in range(shortest) if len({row[i] for row in rows}) > 1), shortest - 1)
    return TokenCount(len(rows), sum(map(len, rows)), sum(len(row) - common for row in rows))
