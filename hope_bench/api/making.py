"""Making benchmarks: annotations in, questions out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark, read_written
from hope_bench.files.registry import find_benchmark, find_spec
from hope_bench.files.remembered import remember_images
from hope_bench.files.spec import BenchmarkSpec, ClipSpec, Format, read_spec
from hope_bench.files.validation import checked, validate
from hope_bench.hub.names import hub_name, is_hub_name, name_of
from hope_bench.processes import Processes, is_first, join_processes
from hope_bench.progress import ProgressMode, Say, progress_shown, say_nothing, say_on_stderr
from hope_bench.provenance import file_sha256
from hope_bench.records import BoxLayout

if TYPE_CHECKING:
    from hope_bench.clip.crew import EncoderCrew
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

    `spec` is a spec.toml, the folder that holds one, a benchmark's name or a BenchmarkSpec; without one, `annotations` get the
    spec that `init` would write. `settings` are keys of a spec (docs/spec.md), which take the place of its own: name, title,
    sample_images, k, seed, strategies and so on. The other arguments are `hope-bench generate`'s.
    The benchmark is written to `out` (default: benchmarks/NAME in the working directory), CLIP's embeddings to `cache` (default:
    the user's cache folder). The same inputs and seed give the same bytes, here and on the command line. `progress` "quiet" shows
    no bars; `say` gets the messages (default: stderr, none when quiet). Processes that were started together (torchrun) all call
    this: they share the encoding, the first one does the rest, and each returns the benchmark.

    Raises HopeBenchError for everything that is wrong with spec, annotations, images or encoder; nothing is written then.

    Example: hb.generate("hope-coco", annotations="instances_val2014.json", images="val2014", clip="ViT-L-14:openai")
    """
    from hope_bench.clip.store import default_cache
    from hope_bench.search.generate import generate as run

    if not is_first():
        return read_benchmark(encode_for_first())
    tell = teller(progress, say)
    with join_processes() as processes:
        with _leading(processes) as crew, progress_shown(progress):
            files = Files.of(annotations, images, image_list, captions)
            chosen = planned(spec, files, clip, activation, reviewed, settings, tell)
            folder = Path("benchmarks") / chosen.name if out is None else Path(out)
            if out is None and spec is None and "name" not in settings:
                _check_not_of_other_data(folder, chosen)
            run(chosen, folder, default_cache() if cache is None else Path(cache), tell, crew)
            remember_images(folder, path_or_none(chosen.dataset.images))
        processes.by_first(lambda: folder)
    return read_written(folder)


def encode_for_first() -> Path:
    """What all processes but the first of several do in `generate`: encode what that one asks for. Returns the folder that it has
    written. Raises HopeBenchError where it fails, or is lost."""
    from hope_bench.clip.crew import EncoderCrew

    with join_processes() as processes:
        EncoderCrew(processes).follow()
        return processes.by_first(Path)


@contextmanager
def _leading(processes: Processes) -> Iterator[EncoderCrew | None]:
    """The processes that help this one, which they wait for; None where it is alone."""
    if processes.size == 1:
        yield None
        return
    from hope_bench.clip.crew import EncoderCrew

    crew = EncoderCrew(processes)
    with crew.lead():
        yield crew


@checked
def load_benchmark(name_or_folder: Benchmark | PathOr) -> Benchmark:
    """A generated or imported benchmark: its folder, its name (./benchmarks first, then the packaged ones), or hf:ORG/NAME
    (hf:ORG/NAME@REVISION) for one on the Hugging Face Hub, which is downloaded to its cache.

    Every file is checked against the manifest. Raises HopeBenchError naming the nearest known benchmark, or the file that is
    malformed, missing or changed.

    Example: hb.load_benchmark("benchmarks/hope-coco").to_frame()
    """
    if isinstance(name_or_folder, Benchmark):
        return name_or_folder
    if is_hub_name(name := str(name_or_folder)):
        from hope_bench.hub.pull import fetch_benchmark

        return fetch_benchmark(hub_name(name))
    return read_benchmark(find_benchmark(name))


def hub_images(benchmark: Benchmark, images: PathOr | None, *, download: bool = True) -> PathOr | None:
    """The images folder of a call: `images` or, where the benchmark was loaded from the Hub and its repository holds the
    pictures, a folder of the user's cache to which they are written (or, without `download`, would be); else None."""
    name = name_of(benchmark.folder)
    if images is not None or name is None:
        return images
    from hope_bench.clip.store import default_cache
    from hope_bench.hub.pull import has_pictures, write_pictures

    if not has_pictures(benchmark):
        return None
    folder = default_cache() / "hub" / f"{name.repo.replace('/', '--')}-{name.revision}"
    if download:
        write_pictures(name, benchmark, folder)
    return folder


def teller(progress: ProgressMode, say: Say | None) -> Say:
    """Where messages go: to `say`, else to stderr unless progress is quiet."""
    return say or (say_nothing if progress == "quiet" else say_on_stderr)


def path_or_none(path: PathOr | None) -> Path | None:
    """A path that a caller may have given as text."""
    return None if path is None else Path(path)


@dataclass(frozen=True, slots=True)
class Files:
    """The data that a caller names beside a spec."""

    annotations: tuple[Path, ...] = ()
    images: Path | None = None
    image_list: Path | None = None
    captions: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls,
        annotations: PathOr | Sequence[PathOr] | None,
        images: PathOr | None,
        image_list: PathOr | None,
        captions: PathOr | Sequence[PathOr] | None,
    ) -> Files:
        """What callers give, as paths."""
        return cls(_several(annotations), path_or_none(images), path_or_none(image_list), _several(captions))

    def into(self, spec: BenchmarkSpec) -> BenchmarkSpec:
        """The spec with these in place of its own."""
        single = {"images": self.images, "image_list": self.image_list}
        changes: dict[str, str | tuple[str, ...]] = {key: str(path) for key, path in single.items() if path is not None}
        for key, paths in (("annotations", self.annotations), ("captions", self.captions)):
            if paths:
                changes[key] = str(paths[0]) if len(paths) == 1 else tuple(map(str, paths))
        return spec.model_copy(update={"dataset": spec.dataset.model_copy(update=changes)})


def _several(given: PathOr | Sequence[PathOr] | None) -> tuple[Path, ...]:
    if given is None:
        return ()
    return (Path(given),) if isinstance(given, str | PathLike) else tuple(map(Path, given))


def planned(
    spec: BenchmarkSpec | PathOr | None,
    files: Files,
    clip: str | None,
    activation: Literal["gelu", "quick_gelu"] | None,
    reviewed: PathOr | None,
    settings: Mapping[str, Any],
    say: Say,
) -> BenchmarkSpec:
    """The spec that `generate` works by: the one given or, without one, one that fits the files; with everything else put in.

    A spec of a published dataset that is given other data keeps its settings, and lends it neither its name nor its dataset's.
    Raises HopeBenchError for what is wrong with it.
    """
    if spec is None:
        chosen = _of_settings(files, clip, settings, say)
    else:
        found = spec if isinstance(spec, BenchmarkSpec) else read_spec(find_spec(str(spec)))
        chosen = _foreign(found, files, clip, settings, say) or files.into(_with_settings(found, settings))
    guards = chosen.guards if reviewed is None else chosen.guards.model_copy(update={"review": str(reviewed)})
    encoder = _encoder(chosen.clip, clip, activation)
    return chosen.model_copy(update={"clip": encoder, "guards": guards})


def _check_not_of_other_data(folder: Path, spec: BenchmarkSpec) -> None:
    """Raise HopeBenchError where a benchmark whose name was chosen here would replace one that was made of another file."""
    files = [file for file in spec.dataset.annotation_paths if file.is_file()]
    if not files or not (folder / "manifest.json").is_file():
        return
    sources = {one.sha256 for one in read_benchmark(folder).manifest.sources}
    if sources and not sources >= {file_sha256(file) for file in files}:
        raise HopeBenchError(f"{folder} holds a benchmark of other data than {files[0]}. Give this one another --name.")


def _of_settings(files: Files, clip: str | None, settings: Mapping[str, Any], say: Say) -> BenchmarkSpec:
    if not files.annotations or "dataset" in settings:
        if not settings or "name" not in settings:
            raise HopeBenchError(
                "Give a spec (a file, a folder or a benchmark's name), or annotations to make one for "
                "(--annotations; hope-bench init writes a spec for them)."
            )
        return files.into(validate(dict(settings), BenchmarkSpec, "What generate() was given"))
    from hope_bench.preparing.find import look
    from hope_bench.preparing.propose import propose

    found = look(files.annotations, files.images, files.captions, files.image_list)
    chosen = propose(found, clip, **settings)
    where = "no images found" if found.images is None else f"images in {found.images}"
    captions = "" if not found.captions else f", captions in {found.captions[0].name}"
    say(f"Benchmark {chosen.name}: {chosen.sample_images} images, k = {chosen.k}; {where}{captions}.")
    return _listed(files, chosen)


def _with_settings(found: BenchmarkSpec, settings: Mapping[str, Any]) -> BenchmarkSpec:
    if not settings:
        return found
    if settings.get("name", found.name) != found.name:  # another benchmark: what the spec says of its own is not said of it
        settings = {"title": settings["name"], "description": "", **settings}
    return validate({**_kept(found, settings), **settings}, BenchmarkSpec, f"Spec {found.name!r} with these settings")


def _kept(spec: BenchmarkSpec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a spec says itself; where it is to ask in another language, not how it asks in its own."""
    said = spec.model_dump(exclude_unset=True)
    of_language = ("prompt", "wording", "nouns") if settings.get("language", spec.language) != spec.language else ()
    return {key: value for key, value in said.items() if key not in of_language}


def _foreign(spec: BenchmarkSpec, files: Files, clip: str | None, settings: Mapping[str, Any], say: Say) -> BenchmarkSpec | None:
    """For data that isn't the dataset that a spec is of: a spec of its own, with that one's settings. None for the dataset."""
    if spec.dataset.recognised_by is None or not all(path.exists() for path in files.annotations) or not files.annotations:
        return None
    from hope_bench.preparing.propose import own_name, propose, speaks_of

    if all(speaks_of(path, spec.dataset.recognised_by) for path in files.annotations):
        return None
    from hope_bench.preparing.find import look

    found = look(files.annotations, files.images, files.captions, files.image_list)
    of_its_own = ("name", "title", "description", "sample_images", "k", "dataset")
    kept = {key: value for key, value in _kept(spec, settings).items() if key not in of_its_own}
    if settings.get("language", spec.language) == "en":
        kept["wording"] = spec.wording
    chosen = propose(found, clip, **{"name": own_name(files.annotations[0]), **kept, **settings})
    say(
        f"{files.annotations[0]} is not {spec.dataset.name} (it doesn't speak of {spec.dataset.recognised_by}), so the benchmark "
        f"is called {chosen.name}, with {spec.name}'s settings, {chosen.sample_images} images, k = {chosen.k}. --name calls it "
        "otherwise."
    )
    return _listed(files, chosen)


def _listed(files: Files, proposed: BenchmarkSpec) -> BenchmarkSpec:
    """A spec that names what was found in `files`, with the list of images, which isn't looked for."""
    return Files(image_list=files.image_list).into(proposed)


def _encoder(encoder: ClipSpec | None, clip: str | None, activation: Literal["gelu", "quick_gelu"] | None) -> ClipSpec | None:
    if clip is not None:
        # The spec's activation is that of the spec's weights.
        other = {"model": clip, "activation": None}
        encoder = ClipSpec(model=clip) if encoder is None else encoder.model_copy(update=other)
    if activation is not None:
        if encoder is None:
            raise HopeBenchError(f"An activation ({activation}) is that of an encoder's weights, and no encoder is named (clip).")
        encoder = encoder.model_copy(update={"activation": activation})
    return encoder
