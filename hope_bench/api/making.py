"""Making benchmarks: annotations in, questions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.registry import find_benchmark, find_spec
from hope_bench.files.remembered import remember_images
from hope_bench.files.spec import BenchmarkSpec, ClipSpec, Format, read_spec
from hope_bench.files.validation import checked, validate
from hope_bench.progress import ProgressMode, Say, progress_shown, say_nothing, say_on_stderr
from hope_bench.records import BoxLayout

if TYPE_CHECKING:
    from hope_bench.records import Annotations

PathOr = str | PathLike[str]


@checked
def load_annotations(
    path: PathOr,
    *,
    format: Format = "auto",
    captions: PathOr | None = None,
    files: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    boxes: BoxLayout | None = None,
) -> Annotations:
    """The annotations of a file or folder of any dataset in docs/datasets.md: images, categories and what is where.

    `format`, `captions`, `files`, `columns` and `boxes` mean what they mean in a spec's [dataset]. `boxes` of what is returned
    are float32 [A, 4], (x, y, width, height) in pixels or fractions of the image (`box_units`), with NaN where unknown. Raises
    HopeBenchError naming what is wrong with the file, where, and what to do.

    Example: hb.load_annotations("instances_val2014.json").categories
    """
    from hope_bench.annotations import read_annotations

    return read_annotations(
        Path(path), format, None if captions is None else Path(captions), dict(files or {}), dict(columns or {}), boxes
    )


@checked
def generate(
    spec: BenchmarkSpec | PathOr | None = None,
    *,
    annotations: PathOr | Sequence[PathOr] | None = None,
    images: PathOr | None = None,
    image_list: PathOr | None = None,
    captions: PathOr | Sequence[PathOr] | None = None,
    clip: str | None = None,
    activation: Literal["gelu", "quick_gelu"] | None = None,
    reviewed: PathOr | None = None,
    out: PathOr | None = None,
    cache: PathOr | None = None,
    progress: ProgressMode = "auto",
    say: Say | None = None,
    **settings: Any,
) -> Benchmark:
    """Make a benchmark: yes/no questions about present objects and about misleading absent ones.

    `spec` is a spec.toml, the folder that holds one, a benchmark's name or a BenchmarkSpec; `settings` are keys of a spec
    (docs/spec.md), which take the place of its own, or are the whole spec. The other arguments are `hope-bench generate`'s.
    The benchmark is written to `out` (default: benchmarks/NAME in the working directory), CLIP's embeddings to `cache` (default:
    the user's cache folder). The same inputs and seed give the same bytes, here and on the command line. `progress` "quiet" shows
    no bars; `say` gets the messages (default: stderr, none when quiet).

    Raises HopeBenchError for everything that is wrong with spec, annotations, images or encoder; nothing is written then.

    Example: hb.generate("hope-coco", annotations="instances_val2014.json", images="val2014", clip="ViT-L-14:openai")
    """
    from hope_bench.clip.store import default_cache
    from hope_bench.search.generate import generate as run

    named = {"annotations": annotations, "images": images, "captions": captions, "image_list": image_list}
    chosen = _with_files(_spec(spec, settings), named, clip, activation, reviewed)
    folder = Path("benchmarks") / chosen.name if out is None else Path(out)
    with progress_shown(progress):
        run(chosen, folder, default_cache() if cache is None else Path(cache), teller(progress, say))
    remember_images(folder, path_or_none(chosen.dataset.images))
    return read_benchmark(folder)


@checked
def load_benchmark(name_or_folder: Benchmark | PathOr) -> Benchmark:
    """A generated or imported benchmark: its folder, or its name (./benchmarks first, then the packaged ones).

    Every file is checked against the manifest. Raises HopeBenchError naming the nearest known benchmark, or the file that is
    malformed, missing or changed.

    Example: hb.load_benchmark("benchmarks/hope-coco").to_frame()
    """
    return name_or_folder if isinstance(name_or_folder, Benchmark) else read_benchmark(find_benchmark(str(name_or_folder)))


def teller(progress: ProgressMode, say: Say | None) -> Say:
    """Where messages go: to `say`, else to stderr unless progress is quiet."""
    return say or (say_nothing if progress == "quiet" else say_on_stderr)


def path_or_none(path: PathOr | None) -> Path | None:
    """A path that a caller may have given as text."""
    return None if path is None else Path(path)


def _spec(spec: BenchmarkSpec | PathOr | None, settings: Mapping[str, Any]) -> BenchmarkSpec:
    if spec is None:
        if not settings:
            raise HopeBenchError("Give a spec (a file, a folder or a benchmark's name), or a spec's own keys, such as name=.")
        return validate(dict(settings), BenchmarkSpec, "What generate() was given")
    found = spec if isinstance(spec, BenchmarkSpec) else read_spec(find_spec(str(spec)))
    return (
        validate({**found.model_dump(), **settings}, BenchmarkSpec, f"Spec {found.name!r} with these settings")
        if settings
        else found
    )


def _as_named(key: str, given: PathOr | Sequence[PathOr]) -> str | tuple[str, ...]:
    """A path, or several where a spec takes several, as a spec has them."""
    if isinstance(given, str | PathLike):
        return str(given)
    if key not in ("annotations", "captions") or not isinstance(given, Sequence) or not given:
        raise HopeBenchError(f"{key} is a {type(given).__name__}: give the path of a file or folder.")
    several = tuple(_as_named(f"{key}[{number}]", path) for number, path in enumerate(given))
    return str(several[0]) if len(several) == 1 else tuple(map(str, several))


def _with_files(
    spec: BenchmarkSpec,
    named: Mapping[str, PathOr | Sequence[PathOr] | None],
    clip: str | None,
    activation: Literal["gelu", "quick_gelu"] | None,
    reviewed: PathOr | None,
) -> BenchmarkSpec:
    files = {key: _as_named(key, path) for key, path in named.items() if path is not None}
    dataset = spec.dataset.model_copy(update=files)
    guards = spec.guards if reviewed is None else spec.guards.model_copy(update={"review": str(reviewed)})
    encoder = spec.clip
    if clip is not None:
        # The spec's activation is that of the spec's weights.
        other = {"model": clip, "activation": None}
        encoder = ClipSpec(model=clip) if encoder is None else encoder.model_copy(update=other)
    if activation is not None:
        if encoder is None:
            raise HopeBenchError(f"An activation ({activation}) is that of an encoder's weights, and no encoder is named (clip).")
        encoder = encoder.model_copy(update={"activation": activation})
    return spec.model_copy(update={"dataset": dataset, "clip": encoder, "guards": guards})
