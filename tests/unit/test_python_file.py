"""A model behind a Python file beside its card, as docs/models.md shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hope_bench.adapters.choosing import make_adapter
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import find_card, read_card
from hope_bench.files.run import read_run
from hope_bench.provenance import file_sha256
from tests.checkpoints import pictures, prompts
from tests.cli import hope_bench
from tests.small_benchmark import Small, write_small

BATCH = [(image, prompt) for image in pictures(2) for prompt in prompts(2)]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "models.md"


def documented() -> tuple[str, str]:
    """The card and the file that the docs give as an example."""
    blocks = re.findall(r"```\w*\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    card = next(block for block in blocks if "my_model.py:MyAdapter" in block)
    return card, next(block for block in blocks if "class MyAdapter" in block)


def write(folder: Path, code: str, card: str = "") -> Path:
    (folder / "my_model.py").write_text(code)
    path = folder / "my-model.toml"
    path.write_text(card or 'name = "my-model"\ncheckpoint = "ORG/NAME"\nadapter = "my_model.py:MyAdapter"\n')
    return path


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


def test_a_linked_card_finds_what_lies_beside_the_real_one(tmp_path: Path) -> None:
    real, elsewhere = tmp_path / "real", tmp_path / "elsewhere"
    for folder in (real, elsewhere, real / "weights"):
        folder.mkdir()
    text = 'name = "my-model"\ncheckpoint = "./weights"\n'
    link = elsewhere / "linked.toml"
    link.symlink_to(write(real, "", f'{text}adapter = "my_model.py:MyAdapter"\n'))
    card = read_card(link)
    assert card.adapter == f"{real.resolve() / 'my_model.py'}:MyAdapter"
    assert card.checkpoint == str((real / "weights").resolve())
    (real / "plain.toml").write_text(text)
    (elsewhere / "plain.toml").symlink_to(Path("..") / "real" / "plain.toml")
    assert find_card(str(elsewhere / "plain.toml")).checkpoint == card.checkpoint


def arguments(card: Path, small: Small, *more: object) -> tuple[object, ...]:
    runs = small.folder.parent / "runs"
    return ("evaluate", "-m", card, "-b", small.folder, "--images", small.images, "--runs", runs, *more)


def test_the_documented_example_answers_a_benchmark(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card, code = documented()
    path = write(tmp_path, code, card)
    outcome = hope_bench(capsys, *arguments(path, small))
    assert outcome.code == 0, outcome
    assert f"Running {tmp_path / 'my_model.py'}" in outcome.err
    folder = small.folder.parent / "runs" / "small" / "my-model"
    run = read_run(folder)
    assert run.run.adapter == f"my_model.py:MyAdapter (sha256 {file_sha256(tmp_path / 'my_model.py')})"
    assert str(tmp_path) not in (folder / "run.json").read_text()
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == run.questions == 11
    assert {answer["verdict"] for answer in answers} == {"yes", "no"}


def test_a_changed_file_is_another_model(tmp_path: Path) -> None:
    card, code = documented()
    said: list[str] = []
    before = make_adapter(read_card(write(tmp_path, code, card)), said.append).info
    assert said == [f"Running {tmp_path / 'my_model.py'}, which the card names."]
    after = make_adapter(read_card(write(tmp_path, code + "\n", card)), print).info
    assert before.identity != after.identity
    assert make_adapter(read_card(write(tmp_path, code, card)), print).info == before


def test_an_exception_is_the_error_of_its_question(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = """
from hope_bench.adapters.base import RawAnswer

class MyAdapter:
    def __init__(self, card):
        self.name = card.name
    def load(self):
        self.loaded = True
    def answer(self, batch):
        if any(image.info["file_name"] == "b.png" and "dog" in prompt for image, prompt in batch):
            raise ArithmeticError("no dogs")
        return [RawAnswer(text="Yes.", p_yes=0.75, mass=1.0) for _ in batch]
"""
    outcome = hope_bench(capsys, *arguments(write(tmp_path, code), small))
    assert outcome.code == 1, outcome
    folder = small.folder.parent / "runs" / "small" / "my-model"
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    failed = [answer for answer in answers if answer["error"] is not None]
    assert [(answer["image"], answer["error"]) for answer in failed] == [("b.png", "ArithmeticError: no dogs")]
    assert {answer["p_yes"] for answer in answers if answer["error"] is None} == {0.75}


CLASS = "class MyAdapter:\n    def __init__(self, card): pass\n    def load(self): pass\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("class MyAdaptor:\n    pass\n", "defines no class 'MyAdapter'. Did you mean 'MyAdaptor'?"),
        ("import PIL.Image\nMyAdapter = 3\n", "defines no class 'MyAdapter'. None exist yet."),
        ("class MyAdapter:\n  def load(self)\n", "can't be made from its card (line 2): SyntaxError"),
        ("import a_package_nobody_has\n", "(line 1): ModuleNotFoundError: No module named 'a_package_nobody_has'"),
        ("import sys\nsys.exit('bye')\n", "(line 2): SystemExit: bye"),
        ("class MyAdapter:\n    pass\n", "can't be made from its card: TypeError: MyAdapter() takes no arguments"),
        (
            "class MyAdapter:\n    def __init__(self, card):\n        self.x = {}['weights']\n",
            "can't be made from its card (line 3): KeyError: 'weights'",
        ),
        (CLASS, "has no method answer(). It needs load() and answer(batch)"),
    ],
)
def test_what_is_wrong_with_a_file(code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match=re.escape(message)) as caught:
        make_adapter(read_card(write(tmp_path, code)), print)
    assert "my_model.py" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("[]", "gave 0 answers to 4 questions"),
        ("['yes'] * 5", "gave 5 answers to 4 questions"),
        ("None", "gave nothing (None), not a list of answers"),
        ("'yes!'", "gave a str, not a list of answers"),
        ("[True] * 4", "gave a bool as an answer, not a text or a RawAnswer"),
        ("[RawAnswer()] * 4", "a RawAnswer with neither text nor error"),
        ("[RawAnswer(text='Yes', p_yes=1.5)] * 4", "gave p_yes = 1.5, which is not in [0, 1]"),
        ("[RawAnswer(text='Yes', mass=float('nan'))] * 4", "gave mass = nan"),
        (
            "[RawAnswer(text='Yes', p_yes='0.7')] * 4",
            "my_model.py:MyAdapter.answer() gave p_yes = '0.7', which is not a number but a str",
        ),
        (
            "[RawAnswer(text='Yes', complete=None)] * 4",
            "my_model.py:MyAdapter.answer() gave complete = None, which is not True or False",
        ),
        ("[RawAnswer(error=7)] * 4", "my_model.py:MyAdapter.answer() gave error = 7, which is not a text or None"),
        ("[RawAnswer(error=ValueError('boom'))] * 4", "gave error = ValueError('boom'), which is not a text or None"),
        ("[RawAnswer(text=7)] * 4", "gave text = 7, which is not a text or None"),
    ],
)
def test_wrong_answers_stop_the_run(answer: str, message: str, tmp_path: Path) -> None:
    code = f"from hope_bench.adapters.base import RawAnswer\n{CLASS}    def answer(self, batch): return {answer}\n"
    model = make_adapter(read_card(write(tmp_path, code)), print)
    model.load()
    with pytest.raises(HopeBenchError, match=re.escape(message)):
        model.answer(BATCH)


def test_any_real_number_is_a_probability(tmp_path: Path) -> None:
    code = "import numpy as np\nfrom fractions import Fraction\nfrom hope_bench.adapters.base import RawAnswer\n" + CLASS
    given = "RawAnswer(text='Yes', p_yes=np.float32(0.7), mass=Fraction(3, 4))"
    code += f"    def answer(self, batch): return [{given}] * len(batch)\n"
    model = make_adapter(read_card(write(tmp_path, code)), print)
    (answer,) = model.answer(BATCH[:1])
    assert (answer.p_yes, answer.mass) == (pytest.approx(0.7), 0.75)
    assert (type(answer.p_yes), type(answer.mass)) == (float, float)


def test_an_exit_is_the_error_of_its_question(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exits = """    def answer(self, batch):
        if any(image.info["file_name"] == "b.png" and "dog" in prompt for image, prompt in batch):
            raise SystemExit(0)
        return ["Yes."] * len(batch)
"""
    outcome = hope_bench(capsys, *arguments(write(tmp_path, CLASS + exits), small))
    assert outcome.code == 1, outcome
    lines = (small.folder.parent / "runs" / "small" / "my-model" / "answers.jsonl").read_text().splitlines()
    failed = [answer["error"] for answer in map(json.loads, lines) if answer["error"] is not None]
    assert len(lines) == 11
    assert failed == ["RuntimeError: my_model.py:MyAdapter.answer() called sys.exit(0)"]


def test_a_failure_in_load_says_where(tmp_path: Path) -> None:
    code = CLASS.replace("load(self): pass", "load(self):\n        raise OSError('no weights')")
    model = make_adapter(read_card(write(tmp_path, code + "    def answer(self, batch): return []\n")), print)
    with pytest.raises(HopeBenchError, match=r"MyAdapter failed in load\(\) \(line 4\): OSError: no weights"):
        model.load()


@pytest.mark.parametrize("file", ["nowhere.py", "../my_model.py", "/tmp/my_model.py"])
def test_only_a_file_beside_the_card(file: str, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    write(tmp_path, "")
    path = tmp_path / "cards" / "it.toml"
    path.write_text(f'name = "it"\ncheckpoint = "x"\nadapter = "{file}:MyAdapter"\n')
    with pytest.raises(HopeBenchError, match="is no file beside the card"):
        read_card(path)


def test_a_checkpoints_own_card_is_never_run(tmp_path: Path) -> None:
    write(tmp_path, "raise SystemExit('ran')")
    (tmp_path / "config.json").write_text("{}")
    assert find_card(str(tmp_path)).adapter == "transformers"


def test_listing_showing_and_sizing_up_run_nothing(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    path = write(tmp_path / "models", "raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    for command in (("models",), ("models", "my-model"), arguments(path, small, "--dry-run")):
        outcome = hope_bench(capsys, *command)
        assert outcome.code == 0, outcome
        assert "my" in outcome.out or "questions" in outcome.out
