"""A topic, a producer, and workers of one group on it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from prometheus_client import CollectorRegistry

from ingest.contract.kafka import Kafka
from processors.stream.app import BatchApp, create_app
from processors.stream.batch import Batch, Handler
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import KafkaProducer, Outgoing
from processors.stream.settings import StreamSettings
from tests.conftest import Broker

SETTINGS = StreamSettings(batch_records=50, commit_interval=0.1, retry_first=0.05, retry_most=0.2, stop_grace=0.5)
PARTITIONS = 2


def create_topic(kafka: Kafka, name: str, partitions: int = PARTITIONS) -> str:
    admin = KafkaAdminClient(**kafka.admin_options())
    admin.create_topics([NewTopic(name, partitions, 1)])
    admin.close()
    return name


@pytest.fixture
def topic(broker: Broker, prefix: str) -> str:
    return create_topic(broker.kafka(), f"{prefix}.work")


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[KafkaProducer]:
    made = KafkaProducer(broker.kafka())
    yield made
    await made.stop()


def numbered(topic: str, count: int, start: int = 0, partitions: int = PARTITIONS) -> list[Outgoing]:
    """Records whose value is their number, in turn in each partition."""
    return [
        Outgoing(topic, str(n).encode(), str(n).encode(), (("n", b"1"),), n % partitions)
        for n in range(start, start + count)
    ]


def created(
    kafka: Kafka,
    handlers: Mapping[str, Handler],
    settings: StreamSettings = SETTINGS,
    *,
    registry: CollectorRegistry | None = None,
    retention: Mapping[str, float] | None = None,
) -> BatchApp:
    """A worker of the group that is named after the first topic."""
    return create_app(
        group=f"{next(iter(handlers))}-group",
        kafka=kafka,
        handlers=handlers,
        settings=settings,
        metrics=StreamMetrics(registry or CollectorRegistry()),
        retryable=(ConnectionError,),
        retention=retention,
    )


@asynccontextmanager
async def running(app: BatchApp) -> AsyncIterator[BatchApp]:
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


@asynccontextmanager
async def worker(
    kafka: Kafka, topic: str, handler: Handler, settings: StreamSettings = SETTINGS
) -> AsyncIterator[BatchApp]:
    async with running(created(kafka, {topic: handler}, settings)) as app:
        yield app


async def committed(kafka: Kafka, topic: str, partitions: int = PARTITIONS, group: str | None = None) -> list[int]:
    consumer = AIOKafkaConsumer(
        group_id=group or f"{topic}-group", enable_auto_commit=False, **kafka.aiokafka_options()
    )
    await consumer.start()
    try:
        return [await consumer.committed(TopicPartition(topic, p)) or 0 for p in range(partitions)]
    finally:
        await consumer.stop()


def collecting(seen: list[int]) -> Handler:
    async def handle(batch: Batch) -> None:
        seen.extend(int(r.value or b"") for r in batch.records)

    return handle


class Gate:
    """A handler that waits until it is let through, and tells what came."""

    def __init__(self, passes: Callable[[Batch], bool] = lambda _: False) -> None:
        self.batches: list[Batch] = []
        self.done: list[int] = []
        self._passes = passes
        self._open = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    async def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)
        if not self._passes(batch):
            await self._open.wait()
        self.done.extend(int(r.value or b"") for r in batch.records)
