"""What a run would ask, before it asks anything: counts, tokens, and the time an earlier run of the same model took."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hope_bench.benchmark import Benchmark
from hope_bench.card import ModelCard
from hope_bench.errors import HopeBenchError
from hope_bench.inference.answers import read_so_far
from hope_bench.inference.plan import Plan, Step
from hope_bench.inference.record import settings_of, settings_of_plan
from hope_bench.records import Prompt
from hope_bench.runs import read_run

_SAMPLE = 8
"""Images whose questions are tokenized."""
_CHARACTERS_PER_TOKEN = 4
"""Of English text, as a rule of thumb."""

_Settings = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would ask. `questions` counts those of all splits, `unique` those that are asked, of `images` images in
    `steps` steps; of these, `left` and `left_images` have no answer in the run folder yet. All that follows is about what is
    left. `tokens` are the tokens per question of a sample, `shared` those left of each where an image's prompt is computed once;
    None where only a server knows. `text_tokens` is a guess from the characters of all prompts. `seconds` is at the speed of the
    run named `like`, and `per_question` its (input, output) tokens a question, where an endpoint counted them.
    """

    questions: int
    unique: int
    images: int
    steps: int
    left: int
    left_images: int
    text_tokens: int
    tokens: float | None = None
    shared: float | None = None
    seconds: float | None = None
    like: str | None = None
    per_question: tuple[float, float] | None = None


def estimate(
    benchmark: Benchmark,
    card: ModelCard,
    prompt: Prompt,
    plan: Plan,
    images: Path | None,
    runs: Path,
    folder: Path,
    limit: int | None = None,
) -> Estimate:
    """Count a plan and size up what is left of it; the model's processor is used where it is here with some images, its weights
    never. `runs` is the folder of runs, `folder` that of this one."""
    rest = Plan(_unanswered(plan, folder, settings_of(card, prompt), settings_of_plan(benchmark, card, limit)))
    requests = list(rest.requests)
    tokens = shared = None
    if requests and card.adapter == "transformers" and images is not None:
        with contextlib.suppress(HopeBenchError):
            tokens, shared = _tokens(card, rest, images)
    earlier = _earlier(card, runs)
    return Estimate(
        questions=sum(min(len(questions), limit or len(questions)) for questions in benchmark.splits.values()),
        unique=len(list(plan.requests)),
        images=len({request.image for request in plan.requests}),
        steps=len(plan.steps),
        left=len(requests),
        left_images=len({request.image for request in requests}),
        text_tokens=sum(len(request.text) for request in requests) // _CHARACTERS_PER_TOKEN,
        tokens=tokens,
        shared=shared,
        seconds=len(requests) / earlier.questions * earlier.seconds if earlier else None,
        like=str(earlier.folder) if earlier else None,
        per_question=earlier.per_question if earlier else None,
    )


def _unanswered(plan: Plan, folder: Path, settings: _Settings, of_plan: _Settings) -> tuple[Step, ...]:
    """The steps with what the run would still ask, as far as can be told without the model: all where a setting has changed, and
    the whole of a step in which something failed."""
    with contextlib.suppress(HopeBenchError):  # what is wrong with the folder, the run itself says
        earlier = read_run(folder).settings
        if any(earlier.get(name) != value for name, value in settings.items()):
            return plan.steps
        same_plan = all(earlier.get(name) == value for name, value in of_plan.items())
        answers = read_so_far(folder).values()
        answered = {(answer.image, answer.question) for answer in answers if answer.error is None}
        rests = [tuple(request for request in step if (request.image, request.question) not in answered) for step in plan.steps]
        return tuple(step if same_plan else rest for step, rest in zip(plan.steps, rests, strict=True) if rest)
    return plan.steps


def _tokens(card: ModelCard, plan: Plan, images: Path) -> tuple[float, float] | tuple[None, None]:
    """Mean tokens of a question, and of what is left of it after the prefix that its image's questions share."""
    from hope_bench.adapters.checkpoint import local_folder
    from hope_bench.adapters.loading import load_processor, quiet
    from hope_bench.adapters.token_count import count_tokens
    from hope_bench.inference.images import open_checked

    folder = local_folder(card.checkpoint, card.revision)
    if folder is None:
        return None, None
    by_image: dict[str, list[str]] = {}
    for request in plan.requests:
        by_image.setdefault(request.image, []).append(request.text)
    names = random.Random(0).sample(sorted(by_image), min(_SAMPLE, len(by_image)))
    pictures = {name: open_checked(images / name, None) for name in names}
    with quiet():
        processor = load_processor(str(folder), card.chat_template)
        counted = [
            count_tokens(processor, card.chat_template, picture, by_image[name])
            for name, picture in pictures.items()
            if not isinstance(picture, Exception)
        ]
    questions = sum(count.questions for count in counted)
    if not questions:
        return None, None
    return sum(count.tokens for count in counted) / questions, sum(count.own for count in counted) / questions


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A finished run of the same model: what its questions took."""

    folder: Path
    questions: int
    seconds: float
    per_question: tuple[float, float] | None


def _earlier(card: ModelCard, runs: Path) -> _Earlier | None:
    """The largest finished run of the same model."""
    found: list[_Earlier] = []
    for path in sorted(runs.glob("*/*/run.json")):
        with contextlib.suppress(HopeBenchError):
            record = read_run(path.parent)
            if record.model.name != card.name or not (record.complete and record.seconds and record.questions):
                continue
            tokens = (record.run.input_tokens, record.run.output_tokens)
            each = None if not tokens[0] else (tokens[0] / record.questions, (tokens[1] or 0) / record.questions)
            found.append(_Earlier(path.parent, record.questions, record.seconds, each))
    return max(found, key=lambda run: run.questions, default=None)
