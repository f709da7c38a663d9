"""The publisher: a record is in Kafka, acknowledged by all replicas, or who offered it is told that it is not.

That is told within a deadline. What was given up on may still arrive: ids repeat, so that is harmless.
"""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidMessageError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from murmurhash2 import murmurhash2

from ingest.contract.codec import Encoded, Headers
from ingest.contract.kafka import Kafka, close, has_lost_count
from ingest.contract.topics import RECORD_BYTES, TOPICS, Topic

_FOR_GOOD = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)
_FIRST_BACKOFF, _LAST_BACKOFF, _PROBE_SECONDS = 0.2, 5.0, 2.0
_CONNECT_SECONDS = 5.0
_LINGER_SECONDS = 0.002
_JAVA_SEED = 0x9747B28C
_HEADERS_AT_MOST = 100_000
_BATCH_BYTES = 131_072
_OVERHEAD = 100  # bytes of a batch and of a record, besides what is in it


def place(key: bytes, partitions: int) -> int:
    """The partition of a key, which is where the Java client would put it: records of its users and ours lie together.

    aiokafka's own partitioner is the oracle in the tests; it takes twenty times as long.
    """
    return (murmurhash2(key, _JAVA_SEED) & 0x7FFFFFFF) % partitions


def _is_too_large(record: Encoded) -> bool:
    size = len(record.key) + len(record.value) + _OVERHEAD
    if size + _HEADERS_AT_MOST <= RECORD_BYTES:
        return False
    return size + sum(len(name) + len(text) + 10 for name, text in record.headers) > RECORD_BYTES


class Unavailable(Exception):
    """Theirs: the broker does not take the record now. `reason` is closed vocabulary."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(Unavailable):
    """The broker will never take this record, however often it is sent."""


Told = Callable[[Unavailable | None], None]
"""Hears None when a record is held, or why it is not: once, and perhaps before `offer` returns."""


class Publisher(Protocol):
    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None:
        """Returns when all that was offered has been told of."""

    @abstractmethod
    def offer(self, record: Encoded, told: Told) -> None:
        """Takes a record on. A call that returns and a call back: a task and a future for each would cost more than
        verifying and publishing it do."""

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> None:
        """For who can wait: returns when the record is held. Raises Unavailable."""
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.offer(Encoded(topic, key, value, headers), partial(_settle, held))
        await held

    @abstractmethod
    def trouble(self) -> str | None:
        """Why nothing can be held now, or None."""

    @abstractmethod
    def degraded(self) -> str | None:
        """What is not as it should be although records are held, or None."""


def _settle(held: asyncio.Future[None], error: Unavailable | None) -> None:
    if held.done():
        return  # who waited has left
    if error is None:
        held.set_result(None)
    else:
        held.set_exception(error)


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
        self._sender: asyncio.Task[None] | None = None
        self._trouble: str | None = "connecting"
        self._closing: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()
        self._names = {topic.name: kafka.topic(topic.name) for topic in TOPICS}
        self._partitions: dict[str, int] = {}
        self._open: dict[tuple[str, int], _Batch] = {}
        self._full: list[_Batch] = []
        self._on_way: dict[tuple[str, int], _Batch] = {}  # the latest of each partition
        self._unsettled: set[_Batch] = set()
        self._work = asyncio.Event()
        self._log = structlog.get_logger("ingest.publisher")

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._keeper = asyncio.create_task(self._keep_connected(), name="publisher")
        self._sender = asyncio.create_task(self._send_on(), name="sending")

    async def stop(self) -> None:
        for task in (self._keeper, self._sender):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        producer, self._producer, self._trouble = self._producer, None, "stopped"
        if producer is not None:
            with contextlib.suppress(TimeoutError):
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
            self._full.append(batch)
            batch = self._opened(producer, topic, partition)
            batch.builder.append(timestamp=None, key=key, value=value, headers=list(headers))  # the first always fits
        batch.tell.append(told)

    def _opened(self, producer: AIOKafkaProducer, topic: str, partition: int) -> _Batch:
        batch = self._open[topic, partition] = _Batch(topic, partition, producer.create_batch())
        batch.timer = self._loop.call_later(self._deadline, self._expired, producer, batch)
        self._unsettled.add(batch)
        self._work.set()
        return batch

    async def _send_on(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            await asyncio.sleep(_LINGER_SECONDS)
            if self._producer is not None:
                await self._send(self._producer)

    async def _send(self, producer: AIOKafkaProducer, *, also_held: bool = False) -> None:
        # While a partition has a batch on its way, the next one waits, and may as well grow.
        ready = [place for place in self._open if also_held or place not in self._on_way]
        batches = [*self._full, *(self._open.pop(place) for place in ready)]
        self._full = []
        for batch in batches:
            if batch not in self._unsettled:
                continue
            batch.builder.close()
            try:
                sent = await producer.send_batch(batch.builder, batch.topic, partition=batch.partition)
            except KafkaError:
                self._settle(batch, lambda: Unavailable("refused_by_broker"))
            else:
                self._on_way[batch.topic, batch.partition] = batch
                sent.add_done_callback(partial(self._answered, producer, batch))

    def _answered(self, producer: AIOKafkaProducer, batch: _Batch, sent: "asyncio.Future[object]") -> None:
        error = KafkaConnectionError("given up") if sent.cancelled() else sent.exception()
        place = (batch.topic, batch.partition)
        if self._on_way.get(place) is batch:
            del self._on_way[place]
            if place in self._open:
                self._work.set()
        if batch not in self._unsettled:
            return  # was given up on before
        if error is None:
            self._settle(batch, None)
            if producer is self._producer:
                self._is_up()
            return
        if has_lost_count(error):
            self._replace(producer, type(error).__name__)
        refusal = Refused if isinstance(error, _FOR_GOOD) else Unavailable
        self._settle(batch, lambda: refusal("refused_by_broker"))

    def _settle(self, batch: _Batch, error: Callable[[], Unavailable] | None) -> None:
        self._unsettled.discard(batch)
        self._free += len(batch.tell)
        if batch.timer is not None:
            batch.timer.cancel()
        for told in batch.tell:
            try:
                told(error() if error else None)
            except Exception:  # noqa: BLE001  # of one of many, and the others must hear of theirs
                self._log.exception("a fault in who was told")

    def _expired(self, producer: AIOKafkaProducer, batch: _Batch) -> None:
        self._settle(batch, lambda: Unavailable("deadline"))
        self._replace(producer, "TimeoutError")

    def _fail(self, reason: str) -> None:
        """Nobody waits any longer for what has not been answered: the spool is there for it, or the caller is told."""
        self._open, self._full, self._on_way = {}, [], {}
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
                producer = self._producer
                if producer is None:
                    producer = self._producer = await self._connect()
                await self._learn(producer)
                if producer is self._producer:  # and was not replaced meanwhile
                    self._is_up()
                backoff, pause = _FIRST_BACKOFF, _PROBE_SECONDS
            except (KafkaError, OSError, TimeoutError) as error:
                self._is_down(type(error).__name__)
                pause, backoff = backoff, min(backoff * 2, _LAST_BACKOFF)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurry.wait()

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._kafka.aiokafka_options(),
            acks="all",
            enable_idempotence=self._kafka.idempotence,
            linger_ms=0,  # the lingering is done here
            max_batch_size=_BATCH_BYTES,
            max_request_size=RECORD_BYTES,
            request_timeout_ms=int(_CONNECT_SECONDS * 1000),
        )
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await producer.start()
                await producer.client.set_topics(list(self._names.values()))
            await self._learn(producer)
        except BaseException:
            await close(producer, self._deadline)
            raise
        return producer

    async def _learn(self, producer: AIOKafkaProducer) -> None:
        """How many partitions each topic has: one may have come to be, or have got more. Raises KafkaError and
        TimeoutError where the broker does not answer."""
        client = producer.client
        async with asyncio.timeout(_CONNECT_SECONDS):
            if not await client.force_metadata_update():
                raise KafkaConnectionError("no broker answers")
        found = {name: client.cluster.partitions_for_topic(name) for name in self._names.values()}
        self._partitions = {name: len(partitions) for name, partitions in found.items() if partitions}

    def _replace(self, producer: AIOKafkaProducer, why: str) -> None:
        if self._producer is not producer:
            return  # by now it is another one
        self._producer = None
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


class InMemoryPublisher(Publisher):
    """The twin: holds records in a list; `fail` makes the broker unreachable."""

    def __init__(self) -> None:
        self.records: list[tuple[Topic, bytes, bytes, Mapping[str, bytes]]] = []
        self._started = False
        self._failing: str | None = None

    async def start(self) -> None:
        self._started = True

    async def stop(self) -> None:
        self._started = False

    def offer(self, record: Encoded, told: Told) -> None:
        if not self._started:
            told(Unavailable("not_connected"))
        elif self._failing is not None:
            told(Unavailable(self._failing))
        else:
            self.records.append((record.topic, record.key, record.value, dict(record.headers)))
            told(None)

    def trouble(self) -> str | None:
        return self._failing if self._started else "not_connected"

    def degraded(self) -> str | None:
        return None

    def fail(self, reason: str | None) -> None:
        self._failing = reason
