"""hope-bench import: POPE's files, other tools' answers, and the pictures inside a Hugging Face dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hope_bench.cli.app import app, as_values, benchmark_flag, console, line, print_tables, say_next, say_written
from hope_bench.cli.options import Runs
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.places import RUNS
from hope_bench.tables import plain_table

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
    from hope_bench.api.exchange import import_pope

    files: dict[str, str] = {}
    for given in split:
        strategy, _, file = given.partition("=")
        if not strategy or not file or strategy in files:
            raise HopeBenchError(
                f"--split {given}: give STRATEGY=FILE, such as random=coco_pope_random.json, each strategy once."
            )
        files[strategy] = file
    made = import_pope(
        name, files, title=title, prompt=_unescaped(prompt), headline=headline, dataset=dataset, labels=as_values(labels), out=out
    )
    made.summary().show(console)
    for note in made.manifest.notes:
        line(note)
    say_written(made)


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
    runs: Runs = RUNS,
) -> None:
    """Turn answers collected by another tool into a run that can be scored.

    Reads LLaVA's lines (question_id, prompt, text; with --questions), POPE's (question, answer; in the order of the --split they
    answer), and lines that name their image. Questions match by image and object, whatever the wording around them.

    Examples:

    hope-bench import answers answers.jsonl --questions questions.jsonl --benchmark pope-coco --name llava-v1.5-13b

    hope-bench import answers random.json popular.json --split random --split popular --benchmark pope-coco --name my-model
    """
    from hope_bench.api.exchange import import_answers
    from hope_bench.api.making import load_benchmark

    chosen = load_benchmark(benchmark)
    folder, report = import_answers(
        files, chosen, name, splits=as_values(split), questions=questions, prompt=_unescaped(prompt), model_name=model_name,
        checkpoint=checkpoint, vision_tower=vision_tower, source=source, runs=runs,
    )  # fmt: skip
    _print_report(report)
    line(f"Run: {folder}")
    say_next("Next:", "score", folder, *benchmark_flag(chosen.name, chosen.folder))


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
    from hope_bench.api.exchange import import_images

    columns = dict(given.partition("=")[::2] for given in column or ())
    done = import_images(dataset, out, split=split, columns=columns)
    line(f"{counted(done.written, 'picture')} written to {out}")
    if done.missing:
        missing = counted(len(done.missing), "row holds", "rows hold")
        line(f"{missing} no picture bytes, and no picture of theirs was written: {first_few(done.missing)}.")
    say_next("Next:", "generate", "SPEC", "--annotations", dataset, "--images", out)


def _unescaped(prompt: str | None) -> str | None:
    from hope_bench.interchange.questions import unescaped

    return None if prompt is None else unescaped(prompt)


def _print_report(report: ImportReport) -> None:
    table = plain_table("Questions of the benchmark", "split", ">answered", ">unasked")
    for row, asked in report.asked.items():
        table.add_row(Text(row), f"{asked:,}", f"{report.unasked[row]:,}")
    print_tables([table])
    if report.unmatched:
        unmatched = counted(len(report.unmatched), "answer matches", "answers match")
        line(f"{unmatched} no question: {first_few(report.unmatched, 3)}.")
    for reason in report.unranked:
        line(f"A result of this run is not ranked: {reason}")
