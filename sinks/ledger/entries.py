"""Entries of the ledger: how far an action has come, and every way in which it goes on. Pure.

    waiting → running → done | refused | unknown → stuck
       ▲         │                          │        │
       ├─────────┘ nothing happened yet (a limit, no connection), or the action is repeatable
       └────────────────────────────────────┴────────┘ its effect was seen: what it made is looked up, then done;
                                                       or it was shown twice that there is none; or a person says so,
                                                       of one that was refused too

An action that is not repeatable is asked for again only when it was shown that it had no effect; when it waits with a
`resource_sid`, it does so only to be looked up. Times are seconds since 1970.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from processors.contract.actions import REPEATABLE, Action
from sinks.ledger import personal


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    STUCK = "stuck"


OPEN = (State.WAITING, State.RUNNING, State.UNKNOWN, State.STUCK)
ENDED = (State.DONE, State.REFUSED)

NEXT: Mapping[State, Set[State]] = {
    State.WAITING: {State.RUNNING, State.REFUSED, State.DONE},
    State.RUNNING: {State.WAITING, State.DONE, State.REFUSED, State.UNKNOWN},
    State.UNKNOWN: {State.WAITING, State.DONE, State.REFUSED, State.STUCK},
    State.STUCK: {State.WAITING, State.DONE, State.REFUSED},
    State.DONE: frozenset(),
    State.REFUSED: {State.WAITING},
}
"""Every step there is; one that waits is done or refused when an answer that was given up comes after all, and one that
was refused waits again only when a person says so."""

REFUSALS = (
    "provider",
    "unknown_account",
    "unreadable",
    "expired",
    "capped",
    "opted_out",
    "dry_run",
    "canceled",
    "decided",
    "no_media_store",
    "no_file",
    "wrong_type",
    "too_large",
    "elsewhere",
)
"""Why an action was refused: by the provider, or by us."""

ABSENCES = 2
"""How often it must be shown that something is not there, until it is taken for true."""


MADE: Mapping[str, tuple[str, ...]] = {
    "messages.create": ("SM", "MM"),
    "calls.create": ("CA",),
    "participants.add": ("CA",),
    "numbers.buy": ("PN",),
    "recordings.start": ("RE",),
}
"""How the SID of what an action makes begins. An action makes nothing else that would show its effect."""


class Verdict(StrEnum):
    """What a person says of an action of which nobody else can know."""

    DONE = "done"
    AGAIN = "again"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """One action and how far it has come.

    `since` is when it was first to be performed, `due` when it is next. `attempts` counts how often it was asked for;
    `fence` how often it was claimed, and an answer counts for its own claim alone. `revision` counts what became known.
    """

    action: Action
    state: State = State.WAITING
    attempts: int = 0
    fence: int = 0
    since: float = 0.0
    due: float = 0.0
    leased_until: float = 0.0
    performed_at: float = 0.0
    absences: int = 0
    resource_sid: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    reason: str | None = None
    observation: str | None = None
    observed: int | None = None
    resources: str | None = None
    settled_at: float = 0.0
    revision: int = 0
    published: bool = True
    telling_until: float = 0.0

    @property
    def is_repeatable(self) -> bool:
        return REPEATABLE[self.action.type]

    @property
    def is_forgotten(self) -> bool:
        """Whether what it said was about a person who is forgotten by now."""
        return isinstance(self.action, personal.Forgotten)

    @property
    def is_lookup(self) -> bool:
        """Whether its effect is known to be there, so that reading the resource is all that is left to do."""
        return self.resource_sid is not None and not self.is_repeatable

    @property
    def is_search(self) -> bool:
        """Whether nobody knows if it had an effect, so that looking for one is all that may be done."""
        return self.state is State.UNKNOWN


@dataclass(frozen=True, slots=True)
class Settlement:
    """What came of one claim. WAITING means: again at `due`; UNKNOWN: looked for at `due`.

    `observation` is an event's JSON, `resources` that of what stands in the result. A list's observations are published
    before it is settled; `observed` says how many. Without a `fence` it is of the last claim, whichever.
    """

    action_id: str
    state: State
    due: float = 0.0
    resource_sid: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    reason: str | None = None
    observation: str | None = None
    observed: int | None = None
    resources: str | None = None
    fence: int = 2**31 - 1


class Sought(StrEnum):
    FOUND = "found"
    ABSENT = "absent"
    UNCLEAR = "unclear"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Search:
    """What looking for an unknown effect showed, of the entry as it was then. `due` is when to look again."""

    action_id: str
    fence: int
    absences: int
    outcome: Sought
    due: float
    resource_sid: str | None = None


def asked(action: Action, now: float) -> Entry:
    since = now if action.not_before is None else max(now, action.not_before.timestamp())
    return Entry(action, since=since, due=since)


def claimed(entry: Entry, start: float, lease: float) -> Entry:
    """From `start` on it is one performer's for so many seconds. One that is only looked for stays what it is."""
    if entry.is_search:
        return replace(entry, due=start + lease)
    is_asked = not entry.is_lookup
    return replace(
        entry,
        state=State.RUNNING,
        fence=entry.fence + 1,
        leased_until=start + lease,
        attempts=entry.attempts + is_asked,
        performed_at=start if is_asked else entry.performed_at,
    )


def renewed(entry: Entry, fence: int, until: float) -> Entry:
    """For whoever still has it by that claim."""
    is_held = entry.state is State.RUNNING and entry.fence == fence
    return replace(entry, leased_until=until) if is_held else entry


def refused(entry: Entry, reason: str, now: float) -> Entry:
    return _news(entry, now, state=State.REFUSED, reason=reason)


def settled(entry: Entry, told: Settlement, now: float) -> Entry:
    """After an answer. One of an earlier claim ends nothing, but what it shows was made was made."""
    if entry.state not in OPEN:
        return entry
    if told.fence < entry.fence:
        sid = told.resource_sid if told.state is State.DONE else None
        return entry if sid is None else sighted(entry, sid, now)
    is_news = told.state in ENDED or entry.state is State.RUNNING
    # Its lease was over before: that nothing happened is news of one that was thought unknown, all else is not.
    if not is_news and (told.state, entry.state) != (State.WAITING, State.UNKNOWN):
        return entry
    was_seen = told.state is State.UNKNOWN and entry.resource_sid is not None
    state = State.WAITING if was_seen else told.state
    return replace(
        entry,
        state=state,
        due=now if was_seen else told.due,
        absences=0,
        resource_sid=told.resource_sid or entry.resource_sid,
        http_status=told.http_status,
        error_code=told.error_code,
        reason=None if was_seen else told.reason,
        observation=told.observation,
        observed=told.observed,
        resources=told.resources,
        settled_at=now,
        revision=entry.revision + 1,
        published=state is State.WAITING,
        telling_until=0.0,
    )


def sighted(entry: Entry, sid: str, now: float) -> Entry:
    """Something showed its effect: a SID of what it makes. From then on it is only looked up."""
    if entry.resource_sid is not None or not entry.attempts or entry.state in ENDED:
        return entry
    if not sid.startswith(MADE.get(entry.action.type, "-")):
        return entry
    if entry.state is State.RUNNING:
        return replace(entry, resource_sid=sid)
    return _waits(replace(entry, resource_sid=sid), now)


def searched(entry: Entry, search: Search, now: float) -> Entry:
    """After somebody looked for its effect; one who was overtaken says nothing."""
    if not entry.is_search or (entry.fence, entry.absences) != (search.fence, search.absences):
        return entry
    match search.outcome:
        case Sought.FOUND if search.resource_sid is not None:
            return sighted(entry, search.resource_sid, now)
        case Sought.ABSENT if entry.absences + 1 >= ABSENCES:
            return _waits(entry, now)
        case Sought.ABSENT:
            return replace(entry, absences=entry.absences + 1, due=search.due)
        case Sought.UNCLEAR:
            return _news(entry, now, state=State.STUCK, reason="stuck")
        case _:
            return replace(entry, due=search.due)


def expired(entry: Entry, now: float, settle: float) -> Entry:
    """After its lease, whose holder may be gone or frozen. In `settle` seconds an effect would be seen."""
    if entry.state is not State.RUNNING or entry.leased_until > now:
        return entry
    if entry.is_repeatable or entry.is_lookup:
        return replace(entry, state=State.WAITING, due=now)
    return _news(entry, now, state=State.UNKNOWN, due=now + settle, reason="lease_expired")


def canceled(entry: Entry, now: float) -> Entry:
    """Only what waits can be taken back."""
    return refused(entry, "canceled", now) if entry.state is State.WAITING and not entry.is_lookup else entry


def decided(entry: Entry, verdict: Verdict, now: float) -> Entry:
    """By a person, of one that is unknown or stuck."""
    if entry.state not in (State.UNKNOWN, State.STUCK):
        return entry
    match verdict:
        case Verdict.DONE:
            return _news(entry, now, state=State.DONE, reason="decided")
        case Verdict.AGAIN:
            return _waits(entry, now)
        case Verdict.REFUSED:
            return refused(entry, "decided", now)


def retried(entry: Entry, now: float) -> Entry:
    """By a person, of one that was refused or is stuck. The answers of its claims until now end nothing any more.

    Of one whose effect was seen, reading what it made is all that is tried again. What a person has settled is not: its
    request may have left, and what shows its effect is not taken down any more.
    """
    if entry.state not in (State.REFUSED, State.STUCK) or entry.reason == "decided" or entry.is_forgotten:
        return entry
    return replace(
        _waits(entry, now),
        fence=entry.fence + 1,
        http_status=None,
        error_code=None,
        observation=None,
        observed=None,
        resources=None,
    )


def is_about(entry: Entry, number: str) -> bool:
    """Whether the number occurs in what was asked for, or in what came of it."""
    return personal.is_about(number, personal.written(entry.action), entry.observation, entry.resources)


def forgotten(entry: Entry) -> Entry:
    """Of one that has ended and was told: what it said is scrubbed, and what its answer showed."""
    if entry.state not in ENDED or not entry.published or entry.is_forgotten:
        return entry
    return replace(entry, action=personal.forgotten(entry.action), observation=None, resources=None)


def published(entry: Entry, revision: int) -> Entry:
    """After that revision went out. Where a newer one did before, it goes out once more, so that it is the last."""
    if entry.revision == revision:
        return replace(entry, published=True, observation=None)
    has_news = entry.state in ENDED or entry.state in (State.UNKNOWN, State.STUCK)
    return replace(entry, published=False, telling_until=0.0) if has_news else entry


def _waits(entry: Entry, now: float) -> Entry:
    """That it was unknown is old news, published or not."""
    return replace(
        entry, state=State.WAITING, due=now, absences=0, reason=None, revision=entry.revision + 1, published=True
    )


def _news(entry: Entry, now: float, **values: object) -> Entry:
    known = {"settled_at": now, "revision": entry.revision + 1, "published": False, "telling_until": 0.0}
    return replace(entry, **{**known, **values})  # type: ignore[arg-type]  # names are checked by `replace`
