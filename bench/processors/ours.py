"""Ours, the bare job: the engine, a table of four columns, one read and one conditional write a batch.

`python -m bench.processors.ours BROKER INPUT OUTPUT GROUP DATABASE`, where DATABASE is the path of a SQLite file or a
PostgreSQL URL. Outputs are acknowledged before rows are written, rows before offsets, as in the product.
"""

import gc
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import asyncpg
import orjson
import uvloop
from prometheus_client import CollectorRegistry

from bench.processors.job import is_further, said
from ingest.contract.kafka import Kafka
from processors.stream.app import BatchApp, create_app
from processors.stream.batch import Batch
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import KafkaProducer, Outgoing, Producer
from processors.stream.run import Worker, configure_logs
from processors.stream.settings import StreamSettings

COMMIT_SECONDS = 1.0
COLUMNS = "messages (sid text NOT NULL, status text NOT NULL, version int NOT NULL"
SERVER = {"enable_seqscan": "off"}
NOTHING: tuple[None, None, int, int] = (None, None, 0, 0)


class Known(NamedTuple):
    """`base` is the version that was read, 0 for a row that is not there yet."""

    sid: str
    status: str
    version: int
    base: int


class Conflict(Exception):
    """Somebody else wrote a row in between."""


class Table(Protocol):
    async def read(self, sids: Sequence[str]) -> Mapping[str, Known]: ...

    async def write(self, rows: Sequence[Known]) -> None:
        """All or none, each only if its version is still its base. Raises Conflict."""
        ...

    async def close(self) -> None: ...


class SqliteTable:
    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA cache_size=-65536")
        self._db.execute("PRAGMA wal_autocheckpoint=10000")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS {COLUMNS}, PRIMARY KEY (sid)) WITHOUT ROWID")

    async def read(self, sids: Sequence[str]) -> Mapping[str, Known]:
        asked = ",".join("?" * len(sids))
        found = self._db.execute(f"SELECT sid, status, version FROM messages WHERE sid IN ({asked})", sids)  # noqa: S608
        return {sid: Known(sid, status, version, version) for sid, status, version in found}

    async def write(self, rows: Sequence[Known]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        changed = self._db.executemany(
            "INSERT INTO messages VALUES (?1, ?2, ?3) ON CONFLICT (sid) DO UPDATE"
            " SET status = excluded.status, version = excluded.version WHERE version = ?4",
            sorted(rows),
        )
        if changed.rowcount != len(rows):
            self._db.execute("ROLLBACK")
            raise Conflict
        self._db.execute("COMMIT")

    async def close(self) -> None:
        self._db.close()


class PostgresTable:
    """A connection for each batch that is worked on at a time."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._db = pool

    async def read(self, sids: Sequence[str]) -> Mapping[str, Known]:
        found = await self._db.fetch("SELECT sid, status, version FROM messages WHERE sid = any($1::text[])", sids)
        return {sid: Known(sid, status, version, version) for sid, status, version in found}

    async def write(self, rows: Sequence[Known]) -> None:
        written = await self._db.fetchval(
            "WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::int[])"
            "   AS row (sid, status, version, base)),"
            " changed AS (UPDATE messages m SET status = g.status, version = g.version FROM given g"
            "   WHERE m.sid = g.sid AND m.version = g.base RETURNING 1),"
            " made AS (INSERT INTO messages SELECT sid, status, version FROM given WHERE base = 0"
            "   ON CONFLICT DO NOTHING RETURNING 1)"
            " SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM made)",
            *zip(*sorted(rows), strict=True),
        )
        if written != len(rows):
            raise Conflict

    async def close(self) -> None:
        await self._db.close()


async def connect(database: str) -> Table:
    if not database.startswith("postgresql://"):
        return SqliteTable(database)
    # A statement that was planned while the table was small would scan all of it for ever. Nothing is ever set or left
    # open on a connection, so giving it back needs no round trip.
    pool = await asyncpg.create_pool(database, min_size=4, max_size=4, server_settings=SERVER, reset=_as_it_is)
    await pool.execute(f"CREATE TABLE IF NOT EXISTS {COLUMNS}, PRIMARY KEY (sid))")
    return PostgresTable(pool)


async def _as_it_is(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Furthest:
    """The handler."""

    table: Table
    producer: Producer
    output: str

    async def __call__(self, batch: Batch) -> None:
        events = [orjson.loads(record.value) for record in batch.records if record.value]
        known = await self.table.read(list({event["message_sid"] for event in events}))
        rows: dict[str, Known] = dict(known)
        outgoing: list[Outgoing] = []
        for event in events:
            sid, status = event["message_sid"], event["status"]
            _, before, version, base = rows.get(sid, NOTHING)
            if is_further(status, before):
                rows[sid] = Known(sid, status, version + 1, base)
                value = orjson.dumps(said(sid, status, before, version + 1))
                outgoing.append(Outgoing(self.output, sid.encode(), value, (), batch.partition))
        await self.producer.publish(outgoing)
        if changed := [row for row in rows.values() if row.version != row.base]:
            await self.table.write(changed)


async def serve(broker: str, source: str, output: str, group: str, database: str) -> int:
    kafka, registry = Kafka(bootstrap_servers=broker), CollectorRegistry()
    settings = StreamSettings(commit_interval=COMMIT_SECONDS)
    producer = KafkaProducer(kafka)
    handler = Furthest(await connect(database), producer, output)

    def create() -> BatchApp:
        return create_app(
            group=group,
            kafka=kafka,
            handlers={source: handler},
            settings=settings,
            metrics=StreamMetrics(registry),
            retryable=(Conflict,),
        )

    try:
        return await Worker(create, kafka=kafka, topics=[source, output], settings=settings, registry=registry).run()
    finally:
        await producer.stop()


if __name__ == "__main__":
    configure_logs()
    # Records are tuples of tuples, which come and go by the thousand: by default a fifth of the time went on looking
    # for cycles among them.
    gc.freeze()
    gc.set_threshold(500_000, 10, 10)  # as the product
    sys.exit(uvloop.run(serve(*sys.argv[1:])))
