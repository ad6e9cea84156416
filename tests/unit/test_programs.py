"""What other programs rely on: a schema for every file, --json for every number, and exit codes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator

import hope_bench as hb
from hope_bench.api.schemas import KINDS
from hope_bench.cli import app
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.run import read_answers
from hope_bench.records import Answer
from tests.cli import hope_bench, refused
from tests.runs import make_run
from tests.small_benchmark import Small, write_small

ROOT = Path(__file__).resolve().parent.parent.parent
NO_NUMBERS = {"leaderboard add", "leaderboard build", "leaderboard describe", "leaderboard serve", "schema"}
"""Commands that print where they wrote to, or JSON anyway."""


def check(name: str, value: Any) -> None:
    Draft202012Validator(hb.schema(name)).validate(value)


def lines(path: Path) -> Iterator[Any]:
    return (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def commands(group: Any, before: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by its words."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= commands(command, (*before, name)) if hasattr(command, "commands") else {" ".join((*before, name)): command}
    return found


ALL = commands(typer.main.get_command(app))


def test_every_command_that_prints_numbers_prints_them_as_json() -> None:
    without = {name for name, command in ALL.items() if all("--json" not in one.opts for one in command.params)}
    assert without == NO_NUMBERS


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    monkeypatch.chdir(tmp_path)
    made = write_small(tmp_path / "small")
    benchmark = read_benchmark(made.folder)
    said: dict[tuple[str, str], Any] = {
        (one.image, str(one.object)): one.label for split in benchmark.splits.values() for one in split
    }
    make_run(Path("runs/small/m"), benchmark, said | {("a.jpg", "vase"): "yes", ("b.png", "bus"): "error"}, name="m")
    for reviewer in ("alice", "bob"):
        decisions = [
            {
                "image": one.image,
                "object": one.object,
                "decision": "absent" if one.label == "no" else "present",
                "reviewer": reviewer,
            }
            | ({"description": one.description} if one.description else {})
            for split in benchmark.splits.values()
            for one in split
        ]
        Path(f"{reviewer}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in decisions))
    Path("mine.csv").write_text(
        "question,label,image\nIs there a cup in the image?,yes,a.jpg\nIs there a dog in the image?,no,a.jpg\n"
    )
    Path("answers.jsonl").write_text(
        json.dumps({"image": "a.jpg", "question": "Is there a cup in the image?", "response": "Yes"}) + "\n"
    )
    return made


@pytest.mark.parametrize(
    "words",
    [
        "inspect BENCHMARK --no-images",
        "inspect BENCHMARK --images IMAGES --training instances.json",
        "label-noise BENCHMARK alice.jsonl bob.jsonl --sample 6",
        "review-merge alice.jsonl bob.jsonl",
        "report small/m --benchmark BENCHMARK",
        "models",
        "models demo-llava",
        "score small/m --benchmark BENCHMARK",
        "baselines BENCHMARK",
        "export BENCHMARK --to llava --out out",
        "import questions mine.csv --name mine --split random",
        "import answers answers.jsonl --benchmark BENCHMARK --name other",
        "evaluate --model demo-llava --benchmark BENCHMARK --images IMAGES --dry-run",
        "init small --images IMAGES",
        "check-data small/instances.json --images IMAGES",
        "push BENCHMARK hf:org/name --dry-run",
        "leaderboard check --results RESULTS",
    ],
)
def test_json_is_all_that_is_printed(words: str, small: Small, capsys: pytest.CaptureFixture[str]) -> None:
    where = {
        "BENCHMARK": small.folder,
        "IMAGES": small.images,
        "instances.json": small.annotations,
        "RESULTS": "results",
    }
    if "RESULTS" in words:
        hb.score("small/m", benchmark=small.folder, results="results")
        Path("results/small/unranked/m.json").rename("results/small/m.json")
    done = hope_bench(capsys, *(where.get(word, word) for word in words.split()), "--json")
    assert done.code in (0, 2 if words.startswith("check-data") else 0), done.err
    found = json.loads(done.out, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    assert found


def test_numbers_in_json_are_those_of_the_library(small: Small, capsys: pytest.CaptureFixture[str]) -> None:
    noise = json.loads(hope_bench(capsys, "label-noise", small.folder, "alice.jsonl", "bob.jsonl", "--sample", 6, "--json").out)
    published = hb.label_noise(small.folder, ["alice.jsonl", "bob.jsonl"], sample=6)
    assert noise["estimates"] == [one.model_dump(mode="json") for one in published.estimates]
    assert noise["agreements"][0]["kappa"] == published.agreements[0].kappa
    report = json.loads(hope_bench(capsys, "report", "small/m", "--benchmark", small.folder, "--json").out)
    assert Path(report["page"]).is_file()
    assert report["result"] == hb.score("small/m", benchmark=small.folder).model_dump(mode="json")
    counts = json.loads(hope_bench(capsys, "inspect", small.folder, "--no-images", "--json").out)["summary"]
    assert [(one["name"], one["yes"], one["no"]) for one in counts["splits"]] == [
        ("random", 3, 3),
        ("content", 3, 3),
        ("description", 3, 2),
    ]
    card = json.loads(hope_bench(capsys, "models", "demo-llava", "--json").out)
    assert card == hb.load_card("demo-llava").model_dump(mode="json")


def test_schemas_are_schemas_and_an_unknown_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for name in KINDS:
        shown = json.loads(hope_bench(capsys, "schema", name).out)
        Draft202012Validator.check_schema(shown)
        assert shown == hb.schema(name)
        assert not Draft202012Validator(shown).is_valid([1]), f"{name} takes anything"
        assert name in hope_bench(capsys, "schema").out
    assert "Did you mean 'manifest'" in refused(capsys, "schema", "manifests")


def test_lines_alone_may_hold_other_keys(tmp_path: Path) -> None:
    for name, kind in KINDS.items():
        found = hb.schema(name)
        found = found["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
        closed = found.get("additionalProperties", True) is not True
        assert closed == (kind.form != "JSON lines" or name == "description"), name
    line = {"image": "a", "question": "Is it?", "text": "Yes", "verdict": "yes", "seconds": 1}
    (tmp_path / "answers.jsonl").write_text(json.dumps(line) + "\n")
    assert read_answers(tmp_path / "answers.jsonl").answers == (Answer("a", "Is it?", "Yes", "yes"),)


def test_what_ships_fits_its_schema() -> None:
    toml = {
        "card": "models/*.toml",
        "spec": "benchmarks/*/spec.toml",
        "published": "leaderboard/published.toml",
        "wording": "hope_bench/wording.toml",
    }
    text = {
        "elsewhere": "leaderboard/elsewhere.json",
        "overlap": "leaderboard/overlap.json",
        "result": "leaderboard/results/*/*.json",
        "sheet": "leaderboard/benchmarks/*.json",
    }
    for name, pattern in toml.items():
        for path in (found := sorted(ROOT.glob(pattern))):
            check(name, tomllib.loads(path.read_text(encoding="utf-8")))
        assert found, name
    for name, pattern in text.items():
        for path in (found := sorted(ROOT.glob(pattern))):
            check(name, json.loads(path.read_bytes()))
        assert found, name


def test_what_people_write_fits_its_schema_and_other_things_do_not(small: Small) -> None:
    hb.label_noise(small.folder, ["alice.jsonl", "bob.jsonl"], sample=6)
    check("label-noise", json.loads((small.folder / "label_noise.json").read_bytes()))
    for line in lines(Path("alice.jsonl")):
        check("decision", line)
    check("evidence", {"image": "a.jpg", "category": "dog", "score": 0.5})
    check("description", {"image": "a.jpg", "object": "dog", "true": ["a red dog"]})
    check("ontology", {"related": [["sofa", "couch"]]})
    check("prompts", {"polite": "Please: {question}"})
    wrong: Mapping[str, Any] = {
        "decision": {"image": "a.jpg", "object": "dog", "decision": "maybe"}, "evidence": {"image": "a.jpg", "category": "dog"},
        "prompts": {"polite": "Please"}, "card": {"name": "x", "checkpoint": "y", "dtipe": "float32"},
        "answer": {"image": "a.jpg"},
    }  # fmt: skip
    for name, value in wrong.items():
        assert not Draft202012Validator(hb.schema(name)).is_valid(value), name


def test_exit_codes(small: Small, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """0 done, 1 some answers are errors, 2 bad input, 3 a fault of our own, 130 interrupted."""
    assert hope_bench(capsys, "models").code == 0
    Path("broken").mkdir()
    for image in small.images.iterdir():
        Path("broken", image.name).write_bytes(b"no picture")
    answered = hope_bench(
        capsys, "evaluate", "--model", "demo-llava", "--benchmark", small.folder, "--images", "broken", "--json"
    )
    assert answered.code == 1
    assert json.loads(answered.out)[0]["errors"] > 0
    assert hope_bench(capsys, "score", "nothing").code == 2
    assert hope_bench(capsys, "score", "--no-such-option").code == 2
    assert hope_bench(capsys, "no-such-command").code == 2

    def ends(error: BaseException) -> None:
        def inspect(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("hope_bench.api.looking.inspect", inspect)

    ends(RuntimeError("nobody foresaw it"))
    fault = hope_bench(capsys, "inspect", small.folder)
    assert fault.code == 3
    assert "Traceback" in fault.err
    ends(KeyboardInterrupt())
    assert hope_bench(capsys, "inspect", small.folder).code == 130

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hope_bench.reviewing.page.serve", interrupted)
    assert hope_bench(capsys, "review", small.folder, "--images", small.images).code == 0, "how a page ends"
