"""Producers and a broker that hangs up: what was given up on must not stand in the way of what comes later.

aiokafka keeps the sequence numbers of a batch that it gave up on, and the broker then refuses all later ones.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from ingest.contract.topics import MESSAGES
from ingest.kafka_publisher import KafkaPublisher
from ingest.publisher import Unavailable
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing
from tests.chaos.node import Node
from tests.conftest import until

pytestmark = pytest.mark.chaos
TOPIC = "comms.messages"


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
        await node.freeze()
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
        await node.freeze()
        assert not any(await asyncio.gather(published(), published(), published()))
        node.tell(signal.SIGCONT)
        await until(published, 20)
        assert all(await asyncio.gather(published(), published(), published()))
    await producer.stop()
