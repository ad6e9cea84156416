"""What every adapter is: one model that says what it is, loads, and answers batches of (image, prompt)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from hope_bench.provenance import json_sha256

if TYPE_CHECKING:
    from PIL.Image import Image

    from hope_bench.files.language import AnswerWords
    from hope_bench.files.result import SelfCheck


NOT_ASKED = "not asked"
"""How the error of a question begins that was never put to the model."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What the model said to one (image, prompt), before it is read as yes or no.

    The fields are those of `records.Answer`: `p_yes` and `mass` in [0, 1] or None where unknown, `complete` False where `text` is
    the first token alone. A thought is no part of `text`. A failure is `error`, and then nothing else is set.
    """

    text: str | None = None
    p_yes: float | None = None
    mass: float | None = None
    complete: bool = True
    error: str | None = None


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """What a model is and where it runs, known before its weights are loaded.

    `identity` names the exact weights, tokenizer, processor and template; answers of one identity may be mixed. `revision` is a
    Hub commit and `weights_sha256` the hash of a local checkpoint; each None where it doesn't apply. `device_kind` is what
    numbers depend on ("cuda", "cpu"), `device` the same in words for people. `addresses` are where an endpoint is reached.
    `thinks` says whether the model thinks before it answers, and `probe_sha256` is the hash of what its chat template makes of a
    fixed question (None where that isn't known here). `vision_tower` is the encoder that the checkpoint's configuration tells of.
    `said` is the identity that an object gives itself, or that was given with a loaded model.
    """

    adapter: str
    identity: str
    revision: str | None
    weights_sha256: str | None
    dtype: str
    device_kind: str
    device: str
    addresses: tuple[str, ...] = ()
    thinks: bool = False
    probe_sha256: str | None = None
    vision_tower: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class AdapterReport:
    """What happened while asking: `path` in words where there is a choice ("shared", "plain" or both), the self-checks made,
    and the most memory used of one GPU, in bytes. `input_tokens`, `output_tokens` and `cost` (US dollars, where the card knows
    prices) are an endpoint's. `notes` say in sentences what is to be known about all answers."""

    path: str | None = None
    checks: tuple[SelfCheck, ...] = ()
    gpu_bytes: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    notes: tuple[str, ...] = ()


class Adapter(Protocol):
    """One model. Building one is cheap and finds everything wrong that can be found without the weights (HopeBenchError)."""

    @property
    def info(self) -> AdapterInfo:
        """What the model is; the same before and after `load`."""
        ...

    def load(self) -> None:
        """Make ready to answer. Called once, before the first `answer`. Raises HopeBenchError where the model can't be loaded."""
        ...

    @property
    def report(self) -> AdapterReport:
        """What happened so far."""
        ...

    def prepare(self, batch: Sequence[tuple[Image, str]]) -> None:
        """May be called, in another thread, with a batch whose turn comes soon. `answer` must work without."""
        ...

    def answer(self, batch: Sequence[tuple[Image, str]]) -> list[RawAnswer]:
        """One answer for each (RGB image, prompt), in order. An image's `info["file_name"]` is its name in the images folder.

        A row the model can't answer is a RawAnswer with `error`. Any exception means that the batch as a whole failed; the
        engine then finds out which rows are to blame.
        """
        ...


class Draws(Adapter, Protocol):
    """An adapter that draws answers where its card says so (`sampling`), and can draw several to one question."""

    def answer(self, batch: Sequence[tuple[Image, str]], samples: Sequence[int] = ()) -> list[RawAnswer]:
        """As every adapter; `samples` says which of a question's answers each row is to be, from 0 (empty: 0 throughout).

        What is drawn follows from the card's seed, the image's name, the prompt and that number, whatever is asked with it.
        """
        ...


def draw_seed(seed: int, image: str, prompt: str, sample: int) -> int:
    """The seed of one answer, in [0, 2^31): every server takes that."""
    return int(json_sha256([seed, image, prompt, sample])[:8], 16) % 2**31


class EncodesElsewhere(Adapter, Protocol):
    """An adapter whose `prepare` falls in two parts, the first of which may run in another process."""

    def elsewhere(self) -> Callable[[], Callable[[Sequence[tuple[Image, str]]], Any]]:
        """What another process calls once, to have what encodes a batch without the model and its device. Known after `load`;
        it is pickled, and so is what is made of a batch."""
        ...

    def take(self, batch: Sequence[tuple[Image, str]], encoded: Any) -> None:
        """Take what was made elsewhere of a batch that `answer` is asked soon. May be called in another thread."""
        ...


class ReadsWords(Adapter, Protocol):
    """An adapter that gives P(yes): what counts as a yes and a no depends on the language asked in."""

    def read_words(self, language: AnswerWords | None) -> None:
        """Take a language's words beside the English ones (None: these alone). Called after `load`, before any question."""
        ...


def reads_words(model: Adapter) -> ReadsWords | None:
    """The model as one that reads P(yes) by words; None if it is none."""
    return cast(ReadsWords, model) if hasattr(model, "read_words") else None


def encodes_elsewhere(model: Adapter) -> EncodesElsewhere | None:
    """The model as one whose inputs other processes can make; None if it is none."""
    return cast(EncodesElsewhere, model) if hasattr(model, "elsewhere") else None
