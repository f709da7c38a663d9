"""The stack: separate processes, started in order, waited for until ready, ended by their own ids.

Each runs in a session of its own, so that Ctrl-C reaches only the one who started them, who then ends them in order.
"""

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import yaml

from deploy.broker import command as embedded
from ingest.contract.kafka import Kafka

ROOT = Path(__file__).parents[2]
ACCOUNT_SID = "AC" + "5" * 32
READY_SECONDS = 60.0
GRACE_SECONDS = 20.0
# More a second than the provider lets through: a demo has no hours, and its provider no carriers.
LIMITS = {
    "messages": dict.fromkeys(("long_code", "toll_free", "short_code", "alphanumeric", "whatsapp", "service"), 1000),
    **dict.fromkeys(("calls", "reads", "changes", "requests"), 1000),
}


class NotReady(Exception):
    """A process did not come up; the message ends with what it logged."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process. `ready` answers 200 once it works; `env` is added to the stack's own."""

    name: str
    command: Sequence[str]
    ready: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `broker` is the command of one on `{port}`; deadlines are short enough for a demo.

    `brain` are settings of the brain besides, without their prefix.
    """

    folder: Path
    token: str
    seed: int = 1
    speed: float = 8.0
    faults: Mapping[str, object] = field(default_factory=dict)
    broker: Sequence[str] = ()
    idempotence: bool = False
    rules: Path = ROOT / "processors/rules.example.yaml"
    spool: bool = False
    lease_seconds: float = 20.0
    request_timeout: float = 10.0
    brain: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """Broker, topics, emulator, front door, brain and hands."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        names = ("broker", "emulator", "ingest", "processors", "actions", "metrics")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.public = self.url("ingest")
        self.kafka = Kafka(
            bootstrap_servers=f"127.0.0.1:{self.ports['broker']}",
            idempotence=plan.idempotence,
            session_timeout=6.0,
            rebalance_timeout=6.0,
        )
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._logs: dict[str, IO[bytes]] = {}
        self._env = self._files()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def state_file(self) -> Path:
        return self.plan.folder / "state.sqlite"

    @property
    def environment_file(self) -> Path:
        """The settings of all stages, for a shell."""
        return self.plan.folder / "environment"

    def services(self) -> Sequence[Service]:
        """In the order of starting; the topics are made between the broker and the rest."""
        python, port, folder = sys.executable, self.ports, self.plan.folder
        emulator = [
            python, "-m", "deploy.emulator", "--port", str(port["emulator"]), "--account-sid", ACCOUNT_SID,
            "--seed", str(self.plan.seed), "--speed", str(self.plan.speed), "--faults", str(folder / "faults.yaml"),
        ]  # fmt: skip
        return (
            Service("emulator", emulator, env={"EMULATOR_AUTH_TOKEN": self.plan.token}),
            Service("ingest", [python, "-m", "ingest", "serve"], "/health/ready"),
            Service("processors", [python, "-m", "processors", "worker"], "/health/ready"),
            Service("actions", [python, "-m", "sinks", "actions"], "/health/ready"),
            Service("metrics", [python, "-m", "sinks", "metrics"], "/health/ready"),
        )

    async def start(self) -> None:
        """Raises NotReady."""
        await self.start_broker()
        await self._make_topics()
        for service in self.services():
            await self._spawn(service)
        await asyncio.gather(*(self._wait(service) for service in self.services()))

    async def start_broker(self) -> None:
        port = str(self.ports["broker"])
        command = [part.replace("{port}", port) for part in self.plan.broker] or embedded(self.ports["broker"])
        await self._spawn(Service("broker", command))
        await self._listening("broker")

    async def restart(self, name: str) -> None:
        """Starts a service again that was killed; raises NotReady."""
        service = next(service for service in self.services() if service.name == name)
        await self._spawn(service)
        await self._wait(service)

    async def kill(self, name: str) -> None:
        """As a power cut would: no signal handler runs."""
        process = self.processes.pop(name)
        process.kill()
        await process.wait()

    async def terminate(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def stop(self) -> None:
        """Everything, consumers first; nothing is left behind."""
        consumers = [name for name in self.processes if name not in ("broker", "emulator")]
        await asyncio.gather(*(self.terminate(name) for name in consumers))
        await self.terminate("emulator")
        await self.terminate("broker")
        for log in self._logs.values():
            log.close()

    def dead(self) -> Sequence[str]:
        """Services that ended although nobody asked them to."""
        return [name for name, process in self.processes.items() if process.returncode is not None]

    def log(self, name: str, characters: int = 2000) -> str:
        path = self.plan.folder / f"{name}.log"
        return path.read_text(errors="replace")[-characters:] if path.exists() else ""

    def emulator_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url("emulator"), auth=(ACCOUNT_SID, self.plan.token), timeout=30, trust_env=False
        )

    async def _spawn(self, service: Service) -> None:
        if service.name not in self._logs:
            self._logs[service.name] = (self.plan.folder / f"{service.name}.log").open("ab")
        log = self._logs[service.name]
        self.processes[service.name] = await asyncio.create_subprocess_exec(
            *service.command,
            stdout=log,
            stderr=log,
            stdin=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            env={**self._env, **service.env},
            start_new_session=True,
        )

    async def _make_topics(self) -> None:
        service = Service("topics", [sys.executable, "-m", "deploy.topics", "--profile", "one-node"])
        await self._spawn(service)
        if await self.processes.pop("topics").wait() != 0:
            raise NotReady(f"topics: {self.log('topics')}")

    async def _wait(self, service: Service) -> None:
        await self._listening(service.name)
        if not service.ready:
            return
        last = ""
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            for _ in range(int(READY_SECONDS / 0.1)):
                self._check(service.name)
                try:
                    answer = await client.get(self.url(service.name) + service.ready)
                    if answer.status_code == 200:
                        return
                    last = answer.text
                except httpx.HTTPError as error:
                    last = type(error).__name__
                await asyncio.sleep(0.1)
        raise NotReady(f"{service.name}: {last}\n{self.log(service.name)}")

    async def _listening(self, name: str) -> None:
        for _ in range(int(READY_SECONDS / 0.05)):
            self._check(name)
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", self.ports[name])) == 0:
                    return
            await asyncio.sleep(0.05)
        raise NotReady(f"{name}: nothing listens\n{self.log(name)}")

    def _check(self, name: str) -> None:
        process = self.processes[name]
        if process.returncode is not None:
            raise NotReady(f"{name} ended with {process.returncode}:\n{self.log(name)}")

    def _files(self) -> Mapping[str, str]:
        """Writes what the services read, and returns their environment."""
        plan, folder = self.plan, self.plan.folder
        folder.mkdir(parents=True, exist_ok=True)
        callers = {
            "accounts": [{"sid": ACCOUNT_SID, "alias": "demo", "default": True, "keys": [{"token": plan.token}]}]
        }
        actor = {"sid": ACCOUNT_SID, "password": plan.token, "base_url": self.url("emulator"), "limits": LIMITS}
        actors = {"accounts": [actor]}
        for name, document in (("callers", callers), ("actors", actors), ("faults", plan.faults)):
            _write(folder / f"{name}.yaml", yaml.safe_dump(document))
        port = self.ports
        settings = {
            "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "SWITCHHOOK_KAFKA_IDEMPOTENCE": str(plan.idempotence),
            "SWITCHHOOK_KAFKA_SESSION_TIMEOUT": str(self.kafka.session_timeout),
            "SWITCHHOOK_KAFKA_REBALANCE_TIMEOUT": str(self.kafka.rebalance_timeout),
            "SWITCHHOOK_INGEST_PORT": str(port["ingest"]),
            "SWITCHHOOK_INGEST_PUBLIC_BASE_URL": self.public,
            "SWITCHHOOK_INGEST_ACCOUNTS_FILE": str(folder / "callers.yaml"),
            **({"SWITCHHOOK_INGEST_SPOOL_DIR": str(folder / "spool")} if plan.spool else {}),
            "SWITCHHOOK_PROCESSORS_PORT": str(port["processors"]),
            "SWITCHHOOK_PROCESSORS_DATABASE_URL": f"sqlite+aiosqlite:///{self.state_file}",
            "SWITCHHOOK_PROCESSORS_RULES_FILE": str(plan.rules),
            "SWITCHHOOK_PROCESSORS_HASH_KEY": plan.token,
            **{f"SWITCHHOOK_PROCESSORS_{name}": value for name, value in plan.brain.items()},
            "SWITCHHOOK_SINKS_PORT": str(port["actions"]),
            "SWITCHHOOK_SINKS_METRICS_PORT": str(port["metrics"]),
            "SWITCHHOOK_SINKS_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'ledger.sqlite'}",
            "SWITCHHOOK_SINKS_ACCOUNTS_FILE": str(folder / "actors.yaml"),
            "SWITCHHOOK_SINKS_PUBLIC_BASE_URL": self.public,
            "SWITCHHOOK_SINKS_CAP_PER_ACCOUNT_DAY": "10000000",
            "SWITCHHOOK_SINKS_LEASE_SECONDS": str(plan.lease_seconds),
            "SWITCHHOOK_SINKS_REQUEST_TIMEOUT": str(plan.request_timeout),
            "SWITCHHOOK_SINKS_MEDIA_STORE": str(folder / "media"),
        }
        _write(self.environment_file, "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
        others = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHHOOK_")}
        return {**others, **settings}


def _write(path: Path, text: str) -> None:
    """For its owner's eyes: keys are in it."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def free_ports(count: int) -> Sequence[int]:
    """Loopback ports that nobody uses now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
