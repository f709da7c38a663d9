"""Growth: what an event costs with few resources known, and with millions. Should be the same, and take no memory.

Stores are filled once, by their own writing, with realistic rows, and copied for each run. Events then touch known
resources chosen at random over all of them, or over the newest, as traffic does; all are news. Over all is the worst
there is: no two of a batch share a page, and each page goes into the log whole. The copies are in the machine's page
cache, which a database that has to read from its disk does not have.
"""

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.processors.history import ACCOUNT, KNOWN, address, correlation, envelope, sid
from bench.processors.ours import Known, connect
from bench.processors.services import Service, create_database, settle
from bench.processors.workers import Worker, sqlalchemy_url
from processors.domain.facts import NOTHING, Attribute, Facts, Resource, merge
from processors.domain.reading import read
from processors.domain.stamps import stamp
from processors.store.opening import open_store

_AT_ONCE = 10_000


def filled(worker: Worker, known: int, postgres: Service | None, folder: Path) -> str:
    """A store that knows so many messages: the path of a file, or the name of a database."""
    begun, name = time.monotonic(), f"known-{uuid.uuid4().hex[:8]}"
    if worker.database == "postgres":
        assert postgres is not None, "this worker needs PostgreSQL"
        database = create_database(postgres, name)
    else:
        name = database = str(folder / name)
    fill = _fill_product(database, known) if worker.product else _fill_bare(database, known)
    asyncio.run(fill)
    if postgres is not None and worker.database == "postgres":
        settle(postgres, name)
    print(f"  {worker.name} knows {known:,}, written in {time.monotonic() - begun:.0f} s", flush=True)
    return name


async def _fill_bare(database: str, known: int) -> None:
    table = await connect(database)
    try:
        for names in _names(known):
            await table.write([Known(name, KNOWN[-1], len(KNOWN), 0) for name, _ in names])
    finally:
        await table.close()


async def _fill_product(database: str, known: int) -> None:
    store = await open_store(sqlalchemy_url(database))
    facts, due = _pattern(), stamp(datetime.now(UTC).replace(year=2999))
    try:
        for names in _names(known):
            rows = [Resource(name, "message", ACCOUNT, len(KNOWN), _of(facts, number), due) for name, number in names]
            await store.write(rows, dict.fromkeys((name for name, _ in names), 0))
    finally:
        await store.close()


def _names(known: int) -> Iterator[Sequence[tuple[str, int]]]:
    """In the order in which they came, which is none for their keys."""
    return (
        sorted((sid(number), number) for number in range(start, min(start + _AT_ONCE, known)))
        for start in range(0, known, _AT_ONCE)
    )


def _pattern() -> Facts:
    """What two callbacks tell of a message."""
    facts, now = NOTHING, datetime.now(UTC)
    for status in KNOWN:
        facts = merge(facts, read(envelope(0, status, now)).facts)
    return facts


def _of(pattern: Facts, number: int) -> Facts:
    """The same of another message."""
    own: Mapping[str, Attribute] = {"to": (address(number), -1, ""), "correlation": (correlation(number), -1, "")}
    return pattern._replace(attributes={**pattern.attributes, **own})
