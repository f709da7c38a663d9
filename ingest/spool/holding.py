"""The spool: what Kafka cannot take now, on disk. `hold` returns once the record and its file's name are fsynced.

Segments of framed records, written by one thread in groups, one fsync a group. A file whose write or fsync failed is
never written to again: after a failed fsync the kernel may call lost pages clean (https://lwn.net/Articles/752063/).
Draining publishes the oldest segment and then removes it, so a crash in between repeats records, and loses none.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from ingest.spool.folders import Files
from ingest.spool.rates import Rate
from ingest.spool.segments import Spooled, frame, is_damaged, unframe
from ingest.spool.shelf import Segment, Shelf

SEGMENT_BYTES = 1024 * 1024  # one is drained at a time, and repeated where a crash comes in between
PENDING_BYTES = 64 * 1024 * 1024
REST_SECONDS = 1.0  # between two tries of a disk that has failed
_STOP_SECONDS = 5.0
_AT_ONCE = 500

_Result = TypeVar("_Result")


class SpoolUnable(Exception):
    """Ours: the record is not held. `reason` is closed vocabulary:

    full: no room within the limit. too_old: what is on disk waits for too long. failed: the disk refuses, or did less
    than a second ago. slow: the disk took longer than the caller waits, or too much waits for it. closed: not started.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Publish = Callable[[Spooled], Awaitable[bool]]
"""True: Kafka has it. False: it refuses this record for good. Raises where it takes none now."""


@dataclass(slots=True)
class Spool:
    """`limit` is in bytes, over all segments; with records older than `max_age` seconds on disk no new ones are
    taken, nor with `pending_bytes` in memory. Nothing that was held is ever thrown away. `clock` says seconds since
    1970."""

    files: Files
    limit: int
    max_age: float = math.inf
    clock: Callable[[], float] = time.time
    segment_bytes: int = SEGMENT_BYTES
    pending_bytes: int = PENDING_BYTES
    _shelf: Shelf = field(init=False)
    _rate: Rate = field(default_factory=Rate)
    _pending: deque[tuple[bytes, "asyncio.Future[str | None]"]] = field(default_factory=deque)
    _promised: int = 0  # bytes that are pending or being written
    _failed_at: float | None = None  # None after a success
    _slow: bool = False  # somebody has waited in vain for what is being written
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _writer: asyncio.Task[None] | None = None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "spool"))

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.files, self.segment_bytes, self.clock)

    async def start(self) -> None:
        """Finds what an earlier process left. Raises OSError."""
        self._shelf.find()
        self._writer = asyncio.create_task(self._write_on(), name="spool")

    async def stop(self, within: float = _STOP_SECONDS) -> None:
        """Ends once all that was promised is on disk, or refused; a disk that hangs is not waited for any longer."""
        writer, self._writer = self._writer, None
        self._work.set()
        if writer is not None:
            await asyncio.wait((writer, asyncio.ensure_future(self._in_thread(int))), timeout=within)
            writer.cancel()  # which does nothing to one that has ended
        while self._pending:
            _tell(self._pending.popleft()[1], "closed")
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def size(self) -> int:
        """Bytes on disk, of all segments, and of what is torn in them."""
        return self._shelf.size

    @property
    def set_aside(self) -> int:
        """Records that Kafka refused for good."""
        return self._shelf.set_aside

    @property
    def damaged(self) -> int:
        """Segments that could not be read, or not as a whole."""
        return self._shelf.damaged

    @property
    def owing(self) -> int:
        """Segments that are done with, but could not be set aside or removed. That is tried again."""
        return len(self._shelf.owing)

    @property
    def oldest_seconds(self) -> float:
        """Age of the oldest record; 0 where there is none."""
        oldest = self._shelf.oldest
        return max(0.0, self.clock() - oldest.since) if oldest else 0.0

    @property
    def is_empty(self) -> bool:
        return self._shelf.oldest is None and not self._pending

    @property
    def seconds_to_full(self) -> float:
        """How long there is room at the rate of the last minute; infinite while nothing comes."""
        rate = self._rate.a_second(self.clock())
        return max(0, self.limit - self.size) / rate if rate else math.inf

    @property
    def seconds_to_loss(self) -> float:
        """How long until it takes no more, if nothing is drained: it is full then, or the oldest record too old."""
        aged = math.inf if self._shelf.oldest is None else max(0.0, self.max_age - self.oldest_seconds)
        return min(self.seconds_to_full, aged)

    def refuses(self, more: int = 0) -> str | None:
        """Why so many bytes more are not taken, or None."""
        if self.size + self._promised + more > self.limit:
            return "full"
        if self.oldest_seconds > self.max_age:
            return "too_old"
        if self._rests():
            return "failed"
        return "slow" if self._slow or self._promised + more > self.pending_bytes else None

    def trouble(self, more: int = 0) -> str | None:
        """Why so many bytes more are not likely to be held: also that the last try failed."""
        return self.refuses(more) or (None if self._failed_at is None else "failed")

    async def hold(self, record: Spooled, within: float | None = None) -> None:
        """Returns once it is on disk. Raises SpoolUnable, also after so many seconds; it may still be written then."""
        if self._writer is None:
            raise SpoolUnable("closed")
        data = frame(record)
        against = self.refuses(len(data))
        if against is not None:
            raise SpoolUnable(against)
        loop = asyncio.get_running_loop()
        held: asyncio.Future[str | None] = loop.create_future()
        self._pending.append((data, held))
        self._promised += len(data)
        self._work.set()
        timer = None if within is None else loop.call_later(within, self._give_up, held)
        failure = await held
        if timer is not None:
            timer.cancel()
        if failure is not None:
            raise SpoolUnable(failure)

    def _give_up(self, held: "asyncio.Future[str | None]") -> None:
        if not held.done():
            self._slow = True
            _tell(held, "slow")

    async def probe(self) -> None:
        """Tries the disk where it has failed. Nobody calls who is not ready, so that no call would find it well."""
        if self._failed_at is not None:
            await self._tried(self._shelf.probe)

    async def drain(self, publish: Publish) -> int:
        """Publishes the oldest segment and removes it; how many records it held. 0: there is nothing left.

        What the broker refuses for good is set aside. Raises what `publish` raises; what is left is tried next time.
        """
        while (segment := self._shelf.oldest) is not None:
            records = await self._drain_segment(segment, publish)
            if records:  # a crash can leave a segment without any
                return records
        await self._in_thread(self._shelf.settle)
        return 0

    async def _drain_segment(self, segment: Segment, publish: Publish) -> int:
        data = await self._in_thread(partial(self._shelf.read, segment))
        if data is None:
            return 0
        segment.is_damaged = is_damaged(data)
        records = list(unframe(data))
        for start in range(segment.taken, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            taken = await asyncio.gather(*(publish(record) for record in some))
            segment.refused += [start + index for index, is_taken in enumerate(taken) if not is_taken]
            segment.taken = start + len(some)
        await self._in_thread(partial(self._shelf.finish, segment, records))
        return len(records)

    async def _write_on(self) -> None:
        while self._writer is not None or self._pending:
            if not self._pending:
                self._work.clear()
                await self._work.wait()
                continue
            group = self._next_group()
            data = b"".join(each for each, _ in group)
            failure: str | None = "closed"
            try:
                failure = await self._tried(partial(self._shelf.write, data))
            finally:
                self._promised -= len(data)
                self._slow = False
                for _, held in group:
                    _tell(held, failure)
            if failure is None:
                self._rate.add(self.clock(), len(data))

    def _next_group(self) -> Sequence[tuple[bytes, "asyncio.Future[str | None]"]]:
        """No larger than a segment, or else what waits for a slow disk would become one of any size."""
        group, size = [], 0
        while self._pending and size < self.segment_bytes:
            group.append(self._pending.popleft())
            size += len(group[-1][0])
        return group

    async def _tried(self, work: Callable[[], None]) -> str | None:
        """Why it failed, or None. A disk that has just failed is left alone."""
        if self._rests():
            return "failed"
        try:
            await self._in_thread(work)
        except Exception as error:  # noqa: BLE001  # the writer's outermost loop: who waits is told, and it goes on
            if self._failed_at is None:
                expected = isinstance(error, OSError)
                _log().error("spool_failed", reason=str(error), exc_info=None if expected else error)
            self._failed_at = self.clock()
            return "failed"
        if self._failed_at is not None:
            self._failed_at = None
            _log().info("spool_works_again")
        return None

    def _rests(self) -> bool:
        # Seconds since 1970 may be set back.
        return self._failed_at is not None and abs(self.clock() - self._failed_at) < REST_SECONDS

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _tell(held: "asyncio.Future[str | None]", failure: str | None) -> None:
    if not held.done():
        held.set_result(failure)


def _log() -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger("ingest.spool")
    return logger
