"""Measuring: one server, one load, what it cost by the kernel's own count, and whether its topic holds its 2xx."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from bench.ingress.servers import BASE, ROOT, TOKEN, WORK, CannotRun, Place, Server

PARTITIONS = 12
_TICKS = os.sysconf("SC_CLK_TCK")
_LOAD_CORE, _SERVER_CORE = "0", "1"


@dataclass(frozen=True)
class Measured:
    """Times in milliseconds, `cpu` in microseconds of the server's own per request, `memory` in MB."""

    rate: float
    p50: float
    p99: float
    cpu: float
    memory: float
    good: int
    other: int


@contextlib.contextmanager
def running(server: Server, broker: str) -> Iterator[tuple[Place, int]]:
    """The server, pinned to one core, with a topic of its own; its place and process id."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(f"{prefix}.messages", PARTITIONS, 1)])
    admin.close()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(_free_port(), broker, prefix, Path(folder))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **server.environment(place)}
        command = ["taskset", "-c", _SERVER_CORE, *server.command(place)]
        with (WORK / f"{server.name}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(place.port, process)
            yield place, process.pid
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def load(place: Place, pid: int, connections: int, seconds: float, rate: float = 0.0) -> Measured:
    """What a load came to. The server's CPU is read before and after, so starting it does not count."""
    before = _cpu(pid)
    command = [
        "taskset", "-c", _LOAD_CORE, str(WORK / "go-load"), "-address", f"127.0.0.1:{place.port}", "-base", BASE,
        "-token", TOKEN, "-connections", str(connections), "-seconds", str(seconds), "-rate", str(rate),
        "-salt", uuid.uuid4().hex[:8],
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, text=True, env={**os.environ, "GOMAXPROCS": "1"})
    spent = _cpu(pid) - before
    told = json.loads(done.stdout)
    count = max(1, told["good"] + told["other"])
    return Measured(
        told["good"] / told["seconds"],
        told["p50"],
        told["p99"],
        spent / count * 1e6,
        _memory(pid),
        told["good"],
        told["other"],
    )


def published(place: Place) -> int:
    """Records in the server's topic."""
    consumer = KafkaConsumer(bootstrap_servers=place.broker)
    try:
        ends = consumer.end_offsets([TopicPartition(place.topic, number) for number in range(PARTITIONS)])
        return sum(ends.values())
    finally:
        consumer.close()


def _cpu(pid: int) -> float:
    """Seconds of user and system time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise CannotRun(f"a server ended with {process.returncode}; see the logs in {WORK}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise CannotRun("a server does not listen")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
