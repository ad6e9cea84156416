"""What a card's checkpoint is, as far as files tell: where it lies, its hash, its processor, and how it travels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from hope_bench.adapters.checkpoint import (
    Checkpoint,
    check_here,
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
from tests.checkpoint_files import fill, index, safetensors


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
        ("a/" + "x" * 253, None, None),
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
    fill(adapter, {"adapter_config.json": {"base_model_name_or_path": str(folder)}})
    identity = f"sha256:{content_sha256(adapter)} on sha256:{digest}"
    found = known_checkpoint(ModelCard(name="m", checkpoint=str(adapter)))
    assert found == Checkpoint(folder, identity, None, json_sha256(identity), adapter, folder)
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
    for server_ in ("vllm", None):
        trusted = ModelCard(
            name="m",
            checkpoint=str(folder),
            server=cast(Any, server_),
            device="auto" if server_ else "cpu",
            trust_remote_code=True,
        )
        info = known_info(trusted)
        assert info is not None
        assert info.identity == f"{identity} with its own code"
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


CONFIG = {"config.json": {"vision_config": {}}}
INDEX = "model.safetensors.index.json"


@pytest.mark.usefixtures("unreachable")
def test_what_is_cached_in_part_is_looked_for_and_not_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    card = ModelCard(name="m", checkpoint="org/it")
    check_here(card, None)
    for offline, told in ((True, []), (False, ["Looking for org/it on the Hugging Face Hub ..."])):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
        with pytest.raises(HopeBenchError, match=r"^org/it is not in the local Hugging Face cache and can't be downloaded: "):
            check_here(card, said.append)
        assert said == told
    fill(tmp_path, {**CONFIG, INDEX: index("a", "b"), "a": ""})
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path))
    check_here(card, said.append)
    fill(tmp_path, {"b": ""})
    with pytest.raises(HopeBenchError, match=f"^The weights of {tmp_path} can't be loaded: a is empty"):
        check_here(card, None)
    check_here(card.model_copy(update={"server": "vllm"}), None)
    fill(tmp_path, {"config.json": {"text_config": {}}})
    check_here(card, None)


def test_a_processor_is_fetched_where_it_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "it", {**CONFIG, "model.safetensors": safetensors({})})
    cached, asked, said = tmp_path / "cached", list[dict[str, Any]](), list[str]()

    def download(name: str, **how: Any) -> str:
        if how.get("local_files_only"):
            if not cached.is_dir():
                raise OSError("not here")
        else:
            asked.append({"name": name, **how})
            fill(cached, {"processor_config.json": "{}"})
        return str(cached)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    card = ModelCard(name="m", checkpoint=str(folder), processor="org/p")
    for before in (None, {"README.md": ""}, {"processor_config.json": "{}"}):
        asked.clear()
        said.clear()
        if before is not None:
            (cached / "processor_config.json").unlink()
            fill(cached, before)
        found = find_checkpoint(card, said.append, False, runs_here=False)
        assert (found.processor, found.identity.endswith(" asked through org/p@cached")) == (cached, True)
        fetched = before is None or "README.md" in before
        assert said == ["Downloading the processor of org/p from the Hugging Face Hub ..."] * fetched
        assert [one["name"] for one in asked] == ["org/p"] * fetched
    with pytest.raises(HopeBenchError, match=f"^{folder} holds no processor: no processor_config.json"):
        find_checkpoint(card.model_copy(update={"processor": str(folder)}), said.append, False, runs_here=False)


ADAPTER = {"adapter_config.json": {"base_model_name_or_path": "org/base"}}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": {}, "optimizer.pt": ""}, "F holds what a training goes on with (optimizer.pt), and no weights."),
        ({**ADAPTER, "optimizer.pt": ""}, "Checkpoint F is incomplete: it holds no weights (adapter_model.safetensors"),
        ({"config.json": {}}, "Checkpoint F is incomplete: it holds no weights (model.safetensors or pytorch_model.bin)."),
        ({"model.gguf": ""}, "F holds llama.cpp's format (GGUF)"),
        ({"model.safetensors": ""}, "F is no checkpoint in transformers' format: it holds model.safetensors, and no config.json"),
    ],
)
def test_a_folder_that_is_no_whole_checkpoint(files: dict[str, Any], words: str, tmp_path: Path) -> None:
    fill(tmp_path, files)
    with pytest.raises(HopeBenchError) as refused:
        local_folder(str(tmp_path), None)
    assert str(refused.value).replace(str(tmp_path), "F").startswith(words)
    if not files.keys() & {"config.json", "adapter_config.json"}:
        (tmp_path / "config.json").symlink_to("nowhere")
        with pytest.raises(
            HopeBenchError, match=f"^Checkpoint {tmp_path} is incomplete: config.json is a link to nowhere, which"
        ):
            local_folder(str(tmp_path), None)


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
