"""The broker that the broker-facing tests run on: `--broker=embedded`, or one node of Apache Kafka itself."""

import asyncio
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.broker import command as embedded
from ingest.contract.kafka import Kafka


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        choices=("embedded", "kafka"),
        default="embedded",
        help="what the tests marked `broker` run on: the embedded one, or Apache Kafka (needs Java and Maven)",
    )
    parser.addoption("--proof", action="store_true", help="full counts instead of those that fit into CI")
    parser.addoption("--seed", type=int, default=1, help="of histories, faults and kills")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only Apache Kafka does is not asked of the embedded broker; `make kafka` runs it."""
    if config.getoption("--broker") == "embedded":
        left_out = [item for item in items if "kafka" in item.keywords and item.get_closest_marker("kafka")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@dataclass(frozen=True)
class Broker:
    bootstrap: str
    idempotence: bool = False  # the embedded broker has no idempotent producer
    tells_configurations: bool = False  # nor does it tell a configuration that nobody set

    def kafka(self, prefix: str = "comms") -> Kafka:
        """Settings for this broker with deadlines short enough for a test."""
        return Kafka(
            bootstrap_servers=self.bootstrap,
            topic_prefix=prefix,
            idempotence=self.idempotence,
            session_timeout=6.0,  # the least that Apache Kafka allows
            rebalance_timeout=6.0,
        )


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    port = free_port()
    folder = tmp_path_factory.mktemp("broker")
    real = request.config.getoption("--broker") == "kafka"
    command = (
        [sys.executable, "-m", "deploy.kafka.run", "--port", str(port), "--dir", str(folder / "kafka")]
        if real
        else embedded(port)
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[1])
        try:
            wait_for_port(port, process, folder / "log")
            yield Broker(f"127.0.0.1:{port}", idempotence=real, tells_configurations=real)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def prefix() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 20.0) -> None:
    """Polls until the condition holds; fails when it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        held = condition()
        if await held if isinstance(held, Awaitable) else held:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {condition}")


async def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once somebody listens there; fails with the end of the log when the process ended instead."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)  # a process is waited for, not a result
    raise RuntimeError(f"the broker did not start:\n{log.read_text(errors='replace')[-2000:]}")
