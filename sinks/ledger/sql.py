"""The ledger in SQL, on SQLite and PostgreSQL: rows are locked, go one step on as `entries` says, and are written.

Several workers share one ledger. Whoever claims locks the accounts, in order, then the lanes and actions that nobody
else has in hand; so an action is claimed once, a bucket is filled by one at a time, and nobody waits in a circle.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from processors.contract.actions import Action
from processors.sql import Database, DatabaseUnavailable, Missed
from processors.sql.database import Row, Transaction
from sinks.ledger import entries as steps
from sinks.ledger.consents import Consent, newest
from sinks.ledger.entries import OPEN, Entry, Search, Settlement, State, Verdict
from sinks.ledger.limits import HOUR, Bucket, Gate, Terms, in_turn, lane_of, reads_lane, recipient, room
from sinks.ledger.personal import read, written
from sinks.ledger.port import Claimed, Erased, Expired, LedgerUnavailable, Standing, claimed_of, expired_of, let_through
from sinks.ledger.statements import MOVING, STATEMENTS

AT_ONCE = 500
"""Leases that are ended in one transaction, and rows that are looked at to forget somebody, at most."""

_MOVED: Callable[[Entry], tuple[Any, ...]] = attrgetter(*MOVING[2:-2])
"""What is written as it is; before it come state and lane, after it whether and until when it is told."""

# A row is read at every step on its way, and its action says the same each time.
_action = lru_cache(maxsize=2_000)(read)


class SqlLedger:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._ask = STATEMENTS[database.dialect]

    async def record(self, actions: Sequence[Action], now: float) -> int:
        asked: dict[str, Entry] = {}
        for action in actions:
            asked.setdefault(action.id, steps.asked(action, now))  # the first of an id stands, where it stands
        if not asked:
            return 0
        while True:
            try:
                return await self._record(asked)
            except Missed:
                continue  # somebody else has just recorded one of them; by now it is known

    async def _record(self, asked: Mapping[str, Entry]) -> int:
        with told():
            async with self._database.begin() as transaction:
                known = {row[0] for row in await transaction.fetch(self._ask.known, list(asked))}
                new = [entry for name, entry in asked.items() if name not in known]
                if new:
                    accounts = {entry.action.account_sid for entry in new}
                    lanes = {lane_of(entry) for entry in new} | accounts | {reads_lane(each) for each in accounts}
                    await transaction.fetch(self._ask.open_lanes, sorted(lanes))
                    await transaction.put((self._ask.insert, [(*_fixed(entry), *_moving(entry)) for entry in new]))
        return len(new)

    async def claim(self, limit: int, now: float, terms: Terms) -> Claimed:
        ask = self._ask
        with told():
            # Most looks find nothing, and need no transaction for that.
            waiting = _buckets(await self._database.fetch(ask.waiting_lanes, now, now + terms.ahead))
            lanes = in_turn(waiting, terms, now)
            if not lanes:
                return Claimed((), 0)
            async with self._database.begin() as transaction:
                accounts = sorted({lane.partition(" ")[0] for lane in lanes})
                buckets = _buckets(await transaction.fetch(ask.lock_accounts, accounts))
                if await transaction.fetch(ask.stopped):
                    return Claimed((), 0)
                locked = _buckets(await transaction.fetch(ask.lock_lanes, sorted(lanes)))
                candidates: list[Entry] = []
                for lane in in_turn(locked, terms, now):
                    if (left := limit - len(candidates)) > 0:
                        some = room(lane, locked[lane], terms, now, left)
                        rows = await transaction.fetch(ask.heads, lane, now, now - terms.patience, some)
                        candidates += map(_entry, rows)
                whom = sorted({to for entry in candidates if (to := recipient(entry.action)) is not None})
                reached = await transaction.fetch(ask.reached, whom, now - HOUR) if whom else ()
                out = await transaction.fetch(ask.opted_out, whom) if whom else ()
                gate = Gate(
                    terms,
                    now,
                    {**buckets, **locked},
                    Counter({(a, to): n for a, to, n in reached}),
                    set(map(tuple, out)),
                )
                judged = let_through(candidates, gate)
                if judged:
                    filled = [(name, *bucket) for name, bucket in sorted(gate.buckets.items())]
                    await transaction.put((ask.update, _updates(judged)), (ask.fill, filled))
        return claimed_of(judged)

    async def renew(self, action_id: str, fence: int, until: float) -> bool:
        return bool(await self._change([action_id], partial(steps.renewed, fence=fence, until=until)))

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None:
        by_id: dict[str, list[Settlement]] = {}
        for settlement in settlements:
            by_id.setdefault(settlement.action_id, []).append(settlement)

        def settled(entry: Entry) -> Entry:
            for settlement in by_id[entry.action.id]:
                entry = steps.settled(entry, settlement, now)
            return entry

        await self._change(by_id, settled)

    async def searched(self, search: Search, now: float) -> None:
        await self._change([search.action_id], lambda entry: steps.searched(entry, search, now))

    async def sighted(self, effects: Mapping[str, str], now: float) -> Sequence[str]:
        if not effects:
            return ()
        with told():  # most events are of no action, or of one that has ended: those are not locked
            unseen = [row[0] for row in await self._database.fetch(self._ask.unseen, list(effects))]
        changed = await self._change(unseen, lambda entry: steps.sighted(entry, effects[entry.action.id], now))
        return [entry.action.type for entry in changed if entry.state is State.WAITING]

    async def expire(self, now: float, settle: float) -> Expired:
        with told():
            async with self._database.begin() as transaction:
                rows = await transaction.fetch(self._ask.overdue, now, AT_ONCE)
                changed = [steps.expired(_entry(row), now, settle) for row in rows]
                if changed:
                    await transaction.put((self._ask.update, _updates(changed)))
        return expired_of(changed)

    async def alike(self, entry: Entry, since: float, until: float) -> Sequence[Entry]:
        action = entry.action
        with told():
            return [
                _entry(row)
                for row in await self._database.fetch(
                    self._ask.alike, action.account_sid, action.type, recipient(action), action.id, since, until
                )
            ]

    async def unpublished(self, limit: int, now: float, hold: float) -> Sequence[Entry]:
        with told():
            async with self._database.begin() as transaction:
                rows = await transaction.fetch(self._ask.unpublished, now, limit)
                held = [replace(_entry(row), telling_until=now + hold) for row in rows]
                if held:
                    await transaction.put((self._ask.hold, [(each.action.id, each.telling_until) for each in held]))
        return held

    async def published(self, entries: Iterable[Entry]) -> None:
        revisions = {entry.action.id: entry.revision for entry in entries}
        if not revisions:
            return
        try:
            with told():  # mostly nothing new became known meanwhile, and no row needs to be read for that
                await self._database.put((self._ask.publish, sorted(revisions.items())))
        except Missed:
            await self._change(revisions, lambda entry: steps.published(entry, revisions[entry.action.id]))

    async def consent(self, consents: Sequence[Consent]) -> None:
        if not consents:
            return
        rows = [
            (each.account_sid, each.recipient, each.sender, int(each.opted_out), each.at, each.source)
            for _, each in sorted(newest(consents).items())
        ]
        with told():
            await self._database.put((self._ask.agree, rows))

    async def standing(self, now: float) -> Standing:
        with told():
            rows = {row[0]: row for row in await self._database.fetch(self._ask.counts)}
            stopped = await self._database.fetch(self._ask.stopped)
        counts = {state: int(rows[state][1]) if state in rows else 0 for state in OPEN}
        oldest = max(0.0, now - float(rows[State.WAITING][2])) if State.WAITING in rows else None
        return Standing(counts, oldest, str(stopped[0][0]) if stopped else None)

    async def listed(self, state: State, limit: int) -> Sequence[Entry]:
        with told():
            return [_entry(row) for row in await self._database.fetch(self._ask.listed, state, limit)]

    async def entry(self, action_id: str) -> Entry | None:
        with told():
            rows = await self._database.fetch(self._ask.entry, action_id)
        return _entry(rows[0]) if rows else None

    async def cancel(self, action_id: str, now: float) -> bool:
        return bool(await self._change([action_id], lambda entry: steps.canceled(entry, now)))

    async def decide(self, action_id: str, verdict: Verdict, now: float) -> bool:
        return bool(await self._change([action_id], lambda entry: steps.decided(entry, verdict, now)))

    async def retry(self, action_id: str, now: float) -> bool:
        return bool(await self._change([action_id], lambda entry: steps.retried(entry, now)))

    async def forget(self, number: str, *, only_count: bool = False) -> Erased:
        scrubbed, left, last = 0, 0, ""
        while True:  # the text is in no index: all of the table is read, a stretch of it in one transaction
            with told():
                [(end,)] = await self._database.fetch(self._ask.stretch, last, AT_ONCE)
                if end is None:
                    return Erased(scrubbed, left)
                async with self._database.begin() as transaction:
                    rows = await transaction.fetch(self._ask.about, number, last, end)
                    about = [entry for entry in map(_entry, rows) if steps.is_about(entry, number)]
                    done = [after for entry in about if (after := steps.forgotten(entry)) is not entry]
                    if done and not only_count:
                        texts = [(each.action.id, written(each.action), each.action.account_sid) for each in done]
                        await transaction.put((self._ask.forget, texts))
            scrubbed, left, last = scrubbed + len(done), left + len(about) - len(done), end

    async def stop(self, reason: str | None, now: float) -> None:
        with told():
            if reason is None:
                await self._database.fetch(self._ask.go_on)
            else:
                await self._database.fetch(self._ask.stop, reason, now)

    async def trim(self, before: float, limit: int) -> int:
        with told():
            return len(await self._database.fetch(self._ask.trim, before, limit))

    async def close(self) -> None:
        await self._database.close()

    async def _change(self, ids: Iterable[str], step: Callable[[Entry], Entry]) -> Sequence[Entry]:
        """Those that the step has changed. Rows are locked in the order of their ids, so that two never deadlock."""
        wanted = sorted(ids)
        if not wanted:
            return ()
        with told():
            async with self._database.begin() as transaction:
                return await self._changed(transaction, wanted, step)

    async def _changed(
        self, transaction: Transaction, ids: Sequence[str], step: Callable[[Entry], Entry]
    ) -> Sequence[Entry]:
        known = [_entry(row) for row in await transaction.fetch(self._ask.change, list(ids))]
        changed = [after for entry in known if (after := step(entry)) is not entry]
        if changed:
            await transaction.put((self._ask.update, _updates(changed)))
        return changed


@contextlib.contextmanager
def told() -> Iterator[None]:
    """The database's words in the ledger's own."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise LedgerUnavailable(str(error)) from None


def _buckets(rows: Iterable[Row]) -> Mapping[str, Bucket]:
    return {name: Bucket(free_at, day, used) for name, free_at, day, used in rows}


def _fixed(entry: Entry) -> tuple[Any, ...]:
    action = entry.action
    return (
        action.id,
        action.type,
        action.account_sid,
        action.ordering_key,
        recipient(action),
        written(action),
        entry.since,
    )


def _moving(entry: Entry) -> tuple[Any, ...]:
    return (str(entry.state), lane_of(entry), *_MOVED(entry), int(entry.published), entry.telling_until)


def _updates(entries: Iterable[Entry]) -> Sequence[Row]:
    return [(entry.action.id, *_moving(entry)) for entry in entries]


def _entry(row: Row) -> Entry:
    """By position: what is stored is in the order of an entry's fields, but for `since` and the lane."""
    action, since, state, _, attempts, fence, *rest, published, telling_until = row
    known = {"published": bool(published), "telling_until": telling_until}
    return Entry(_action(action), State(state), attempts, fence, since, *rest, **known)
