"""A benchmark as an lmms-eval task folder: one task per split, a group over them, and the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.interchange.images import image_names, shown_bytes
from hope_bench.interchange.lmms_eval_task import METRICS
from hope_bench.interchange.parquet import ParquetFile, hub_split_names, write_parquet
from hope_bench.progress import progress_bar
from hope_bench.provenance import write_bytes, write_text
from hope_bench.tables import markdown_text

_TEMPLATE = "_default_template_yaml"
"""lmms-eval takes every *.yaml for a task; what tasks include has another ending there."""
_README = """# {title} for lmms-eval

```
python -m lmms_eval --include_path {folder} --tasks {group} --model MODEL --model_args ...
```

One task per split ({tasks}), one group over all. The pictures are in images/, each once. The questions are in data/, by absolute
path: after moving this folder, change `data_files` in {template}. Answers are counted
as by hope-bench's strict convention, by their first word yes or no (utils.py).

lmms-eval 0.7.3 doesn't start without `pip install 'filelock<4'`, and its llava_hf needs decord (`pip install
'lmms-eval[video-legacy]'`) and a device_map in --model_args (`device_map=auto`; without a GPU `device=cpu,device_map=cpu`). Run
with --log_samples, and `hope-bench import answers LOGS --from lmms-eval --benchmark {benchmark}` scores it with intervals.
"""


def export_lmms_eval(benchmark: Benchmark, out: Path, images: Path | None) -> int:
    """Write the task folder `out`; returns the number of rows.

    Raises HopeBenchError without images, or where one can't be read.
    """
    if images is None:
        raise HopeBenchError("lmms-eval's tasks hold the pictures: give the folder of the images with --images.")
    _copy_pictures(benchmark, out / "images", images)
    files = write_parquet(benchmark, out, None)
    group, tasks = group_name(benchmark.manifest.name), task_names(benchmark)
    write_text(out / _TEMPLATE, _template(benchmark, files, out))
    for file in files:
        task = tasks[file.split]
        write_text(out / f"{task}.yaml", f'include: {_TEMPLATE}\ntask: "{task}"\ntest_split: {file.hub_split}\n')
    write_text(out / f"{group}.yaml", f"group: {group}\ntask:\n" + "".join(f"  - {task}\n" for task in tasks.values()))
    write_text(out / "utils.py", Path(__file__).with_name("lmms_eval_task.py").read_text(encoding="utf-8"))
    title = markdown_text(benchmark.manifest.title)
    readme = _README.format(
        title=title, folder=out, group=group, tasks=", ".join(tasks.values()), template=_TEMPLATE, benchmark=benchmark.name
    )
    write_text(out / "README.md", readme)
    return sum(file.rows for file in files)


def group_name(benchmark: str) -> str:
    """What lmms-eval calls all of a benchmark's splits."""
    return "hope_" + benchmark.replace("-", "_").replace(".", "_")


def task_names(benchmark: Benchmark) -> Mapping[str, str]:
    """What lmms-eval calls each split's task; its logs say no more of the split."""
    group = group_name(benchmark.manifest.name)
    return {split: f"{group}_{hub_split}" for split, hub_split in hub_split_names(list(benchmark.splits)).items()}


def _copy_pictures(benchmark: Benchmark, out: Path, images: Path) -> None:
    """Every picture that a question is about, once: beside the questions it would be in each split's file anew."""
    names = image_names(benchmark)
    with progress_bar("Copying images", len(names)) as advance:
        for name in names:
            write_bytes(out / name, shown_bytes(images, name))
            advance(1)


def _template(benchmark: Benchmark, files: Sequence[ParquetFile], out: Path) -> str:
    """What all tasks share."""
    before, after = benchmark.manifest.prompt.split("{question}", 1)
    lines = ["dataset_path: parquet", "dataset_kwargs:", "  data_files:"]
    lines += [f"    {file.hub_split}: {_quoted((out / file.file).resolve())}" for file in files]
    lines += ["output_type: generate_until", "doc_to_visual: !function utils.doc_to_visual"]
    lines += ["doc_to_text: !function utils.doc_to_text", 'doc_to_target: "label"', "generation_kwargs:", "  max_new_tokens: 32"]
    lines += ["  temperature: 0", "  top_p: 1.0", "  num_beams: 1", "  do_sample: false"]
    lines += ["process_results: !function utils.process_results", "metric_list:"]
    for metric in METRICS:
        better = {"hallucination_rate": "false", "yes_ratio": "null"}.get(metric, "true")
        lines += [f"  - metric: hope_{metric}", f"    aggregation: !function utils.{metric}", f"    higher_is_better: {better}"]
    lines += ["lmms_eval_specific_kwargs:", "  default:", f"    pre_prompt: {_quoted(before)}"]
    lines += [f"    post_prompt: {_quoted(after)}"]
    lines += ["metadata:", "  - version: 1.0", f"    benchmark_hash: {_quoted(benchmark.manifest.hash)}"]
    return "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    """A text as one line of YAML that can be nothing but that text."""
    import yaml

    return str(yaml.safe_dump(str(value), default_style='"', allow_unicode=True, width=1_000_000)).strip()
