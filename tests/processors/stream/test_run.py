"""The worker as a process: what its health says, how it ends, and that an embedded database takes one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from kafka.admin import KafkaAdminClient
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from deploy.topics import create, declared
from ingest.contract.kafka import Kafka
from processors.stream.run import Worker
from processors.stream.settings import StreamSettings
from tests.conftest import Broker, free_port, until
from tests.processors.stream.conftest import collecting, created

pytestmark = pytest.mark.broker
ROOT = Path(__file__).parents[3]


class Brain:
    """`python -m processors worker` on a port and a folder of its own."""

    def __init__(self, broker: Broker, prefix: str, folder: Path) -> None:
        self.port, self.log = free_port(), folder / f"{free_port()}.log"
        self.env: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SWITCHHOOK_")},
            "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "SWITCHHOOK_KAFKA_TOPIC_PREFIX": prefix,
            "SWITCHHOOK_KAFKA_IDEMPOTENCE": str(broker.idempotence),
            "SWITCHHOOK_KAFKA_SESSION_TIMEOUT": str(broker.kafka().session_timeout),
            "SWITCHHOOK_KAFKA_REBALANCE_TIMEOUT": str(broker.kafka().rebalance_timeout),
            "SWITCHHOOK_PROCESSORS_PORT": str(self.port),
            "SWITCHHOOK_PROCESSORS_HASH_KEY": "a-key-of-the-test",
            "SWITCHHOOK_PROCESSORS_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/state.sqlite",
        }
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "processors", "worker"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)

    def get(self, path: str) -> tuple[int, str]:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False)
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.text

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def brain(broker: Broker, prefix: str, tmp_path: Path) -> Iterator[Brain]:
    brain = Brain(broker, prefix, tmp_path)
    yield brain
    if brain.process.poll() is None:
        brain.process.kill()
        brain.process.wait()


async def test_a_worker_waits_for_its_topics_says_so_and_ends_well(
    brain: Brain, broker: Broker, prefix: str, tmp_path: Path
) -> None:
    await until(lambda: "missing topics" in brain.get("/health/ready")[1], 30)
    assert brain.get("/health/ready")[0] == 503
    assert brain.get("/health/live")[0] == 200
    second = Brain(broker, prefix, tmp_path)
    make_topics(broker.kafka(prefix))
    await until(lambda: brain.get("/health/ready")[0] == 200, 60)
    assert "switchhook_processors_events_total" in brain.get("/metrics")[1]

    assert second.process.wait(30) == 2
    assert "in use by another worker" in second.log.read_text()

    assert brain.end() == 0
    said = brain.log.read_text()
    assert said.count('"not ready"') == 1
    assert "worker stops" in said
    assert "a-key-of-the-test" not in said


def make_topics(kafka: Kafka) -> None:
    admin = KafkaAdminClient(**kafka.admin_options())
    create(admin, kafka.topic_prefix, declared("one-node"))
    admin.close()


@pytest.mark.kafka  # the embedded broker keeps a join for seconds
async def test_an_engine_that_fails_by_itself_says_why(broker: Broker, topic: str) -> None:
    app = created(broker.kafka(), {topic: collecting([])})
    settings = StreamSettings(stop_grace=0.5)
    working = Worker(lambda: app, kafka=broker.kafka(), topics=[topic], settings=settings, registry=CollectorRegistry())
    with capture_logs() as lines:
        running = asyncio.create_task(working.run())
        await until(lambda: app.assigned)
        await app.consumer.crash(RuntimeError("the coordinator has forgotten us"))
        assert await running == 1
    (failed,) = [line for line in lines if line["event"] == "engine failed, worker stops"]
    assert "the coordinator has forgotten us" in str(failed["exc_info"])
    (stops,) = [line for line in lines if line["event"] == "worker stops"]
    assert stops["fault"] == "RuntimeError('the coordinator has forgotten us')"


async def test_a_worker_that_is_told_to_end_while_it_waits_for_a_broker_ends(tmp_path: Path) -> None:
    brain = Brain(Broker(f"127.0.0.1:{free_port()}"), "comms", tmp_path)
    await until(lambda: "broker unreachable" in brain.get("/health/ready")[1], 30)
    assert brain.end() == 0
