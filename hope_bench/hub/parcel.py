"""What is sent to the Hub: a benchmark at a repository's root; runs and results, of any benchmark, in folders of theirs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import slug
from hope_bench.files.result import Result
from hope_bench.files.result_file import read_result, result_path, write_result
from hope_bench.files.run import ANSWERS, Run
from hope_bench.interchange.export_datasets import About, export_datasets
from hope_bench.provenance import short_hash
from hope_bench.reviewing.noise import LABEL_NOISE_FILE

CARD = "README.md"
OF_BENCHMARKS = ("manifest.json", "croissant.json", LABEL_NOISE_FILE, "splits/*.jsonl", "blind/*.jsonl", "data/*.parquet")
"""Files of a benchmark in a repository, besides its card. A benchmark that takes another's place takes all of them."""

_ANSWERS_CARD = """---
{header}
---

# {title}

What vision-language models answered to yes/no questions about what is and isn't in a picture, collected with hope-bench:
`runs/BENCHMARK/RUN` holds answers (`answers.jsonl`) and how they came about (`run.json`), `results/BENCHMARK/RUN.json` the
numbers with their intervals. Each names the hash of its questions; only results of one hash are comparable.

```
hope-bench pull hf:{repo}
```
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Files by their path in the repository: their bytes, or large ones on disk. `card` is for a repository that has none; of
    what `replaces` (patterns of paths) matches, nothing else may stay. `what` says in words what it is, `tells` what in it others
    may not be meant to know."""

    what: str
    files: Mapping[str, bytes | Path]
    card: bytes | None = None
    replaces: tuple[str, ...] = ()
    tells: tuple[str, ...] = field(default=())

    def takes_the_place_of(self, path: str) -> bool:
        """Whether a file that is there, and not in here, belongs to what this replaces."""
        return any(fnmatchcase(path, pattern) for pattern in self.replaces)


def benchmark_parcel(benchmark: Benchmark, about: About, images: Path | None, folder: Path) -> Parcel:
    """A benchmark: its own files byte for byte, and what `export --to datasets` makes of it, written to `folder`, which must stay
    until they are sent. Raises HopeBenchError."""
    export_datasets(benchmark, folder, images, about)
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    made = {name: path if path.suffix == ".parquet" else path.read_bytes() for name, path in paths.items()}
    blind = () if benchmark.manifest.blind is None else benchmark.manifest.blind.splits
    own = ["manifest.json", *(f"splits/{name}.jsonl" for name in benchmark.manifest.splits)]
    own += [f"blind/{name}.jsonl" for name in blind]
    if LABEL_NOISE_FILE in made:
        own.append(LABEL_NOISE_FILE)
    files = made | {name: (benchmark.folder / name).read_bytes() for name in own}
    return Parcel(f"benchmark {benchmark.name} (hash {short_hash(benchmark.manifest.hash)})", files, replaces=OF_BENCHMARKS)


def run_parcel(run: Run, repo: str) -> Parcel:
    """A run: run.json and answers.jsonl, byte for byte. Raises HopeBenchError where there are no answers, or broken ones."""
    answers = run.answers()
    if answers.truncated or not answers.answers:
        lacking = "a line that is cut off" if answers.truncated else "no answers"
        raise HopeBenchError(f"{run.folder} holds {lacking}. Evaluate it to the end first.")
    record = run.record
    folder = PurePosixPath("runs", slug(record.benchmark), slug(run.name))
    tells = [f"the server that was asked ({address})" for address in record.addresses]
    if record.model.checkpoint is not None and Path(record.model.checkpoint).is_absolute():
        tells.append(f"a path of this machine ({record.model.checkpoint})")
    files = {str(folder / name): (run.folder / name).read_bytes() for name in ("run.json", ANSWERS)}
    return Parcel(f"run {record.benchmark}/{run.name}", files, _answers_card(repo, table=True), tells=tuple(tells))


def result_parcel(result: Result | Path, repo: str) -> Parcel:
    """A result: its file, byte for byte. Raises HopeBenchError for a file that is none."""
    read = read_result(result) if isinstance(result, Path) else result
    name = result_path(read, Path("results")).as_posix()
    return Parcel(f"result {read.benchmark.name}/{read.called}", {name: _bytes(result)}, _answers_card(repo, table=False))


def _bytes(result: Result | Path) -> bytes:
    if isinstance(result, Path):
        return result.read_bytes()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "result.json"
        write_result(path, result)
        return path.read_bytes()


def _answers_card(repo: str, *, table: bool) -> bytes:
    """The card of a repository of runs and results: with a `table`, `datasets` reads the answers of all its runs as one."""
    from huggingface_hub import DatasetCardData

    title = repo.split("/")[1]
    shown = {
        "configs": [{"config_name": "answers", "data_files": f"runs/*/*/{ANSWERS}"}],
        "dataset_info": {"config_name": "answers", "features": _answer_features()},
    }
    header = DatasetCardData(
        pretty_name=title,
        task_categories=["visual-question-answering"],
        tags=["object-hallucination", "POPE", "HOPE"],
        **(shown if table else {"viewer": False}),
    )
    return _ANSWERS_CARD.format(header=header.to_yaml(), title=title, repo=repo).encode()


def _answer_features() -> list[dict[str, object]]:
    """The fields of an answer (records.Answer), which lines may leave out, as a card lists them."""
    kinds = {"p_yes": "float64", "mass": "float64", "complete": "bool", "sample": "int64"}
    names = ("image", "question", "text", "verdict", "p_yes", "mass", "complete", "error", "key", "sample")
    features: list[dict[str, object]] = [{"name": name, "dtype": kinds.get(name, "string")} for name in names]
    return [*features, {"name": "splits", "sequence": "string"}]
