"""The front door as an operator runs it, to be killed and started again on the spool that it has."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.chaos.node import ROOT
from tests.conftest import free_port, listens, until
from tests.ingest.conftest import ACCOUNT, BASE, TOKEN

SMALL_SPOOL, LARGE_SPOOL = 1_000_000, 500_000_000


class Door:
    """`python -m ingest serve` on one port and one spool, started again after each kill."""

    def __init__(self, folder: Path, kafka: str) -> None:
        self.port = free_port()
        self.spool = folder / "spool"
        self._log = folder / "door.log"
        accounts = folder / "accounts.yaml"
        accounts.write_text(f"accounts: [{{sid: {ACCOUNT}, alias: main, keys: [{{token: {TOKEN}}}]}}]")
        ours = {
            "ACCOUNTS_FILE": str(accounts),
            "PUBLIC_BASE_URL": BASE,
            "PORT": str(self.port),
            "SPOOL_DIR": str(self.spool),
        }
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SWITCHHOOK_")},
            **{f"SWITCHHOOK_INGEST_{name}": value for name, value in ours.items()},
            "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": kafka,
        }
        self._process: asyncio.subprocess.Process | None = None
        self.kills = 0

    async def start(self, spool_bytes: int = LARGE_SPOOL) -> None:
        environment = {**self._environment, "SWITCHHOOK_INGEST_SPOOL_BYTES": str(spool_bytes)}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ingest", "serve", cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        await until(lambda: listens(self.port), 60)

    async def end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        await asyncio.wait_for(self._process.wait(), 40)

    async def kill(self, spool_bytes: int = LARGE_SPOOL) -> None:
        self.kills += 1
        await self.end(signal.SIGKILL)
        await self.start(spool_bytes)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid
