"""What is wrong, and that nothing is to be done, is told before anything heavy is imported: torch alone takes seconds of CPU.

Commands run one after the other in one fresh process, which reports after each what has been imported by then.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.models import CommandInfo

from hope_bench.adapters import known
from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.endpoint_card import endpoint_info
from hope_bench.adapters.known import known_device, known_dtype, known_info
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.card import find_card
from hope_bench.files.paraphrases import read_paraphrases
from hope_bench.files.run import read_run, write_run
from hope_bench.inference.beforehand import answered_before
from hope_bench.inference.engine import EvaluateOptions, evaluate, evaluate_paraphrases
from hope_bench.inference.plan import Plan
from tests.conftest import ROOT
from tests.engine import Model
from tests.small_benchmark import write_small

HEAVY = (
    "torch", "torchvision", "transformers", "open_clip", "timm", "scipy", "sklearn", "pandas", "plotly", "datasets", "accelerate",
    "openai", "gradio", "inflect",
)  # fmt: skip

_RUN = """
import contextlib, functools, io, json, sys
commands, heavy = json.load(sys.stdin)
from hope_bench.cli import main
import typer
typer.main.get_command = functools.cache(typer.main.get_command)  # built once, as for a single command
told = []
for command in commands:
    said, code = io.StringIO(), 0
    sys.argv = ["hope-bench", *command]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    told.append((code, said.getvalue(), [name for name in heavy if name in sys.modules]))
print(json.dumps(told))
"""


class Told(NamedTuple):
    """What came of a command: exit code, all that it printed, and which heavy modules were imported by then."""

    code: int
    said: str
    heavy: list[str]


def fresh(commands: Sequence[Sequence[object]], folder: Path) -> list[Told]:
    """Run commands in one fresh process, in `folder`, without a network."""
    given = json.dumps([[list(map(str, command)) for command in commands], HEAVY])
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    run = subprocess.run(
        [sys.executable, "-c", _RUN], input=given, capture_output=True, text=True, check=True, cwd=folder, env=environment
    )
    return [Told(code, " ".join(said.split()), heavy) for code, said, heavy in json.loads(run.stdout.splitlines()[-1])]


class World(NamedTuple):
    """A working directory with a benchmark, its images, and finished runs of the packaged demo model."""

    folder: Path
    benchmark: Path
    images: Path
    runs: Path

    def evaluate(self, *more: object, model: object = "demo-llava", runs: str = "new") -> list[object]:
        """The arguments of `hope-bench evaluate`."""
        where = ("--images", self.images, "--runs", self.folder / runs)
        return ["evaluate", "-m", model, "-b", self.benchmark, *where, *more]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Made once: the model is asked eleven questions, and again with another prompt."""
    folder = tmp_path_factory.mktemp("world")
    small = write_small(folder / "small")
    made = World(folder, small.folder, small.images, folder / "runs")
    benchmark, card = read_benchmark(small.folder), find_card("demo-llava")
    options = EvaluateOptions(images=small.images, runs=made.runs, progress="quiet")
    (folder / "ways.toml").write_text('polite = "Please tell me: {question}"\n')
    (folder / "broken.toml").write_text('polite = "Please tell me"\n')
    evaluate(benchmark, card, options)
    list(evaluate_paraphrases(benchmark, card, read_paraphrases(folder / "ways.toml"), options))
    server = 'adapter = "endpoint"\ncheckpoint = "gpt"\nbase_url = "{url}"\n'
    (folder / "server.toml").write_text('name = "server"\n' + server.format(url="http://127.0.0.1:9/v1"))
    (folder / "keyless.toml").write_text('name = "keyless"\n' + server.format(url="https://example.org/v1"))
    (folder / "no-address.toml").write_text('name = "no-address"\n' + server.format(url="example.org"))
    server_card = find_card(str(folder / "server.toml"))
    said_no = Model(lambda batch: [RawAnswer(text="No.") for _ in batch])
    said_no.info = endpoint_info(server_card)
    evaluate(benchmark, server_card, options, adapter=said_no)
    shutil.copytree(made.runs, folder / "half")  # one step of the run is still to be asked
    answers = folder / "half" / "small" / "demo-llava" / "answers.jsonl"
    answers.write_bytes(b"".join(answers.read_bytes().splitlines(keepends=True)[:-4]))
    checkpoint = Path(card.checkpoint)
    (folder / "no-weights").mkdir()
    for file in checkpoint.glob("*.json"):
        shutil.copy(file, folder / "no-weights")
    (folder / "no-config").mkdir()
    shutil.copy(checkpoint / "model.safetensors", folder / "no-config")
    (folder / "taken").mkdir()
    (folder / "taken" / "mine.txt").write_text("mine")
    (folder / "own-code.toml").write_text(f'name = "own-code"\ncheckpoint = "{checkpoint}"\ntrust_remote_code = true\n')
    (folder / "other.toml").write_text(f'name = "other"\ncheckpoint = "{checkpoint}"\n')
    spec = 'name = "mine"\nsample_images = 2\nk = 1\nstrategies = ["random", "content"]\n[clip]\nmodel = "ViT-B-32:openai"\n'
    (folder / "spec.toml").write_text(spec)
    (folder / "broken-spec.toml").write_text(spec.replace("sample_images", "sample_image"))
    return made


def wrong(world: World) -> list[tuple[list[object], str]]:
    """Commands with something wrong in them, and what must be said."""
    ask, here, bench = world.evaluate, world.folder, world.benchmark
    spec = ["generate", here / "spec.toml", "--annotations", here / "small" / "instances.json", "--out", here / "out"]
    run = here / "runs" / "small" / "demo-llava"
    return [
        (["evalute"], "Did you mean 'evaluate'?"),
        (["evaluate", "--modle", "x"], "No such option: --modle"),
        (ask(model="demo-lava"), "Did you mean 'demo-llava'?"),
        (ask(model="./nowhere"), "nowhere"),
        (ask(model=here / "no-weights"), "is incomplete: it holds no weights"),
        (ask(model=here / "no-config"), "and no config.json"),
        (ask(model="org/nothing"), "org/nothing is not in the local Hugging Face cache"),
        (ask(model="org/nothing", runs="half"), "org/nothing is not in the local Hugging Face cache"),
        (ask(model="keyless.toml"), "Set the environment variable"),
        (ask(model="no-address.toml"), "must be http(s)://HOST"),
        (ask(model=here / "own-code.toml"), "add --trust-remote-code"),
        (ask("--trust-remote-code"), "doesn't say trust_remote_code"),
        (ask("--revision", "main"), "has no revision 'main'"),
        (ask("--dtype", "float17"), "Did you mean 'float16'?"),
        (ask("--device", "gpu"), "no device 'gpu'"),
        (ask("--path", "share"), "Did you mean 'shared'?"),
        (ask("--quantize", "5bit"), "'5bit' is not known"),
        (ask("--quantize", "4bit"), "--quantize 4bit needs a GPU"),
        (ask("--split", "contents"), "Did you mean 'content'?"),
        (ask("--name", "a/b"), "A run's name"),
        (ask("--limit", "0"), "--limit"),
        (ask("--processes", "2"), "--processes"),
        (ask("--authors-prompt"), "doesn't say how the model's authors ask"),
        (ask("--prompts", "nowhere.toml"), "nowhere.toml does not exist"),
        (ask("--prompts", "broken.toml"), "polite is no prompt"),
        (ask("--images", "nowhere"), "The images folder nowhere does not exist"),
        (ask("--images", here / "taken"), "holds none of the 3 images"),
        (ask("--images", "nowhere", runs="half"), "The images folder nowhere does not exist"),
        (ask("--images", "nowhere", "--prompts", "ways.toml"), "The images folder nowhere does not exist"),
        (ask("--name", "demo-llava", model=here / "other.toml", runs="half"), "holds the answers of another model, demo-llava"),
        (["evaluate", "-m", "demo-llava", "-b", "dmeo"], "Did you mean 'demo'?"),
        (["generate", "dmeo"], "Did you mean 'demo'?"),
        (["generate", here / "broken-spec.toml"], "Did you mean 'sample_images'?"),
        ([*spec[:3], "nowhere.json", "--images", world.images], "nowhere.json"),
        (spec, "Pass --images DIR"),
        ([*spec, "--images", "nowhere"], "The images folder nowhere does not exist"),
        ([*spec, "--images", world.images, "--clip", "ViT-B-23:openai"], "open_clip has no model 'ViT-B-23'"),
        ([*spec, "--images", world.images, "--clip", "ViT-B-32:opnai"], "open_clip has no weights 'opnai' for ViT-B-32"),
        ([*spec, "--images", world.images, "--clip", "ViT-B-32"], "names no weights"),
        ([*spec, "--images", world.images, "--clip", "local-dir:nowhere"], "holds no open_clip_config.json"),
        (["generate"], "Give a spec"),
        ([*spec[:1], *spec[2:4], "--sample-images", "few"], "no number of images"),
        ([*spec[:1], *spec[2:4], "--strategies", "populer"], "Did you mean 'popular'?"),
        (["init", "nowhere"], "nowhere does not exist"),
        (["init", here / "taken"], "holds no annotations known"),
        (["init", here / "small", "--clip", "ViT-B-23:openai"], "open_clip has no model 'ViT-B-23'"),
        (["check-data", "nowhere"], "nowhere does not exist"),
        (["score", "small/demo-lava"], "Did you mean 'small/demo-llava'?"),
        (["score", run, "-b", "dmeo"], "Did you mean 'demo'?"),
        (["score", run, "-b", bench, "--convention", "strickt"], "Did you mean 'strict'?"),
        (["score", run, "-b", bench, "--language", "xx"], "language 'xx'"),
        (["score", run, "-b", bench, "--labels", "nowhere.json"], "nowhere.json does not exist"),
        (["score", run, "-b", bench, "--annotations", "nowhere.json"], "nowhere.json does not exist"),
        (["baselines", "dmeo"], "Did you mean 'demo'?"),
        (["compare", "small/a", "small/b"], "No result 'small/a'"),
        (["compare", "small", "--metric", "acuracy"], "Did you mean 'accuracy'?"),
        (["trend", "small/a", "small/b"], "No run 'small/a'"),
        (["report", "small/a"], "No run 'small/a'"),
        (["report", run, "--out", "x.pdf"], "name a page .html or .md"),
        (["report", run, "-b", bench, "--images", "nowhere"], "The images folder nowhere does not exist"),
        (["leaderboard", "build", "--results", "nowhere"], "The results folder nowhere does not exist"),
        (["leaderboard", "add", "nowhere.json"], "nowhere.json does not exist"),
        (["leaderboard", "check", "--results", "nowhere"], "The results folder nowhere does not exist"),
        (["leaderboard", "describe", "dmeo"], "Did you mean 'demo'?"),
        (["import", "pope", "--name", "x", "--split", "random=nowhere.json"], "nowhere.json does not exist"),
        (["import", "answers", "nowhere.jsonl", "-b", bench, "--name", "x"], "nowhere.jsonl does not exist"),
        (["import", "labels", bench, "nowhere.json"], "nowhere.json does not exist"),
        (["import", "images", "nowhere", "--out", "x"], "nowhere does not exist"),
        (["export", bench, "--to", "lava", "--out", "x"], "'llava'"),
        (["export", bench, "--to", "llava", "--out", here / "taken"], "holds files already"),
        (["inspect", bench, "--out", "x", "--images", "nowhere"], "The images folder nowhere does not exist"),
        (["review", "dmeo"], "Did you mean 'demo'?"),
        (["review", bench, "--images", "nowhere"], "The images folder nowhere does not exist"),
        (["review-merge", "nowhere.jsonl", "nothing.jsonl"], "nowhere.jsonl"),
        (["label-noise", "dmeo", "nowhere.jsonl", "--sample", "5"], "Did you mean 'demo'?"),
        (["models", "demo-lava"], "Did you mean 'demo-llava'?"),
        (["demo", "--out", here / "taken"], "holds files, but no demo"),
    ]


def test_what_is_wrong_is_told_before_anything_heavy_is_imported(world: World) -> None:
    cases = wrong(world)
    for (command, expected), told in zip(cases, fresh([command for command, _ in cases], world.folder), strict=True):
        assert told.code == 2, (command, told)
        assert expected in told.said, (command, told)
        assert not told.heavy, (command, told)
    assert [name for name in ("new", "out", "x", "build") if (world.folder / name).exists()] == []


def test_nothing_to_do_is_told_before_anything_heavy_is_imported(world: World) -> None:
    before = {path: path.read_bytes() for path in world.runs.rglob("*") if path.is_file()}
    commands = [
        world.evaluate(runs="runs"),
        world.evaluate("--dry-run", runs="runs"),
        world.evaluate(model="server.toml", runs="runs"),
        world.evaluate("--prompts", "ways.toml", runs="runs"),
    ]
    said = ["nothing to ask", "Nothing is left to ask", "nothing to ask", "nothing to ask"]
    for told, expected in zip(fresh(commands, world.folder), said, strict=True):
        assert (told.code, told.heavy) == (0, []), told
        assert expected in told.said
    assert {path: path.read_bytes() for path in world.runs.rglob("*") if path.is_file()} == before


def test_a_run_of_a_model_that_thought_is_finished_only_where_its_template_says_so(world: World, tmp_path: Path) -> None:
    """Whether it would think now, too, takes transformers; a call that turns thinking off must not hear that all is done."""
    folder = shutil.copytree(world.runs / "small" / "demo-llava", tmp_path / "run")
    record, benchmark, card = read_run(folder), read_benchmark(world.benchmark), find_card("demo-llava")
    for thinking, expected in ((False, True), (True, False)):
        told = record.model_copy(update={"run": record.run.model_copy(update={"thinking": thinking})})
        write_run(folder, told)
        done = answered_before(folder, benchmark, card, Plan(()), world.images, lambda *_, told=told: told)
        assert (done is not None) == expected


def test_help_and_the_version_import_nothing_heavy(world: World) -> None:
    from hope_bench.cli import app

    def called(one: CommandInfo) -> str:
        return one.name or getattr(one.callback, "__name__", "").replace("_", "-")

    names = [[called(one)] for one in app.registered_commands]
    for group in app.registered_groups:
        names += [[str(group.name), called(one)] for one in group.typer_instance.registered_commands]
    assert len(names) > 15
    for told in fresh([["--version"], ["--help"], *([*name, "--help"] for name in names)], world.folder):
        assert (told.code, told.heavy) == (0, []), told
    code = "import sys, hope_bench; print([name for name in ('numpy', 'pydantic', 'typer', 'torch') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16"])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_what_is_known_of_a_model_is_what_its_adapter_says(device: str, dtype: str) -> None:
    card = find_card("demo-llava").model_copy(update={"device": device, "dtype": dtype})
    guess, info = known_info(card), TransformersModel(card).info
    if guess is None:
        pytest.skip("only torch can tell on this machine")
    for name in ("adapter", "identity", "revision", "weights_sha256", "dtype", "device_kind"):
        assert getattr(guess, name) == getattr(info, name), name


def test_a_checkpoint_that_changes_is_another_one(tmp_path: Path) -> None:
    card = find_card("demo-llava")
    folder = shutil.copytree(card.checkpoint, tmp_path / "copy")
    card = card.model_copy(update={"checkpoint": str(folder)})
    first = known_info(card)
    (folder / "generation_config.json").write_text("{}")
    second = known_info(card)
    assert first is not None
    assert second is not None
    assert first.identity != second.identity == TransformersModel(card).info.identity


def test_what_a_driver_says_of_gpus_is_what_torch_would_make_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_gpus", lambda: (9, 7))
    assert [known_device(name) for name in ("auto", "cuda", "cuda:1", "cuda:2", "cpu", "mps")] == [
        "cuda", "cuda", "cuda", None, "cpu", None,
    ]  # fmt: skip
    assert [known_dtype(name, "cuda") for name in ("auto", "float32")] == ["bfloat16", "float32"]
    monkeypatch.setattr(known, "_gpus", lambda: (7,))
    assert known_dtype("auto", "cuda") == "float16"
    monkeypatch.setattr(known, "_gpus", lambda: None)
    assert [known_device(name) for name in ("auto", "cuda", "cpu")] == [None, None, "cpu"]


def test_the_architectures_and_tags_are_those_that_open_clip_lists() -> None:
    import open_clip

    from hope_bench.clip.names import architectures, tags

    assert architectures() == sorted(open_clip.list_models())
    for architecture in architectures():
        assert tags(architecture) == open_clip.list_pretrained_tags_by_model(architecture)


def test_words_are_those_of_inflect_with_its_type_checks(world: World) -> None:
    """The oracle is inflect as it is imported by anybody else, over the names of two real datasets and some odd ones."""
    from torchvision.models import _meta

    from hope_bench.wording import inflect_engine

    names = sorted({*_meta._COCO_CATEGORIES, *_meta._IMAGENET_CATEGORIES[::4], "ox", "éclair", "TV", "x-ray", "Swiss Army knife"})
    oracle = (
        "import inflect, json, sys; e = inflect.engine(); print(json.dumps([[e.a(n), e.plural_noun(n), e.singular_noun(n)] "
        "for n in json.load(sys.stdin)] + [e.number_to_words(n) for n in range(200)]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", oracle], input=json.dumps(names), capture_output=True, text=True, check=True, cwd=world.folder
    ).stdout
    engine = inflect_engine()
    ours = [[engine.a(name), engine.plural_noun(name), engine.singular_noun(name)] for name in names]
    assert [*ours, *(engine.number_to_words(number) for number in range(200))] == json.loads(said)


def test_typeguard_is_left_as_it_was_and_inflect_is_not_rewritten_by_it() -> None:
    code = (
        "import typeguard; before = typeguard.typechecked\n"
        "from hope_bench.wording import plural; print(plural('wine glass'))\n"
        "print(typeguard.typechecked is before, 'typeguard._transformer' in __import__('sys').modules)\n"
        "import inflect\n"
        "try: print(inflect.engine().plural_noun(3))\n"
        "except typeguard.TypeCheckError: print('checked')\n"
        "except Exception: print('not checked')"
    )
    said = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split("\n")
    assert said[0] == "wine glasses"
    assert said[1].startswith("True")
    assert said[2] != "checked"
