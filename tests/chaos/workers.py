"""Workers on one group and one PostgreSQL, each a process to be killed, frozen and started again."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.node import ROOT, stopped
from tests.conftest import Postgres, free_port, listens, until

SESSION_TIMEOUT = 6.0
"""The least that Apache Kafka allows; a worker that is frozen for longer has lost its partitions."""


class Database:
    """A PostgreSQL cluster that can crash and come back on the data that it has."""

    def __init__(self) -> None:
        # Not below pytest's own folders, which nobody but root may enter.
        self._place = Path(tempfile.mkdtemp(prefix="switchhook-chaos-"))
        self._place.chmod(0o711)
        self.server = Postgres(free_port())
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        folder = str(self._place / "cluster")
        command = [sys.executable, "-m", "deploy.postgres.run", "--port", str(self.server.port), "--dir", folder]
        with (self._place / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)
        await until(lambda: listens(self.server.port), 60)

    async def crash(self) -> None:
        """ "Immediate": every connection is cut and nothing is flushed; the next start recovers from the log."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.crash()
        shutil.rmtree(self._place)


class Worker:
    """`python -m` with so many arguments, which listens on that port once it works."""

    def __init__(
        self, name: str, folder: Path, arguments: Sequence[str], settings: Mapping[str, str], port: int
    ) -> None:
        self.port = port
        self.log = folder / f"{name}.log"
        self._command = [sys.executable, "-m", *arguments]
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SWITCHHOOK_")},
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None
        self.is_wanted_dead = True
        self.is_frozen = False

    async def start(self) -> None:
        self.is_wanted_dead = False
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        await until(lambda: listens(self.port), 60)

    def tell(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    async def kill(self) -> None:
        self.is_wanted_dead = True
        self.tell(signal.SIGKILL)
        await self.ended()

    async def freeze(self) -> None:
        self.is_frozen = True
        self.tell(signal.SIGSTOP)
        await stopped(self.pid)

    def thaw(self) -> None:
        self.is_frozen = False
        self.tell(signal.SIGCONT)

    async def ended(self) -> int:
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), 60)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        self.is_wanted_dead = True
        if self.is_running:
            self.tell(signal.SIGCONT)
            self.tell(signal.SIGTERM)
            await self.ended()


def brain_worker(name: str, folder: Path, settings: Mapping[str, str]) -> Worker:
    """One of the brain's."""
    port = free_port()
    return Worker(name, folder, ("processors", "worker"), {**settings, "SWITCHHOOK_PROCESSORS_PORT": str(port)}, port)


def action_worker(name: str, folder: Path, settings: Mapping[str, str]) -> Worker:
    """One of the hands'."""
    port = free_port()
    return Worker(name, folder, ("sinks", "actions"), {**settings, "SWITCHHOOK_SINKS_PORT": str(port)}, port)
