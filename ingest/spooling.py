"""Spooling: Kafka first, the spool where Kafka does not take it now, and the way back once it does again."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial

import structlog

from ingest.contract.codec import Encoded
from ingest.contract.topics import TOPICS
from ingest.metrics import Metrics
from ingest.publisher import Publisher, Refused, Told, Unavailable
from ingest.spool import Spool, Spooled, SpoolUnable

_BY_NAME = {topic.name: topic for topic in TOPICS}
_PAUSE_SECONDS = 0.5
_ROOM = 65_536  # bytes: with less left, the next record may not fit


class SpoolingPublisher(Publisher):
    """A publisher that holds on disk what `kafka` cannot take. Ready while either can hold."""

    def __init__(
        self, kafka: Publisher, spool: Spool, metrics: Metrics, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._kafka = kafka
        self._spool = spool
        self._metrics = metrics
        self._clock = clock
        self._draining: asyncio.Task[None] | None = None
        self._holding: set[asyncio.Task[None]] = set()
        self._episode = False
        self._log = structlog.get_logger("ingest.spool")
        metrics.spool_bytes.set_function(lambda: spool.size)
        metrics.spool_oldest.set_function(lambda: spool.oldest_seconds)
        metrics.time_to_loss.set_function(lambda: spool.seconds_to_full)

    async def start(self) -> None:
        await self._spool.start()
        await self._kafka.start()
        self._draining = asyncio.create_task(self._drain_on(), name="draining")

    async def stop(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._draining
        await self._kafka.stop()
        await asyncio.gather(*self._holding)
        await self._spool.stop()

    def offer(self, record: Encoded, told: Told) -> None:
        # A broker that is known to be gone is not waited for: the deadline is spent once an episode, not once a record.
        if self._kafka.trouble() is None:
            self._kafka.offer(record, partial(self._heard, record, told))
        else:
            self._spool_it(record, told)

    def _heard(self, record: Encoded, told: Told, error: Unavailable | None) -> None:
        if error is None:
            told(None)
        else:
            self._metrics.publish_failures.inc()
            self._spool_it(record, told)

    def _spool_it(self, record: Encoded, told: Told) -> None:
        holding = asyncio.create_task(self._hold(record, told))
        self._holding.add(holding)
        holding.add_done_callback(self._holding.discard)

    async def _hold(self, record: Encoded, told: Told) -> None:
        topic, key, value, headers = record
        try:
            await self._spool.hold(Spooled(topic.name, key, value, headers, self._clock()))
        except SpoolUnable as error:
            told(Unavailable(f"spool_{error.reason}"))
            return
        self._metrics.spooled.inc()
        if not self._episode:
            self._episode = True
            self._log.warning("spooling", reason=self._kafka.trouble() or "a record was not taken in time")
        told(None)

    def trouble(self) -> str | None:
        away, against = self._kafka.trouble(), self._spool.refuses(_ROOM)
        return f"{away}, and the spool is {against.replace('_', ' ')}" if away and against else None

    def degraded(self) -> str | None:
        return self._kafka.trouble()

    async def _drain_on(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                while self._kafka.trouble() is None and await self._drain_one():
                    pass
            except (Unavailable, OSError) as error:
                self._log.warning("drain_interrupted", reason=str(error))

    async def _drain_one(self) -> bool:
        before, damaged = self._spool.set_aside, self._spool.damaged
        drained = await self._spool.drain(self._taken)
        self._metrics.drained.inc(drained)
        if self._spool.set_aside > before:
            self._metrics.set_aside.inc(self._spool.set_aside - before)
            self._log.error("records_set_aside", count=self._spool.set_aside - before)
        if self._spool.damaged > damaged:
            self._metrics.damaged.inc(self._spool.damaged - damaged)
            self._log.error("segment_damaged", hint="the disk lost bytes of it; they are kept in an aside file")
        if self._episode and self._spool.is_empty:
            self._episode = False
            self._log.info("spool_drained")
        return drained > 0

    async def _taken(self, record: Spooled) -> bool:
        try:
            await self._kafka.publish(_BY_NAME[record.topic], record.key, record.value, record.headers)
        except Refused:
            return False
        return True
