"""A benchmark's spec (benchmarks/NAME/spec.toml): dataset, strategies, k, seed, CLIP model, prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.validation import Strict, read_toml

Kind = Literal["pope", "hope", "control"]

STRATEGY_KINDS: dict[str, Kind] = {
    "random": "pope",
    "popular": "pope",
    "adversarial": "pope",
    "content": "hope",
    "control-content": "control",
}
"""Every strategy by name, and what it is: one of POPE's baselines, one of HOPE's searches, or a control of a search."""

CLIP_STRATEGIES = ("content", "control-content")
"""The strategies that need CLIP and the images."""


class DatasetSpec(Strict):
    """Where the annotations and images are. Relative paths are relative to the spec; command-line flags override them."""

    name: str = ""
    format: Literal["auto", "coco", "object-list"] = "auto"
    annotations: str | None = None
    captions: str | None = None
    images: str | None = None


class ClipSpec(Strict):
    """The encoder that searches. `model` is "NAME:TAG" as open_clip lists them, "NAME:CHECKPOINT-FILE", "local-dir:FOLDER" or
    "hf-hub:ORG/NAME". A category's text embedding is the mean over `templates`, where {category} is its name and {a} its article.
    """

    model: str
    templates: tuple[str, ...] = ("a photo of {a} {category}.",)
    batch_size: int = Field(default=64, ge=1)

    @field_validator("templates")
    @classmethod
    def _templates_name_the_category(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any("{category}" not in template for template in value):
            raise ValueError('each template must hold "{category}", and there must be one at least')
        return value


class BenchmarkSpec(Strict):
    """Everything that determines a benchmark's questions besides the data files.

    `sample_images` images are drawn among those with at least `k` distinct present categories; each split then asks k yes- and k
    no-questions about each. `headline` is the split that ranks models. `prompt` must hold "{question}".
    """

    name: str = Field(min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str = ""
    description: str = ""
    strategies: tuple[str, ...] = tuple(STRATEGY_KINDS)
    headline: str = "content"
    seed: int = 0
    sample_images: int = Field(default=500, ge=1)
    k: int = Field(default=3, ge=1)
    prompt: str = "Please answer yes or no. {question}"
    dataset: DatasetSpec = DatasetSpec()
    clip: ClipSpec | None = None

    @model_validator(mode="after")
    def _consistent(self) -> BenchmarkSpec:
        for strategy in self.strategies:
            if strategy not in STRATEGY_KINDS:
                raise ValueError(f"unknown strategy {strategy!r}. " + did_you_mean(strategy, STRATEGY_KINDS))
        if len(set(self.strategies)) != len(self.strategies) or not self.strategies:
            raise ValueError("strategies must name at least one strategy, each once")
        if self.headline not in self.strategies:
            raise ValueError(
                f"headline {self.headline!r} is not among the strategies. " + did_you_mean(self.headline, self.strategies)
            )
        if "{question}" not in self.prompt:
            raise ValueError('prompt must hold "{question}"')
        return self

    @property
    def needs_clip(self) -> bool:
        """Whether a strategy searches with CLIP."""
        return any(strategy in CLIP_STRATEGIES for strategy in self.strategies)


def read_spec(path: Path) -> BenchmarkSpec:
    """A validated spec, its data paths made relative to the working directory. Raises HopeBenchError."""
    spec = read_toml(path, BenchmarkSpec)

    def beside(value: str | None) -> str | None:
        return None if value is None else str(path.parent / value)

    dataset = spec.dataset
    dataset = dataset.model_copy(
        update={
            "annotations": beside(dataset.annotations),
            "captions": beside(dataset.captions),
            "images": beside(dataset.images),
        }
    )
    clip = spec.clip
    if clip is not None and clip.model.startswith(("local-dir:./", "local-dir:../")):
        folder = path.parent / clip.model.removeprefix("local-dir:")
        if not folder.is_dir():
            raise HopeBenchError(f"{path}: clip.model names the folder {folder}, which does not exist.")
        clip = clip.model_copy(update={"model": f"local-dir:{folder.resolve()}"})
    return spec.model_copy(update={"dataset": dataset, "clip": clip})
