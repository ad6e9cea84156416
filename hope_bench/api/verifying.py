"""Verifying: does a model give here what was published of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from hope_bench.api.asking import CardSettings, card_at, evaluate, load_run, with_settings
from hope_bench.api.exchange import import_pope
from hope_bench.api.making import PathOr, load_benchmark, teller
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard, check_code
from hope_bench.files.places import RUNS
from hope_bench.files.published import POPE_SPLITS, Figure, find_figures
from hope_bench.files.registry import data_root
from hope_bench.files.run import Run
from hope_bench.files.validation import checked
from hope_bench.progress import ProgressMode, Say

if TYPE_CHECKING:
    from hope_bench.scoring.published import Verification

_BENCHMARK = "pope-published"
_REPLICATES = 1000


@dataclass(frozen=True, slots=True)
class _Where:
    """What the user has: POPE's files, the pictures, and where things go."""

    pope: tuple[Path, ...]
    images: Path | None
    out: Path | None


@checked
def verify(
    model: ModelCard | PathOr | None = None,
    *,
    run: Run | PathOr | None = None,
    pope: PathOr | Sequence[PathOr] = (),
    images: PathOr | None = None,
    published_as: str | None = None,
    figures: PathOr | None = None,
    benchmark: Benchmark | PathOr | None = None,
    name: str | None = None,
    runs: PathOr = RUNS,
    out: PathOr | None = None,
    trust_remote_code: bool = False,
    progress: ProgressMode = "auto",
    say: Say | None = None,
    **settings: Unpack[CardSettings],
) -> Verification:
    """Ask a model POPE's questions as a paper did, score as it did, and compare with its figures (docs/inference.md).

    `pope` is the folder of POPE's official files, or the files; `images` the folder of val2014's images. All figures that the
    given splits allow are compared: those of leaderboard/published.toml, or of the file `figures`, about the model of that name
    or checkpoint (`published_as` names another, for a copy). POPE's files are imported to `out` (default:
    benchmarks/pope-published), answers go to RUNS/pope-published/NAME; the same call goes on where one was interrupted.
    `settings` are keys of the card, all but `prompt` and `complete`, which the figures decide. With `run` nothing is asked:
    that run's answers, to `benchmark` (default: the one it names), are compared.

    What is needed is said before anything is downloaded. Raises HopeBenchError where something is missing, or there are no
    figures.

    Example: hb.verify("llava-hf/llava-1.5-7b-hf", pope="POPE/output/coco", images="val2014").agrees
    """
    from hope_bench.processes import check_count

    tell = teller(progress, say)
    table = data_root() / "leaderboard" / "published.toml" if figures is None else Path(figures)
    if (model is None) == (run is None):
        raise HopeBenchError("Give a model to ask, or a run to compare (--run), and not both.")
    _check_fitting(
        run is not None, {"benchmark": benchmark}, {"pope": pope, "images": images, "name": name, "out": out, **settings}
    )
    if run is not None:
        found = load_run(run, runs)
        record = found.record
        known = (record.model.checkpoint, record.model.name, record.name)
        about = find_figures(table, (published_as,) if published_as else known)
        questions = load_benchmark(benchmark or found.benchmark or record.benchmark)
        return _compared(record.model.name, [(found, about)], questions)
    assert model is not None
    if {"prompt", "complete"} & {key for key, value in settings.items() if value is not None}:
        raise HopeBenchError("verify asks as the published figures were made: leave prompt and complete out.")
    if check_count(None) > 1:
        raise HopeBenchError(
            "verify is one process. Spread a large model with --device-map auto; or evaluate with torchrun, and compare that run "
            "with --run."
        )
    card = with_settings(card_at(model, settings.get("base_url")), settings)
    check_code(model, card)
    about = find_figures(table, (published_as,) if published_as else (card.name, card.checkpoint))
    given = (pope,) if isinstance(pope, str | PathLike) else pope
    where = _Where(
        tuple(Path(one) for one in given),
        None if images is None else Path(images),
        None if out is None else Path(out),
    )
    questions, about = _prepared(card, about, where, tell)
    asked = [
        (
            evaluate(
                card, questions, images=images, splits=_splits(group), name=_run_name(name or card.name, place, group), runs=runs,
                trust_remote_code=trust_remote_code, progress=progress, say=say, prompt=group[0].table.prompt,
                complete=_needs_text(group) or None,
            ),
            group,
        )
        for place, group in enumerate(_by_prompt(about))
    ]  # fmt: skip
    return _compared(card.name, asked, questions)


def _check_fitting(has_run: bool, of_runs: Mapping[str, object], of_models: Mapping[str, object]) -> None:
    """Raises HopeBenchError for what was given and would have no effect."""
    for name, value in (of_models if has_run else of_runs).items():
        if value not in (None, ()):
            why = "with --run nothing is asked" if has_run else "a model is asked the questions of --pope"
            raise HopeBenchError(f"--{name.replace('_', '-')} would have no effect: {why}. Leave it out.")


def _prepared(card: ModelCard, about: Sequence[Figure], where: _Where, tell: Say) -> tuple[Benchmark, tuple[Figure, ...]]:
    """The questions, imported, and the figures that they allow, after telling what is needed. Raises HopeBenchError where
    something is missing; then nothing was written."""
    from hope_bench.interchange.find_pope import find_pope_files

    needed = _splits(about)
    files = find_pope_files(where.pope, needed)
    chosen = tuple(figure for figure in about if set(figure.splits) <= files.keys())
    needs = _needs(card, about, needed)
    if not chosen or where.images is None:
        no_files = "" if chosen else _no_files(where.pope, needed)
        no_images = "" if where.images else "The images are missing: give their folder with --images FOLDER."
        raise HopeBenchError("\n".join([" ".join(filter(None, (no_files, no_images))), *needs]))
    for text in needs:
        tell(text)
    if left := [split for split in needed if split not in files]:
        tell(f"Left out, as no file of them was given: the figures that need {', '.join(left)}.")
    splits = {split: files[split] for split in _splits(chosen)}
    _check_images(splits, where.images)
    made = _imported(splits, about[0], where.out)
    questions = {(one.image, one.text) for each in made.splits.values() for one in each}
    tell(
        f"{counted(len(chosen), 'published figure')} can be compared. To ask: "
        f"{counted(len(questions), 'different question')} about "
        f"{counted(len(made.manifest.images), 'image')}, all in {where.images}."
    )
    return made, chosen


def _imported(splits: Mapping[str, Path], figure: Figure, out: Path | None) -> Benchmark:
    """The files as a benchmark; some of the splits make one of their own, so that none replaces another."""
    name = "-".join([_BENCHMARK, *(() if len(splits) == len(POPE_SPLITS) else splits)])
    title = f"{figure.table.benchmark}, as published figures use it"
    folder = Path("benchmarks") / name if out is None else out
    return import_pope(name, splits, title=title, prompt="{question}", dataset=figure.table.dataset, out=folder)


def _needs(card: ModelCard, about: Sequence[Figure], splits: Sequence[str]) -> list[str]:
    table = about[0].table
    names = ", ".join(f"coco_pope_{split}.json" for split in splits)
    here = card.checkpoint is None or card.served or Path(card.checkpoint).exists()
    weights = card.checkpoint or card.name
    return [
        f"Verifying {card.name} takes",
        f"- {table.benchmark}'s official files ({names}; github.com/AoiDragon/POPE, output/coco): --pope FOLDER",
        f"- the images of {table.dataset}, of which these files ask about 500: --images FOLDER",
        f"- the model: {weights}{'' if here else ', downloaded unless the Hub cache has it'}.",
    ]


def _no_files(given: Sequence[Path], splits: Sequence[str]) -> str:
    wanted = ", ".join(f"..._{split}.json" for split in splits)
    if not given:
        return "POPE's files are missing: give their folder with --pope FOLDER."
    return f"None of the files needed ({wanted}) is in {', '.join(map(str, given))}."


def _check_images(files: Mapping[str, Path], images: Path) -> None:
    """All pictures are there, before anything is imported or downloaded. Raises HopeBenchError."""
    from hope_bench.interchange.questions import read_lines

    asked = dict.fromkeys(line.text("image") for path in files.values() for line in read_lines(path))
    missing = [name for name in asked if not (images / name).is_file()]
    if missing:
        raise HopeBenchError(
            f"{images} lacks {len(missing):,} of the {len(asked):,} images that POPE's files ask about: {first_few(missing, 3)}. "
            "Give the folder that holds them all with --images FOLDER."
        )


def _splits(figures: Sequence[Figure]) -> tuple[str, ...]:
    used = {split for figure in figures for split in figure.splits}
    return tuple(split for split in POPE_SPLITS if split in used)


def _by_prompt(figures: Sequence[Figure]) -> list[tuple[Figure, ...]]:
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.table.prompt, []).append(figure)
    return [tuple(group) for group in groups.values()]


def _run_name(name: str, place: int, group: Sequence[Figure]) -> str:
    """A run for each prompt: the first is called as the model, the others after whose prompt it is, too."""
    return name if place == 0 else f"{name}-{group[0].table.name}"


def _needs_text(figures: Sequence[Figure]) -> bool:
    from hope_bench.scoring.conventions import find_convention

    return any(find_convention(figure.table.convention).needs_text for figure in figures)


def _compared(model: str, asked: Sequence[tuple[Run, Sequence[Figure]]], questions: Benchmark) -> Verification:
    """The runs' numbers beside the figures about them. Raises HopeBenchError where none can be compared."""
    from hope_bench.scoring.conventions import find_convention
    from hope_bench.scoring.intervals import DEFAULT_BOOTSTRAP
    from hope_bench.scoring.published import Check, Verification, check_figures
    from hope_bench.scoring.score import score

    official = questions.manifest.k is None  # what generate makes has its own sample of images
    bootstrap = DEFAULT_BOOTSTRAP.model_copy(update={"replicates": _REPLICATES})
    checks: list[Check] = []
    notes: list[str] = []
    for run, figures in asked:
        results = {
            way: score(questions, run.folder, bootstrap, find_convention(way))
            for way in dict.fromkeys(figure.table.convention for figure in figures)
        }
        found, left_out = check_figures(results, figures, official)
        checks += found
        notes += left_out
        prompt = run.record.run.prompt
        notes += [
            f"Run {run.name} asked with {prompt!r}, {other} with {how!r}."
            for other, how in dict.fromkeys((figure.table.name, figure.table.prompt) for figure in figures)
            if prompt is not None and prompt != how
        ]
    if not official:
        notes.append(f"{questions.name} was generated: its questions are POPE's by kind, not the official ones.")
    return Verification(model, tuple(checks), tuple(run for run, _ in asked), tuple(notes))
