"""What the store asks of each database, as texts: the one place where the two differ.

PostgreSQL takes a whole column as an array; SQLite takes row after row, and a list as JSON.
"""
# ruff: noqa: S608  # made of the names of our own columns; values are always bound

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Integer

from processors.contract.state import RESOURCES
from processors.contract.statuses import RANKS
from processors.store.document import FIXED, MOVING, STORED


@dataclass(frozen=True)
class Statements:
    """`move`, `update`, `insert` and `arm` are put for many rows, the others fetched."""

    read: str
    """(keys): rows of STORED."""
    gone: str
    """(keys): key, at."""
    move: str
    """(expected version, key, *MOVING)"""
    update: str
    """(expected version, key, *MOVING, *FIXED)"""
    insert: str
    """(key, *MOVING, *FIXED)"""
    arm: str
    """(at, keys as JSON)"""
    pending: str
    """(now, how many): id, at, keys as JSON; the longest due first, without those that another worker has in hand."""
    disarm: str
    """(ids)"""
    claim: str
    """(keys, now, until): rows of STORED, those that are due by now, without those that another worker has in hand."""
    late: str
    """(keys, now): the keys of those that are due by now."""
    children: str
    """(sid): rows of STORED."""
    old: str
    """(before, limit): keys; locked, without those that another worker has in hand."""
    remember: str
    """(keys, at)"""
    remove: str
    """(keys)"""
    bury: str
    """(before, limit): a row for each tombstone that was taken away."""
    stretch: str
    """(after, limit): the last key of so many after that one, None at the end."""
    holding: str
    """(text, after, last): rows of STORED between those keys that hold the text."""


_STORED = ", ".join(STORED)
_INSERTED = ("key", *MOVING, *FIXED)
# Every kind is named, since the index that finds the old ones has the kind first.
_OLD = (
    f"SELECT key FROM resources WHERE kind IN ({', '.join(repr(kind) for kind in RANKS)}) "
    "AND first_received < $1 AND changed_at < $1 LIMIT $2"
)
_CHILDREN = (
    f"SELECT {_STORED} FROM resources WHERE call_sid = $1 UNION "
    f"SELECT {_STORED} FROM resources WHERE conference_sid = $1 ORDER BY key"
)
_PENDING = "SELECT id, at, keys FROM due WHERE at <= $1 ORDER BY at LIMIT $2"
_LATE = "SELECT key FROM resources WHERE key {keys} AND due_at <= $2"
_CLAIM = f"UPDATE resources SET due_at = $3 WHERE key {{keys}} AND due_at <= $2 RETURNING {_STORED}"
# The time is compared twice, since another worker may have remembered one of them anew in between.
_BURY = (
    "DELETE FROM tombstones WHERE key IN (SELECT key FROM tombstones WHERE at < $1 ORDER BY at LIMIT $2) "
    "AND at < $1 RETURNING key"
)
_REMEMBER = "ON CONFLICT (key) DO UPDATE SET at = excluded.at"
_STRETCH = "SELECT max(key) FROM (SELECT key FROM resources WHERE key > $1 ORDER BY key LIMIT $2) AS stretch"
_HOLDING = f"SELECT {_STORED} FROM resources WHERE key > $2 AND key <= $3 AND {{position}}(attributes, $1) > 0"


def _array(name: str) -> str:
    return "int[]" if isinstance(RESOURCES.c[name].type, Integer) else "text[]"


def _arrays(names: Sequence[str], first: int = 1) -> str:
    return ", ".join(f"${at}::{_array(name)}" for at, name in enumerate(names, first))


def _postgres_update(names: Sequence[str]) -> str:
    # Rows are given in key order, and a nested loop takes them so: two workers that meet wait for one another in the
    # same order.
    return (
        f"UPDATE resources SET {', '.join(f'{name} = given.{name}' for name in names)} "
        f"FROM unnest($1::int[], {_arrays(('key', *names), 2)}) AS given(expected, key, {', '.join(names)}) "
        "WHERE resources.key = given.key AND resources.version = given.expected"
    )


def _postgres() -> Statements:
    keys, locked = "= ANY($1::text[])", "FOR UPDATE SKIP LOCKED"
    return Statements(
        read=f"SELECT {_STORED} FROM resources WHERE key {keys}",
        gone=f"SELECT key, at FROM tombstones WHERE key {keys}",
        move=_postgres_update(MOVING),
        update=_postgres_update((*MOVING, *FIXED)),
        insert=f"INSERT INTO resources ({', '.join(_INSERTED)}) SELECT * FROM unnest({_arrays(_INSERTED)}) "
        "ON CONFLICT (key) DO NOTHING",
        arm="INSERT INTO due (at, keys) SELECT * FROM unnest($1::text[], $2::text[])",
        pending=f"{_PENDING} {locked}",
        disarm="DELETE FROM due WHERE id = ANY($1::bigint[])",
        claim=_CLAIM.format(keys=f"= ANY(ARRAY({_LATE.format(keys=keys)} {locked}))"),
        late=_LATE.format(keys=keys),
        children=_CHILDREN,
        old=f"{_OLD} {locked}",
        remember=f"INSERT INTO tombstones (key, at) SELECT key, $2 FROM unnest($1::text[]) AS given(key) {_REMEMBER}",
        remove=f"DELETE FROM resources WHERE key {keys}",
        bury=_BURY,
        stretch=_STRETCH,
        holding=_HOLDING.format(position="strpos"),
    )


def _sqlite_update(names: Sequence[str]) -> str:
    values = ", ".join(f"{name} = ?{at}" for at, name in enumerate(names, 3))
    return f"UPDATE resources SET {values} WHERE key = ?2 AND version = ?1"


def _sqlite() -> Statements:
    keys = "IN (SELECT value FROM json_each(?1))"
    # `WHERE true`, or ON would be taken for that of a join: https://www.sqlite.org/lang_upsert.html#parsing_ambiguity.
    every = "FROM json_each(?1) WHERE true"
    return Statements(
        read=f"SELECT {_STORED} FROM resources WHERE key {keys}",
        gone=f"SELECT key, at FROM tombstones WHERE key {keys}",
        move=_sqlite_update(MOVING),
        update=_sqlite_update((*MOVING, *FIXED)),
        insert=f"INSERT INTO resources ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))}) "
        "ON CONFLICT (key) DO NOTHING",
        arm="INSERT INTO due (at, keys) VALUES (?, ?)",
        pending=_PENDING.replace("$", "?"),
        disarm=f"DELETE FROM due WHERE id {keys}",
        claim=_CLAIM.format(keys=keys).replace("$", "?"),
        late=_LATE.format(keys=keys).replace("$", "?"),
        children=_CHILDREN.replace("$", "?"),
        old=_OLD.replace("$", "?"),
        remember=f"INSERT INTO tombstones (key, at) SELECT value, ?2 {every} {_REMEMBER}",
        remove=f"DELETE FROM resources WHERE key {keys}",
        bury=_BURY.replace("$", "?"),
        stretch=_STRETCH.replace("$", "?"),
        holding=_HOLDING.format(position="instr").replace("$", "?"),
    )


STATEMENTS: Mapping[str, Statements] = {"postgresql": _postgres(), "sqlite": _sqlite()}
