"""Whether a worker moves on is judged by what it has done, and told by its health and its gauges."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from ingest.contract.kafka import Kafka
from processors.stream.app import BatchApp
from processors.stream.batch import Batch, Handler
from processors.stream.producer import KafkaProducer
from processors.stream.progress import Progress, Standing
from processors.stream.run import Worker
from processors.stream.settings import StreamSettings
from tests.conftest import Broker, free_port, until
from tests.processors.stream.conftest import SETTINGS, Gate, collecting, created, numbered, running

ONE, TWO = TP("t", 0), TP("t", 1)


def noted(*history: tuple[float, Mapping[TP, Standing]]) -> Progress:
    progress = Progress()
    for now, standings in history:
        progress.note(standings, now)
    return progress


class TestJudging:
    def test_a_partition_that_is_behind_and_does_not_move_is_stalled(self) -> None:
        progress = noted(
            (0, {ONE: Standing(5, 10), TWO: Standing(5, 10)}), (50, {ONE: Standing(5, 12), TWO: Standing(6, 10)})
        )
        assert progress.stalled(61, 60) == [ONE]

    def test_one_that_has_nothing_to_do_is_not(self) -> None:
        progress = noted((0, {ONE: Standing(5, 5)}), (100, {ONE: Standing(5, 5)}))
        assert progress.stalled(150, 60) == []

    def test_lag_counts_from_when_it_was_first_seen(self) -> None:
        progress = noted((0, {ONE: Standing(5, 5)}), (100, {ONE: Standing(5, 5)}), (102, {ONE: Standing(5, 6)}))
        assert progress.stalled(155, 60) == []
        assert progress.stalled(161, 60) == [ONE]

    def test_one_that_moves_however_slowly_is_not(self) -> None:
        progress = noted(*((n * 50, {ONE: Standing(n, 10**6)}) for n in range(100)))
        assert progress.stalled(99 * 50 + 10, 60) == []

    def test_one_that_was_given_away_is_forgotten(self) -> None:
        assert noted((0, {ONE: Standing(5, 10)}), (1, {})).stalled(100, 60) == []

    def test_nobody_is_to_blame_while_nobody_can_look(self) -> None:
        progress = noted((0, {ONE: Standing(5, 10)}))
        progress.blind(100)
        assert progress.stalled(101, 60) == []
        assert progress.stalled(161, 60) == [ONE]


class Health:
    def __init__(self, port: int, registry: CollectorRegistry) -> None:
        self._port = port
        self.registry = registry
        self.apps: list[BatchApp] = []

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{self._port}{path}")

    def says(self, path: str, status: int, text: str = "") -> Callable[[], Awaitable[bool]]:
        async def said() -> bool:
            try:
                answer = await self.get(path)
            except httpx.HTTPError:
                return False
            return answer.status_code == status and text in answer.text

        return said

    def gauge(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"switchhook_stream_{name}", labels)


@asynccontextmanager
async def serving(
    kafka: Kafka, topic: str, handler: Handler, *, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[Health]:
    port, registry = free_port(), CollectorRegistry()
    chosen = StreamSettings(**{**SETTINGS.model_dump(), "port": port, "stall_after": 1.5, **settings})
    health = Health(port, registry)

    def create() -> BatchApp:
        health.apps.append(created(kafka, {topic: handler}, chosen, registry=registry, retention={topic: 3600.0}))
        return health.apps[-1]

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", lambda *_: None)
    working = asyncio.create_task(Worker(create, kafka=kafka, topics=[topic], settings=chosen, registry=registry).run())
    try:
        yield health
    finally:
        if health.apps:
            health.apps[-1].failed.set()
        await working


# On Apache Kafka alone: the embedded broker keeps a join for seconds, and this joins often.
@pytest.mark.kafka
@pytest.mark.broker
class TestOnABroker:
    async def test_a_handler_that_hangs_is_told_of(
        self, broker: Broker, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = Gate(passes=lambda batch: batch.partition == 1)
        await producer.publish(numbered(topic, 100))
        async with serving(broker.kafka(), topic, gate, monkeypatch=monkeypatch) as health:
            await until(health.says("/health/live", 503, f"{topic}/0"), 30)
            assert f"{topic}/1" not in (await health.get("/health/live")).text
            assert health.gauge("lag_records", topic=topic, partition="0") == 50
            assert (health.gauge("oldest_seconds", topic=topic) or 0) > 0
            assert 3500 < (health.gauge("time_to_loss_seconds", topic=topic) or 0) < 3600
            gate.open()
            await until(health.says("/health/live", 200))
            await until(lambda: health.gauge("lag_records", topic=topic, partition="0") == 0)
            assert health.gauge("oldest_seconds", topic=topic) == 0
            assert health.gauge("time_to_loss_seconds", topic=topic) == 3600

    async def test_a_batch_that_never_succeeds_is_told_of(
        self, broker: Broker, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def failing(batch: Batch) -> None:
            raise ConnectionError("the store is away")

        async with serving(broker.kafka(), topic, failing, monkeypatch=monkeypatch) as health:
            await until(health.says("/health/ready", 200), 30)
            await producer.publish(numbered(topic, 2))
            await until(health.says("/health/live", 503, topic), 30)

    async def test_a_fetcher_that_has_died_is_told_of_when_there_is_lag(
        self, broker: Broker, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []
        await producer.publish(numbered(topic, 10))
        async with serving(broker.kafka(), topic, collecting(seen), monkeypatch=monkeypatch) as health:
            await until(lambda: len(seen) == 10, 30)
            thread: Any = health.apps[0].consumer._thread  # type: ignore[attr-defined]  # a BatchConsumer
            fetcher = thread._consumer._fetcher

            def kill() -> None:
                for task in (fetcher._fetch_task, *fetcher._pending_tasks):
                    task.cancel()

            thread.thread_loop.call_soon_threadsafe(kill)
            await until(fetcher._fetch_task.done)
            assert (await health.get("/health/live")).status_code == 200
            await producer.publish(numbered(topic, 10, start=10))
            await until(health.says("/health/live", 503, topic), 30)
            assert len(seen) == 10

    async def test_it_is_healthy_while_it_is_slow_and_while_there_is_nothing_to_do(
        self, broker: Broker, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers: list[int] = []
        seen: list[int] = []

        async def slow(batch: Batch) -> None:
            await asyncio.sleep(0.4)
            answers.append((await health.get("/health/live")).status_code)
            await collecting(seen)(batch)

        async with serving(broker.kafka(), topic, slow, monkeypatch=monkeypatch, batch_records=10) as health:
            await until(health.says("/health/ready", 200), 30)
            await producer.publish(numbered(topic, 200))
            await until(lambda: len(seen) == 200, 30)
            assert set(answers) == {200}

    async def test_what_is_another_workers_is_not_shown(
        self, broker: Broker, topic: str, producer: KafkaProducer
    ) -> None:
        registry, kafka = CollectorRegistry(), broker.kafka()

        def shown() -> int:
            partitions = [
                registry.get_sample_value("switchhook_stream_lag_records", {"topic": topic, "partition": p})
                for p in "01"
            ]
            return sum(value is not None for value in partitions)

        settings = SETTINGS.model_copy(update={"stall_after": 1.0})
        async with running(created(kafka, {topic: collecting([])}, settings, registry=registry)):
            await until(lambda: shown() == 2, 30)
            async with running(created(kafka, {topic: collecting([])})) as other:
                await until(lambda: other.assigned and shown() == 1, 40)
