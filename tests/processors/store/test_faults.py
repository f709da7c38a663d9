"""A database that is away, full, locked or slow is tried again; it keeps nothing by halves and tells no password."""

import asyncio
import contextlib
import logging
import resource
import sqlite3
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from processors.sql import Database, DatabaseRefused, open_database
from processors.store.opening import open_store
from processors.store.port import Store, StoreUnavailable
from processors.store.sql import SqlStore
from tests.chaos.workers import Database as Cluster
from tests.conftest import until
from tests.processors.store.rows import NUMBER, at, call, facts, plain, put, recording, row, sid, stored

SECRET = "secret-word"


def moved(store_row: Any) -> Any:
    return store_row._replace(version=store_row.version + 1, facts=facts(sent=store_row.version, queued=0))


def works(ask: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[bool]]:
    """For polling: whether the store answers by now."""

    async def answers() -> bool:
        with contextlib.suppress(StoreUnavailable):
            await ask()
            return True
        return False

    return answers


# Forgetting that ends in the middle.


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("after", range(4))
async def test_a_person_is_forgotten_to_the_end_when_it_is_done_again(
    url: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(url)
    rows = [
        call(1, from_=NUMBER),
        call(2, to=NUMBER, parent_call_sid=sid(1, "CA")),
        recording(3, call_sid=sid(1, "CA"), transcription_text="it is me"),
        recording(4, call_sid=sid(2, "CA"), transcription_text="it is me"),
    ]
    await put(store, *rows)
    write, left = store.write, [after]

    async def failing(*given: Any) -> None:
        if not left[0]:
            raise StoreUnavailable("away")
        left[0] -= 1
        await write(*given)

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", failing)
        with pytest.raises(StoreUnavailable):
            await store.forget(NUMBER)
    await store.forget(NUMBER)
    told = str(await store.read([each.key for each in rows]))
    assert NUMBER not in told
    assert "it is me" not in told
    await store.close()


# SQLite.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
async def embedded(path: Path) -> AsyncIterator[tuple[Store, Database]]:
    """One that does not wait long for others."""
    await (await open_store(f"sqlite+aiosqlite:///{path}")).close()
    database = open_database(f"sqlite+aiosqlite:///{path}")
    await database.fetch("PRAGMA busy_timeout = 20")
    store = SqlStore(database)
    await put(store, row(1, due=at(5)))
    yield store, database
    await store.close()


async def test_a_file_that_another_process_writes_to_is_read_and_written_later(
    embedded: tuple[Store, Database], path: Path
) -> None:
    store, _ = embedded
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    known = await stored(store, sid(1))
    for ask in (store.write([moved(known)], {sid(1): 1}), store.claim(at(9), at(99), 1), store.expire(at(9), at(9), 1)):
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            await ask
    other.execute("COMMIT")
    other.close()
    await store.write([moved(known)], {sid(1): 1})
    assert await stored(store, sid(1)) == moved(known)


async def test_a_full_disk_keeps_nothing_of_a_write_and_is_tried_again(embedded: tuple[Store, Database]) -> None:
    store, database = embedded
    ((pages,),) = await database.fetch("PRAGMA page_count")
    await database.fetch(f"PRAGMA max_page_count = {pages + 2}")
    many = [row(number, known=facts(attributes=plain(body="x" * 2000))) for number in range(2, 50)]
    with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
        await put(store, *many)
    assert list(await store.read([each.key for each in many])) == []
    await database.fetch("PRAGMA max_page_count = 100000")
    await put(store, *many)
    assert len(await store.read([each.key for each in many])) == 48


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_the_system_does_not_write_is_not_there_and_is_tried_again(
    embedded: tuple[Store, Database], path: Path
) -> None:
    store, _ = embedded
    many = [row(number, known=facts(attributes=plain(body="x" * 2000))) for number in range(2, 50)]
    with (
        no_file_larger_than(path.with_name(f"{path.name}-wal").stat().st_size + 5000),
        pytest.raises(StoreUnavailable, match=r"SQLITE_(IOERR|FULL)"),
    ):
        await put(store, *many)
    assert list(await store.read([each.key for each in many])) == []
    await put(store, *many)
    assert len(await store.read([each.key for each in many])) == 48


async def test_a_file_that_may_only_be_read_is_read(embedded: tuple[Store, Database]) -> None:
    store, database = embedded
    await database.fetch("PRAGMA query_only = ON")
    known = await stored(store, sid(1))
    with pytest.raises(StoreUnavailable, match="SQLITE_READONLY"):
        await store.write([moved(known)], {sid(1): 1})
    await database.fetch("PRAGMA query_only = OFF")
    await store.write([moved(known)], {sid(1): 1})


@pytest.fixture(params=[b"this is no database" * 400, b""])
def strange(request: pytest.FixtureRequest, path: Path) -> Path:
    path.write_bytes(request.param)
    return path


async def test_a_file_that_is_none_of_ours_is_not_tried_again(strange: Path) -> None:
    store = SqlStore(open_database(f"sqlite+aiosqlite:///{strange}"))
    for _ in range(2):
        with pytest.raises(DatabaseRefused):
            await store.read([sid(1)])
    await store.close()


def test_a_folder_that_cannot_be_made_is_said_at_once() -> None:
    with pytest.raises(OSError, match="/proc/no"):
        open_database("sqlite+aiosqlite:////proc/no/state.sqlite")


# PostgreSQL.


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    await made.start()
    yield made
    await made.stop()


async def opened(cluster: Cluster) -> SqlStore:
    """It listens before it takes queries."""
    store: list[SqlStore] = []

    async def opens() -> bool:
        with contextlib.suppress(OSError, SQLAlchemyError):
            store.append(await open_store(cluster.server.url()))
        return bool(store)

    await until(opens, 60)
    return store[0]


@pytest.mark.postgres
async def test_a_server_that_crashes_is_away_and_goes_on_where_it_was(cluster: Cluster) -> None:
    store = await opened(cluster)
    await put(store, row(1, due=at(5)), row(2))
    known = await stored(store, sid(1))
    await cluster.crash()
    for _ in range(3):
        for ask in (
            store.read([sid(1)]),
            store.write([moved(known)], {sid(1): 1}),
            store.claim(at(9), at(99), 1),
            store.children(sid(1)),
            store.expire(at(0), at(9), 1),
            store.bury(at(9), 1),
            store.forget(NUMBER),
        ):
            with pytest.raises(StoreUnavailable):
                await ask
    await cluster.start()
    await until(works(lambda: store.read([sid(1)])), 60)
    await store.write([moved(known)], {sid(1): 1})
    assert await stored(store, sid(1)) == moved(known)
    assert [each.key for each in await store.claim(at(9), at(99), 5)] == [sid(1)], "no claim was kept by halves"
    await store.close()


@pytest.mark.postgres
async def test_whatever_was_written_when_it_crashed_is_kept_whole_and_nothing_acknowledged_is_lost(
    cluster: Cluster,
) -> None:
    store = await opened(cluster)
    await put(store, *(row(number) for number in range(8)))
    acknowledged = dict.fromkeys(range(4), 1)
    crashed = asyncio.Event()

    async def worker(number: int) -> None:
        """Two rows that always move together."""
        keys = [sid(number), sid(number + 4)]
        while True:
            try:
                rows = [moved(each) for each in (await store.read(keys)).values()]
                await store.write(rows, {each.key: each.version - 1 for each in rows})
                acknowledged[number] = rows[0].version
            except StoreUnavailable:
                crashed.set()
                return

    workers = [asyncio.create_task(worker(number)) for number in range(4)]
    await until(lambda: min(acknowledged.values()) > 20)
    await cluster.crash()
    await asyncio.wait_for(asyncio.gather(*workers), 30)
    await cluster.start()
    await until(works(lambda: store.read([sid(1)])), 60)
    for number, version in acknowledged.items():
        pair = [(await stored(store, sid(each))).version for each in (number, number + 4)]
        assert pair[0] == pair[1]
        assert pair[0] in (version, version + 1), "the last one may have been kept without saying so"
    await store.close()


@pytest.mark.postgres
async def test_a_write_that_waits_too_long_is_tried_again(postgres_database: str) -> None:
    await (await open_store(postgres_database)).close()
    store = SqlStore(open_database(postgres_database, timeout=0.2))
    await put(store, row(1), row(2))
    other = await asyncpg.connect(postgres_database.replace("+asyncpg", ""))
    held = other.transaction()
    await held.start()
    await other.execute("UPDATE resources SET sweeps = 7 WHERE key = $1", sid(2))
    known = await store.read([sid(1), sid(2)])
    with pytest.raises(StoreUnavailable, match="57014"):
        await store.write([moved(each) for each in known.values()], {sid(1): 1, sid(2): 1})
    await held.rollback()
    await other.close()
    assert await store.read([sid(1), sid(2)]) == known
    await store.write([moved(each) for each in known.values()], {sid(1): 1, sid(2): 1})
    await store.close()


@pytest.mark.postgres
async def test_a_standby_is_read_and_written_to_later(postgres_database: str) -> None:
    store = await open_store(postgres_database)
    await put(store, row(1))
    await store.close()
    name = postgres_database.rpartition("/")[2]
    other = await asyncpg.connect(postgres_database.replace("+asyncpg", ""))
    await other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await other.close()
    store = await open_store(postgres_database)
    known = await stored(store, sid(1))
    with pytest.raises(StoreUnavailable, match="25006"):
        await store.write([moved(known)], {sid(1): 1})
    await store.close()


@pytest.mark.postgres
async def test_a_wrong_password_and_a_missing_table_are_not_tried_again(
    postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = postgres_database.replace(":switchhook@", f":{SECRET}@")
    for url, told in ((wrong, "28P01"), (postgres_database, "42P01"), (f"{postgres_database}x", "3D000")):
        store = SqlStore(open_database(url))
        with pytest.raises(DatabaseRefused, match=told) as raised:
            await store.read([sid(1)])
        assert not tells(raised.value, store)
        await store.close()
    with pytest.raises(SQLAlchemyError, match="password authentication failed") as refused:
        await open_store(wrong)
    assert not tells(refused.value, caplog.text)


async def test_a_password_is_not_told_by_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"postgresql+asyncpg://who:{SECRET}@127.0.0.1:1/none"
    database = open_database(url)
    store = SqlStore(database)
    with pytest.raises(StoreUnavailable) as raised:
        await store.read([sid(1)])
    assert not tells(raised.value, store, database, caplog.text)
    with pytest.raises(OSError, match="Connect") as refused:
        await open_store(url)
    assert not tells(refused.value, caplog.text)
    await store.close()


def tells(error: BaseException, *others: object) -> bool:
    """Whether the password is in the error, in those before it, in where they came from, or in how others are shown."""
    shown = [*traceback.format_exception(error), *map(repr, others)]
    before: BaseException | None = error
    while before is not None:
        shown += [str(before), repr(before)]
        before = before.__cause__ or before.__context__
    return SECRET in "".join(shown)
