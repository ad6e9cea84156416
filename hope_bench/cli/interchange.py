"""hope-bench import: POPE's files, other tools' answers, and the pictures inside a Hugging Face dataset."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hope_bench.cli.app import app, console, say_next
from hope_bench.errors import HopeBenchError, first_few

if TYPE_CHECKING:
    from hope_bench.interchange.answers_files import ImportReport

importer = typer.Typer(no_args_is_help=True, help="Bring in POPE's files, other tools' answers and datasets' pictures.")
app.add_typer(importer, name="import")


@importer.command()
def pope(
    name: Annotated[str, typer.Option(help="The benchmark's name.")],
    split: Annotated[list[str], typer.Option(help="STRATEGY=FILE, such as random=coco_pope_random.json; one for each split.")],
    title: Annotated[str | None, typer.Option(help="The benchmark's title. Default: its name.")] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help='How models are asked; holds "{question}", and \\n where a line ends. Default: as the files word it.'),
    ] = None,
    headline: Annotated[
        str | None, typer.Option(help="The split that ranks models. Default: adversarial, else the last one.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="The data the images come from.")] = "MS-COCO val2014",
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Take the labels of these files instead (or of the JSON files in a folder), such as RePOPE's."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the benchmark goes. Default: benchmarks/NAME.")] = None,
) -> None:
    """Turn official POPE or RePOPE files (JSON lines: question_id, image, text, label) into a benchmark.

    Typos of redistributed copies are repaired and counted. Nothing is guessed: a malformed or repeated line is an error. With
    --labels, questions that those files don't label are left out and counted.

    Examples:

    hope-bench import pope --name pope-coco --split random=coco_pope_random.json --split popular=coco_pope_popular.json
    --split adversarial=coco_pope_adversarial.json --prompt '{question}\\nAnswer the question using a single word or phrase.'

    hope-bench import pope --name repope-coco --split random=coco_pope_random.json --labels repope
    """
    from hope_bench.cli.generate import split_counts
    from hope_bench.files.benchmark import check_own, read_benchmark
    from hope_bench.interchange.pope_files import import_pope
    from hope_bench.interchange.questions import unescaped
    from hope_bench.interchange.relabel import label_files, relabel

    files: dict[str, Path] = {}
    for given in split:
        strategy, _, file = given.partition("=")
        if not strategy or not file or strategy in files:
            raise HopeBenchError(
                f"--split {given}: give STRATEGY=FILE, such as random=coco_pope_random.json, each strategy once."
            )
        files[strategy] = Path(file)
    folder = out or Path("benchmarks") / name
    check_own(folder, imported=True)
    options: dict[str, Any] = {"prompt": None if prompt is None else unescaped(prompt), "headline": headline, "dataset": dataset}
    if labels:
        chosen = label_files(labels)
        with tempfile.TemporaryDirectory() as temporary:
            import_pope(files, name, title or name, Path(temporary), **options)
            former = ", ".join(path.name for path in files.values())
            manifest, _ = relabel(read_benchmark(Path(temporary)), chosen, name, title or name, folder, former=former)
    else:
        manifest = import_pope(files, name, title or name, folder, **options)
    console.print(split_counts(manifest))
    for note in manifest.notes:
        console.print(escape(note), soft_wrap=True, highlight=False)
    console.print(f"Benchmark written to {escape(str(folder))} (hash {manifest.hash[:12]}).", highlight=False, soft_wrap=True)


@importer.command()
def answers(
    files: Annotated[list[Path], typer.Argument(help="Answers, as JSON lines.", metavar="FILE...")],
    benchmark: Annotated[str, typer.Option("--benchmark", "-b", help="The benchmark answered: its folder or name.")],
    name: Annotated[str, typer.Option(help="The run's name.")],
    questions: Annotated[
        Path | None, typer.Option(help="LLaVA's questions.jsonl: the image (and split) behind each question_id.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="The split a FILE answers; one for each FILE, in the same order.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help='How the model was asked, where the lines don\'t show it; holds "{question}", and \\n where a line ends.'
        ),
    ] = None,
    model_name: Annotated[str | None, typer.Option(help="The model's name. Default: the run's.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="The model's checkpoint, such as ORG/NAME.")] = None,
    vision_tower: Annotated[str | None, typer.Option(help="The encoder the model is built on, such as ORG/NAME.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the answers come from, in words.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder of runs; in it, the run goes to BENCHMARK/NAME.")] = Path("runs"),
) -> None:
    """Turn answers collected by another tool into a run that can be scored.

    Reads LLaVA's lines (question_id, prompt, text; with --questions), POPE's (question, answer; in the order of the --split they
    answer), and lines that name their image. Questions match by image and object, whatever the wording around them.

    Examples:

    hope-bench import answers answers.jsonl --questions questions.jsonl --benchmark pope-coco --name llava-v1.5-13b

    hope-bench import answers random.json popular.json --split random --split popular --benchmark pope-coco --name my-model
    """
    from hope_bench.cli.data import benchmark_flag
    from hope_bench.files.benchmark import read_benchmark
    from hope_bench.files.card import check_name, slug
    from hope_bench.files.registry import find_benchmark
    from hope_bench.files.result import ModelInfo
    from hope_bench.interchange.answers_files import AnswersSource, import_answers
    from hope_bench.interchange.questions import unescaped

    check_name(name, "A run's name")
    if split and len(split) != len(files):
        raise HopeBenchError(f"{len(files)} file(s), but {len(split)} --split: name the split of each file, in the same order.")
    chosen = read_benchmark(find_benchmark(benchmark))
    folder = runs / slug(chosen.manifest.name) / name
    per_file: dict[Path, str | None] = dict(zip(files, split, strict=True)) if split else dict.fromkeys(files)
    model = ModelInfo(name=model_name or name, checkpoint=checkpoint, vision_tower=vision_tower)
    asked = None if prompt is None else unescaped(prompt)
    report = import_answers(AnswersSource(per_file, questions, asked, source), chosen, folder, model)
    _print_report(report)
    console.print(f"Run: {escape(str(folder))}", soft_wrap=True, highlight=False)
    say_next("Next:", "score", folder, *benchmark_flag(chosen))


@importer.command()
def images(
    dataset: Annotated[
        Path, typer.Argument(help="A Hugging Face dataset: a save_to_disk folder, parquet file, or folder of them.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the pictures to.")],
    split: Annotated[str, typer.Option(help="Which of the dataset's splits.")] = "",
    column: Annotated[
        list[str] | None, typer.Option(help="KEY=COLUMN, such as image=photo, where a column has an unusual name.")
    ] = None,
) -> None:
    """Write the pictures that a Hugging Face dataset holds as files, named as hope-bench generate then asks for them.

    Pictures that are there already are left alone. Rows that only name a file, and hold no picture, are counted.

    Example: hope-bench import images my-dataset --split validation --out my-dataset-images
    """
    from hope_bench.annotations.hf_dataset import export_images

    columns = dict(given.partition("=")[::2] for given in column or ())
    if not dataset.exists():
        raise HopeBenchError(f"{dataset} does not exist.")
    done = export_images(dataset, out, columns, split)
    console.print(f"{done.written:,} picture(s) written to {escape(str(out))}", soft_wrap=True, highlight=False)
    if done.missing:
        left = f"{len(done.missing):,} row(s) hold no picture bytes and were left out; they point to {first_few(done.missing)}."
        console.print(escape(left), soft_wrap=True, highlight=False)
    say_next("Next:", "generate", "SPEC", "--annotations", dataset, "--images", out)


def _print_report(report: ImportReport) -> None:
    table = Table(title="Questions of the benchmark", title_justify="left")
    table.add_column("split")
    table.add_column("answered", justify="right")
    table.add_column("unasked", justify="right")
    for row, asked in report.asked.items():
        table.add_row(row, f"{asked:,}", f"{report.unasked[row]:,}")
    console.print(table)
    if report.unmatched:
        listed = first_few(report.unmatched, 3)
        console.print(
            escape(f"{len(report.unmatched):,} answer(s) match no question: {listed}."), soft_wrap=True, highlight=False
        )
    for reason in report.unranked:
        console.print(escape(f"A result of this run is not ranked: {reason}"), soft_wrap=True, highlight=False)
