"""What the provider documents that it refuses of each action, and a case of each.

Facts of https://www.twilio.com/docs/api/errors, of the page of each resource, and of the numbers that are refused to
everybody who tests: https://www.twilio.com/docs/iam/test-credentials.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from deploy.emulator.errors import ERRORS
from deploy.emulator.limits import Limits
from sinks.twilio.replies import Done, Refused, Reply
from tests.deploy.emulator.conftest import SENDER
from tests.deploy.emulator.inhabited import PICTURE
from tests.sinks.actions.done import HANG_UP, NEW
from tests.sinks.actions.emulated import SERVICE, SOON, TOO_LATE, Fields, The

DIALED = frozenset({21205, 21211, 21212, 21214, 21215, 21216, 21217, 21609, 22005})
CONFIGURED = frozenset({21402, 21405, 21406})
DOCUMENTED: Mapping[str, Set[int]] = {
    "messages.create": frozenset({21211, 21212, 21266, 21408, 21606, 21609, 21610, 21611, 21612, 21614, 21620, 35114}),
    "messages.update": {20009},
    "messages.cancel": {30409},
    "messages.delete": {20009},
    "calls.create": DIALED,
    "calls.redirect": {21205, 21220},
    "calls.hang_up": {21220},
    "calls.cancel": {21220},
    "calls.delete": {20009},
    "recordings.start": {21220},
    "recordings.pause": {21220},
    "recordings.resume": {21220},
    "recordings.stop": {21220},
    "recordings.delete": {20009},
    "conferences.announce": {21205},
    "participants.add": DIALED | {16024, 16026},
    "participants.announce": {21205},
    "numbers.buy": CONFIGURED | {21421, 21422, 21452},
    "numbers.configure": CONFIGURED | {20001},
    "caller_ids.verify": {21401, 21450, 21609},
}
"""Besides what any request may be refused with."""

ANY: Mapping[int, str] = {
    20003: "the credentials are wrong",
    20404: "what the path names is not there",
    20429: "too many requests",
    20500: "the provider's own fault",
    20503: "the provider is away",
}
DONE_WHEN_GONE: Set[str] = frozenset({
    "messages.delete", "media.delete", "calls.delete", "participants.remove", "recordings.delete", "recordings.stop",
    "transcriptions.delete", "numbers.release", "caller_ids.delete",
})  # fmt: skip
"""What wants it gone, or not recorded any more. To all others 20404 is a no."""
BEFORE: Mapping[int, tuple[str, Fields, str]] = {
    21201: ("calls.create", {"from": SENDER, "twiml": HANG_UP}, "`calls.create`.to\n  Field required"),
    21213: ("calls.create", {"to": NEW, "twiml": HANG_UP}, "`calls.create`.from\n  Field required"),
    21403: ("numbers.configure", {"number_sid": The("number"), "voice_method": "PUT"}, "'GET' or 'POST'"),
    21451: ("numbers.buy", {"area_code": "123"}, "`numbers.buy`.area_code\n  String should match"),
    21602: ("messages.create", {"to": NEW, "from": SENDER}, "needs `body` or `media_url` or `content_sid`"),
    21603: ("messages.create", {"to": NEW, "body": "Hi"}, "needs `from` or `messaging_service_sid`"),
    21604: ("messages.create", {"from": SENDER, "body": "Hi"}, "`messages.create`.to\n  Field required"),
    21617: ("messages.create", {"to": NEW, "from": SENDER, "body": "a" * 1601}, "at most 1600 characters"),
    21701: ("messages.create", {"to": NEW, "messaging_service_sid": "MG5", "body": "Hi"}, "String should match"),
}
"""What an action cannot even say, one that would, and what is told of it."""
NEVER: Mapping[int, str] = {20004: "the SDK has no method that an operation does not have"}
NOT_SERVED: Mapping[int, str] = {
    21608: "who may be written to from a trial account: the emulated one is none",
    21703: "a service without senders: the emulated ones have one",
    21704: "the same",
}
"""Documented, and not to be had from the emulator."""


@dataclass(frozen=True)
class Case:
    """An action that is refused with a code. It is `reply` where a no is not simply a no; with a `status` it is done,
    as the resource is what it was to be, perhaps by an earlier try."""

    action: str
    code: int
    says: Fields
    id: str = "a-1"
    door: str | None = None
    reply: Reply | None = None
    status: str | None = None

    def is_met_by(self, reply: Reply) -> bool:
        if self.status is not None:
            return isinstance(reply, Done) and reply.body.get("status") == self.status
        return reply == (self.reply or Refused(ERRORS[self.code][0], self.code))


NONSENSE, TOO_SHORT, BAD_DOOR = "nonsense", "+123", "https://front_door.example.com"
MESSAGE: Fields = {"to": NEW, "from": SENDER, "body": "Hi"}
SCHEDULED: Fields = {"to": NEW, "messaging_service_sid": SERVICE, "body": "Hi", "schedule_type": "fixed"}
ENDED, TALKING = {"call_sid": The("ended call")}, {"call_sid": The("talking")}
OVER = {**ENDED, "recording_sid": The("recording of ended call")}
PERSON = {"conference_sid": The("meeting"), "call_sid": The("person")}
LEFT = {"conference_sid": The("ended meeting"), "call_sid": The("person")}
NUMBER = {"number_sid": The("number")}


def dialed(action: str, says: Fields, url: str) -> Sequence[Case]:
    """`url` is a field of the action that holds one."""
    numbers = {"+15005550001": 21217, "+15005550002": 21214, "+15005550003": 21215, "+15005550004": 21216}
    return [
        Case(action, 21205, {**says, url: NONSENSE}),
        Case(action, 21211, {**says, "to": TOO_SHORT}),
        Case(action, 21212, {**says, "from": "+15005550001"}),
        Case(action, 21609, says, door=BAD_DOOR),
        *(Case(action, code, {**says, "to": number}) for number, code in numbers.items()),
    ]


def configured(action: str, says: Fields) -> Sequence[Case]:
    return [
        Case(action, 21402, {**says, "voice_url": NONSENSE}),
        Case(action, 21405, {**says, "voice_fallback_url": PICTURE}),
        Case(action, 21406, {**says, "sms_fallback_url": PICTURE}),
    ]


CALL: Fields = {"to": NEW, "from": SENDER, "twiml": HANG_UP}
ADDED: Fields = {"conference": The("meeting"), "to": NEW, "from": SENDER}
CASES: Sequence[Case] = [
    *(
        Case("messages.create", code, {**MESSAGE, "to": number})
        for number, code in {
            "+15005550001": 21211, TOO_SHORT: 21211, "+15005550002": 21612, "+15005550003": 21408,
            "+15005550004": 21610, "+15005550009": 21614, SENDER: 21266,
        }.items()
    ),
    *(
        Case("messages.create", code, {**MESSAGE, "from": number})
        for number, code in {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}.items()
    ),
    Case("messages.create", 21609, MESSAGE, door=BAD_DOOR),
    Case("messages.create", 21620, {**MESSAGE, "media_url": [PICTURE, NONSENSE]}),
    *(Case("messages.create", 35114, {**SCHEDULED, "send_at": time}) for time in (SOON, TOO_LATE)),
    Case("messages.update", 20009, {"message_sid": The("sending")}),
    Case("messages.cancel", 30409, {"message_sid": The("message")}),
    Case("messages.cancel", 30409, {"message_sid": The("called off")}, status="canceled"),
    Case("messages.delete", 20009, {"message_sid": The("sending")}),
    *dialed("calls.create", CALL, "fallback_url"),
    Case("calls.create", 21205, {"to": NEW, "from": SENDER, "url": NONSENSE}),
    Case("calls.redirect", 21205, {**TALKING, "url": NONSENSE}),
    Case("calls.redirect", 21220, {**ENDED, "twiml": HANG_UP}),
    Case("calls.redirect", 21220, {"call_sid": The("ringing"), "twiml": HANG_UP}),
    Case("calls.hang_up", 21220, ENDED, reply=Done(400, {})),
    Case("calls.cancel", 21220, TALKING),
    Case("calls.cancel", 21220, ENDED),
    Case("calls.cancel", 21220, {"call_sid": The("missed")}, status="canceled"),
    Case("calls.delete", 20009, TALKING),
    Case("recordings.start", 21220, ENDED),
    Case("recordings.start", 21220, TALKING),
    Case("recordings.pause", 21220, OVER),
    Case("recordings.resume", 21220, OVER),
    Case("recordings.stop", 21220, OVER, status="completed"),
    Case("recordings.delete", 20009, {"recording_sid": The("recording of talking")}),
    Case("conferences.announce", 21205, {"conference_sid": The("meeting"), "announce_url": NONSENSE}),
    *dialed("participants.add", ADDED, "wait_url"),
    Case("participants.add", 16024, ADDED, id="CA" + "0" * 32),
    Case("participants.add", 16026, ADDED, id="today-1"),
    Case("participants.announce", 21205, {**PERSON, "announce_url": NONSENSE}),
    *configured("numbers.buy", {"phone_number": The("for sale")}),
    Case("numbers.buy", 21421, {"phone_number": "+15005550001"}),
    Case("numbers.buy", 21422, {"phone_number": "+15005550000"}),
    Case("numbers.buy", 21422, {"phone_number": NEW}),
    Case("numbers.buy", 21452, {"area_code": "999"}),
    *configured("numbers.configure", NUMBER),
    Case("numbers.configure", 20001, {**NUMBER, "to_account_sid": "AC" + "0" * 32}),
    Case("caller_ids.verify", 21401, {"phone_number": TOO_SHORT}),
    Case("caller_ids.verify", 21450, {"phone_number": The("somebody")}),
    Case("caller_ids.verify", 21609, {"phone_number": NEW, "status_callback": NONSENSE}),
]  # fmt: skip
FULL: Sequence[Case] = [
    Case("messages.create", 21611, MESSAGE),
    Case("calls.create", 22005, CALL),
    Case("participants.add", 22005, ADDED),
]
"""What is refused while so much waits to be sent or dialed that it would take too long."""
SLOW = Limits(segments_per_second=1e-5, calls_per_second=1e-5)

GONE: Sequence[tuple[str, Fields]] = [
    ("participants.add", {**ADDED, "conference": The("ended meeting")}),
    ("participants.mute", LEFT),
    ("participants.remove", LEFT),
    ("recordings.pause", {"call_sid": The("person")}),
    ("numbers.search", {"country_code": "ZZ"}),
    ("numbers.search", {"country_code": "US", "kind": "mobile"}),
]
"""What is not there though all SIDs are: who has left, what nobody records, what is not for sale."""
