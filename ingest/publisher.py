"""The publisher: a record is in Kafka, acknowledged by all replicas, or the caller is told that it is not.

`publish` answers within its deadline. What it gave up on may still arrive: ids repeat, so that is harmless.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidMessageError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from ingest.contract.codec import Headers
from ingest.contract.kafka import Kafka, close, has_lost_count
from ingest.contract.topics import RECORD_BYTES, Topic

_FOR_GOOD = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)
_FIRST_BACKOFF, _LAST_BACKOFF, _PROBE_SECONDS = 0.2, 5.0, 2.0


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


class KafkaPublisher:
    """Connects in the background, so that a front door without a broker is alive and says so."""

    def __init__(self, kafka: Kafka, *, deadline: float = 5.0, max_in_flight: int = 10_000) -> None:
        self._kafka = kafka
        self._deadline = deadline
        self._free = max_in_flight
        self._producer: AIOKafkaProducer | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._trouble: str | None = "connecting"
        self._closing: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()
        self._log = structlog.get_logger("ingest.publisher")

    async def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep_connected(), name="publisher")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        producer, self._producer, self._trouble = self._producer, None, "stopped"
        if producer is not None:
            await close(producer, self._deadline)
        await asyncio.gather(*self._closing)

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> None:
        producer = self._producer
        if producer is None:
            raise Unavailable("not_connected")
        if self._free <= 0:
            raise Unavailable("buffer_full")
        self._free -= 1
        try:
            async with asyncio.timeout(self._deadline):
                name = self._kafka.topic(topic.name)
                sent = await producer.send(name, value, key=key, headers=list(headers))
                # Shielded: giving up on one record must not cancel the batch it shares with others.
                await asyncio.shield(sent)
        except (KafkaError, TimeoutError) as error:
            if has_lost_count(error):
                self._replace(producer, type(error).__name__)
            if isinstance(error, _FOR_GOOD):
                raise Refused("refused_by_broker") from error
            raise Unavailable("deadline" if isinstance(error, TimeoutError) else "refused_by_broker") from error
        finally:
            self._free += 1
        if producer is self._producer:
            self._is_up()

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
                async with asyncio.timeout(self._deadline):
                    await producer.client.fetch_all_metadata()
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
            linger_ms=2,
            max_request_size=RECORD_BYTES,
            request_timeout_ms=int(self._deadline * 1000),
        )
        try:
            async with asyncio.timeout(self._deadline):
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
