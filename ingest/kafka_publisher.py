"""Kafka as a publisher: held is what all in-sync replicas have; who offered a record hears within a deadline."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import (
    InvalidMessageError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from aiokafka.protocol.metadata import MetadataRequest

from ingest.contract.codec import Encoded
from ingest.contract.kafka import Kafka, close, has_lost_count, place
from ingest.contract.topics import RECORD_BYTES, TOPICS
from ingest.publisher import Publisher, Refused, Told, Unavailable

_FOR_GOOD = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)
_FIRST_BACKOFF, _LAST_BACKOFF, _PROBE_SECONDS = 0.2, 5.0, 2.0
_CONNECT_SECONDS = 5.0
_LINGER_SECONDS = 0.002
_HEADERS_AT_MOST = 100_000
_BATCH_BYTES = 131_072
_OVERHEAD = 100  # bytes of a batch and of a record, besides what is in it


def _is_too_large(record: Encoded) -> bool:
    size = len(record.key) + len(record.value) + _OVERHEAD
    if size + _HEADERS_AT_MOST <= RECORD_BYTES:
        return False
    return size + sum(len(name) + len(text) + 10 for name, text in record.headers) > RECORD_BYTES


_Place = tuple[str, int]


class _Batch:
    """Records of one partition on their way, and who is told of each."""

    __slots__ = ("builder", "partition", "tell", "timer", "topic")

    def __init__(self, topic: str, partition: int, builder: Any) -> None:
        self.topic = topic
        self.partition = partition
        self.builder = builder
        self.tell: list[Told] = []
        self.timer: asyncio.TimerHandle | None = None


class KafkaPublisher(Publisher):
    """Connects in the background, so that a front door without a broker is alive and says so.

    Batches are made here, one future a batch towards aiokafka instead of one a record: that halves the cost.
    """

    def __init__(self, kafka: Kafka, *, deadline: float = 5.0, max_in_flight: int = 10_000) -> None:
        self._kafka = kafka
        self._deadline = deadline
        self._free = max_in_flight
        self._producer: AIOKafkaProducer | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None  # of the producer, and ends with it
        self._trouble: str | None = "connecting"
        self._closing: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()
        self._names = {topic.name: kafka.topic(topic.name) for topic in TOPICS}
        self._partitions: Mapping[str, int] = {}
        self._open: dict[_Place, _Batch] = {}
        self._ready: deque[_Batch] = deque()
        self._on_way: dict[_Place, _Batch] = {}  # the latest of each partition
        self._unsettled: set[_Batch] = set()
        self._work = asyncio.Event()
        self._log = structlog.get_logger("ingest.publisher")

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._keeper = asyncio.create_task(self._keep_connected(), name="publisher")

    async def stop(self) -> None:
        sender, self._sender = self._sender, None
        for task in (self._keeper, sender):
            if task is not None:
                await _ended(task)
        producer, self._producer, self._trouble = self._producer, None, "stopped"
        if producer is not None:
            with contextlib.suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(self._deadline):
                    await self._send(producer, also_held=True)
            await close(producer, self._deadline)
        self._fail("stopped")
        await asyncio.gather(*self._closing)

    def offer(self, record: Encoded, told: Told) -> None:
        producer = self._producer
        topic = self._names.get(record.topic.name, "")
        partitions = self._partitions.get(topic)
        if producer is None:
            told(Unavailable("not_connected"))
        elif self._free <= 0:
            told(Unavailable("buffer_full"))
        elif _is_too_large(record):
            told(Refused("refused_by_broker"))
        elif partitions is None:
            told(Unavailable("no_such_topic"))
        else:
            self._free -= 1
            self._append(producer, topic, place(record.key, partitions), record, told)

    def _append(self, producer: AIOKafkaProducer, topic: str, partition: int, record: Encoded, told: Told) -> None:
        batch = self._open.get((topic, partition))
        if batch is None:
            batch = self._opened(producer, topic, partition)
        _, key, value, headers = record
        if batch.builder.append(timestamp=None, key=key, value=value, headers=list(headers)) is None:
            self._ready.append(batch)
            batch = self._opened(producer, topic, partition)
            batch.builder.append(timestamp=None, key=key, value=value, headers=list(headers))  # the first always fits
        batch.tell.append(told)

    def _opened(self, producer: AIOKafkaProducer, topic: str, partition: int) -> _Batch:
        batch = self._open[topic, partition] = _Batch(topic, partition, producer.create_batch())
        batch.timer = self._loop.call_later(self._deadline, self._expired, producer, batch)
        self._unsettled.add(batch)
        self._work.set()
        return batch

    async def _send_on(self, producer: AIOKafkaProducer) -> None:
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                await asyncio.sleep(_LINGER_SECONDS)
                await self._send(producer)
        except Exception:  # noqa: BLE001  # of the client, which asserts what the broker may change
            self._log.exception("sending_failed")
            self._replace(producer, "fault")

    async def _send(self, producer: AIOKafkaProducer, *, also_held: bool = False) -> None:
        # While a partition has a batch on its way, the next one waits, and may as well grow.
        places = [place for place in self._open if also_held or place not in self._on_way]
        self._ready.extend(self._open.pop(place) for place in places)
        while self._ready:
            batch = self._ready.popleft()
            if batch in self._unsettled:
                await self._send_one(producer, batch)

    async def _send_one(self, producer: AIOKafkaProducer, batch: _Batch) -> None:
        if batch.partition not in (producer.client.cluster.partitions_for_topic(batch.topic) or ()):
            self._settle(batch, lambda: Unavailable("no_such_topic"))  # the client would wait for it without end
            return
        batch.builder.close()
        try:
            sent = await producer.send_batch(batch.builder, batch.topic, partition=batch.partition)
        except asyncio.CancelledError:
            self._ready.appendleft(batch)
            raise
        except KafkaError:
            self._settle(batch, lambda: Unavailable("refused_by_broker"))
            return
        if batch in self._unsettled:
            self._on_way[batch.topic, batch.partition] = batch
        sent.add_done_callback(partial(self._answered, producer, batch))

    def _answered(self, producer: AIOKafkaProducer, batch: _Batch, sent: "asyncio.Future[object]") -> None:
        error = KafkaConnectionError("given up") if sent.cancelled() else sent.exception()
        place = (batch.topic, batch.partition)
        if self._on_way.get(place) is batch:
            del self._on_way[place]
            if place in self._open:
                self._work.set()
        if error is None:
            self._settle(batch, None)
            if producer is self._producer:
                self._is_up()
            return
        refusal = Refused if isinstance(error, _FOR_GOOD) else Unavailable
        self._settle(batch, lambda: refusal("refused_by_broker"))
        if has_lost_count(error):
            self._replace(producer, type(error).__name__)

    def _settle(self, batch: _Batch, error: Callable[[], Unavailable] | None) -> None:
        if batch not in self._unsettled:
            return  # who waited has heard already
        self._unsettled.discard(batch)
        self._free += len(batch.tell)
        if batch.timer is not None:
            batch.timer.cancel()
        for told in batch.tell:
            try:
                told(error() if error else None)
            except Exception:  # noqa: BLE001  # of one of many, and the others must hear of theirs
                with contextlib.suppress(Exception):  # a log that cannot be written is no reason either
                    self._log.exception("a fault in who was told")

    def _expired(self, producer: AIOKafkaProducer, batch: _Batch) -> None:
        self._settle(batch, lambda: Unavailable("deadline"))
        self._replace(producer, "TimeoutError")

    def _fail(self, reason: str) -> None:
        """Nobody waits any longer for what has not been answered: the spool is there for it, or the caller is told."""
        self._open, self._on_way = {}, {}
        self._ready.clear()
        for batch in list(self._unsettled):
            self._settle(batch, lambda: Unavailable(reason))

    def trouble(self) -> str | None:
        return self._trouble

    def degraded(self) -> str | None:
        return None

    async def _keep_connected(self) -> None:
        backoff = _FIRST_BACKOFF
        while True:
            self._hurry.clear()
            try:
                if self._producer is None:
                    await self._connect()
                else:
                    await self._learn(self._producer)
                if self._producer is not None:  # and was not given up meanwhile
                    self._is_up()
                backoff, pause = _FIRST_BACKOFF, _PROBE_SECONDS
            except (KafkaError, OSError, TimeoutError) as error:
                self._is_down(type(error).__name__)
                pause, backoff = backoff, min(backoff * 2, _LAST_BACKOFF)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurry.wait()

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            **self._kafka.aiokafka_options(),
            acks="all",
            enable_idempotence=self._kafka.idempotence,
            linger_ms=0,  # the lingering is done here
            max_batch_size=_BATCH_BYTES,
            max_request_size=RECORD_BYTES,
            request_timeout_ms=int(_CONNECT_SECONDS * 1000),
        )
        self._partitions = {}
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await producer.start()
            await self._learn(producer)
        except BaseException:
            await close(producer, self._deadline)
            raise
        self._producer = producer
        self._sender = asyncio.create_task(self._send_on(producer), name="sending")

    async def _learn(self, producer: AIOKafkaProducer) -> None:
        """How many partitions each topic has: one may have come to be, or have got more. Raises KafkaError and
        TimeoutError where no broker answers."""
        client, cluster = producer.client, ClusterMetadata()
        async with asyncio.timeout(_CONNECT_SECONDS):
            cluster.update_metadata(await _described(client, list(self._names.values())))
            found = {name: cluster.partitions_for_topic(name) for name in self._names.values()}
            partitions = {name: len(numbers) for name, numbers in found.items() if numbers}
            if partitions != self._partitions:
                await client.set_topics(list(partitions))
                await client.force_metadata_update()
                if missing := sorted(found.keys() - partitions.keys()):
                    self._log.warning("topics_missing", topics=missing, hint="python -m deploy.topics makes them")
        self._partitions = partitions

    def _replace(self, producer: AIOKafkaProducer, why: str) -> None:
        if self._producer is not producer:
            return  # by now it is another one
        self._producer = None
        if self._sender is not None:
            self._sender.cancel()
        self._is_down(why)
        self._fail("deadline")
        closing = asyncio.create_task(close(producer, self._deadline), name="closing a producer")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._hurry.set()

    def _is_up(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            self._log.info("broker_up")

    def _is_down(self, why: str) -> None:
        if self._trouble in (None, "connecting"):
            self._log.warning("broker_down", reason=why)
        self._trouble = f"broker unreachable: {why}"


async def _described(client: AIOKafkaClient, topics: list[str]) -> Any:
    """What a broker says of these topics. Asked by ourselves, since the client would have missing ones created.

    Raises KafkaConnectionError."""
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    for node in random.sample(nodes, len(nodes)):
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(_PROBE_SECONDS):
                return await client.send(node, MetadataRequest(topics, allow_auto_topic_creation=False))
    raise KafkaConnectionError("no broker answers")


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])  # and not for its outcome: stopping goes on
