"""Where numbers come from: file hashes, package versions, the commit; and files written so that a crash leaves no half."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout, lock_descriptor

from hope_bench.errors import HopeBenchError

_PACKAGES = ("hope-bench", "torch", "transformers", "open_clip_torch", "numpy", "pillow")


def file_sha256(path: Path) -> str:
    """The hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_sha256(value: Any) -> str:
    """The hex SHA-256 of a value's canonical JSON (sorted keys, no spaces, UTF-8)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def short_hash(whole: str) -> str:
    """The first twelve digits of a hash or a commit, by which people are told of it."""
    return whole[:12]


def versions() -> dict[str, str]:
    """Python's version and those of the packages a number may depend on."""
    found = {package: package_version(package) for package in _PACKAGES}
    return {"python": platform.python_version()} | {package: one for package, one in found.items() if one is not None}


@cache
def package_version(package: str) -> str | None:
    """The version of an installed package; None where it isn't."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str | None:
    """The git commit of the source checkout this package runs from, "+dirty" where it has changes; None outside one."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True, timeout=10)
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+dirty" if dirty.stdout.strip() else "")


def make_folder(folder: Path) -> None:
    """Make a folder and its parents. Raises HopeBenchError where a file is in the way, or it can't be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HopeBenchError(f"The folder {folder} can't be made: {_in_the_way(folder, error)}. Choose another.") from None


def check_folder(folder: Path) -> None:
    """Before long work: raise HopeBenchError where no file could be written to a folder. One that isn't there isn't made."""
    nearest = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    try:
        tempfile.TemporaryFile(dir=nearest, prefix=".", suffix=PARTIAL).close()  # some disks show it for a moment
    except OSError as error:
        raise HopeBenchError(f"Nothing can be written to {folder}: {_in_the_way(folder, error)}. Choose another.") from None


def holds_files(folder: Path) -> bool:
    """Whether a folder is there and holds anything but hidden files, such as .git."""
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def check_new(folder: Path) -> None:
    """Before long work: raise HopeBenchError unless a folder is new or empty (but for hidden files), and can be written to."""
    check_folder(folder)
    if holds_files(folder):
        raise HopeBenchError(f"{folder} holds files already. Give another --out, or remove it.")


@contextlib.contextmanager
def new_folder(folder: Path, what: Mapping[str, object]) -> Iterator[None]:
    """A folder that is filled meanwhile, new, empty, or left unfinished by another process that wrote the same (`what`, as JSON).

    Interrupted, it keeps a mark that says so, and the next call writes its files anew. Raises HopeBenchError for every other
    folder, and where another process fills it.
    """
    mark, said = folder / UNFINISHED, json.dumps(what, sort_keys=True, ensure_ascii=False)
    check_folder(folder)
    with locked(folder):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if mark.read_text(encoding="utf-8") != said:
                raise HopeBenchError(f"{folder} holds another export that was interrupted. Give another --out, or remove it.")
        if not mark.is_file():
            check_new(folder)
        try:
            write_text(mark, said)
            yield
            _removed(mark)
        except BaseException:
            if not holds_files(folder):  # nothing was written that could be gone on with
                with contextlib.suppress(OSError):
                    mark.unlink(missing_ok=True)
            raise


def check_pages(folder: Path, mark: str, what: str) -> None:
    """Before long work: raise HopeBenchError where a folder holds files of others: pages are only written to an empty folder (but
    for hidden files), or over earlier ones, whose index.html holds `mark`. `what` says in words what these are."""
    check_folder(folder)
    index = folder / "index.html"
    if holds_files(folder) and not (index.is_file() and mark in index.read_text(encoding="utf-8", errors="replace")[:1000]):
        raise HopeBenchError(f"{folder} holds files, but no {what}. Choose an empty or a new folder.")


def _in_the_way(folder: Path, error: OSError) -> str:
    file = next((one for one in (folder, *folder.parents) if os.path.exists(one) and not one.is_dir()), None)  # noqa: PTH110 (Path.exists raises here)
    return f"{file} is a file" if file is not None else error.strerror or str(error)


_LONGEST_WAIT, _LOOK_AGAIN = 60.0, 0.02
"""Seconds that another process is waited for, and between two looks."""

_ATTEMPTS = 3

UNFINISHED = ".unfinished"
"""The mark of a folder that isn't whole yet (`new_folder`)."""

_LOCK = ".lock"

PARTIAL = ".partial"
"""How a file ends that isn't whole yet."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block ends well, and vanishes when it doesn't.

    What a killed process left of the same file is taken away, and another process that writes it is waited for. Raises
    HopeBenchError where nothing can be written there, or that takes more than a minute.
    """
    make_folder(path.parent)
    temporary = _temporary(path)
    with _explained(path):
        handle = _begin(temporary, path)
    try:
        with _explained(path, temporary):
            yield temporary
        with _explained(path):
            temporary.replace(path)
    except BaseException:
        _discard(handle, temporary)
        raise
    finally:
        os.close(handle)


def sweep(path: Path) -> None:
    """Remove what `atomic_path` left of a file when its process was killed, where the file may not be written anew."""
    temporary = _temporary(path)
    if temporary.exists():
        with _explained(path):
            handle = _begin(temporary, path)
        _discard(handle, temporary)
        os.close(handle)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}{PARTIAL}")


def _begin(temporary: Path, path: Path) -> int:
    """Make a new file that stands for `path` until it is whole, and hold it: a descriptor, whose lock ends with its process."""
    until = time.monotonic() + _LONGEST_WAIT
    while True:
        try:
            handle, new = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            try:
                handle, new = os.open(temporary, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), False
            except FileNotFoundError:
                continue
        try:
            free = _lock(handle) and _is_at(handle, temporary)
            if free and new:
                return handle
            if free:  # whoever began it was killed
                temporary.unlink()
        except BaseException:
            if new:
                _discard(handle, temporary)
            os.close(handle)
            raise
        os.close(handle)
        if not free and not new:
            if time.monotonic() > until:
                raise HopeBenchError(f"Another process is writing {path}. Wait until it is done.")
            time.sleep(_LOOK_AGAIN)


def _lock(handle: int) -> bool:
    """Whether nobody else holds the file; now this process does. Some network disks know no locks: there everybody may."""
    try:
        return lock_descriptor(handle, blocking=False)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
            return True
        raise


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _discard(handle: int, temporary: Path) -> None:
    with contextlib.suppress(OSError):
        if _is_at(handle, temporary):  # after the replacement it may be another process's already
            temporary.unlink()


def _removed(path: Path) -> None:
    with _explained(path):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path, patience: float | None = None, instead: str = "") -> Iterator[None]:
    """Hold a folder, made where it isn't there, while files of it that belong together are read and written: another process that
    wants it waits. Folders that were made in vain are taken away.

    Raises HopeBenchError where nothing can be written there, or another process holds it for more than `patience` seconds (by
    default a minute); `instead` is what one may do but wait.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    lock = FileLock(folder / _LOCK, timeout=_LONGEST_WAIT if patience is None else patience)
    for left in reversed(range(_ATTEMPTS)):
        make_folder(folder)
        try:
            lock.acquire()
            break
        except Timeout:
            raise HopeBenchError(f"Another process is writing to {folder}. Wait until it is done{instead}.") from None
        except OSError as error:
            if not left or not isinstance(error, FileNotFoundError):  # else whoever held it took the folder away
                raise HopeBenchError(f"{folder} can't be written: {error.strerror or error}.") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # held, so that nobody else's is removed
            (folder / _LOCK).unlink()
        lock.release()
        with contextlib.suppress(OSError):
            for one in made:
                one.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all. Raises HopeBenchError where it can't be written."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises HopeBenchError where it can't be written."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def append(path: Path, data: bytes) -> None:
    """Add bytes to a file; the disk has them when this returns. Raises HopeBenchError where it won't take them: then nothing of
    them stays. For files that nobody else writes now (`locked`)."""
    with _explained(path), path.open("ab", buffering=0) as stream:  # unbuffered: nothing waits to be written once more
        size = stream.tell()
        try:
            written = 0
            while written < len(data):
                written += stream.write(data[written:]) or 0
            os.fsync(stream.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                stream.truncate(size)
            raise


@contextlib.contextmanager
def _explained(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """What the disk says of writing a file, in words; with a `temporary` one, not what it says of others."""
    try:
        yield
    except OSError as error:
        if temporary is not None and error.filename not in (None, str(temporary)):
            raise
        raise HopeBenchError(f"{path} can't be written: {error.strerror or error}.") from None
