"""The producer port, on Kafka and in memory. What was published is in every in-sync replica when the call returns."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from ingest.contract.kafka import Kafka, close, has_lost_count, place
from ingest.contract.topics import RECORD_BYTES

_FLUSH_SECONDS = 1.0
# One batch a partition and round trip, so what a handler publishes for a partition is to fit into one. The client's
# default of 16 KB is some fifty round trips for a thousand records. A topic takes batches up to `max.message.bytes`.
_BATCH_BYTES = int(RECORD_BYTES * 0.9)


class Outgoing(NamedTuple):
    """A record to publish. Without a `partition`, the key decides as in the Java client."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int | None = None


class BrokerUnavailable(Exception):
    """The broker did not take the records in time. They may be in the topic or not: publishing again is right."""


class Producer(Protocol):
    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Returns once all are acknowledged, in order within a partition. Raises BrokerUnavailable otherwise."""
        ...


class MemoryProducer:
    """The twin. `failures` makes that many calls fail before anything is kept."""

    def __init__(self, failures: int = 0) -> None:
        self.records: list[Outgoing] = []
        self.failures = failures

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise BrokerUnavailable("told to fail")
        self.records.extend(records)


class KafkaProducer:
    """aiokafka, batches made by hand: one future a batch instead of one a record.

    `start` waits for the broker; `publish` gives up after `deadline` seconds.
    """

    def __init__(self, kafka: Kafka, *, deadline: float = 10.0) -> None:
        self._kafka = kafka
        self._deadline = deadline
        self._client: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Raises BrokerUnavailable when nobody answers."""
        async with self._starting:
            if self._client is None:
                self._client = await self._connected()

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await close(client, self._deadline)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if not records:
            return
        if self._client is None:
            await self.start()
        client = self._client
        assert client is not None
        try:
            async with asyncio.timeout(self._deadline):
                await self._send(client, records)
        except (KafkaError, TimeoutError) as error:
            if has_lost_count(error) and self._client is client:
                self._client = None
                await close(client, _FLUSH_SECONDS)
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error

    async def _connected(self) -> AIOKafkaProducer:
        client = AIOKafkaProducer(
            acks="all",
            enable_idempotence=self._kafka.idempotence,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=int(self._deadline * 1000),
            **self._kafka.aiokafka_options(),
        )
        try:
            async with asyncio.timeout(self._deadline):
                await client.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await close(client, _FLUSH_SECONDS)
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
        return client

    async def _send(self, client: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        places = grouped(records, {topic: await _partitions(client, topic) for topic in {r.topic for r in records}})
        sent: list[asyncio.Future[Any]] = []
        try:
            for (topic, partition), some in places.items():
                for batch in _batches(client, some):
                    sent.append(await client.send_batch(batch, topic, partition=partition))
            await asyncio.gather(*sent)
        finally:
            for one in sent:  # where one has failed nobody waits for the others, and nobody is to be warned of that
                one.add_done_callback(lambda done: done.cancelled() or done.exception())


def grouped(records: Sequence[Outgoing], partitions: Mapping[str, int]) -> Mapping[tuple[str, int], list[Outgoing]]:
    """Records by topic and partition, in order. Those without a key go to one partition together, any one."""
    places: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
    anywhere = {topic: random.randrange(count) for topic, count in partitions.items()}  # noqa: S311  # no secret
    for record in records:
        topic, key, partition = record.topic, record.key, record.partition
        if partition is None:
            partition = anywhere[topic] if key is None else place(key, partitions[topic])
        places[topic, partition].append(record)
    return places


async def _partitions(client: AIOKafkaProducer, topic: str) -> int:
    return len(await client.partitions_for(topic))


def _batches(client: AIOKafkaProducer, records: Sequence[Outgoing]) -> Iterator[BatchBuilder]:
    batch = client.create_batch()
    append = batch.append
    for record in records:
        headers = list(record.headers)
        if append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
            yield batch
            batch = client.create_batch()
            append = batch.append
            append(timestamp=None, key=record.key, value=record.value, headers=headers)  # the first always fits
    yield batch
