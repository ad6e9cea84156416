"""All questions of an image on one computed prefix: vision tower and prompt once, then only the questions' own tokens."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, modeling_utils
from transformers.cache_utils import DynamicLayer

from hope_bench.adapters.encoding import ImageRows, NotShareableError, Row, prefix_length

_EACH_ROWS_OWN = hasattr(modeling_utils, "slice_logits_to_keep")
"""Whether a model can be asked for logits at other places in each row (transformers 5.21); before, it was at the same in all."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Images whose prefixes were computed together: `cache` holds their first `length` tokens, one row an image; `deltas`
    what a model keeps of them outside the cache (the Qwen-VL families' M-RoPE offsets), by the module that holds it."""

    images: tuple[ImageRows, ...]
    length: int
    cache: Any
    deltas: tuple[tuple[Any, Tensor], ...]

    @property
    def rows(self) -> list[tuple[int, Row]]:
        """Every question with the index of its image, in order."""
        return [(place, row) for place, image in enumerate(self.images) for row in image.rows]

    def held(self, chosen: Sequence[int], packed: bool) -> int:
        """Tokens that questions (places in `rows`) hold in memory: packed, an image's share one copy of its prefix, else each has
        its own. A prefix counts as what a layer keeps of it on average: cross-attention (Mllama) keeps the image beside it."""
        rows = self.rows
        kept = [layer.keys.shape[-2] for layer in self.cache.layers if isinstance(getattr(layer, "keys", None), Tensor)]
        each = max(self.length, -(-sum(map(int, kept)) // max(len(self.cache.layers), 1)))
        copies = len({rows[place][0] for place in chosen}) if packed else len(chosen)
        own = sum(int(rows[place][1]["input_ids"].shape[1]) - self.length for place in chosen)
        return copies * each + own


class SharedPrefix:
    """Runs one model on shared prefixes. Positions and masks are made by the model's own generation helpers: positions made by
    hand are silently wrong for families with M-RoPE."""

    def __init__(self, model: Any, media_tokens: frozenset[int], pad_token: int) -> None:
        """Raises NotShareableError for a model that can't go on from a cache."""
        self._model, self._media, self._pad = model, media_tokens, pad_token
        if model.config.is_encoder_decoder or model.config.get_text_config().is_encoder_decoder:
            raise NotShareableError("an encoder-decoder reads the question together with the image")
        pixels = inspect.signature(model.forward).parameters.get("pixel_values")
        # BLIP-2's forward always wants the image: what follows the prefix goes to its language model.
        self._decoder = model.language_model if pixels is not None and pixels.default is inspect.Parameter.empty else model
        # Spread over several devices, a model takes all inputs to its first, where its last layer's outputs are not: it is asked
        # for the logits of all the questions' tokens.
        self._spread = len(set(getattr(model, "hf_device_map", {}).values())) > 1

    def alike(self, images: Sequence[ImageRows]) -> list[list[int]]:
        """Which images can be computed together, as places in `images`: those of equal shapes and nearly equal prefixes.

        Raises NotShareableError where an image can't be shared at all.
        """
        lengths = [prefix_length([image], self._media) for image in images]
        groups: list[list[int]] = []
        for place, image in enumerate(images):
            for group in groups:
                if _alike(images[group[0]], image) and self._still_shared([images[i] for i in (*group, place)], lengths[place]):
                    group.append(place)
                    break
            else:
                groups.append([place])
        return groups

    def _still_shared(self, images: list[ImageRows], alone: int) -> bool:
        try:
            return prefix_length(images, self._media) >= alone - 4
        except NotShareableError:
            return False

    def length(self, images: Sequence[ImageRows]) -> int:
        """Tokens of the images' common beginning."""
        return prefix_length(images, self._media)

    def prefix(self, images: Sequence[ImageRows]) -> Prefix:
        """Compute the images' common beginning, all in one forward."""
        length = self.length(images)
        beginnings = [image.beginning(length) for image in images]
        inputs = {key: torch.cat([one[key] for one in beginnings]).to(self._model.device) for key in beginnings[0]}
        cache = DynamicCache(config=self._model.config)
        self._model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
        if cache.get_seq_length() != length:
            raise NotShareableError("the model keeps no cache of the prefix")
        return Prefix(tuple(images), length, cache, tuple(_deltas(self._model)))

    def packable(self, prefix: Prefix) -> bool:
        """Whether `packed_logits` may be tried: plain attention in every layer that takes any mask (flash attention takes none,
        and on a GPU what it makes of one ends every further computation), and positions that just count tokens."""
        if self._model.config.get_text_config()._attn_implementation not in ("sdpa", "eager"):
            return False
        plain = all(type(layer) is DynamicLayer for layer in prefix.cache.layers)
        return plain and not prefix.deltas and prefix.images[0].aligned.issubset({"input_ids", "attention_mask"})

    def packed_logits(self, prefix: Prefix, chosen: Sequence[int]) -> Tensor:
        """The same as `logits`, with an image's questions behind each other in one row, each seeing the prefix and itself only.

        No copy of the cache is made for each question, and no padding is computed.
        """
        rows = [prefix.rows[place] for place in chosen]
        images = sorted({image for image, _ in rows})
        own = [[row["input_ids"][0, prefix.length :] for at, row in rows if at == image] for image in images]
        owner = pad_sequence(
            [torch.repeat_interleave(torch.tensor([len(ids) for ids in group])) for group in own], True, padding_value=-1
        )
        ids = pad_sequence([torch.cat(group) for group in own], True, padding_value=self._pad)
        place = pad_sequence([torch.cat([torch.arange(len(ids)) for ids in group]) for group in own], True)
        last = pad_sequence([torch.tensor([len(ids) for ids in group]).cumsum(0) - 1 for group in own], True)
        device, dtype = self._decoder.device, self._decoder.dtype
        owner, ids, place, last = (part.to(device) for part in (owner, ids, place, last))
        seen = (owner[:, :, None] == owner[:, None, :]).tril()
        seen = torch.cat([seen.new_ones(*seen.shape[:2], prefix.length), seen], dim=2)
        mask = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill(~seen, torch.finfo(dtype).min)[:, None]
        cache = copy.copy(prefix.cache)
        cache.layers = [copy.copy(layer) for layer in prefix.cache.layers]
        for layer in cache.layers:
            if len(images) < len(prefix.images):
                layer.keys, layer.values = layer.keys[images], layer.values[images]
        logits = self._at(
            last, input_ids=ids, attention_mask=mask, position_ids=prefix.length + place, past_key_values=cache, use_cache=True
        )
        order = [(images.index(at), [a for a, _ in rows[:index]].count(at)) for index, (at, _) in enumerate(rows)]
        return torch.stack([logits[image, index] for image, index in order]).to(self._model.device, torch.float32)

    def logits(self, prefix: Prefix, chosen: Sequence[int]) -> Tensor:
        """float32 [n, V]: the logits at the last token of rows (`chosen` places in `prefix.rows`), as one right-padded batch."""
        rows = [prefix.rows[place] for place in chosen]
        lengths = torch.tensor([row["input_ids"].shape[1] - prefix.length for _, row in rows])
        width = int(lengths.max())
        aligned = prefix.images[0].aligned
        inputs = {
            key: torch.cat(
                [_padded(row[key][:, prefix.length :], width, self._pad if key == "input_ids" else None) for _, row in rows]
            )
            for key in aligned - {"attention_mask"}
        }
        device = self._decoder.device
        inputs = {key: value.to(device) for key, value in inputs.items()}
        mask = (torch.arange(prefix.length + width) < prefix.length + lengths[:, None]).long().to(device)
        cache = _expanded(prefix.cache, [image for image, _ in rows], device)
        ids = inputs.pop("input_ids")
        with _with_deltas(prefix, [image for image, _ in rows]):
            decoder = self._decoder
            positions = decoder._prepare_position_ids_for_generation(ids, {"attention_mask": mask, "past_key_values": cache})
            prepared = decoder.prepare_inputs_for_generation(
                ids,
                past_key_values=cache,
                attention_mask=mask,
                position_ids=positions,
                is_first_iteration=True,
                use_cache=True,
                **inputs,
            )
            prepared.pop("logits_to_keep", None)
            last = (lengths - 1)[:, None].to(device)
            logits = self._at(last, **prepared)
        return logits[:, 0].to(self._model.device, torch.float32)

    def _at(self, places: Tensor, **inputs: Any) -> Tensor:
        """[B, n, V]: the logits at `places` int64 [B, n], also where a model gives those of all tokens, whatever it is asked."""
        within = places
        if self._spread:
            logits = self._decoder(**inputs, logits_to_keep=0).logits
        elif _EACH_ROWS_OWN:
            logits = self._decoder(**inputs, logits_to_keep=places).logits
            if logits.shape[1] == places.shape[1]:
                return cast(Tensor, logits)
        else:
            kept, found = torch.unique(places, return_inverse=True)
            logits = self._decoder(**inputs, logits_to_keep=kept).logits
            if logits.shape[1] == len(kept):
                within = found
        return cast(Tensor, logits.gather(1, within[..., None].expand(-1, -1, logits.shape[-1]).to(logits.device)))

    def texts(self, prefix: Prefix, chosen: Sequence[int], generate: Callable[..., Tensor]) -> dict[int, Tensor]:
        """The tokens of the chosen rows. Rows of one length are decoded together, so that none is padded.

        `generate(model, inputs, places)` decodes a batch, the rows at `places`, and returns the new tokens, int64 [n, steps].
        """
        rows = prefix.rows
        by_length: dict[int, list[int]] = {}
        for place in chosen:
            by_length.setdefault(rows[place][1]["input_ids"].shape[1], []).append(place)
        made: dict[int, Tensor] = {}
        for places in by_length.values():
            images = [rows[place][0] for place in places]
            inputs = {
                key: torch.cat([rows[place][1][key] for place in places]).to(self._decoder.device)
                for key in prefix.images[0].aligned
            }
            with _with_deltas(prefix, images):
                cache = _expanded(prefix.cache, images, self._decoder.device)
                made |= zip(places, generate(self._decoder, {**inputs, "past_key_values": cache}, places), strict=True)
        return made


def _alike(one: ImageRows, other: ImageRows) -> bool:
    shapes = [{key: value.shape for key, value in image.media.items()} for image in (one, other)]
    return one.aligned == other.aligned and shapes[0] == shapes[1]


def _padded(values: Tensor, width: int, filler: int | None) -> Tensor:
    """Right-padded to `width` tokens, with `filler` or else with copies of the last entry (which no real token attends to)."""
    missing = width - values.shape[1]
    if not missing:
        return values
    last = values[:, -1:] if filler is None else torch.full_like(values[:, -1:], filler)
    return torch.cat([values, last.repeat_interleave(missing, dim=1)], dim=1)


def _expanded(cache: Any, images: Sequence[int], device: torch.device) -> Any:
    """A cache with a row for each question, each the prefix of its image; `cache` stays as it is."""
    chosen = torch.tensor(images, device=device)
    one_image = len(set(images)) == 1
    expanded = copy.copy(cache)
    expanded.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in expanded.layers:
        if type(layer) is DynamicLayer and one_image and layer.get_seq_length():
            # A view: the copy is made once, when the questions' own tokens are added.
            layer.keys, layer.values = (part[images[:1]].expand(len(images), -1, -1, -1) for part in (layer.keys, layer.values))
        else:
            for name, value in vars(layer).items():
                if isinstance(value, dict | list):
                    setattr(layer, name, copy.copy(value))
            layer.reorder_cache(chosen)
    return expanded


def _deltas(model: Any) -> Iterator[tuple[Any, Tensor]]:
    for module in model.modules():
        deltas = getattr(module, "rope_deltas", None)
        if isinstance(deltas, Tensor):
            yield module, deltas


@contextmanager
def _with_deltas(prefix: Prefix, images: Sequence[int]) -> Iterator[None]:
    """The model's state outside the cache as it was after the prefix, a row a question; put back afterwards."""
    before = [(module, module.rope_deltas) for module, _ in prefix.deltas]
    for module, deltas in prefix.deltas:
        module.rope_deltas = deltas[torch.tensor(images, device=deltas.device)] if len(deltas) == len(prefix.images) else deltas
    try:
        yield
    finally:
        for module, deltas in before:
            module.rope_deltas = deltas
