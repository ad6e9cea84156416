"""What the fork server of tests/forks.py imports once, so that none of its forks must: the project and the libraries it uses."""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import pkgutil
import sys
from pathlib import Path

import hope_bench

gc.disable()  # all of this stays: to look for garbage among it takes an eighth of the time

LIBRARIES = (
    "scipy.optimize", "scipy.stats", "sklearn.linear_model", "transformers.models.clip.modeling_clip",
    "transformers.models.llama.modeling_llama", "transformers.models.llava.modeling_llava",
    "transformers.models.llava.processing_llava", "typeguard",
)  # fmt: skip
NOT = {
    "hope_bench.__main__",  # is run
    "hope_bench.reviewing.page",  # gradio takes longer than all else of the project, and few forks open a page
}

own = {found.name for found in pkgutil.walk_packages(hope_bench.__path__, "hope_bench.")}
for name in (*LIBRARIES, *sorted(own - NOT), "tests.clips", "tests.forks"):
    importlib.import_module(name)

# What every command does first: it builds the command line, and asks which packages are installed.
cli = sys.modules["hope_bench.cli"]
cli._let_help_wrap(cli.app)
sys.modules["typer.main"].get_command = (tree := importlib.import_module("tests.cli").tree)
tree(cli.app)
sys.modules["hope_bench.provenance"].versions()

sys.modules["tests.clips"].read_words_once()

# Compiles a thousand patterns, once: whoever loads a model asks for it.
importlib.import_module("transformers.conversion_mapping").get_checkpoint_conversion_mapping("llava")
atexit.register(gc.unfreeze)  # else nanobind tells of what is left over at the end


def in_huge_pages() -> None:
    """Put what is in memory into pages of 2 MB, where Linux can (6.1): a fork then copies hundreds of entries, not 160,000, which
    takes 18 ms in place of 46."""
    collapse = 25  # MADV_COLLAPSE
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, may, _, _, file, *name = line.split(maxsplit=5)
        start, end = (int(one, 16) for one in place.split("-"))
        if may.startswith("rw") and file == "0" and (not name or name[0] == "[heap]") and end - start >= 2**21:
            libc.madvise(start, end - start, collapse)


if sys.platform == "linux":
    in_huge_pages()
gc.freeze()  # a fork that looked for garbage among all this would copy it
gc.enable()
