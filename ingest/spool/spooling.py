"""Spooling: Kafka first, the spool where Kafka does not take it now, and the way back once it does again."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from ingest.contract.codec import Encoded
from ingest.metrics import Metrics
from ingest.publisher import Publisher, Told, Unavailable
from ingest.spool.draining import drain_folder, into
from ingest.spool.holding import Spool, SpoolUnable
from ingest.spool.segments import Spooled

_PAUSE_SECONDS = 0.5
_OTHERS_SECONDS = 60.0
_ROOM = 65_536  # bytes: with less left, the next record may not fit
_IS: Mapping[str, str] = {"full": "is full", "too_old": "is too old", "failed": "has failed", "slow": "is slow"}


class SpoolingPublisher(Publisher):
    """A publisher that holds on disk what `kafka` cannot take. Ready while either can hold.

    `deadline` is how many seconds a caller waits for the disk. `others` are the folders of front doors that are gone,
    which are drained too once there is nothing left in its own.
    """

    def __init__(
        self,
        kafka: Publisher,
        spool: Spool,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.time,
        deadline: float = 5.0,
        others: Callable[[], Sequence[Path]] = lambda: (),
    ) -> None:
        self._kafka = kafka
        self._spool = spool
        self._metrics = metrics
        self._clock = clock
        self._deadline = deadline
        self._others = others
        self._into_kafka = into(kafka)
        self._draining: asyncio.Task[None] | None = None
        self._holding: set[asyncio.Task[None]] = set()
        self._episode = False
        self._log = structlog.get_logger("ingest.spool")
        metrics.spool_bytes.set_function(lambda: spool.size)
        metrics.spool_oldest.set_function(lambda: spool.oldest_seconds)
        # While Kafka takes records again, the old ones are on their way.
        metrics.time_to_loss.set_function(lambda: spool.seconds_to_loss if kafka.trouble() else spool.seconds_to_full)

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
            await self._spool.hold(Spooled(topic.name, key, value, headers, self._clock()), self._deadline)
        except SpoolUnable as error:
            told(Unavailable(f"spool_{error.reason}"))
            return
        except Exception:  # noqa: BLE001  # ours, with one record; who offered it must hear
            self._log.exception("spooling_fault")
            told(Unavailable("spool_failed"))
            return
        self._metrics.spooled.inc()
        if not self._episode:
            self._episode = True
            self._log.warning("spooling", reason=self._kafka.trouble() or "a record was not taken in time")
        told(None)

    def trouble(self) -> str | None:
        away, against = self._kafka.trouble(), self._spool.trouble(_ROOM)
        return f"{away}, and the spool {_IS[against]}" if away and against else None

    def degraded(self) -> str | None:
        return self._kafka.trouble()

    async def _drain_on(self) -> None:
        look_at = 0.0
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self._spool.probe()
                while self._kafka.trouble() is None and await self._drain_one():
                    pass
                now = asyncio.get_running_loop().time()
                if self._kafka.trouble() is None and self._spool.is_empty and now >= look_at:
                    look_at = now + _OTHERS_SECONDS
                    await self._drain_others()
            except (Unavailable, OSError) as error:
                self._log.warning("drain_interrupted", reason=str(error))
            except Exception:  # noqa: BLE001  # ours; without the task, nothing would ever be drained
                self._log.exception("drain_fault")

    async def _drain_one(self) -> bool:
        spool = self._spool
        aside, damaged, owing = spool.set_aside, spool.damaged, spool.owing
        drained = 0
        try:
            drained = await spool.drain(self._into_kafka)
        finally:
            self._count(drained, spool.set_aside - aside, spool.damaged - damaged)
        if spool.owing > owing:
            self._log.error(
                "segment_not_removed", hint="the disk refuses; its records are in Kafka, or to be set aside"
            )
        if self._episode and spool.is_empty:
            self._episode = False
            self._log.info("spool_drained")
        return drained > 0

    async def _drain_others(self) -> None:
        for folder in await asyncio.to_thread(self._others):
            records, set_aside, damaged, left = await drain_folder(folder, self._into_kafka)
            self._count(records, set_aside, damaged)
            self._log.info("orphan_drained", folder=str(folder), records=records, left=left)

    def _count(self, drained: int, set_aside: int, damaged: int) -> None:
        self._metrics.drained.inc(drained)
        if set_aside:
            self._metrics.set_aside.inc(set_aside)
            self._log.error("records_set_aside", count=set_aside)
        if damaged:
            self._metrics.damaged.inc(damaged)
            self._log.error("segment_damaged", hint="the disk lost bytes of it; what is left is in an aside file")
