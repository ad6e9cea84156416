"""hope-bench import: POPE's files, other tools' answers, and the pictures inside a Hugging Face dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hope_bench.cli.app import (
    app,
    as_values,
    benchmark_flag,
    benchmark_json,
    console,
    line,
    print_json,
    print_tables,
    say_next,
    say_written,
)
from hope_bench.cli.options import AsJson, Runs
from hope_bench.errors import HopeBenchError, counted, first_few
from hope_bench.files.places import RUNS
from hope_bench.tables import plain_table

if TYPE_CHECKING:
    from hope_bench.files.benchmark import Benchmark
    from hope_bench.interchange.import_logs import ImportedLog, ScoreCheck
    from hope_bench.interchange.matching import ImportReport

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
    as_json: AsJson = False,
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
    _show_made(made, as_json=as_json)


@importer.command()
def questions(
    sources: Annotated[
        list[str],
        typer.Argument(help="Tables, parquet files, folders of them, or an id of the Hub (ORG/NAME).", metavar="SOURCE..."),
    ],
    name: Annotated[str, typer.Option(help="The benchmark's name.")],
    known: Annotated[
        str | None,
        typer.Option("--as", help="Whose files: pope, hope, amber, hallusionbench, oric, hallucinogen or r-bench."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=COLUMN: question, label, image, file, id, split, object; yes=WORD, no=WORD.", metavar="KEY=COLUMN"
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="The split that all rows are of. Default: what they say.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder for the pictures that the rows hold.")] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help='How models are asked; holds "{question}", and \\n where a line ends. Default: as the rows word it.'),
    ] = None,
    headline: Annotated[
        str | None, typer.Option(help="The split that ranks models. Default: adversarial, else the last one.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The benchmark's title. Default: its name.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The data the images come from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the benchmark goes. Default: benchmarks/NAME.")] = None,
    as_json: AsJson = False,
) -> None:
    """Turn yes/no questions of any table or Hugging Face dataset into a benchmark.

    Columns are found by their usual names; --columns names others. The files of other benchmarks are read by name (--as). Nothing
    is guessed: a row without a yes or a no, two columns that could be the label, and a question with two labels are errors.

    Examples:

    hope-bench import questions lmms-lab/POPE --as pope --name pope-coco --images val2014

    hope-bench import questions mine.csv --name mine --columns question=ask,label=truth,image=photo
    """
    from hope_bench.api.exchange import import_questions
    from hope_bench.interchange.import_questions import columns_of

    made = import_questions(
        sources, name, known=known, columns=columns_of(columns or ()), split=split, images=images, prompt=_unescaped(prompt),
        headline=headline, title=title, dataset=dataset, out=out,
    )  # fmt: skip
    _show_made(made, as_json=as_json)


@importer.command()
def answers(
    files: Annotated[list[Path], typer.Argument(help="Answers or logs; of --from, also output folders.", metavar="FILE...")],
    benchmark: Annotated[
        str, typer.Option("--benchmark", "-b", help="The benchmark answered: its folder, name, or hf:ORG/NAME.")
    ],
    tool: Annotated[
        str | None,
        typer.Option("--from", help="Whose files: lmms-eval, vlmevalkit, evalscope, inspect; llava or pope (the default)."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run's name. Default with a tool's logs: the model's.")] = None,
    questions: Annotated[
        Path | None, typer.Option(help="LLaVA's questions.jsonl: the image (and split) behind each question_id.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="The split a FILE answers; one for each FILE, in the same order.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option(help="The field with the model's answers, where that isn't certain; dots lead into objects.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help='How the model was asked, where the lines don\'t show it; holds "{question}", and \\n where a line ends.'
        ),
    ] = None,
    model_name: Annotated[str | None, typer.Option(help="The model's name. Default: the log's, or the run's.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="The model's checkpoint, such as ORG/NAME.")] = None,
    vision_tower: Annotated[str | None, typer.Option(help="The encoder the model is built on, such as ORG/NAME.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the answers come from, in words.")] = None,
    runs: Runs = RUNS,
    as_json: AsJson = False,
) -> None:
    """Turn answers collected by another tool into runs that can be scored.

    Reads LLaVA's lines (question_id, prompt, text; with --questions), POPE's (question, answer; in the order of the --split they
    answer), lines that name their image, and with --from a tool's logs, of as many models as a folder holds. Questions match by
    image and object, whatever the wording around them. A label is never read as an answer: where it isn't certain which field
    holds the answers, --answer names it.

    Examples:

    hope-bench import answers answers.jsonl --questions questions.jsonl --benchmark pope-coco --name llava-v1.5-13b

    hope-bench import answers outputs --from vlmevalkit --benchmark pope-coco
    """
    from hope_bench.api.exchange import import_answers, import_logs
    from hope_bench.api.making import load_benchmark

    chosen, asked = load_benchmark(benchmark), _unescaped(prompt)
    if tool not in (None, "llava", "pope"):
        if questions is not None or len(split or ()) > 1:
            raise HopeBenchError(f"--from {tool}: leave --questions out, and give one --split at most, for logs of one split.")
        found = import_logs(
            files, chosen, str(tool), name=name, split=next(iter(split or ()), None), prompt=asked, answer=answer,
            model_name=model_name, checkpoint=checkpoint, vision_tower=vision_tower, source=source, runs=runs,
        )  # fmt: skip
        if as_json:
            print_json(found)
        else:
            _print_logs(found, chosen)
        _check_refused(found)
        return
    if name is None:
        raise HopeBenchError("Say with --name what the run is called. (Logs of other tools, --from, name their model.)")
    folder, report = import_answers(
        files, chosen, name, splits=as_values(split), questions=questions, prompt=asked, answer=answer, model_name=model_name,
        checkpoint=checkpoint, vision_tower=vision_tower, source=source, runs=runs,
    )  # fmt: skip
    if as_json:
        print_json({"run": str(folder), "report": report})
        return
    _print_report(report)
    line(f"Run: {folder}")
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
    as_json: AsJson = False,
) -> None:
    """Write the pictures that a Hugging Face dataset holds as files, named as hope-bench generate then asks for them.

    Pictures that are there already are left alone. Rows that only name a file, and hold no picture, are counted.

    Example: hope-bench import images my-dataset --split validation --out my-dataset-images
    """
    from hope_bench.api.exchange import import_images

    columns = dict(given.partition("=")[::2] for given in column or ())
    done = import_images(dataset, out, split=split, columns=columns)
    if as_json:
        print_json({"out": str(out), "written": done.written, "missing": done.missing})
        return
    line(f"{counted(done.written, 'picture')} written to {out}")
    if done.missing:
        missing = counted(len(done.missing), "row holds", "rows hold")
        line(f"{missing} no picture bytes, and no picture of theirs was written: {first_few(done.missing)}.")
    say_next("Next:", "generate", "SPEC", "--annotations", dataset, "--images", out)


def _show_made(made: Benchmark, *, as_json: bool) -> None:
    if as_json:
        print_json(benchmark_json(made))
        return
    made.summary().show(console)
    for note in made.manifest.notes:
        line(note)
    say_written(made)


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
    for doubt in report.doubts:
        line(doubt)
    for reason in report.unranked:
        line(f"A result of this run is not ranked: {reason}")


def _print_logs(found: Sequence[ImportedLog], benchmark: Benchmark) -> None:
    """What became of each model."""
    done = [one for one in found if one.folder is not None and one.report is not None]
    if len(found) == 1 and done[0].report is not None:
        _print_report(done[0].report)
    else:
        _print_models(found)
    for one in done:
        doubts = one.report.doubts if one.report is not None and len(found) > 1 else []
        for text in [*_differences(one.scores), *doubts]:
            line(f"{one.model}: {text}")
    if len(found) == 1:
        line(f"Run: {done[0].folder}")
    if done:
        say_next("Next:", "score", done[0].folder or "", *benchmark_flag(benchmark))


def _check_refused(found: Sequence[ImportedLog]) -> None:
    """Raise HopeBenchError where a model was refused, whatever became of the others."""
    refused = [one for one in found if one.refused is not None]
    if refused:
        reasons = " ".join(f"{one.model}: {one.refused}" for one in refused[:5])
        raise HopeBenchError(f"{len(refused):,} of {len(found):,} models were not imported. {reasons}")


def _print_models(found: Sequence[ImportedLog]) -> None:
    """A line a model: what matched, and the F1 that its log states beside ours."""
    table = plain_table("Models", "run", ">answered", ">unasked", ">no match", ">F1, log", ">F1, here")
    for one in found:
        if one.report is None or one.folder is None:
            table.add_row(Text(one.model), "refused")
            continue
        f1 = next((score for score in one.scores if score.metric == "f1"), None)
        stated = ("", "") if f1 is None else (f"{100 * f1.stated:.2f}", "" if f1.ours is None else f"{100 * f1.ours:.2f}")
        counts = (sum(one.report.asked.values()), sum(one.report.unasked.values()), len(one.report.unmatched))
        table.add_row(Text(one.folder.name), *(f"{count:,}" for count in counts), *stated)
    print_tables([table])


def _differences(scores: Sequence[ScoreCheck]) -> list[str]:
    """Whether the log's own scores come out here, in a sentence or one for each that doesn't."""
    if not scores:
        return []
    way = scores[0].convention
    off = [score for score in scores if not score.agrees]
    if not off:
        f1 = ", ".join(f"{100 * score.stated:.2f}" for score in scores if score.metric == "f1")
        shown = f" (F1 {f1})" if f1 else ""
        return [
            f"the log's own {counted(len(scores), 'score')}{shown} "
            f"{'comes' if len(scores) == 1 else 'come'} out here, too, under the {way} convention."
        ]
    return [
        f"the log states {score.metric} {100 * score.stated:.2f}{'' if score.split is None else ' on ' + score.split}; its "
        f"answers give {'no number' if score.ours is None else f'{100 * score.ours:.2f}'} here under the {way} convention."
        for score in off
    ]
