"""Schemas: what every file that hope-bench reads and writes may hold, as JSON schemas for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.files.validation import checked, json_schema


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file: the record or model of its contents, where it lies, and whether each of its lines is one (JSON lines), or
    the whole file (JSON, TOML)."""

    model: str
    file: str
    form: Literal["JSON", "JSON lines", "TOML"] = "JSON"


KINDS: dict[str, FileKind] = {
    "spec": FileKind("files.spec:BenchmarkSpec", "benchmarks/NAME/spec.toml", "TOML"),
    "manifest": FileKind("files.benchmark:Manifest", "benchmarks/NAME/manifest.json"),
    "question": FileKind("records:Question", "benchmarks/NAME/splits/*.jsonl, blind/*.jsonl", "JSON lines"),
    "images": FileKind("files.remembered:Remembered", "benchmarks/NAME/images.json"),
    "label-noise": FileKind("reviewing.noise:NoiseEstimate", "benchmarks/NAME/label_noise.json"),
    "decision": FileKind("reviewing.decisions:Reviewed", "review/REVIEWER.jsonl, merged decisions", "JSON lines"),
    "evidence": FileKind("search.evidence_given:EvidenceLine", "guards.evidence of a spec", "JSON lines"),
    "description": FileKind("search.description_given:GivenLine", "descriptions.file of a spec", "JSON lines"),
    "ontology": FileKind("search.known_words:OntologyTable", "guards.ontology_table of a spec", "TOML"),
    "card": FileKind("files.card:ModelCard", "models/NAME.toml", "TOML"),
    "prompts": FileKind("files.paraphrases:Prompts", "the TOML file of evaluate --prompts", "TOML"),
    "run": FileKind("files.run:RunRecord", "runs/BENCHMARK/RUN/run.json"),
    "answer": FileKind("records:Answer", "runs/BENCHMARK/RUN/answers.jsonl", "JSON lines"),
    "result": FileKind("files.result:Result", "leaderboard/results/BENCHMARK/RUN.json"),
    "sheet": FileKind("site.sheet:Sheet", "leaderboard/benchmarks/NAME-HASH.json"),
    "published": FileKind("files.published:Published", "leaderboard/published.toml", "TOML"),
    "elsewhere": FileKind("site.elsewhere:Elsewhere", "leaderboard/elsewhere.json"),
    "overlap": FileKind("site.overlap:Overlap", "leaderboard/overlap.json"),
    "leaderboard": FileKind("site.data:LeaderboardData", "data/leaderboard.json of the site"),
    "questions": FileKind("site.wall:PublishedQuestions", "data/questions/NAME-HASH.json of the site"),
    "listed": FileKind(
        "reviewing.claims:ListedQuestion", "review --questions, data/questions/NAME-HASH-review.jsonl of the site", "JSON lines"
    ),
    "language": FileKind("files.language:LanguageTable", "the TOML file that a spec's language names", "TOML"),
    "wording": FileKind("wording:Words", "hope_bench/wording.toml", "TOML"),
}
"""Every kind of file by the name of its schema."""


@checked
def schema(name: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a kind of file, or of one of its lines where it holds JSON lines.

    `name` is spec, manifest, question, card, run, answer, result and so on (`hope-bench schema` lists them). A schema says what
    keys and values a file may have; what else must hold between them (hashes, counts, splits that compare) is checked when it is
    read. Raises HopeBenchError naming the nearest known one.

    Example: hb.schema("result")["properties"]["splits"]
    """
    if name not in KINDS:
        raise HopeBenchError(f"No schema {name!r}. " + did_you_mean(name, KINDS))
    module, _, model = KINDS[name].model.partition(":")
    return json_schema(getattr(import_module(f"hope_bench.{module}"), model))
