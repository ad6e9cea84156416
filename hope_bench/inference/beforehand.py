"""What can be said of a run before its model's libraries are imported, which takes seconds of CPU: wrong input, nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from hope_bench.adapters.base import AdapterInfo
from hope_bench.adapters.known import known_info
from hope_bench.annotations.of_benchmark import check_images_folder
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.files.run import RunRecord, read_run
from hope_bench.inference.images import image_hashes
from hope_bench.inference.plan import Plan
from hope_bench.inference.record import answers_key
from hope_bench.inference.resume import finished, what_is_left
from hope_bench.provenance import versions

Describe = Callable[[AdapterInfo, Mapping[str, str | None]], RunRecord]
"""The record of a run, by what the model is and the SHA-256 of each image file."""


def answered_before(
    folder: Path, benchmark: Benchmark, card: ModelCard, plan: Plan, images: Path | None, describe: Describe
) -> RunRecord | None:
    """The record of a run with nothing left to ask; None where there is something, or only the model's libraries can tell what.

    Nothing is written. Raises HopeBenchError where images are needed and not there, for a checkpoint that lacks files, and where
    the run folder holds another model's answers.
    """
    names = list(dict.fromkeys(request.image for request in plan.requests))
    try:
        earlier = read_run(folder)
    except HopeBenchError:  # not begun yet; a broken file is the engine's to tell
        check_images_folder(images, names, benchmark)
        return None
    info = known_info(card)
    if info is None or earlier.run.versions != versions():
        return None
    if earlier.run.thinking:  # by itself or told to: only its template can tell whether it would now
        return None
    if card.adapter == "transformers":  # what the template makes of the probe follows from its files and transformers alone
        probe = earlier.settings.get("probe")
        info = replace(info, probe_sha256=None if probe is None else str(probe))
    sha256 = image_hashes(names, images, benchmark.manifest.images)
    record = describe(info, sha256)
    keyed = plan.keyed(answers_key(record), sha256)
    done = finished(folder, keyed, record)
    if done is None and what_is_left(folder, keyed, record).steps:
        check_images_folder(images, names, benchmark)
    return done
