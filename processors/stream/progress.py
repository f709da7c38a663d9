"""Progress: whether each partition moves on. A worker that is behind somewhere and does not advance there is not
healthy, whatever the reason: a handler that hangs, a batch that never succeeds, a fetcher that has died.

The ends of the partitions are asked for on a connection of its own, since the consumer's may be what is dead.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from ingest.contract.kafka import Kafka
from processors.stream.metrics import StreamMetrics

log = structlog.get_logger("stream")

_ANSWER_SECONDS = 3.0


class Standing(NamedTuple):
    """Where a partition stands: `position` is the first offset that is not done, `end` the next one to be written,
    `oldest` the time of the record at `position` in seconds since 1970, as far as we know."""

    position: int
    end: int
    oldest: float | None = None

    @property
    def lag(self) -> int:
        return max(0, self.end - self.position)


class Progress:
    """Pure: times are arguments, of a clock that only goes forward."""

    def __init__(self) -> None:
        self._since: dict[TP, tuple[int, float]] = {}

    def note(self, standings: Mapping[TP, Standing], now: float) -> None:
        """Of all partitions that are ours; what is not among them is forgotten."""
        noted = {}
        for tp, standing in standings.items():
            position, since = self._since.get(tp, (standing.position, now))
            moves = not standing.lag or standing.position != position
            noted[tp] = (standing.position, now if moves else since)
        self._since = noted

    def blind(self, now: float) -> None:
        """Nobody could look, so nobody is to blame for this time."""
        self._since = {tp: (position, now) for tp, (position, _) in self._since.items()}

    def stalled(self, now: float, after: float) -> Sequence[TP]:
        return [tp for tp, (_, since) in self._since.items() if now - since > after]


class Lookout:
    """Notes again and again where the partitions stand, and sets the gauges that tell of lag.

    `standing` says what the worker itself knows of each partition that is ours; `retention` has the seconds that a
    topic keeps its records.
    """

    def __init__(
        self,
        kafka: Kafka,
        standing: Callable[[], Mapping[TP, Standing]],
        progress: Progress,
        metrics: StreamMetrics,
        retention: Mapping[str, float],
        interval: float,
    ) -> None:
        self._kafka = kafka
        self._standing = standing
        self._progress = progress
        self._metrics = metrics
        self._retention = retention
        self._interval = interval
        self._client: AIOKafkaConsumer | None = None
        self._shown: set[TP] = set()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Returns after `stop`, and is not to be cancelled: the client would leave connections behind."""
        while not self._stopped.is_set():
            await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._stopped.wait()
        await self._close()

    def stop(self) -> None:
        self._stopped.set()

    async def _look(self) -> None:
        try:
            ends = await self._ends(list(self._standing()))
        except (KafkaError, OSError, TimeoutError):
            self._progress.blind(time.monotonic())
            await self._close()
            return
        # The positions are read after the ends: what was done in between is no lag.
        ours = {tp: standing for tp, standing in self._standing().items() if tp in ends}
        standings = {tp: ours[tp]._replace(end=max(ours[tp].end, ends[tp])) for tp in ours}
        self._progress.note(standings, time.monotonic())
        self._show(standings, time.time())

    async def _ends(self, tps: Sequence[TP]) -> Mapping[TP, int]:
        if not tps:
            return {}
        if self._client is None:
            self._client = AIOKafkaConsumer(
                request_timeout_ms=int(_ANSWER_SECONDS * 1000), **self._kafka.aiokafka_options()
            )
            await self._client.start()
        ends = await self._client.end_offsets([TopicPartition(*tp) for tp in tps])
        return {TP(*tp): end for tp, end in ends.items()}

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await client.stop()

    def _show(self, standings: Mapping[TP, Standing], now: float) -> None:
        ages: dict[str, float] = {}
        for tp, standing in standings.items():
            self._metrics.lag.labels(tp.topic, str(tp.partition)).set(standing.lag)
            age = max(0.0, now - standing.oldest) if standing.lag and standing.oldest else 0.0
            ages[tp.topic] = max(ages.get(tp.topic, 0.0), age)
        for topic, age in ages.items():
            self._metrics.oldest.labels(topic).set(age)
            if topic in self._retention:
                self._metrics.time_to_loss.labels(topic).set(self._retention[topic] - age)
        self._forget(self._shown - standings.keys(), set(ages))
        self._shown = set(standings)

    def _forget(self, lost: set[TP], topics: set[str]) -> None:
        """What is another worker's is for that one to show."""
        for tp in lost:
            self._metrics.lag.remove(tp.topic, str(tp.partition))
        for topic in {tp.topic for tp in lost} - topics:
            self._metrics.oldest.remove(topic)
            if topic in self._retention:
                self._metrics.time_to_loss.remove(topic)
