"""An open_clip model as an encoder of images and category names, identified by its weights."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import open_clip
import PIL
import torch
from PIL import Image

from hope_bench.clip.activation import CONFIG_KNOWS, Activation, build_options, built_activation, choose_activation
from hope_bench.clip.exact import compute_exactly
from hope_bench.clip.names import check_clip_name
from hope_bench.clip.outside import tokenizer_options, without_code
from hope_bench.clip.size import no_larger_than
from hope_bench.clip.store import Embeddings, EmbeddingStore
from hope_bench.clip.text import TextTower, text_tower
from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.images import DECODING
from hope_bench.processes import own_gpu
from hope_bench.progress import progress_bar
from hope_bench.wording import article

BATCH = 32
"""Rows of every forward, the last one filled up: products of other shapes may round differently, so a picture's embedding would
depend on how many others were left beside it (measured: with fewer than 8)."""

ComputeTexts = Callable[[Sequence[torch.Tensor]], Iterator[Embeddings]]
"""What `ClipEncoder.compute_texts` does, by one encoder or by several."""

_TOKENIZED_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class ClipEncoder:
    """A loaded open_clip model. `sha256` says which: architecture, weights, activation, preprocessing and open_clip's version.
    `preprocess` turns an RGB picture into the [3, H, W] float32 tensor that `encode_images` takes.

    `logit_scale` and `logit_bias` are what the model was trained to turn a cosine into a logit with: of a softmax over the texts
    where there is no bias, of a sigmoid for each pair where there is one (SigLIP). Both are None where the model has no scale.
    """

    name: str
    sha256: str
    activation: Activation
    logit_scale: float | None
    logit_bias: float | None
    preprocess: Callable[[Image.Image], torch.Tensor]
    model: Any
    tokenizer: Any
    text: TextTower
    device: str

    @property
    def numbers(self) -> str:
        """SHA-256 of the encoder and what else its numbers' last digits depend on: the versions of torch, of Pillow, which
        resizes, and of the libraries that towers come from, how files become pixels, the kind of device, the rows of a forward
        and the lengths that texts are padded to. The model of the processor is not among them."""
        libraries = (torch.__version__, PIL.__version__, *(version(one) for one in ("torchvision", "timm", "transformers")))
        shapes = (torch.device(self.device).type, BATCH, self.text.lengths)
        return hashlib.sha256("\n".join(map(str, (self.sha256, *libraries, DECODING, *shapes))).encode()).hexdigest()

    def encode_images(self, pixels: torch.Tensor) -> Embeddings:
        """[N, 3, H, W] float32 -> [N, D]; a row's numbers depend on no other row."""
        parts = [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]
        return np.concatenate([self._encode(self.model.encode_image, part) for part in parts])

    def encode_texts(
        self, texts: Sequence[str], store: EmbeddingStore | None = None, compute: ComputeTexts | None = None
    ) -> Embeddings:
        """Texts -> [N, D]; a row's numbers depend on no other row. Each is computed once, by `compute` where it is given
        (`compute_texts`), and kept in `store` where one is given.

        Raises HopeBenchError where the tokenizer isn't the model's.
        """
        keys: list[str] = []
        todo: dict[int, dict[str, torch.Tensor]] = {length: {} for length in self.text.lengths}
        found: dict[str, Embeddings] = {}
        for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
            tokens = self._tokens(texts[start : start + _TOKENIZED_AT_ONCE])
            own = [_text_key(row) for row in tokens]
            keys += own
            found |= {} if store is None else store.get(list(dict.fromkeys(own)))
            for key, row, length in zip(own, tokens, self.text.length_of(tokens), strict=True):
                if key not in found:
                    todo[length].setdefault(key, row[:length].clone())
        with progress_bar(f"Embedding texts with {self.name}", sum(map(len, todo.values()))) as advance:
            for rows in todo.values():
                waiting = iter(rows)
                for vectors in (compute or self.compute_texts)(list(rows.values())):
                    made = dict(zip(islice(waiting, len(vectors)), vectors, strict=True))
                    found |= made
                    advance(len(made))
                    if store is not None:
                        store.put(made)
        return np.stack([found[key] for key in keys])

    def compute_texts(self, rows: Sequence[torch.Tensor]) -> Iterator[Embeddings]:
        """The embeddings [N, D] of texts' token ids, all padded to one of `text.lengths`, in order, some at a time."""
        for start in range(0, len(rows), BATCH):
            yield self._encode(self.text, torch.stack(list(rows[start : start + BATCH])))

    def _tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """[N, context] token ids."""
        tokens: torch.Tensor = self.tokenizer(list(texts))
        words = self.text.words
        if words is not None and int(tokens.max()) >= words:
            raise HopeBenchError(
                f"The tokenizer of CLIP model {self.name!r} knows more words than the model's {words:,}: it is another model's. "
                "Put the right tokenizer's files beside the weights, and name them in open_clip_config.json."
            )
        return tokens

    def _encode(self, forward: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> Embeddings:
        filled = torch.cat([rows, rows[-1:].expand(BATCH - len(rows), *rows.shape[1:])])
        with torch.inference_mode():
            return _unit(forward(filled.to(self.device)))[: len(rows)]

    def encode_categories(
        self,
        names: Sequence[str],
        templates: Sequence[str],
        store: EmbeddingStore | None = None,
        compute: ComputeTexts | None = None,
    ) -> Embeddings:
        """Category names -> [C, D]: the unit mean over the prompt templates of each one's unit text embeddings."""
        return self._ensemble(
            [[one.format(a=article(name), category=name) for one in templates] for name in names], store, compute
        )

    def encode_captions(
        self,
        captions: Sequence[str],
        templates: Sequence[str],
        store: EmbeddingStore | None = None,
        compute: ComputeTexts | None = None,
    ) -> Embeddings:
        """Noun phrases that bring their article ("a red car") under the same templates -> [M, D]."""
        filled = [[one.replace("{a} ", "").replace("{category}", caption) for one in templates] for caption in captions]
        plain = [[text.replace("the a ", "a ").replace("the an ", "an ") for text in texts] for texts in filled]
        return self._ensemble(plain, store, compute)

    def _ensemble(self, texts: Sequence[Sequence[str]], store: EmbeddingStore | None, compute: ComputeTexts | None) -> Embeddings:
        each = self.encode_texts([text for group in texts for text in group], store, compute)
        mean = each.reshape(len(texts), -1, each.shape[1]).mean(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)


def load_encoder(name: str, device: str = "auto", activation: Activation | None = None) -> ClipEncoder:
    """Load "NAME:TAG" or "NAME:CHECKPOINT-FILE" (open_clip's names), "local-dir:FOLDER" or "hf-hub:ORG/NAME" in float32.

    `activation` is for weights that don't say which they were trained with (docs/spec.md). `device` "auto" is this process's GPU
    where there are some. Raises HopeBenchError where the name
    means nothing to open_clip, its weights can't be had, or the activation is unknown.
    """
    architecture, pretrained = _check_name(name)
    activation = choose_activation(architecture, pretrained, activation)
    compute_exactly()
    if device == "auto":
        device = f"cuda:{own_gpu(torch.cuda.device_count())}" if torch.cuda.is_available() else "cpu"
    try:
        with _understood_warnings(architecture, pretrained), without_code():
            options = tokenizer_options(architecture)
            _check_size(architecture)
            # Unlike create_model_and_transforms it refuses a folder without weights instead of making random ones.
            model, preprocess = open_clip.create_model_from_pretrained(
                architecture, pretrained=pretrained, device=device, **build_options(activation)
            )
            tokenizer = open_clip.get_tokenizer(architecture, **options)
    except HopeBenchError as error:
        raise HopeBenchError(f"CLIP model {name!r} can't be loaded: {error}") from None
    except UnpicklingError as error:
        raise HopeBenchError(
            f"CLIP model {name!r} is not loaded: its file is damaged, or holds more than weights, which could be code that runs. "
            "Get the weights as .safetensors."
        ) from error
    except Exception as error:
        raise HopeBenchError(
            f"CLIP model {name!r} can't be loaded: {short_reason(error)}. "
            "Is the checkpoint whole and of this architecture, or the network there to get it?"
        ) from error
    model.eval()
    built = built_activation(model)
    if activation not in (None, built):
        raise HopeBenchError(f"The towers of CLIP model {name!r} have an activation of their own; leave {activation!r} out.")
    text = text_tower(model, tokenizer.context_length)
    _check_vocabulary(name, tokenizer, text)
    scale, bias = (getattr(model, one, None) for one in ("logit_scale", "logit_bias"))
    return ClipEncoder(
        name=_public_name(name),
        sha256=_identity(architecture, model, built, preprocess),
        activation=built,
        logit_scale=None if scale is None else float(scale.detach().exp()),
        logit_bias=None if scale is None or bias is None else float(bias.detach()),
        preprocess=preprocess,
        model=model,
        tokenizer=tokenizer,
        text=text,
        device=device,
    )


@contextmanager
def _understood_warnings(architecture: str, pretrained: str | None) -> Iterator[None]:
    """Whatever open_clip warns of is shown, but for one thing: that tag and config disagree on QuickGELU where `CONFIG_KNOWS`
    says that the config is right. (Everywhere else the right activation is forced, and there is nothing to warn of.)"""
    with warnings.catch_warnings():
        if CONFIG_KNOWS.get(architecture) == pretrained is not None:
            warnings.filterwarnings("ignore", "QuickGELU mismatch", UserWarning, r"open_clip\.factory")
        yield


def _check_size(architecture: str) -> None:
    """A folder's config is built without memory first: one that describes a far larger model than its weights is refused here."""
    if not architecture.startswith("local-dir:"):
        return
    folder = Path(architecture.removeprefix("local-dir:"))
    files = [file for file in folder.iterdir() if file.suffix in (".safetensors", ".bin", ".pth")]
    with no_larger_than(files, folder / "open_clip_config.json", buffers=True), torch.device("meta"), _said_later():
        try:
            open_clip.create_model(architecture, load_weights=False, device="meta")
        except HopeBenchError:
            raise
        except Exception:  # noqa: BLE001 - whatever else is wrong shows when it is built for good
            return


@contextmanager
def _said_later() -> Iterator[None]:
    """Without open_clip's warnings: they come when the model is built for good, but for one, that these weights are random."""

    def told(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("No pretrained weights loaded")

    logging.getLogger().addFilter(told)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.getLogger().removeFilter(told)


def _check_vocabulary(name: str, tokenizer: Any, text: TextTower) -> None:
    """open_clip takes CLIP's own vocabulary where a config names no tokenizer, and a larger model takes its ids silently."""
    if isinstance(tokenizer, open_clip.SimpleTokenizer) and text.words not in (None, tokenizer.vocab_size):
        raise HopeBenchError(
            f"CLIP model {name!r} was made for {text.words:,} tokens, and its config names no tokenizer: CLIP's own has "
            f"{tokenizer.vocab_size:,}. Put its tokenizer's files beside the weights, and name them in open_clip_config.json "
            "(text_cfg.hf_tokenizer_name)."
        )


def _check_name(name: str) -> tuple[str, str | None]:
    """open_clip's (architecture, pretrained). An architecture alone is refused: open_clip would quietly use random weights."""
    check_clip_name(name)
    scheme, _, rest = name.partition(":")
    if scheme in ("local-dir", "hf-hub"):
        return name, None
    return scheme, rest


def _public_name(name: str) -> str:
    """The name without the folders of this machine."""
    scheme, separator, rest = name.partition(":")
    return scheme + separator + (Path(rest).name if scheme == "local-dir" or Path(rest).is_file() else rest)


def _text_key(tokens: torch.Tensor) -> str:
    """What the store calls a text: its token ids are all that the model sees of template, words and tokenizer."""
    return "text:" + hashlib.sha256(tokens.to(torch.int64).numpy().tobytes()).hexdigest()


def _identity(architecture: str, model: torch.nn.Module, activation: Activation, preprocess: Any) -> str:
    digest = hashlib.sha256()
    label = "local-dir" if architecture.startswith("local-dir:") else architecture
    digest.update(f"{label}\n{type(model).__name__}\n{activation}\n{preprocess}\n{open_clip.__version__}\n".encode())
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _unit(embeddings: torch.Tensor) -> Embeddings:
    return np.asarray(torch.nn.functional.normalize(embeddings.float(), dim=-1).cpu().numpy(), dtype=np.float32)
