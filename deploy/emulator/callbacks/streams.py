"""Event Streams beside the webhooks: what a callback tells is told to a sink as well, as CloudEvents in JSON.

At least once, in no order, again with longer and longer pauses for up to four hours; an answer of 400 discards
(https://www.twilio.com/docs/events/webhook-quickstart). An event exists where its callback was asked for, made
or dropped; `response`, which voice events repeat of their webhook, is left out: it may not be known yet.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import httpx
import orjson

from deploy.emulator.account import Account, Callback
from deploy.emulator.callbacks.requests import Outgoing, Overrides, bare, headers
from deploy.emulator.callbacks.sending import Callbacks
from deploy.emulator.callbacks.signing import Keys, signed
from deploy.emulator.chance import draw, sid, token
from deploy.emulator.errors import Json
from deploy.emulator.faults import Signer
from deploy.emulator.lives.debugging import DEBUGGER
from deploy.emulator.lives.tables import CALL_EVENTS

SCHEMAS = "https://events-schemas.twilio.com"
LATENCY = (1.0, 5.0)
FIRST_PAUSE, LONGEST_PAUSE, GIVEN_UP = 1.0, 900.0, 4 * 3600.0  # provider seconds
MOST_EVENTS = 100  # in one request
DISCARDED = 400
LIMITS = Overrides(read=5000, total=5000, retries=0)

MESSAGING, VOICE = "com.twilio.messaging", "com.twilio.voice.status-callback"
ERROR = "com.twilio.error-logs.error.logged"


class Sink(NamedTuple):
    """Where events go; `types` are beginnings of the subscribed ones, `batch` sends a JSON array."""

    url: str
    types: tuple[str, ...] = ("com.twilio.",)
    batch: bool = True


class Batch(NamedTuple):
    """Events that are sent together, and the instant at which they are given up."""

    sink: Sink
    events: Sequence[Json]
    until: float
    tries: int = 0


class EventStreams:
    """`after` runs something so many provider seconds from now; `instant` counts them."""

    def __init__(
        self,
        account: Account,
        keys: Keys,
        callbacks: Callbacks,
        instant: Callable[[], float],
        after: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self.sink: Sink | None = None
        self.counts: Counter[str] = Counter(made=0, attempted=0, delivered=0, discarded=0, given_up=0)
        self._account, self._keys, self._callbacks = account, keys, callbacks
        self._instant, self._after = instant, after
        self._gathered: list[Json] = []

    @property
    def outstanding(self) -> int:
        ended = self.counts["delivered"] + self.counts["discarded"] + self.counts["given_up"]
        return self.counts["made"] - ended

    def tell(self, callback: Callback, now: datetime) -> None:
        """Make the event of a callback, where the sink has subscribed to it."""
        kind = TYPES.get(callback.kind)
        sink = self.sink
        if kind is None or sink is None:
            return
        event_type = kind(callback)
        if not event_type.startswith(sink.types):
            return
        self.counts["made"] += 1
        number = self.counts["made"]
        self._gathered.append(event(self._account, callback, event_type, number, now))
        if not sink.batch or len(self._gathered) == 1:
            chance = draw(self._account.seed, "event-streams", number)
            self._after(chance.uniform(*LATENCY), lambda: self._gather(sink))

    def _gather(self, sink: Sink) -> None:
        events, self._gathered = self._gathered, []
        size = MOST_EVENTS if sink.batch else 1
        for at in range(0, len(events), size):
            self._submit(Batch(sink, events[at : at + size], self._instant() + GIVEN_UP))

    def _submit(self, batch: Batch) -> None:
        self._callbacks.submit(lambda: self._deliver(batch))

    async def _deliver(self, batch: Batch) -> None:
        request = posted(batch, self._keys, token(self._account.seed, str(batch.events[0]["id"])))
        answer = await self._callbacks.carry(request, LIMITS, LIMITS.total / 1000)
        outcome = answer.outcome
        self.counts["attempted"] += 1
        pause = min(FIRST_PAUSE * 2**batch.tries, LONGEST_PAUSE)
        if isinstance(outcome, int) and 200 <= outcome < 300:
            self.counts["delivered"] += len(batch.events)
        elif outcome == DISCARDED:
            self.counts["discarded"] += len(batch.events)
        elif self._instant() + pause > batch.until:
            self.counts["given_up"] += len(batch.events)
        else:
            chance = draw(self._account.seed, "event-streams", str(batch.events[0]["id"]), batch.tries)
            again = batch._replace(tries=batch.tries + 1)
            self._after(pause * chance.uniform(0.5, 1.0), lambda: self._submit(again))


def posted(batch: Batch, keys: Keys, idempotency: str) -> Outgoing:
    """The signed request of a batch: its URL tells the hash of its body."""
    body = orjson.dumps(batch.events if batch.sink.batch else batch.events[0])
    url = str(httpx.URL(bare(batch.sink.url)).copy_merge_params({"bodySHA256": sha256(body).hexdigest()}))
    signature = signed(keys, Signer.PRIMARY, None, url)
    return Outgoing(url, "POST", {**headers(idempotency), **signature, "Content-Type": "application/json"}, body)


def event(account: Account, callback: Callback, event_type: str, number: int, now: datetime) -> Json:
    """The CloudEvent of a callback. https://www.twilio.com/docs/events/event-types"""
    told = callback.params
    moment = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if event_type.startswith(MESSAGING):
        prefix, schema, collection = "EZ", "Messaging.MessageStatus/8", "Messages"
        data: Json = {"timestamp": moment, "eventName": event_type, **message_data(callback)}
        if callback.kind == "inbound-message":
            schema = "Messaging.InboundMessageV1/6"
    elif event_type == ERROR:
        prefix, schema, collection, data = "NO", "ErrorLogs.Error/2", "Notifications", error_data(callback)
    else:
        prefix, schema, collection = "VW", "Voice.WebhookEvent/2", COLLECTIONS[callback.kind]
        request = {"method": callback.method, "url": bare(callback.url), "parameters": told}
        data = {"sid": callback.sid, "timestamp": moment, "request": request}
    return {
        "specversion": "1.0",
        "type": event_type,
        "source": f"/2010-04-01/Accounts/{account.sid}/{collection}/{callback.sid}.json",
        "id": sid(account.seed, prefix, number),
        "dataschema": f"{SCHEMAS}/{schema}",
        "datacontenttype": "application/json",
        "time": moment,
        "data": data,
    }


def message_data(callback: Callback) -> Json:
    """A message's parameters under the names that its events give them: some typed, the status in capitals."""
    told = callback.params
    data: Json = {name: told[said] for said, name in MESSAGE_NAMES.items() if said in told}
    if callback.kind == "inbound-message":
        counts = {"numSegments": int(told["NumSegments"]), "numMedia": int(told["NumMedia"])}
        return {**data, **counts, "body": told["Body"], "recipients": []}
    error = {"errorCode": int(told["ErrorCode"])} if "ErrorCode" in told else {}
    status = told["MessageStatus"].upper()
    return {**data, **error, "messageStatus": status, "statusCallBackUrl": callback.url}


def error_data(callback: Callback) -> Json:
    """What the debugger is told, under the names of https://www.twilio.com/docs/events/event-types/errors/error-logs"""
    told = callback.params
    return {
        "sid": told["Sid"],
        "account_sid": told["AccountSid"],
        "date_created": told["Timestamp"],
        "level": told["Level"],
        "error_code": callback.what,
        "payload": told["Payload"],
    }


MESSAGE_NAMES: Mapping[str, str] = {
    "MessageSid": "messageSid",
    "AccountSid": "accountSid",
    "ApiVersion": "apiVersion",
    "From": "from",
    "To": "to",
    "MessagingServiceSid": "messagingServiceSid",
    "RawDlrDoneDate": "rawDlrDoneDate",
}
COLLECTIONS: Mapping[str, str] = {
    "call-status": "Calls",
    "participant-call-status": "Calls",
    "amd-status": "Calls",
    "recording-status": "Recordings",
    "conference-status": "Conferences",
    "transcription": "Transcriptions",
    "live-transcription": "Transcriptions",
}
# Kind of a callback → the type of its event.
TYPES: Mapping[str, Callable[[Callback], str]] = {
    "message-status": lambda callback: f"{MESSAGING}.message.{callback.what}",
    "inbound-message": lambda callback: f"{MESSAGING}.inbound-message.received",
    **dict.fromkeys(
        ("call-status", "participant-call-status"), lambda callback: f"{VOICE}.call.{CALL_EVENTS[callback.what]}"
    ),
    "amd-status": lambda callback: f"{VOICE}.amd.detected",
    "recording-status": lambda callback: f"{VOICE}.recording.processed",
    **dict.fromkeys(("transcription", "live-transcription"), lambda callback: f"{VOICE}.transcription.processed"),
    DEBUGGER: lambda callback: ERROR,
    "conference-status": lambda callback: (
        f"{VOICE}.conference.{'participant.' if callback.what.startswith('participant') else ''}updated"
    ),
}
