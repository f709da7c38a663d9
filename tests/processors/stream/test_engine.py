"""The engine on a real broker: nothing is committed that was not handled, and everything is handled."""

import asyncio
from collections.abc import Callable

import pytest

from ingest.contract.kafka import Kafka
from processors.stream.batch import Batch
from processors.stream.producer import BrokerUnavailable, KafkaProducer, MemoryProducer, Outgoing, Producer
from tests.conftest import Broker, until
from tests.processors.stream.conftest import PARTITIONS, collecting, committed, numbered, worker

# What is marked `kafka` as well takes the embedded broker, which keeps a join for seconds, too long.
pytestmark = pytest.mark.broker


async def test_every_record_is_handled_in_order_and_committed(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    seen: list[int] = []
    await producer.publish(numbered(topic, 1000))
    async with worker(broker.kafka(), topic, collecting(seen)):
        await until(lambda: len(seen) == 1000)
    for partition in range(PARTITIONS):
        own = [n for n in seen if n % PARTITIONS == partition]
        assert own == sorted(own)
    assert await committed(broker.kafka(), topic) == [500, 500]


@pytest.mark.kafka
async def test_a_worker_stopped_inside_a_batch_commits_nothing_of_it(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    begun = asyncio.Event()

    async def stuck(batch: Batch) -> None:
        begun.set()
        await asyncio.Event().wait()

    await producer.publish(numbered(topic, 10))
    async with worker(broker.kafka(), topic, stuck):
        await asyncio.wait_for(begun.wait(), 20)
    assert await committed(broker.kafka(), topic) == [0, 0]
    seen: list[int] = []
    async with worker(broker.kafka(), topic, collecting(seen)):
        await until(lambda: sorted(seen) == list(range(10)))


@pytest.mark.kafka
async def test_a_store_failure_is_tried_again_in_place(broker: Broker, topic: str, producer: KafkaProducer) -> None:
    seen: list[int] = []
    failures = 3

    async def flaky(batch: Batch) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError("the store is away")
        await collecting(seen)(batch)

    await producer.publish(numbered(topic, 20))
    async with worker(broker.kafka(), topic, flaky):
        await until(lambda: len(seen) == 20)
    assert sorted(seen) == list(range(20))


async def test_an_unknown_fault_stops_the_worker_and_acknowledges_nothing(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    async def broken(batch: Batch) -> None:
        raise ZeroDivisionError

    await producer.publish(numbered(topic, 10))
    async with worker(broker.kafka(), topic, broken) as app:
        await asyncio.wait_for(app.failed.wait(), 20)
        assert isinstance(app.fault, ZeroDivisionError)
        await producer.publish(numbered(topic, 10, start=10))
    assert await committed(broker.kafka(), topic) == [0, 0]


@pytest.mark.kafka
async def test_a_second_worker_takes_over_and_nothing_is_lost(
    broker: Broker, topic: str, producer: KafkaProducer
) -> None:
    first: list[int] = []
    second: list[int] = []
    async with worker(broker.kafka(), topic, collecting(first)):
        await producer.publish(numbered(topic, 200))
        await until(lambda: len(first) == 200)
        async with worker(broker.kafka(), topic, collecting(second)) as other:
            await until(lambda: other.assigned, 40)
            await producer.publish(numbered(topic, 200, start=200))
            await until(lambda: set(first) | set(second) == set(range(400)), 40)
        await producer.publish(numbered(topic, 200, start=400))
        await until(lambda: set(first) | set(second) == set(range(600)), 40)


@pytest.mark.kafka
async def test_a_failed_commit_is_repeated(
    broker: Broker, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    failures = 2
    async with worker(broker.kafka(), topic, collecting(seen)) as app:
        consumer = app.consumer
        real: Callable[..., object] = consumer._commit_of  # type: ignore[attr-defined]  # a BatchConsumer

        async def failing(generation: int, offsets: object) -> object:
            nonlocal failures
            if failures:
                failures -= 1
                return False
            return await real(generation, offsets)  # type: ignore[misc]

        monkeypatch.setattr(consumer, "_commit_of", failing)
        await producer.publish(numbered(topic, 40))
        await until(lambda: len(seen) == 40 and failures == 0)
    assert await committed(broker.kafka(), topic) == [20, 20]


@pytest.mark.kafka
async def test_a_stop_commits_also_what_was_done_while_another_commit_was_under_way(
    broker: Broker, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    async with worker(broker.kafka(), topic, collecting(seen)) as app:
        consumer = app.consumer
        real: Callable[..., object] = consumer._commit_of  # type: ignore[attr-defined]  # a BatchConsumer
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def slow(generation: int, offsets: object) -> object:
            begun.set()
            await may_end.wait()
            return await real(generation, offsets)  # type: ignore[misc]

        monkeypatch.setattr(consumer, "_commit_of", slow)
        await producer.publish(numbered(topic, 40))
        await until(begun.is_set)
        await producer.publish(numbered(topic, 40))
        await until(lambda: len(seen) == 80)
        asyncio.get_running_loop().call_later(0.5, may_end.set)  # while the worker stops
    assert await committed(broker.kafka(), topic) == [40, 40]


@pytest.mark.parametrize("kind", ["memory", "kafka"])
async def test_the_producer_and_its_twin_keep_the_same_promises(
    broker: Broker, topic: str, producer: KafkaProducer, kind: str
) -> None:
    port: Producer = producer if kind == "kafka" else MemoryProducer()
    await port.publish([])
    await port.publish(numbered(topic, 500))
    await port.publish([Outgoing(topic, b"k", b"x" * 200_000, ()) for _ in range(10)])  # more than one batch holds


async def test_a_broker_that_is_away_is_an_error_that_says_so(broker: Broker, topic: str) -> None:
    away = KafkaProducer(Kafka(bootstrap_servers="127.0.0.1:1"), deadline=1.0)
    with pytest.raises(BrokerUnavailable):
        await away.publish(numbered(topic, 1))
    with pytest.raises(BrokerUnavailable):
        await MemoryProducer(failures=1).publish(numbered(topic, 1))
