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


def _is_benchmark(folder: Path) -> bool:
    return (folder / "spec.toml").is_file() or (folder / "manifest.json").is_file()


def _holding(name: str, file: str) -> Path | None:
    """The folder that `name` means and that holds `file`: one at that path, one of ./benchmarks, a packaged one. A folder that
    merely is called so (of images, of a spec where a manifest is sought) is in nobody's way.

    Raises HopeBenchError where a bare name means both a folder at hand and one of ./benchmarks.
    """
    here = Path(name)
    if "/" in name or "\\" in name:
        return here if (here / file).is_file() else None
    listed, packaged = Path("benchmarks") / name, data_root() / "benchmarks" / name
    found = [folder for folder in (here, listed, packaged) if (folder / file).is_file()]
    if found[:2] == [here, listed] and here.resolve() != listed.resolve():
        raise HopeBenchError(f"{name!r} means two folders that hold a {file}. Say ./{name} or {listed}.")
    return found[0] if found else None


def find_spec(name: str) -> Path:
    """The spec.toml that `name` means: a path to it or to its folder, or a benchmark's name.

    Raises HopeBenchError naming the nearest known benchmark.
    """
    path = Path(name)
    if path.is_file() and path.suffix.lower() in (".json", ".jsonl", ".csv", ".parquet"):
        raise HopeBenchError(
            f"{path} is no spec. For annotations: hope-bench generate --annotations {path}, or hope-bench init {path}"
        )
    if path.is_file():
        return path
    folder = _holding(name, "spec.toml")
    if folder is not None:
        return folder / "spec.toml"
    if path.is_dir() or _holding(name, "manifest.json") is not None:
        at = path if path.is_dir() else _holding(name, "manifest.json")
        raise HopeBenchError(
            f"{at} holds no spec.toml, so nothing says how to generate it. Write one: hope-bench init {at} (docs/spec.md)."
        )
    raise HopeBenchError(
        f"No benchmark spec {name!r}. Give a spec.toml, its folder or a name. " + did_you_mean(name, known_benchmarks())
    )


def find_benchmark(name: str) -> Path:
    """The folder of a generated benchmark (with manifest.json) that `name` means: a path, or a benchmark's name.

    Raises HopeBenchError naming the nearest known benchmark.
    """
    folder = _holding(name, "manifest.json")
    if folder is not None:
        return folder
    spec = _holding(name, "spec.toml")
    if spec is not None or Path(name).is_dir():
        raise HopeBenchError(
            f"Benchmark {spec or name} has no manifest.json: its questions were not generated yet. "
            f"Run: hope-bench generate {name}"
        )
    raise HopeBenchError(
        f"No benchmark {name!r}. Give its folder, a name, or hf:ORG/NAME of the Hub. " + did_you_mean(name, known_benchmarks())
    )
