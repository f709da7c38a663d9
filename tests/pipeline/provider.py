"""The provider: it holds the truth, does what it is asked for, and says what happened, on a wire not to be trusted."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from typing import Any

from ingest.contract import events as e
from ingest.contract.codec import Envelope
from processors.contract.actions import REPEATABLE, Action, AnyList, CreateMessage
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply
from tests.histories.generator import lived
from tests.histories.oracle import Truth, truths
from tests.histories.voice import ACCOUNT, OURS, START, THEIRS
from tests.pipeline.twins import Clock

SIDS = {"messages": ("SM", "MM"), "calls": ("CA",), "recordings": ("RE",), "conferences": ("CF",)}

FILTERS = {"status": "status", "to": "to", "from": "from_"}

# What a resource is shown as of whose status no callback tells.
UNTOLD = {"message": "queued", "call": "in-progress", "recording": "completed", "conference": "in-progress"}


class Provider:
    """`said` is all that happened; `wire` what of it is still under way; `dropped` the keys of which some was lost.

    `ours` are numbers whose inbound messages come to us as well.
    """

    def __init__(self, chance: random.Random, clock: Clock, *, lose: float, drop: float) -> None:
        self._chance, self._clock, self._lose, self._drop = chance, clock, lose, drop
        self.ours: frozenset[str] = frozenset()
        self.said: list[Envelope] = []
        self.wire: list[Envelope] = []
        self.dropped: list[Envelope] = []
        self.last = clock.now  # when something was made
        self.effects: Counter[str] = Counter()
        self.made: dict[str, str] = {}
        """What an action made: its id → SID."""
        self._bodies: dict[str, dict[str, Any]] = {}

    def lives(self, kind: str) -> None:
        """Something happens without us, a whole life of it."""
        history = lived(kind, self._chance)
        for envelope in history.said:
            self._put(envelope)
        for key, truth in truths(history.said).items():
            if truth.kind != "participant":
                self._bodies[key] = _body(truth)
            else:  # whose conference is there, told of or not
                sid = key.partition("/")[0]
                self._bodies.setdefault(sid, {"sid": sid, "account_sid": ACCOUNT, "status": "in-progress"})

    def say(self, event: e.Event, correlation: str | None = None) -> None:
        self._put(Envelope(event, f"//twilio.com/{ACCOUNT}/webhooks", self._clock(), None, correlation))

    def _put(self, envelope: Envelope) -> None:
        self.said.append(envelope)
        if self._drop and self._chance.random() < self._drop:
            self.dropped.append(envelope)
        else:
            self.wire.append(envelope)

    def message(
        self, correlation: str | None, to: str = THEIRS, sender: str | None = OURS, body: str | None = "hello"
    ) -> str:
        """A message is made: what an answer would show is kept, its callbacks go on the wire."""
        self.last, key = self._clock.now, self.sid("SM")
        end = self._chance.choice(["delivered", "undelivered", "failed", "sent"])
        code = 30005 if end in ("undelivered", "failed") else None
        self._bodies[key] = {
            "sid": key,
            "account_sid": ACCOUNT,
            "status": end,
            "error_code": code,
            "body": body,
            "direction": "outbound-api",
            "date_created": format_datetime(self._clock.now),
            "from": sender,
            "to": to,
        }
        for name in dict.fromkeys([*([] if end == "failed" else ["sent"]), end]):
            error = code if name == end else None
            self.say(e.MessageUpdated(account_sid=ACCOUNT, message_sid=key, status=name, error_code=error), correlation)
        return key

    def receive(self, sender: str, to: str, body: str) -> None:
        """Somebody writes to one of our numbers."""
        key, addresses = self.sid("SM"), {"from": sender, "to": to}
        event = e.MessageReceived(account_sid=ACCOUNT, message_sid=key, body=body, direction="inbound", **addresses)
        self._bodies[key] = {
            "sid": key, "account_sid": ACCOUNT, "status": "received", "direction": "inbound", "body": body, **addresses,
        }  # fmt: skip
        self.say(event)

    def sid(self, prefix: str) -> str:
        return f"{prefix}{self._chance.getrandbits(128):032x}"

    def shown(self, key: str, *, status: str | None = None, unsolicited: bool = False) -> e.MessageObserved:
        """A message as a REST answer shows it, in words of ours."""
        body = {name: value for name, value in self._bodies[key].items() if name not in ("sid", "error_code")}
        body["status"] = status or body["status"]
        return e.MessageObserved(message_sid=key, unsolicited=unsolicited, **body)

    def perform(self, action: Action) -> Reply:
        if self._chance.random() < 0.1:
            return NotYet("rate_limited", 429, 20429)
        body: Mapping[str, Any] = {}
        if isinstance(action, CreateMessage):
            self.effects[action.id] += 1
            key = self.made[action.id] = self.message(action.id, action.to, action.from_, action.body)
            if action.to in self.ours:
                self.receive(action.from_ or OURS, action.to, action.body or "")
            body = {**self._bodies[key], "status": "queued", "error_code": None}  # as it was then
        elif action.type.endswith(".fetch"):
            found = self._bodies.get(_sid_of(action))
            if found is None:
                return Refused(404, 20404)
            body = found
        else:
            assert REPEATABLE[action.type], "everything else that the rules of a world ask for"
        return self._answered(Done(201, body))

    def page(self, action: AnyList) -> Reply:
        """All there is of a kind, whatever its time: a list may always show what one knows already."""
        family = action.type.partition(".")[0]
        sought = {name: getattr(action, field, None) for name, field in FILTERS.items()}
        items = [
            {"date_created": format_datetime(START), **body} if family == "messages" else body
            for key, body in self._bodies.items()
            if key.startswith(SIDS[family])
            and all(value is None or body.get(name) == value for name, value in sought.items())
        ]
        return self._answered(Done(200, {family: items, "next_page_uri": None}))

    def look_up(self, sid: str) -> Reply:
        return self._answered(Done(200, self._bodies[sid]))

    def _answered(self, reply: Reply) -> Reply:
        return Lost("timeout") if self._chance.random() < self._lose else reply


def _sid_of(action: Action) -> str:
    fields: Sequence[str] = ("message_sid", "call_sid", "recording_sid", "conference_sid")
    return next(str(sid) for name in fields if (sid := getattr(action, name, None)) is not None)


def _body(truth: Truth) -> dict[str, Any]:
    attributes = {name: value for name, value in truth.attributes.items() if value != "none"}
    known = {"sid": truth.key, "account_sid": ACCOUNT, "error_code": truth.error_code}
    return {**attributes, **known, "status": truth.status or UNTOLD[truth.kind]}
