"""The producer port, on Kafka and in memory. What was published is in every in-sync replica when the call returns."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from ingest.contract.kafka import Kafka


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
        self._place = DefaultPartitioner()

    async def start(self) -> None:
        """Raises BrokerUnavailable when nobody answers."""
        client = AIOKafkaProducer(
            acks="all",
            enable_idempotence=self._kafka.idempotence,
            linger_ms=0,
            request_timeout_ms=int(self._deadline * 1000),
            **self._kafka.aiokafka_options(),
        )
        try:
            await client.start()
        except KafkaError as error:
            await client.stop()
            raise BrokerUnavailable(str(error)) from error
        self._client = client

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.stop()
            self._client = None

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if not records:
            return
        try:
            if self._client is None:
                await self.start()
            async with asyncio.timeout(self._deadline):
                await self._send(records)
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error

    async def _send(self, records: Sequence[Outgoing]) -> None:
        client = self._client
        assert client is not None
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
