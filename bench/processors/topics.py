"""Topics of a run: made, filled with a history, watched, and read again to be checked."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from kafka import KafkaConsumer
from kafka import TopicPartition as Place
from kafka.admin import KafkaAdminClient, NewTopic

from ingest.contract.codec import Encoded
from ingest.contract.kafka import place

_BATCH_BYTES = 131_072  # as the front door's batches


def create(broker: str, names: Sequence[str], partitions: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.create_topics([NewTopic(name, partitions, 1) for name in names])
        admin.wait_for_topics(list(names))
    finally:
        admin.close()


def delete(broker: str, prefix: str) -> None:
    """All topics whose names begin so, those that a framework has made for itself among them."""
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.delete_topics([name for name in admin.list_topics() if name.startswith(prefix)])
    finally:
        admin.close()


def delete_group(broker: str, group: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.delete_groups([group])
    finally:
        admin.close()


def fill(broker: str, topic: str, partitions: int, records: Iterable[Encoded]) -> None:
    """Each record where the Java client would place its key, and none out of its order."""
    asyncio.run(_fill(broker, topic, partitions, records))


async def _fill(broker: str, topic: str, partitions: int, records: Iterable[Encoded]) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=broker, enable_idempotence=True, max_batch_size=_BATCH_BYTES
    ) as producer:
        open_ = {number: producer.create_batch() for number in range(partitions)}
        for record in records:
            number = place(record.key, partitions)
            given = {"key": record.key, "value": record.value, "headers": list(record.headers), "timestamp": None}
            if open_[number].append(**given) is None:
                await producer.send_batch(open_[number], topic, partition=number)
                open_[number] = producer.create_batch()
                open_[number].append(**given)
        for number, batch in open_.items():
            if batch.record_count():
                await producer.send_batch(batch, topic, partition=number)


class Ends:
    """How many records a topic holds, asked again and again."""

    def __init__(self, broker: str, topic: str, partitions: int) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=broker)
        self._places = [Place(topic, number) for number in range(partitions)]

    def count(self) -> int:
        return sum(self._consumer.end_offsets(self._places).values())

    def close(self) -> None:
        self._consumer.close()


async def read(broker: str, topic: str, partitions: int) -> AsyncIterator[tuple[bytes, bytes]]:
    """Keys and values, in the order of each partition, up to where the topic ends now."""
    async with AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False) as consumer:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        left = {place: end for place, end in (await consumer.end_offsets(places)).items() if end}
        while left:
            for where, some in (await consumer.getmany(timeout_ms=500, max_records=10_000)).items():
                for record in some:
                    yield record.key, record.value
                if some[-1].offset + 1 >= left.get(where, 0):
                    left.pop(where, None)
