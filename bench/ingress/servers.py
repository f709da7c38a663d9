"""The servers that are compared: how each is built and started. All do the same job for the same requests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = ROOT / ".run" / "bench"
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105  # of nobody
BASE = "https://hooks.example.org"
ACCOUNT = "AC" + "1" * 32


class CannotRun(Exception):
    """A tool is missing, or a peer cannot be built."""


@dataclass(frozen=True)
class Place:
    """Where a server listens and publishes to. `prefix` is that of the topic `PREFIX.messages`."""

    port: int
    broker: str
    prefix: str
    folder: Path

    @property
    def topic(self) -> str:
        return f"{self.prefix}.messages"


@dataclass(frozen=True)
class Server:
    name: str
    what: str
    command: Callable[[Place], Sequence[str]]
    environment: Callable[[Place], Mapping[str, str]] = lambda _: {}
    publishes: bool = True


def _python(module: str, *, prefix: bool) -> Callable[[Place], Sequence[str]]:
    def command(place: Place) -> Sequence[str]:
        where = place.prefix if prefix else place.topic
        return [sys.executable, "-m", module, str(place.port), place.broker, where, BASE, TOKEN]

    return command


def _switchhook(place: Place) -> Mapping[str, str]:
    accounts = place.folder / "accounts.yaml"
    accounts.write_text(f"accounts: [{{sid: {ACCOUNT}, alias: main, keys: [{{token: {TOKEN}}}]}}]")
    ours = {
        "PUBLIC_BASE_URL": BASE,
        "ACCOUNTS_FILE": str(accounts),
        "PORT": str(place.port),
        "SPOOL_DIR": str(place.folder / "spool"),
    }
    kafka = {"BOOTSTRAP_SERVERS": place.broker, "TOPIC_PREFIX": place.prefix}
    return {
        **{f"SWITCHHOOK_INGEST_{name}": value for name, value in ours.items()},
        **{f"SWITCHHOOK_KAFKA_{name}": value for name, value in kafka.items()},
    }


SERVERS: Sequence[Server] = (
    Server("empty", "empty Starlette route", _python("bench.ingress.peers.empty", prefix=False), publishes=False),
    Server("bare", "ours, verify and publish alone", _python("bench.ingress.peers.bare", prefix=True)),
    Server("switchhook", "ours, all of it", lambda _: [sys.executable, "-m", "ingest", "serve"], _switchhook),
    Server(
        "go",
        "net/http, SDK, franz-go",
        lambda p: [
            str(WORK / "go-peer"), "-address", f"127.0.0.1:{p.port}", "-kafka", p.broker, "-topic", p.topic,
            "-base", BASE, "-token", TOKEN,
        ],
        # One core, as for the others; its runtime would see both.
        lambda _: {"GOMAXPROCS": "1"},
    ),
    Server(
        "express",
        "Express, SDK, kafkajs, batched",
        lambda p: ["node", str(WORK / "express" / "server.js"), str(p.port), p.broker, p.topic, BASE, TOKEN],
    ),
    Server(
        "fastapi",
        "FastAPI, SDK, aiokafka",
        lambda p: [
            str(WORK / "venv" / "bin" / "python"), str(HERE / "peers" / "fastapi_app.py"), str(p.port), p.broker,
            p.topic, BASE, TOKEN,
        ],
    ),
)  # fmt: skip


def build(names: Sequence[str]) -> None:
    """The load generator and the peers, below `.run`. Raises CannotRun."""
    WORK.mkdir(parents=True, exist_ok=True)
    _run(["go", "build", "-o", str(WORK / "go-load"), "./load"], HERE / "go")
    if "go" in names:
        _run(["go", "build", "-o", str(WORK / "go-peer"), "./peer"], HERE / "go")
    if "express" in names:
        shutil.copytree(HERE / "express", WORK / "express", dirs_exist_ok=True)
        _run(["npm", "ci", "--omit=optional", "--no-audit", "--no-fund", "--silent"], WORK / "express")
    if "fastapi" in names and not (WORK / "venv" / ".ready").exists():
        _run([sys.executable, "-m", "venv", str(WORK / "venv")], ROOT)
        pip = [str(WORK / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
        _run([*pip, "-r", str(HERE / "requirements.lock")], ROOT)
        (WORK / "venv" / ".ready").touch()


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, env={**os.environ, "GOTOOLCHAIN": "local"})
    except FileNotFoundError:
        raise CannotRun(f"{command[0]} is not installed") from None
    if done.returncode:
        raise CannotRun(f"{' '.join(command)} failed")
