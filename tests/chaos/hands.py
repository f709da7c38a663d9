"""Hands on Apache Kafka and one ledger: the provider in front of them, the front door behind, workers to be killed."""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from kafka.admin import KafkaAdminClient

from deploy.topics import create, declared
from tests.chaos.door import Door
from tests.chaos.node import Node
from tests.chaos.workers import SESSION_TIMEOUT, Worker, action_worker
from tests.conftest import free_port
from tests.ingest.conftest import ACCOUNT, BASE, TOKEN

Json = Mapping[str, Any]

SPEED = 10.0
LEASE, REQUEST, SETTLE = 6.0, 4.0, 2.0
FROZEN = LEASE + 2 * SETTLE + 4.0
"""Seconds after which an action that a frozen worker had in hand has been asked for again, if anything lets it."""

RATES: Mapping[str, Any] = {
    "messages": dict.fromkeys(
        ("long_code", "toll_free", "short_code", "alphanumeric", "whatsapp", "channel", "service"), 1000
    ),
    **dict.fromkeys(("calls", "reads", "changes", "requests"), 1000),
}
SHORT: Mapping[str, str] = {
    "LEASE_SECONDS": str(LEASE),
    "REQUEST_TIMEOUT": str(REQUEST),
    "SETTLE_SECONDS": str(SETTLE),
    "ORDER_PATIENCE": "3600",
    "BACKOFF_FIRST": "0.2",
    "BACKOFF_MOST": "2",
    "BREAKER_FIRST": "0.5",
    "BREAKER_MOST": "2",
    "CAP_PER_RECIPIENT_HOUR": "1000000",
    "CAP_PER_ACCOUNT_DAY": "1000000",
}


def provider(folder: Path, door: Door, plan: Mapping[str, object], seed: int, speed: float = SPEED) -> Worker:
    """The emulator, which calls the door back under its public name."""
    port, faults = free_port(), folder / "faults.yaml"
    faults.write_text(yaml.safe_dump(dict(plan)))
    options = {
        "--port": port, "--account-sid": ACCOUNT, "--seed": seed, "--speed": speed, "--faults": faults,
        "--route": f"{BASE}=http://127.0.0.1:{door.port}",
    }  # fmt: skip
    arguments = ["deploy.emulator", *(str(each) for option in options.items() for each in option)]
    return Worker("emulator", folder, arguments, {"EMULATOR_AUTH_TOKEN": TOKEN}, port)


def workers(
    count: int, folder: Path, node: Node, emulator: Worker, database_url: str, rates: Mapping[str, Any] = RATES
) -> Sequence[Worker]:
    accounts = folder / "actors.yaml"
    actor = {"sid": ACCOUNT, "password": TOKEN, "base_url": f"http://127.0.0.1:{emulator.port}", "limits": dict(rates)}
    accounts.write_text(yaml.safe_dump({"accounts": [actor]}))
    settings = {
        "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": node.kafka.bootstrap_servers,
        "SWITCHHOOK_KAFKA_SESSION_TIMEOUT": str(SESSION_TIMEOUT),
        "SWITCHHOOK_KAFKA_REBALANCE_TIMEOUT": "10",
        "SWITCHHOOK_SINKS_ACCOUNTS_FILE": str(accounts),
        "SWITCHHOOK_SINKS_PUBLIC_BASE_URL": BASE,
        "SWITCHHOOK_SINKS_DATABASE_URL": database_url,
        **{f"SWITCHHOOK_SINKS_{name}": value for name, value in SHORT.items()},
    }
    return [action_worker(f"hands-{number}", folder, settings) for number in range(count)]


@dataclass
class Place:
    """What the hands work on, and what happens to them."""

    node: Node
    door: Door
    emulator: Worker
    workers: Sequence[Worker]
    database_url: str
    chance: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        await self.node.start()
        admin = KafkaAdminClient(bootstrap_servers=self.node.kafka.bootstrap_servers)
        create(admin, self.node.kafka.topic_prefix, declared("one-node"))
        admin.close()
        await asyncio.gather(self.emulator.start(), self.door.start(), *(each.start() for each in self.workers))

    async def stop(self) -> None:
        await self.stop_workers()
        await self.door.end(signal.SIGTERM)
        await self.emulator.stop()
        await self.node.stop()

    async def stop_workers(self) -> None:
        await asyncio.gather(*(each.stop() for each in self.workers))

    async def happen(self) -> None:
        """Until it is over; then all workers run."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_again_and_again())
            if len(self.workers) > 1:
                group.create_task(self._freeze_again_and_again())

    async def _kill_again_and_again(self) -> None:
        """One at a time, in the middle of whatever it does. It is started again at once."""
        while await self._lasts(self.chance.uniform(1.0, 4.0)):
            victim = self.chance.choice([each for each in self.workers if not each.is_frozen])
            await victim.kill()
            self.happened["killed -9"] += 1
            await victim.start()

    async def _freeze_again_and_again(self) -> None:
        """For longer than its leases, so that others have what it had in hand when it goes on where it was."""
        while await self._lasts(self.chance.uniform(1.0, 4.0)):
            victim = self.chance.choice([each for each in self.workers if each.is_running])
            await victim.freeze()
            await asyncio.sleep(FROZEN)
            victim.thaw()
            self.happened["frozen"] += 1

    async def _lasts(self, seconds: float) -> bool:
        """Whether it is still not over after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.is_over.wait()
        return not self.is_over.is_set()

    async def told(self, path: str) -> Any:
        """An answer of the provider; those of its API are asked for again until no fault strikes them."""
        address = f"http://127.0.0.1:{self.emulator.port}{path}"
        async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN), timeout=60, trust_env=False) as client:
            while True:
                try:
                    answer = await client.get(address)
                except httpx.HTTPError:
                    continue
                if answer.status_code == 200:
                    return answer.json()
