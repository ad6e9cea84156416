"""First steps: what is in somebody's files, what is wrong with it, and a spec that fits."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hope_bench.api.making import PathOr, path_or_none, teller
from hope_bench.clip.names import check_clip_name
from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import BenchmarkSpec
from hope_bench.files.validation import Count, FromZero, checked
from hope_bench.progress import Say
from hope_bench.provenance import commit, package_version, versions

if TYPE_CHECKING:
    from hope_bench.preparing.find import Found
    from hope_bench.preparing.health import Health
    from hope_bench.preparing.speed import Speed


@dataclass(frozen=True, slots=True)
class Start:
    """A first spec: what it says, the file it is written to, and the `health` of the data it is for."""

    spec: BenchmarkSpec
    path: Path
    health: Health


@checked
def init(
    data: PathOr | Sequence[PathOr],
    *,
    name: str | None = None,
    title: str | None = None,
    images: PathOr | None = None,
    captions: PathOr | None = None,
    clip: str | None = None,
    sample_images: Count | Literal["all"] | None = None,
    k: Count | None = None,
    seed: FromZero = 0,
    strategies: Sequence[str] | None = None,
    language: str | None = None,
    out: PathOr | None = None,
    say: Say | None = None,
) -> Start:
    """Look at somebody's data, and write a short commented spec.toml for it.

    `data` is a folder, or files: annotations, captions. What is not given is found or chosen: the `images` folder and `captions`
    beside them, the data's own `name`, at most 500 images, `k` = 3 unless most images show fewer categories, the strategies that
    images and boxes allow, and English (`language`: another, or the file of a table, docs/languages.md). The spec goes to `out`
    (default: benchmarks/NAME/spec.toml in the working directory), from where `generate(NAME)` takes it. Raises HopeBenchError
    where nothing of a known format is found, no image can be asked about, or there is a spec already.

    Example: hb.init("my-data", clip="ViT-L-14:openai").health.findings
    """
    from hope_bench.preparing.find import look
    from hope_bench.preparing.propose import propose, write_spec

    if clip is not None:
        check_clip_name(clip)
    found = look(_paths(data), path_or_none(images), _captions(captions))
    given = {"name": name, "title": title, "k": k, "seed": seed, "strategies": strategies, "language": language}
    spec = propose(found, clip, sample_images, **{key: value for key, value in given.items() if value is not None})
    path = Path("benchmarks") / spec.name / "spec.toml" if out is None else Path(out)
    path = path / "spec.toml" if path.is_dir() or not path.suffix else path
    write_spec(path, spec, found)
    if found.also:
        teller("auto", say)(f"Other annotations, not used: {', '.join(map(str, found.also))}.")
    return Start(spec, path, _health(found, spec, False))


@checked
def check_data(
    data: PathOr | Sequence[PathOr] | BenchmarkSpec,
    *,
    images: PathOr | None = None,
    captions: PathOr | None = None,
    clip: str | None = None,
    measure: bool = False,
) -> Health:
    """A health report on somebody's data: images, boxes, categories and ids, what can be asked about, and what CLIP will do.

    `data` is a folder, files, or a BenchmarkSpec, whose settings then count. `measure` loads the encoder (`clip`, or the spec's)
    and says how long embedding takes here; an encoder in a local folder or file is always measured. What can't be read is a
    finding, too. Raises HopeBenchError where nothing of a known format is found.

    Example: hb.check_data("my-data").findings
    """
    from hope_bench.preparing.find import found_of, locate, look
    from hope_bench.preparing.health import unreadable
    from hope_bench.preparing.propose import propose

    if clip is not None:
        check_clip_name(clip)
    if isinstance(data, BenchmarkSpec):
        try:
            found = found_of(data)
        except HopeBenchError as error:
            if not data.dataset.annotation_paths or not data.dataset.annotation_paths[0].is_file():
                raise
            return unreadable(data.dataset.annotation_paths[0], error)
        return _health(found, data, measure)
    paths = _paths(data)
    try:
        found = look(paths, path_or_none(images), _captions(captions))
    except HopeBenchError as error:
        file = locate(paths)
        if file is None or not file.is_file():
            raise
        return unreadable(file, error)
    try:
        spec = propose(found, clip)
    except HopeBenchError:  # nothing can be asked: the report says why
        spec = BenchmarkSpec(name="nothing", strategies=("random",), headline="random")
    return _health(found, spec, measure)


def _captions(given: PathOr | None) -> tuple[Path, ...]:
    return () if given is None else (Path(given),)


def _paths(data: PathOr | Sequence[PathOr]) -> list[Path]:
    paths = [Path(one) for one in data] if isinstance(data, list | tuple) else [Path(data)]  # type: ignore[arg-type]
    if not paths:
        raise HopeBenchError("Give a folder, or the files of annotations.")
    return paths


def _health(found: Found, spec: BenchmarkSpec, measure: bool) -> Health:
    from hope_bench.preparing.health import check
    from hope_bench.preparing.speed import is_at_hand, measure_speed

    speed: Speed | None = None
    if found.images is not None and spec.clip is not None and spec.needs_clip and (measure or is_at_hand(spec.clip)):
        some = [found.images / image.file_name for image in found.read.images[:200]]
        speed = measure_speed(spec.clip, [path for path in some if path.is_file()])
    return check(found, spec, speed)


_OF_INTEREST = (
    "accelerate", "datasets", "huggingface_hub", "jinja2", "openai", "pandas", "peft", "plotly", "pydantic", "rich", "scipy",
    "supervision", "tokenizers", "torchvision", "typer",
)  # fmt: skip
"""Packages that a bug may come from, beside those whose versions every result records."""


@checked
def environment() -> dict[str, str | None]:
    """What a bug report needs, in words by name: versions (None: not installed), the system, processors, memory and GPUs, and
    where hope-bench and models are kept. Nothing secret: of environment variables only HF_HOME and HF_HUB_OFFLINE.

    Raises HopeBenchError where it is given anything.

    Example: hb.environment()["torch"]
    """
    import torch

    from hope_bench.clip.store import default_cache

    found: dict[str, str | None] = {**versions(), **{name: package_version(name) for name in _OF_INTEREST}}
    found["commit"] = commit()
    found["hope-bench is in"] = str(Path(__file__).resolve().parent.parent)
    found["system"] = platform.platform()
    found["processors"] = f"{os.cpu_count()}, {torch.get_num_threads()} threads used by torch"
    cuda = torch.version.cuda
    found["CUDA of torch"] = cuda
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [torch.cuda.get_device_properties(place) for place in range(count)]
    found["GPUs"] = ", ".join(f"{one.name} ({one.total_memory / 2**30:.0f} GiB)" for one in gpus) or "none"
    found["embeddings"] = str(default_cache())
    found.update({name: os.environ.get(name) for name in ("HF_HOME", "HF_HUB_OFFLINE")})
    return found
