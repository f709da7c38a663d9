"""The engine's workers as processes on Apache Kafka: killed, frozen, told to end inside a batch, left by the broker.

However a worker ends, each record is published and written by somebody, and no offset runs ahead of that or goes back.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from processors.stream.producer import KafkaProducer, Outgoing
from tests.chaos.node import ROOT, Node
from tests.conftest import free_port, listens, until

pytestmark = pytest.mark.chaos
TOPIC, PARTITIONS = "comms.work", 4
PLACES = [TopicPartition(TOPIC, n) for n in range(PARTITIONS)]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "kafka")
    await node.start()
    admin = KafkaAdminClient(**node.kafka.admin_options())
    admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (TOPIC, f"{TOPIC}.out")])
    admin.close()
    yield node
    await node.stop()


class Scribe:
    """One worker, and what it has noted."""

    def __init__(self, node: Node, notes: Path, pause: float) -> None:
        self.port, self._notes = free_port(), notes
        self._command = [
            sys.executable, "-m", "tests.chaos.scribe", node.kafka.bootstrap_servers, TOPIC, str(notes),
            str(self.port), str(pause),
        ]  # fmt: skip
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._notes.with_suffix(".log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*self._command, cwd=ROOT, stdout=log, stderr=log)
        await until(lambda: listens(self.port), 30)

    def tell(self, what: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(what)

    async def ended(self) -> int:
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), 30)

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/health/ready")).status_code == 200

    def noted(self, what: str) -> Sequence[tuple[int, int, int]]:
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        parts = [line.split() for line in lines]
        return [(int(p), int(first), int(last)) for kind, p, first, last in parts if kind == what]

    def unwritten(self) -> set[tuple[int, int, int]]:
        """Published, and not written yet."""
        return set(self.noted("out")) - set(self.noted("in"))


@asynccontextmanager
async def group(node: Node, folder: Path, *pauses: float) -> AsyncIterator[Sequence[Scribe]]:
    """Workers that are not started yet; those that run in the end are ended."""
    scribes = [Scribe(node, folder / f"{n}.notes", pause) for n, pause in enumerate(pauses)]
    try:
        yield scribes
    finally:
        for scribe in scribes:
            if scribe.process is not None and scribe.process.returncode is None:
                scribe.tell(signal.SIGCONT)
                scribe.tell(signal.SIGTERM)
                await scribe.ended()


class Offsets:
    """What the group has committed, looked at again and again."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.history: list[list[int]] = []

    async def look(self) -> list[int]:
        self.history.append([await self._consumer.committed(place) or 0 for place in PLACES])
        return self.history[-1]

    async def are(self, wanted: list[int]) -> bool:
        return await self.look() == wanted

    def went_back(self) -> bool:
        return any(now < before for a, b in pairwise(self.history) for before, now in zip(a, b, strict=True))


@asynccontextmanager
async def offsets(node: Node) -> AsyncIterator[Offsets]:
    consumer = AIOKafkaConsumer(group_id="scribes", enable_auto_commit=False, **node.kafka.aiokafka_options())
    await consumer.start()
    try:
        yield Offsets(consumer)
    finally:
        await consumer.stop()


async def publish(node: Node, count: int) -> None:
    """So many more of each partition."""
    producer = KafkaProducer(node.kafka)
    await producer.publish([Outgoing(TOPIC, b"k", b"v", (), p) for p in range(PARTITIONS) for _ in range(count)])
    await producer.stop()


def written(scribes: Sequence[Scribe]) -> set[tuple[int, int]]:
    return {(p, n) for one in scribes for p, first, last in one.noted("in") for n in range(first, last + 1)}


def everything(count: int) -> set[tuple[int, int]]:
    return {(p, n) for p in range(PARTITIONS) for n in range(count)}


async def test_a_worker_that_was_frozen_between_publishing_and_writing_commits_nothing_that_it_lost(
    node: Node, tmp_path: Path
) -> None:
    async with group(node, tmp_path, 0.5, 0.0) as (slow, quick), offsets(node) as committed:
        await publish(node, 400)
        await slow.start()
        await until(lambda: bool(slow.noted("in")) and bool(slow.unwritten()), 30)
        slow.tell(signal.SIGSTOP)
        stuck = slow.unwritten()
        await quick.start()
        await until(lambda: committed.are([400] * PARTITIONS), 30)  # once the frozen one's session is over
        slow.tell(signal.SIGCONT)
        await until(lambda: slow.unwritten().isdisjoint(stuck), 30)  # it goes on where it was, and notices after
        for _ in range(20):
            await committed.look()
        await until(slow.is_ready, 30)
        await publish(node, 100)
        await until(lambda: committed.are([500] * PARTITIONS), 30)
        assert not committed.went_back()
        assert written([slow, quick]) == everything(500)


async def test_kill_9_loses_nothing_with_two_workers_on_a_group(node: Node, tmp_path: Path) -> None:
    async with group(node, tmp_path, 0.05, 0.05, 0.0) as scribes, offsets(node) as committed:
        for scribe in scribes[:2]:
            await scribe.start()
        await publish(node, 1000)
        await until(lambda: bool(scribes[0].unwritten()), 30)
        scribes[0].tell(signal.SIGKILL)
        await scribes[0].ended()
        done = written(scribes)
        assert all((p, n) in done for p, end in enumerate(await committed.look()) for n in range(end))
        await scribes[2].start()
        await until(lambda: committed.are([1000] * PARTITIONS), 40)
        assert not committed.went_back()
        assert written(scribes) == everything(1000)


async def test_sigterm_inside_a_batch_ends_well_and_commits_what_is_written_alone(node: Node, tmp_path: Path) -> None:
    async with group(node, tmp_path, 1.0, 0.0) as (slow, quick), offsets(node) as committed:
        await publish(node, 200)
        await slow.start()
        await until(lambda: bool(slow.noted("in")) and bool(slow.unwritten()), 30)
        slow.tell(signal.SIGTERM)
        assert await slow.ended() == 0
        done = written([slow])
        assert [sum(p == n for p, _ in done) for n in range(PARTITIONS)] == await committed.look()
        await quick.start()
        await until(lambda: committed.are([200] * PARTITIONS), 30)
        assert written([slow, quick]) == everything(200)


async def test_a_broker_that_goes_and_comes_back_is_waited_for(node: Node, tmp_path: Path) -> None:
    async with group(node, tmp_path, 0.05, 0.05) as scribes:
        for scribe in scribes:
            await scribe.start()
        await publish(node, 1000)
        await until(lambda: any(scribe.noted("in") for scribe in scribes), 30)
        await node.stop()
        for scribe in scribes:
            async with httpx.AsyncClient(trust_env=False) as client:
                assert (await client.get(f"http://127.0.0.1:{scribe.port}/health/live")).status_code == 200
        await node.start()
        async with offsets(node) as committed:
            await until(lambda: committed.are([1000] * PARTITIONS), 50)
        assert all(scribe.process is not None and scribe.process.returncode is None for scribe in scribes)
        assert written(scribes) == everything(1000)
