"""The shelf: the spool's segments on disk, and what is done with them. Only the spool's thread changes it.

A segment leaves it when Kafka has all of it, or when a person has to look at it: then its file is called aside.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.spool.folders import File, Files
from ingest.spool.segments import ASIDE, MAGIC, Spooled, frame, name_of, number_of, unframe

_HEAD_BYTES = 2 * 1024 * 1024  # holds the first record of a segment, whatever its size
_PROBE = "probe"
_PROBE_BYTES = 65_536  # as much as a record may need: a disk with less room is full
_NOT_NOW = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN})
"""Says nothing about the file."""


@dataclass(slots=True, eq=False)
class Segment:
    """`since` is when its oldest record was spooled, in seconds since 1970."""

    name: str
    size: int
    since: float
    taken: int = 0  # how many of its records Kafka has, or refuses
    refused: list[int] = field(default_factory=list)  # which ones it refuses for good, and are not set aside yet
    is_damaged: bool = False


@dataclass(slots=True)
class _Writing:
    file: File
    segment: Segment


@dataclass(slots=True)
class Shelf:
    """Sizes and segments may be read by any thread at any time."""

    files: Files
    segment_bytes: int
    clock: Callable[[], float]
    size: int = 0
    set_aside: int = 0
    damaged: int = 0
    owing: list[Segment] = field(default_factory=list)
    _segments: list[Segment] = field(default_factory=list)
    _writing: _Writing | None = None
    _next: int = 0

    @property
    def oldest(self) -> Segment | None:
        return next(iter(self._segments), None)

    def find(self) -> None:
        """What an earlier process left. Raises OSError."""
        for name in self.files.names():
            number = number_of(name)
            if number is None:
                continue  # nothing of ours
            self._next = max(self._next, number + 1)
            if not name.startswith(ASIDE):
                self._add(self._found(name))

    def write(self, data: bytes) -> None:
        """It is on the disk. Raises OSError; then what of it is there may be read again, or not."""
        writing = self._writing or self._open()
        try:
            writing.file.write(data)
            writing.file.sync()
        except BaseException:
            self._close()
            self._tear(writing.segment, len(data))
            raise
        self._grow(writing.segment, len(data))
        if writing.segment.size >= self.segment_bytes:
            self._close()

    def probe(self) -> None:
        """Writes as much as a record may need, and removes it. Raises OSError."""
        self.files.remove(_PROBE)
        self._store(_PROBE, bytes(_PROBE_BYTES))
        self.files.remove(_PROBE)

    def read(self, segment: Segment) -> bytes | None:
        """None: there is nothing to be read of it, now or ever, and it does not stand in the way of the next one."""
        if segment not in self._segments:
            return None  # a failed write has taken it away meanwhile
        if self._writing is not None and self._writing.segment is segment:
            self._close()
        return self._read(segment)

    def finish(self, segment: Segment, records: Sequence[Spooled]) -> None:
        """Kafka has all of it but what it refuses for good. What cannot be done now is owed."""
        if not self._finished(segment, records):
            self._segments.remove(segment)
            self.owing.append(segment)

    def settle(self) -> None:
        """Tries again what is owed, up to the first that fails again. Raises OSError."""
        while self.owing:
            segment = self.owing[0]
            data = self._read(segment) if segment.refused and not segment.is_damaged else b""
            if data is not None and not self._finished(segment, list(unframe(data))):
                return

    def _read(self, segment: Segment) -> bytes | None:
        try:
            return self.files.read(segment.name)
        except OSError as error:
            if error.errno in _NOT_NOW:
                raise
            self._give_up(segment)
            return None

    def _give_up(self, segment: Segment) -> None:
        """What cannot be read is kept for a person. Where it cannot even be renamed, the next process tries again."""
        self.damaged += 1
        self._forget(segment)
        with contextlib.suppress(OSError):
            self._rename_aside(segment)
            self.size -= segment.size

    def _finished(self, segment: Segment, records: Sequence[Spooled]) -> bool:
        try:
            if segment.is_damaged:
                # Its bytes are kept for a person; what can be read of it is published.
                self._rename_aside(segment)
                self.damaged += 1
                self._count_aside(segment)
            else:
                self._put_aside(segment, records)
                self.files.remove(segment.name)
        except OSError:
            return False
        self._forget(segment)
        self.size -= segment.size
        # If this fails and then the power, the segment is back and is repeated.
        with contextlib.suppress(OSError):
            self.files.sync_names()
        return True

    def _rename_aside(self, segment: Segment) -> None:
        with contextlib.suppress(FileNotFoundError):  # somebody has removed it
            self.files.rename(segment.name, ASIDE + segment.name)

    def _put_aside(self, segment: Segment, records: Sequence[Spooled]) -> None:
        if segment.refused:
            data = MAGIC + b"".join(frame(records[index]) for index in segment.refused)
            self._store(ASIDE + self._new_name(), data)
            self._count_aside(segment)

    def _count_aside(self, segment: Segment) -> None:
        self.set_aside += len(segment.refused)
        segment.refused = []

    def _open(self) -> _Writing:
        name = self._new_name()
        with self._created(name) as file:
            file.write(MAGIC)
            # Its name must be there after a power loss, or what is in it is lost with it.
            self.files.sync_names()
        segment = Segment(name, len(MAGIC), self.clock())
        self._add(segment)
        self._writing = _Writing(file, segment)
        return self._writing

    def _close(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            with contextlib.suppress(OSError):
                writing.file.close()

    def _tear(self, segment: Segment, more: int) -> None:
        """What is torn takes room for as long as it is there. Where nothing else is in the file, that is not long."""
        if segment.size == len(MAGIC):
            with contextlib.suppress(OSError):
                self.files.remove(segment.name)
                self._forget(segment)
                self.size -= segment.size
                return
        with contextlib.suppress(OSError):
            more = self.files.size(segment.name) - segment.size
        self._grow(segment, more)

    def _store(self, name: str, data: bytes) -> None:
        """A whole file, or none."""
        with self._created(name) as file:
            file.write(data)
            file.sync()
            self.files.sync_names()
        with contextlib.suppress(OSError):
            file.close()

    @contextlib.contextmanager
    def _created(self, name: str) -> Iterator[File]:
        """A new file, left open; as far as the disk allows, none is left behind by what fails."""
        file = self.files.create(name)
        try:
            yield file
        except BaseException:
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                self.files.remove(name)
            raise

    def _found(self, name: str) -> Segment:
        segment = Segment(name, 0, self.clock())
        with contextlib.suppress(OSError):  # draining will see to it
            segment.size = self.files.size(name)
            first = next(unframe(self.files.read(name, _HEAD_BYTES)), None)
            if first is not None:
                segment.since = first.at
        return segment

    def _new_name(self) -> str:
        self._next += 1
        return name_of(self._next - 1)

    def _add(self, segment: Segment) -> None:
        self._segments.append(segment)
        self.size += segment.size

    def _grow(self, segment: Segment, more: int) -> None:
        segment.size += more
        self.size += more

    def _forget(self, segment: Segment) -> None:
        (self._segments if segment in self._segments else self.owing).remove(segment)
