"""The spool: what Kafka cannot take now, on disk. `hold` returns once the record and its file's name are fsynced.

Segments of framed records, written by one thread in groups, one fsync a group. A file whose write or fsync failed is
never written to again: after a failed fsync the kernel may call lost pages clean (https://lwn.net/Articles/752063/).
Draining publishes the oldest segment and then removes it, so a crash in between repeats records, and loses none.
"""

import asyncio
import contextlib
import fcntl
import math
import os
import re
import struct
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import orjson

from ingest.contract.codec import Headers

MAGIC = b"SHS1"
_MARK = b"\xf5SHF"  # where a record begins, to find the next one behind a damaged one; no UTF-8 text holds it
_FRAME = struct.Struct(">4sII")  # mark, length and CRC-32 of what follows
SEGMENT_BYTES = 1024 * 1024  # one is drained at a time, and repeated where a crash comes in between
_SUFFIX, _ASIDE = ".spool", "aside-"
_NAME = re.compile(r"(?:aside-)?(\d{12})\.spool")
_HEAD_BYTES = 2 * 1024 * 1024  # holds the first record of a segment, whatever its size
_RATE_SECONDS = 60.0
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Spooled:
    """One record for Kafka. `topic` is without the prefix; `at` is when it was spooled, in seconds since 1970."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    at: float


class SpoolUnable(Exception):
    """Ours: the record is not held. `reason` is closed vocabulary: full, too_old, failed, closed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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

    def remove(self, name: str) -> None: ...

    def sync_names(self) -> None:
        """Creations and removals are on the disk."""


class Folder:
    """A folder that nobody but this process uses: its files are readable by their owner only."""

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        return sorted(entry.name for entry in self._path.iterdir() if entry.name.endswith(_SUFFIX))

    def create(self, name: str) -> File:
        return _DiskFile(os.open(self._path / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600))

    def read(self, name: str, at_most: int = -1) -> bytes:
        with (self._path / name).open("rb") as file:
            return file.read(at_most)

    def size(self, name: str) -> int:
        return (self._path / name).stat().st_size

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def sync_names(self) -> None:
        folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


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


def frame(record: Spooled) -> bytes:
    """Length, CRC, then: length of a JSON head, the head, key, value. Nothing of the record is escaped."""
    head = orjson.dumps(
        {
            "topic": record.topic,
            "at": record.at,
            "key": len(record.key),
            "headers": [[name, value.decode("latin-1")] for name, value in record.headers],
        }
    )
    body = b"".join((struct.pack(">I", len(head)), head, record.key, record.value))
    return _FRAME.pack(_MARK, len(body), zlib.crc32(body)) + body


def unframe(data: bytes) -> Iterator[Spooled]:
    """The whole records of a segment. What a crash tore off its end was never acknowledged; see `is_damaged`."""
    for start, end in _frames(data):
        body = data[start + _FRAME.size : end]
        (head_length,) = struct.unpack_from(">I", body)
        head = orjson.loads(body[4 : 4 + head_length])
        rest = body[4 + head_length :]
        headers = tuple((name, value.encode("latin-1")) for name, value in head["headers"])
        yield Spooled(head["topic"], rest[: head["key"]], rest[head["key"] :], headers, head["at"])


def is_damaged(data: bytes) -> bool:
    """Whether a record in the middle cannot be read: no crash does that, a failing disk does."""
    at = len(MAGIC)
    for start, end in _frames(data):
        if start != at:
            return True
        at = end
    return False


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each whole record begins and ends; behind a damaged one, from the next mark on."""
    at = data.find(_MARK)
    while at >= 0:
        end = _end_of(data, at)
        if end is None:
            at = data.find(_MARK, at + 1)
            continue
        yield at, end
        at = end if data.startswith(_MARK, end) else data.find(_MARK, end)


def _end_of(data: bytes, at: int) -> int | None:
    if at + _FRAME.size > len(data):
        return None
    _, length, crc = _FRAME.unpack_from(data, at)
    end: int = at + _FRAME.size + length
    return end if end <= len(data) and zlib.crc32(data[at + _FRAME.size : end]) == crc else None


Publish = Callable[[Spooled], Awaitable[bool]]
"""True: Kafka has it. False: it refuses this record for good. Raises where it takes none now."""


@dataclass(slots=True)
class _Segment:
    name: str
    size: int
    oldest: float
    taken: int = 0  # how many of its records Kafka has already


@dataclass(slots=True)
class _Writing:
    """The file that is written to, by the writer's thread only."""

    file: File
    segment: _Segment


@dataclass(slots=True)
class Spool:
    """`limit` is in bytes, over all segments; with records older than `max_age` seconds on disk no new ones are
    taken. Nothing that was held is ever thrown away. `clock` says seconds since 1970."""

    files: Files
    limit: int
    max_age: float = math.inf
    clock: Callable[[], float] = time.time
    segment_bytes: int = SEGMENT_BYTES
    set_aside: int = 0
    damaged: int = 0
    _segments: list[_Segment] = field(default_factory=list)
    _lately: deque[tuple[float, int]] = field(default_factory=deque)
    _size: int = 0
    _writing: _Writing | None = None
    _next: int = 0
    _pending: list[tuple[bytes, asyncio.Future[None]]] = field(default_factory=list)
    _promised: int = 0
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _writer: asyncio.Task[None] | None = None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "spool"))

    async def start(self) -> None:
        """Finds what an earlier process left. Raises OSError."""
        for name in self.files.names():
            number = _NAME.fullmatch(name)
            if number is None:
                continue  # nothing of ours
            self._next = max(self._next, int(number[1]) + 1)
            if not name.startswith(_ASIDE):
                first = next(unframe(self.files.read(name, _HEAD_BYTES)), None)
                oldest = first.at if first else self.clock()
                self._add(_Segment(name, self.files.size(name), oldest))
        self._writer = asyncio.create_task(self._write_on(), name="spool")

    async def stop(self) -> None:
        """Ends once all that was promised is on disk, or refused."""
        writer, self._writer = self._writer, None
        self._work.set()
        if writer is not None:
            await writer
        self._thread.shutdown()

    @property
    def size(self) -> int:
        """Bytes on disk, of all segments."""
        return self._size

    @property
    def oldest_seconds(self) -> float:
        """Age of the oldest record; 0 where there is none."""
        return max(0.0, self.clock() - self._segments[0].oldest) if self._segments else 0.0

    @property
    def is_empty(self) -> bool:
        return not self._segments and not self._pending

    @property
    def seconds_to_full(self) -> float:
        """How long there is room at the rate of the last minute; infinite while nothing comes."""
        now = self.clock()
        while self._lately and self._lately[0][0] < now - _RATE_SECONDS:
            self._lately.popleft()
        rate = sum(size for _, size in self._lately) / _RATE_SECONDS
        return max(0, self.limit - self.size) / rate if rate else math.inf

    def refuses(self, more: int = 0) -> str | None:
        """Why so many bytes more are not taken, or None."""
        if self.size + self._promised + more > self.limit:
            return "full"
        return "too_old" if self.oldest_seconds > self.max_age else None

    async def hold(self, record: Spooled) -> None:
        """Returns once it is on disk. Raises SpoolUnable."""
        if self._writer is None:
            raise SpoolUnable("closed")
        data = frame(record)
        against = self.refuses(len(data))
        if against is not None:
            raise SpoolUnable(against)
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((data, held))
        self._promised += len(data)
        self._work.set()
        # Shielded: a caller that leaves must not make the writer trip over its future.
        await asyncio.shield(held)

    async def drain(self, publish: Publish) -> int:
        """Publishes the oldest segment and removes it; how many records it held. 0: there is nothing left.

        What the broker refuses for good is set aside. Raises what `publish` raises; what is left is tried next time.
        """
        while self._segments:
            records = await self._drain_segment(self._segments[0], publish)
            if records:  # a crash can leave a segment without any
                return records
        return 0

    async def _drain_segment(self, segment: _Segment, publish: Publish) -> int:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._seal, segment)
        data = await loop.run_in_executor(self._thread, self.files.read, segment.name)
        if segment.taken == 0 and is_damaged(data):
            await loop.run_in_executor(self._thread, self._keep_damaged, data)
        records = list(unframe(data))
        for start in range(segment.taken, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            taken = await asyncio.gather(*(publish(record) for record in some))
            refused = [record for record, is_taken in zip(some, taken, strict=True) if not is_taken]
            if refused:
                await loop.run_in_executor(self._thread, self._put_aside, refused)
            segment.taken = start + len(some)
        await loop.run_in_executor(self._thread, self._remove, segment)
        return len(records)

    async def _write_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._writer is not None or self._pending:
            await self._work.wait()
            if self._writer is not None:
                self._work.clear()
            group, self._pending = self._pending, []
            if not group:
                continue
            data = b"".join(each for each, _ in group)
            try:
                await loop.run_in_executor(self._thread, self._write, data)
                failure = None
            except OSError:
                failure = SpoolUnable("failed")
            self._promised -= len(data)
            for _, held in group:
                if held.done():
                    continue
                if failure is None:
                    held.set_result(None)
                else:
                    held.set_exception(failure)
                    held.exception()  # a caller that left does not ask

    def _write(self, data: bytes) -> None:
        writing = self._writing or self._open()
        try:
            writing.file.write(data)
            writing.file.sync()
        except OSError:
            self._abandon()
            raise
        writing.segment.size += len(data)
        self._size += len(data)
        self._lately.append((self.clock(), len(data)))
        if writing.segment.size >= self.segment_bytes:
            self._abandon()

    def _open(self) -> _Writing:
        name = f"{self._next:012d}{_SUFFIX}"
        self._next += 1
        file = self.files.create(name)
        try:
            file.write(MAGIC)
            # Its name must be there after a power loss, or what is in it is lost with it.
            self.files.sync_names()
        except OSError:
            with contextlib.suppress(OSError):
                file.close()
            raise
        segment = _Segment(name, len(MAGIC), self.clock())
        self._add(segment)
        self._writing = _Writing(file, segment)
        return self._writing

    def _abandon(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            with contextlib.suppress(OSError):
                writing.file.close()

    def _seal(self, segment: _Segment) -> None:
        if self._writing is not None and self._writing.segment is segment:
            self._abandon()

    def _put_aside(self, records: Sequence[Spooled]) -> None:
        self._write_aside(MAGIC + b"".join(frame(record) for record in records))
        self.set_aside += len(records)

    def _keep_damaged(self, data: bytes) -> None:
        """The bytes of a damaged segment are kept for a person; what can be read of it is published."""
        self._write_aside(data)
        self.damaged += 1

    def _write_aside(self, data: bytes) -> None:
        file = self.files.create(f"{_ASIDE}{self._next:012d}{_SUFFIX}")
        self._next += 1
        try:
            file.write(data)
            file.sync()
            self.files.sync_names()
        finally:
            file.close()

    def _remove(self, segment: _Segment) -> None:
        self.files.remove(segment.name)
        self.files.sync_names()
        self._segments.remove(segment)
        self._size -= segment.size

    def _add(self, segment: _Segment) -> None:
        self._segments.append(segment)
        self._size += segment.size
