"""Questions as a model's inputs: the processor, its memory of the last picture, and rows of one image put together."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import BatchFeature
from transformers.image_utils import make_flat_list_of_images

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.adapters.chat_template import ChatTemplate

Row = dict[str, Tensor]
"""One question's inputs, each with a batch dimension of one and no padding, on the CPU."""

_MEDIA = ("image_token_id", "image_token_index", "video_token_id", "video_token_index")


class NotShareableError(Exception):
    """Why the questions of an image have no prefix in common that holds the image."""


@dataclass(frozen=True, slots=True)
class ImageRows:
    """All questions of one image. `aligned` names the inputs with one entry a token; the others are equal in every row."""

    rows: tuple[Row, ...]
    aligned: frozenset[str]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [row["input_ids"].shape[1] for row in self.rows]

    @property
    def media(self) -> Row:
        """What comes with the image, once."""
        return {key: value for key, value in self.rows[0].items() if key not in self.aligned}

    def beginning(self, length: int) -> Row:
        """The first row's inputs cut to `length` tokens, media whole."""
        return {key: value[:, :length] if key in self.aligned else value for key, value in self.rows[0].items()}


class Encoder:
    """One user turn [image, prompt] in the checkpoint's own chat template, as tensors. Safe to use from several threads."""

    def __init__(self, processor: Any, known: frozenset[str], dtype: torch.dtype, template: ChatTemplate) -> None:
        """Inputs that are not `known` (see `known_inputs`) are left out; numbers come in `dtype`."""
        self._processor, self.template = processor, template
        self._known, self._dtype = known, dtype
        self._lock = threading.Lock()
        self._last = threading.local()
        self._special = _any_of(_special_tokens(processor.tokenizer))
        # Answers are read at the last position, so that is where all rows must end.
        processor.tokenizer.padding_side = "left"
        if not isinstance(processor.image_processor, _LastPicture):
            processor.image_processor = _LastPicture(processor.image_processor)

    @property
    def pad_token(self) -> int:
        """What batches are padded with."""
        return int(self._processor.tokenizer.pad_token_id)

    def vocabulary(self) -> Mapping[str | bytes, int]:
        """The tokenizer's tokens and their ids."""
        found: Mapping[str | bytes, int] = self._processor.tokenizer.get_vocab()
        return found

    def token_ids(self, text: str) -> Sequence[int]:
        """The ids of a text's tokens alone."""
        found: Sequence[int] = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def batch(self, pairs: Sequence[tuple[Image, str]]) -> dict[str, Tensor]:
        """The questions as one left-padded batch, on the CPU."""
        return self._encode(pairs, {"padding": True})

    def row(self, image: Image, prompt: str) -> Row:
        """One question, unpadded. The image is processed again only if the last call was about another."""
        return self._encode([(image, prompt)], {})

    def rows(self, pairs: Sequence[tuple[Image, str]]) -> list[Row]:
        """`row` of each question; fastest where those about one image stand together."""
        return [self.row(*pair) for pair in pairs]

    def decode(self, tokens: Tensor, ends: Iterable[int] = ()) -> str:
        """Token ids int64 [n] as text, without white space around it, and without padding, the beginning's mark and the `ends`.

        All other special tokens stay: some models mark with them what they think.
        """
        tokenizer = self._processor.tokenizer
        marks = {tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id} & set(tokenizer.all_special_ids)
        dropped = torch.tensor(sorted({*marks, *ends} - {None})).long()
        with self._lock:
            return str(tokenizer.decode(tokens[~torch.isin(tokens, dropped)], skip_special_tokens=False)).strip()

    def without_special(self, text: str) -> str:
        """An answer without the tokenizer's special tokens, as its own `skip_special_tokens` leaves them out."""
        return self._special.sub("", text).strip()

    def _encode(self, pairs: Sequence[tuple[Image, str]], processor_kwargs: Mapping[str, Any]) -> dict[str, Tensor]:
        # The lock: a fast tokenizer is changed by encoding, and refuses to be used by another thread meanwhile.
        with self._lock:
            inputs = self.template.inputs(self._processor, pairs, **processor_kwargs)
        return {key: self._cast(value) for key, value in inputs.items() if key in self._known}

    def _cast(self, value: Tensor) -> Tensor:
        """In the model's number format; a picture's tensor that comes again gives the same tensor."""
        if not value.is_floating_point() or value.dtype == self._dtype:
            return value
        last = getattr(self._last, "cast", None)
        if last is None or last[0] is not value:
            last = self._last.cast = (value, value.to(self._dtype))
        return last[1]


def _special_tokens(tokenizer: Any) -> set[str]:
    """What `skip_special_tokens` leaves out."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    return {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the words, the longest first; it never matches where there are none."""
    return re.compile("|".join(map(re.escape, sorted(filter(None, words), key=lambda word: (-len(word), word)))) or r"(?!)")


PackedRows = tuple[list[dict[str, int]], list[tuple[torch.dtype, Any]]]
"""Rows whose tensors are places in a list of (dtype, array)."""


def pack(rows: Sequence[Row]) -> PackedRows:
    """Tensors as arrays, each once: torch would send each through shared memory, which containers give little of."""
    places: dict[int, int] = {}
    arrays: list[tuple[torch.dtype, Any]] = []
    packed = []
    for row in rows:
        for value in row.values():
            if id(value) not in places:
                places[id(value)] = len(arrays)
                # numpy knows no bfloat16.
                bits = value.view(torch.int16) if value.dtype == torch.bfloat16 else value
                arrays.append((value.dtype, bits.numpy()))
        packed.append({key: places[id(value)] for key, value in row.items()})
    return packed, arrays


def unpack(packed: PackedRows) -> list[Row]:
    """The rows again; equal tensors of one image are one tensor, as before."""
    # Copied into memory that torch lays out itself, as an encoder's own tensors are.
    tensors = [torch.from_numpy(array).view(dtype).clone() for dtype, array in packed[1]]
    return [{key: tensors[place] for key, place in row.items()} for row in packed[0]]


class _LastPicture:
    """An image processor that remembers its last answer: it is most of the cost of encoding many questions about one image."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._last = threading.local()

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # while being unpickled
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        pictures = make_flat_list_of_images(images)
        how = repr((type(images), args, sorted(kwargs.items(), key=str)))
        last = getattr(self._last, "value", None)
        if last is None or last[1] != how or len(last[0]) != len(pictures) or any(map(_differs, last[0], pictures)):
            last = self._last.value = (pictures, how, self._inner(images, *args, **kwargs))
        # Processors take things out of what they are given.
        return BatchFeature(dict(last[2]))


def _differs(one: Any, other: Any) -> bool:
    return one is not other


def aligned_inputs(rows: Sequence[Row]) -> frozenset[str]:
    """The names of the inputs with one entry a token."""
    return frozenset(
        key
        for key, value in rows[0].items()
        if ("ids" in key or "mask" in key) and all(row[key].shape[:2] == row["input_ids"].shape for row in rows if key in row)
        if value.ndim >= 2
    )


def join(rows: Sequence[Row], aligned: frozenset[str], pad_token: int) -> Row | None:
    """The rows as one left-padded batch, media behind each other; None where their shapes don't allow it."""
    width = max(row["input_ids"].shape[1] for row in rows)
    joined: Row = {}
    for key in rows[0]:
        if any(key not in row for row in rows):
            return None
        values = [row[key] for row in rows]
        if key in aligned:
            values = [_padded_left(value, width, pad_token if key == "input_ids" else 0) for value in values]
        if len({value.shape[1:] for value in values}) > 1:
            return None
        joined[key] = torch.cat(values)
    return joined


def _padded_left(values: Tensor, width: int, filler: int) -> Tensor:
    missing = width - values.shape[1]
    if missing <= 0:
        return values
    return torch.cat([values.new_full((len(values), missing, *values.shape[2:]), filler), values], dim=1)


def rows_of_image(rows: Sequence[Row]) -> ImageRows:
    """Rows of one image put together. Raises NotShareableError where more than the question's tokens depends on the question."""
    first, aligned = rows[0], aligned_inputs(rows)
    for row in rows[1:]:
        for key in row.keys() | first.keys():
            if key not in aligned and not (key in row and key in first and _same(row[key], first[key])):
                raise NotShareableError(f"the input {key} depends on the question")
    return ImageRows(tuple(rows), aligned)


def _same(one: Tensor, other: Tensor) -> bool:
    """An image's rows mostly hold one tensor of its pixels, and comparing a large one with itself takes milliseconds."""
    return one is other or torch.equal(one, other)


def prefix_length(images: Sequence[ImageRows], media_tokens: frozenset[int]) -> int:
    """How many first tokens all rows of all images share (one token at least is left to each row).

    Raises NotShareableError where the image is not wholly within it.
    """
    ids = [row["input_ids"][0] for image in images for row in image.rows]
    shortest = min(len(row) for row in ids)
    same = torch.stack([row[:shortest] for row in ids]).eq(ids[0][:shortest]).all(0)
    length = min(int(same.long().cumprod(0).sum()), shortest - 1)
    media = torch.tensor(sorted(media_tokens))
    if length < 1 or any(torch.isin(row[length:], media).any() for row in ids):
        raise NotShareableError("the image comes after the question, or no tokens are shared")
    for image in images:
        for key in image.aligned - {"input_ids"}:
            if any(not torch.equal(row[key][:, :length], image.rows[0][key][:, :length]) for row in image.rows):
                raise NotShareableError(f"the input {key} depends on the question")
    return length


def media_tokens(model: Any) -> frozenset[int]:
    """The token ids that stand for pieces of an image or a video."""
    found = {getattr(model.config, name, None) for name in _MEDIA}
    return frozenset(index for index in found if isinstance(index, int))


def known_inputs(model: Any) -> frozenset[str]:
    """What generate() takes: it refuses what no forward knows (token_type_ids here and there). PaliGemma's processor also returns
    labels, which would ask for a loss."""
    forward = inspect.signature(model.forward).parameters
    prepare = inspect.signature(model.prepare_inputs_for_generation).parameters
    return frozenset((*forward, *prepare)) - {"labels"}
