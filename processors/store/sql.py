"""The store in SQL: one read and one conditional write a batch, the same statements on SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from processors.contract.state import RESOURCES
from processors.domain.facts import Resource
from processors.store.document import columns, load
from processors.store.port import Conflict, StoreUnavailable

# SQLite allows 32,766 parameters in a statement since 3.32; older ones 999.
KEYS_PER_READ = 900

_UPDATE = (
    RESOURCES.update()
    .where(RESOURCES.c.key == bindparam("its_key"), RESOURCES.c.version == bindparam("its_version"))
    .values({name: bindparam(name) for name in RESOURCES.c.keys() if name != "key"})  # noqa: SIM118
)


class SqlStore:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource]:
        wanted = (RESOURCES.c.key, RESOURCES.c.kind, RESOURCES.c.account_sid, RESOURCES.c.version, RESOURCES.c.document)
        found: dict[str, Resource] = {}
        try:
            async with self._engine.connect() as connection:
                for start in range(0, len(keys), KEYS_PER_READ):
                    some = keys[start : start + KEYS_PER_READ]
                    rows = await connection.execute(select(*wanted).where(RESOURCES.c.key.in_(some)))
                    for key, kind, account, version, document in rows:
                        found[key] = Resource(key, kind, account, version, load(document))
        except DBAPIError as error:
            raise StoreUnavailable(str(error.orig)) from error
        return found

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        new = [columns(row) for row in rows if expected[row.key] == 0]
        # In key order, so that two workers that meet in the same rows wait for each other instead of deadlocking.
        known = sorted((row for row in rows if expected[row.key] > 0), key=lambda row: row.key)
        try:
            async with self._engine.begin() as connection:
                if new:
                    await connection.execute(RESOURCES.insert(), sorted(new, key=lambda row: str(row["key"])))
                if known:
                    changed = await connection.execute(_UPDATE, [_update(row, expected[row.key]) for row in known])
                    if changed.rowcount != len(known):
                        raise Conflict(f"{len(known) - changed.rowcount} rows changed in between")
        except IntegrityError as error:
            raise Conflict("a row that was new exists by now") from error
        except DBAPIError as error:
            raise StoreUnavailable(str(error.orig)) from error


def _update(row: Resource, expected: int) -> Mapping[str, Any]:
    values = dict(columns(row))
    return {**values, "its_key": values.pop("key"), "its_version": expected}
