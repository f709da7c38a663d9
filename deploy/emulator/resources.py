"""What exists in an account: one mutable record a resource, and where callbacks about it go."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlsplit

from deploy.emulator.lives.tables import Path

if TYPE_CHECKING:
    from deploy.emulator.account import Account

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
