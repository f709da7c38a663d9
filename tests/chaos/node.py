"""One node of Apache Kafka, to be frozen, killed and started again on the data that it has."""

import asyncio
import signal
import sys
from pathlib import Path

from ingest.contract.kafka import Kafka
from tests.conftest import free_port, listens, until

ROOT = Path(__file__).parents[2]


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
        await until(lambda: listens(self.port), 60)

    def tell(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    async def freeze(self) -> None:
        """Returns when it answers nothing more."""
        assert self._process is not None
        self.tell(signal.SIGSTOP)
        await stopped(self._process.pid)

    async def stop(self) -> None:
        self.tell(signal.SIGCONT)
        self.tell(signal.SIGTERM)
        assert self._process is not None
        await self._process.wait()


async def stopped(pid: int) -> None:
    """Returns when all of the process stands: its threads stop one by one, some of them after the signal was sent."""
    threads = Path(f"/proc/{pid}/task")
    await until(lambda: all(_state(thread) == "T" for thread in threads.iterdir()))


def _state(thread: Path) -> str:
    """https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    return (thread / "stat").read_text().rpartition(")")[2].split()[0]
