"""The percentile bootstrap over images, paired across splits, for the numbers that no formula serves (rates have theirs in
scoring/rates.py)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hope_bench.errors import HopeBenchError
from hope_bench.files.result import Bootstrap
from hope_bench.scoring.metrics import Counts, Floats
from hope_bench.scoring.rates import FEW_IMAGES

DEFAULT_BOOTSTRAP = Bootstrap(replicates=2000, seed=0, confidence=0.95)

LEAST_REPLICATES, MOST_REPLICATES = 100, 100_000


def bootstrap_of(replicates: int) -> Bootstrap:
    """The default bootstrap with another number of replicates. Raises HopeBenchError for fewer than LEAST_REPLICATES, and for
    more than MOST_REPLICATES."""
    if not LEAST_REPLICATES <= replicates <= MOST_REPLICATES:
        raise HopeBenchError(f"replicates is {replicates!r}: give a whole number from {LEAST_REPLICATES} to {MOST_REPLICATES:,}.")
    return DEFAULT_BOOTSTRAP.model_copy(update={"replicates": replicates})


MOST_UNDEFINED = 0.05
"""The share of replicates in which a metric may be undefined before its interval is given up."""

_CHUNK_CELLS = 1_000_000
"""Replicates x images of one weight matrix: 8 MB, whatever the benchmark's size."""


def resampling_weights(images: int, replicates: int, rng: np.random.Generator) -> Floats:
    """How often each image is drawn in each replicate: float64 [replicates, images], every row multinomial with sum `images`.

    Drawn as `images` uniform indices a row and counted, which is the same distribution and faster than rng.multinomial.
    """
    drawn = rng.integers(images, size=(replicates, images))
    cells = drawn + images * np.arange(replicates)[:, None]
    return np.bincount(cells.ravel(), minlength=replicates * images).reshape(replicates, images).astype(np.float64)


def bootstrap_counts(tables: Counts, bootstrap: Bootstrap) -> Floats:
    """Resampled count tables, float64 [replicates, splits, labels, verdicts], of tables int64 [splits, images, labels, verdicts].

    A replicate draws the same images in every split, so that differences between splits are paired. The sums are whole numbers,
    hence exact and the same on every machine.
    """
    splits, images, *cell = tables.shape
    flat = np.moveaxis(tables, 1, 0).reshape(images, splits * math.prod(cell)).astype(np.float64)
    used = flat.any(axis=0)  # most runs leave the columns of unparsed answers and errors empty
    resampled = np.zeros((bootstrap.replicates, flat.shape[1]))
    resampled[:, used] = np.concatenate([weights @ flat[:, used] for weights in weight_chunks(images, bootstrap)])
    return resampled.reshape(bootstrap.replicates, splits, *cell)


def weight_chunks(images: int, bootstrap: Bootstrap, columns: int = 0) -> Iterator[Floats]:
    """The bootstrap's resampling weights, float64 [rows, images] a chunk, `replicates` rows in all.

    The draws depend on the seed and the number of images alone, so that whatever is resampled is resampled alike. `columns` makes
    chunks shorter where each row grows into that many cells.
    """
    rng = np.random.default_rng(bootstrap.seed)
    rows = max(1, _CHUNK_CELLS // max(images, columns, 1))
    for done in range(0, bootstrap.replicates, rows):
        yield resampling_weights(images, min(rows, bootstrap.replicates - done), rng)


def percentiles(samples: Floats, confidence: float) -> tuple[Floats, Floats]:
    """The percentile limits of bootstrap samples [replicates, ...], NaN where undefined: [...] twice, NaN where the samples are
    undefined in more than MOST_UNDEFINED of the replicates."""
    undefined = np.isnan(samples).mean(axis=0) > MOST_UNDEFINED
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(np.where(undefined, 0.0, samples), [tail, 100 - tail], axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def sound_percentiles(
    samples: Floats, erring: NDArray[np.int64], clean: NDArray[np.int64], confidence: float
) -> tuple[Floats, Floats]:
    """As `percentiles`, but NaN too where FEW_IMAGES images or fewer hold an error, or hold none: there a resample of the images
    shows next to nothing of what other images would have shown."""
    low, high = percentiles(samples, confidence)
    sound = np.minimum(erring, clean) > FEW_IMAGES
    return np.where(sound, low, np.nan), np.where(sound, high, np.nan)
