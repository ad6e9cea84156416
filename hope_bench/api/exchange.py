"""Exchange: other tools' questions, answers, labels and pictures in; benchmarks for other tools out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from hope_bench.annotations.of_benchmark import find_images
from hope_bench.api.making import PathOr, load_benchmark, path_or_none
from hope_bench.errors import HopeBenchError, counted, did_you_mean
from hope_bench.files.benchmark import Benchmark, check_own, read_benchmark, read_written
from hope_bench.files.card import check_name, slug
from hope_bench.files.places import RUNS
from hope_bench.files.result import ModelInfo
from hope_bench.files.validation import checked

if TYPE_CHECKING:
    from hope_bench.annotations.hf_dataset import ExportedImages
    from hope_bench.interchange.import_logs import ImportedLog
    from hope_bench.interchange.matching import ImportReport
    from hope_bench.interchange.relabel import SplitChange

Target = Literal["llava", "vlmevalkit", "lmms-eval", "datasets"]
"""The tools that a benchmark can be exported for."""

LogTool = Literal["lmms-eval", "vlmevalkit", "evalscope", "inspect"]
"""The tools whose logs become runs."""

POPE_DATASET = "MS-COCO val2014"


@checked
def export(
    benchmark: Benchmark | PathOr, to: Target | str, out: PathOr, *, images: PathOr | None = None, splits: Sequence[str] = ()
) -> int:
    """Write a benchmark as another tool's files, with its own prompt and all that they can hold; returns how many rows.

    `to` is llava (question and label files of LLaVA's POPE evaluation), vlmevalkit (a TSV), lmms-eval (a task folder) or datasets
    (a Hugging Face dataset: Parquet, card, Croissant metadata). `out` is a new or empty folder; the pictures of `images` go into
    the files. Raises HopeBenchError; an unknown target names the nearest. Interrupted, the same
    call again writes the files anew.

    Example: hb.export("hope-coco", "vlmevalkit", "exported", images="val2014")
    """
    from hope_bench.provenance import new_folder

    if to not in get_args(Target):
        raise HopeBenchError(f"No tool {to!r} to export for. " + did_you_mean(to, get_args(Target)))
    folder = Path(out)
    chosen = load_benchmark(benchmark)
    chosen = chosen.select(splits) if splits else chosen
    pictures = None if images is None else find_images(chosen, Path(images))
    what = {"to": to, "benchmark": chosen.manifest.hash, "splits": list(chosen.splits), "images": pictures is not None}
    with new_folder(folder, what):
        return _export(chosen, to, folder, pictures)


def _export(chosen: Benchmark, to: str, folder: Path, pictures: Path | None) -> int:
    if to == "llava":
        from hope_bench.interchange.export_llava import export_llava

        if pictures is not None:
            raise HopeBenchError("LLaVA's files name the images and don't hold them: leave --images out.")
        return export_llava(chosen, folder)
    if to == "vlmevalkit":
        from hope_bench.interchange.export_vlmevalkit import export_vlmevalkit

        return export_vlmevalkit(chosen, folder, pictures)
    if to == "lmms-eval":
        from hope_bench.interchange.export_lmms_eval import export_lmms_eval

        return export_lmms_eval(chosen, folder, pictures)
    from hope_bench.interchange.export_datasets import export_datasets

    return export_datasets(chosen, folder, pictures)


@checked
def import_pope(
    name: str,
    splits: Mapping[str, PathOr],
    *,
    title: str | None = None,
    prompt: str | None = None,
    headline: str | None = None,
    dataset: str = POPE_DATASET,
    labels: Sequence[PathOr] = (),
    out: PathOr | None = None,
) -> Benchmark:
    """Turn official POPE or RePOPE files (JSON lines: question_id, image, text, label) into a benchmark.

    `splits` names each strategy's file. `prompt` holds "{question}" (default: as the files word it), `headline` is the split that
    ranks models (default: adversarial, else the last). With `labels` those files' labels count, and questions that they don't
    label are left out. It goes to `out` (default: benchmarks/NAME). Typos of redistributed copies are repaired and counted in the
    manifest's notes. Raises HopeBenchError naming the file and line of anything malformed or asked twice.

    Example: hb.import_pope("pope-coco", {"random": "coco_pope_random.json", "adversarial": "coco_pope_adversarial.json"})
    """
    from hope_bench.interchange.pope_files import import_pope as import_files
    from hope_bench.interchange.relabel import label_files, relabel

    folder = Path("benchmarks") / name if out is None else Path(out)
    files, called = {split: Path(file) for split, file in splits.items()}, title or name
    check_own(folder, imported=True)
    if not labels:
        import_files(files, name, called, folder, prompt=prompt, headline=headline, dataset=dataset)
        return read_written(folder)
    chosen = label_files([Path(label) for label in labels])
    with tempfile.TemporaryDirectory() as temporary:
        import_files(files, name, called, Path(temporary), prompt=prompt, headline=headline, dataset=dataset)
        former = ", ".join(path.name for path in files.values())
        relabel(read_benchmark(Path(temporary)), chosen, name, called, folder, former=former)
    return read_written(folder)


@checked
def import_answers(
    files: Sequence[PathOr],
    benchmark: Benchmark | PathOr,
    name: str,
    *,
    splits: Sequence[str] = (),
    questions: PathOr | None = None,
    prompt: str | None = None,
    answer: str | None = None,
    model_name: str | None = None,
    checkpoint: str | None = None,
    vision_tower: str | None = None,
    source: str | None = None,
    runs: PathOr = RUNS,
) -> tuple[Path, ImportReport]:
    """Turn answers that another tool collected into a run; returns its folder, and what matched.

    Reads LLaVA's lines (question_id, prompt, text; with `questions`, its questions.jsonl), POPE's (question, answer; `splits`
    says which split each file answers), and lines that name their image. Questions match by image and object. `prompt` is how the
    model was asked, where the lines don't show it, `answer` the field that holds what the model said: a label is never read as
    one. Raises HopeBenchError where the field isn't certain, where nothing matches or answers contradict each other.

    Example: hb.import_answers(["answers.jsonl"], "pope-coco", "llava-v1.5-13b", questions="questions.jsonl")
    """
    from hope_bench.interchange.answers_files import AnswersSource
    from hope_bench.interchange.answers_files import import_answers as import_files

    check_name(name, "A run's name")
    paths = [Path(file) for file in files]
    if splits and len(splits) != len(paths):
        raise HopeBenchError(
            f"{counted(len(paths), 'file')}, but {len(splits)} --split: name the split of each file, in the same order."
        )
    chosen = load_benchmark(benchmark)
    folder = Path(runs) / slug(chosen.name) / name
    per_file: dict[Path, str | None] = dict(zip(paths, splits, strict=True)) if splits else dict.fromkeys(paths)
    model = ModelInfo(name=model_name or name, checkpoint=checkpoint, vision_tower=vision_tower)
    found = AnswersSource(per_file, path_or_none(questions), prompt, source, answer)
    return folder, import_files(found, chosen, folder, model)


@checked
def import_questions(
    sources: Sequence[PathOr],
    name: str,
    *,
    known: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
    images: PathOr | None = None,
    prompt: str | None = None,
    headline: str | None = None,
    title: str | None = None,
    dataset: str | None = None,
    out: PathOr | None = None,
) -> Benchmark:
    """Turn yes/no questions of any table or Hugging Face dataset into a benchmark.

    `sources` are JSON lines, JSON, CSV, TSV, xlsx or Parquet files, folders of them, saved datasets, or ids of the Hub. `known`
    names a benchmark whose files are known: pope, hope, amber, hallusionbench, oric, hallucinogen, r-bench. Of others the columns
    are found by their usual names, or named in `columns` (keys question, label, image, file, id, split, object; yes and no are
    how labels are written). `split` is the one that all rows are of. Pictures in the rows go to `images`, each once. The rest is
    as in `import_pope`. Raises HopeBenchError naming the row of anything malformed, contradicting or not certain.

    Example: hb.import_questions(["lmms-lab/POPE"], "pope-coco", known="pope", images="val2014")
    """
    from hope_bench.interchange.import_questions import QuestionSource
    from hope_bench.interchange.import_questions import import_questions as import_rows

    folder = Path("benchmarks") / name if out is None else Path(out)
    source = QuestionSource(
        [str(one) for one in sources], known, dict(columns or {}), split, path_or_none(images), prompt, headline, title, dataset
    )
    import_rows(source, name, folder)
    return read_written(folder)


@checked
def import_logs(
    files: Sequence[PathOr],
    benchmark: Benchmark | PathOr,
    tool: LogTool | str,
    *,
    name: str | None = None,
    split: str | None = None,
    prompt: str | None = None,
    answer: str | None = None,
    model_name: str | None = None,
    checkpoint: str | None = None,
    vision_tower: str | None = None,
    source: str | None = None,
    runs: PathOr = RUNS,
) -> Sequence[ImportedLog]:
    """Turn the logs of another evaluation tool into runs, one a model; returns what became of each.

    `tool` is lmms-eval, vlmevalkit, evalscope or inspect, `files` its logs or whole output folders. A run is called after its
    model, unless `name` says otherwise. Rows match by image and object, or by question_id and place, each checked. `split` is the
    one that a log answers, `prompt` how its model was asked, `answer` the field that holds the answers, where it doesn't say.
    The scores that the tool states come beside ours under its convention. Where there are several models, one that can't be taken
    is `refused` in its place. Raises HopeBenchError where there is no log, or the only one can't be taken.

    Example: [one.folder for one in hb.import_logs(["outputs"], "pope-coco", "vlmevalkit")]
    """
    from hope_bench.interchange.import_logs import LogSource
    from hope_bench.interchange.import_logs import import_logs as import_files

    known = {one: one for one in get_args(LogTool)}
    if tool not in known:
        raise HopeBenchError(f"No tool {tool!r} whose logs are read. " + did_you_mean(tool, known))
    if name is not None:
        check_name(name, "A run's name")
    given = LogSource(
        known[tool], [Path(file) for file in files], split, prompt, answer, name, model_name, checkpoint, vision_tower, source
    )
    return import_files(given, load_benchmark(benchmark), Path(runs))


@checked
def import_labels(
    benchmark: Benchmark | PathOr,
    files: Sequence[PathOr],
    *,
    name: str | None = None,
    title: str | None = None,
    keep: bool = False,
    out: PathOr | None = None,
) -> tuple[Benchmark, Mapping[str, SplitChange]]:
    """Replace a benchmark's labels by those of files, such as RePOPE's; returns the new one, and what changed by split.

    `files` are POPE's JSON lines (image, text, label) or folders of them. What they don't label is left out, or stays (`keep`).
    Questions match by image and object. It goes to `out` (default: benchmarks/NAME). Raises HopeBenchError.

    Example: hb.import_labels("pope-coco", ["coco_repope_random.json"], name="repope-coco")
    """
    from hope_bench.interchange.relabel import label_files, relabel

    chosen = load_benchmark(benchmark)
    called = name or f"{chosen.name}-relabelled"
    folder = Path("benchmarks") / called if out is None else Path(out)
    if folder.resolve() == chosen.folder.resolve():
        raise HopeBenchError(f"{folder} is the benchmark itself. Choose another --name or --out.")
    check_own(folder, imported=True)
    found = label_files([Path(file) for file in files])
    _, changes = relabel(chosen, found, called, title or f"{chosen.manifest.title}, relabelled", folder, keep)
    return read_written(folder), changes


@checked
def import_images(dataset: PathOr, out: PathOr, *, split: str = "", columns: Mapping[str, str] | None = None) -> ExportedImages:
    """Write the pictures that a Hugging Face dataset holds as files, named as `generate` then asks for them.

    `dataset` is a save_to_disk folder, a parquet file or a folder of them; `columns` names unusual ones. Pictures that are there
    stay. Raises HopeBenchError where it can't be read or holds no picture.

    Example: hb.import_images("my-dataset", "my-dataset-images", split="validation")
    """
    from hope_bench.annotations.hf_dataset import export_images

    if not Path(dataset).exists():
        raise HopeBenchError(f"{dataset} does not exist.")
    return export_images(Path(dataset), Path(out), dict(columns or {}), split)
