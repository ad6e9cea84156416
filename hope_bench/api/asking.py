"""Asking models: a benchmark's questions in, a run out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from hope_bench.api.making import PathOr, hub_images, load_benchmark, path_or_none, teller
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard, check_code, check_name, endpoint_card, find_card
from hope_bench.files.places import RUNS
from hope_bench.files.run import Run, find_run
from hope_bench.files.run import load_run as read_run_folder
from hope_bench.files.validation import Count, FromZero, checked, validate
from hope_bench.progress import ProgressMode, Say

if TYPE_CHECKING:
    from hope_bench.adapters.base import Adapter
    from hope_bench.files.paraphrases import Paraphrase
    from hope_bench.inference.engine import EvaluateOptions
    from hope_bench.inference.estimate import Estimate


class CardSettings(TypedDict, total=False):
    """What a call may set over a model's card, by the card's own keys (docs/models.md); None leaves the card's."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] | str | None
    device: str | None
    batch_size: int | None
    batch_tokens: int | None
    max_new_tokens: int | None
    thinking: Literal["auto", "on", "off"] | str | None
    template_kwargs: Mapping[str, Any] | None
    sampling: Mapping[str, float] | None
    samples: int | None
    seed: int | None
    revision: str | None
    path: Literal["auto", "shared", "plain"] | str | None
    prompt: str | None
    device_map: str | None
    quantize: str | None
    compile: bool | None
    complete: bool | None
    base_url: str | None
    server: Literal["vllm", "sglang", "transformers"] | str | None
    server_args: str | None
    server_timeout: float | None


@checked
def load_card(model: ModelCard | PathOr) -> ModelCard:
    """What is known of a model: a card file, a known name, a checkpoint folder or a Hugging Face id ("org/model").

    Raises HopeBenchError naming the nearest known card.

    Example: hb.load_card("qwen2.5-vl-7b").vision_tower
    """
    return model if isinstance(model, ModelCard) else find_card(str(model))


@checked
def load_run(run: Run | PathOr, runs: PathOr = RUNS) -> Run:
    """A run: its folder, or BENCHMARK/NAME under `runs`. Raises HopeBenchError naming the nearest known one, and for a run whose
    folder holds another's answers by now.

    Example: hb.load_run("hope-coco/llava-1.5-7b").to_frame()
    """
    if not isinstance(run, Run):
        return read_run_folder(find_run(Path(run), Path(runs)))
    run.check_current()
    return run


@checked
def evaluate(
    model: Any,
    benchmark: Benchmark | PathOr,
    *,
    processor: Any = None,
    identity: str | None = None,
    images: PathOr | None = None,
    limit: Count | None = None,
    budget: float | None = None,
    splits: Sequence[str] = (),
    name: str | None = None,
    runs: PathOr = RUNS,
    step: FromZero | None = None,
    authors_prompt: bool = False,
    workers: FromZero | None = None,
    processes: Count | None = None,
    trust_remote_code: bool = False,
    allow_code: bool = False,
    blind: Literal["gray", "shuffled"] | str | None = None,
    progress: ProgressMode = "auto",
    say: Say | None = None,
    **settings: Unpack[CardSettings],
) -> Run:
    """Ask a vision-language model every question of a benchmark, each once; the same call goes on where one was interrupted.

    `model` is a card, a Hugging Face id, a checkpoint folder, a loaded transformers model (with its `processor`), or any object
    with `answer(batch)` (docs/models.md). Of a checkpoint saved without a processor, `processor` names the folder or id. A loaded
    model is left exactly as it was; a digest of its weights and settings says which it is, or `identity`, a text, where code of
    your own changes its answers. `images` is the images folder (default: the one it was generated from), `limit` how many
    questions of each split to ask (default: all; a limited run is not ranked), `splits` which (default: all), `name` what the run
    is called (default: as the model), `step` the training step of a checkpoint (default: N of checkpoint-N). `blind` asks with
    "gray" pictures or "shuffled" images instead: what the words alone make the model say, unranked and called NAME-blind-gray.
    Answers go to RUNS/BENCHMARK/NAME. `settings` are keys of the card. `progress` and `say` are as in `generate`. `budget` is how
    many dollars an endpoint with prices may cost, over all sittings: whole images are asked in a drawn order until the next would
    exceed it, and unless that is all, the run is not ranked. `allow_code` lets a card that is found by its name in ./models run
    the Python file that it names; a card that is named by its path is asked for nothing.

    Questions that fail are answers with an error, counted in `Run.errors`; the same call asks them again. Processes that were
    started together (torchrun) share the questions. Raises HopeBenchError for everything that concerns the run as a whole;
    KeyboardInterrupt passes through, with everything answered on disk.

    Example: hb.evaluate("llava-hf/llava-1.5-7b-hf", "hope-coco", images="val2014", limit=60, name="look")
    """
    from hope_bench.inference.engine import evaluate as run
    from hope_bench.inference.engine import run_folder

    chosen = load_benchmark(benchmark)
    tell = teller(progress, say)
    card, adapter = _model(model, processor, identity, name, settings, authors_prompt, tell, allow_code)
    images = hub_images(chosen, images)
    options = _options(card, images, limit, splits, name, runs, step, workers, processes, trust_remote_code, progress, blind)
    options = replace(options, budget=budget)
    record = run(chosen, card, options, tell, adapter)
    return Run(run_folder(chosen, card, options), record, chosen)


@checked
def evaluate_prompts(
    model: Any,
    benchmark: Benchmark | PathOr,
    prompts: PathOr,
    *,
    processor: Any = None,
    identity: str | None = None,
    images: PathOr | None = None,
    limit: Count | None = None,
    splits: Sequence[str] = (),
    name: str | None = None,
    runs: PathOr = RUNS,
    step: FromZero | None = None,
    workers: FromZero | None = None,
    processes: Count | None = None,
    trust_remote_code: bool = False,
    allow_code: bool = False,
    progress: ProgressMode = "auto",
    say: Say | None = None,
    **settings: Unpack[CardSettings],
) -> Iterator[Run]:
    """Ask a benchmark's questions once in each way that the TOML file `prompts` lists (docs/scoring.md), the model loaded once.

    Yields each prompt's run, called NAME-SET-PROMPT, as soon as it is done. Everything else is as in `evaluate`.
    Raises HopeBenchError, also for a file of prompts without "{question}".

    Example: [hb.score(run) for run in hb.evaluate_prompts("llava-1.5-7b", "hope-coco", "paraphrases.toml", images="val2014")]
    """
    from hope_bench.inference.engine import evaluate_paraphrases

    chosen = load_benchmark(benchmark)
    tell = teller(progress, say)
    card, adapter = _model(model, processor, identity, name, settings, False, tell, allow_code)
    images = hub_images(chosen, images)
    options = _options(card, images, limit, splits, name, runs, step, workers, processes, trust_remote_code, progress)
    for record, folder in evaluate_paraphrases(chosen, card, _paraphrases(prompts), options, tell, adapter):
        yield Run(folder, record, chosen)


@checked
def estimate(
    model: ModelCard | PathOr,
    benchmark: Benchmark | PathOr,
    *,
    processor: PathOr | None = None,
    images: PathOr | None = None,
    limit: Count | None = None,
    budget: float | None = None,
    splits: Sequence[str] = (),
    name: str | None = None,
    runs: PathOr = RUNS,
    prompts: PathOr | None = None,
    authors_prompt: bool = False,
    blind: Literal["gray", "shuffled"] | str | None = None,
    **settings: Unpack[CardSettings],
) -> tuple[Estimate, ...]:
    """What `evaluate` would ask, before it asks anything: counts, and tokens, seconds or a price where they are known.

    One estimate, or one for each of `prompts`; with `budget`, how far that goes. Nothing is written, downloaded (but the
    questions of hf:ORG/NAME) or asked.
    Raises HopeBenchError as `evaluate` does.

    Example: hb.estimate("gpt-4o", "hope-coco", images="val2014")[0].left
    """
    from hope_bench.inference.engine import ways
    from hope_bench.inference.estimate import estimate as size_up

    chosen = load_benchmark(benchmark)
    card = _named(model, processor, settings, authors_prompt)
    there = hub_images(chosen, images, download=False)
    options = replace(_options(card, there, limit, splits, name, runs, blind=blind), budget=budget)
    each = [options] if prompts is None else ways(card, _paraphrases(prompts), options)
    found = tuple(size_up(chosen, card, way) for way in each)
    if there is None or there == images or Path(there).is_dir():
        return found
    return tuple(replace(one, stops=None, missing=()) for one in found)  # evaluate downloads the pictures first


def _model(
    model: Any,
    processor: Any,
    identity: str | None,
    name: str | None,
    settings: CardSettings,
    authors_prompt: bool,
    tell: Say,
    allow_code: bool,
) -> tuple[ModelCard, Adapter | None]:
    """The card to ask by, and the adapter where `model` is no card or name of one."""
    if isinstance(model, ModelCard | str | PathLike):
        if identity is not None:
            raise HopeBenchError("identity= says which model a loaded one or an object is; a named one is known by its files.")
        card = _named(model, processor, settings, authors_prompt)
        check_code(model, card, allow_code)
        return card, None
    from hope_bench.adapters.given import adapter_of, card_of

    if authors_prompt:
        raise HopeBenchError(
            "A loaded model has no card that says how its authors ask (authors_prompt). Give prompt=... instead."
        )
    card = card_of(model, name, **{key: value for key, value in settings.items() if value is not None})
    return card, adapter_of(model, processor, card, tell, identity=identity)


def _named(model: ModelCard | PathOr, processor: Any, settings: CardSettings, authors_prompt: bool) -> ModelCard:
    """The card of a model that is named, with the call's settings."""
    card = card_at(model, settings.get("base_url"))
    if processor is not None:
        if not isinstance(processor, str | PathLike):
            raise HopeBenchError(
                f"A loaded processor is for a loaded model; {card.name} is loaded here. Name the processor's folder or id, or "
                "leave it out."
            )
        card = validate({**card.model_dump(), "processor": str(processor)}, ModelCard, f"Card {card.name!r} with this processor")
    return with_settings(card, settings, authors_prompt)


def card_at(model: ModelCard | PathOr, base_url: str | None) -> ModelCard:
    """The model's card; with `base_url`, that of the server there, which calls the model so."""
    if base_url is None:
        return load_card(model)
    return endpoint_card(model if isinstance(model, ModelCard) else str(model), base_url)


def with_settings(card: ModelCard, settings: CardSettings, authors_prompt: bool = False) -> ModelCard:
    """`card` with what a call sets over it. Raises HopeBenchError for wrong values, and where the authors' prompt isn't known."""
    given: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    if authors_prompt:
        if card.authors_prompt is None:
            raise HopeBenchError(f"The card {card.name} doesn't say how the model's authors ask (authors_prompt).")
        given["prompt"] = card.authors_prompt
    return validate({**card.model_dump(), **given}, ModelCard, f"Card {card.name!r} with these flags") if given else card


def _options(
    card: ModelCard,
    images: PathOr | None,
    limit: int | None,
    splits: Sequence[str],
    name: str | None,
    runs: PathOr,
    step: FromZero | None = None,
    workers: FromZero | None = None,
    processes: Count | None = None,
    trust_remote_code: bool = False,
    progress: ProgressMode = "auto",
    blind: str | None = None,
) -> EvaluateOptions:
    from hope_bench.inference.engine import EvaluateOptions
    from hope_bench.inference.unseeing import check_unseeing

    if name is not None:
        check_name(str(name), "A run's name")
    if workers and (card.served or card.adapter != "transformers"):
        asked = card.server or card.adapter
        raise HopeBenchError(f"--workers would have no effect: they encode images for transformers, not for {asked}.")
    return EvaluateOptions(
        images=path_or_none(images), limit=limit, name=name, splits=tuple(splits), runs=Path(runs),
        processes=processes, blind=check_unseeing(blind),
        progress=progress, trust_remote_code=trust_remote_code, workers=workers, step=step,
    )  # fmt: skip


def _paraphrases(prompts: PathOr) -> tuple[Paraphrase, ...]:
    from hope_bench.files.paraphrases import read_paraphrases

    return read_paraphrases(Path(prompts))
