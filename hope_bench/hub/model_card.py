"""A result in its model's own card on the Hub: entries of the card's model-index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hope_bench.errors import HopeBenchError, first_few
from hope_bench.files.result import Result
from hope_bench.hub.client import check_can_push, explained, fetch, look
from hope_bench.hub.names import HubName
from hope_bench.hub.parcel import CARD
from hope_bench.hub.push import Pushed, PushOptions, Sent, page, tool
from hope_bench.interchange.parquet import hub_split_names

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard

_METRICS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "hallucination_rate": "Hallucination rate",
}
_POPE = ("random", "popular", "adversarial")
_TASK = "visual-question-answering"


def eval_results(result: Result, dataset: HubName | None = None) -> list[EvalResult]:
    """A result's numbers as entries of a model-index: of the headline split and of POPE's own, in [0, 1], each with the ends of
    its 95% interval as the metric's arguments. `dataset` is where the benchmark is on the Hub; the benchmark's hash goes with it.
    """
    from huggingface_hub import EvalResult

    info, names = result.benchmark, hub_split_names(list(result.splits))
    found = []
    for split in dict.fromkeys((info.headline, *_POPE)):
        if split not in result.splits:
            continue
        for metric, words in _METRICS.items():
            estimate = getattr(result.splits[split], metric)
            if estimate.value is None:
                continue
            args = {"low": estimate.low, "high": estimate.high, "confidence": result.bootstrap.confidence}
            found.append(
                EvalResult(
                    task_type=_TASK,
                    task_name="Object hallucination (hope-bench)",
                    dataset_type=info.name if dataset is None else dataset.repo,
                    dataset_name=info.title,
                    dataset_split=names[split],
                    dataset_revision=None if dataset is None else dataset.revision,
                    dataset_args={"benchmark_hash": info.hash, "prompt": info.prompt},
                    metric_type=metric,
                    metric_name=words,
                    metric_value=estimate.value,
                    metric_args={name: value for name, value in args.items() if value is not None},
                    # The Hub's library takes no source's name without its address.
                    source_name=None if dataset is None else tool(),
                    source_url=None if dataset is None else page(dataset),
                )
            )
    return found


def check_own_card(result: Result, model: HubName) -> None:
    """Raise HopeBenchError where a result isn't ranked, counts in another way than the card's readers expect, or is of a model
    that the Hub has under another name. One whose checkpoint is a folder may be anybody's."""
    if result.unranked is not None:
        raise HopeBenchError(f"This result is not ranked ({result.unranked.rstrip('.')}), so it is no number for a model's card.")
    if result.convention != "strict":
        raise HopeBenchError(f"This result counts by the {result.convention} convention. Score the run without --convention.")
    checkpoint = result.model.checkpoint
    named = checkpoint is not None and checkpoint.count("/") == 1 and not checkpoint.startswith((".", "/", "~"))
    if named and not Path(str(checkpoint)).exists() and str(checkpoint).lower() != model.repo.lower():
        raise HopeBenchError(f"This result is of {checkpoint}, not of {model.repo}. Its own card: --model-card {checkpoint}")


def push_to_card(
    result: Result, model: HubName, dataset: HubName | None, options: PushOptions, *, direct: bool = False
) -> Pushed:
    """Put a result's numbers into a model's card: as a pull request, or as a commit (`direct`). What else the card says stays.

    Raises HopeBenchError where the card has other numbers of the same benchmark (unless `overwrite`), and as `check_own_card`.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    check_own_card(result, model)
    new = eval_results(result, dataset)
    if options.dry_run:
        written = str(_card("", new, model, options)).encode()
        return Pushed(str(model), page(model, ""), (Sent(CARD, len(written)),))
    check_can_push(model)
    found = look(model, "model")
    if found is None:
        raise HopeBenchError(f"There is no model {model} on the Hub, or the token here may not see it.")
    before = b""
    if CARD in found.git_hashes:
        before = (fetch(HubName(model.repo, found.commit), [CARD], "model") / CARD).read_bytes()
    card = _card(before.decode("utf-8", errors="surrogateescape"), new, model, options)
    if card is None:
        return Pushed(str(model), page(model, ""), (Sent(CARD, len(before), "the same"),), found.commit)
    content = str(card).encode("utf-8", errors="surrogateescape")  # whatever else it holds stays
    change: Literal["added", "replaced"] = "replaced" if before else "added"
    with explained(model):
        done = HfApi().create_commit(
            model.repo,
            [CommitOperationAdd(path_in_repo=CARD, path_or_fileobj=content)],
            commit_message=f"Add results on {result.benchmark.title}, measured with {tool()}",
            commit_description=f"Benchmark hash {result.benchmark.hash}. Numbers are in [0, 1], with 95% intervals.",
            repo_type="model",
            revision=model.revision,
            create_pr=not direct,
            parent_commit=found.commit,
        )
    return Pushed(str(model), done.pr_url or page(model, ""), (Sent(CARD, len(content), change),), str(done.oid))


def _card(text: str, new: Sequence[EvalResult], model: HubName, options: PushOptions) -> ModelCard | None:
    """A card's text with the new entries in their places; None where it has them all.

    Raises HopeBenchError where other numbers are there already.
    """
    from huggingface_hub import ModelCard, RepoCard
    from yaml import YAMLError

    text = text.removeprefix("\ufeff") or "---\n{}\n---\n"
    try:
        models = RepoCard(text).data.get("model-index")
        card = ModelCard(text)
    except (ValueError, YAMLError) as error:
        why = " ".join(str(error).split()).partition(" Pass `ignore_metadata_errors")[0]
        raise HopeBenchError(f"The card of {model} can't be read: {why[:300].rstrip('.')}. Mend it first.") from None
    if isinstance(models, list) and len(models) > 1:
        raise HopeBenchError(f"The card of {model} has results of several models, and it can't be told which one this is.")
    data: Any = card.data
    there: list[EvalResult] = list(data.eval_results or [])
    places = {_asked(one): place for place, one in enumerate(there)}
    differing = [one for one in new if (place := places.get(_asked(one))) is not None and _said(there[place]) != _said(one)]
    if differing and not options.overwrite:
        shown = first_few((f"{one.metric_type} of {one.dataset_split}" for one in differing), 3)
        raise HopeBenchError(f"The card of {model} has other numbers for these questions ({shown}). --overwrite replaces them.")
    kept = [one for one in there if _asked(one) not in {_asked(other) for other in differing}]
    known = set(map(_asked, kept))
    added = [one for one in new if _asked(one) not in known]
    if not added:
        return None
    data.eval_results = [*kept, *added]
    data.model_name = data.model_name or model.repo.split("/")[1]
    return card


def _asked(one: EvalResult) -> tuple[object, ...]:
    """Which number an entry is: of which questions and split, by which metric."""
    hash_ = (one.dataset_args or {}).get("benchmark_hash")
    return (one.task_type, hash_ or one.dataset_type, one.dataset_split, one.metric_type)


def _said(one: EvalResult) -> EvalResult:
    """An entry without where it comes from, which may change while the number stays."""
    return replace(
        one, dataset_type="", dataset_name="", dataset_revision=None, source_name=None, source_url=None, verify_token=None
    )
