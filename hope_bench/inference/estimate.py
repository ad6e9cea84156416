"""What a run would ask, before it asks anything: counts, tokens, and the time an earlier run of the same model took."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hope_bench.adapters.base import AdapterInfo
from hope_bench.adapters.checkpoint import known_checkpoint, local_folder
from hope_bench.adapters.endpoint_asks import thinks
from hope_bench.adapters.endpoint_card import endpoint_info, served_by, served_dtype
from hope_bench.adapters.known import check_card, known_device, known_dtype
from hope_bench.annotations.of_benchmark import check_images_folder, images_folder
from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import PRICED_TOKENS, ModelCard
from hope_bench.files.run import RunRecord, read_run
from hope_bench.inference.engine import EvaluateOptions, plan_run, run_folder
from hope_bench.inference.images import image_hashes
from hope_bench.inference.plan import Plan
from hope_bench.inference.record import answers_key, describe_run
from hope_bench.inference.resume import what_is_left
from hope_bench.inference.unseeing import Blindfold
from hope_bench.records import Prompt

_SAMPLE = 8
"""Images whose questions are tokenized."""
_CHARACTERS_PER_TOKEN = 4
"""Of English text, as a rule of thumb."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run of the model of `card` would ask, by the prompt called `prompt_name` (None: the only one).

    `questions` counts those of all `splits` splits, `unique` those that are asked, of `images` images in
    `steps` steps; of these, `left` and `left_images` have no answer in the run `folder` yet. All that follows is about what is
    left. `missing` are images that aren't there, `stops` says why the run would not even begin. `tokens` are the tokens per
    question of a sample, `shared` those left of each where an image's prompt is computed once; None where only a server knows.
    `text_tokens` is a guess from the characters of all prompts. `seconds` is at the speed of the run named `like`, and
    `per_question` its (input, output) tokens a question, where an endpoint counted them. `budget` is what it may cost, in
    dollars.
    """

    card: ModelCard
    prompt_name: str | None
    questions: int
    splits: int
    unique: int
    images: int
    steps: int
    folder: Path
    left: int
    left_images: int
    missing: tuple[str, ...]
    stops: str | None
    text_tokens: int
    tokens: float | None = None
    shared: float | None = None
    seconds: float | None = None
    like: str | None = None
    per_question: tuple[float, float] | None = None
    budget: float | None = None


def in_words(found: Estimate) -> list[str]:
    """What a run would ask, in lines."""
    card = found.card
    said = [] if found.prompt_name is None else [f"Prompt {found.prompt_name}:"]
    times = "" if card.samples == 1 else f", each {card.samples:,} times ({found.unique:,} answers)"
    unique = found.unique // card.samples
    said.append(
        f"{counted(found.questions, 'question')} in {counted(found.splits, 'split')}, of which "
        f"{unique:,} unique ones would be asked{times},"
    )
    said.append(
        f"about {counted(found.images, 'image')} in {counted(found.steps, 'step')} (of one image or more, up to "
        f"{counted(card.batch_size, 'question')})."
    )
    if found.left < found.unique:
        same = "" if card.adapter == "endpoint" else ", if the model's files are still the same"
        said.append(f"{found.unique - found.left:,} are answered in {found.folder} already{same}.")
        if not found.left:
            return [*said, "Nothing is left to ask."]
        said.append(f"{found.left:,} are left, about {counted(found.left_images, 'image')}. What follows is about these.")
    if found.tokens is not None and found.shared is not None:
        whole, shared = found.left * found.tokens, found.left * found.shared + found.left_images * (found.tokens - found.shared)
        said.append(
            f"Tokens, from a sample: {whole:,.0f} asked one by one, {shared:,.0f} where an image's questions share its prompt."
        )
    if card.adapter == "endpoint":
        said += _price_in_words(found)
    if found.seconds is not None:
        return [*said, f"Time: about {found.seconds:,.0f} s at the speed of {found.like}."]
    return [
        *said, "Time: unknown, as no finished run of this model is in the runs folder (a quick look: --limit 60 --name look).",
    ]  # fmt: skip


def _price_in_words(found: Estimate) -> list[str]:
    """By what an earlier run's questions took; else only what can be counted here: no server says what a picture costs."""
    price_in, price_out = found.card.price_input, found.card.price_output
    if found.per_question is not None:
        sent, got = (found.left * tokens for tokens in found.per_question)
        said = [f"Tokens, as the questions of {found.like} took: {sent:,.0f} in, {got:,.0f} out."]
        if price_in is not None and price_out is not None:
            price = (sent * price_in + got * price_out) / PRICED_TOKENS
            said.append(f"Price: about ${price:,.2f}.")
            if found.budget is not None and price > found.budget:
                said.append(f"A budget of ${found.budget:,.2f} pays for about {found.budget / price * found.left:,.0f} of them.")
        return said
    said = [f"To send: about {found.text_tokens:,} tokens of text and {found.left:,} pictures, which the server counts."]
    if price_in is not None and price_out is not None:
        longest = found.card.new_tokens(thinks(found.card))
        text, answers = found.text_tokens * price_in / PRICED_TOKENS, found.left * longest * price_out / PRICED_TOKENS
        said.append(f"Price: ${text:,.4f} for the text, at most ${answers:,.4f} for the answers, and the pictures.")
        said.append("What the pictures take shows in a quick look (--limit 60 --name look); then this says the price of all.")
    return said


def estimate(benchmark: Benchmark, card: ModelCard, options: EvaluateOptions) -> Estimate:
    """Count what `evaluate` would ask and size up what is left of it; nothing is written or downloaded. The model's processor is
    used where it is here with some images, its weights never."""
    chosen, prompt, plan = plan_run(benchmark, card, options)
    folder, images = run_folder(benchmark, card, options), images_folder(benchmark, options.images)
    names = list(dict.fromkeys(request.image for request in plan.requests))
    rest, stops = plan, None
    try:
        check_card(card, card.trust_remote_code)
        rest = _left(folder, plan, chosen, card, prompt, options, image_hashes(names, images, chosen.manifest.images))
        if rest.steps:
            check_images_folder(images, names, chosen)
    except HopeBenchError as error:
        stops = str(error)
    requests = list(rest.requests)
    left_names = list(dict.fromkeys(request.image for request in requests))
    tokens = shared = None
    if requests and card.adapter == "transformers" and images is not None:
        with contextlib.suppress(HopeBenchError):
            tokens, shared = _tokens(card, rest, images)
    earlier = _earlier(card, options.runs)
    return Estimate(
        card=card,
        prompt_name=None if options.paraphrase is None else options.paraphrase.name,
        questions=sum(min(len(questions), options.limit or len(questions)) for questions in chosen.splits.values()),
        splits=len(chosen.splits),
        unique=len(list(plan.requests)),
        images=len(names),
        steps=len(plan.steps),
        folder=folder,
        left=len(requests),
        left_images=len(left_names),
        missing=() if images is None or stops else tuple(name for name in left_names if not (images / name).is_file()),
        stops=stops,
        text_tokens=sum(len(request.text) for request in requests) // _CHARACTERS_PER_TOKEN,
        tokens=tokens,
        shared=shared,
        seconds=len(requests) / earlier.questions * earlier.seconds if earlier else None,
        like=str(earlier.folder) if earlier else None,
        per_question=earlier.per_question if earlier else None,
        budget=options.budget,
    )


def _left(
    folder: Path,
    plan: Plan,
    benchmark: Benchmark,
    card: ModelCard,
    prompt: Prompt,
    options: EvaluateOptions,
    sha256: Mapping[str, str | None],
) -> Plan:
    """What of a plan has no answer in the run folder yet. Raises HopeBenchError where the run would."""
    try:
        earlier = read_run(folder)
    except HopeBenchError:  # not begun yet
        return plan
    record = describe_run(folder.name, benchmark, card, prompt, _likely_info(card, earlier), options.limit, sha256)
    record = record if options.blind is None else Blindfold(options.blind, ()).mark(record)
    return what_is_left(folder, plan.keyed(answers_key(record), sha256), record)


def _likely_info(card: ModelCard, earlier: RunRecord) -> AdapterInfo:
    """What the card's adapter would say of itself: as far as that takes its files, what it said in the earlier sitting."""
    if card.adapter == "endpoint":
        return endpoint_info(card)
    adapter, model, dtype, device_kind = (str(earlier.settings.get(name)) for name in ("adapter", "model", "dtype", "device"))
    run = earlier.run
    info = AdapterInfo(adapter, model, earlier.model.revision, run.weights_sha256, dtype, device_kind, str(run.device))
    probe = earlier.settings.get("probe")
    thinks = card.thinking == "on" or (card.thinking == "auto" and bool(run.thinking))
    info = replace(info, thinks=thinks, probe_sha256=None if probe is None else str(probe))
    if card.adapter != "transformers":
        return info
    if card.server is not None:
        return replace(_identified(card, info), adapter=served_by(card), device_kind=served_by(card), dtype=served_dtype(card))
    kind = known_device(card.device)
    if kind is None:
        from hope_bench.adapters.loading import find_device, find_dtype

        device = find_device(card.device)
        kind, dtype = device.type, str(find_dtype(card.dtype, device)).removeprefix("torch.")
    else:
        dtype = known_dtype(card.dtype, kind)
    return _identified(card, replace(info, adapter="transformers", dtype=dtype, device_kind=kind))


def _identified(card: ModelCard, info: AdapterInfo) -> AdapterInfo:
    """`info` with the identity of the card's checkpoint, as far as that can be known without hashing a folder."""
    if Path(card.checkpoint).is_dir():
        return info
    here = local_folder(card.checkpoint, card.revision)
    own_code = " with its own code" if card.trust_remote_code else ""
    known = info.identity if here is None else f"{card.checkpoint}@{here.name}{own_code}"
    return replace(info, identity=known, weights_sha256=None)


def _tokens(card: ModelCard, plan: Plan, images: Path) -> tuple[float, float] | tuple[None, None]:
    """Mean tokens of a question, and of what is left of it after the prefix that its image's questions share."""
    from hope_bench.adapters.chat_template import find_template
    from hope_bench.adapters.loading import load_processor, quiet
    from hope_bench.adapters.token_count import count_tokens
    from hope_bench.inference.images import open_checked

    found = known_checkpoint(card)
    if found is None:
        return None, None
    by_image: dict[str, list[str]] = {}
    for request in plan.requests:
        by_image.setdefault(request.image, []).append(request.text)
    names = random.Random(0).sample(sorted(by_image), min(_SAMPLE, len(by_image)))
    pictures = {name: open_checked(images / name, None) for name in names}
    with quiet():
        processor = load_processor(str(found.processor), card.chat_template, model_folder=str(found.folder))
        template = find_template(processor, card)
        counted = [
            count_tokens(processor, template, picture, by_image[name])
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
            if record.model.name != card.name or not (record.complete and record.seconds and record.asked):
                continue
            tokens = (record.run.input_tokens, record.run.output_tokens)
            each = None if not tokens[0] else (tokens[0] / record.asked, (tokens[1] or 0) / record.asked)
            found.append(_Earlier(path.parent, record.asked, record.seconds, each))
    return max(found, key=lambda run: run.questions, default=None)
