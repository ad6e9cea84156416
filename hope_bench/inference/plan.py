"""What to ask, in which order: the unique questions of a benchmark, formed once into fixed steps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from hope_bench.files.benchmark import Benchmark
from hope_bench.records import Label, Prompt, Question, Request

_SAMPLE_SEED: Final = "hope-bench limit 0"


Step = tuple[Request, ...]
"""Requests that run together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run. Which questions run together is fixed here, so that no answer depends on an interruption."""

    steps: tuple[Step, ...]

    @property
    def requests(self) -> Iterator[Request]:
        """Every request once, in order."""
        return (request for step in self.steps for request in step)

    def keyed(self, settings: str, sha256: Mapping[str, str | None]) -> Plan:
        """The same plan with each request's key: a hash of `settings` (all that answers depend on besides the question), of the
        image file (`sha256`, by file name), of the prompt and of which sample it is."""

        def key(request: Request) -> str:
            sample = (str(request.sample),) if request.sample else ()
            parts = (settings, sha256.get(request.image) or "", request.text, *sample)
            return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

        return Plan(tuple(tuple(replace(request, key=key(request)) for request in step) for step in self.steps))


def make_plan(
    benchmark: Benchmark, prompt: Prompt, step_size: int, limit: int | None = None, samples: int = 1, *, drawn: bool = False
) -> Plan:
    """Each (image, question) of the benchmark's splits once (`samples` times where answers are drawn), grouped by image in the
    benchmark's order.

    A step holds the questions of whole images, as many images as `step_size` questions allow and at least one: a model computes
    an image once for all its questions. `limit` asks only that many questions of each split (`limited`). With
    `drawn` the images come in the order in which `limited` takes them, so that the first are a fair look.
    """
    rank = {image: place for place, image in enumerate(benchmark.manifest.images)}
    unique: dict[tuple[str, str], Request] = {}
    for questions in benchmark.splits.values():
        for question in questions if limit is None else limited(questions, limit):
            key = (question.image, question.text)
            unique.setdefault(key, Request(question.image, question.text, prompt.fill(question.text)))
            rank.setdefault(question.image, len(rank))
    if drawn:
        rank = {image: place for place, image in enumerate(sorted(rank, key=_draw))}
    ordered = sorted(unique.values(), key=lambda request: rank[request.image])
    steps: list[list[Request]] = []
    for _, questions_of_image in groupby(ordered, key=lambda request: request.image):
        group = [replace(request, sample=sample) for request in questions_of_image for sample in range(samples)]
        if steps and len(steps[-1]) + len(group) <= step_size:
            steps[-1].extend(group)
        else:
            steps.append(group)
    return Plan(tuple(map(tuple, steps)))


def limited(questions: Sequence[Question], limit: int) -> list[Question]:
    """At most `limit` questions of a split: half of them yes and half no (the odd one a yes), in the split's order.

    Whole images are taken, in an order drawn once from the images' names, until the halves are full. So the splits of a
    benchmark are cut to the same images and share their yes-questions as before, and a larger limit extends a smaller one.
    Where a split has too few questions of one label, the other fills up.
    """
    yes = sum(question.label == "yes" for question in questions)
    no_room = min(limit - min((limit + 1) // 2, yes), len(questions) - yes)
    room: dict[Label, int] = {"yes": min(limit - no_room, yes), "no": no_room}
    places: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault(question.image, []).append(place)
    taken = []
    for image in sorted(places, key=_draw):
        for place in places[image]:
            label = questions[place].label
            if room[label]:
                room[label] -= 1
                taken.append(place)
    return [questions[place] for place in sorted(taken)]


def _draw(image: str) -> str:
    return hashlib.sha256(f"{_SAMPLE_SEED}\n{image}".encode()).hexdigest()
