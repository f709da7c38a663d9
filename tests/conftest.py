"""What tests run on: a broker (`--broker=embedded`, or Apache Kafka itself); with `--postgres`, PostgreSQL."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from deploy.broker import command as embedded
from deploy.postgres.run import url as postgres_url
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
    parser.addoption("--postgres", action="store_true", help="run what is marked `postgres` (needs PostgreSQL)")
    parser.addoption("--sdks", action="store_true", help="run what is marked `sdks` (needs Node and Go)")
    parser.addoption("--proof", action="store_true", help="full counts instead of those that fit into CI")
    parser.addoption("--seed", type=int, default=1, help="of histories, faults and kills")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs Apache Kafka, PostgreSQL, or Node and Go is left to `make kafka`, `make postgres` and `make sdks`."""
    absent = {
        "kafka": config.getoption("--broker") == "embedded",
        "postgres": not config.getoption("--postgres"),
        "sdks": not config.getoption("--sdks"),
    }
    left_out = [item for item in items if any(absent[name] and item.get_closest_marker(name) for name in absent)]
    if left_out:
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
            # 6 is the least that Apache Kafka allows; the embedded broker keeps a join for half of it, and a second.
            session_timeout=6.0 if self.idempotence else 3.0,
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


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL cluster that is up."""

    port: int

    def url(self, database: str = "switchhook") -> str:
        return postgres_url(self.port, database)

    def dsn(self, database: str = "switchhook") -> str:
        """The same for asyncpg alone."""
        return self.url(database).replace("+asyncpg", "")

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn(), timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.contextmanager
def postgres_server(place: Path, port: int) -> Iterator[tuple[Postgres, subprocess.Popen[bytes]]]:
    """A cluster in that folder, which others than root may enter; it ends with the block, if it has not before."""
    command = [sys.executable, "-m", "deploy.postgres.run", "--port", str(port), "--dir", str(place / "cluster")]
    with (place / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[1])
        try:
            wait_for_port(port, process, place / "log")
            server = Postgres(port)
            asyncio.run(_takes_queries(server))
            yield server, process
        finally:
            process.send_signal(signal.SIGINT)  # "fast": does not wait for clients to leave
            process.wait(30)


async def _takes_queries(server: Postgres) -> None:
    """It listens before it has recovered; until then it refuses connections."""

    async def answers() -> bool:
        try:
            await server.execute("select 1")
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        return True

    await until(answers, 60)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One cluster for all tests. Not below pytest's own folders, which nobody but root may enter."""
    place = Path(tempfile.mkdtemp(prefix="switchhook-postgres-"))
    place.chmod(0o711)
    try:
        with postgres_server(place, free_port()) as (server, _):
            yield server
    finally:
        shutil.rmtree(place)


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh database."""
    name = f"t{uuid.uuid4().hex[:12]}"
    asyncio.run(postgres.execute(f"create database {name}"))
    yield postgres.url(name)
    asyncio.run(postgres.execute(f"drop database {name} with (force)"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    """On what a test runs; those of a twin in memory name their kinds themselves."""
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Of an empty database of that kind."""
    if kind == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    return f"sqlite+aiosqlite:///{tmp_path}/database.sqlite"


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
    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
