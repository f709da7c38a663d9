"""One suite for the store and its twin: both keep the same promises."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from processors.contract.state import METADATA
from processors.domain.facts import Attribute, Facts, Resource, Seen
from processors.sql import connect
from processors.store.document import dump, load
from processors.store.migrations import migrate_state
from processors.store.port import Conflict, MemoryStore, Store
from processors.store.sql import SqlStore

NOW = datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    engine = connect(f"sqlite+aiosqlite:///{tmp_path}/state.sqlite")
    await migrate_state(engine)
    yield SqlStore(engine)
    await engine.dispose()


def message(number: int, version: int = 1, status: str = "sent") -> Resource:
    facts = Facts({f"status:{status}": Seen(NOW, None)}, {"to": Attribute("+1555", 3, "x"), "n": Attribute(True)})
    return Resource(f"SM{number:032x}", "message", "AC" + "0" * 32, version, facts)


async def test_what_was_written_is_read_back_equal(store: Store) -> None:
    rows = [message(n) for n in range(1500)]
    await store.write(rows, dict.fromkeys((r.key for r in rows), 0))
    assert await store.read([r.key for r in rows]) == {r.key: r for r in rows}


async def test_unknown_keys_are_left_out(store: Store) -> None:
    assert await store.read(["SM" + "f" * 32]) == {}
    assert await store.read([]) == {}


async def test_a_write_on_an_old_version_is_refused_whole(store: Store) -> None:
    await store.write([message(1), message(2)], {message(1).key: 0, message(2).key: 0})
    await store.write([message(1, 2, "delivered")], {message(1).key: 1})
    with pytest.raises(Conflict):
        await store.write(
            [message(3), message(2, 2), message(1, 2, "failed")],
            {message(3).key: 0, message(2).key: 1, message(1).key: 1},
        )
    found = await store.read([message(n).key for n in (1, 2, 3)])
    assert found == {message(1).key: message(1, 2, "delivered"), message(2).key: message(2)}


async def test_a_new_row_that_exists_by_now_is_refused(store: Store) -> None:
    await store.write([message(1)], {message(1).key: 0})
    with pytest.raises(Conflict):
        await store.write([message(1)], {message(1).key: 0})


def test_equal_facts_are_equal_bytes_and_survive_the_round_trip() -> None:
    facts = message(1).facts
    turned = Facts(dict(reversed(list(facts.seen.items()))), dict(reversed(list(facts.attributes.items()))))
    assert dump(facts) == dump(turned)
    assert load(dump(facts)) == facts


async def test_the_migrations_make_the_tables_that_the_contract_declares(tmp_path: Path) -> None:
    engine = connect(f"sqlite+aiosqlite:///{tmp_path}/state.sqlite")
    await migrate_state(engine)
    await migrate_state(engine)  # a second start finds nothing to do

    def differences(connection: Connection) -> list[object]:
        migrations = MigrationContext.configure(connection, opts={"version_table": "state_version"})
        return list(compare_metadata(migrations, METADATA))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
