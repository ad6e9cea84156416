"""One step of a plan put to a model: one answer for each question, whatever fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from PIL import Image

from hope_bench.adapters.base import Adapter, Draws, RawAnswer
from hope_bench.errors import HopeBenchError, counted, short_reason
from hope_bench.files.language import AnswerWords
from hope_bench.images import UnreadableImageError, plain_picture
from hope_bench.inference.images import StepImages
from hope_bench.records import Answer, Request
from hope_bench.scoring.parsing import parse_answer

Batch = list[tuple[Image.Image, str]]


class Asker:
    """Asks one model. `works` says that it has answered before; else its first step decides whether to go on at all. `language`
    is the benchmark's (None: English)."""

    def __init__(self, model: Adapter, works: bool, language: AnswerWords | None = None) -> None:
        self._model, self._works, self._language = model, works, language

    def answer(self, step: Sequence[Request], images: StepImages) -> list[Answer]:
        """One answer a request, in order. Raises HopeBenchError where the model fails from the start, or loses an answer."""
        batch = batch_of(step, images)
        samples = [request.sample for request in step if not isinstance(images[request.image], UnreadableImageError)]
        said = answer_all(self._model, batch, samples) if batch else []
        if said and not self._works:
            self._check_first(said, batch[0][1])
        rest = iter(said)
        answers = []
        for request in step:
            image = images[request.image]
            raw = RawAnswer(error=f"image: {image}") if isinstance(image, UnreadableImageError) else next(rest)
            answers.append(_read(request, raw, self._language))
        return answers

    def _check_first(self, said: Sequence[RawAnswer], prompt: str) -> None:
        """Stop before thousands of questions fail alike, unless it was those images: then a plain one is answered."""
        failed = all(answer.error is not None for answer in said)
        if failed and answer_all(self._model, [(plain_picture(), prompt)])[0].error is not None:
            raise HopeBenchError(
                f"The model failed on its first {counted(len(said), 'question')}, so nothing was asked "
                "further. The first said: "
                f"{said[0].error}"
            )
        self._works = True


def answer_all(model: Adapter, batch: Batch, samples: Sequence[int] = ()) -> list[RawAnswer]:
    """One answer for each (image, prompt), the sample of that number where several are drawn. Where a batch raises, halves are
    tried, so that one bad row fails alone."""
    try:
        answers = cast(Draws, model).answer(batch, samples) if any(samples) else model.answer(batch)
    except HopeBenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a model's code can raise anything, and one question must not end the run
        if len(batch) == 1:
            return [RawAnswer(error=short_reason(error))]
        half = (len(batch) + 1) // 2
        return answer_all(model, batch[:half], samples[:half]) + answer_all(model, batch[half:], samples[half:])
    if len(answers) != len(batch):
        raise HopeBenchError(
            f"The adapter {model.info.adapter} gave {counted(len(answers), 'answer')} to "
            f"{counted(len(batch), 'question')}, so which belongs to which "
            "is unknown. This is a bug in the adapter."
        )
    return answers


def batch_of(step: Sequence[Request], images: StepImages) -> Batch:
    """What a model is asked of a step: the questions whose images can be read."""
    found = ((images[request.image], request.text) for request in step)
    return [(image, text) for image, text in found if not isinstance(image, UnreadableImageError)]


def _read(request: Request, raw: RawAnswer, language: AnswerWords | None) -> Answer:
    answer = Answer(
        image=request.image,
        question=request.question,
        text=_writable(raw.text),
        verdict="error" if raw.error is not None else parse_answer(raw.text or "", request.question, language),
        p_yes=raw.p_yes,
        mass=raw.mass,
        complete=raw.complete,
        error=_writable(raw.error),
        key=request.key,
        sample=request.sample,
    )
    return replace(answer, p_yes=answer.read_p_yes)


def _writable(text: str | None) -> str | None:
    """The text with "?" for what no file can hold: half of a surrogate pair, as an emoji cut in two leaves it."""
    return None if text is None else text.encode("utf-8", "replace").decode()
