"""Which way questions go: on a shared prefix where a check of this very model says that is right, else through generate()."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.budget import Budget
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

    def __init__(self, decoder: Decoder, path: Path, budget: Budget, say: Callable[[str], None], dtype: torch.dtype) -> None:
        """`dtype` is the number format asked for; some families keep a part of theirs in float32."""
        self._decoder, self._path, self._budget, self._say = decoder, path, budget, say
        self._threshold = threshold(dtype)
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

    def take(self, batch: Sequence[Pair], rows: Sequence[Row]) -> None:
        """Keep what was encoded ahead of `answer`; it is used once."""
        if self._shared is not None:
            for (image, prompt), row in zip(batch, rows, strict=True):
                self._rows.setdefault((id(image), prompt), (image, row))

    def forget(self, batch: Sequence[Pair]) -> None:
        """Drop what was encoded for these questions."""
        for image, prompt in batch:
            self._rows.pop((id(image), prompt), None)

    def answer(self, batch: Sequence[Pair]) -> list[RawAnswer]:
        """One answer for each (image, prompt), in order. Raises torch.OutOfMemoryError where a forward doesn't fit."""
        answers: dict[int, RawAnswer] = {}
        if self._shared is not None:
            answers = self._answer_shared(self._shared, batch)
        rest = [place for place in range(len(batch)) if place not in answers]
        if rest:
            answers |= zip(rest, self._answer_plain([batch[place] for place in rest]), strict=True)
        return [answers[place] for place in range(len(batch))]

    def _answer_plain(self, batch: Sequence[Pair]) -> list[RawAnswer]:
        self.taken.add("plain")
        lengths = self._lengths(batch)
        parts = [[batch[place] for place in part] for part in self._budget.parts("plain", lengths)]
        several = next((part for part in parts if len(part) > 1), None)
        if several is not None and self._batches_allowed is None:
            self._check_batches(several)
        encoder, answers = self._decoder.encoder, list[RawAnswer]()
        for part in parts if self._batches_allowed else [[pair] for pair in batch]:
            inputs = encoder.batch(part) if len(part) > 1 else self._row(part[0])
            with self._budget.forward("plain", sum(self._lengths(part))):
                answers.extend(self._decoder.answer(inputs))
        return answers

    def _lengths(self, batch: Sequence[Pair]) -> list[int]:
        """Tokens of each question, nearly: an image's first one stands for all of them, as it is mostly the image."""
        by_image: dict[int, int] = {}
        for image, prompt in batch:
            if id(image) not in by_image:
                by_image[id(image)] = int(self._row((image, prompt))["input_ids"].shape[1])
        return [by_image[id(image)] for image, _ in batch]

    def _check_batches(self, batch: Sequence[Pair]) -> None:
        """Whether this family's rows are independent of their neighbours and padding (InstructBLIP's are not).

        Left open where the model makes no numbers of these very questions, or raises: they say nothing about others.
        """
        encoder, decoder = self._decoder.encoder, self._decoder
        # Questions of other lengths with them, so that there is padding: without it, most families pass.
        probes = [(batch[0][0], probe) for probe in PROBES]
        pairs, rows = [*batch, *probes], [*map(self._row, batch), *(encoder.row(*probe) for probe in probes)]
        lengths = [row["input_ids"].shape[1] for row in rows]
        chosen = choose(lengths)
        with self._budget.forward("plain", max(lengths)):
            expected = torch.cat([decoder.first_logits(rows[place]) for place in chosen])
        if not bool(expected.isfinite().any(-1).all()):
            return
        try:
            with self._budget.forward("plain", sum(lengths[place] for place in chosen)):
                found = decoder.first_logits(encoder.batch([pairs[place] for place in chosen]))
            self._batches_allowed = self._record("batches of the plain path", found, expected)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a family's code can raise anything; one row at a time is always right
            self._batches_allowed = self._failed("batches of the plain path", short_reason(error))
        if self._batches_allowed is False:
            self._say("This model answers differently in a batch, so its questions are asked one by one, which is slow.")

    def _answer_shared(self, shared: SharedPrefix, batch: Sequence[Pair]) -> dict[int, RawAnswer]:
        places, images = [], []
        for group in _by_image(batch):
            if len(group) > 1:
                try:
                    image = rows_of_image([self._row(batch[place]) for place in group])
                    shared.length([image])
                except NotShareableError as error:
                    self._refuse(str(error))
                else:
                    places.append(group)
                    images.append(image)
        answers: dict[int, RawAnswer] = {}
        stacks = self._stacks(shared, images)
        for stack in stacks:
            said = self._ask(shared, [images[i] for i in stack], batch[places[stack[0]][0]][0])
            if said is not None:
                answers |= zip([place for i in stack for place in places[i]], said, strict=True)
            elif len(stack) > 1:  # MiniCPM-V packs the patches of a batch in its own way
                stacks.extend([i] for i in stack)
        return answers

    def _stacks(self, shared: SharedPrefix, images: Sequence[ImageRows]) -> list[list[int]]:
        """Which images are computed together, as places in `images`."""
        if not self.together:
            return [[place] for place in range(len(images))]
        stacks: list[list[int]] = []
        for group in shared.alike(images):
            lengths = [shared.length([images[place]]) for place in group]
            stacks.extend([group[i] for i in part] for part in self._budget.parts("prefix", lengths))
        return stacks

    def _row(self, pair: Pair) -> Row:
        image, prompt = pair
        found = self._rows.get((id(image), prompt))
        if found is None:
            found = self._rows[id(image), prompt] = (image, self._decoder.encoder.row(image, prompt))
        return found[1]

    def _ask(self, shared: SharedPrefix, images: list[ImageRows], first: Image) -> list[RawAnswer] | None:
        """The answers to all rows of images computed together; None where their size class failed its check."""
        size = _size_class(images)
        way = self._allowed[size] if size in self._allowed else self._check(shared, images, first, size)
        if way is None:
            return None
        prefix = self._prefix(shared, images)
        self.taken.add("shared")
        return [answer for part in self._parts(prefix, way) for answer in self._read(shared, prefix, part, way)]

    def _prefix(self, shared: SharedPrefix, images: list[ImageRows]) -> Prefix:
        with self._budget.forward("prefix", sum(shared.length([image]) for image in images)):
            return shared.prefix(images)

    def _parts(self, prefix: Prefix, way: _Way) -> list[range]:
        """Which rows are asked in one forward."""
        return self._budget.parts(way, [_held(row, prefix, way) for _, row in prefix.rows])

    def _logits(self, shared: SharedPrefix, prefix: Prefix, part: Sequence[int], way: _Way) -> Tensor:
        rows = prefix.rows
        with self._budget.forward(way, sum(_held(rows[place][1], prefix, way) for place in part)):
            return shared.packed_logits(prefix, part) if way == "packed" else shared.logits(prefix, part)

    def _read(self, shared: SharedPrefix, prefix: Prefix, part: Sequence[int], way: _Way) -> list[RawAnswer]:
        first = read_first_token(self._logits(shared, prefix, part, way), self._decoder.tokens)
        unclear = [part[row] for row in self._decoder.goes_on(first).nonzero()[:, 0].tolist()]
        made = shared.texts(prefix, unclear, self._decoder.continue_from) if unclear else {}
        return [self._decoder.read(first, row, made.get(place)) for row, place in enumerate(part)]

    def _check(self, shared: SharedPrefix, images: list[ImageRows], first: Image, size: _SizeClass) -> _Way | None:
        """The first way of sharing whose logits are generate()'s on questions of this size class; None if none's are.

        Found for the whole class, unless generate() makes no numbers of these very images: they say nothing about others.
        """
        if sum(len(image.rows) for image in images) < QUESTIONS:
            probes = [self._decoder.encoder.row(first, probe) for probe in PROBES]
            images = [rows_of_image([*images[0].rows, *probes]), *images[1:]]
        rows = [row for image in images for row in image.rows]
        chosen = choose([row["input_ids"].shape[1] for row in rows])
        expected = torch.cat([self._decoder.first_logits(rows[place]) for place in chosen])
        if not bool(expected.isfinite().any(-1).all()):
            return None
        sizes = f"{2 ** (size[0] - 1)} to {2 ** size[0] - 1} tokens, {'several images' if size[-1] else 'one image'}"
        way: _Way
        for way in ("packed", "rows"):
            what = f"shared prefix ({way}), {sizes}"
            try:
                prefix = self._prefix(shared, images)
                if way == "packed" and not shared.packable(prefix):
                    continue
                found = torch.cat([self._logits(shared, prefix, part, way) for part in self._parts(prefix, way)])
                passed = self._record(what, found[chosen], expected)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a family's code can raise anything; the plain path is always right
                passed = self._failed(what, short_reason(error))
            if passed:
                self._allowed[size] = way
                return way
        self._allowed[size] = None
        if len(images) == 1:
            self._refuse(self.checks[-1].reason or f"its logits differ by {self.checks[-1].difference or math.inf:.2g} ({sizes})")
        return None

    def _record(self, what: str, found: Tensor, expected: Tensor) -> bool:
        difference = relative_difference(found, expected)
        passed = difference <= self._threshold
        # Two digits: rounding errors are not worth telling runs apart by.
        known = float(f"{difference:.2g}") if difference < math.inf else None
        self.checks.append(SelfCheck(what=what, passed=passed, difference=known, threshold=self._threshold))
        return passed

    def _failed(self, what: str, reason: str) -> bool:
        self.checks.append(SelfCheck(what=what, passed=False, threshold=self._threshold, reason=reason))
        return False

    def _refuse(self, reason: str) -> None:
        if self._path == "shared":
            raise HopeBenchError(f"This model's questions can't share a prefix: {reason}. Use --path auto or plain.")
        message = f"Questions of an image are not asked on a shared prefix, which would be faster: {reason}."
        if message not in self._said:
            self._said.add(message)
            self._say(message)


def _held(row: Row, prefix: Prefix, way: _Way) -> int:
    """Tokens that a question holds in memory: packed ones share the prefix, the others have copies of it."""
    own = int(row["input_ids"].shape[1])
    return own - prefix.length if way == "packed" else own


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
