"""The workers that are compared: how each is built and started. All but the full product do the same job."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.processors.ours import COMMIT_SECONDS
from bench.processors.services import HERE, ROOT, WORK, CannotRun

_STREAMS, _QUIX = WORK / "streams", WORK / "quix"


@dataclass(frozen=True)
class Place:
    """Where a worker reads and writes. `database` is a path or a URL, for those that have one."""

    broker: str
    source: str
    output: str
    group: str
    partitions: int
    folder: Path
    database: str

    @property
    def prefix(self) -> str:
        return self.source.removesuffix(".messages")


@dataclass(frozen=True)
class Worker:
    """`slow` ones get fewer events. `product` makes records of its own, one for each fact instead of each change."""

    name: str
    what: str
    command: Callable[[Place], Sequence[str]]
    environment: Callable[[Place], Mapping[str, str]] = lambda _: {}
    database: Literal["sqlite", "postgres"] | None = None
    slow: bool = False
    product: bool = False


def _ours(place: Place) -> Sequence[str]:
    given = (place.broker, place.source, place.output, place.group, place.database)
    return [sys.executable, "-m", "bench.processors.ours", *given]


def _faust(place: Place) -> Sequence[str]:
    given = (place.broker, place.source, place.output, place.group, str(place.folder))
    return [sys.executable, str(HERE / "peers" / "faust_table.py"), *given, str(place.partitions), str(COMMIT_SECONDS)]


def _quix(place: Place) -> Sequence[str]:
    given = (place.broker, place.source, place.output, place.group, str(place.folder))
    return [str(_QUIX / "bin" / "python"), str(HERE / "peers" / "quix.py"), *given, str(COMMIT_SECONDS)]


def _streams(place: Place) -> Sequence[str]:
    given = (place.broker, place.source, place.output, place.group, str(place.folder))
    path = f"{_STREAMS / 'classes'}:{_STREAMS / 'libs'}/*"
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return ["java", "-Xmx1g", quiet, "-cp", path, "switchhook.Main", *given, str(round(COMMIT_SECONDS * 1000))]


def _product(place: Place) -> Sequence[str]:
    return [sys.executable, "-m", "processors", "worker"]


def sqlalchemy_url(database: str) -> str:
    if database.startswith("postgresql://"):
        return database.replace("postgresql://", "postgresql+asyncpg://")
    return f"sqlite+aiosqlite:///{database}"


def _settings(place: Place) -> Mapping[str, str]:
    ours = {
        "HASH_KEY": "0123456789abcdef0123456789abcdef",
        "RULES_FILE": str(ROOT / "processors" / "rules.example.yaml"),
        "PORT": "0",
        "COMMIT_INTERVAL": str(COMMIT_SECONDS),
        "DATABASE_URL": sqlalchemy_url(place.database),
    }
    # The history is older than any deadline: nothing of it is to be looked up.
    ours |= {
        f"{kind}_OVERDUE": str(366 * 86400) for kind in ("MESSAGE", "CALL", "RECORDING", "CONFERENCE", "PARTICIPANT")
    }
    kafka = {"BOOTSTRAP_SERVERS": place.broker, "TOPIC_PREFIX": place.prefix}
    return {
        **{f"SWITCHHOOK_PROCESSORS_{name}": value for name, value in ours.items()},
        **{f"SWITCHHOOK_KAFKA_{name}": value for name, value in kafka.items()},
    }


WORKERS: Sequence[Worker] = (
    Worker("bare-sqlite", "ours, the bare job, SQLite", _ours, database="sqlite"),
    Worker("bare-postgres", "ours, the bare job, PostgreSQL", _ours, database="postgres"),
    Worker("full-sqlite", "ours, all of it, SQLite", _product, _settings, database="sqlite", product=True),
    Worker("full-postgres", "ours, all of it, PostgreSQL", _product, _settings, database="postgres", product=True),
    Worker("streams", "Kafka Streams 4.1, RocksDB", _streams),
    Worker("quix", "Quix Streams 3, RocksDB", _quix),
    Worker("faust", "stock Faust, a table in memory", _faust, slow=True),
)


def build(names: Sequence[str]) -> None:
    """The peers, below `.run`. Raises CannotRun."""
    WORK.mkdir(parents=True, exist_ok=True)
    if "streams" in names:
        goals = ["compile", "dependency:copy-dependencies", f"-DoutputDirectory={_STREAMS / 'libs'}"]
        quiet = ["--quiet", "--batch-mode", "-Dstyle.color=never"]
        _run(["mvn", *quiet, f"-Dwork={_STREAMS}", *goals], HERE / "streams")
    if "quix" in names and not (_QUIX / ".ready").exists():
        _run([sys.executable, "-m", "venv", str(_QUIX)], ROOT)
        pip = [str(_QUIX / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
        _run([*pip, "-r", str(HERE / "requirements.lock")], ROOT)
        (_QUIX / ".ready").touch()


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, env=os.environ, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise CannotRun(f"{command[0]} is not installed") from None
    if done.returncode:
        raise CannotRun(f"{' '.join(command)} failed")
