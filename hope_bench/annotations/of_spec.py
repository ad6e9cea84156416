"""The annotations that a spec's [dataset] names, one file or several, read as it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hope_bench.annotations import annotation_files, read_annotations
from hope_bench.annotations.image_files import Folder
from hope_bench.annotations.merging import merge
from hope_bench.errors import HopeBenchError, counted, first_few, hidden
from hope_bench.files.reading import read_text
from hope_bench.files.spec import DatasetSpec
from hope_bench.records import Annotations


def read_dataset(dataset: DatasetSpec, paths: Sequence[Path] = (), captions: bool = True) -> Annotations:
    """What the spec's files hold, those of `paths` instead of its own where some are given; `captions` False leaves those out.

    Each captions file must be about images of one annotation file at least. Raises HopeBenchError.
    """
    named = tuple(paths) or dataset.annotation_paths
    given = dataset.caption_paths if captions else ()
    read = [
        (path, read_annotations(path, dataset.format, given, dataset.files, dataset.columns, dataset.boxes)) for path in named
    ]
    return replace(merge(read), orientation=dataset.orientation)


def dataset_files(dataset: DatasetSpec) -> tuple[Path, ...]:
    """Every file that `read_dataset` reads, for a manifest. Raises HopeBenchError where one is missing."""
    found = [
        file
        for path in dataset.annotation_paths
        for file in annotation_files(path, dataset.format, dataset.caption_paths, dataset.files)
    ]
    lists = () if dataset.image_list is None else (Path(dataset.image_list),)
    return (*dict.fromkeys(found), *lists)


def listed_images(path: Path, annotations: Annotations) -> tuple[frozenset[int], tuple[str, ...]]:
    """The images that a list names, one a line, as the annotations or files do; and what it names besides, in words.

    Raises HopeBenchError where the list can't be read, or names none of the images.
    """
    lines = read_text(path).splitlines()
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    index = {image.file_name: place for place, image in enumerate(annotations.images)}
    files = Folder(index).find(names).files
    unknown = [name for name, file in zip(names, files, strict=True) if file is None]
    if len(unknown) == len(names):
        raise HopeBenchError(
            f"{path} names no image of the annotations ({len(names):,} lines, such as {first_few(names, 2) or 'none'}; they name "
            f"{first_few(index, 2)}). Write one file name a line."
        )
    problem = f"{path.name}: {len(unknown):,} of its {len(names):,} images are not in the annotations ({first_few(unknown, 3)})."
    return frozenset(index[file] for file in files if file is not None), (problem,) if unknown else ()


def check_names(annotations: Annotations) -> Annotations:
    """Before questions are made: raise HopeBenchError for categories whose names hold what can't be seen, or turns the text
    around it. No leaderboard shows such names, which nobody should hear only after all has been asked. Images that are called so
    are told among the problems."""
    unseen = [f"{one.name!a}: {found}" for one in annotations.categories if (found := hidden(one.name))]
    if unseen:
        raise HopeBenchError(
            f"{counted(len(unseen), 'category has', 'categories have')} a name with what can't be seen or changes how the text "
            f"around it reads ({first_few(unseen, 3)}). Take it out of the annotations: no leaderboard shows such names."
        )
    called = [f"{one.file_name!a}: {found}" for one in annotations.images if (found := hidden(one.file_name))]
    if not called:
        return annotations
    told = (
        f"{counted(len(called), 'image is', 'images are')} called by what can't be seen or changes how the text around it reads "
        f"({first_few(called, 3)}). No leaderboard shows such names: rename them, also in the annotations, before all is asked."
    )
    return replace(annotations, problems=(*annotations.problems, told))
