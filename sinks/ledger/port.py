"""The ledger port, and its in-memory twin. Times are seconds since 1970."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from processors.contract.actions import Action
from sinks.ledger import entries as steps
from sinks.ledger.consents import Consent, newest
from sinks.ledger.entries import ENDED, OPEN, Entry, Search, Settlement, State, Verdict
from sinks.ledger.limits import HOUR, REACHING, Bucket, Gate, Terms, in_turn, lane_of, recipient, room

COUNTED = (State.RUNNING, State.DONE, State.UNKNOWN, State.STUCK)
"""States of what has reached somebody, or may have."""


class LedgerUnavailable(Exception):
    """The database does not answer. Worth trying again."""


class Claimed(NamedTuple):
    """Entries to work on, each from its start on; and how many were refused instead."""

    entries: Sequence[Entry]
    refused: int


class Standing(NamedTuple):
    """How many are open; for how long the oldest waiting one has been meant to be performed; why nothing is, if so."""

    open: Mapping[State, int]
    oldest_waiting: float | None
    stopped: str | None


class Expired(NamedTuple):
    """Attempts whose performer is gone: `unknown` ones, and those that wait again, by action type."""

    unknown: Sequence[str]
    again: Sequence[str]


class Erased(NamedTuple):
    """Of the actions about a person: how many were scrubbed; how many are left that have not ended, or are not told."""

    scrubbed: int
    left: int


class Ledger(Protocol):
    """Every method is one transaction. Raises LedgerUnavailable."""

    async def record(self, actions: Sequence[Action], now: float) -> int:
        """Writes down those that are not known yet; how many that were."""
        ...

    async def claim(self, limit: int, now: float, terms: Terms) -> Claimed:
        """The oldest due action of each ordering key, as far as the terms let them through. Nothing while stopped.

        Among them are unknown ones, whose effect is to be looked for.
        """
        ...

    async def renew(self, action_id: str, fence: int, until: float) -> bool:
        """One that takes long is still under way: its lease lasts until then, if that claim still runs; whether it
        does."""
        ...

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None: ...

    async def searched(self, search: Search, now: float) -> None: ...

    async def sighted(self, effects: Mapping[str, str], now: float) -> Sequence[str]:
        """Action id → SID that shows its effect. Returns the types of those of which that was not known."""
        ...

    async def expire(self, now: float, settle: float) -> Expired:
        """Ends attempts whose lease has run out."""
        ...

    async def alike(self, entry: Entry, since: float, until: float) -> Sequence[Entry]:
        """Others of its type to the same recipient that were performed in between, whatever became of them."""
        ...

    async def unpublished(self, limit: int, now: float, hold: float) -> Sequence[Entry]:
        """What became known and was not published yet, by when it was recorded; for so long it is nobody else's."""
        ...

    async def published(self, entries: Iterable[Entry]) -> None:
        """Those went out, as of their revision; what became known since goes out later."""
        ...

    async def consent(self, consents: Sequence[Consent]) -> None:
        """Writes down who opted out and who opted in, as of when."""
        ...

    async def standing(self, now: float) -> Standing: ...

    async def listed(self, state: State, limit: int) -> Sequence[Entry]:
        """Those in that state, by when they were recorded."""
        ...

    async def entry(self, action_id: str) -> Entry | None: ...

    async def cancel(self, action_id: str, now: float) -> bool:
        """Takes one back that waits; whether it did."""
        ...

    async def decide(self, action_id: str, verdict: Verdict, now: float) -> bool:
        """A person's word on one that is unknown or stuck; whether it was."""
        ...

    async def retry(self, action_id: str, now: float) -> bool:
        """Performs one again that was refused or is stuck; whether it will."""
        ...

    async def forget(self, number: str, *, only_count: bool = False) -> Erased:
        """Scrubs what is about a person; what was counted alone is there as before."""
        ...

    async def stop(self, reason: str | None, now: float) -> None:
        """From now on nothing is claimed by anybody; with None it is again."""
        ...

    async def trim(self, before: float, limit: int) -> int:
        """Forgets those that ended before and were published; how many, at most `limit`."""
        ...

    async def close(self) -> None: ...


class MemoryLedger:
    """The twin."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.buckets: dict[str, Bucket] = {}
        self.consents: dict[tuple[str, str, str], Consent] = {}
        self.stopped: str | None = None

    async def record(self, actions: Sequence[Action], now: float) -> int:
        before = len(self.entries)
        for action in actions:
            self.entries.setdefault(action.id, steps.asked(action, now))
        return len(self.entries) - before

    async def claim(self, limit: int, now: float, terms: Terms) -> Claimed:
        if self.stopped is not None:
            return Claimed((), 0)
        lanes: dict[str, list[Entry]] = {}
        for entry in sorted(self._heads(now, terms.patience), key=lambda entry: entry.due):
            lanes.setdefault(lane_of(entry), []).append(entry)
        accounts = {lane.partition(" ")[0] for lane in lanes}
        buckets = {name: self.buckets.get(name, Bucket()) for name in (*lanes, *accounts)}
        candidates: list[Entry] = []
        for lane in in_turn({lane: buckets[lane] for lane in lanes}, terms, now):
            if len(candidates) < limit:
                candidates += lanes[lane][: room(lane, buckets[lane], terms, now, limit - len(candidates))]
        out = {pair for pair, consent in self.consents.items() if consent.opted_out}
        gate = Gate(terms, now, buckets, self._reached(now), out)
        judged = let_through(candidates, gate)
        self._put(judged)
        self.buckets |= gate.buckets
        return claimed_of(judged)

    def _heads(self, now: float, patience: float) -> Iterator[Entry]:
        """Those that are due and wait for no other of their key, in the order of recording."""
        busy = {entry.action.ordering_key for entry in self.entries.values() if entry.state is State.RUNNING}
        held = set[str]()
        for entry in self.entries.values():
            if entry.state not in (State.WAITING, State.UNKNOWN):
                continue
            key = entry.action.ordering_key
            waits = key in busy or (key in held and now < entry.since + patience)
            if entry.due <= now and (entry.is_search or not waits):
                yield entry
            if entry.since <= now:
                held.add(key)

    def _reached(self, now: float) -> Counter[tuple[str, str]]:
        return Counter(
            (entry.action.account_sid, str(recipient(entry.action)))
            for entry in self.entries.values()
            if entry.action.type in REACHING and entry.state in COUNTED and entry.performed_at > now - HOUR
        )

    async def renew(self, action_id: str, fence: int, until: float) -> bool:
        return bool(self._change([action_id], partial(steps.renewed, fence=fence, until=until)))

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None:
        for settlement in settlements:
            self._change([settlement.action_id], partial(steps.settled, told=settlement, now=now))

    async def searched(self, search: Search, now: float) -> None:
        self._change([search.action_id], lambda entry: steps.searched(entry, search, now))

    async def sighted(self, effects: Mapping[str, str], now: float) -> Sequence[str]:
        changed = self._change(effects, lambda entry: steps.sighted(entry, effects[entry.action.id], now))
        return [entry.action.type for entry in changed if entry.state is State.WAITING]

    async def expire(self, now: float, settle: float) -> Expired:
        changed = self._change(self.entries, lambda entry: steps.expired(entry, now, settle))
        return expired_of(changed)

    async def alike(self, entry: Entry, since: float, until: float) -> Sequence[Entry]:
        whom = (entry.action.account_sid, entry.action.type, recipient(entry.action))
        return [
            other
            for other in self.entries.values()
            if (other.action.account_sid, other.action.type, recipient(other.action)) == whom
            and other.action.id != entry.action.id
            and other.attempts
            and since <= other.performed_at <= until
        ]

    async def unpublished(self, limit: int, now: float, hold: float) -> Sequence[Entry]:
        found = [entry for entry in self.entries.values() if not entry.published and entry.telling_until <= now]
        held = [replace(entry, telling_until=now + hold) for entry in found[:limit]]
        self._put(held)
        return held

    async def published(self, entries: Iterable[Entry]) -> None:
        revisions = {entry.action.id: entry.revision for entry in entries}
        self._change(revisions, lambda entry: steps.published(entry, revisions[entry.action.id]))

    async def consent(self, consents: Sequence[Consent]) -> None:
        self.consents = dict(newest([*self.consents.values(), *consents]))

    async def standing(self, now: float) -> Standing:
        states = Counter(entry.state for entry in self.entries.values())
        waiting = [entry.since for entry in self.entries.values() if entry.state is State.WAITING]
        oldest = max(0.0, now - min(waiting)) if waiting else None
        return Standing({state: states[state] for state in OPEN}, oldest, self.stopped)

    async def listed(self, state: State, limit: int) -> Sequence[Entry]:
        return [entry for entry in self.entries.values() if entry.state is state][:limit]

    async def entry(self, action_id: str) -> Entry | None:
        return self.entries.get(action_id)

    async def cancel(self, action_id: str, now: float) -> bool:
        return bool(self._change([action_id], lambda entry: steps.canceled(entry, now)))

    async def decide(self, action_id: str, verdict: Verdict, now: float) -> bool:
        return bool(self._change([action_id], lambda entry: steps.decided(entry, verdict, now)))

    async def retry(self, action_id: str, now: float) -> bool:
        return bool(self._change([action_id], lambda entry: steps.retried(entry, now)))

    async def forget(self, number: str, *, only_count: bool = False) -> Erased:
        about = [entry for entry in self.entries.values() if steps.is_about(entry, number)]
        scrubbed = [after for entry in about if (after := steps.forgotten(entry)) is not entry]
        if not only_count:
            self._put(scrubbed)
        return Erased(len(scrubbed), len(about) - len(scrubbed))

    async def stop(self, reason: str | None, now: float) -> None:
        self.stopped = reason

    async def trim(self, before: float, limit: int) -> int:
        over = [e for e in self.entries.values() if e.state in ENDED and e.published and e.settled_at < before]
        for entry in sorted(over, key=lambda entry: entry.settled_at)[:limit]:
            del self.entries[entry.action.id]
        return min(limit, len(over))

    async def close(self) -> None:
        """Nothing to close."""

    def _change(self, ids: Iterable[str], step: Callable[[Entry], Entry]) -> Sequence[Entry]:
        """Those that the step has changed."""
        known = [self.entries[each] for each in list(ids) if each in self.entries]
        changed = [after for entry in known if (after := step(entry)) is not entry]
        self._put(changed)
        return changed

    def _put(self, entries: Iterable[Entry]) -> None:
        self.entries.update({entry.action.id: entry for entry in entries})


def let_through(candidates: Sequence[Entry], gate: Gate) -> Sequence[Entry]:
    """What the gate made of those that it has judged: a lane whose turn is over waits, and one of a key is enough."""
    judged: list[Entry] = []
    closed, keys = set[str](), set[str]()
    for entry in candidates:
        lane, key = lane_of(entry), entry.action.ordering_key
        if lane in closed or (key in keys and not entry.is_search):
            continue
        after = gate.judge(entry)
        if after is None:
            closed.add(lane)
            continue
        judged.append(after)
        if after.state is State.RUNNING:
            keys.add(key)
    return judged


def claimed_of(judged: Sequence[Entry]) -> Claimed:
    claimed = [entry for entry in judged if entry.state is not State.REFUSED]
    return Claimed(claimed, len(judged) - len(claimed))


def expired_of(changed: Sequence[Entry]) -> Expired:
    return Expired(
        [entry.action.type for entry in changed if entry.state is State.UNKNOWN],
        [entry.action.type for entry in changed if entry.state is State.WAITING],
    )
