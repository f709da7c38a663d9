"""The log port: where topics end, and what is in them from there on. On Kafka, and in memory."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ingest.contract.kafka import Kafka, place
from processors.stream.producer import BrokerUnavailable, MemoryProducer, Outgoing

FETCH_WAIT_MS = 50
"""A broker answers a connection's requests in turn: whatever is asked meanwhile waits for an empty fetch to end."""

Place = tuple[str, int]
"""A topic and the number of one of its partitions."""


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class NoTopic(Exception):
    """The topic is not there; its name is what the exception says."""


def in_short(error: BrokerUnavailable) -> str:
    """What kind of error it was: the rest is what clients say to programmers."""
    return str(error).partition(":")[0]


class Log(Protocol):
    async def ends(self, topics: Sequence[str]) -> Mapping[Place, int]:
        """The offset after the last record of each partition. Raises BrokerUnavailable, NoTopic."""
        ...

    def records(self, starts: Mapping[Place, int]) -> AsyncGenerator[Sequence[Record], None]:
        """What is in those partitions from those offsets on, some at a time; it waits for more, and never ends. An
        empty one when there is nothing for a moment. Raises BrokerUnavailable."""
        ...


def partition_of(key: str, topic: str, ends: Mapping[Place, int]) -> Place:
    return topic, place(key.encode(), sum(1 for name, _ in ends if name == topic))


class MemoryLog:
    """The twin, over what a producer in memory was given; a record of each partition at a time. `topics` are there."""

    def __init__(self, producer: MemoryProducer, topics: Sequence[str], partitions: int = 3) -> None:
        self._producer = producer
        self._topics = topics
        self._partitions = partitions

    async def ends(self, topics: Sequence[str]) -> Mapping[Place, int]:
        for topic in topics:
            if topic not in self._topics:
                raise NoTopic(topic)
        held = self._held()
        return {(topic, n): len(held.get((topic, n), ())) for topic in topics for n in range(self._partitions)}

    async def records(self, starts: Mapping[Place, int]) -> AsyncGenerator[Sequence[Record], None]:
        at = dict(starts)
        while True:
            held = self._held()
            found = [record for name, start in at.items() for record in held.get(name, ())[start : start + 1]]
            at |= {(record.topic, record.partition): record.offset + 1 for record in found}
            yield found
            await asyncio.sleep(0)

    def _held(self) -> Mapping[Place, Sequence[Record]]:
        held: dict[Place, list[Record]] = {}
        for one in self._producer.records:
            some = held.setdefault((one.topic, self._number(one)), [])
            some.append(Record(one.topic, self._number(one), len(some), one.key, one.value, one.headers))
        return held

    def _number(self, one: Outgoing) -> int:
        return place(one.key or b"", self._partitions) if one.partition is None else one.partition


class KafkaLog:
    """aiokafka without a group: nothing is committed, and nobody else is disturbed. Connects when it is entered."""

    def __init__(self, kafka: Kafka, *, deadline: float = 10.0, poll: float = 0.25) -> None:
        self._consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=int(deadline * 1000),
            **kafka.aiokafka_options(),
        )
        self._deadline = deadline
        self._poll = poll

    async def __aenter__(self) -> "KafkaLog":
        try:
            async with asyncio.timeout(self._deadline):
                await self._consumer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await self._consumer.stop()
            raise BrokerUnavailable(type(error).__name__) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def ends(self, topics: Sequence[str]) -> Mapping[Place, int]:
        client = self._consumer._client  # the consumer tells of those topics alone that it reads already
        try:
            async with asyncio.timeout(self._deadline):
                cluster = await client.fetch_all_metadata()
                for topic in topics:
                    if not cluster.partitions_for_topic(topic):
                        raise NoTopic(topic)
                await asyncio.gather(*(client.add_topic(topic) for topic in topics))
                every = [TopicPartition(topic, n) for topic in topics for n in cluster.partitions_for_topic(topic)]
                ends = await self._consumer.end_offsets(every)
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailable(type(error).__name__) from error
        return {(where.topic, where.partition): end for where, end in ends.items()}

    async def records(self, starts: Mapping[Place, int]) -> AsyncGenerator[Sequence[Record], None]:
        self._consumer.assign([TopicPartition(*where) for where in starts])
        for where, start in starts.items():
            self._consumer.seek(TopicPartition(*where), start)
        while True:
            try:
                some = await self._consumer.getmany(timeout_ms=int(self._poll * 1000), max_records=5000)
            except KafkaError as error:
                raise BrokerUnavailable(type(error).__name__) from error
            yield [
                Record(where.topic, where.partition, one.offset, one.key, one.value, one.headers)
                for where, records in some.items()
                for one in records
            ]
