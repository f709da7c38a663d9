"""The producer port, on Kafka and in memory. What was published is in every in-sync replica when the call returns."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from ingest.contract.kafka import Kafka, close, has_lost_count

_FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outgoing:
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
        self._place = DefaultPartitioner()

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
        places: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        for record in records:
            places[record.topic, await self._partition(client, record)].append(record)
        sent: list[asyncio.Future[Any]] = []
        for (topic, partition), some in places.items():
            batch = client.create_batch()
            for record in some:
                added = batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
                if added is None:  # the batch is full: it goes, and another one takes the record
                    sent.append(await client.send_batch(batch, topic, partition=partition))
                    batch = client.create_batch()
                    batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
            sent.append(await client.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)

    async def _partition(self, client: AIOKafkaProducer, record: Outgoing) -> int:
        if record.partition is not None:
            return record.partition
        partitions = sorted(await client.partitions_for(record.topic))
        return int(self._place(record.key, partitions, partitions))
