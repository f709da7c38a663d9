"""What the ledger asks of each database, as texts: the one place where the two differ.

PostgreSQL takes a whole column as an array, and leaves out what another worker has in hand; SQLite takes row after
row, a list as JSON, and has one worker.
"""
# ruff: noqa: S608  # made of the names of our own columns; values are always bound

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Float, Integer
from sqlalchemy.sql.schema import Table

from sinks.ledger.limits import REACHING
from sinks.ledger.tables import ACTIONS, CLAIMABLE, CONSENTS, LANES, OPEN, OVER

FIXED = ("id", "type", "account_sid", "ordering_key", "recipient", "action", "since")
"""What an action is; written once."""

MOVING = (
    "state", "lane", "attempts", "fence", "due", "leased_until", "performed_at", "absences", "resource_sid",
    "http_status", "error_code", "reason", "observation", "observed", "resources", "settled_at", "revision",
    "published", "telling_until",
)  # fmt: skip
"""How far it has come."""

STORED = ("action", "since", *MOVING)
"""What an entry is read from."""


@dataclass(frozen=True)
class Statements:
    """`insert`, `update`, `hold`, `publish`, `agree` and `fill` are put for many rows, the others fetched."""

    known: str
    """(ids): the ids of those that there are."""
    unseen: str
    """(ids): the ids of those that are open and of which no effect was seen."""
    insert: str
    """(*FIXED, *MOVING)"""
    open_lanes: str
    """(names): makes those that are not there."""
    update: str
    """(id, *MOVING)"""
    change: str
    """(ids): rows of STORED, locked in the order of their ids."""
    waiting_lanes: str
    """(now, latest): name, free_at, day, used of the lanes free until then in which something is due."""
    lock_accounts: str
    """(names): name, free_at, day, used; waits for whoever claims of them."""
    lock_lanes: str
    """(names): the same, without those that another worker has in hand."""
    heads: str
    """(lane, now, longest waiting since, how many): rows of STORED, locked, without those in another's hand."""
    fill: str
    """(name, free_at, day, used)"""
    reached: str
    """(recipients, after): account, recipient, how often."""
    opted_out: str
    """(recipients): account, sender, recipient."""
    agree: str
    """(account, recipient, sender, opted out, at, source); the newest of a pair stands."""
    overdue: str
    """(now, how many): rows of STORED, locked, without those in another's hand."""
    alike: str
    """(account, type, recipient, id, since, until): rows of STORED."""
    unpublished: str
    """(now, how many): rows of STORED, locked, without those in another's hand."""
    hold: str
    """(id, telling until)"""
    publish: str
    """(id, revision): of those that are still as of that revision."""
    counts: str
    """(): state, how many, the least `since`."""
    listed: str
    """(state, how many): rows of STORED."""
    entry: str
    """(id): its row of STORED."""
    stretch: str
    """(after, how many): the last id of that many, None after the last."""
    about: str
    """(text, after, last): rows of STORED, by id, in which the text occurs, locked in the order of their ids."""
    forget: str
    """(id, action, lane): scrubbed."""
    stopped: str
    """(): the reason, where it is."""
    stop: str
    """(reason, at)"""
    go_on: str
    """()"""
    trim: str
    """(before, how many): a row for each that is gone."""


_STORED = ", ".join(STORED)
_BUCKET = "name, free_at, day, used"
_INSERTED = (*FIXED, *MOVING)
_CONSENT = tuple(column.name for column in CONSENTS.columns)
_LANE = ("name", "free_at", "day", "used")

_WAITING_LANES = (
    f"SELECT {_BUCKET} FROM lanes WHERE free_at <= $2 AND EXISTS (SELECT 1 FROM actions "
    f"WHERE actions.lane = lanes.name AND actions.due <= $1 AND {CLAIMABLE})"
)
# What was asked for before goes before, if it is due at all, and as long as waiting for it is bearable.
_HEADS = (
    f"SELECT {', '.join(f'one.{name}' for name in STORED)} FROM actions AS one "
    f"WHERE one.lane = $1 AND one.due <= $2 AND one.{CLAIMABLE} AND (one.state = 'unknown' OR NOT ("
    "EXISTS (SELECT 1 FROM actions AS other WHERE other.ordering_key = one.ordering_key AND other.state = 'running') "
    "OR (one.since > $3 AND EXISTS (SELECT 1 FROM actions AS other WHERE other.ordering_key = one.ordering_key "
    f"AND other.position < one.position AND other.{CLAIMABLE} AND other.since <= $2)))) "
    "ORDER BY one.due, one.position LIMIT $4"
)
_REACHED = (
    "SELECT account_sid, recipient, count(*) FROM actions WHERE recipient {recipients} AND performed_at > $2 "
    f"AND state IN ('running', 'done', 'unknown', 'stuck') AND type IN ({', '.join(map(repr, sorted(REACHING)))}) "
    "GROUP BY account_sid, recipient"
)
_OPTED_OUT = "SELECT account_sid, sender, recipient FROM consents WHERE recipient {recipients} AND opted_out = 1"
_NEWER = "(excluded.at > consents.at OR (excluded.at = consents.at AND excluded.opted_out > consents.opted_out))"
_AGREE = "ON CONFLICT (account_sid, recipient, sender) DO UPDATE SET " + ", ".join(
    f"{name} = CASE WHEN {_NEWER} THEN excluded.{name} ELSE consents.{name} END"
    for name in ("opted_out", "at", "source")
)
_OVERDUE = (
    f"SELECT {_STORED} FROM actions WHERE state = 'running' AND leased_until <= $1 ORDER BY leased_until LIMIT $2"
)
_ALIKE = (
    f"SELECT {_STORED} FROM actions WHERE recipient = $3 AND performed_at >= $5 AND performed_at <= $6 "
    "AND account_sid = $1 AND type = $2 AND id <> $4 AND attempts > 0 ORDER BY position"
)
_UNPUBLISHED = f"SELECT {_STORED} FROM actions WHERE published = 0 AND telling_until <= $1 ORDER BY position LIMIT $2"
_PUBLISH = "UPDATE actions SET published = 1, observation = NULL"
_UNSEEN = f"SELECT id FROM actions WHERE id {{ids}} AND {OPEN} AND resource_sid IS NULL"
_COUNTS = f"SELECT state, count(*), min(since) FROM actions WHERE {OPEN} GROUP BY state"
_LISTED = f"SELECT {_STORED} FROM actions WHERE state = $1 ORDER BY position LIMIT $2"
_ENTRY = f"SELECT {_STORED} FROM actions WHERE id = $1"
_TEXT = "action || coalesce(observation, '') || coalesce(resources, '')"
_STRETCH = "SELECT max(id) FROM (SELECT id FROM actions WHERE id > $1 ORDER BY id LIMIT $2) AS stretch"
_ABOUT = f"SELECT {_STORED} FROM actions WHERE id > $2 AND id <= $3 AND {{find}}({_TEXT}, $1) > 0 ORDER BY id"
_FORGET = (
    "UPDATE actions SET action = {action}, ordering_key = {id}, recipient = NULL, lane = {lane}, observation = NULL, "
    "resources = NULL"
)
_STOPPED = "SELECT reason FROM switches WHERE name = 'stopped'"
_STOP = (
    "INSERT INTO switches (name, reason, at) VALUES ('stopped', $1, $2) "
    "ON CONFLICT (name) DO UPDATE SET reason = excluded.reason, at = excluded.at"
)
_GO_ON = "DELETE FROM switches WHERE name = 'stopped'"
_TRIM = (
    f"DELETE FROM actions WHERE id IN (SELECT id FROM actions WHERE {OVER} AND settled_at < $1 "
    "ORDER BY settled_at LIMIT $2) RETURNING id"
)
_SKIP = "FOR UPDATE SKIP LOCKED"


def _arrays(table: Table, names: Sequence[str], first: int = 1) -> str:
    return ", ".join(f"${at}::{_array(table, name)}" for at, name in enumerate(names, first))


def _array(table: Table, name: str) -> str:
    kind = table.c[name].type
    if isinstance(kind, Float):
        return "float8[]"
    return "bigint[]" if isinstance(kind, BigInteger) else "int[]" if isinstance(kind, Integer) else "text[]"


def _given(table: Table, names: Sequence[str]) -> str:
    return f"unnest({_arrays(table, names)}) AS given({', '.join(names)})"


def _sets(names: Sequence[str], values: str) -> str:
    return ", ".join(f"{name} = {values.format(name=name, at=at)}" for at, name in enumerate(names, 2))


def _postgres() -> Statements:
    many = "= ANY($1::text[])"
    return Statements(
        known=f"SELECT id FROM actions WHERE id {many}",
        unseen=_UNSEEN.format(ids=many),
        insert=f"INSERT INTO actions ({', '.join(_INSERTED)}) SELECT * FROM unnest({_arrays(ACTIONS, _INSERTED)}) "
        "ON CONFLICT (id) DO NOTHING",
        open_lanes="INSERT INTO lanes (name, account_sid, free_at, day, used) "
        "SELECT name, split_part(name, ' ', 1), 0, 0, 0 FROM unnest($1::text[]) AS given(name) "
        "ON CONFLICT (name) DO NOTHING",
        update=f"UPDATE actions SET {_sets(MOVING, 'given.{name}')} FROM {_given(ACTIONS, ('id', *MOVING))} "
        "WHERE actions.id = given.id",
        change=f"SELECT {_STORED} FROM actions WHERE id {many} ORDER BY id FOR UPDATE",
        waiting_lanes=_WAITING_LANES,
        lock_accounts=f"SELECT {_BUCKET} FROM lanes WHERE name {many} ORDER BY name FOR UPDATE",
        lock_lanes=f"SELECT {_BUCKET} FROM lanes WHERE name {many} ORDER BY name {_SKIP}",
        heads=f"{_HEADS} FOR UPDATE OF one SKIP LOCKED",
        fill=f"UPDATE lanes SET {_sets(_LANE[1:], 'given.{name}')} FROM {_given(LANES, _LANE)} "
        "WHERE lanes.name = given.name",
        reached=_REACHED.format(recipients=many),
        opted_out=_OPTED_OUT.format(recipients=many),
        agree=f"INSERT INTO consents ({', '.join(_CONSENT)}) SELECT * FROM unnest({_arrays(CONSENTS, _CONSENT)}) "
        f"{_AGREE}",
        overdue=f"{_OVERDUE} {_SKIP}",
        alike=_ALIKE,
        unpublished=f"{_UNPUBLISHED} {_SKIP}",
        hold=f"UPDATE actions SET telling_until = given.telling_until FROM {_given(ACTIONS, ('id', 'telling_until'))} "
        "WHERE actions.id = given.id",
        publish=f"{_PUBLISH} FROM {_given(ACTIONS, ('id', 'revision'))} "
        "WHERE actions.id = given.id AND actions.revision = given.revision",
        counts=_COUNTS,
        listed=_LISTED,
        entry=_ENTRY,
        stretch=_STRETCH,
        about=f"{_ABOUT.format(find='strpos')} FOR UPDATE",
        forget=f"{_FORGET.format(action='given.action', id='given.id', lane='given.lane')} "
        f"FROM {_given(ACTIONS, ('id', 'action', 'lane'))} WHERE actions.id = given.id",
        stopped=_STOPPED,
        stop=_STOP,
        go_on=_GO_ON,
        trim=_TRIM,
    )


def _sqlite() -> Statements:
    many = "IN (SELECT value FROM json_each(?1))"
    return Statements(
        known=f"SELECT id FROM actions WHERE id {many}",
        unseen=_UNSEEN.format(ids=many),
        insert=f"INSERT INTO actions ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))}) "
        "ON CONFLICT (id) DO NOTHING",
        # `WHERE true`, or ON would be taken for that of a join: https://www.sqlite.org/lang_upsert.html#parsing_ambiguity.
        open_lanes="INSERT INTO lanes (name, account_sid, free_at, day, used) "
        "SELECT value, substr(value, 1, 34), 0, 0, 0 FROM json_each(?1) WHERE true ON CONFLICT (name) DO NOTHING",
        update=f"UPDATE actions SET {_sets(MOVING, '?{at}')} WHERE id = ?1",
        change=f"SELECT {_STORED} FROM actions WHERE id {many} ORDER BY id",
        waiting_lanes=_WAITING_LANES.replace("$", "?"),
        lock_accounts=f"SELECT {_BUCKET} FROM lanes WHERE name {many}",
        lock_lanes=f"SELECT {_BUCKET} FROM lanes WHERE name {many}",
        heads=_HEADS.replace("$", "?"),
        fill=f"UPDATE lanes SET {_sets(_LANE[1:], '?{at}')} WHERE name = ?1",
        reached=_REACHED.format(recipients=many).replace("$", "?"),
        opted_out=_OPTED_OUT.format(recipients=many),
        agree=f"INSERT INTO consents ({', '.join(_CONSENT)}) VALUES ({', '.join('?' * len(_CONSENT))}) {_AGREE}",
        overdue=_OVERDUE.replace("$", "?"),
        alike=_ALIKE.replace("$", "?"),
        unpublished=_UNPUBLISHED.replace("$", "?"),
        hold="UPDATE actions SET telling_until = ?2 WHERE id = ?1",
        publish=f"{_PUBLISH} WHERE id = ?1 AND revision = ?2",
        counts=_COUNTS,
        listed=_LISTED.replace("$", "?"),
        entry=_ENTRY.replace("$", "?"),
        stretch=_STRETCH.replace("$", "?"),
        about=_ABOUT.format(find="instr").replace("$", "?"),
        forget=f"{_FORGET.format(action='?2', id='?1', lane='?3')} WHERE id = ?1",
        stopped=_STOPPED,
        stop=_STOP.replace("$", "?"),
        go_on=_GO_ON,
        trim=_TRIM.replace("$", "?"),
    )


STATEMENTS: Mapping[str, Statements] = {"postgresql": _postgres(), "sqlite": _sqlite()}
