"""Which way questions go: on a shared prefix where a check of this very model says that is right, else through generate()."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.budget import Budget
from hope_bench.adapters.decoding import Decoder
from hope_bench.adapters.encoding import ImageRows, NotShareableError, Row, aligned_inputs, join, media_tokens, rows_of_image
from hope_bench.adapters.gpu import raise_if_lost
from hope_bench.adapters.self_check import PROBES, QUESTIONS, choose, relative_difference, threshold
from hope_bench.adapters.shared_prefix import Prefix, SharedPrefix
from hope_bench.adapters.yes_no import YesNoTokens, read_first_token
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.result import SelfCheck

if TYPE_CHECKING:
    from PIL.Image import Image

Pair = tuple["Image", str]
Seeds = Sequence[int] | None
"""What each row's answer is drawn from; None for greedy decoding."""
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
        self._joined: frozenset[str] | None = None
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
        for (image, prompt), row in zip(batch, rows, strict=True):
            self._rows.setdefault((id(image), prompt), (image, row))

    def read_tokens(self, tokens: YesNoTokens) -> None:
        """Take these for yes and no from now on."""
        self._decoder = replace(self._decoder, tokens=tokens)

    def forget(self, batch: Sequence[Pair]) -> None:
        """Drop what was encoded for these questions."""
        for image, prompt in batch:
            self._rows.pop((id(image), prompt), None)

    def answer(self, batch: Sequence[Pair], seeds: Seeds = None) -> list[RawAnswer]:
        """One answer for each (image, prompt), in order, drawn from its seed (None: greedy). Raises torch.OutOfMemoryError where
        a forward doesn't fit."""
        answers: dict[int, RawAnswer] = {}
        if self._shared is not None:
            answers = self._answer_shared(self._shared, batch, seeds)
        rest = [place for place in range(len(batch)) if place not in answers]
        if rest:
            answers |= zip(rest, self._answer_plain([batch[place] for place in rest], _of(seeds, rest)), strict=True)
        return [answers[place] for place in range(len(batch))]

    def _answer_plain(self, batch: Sequence[Pair], seeds: Seeds) -> list[RawAnswer]:
        self.taken.add("plain")
        rows = [self._row(pair) for pair in batch]
        lengths = [_length(row) for row in rows]
        parts = self._budget.parts("plain", lengths)
        several = next((part for part in parts if len(part) > 1), None)
        if several is not None and self._batches_allowed is None:
            self._check_batches([batch[place] for place in several])
        answers: list[RawAnswer] = []
        for part in parts if self._batches_allowed else [range(place, place + 1) for place in range(len(batch))]:
            inputs = self._batch([batch[place] for place in part]) if len(part) > 1 else rows[part[0]]
            with self._budget.forward("plain", sum(lengths[place] for place in part)):
                answers.extend(self._decoder.answer(inputs, _of(seeds, part)))
        return answers

    def _batch(self, batch: Sequence[Pair]) -> Row:
        """One left-padded batch: of the rows encoded ahead where that gives the processor's own, else made by the processor."""
        joined = None
        if self._joined is not None:
            joined = join([self._row(pair) for pair in batch], self._joined, self._decoder.encoder.pad_token)
        return self._decoder.encoder.batch(batch) if joined is None else joined

    def _check_batches(self, batch: Sequence[Pair]) -> None:
        """Whether this family's rows are independent of their neighbours and padding (InstructBLIP's are not).

        Left open where the model makes no numbers of these very questions, or raises: they say nothing about others.
        """
        encoder, decoder = self._decoder.encoder, self._decoder
        # Questions of other lengths with them, so that there is padding: without it, most families pass.
        probes = [(batch[0][0], probe) for probe in PROBES]
        pairs, rows = [*batch, *probes], [*map(self._row, batch), *(encoder.row(*probe) for probe in probes)]
        lengths = [_length(row) for row in rows]
        chosen = choose(lengths)
        expected = self._expected([rows[place] for place in chosen])
        if not bool(expected.isfinite().any(1).all()):
            return
        try:
            batch_inputs = encoder.batch([pairs[place] for place in chosen])
            self._joined = _joined_alike([rows[place] for place in chosen], batch_inputs, encoder.pad_token)
            with self._budget.forward("plain", sum(lengths[place] for place in chosen)):
                found = decoder.first_logits(batch_inputs)
            self._batches_allowed = self._record("batches of the plain path", found, expected)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a family's code can raise anything; one row at a time is always right
            raise_if_lost(decoder.model.device, error)
            self._batches_allowed = self._failed("batches of the plain path", short_reason(error))
        if self._batches_allowed is False:
            self._say("This model answers differently in a batch, so its questions are asked one by one, which is slow.")

    def _expected(self, rows: Sequence[Row]) -> Tensor:
        """float32 [n, V]: the first logits of each row by generate(), asked alone."""
        logits = []
        for row in rows:
            with self._budget.forward("plain", _length(row)):
                logits.append(self._decoder.first_logits(row))
        return torch.cat(logits)

    def _answer_shared(self, shared: SharedPrefix, batch: Sequence[Pair], seeds: Seeds) -> dict[int, RawAnswer]:
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
            asked = [place for i in stack for place in places[i]]
            said = self._ask(shared, [images[i] for i in stack], batch[asked[0]][0], _of(seeds, asked))
            if said is not None:
                answers |= zip(asked, said, strict=True)
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

    def _ask(self, shared: SharedPrefix, images: list[ImageRows], first: Image, seeds: Seeds) -> list[RawAnswer] | None:
        """The answers to all rows of images computed together; None where their size class failed its check."""
        size = _size_class(images)
        way = self._allowed[size] if size in self._allowed else self._check(shared, images, first, size)
        if way is None:
            return None
        prefix = self._prefix(shared, images)
        self.taken.add("shared")
        return [answer for part in self._parts(prefix, way) for answer in self._read(shared, prefix, part, way, seeds)]

    def _prefix(self, shared: SharedPrefix, images: list[ImageRows]) -> Prefix:
        with self._budget.forward("prefix", sum(shared.length([image]) for image in images)):
            return shared.prefix(images)

    def _parts(self, prefix: Prefix, way: _Way) -> list[range]:
        """Which rows are asked in one forward."""
        packed = way == "packed"
        tokens = [_length(row) - (prefix.length if packed else 0) for _, row in prefix.rows]
        return self._budget.parts(way, tokens, lambda part: prefix.held(part, packed))

    def _logits(self, shared: SharedPrefix, prefix: Prefix, part: Sequence[int], way: _Way) -> Tensor:
        with self._budget.forward(way, prefix.held(part, way == "packed")):
            return shared.packed_logits(prefix, part) if way == "packed" else shared.logits(prefix, part)

    def _read(self, shared: SharedPrefix, prefix: Prefix, part: Sequence[int], way: _Way, seeds: Seeds) -> list[RawAnswer]:
        first = read_first_token(self._logits(shared, prefix, part, way), self._decoder.tokens)
        unclear = [part[row] for row in self._decoder.goes_on(first).nonzero()[:, 0].tolist()]
        made: dict[int, Tensor] = {}
        new = int(self._decoder.settings.max_new_tokens)

        tokens = [_length(prefix.rows[place][1]) + new for place in unclear]

        def held(part: range) -> int:
            return prefix.held([unclear[place] for place in part], packed=False) + new * len(part)

        def go_on(model: Any, inputs: Any, rows: Sequence[int]) -> Tensor:
            return self._decoder.continue_from(model, inputs, _of(seeds, rows))

        for some in self._budget.parts("rows", tokens, held) if unclear else ():
            with self._budget.forward("rows", held(some)):
                made |= shared.texts(prefix, [unclear[place] for place in some], go_on)
        return [self._decoder.read(first, row, made.get(place)) for row, place in enumerate(part)]

    def _check(self, shared: SharedPrefix, images: list[ImageRows], first: Image, size: _SizeClass) -> _Way | None:
        """The first way of sharing whose logits are generate()'s on questions of this size class; None if none's are.

        Found for the whole class, unless generate() makes no numbers of these very images: they say nothing about others.
        """
        images = [_each_once(image) for image in images]  # drawn several times, a question is asked several times
        if sum(len(image.rows) for image in images) < QUESTIONS:
            probes = [self._decoder.encoder.row(first, probe) for probe in PROBES]
            images = [rows_of_image([*images[0].rows, *probes]), *images[1:]]
        rows = [row for image in images for row in image.rows]
        # Of the first image and of the last one, too: computed together, one may be right and the others wrong.
        chosen = sorted({*choose([_length(row) for row in rows]), 0, len(rows) - 1})
        expected = self._expected([rows[place] for place in chosen])
        if not bool(expected.isfinite().any(1).all()):
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
                raise_if_lost(self._decoder.model.device, error)
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


def _of(seeds: Seeds, rows: Sequence[int]) -> Seeds:
    return None if seeds is None else [seeds[row] for row in rows]


def _each_once(image: ImageRows) -> ImageRows:
    rows = {tuple(row["input_ids"][0].tolist()): row for row in image.rows}
    return ImageRows(tuple(rows.values()), image.aligned)


def _length(row: Row) -> int:
    return int(row["input_ids"].shape[1])


def _joined_alike(rows: Sequence[Row], batch: Row, pad_token: int) -> frozenset[str] | None:
    """The inputs with one entry a token, if joining the rows gives the very tensors that the processor made of them."""
    aligned = aligned_inputs(rows)
    joined = join(rows, aligned, pad_token)
    if joined is None or joined.keys() != batch.keys():
        return None
    return aligned if all(torch.equal(value, batch[key]) for key, value in joined.items()) else None


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
