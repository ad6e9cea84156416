"""From a spec to a benchmark, step by step: inputs, sample, encode, guard, search, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hope_bench.errors import counted, first_few
from hope_bench.files.benchmark import Manifest, check_own
from hope_bench.files.spec import BenchmarkSpec, is_balanced
from hope_bench.records import Question
from hope_bench.search.balanced import balance_of
from hope_bench.search.encode import encode
from hope_bench.search.guards import Guarded, guard, never_annotated
from hope_bench.search.inputs import Inputs, read_inputs
from hope_bench.search.questions import make_questions
from hope_bench.search.review_effect import review_effect
from hope_bench.search.sample import Sample, draw_others, draw_sample
from hope_bench.search.search import search
from hope_bench.search.space import SearchSpace
from hope_bench.search.write import write

if TYPE_CHECKING:
    from hope_bench.clip.crew import EncoderCrew

Say = Callable[[str], None]


def generate(spec: BenchmarkSpec, out: Path, cache: Path, say: Say = lambda _: None, crew: EncoderCrew | None = None) -> Manifest:
    """Generate a benchmark into `out` and return its manifest; embeddings are kept under `cache`. With a `crew` several processes
    encode, and this is the one that leads them.

    `say` is told in words what is going on and what was survived. Raises HopeBenchError for everything else; nothing is
    written before every split is ready.
    """
    check_own(out, imported=False)
    inputs = read_inputs(spec)
    annotations = inputs.annotations
    say(f"Read {inputs.path.name}: {counted(len(annotations.images), 'image')}, "
f"{counted(len(annotations.category_of), 'annotation')}, "
        f"{counted(len(annotations.categories), 'category', 'categories')}.")  # fmt: skip
    sample = draw_sample(inputs)
    encoding = encode(inputs, sample, cache, crew)
    say(f"Searching distractors for {counted(len(encoding.space.images), 'image')} under {', '.join(spec.strategies)}.")
    guarded = guard(encoding.space, inputs.rejected)
    found = search(inputs, encoding, guarded)
    effect = review_effect(inputs, found)
    notes = (*_never_asked(encoding.space, guarded), *(() if effect is None else (effect,)))
    found = replace(found, sample=found.sample.without({}, notes))
    _say_survived(found.sample, say)
    splits = make_questions(found.splits, found.positives, found.sample.left(), encoding.space, guarded)
    _say_asked(inputs, splits, say)
    _say_unbalanced(inputs, splits, say)
    return write(out, inputs, encoding, found, splits, _other_questions(inputs, sample, cache, say, crew))


def _other_questions(
    inputs: Inputs, sample: Sample, cache: Path, say: Say, crew: EncoderCrew | None
) -> Mapping[str, Sequence[Question]]:
    """Questions about other images, made in the same way: what blind answering is learnt from. Empty where too few are there."""
    drawn = draw_others(inputs, sample)
    if drawn is None:
        return {}
    theirs, others = drawn
    say(f"Searching the same of {len(others.images):,} other images, for what answering without looking can learn from.")
    encoding = encode(theirs, others, cache, crew)
    guarded = guard(encoding.space, theirs.rejected)
    found = search(theirs, encoding, guarded)
    return make_questions(found.splits, found.positives, found.sample.left(), encoding.space, guarded)


def _never_asked(space: SearchSpace, guarded: Guarded) -> tuple[str, ...]:
    """Which categories no guarded strategy asks about, since nothing is annotated with them, in words."""
    if "annotated" not in guarded.removed:
        return ()
    names = [space.names[column] for column in never_annotated(space.annotations)]
    return (
        f"{counted(len(names), 'category is', 'categories are')} never annotated ({first_few(names, 3)}), and so never asked to "
        "be absent under the guards. guards.annotated = false asks about them all the same.",
    )


def _say_survived(sample: Sample, say: Say) -> None:
    """What was survived, and which images get no questions. Raises HopeBenchError where that is all."""
    for note in sample.notes:
        say(note)
    sample.need_some()
    if sample.skipped:
        count = f"{len(sample.skipped)} of {len(sample.images)}"
        say(f"{count} sampled images get no questions: {sample.summary()}. The manifest lists them.")


def _own_descriptions(inputs: Inputs, splits: Mapping[str, Sequence[Question]]) -> str:
    """What became of people's own descriptions; a true one is only asked as a false one's twin."""
    assert inputs.spec.descriptions.file is not None
    every = [question for split in splits.values() for question in split]
    asked = {(one.image, one.description) for one in every if one.description_kind == "given"}
    false = {(name, one.caption) for name, each in inputs.given.items() for one in each.false}
    true = {(name, one.caption) for name, each in inputs.given.items() for one in each.true}
    images = len(inputs.given.keys() & {question.image for question in every})
    twins = f"{len(asked & true):,} of {len(true):,} true ones as their twins"
    return (
        f"{Path(inputs.spec.descriptions.file).name}: {len(asked):,} of its {len(false) + len(true):,} claims are asked about "
        f"({len(asked & false):,} of {len(false):,} false ones, {twins}), in {images:,} of its {len(inputs.given):,} images."
    )


def _say_asked(inputs: Inputs, splits: Mapping[str, Sequence[Question]], say: Say) -> None:
    """How many of the claims that people or the attribute bank made came to be asked about."""

    def asked(kind: str) -> int:
        questions = (one for split in splits.values() for one in split if one.description_kind == kind)
        return len({(one.image, one.description) for one in questions})

    descriptions = inputs.spec.descriptions
    if descriptions.file is not None:
        say(_own_descriptions(inputs, splits))
    if "bank" in descriptions.sources:
        say(f"The attribute bank: {asked('bank'):,} of its claims are asked about.")


def _say_unbalanced(inputs: Inputs, splits: Mapping[str, Sequence[Question]], say: Say) -> None:
    """Where the images don't allow for balance within the slack."""
    slack = inputs.spec.balanced.slack
    for name in filter(is_balanced, splits):
        found = balance_of(splits[name])
        if found.largest > slack:
            lonely = f"{found.unbalanced:,} of its no-questions have no yes-question of the same claim over against them"
            say(f"{name} could not be balanced: {lonely}, at most {found.largest:,} of one claim (the slack is {slack}).")
