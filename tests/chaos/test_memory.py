"""The front door's memory: flat at full rate, and while its spool fills to the bound and drains.

`--proof` runs ten minutes and the default bound; without it seconds and megabytes.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from ingest.contract.topics import MESSAGES
from ingest.signature import Key
from tests.chaos.door import Door
from tests.chaos.load import Answers, calling, request
from tests.chaos.node import Node
from tests.conftest import until
from tests.ingest.conftest import ACCOUNT, BASE, TOKEN

pytestmark = pytest.mark.chaos
PATH = "/webhooks/messages/status"
TOPIC, PARTITIONS, CONNECTIONS = MESSAGES.called("comms"), 12, 128
REQUESTS = [
    request(BASE, PATH, [("MessageSid", f"SM{n:032x}"), ("MessageStatus", "sent"), ("AccountSid", ACCOUNT)], Key(TOKEN))
    for n in range(2_000)
]
WARM = 0.2
"""The share of the time after which all that a running front door needs has been taken from the system."""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "kafka")
    await node.start()
    admin = KafkaAdminClient(bootstrap_servers=node.kafka.bootstrap_servers)
    # Thrown away soon: it is the front door that is looked at.
    few = {"retention.ms": "10000", "segment.bytes": "16777216"}
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, topic_configs=few)])
    admin.close()
    yield node
    await node.stop()


@pytest.fixture
def door(tmp_path: Path, node: Node) -> Door:
    return Door(tmp_path, node.kafka.bootstrap_servers)


async def megabytes(door: Door, during: Callable[[], Awaitable[None]]) -> list[float]:
    """The resident memory of the front door, looked at ten times a second while something goes on."""
    found, process = list[float](), psutil.Process(door.pid)
    going_on = asyncio.ensure_future(during())
    while not going_on.done():
        found.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(0.1)
    await going_on
    return found


def judge(what: str, found: list[float], begun: float, answers: Answers) -> None:
    warm = max(found[: int(len(found) * WARM)])
    print(
        f"{what}, {time.monotonic() - begun:.0f} s: {answers.by_status} answers; memory {warm:.0f} MB once warm,"
        f" {max(found):.0f} MB at most, {found[-1]:.0f} MB at the end"
    )
    assert max(found) < warm * 1.15 + 8


def in_topic(node: Node) -> int:
    """Records that ever were in the topic."""
    consumer = KafkaConsumer(bootstrap_servers=node.kafka.bootstrap_servers)
    try:
        return sum(consumer.end_offsets([TopicPartition(TOPIC, number) for number in range(PARTITIONS)]).values())
    finally:
        consumer.close()


async def test_memory_is_flat_at_full_rate(node: Node, door: Door, request: pytest.FixtureRequest) -> None:
    seconds = 600.0 if request.config.getoption("--proof") else 20.0
    begun, answers, ended = time.monotonic(), Answers(), asyncio.Event()
    await door.start()
    calls = asyncio.create_task(calling(door.port, REQUESTS, CONNECTIONS, answers, ended))
    await until(lambda: answers.good > 0)
    found = await megabytes(door, lambda: asyncio.sleep(seconds))
    ended.set()
    await calls
    await door.end(signal.SIGTERM)
    judge("full rate", found, begun, answers)
    assert set(answers.by_status) == {204}
    assert answers.good > 1_000 * seconds, "that is no full rate"
    assert in_topic(node) >= answers.good


async def test_memory_is_flat_while_kafka_is_down_for_the_whole_bound_of_the_spool(
    node: Node, door: Door, request: pytest.FixtureRequest
) -> None:
    bound = 1_000_000_000 if request.config.getoption("--proof") else 60_000_000
    begun, answers, ended = time.monotonic(), Answers(), asyncio.Event()
    await door.start(bound)
    calls = asyncio.create_task(calling(door.port, REQUESTS, CONNECTIONS, answers, ended))
    await until(lambda: answers.good > 0)
    node.tell(signal.SIGKILL)
    filling = await megabytes(door, lambda: until(lambda: 503 in answers.by_status, 600))
    ended.set()
    await calls
    held = sum(file.stat().st_size for file in door.spool.glob("*.spool"))
    await node.start()
    draining = await megabytes(door, lambda: until(lambda: not any(door.spool.glob("*.spool")), 600))
    await door.end(signal.SIGTERM)
    judge(f"a spool of {held / 1e6:.0f} MB filled and drained", filling + draining, begun, answers)
    assert held > bound * 0.98
    assert in_topic(node) >= answers.good
