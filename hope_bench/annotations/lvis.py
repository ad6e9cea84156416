"""LVIS v1: COCO's format with a federated vocabulary (Gupta et al. 2019, lvisdataset.org/dataset).

Each image names the categories verified absent from it (`neg_category_ids`) and those of which not every instance is annotated
(`not_exhaustive_category_ids`); of all others nothing is known. Images are named by `coco_url`, categories such as
"bow_(weapon)" have a synset, synonyms and a definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hope_bench.annotations.coco import read_captions, with_boxes
from hope_bench.annotations.coco_rows import InstancesFile
from hope_bench.annotations.ids import Id, look_up
from hope_bench.annotations.wording import plain_names, without_aside, words
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.records import Annotations, BoxLayout, Category


def read_lvis(file: InstancesFile, captions: Sequence[Path], boxes: BoxLayout | None = None) -> Annotations:
    """An LVIS file (`load_instances`) and COCO captions files for its images.

    Category names become words, their remarks in parentheses dropped where names stay distinct. Raises HopeBenchError as
    `read_coco` does, and where no image lists neg_category_ids.
    """
    path = file.path
    if file.images.negative is None:
        raise HopeBenchError(f'{path}: no image lists neg_category_ids, as LVIS files do. Is it a COCO file (format = "coco")?')
    annotations = with_boxes(file, _categories(file), boxes)
    absent = _sets(file, file.images.negative)
    wrong: list[str] = []
    for image, categories in absent.items():
        rows = slice(annotations.starts[image], annotations.starts[image + 1])
        annotated = categories.intersection(annotations.category_of[rows].tolist())
        if annotated:
            absent[image] = categories - annotated
            wrong.append(annotations.images[image].file_name)
    problems = annotations.problems
    if wrong:
        lists = counted(len(wrong), "image lists", "images list")
        told = f"{lists} a category as absent that is annotated in them, which is believed"
        problems += (f"{path.name}: {told} ({first_few(wrong)}).",)
    return replace(
        annotations,
        captions=read_captions(captions, file.images.index),
        verified_absent=absent,
        not_exhaustive=_sets(file, file.images.not_exhaustive),
        problems=problems,
    )


def _categories(file: InstancesFile) -> tuple[Category, ...]:
    made = []
    for row, name in zip(file.categories, plain_names([row.name for row in file.categories]), strict=True):
        others = dict.fromkeys(without_aside(words(synonym)) for synonym in row.synonyms)
        made.append(Category(name, row.supercategory, synonyms=tuple(one for one in others if one != name), synset=row.synset))
    return tuple(made)


def _sets(file: InstancesFile, ids: Mapping[int, list[Id]]) -> dict[int, frozenset[int]]:
    return {image: frozenset(look_up(file.path, "category", given, file.category_index).tolist()) for image, given in ids.items()}
