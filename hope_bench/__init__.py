"""hope-bench: how much does a vision-language model make up, and how hard did we look?

All that the command line does, with the same words:

    import hope_bench as hb

    benchmark = hb.generate("hope-coco", annotations="instances_val2014.json", images="val2014", clip="ViT-L-14:openai")
    run = hb.evaluate("llava-hf/llava-1.5-7b-hf", benchmark)
    result = hb.score(run)
    result.plot()

Importing this package is cheap: each name is imported when it is first used, and torch, transformers and open_clip only where
they are needed. docs/api.md lists every name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_IMPORTS = ("import_pope", "import_questions")
_MODULE_OF = {
    name: module
    for module, names in {
        "api.asking": ("CardSettings", "estimate", "evaluate", "evaluate_prompts", "load_card", "load_run"),
        "api.exchange": ("export", "import_answers", "import_images", "import_labels", "import_logs", *_IMPORTS),
        "api.looking": ("inspect", "label_noise", "merge_reviews", "review"),
        "api.making": ("generate", "load_annotations", "load_benchmark"),
        "api.comparing": ("compare", "load_result", "transfer"),
        "api.following": ("trend",),
        "api.reporting": ("report",),
        "api.scoring": ("baselines", "score"),
        "api.sharing": ("pull", "push"),
        "api.publishing": ("add_result", "build_leaderboard", "check_results", "describe_benchmark"),
        "api.schemas": ("schema",),
        "api.starting": ("check_data", "environment", "init"),
        "api.verifying": ("verify",),
        "errors": ("HopeBenchError",),
        "files.benchmark": ("Benchmark",),
        "files.card": ("ModelCard",),
        "files.result": ("Result",),
        "files.run": ("Run",),
        "files.spec": ("BenchmarkSpec",),
        "adapters.base": ("RawAnswer",),
        "records": ("Annotations",),
    }.items()
    for name in names
}

__all__ = ["__version__", *_MODULE_OF]

if TYPE_CHECKING:
    from hope_bench.adapters.base import RawAnswer as RawAnswer
    from hope_bench.api.asking import CardSettings as CardSettings
    from hope_bench.api.asking import estimate as estimate
    from hope_bench.api.asking import evaluate as evaluate
    from hope_bench.api.asking import evaluate_prompts as evaluate_prompts
    from hope_bench.api.asking import load_card as load_card
    from hope_bench.api.asking import load_run as load_run
    from hope_bench.api.comparing import compare as compare
    from hope_bench.api.comparing import load_result as load_result
    from hope_bench.api.comparing import transfer as transfer
    from hope_bench.api.exchange import export as export
    from hope_bench.api.exchange import import_answers as import_answers
    from hope_bench.api.exchange import import_images as import_images
    from hope_bench.api.exchange import import_labels as import_labels
    from hope_bench.api.exchange import import_logs as import_logs
    from hope_bench.api.exchange import import_pope as import_pope
    from hope_bench.api.exchange import import_questions as import_questions
    from hope_bench.api.following import trend as trend
    from hope_bench.api.looking import inspect as inspect
    from hope_bench.api.looking import label_noise as label_noise
    from hope_bench.api.looking import merge_reviews as merge_reviews
    from hope_bench.api.looking import review as review
    from hope_bench.api.making import generate as generate
    from hope_bench.api.making import load_annotations as load_annotations
    from hope_bench.api.making import load_benchmark as load_benchmark
    from hope_bench.api.publishing import add_result as add_result
    from hope_bench.api.publishing import build_leaderboard as build_leaderboard
    from hope_bench.api.publishing import check_results as check_results
    from hope_bench.api.publishing import describe_benchmark as describe_benchmark
    from hope_bench.api.reporting import report as report
    from hope_bench.api.schemas import schema as schema
    from hope_bench.api.scoring import baselines as baselines
    from hope_bench.api.scoring import score as score
    from hope_bench.api.sharing import pull as pull
    from hope_bench.api.sharing import push as push
    from hope_bench.api.starting import check_data as check_data
    from hope_bench.api.starting import environment as environment
    from hope_bench.api.starting import init as init
    from hope_bench.api.verifying import verify as verify
    from hope_bench.errors import HopeBenchError as HopeBenchError
    from hope_bench.files.benchmark import Benchmark as Benchmark
    from hope_bench.files.card import ModelCard as ModelCard
    from hope_bench.files.result import Result as Result
    from hope_bench.files.run import Run as Run
    from hope_bench.files.spec import BenchmarkSpec as BenchmarkSpec
    from hope_bench.records import Annotations as Annotations


def __getattr__(name: str) -> object:
    """The public names, imported when they are first used."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    """What tab completion shows."""
    return sorted(__all__)
