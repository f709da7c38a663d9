"""A folder as the store: one file an object, readable by its owner alone, its name given once it is on the disk.

What is written so far is `NAME~VALIDATOR.part` beside it, locked by who writes it. It is on the disk up to the last
whole block, whatever becomes of the machine, and so no more than whole blocks of it are gone on with.
"""

import asyncio
import contextlib
import fcntl
import glob
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

from sinks.media.store import Part, Stored, StoreUnavailable

BLOCK = 1 << 20
_LONGEST_VALIDATOR = 150  # of the 255 bytes of a name
_PART = ".part"
T = TypeVar("T")


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def find(self, pattern: str) -> Stored | None:
        return await self._in_thread(self._find, pattern)

    async def sha256(self, path: str) -> str:
        return await self._in_thread(_hash, self._root / path)

    async def part(self, path: str) -> Part:
        return await self._in_thread(self._part, path)

    async def put(self, path: str, chunks: AsyncIterator[bytes], content_type: str, begun: Part) -> tuple[Stored, str]:
        writing = await self._in_thread(_Writing, self._root, path, begun)
        try:
            async for chunk in chunks:
                await self._in_thread(writing.write, chunk)
            return await self._in_thread(writing.finish)
        finally:
            writing.close()

    async def discard(self, path: str) -> None:
        await self._in_thread(self._discard, path)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.to_thread(work, *arguments)
        except OSError as error:
            raise StoreUnavailable(error.strerror or type(error).__name__) from None

    def _find(self, pattern: str) -> Stored | None:
        at = self._root / pattern
        name = glob.escape(at.stem) + at.suffix
        found = sorted(each for each in at.parent.glob(name) if "~" not in each.name)
        if not found:
            return None
        return Stored(found[0].relative_to(self._root).as_posix(), found[0].stat().st_size)

    def _part(self, path: str) -> Part:
        begun = [Part(each.stat().st_size // BLOCK * BLOCK, _validator(each)) for each in _parts(self._root / path)]
        return max((part for part in begun if part.validator and part.bytes), default=Part())

    def _discard(self, path: str) -> None:
        for each in _parts(self._root / path):
            each.unlink(missing_ok=True)


class _Writing:
    """One part that grows. Its methods are called from threads, `close` perhaps while one of them writes."""

    def __init__(self, root: Path, path: str, begun: Part) -> None:
        self._root, self._target = root, root / path
        _make(self._target.parent)
        name = quote(begun.validator or "", safe="")
        self._path = self._target.parent / (
            f"{self._target.name}~{name if len(name) <= _LONGEST_VALIDATOR else ''}{_PART}"
        )
        self._busy = threading.Lock()
        self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", buffering=0)
        try:
            self._own()
            self._hash = hashlib.sha256()
            self._size = 0
            self._read(begun.bytes)
            self._file.truncate(begun.bytes)
        except BaseException:
            self._file.close()
            raise
        for other in _parts(self._target):
            if other != self._path:
                other.unlink(missing_ok=True)

    def _own(self) -> None:
        """Raises OSError if another writes it, or has just given it its name."""
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino:
            raise OSError("another has ended it")

    def _read(self, size: int) -> None:
        while self._size < size:
            chunk = self._file.read(min(BLOCK, size - self._size))
            if not chunk:
                raise OSError("the part has become shorter")
            self._hash.update(chunk)
            self._size += len(chunk)

    def write(self, chunk: bytes) -> None:
        with self._busy, self._or_discarded():
            self._hash.update(chunk)
            rest = memoryview(chunk)
            while rest:
                end = min(len(rest), BLOCK - self._size % BLOCK)
                written = self._file.write(rest[:end])
                self._size += written
                rest = rest[written:]
                if self._size % BLOCK == 0:
                    os.fsync(self._file.fileno())

    def finish(self) -> tuple[Stored, str]:
        with self._busy, self._or_discarded():
            os.fsync(self._file.fileno())
            self._path.rename(self._target)
            _sync(self._target.parent)
        path = self._target.relative_to(self._root).as_posix()
        return Stored(path, self._target.stat().st_size), self._hash.hexdigest()

    @contextlib.contextmanager
    def _or_discarded(self):  # type: ignore[no-untyped-def]
        """After a failed fsync nobody knows what is on the disk: https://lwn.net/Articles/752063/."""
        try:
            yield
        except OSError:
            self._path.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        with self._busy:
            self._file.close()


def _parts(target: Path) -> Sequence[Path]:
    return list(target.parent.glob(f"{glob.escape(target.name)}~*{_PART}"))


def _validator(part: Path) -> str | None:
    return unquote(part.name.partition("~")[2].removesuffix(_PART)) or None


def _make(folder: Path) -> None:
    """With all that is above it, each on the disk."""
    if not folder.is_dir():
        _make(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
