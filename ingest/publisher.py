"""The publisher: a record is in Kafka, acknowledged by all replicas, or the caller is told that it is not.

`publish` answers within its deadline. What it gave up on may still arrive: ids repeat, so that is harmless.
"""

import asyncio
import contextlib
import struct
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

from ingest.contract.codec import Headers
from ingest.contract.kafka import Kafka, close, has_lost_count
from ingest.contract.topics import RECORD_BYTES, TOPICS, Topic

_FOR_GOOD = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)
_FIRST_BACKOFF, _LAST_BACKOFF, _PROBE_SECONDS = 0.2, 5.0, 2.0
_CONNECT_SECONDS = 5.0
_LINGER_SECONDS = 0.002
_HEADERS_AT_MOST = 100_000
_BATCH_BYTES = 131_072
_OVERHEAD = 100  # bytes of a batch and of a record, besides what is in it


def murmur2(data: bytes) -> int:
    """The hash that the Java client places keys by, so that its users' records of a key and ours lie together.

    A third of the time of aiokafka's, which is the oracle in the tests. https://github.com/aappleby/smhasher
    """
    words, left = divmod(len(data), 4)
    value = 0x9747B28C ^ len(data)
    for word in struct.unpack_from(f"<{words}I", data):
        word = word * 0x5BD1E995 & 0xFFFFFFFF
        word = (word ^ word >> 24) * 0x5BD1E995 & 0xFFFFFFFF
        value = value * 0x5BD1E995 & 0xFFFFFFFF ^ word
    if left:
        value = (value ^ int.from_bytes(data[words * 4 :], "little")) * 0x5BD1E995 & 0xFFFFFFFF
    value = (value ^ value >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return value ^ value >> 15


def place(key: bytes, partitions: int) -> int:
    """The partition of a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def _size(key: bytes, value: bytes, headers: Headers) -> int:
    return len(key) + len(value) + sum(len(name) + len(text) + 10 for name, text in headers) + _OVERHEAD


class Unavailable(Exception):
    """Theirs: the broker does not take the record now. `reason` is closed vocabulary."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(Unavailable):
    """The broker will never take this record, however often it is sent."""


class Publisher(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> None:
        """Returns when the record is held. Raises Unavailable."""

    def trouble(self) -> str | None:
        """Why nothing can be held now, or None."""

    def degraded(self) -> str | None:
        """What is not as it should be although records are held, or None."""


class _Batch:
    """Records of one partition on their way, and who waits for each: a caller that leaves takes no other along."""

    __slots__ = ("builder", "partition", "timer", "topic", "waiters")

    def __init__(self, topic: str, partition: int, builder: Any) -> None:
        self.topic = topic
        self.partition = partition
        self.builder = builder
        self.waiters: list[asyncio.Future[None]] = []
        self.timer: asyncio.TimerHandle | None = None

    def settle(self, error: Callable[[], Exception] | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        for waiter in self.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error())


class KafkaPublisher:
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
        self._unsettled: set[_Batch] = set()
        self._work = asyncio.Event()
        self._log = structlog.get_logger("ingest.publisher")

    async def start(self) -> None:
        # Asking which loop runs is a system call in Python 3.11, as dear as all the rest of a record.
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
                    await self._send(producer)
            await close(producer, self._deadline)
        self._fail("stopped")
        await asyncio.gather(*self._closing)

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> None:
        producer = self._producer
        if producer is None:
            raise Unavailable("not_connected")
        if self._free <= 0:
            raise Unavailable("buffer_full")
        if len(key) + len(value) + _HEADERS_AT_MOST > RECORD_BYTES and _size(key, value, headers) > RECORD_BYTES:
            raise Refused("refused_by_broker")
        self._free -= 1
        try:
            name = self._names.get(topic.name) or self._kafka.topic(topic.name)
            partitions = self._partitions.get(name) or await self._learned(producer, name)
            await self._appended(producer, name, place(key, partitions), key, value, headers)
        finally:
            self._free += 1

    def _appended(
        self, producer: AIOKafkaProducer, topic: str, partition: int, key: bytes, value: bytes, headers: Headers
    ) -> asyncio.Future[None]:
        """The future of a record that has been put into its partition's batch."""
        batch = self._open.get((topic, partition))
        if batch is None:
            batch = self._opened(producer, topic, partition)
        if batch.builder.append(timestamp=None, key=key, value=value, headers=list(headers)) is None:
            self._full.append(batch)
            batch = self._opened(producer, topic, partition)
            batch.builder.append(timestamp=None, key=key, value=value, headers=list(headers))  # the first always fits
        waiter: asyncio.Future[None] = self._loop.create_future()
        batch.waiters.append(waiter)
        return waiter

    def _opened(self, producer: AIOKafkaProducer, topic: str, partition: int) -> _Batch:
        batch = self._open[topic, partition] = _Batch(topic, partition, producer.create_batch())
        batch.timer = self._loop.call_later(self._deadline, self._expired, producer, batch)
        self._unsettled.add(batch)
        self._work.set()
        return batch

    async def _learned(self, producer: AIOKafkaProducer, topic: str) -> int:
        """How many partitions a topic has that has not been written to yet. Raises Unavailable."""
        try:
            async with asyncio.timeout(self._deadline):
                count = self._partitions[topic] = len(await producer.partitions_for(topic))
                return count
        except (KafkaError, TimeoutError) as error:
            raise Unavailable("deadline" if isinstance(error, TimeoutError) else "refused_by_broker") from error

    async def _send_on(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            await asyncio.sleep(_LINGER_SECONDS)
            if self._producer is not None:
                await self._send(self._producer)

    async def _send(self, producer: AIOKafkaProducer) -> None:
        batches = [*self._full, *self._open.values()]
        self._full, self._open = [], {}
        for batch in batches:
            if batch not in self._unsettled:
                continue
            batch.builder.close()
            try:
                sent = await producer.send_batch(batch.builder, batch.topic, partition=batch.partition)
            except KafkaError:
                self._unsettled.discard(batch)
                batch.settle(lambda: Unavailable("refused_by_broker"))
            else:
                sent.add_done_callback(partial(self._answered, producer, batch))

    def _answered(self, producer: AIOKafkaProducer, batch: _Batch, sent: "asyncio.Future[object]") -> None:
        error = KafkaConnectionError("given up") if sent.cancelled() else sent.exception()
        if batch not in self._unsettled:
            return  # was given up on before
        self._unsettled.discard(batch)
        if error is None:
            batch.settle(None)
            if producer is self._producer:
                self._is_up()
            return
        if has_lost_count(error):
            self._replace(producer, type(error).__name__)
        refusal = Refused if isinstance(error, _FOR_GOOD) else Unavailable
        batch.settle(lambda: refusal("refused_by_broker"))

    def _expired(self, producer: AIOKafkaProducer, batch: _Batch) -> None:
        self._unsettled.discard(batch)
        batch.settle(lambda: Unavailable("deadline"))
        self._replace(producer, "TimeoutError")

    def _fail(self, reason: str) -> None:
        """Nobody waits any longer for what has not been answered: the spool is there for it, or the caller is told."""
        batches, self._unsettled, self._open, self._full = self._unsettled, set(), {}, []
        for batch in batches:
            batch.settle(lambda: Unavailable(reason))

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
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await producer.client.fetch_all_metadata()
                self._partitions.clear()  # a topic may have got more of them
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
        except BaseException:
            await close(producer, self._deadline)
            raise
        return producer

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


class InMemoryPublisher:
    """The twin: holds records in a list; `fail` makes the broker unreachable."""

    def __init__(self) -> None:
        self.records: list[tuple[Topic, bytes, bytes, Mapping[str, bytes]]] = []
        self._started = False
        self._failing: str | None = None

    async def start(self) -> None:
        self._started = True

    async def stop(self) -> None:
        self._started = False

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> None:
        if not self._started:
            raise Unavailable("not_connected")
        if self._failing is not None:
            raise Unavailable(self._failing)
        self.records.append((topic, key, value, dict(headers)))

    def trouble(self) -> str | None:
        return self._failing if self._started else "not_connected"

    def degraded(self) -> str | None:
        return None

    def fail(self, reason: str | None) -> None:
        self._failing = reason
