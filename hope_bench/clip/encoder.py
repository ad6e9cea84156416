"""An open_clip model as an encoder of images and category names, identified by its weights."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image

from hope_bench.clip.exact import compute_exactly
from hope_bench.clip.names import check_clip_name
from hope_bench.errors import HopeBenchError, did_you_mean
from hope_bench.wording import article

Embeddings = NDArray[np.float32]
"""[N, D] float32, each row of unit length."""

BATCH = 32
"""Rows of every forward, the last one filled up: products of other shapes may round differently, so a picture's embedding would
depend on how many others were left beside it (measured: with fewer than 8)."""


@dataclass(frozen=True, slots=True)
class ClipEncoder:
    """A loaded open_clip model. `sha256` says which: architecture, weights, preprocessing and open_clip's version. `preprocess`
    turns an RGB picture into the [3, H, W] float32 tensor that `encode_images` takes."""

    name: str
    sha256: str
    logit_scale: float
    preprocess: Callable[[Image.Image], torch.Tensor]
    model: Any
    tokenizer: Any
    device: str

    @property
    def numbers(self) -> str:
        """SHA-256 of the encoder and what else its numbers' last digits depend on: the versions of torch and of Pillow, which
        resizes, the kind of device, and the rows of a forward. The model of the processor is not among them."""
        parts = (self.sha256, torch.__version__, PIL.__version__, torch.device(self.device).type, BATCH)
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()

    def encode_images(self, pixels: torch.Tensor) -> Embeddings:
        """[N, 3, H, W] float32 -> [N, D]; a row's numbers depend on no other row."""
        parts = [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]
        return np.concatenate([self._encode(self.model.encode_image, part) for part in parts])

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Texts -> [N, D]; a row's numbers depend on no other row."""
        parts = [list(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        return np.concatenate([self._encode(self.model.encode_text, self.tokenizer(part)) for part in parts])

    def _encode(self, forward: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> Embeddings:
        filled = torch.cat([rows, rows[-1:].expand(BATCH - len(rows), *rows.shape[1:])])
        with torch.inference_mode():
            return _unit(forward(filled.to(self.device)))[: len(rows)]

    def encode_categories(self, names: Sequence[str], templates: Sequence[str]) -> Embeddings:
        """Category names -> [C, D]: the unit mean over the prompt templates of each one's unit text embeddings."""
        return self._ensemble([[one.format(a=article(name), category=name) for one in templates] for name in names])

    def encode_captions(self, captions: Sequence[str], templates: Sequence[str]) -> Embeddings:
        """Noun phrases that bring their article ("a red car") under the same templates -> [M, D]."""
        filled = [[one.replace("{a} ", "").replace("{category}", caption) for one in templates] for caption in captions]
        return self._ensemble([[text.replace("the a ", "a ").replace("the an ", "an ") for text in texts] for texts in filled])

    def _ensemble(self, texts: Sequence[Sequence[str]]) -> Embeddings:
        each = self.encode_texts([text for group in texts for text in group])
        mean = each.reshape(len(texts), -1, each.shape[1]).mean(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)


def load_encoder(name: str, device: str = "auto") -> ClipEncoder:
    """Load "NAME:TAG" or "NAME:CHECKPOINT-FILE" (open_clip's names), "local-dir:FOLDER" or "hf-hub:ORG/NAME" in float32.

    Raises HopeBenchError where the name means nothing to open_clip, or its weights can't be had.
    """
    architecture, pretrained = _check_name(name)
    compute_exactly()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on QuickGELU and hub tokens, nothing a user of this tool can act on
            model, _, preprocess = open_clip.create_model_and_transforms(architecture, pretrained=pretrained, device=device)
            tokenizer = open_clip.get_tokenizer(architecture, **_tokenizer_options(architecture))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise HopeBenchError(
            f"CLIP model {name!r} can't be loaded: {reason}. Is the checkpoint whole, or the network there to get it?"
        ) from error
    model.eval()
    return ClipEncoder(
        name=_public_name(name),
        sha256=_identity(architecture, model, preprocess),
        logit_scale=float(model.logit_scale.detach().exp()),
        preprocess=preprocess,
        model=model,
        tokenizer=tokenizer,
        device=device,
    )


def _check_name(name: str) -> tuple[str, str | None]:
    """open_clip's (architecture, pretrained). An architecture alone is refused: open_clip would quietly use random weights."""
    check_clip_name(name)
    scheme, _, rest = name.partition(":")
    if scheme in ("local-dir", "hf-hub"):
        return name, None
    tags = open_clip.list_pretrained_tags_by_model(scheme)
    if not rest:
        raise HopeBenchError(
            f"CLIP model {name!r} names no weights. Name them: {scheme}:TAG ({', '.join(tags) or 'none'}) or {scheme}:FILE."
        )
    if rest not in tags and not Path(rest).is_file():
        raise HopeBenchError(
            f"open_clip has no weights {rest!r} for {scheme}, and no such file exists. " + did_you_mean(rest, tags)
        )
    return scheme, rest


def _tokenizer_options(architecture: str) -> dict[str, str]:
    """open_clip does not resolve a vocabulary file that a local folder's config names beside itself; this does."""
    if not architecture.startswith("local-dir:"):
        return {}
    folder = Path(architecture.removeprefix("local-dir:"))
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
    bpe = config.get("model_cfg", {}).get("text_cfg", {}).get("tokenizer_kwargs", {}).get("bpe_path")
    return {"bpe_path": str((folder / bpe).resolve())} if bpe else {}


def _public_name(name: str) -> str:
    """The name without the folders of this machine."""
    scheme, separator, rest = name.partition(":")
    return scheme + separator + (Path(rest).name if scheme == "local-dir" or Path(rest).is_file() else rest)


def _identity(architecture: str, model: torch.nn.Module, preprocess: Any) -> str:
    digest = hashlib.sha256()
    label = "local-dir" if architecture.startswith("local-dir:") else architecture
    digest.update(f"{label}\n{type(model).__name__}\n{preprocess}\n{open_clip.__version__}\n".encode())
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _unit(embeddings: torch.Tensor) -> Embeddings:
    return np.asarray(torch.nn.functional.normalize(embeddings.float(), dim=-1).cpu().numpy(), dtype=np.float32)
