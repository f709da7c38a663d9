"""What the workers work on: one node of Apache Kafka and a PostgreSQL cluster, both on loopback and of their own."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from asyncpg.exceptions import InterfaceError, PostgresError
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = ROOT / ".run" / "bench"


class CannotRun(Exception):
    """A tool is missing, a peer cannot be built, or a service does not start."""


@dataclass(frozen=True)
class Service:
    """Where it is: `host:port` for Kafka, a URL without a database's name for PostgreSQL; and who it is."""

    address: str
    pid: int


@contextlib.contextmanager
def kafka() -> Iterator[Service]:
    with _running("deploy.kafka.run", lambda port: _kafka_answers(f"127.0.0.1:{port}")) as (port, pid):
        yield Service(f"127.0.0.1:{port}", pid)


@contextlib.contextmanager
def postgres() -> Iterator[Service]:
    with _running("deploy.postgres.run", lambda port: _postgres_answers(_url(port) + "postgres")) as (port, pid):
        yield Service(_url(port), pid)


def create_database(server: Service, name: str, template: str = "template1") -> str:
    """The new database's URL. It is a copy of the template."""
    asyncio.run(_execute(server.address + "postgres", f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return server.address + name


def settle(server: Service, name: str) -> None:
    """What the server would otherwise do later, beside what is measured."""
    asyncio.run(_execute(server.address + name, "VACUUM ANALYZE"))
    asyncio.run(_execute(server.address + "postgres", "CHECKPOINT"))


def drop_database(server: Service, name: str) -> None:
    asyncio.run(_execute(server.address + "postgres", f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextlib.contextmanager
def _running(module: str, answers: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """A service's port and process id, once it answers."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # PostgreSQL is another user's where we are root
        port = free_port()
        command = [sys.executable, "-m", module, "--port", str(port), "--dir", str(Path(folder) / "data")]
        with (WORK / f"{module}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(module, process, lambda: answers(port))
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(60)


def _wait(module: str, process: "subprocess.Popen[bytes]", answers: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if answers():
            return
        time.sleep(0.3)
    raise CannotRun(f"{module} does not start; see {WORK / module}.log")


def wait_for(name: str, process: "subprocess.Popen[bytes]", port: int) -> None:
    """Returns once somebody listens there. Raises CannotRun."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    _wait(name, process, listens)


def _kafka_answers(broker: str) -> bool:
    try:
        KafkaAdminClient(bootstrap_servers=broker).close()
    except KafkaError:
        return False
    return True


def _postgres_answers(url: str) -> bool:
    try:
        asyncio.run(_execute(url, "SELECT 1"))
    except (OSError, PostgresError, InterfaceError):
        return False
    return True


def _url(port: int) -> str:
    return f"postgresql://switchhook:switchhook@127.0.0.1:{port}/"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
