"""What Faust does of itself and we do not: each of its defects is shown in stock Faust first, and then not to be ours.

When one of these fails after an upgrade, upstream may have mended it, and what we do about it may go.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import faust
import psutil
import pytest
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.producer import ProducerBuffer
from faust.types import TP

from ingest.contract.kafka import Kafka
from processors.stream.batch import Batch
from processors.stream.producer import KafkaProducer
from tests.conftest import Broker, until
from tests.processors.stream.conftest import Gate, collecting, committed, numbered, worker

FIRST = TP("t", 0)


class TestWhatStockFaustDoes:
    def test_it_commits_past_a_record_in_flight(self) -> None:
        """https://github.com/faust-streaming/faust/issues/606"""
        stock: Any = SimpleNamespace(
            _acked={FIRST: [1, 2]}, _acked_index={FIRST: {1, 2}}, _gap={FIRST: None}, _committed_offset={FIRST: None}
        )
        assert Consumer._new_offset(stock, FIRST) == 3, "0 was never acknowledged"

    async def test_it_takes_a_failed_commit_for_done(self) -> None:
        """https://github.com/faust-streaming/faust/issues/316"""
        stock = MagicMock(in_transaction=False, _committed_offset={}, _commit=AsyncMock(return_value=False))
        stock.assignment.return_value = {FIRST}
        stock.app.producer.flush = AsyncMock()
        assert not await Consumer._commit_offsets(stock, {FIRST: 7})
        assert stock._committed_offset == {FIRST: 7}

    async def test_its_flush_before_a_commit_gives_up(self) -> None:
        stock: Any = SimpleNamespace(state="running", size=1, message_sent=asyncio.Event())
        async with asyncio.timeout(5):
            assert await ProducerBuffer.flush_atmost(stock, None) == 0

    def test_its_fetch_waits_one_and_a_half_seconds_whatever_is_set(self) -> None:
        assert "fetch_max_wait_ms=1500" in inspect.getsource(AIOKafkaConsumerThread._create_worker_consumer)

    async def test_it_leaves_out_a_partition_under_pressure_and_then_sleeps_a_second(self) -> None:
        active = {FIRST}
        stock = MagicMock(flow_active=True, _buffered_partitions=set(), sleep=AsyncMock())
        stock.app = SimpleNamespace(in_recovery=False, client_only=False)
        stock._get_active_partitions.return_value = active
        Consumer.on_buffer_full(stock, FIRST)
        assert active == set()
        await Consumer._wait_next_records(stock, 1.0)
        stock.sleep.assert_awaited_once_with(1)

    def test_it_serves_its_tables_to_the_world(self) -> None:
        stock = faust.App("stock", broker="aiokafka://127.0.0.1:1")
        assert stock.conf.web_enabled
        assert stock.conf.web_port == 6066

    @pytest.mark.kafka
    @pytest.mark.broker
    async def test_a_record_that_was_in_hand_at_a_stop_is_committed(
        self, broker: Broker, topic: str, producer: KafkaProducer, tmp_path: Path
    ) -> None:
        begun = asyncio.Event()
        await producer.publish(numbered(topic, 2))
        async with stock_worker(broker.kafka(), topic, begun, tmp_path):
            await asyncio.wait_for(begun.wait(), 30)
        assert sum(await committed(broker.kafka(), topic, group="stock")) > 0


@asynccontextmanager
async def stock_worker(kafka: Kafka, topic: str, begun: asyncio.Event, folder: Path) -> AsyncIterator[None]:
    """An agent that never gets done with its first record."""
    app = faust.App(
        "stock", broker=f"aiokafka://{kafka.bootstrap_servers}", store="memory://", datadir=folder,
        value_serializer="raw",
        topic_allow_declare=False, topic_disable_leader=True, web_enabled=False, stream_wait_empty=False,
        consumer_auto_offset_reset="earliest", broker_session_timeout=6, broker_heartbeat_interval=2,
        broker_rebalance_timeout=6, broker_max_poll_interval=6,
    )  # fmt: skip

    async def agent(stream: Any) -> None:
        async for _ in stream:
            begun.set()
            await asyncio.Event().wait()

    app.agent(app.topic(topic, internal=False), name="stock")(agent)
    await app.start()
    try:
        yield
    finally:
        await app.stop()


@pytest.mark.kafka
@pytest.mark.broker
class TestWhatOursDoes:
    async def test_it_commits_what_is_done_and_not_what_is_in_hand(
        self, broker: Broker, topic: str, producer: KafkaProducer
    ) -> None:
        gate = Gate(passes=lambda batch: batch.records[0].offset == 0)
        await producer.publish(numbered(topic, 400))
        async with worker(broker.kafka(), topic, gate) as app:
            await until(lambda: len(gate.batches) == 4)  # of each partition one that is done, and one in hand
            consumer: Any = app.consumer
            await until(lambda: all(consumer._committed_offset[TP(topic, n)] for n in (0, 1)))
            ends = {b.partition: b.records[-1].offset + 1 for b in gate.batches if b.records[0].offset == 0}
            assert await committed(broker.kafka(), topic) == [ends[0], ends[1]]
        assert await committed(broker.kafka(), topic) == [ends[0], ends[1]]

    @pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()], ids=repr)
    async def test_a_batch_whose_handler_was_left_is_not_committed_and_nothing_after_it(
        self, broker: Broker, topic: str, producer: KafkaProducer, error: BaseException
    ) -> None:
        async def left(batch: Batch) -> None:
            if batch.partition == 0:
                raise error
            await asyncio.Event().wait()

        await producer.publish(numbered(topic, 400))
        async with worker(broker.kafka(), topic, left) as app:
            await asyncio.wait_for(app.failed.wait(), 30)
            assert app.fault is not None
        assert await committed(broker.kafka(), topic) == [0, 0]

    async def test_a_commit_does_not_depend_on_a_flush(
        self, broker: Broker, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []
        async with worker(broker.kafka(), topic, collecting(seen)) as app:
            consumer: Any = app.consumer
            with monkeypatch.context() as patched:
                patched.setattr(app.producer, "flush", AsyncMock(side_effect=AssertionError("flushed")))
                await producer.publish(numbered(topic, 10))
                await until(lambda: all(consumer._committed_offset[TP(topic, n)] == 5 for n in (0, 1)))
        assert await committed(broker.kafka(), topic) == [5, 5]

    async def test_a_drained_partition_does_not_hold_a_fetch_for_long(self, broker: Broker, topic: str) -> None:
        async with worker(broker.kafka(), topic, collecting([])) as app:
            thread: Any = app.consumer
            assert thread._thread._consumer._fetcher._fetch_max_wait_ms == 50

    async def test_pressure_leaves_no_partition_out(self, broker: Broker, topic: str) -> None:
        async with worker(broker.kafka(), topic, collecting([])) as app:
            await until(lambda: app.assigned)
            consumer: Any = app.consumer
            await until(lambda: consumer._get_active_partitions() == {TP(topic, 0), TP(topic, 1)})
            consumer.on_buffer_full(TP(topic, 0))
            assert consumer._get_active_partitions() == {TP(topic, 0), TP(topic, 1)}

    async def test_it_listens_nowhere_by_itself_and_its_stop_waits_for_no_acknowledgement(
        self, broker: Broker, topic: str, producer: KafkaProducer
    ) -> None:
        gate, before = Gate(), listening()
        await producer.publish(numbered(topic, 10))
        async with worker(broker.kafka(), topic, gate) as app:
            await until(lambda: len(gate.batches) == 2)
            assert listening() == before
            assert not app.conf.stream_wait_empty
            async with asyncio.timeout(15):
                await app.stop()


def listening() -> set[int]:
    return {c.laddr.port for c in psutil.Process().net_connections(kind="tcp") if c.status == psutil.CONN_LISTEN}
