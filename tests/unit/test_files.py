"""Specs, cards, manifests and look-ups: what is accepted, and what errors say."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from hope_bench.adapters.known import check_card
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.card import find_card, slug
from hope_bench.files.registry import find_benchmark, find_spec, known_benchmarks, known_models
from hope_bench.files.spec import read_spec
from tests.runs import make_benchmark


def spec_file(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text)
    return path


def test_every_shipped_spec_and_card_is_valid() -> None:
    assert {"demo", "hope-coco"} <= known_benchmarks().keys()
    for folder in known_benchmarks().values():
        read_spec(folder / "spec.toml")
    assert "demo-llava" in known_models()


def test_paths_in_a_spec_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    path = spec_file(tmp_path, 'name = "x"\n[dataset]\nannotations = "a.json"\n[clip]\nmodel = "local-dir:./clip"\n')
    spec = read_spec(path)
    assert spec.dataset.annotations == str(tmp_path / "a.json")
    assert spec.clip is not None
    assert spec.clip.model == f"local-dir:{tmp_path / 'clip'}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "x"\nsample_imagse = 3', ["unknown key 'sample_imagse'", "Did you mean 'sample_images'?"]),
        ('name = "x"\n[dataset]\nimage = "d"', ["unknown key 'dataset.image'", "Did you mean 'images'?"]),
        ('name = "x"\nstrategies = ["contents"]', ["unknown strategy 'contents'", "Did you mean 'content'?"]),
        ('name = "x"\nheadline = "hope"', ["headline"]),
        ('name = "x"\nprompt = "yes or no?"', ["{question}"]),
        ('name = "X Y"', ["is not a valid benchmark spec: name: 'X Y' becomes a folder's name: lower-case letters, digits"]),
        ('name = "x"\nseed = -1', ["seed: Input should be greater than or equal to 0."]),
        ('name = "x"\nseed = "a"\nk = 0', ["seed: Input", "integer; k: Input"]),
        ('name = "x"\nstrategies = ["random", "content", "random"]', ["strategies names 'random' more than once."]),
        ('name = "x"\nstrategies = []', ["strategies must name at least one strategy."]),
        ('name = "x"\nstrategies = ["content@siglip"]', ["no [encoders.siglip]. None exist yet."]),
        ('name = "x"\nstrategies = ["content-panel"]', ["panel is of the main encoder and every [encoders.NAME]; name one such"]),
        (
            'name = "x"\nstrategies = ["content-panel@a"]\nencoders.a.model = "RN50:openai"',
            ["a panel is of the main encoder", "write 'content-panel'"],
        ),
        ('name = "x"\nclip = 3', ["clip: holds a number, not keys and their values."]),
        ("seed = 0", ["'name' is missing"]),
        ("name = x", ["not TOML"]),
        ('name = "x"\n[clip]\nmodel = "ViT-B-32:openai"\ntemplates = ["a photo"]', ["{category}"]),
    ],
)
def test_a_bad_spec_is_refused_with_the_key(tmp_path: Path, text: str, words: list[str]) -> None:
    path = spec_file(tmp_path, text)
    with pytest.raises(HopeBenchError) as caught:
        read_spec(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert ": :" not in str(caught.value)
    assert ".." not in str(caught.value)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(HopeBenchError, match="Did you mean 'demo-llava'"):
        find_card("demo-lava")
    with pytest.raises(HopeBenchError, match="Did you mean 'hope-coco'"):
        find_spec("hope-koko")
    with pytest.raises(HopeBenchError, match="Did you mean 'demo'"):
        find_benchmark("demmo")
    with pytest.raises(HopeBenchError, match="hope-bench generate hope-coco"):
        find_benchmark("hope-coco")


def test_a_folder_that_is_only_called_so_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hope-coco" / "images").mkdir(parents=True)
    assert find_spec("hope-coco").is_file()
    with pytest.raises(HopeBenchError, match="hope-bench generate hope-coco"):
        find_benchmark("hope-coco")
    with pytest.raises(HopeBenchError, match=r"mine holds no spec\.toml"):
        find_spec(str(_made(tmp_path / "mine")))
    (tmp_path / "hope-coco" / "manifest.json").write_text("{}")
    assert find_benchmark("hope-coco") == Path("hope-coco"), "the folder at hand comes first"
    (_made(tmp_path / "mine2") / "spec.toml").write_text("")
    (_made(tmp_path / "benchmarks" / "mine2") / "manifest.json").write_text("{}")
    assert find_spec("mine2") == Path("mine2/spec.toml")
    assert find_benchmark("mine2") == Path("benchmarks/mine2"), "a spec of the same name does not hide what it made"
    with pytest.raises(HopeBenchError, match=r"mine2 has no manifest\.json"):
        find_benchmark("./mine2")
    (tmp_path / "mine2" / "manifest.json").write_text("{}")
    with pytest.raises(HopeBenchError, match=r"'mine2' means two folders .* Say \./mine2 or benchmarks/mine2"):
        find_benchmark("mine2")
    assert find_benchmark("./mine2") == Path("mine2")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_a_card_by_file_name_folder_and_hub_id(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ncheckpoint = "./weights"\nbatch_size = 3\n')
    with pytest.raises(HopeBenchError, match="not a folder beside the card"):
        find_card(str(path))
    (tmp_path / "weights").mkdir()
    assert find_card(str(path)).checkpoint == str(tmp_path / "weights")
    with pytest.raises(HopeBenchError, match=r"config\.json"):
        check_card(find_card(str(tmp_path / "weights")), trust_remote_code=False)
    (tmp_path / "weights" / "config.json").write_text("{}")
    assert find_card(str(tmp_path / "weights")).name == "weights"
    assert find_card("somebody/llava-1.5-7b-hf").name == "llava-1.5-7b-hf"
    path.write_text('name = "mine"\ncheckpoint = "a/b"\nprompt = "Is it?"\n')
    with pytest.raises(HopeBenchError, match="question"):
        find_card(str(path))
    path.write_text('name = "mine"\ncheckpoint = "a/b"\nbatch = 3\n')
    with pytest.raises(HopeBenchError, match="Did you mean 'batch_size'"):
        find_card(str(path))


def test_slug_is_a_safe_file_name() -> None:
    assert slug("LLaVA v1.5 (13B)") == "llava-v1.5-13b"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("日本") == "model"


def test_importing_the_package_and_its_command_line_is_light() -> None:
    code = (
        "import sys, hope_bench, hope_bench.cli; print([m for m in ('torch', 'transformers', 'open_clip') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_questions_changed_under_the_old_hash_are_not_read(tmp_path: Path) -> None:
    made = make_benchmark(tmp_path / "b", {"random": [("a.png", "dog", "yes"), ("a.png", "cat", "no"), ("b.png", "cat", "no")]})
    manifest, split = tmp_path / "b" / "manifest.json", tmp_path / "b" / "splits" / "random.jsonl"
    honest = split.read_bytes(), manifest.read_text()
    changes: list[tuple[str, str, str]] = [
        ('"label": "no"', '"label": "yes"', "splits.random doesn't count the questions of its file"),
        ("cat", "cow", "hash is not that of its prompt and questions"),
        ("a.png", "c.png", "hash is not that of its prompt and questions"),
    ]
    for old, new, words in changes:
        changed = honest[0].replace(old.encode(), new.encode())
        assert changed != honest[0]
        split.write_bytes(changed)
        digests = [hashlib.sha256(one).hexdigest() for one in (honest[0], changed)]
        manifest.write_text(honest[1].replace(*digests))
        with pytest.raises(HopeBenchError, match=words):
            read_benchmark(made.folder)
    split.write_bytes(honest[0])
    manifest.write_text(honest[1].replace("{question}", "{question} Answer honestly."))
    with pytest.raises(HopeBenchError, match="hash is not that of its prompt and questions"):
        read_benchmark(made.folder)
    manifest.write_text(honest[1])
    assert read_benchmark(made.folder).splits == made.splits


def test_other_line_ends_are_told_from_other_questions(tmp_path: Path) -> None:
    """git on Windows writes them where nobody asked."""
    made = make_benchmark(tmp_path / "b", {"random": [("a.jpg", "dog", "yes"), ("a.jpg", "cat", "no")]})
    path = made.folder / "splits" / "random.jsonl"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"\n", b"\r\n"))
    with pytest.raises(HopeBenchError, match=r"random\.jsonl got other line ends \(CRLF\).* with dos2unix"):
        read_benchmark(made.folder)
    path.write_bytes(before.replace(b"cat", b"cow").replace(b"\n", b"\r\n"))
    with pytest.raises(HopeBenchError, match=r"was changed after it was generated"):
        read_benchmark(made.folder)
