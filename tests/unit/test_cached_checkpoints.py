"""What is known of a model by files alone, without torch and the Hub: ids in Hugging Face's cache, and devices."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hope_bench.adapters import known
from hope_bench.adapters.base import AdapterInfo
from hope_bench.adapters.checkpoint import check_here, known_checkpoint, local_folder
from hope_bench.adapters.known import check_card
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.card import ModelCard
from hope_bench.inference.engine import EvaluateOptions, evaluate
from hope_bench.inference.estimate import estimate
from tests.engine import Model, benchmark, by_brightness, options

__all__ = ["benchmark", "options"]

COMMIT, LATER = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
CONFIG = json.dumps({"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}).encode()
NO_TENSORS = (2).to_bytes(8, "little") + b"{}"
Cached = Callable[..., Path]


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cached:
    """Puts a repository's main commit into a Hub cache of the test's own, as huggingface_hub lays it out."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def put(name: str, commit: str = COMMIT, more: Sequence[str] = ()) -> Path:
        repository = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        snapshot = repository / "snapshots" / commit
        for folder in (repository / "refs", snapshot):
            folder.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
        for file, content in {"config.json": CONFIG, "model.safetensors": NO_TENSORS, **dict.fromkeys(more, b"")}.items():
            (snapshot / file).write_bytes(content)
        return snapshot

    return put


def test_a_cached_id_without_its_code_is_not_all_here_where_the_code_is_to_run(cached: Cached) -> None:
    snapshot = cached("org/it")
    assert local_folder("org/it", None) == snapshot
    assert local_folder("org/it", None, trust_remote_code=True) is None
    (snapshot / "modeling_it.py").touch()
    assert local_folder("org/it", None) == local_folder("org/it", None, trust_remote_code=True) == snapshot
    (snapshot / "model.safetensors").unlink()
    assert local_folder("org/it", None) is local_folder("org/it", None, trust_remote_code=True) is None


def test_a_cached_processor_is_part_of_which_model_it_is(cached: Cached) -> None:
    card = ModelCard(name="it", checkpoint="org/it", processor="org/eyes")
    snapshot = cached("org/it")
    assert known_checkpoint(card) is None, "it would be downloaded"
    eyes = cached("org/eyes", LATER)
    found = known_checkpoint(card)
    assert found is not None
    assert (found.folder, found.processor, found.revision) == (snapshot, eyes, COMMIT)
    assert found.identity == f"org/it@{COMMIT} asked through org/eyes@{LATER}"


@pytest.mark.parametrize("code", [False, True])
def test_what_an_estimate_knows_to_be_answered_is_of_that_very_commit(
    code: bool,
    cached: Cached,
    benchmark: Benchmark,
    options: EvaluateOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached("org/it", more=["modeling_it.py"])
    card = ModelCard(name="A model", checkpoint="org/it", batch_size=4, device="cpu", trust_remote_code=code)
    model = Model(by_brightness)
    identity = f"org/it@{COMMIT}" + (" with its own code" if code else "")
    model.info = AdapterInfo("transformers", identity, COMMIT, None, "float32", "cpu", "cpu")
    evaluate(benchmark, card, options, adapter=model)
    found = estimate(benchmark, card, options)
    assert (found.unique, found.left, found.stops) == (12, 0, None)
    with monkeypatch.context() as patch:  # where only torch can tell what there is
        patch.setattr("hope_bench.inference.estimate.known_device", lambda _: None)
        assert estimate(benchmark, card, options).left == 0
    cached("org/it", LATER, more=["modeling_it.py"])
    assert estimate(benchmark, card, options).left == 12
    assert estimate(benchmark, card, replace(options, name="other")).left == 12


def test_a_name_is_shown_whole_unless_it_is_very_long() -> None:
    for name, shown in (("x" * 200, f"'{'x' * 200}'"), ("x" * 201, f"'{'x' * 200}...'")):
        with pytest.raises(HopeBenchError, match=f"Checkpoint {shown} is no folder here"):
            local_folder(name, None)


@pytest.mark.parametrize(
    ("gpus", "device", "refused"),
    [
        ((), "cuda", True), ((), "cuda:1", True), ((), "auto", False), ((), "cpu", False), ((9,), "cuda", False),
        ((9,), "cpu", False), (None, "cuda:0", False),
    ],
)  # fmt: skip
def test_a_gpu_is_missed_before_torch_is_imported(
    gpus: tuple[int, ...] | None, device: str, refused: bool, cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_gpus", lambda: gpus)
    cached("org/it")
    card = ModelCard(name="it", checkpoint="org/it", device=device)
    check_here(card, None)
    if refused:
        with pytest.raises(HopeBenchError, match=f"Device '{device}' can't be used: this machine has no GPU driver"):
            check_card(card, False)
    else:
        check_card(card, False)
