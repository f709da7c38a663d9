"""The ledger port, and its in-memory twin.

    waiting → running → done | refused | unknown
       ▲         │                          │
       ├─────────┘ nothing happened yet (a limit, no connection), or the action is repeatable
       └────────────────────────────────────┘ something showed its effect: what it made is looked up, then done

An action that is not repeatable is asked for once; when it waits again with a `resource_sid`, only to be looked up.
Times are seconds since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from processors.contract.actions import REPEATABLE, Action


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


OPEN = (State.WAITING, State.RUNNING, State.UNKNOWN)
HOUR = 3600.0


class LedgerUnavailable(Exception):
    """The database does not answer. Worth trying again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One action and how far it has come. `revision` counts what became known of it."""

    action: Action
    state: State = State.WAITING
    attempts: int = 0
    due: float = 0.0
    leased_until: float = 0.0
    performed_at: float = 0.0
    resource_sid: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    reason: str | None = None
    observation: bytes | None = None
    observed: int | None = None
    settled_at: float = 0.0
    revision: int = 0
    published: bool = True

    @property
    def is_lookup(self) -> bool:
        """Whether its effect is known to be there, so that reading the resource is all that is left to do."""
        return self.resource_sid is not None and not REPEATABLE[self.action.type]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What came of one attempt. WAITING means: again at `due`. `observation` is an event's JSON.

    A list's observations are published before it is settled; `observed` says how many. An answer that ends nothing
    counts for its own `attempt` alone: written down once more after the next one began, it would let the action be
    performed again beside it.
    """

    action_id: str
    state: State
    due: float = 0.0
    resource_sid: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    reason: str | None = None
    observation: bytes | None = None
    observed: int | None = None
    attempt: int = 2**31 - 1

    def is_stale(self, attempts: int) -> bool:
        return self.state in OPEN and self.attempt < attempts


@dataclass(frozen=True, slots=True)
class Standing:
    """How many are open, and since when the oldest waiting one waits."""

    open: Mapping[State, int]
    oldest_waiting: float | None


@dataclass(frozen=True, slots=True)
class Expired:
    """Attempts whose performer is gone: `unknown` ones, and those that wait again, by action type."""

    unknown: Sequence[str]
    again: Sequence[str]


class Ledger(Protocol):
    """Every method is one transaction. Raises LedgerUnavailable."""

    async def record(self, actions: Sequence[Action], now: float) -> int:
        """Writes down those that are not known yet; how many that were."""
        ...

    async def claim(self, limit: int, now: float, lease: float, cap: int) -> Sequence[Entry]:
        """The oldest due action of each ordering key, none of which runs, now running for `lease` seconds.

        Those that are too late or over the recipient's hourly cap are refused instead.
        """
        ...

    async def renew(self, action_id: str, until: float) -> None:
        """One that takes long is still under way: its lease lasts until then, if it runs."""
        ...

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None:
        """Where the effect of an unknown one was seen meanwhile, it waits to be looked up."""
        ...

    async def sighted(self, effects: Mapping[str, str], now: float) -> Sequence[str]:
        """Action id → SID that shows its effect. Returns the types of the unknown ones that it makes known."""
        ...

    async def expire(self, now: float) -> Expired:
        """Ends attempts whose lease has run out."""
        ...

    async def unpublished(self, limit: int) -> Sequence[Entry]:
        """What became known and was not published yet, in the order in which it was recorded."""
        ...

    async def published(self, entries: Iterable[Entry]) -> None:
        """Those went out, as of their revision; what became known since goes out later."""
        ...

    async def standing(self, now: float) -> Standing: ...


def recipient(action: Action) -> str | None:
    """Who is reached by it, for the cap; None where nobody is. The `to` of a list is a filter."""
    return None if REPEATABLE[action.type] else getattr(action, "to", None)


def refusal(entry: Entry, now: float, recent: int, cap: int) -> str | None:
    """Why an action must not be performed, now or ever."""
    action = entry.action
    if entry.is_lookup:
        return None
    if action.not_after is not None and now > action.not_after.timestamp():
        return "expired"
    if recipient(action) is not None and recent >= cap:
        return "capped"
    return None


class MemoryLedger:
    """The twin."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def record(self, actions: Sequence[Action], now: float) -> int:
        before = len(self.entries)
        for action in actions:
            self.entries.setdefault(action.id, Entry(action, due=now))
        return len(self.entries) - before

    async def claim(self, limit: int, now: float, lease: float, cap: int) -> Sequence[Entry]:
        claimed: list[Entry] = []
        busy = {e.action.ordering_key for e in self.entries.values() if e.state is State.RUNNING}
        for entry in list(self.entries.values()):
            key = entry.action.ordering_key
            if entry.state is not State.WAITING or key in busy:
                continue
            busy.add(key)
            if entry.due > now or len(claimed) == limit:
                continue
            reason = refusal(entry, now, self._recent(entry.action, now), cap)
            if reason is not None:
                self._put(entry, state=State.REFUSED, reason=reason, settled_at=now, published=False)
                continue
            attempts = entry.attempts + (not entry.is_lookup)
            claimed.append(
                self._put(entry, state=State.RUNNING, attempts=attempts, leased_until=now + lease, performed_at=now)
            )
        return claimed

    def _recent(self, action: Action, now: float) -> int:
        states = (State.RUNNING, State.DONE, State.UNKNOWN)
        return sum(
            recipient(e.action) == recipient(action) and e.state in states and e.performed_at > now - HOUR
            for e in self.entries.values()
        )

    async def renew(self, action_id: str, until: float) -> None:
        entry = self.entries[action_id]
        if entry.state is State.RUNNING:
            self._put(entry, leased_until=until)

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None:
        for settlement in settlements:
            entry = self.entries[settlement.action_id]
            if entry.state not in OPEN or settlement.is_stale(entry.attempts):
                continue
            state = settlement.state
            due = settlement.due
            if state is State.UNKNOWN and entry.resource_sid is not None:
                state, due = State.WAITING, now
            self._put(
                entry,
                state=state,
                due=due,
                resource_sid=settlement.resource_sid or entry.resource_sid,
                http_status=settlement.http_status,
                error_code=settlement.error_code,
                reason=settlement.reason if state is settlement.state else None,
                observation=settlement.observation,
                observed=settlement.observed,
                settled_at=now,
                revision=entry.revision + 1,
                published=state is State.WAITING,
            )

    async def sighted(self, effects: Mapping[str, str], now: float) -> Sequence[str]:
        found = []
        for action_id, sid in effects.items():
            entry = self.entries.get(action_id)
            if entry is None or entry.state not in (State.RUNNING, State.UNKNOWN):
                continue
            seen = self._put(entry, resource_sid=entry.resource_sid or sid)
            if entry.state is State.UNKNOWN:
                found.append(entry.action.type)
                # Published or not, that it was unknown is old news.
                revision = entry.revision + 1
                self._put(seen, state=State.WAITING, reason=None, due=now, revision=revision, published=True)
        return found

    async def expire(self, now: float) -> Expired:
        unknown, again = [], []
        for entry in list(self.entries.values()):
            if entry.state is not State.RUNNING or entry.leased_until > now:
                continue
            if REPEATABLE[entry.action.type] or entry.is_lookup:
                again.append(entry.action.type)
                self._put(entry, state=State.WAITING, due=now)
                continue
            unknown.append(entry.action.type)
            changed = {"reason": "lease_expired", "settled_at": now, "revision": entry.revision + 1}
            self._put(entry, state=State.UNKNOWN, published=False, **changed)
        return Expired(unknown, again)

    async def unpublished(self, limit: int) -> Sequence[Entry]:
        return [entry for entry in self.entries.values() if not entry.published][:limit]

    async def published(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            now = self.entries[entry.action.id]
            if now.revision == entry.revision:
                self._put(now, published=True, observation=None)

    async def standing(self, now: float) -> Standing:
        states = [entry.state for entry in self.entries.values()]
        waiting = [entry.due for entry in self.entries.values() if entry.state is State.WAITING]
        return Standing({state: states.count(state) for state in OPEN}, now - min(waiting) if waiting else None)

    def _put(self, entry: Entry, **values: object) -> Entry:
        changed = replace(entry, **values)  # type: ignore[arg-type]  # names are checked by `replace`
        self.entries[entry.action.id] = changed
        return changed
