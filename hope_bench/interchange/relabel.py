"""A benchmark under other labels, such as RePOPE's corrections of POPE: same questions, labels from a file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, Manifest, SourceFile, read_benchmark, write_benchmark
from hope_bench.files.spec import Kind
from hope_bench.interchange.questions import question_key, read_lines, unshared_positives
from hope_bench.provenance import commit, file_sha256, short_hash, versions
from hope_bench.records import Label, Question

Labels = Mapping[tuple[str, str], Label]
"""Labels by image and what is asked of it (the object, or the whole question where it is no existence question)."""


@dataclass(slots=True)
class SplitChange:
    """What relabelling did to one split's questions."""

    same: int = 0
    yes_to_no: int = 0
    no_to_yes: int = 0
    left_out: int = 0
    kept: list[Question] = field(default_factory=list)


def label_files(given: Sequence[Path]) -> list[Path]:
    """The label files that paths name: files themselves, and folders' JSON files. Raises HopeBenchError for a missing file
    and an empty folder."""
    found: list[Path] = []
    for path in given:
        if not path.exists():
            raise HopeBenchError(f"{path} does not exist.")
        inside = sorted(one for one in path.iterdir() if one.suffix in (".json", ".jsonl")) if path.is_dir() else [path]
        if not inside:
            raise HopeBenchError(f"{path} holds no label files (.json or .jsonl).")
        found += inside
    return found


def read_labels(files: Sequence[Path]) -> Labels:
    """The labels of POPE-like JSON lines (image, text, label). Raises HopeBenchError where a line is none, or two contradict."""
    labels: dict[tuple[str, str], Label] = {}
    said: dict[tuple[str, str], str] = {}
    for path in files:
        for line in read_lines(path):
            label = line.text("label")
            if label not in ("yes", "no"):
                raise HopeBenchError(f'{line.where}: label must be "yes" or "no", not {label!r}.')
            key = (line.text("image"), question_key(line.text("text", "question")))
            value: Label = "yes" if label == "yes" else "no"
            if labels.setdefault(key, value) != value:
                raise HopeBenchError(f"{line.where}: {key[1]!r} in {key[0]} is labelled {label}, but not so in {said[key]}.")
            said.setdefault(key, line.where)
    return labels


def relabel(
    benchmark: Benchmark, files: Sequence[Path], name: str, title: str, out: Path, keep: bool = False, former: str | None = None
) -> tuple[Manifest, dict[str, SplitChange]]:
    """Write the benchmark `out` with the files' labels; returns its manifest and what changed, by split.

    Questions that the files don't label are left out, as RePOPE leaves out what its annotators found ambiguous; with `keep` they
    stay as they are. Question ids stay. A split with no question left is left out. `former` says in words whose labels are
    replaced, by default the benchmark's. Raises HopeBenchError where the headline split has no question left.
    """
    labels = read_labels(files)
    kinds: dict[str, Kind] = {split: info.kind for split, info in benchmark.manifest.splits.items()}
    changes = {split: _change(questions, labels, keep, kinds[split]) for split, questions in benchmark.splits.items()}
    splits = {split: change.kept for split, change in changes.items() if change.kept}
    headline = benchmark.manifest.headline
    if headline not in splits:
        raise HopeBenchError(f"The files label no question of the headline split {headline!r}. Are they about the same images?")
    old = {key: getattr(benchmark.manifest, key) for key in Manifest.model_fields}
    for given in ("schema_version", "hash", "splits"):
        del old[given]
    asked = {question.image for questions in splits.values() for question in questions}
    by = ", ".join(path.name for path in files)
    former = former or f"{benchmark.manifest.name} (hash {short_hash(benchmark.manifest.hash)})"
    notes = [f"The labels of {former} are replaced by those of {by}."]
    notes += [_note(split, change) for split, change in changes.items()]
    notes += unshared_positives(splits)
    old |= {
        "name": name,
        "title": title,
        "k": None,
        "images": {image: digest for image, digest in benchmark.manifest.images.items() if image in asked},
        "sources": (*benchmark.manifest.sources, *(SourceFile(file=path.name, sha256=file_sha256(path)) for path in files)),
        "notes": (*benchmark.manifest.notes, *notes),
        "versions": versions(),
        "commit": commit(),
    }
    return write_benchmark(out, splits, {split: kinds[split] for split in splits}, **old), changes


def relabelled(benchmark: Benchmark, files: Sequence[Path], name: str) -> Benchmark:
    """The benchmark with the files' labels, kept nowhere: its `folder` is gone. Raises HopeBenchError as `relabel` does."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "relabelled"
        relabel(benchmark, files, name, f"{benchmark.manifest.title}, relabelled", folder)
        return read_benchmark(folder)


def _change(questions: Sequence[Question], labels: Labels, keep: bool, kind: Kind) -> SplitChange:
    change = SplitChange()
    together = 2 if kind == "twin" else 1  # a false description and its true twin stand or fall together
    for start in range(0, len(questions), together):
        group = questions[start : start + together]
        found = [labels.get((one.image, question_key(one.text)), one.label if keep else None) for one in group]
        if any(label is None for label in found) or (kind == "twin" and found != [one.label for one in group]):
            change.left_out += len(group)
            continue
        for question, label in zip(group, found, strict=True):
            assert label is not None
            change.same += label == question.label
            change.yes_to_no += question.label == "yes" != label
            change.no_to_yes += question.label == "no" != label
            change.kept.append(replace(question, label=label))
    return change


def _note(split: str, change: SplitChange) -> str:
    return (
        f"{split}: {change.yes_to_no:,} labels yes to no, {change.no_to_yes:,} no to yes, {change.left_out:,} questions left out."
    )
