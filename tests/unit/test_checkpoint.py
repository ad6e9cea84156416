"""What a card's checkpoint is, as far as files tell: where it lies, its hash, its processor, and how it travels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from hope_bench.adapters.checkpoint import (
    Checkpoint,
    content_sha256,
    find_checkpoint,
    known_checkpoint,
    local_folder,
)
from hope_bench.adapters.known import check_card, known_info
from hope_bench.adapters.processor_files import has_processor, nearest_processor, processor_sha256
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.provenance import file_sha256, json_sha256
from tests.checkpoint_files import fill, safetensors


def test_a_name_is_a_folder_here_a_file_or_an_id(tmp_path: Path) -> None:
    folder = fill(tmp_path / "it", {"config.json": {}, "model.safetensors": safetensors({})})
    assert local_folder(str(folder), None) == folder
    file, long = str(folder / "model.safetensors"), f"a/{'x' * 254}"
    for name, revision, words in (
        (str(folder), "2", f"Checkpoint {folder} is a folder, which has no revision '2'. Leave the revision out."),
        (file, None, f"{file} is a file. Name the checkpoint's folder: {folder}."),
        ("/no/such", None, "Checkpoint '/no/such' is no folder here, and no Hugging Face id (ORG/NAME) either."),
        ("./no", None, "Checkpoint './no' is no folder here, and no"),
        ("../no", None, "Checkpoint '../no' is no folder here, and no"),
        ("a/b/c", None, "Checkpoint 'a/b/c' is no folder here, and no"),
        (long, None, f"Checkpoint '{long[:200]}...' is no folder here, and no"),
        ("a/" + "x" * 199, None, None),
    ):
        if words is None:
            assert local_folder(name, revision) is None
            continue
        with pytest.raises(HopeBenchError) as refused:
            local_folder(name, revision)
        assert str(refused.value).startswith(words)


def test_a_checkpoint_is_hashed_by_all_that_answers_depend_on(tmp_path: Path) -> None:
    counted = {
        "config.json": "1",
        "chat_template.jinja": "2",
        "a.model": "3",
        "merges.txt": "4",
        "x.tiktoken": "5",
        "code.py": "6",
        "model.safetensors": "7",
        "pytorch_model.bin": "8",
    }
    fill(tmp_path, {**counted, "README.md": "9", "deep/config.json": "0"})
    assert content_sha256(tmp_path) == json_sha256({name: file_sha256(tmp_path / name) for name in counted})


def test_a_processors_files_and_where_they_lie(tmp_path: Path) -> None:
    counted = {
        "preprocessor_config.json": "1",
        "tokenizer.json": "2",
        "tokenizer_config.json": "3",
        "merges.txt": "4",
        "chat_template.jinja": "5",
        "a.model": "6",
    }
    own = fill(tmp_path / "own", {**counted, "config.json": "7", "model.safetensors": "8"})
    other = fill(tmp_path / "other", {"processor_config.json": "1"})
    empty = fill(tmp_path / "empty", {"tokenizer.json": "1"})
    assert processor_sha256(own) == json_sha256({name: file_sha256(own / name) for name in counted})
    assert [has_processor(one) for one in (own, other, empty)] == [True, True, False]
    assert nearest_processor([empty, other, own]) == other
    assert nearest_processor([empty]) is None


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A Hub that has nothing, and what is asked of it."""
    asked: list[dict[str, Any]] = []

    def download(name: str, **how: Any) -> str:
        asked.append({"name": name, **how})
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return asked


def test_a_checkpoint_that_is_not_all_here_is_not_known(tmp_path: Path, unreachable: list[dict[str, Any]]) -> None:
    folder = fill(tmp_path / "it", {"config.json": {"model_type": "x"}, "model.safetensors": safetensors({})})
    adapter = fill(
        tmp_path / "adapter", {"adapter_config.json": {"base_model_name_or_path": "org/base"}, "adapter_model.bin": b"\x80x"}
    )
    known = known_checkpoint(ModelCard(name="m", checkpoint=str(folder)))
    digest = content_sha256(folder)
    assert known == Checkpoint(folder, f"sha256:{digest}", weights_sha256=digest, processor=folder)
    assert known_checkpoint(ModelCard(name="m", checkpoint="org/it")) is None
    assert known_checkpoint(ModelCard(name="m", checkpoint=str(adapter))) is None
    assert known_checkpoint(ModelCard(name="m", checkpoint=str(folder), processor="org/other")) is None
    assert {one["name"] for one in unreachable} == {"org/it", "org/base", "org/other"}
    assert all(one["local_files_only"] for one in unreachable)
    other = fill(tmp_path / "processor", {"processor_config.json": "{}"})
    card = ModelCard(name="m", checkpoint=str(folder), processor=str(other))
    identity = f"sha256:{digest} asked through sha256:{processor_sha256(other)}"
    assert known_checkpoint(card) == Checkpoint(folder, identity, weights_sha256=digest, processor=other)
    fill(tmp_path, {"preprocessor_config.json": "{}"})
    identity = f"sha256:{digest} asked through sha256:{processor_sha256(tmp_path)}"
    found = known_checkpoint(ModelCard(name="m", checkpoint=str(folder)))
    assert found == Checkpoint(folder, identity, weights_sha256=digest, processor=tmp_path), "as a Trainer leaves it"
    for server_, kind, dtype in (("vllm", "vllm", "the server's"), (None, "transformers", "float32")):
        info = known_info(
            ModelCard(name="m", checkpoint=str(folder), server=cast(Any, server_), device="cpu" if not server_ else "auto")
        )
        assert info is not None
        assert (info.adapter, info.device_kind, info.dtype) == (kind, server_ or "cpu", dtype)
        assert (info.identity, info.weights_sha256) == (identity, digest)
    assert known_info(ModelCard(name="m", checkpoint="x", adapter="m.py:C")) is None


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({}, None),
        ({"processor": "org/p"}, None),
        ({"processor": "p"}, "Processor 'p' is no folder here"),
        ({"processor": "a/b/c"}, "Processor 'a/b/c' is no folder here"),
        ({"server": "transformers", "device": "cuda"}, None),
        ({"device": "cuda"}, "Device 'cuda' can't be used: this machine has no GPU driver"),
        ({"device": "cpu"}, None),
        ({"quantize": "4bit"}, "--quantize 4bit needs a GPU"),
        ({"adapter": "m.py:C", "processor": "p"}, None),
    ],
)
def test_what_is_wrong_with_a_card_shows_in_files(
    card: dict[str, Any], words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hope_bench.adapters.known._gpus", lambda: ())
    fill(tmp_path, {"config.json": {"vision_config": {}}, "model.safetensors": safetensors({})})
    one = ModelCard(name="m", checkpoint=str(tmp_path)).model_copy(update=card)
    if words is None:
        check_card(one, False)
        return
    with pytest.raises(HopeBenchError) as refused:
        check_card(one, False)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize("trusted", [False, True])
def test_small_files_travel_first_and_code_only_where_it_is_trusted(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def download(name: str, **how: Any) -> str:
        if how.get("local_files_only"):
            raise OSError("not here")
        assert (name, how["revision"]) == ("org/it", "2")
        asked.append(how["allow_patterns"])
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("hope_bench.adapters.checkpoint.check_runnable", lambda *_: asked.append("checked"))
    monkeypatch.setattr("hope_bench.adapters.checkpoint._files_at_hub", lambda *_: [])
    said: list[str] = []
    card = ModelCard(name="m", checkpoint="org/it", revision="2")
    fill(tmp_path, {"config.json": {}})
    small = ["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
    with pytest.raises(
        HopeBenchError, match=r"^org/it \(revision 2\) is incomplete in the local Hugging Face cache: it holds no weights"
    ):
        find_checkpoint(card, said.append, trusted)
    first = [*small, "*.py"] if trusted else small
    assert asked == [first, "checked", ["*.safetensors"], ["pytorch_model*.bin", "adapter_model.bin"]]
    fill(tmp_path, {"model.safetensors": safetensors({})})
    asked.clear()
    assert find_checkpoint(card, said.append, trusted).identity == f"org/it@{tmp_path.name}"
    assert asked == [first, "checked", ["*.safetensors"]]
    asked.clear()
    find_checkpoint(card, said.append, trusted, runs_here=False)
    assert asked == [first, ["*.safetensors"]]
