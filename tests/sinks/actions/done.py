"""Each action with success: what it says, what its answer shows, and what is true at the provider before and after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.emulator.lives.numbers import VERIFIER
from tests.deploy.emulator.conftest import ACCOUNT, SENDER
from tests.deploy.emulator.inhabited import PICTURE, TALK, TEAM
from tests.sinks.actions.emulated import DOOR, SERVICE, Emulated, Fields, The

Fact = Callable[[Emulated], object]
NEW, HANG_UP = "+15559000040", "<Response><Hangup/></Response>"
WAIT = "<Response><Pause length='2000'/></Response>"


@dataclass(frozen=True)
class Row:
    """`shows` is a part of the answer; `lists` what a list finds. `sid` names what it made (by its prefix) or touched.

    `fact` is of the emulator's account: what it is before (`was`) and a few seconds after (`becomes`). Without one,
    nothing there may change.
    """

    says: Fields = field(default_factory=dict)
    shows: Fields = field(default_factory=dict)
    status: int = 200
    sid: str | None = None
    lists: frozenset[str] | None = None
    fact: Fact | None = None
    was: object = None
    becomes: object = None


def made(kind: str, **properties: str) -> Fact:
    """What there is of a kind with the action's correlation, by some of its properties."""

    def of(at: Emulated) -> object:
        found = getattr(at.account, kind).values()
        return [
            {name: getattr(each, attribute) for name, attribute in properties.items()}
            for each in found
            if each.target and each.target.correlation == "a-1"
        ]

    return of


def of(kind: str, name: str, attribute: str) -> Fact:
    return lambda at: getattr(at.the(kind, name), attribute)


def announced(at: Emulated) -> object:
    return at.the("conferences", "meeting").events["announcement-end"]


def bought(at: Emulated) -> object:
    return [each.phone_number == at.world.sids["for sale"] for each in at.account.numbers.values()][3:]


def asked_for_the_code(at: Emulated) -> object:
    return [each.to for each in at.account.calls.values() if each.from_ == VERIFIER][1:]


def added(at: Emulated) -> object:
    there = at.account.participants.values()
    return [(at.account.calls[each.sid].to, each.muted) for each in there if each.label == "a-1"]


def recorded(at: Emulated) -> object:
    sid = at.the("calls", "person").recording
    return at.account.recordings[sid].status if sid else None


MESSAGE, FILE = {"message_sid": The("message")}, {"message_sid": The("message"), "media_sid": The("media")}
TALKING, MEETING = {"call_sid": The("talking")}, {"conference_sid": The("meeting")}
PERSON, OTHER = {**MEETING, "call_sid": The("person")}, {**MEETING, "call_sid": The("other")}
RECORDING, WORDS = {"recording_sid": The("recording of ended call")}, {"transcription_sid": The("words")}
NUMBER, CALLER_ID = {"number_sid": The("number")}, {"caller_id_sid": The("caller id")}

MESSAGES: Mapping[str, Row] = {
    "messages.create": Row(
        {"to": NEW, "messaging_service_sid": SERVICE, "body": "Hi", "media_url": [PICTURE]},
        {"status": "accepted", "to": NEW, "body": "Hi", "num_media": "1", "messaging_service_sid": SERVICE},
        status=201,
        sid="MM",
        fact=made("messages", to="to", body="body", media="media"),
        was=[],
        becomes=[{"to": NEW, "body": "Hi", "media": 1}],
    ),
    "messages.fetch": Row(MESSAGE, {"status": "delivered", "body": "Hi", "num_media": "1"}, sid="message"),
    "messages.list": Row({"to": "+15559000030"}, lists=frozenset({"scheduled", "called off"})),
    "messages.update": Row(
        MESSAGE, {"body": ""}, sid="message", fact=of("messages", "message", "body"), was="Hi", becomes=""
    ),
    "messages.cancel": Row(
        {"message_sid": The("scheduled")},
        {"status": "canceled"},
        sid="scheduled",
        fact=of("messages", "scheduled", "status"),
        was="scheduled",
        becomes="canceled",
    ),
    "messages.delete": Row(
        MESSAGE, status=204, sid="message", fact=of("messages", "message", "deleted"), was=False, becomes=True
    ),
    "messages.feedback": Row(
        {**MESSAGE, "outcome": "unconfirmed"},
        {"outcome": "unconfirmed"},
        sid="message",
        fact=lambda at: at.account.feedback[at.world.sids["message"]].outcome,
        was="confirmed",
        becomes="unconfirmed",
    ),
    "media.list": Row(MESSAGE, lists=frozenset({"media"})),
    "media.fetch": Row(FILE, {"content_type": "image/png", "parent_sid": The("message")}, sid="media"),
    "media.download": Row(FILE, {"content_type": "image/png"}, sid="media"),
    "media.delete": Row(FILE, status=204, sid="media", fact=of("media", "media", "deleted"), was=False, becomes=True),
}
CALLS: Mapping[str, Row] = {
    "calls.create": Row(
        {"to": NEW, "from": SENDER, "twiml": HANG_UP, "record": True, "machine_detection": "Enable", "async_amd": True},
        {"status": "queued", "to": NEW, "direction": "outbound-api"},
        status=201,
        sid="CA",
        fact=made("calls", to="to", twiml="twiml"),
        was=[],
        becomes=[{"to": NEW, "twiml": HANG_UP}],
    ),
    "calls.fetch": Row({"call_sid": The("ended call")}, {"status": "completed"}, sid="ended call"),
    "calls.list": Row({"status": "canceled"}, lists=frozenset({"missed"})),
    "calls.redirect": Row(
        {**TALKING, "twiml": WAIT},
        {"status": "in-progress"},
        sid="talking",
        fact=of("calls", "talking", "twiml"),
        was=TALK,
        becomes=WAIT,
    ),
    "calls.hang_up": Row(
        TALKING,
        {"status": "completed"},
        sid="talking",
        fact=of("calls", "talking", "status"),
        was="in-progress",
        becomes="completed",
    ),
    "calls.cancel": Row(
        {"call_sid": The("ringing")},
        {"status": "canceled"},
        sid="ringing",
        fact=of("calls", "ringing", "status"),
        was="queued",
        becomes="canceled",
    ),
    "calls.delete": Row(
        {"call_sid": The("ended call")},
        status=204,
        sid="ended call",
        fact=of("calls", "ended call", "deleted"),
        was=False,
        becomes=True,
    ),
    "recordings.start": Row(
        {"call_sid": The("person"), "recording_channels": "dual"},
        {"status": "in-progress", "call_sid": The("person"), "source": "StartCallRecordingAPI"},
        status=201,
        sid="RE",
        fact=recorded,
        was=None,
        becomes="in-progress",
    ),
    "recordings.pause": Row(
        {**TALKING, "pause_behavior": "skip"},
        {"status": "paused"},
        sid="recording of talking",
        fact=of("recordings", "recording of talking", "status"),
        was="in-progress",
        becomes="paused",
    ),
    "recordings.resume": Row(
        MEETING,
        {"status": "in-progress"},
        sid="paused",
        fact=of("recordings", "paused", "status"),
        was="paused",
        becomes="in-progress",
    ),
    "recordings.stop": Row(
        {**TALKING, "recording_sid": The("recording of talking")},
        {"status": "processing"},
        sid="recording of talking",
        fact=of("recordings", "recording of talking", "status"),
        was="in-progress",
        becomes="completed",
    ),
}
CONFERENCES: Mapping[str, Row] = {
    "conferences.fetch": Row(
        {"conference_sid": The("ended meeting")},
        {"status": "completed", "reason_conference_ended": "conference-ended-via-api"},
        sid="ended meeting",
    ),
    "conferences.list": Row({"status": "in-progress"}, lists=frozenset({"meeting"})),
    "conferences.end": Row(
        MEETING,
        {"status": "completed"},
        sid="meeting",
        fact=of("conferences", "meeting", "status"),
        was="in-progress",
        becomes="completed",
    ),
    "conferences.announce": Row({**MEETING, "announce_url": PICTURE}, sid="meeting", fact=announced, was=0, becomes=1),
    "conference_recordings.list": Row(MEETING, lists=frozenset({"recording of meeting"})),
    "participants.add": Row(
        {"conference": The("meeting"), "to": NEW, "from": SENDER, "muted": True, "machine_detection": "Enable"},
        {"label": "a-1", "muted": True, "conference_sid": The("meeting")},
        status=201,
        sid="CA",
        fact=added,
        was=[],
        becomes=[(NEW, True)],
    ),
    "participants.fetch": Row(PERSON, {"label": "today-1", "muted": False}, sid="person"),
    "participants.list": Row({**MEETING, "muted": True}, lists=frozenset({"other"})),
    "participants.mute": Row(
        PERSON, {"muted": True}, sid="person", fact=of("participants", "person", "muted"), was=False, becomes=True
    ),
    "participants.unmute": Row(
        OTHER, {"muted": False}, sid="other", fact=of("participants", "other", "muted"), was=True, becomes=False
    ),
    "participants.hold": Row(
        {**PERSON, "hold_url": PICTURE},
        {"hold": True},
        sid="person",
        fact=of("participants", "person", "hold"),
        was=False,
        becomes=True,
    ),
    "participants.unhold": Row(
        OTHER, {"hold": False}, sid="other", fact=of("participants", "other", "hold"), was=True, becomes=False
    ),
    "participants.coach": Row(
        {**PERSON, "call_sid_to_coach": The("other")},
        {"coaching": True, "call_sid_to_coach": The("other")},
        sid="person",
        fact=of("participants", "person", "coaching"),
        was=False,
        becomes=True,
    ),
    "participants.announce": Row({**PERSON, "announce_url": PICTURE}, sid="person", fact=announced, was=0, becomes=1),
    "participants.update": Row(
        {**PERSON, "end_conference_on_exit": True},
        {"end_conference_on_exit": True},
        sid="person",
        fact=of("participants", "person", "end_on_exit"),
        was=False,
        becomes=True,
    ),
    "participants.remove": Row(
        PERSON, status=204, sid="person", fact=of("participants", "person", "left"), was=False, becomes=True
    ),
}
RECORDINGS: Mapping[str, Row] = {
    "recordings.fetch": Row(
        RECORDING, {"status": "completed", "call_sid": The("ended call")}, sid="recording of ended call"
    ),
    "recordings.list": Row({"conference_sid": The("ended meeting")}, lists=frozenset({"recording of ended meeting"})),
    "recordings.delete": Row(
        RECORDING,
        status=204,
        sid="recording of ended call",
        fact=of("recordings", "recording of ended call", "deleted"),
        was=False,
        becomes=True,
    ),
    "recordings.download": Row(
        {**RECORDING, "format": "mp3", "delete_after": True},
        {"status": "completed"},
        status=204,
        sid="recording of ended call",
        fact=of("recordings", "recording of ended call", "deleted"),
        was=False,
        becomes=True,
    ),
    "transcriptions.list": Row(RECORDING, lists=frozenset({"words"})),
    "transcriptions.fetch": Row(WORDS, {"recording_sid": The("recording of ended call")}, sid="words"),
    "transcriptions.delete": Row(
        WORDS, status=204, sid="words", fact=of("transcriptions", "words", "deleted"), was=False, becomes=True
    ),
}
NUMBERS: Mapping[str, Row] = {
    "numbers.search": Row({"country_code": "US", "contains": The("for sale")}, lists=frozenset({"for sale"})),
    "numbers.buy": Row(
        {"phone_number": The("for sale"), "friendly_name": "New"},
        {"phone_number": The("for sale"), "friendly_name": "New"},
        status=201,
        sid="PN",
        fact=bought,
        was=[],
        becomes=[True],
    ),
    "numbers.list": Row({"friendly_name": TEAM}, lists=frozenset({"number", "mobile", "toll-free"})),
    "numbers.fetch": Row(NUMBER, {"friendly_name": TEAM}, sid="number"),
    "numbers.configure": Row(
        {**NUMBER, "sms_url": PICTURE, "sms_method": "GET"},
        {"sms_url": PICTURE, "sms_method": "GET"},
        sid="number",
        fact=of("numbers", "number", "settings"),
        was={},
        becomes={"SmsUrl": PICTURE, "SmsMethod": "GET"},
    ),
    "numbers.release": Row(
        NUMBER, status=204, sid="number", fact=of("numbers", "number", "deleted"), was=False, becomes=True
    ),
    "numbers.wire": Row(
        {"phone_number": The("its number"), "fix": True},
        lists=frozenset({"number"}),
        fact=lambda at: at.the("numbers", "number").settings.get("VoiceUrl"),
        was=None,
        becomes=f"{DOOR}/webhooks/calls/inbound#rc=5&rp=all",
    ),
    "caller_ids.verify": Row(
        {"phone_number": NEW, "friendly_name": "Ada"},
        {"phone_number": NEW},
        fact=asked_for_the_code,
        was=[],
        becomes=[NEW],
    ),
    "caller_ids.list": Row({"friendly_name": "Cell"}, lists=frozenset({"caller id"})),
    "caller_ids.fetch": Row(CALLER_ID, {"phone_number": The("somebody")}, sid="caller id"),
    "caller_ids.update": Row(
        {**CALLER_ID, "friendly_name": "Ada"},
        {"friendly_name": "Ada"},
        sid="caller id",
        fact=of("caller_ids", "caller id", "friendly_name"),
        was="Cell",
        becomes="Ada",
    ),
    "caller_ids.delete": Row(
        CALLER_ID, status=204, sid="caller id", fact=of("caller_ids", "caller id", "deleted"), was=False, becomes=True
    ),
}
ACCOUNTS: Mapping[str, Row] = {
    "accounts.fetch": Row({"sid": The("sub-account")}, {"friendly_name": "Below"}, sid="sub-account"),
    "accounts.list": Row(lists=frozenset({"account", "sub-account"})),
    "accounts.balance": Row(shows={"account_sid": ACCOUNT, "currency": "USD"}),
}
ROWS: Mapping[str, Row] = {**MESSAGES, **CALLS, **CONFERENCES, **RECORDINGS, **NUMBERS, **ACCOUNTS}
