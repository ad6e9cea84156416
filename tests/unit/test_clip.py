"""The CLIP encoder, its embeddings' store, and embedding many files, with real open_clip models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hope_bench.clip.embed import View, embed_views
from hope_bench.clip.encoder import BATCH, ClipEncoder, load_encoder
from hope_bench.clip.store import Embeddings, EmbeddingStore
from hope_bench.errors import HopeBenchError
from hope_bench.images import hash_images, open_rgb
from tests.clips import save_tiny_clip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> ClipEncoder:
    return load_encoder(save_tiny_clip(tmp_path_factory.mktemp("clip")), device="cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for index in range(9):
        size = (int(rng.integers(20, 90)), int(rng.integers(20, 90)), 3)
        Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).save(folder / f"{index}.png")
    return sorted(folder.glob("*.png"))


def embed(
    encoder: ClipEncoder, paths: list[Path], hashes: list[str], store: EmbeddingStore
) -> tuple[dict[str, Embeddings], dict[str, str]]:
    """Whole pictures, by SHA-256."""
    found, failed = embed_views(encoder, dict(zip(hashes, paths, strict=True)), [View(one) for one in hashes], store)
    return {view.sha256: vector for view, vector in found.items()}, failed


def digests(paths: list[Path]) -> list[str]:
    return [str(value) for value in hash_images(paths)]


def test_embeddings_equal_a_bare_open_clip_loop(encoder: ClipEncoder, pictures: list[Path], tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, encoder)
    hashes = digests(pictures)
    found, failed = embed(encoder, pictures, hashes, store)
    assert failed == {}
    for path, digest in zip(pictures, hashes, strict=True):
        with torch.no_grad():
            vector = encoder.model.encode_image(encoder.preprocess(open_rgb(path))[None])[0]
        expected = (vector / vector.norm()).numpy()
        np.testing.assert_allclose(found[digest], expected, atol=1e-6)


def test_each_image_is_computed_once_and_kept(encoder: ClipEncoder, pictures: list[Path], tmp_path: Path) -> None:
    hashes = digests(pictures)
    store = EmbeddingStore(tmp_path, encoder)
    first, _ = embed(encoder, pictures[:5], hashes[:5], store)
    store.close()
    reopened = EmbeddingStore(tmp_path, encoder)
    assert sorted(reopened.get(hashes)) == sorted(hashes[:5])
    calls: list[int] = []

    class Counting:
        preprocess, device = encoder.preprocess, encoder.device

        def encode_images(self, pixels: torch.Tensor) -> np.ndarray:
            calls.append(len(pixels))
            return encoder.encode_images(pixels)

    second, _ = embed(Counting(), pictures, hashes, reopened)  # type: ignore[arg-type]
    assert sum(calls) == 4
    for digest in hashes[:5]:
        np.testing.assert_array_equal(second[digest], first[digest])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_embedding_depends_on_nothing_but_its_picture(
    encoder: ClipEncoder, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """Not on what is left beside it after an interruption, not on the order, not on the number of threads."""
    hashes = digests(pictures)
    whole, _ = embed(encoder, pictures, hashes, EmbeddingStore(tmp_path / "whole", encoder))
    before = torch.get_num_threads()
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    torch.set_num_threads(threads)
    try:
        store = EmbeddingStore(tmp_path / "interrupted", encoder)
        for places in ([4], [8, 2, 6], range(9)):
            found, _ = embed(encoder, [pictures[i] for i in places], [hashes[i] for i in places], store)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for digest in hashes:
        np.testing.assert_array_equal(found[digest], whole[digest])
    texts = [f"a {word}" for word in ("cup", "dog", "blue car", "tree")]
    np.testing.assert_array_equal(np.concatenate([encoder.encode_texts([one]) for one in texts]), encoder.encode_texts(texts))


@pytest.mark.parametrize("other", ["torch", "pillow", "device", "batch"])
def test_what_was_computed_otherwise_is_not_read(
    encoder: ClipEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """Other versions, devices and shapes round otherwise. The encoder itself stays the same one."""
    here = EmbeddingStore(tmp_path, encoder)
    here.put({"a": np.ones(16, dtype=np.float32)})
    assert "a" in EmbeddingStore(tmp_path, replace(encoder)).get(["a"])
    if other == "torch":
        monkeypatch.setattr(torch, "__version__", "1.0")
    elif other == "pillow":
        monkeypatch.setattr("PIL.__version__", "1.0")
    elif other == "batch":
        monkeypatch.setattr("hope_bench.clip.encoder.BATCH", BATCH * 2)
    elsewhere = replace(encoder, device="cuda") if other == "device" else encoder
    assert EmbeddingStore(tmp_path, elsewhere).get(["a"]) == {}
    assert elsewhere.sha256 == encoder.sha256


def test_boxes_a_hair_apart_are_kept_apart(encoder: ClipEncoder, tmp_path: Path) -> None:
    """On a picture of 8,000 pixels the fourth digit of a share is most of a pixel."""
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (16, 8000, 3), dtype=np.uint8)).save(tmp_path / "wide.png")
    (digest,) = digests([tmp_path / "wide.png"])
    views = [View(digest, (left, 0.0, 0.505, 1.0)) for left in (0.49996, 0.50004)]  # from pixel 3999 and from pixel 4000
    paths = {digest: tmp_path / "wide.png"}
    fresh, _ = embed_views(encoder, paths, views, EmbeddingStore(tmp_path, encoder))
    again, _ = embed_views(encoder, paths, views, EmbeddingStore(tmp_path, encoder))
    for view in views:
        np.testing.assert_array_equal(again[view], fresh[view])


def test_a_view_is_the_cropped_picture_and_has_a_place_of_its_own(
    encoder: ClipEncoder, pictures: list[Path], tmp_path: Path
) -> None:
    (digest,) = digests(pictures[:1])
    picture = open_rgb(pictures[0])
    width, height = picture.size
    views = [View(digest), View(digest, (0.5, 0.0, 1.0, 0.5))]
    found, _ = embed_views(encoder, {digest: pictures[0]}, views, EmbeddingStore(tmp_path, encoder))
    corner = picture.crop((width // 2, 0, width, round(height / 2)))
    expected = encoder.encode_images(torch.stack([encoder.preprocess(picture), encoder.preprocess(corner)]))
    np.testing.assert_allclose(np.stack([found[view] for view in views]), expected, atol=1e-6)
    again, _ = embed_views(encoder, {}, views, EmbeddingStore(tmp_path, encoder))
    np.testing.assert_array_equal(again[views[1]], found[views[1]])


def test_views_fill_batches_whatever_picture_they_are_of(encoder: ClipEncoder, pictures: list[Path], tmp_path: Path) -> None:
    hashes = digests(pictures)
    sizes: list[int] = []

    class Counting:
        preprocess, device = encoder.preprocess, "cuda"  # decodes ahead, as for a GPU

        def encode_images(self, pixels: torch.Tensor) -> np.ndarray:
            sizes.append(len(pixels))
            return encoder.encode_images(pixels)

    boxes = [(0.0, 0.0, 0.5, 1 - step / 100) for step in range(BATCH + 5)]
    views = [View(hashes[0]), *(View(hashes[1], box) for box in boxes), *(View(digest) for digest in hashes)]
    store, path_of = EmbeddingStore(tmp_path, encoder), dict(zip(hashes, pictures, strict=True))
    told: list[int] = []
    found, _ = embed_views(Counting(), path_of, views, store, told.append)  # type: ignore[arg-type]
    assert sizes == [BATCH, 14]
    assert sum(told) == len(found)
    for view in (views[0], views[3], views[-1]):
        alone, _ = embed_views(encoder, path_of, [view], EmbeddingStore(tmp_path / "alone", encoder))
        np.testing.assert_array_equal(found[view], alone[view])


def test_bad_images_are_reported_and_survived(encoder: ClipEncoder, pictures: list[Path], tmp_path: Path) -> None:
    truncated, text = tmp_path / "truncated.png", tmp_path / "text.png"
    truncated.write_bytes(pictures[0].read_bytes()[:300])
    text.write_text("not a picture")
    paths = [truncated, pictures[1], text]
    hashes = digests(paths)
    found, failed = embed(encoder, paths, hashes, EmbeddingStore(tmp_path, encoder))
    assert list(found) == [hashes[1]]
    assert "truncated" in failed[hashes[0]]
    assert "not an image" in failed[hashes[2]]


def test_category_embedding_is_the_unit_mean_over_templates(encoder: ClipEncoder) -> None:
    templates = ["a photo of {a} {category}", "{category}!"]
    made = encoder.encode_categories(["apple", "cup"], templates)
    for row, texts in enumerate([["a photo of an apple", "apple!"], ["a photo of a cup", "cup!"]]):
        mean = encoder.encode_texts(texts).mean(axis=0)
        np.testing.assert_allclose(made[row], mean / np.linalg.norm(mean), atol=1e-6)


def test_identity_follows_the_weights(encoder: ClipEncoder, tmp_path: Path) -> None:
    same = load_encoder(save_tiny_clip(tmp_path / "elsewhere", seed=0), device="cpu")
    other = load_encoder(save_tiny_clip(tmp_path / "other", seed=1), device="cpu")
    assert same.sha256 == encoder.sha256
    assert other.sha256 != encoder.sha256
    assert same.name == "local-dir:elsewhere"  # a name for files, without this machine's folders


def test_a_checkpoint_file_of_a_named_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip
    from open_clip.factory import _MODEL_CONFIGS

    told = open_clip.get_model_config("ViT-S-32-alt")
    for part in ("vision_cfg", "text_cfg"):
        told[part]["layers"] = 1
    monkeypatch.setitem(_MODEL_CONFIGS, "ViT-S-32-alt", told)
    model = open_clip.create_model("ViT-S-32-alt")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    loaded = load_encoder(f"ViT-S-32-alt:{tmp_path / 'weights.pt'}", device="cpu")
    assert loaded.name == "ViT-S-32-alt:weights.pt"
    for key, value in model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[key], value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ViT-B-33:openai", ["ViT-B-32"]),
        ("ViT-B-32", ["names no weights", "openai"]),  # open_clip itself would quietly use random weights
        ("ViT-B-32:openay", ["'openai'"]),
        ("local-dir:/nowhere", ["open_clip_config.json"]),
    ],
)
def test_unknown_encoders_are_refused(name: str, words: list[str]) -> None:
    with pytest.raises(HopeBenchError) as caught:
        load_encoder(name)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("part", "larger"),
    [
        ("vision_cfg", {"width": 64_000}),
        ("vision_cfg", {"image_size": 10**6}),
        ("vision_cfg", {"layers": 10**7, "width": 512}),
        ("text_cfg", {"vocab_size": 10**9}),
        ("text_cfg", {"layers": 10**7, "width": 512}),
        ("text_cfg", {"context_length": 10**5}),  # whose mask alone is 40 GB
    ],
)
def test_a_config_of_a_far_larger_model_is_refused_before_it_is_built(part: str, larger: dict[str, int], tmp_path: Path) -> None:
    name = save_tiny_clip(tmp_path / "tiny")
    file = tmp_path / "tiny" / "open_clip_config.json"
    told = json.loads(file.read_text())
    told["model_cfg"][part] |= larger
    file.write_text(json.dumps(told))
    with pytest.raises(HopeBenchError, match=r"open_clip_config\.json describes a model of more than \d+ million parameters"):
        load_encoder(name, device="cpu")
