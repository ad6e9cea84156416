"""What a run's run.json says: which model asked what, and whether answers already there may be added to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from hope_bench.adapters.base import AdapterInfo, AdapterReport
from hope_bench.adapters.endpoint_picture import picture_note
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.files.language import AnswerWords
from hope_bench.files.paraphrases import Paraphrase
from hope_bench.files.result import ModelInfo, RunInfo
from hope_bench.files.run import ANSWERS, RunRecord, read_run
from hope_bench.inference.answers import shard_paths
from hope_bench.provenance import commit, json_sha256, versions
from hope_bench.records import Prompt

_STEP = re.compile(r"checkpoint-(\d{1,15})")
"""How transformers' Trainer calls the folders it saves."""

Number = TypeVar("Number", int, float)

ENGINE_VERSION: Final = 4
"""Goes up when the same model, questions and settings would be answered differently than by an earlier release."""

_OF_THE_PLAN: Final = ("batch_size", "batch_tokens", "address", "prompt", "benchmark", "images", "splits", "limit", "samples")
"""Settings that say what is asked together, how often, and where. An answer depends on its own image, prompt and
number among several alone, which its key holds, and on a model that stays the same wherever it is served."""


def answers_key(record: RunRecord) -> str:
    """A hash of all that an answer depends on besides its image and prompt: model, generation settings, engine version."""
    return json_sha256({name: value for name, value in record.settings.items() if name not in _OF_THE_PLAN})


def describe_run(
    name: str,
    benchmark: Benchmark,
    card: ModelCard,
    prompt: Prompt,
    model: AdapterInfo,
    limit: int | None,
    sha256: Mapping[str, str | None],
) -> RunRecord:
    """The record of a run that is about to begin; `benchmark` holds only the splits that are asked, `sha256` the hashes of the
    image files."""
    manifest = benchmark.manifest
    settings: dict[str, str | int | None] = {
        "model": model.identity,
        "adapter": model.adapter,
        "dtype": model.dtype,
        "device": model.device_kind,
        "batch_size": card.batch_size,
        "batch_tokens": card.batch_tokens,
        "address": ", ".join(model.addresses) or None,
        "max_new_tokens": card.new_tokens(model.thinks),
        "thinking": "thinks" if model.thinks else card.thinking,
        "decoding": decoding(card),
        "template_kwargs": json.dumps(dict(card.template_kwargs), sort_keys=True),
        "probe": model.probe_sha256,
        "complete": card.complete or card.served,  # a server writes out every answer
        "path": card.path,
        "chat_template": card.chat_template,
        "attention": card.attention,
        "device_map": card.device_map,
        "quantize": card.quantize,
        "compile": card.compile,
        "prompt": prompt.template,
        "benchmark": manifest.hash,
        "images": json_sha256({**manifest.images, **sha256}),
        "splits": ", ".join(benchmark.splits),
        "limit": limit,
        "engine": ENGINE_VERSION,
        **_of_language(manifest.language),
        **_of_servers(card),
        **({} if card.samples == 1 else {"samples": card.samples}),
    }
    return RunRecord(
        name=name,
        benchmark=manifest.name,
        benchmark_hash=manifest.hash,
        key=json_sha256(settings),
        settings=settings,
        addresses=model.addresses,
        model=_model_info(card, model),
        run=RunInfo(
            prompt=prompt.template,
            dtype=model.dtype,
            device=model.device,
            batch_size=card.batch_size,
            max_new_tokens=card.new_tokens(model.thinks),
            thinking=model.thinks,
            decoding=decoding(card),
            samples=card.samples,
            adapter=model.adapter,
            weights_sha256=model.weights_sha256,
            identity=model.said,
            limit=limit,
            versions=versions(),
            commit=commit(),
        ),
        unranked=_unranked(benchmark, prompt, limit),
        notes=tuple(filter(None, [picture_note(card)])),
    )


def _of_language(language: AnswerWords | None) -> dict[str, str]:
    """What P(yes) depends on where it isn't of "yes" and "no" alone."""
    return {} if language is None else {"language": language.code, "yes_no": json_sha256([language.yes, language.no])}


def decoding(card: ModelCard) -> str:
    """How answers are decoded, in words: "greedy" or "sampled: temperature 0.6, top_p 0.95, seed 0"."""
    if card.sampling is None:
        return "greedy"
    return "sampled: " + ", ".join(f"{name} {value:g}" for name, value in {**card.sampling.chosen, "seed": card.seed}.items())


def _of_servers(card: ModelCard) -> dict[str, str | int | None]:
    """What is told to a server besides, as far as the card says anything."""
    told: dict[str, str | int | None] = {
        "server": card.server,
        "server_args": card.server_args or None,
        "logprobs": None if card.logprobs else "none",
        "extra_body": json.dumps(card.model_dump()["extra_body"], sort_keys=True) if card.extra_body else None,
        "image_format": None if card.image_format == "png" else card.image_format,
        "image_max_side": card.image_max_side,
    }
    return {name: value for name, value in told.items() if value is not None}


def of_set(record: RunRecord, paraphrase: Paraphrase | None) -> RunRecord:
    """`record` with the set of paraphrases that the run belongs to, if any."""
    if paraphrase is None:
        return record
    run = record.run.model_copy(update={"prompt_set": paraphrase.set, "prompt_name": paraphrase.name})
    return record.model_copy(update={"run": run})


def at_step(record: RunRecord, card: ModelCard, step: int | None) -> RunRecord:
    """`record` with the training step: the one given, else what the checkpoint's name says ("checkpoint-500"), if that."""
    named = _STEP.fullmatch(Path(card.checkpoint).name)
    found = int(named[1]) if step is None and named is not None else step
    return record.model_copy(update={"run": record.run.model_copy(update={"step": found})})


def earlier_sitting(folder: Path, record: RunRecord) -> RunRecord | None:
    """The record of the answers that the run folder holds already, if any.

    Raises HopeBenchError where another model made it, or another tool: a run is one model's, and nothing is overwritten.
    """
    files = (folder / ANSWERS, *shard_paths(folder))
    if not (folder / "run.json").is_file() or not any(file.is_file() and file.stat().st_size for file in files):
        return None
    earlier = read_run(folder)
    if not earlier.settings:
        what = "answers that hope-bench evaluate didn't make"
    elif earlier.model.name != record.model.name:
        what = f"the answers of another model, {earlier.model.name}"
    elif _checkpoint(earlier) != _checkpoint(record):
        what = f"the answers of another checkpoint called {record.model.name}, or of other files in it ({_checkpoint(earlier)})"
    else:
        return earlier
    raise HopeBenchError(f"{folder} holds {what}. They stay as they are; give this run another --name.")


def _checkpoint(record: RunRecord) -> str:
    """Which checkpoint answered: a folder is known by what it holds, wherever it lies; all others by what they are called."""
    sha256 = record.run.weights_sha256
    return str(record.model.checkpoint) if sha256 is None else f"SHA-256 {sha256}"


def changes(earlier: RunRecord, record: RunRecord) -> str:
    """In words, which settings differ."""
    names = dict.fromkeys([*record.settings, *earlier.settings])
    return "; ".join(
        f"{name} was {_short(earlier.settings.get(name))}, now {_short(record.settings.get(name))}"
        for name in names
        if earlier.settings.get(name) != record.settings.get(name)
    )


def _short(value: str | int | None) -> str:
    text = "none" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def moved(earlier: RunRecord, record: RunRecord) -> bool:
    """Whether the same model is now asked at another address."""
    before, now = ({name: one.settings.get(name) for name in ("model", "address")} for one in (earlier, record))
    return before["model"] == now["model"] and before["address"] != now["address"]


def continued(record: RunRecord, earlier: RunRecord, asks: bool) -> RunRecord:
    """`record` as a further sitting of a run, in which something is asked or nothing: time adds up, and a change of package
    versions or of an endpoint's address is noted."""
    before, now = earlier.run.versions, record.run.versions
    changed = [
        f"{package} {before.get(package, 'none')} then {now.get(package, 'none')}"
        for package in sorted({*before, *now})
        if before.get(package) != now.get(package)
    ]
    notes = dict.fromkeys((*earlier.notes, *record.notes))
    if changed:
        notes[f"Asked under changing versions: {', '.join(changed)}."] = None
    if asks and moved(earlier, record):
        notes["Asked at more than one address (run.json says which)."] = None
    kept = ("path", "self_checks", "processes", "input_tokens", "output_tokens", "cost_usd")
    run = record.run.model_copy(update={name: getattr(earlier.run, name) for name in kept})
    sums = {"seconds": earlier.seconds, "asked": earlier.asked}
    addresses = tuple(dict.fromkeys((*earlier.addresses, *(record.addresses if asks else ()))))
    return record.model_copy(update={**sums, "addresses": addresses, "notes": tuple(notes), "run": run})


def reported(record: RunRecord, reports: Sequence[AdapterReport]) -> RunRecord:
    """`record` with what happened while asking, in every process and in earlier sittings."""
    paths = {part for path in (record.run.path, *(report.path for report in reports)) if path for part in path.split(" and ")}
    checks = dict.fromkeys([*record.run.self_checks, *(check for report in reports for check in report.checks)])
    run = record.run.model_copy(
        update={
            "path": " and ".join(sorted(paths, reverse=True)) or None,
            "self_checks": tuple(checks),
            "processes": len(reports),
            "input_tokens": _sum([record.run.input_tokens, *(report.input_tokens for report in reports)]),
            "output_tokens": _sum([record.run.output_tokens, *(report.output_tokens for report in reports)]),
            "cost_usd": _sum([record.run.cost_usd, *(report.cost for report in reports)]),
        }
    )
    notes = dict.fromkeys((*record.notes, *(note for report in reports for note in report.notes)))
    return record.model_copy(update={"run": run, "notes": tuple(notes)})


def _sum(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def _model_info(card: ModelCard, model: AdapterInfo) -> ModelInfo:
    # A local folder's name only: results are published, and where it lay is nobody's business.
    local = model.weights_sha256 is not None or Path(card.checkpoint).is_absolute()
    checkpoint = Path(card.checkpoint).name if local else card.checkpoint
    return ModelInfo(
        name=card.name,
        checkpoint=checkpoint,
        revision=model.revision,
        family=card.family,
        vision_tower=card.vision_tower or model.vision_tower,
        parameters=card.parameters,
        license=card.license,
    )


def _unranked(benchmark: Benchmark, prompt: Prompt, limit: int | None) -> str | None:
    reasons = []
    if limit is not None:
        reasons.append(f"only {limit} questions of each split were asked (--limit)")
    if prompt != benchmark.prompt:
        reasons.append("asked with another prompt than the benchmark's")
    if benchmark.manifest.headline not in benchmark.splits:
        reasons.append(f"the headline split {benchmark.manifest.headline} was not asked (--split)")
    return "; ".join(reasons) or None
