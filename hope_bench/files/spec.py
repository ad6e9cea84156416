"""A benchmark's spec (benchmarks/NAME/spec.toml): dataset, strategies, k, seed, CLIP model, prompt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.language import LanguageTable, Noun, is_file, shipped_languages, unknown_language
from hope_bench.files.names import is_name
from hope_bench.files.placeholders import check_placeholders, check_prompt
from hope_bench.files.validation import Declared, Strict, read_toml
from hope_bench.records import BoxLayout, Orientation

Part = TypeVar("Part", bound=Strict)
Kind = Literal["pope", "hope", "control", "twin", "other"]
"""Of a split: POPE's, HOPE's, the control of a search, the true twins of false descriptions, or of another benchmark."""

STRATEGY_KINDS: dict[str, Kind] = {
    "random": "pope",
    "popular": "pope",
    "adversarial": "pope",
    "random-guarded": "pope",
    "popular-guarded": "pope",
    "adversarial-guarded": "pope",
    "category-cooccurrence": "hope",
    "category-similarity": "hope",
    "category": "hope",
    "content": "hope",
    "content-panel": "hope",
    "description": "hope",
    "hope": "hope",
    "control-content": "control",
    "hard-positives": "control",
    "random-balanced": "pope",
    "category-balanced": "hope",
    "content-balanced": "hope",
    "description-balanced": "hope",
    "hope-balanced": "hope",
    "control-balanced": "control",
}
"""Every strategy by name, and what it is: one of POPE's baselines (or what stands for them in the balanced family), one of HOPE's
searches, or a control of a search."""

UNGUARDED = ("random", "popular", "adversarial")
"""The splits that no guard and no review changes: POPE's own, by definition."""

CLIP_STRATEGIES = (
    "category-similarity", "category", "content", "content-panel", "description", "hope", "control-content", "hard-positives",
    "category-balanced", "content-balanced", "description-balanced", "hope-balanced", "control-balanced",
)  # fmt: skip
"""The strategies that need CLIP and the images; each but the panel may name another encoder of the spec: content@NAME."""

PANEL = "content-panel"
"""The strategy that searches with all encoders of the spec together."""

DESCRIPTION_STRATEGIES = ("description", "hope", "description-balanced", "hope-balanced")
"""The strategies that make false descriptions. Of the first two, true twins stand in a split of kind "twin" beside them; the
balanced ones ask about as many true descriptions of other images."""


NamedFormat = Literal["coco", "lvis", "object-list", "open-images", "visual-genome", "hf-dataset", "yolo", "voc", "labelme"]
"""What a spec can name. "coco" is also Objects365 and every other dataset published in COCO's format."""

Format = Literal["auto", NamedFormat]


def base_strategy(split: str) -> str:
    """The strategy behind a split's name: "content@siglip" -> "content"."""
    return split.partition("@")[0]


def is_balanced(split: str) -> bool:
    """Whether a split belongs to the balanced family, which shares no yes-questions with other splits."""
    return base_strategy(split).endswith("-balanced")


def encoder_name(split: str) -> str:
    """The encoder a split's name asks for: "content@siglip" -> "siglip"; "" is the spec's main one."""
    return split.partition("@")[2]


class DatasetSpec(Strict):
    """Where the annotations and images are. Relative paths are relative to the spec; command-line flags override them.

    `annotations` are one file or folder or several (train and val). `format` "coco" is also Objects365's; "auto" tells it from
    the files (docs/datasets.md). `files` names, relative to the annotations' folder, which of several files is meant (Open
    Images: boxes, labels, classes, hierarchy) or a dataset's split; `columns` a Hugging Face dataset's columns, and its
    box_format ("xywh" or "xyxy"). `boxes` says what a file's four numbers of a box are, and `orientation` which picture they are
    on where EXIF turns it; None: as the files tell. `image_list` is a text file of the images that may be asked about.
    `recognised_by` is a text that this dataset's own annotation files hold ("COCO_val2014_"): other data gets another name.
    """

    name: str = ""
    format: Format = "auto"
    annotations: str | tuple[str, ...] | None = None
    captions: str | tuple[str, ...] | None = None
    images: str | None = None
    image_list: str | None = None
    boxes: BoxLayout | None = None
    orientation: Orientation | None = None
    recognised_by: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)

    @property
    def annotation_paths(self) -> tuple[Path, ...]:
        """The annotation files and folders; none where the spec names none."""
        return _paths(self.annotations)

    @property
    def caption_paths(self) -> tuple[Path, ...]:
        """The captions files."""
        return _paths(self.captions)


def _paths(named: str | tuple[str, ...] | None) -> tuple[Path, ...]:
    return () if named is None else tuple(Path(one) for one in ((named,) if isinstance(named, str) else named))


class ClipSpec(Strict):
    """The encoder that searches. `model` is "NAME:TAG" as open_clip lists them, "NAME:CHECKPOINT-FILE", "local-dir:FOLDER" or
    "hf-hub:ORG/NAME". A category's text embedding is the mean over `templates`, where {category} is its name and {a} its article.
    `activation` says what a checkpoint file was trained with, where its architecture has weights of both kinds.
    """

    model: str
    activation: Literal["gelu", "quick_gelu"] | None = None
    templates: tuple[str, ...] = ("a photo of {a} {category}.",)

    @field_validator("templates")
    @classmethod
    def _templates_name_the_category(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for template in value:
            check_placeholders(template, ("category", "a"))
        if not value or any("{category}" not in template for template in value):
            raise ValueError('each template must hold "{category}", and there must be one at least')
        return value


class CategorySpec(Strict):
    """Options of the category strategies. `aggregate` joins the associations with several present objects; a category's
    `prototype` for category-similarity is the mean embedding of at most `crops` of its object crops, or its text embedding.
    """

    aggregate: Literal["mean", "max"] = "mean"
    prototype: Literal["crops", "text"] = "crops"
    crops: int = Field(default=200, ge=1)


class DescriptionSpec(Strict):
    """Where descriptions come from: box geometry, annotated attributes, the attribute bank (its truth is CLIP's guess on the
    object's crop, unverified, therefore off by default) and a file of one's own (JSON lines, docs/spec.md). `mix` is "even" over
    the kinds that an image offers (colour, side, number, relation, ...), or "likeliest", whatever the kind: then most are of the
    kind that CLIP sees least of."""

    sources: tuple[Literal["geometry", "attributes", "bank"], ...] = ("geometry", "attributes")
    mix: Literal["even", "likeliest"] = "even"
    file: str | None = None


class BalancedSpec(Strict):
    """The balanced family: over a whole split a claim's yes- and no-questions may differ in number by `slack`
    (docs/method.md)."""

    slack: int = Field(default=1, ge=0)


class BlindSpec(Strict):
    """What answering without looking is learnt from: as many images of the same data as the benchmark has that aren't in it, at
    most `images`, searched in the same way; or images of `annotations` (and `captions`, `images_folder`). 0 images: nothing."""

    images: int = Field(default=500, ge=0)
    annotations: str | None = None
    captions: str | None = None
    images_folder: str | None = None


class CalibratedSpec(Strict):
    """The calibrated guard: `completeness` is the share of present objects that are labelled (from verified labels or a
    reviewed sample; stated, not estimated); candidates whose risk of being present exceeds `most_risk` are dropped."""

    completeness: float = Field(gt=0, le=1)
    most_risk: float = Field(default=0.2, gt=0, le=1)


class GuardsSpec(Strict):
    """Which guards keep possibly present categories from being claimed absent (docs/method.md). Each acts where the data has
    what it needs. `known_synonyms` lets them know the words that English has for COCO's and Objects365's categories; `annotated`
    keeps categories that no image is annotated with from being claimed absent; `ontology_table` is a TOML file of related names,
    which may be no categories, `same_name` the cosine of two names' text embeddings (less the vocabulary's mean) at which they
    count as one; `review` a file of people's decisions; `evidence` one of what a detector or other models saw, for the calibrated
    guard."""

    verified: bool = True
    annotated: bool = True
    ontology: bool = True
    known_synonyms: bool = True
    ontology_table: str | None = None
    same_name: float = Field(default=0.9, gt=0, le=1)
    captions: bool = True
    calibrated: CalibratedSpec | None = None
    review: str | None = None
    evidence: str | None = None

    @model_validator(mode="after")
    def _evidence_is_used(self) -> GuardsSpec:
        if self.evidence is not None and self.calibrated is None:
            raise ValueError("evidence is what the calibrated guard looks at: add [guards.calibrated] with its completeness")
        return self


class BenchmarkSpec(Declared):
    """Everything that determines a benchmark's questions besides the data files.

    `sample_images` images ("all": every one) are drawn among those with at least `k` distinct present categories; each split
    then asks k yes- and k no-questions about each. `positives` says which present objects are asked about: the first
    annotated ones, as POPE does (and its own three splits always do), any, one of each third of sizes (of k), or those that
    CLIP finds least likely. `headline` is the split that ranks models. `prompt` must hold "{question}"; without one it is
    the language's. `synonyms` are other words for the dataset's categories, which guards heed. `language` is what questions are
    asked in: a shipped one ("de") or the file of a table (docs/languages.md), whose nouns `nouns` adds to; `wording` is of
    English alone.
    """

    name: str = Field(min_length=1, max_length=100)
    title: str = ""
    description: str = ""
    strategies: tuple[str, ...] = ("random", "popular", "adversarial", "adversarial-guarded", "content", "control-content")
    headline: str = "content"
    seed: int = Field(default=0, ge=0)
    sample_images: int | Literal["all"] = 500
    k: int = Field(default=3, ge=1)
    prompt: str = "Please answer yes or no. {question}"
    dataset: DatasetSpec = DatasetSpec()
    clip: ClipSpec | None = None
    encoders: Mapping[str, ClipSpec] = {}
    category: CategorySpec = CategorySpec()
    descriptions: DescriptionSpec = DescriptionSpec()
    positives: Literal["first", "random", "size-stratified", "hard"] = "first"
    balanced: BalancedSpec = BalancedSpec()
    blind: BlindSpec = BlindSpec()
    guards: GuardsSpec = GuardsSpec()
    synonyms: Mapping[str, tuple[str, ...]] = {}
    wording: Literal["pope", "natural"] = "pope"
    language: str = "en"
    nouns: Mapping[str, Noun] = {}

    @field_validator("sample_images", mode="before")
    @classmethod
    def _some_images(cls, value: object) -> object:
        if value != "all" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f'{value!r} is no number of images: give a whole number, 1 or more, or "all"')
        return value

    @field_validator("prompt")
    @classmethod
    def _asks(cls, prompt: str) -> str:
        return check_prompt(prompt)

    @field_validator("language")
    @classmethod
    def _known_language(cls, language: str) -> str:
        if not is_file(language) and language not in shipped_languages():
            raise ValueError(unknown_language(language))
        return language

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
            raise ValueError(
                f"{name!r} becomes a folder's name: lower-case letters, digits, . and - only, beginning with a letter or digit"
            )
        return name

    @model_validator(mode="after")
    def _consistent(self) -> BenchmarkSpec:
        for strategy in self.strategies:
            base, encoder = base_strategy(strategy), encoder_name(strategy)
            if base not in STRATEGY_KINDS:
                raise ValueError(f"unknown strategy {base!r}. " + did_you_mean(base, STRATEGY_KINDS))
            if not is_name(strategy):
                raise ValueError(f"strategy {strategy!r} becomes a file's name: letters, digits, . - and _ only behind the @")
            if base == PANEL and (encoder or not self.encoders):
                raise ValueError(
                    f"strategy {strategy!r}: a panel is of the main encoder and every [encoders.NAME]; "
                    + (f"write {PANEL!r}" if encoder else "name one such at least")
                )
            if encoder and base not in CLIP_STRATEGIES:
                raise ValueError(f"strategy {strategy!r}: {base} uses no encoder")
            if encoder and encoder not in self.encoders:
                raise ValueError(f"strategy {strategy!r}: no [encoders.{encoder}]. " + did_you_mean(encoder, self.encoders))
        if not self.strategies:
            raise ValueError("strategies must name at least one strategy")
        if twice := [name for name, times in Counter(self.strategies).items() if times > 1]:
            raise ValueError(f"strategies names {', '.join(map(repr, twice))} more than once")
        if self.headline not in self.strategies:
            raise ValueError(
                f"headline {self.headline!r} is not among the strategies. " + did_you_mean(self.headline, self.strategies)
            )
        if self.wording != "pope" and self.language in shipped_languages() and self.language != "en":
            raise ValueError(f'wording = "{self.wording}" is how English asks, and language is {self.language!r}. Leave it out')
        return self

    @property
    def needs_clip(self) -> bool:
        """Whether a strategy searches with CLIP, or a guard looks with it."""
        looks = self.guards.calibrated is not None or self.positives == "hard"
        return looks or any(base_strategy(one) in CLIP_STRATEGIES for one in self.strategies)


def in_language(spec: BenchmarkSpec, table: LanguageTable) -> BenchmarkSpec:
    """The spec with its language's prompt, where it has none of its own."""
    return spec if "prompt" in spec.model_fields_set else spec.model_copy(update={"prompt": table.prompt})


def read_spec(path: Path, *, searched: bool = True) -> BenchmarkSpec:
    """A validated spec, its data paths made relative to the working directory. Raises HopeBenchError; for an encoder's folder
    that isn't there only where it is to be `searched` by."""
    spec = read_toml(path, BenchmarkSpec)
    return spec.model_copy(
        update={
            "language": str(path.parent / spec.language) if is_file(spec.language) else spec.language,
            "dataset": _beside(path, spec.dataset, ("annotations", "captions", "images", "image_list")),
            "descriptions": _beside(path, spec.descriptions, ("file",)),
            "blind": _beside(path, spec.blind, ("annotations", "captions", "images_folder")),
            "guards": _beside(path, spec.guards, ("ontology_table", "review", "evidence")),
            "clip": None if spec.clip is None else _local_encoder(path, spec.clip, searched),
            "encoders": {name: _local_encoder(path, encoder, searched) for name, encoder in spec.encoders.items()},
        }
    )


def _beside(path: Path, part: Part, keys: tuple[str, ...]) -> Part:
    def beside(named: str | tuple[str, ...]) -> str | tuple[str, ...]:
        return str(path.parent / named) if isinstance(named, str) else tuple(str(path.parent / one) for one in named)

    given = {key: getattr(part, key) for key in keys}
    return part.model_copy(update={key: beside(value) for key, value in given.items() if value is not None})


def _local_encoder(path: Path, encoder: ClipSpec, needed: bool) -> ClipSpec:
    if not encoder.model.startswith(("local-dir:./", "local-dir:../")):
        return encoder
    folder = path.parent / encoder.model.removeprefix("local-dir:")
    if needed and not folder.is_dir():
        raise HopeBenchError(
            f"{path}: the CLIP model names the folder {folder}, which does not exist. Put it there, or change the path."
        )
    return encoder.model_copy(update={"model": f"local-dir:{folder.resolve()}"})
