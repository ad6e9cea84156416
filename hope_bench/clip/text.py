"""A text tower without its padding: a causal one pools at the text's last token, which sees nothing of what comes after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.func import functional_call

LENGTHS = (16, 24, 32, 48, 77)
"""The lengths that texts are padded to, each to the least that holds it, so that a text's numbers depend on no other text.
"a photo of a cup." has 8 tokens, and most towers are built for 77."""

TOLERANCE = 1e-5
"""How far a component of a unit embedding may lie from the fully padded one's in `check_lengths`. Products of other shapes round
differently, by less than 2e-6 on the tiny towers of the tests."""

_PROBES = 3
"""Texts of every length in `check_lengths`."""


@dataclass(frozen=True, slots=True)
class TextTower:
    """The text half of an open_clip model. `lengths` are those it computes with, ascending; the last one is its full length.
    `note` says in words why a causal tower is padded fully after all, None where there is nothing to say."""

    model: Any
    context: int
    lengths: tuple[int, ...]
    note: str | None = None

    @property
    def words(self) -> int | None:
        """How many token ids the tower knows; None where it doesn't tell."""
        _, inner = _native(self.model)
        embedding = getattr(inner, "token_embedding", None)
        found = getattr(getattr(inner, "config", None), "vocab_size", None) if embedding is None else embedding.num_embeddings
        return None if found is None else int(found)

    def length_of(self, tokens: torch.Tensor) -> list[int]:
        """[N, context] token ids -> the length to compute each text with."""
        if len(self.lengths) == 1:
            return [self.context] * len(tokens)
        ends = (_pooled(self.model, tokens) + 1).tolist()
        return [next(length for length in self.lengths if length >= end) for end in ends]

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """[N, L] token ids of texts padded to one of `lengths` -> [N, D]."""
        length = tokens.shape[1]
        if length == self.context:
            return self._whole(tokens)
        prefix, inner = _native(self.model)
        shorter = {
            f"{prefix}positional_embedding": inner.positional_embedding[:length],
            f"{prefix}attn_mask": inner.attn_mask[:length, :length],
        }
        cut: torch.Tensor = functional_call(_Text(self.model), shorter, (tokens,))
        return cut

    def _whole(self, tokens: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.model.encode_text(tokens)
        return made


def text_tower(model: Any, context: int) -> TextTower:
    """The tower as it may be computed: with short texts where the model itself shows that nothing changes."""
    full = TextTower(model, context, (context,))
    if not _is_causal(model) or context <= LENGTHS[0]:
        return full
    cut = TextTower(model, context, (*(length for length in LENGTHS if length < context), context))
    difference = check_lengths(cut)
    if difference <= TOLERANCE:
        return cut
    return TextTower(
        model, context, (context,),
        f"The text tower of this encoder is causal, but without padding its embeddings differ by {difference:.1e} (more than "
        f"{TOLERANCE:.0e}): its texts are padded to all {context} tokens, which takes longer.",
    )  # fmt: skip


def check_lengths(tower: TextTower) -> float:
    """How far, at most, the unit embeddings of a few made-up texts of every length lie from the fully padded ones."""
    device = next(tower.model.parameters()).device
    probes = {length: _probes(tower, length).to(device) for length in tower.lengths[:-1]}
    with torch.inference_mode():
        whole = torch.nn.functional.normalize(tower._whole(torch.cat(list(probes.values()))).float(), dim=-1)
        cut = torch.cat([tower(tokens[:, :length]) for length, tokens in probes.items()]).float()
    return float((torch.nn.functional.normalize(cut, dim=-1) - whole).abs().max())


def _probes(tower: TextTower, length: int) -> torch.Tensor:
    """Texts that just fit: any ids, then the one that ends a text (the largest there is, or the tower's own)."""
    _, inner = _native(tower.model)
    words = inner.token_embedding.num_embeddings
    pool, end = _pooling(tower.model)
    generator = torch.Generator().manual_seed(length)
    tokens = torch.zeros(_PROBES, tower.context, dtype=torch.long)
    # Ids 0 to 2 are padding, beginning and end of one vocabulary or another.
    tokens[:, :length] = torch.randint(3, words - 1, (_PROBES, length), generator=generator)
    tokens[:, length - 1] = words - 1 if pool == "argmax" else end
    return tokens


class _Text(torch.nn.Module):
    """`encode_text` as a forward, which is what `functional_call` calls."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> Any:
        return self.model.encode_text(tokens)


def _native(model: Any) -> tuple[str, Any]:
    """Where the tower's own parameters are, and by what name `_Text` knows them: open_clip's CLIP unpacks its text tower."""
    return ("model.text.", model.text) if hasattr(model, "text") else ("model.", model)


def _pooling(model: Any) -> tuple[str | None, int]:
    """Which token's output is the text's, and the id that ends a text."""
    _, inner = _native(model)
    prefix = "" if hasattr(model, "text") else "text_"
    return getattr(inner, f"{prefix}pool_type", None), getattr(inner, f"{prefix}eos_id", 0)


def _is_causal(model: Any) -> bool:
    """open_clip's own transformer, masked, pooled at the token that ends the text. Not CoCa's, whose class token comes last of
    all; not SigLIP's and CLIPA's, which attend to padding; not Hugging Face's, which have ways of their own."""
    _, inner = _native(model)
    masked = isinstance(getattr(inner, "attn_mask", None), torch.Tensor) and getattr(inner, "cls_emb", None) is None
    placed = isinstance(getattr(inner, "positional_embedding", None), torch.Tensor)
    return masked and placed and _pooling(model)[0] in ("argmax", "eos")


def _pooled(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """The place of the token that a text is pooled at: the largest id, or the first that ends a text."""
    pool, end = _pooling(model)
    return (tokens if pool == "argmax" else (tokens == end).int()).argmax(dim=-1)
