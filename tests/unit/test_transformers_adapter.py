"""The transformers adapter against naive oracles: one question at a time, one plain forward, nothing shared with the code."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from hope_bench.adapters import transformers_model
from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.decoding import Decoder
from hope_bench.adapters.encoding import pack, rows_of_image
from hope_bench.adapters.loading import check_quantize, find_device
from hope_bench.adapters.transformers_model import TransformersModel
from hope_bench.adapters.yes_no import find_yes_no, read_first_token
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from tests.checkpoints import FAMILIES, pictures, prompts, template_of

BATCH = list(zip(pictures(12), prompts(12), strict=True))
Checkpoint = Callable[[str], Path]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:transformers.*")


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """These models are too small for threads, which only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def card(folder: Path, **settings: Any) -> ModelCard:
    return ModelCard(
        name="tiny", checkpoint=str(folder), **{"device": "cpu", "max_new_tokens": 6, **template_of(folder.name), **settings}
    )


def loaded(folder: Path, **settings: Any) -> TransformersModel:
    model = TransformersModel(card(folder, **settings))
    model.load()
    return model


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copy"))


class Naive:
    """How one would ask by hand: the documented calls, a batch of one, no padding."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.template = template_of(folder.name)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()

    def inputs(self, image: Any, prompt: str) -> Any:
        content = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            **self.template,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        inputs.pop("labels", None)
        return inputs

    @torch.no_grad()
    def first(self, image: Any, prompt: str) -> tuple[float, float, int]:
        probabilities = self.model(**self.inputs(image, prompt)).logits[0, -1].double().softmax(0).tolist()
        words = {i: self.processor.tokenizer.decode([i]).strip().lower() for i in range(len(self.processor.tokenizer))}
        yes = sum(p for i, p in enumerate(probabilities) if words.get(i) == "yes")
        no = sum(p for i, p in enumerate(probabilities) if words.get(i) == "no")
        return yes / (yes + no), yes + no, max(range(len(probabilities)), key=probabilities.__getitem__)

    def text(self, image: Any, prompt: str) -> str:
        inputs = self.inputs(image, prompt)
        made = self.model.generate(**inputs, do_sample=False, temperature=1.0, repetition_penalty=1.0, max_new_tokens=6)
        return str(self.processor.tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_and_texts_equal_asking_one_by_one(family: str, checkpoint: Checkpoint) -> None:
    naive = Naive(checkpoint(family))
    for answer, (image, prompt) in zip(loaded(checkpoint(family)).answer(BATCH), BATCH, strict=True):
        p_yes, mass, token = naive.first(image, prompt)
        assert answer.p_yes == pytest.approx(p_yes, abs=1e-4)
        assert answer.mass == pytest.approx(mass, abs=1e-4)
        word = naive.processor.tokenizer.decode([token]).strip()
        if word.lower() in ("yes", "no"):
            assert (answer.text, answer.complete) == (word, False)
        else:
            assert (answer.text, answer.complete) == (naive.text(image, prompt), True)


def test_both_kinds_of_first_token_occur(checkpoint: Checkpoint) -> None:
    assert {answer.complete for answer in loaded(checkpoint("idefics3")).answer(BATCH)} == {True, False}


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_do_not_depend_on_their_neighbours(family: str, checkpoint: Checkpoint) -> None:
    model = loaded(checkpoint(family))
    together = model.answer(BATCH)
    backwards = model.answer(BATCH[::-1])[::-1]
    pairs = [answer for start in range(0, len(BATCH), 2) for answer in model.answer(BATCH[start : start + 2])]
    for one, *others in zip(together, backwards, pairs, strict=True):
        for other in others:
            assert (other.text, other.complete) == (one.text, one.complete)
            assert other.p_yes == pytest.approx(one.p_yes, abs=1e-4)
            assert other.mass == pytest.approx(one.mass, abs=1e-4)


def test_logits_that_are_no_numbers_make_that_row_an_error(checkpoint: Checkpoint) -> None:
    model = loaded(checkpoint("llava"))
    before = model.answer(BATCH[:3])

    def spoil(_module: Any, _inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        logits[1] = math.nan
        return logits

    hook = model._model.get_output_embeddings().register_forward_hook(spoil)
    spoilt = model.answer(BATCH[:3])
    hook.remove()
    assert spoilt[1].text is None
    assert spoilt[1].p_yes is None
    assert "not finite" in str(spoilt[1].error)
    assert [spoilt[0], spoilt[2]] == [before[0], before[2]]


def test_out_of_memory_asks_fewer_at_once_and_loses_nobody(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    model = TransformersModel(card(checkpoint("llava")), said.append)
    model.load()
    whole = model.answer(BATCH)
    at_once = Decoder.answer
    sizes: list[int] = []

    def cramped(decoder: Decoder, inputs: Any, *seeds: Any) -> list[RawAnswer]:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return at_once(decoder, inputs, *seeds)

    room = 3
    monkeypatch.setattr(Decoder, "answer", cramped)
    assert [answer.text for answer in model.answer(BATCH)] == [answer.text for answer in whole]
    assert sizes[:3] == [12, 6, 3]
    assert model.report.checks[0].passed
    sizes.clear()
    model.answer(BATCH)
    assert sizes == [3, 3, 3, 3], "the size that fits is remembered"
    assert [line for line in said if "don't fit in memory" in line] == said
    assert len(said) == 1
    room = 0
    assert all("alone needs more memory" in str(answer.error) for answer in model.answer(BATCH))


def test_loading_and_asking_are_silent(checkpoint: Checkpoint, capfd: pytest.CaptureFixture[str]) -> None:
    folder = checkpoint("llava")
    capfd.readouterr()  # writing it isn't
    loaded(folder).answer(BATCH[:2])
    assert capfd.readouterr() == ("", "")


def test_info_names_the_very_files(checkpoint: Checkpoint, tmp_path: Path) -> None:
    info = TransformersModel(card(checkpoint("llava"))).info
    assert (info.adapter, info.dtype, info.device_kind, info.revision) == ("transformers", "float32", "cpu", None)
    folder = copied(checkpoint("llava"), tmp_path)
    assert TransformersModel(card(folder)).info == info
    (folder / "chat_template.jinja").write_text("{{ bos_token }}other {{ messages[0].content[1].text }}")
    assert TransformersModel(card(folder)).info.weights_sha256 != info.weights_sha256


def test_a_model_without_yes_or_no_tokens_still_answers(checkpoint: Checkpoint) -> None:
    model = loaded(checkpoint("llava"))
    assert model._paths is not None
    model._paths._decoder = replace(model._paths._decoder, tokens=find_yes_no({"maybe": 3}))
    answer = model.answer(BATCH[:1])[0]
    assert (answer.p_yes, answer.mass, answer.complete, answer.error) == (None, None, True, None)


def without_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def without_a_shard(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))


def without_one_weight(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if "q_proj" in name))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def with_cut_off_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def with_config(**keys: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "config.json").write_text(json.dumps(keys))

    spoil.__name__ = f"with_config_{'_'.join(map(str, keys.values()))[:20]}"
    return spoil


def with_half_a_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "lla')


def without_processor(folder: Path) -> None:
    for name in ("processor_config.json", "preprocessor_config.json"):
        (folder / name).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_template, "has no chat template"),
        (without_weights, "is incomplete: it holds no weights"),
        (without_a_shard, r"1 of 1 weight files are missing \(the first is model-1.safetensors\)"),
        (without_one_weight, "lacks 1 of its model's weights .*q_proj"),
        (with_cut_off_weights, "weights of .* can't be loaded"),
        (without_config, "holds .*, and no config.json"),
        (with_half_a_config, "damaged config.json"),
        (with_config(model_type="llama"), "'llama' model, which transformers can't ask about an image"),
        (with_config(model_type="llavva"), "model type 'llavva', which transformers .* doesn't know .*'llava'"),
        (with_config(architectures=["X"]), "model type None, which transformers"),
        (with_config(model_type="own", auto_map={"AutoConfig": "own.Own"}), "trust_remote_code"),
        (without_processor, "processor"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_checkpoint_is_said_in_words(
    spoil: Callable[[Path], None], message: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = copied(checkpoint("llava"), tmp_path)
    spoil(folder)
    with pytest.raises(HopeBenchError, match=message) as caught:
        loaded(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_a_device_that_is_not_there(device: str, checkpoint: Checkpoint) -> None:
    with pytest.raises(HopeBenchError, match=f"Device '{device}' can't be used"):
        TransformersModel(card(checkpoint("llava"), device=device))


def test_several_processes_do_not_share_a_gpu(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(HopeBenchError, match="would be that of every process"):
        TransformersModel(card(checkpoint("llava"), device="cuda:0"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("cuda") == find_device("auto") == torch.device("cuda:1")


def test_flash_attention_is_given_no_mask_of_ours(checkpoint: Checkpoint) -> None:
    model = loaded(checkpoint("llava"))
    assert model._paths is not None
    assert model._paths._shared is not None
    shared = model._paths._shared
    images = rows_of_image([model._paths._row((BATCH[0][0], prompt)) for prompt in prompts(2)])
    with torch.inference_mode():
        prefix = shared.prefix([images])
    assert shared.packable(prefix)
    model._model.config.get_text_config()._attn_implementation_internal = "flash_attention_2"
    assert not shared.packable(prefix)


def test_a_folder_has_no_revision(checkpoint: Checkpoint) -> None:
    with pytest.raises(HopeBenchError, match="which has no revision 'v2'"):
        TransformersModel(card(checkpoint("llava"), revision="v2"))


@pytest.mark.parametrize("name", ["/nowhere/at-all", "./missing", "one-word", "a/b/c"])
def test_a_name_that_is_neither_folder_nor_id(name: str) -> None:
    with pytest.raises(HopeBenchError, match="no folder here"):
        TransformersModel(card(Path("x")).model_copy(update={"checkpoint": name}))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache, and a Hub that can't be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_cached_id_needs_no_network_and_is_pinned_to_its_commit(hub: Path, checkpoint: Checkpoint) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = hub / "models--org--tiny"
    shutil.copytree(checkpoint("llava"), repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    said: list[str] = []
    model = TransformersModel(card(Path("org/tiny")), said.append)
    assert (model.info.revision, model.info.weights_sha256, said) == (commit, None, [])
    assert model.info.identity == f"org/tiny@{commit}"
    (repository / "snapshots" / commit / "model.safetensors").unlink()
    with pytest.raises(HopeBenchError, match="org/tiny is incomplete in the local Hugging Face cache: it holds no weights"):
        TransformersModel(card(Path("org/tiny")))


@pytest.mark.usefixtures("hub")
def test_offline_and_not_cached() -> None:
    with pytest.raises(HopeBenchError, match=r"org/tiny \(revision v2\) is not in the local .* HF_HUB_OFFLINE"):
        TransformersModel(card(Path("org/tiny"), revision="v2"))


def test_a_download_is_announced_and_an_unsuitable_model_costs_no_weights(
    hub: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Hub is a function here: it copies what is asked for into the snapshot folder."""
    source, snapshot = checkpoint("llava"), hub / "snapshots" / "c0ffee"
    said: list[str] = []
    fetched: list[str] = []

    def fake(*_: Any, local_files_only: bool = False, allow_patterns: Any = (), **__: Any) -> str:
        if local_files_only:
            raise FileNotFoundError
        assert said, "the download began before it was announced"
        snapshot.mkdir(parents=True, exist_ok=True)
        for path in [path for pattern in allow_patterns for path in source.glob(pattern)]:
            fetched.append(path.name)
            shutil.copy(path, snapshot)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fake)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert TransformersModel(card(Path("org/tiny")), said.append).info.identity == "org/tiny@c0ffee"
    assert said == ["Downloading org/tiny from the Hugging Face Hub ..."]
    assert fetched[-1] == "model.safetensors"

    source = copied(source, hub)
    with_config(model_type="llama")(source)
    fetched.clear()
    with pytest.raises(HopeBenchError, match="can't ask about an image"):
        TransformersModel(card(Path("org/tiny")), said.append)
    assert "config.json" in fetched
    assert "model.safetensors" not in fetched


def test_yes_and_no_in_every_spelling() -> None:
    vocabulary = {"▁Yes": 0, "ĠYES": 1, "yes": 2, "▁no": 3, "Ċno": 4, "No": 5, "not": 6, "yesno": 7, "▁": 8, " no": 9}
    tokens = find_yes_no(vocabulary)
    assert tokens.yes.tolist() == [0, 1, 2]
    assert tokens.no.tolist() == [3, 4, 5, 9]


def test_scores_of_a_hand_made_row() -> None:
    tokens = find_yes_no({"yes": 0, "Yes": 1, "no": 2, "other": 3, "masked": 4, "beyond the model": 9, "No": 9})
    rows = torch.tensor([[0.2, 0.1, 0.1, 0.6, 0.0], [0.1, 0.2, 0.6, 0.1, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]]).log()
    rows = torch.cat([rows, torch.full((1, 5), -math.inf), torch.tensor([[0.0, 0.0, math.nan, 0.0, 0.0]])])
    first = read_first_token(rows, tokens)
    assert first.p_yes[:2].tolist() == pytest.approx([0.75, 1 / 3])
    assert first.mass[:3].tolist() == pytest.approx([0.4, 0.9, 0.0])
    assert first.is_answer[:3].tolist() == [False, True, False]
    assert first.finite.tolist() == [True, True, True, False, False]
    assert first.scores(1) == pytest.approx((1 / 3, 0.9))


def test_one_model_over_several_gpus_and_several_processes_exclude_each_other(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(HopeBenchError, match="exclude each other"):
        TransformersModel(card(checkpoint("llava"), device_map="auto"))
    TransformersModel(card(checkpoint("llava")))
    for alone in ("1", ""):
        monkeypatch.setenv("WORLD_SIZE", alone)
        TransformersModel(card(checkpoint("llava"), device_map="auto"))


def test_a_checkpoints_code_is_trusted_where_card_and_flag_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    trusted: list[bool] = []
    monkeypatch.setattr(transformers_model, "find_checkpoint", lambda _, __, trust: trusted.append(trust))
    for said in (False, True):
        for flag in (False, True):
            TransformersModel(card(Path("it"), trust_remote_code=said), trust_remote_code=flag)
    TransformersModel(card(Path("it"), trust_remote_code=True))
    assert trusted == [False, False, False, True, False]


def test_what_was_encoded_elsewhere_is_for_a_loaded_model(checkpoint: Checkpoint) -> None:
    model, taken = TransformersModel(card(checkpoint("llava"))), list[Any]()
    rows = [{"input_ids": torch.tensor([[1, 2]])}]
    model.take(BATCH[:1], pack(rows))
    model._paths = cast(Any, SimpleNamespace(take=lambda *given: taken.append(given)))
    model.take(BATCH[:1], pack(rows))
    ((batch, (row,)),) = taken
    assert (batch, row["input_ids"].tolist()) == (BATCH[:1], [[1, 2]])


def test_attention_and_device_map_come_from_the_card(checkpoint: Checkpoint) -> None:
    batch = [(BATCH[0][0], prompt) for prompt in prompts(6)]
    expected = loaded(checkpoint("llava")).answer(batch)
    model = loaded(checkpoint("llava"), attention="eager", device_map="sequential")
    assert model._model.config._attn_implementation == "eager"
    found = model.answer(batch)
    assert [answer.text for answer in found] == [answer.text for answer in expected]
    assert [answer.p_yes for answer in found] == pytest.approx([answer.p_yes for answer in expected], abs=1e-4)
    assert model.report.path == "shared"


def test_what_quantization_needs_is_named(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HopeBenchError, match="--quantize 4bit needs a GPU"):
        TransformersModel(card(checkpoint("llava"), quantize="4bit"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(HopeBenchError, match=r"needs bitsandbytes.*hope-bench\[quantized\]"):
        check_quantize("8bit", torch.device("cuda"))


def test_bfloat16_takes_the_shared_path(checkpoint: Checkpoint) -> None:
    for family in ("llava", "qwen2_5_vl"):
        model = loaded(checkpoint(family), dtype="bfloat16")
        answers = model.answer([(BATCH[0][0], prompt) for prompt in prompts(6)])
        assert not any(answer.error for answer in answers)
        assert model.report.path == "shared"
        assert all(check.threshold == 0.25 and check.passed for check in model.report.checks)
    model = loaded(checkpoint("paligemma"), dtype="bfloat16")
    model.answer([(BATCH[0][0], prompt) for prompt in prompts(6)])
    assert model.report.path == "plain"


def test_what_was_prepared_is_used_and_forgotten(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [(BATCH[0][0], prompt) for prompt in prompts(6)]
    model = loaded(checkpoint("llava"))
    expected = model.answer(batch)
    model.prepare(batch)
    assert model._paths is not None
    assert len(model._paths._rows) == 6
    with monkeypatch.context() as patch:
        patch.setattr(type(model._paths._decoder.encoder), "row", None)
        assert model.answer(batch) == expected
    assert not model._paths._rows


def test_a_question_that_is_asked_alone_is_encoded_once(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded(checkpoint("llava"), path="plain")
    expected = model.answer(BATCH[:1])
    model.prepare(BATCH[:1])
    assert model._paths is not None
    for name in ("row", "batch"):
        monkeypatch.setattr(type(model._paths._decoder.encoder), name, None)
    assert model.answer(BATCH[:1]) == expected


def test_what_a_library_warns_of_is_seen_and_what_is_understood_is_not(
    checkpoint: Checkpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint with weights that its model has no place for: transformers says so, and nobody else would."""
    folder = copied(checkpoint("llava"), tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "left_over.weight": torch.zeros(3)}, folder / "model.safetensors", {"format": "pt"})
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**settings, "do_sample": False, "temperature": 0.2}))
    loaded(folder).answer(BATCH[:2])
    assert "left_over.weight" in caplog.text
    assert "generation flags" not in caplog.text
    assert "Loading weights" not in capfd.readouterr().err
