"""From distractors to a split's questions, and to the twins of its false descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hope_bench.files.spec import DESCRIPTION_STRATEGIES, base_strategy
from hope_bench.records import Question, no_collector
from hope_bench.search.guards import Guarded
from hope_bench.search.selection import Distractors, Positive, Positives
from hope_bench.search.space import SearchSpace


def make_questions(
    splits: Mapping[str, Distractors],
    positives: Mapping[str, Positives],
    images: Sequence[int],
    space: SearchSpace,
    guarded: Guarded,
) -> dict[str, list[Question]]:
    """Every split's questions about `images`; then, for each split whose false descriptions have twins, the split of pairs."""
    made = {name: split_questions(name, images, found, space, guarded, positives[name]) for name, found in splits.items()}
    for name, found in splits.items():
        if base_strategy(name) in DESCRIPTION_STRATEGIES:
            twins = twin_questions(name, images, found, made[name])
            if twins:
                made[f"{name}-twins"] = twins
    return made


@no_collector()
def split_questions(
    split: str,
    images: Sequence[int],
    distractors: Distractors,
    space: SearchSpace,
    guarded: Guarded,
    positives: Positives | None = None,
) -> list[Question]:
    """A split: per image k yes-questions (about the first k present objects without `positives`), each followed by one
    distractor; ids count from 1.

    `images` are indices in the annotations, all of them keys of `distractors` and `positives`. Distractors of absent categories
    carry the risk and evidence that a calibrated guard estimated.
    """
    k = space.spec.k
    ask = space.worder.existence
    row_of = {image: row for row, image in enumerate(space.images)}
    made: list[Question] = []
    for image in images:
        file = space.annotations.images[image].file_name
        first = [Positive(name) for name in space.present[row_of[image]][:k]] if positives is None else positives[image]
        for positive, negative in zip(first, distractors[image], strict=True):
            true = positive.description
            text = ask(positive.name) if true is None else true.question
            about = (None, None) if true is None else (true.caption, true.kind)
            made.append(Question(len(made) + 1, file, text, "yes", split, positive.name, None, *about))
            if negative.description is None:
                text, described = ask(negative.name), None
                risk, evidence = guarded.facts(row_of[image], space.column[negative.name])
            else:
                text, described, risk, evidence = negative.description.question, negative.description, None, None
            made.append(
                Question(
                    len(made) + 1,
                    file,
                    text,
                    "no",
                    split,
                    negative.name,
                    negative.score,
                    description=None if described is None else described.caption,
                    description_kind=None if described is None else described.kind,
                    risk=risk,
                    evidence=evidence,
                    found_by=negative.found_by,
                )
            )
    return made


def twin_questions(split: str, images: Sequence[int], distractors: Distractors, questions: Sequence[Question]) -> list[Question]:
    """Pairs of a split's false description and its true twin, one after the other, for every false description that has a twin.

    The twin's `twin_of` is the false one's id in `split`. Both stand here, so whoever holds this split alone knows how
    often a model got both right (paired discrimination); the false one costs nothing again, since a question is asked once.
    """
    negatives = iter([question for question in questions if question.label == "no"])
    made: list[Question] = []
    for image in images:
        for distractor in distractors[image]:
            false, twin = next(negatives), distractor.twin
            if twin is None:
                continue
            made.append(replace(false, question_id=len(made) + 1, strategy=f"{split}-twins"))
            made.append(
                Question(
                    len(made) + 1,
                    false.image,
                    twin.question,
                    "yes",
                    f"{split}-twins",
                    twin.object,
                    description=twin.caption,
                    description_kind=twin.kind,
                    twin_of=false.question_id,
                )
            )
    return made
