"""Which way questions go: on a shared prefix where a check of this very model says that is right, else through generate()."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.decoding import Decoder
from hope_bench.adapters.encoding import ImageRows, NotShareableError, Row, media_tokens, rows_of_image
from hope_bench.adapters.self_check import PROBES, QUESTIONS, choose, relative_difference, threshold
from hope_bench.adapters.shared_prefix import Prefix, SharedPrefix
from hope_bench.adapters.yes_no import read_first_token
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.result import SelfCheck

if TYPE_CHECKING:
    from PIL.Image import Image

Pair = tuple["Image", str]
Path = Literal["auto", "shared", "plain"]
_SizeClass = tuple[int, ...]
_Way = Literal["packed", "rows"]
"""An image's questions behind each other in one row, or each in a row of its own."""


class Paths:
    """Answers batches of (image, prompt) by the fastest way that is right, and keeps what the checks found."""

    def __init__(self, decoder: Decoder, path: Path, say: Callable[[str], None]) -> None:
        self._decoder, self._path, self._say = decoder, path, say
        self._rows: dict[tuple[int, str], tuple[Image, Row]] = {}
        self._allowed: dict[_SizeClass, _Way | None] = {}
        self._batches_allowed: bool | None = None
        self._said: set[str] = set()
        # Measured: together, images take a tenth longer on a CPU; a GPU has room for several.
        self.together = decoder.model.device.type != "cpu"
        self.checks: list[SelfCheck] = []
        self.taken: set[str] = set()
        self._shared: SharedPrefix | None = None
        if path != "plain":
            try:
                pad = decoder.settings.pad_token_id
                self._shared = SharedPrefix(decoder.model, media_tokens(decoder.model), pad)
            except NotShareableError as error:
                self._refuse(str(error))

    def prepare(self, batch: Sequence[Pair]) -> None:
        """Encode ahead of `answer`, in another thread; what is prepared is used once."""
        if self._shared is not None:
            for image, prompt in batch:
                self._rows.setdefault((id(image), prompt), (image, self._decoder.encoder.row(image, prompt)))

    def forget(self, batch: Sequence[Pair]) -> None:
        """Drop what was encoded for these questions."""
        for image, prompt in batch:
            self._rows.pop((id(image), prompt), None)

    def answer(self, batch: Sequence[Pair], at_once: int) -> list[RawAnswer]:
        """One answer for each (image, prompt), in order, at most `at_once` of them in one forward."""
        answers: dict[int, RawAnswer] = {}
        if self._shared is not None:
            answers = self._answer_shared(self._shared, batch, at_once)
        rest = [place for place in range(len(batch)) if place not in answers]
        if rest:
            parts = [[batch[place] for place in part] for part in _parts(rest, at_once)]
            answers |= zip(rest, [answer for part in parts for answer in self._answer_plain(part)], strict=True)
        return [answers[place] for place in range(len(batch))]

    def _answer_plain(self, batch: Sequence[Pair]) -> list[RawAnswer]:
        self.taken.add("plain")
        if len(batch) > 1 and self._batches_allowed is None:
            self._check_batches(batch)
        encoder, decoder = self._decoder.encoder, self._decoder
        if len(batch) > 1 and self._batches_allowed:
            return decoder.answer(encoder.batch(batch))
        return [decoder.answer(encoder.row(*pair))[0] for pair in batch]

    def _check_batches(self, batch: Sequence[Pair]) -> None:
        """Whether this family's rows are independent of their neighbours and padding (InstructBLIP's are not)."""
        encoder, decoder = self._decoder.encoder, self._decoder
        rows = [encoder.row(*pair) for pair in batch]
        chosen = choose([row["input_ids"].shape[1] for row in rows])
        expected = torch.cat([decoder.first_logits(rows[place]) for place in chosen])
        try:
            found = decoder.first_logits(encoder.batch([batch[place] for place in chosen]))
            self._batches_allowed = self._record("batches of the plain path", found, expected)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a family's code can raise anything; one row at a time is always right
            self._batches_allowed = self._failed("batches of the plain path", short_reason(error))
        if not self._batches_allowed:
            self._say("This model answers differently in a batch, so its questions are asked one by one, which is slow.")

    def _answer_shared(self, shared: SharedPrefix, batch: Sequence[Pair], at_once: int) -> dict[int, RawAnswer]:
        places, images = [], []
        for group in _by_image(batch):
            if len(group) > 1:
                try:
                    image = rows_of_image([self._row(batch[place]) for place in group])
                    shared.stacks([image], at_once)
                except NotShareableError as error:
                    self._refuse(str(error))
                else:
                    places.append(group)
                    images.append(image)
        answers: dict[int, RawAnswer] = {}
        for stack in shared.stacks(images, at_once if self.together else 0) if images else []:
            said = self._ask(shared, [images[i] for i in stack], batch[places[stack[0]][0]][0], at_once)
            if said is not None:
                answers |= zip([place for i in stack for place in places[i]], said, strict=True)
        return answers

    def _row(self, pair: Pair) -> Row:
        image, prompt = pair
        found = self._rows.get((id(image), prompt))
        return found[1] if found is not None else self._decoder.encoder.row(image, prompt)

    def _ask(self, shared: SharedPrefix, images: list[ImageRows], first: Image, at_once: int) -> list[RawAnswer] | None:
        """The answers to all rows of images computed together; None where their size class failed its check."""
        size = _size_class(images)
        if size not in self._allowed:
            self._allowed[size] = self._check(shared, images, first, size, at_once)
        way = self._allowed[size]
        if way is None:
            return None
        prefix = shared.prefix(images)
        self.taken.add("shared")
        parts = _parts(range(len(prefix.rows)), at_once)
        return [answer for part in parts for answer in self._read(shared, prefix, part, way)]

    def _read(self, shared: SharedPrefix, prefix: Prefix, part: Sequence[int], way: _Way) -> list[RawAnswer]:
        first = read_first_token(_logits(shared, prefix, part, way), self._decoder.tokens)
        unclear = [part[row] for row in self._decoder.goes_on(first).nonzero()[:, 0].tolist()]
        made = shared.texts(prefix, unclear, self._decoder.continue_from) if unclear else {}
        return [self._decoder.read(first, row, made.get(place)) for row, place in enumerate(part)]

    def _check(self, shared: SharedPrefix, images: list[ImageRows], first: Image, size: _SizeClass, at_once: int) -> _Way | None:
        """The first way of sharing whose logits are generate()'s on questions of this size class; None if none's are."""
        if sum(len(image.rows) for image in images) < QUESTIONS:
            probes = [self._decoder.encoder.row(first, probe) for probe in PROBES]
            images = [rows_of_image([*images[0].rows, *probes]), *images[1:]]
        rows = [row for image in images for row in image.rows]
        chosen = choose([row["input_ids"].shape[1] for row in rows])
        expected = torch.cat([self._decoder.first_logits(rows[place]) for place in chosen])
        sizes = f"{2 ** (size[0] - 1)} to {2 ** size[0] - 1} tokens, {'several images' if size[-1] else 'one image'}"
        way: _Way
        for way in ("packed", "rows"):
            what = f"shared prefix ({way}), {sizes}"
            try:
                prefix = shared.prefix(images)
                if way == "packed" and not shared.packable(prefix):
                    continue
                found = torch.cat([_logits(shared, prefix, part, way) for part in _parts(range(len(rows)), at_once)])
                passed = self._record(what, found[chosen], expected)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a family's code can raise anything; the plain path is always right
                passed = self._failed(what, short_reason(error))
            if passed:
                return way
        self._refuse(self.checks[-1].reason or f"its logits differ by {self.checks[-1].difference or math.inf:.2g} ({sizes})")
        return None

    def _record(self, what: str, found: Tensor, expected: Tensor) -> bool:
        limit, difference = threshold(self._decoder.model.dtype), relative_difference(found, expected)
        passed = difference <= limit
        # Two digits: rounding errors are not worth telling runs apart by.
        known = float(f"{difference:.2g}") if difference < math.inf else None
        self.checks.append(SelfCheck(what=what, passed=passed, difference=known, threshold=limit))
        return passed

    def _failed(self, what: str, reason: str) -> bool:
        self.checks.append(SelfCheck(what=what, passed=False, threshold=threshold(self._decoder.model.dtype), reason=reason))
        return False

    def _refuse(self, reason: str) -> None:
        if self._path == "shared":
            raise HopeBenchError(f"This model's questions can't share a prefix: {reason}. Use --path auto or plain.")
        message = f"Questions of an image are not asked on a shared prefix, which would be faster: {reason}."
        if message not in self._said:
            self._said.add(message)
            self._say(message)


def _logits(shared: SharedPrefix, prefix: Prefix, part: Sequence[int], way: _Way) -> Tensor:
    return shared.packed_logits(prefix, part) if way == "packed" else shared.logits(prefix, part)


def _parts(places: Sequence[int], most: int) -> list[Sequence[int]]:
    """Places in as few parts of at most `most` as possible, of nearly equal sizes."""
    count = max(-(-len(places) // most), 1)
    borders = [len(places) * part // count for part in range(count + 1)]
    return [places[start:end] for start, end in pairwise(borders)]


def _by_image(batch: Sequence[Pair]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for place, (image, _) in enumerate(batch):
        groups.setdefault(id(image), []).append(place)
    return list(groups.values())


def _size_class(images: Sequence[ImageRows]) -> _SizeClass:
    """What a check holds for: prefix length and image size by powers of two, and whether images were computed together."""
    media: dict[str, Any] = images[0].media
    pixels = sum(value.numel() for value in media.values())
    return (min(images[0].lengths).bit_length(), pixels.bit_length(), int(len(images) > 1))
