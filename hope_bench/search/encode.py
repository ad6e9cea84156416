"""The third step of generating: what the search may look at, embedded by every encoder that a strategy or guard asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hope_bench.files.benchmark import ClipInfo, PrototypeInfo
from hope_bench.files.spec import DESCRIPTION_STRATEGIES, BenchmarkSpec, base_strategy, encoder_name
from hope_bench.search.crops import Crops, draw_crops
from hope_bench.search.encoder_session import EncoderSession, Pictures
from hope_bench.search.inputs import Inputs, encoders_used
from hope_bench.search.sample import Sample
from hope_bench.search.space import SearchSpace

if TYPE_CHECKING:
    from hope_bench.clip.crew import EncoderCrew

_USE_PROTOTYPES = ("category-similarity", "category", "hope", "category-balanced", "hope-balanced")


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """The search space, and the `sample` less the pictures that turned out unreadable.

    `encoders` are those used, by their name in the spec ("" is the main one); `prototypes` what visual prototypes were made of,
    None where there are none; `guessed` the attribute bank's winners by instance row and group, empty unless they are asked for.
    """

    space: SearchSpace
    sample: Sample
    encoders: Mapping[str, ClipInfo]
    prototypes: PrototypeInfo | None
    guessed: Mapping[int, Mapping[str, str]]


def encode(inputs: Inputs, sample: Sample, cache: Path, crew: EncoderCrew | None = None) -> Encoding:
    """Embed the sample, with a `crew` or alone; embeddings are kept under `cache`.

    Raises HopeBenchError where no picture can be read.
    """
    spec, annotations, folder = inputs.spec, sample.annotations, inputs.images
    if folder is None or not spec.needs_clip:
        sample.need_some()
        return Encoding(SearchSpace(spec, annotations, sample.left(), {}), sample, {}, None, {})
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(closing(EncoderSession(clip, cache, crew))) for name, clip in encoders_used(spec).items()
        }
        main = sessions[""]
        sample = sample.without({}, [note for session in sessions.values() for note in session.notes])
        sample = sample.without(main.unreadable(_pictures(sample, folder), annotations))
        sample.need_some()
        comparing = {encoder_name(one) for one in spec.strategies if base_strategy(one) in _USE_PROTOTYPES}
        crops = _crops(inputs, sample, folder, [session for name, session in sessions.items() if name in comparing])
        if crops is not None:
            sample = sample.without({}, crops.notes())
        if inputs.evidence is not None:
            sample = sample.without(
                {}, inputs.evidence.notes([sample.annotations.images[one].file_name for one in sample.left()])
            )
        pictures = _pictures(sample, folder)
        encoded = {
            name: session.encode(
                pictures, annotations,
                tiles=name == "" and spec.guards.calibrated is not None, crops=crops if name in comparing else None,
            )
            for name, session in sessions.items()
        }  # fmt: skip
        return Encoding(
            SearchSpace(spec, annotations, sample.left(), encoded, _seen(inputs, sample)),
            sample,
            {name: session.info for name, session in sessions.items()},
            None if crops is None else crops.info(),
            main.guess_attributes(pictures, annotations) if _asks_bank(spec) else {},
        )


def _seen(inputs: Inputs, sample: Sample) -> NDArray[np.float64] | None:
    """What a user's evidence says of the sampled images, [N, C]; None where it is about none of them."""
    files = _file_names(sample)
    if inputs.evidence is None or inputs.evidence.images.isdisjoint(files):
        return None
    return inputs.evidence.matrix(files, [category.name for category in sample.annotations.categories])


def _file_names(sample: Sample) -> list[str]:
    return [sample.annotations.images[image].file_name for image in sample.left()]


def _asks_bank(spec: BenchmarkSpec) -> bool:
    return "bank" in spec.descriptions.sources and any(base_strategy(one) in DESCRIPTION_STRATEGIES for one in spec.strategies)


def _pictures(sample: Sample, folder: Path) -> Pictures:
    left = sample.left()
    return Pictures(folder, left, tuple(sample.sha256[image] for image in left))


def _crops(inputs: Inputs, sample: Sample, folder: Path, sessions: Sequence[EncoderSession]) -> Crops | None:
    """What prototypes are made of, without pictures that can't be used; None where none are made."""
    category = inputs.spec.category
    if not sessions or category.prototype == "text" or sample.annotations.boxes is None:
        return None
    crops = draw_crops(sample.annotations, category.crops, inputs.spec.seed, folder)
    return crops.without(sessions[0].unusable(crops))
