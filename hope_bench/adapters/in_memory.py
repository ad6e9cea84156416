"""A transformers model in this process's memory as it is asked, whoever loaded it: one path for checkpoints and given models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from hope_bench.adapters.base import AdapterReport, RawAnswer, draw_seed
from hope_bench.adapters.budget import Budget
from hope_bench.adapters.chat_template import PROBE, ChatTemplate
from hope_bench.adapters.decoding import Decoder, decoding_settings
from hope_bench.adapters.encoding import Encoder, known_inputs
from hope_bench.adapters.gpu import raise_if_lost
from hope_bench.adapters.loading import one_thread_if_small, quiet
from hope_bench.adapters.paths import Pair, Paths
from hope_bench.adapters.yes_no import find_own_yes_no, find_yes_no
from hope_bench.clip.exact import computing_exactly
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.language import AnswerWords
from hope_bench.images import plain_picture

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard


class InMemory:
    """What all adapters of transformers models share: a single user turn [image, prompt] in the model's own chat template, greedy
    decoding unless the card says otherwise. One that derives from it calls `_ready` when it has the model."""

    def __init__(self, card: ModelCard, device: torch.device, say: Callable[[str], None]) -> None:
        self._card, self._device, self._say = card, device, say
        self._budget = Budget(card.batch_size, card.batch_tokens)
        self._model: Any = None
        self._encoder: Encoder | None = None
        self._decoder: Decoder | None = None
        self._paths: Paths | None = None

    def _ready(self, model: Any, processor: Any, template: ChatTemplate, dtype: torch.dtype) -> Any:
        """Make ready to ask; gives the settings of decoding, which `decoding.use_settings` puts into the model.

        `processor` is changed (padding side, a pad token where it has none), the model is not. `dtype` is the number format
        asked for.
        """
        tokenizer = processor.tokenizer
        settings = decoding_settings(model, tokenizer, self._card.new_tokens(template.thinks))
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token_id = settings.pad_token_id
        self._model = model
        encoder = self._encoder = Encoder(processor, known_inputs(model), model.dtype, template)
        sampling = None if self._card.sampling is None else self._card.sampling.chosen
        words = find_yes_no(tokenizer.get_vocab())
        decoder = self._decoder = Decoder(model, encoder, words, settings, self._card.complete, sampling)
        self._paths = Paths(decoder, self._card.path, self._budget, self._say, dtype)
        return settings

    def _check_asked(self, name: str) -> None:
        """Ask one question about a plain picture: a template, a processor and a config.json that don't go together fail on every
        question. Raises HopeBenchError for what the model called `name` fails on; too little memory is no such thing."""
        assert self._encoder is not None
        assert self._decoder is not None
        with quiet(), one_thread_if_small(self._model, self._device), computing_exactly():
            try:
                self._decoder.first_logits(self._encoder.row(plain_picture(), PROBE))
            except torch.OutOfMemoryError:
                pass
            except Exception as error:  # noqa: BLE001 - a family's code can raise anything
                raise_if_lost(self._device, error)
                raise HopeBenchError(
                    f"{name} can't be asked a question about a picture: {short_reason(error)}. Its chat template, "
                    "processor files and config.json may not belong together: compare them with those of the model that it was "
                    "trained from."
                ) from None

    @property
    def report(self) -> AdapterReport:
        """The path taken and what the self-checks found."""
        if self._paths is None:
            return AdapterReport()
        gpus = range(torch.cuda.device_count()) if self._device.type == "cuda" else ()
        memory = max(map(torch.cuda.max_memory_allocated, gpus), default=None)
        return AdapterReport(" and ".join(sorted(self._paths.taken, reverse=True)) or None, tuple(self._paths.checks), memory)

    def read_words(self, language: AnswerWords | None) -> None:
        """As `base.ReadsWords` says."""
        if self._paths is not None and self._encoder is not None:
            vocabulary, encode = self._encoder.vocabulary(), self._encoder.token_ids
            tokens = find_yes_no(vocabulary) if language is None else find_own_yes_no(vocabulary, language, encode)
            self._paths.read_tokens(tokens)

    def _device_in_words(self) -> str:
        cuda = self._device.type == "cuda"
        return f"{self._device} ({torch.cuda.get_device_name(self._device)})" if cuda else str(self._device)

    def prepare(self, batch: Sequence[Pair]) -> None:
        """Encode questions that `answer` will be asked next; may run in another thread meanwhile."""
        if self._paths is not None and self._encoder is not None:
            with quiet():
                self._paths.take(batch, self._encoder.rows(batch))

    def answer(self, batch: Sequence[Pair], samples: Sequence[int] = ()) -> list[RawAnswer]:
        """One answer for each (RGB image, prompt). Questions about one picture are fastest where they hold the same object.

        `samples` says which of several drawn answers each is (`base.Draws`). What is too much for the device's memory goes in
        several forwards.
        """
        if self._paths is None:
            raise RuntimeError("answer() was called before load()")
        with torch.inference_mode():
            return self._ask(self._paths, batch, samples)

    def _ask(self, paths: Paths, batch: Sequence[Pair], samples: Sequence[int]) -> list[RawAnswer]:
        with quiet(), one_thread_if_small(self._model, self._device), computing_exactly():
            try:
                return self._answer(paths, list(batch), self._seeds(batch, samples))
            except HopeBenchError:
                raise
            except Exception as error:
                raise_if_lost(self._device, error)
                raise
            finally:
                paths.forget(batch)

    def _seeds(self, batch: Sequence[Pair], samples: Sequence[int]) -> list[int] | None:
        """What each answer is drawn from; None where nothing is drawn."""
        if self._card.sampling is None:
            return None
        which = zip(batch, samples or [0] * len(batch), strict=True)
        return [draw_seed(self._card.seed, str(image.info.get("file_name")), prompt, sample) for (image, prompt), sample in which]

    def _answer(self, paths: Paths, batch: list[Pair], seeds: list[int] | None) -> list[RawAnswer]:
        """Where memory runs out, what was too much for one forward goes in several; last of all the batch itself is halved."""
        before = self._budget.learnt
        try:
            return paths.answer(batch, seeds)
        except torch.OutOfMemoryError as error:
            reason = short_reason(error)
        # Outside the handler, whose traceback keeps the failed batch's tensors alive.
        torch.cuda.empty_cache()
        learnt = {kind: tokens for kind, tokens in self._budget.learnt.items() if tokens != before.get(kind)}
        if learnt:
            if not before:
                self._say(
                    f"{max(learnt.values()):,} tokens at once don't fit in memory; going on with fewer (see --batch-tokens)."
                )
            return self._answer(paths, batch, seeds)
        if len(batch) == 1:
            return [RawAnswer(error=f"one question alone needs more memory than there is ({reason})")]
        half = _middle(batch)
        first, rest = (None, None) if seeds is None else (seeds[:half], seeds[half:])
        return self._answer(paths, batch[:half], first) + self._answer(paths, batch[half:], rest)


def _middle(batch: Sequence[Pair]) -> int:
    """Where to cut a batch in two: between two images if there are two, as near to the middle as that allows."""
    half = (len(batch) + 1) // 2
    borders = [place for place in range(1, len(batch)) if batch[place - 1][0] is not batch[place][0]]
    return min(borders, key=lambda place: abs(place - half)) if borders else half
