"""Workers of one group: whoever comes, goes or hangs, each record is handled and no offset runs ahead of that."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from faust.types import TP

from processors.stream.batch import Batch
from processors.stream.producer import KafkaProducer
from processors.stream.settings import StreamSettings
from tests.conftest import Broker, until
from tests.processors.stream.conftest import (
    PARTITIONS,
    SETTINGS,
    Gate,
    collecting,
    committed,
    create_topic,
    numbered,
    worker,
)

# On Apache Kafka alone: the embedded broker keeps a join for seconds, and this joins often.
pytestmark = [pytest.mark.broker, pytest.mark.kafka]


async def test_a_rebalance_leaves_what_is_queued_to_whoever_has_the_partition_next(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    kafka, first, second = broker.kafka(), Gate(), Gate(passes=lambda _: True)

    async def is_committed(offsets: list[int]) -> bool:
        return await committed(kafka, topic) == offsets

    async def all_is_committed() -> bool:
        return await committed(kafka, topic) == [200, 200]

    await producer.publish(numbered(topic, 400))
    async with worker(kafka, topic, first) as one:
        await until(lambda: one.lanes.held >= 200)  # a batch of each partition in hand, and more that waits
        async with worker(kafka, topic, second) as other:
            await until(lambda: other.assigned, 40)
            lost = {tp.partition for tp in other.consumer.assignment()}
            await until(lambda: {b.partition for b in second.batches} >= lost)
            in_hand = len(first.batches)
            first.open()
            await until(lambda: set(first.done) | set(second.done) == set(range(400)), 30)
            late = first.batches[:in_hand]
            assert all(b.records[0].offset == 0 for b in late), "what had waited was begun after the partition was lost"
            await until(all_is_committed, 20)


async def test_a_commit_of_an_old_generation_is_not_sent(broker: Broker, topic: str, producer: KafkaProducer) -> None:
    await producer.publish(numbered(topic, 20))
    gate = Gate()
    async with worker(broker.kafka(), topic, gate) as app:
        await until(lambda: len(gate.batches) == PARTITIONS)
        thread: Any = app.consumer._thread  # type: ignore[attr-defined]  # a BatchConsumer
        generation = app.consumer_generation_id
        assert not await thread.commit_as_of(generation - 1, {TP(topic, 0): 5})
        assert await committed(broker.kafka(), topic) == [0, 0]
        assert await thread.commit_as_of(generation, {TP(topic, 0): 5})
        assert await committed(broker.kafka(), topic) == [5, 0]


async def test_a_stop_lets_what_is_in_hand_end_and_commits_it(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    gate = Gate()
    await producer.publish(numbered(topic, 20))
    settings = SETTINGS.model_copy(update={"stop_grace": 10.0})
    async with worker(broker.kafka(), topic, gate, settings):
        await until(lambda: len(gate.batches) == PARTITIONS)
        asyncio.get_running_loop().call_later(0.3, gate.open)
    assert sorted(gate.done) == list(range(20))
    assert await committed(broker.kafka(), topic) == [10, 10]


async def test_a_store_that_is_away_for_a_while_costs_nothing_but_time(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    seen: list[int] = []
    tries = 0
    is_away = True

    async def stored(batch: Batch) -> None:
        nonlocal tries
        tries += 1
        if is_away:
            raise ConnectionError("the store is away")
        await collecting(seen)(batch)

    await producer.publish(numbered(topic, 200))
    async with worker(broker.kafka(), topic, stored) as app:
        await until(lambda: tries > 20)
        assert await committed(broker.kafka(), topic) == [0, 0]
        assert app.fault is None
        is_away = False
        await until(lambda: len(seen) == 200)
    assert sorted(seen) == list(range(200))
    assert await committed(broker.kafka(), topic) == [100, 100]


async def test_four_workers_that_come_and_go_handle_everything(
    broker: Broker, prefix: str, producer: KafkaProducer
) -> None:
    partitions, count = 8, 0
    topic, seen = create_topic(broker.kafka(), f"{prefix}.wide", partitions), list[int]()

    async def more() -> None:
        nonlocal count
        await producer.publish(numbered(topic, 400, start=count, partitions=partitions))
        count += 400

    await more()
    async with AsyncExitStack() as group:
        for _ in range(4):
            app = await group.enter_async_context(worker(broker.kafka(), topic, collecting(seen)))
            await more()
            await until(lambda app=app: app.assigned, 40)  # type: ignore[misc]  # bound at once
        await more()
    await more()
    async with worker(broker.kafka(), topic, collecting(seen)):
        await until(lambda: set(seen) == set(range(count)), 60)
    assert await committed(broker.kafka(), topic, partitions) == [count // partitions] * partitions


async def test_under_lag_batches_are_full_and_memory_is_bounded(
    broker: Broker, prefix: str, producer: KafkaProducer
) -> None:
    partitions, count, most = 12, 24_000, 0
    settings = StreamSettings(
        **{**SETTINGS.model_dump(), "batch_records": 100, "held_records": 600, "fetch_bytes": 16_384}
    )
    topic = create_topic(broker.kafka(), f"{prefix}.lag", partitions)
    await producer.publish(numbered(topic, count, partitions=partitions))
    sizes: list[int] = []
    seen: list[int] = []

    async def slow(batch: Batch) -> None:
        nonlocal most
        most = max(most, app.lanes.held)
        sizes.append(len(batch.records))
        await asyncio.sleep(0.005)
        await collecting(seen)(batch)

    async with worker(broker.kafka(), topic, slow, settings) as app:
        await until(lambda: len(seen) == count, 60)
    assert sorted(seen) == list(range(count))
    assert most <= 600 + partitions * 100
    assert sorted(sizes)[len(sizes) // 2] == 100


async def test_one_partition_that_hangs_holds_back_no_other(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    gate = Gate(passes=lambda batch: batch.partition == 1)
    await producer.publish(numbered(topic, 2000))
    async with worker(broker.kafka(), topic, gate):
        await until(lambda: len(gate.done) == 1000)
    assert all(n % PARTITIONS == 1 for n in gate.done)
    assert await committed(broker.kafka(), topic) == [0, 1000]
