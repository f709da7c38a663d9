"""One account: what exists in it, what it wants to say (outbox) and what is due later (agenda).

Operations and steps change it and append to both lists; the shell sends the one and runs the other. There is
no clock in here: `now` is an argument of everything that needs it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from deploy.emulator.chance import sid
from deploy.emulator.faults import Kind, Plan
from deploy.emulator.resources import (
    Call,
    CallerId,
    CallEvent,
    Conference,
    Feedback,
    LiveTranscription,
    Media,
    Message,
    Notification,
    Number,
    Params,
    Participant,
    Recording,
    SubAccount,
    Target,
    Transcription,
)

# Messages are of one kind, whether they have files or not: they are listed together.
COUNTED_WITH: Mapping[str, str] = {"MM": "SM"}


class Answer(NamedTuple):
    """The HTTP status, the body and its type; or why there is none (`ct`, `rt`, `broken`) and empty ones."""

    outcome: int | str
    body: str = ""
    content_type: str = ""


class Callback(NamedTuple):
    """A request the provider makes. `what` is its status or event.

    `hears` is told the first 2xx answer; `fails` the error code (11200…) when there is none to come: it is how a
    fallback URL is asked, and how a call whose TwiML cannot be had ends.
    """

    kind: str
    sid: str
    what: str
    ordinal: int  # the n-th of its SID and kind: with the seed, the name of its faults
    url: str
    method: str
    params: Params
    hears: "Callable[[Account, datetime, Answer], None] | None" = None
    fails: "Callable[[Account, datetime, int], None] | None" = None


Due = Callable[["Account", datetime], None]
Wanted = Callable[[], bool]


class Turn(NamedTuple):
    """Something that waits in a queue, of which it holds up the next by what it `takes`, in provider seconds."""

    queue: str
    takes: float
    seconds: float
    due: Due
    wanted: Wanted


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
    media: dict[str, Media] = field(default_factory=dict)
    feedback: dict[str, Feedback] = field(default_factory=dict)  # by the SID of its message
    transcriptions: dict[str, Transcription] = field(default_factory=dict)
    live_transcriptions: dict[str, LiveTranscription] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)
    caller_ids: dict[str, CallerId] = field(default_factory=dict)
    subaccounts: dict[str, SubAccount] = field(default_factory=dict)
    call_events: dict[str, list[CallEvent]] = field(default_factory=dict)  # by the SID of their call
    notifications: dict[str, Notification] = field(default_factory=dict)
    debugger: Target | None = None  # told of each of those
    applications: dict[str, Target] = field(default_factory=dict)  # their voice URLs
    opted_out: set[tuple[str, str]] = field(default_factory=set)  # (sender or service, recipient)
    outbox: list[Callback] = field(default_factory=list)
    agenda: list[tuple[float, Due, Wanted]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    queued: Callable[[str], float] = lambda queue: 0.0  # how many seconds a queue is long, by its name
    made: Counter[str] = field(default_factory=Counter)
    said: Counter[tuple[str, str]] = field(default_factory=Counter)

    def mint(self, prefix: str) -> tuple[str, int]:
        """A new SID and its index, which names every draw about it and is its place in lists."""
        counted = COUNTED_WITH.get(prefix, prefix)
        self.made[counted] += 1
        return sid(self.seed, prefix, self.made[counted]), self.made[counted]

    def later(self, seconds: float, due: Due, wanted: Wanted = lambda: True) -> None:
        """Run `due` after so many seconds of provider time; nobody waits for what is not `wanted` any more."""
        self.agenda.append((seconds, due, wanted))

    def in_turn(self, queue: str, takes: float, seconds: float, due: Due, wanted: Wanted = lambda: True) -> None:
        """Run `due` after so many seconds of provider time, or later, when its queue has come to it."""
        self.turns.append(Turn(queue, takes, seconds, due, wanted))

    def say(
        self,
        kind: Kind,
        sid: str,
        what: str,
        target: Target,
        params: Mapping[str, str],
        hears: Callable[["Account", datetime, Answer], None] | None = None,
        fails: Callable[["Account", datetime, int], None] | None = None,
    ) -> None:
        """Make a callback. Whether its event is subscribed is the caller's question."""
        self.said[kind, sid] += 1
        ordinal = self.said[kind, sid]
        self.outbox.append(Callback(kind, sid, what, ordinal, target.url, target.method, dict(params), hears, fails))
