"""One account: what exists in it, what it wants to say (outbox) and what is due later (agenda).

Operations and steps change it and append to both lists; the shell sends the one and runs the other. There is
no clock in here: `now` is an argument of everything that needs it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

from deploy.emulator.chance import sid
from deploy.emulator.faults import Plan
from deploy.emulator.lifecycles import Path

Params = dict[str, str]


class Target(NamedTuple):
    """Where callbacks about a resource go, and the subscribed events (empty: the kind has none to choose)."""

    url: str
    method: str = "POST"
    events: frozenset[str] = frozenset()

    @property
    def correlation(self) -> str | None:
        """The `action` in its query: whose effect a resource is."""
        return next(iter(parse_qs(urlsplit(self.url).query).get("action", [])), None)


@dataclass
class Message:
    sid: str
    index: int
    direction: str
    from_: str | None
    to: str
    body: str
    status: str
    date_created: datetime
    date_updated: datetime
    media: int = 0
    service: str | None = None
    target: Target | None = None
    path: Path = ()
    error_code: int | None = None
    date_sent: datetime | None = None
    deleted: bool = False


@dataclass
class Call:
    sid: str
    index: int
    direction: str
    from_: str
    to: str
    date_created: datetime
    date_updated: datetime
    status: str = "queued"
    target: Target | None = None
    answer: Target | None = None  # asked for TwiML when the call is answered
    path: Path = ()
    sequence: int = 0
    seconds: int = 0
    start_time: datetime | None = None
    end_time: datetime | None = None
    answered_by: str | None = None
    amd: Target | None = None
    record: "RecordingOrder | None" = None
    recording: str | None = None
    follower: "Callable[[Account, Call, datetime], None] | None" = None  # the participant's part
    participant: bool = False
    deleted: bool = False


class RecordingOrder(NamedTuple):
    target: Target | None
    source: str
    channels: int = 1
    track: str = "both"


@dataclass
class Recording:
    sid: str
    index: int
    call_sid: str | None
    conference_sid: str | None
    order: RecordingOrder
    date_created: datetime
    date_updated: datetime
    status: str = "in-progress"
    seconds: int | None = None
    error_code: int | None = None
    deleted: bool = False


@dataclass
class Conference:
    sid: str
    index: int
    name: str
    date_created: datetime
    date_updated: datetime
    target: Target | None = None
    record: RecordingOrder | None = None
    recording: str | None = None
    status: str = "init"
    sequence: int = 0
    had_somebody: bool = False
    reason: str | None = None
    ended_by: str | None = None
    started_at: datetime | None = None
    events: Counter[str] = field(default_factory=Counter)  # what happened, subscribed or not
    deleted: bool = False  # never: there is no such operation


@dataclass
class Participant:
    sid: str  # of its call
    index: int
    conference_sid: str
    label: str | None
    date_created: datetime
    date_updated: datetime
    start_on_enter: bool = True
    end_on_exit: bool = False
    muted: bool = False
    hold: bool = False
    coaching: bool = False
    call_sid_to_coach: str | None = None
    status: str = "queued"
    joined: bool = False
    left: bool = False
    leaving: str | None = None  # why it is about to leave, when not by hanging up
    deleted: bool = False  # never: one that is removed has left


Resource = Message | Call | Recording | Conference | Participant
R = TypeVar("R", Message, Call, Recording, Conference, Participant)


class Callback(NamedTuple):
    """A request the provider makes. `what` is its status or event; `hears` is told the body of a 2xx answer."""

    kind: str
    sid: str
    what: str
    ordinal: int  # the n-th of its SID and kind: with the seed, the name of its faults
    url: str
    method: str
    params: Params
    hears: "Callable[[Account, datetime, str], None] | None" = None


Due = Callable[["Account", datetime], None]
Wanted = Callable[[], bool]


@dataclass
class Account:
    sid: str
    seed: int = 0
    plan: Plan = field(default_factory=Plan)
    messages: dict[str, Message] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    conferences: dict[str, Conference] = field(default_factory=dict)
    participants: dict[str, Participant] = field(default_factory=dict)
    opted_out: set[tuple[str, str]] = field(default_factory=set)  # (sender or service, recipient)
    outbox: list[Callback] = field(default_factory=list)
    agenda: list[tuple[float, Due, Wanted]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    said: Counter[tuple[str, str]] = field(default_factory=Counter)

    def mint(self, prefix: str) -> tuple[str, int]:
        """A new SID and its index, which names every draw about it."""
        self.made[prefix] += 1
        return sid(self.seed, prefix, self.made[prefix]), self.made[prefix]

    def later(self, seconds: float, due: Due, wanted: Wanted = lambda: True) -> None:
        """Run `due` after so many seconds of provider time; nobody waits for what is not `wanted` any more."""
        self.agenda.append((seconds, due, wanted))

    def say(
        self,
        kind: str,
        sid: str,
        what: str,
        target: Target,
        params: Mapping[str, str],
        hears: Callable[["Account", datetime, str], None] | None = None,
    ) -> None:
        """Make a callback. Whether its event is subscribed is the caller's question."""
        self.said[kind, sid] += 1
        ordinal = self.said[kind, sid]
        self.outbox.append(Callback(kind, sid, what, ordinal, target.url, target.method, dict(params), hears))
