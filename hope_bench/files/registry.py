"""Where model cards, benchmarks and leaderboard data are found: explicit path, then the working directory, then the package."""

from __future__ import annotations

from pathlib import Path

from hope_bench.errors import HopeBenchError, did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent


def data_root() -> Path:
    """The folder holding the packaged models/, benchmarks/ and leaderboard/: inside the wheel, or the source checkout."""
    packaged = _PACKAGE / "_data"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def _folders(kind: str) -> tuple[Path, ...]:
    return (Path(kind), data_root() / kind)


def known_models() -> dict[str, Path]:
    """Every model card by name (the file's stem); the working directory's come before the packaged ones."""
    found: dict[str, Path] = {}
    for folder in _folders("models"):
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def known_benchmarks() -> dict[str, Path]:
    """Every benchmark folder by name; the working directory's come before the packaged ones."""
    found: dict[str, Path] = {}
    for folder in _folders("benchmarks"):
        for path in sorted(folder.glob("*/")):
            if _is_benchmark(path):
                found.setdefault(path.name, path)
    return found


def _folder(name: str) -> Path | None:
    """The benchmark at that path, else the known one of that name; a folder that merely is called so (of images, of a demo's
    output) is in nobody's way, and only taken where nothing else is meant."""
    path = Path(name)
    return path if _is_benchmark(path) else known_benchmarks().get(name) or (path if path.is_dir() else None)


def _is_benchmark(folder: Path) -> bool:
    return (folder / "spec.toml").is_file() or (folder / "manifest.json").is_file()


def find_spec(name: str) -> Path:
    """The spec.toml that `name` means: a path to it or to its folder, or a benchmark's name.

    Raises HopeBenchError naming the nearest known benchmark.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = _folder(name)
    if folder is not None and (folder / "spec.toml").is_file():
        return folder / "spec.toml"
    if folder is not None:
        raise HopeBenchError(f"{folder} holds no spec.toml, so nothing says how to generate it. Write one (docs/spec.md).")
    raise HopeBenchError(
        f"No benchmark spec {name!r}. Give a spec.toml, its folder or a name. " + did_you_mean(name, known_benchmarks())
    )


def find_benchmark(name: str) -> Path:
    """The folder of a generated benchmark (with manifest.json) that `name` means: a path, or a benchmark's name.

    Raises HopeBenchError naming the nearest known benchmark.
    """
    folder = _folder(name)
    if folder is None:
        raise HopeBenchError(f"No benchmark {name!r}. Give its folder or a name. " + did_you_mean(name, known_benchmarks()))
    if not (folder / "manifest.json").is_file():
        raise HopeBenchError(
            f"Benchmark {folder} has no manifest.json: its questions were not generated yet. Run: hope-bench generate {name}"
        )
    return folder
