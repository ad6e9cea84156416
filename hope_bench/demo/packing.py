"""What the LVLM is trained on, as tensors: the words of each image patch, and several questions packed behind one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from hope_bench.demo import llava
from hope_bench.demo.questions import HALVES, SIDES, SIZES
from hope_bench.demo.world import CATEGORIES, COLORS, SceneObject

WORD_GROUPS: Final = (CATEGORIES, tuple(COLORS), SIZES, SIDES, HALVES)
"""What a patch of an object is said to show: one word of each group, where clear."""
WORDS: Final = tuple(word for group in WORD_GROUPS for word in group)
_COLUMN: Final = {word: column for column, word in enumerate(WORDS)}


def patch_words(scenes: Sequence[Sequence[SceneObject]]) -> Tensor:
    """(scenes, 64, words) float32 of 0 and 1: the words that hold for an object whose box reaches the patch."""
    targets = np.zeros((len(scenes), llava.GRID, llava.GRID, len(WORDS)), np.float32)
    centres = (np.arange(llava.GRID) + 0.5) * llava.PATCH
    reach = 0.35 * llava.PATCH
    for row, objects in enumerate(scenes):
        for item in objects:
            x, y, width, height = item.box
            rows = (centres > y - reach) & (centres < y + height + reach)
            columns = (centres > x - reach) & (centres < x + width + reach)
            words = (item.category, item.color, item.size, item.side, item.half)
            said = np.array([_COLUMN[word] for word in words if word])
            targets[row][np.ix_(np.flatnonzero(rows), np.flatnonzero(columns), said)] = 1
    return torch.from_numpy(targets.reshape(len(scenes), llava.IMAGE_TOKENS, -1))


@dataclass(frozen=True)
class Packed:
    """Several questions behind one image: they share its tokens and don't see each other.

    ids, positions (scenes, tokens) int64; mask (scenes, 1, tokens, tokens) bool, True where a token may look;
    rows, columns (questions,) int64 locate the token before each answer; answers (questions,) int64 token ids.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    rows: Tensor
    columns: Tensor
    answers: Tensor


class Packer:
    """Turns questions into tokens exactly as the chat template does."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer, self._known = tokenizer, dict[str, list[int]]()
        self.prefix = self._encode("USER: " + "<image>" * llava.IMAGE_TOKENS + "\n")
        self.image_start = self.prefix.index(llava.IMAGE)

    def _encode(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._known[text]

    def pack(self, questions: Sequence[Sequence[tuple[str, str]]]) -> Packed:
        """`questions`: per scene, prompt texts and the word that answers each."""
        lines, places = [], []
        for row, asked in enumerate(questions):
            ids, owners, positions = list(self.prefix), [0] * len(self.prefix), list(range(len(self.prefix)))
            for owner, (text, answer) in enumerate(asked, start=1):
                tokens = self._encode(f"{text} ASSISTANT: {answer}</s>")
                places.append((row, len(ids) + len(tokens) - 3, tokens[-2]))
                ids += tokens
                owners += [owner] * len(tokens)
                positions += range(len(self.prefix), len(self.prefix) + len(tokens))
            lines.append((ids, owners, positions))
        width = max(len(ids) for ids, _, _ in lines)
        ids_, owners_, positions_ = (
            torch.tensor([line[part] + [fill] * (width - len(line[part])) for line in lines])
            for part, fill in enumerate((llava.PAD, -1, 0))
        )
        shared = owners_[:, None, :] == 0
        own = owners_[:, None, :] == owners_[:, :, None]
        mask = (shared | own) & torch.ones(width, width, dtype=torch.bool).tril()
        rows, columns, answers = (torch.tensor(column) for column in zip(*places, strict=True))
        return Packed(ids_, positions_, mask[:, None], rows, columns, answers)
