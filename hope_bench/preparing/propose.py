"""A first spec for somebody's data: its own name, and settings that its images allow."""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hope_bench.errors import HopeBenchError, counted
from hope_bench.files.language import is_file, read_language
from hope_bench.files.registry import data_root
from hope_bench.files.spec import CLIP_STRATEGIES, BenchmarkSpec, in_language
from hope_bench.files.validation import validate
from hope_bench.images import UnreadableImageError, picture_shape
from hope_bench.languages.worder import make_worder
from hope_bench.preparing.find import Found
from hope_bench.provenance import locked, write_text
from hope_bench.records import Annotations
from hope_bench.search.pope import eligible_images

SAMPLE = 500
"""Images of a benchmark, where there are as many: POPE's number."""
_LOOKED_AT = 100
"""Pictures whose orientation is looked at."""
ENCODER = "ViT-L-14:openai"

_POPE = ("random", "popular", "adversarial", "random-guarded", "popular-guarded", "adversarial-guarded")
_BLIND = (*_POPE, "category-cooccurrence")
_SEEING = (*_BLIND, "category-similarity", "category", "content", "control-content")
_DESCRIBING = (*_BLIND, "category-similarity", "category", "content", "description", "hope", "control-content")

_SAYS_NOTHING = re.compile(
    r"_?(annotations?|instances?|labels?|objects?|coco|data|dataset|result|default|train|val|valid|validation|test|images?|json)"
    r"(\d*[._-]?(annotations?|instances?|labels?|coco|default|train|val|valid|validation|test|json|v?\d+))*",
    re.IGNORECASE,
)
"""Names of files and folders that many datasets have: instances_default, _annotations.coco, train, data."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """How many images could be asked about with k yes- and k no-questions: they show k categories, and k others are absent."""

    by_k: Mapping[int, int]

    @classmethod
    def of(cls, found: Found, lost: Container[str] = ()) -> Eligible:
        """Count for k from 1 to 3; `lost` are the files of pictures that can't be used."""
        present, every = _present(found, lost), len(found.read.categories)
        return cls(
            {k: sum(every - len(present[image]) >= k for image in eligible_images(present, k)) for k in (1, 2, 3)},
        )

    def best_k(self) -> int:
        """3, as POPE has it, unless that leaves out most of the images that could be asked about with fewer."""
        return next((k for k in (3, 2) if 3 * self.by_k[k] >= self.by_k[1] and self.by_k[k]), 1)


def _present(found: Found, lost: Container[str] = ()) -> list[Sequence[str]]:
    """What each image shows; nothing where it may not or can't be asked about."""
    images = found.read.images
    asked = range(len(images)) if found.listed is None else found.listed
    return [
        found.read.present(place) if place in asked and image.file_name not in lost else () for place, image in enumerate(images)
    ]


def own_name(annotations: Path) -> str:
    """A benchmark's name from where its annotations lie: the nearest name that isn't everybody's, made fit for a folder. Never
    that of a packaged benchmark."""
    path = annotations.resolve()
    named = next((one for one in (path, *path.parents) if one.name and not _SAYS_NOTHING.fullmatch(one.stem)), path)
    name = re.sub(r"[^a-z0-9.]+", "-", (named.name if named.is_dir() else named.stem).lower()).strip("-.") or "my-data"
    return f"my-{name}" if (data_root() / "benchmarks" / name).is_dir() else name


def speaks_of(annotations: Path, mark: str) -> bool:
    """Whether an annotation file holds the text that a dataset's own files do."""
    if not annotations.is_file() or not annotations.stat().st_size:
        return False
    with annotations.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(mark.encode()) >= 0


def propose(
    found: Found, encoder: str | None = None, sample_images: int | Literal["all"] | None = None, **settings: Any
) -> BenchmarkSpec:
    """The spec that fits what was found; `settings` are keys of a spec that are to be as given.

    Raises HopeBenchError where no image can be asked about, fewer than are wanted, or a setting is wrong.
    """
    eligible = Eligible.of(found)
    k = settings.get("k") or eligible.best_k()
    enough = _enough(found, k, eligible)
    if isinstance(sample_images, int) and sample_images > enough:
        raise HopeBenchError(
            f"{found.annotations[0]} has {counted(enough, 'image')} with at least {k} present categories, but {sample_images} "
            f"are wanted. Take at most {enough}, or all."
        )
    wanted = enough if sample_images == "all" else sample_images or min(SAMPLE, enough)
    name = settings.get("name") or own_name(found.annotations[0])
    strategies = tuple(settings.get("strategies") or _strategies(found, wanted, settings.get("language") or "en"))
    uses_clip = any(one.partition("@")[0] in CLIP_STRATEGIES for one in strategies)
    made = {
        "name": name, "title": f"POPE and HOPE on {name}", "strategies": strategies, "sample_images": wanted, "k": k,
        "headline": next((one for one in ("hope", "content") if one in strategies), strategies[-1]),
        **({"wording": "natural"} if settings.get("language") in (None, "en") else {}),
        "dataset": {"name": name, "annotations": _texts(found.annotations), "captions": _texts(found.captions),
                    "images": None if found.images is None else str(found.images)},
        "clip": {"model": encoder or ENCODER} if uses_clip else None,
    }  # fmt: skip
    return validate({**made, **{key: value for key, value in settings.items() if value is not None}}, BenchmarkSpec, "The spec")


def _enough(found: Found, k: int, eligible: Eligible) -> int:
    enough = eligible.by_k[k] if k in eligible.by_k else len(eligible_images(_present(found), k))
    if not enough:
        categories = len(found.read.categories)
        raise HopeBenchError(
            f"{found.annotations[0]}: no image can be asked about. Each needs {k} present and {k} absent categories, and there "
            f"are {counted(len(found.read.images), 'image')} and {counted(categories, 'category', 'categories')}. Lower k, or "
            "annotate more."
        )
    return enough


def _strategies(found: Found, images: int, language: str) -> tuple[str, ...]:
    if found.images is None:
        return _BLIND
    chosen = _DESCRIBING if _most_can_be_described(found.read, found.images, language) else _SEEING
    return chosen if images > 1 else chosen[:-1]  # a control looks at another image's scores


def _most_can_be_described(read: Annotations, pictures: Path, language: str) -> bool:
    """Whether most images with objects show one with a box, of a category whose place or number the language can ask about, and
    aren't turned by EXIF (a hundred are looked at): an image that no false description is known of gets no questions at all."""
    if read.boxes is None:
        return False
    worder = make_worder(read.categories, language)
    names = [category.name for category in read.categories]
    said = np.array([worder.place(name, "left") is not None or worder.count(name, 2) is not None for name in names])
    usable = said[read.category_of] & ~read.crowd & ~np.isnan(read.boxes[:, 0])
    held = np.diff(np.concatenate([[0], np.cumsum(usable)])[read.starts]) > 0
    of_use = np.flatnonzero(held)
    few = of_use[:: max(1, len(of_use) // _LOOKED_AT)]
    upright = sum(not _is_turned(pictures / read.images[image].file_name) for image in few) / max(1, len(few))
    return bool(2 * upright * len(of_use) > (np.diff(read.starts) > 0).sum())


def _is_turned(file: Path) -> bool:
    try:
        return picture_shape(file).orientation != 1
    except (UnreadableImageError, OSError):  # another finding's
        return False


def _texts(paths: Sequence[Path]) -> str | tuple[str, ...] | None:
    return None if not paths else str(paths[0]) if len(paths) == 1 else tuple(map(str, paths))


def write_spec(path: Path, spec: BenchmarkSpec, found: Found) -> None:
    """Write a short commented spec.toml, its paths relative to it. Raises HopeBenchError where there is one already."""
    text = _spec_text(path, spec, found)
    with locked(path.parent):
        if path.exists():
            raise HopeBenchError(f"{path} exists already. Change it there, remove it, or give another --name or --out.")
        write_text(path, text)


def _spec_text(path: Path, spec: BenchmarkSpec, found: Found) -> str:
    spec = in_language(spec, read_language(spec.language))
    eligible = Eligible.of(found).by_k.get(spec.k)
    could = "" if eligible is None else f" of the {eligible:,} that could be"
    data = spec.dataset
    files = [(key, getattr(data, key)) for key in ("annotations", "captions", "images")]
    lines = [
        f"# Written by hope-bench init; docs/spec.md lists every key. Next: hope-bench generate {path.parent.name}",
        f"name = {_toml(spec.name)}",
        f"title = {_toml(spec.title)}",
        f"description = {_toml(spec.description)}",
        f"strategies = {_toml_list(spec.strategies)}",
        f"headline = {_toml(spec.headline)}   # the split that ranks models",
        f"seed = {spec.seed}",
        f"sample_images = {spec.sample_images}   # drawn{could} asked about",
        f"k = {spec.k}   # yes- and no-questions per image and split",
        f"prompt = {_toml(spec.prompt)}",
        _how_asked(spec, path.parent),
        "",
        "[dataset]",
        f"name = {_toml(data.name)}",
        *(f"{key} = {_toml_paths(value, path.parent)}" for key, value in files if value is not None),
    ]
    if spec.clip is not None:
        model = spec.clip.model
        if model.startswith("local-dir:"):
            model = "local-dir:" + _relative(model.removeprefix("local-dir:"), path.parent)
        lines += ["", "[clip]", f"model = {_toml(model)}   # the encoder that searches (docs/spec.md)"]
    lines += ["", "# [synonyms]   # other words for your categories, for the guards", '# cup = ["mug", "beaker"]']
    return "\n".join(lines) + "\n"


def _how_asked(spec: BenchmarkSpec, folder: Path) -> str:
    """The line of a spec that says in which language, and in which English, questions are asked."""
    if spec.language == "en":
        return f'wording = {_toml(spec.wording)}   # or "pope", as its public code asks: "Is there a scissors"'
    language = _relative(spec.language, folder) if is_file(spec.language) else spec.language
    return f"language = {_toml(language)}   # docs/languages.md; [nouns] adds to its nouns"


def _relative(path: str, folder: Path) -> str:
    """A path as the spec beside it names it: relative, so that both may be moved together, and with a dot before it."""
    try:
        relative = Path(os.path.relpath(Path(path).absolute(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return Path(path).absolute().as_posix()
    return relative if relative.startswith(".") else f"./{relative}"


def _toml_paths(named: str | tuple[str, ...], folder: Path) -> str:
    if isinstance(named, str):
        return _toml(_relative(named, folder))
    return "[" + ", ".join(_toml(_relative(one, folder)) for one in named) + "]"


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _toml_list(items: Sequence[str]) -> str:
    """Strings as a TOML list, broken before 100 columns."""
    lines, line = [], " "
    for item in items:
        if len(line) + len(item) > 95:
            lines.append(line)
            line = " "
        line += f" {_toml(item)},"
    return "[\n" + "\n".join([*lines, line]) + "\n]"
