"""Folders: what the spool needs of a disk, as a port small enough for a twin that forgets, fills up or hangs."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from ingest.spool.segments import SUFFIX


class SpoolInUse(Exception):
    """Another process holds the folder."""


class File(Protocol):
    def write(self, data: bytes) -> None: ...

    def sync(self) -> None:
        """All that was written is on the disk. Raises OSError; then nothing is known of what was written."""

    def close(self) -> None: ...


class Files(Protocol):
    """What the spool needs of a folder. Raises OSError."""

    def names(self) -> Sequence[str]: ...

    def create(self, name: str) -> File: ...

    def read(self, name: str, at_most: int = -1) -> bytes: ...

    def size(self, name: str) -> int: ...

    def rename(self, old: str, new: str) -> None: ...

    def remove(self, name: str) -> None: ...

    def sync_names(self) -> None:
        """Creations, renamings and removals are on the disk."""


class Folder:
    """A folder that nobody but this process uses: its files are readable by their owner only. Raises SpoolInUse,
    OSError."""

    def __init__(self, path: Path) -> None:
        _make(path)
        self._path = path
        self._lock: IO[str] = (path / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise SpoolInUse(f"{path} is in use by another front door: give each its own folder") from None

    def close(self) -> None:
        self._lock.close()

    def names(self) -> Sequence[str]:
        return sorted(entry.name for entry in self._path.iterdir() if entry.name.endswith(SUFFIX))

    def create(self, name: str) -> File:
        return _DiskFile(os.open(self._path / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600))

    def read(self, name: str, at_most: int = -1) -> bytes:
        with (self._path / name).open("rb") as file:
            return file.read(at_most)

    def size(self, name: str) -> int:
        return (self._path / name).stat().st_size

    def rename(self, old: str, new: str) -> None:
        (self._path / old).rename(self._path / new)

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def sync_names(self) -> None:
        _sync(self._path)


class _DiskFile:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


def _make(path: Path) -> None:
    """The folder's own name must be there after a power loss too, and those of its parents that were made with it."""
    new = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in new:
        _sync(each.parent)


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
