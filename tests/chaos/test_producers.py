"""Producers and a broker that hangs up: what was given up on must not stand in the way of what comes later.

aiokafka keeps the sequence numbers of a batch that it gave up on, and the broker then refuses all later ones.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from ingest.contract.kafka import Kafka
from ingest.contract.topics import MESSAGES
from ingest.publisher import KafkaPublisher, Unavailable
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing
from tests.conftest import free_port, until

pytestmark = pytest.mark.chaos
ROOT = Path(__file__).parents[2]
TOPIC = "comms.messages"


class Node:
    """One node of Apache Kafka that can be frozen: it takes connections and answers nothing."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.kafka = Kafka(bootstrap_servers=f"127.0.0.1:{self.port}")
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "deploy.kafka.run", "--port", str(self.port), "--dir", str(self._folder)]
        with (self._folder.parent / "kafka.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)
        await until(self._answers, 60)

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def tell(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    async def stop(self) -> None:
        self.tell(signal.SIGCONT)
        self.tell(signal.SIGTERM)
        assert self._process is not None
        await self._process.wait()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "kafka")
    await node.start()
    admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{node.port}")
    admin.create_topics([NewTopic(TOPIC, 2, 1)])
    admin.close()
    yield node
    await node.stop()


async def test_the_front_door_publishes_again_after_records_that_it_gave_up_on(node: Node) -> None:
    publisher = KafkaPublisher(node.kafka, deadline=1.0)
    await publisher.start()

    async def held(number: int) -> bool:
        try:
            await publisher.publish(MESSAGES, str(number).encode(), b"{}", ())
        except Unavailable:
            return False
        return True

    await until(lambda: held(0), 20)
    for _ in range(3):
        node.tell(signal.SIGSTOP)
        assert not any(await asyncio.gather(*(held(number) for number in range(40))))
        assert publisher.trouble() is not None
        node.tell(signal.SIGCONT)
        await until(lambda: held(0), 20)
        assert all(await asyncio.gather(*(held(number) for number in range(40))))
        assert publisher.trouble() is None
    await publisher.stop()


async def test_a_worker_publishes_again_after_a_batch_that_it_gave_up_on(node: Node) -> None:
    producer = KafkaProducer(node.kafka, deadline=1.0)
    records = [Outgoing(TOPIC, str(number).encode(), b"{}", ()) for number in range(40)]

    async def published() -> bool:
        try:
            await producer.publish(records)
        except BrokerUnavailable:
            return False
        return True

    await until(published, 20)
    for _ in range(3):
        node.tell(signal.SIGSTOP)
        assert not any(await asyncio.gather(published(), published(), published()))
        node.tell(signal.SIGCONT)
        await until(published, 20)
        assert all(await asyncio.gather(published(), published(), published()))
    await producer.stop()
