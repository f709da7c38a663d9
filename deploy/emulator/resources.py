"""What exists in an account: one mutable record a resource, and where callbacks about it go."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

from deploy.emulator.lives.tables import Path

if TYPE_CHECKING:
    from deploy.emulator.account import Account
    from deploy.emulator.lives.twiml import Verb

Params = dict[str, str]


class Target(NamedTuple):
    """Where callbacks about a resource go, and the subscribed events (empty: the kind has none to choose)."""

    url: str
    method: str = "POST"
    events: frozenset[str] = frozenset()
    fallback: "Target | None" = None  # asked where this one has no usable answer

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


Moment = Callable[["Account", "Call", datetime], None]  # what becomes of a call now


class Detection(NamedTuple):
    """Who answers, found out so many seconds after the answer; told to `target`, and with what asks for TwiML."""

    answered_by: str
    seconds: float
    target: Target | None
    first: bool  # found out before TwiML is asked for


class Whisper(NamedTuple):
    """What becomes of a leg that performs a document before it is connected: at its end, or when it is redirected."""

    ended: Moment
    left: Moment


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
    queue_time: int = 0  # milliseconds, as it was when it was made
    start_time: datetime | None = None
    end_time: datetime | None = None
    answered_by: str | None = None
    detection: Detection | None = None
    record: "RecordingOrder | None" = None
    recording: str | None = None
    parent: str | None = None
    via: str | None = None  # the number of ours over which it was dialed on
    twiml: str = ""  # given with the call, instead of a URL
    base: str = ""  # the URL of the document being performed
    todo: "tuple[Verb, ...]" = ()
    turn: int = 0  # counts what it waits for, so that what comes too late is known
    resume: Moment | None = None  # performs its next verb; None: it has no TwiML
    interrupted: Moment | None = None  # ends the verb being performed, when the call ends or is redirected
    freed: Moment | None = None  # goes on after a conference; None: who leaves it is hung up on
    whisper: Whisper | None = None
    follower: Moment | None = None  # told of each change of its status
    participant: bool = False
    deleted: bool = False

    @property
    def person(self) -> str:
        """The address at the other end: whom a magic number speaks for."""
        return self.from_ if self.direction == "inbound" else self.to


class Asked(NamedTuple):
    """A request to our side or from it, and its answer; `status` is None where there was none."""

    url: str
    method: str
    params: Params
    status: int | None = None
    body: str = ""
    content_type: str = ""
    milliseconds: int = 0  # of provider time


@dataclass
class CallEvent:
    """What was asked about a call."""

    index: int
    call_sid: str
    asked: Asked
    date: datetime
    deleted: bool = False  # never: there is no such operation


@dataclass
class Notification:
    """Something that went wrong with a request, or with its answer."""

    sid: str
    index: int
    about: str  # the SID of what the request was about
    call_sid: str | None
    code: int
    asked: Asked
    date_created: datetime
    deleted: bool = False  # never: there is no such operation


class RecordingOrder(NamedTuple):
    target: Target | None
    source: str
    channels: int = 1
    track: str = "both"
    transcribe: bool = False
    transcribed: Target | None = None  # told of the transcription


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
    paused_at: datetime | None = None
    skipped: float = 0  # seconds of pauses that are not in it
    skips: bool = False  # whether the pause that lasts is one of those
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
    record_events: Target | None = None  # the deprecated `eventCallbackUrl`
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
    wait: Target | None = None  # asked what to play until the conference starts
    status: str = "queued"
    joined: bool = False
    left: bool = False
    leaving: str | None = None  # why it is about to leave, when not by hanging up
    deleted: bool = False  # never: one that is removed has left


@dataclass
class Media:
    """A file of a message."""

    sid: str
    index: int
    message_sid: str
    url: str  # where it was taken from; empty where somebody sent it
    content_type: str
    date_created: datetime
    date_updated: datetime
    deleted: bool = False


class Feedback(NamedTuple):
    """Whether who got a message did what it asked for."""

    outcome: str
    date: datetime


@dataclass
class Transcription:
    """The text of a recording."""

    sid: str
    index: int
    recording_sid: str
    date_created: datetime
    date_updated: datetime
    status: str = "in-progress"
    text: str | None = None
    seconds: int | None = None
    deleted: bool = False


@dataclass
class LiveTranscription:
    """A call put into words while it is spoken."""

    sid: str
    index: int
    call_sid: str
    name: str | None
    target: Target | None
    date_created: datetime
    date_updated: datetime
    status: str = "in-progress"
    sequence: int = 0
    deleted: bool = False  # never: there is no such operation


@dataclass
class Number:
    """A number that is ours. `settings` are the parameters that it was bought and configured with."""

    sid: str
    index: int
    owner: str
    phone_number: str
    kind: str
    address_requirements: str
    capabilities: Mapping[str, bool]
    beta: bool
    friendly_name: str
    settings: Params
    date_created: datetime
    date_updated: datetime
    deleted: bool = False


@dataclass
class CallerId:
    """Somebody else's number that we may call from, since its owner typed in a code."""

    sid: str
    index: int
    phone_number: str
    friendly_name: str
    date_created: datetime
    date_updated: datetime
    deleted: bool = False


@dataclass
class SubAccount:
    """An account below ours, and ours itself: what `/Accounts` shows of either."""

    sid: str
    index: int
    friendly_name: str
    token: str | None
    date_created: datetime
    date_updated: datetime
    status: str = "active"
    deleted: bool = False  # never: it is closed
