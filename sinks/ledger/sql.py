"""The ledger in SQL: the same statements on SQLite and PostgreSQL."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, exists, func, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from processors.contract.actions import ACTIONS as READER
from processors.contract.actions import REPEATABLE, Action
from sinks.ledger.port import (
    HOUR,
    OPEN,
    Entry,
    Expired,
    LedgerUnavailable,
    Settlement,
    Standing,
    State,
    recipient,
    refusal,
)
from sinks.ledger.tables import ACTIONS

# Below the 999 parameters that old builds of SQLite take in a statement.
_CHUNK = 900
_T = ACTIONS.c
_REACHING = (State.RUNNING, State.DONE, State.UNKNOWN)

# Not `in_`, here and below: executemany takes no list.
_IS_LOOKUP = and_(
    _T.resource_sid.is_not(None), or_(*(_T.type == name for name, again in REPEATABLE.items() if not again))
)
_CLAIM = (
    ACTIONS.update()
    .where(_T.id == bindparam("its_id"))
    .values(
        state=State.RUNNING,
        attempts=case((_IS_LOOKUP, _T.attempts), else_=_T.attempts + 1),
        leased_until=bindparam("until"),
        performed_at=bindparam("at"),
    )
)
_REFUSE = (
    ACTIONS.update()
    .where(_T.id == bindparam("its_id"))
    .values(state=State.REFUSED, reason=bindparam("why"), settled_at=bindparam("at"), published=False)
)
_SEEN = and_(bindparam("state") == State.UNKNOWN, _T.resource_sid.is_not(None))
_ENDS = or_(*(bindparam("state") == state for state in State if state not in OPEN))
_SETTLE = (
    ACTIONS.update()
    .where(
        _T.id == bindparam("its_id"),
        or_(*(_T.state == state for state in OPEN)),
        or_(_ENDS, _T.attempts <= bindparam("attempt")),
    )
    .values(
        state=case((_SEEN, State.WAITING), else_=bindparam("state")),
        reason=bindparam("why"),
        due=case((_SEEN, bindparam("at")), else_=bindparam("again")),
        resource_sid=func.coalesce(bindparam("sid"), _T.resource_sid),
        http_status=bindparam("status"),
        error_code=bindparam("code"),
        observation=bindparam("shown"),
        observed=bindparam("count"),
        settled_at=bindparam("at"),
        revision=_T.revision + 1,
        published=or_(_SEEN, bindparam("is_published")),
    )
)
_SIGHT = (
    ACTIONS.update()
    .where(_T.id == bindparam("its_id"))
    .values(resource_sid=func.coalesce(_T.resource_sid, bindparam("sid")))
)
_FOUND = (
    ACTIONS.update()
    .where(_T.id == bindparam("its_id"), _T.state == State.UNKNOWN)
    # Published or not, that it was unknown is old news.
    .values(state=State.WAITING, reason=None, due=bindparam("at"), revision=_T.revision + 1, published=True)
)
_PUBLISHED = (
    ACTIONS.update()
    .where(_T.id == bindparam("its_id"), _T.revision == bindparam("its_revision"))
    .values(published=True, observation=None)
)


class SqlLedger:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def record(self, actions: Sequence[Action], now: float) -> int:
        asked = {action.id: action for action in reversed(actions)}  # the first of an id stands
        async with self._begun() as connection:
            for ids in _chunks(list(asked)):
                for known in await connection.scalars(select(_T.id).where(_T.id.in_(ids))):
                    del asked[known]
            if asked:
                await connection.execute(ACTIONS.insert(), [_row(a, now) for a in reversed(asked.values())])
        return len(asked)

    async def claim(self, limit: int, now: float, lease: float, cap: int) -> Sequence[Entry]:
        other = ACTIONS.alias()
        before = or_(
            other.c.state == State.RUNNING, and_(other.c.state == State.WAITING, other.c.position < _T.position)
        )
        blocked = exists().where(other.c.ordering_key == _T.ordering_key, before)
        due = (
            select(ACTIONS)
            .where(_T.state == State.WAITING, _T.due <= now, ~blocked)
            .order_by(_T.position)
            .limit(limit)
            .with_for_update(skip_locked=True)  # several performers share one ledger; SQLite has one and needs none
        )
        async with self._begun() as connection:
            waiting = [_entry(row) for row in await connection.execute(due)]
            recent = await _recent(connection, waiting, now)
            claimed, running, refused = [], [], []
            for entry in waiting:
                whom = recipient(entry.action)
                reason = refusal(entry, now, recent[whom], cap)
                if reason is not None:
                    refused.append({"its_id": entry.action.id, "why": reason, "at": now})
                    continue
                recent[whom] += 1
                running.append({"its_id": entry.action.id, "until": now + lease, "at": now})
                claimed.append(entry)
            if running:
                await connection.execute(_CLAIM, running)
            if refused:
                await connection.execute(_REFUSE, refused)
        return [_claimed(entry, now, lease) for entry in claimed]

    async def renew(self, action_id: str, until: float) -> None:
        running = ACTIONS.update().where(_T.id == action_id, _T.state == State.RUNNING)
        async with self._begun() as connection:
            await connection.execute(running.values(leased_until=until))

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None:
        if not settlements:
            return
        rows = [
            {
                "its_id": s.action_id,
                "state": s.state,
                "again": s.due,
                "sid": s.resource_sid,
                "status": s.http_status,
                "code": s.error_code,
                "why": s.reason,
                "shown": s.observation,
                "count": s.observed,
                "attempt": s.attempt,
                "at": now,
                "is_published": s.state is State.WAITING,
            }
            for s in settlements
        ]
        async with self._begun() as connection:
            await connection.execute(_SETTLE, rows)

    async def sighted(self, effects: Mapping[str, str], now: float) -> Sequence[str]:
        found: list[str] = []
        async with self._begun() as connection:
            for ids in _chunks(list(effects)):
                wanted = select(_T.id).where(_T.id.in_(ids), _T.state.in_((State.RUNNING, State.UNKNOWN)))
                rows = (await connection.execute(wanted)).all()
                if not rows:
                    continue
                await connection.execute(_SIGHT, [{"its_id": row.id, "sid": effects[row.id]} for row in rows])
                # Asked only now: a lease may have run out since, and nobody changes them any more.
                ids = [row.id for row in rows]
                wanted = select(_T.id, _T.type).where(_T.id.in_(ids), _T.state == State.UNKNOWN)
                unknown = (await connection.execute(wanted)).all()
                if unknown:
                    await connection.execute(_FOUND, [{"its_id": row.id, "at": now} for row in unknown])
                found += [row.type for row in unknown]
        return found

    async def expire(self, now: float) -> Expired:
        overdue = select(_T.id, _T.type, _T.resource_sid).where(_T.state == State.RUNNING, _T.leased_until <= now)
        async with self._begun() as connection:
            rows = (await connection.execute(overdue)).all()
            again = [row for row in rows if REPEATABLE[row.type] or row.resource_sid is not None]
            once = [row for row in rows if not REPEATABLE[row.type] and row.resource_sid is None]
            if again:
                ids = [row.id for row in again]
                for some in _chunks(ids):
                    await connection.execute(
                        ACTIONS.update()
                        .where(_T.id.in_(some), _T.state == State.RUNNING)
                        .values(state=State.WAITING, due=now)
                    )
            for some in _chunks([row.id for row in once]):
                await connection.execute(
                    ACTIONS.update()
                    # Its effect may have been seen since: then it is looked up, the next time.
                    .where(_T.id.in_(some), _T.state == State.RUNNING, _T.resource_sid.is_(None))
                    .values(
                        state=State.UNKNOWN,
                        reason="lease_expired",
                        settled_at=now,
                        revision=_T.revision + 1,
                        published=False,
                    )
                )
        return Expired([row.type for row in once], [row.type for row in again])

    async def unpublished(self, limit: int) -> Sequence[Entry]:
        wanted = select(ACTIONS).where(_T.published.is_(False)).order_by(_T.position).limit(limit)
        async with self._begun() as connection:
            return [_entry(row) for row in await connection.execute(wanted)]

    async def published(self, entries: Iterable[Entry]) -> None:
        rows = [{"its_id": entry.action.id, "its_revision": entry.revision} for entry in entries]
        if rows:
            async with self._begun() as connection:
                await connection.execute(_PUBLISHED, rows)

    async def standing(self, now: float) -> Standing:
        counted = select(_T.state, func.count(), func.min(_T.due)).where(_T.state.in_(OPEN)).group_by(_T.state)
        async with self._begun() as connection:
            rows = (await connection.execute(counted)).all()
        counts = {State(state): count for state, count, _ in rows}
        oldest = next((due for state, _, due in rows if state == State.WAITING), None)
        return Standing({state: counts.get(state, 0) for state in OPEN}, None if oldest is None else now - oldest)

    @contextlib.asynccontextmanager
    async def _begun(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            # Only the kind of error: the statement's parameters hold numbers and bodies.
            raise LedgerUnavailable(type(error.orig).__name__) from None


async def _recent(connection: AsyncConnection, entries: Sequence[Entry], now: float) -> Counter[str | None]:
    """How often each recipient of these was reached in the last hour, as far as is known."""
    whom = sorted({to for entry in entries if (to := recipient(entry.action)) is not None})
    if not whom:
        return Counter()
    counted = (
        select(_T.recipient, func.count())
        .where(_T.recipient.in_(whom), _T.performed_at > now - HOUR, _T.state.in_(_REACHING))
        .group_by(_T.recipient)
    )
    # A result has `keys`, so `dict` would take it for a mapping.
    return Counter({to: count for to, count in await connection.execute(counted)})  # noqa: C416


def _row(action: Action, now: float) -> Mapping[str, Any]:
    return {
        "id": action.id,
        "type": action.type,
        "ordering_key": action.ordering_key,
        "recipient": recipient(action),
        "action": action.model_dump_json(by_alias=True, exclude_none=True),
        "state": State.WAITING,
        "attempts": 0,
        "due": now,
        "leased_until": 0.0,
        "performed_at": 0.0,
        "settled_at": 0.0,
        "revision": 0,
        "published": True,
    }


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        action=READER.validate_json(row.action),
        state=State(row.state),
        attempts=row.attempts,
        due=row.due,
        leased_until=row.leased_until,
        performed_at=row.performed_at,
        resource_sid=row.resource_sid,
        http_status=row.http_status,
        error_code=row.error_code,
        reason=row.reason,
        observation=row.observation,
        observed=row.observed,
        settled_at=row.settled_at,
        revision=row.revision,
        published=row.published,
    )


def _claimed(entry: Entry, now: float, lease: float) -> Entry:
    return Entry(
        action=entry.action,
        state=State.RUNNING,
        attempts=entry.attempts + (not entry.is_lookup),
        due=entry.due,
        leased_until=now + lease,
        performed_at=now,
        resource_sid=entry.resource_sid,
        reason=entry.reason,
        settled_at=entry.settled_at,
        revision=entry.revision,
    )


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))
