"""What each operation is asked in the tests: the whole table of what is served."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from deploy.emulator.rest.operations import ROOT
from tests.deploy.emulator.conftest import SENDER
from tests.deploy.emulator.inhabited import PICTURE, TALK, Fields, Inhabited, offered

BELOW = f"{ROOT}/Accounts/{{AccountSid}}/"


class Case(NamedTuple):
    """What an operation is asked: about which of the things that exist, with which form and query."""

    about: Mapping[str, str] = MappingProxyType({})
    form: Fields | Callable[[Inhabited], Fields] = MappingProxyType({})
    query: Fields = MappingProxyType({})

    def says(self, world: Inhabited) -> Fields:
        return self.form(world) if callable(self.form) else self.form


def buying(kind: str) -> Callable[[Inhabited], Fields]:
    return lambda world: {"PhoneNumber": offered(world, KINDS[kind], kind, 1), "VoiceUrl": PICTURE}


TALKING, OVER = {"CallSid": "talking"}, {"CallSid": "ended call", "Sid": "recording of ended call"}
WRONG = {"CallSid": "ended call", "Sid": "complaint"}
MEETING = {"ConferenceSid": "meeting"}
ENDED = {"ConferenceSid": "ended meeting", "Sid": "recording of ended meeting"}
PERSON = {**MEETING, "CallSid": "person"}
WORDS = {"RecordingSid": "recording of ended call", "Sid": "words"}
FILE = {"MessageSid": "message", "Sid": "media"}
PAUSED = {"Status": "paused", "PauseBehavior": "skip"}
KINDS = {
    "Local": "US", "TollFree": "US", "Mobile": "GB", "National": "GB", "Voip": "FR", "SharedCost": "FR",
    "MachineToMachine": "FR",
}  # fmt: skip
CASES: Mapping[str, Case] = {
    f"GET {ROOT}/Accounts.json": Case(),
    f"POST {ROOT}/Accounts.json": Case(form={"FriendlyName": "Another"}),
    f"GET {ROOT}/Accounts/{{Sid}}.json": Case({"Sid": "account"}),
    f"POST {ROOT}/Accounts/{{Sid}}.json": Case({"Sid": "sub-account"}, {"Status": "suspended"}),
    f"GET {BELOW}Balance.json": Case(),
    f"GET {BELOW}Messages.json": Case(),
    f"POST {BELOW}Messages.json": Case(form={"To": "+15559000020", "From": SENDER, "MediaUrl": [PICTURE, PICTURE]}),
    f"GET {BELOW}Messages/{{Sid}}.json": Case({"Sid": "message"}),
    f"POST {BELOW}Messages/{{Sid}}.json": Case({"Sid": "message"}, {"Body": ""}),
    f"DELETE {BELOW}Messages/{{Sid}}.json": Case({"Sid": "message"}),
    f"GET {BELOW}Messages/{{MessageSid}}/Media.json": Case(FILE),
    f"GET {BELOW}Messages/{{MessageSid}}/Media/{{Sid}}.json": Case(FILE),
    f"DELETE {BELOW}Messages/{{MessageSid}}/Media/{{Sid}}.json": Case(FILE),
    f"POST {BELOW}Messages/{{MessageSid}}/Feedback.json": Case(FILE, {"Outcome": "unconfirmed"}),
    f"GET {BELOW}Calls.json": Case(),
    f"POST {BELOW}Calls.json": Case(form={"To": "+15559000021", "From": SENDER, "Twiml": TALK}),
    f"GET {BELOW}Calls/{{Sid}}.json": Case({"Sid": "ended call"}),
    f"POST {BELOW}Calls/{{Sid}}.json": Case({"Sid": "talking"}, {"Status": "completed"}),
    f"DELETE {BELOW}Calls/{{Sid}}.json": Case({"Sid": "ended call"}),
    f"GET {BELOW}Calls/{{CallSid}}/Events.json": Case(WRONG),
    f"GET {BELOW}Calls/{{CallSid}}/Notifications.json": Case(WRONG),
    f"GET {BELOW}Calls/{{CallSid}}/Notifications/{{Sid}}.json": Case(WRONG),
    f"GET {BELOW}Notifications.json": Case(),
    f"GET {BELOW}Notifications/{{Sid}}.json": Case(WRONG),
    f"GET {BELOW}Calls/{{CallSid}}/Recordings.json": Case(TALKING),
    f"POST {BELOW}Calls/{{CallSid}}/Recordings.json": Case({"CallSid": "person"}, {"RecordingChannels": "dual"}),
    f"GET {BELOW}Calls/{{CallSid}}/Recordings/{{Sid}}.json": Case(OVER),
    f"POST {BELOW}Calls/{{CallSid}}/Recordings/{{Sid}}.json": Case(
        {**TALKING, "Sid": "recording of talking"}, PAUSED
    ),
    f"DELETE {BELOW}Calls/{{CallSid}}/Recordings/{{Sid}}.json": Case(OVER),
    f"POST {BELOW}Calls/{{CallSid}}/Transcriptions.json": Case(TALKING, {"Name": "more words"}),
    f"POST {BELOW}Calls/{{CallSid}}/Transcriptions/{{Sid}}.json": Case(
        {**TALKING, "Sid": "live words"}, {"Status": "stopped"}
    ),
    f"GET {BELOW}Conferences.json": Case(),
    f"GET {BELOW}Conferences/{{Sid}}.json": Case({"Sid": "ended meeting"}),
    f"POST {BELOW}Conferences/{{Sid}}.json": Case({"Sid": "meeting"}, {"Status": "completed"}),
    f"GET {BELOW}Conferences/{{ConferenceSid}}/Recordings.json": Case(MEETING),
    f"GET {BELOW}Conferences/{{ConferenceSid}}/Recordings/{{Sid}}.json": Case(ENDED),
    f"POST {BELOW}Conferences/{{ConferenceSid}}/Recordings/{{Sid}}.json": Case(
        {**MEETING, "Sid": "recording of meeting"}, PAUSED
    ),
    f"DELETE {BELOW}Conferences/{{ConferenceSid}}/Recordings/{{Sid}}.json": Case(ENDED),
    f"GET {BELOW}Conferences/{{ConferenceSid}}/Participants.json": Case(MEETING),
    f"POST {BELOW}Conferences/{{ConferenceSid}}/Participants.json": Case(
        MEETING, {"To": "+15559000022", "From": SENDER}
    ),
    f"GET {BELOW}Conferences/{{ConferenceSid}}/Participants/{{CallSid}}.json": Case(PERSON),
    f"POST {BELOW}Conferences/{{ConferenceSid}}/Participants/{{CallSid}}.json": Case(PERSON, {"Muted": "true"}),
    f"DELETE {BELOW}Conferences/{{ConferenceSid}}/Participants/{{CallSid}}.json": Case(PERSON),
    f"GET {BELOW}Recordings.json": Case(),
    f"GET {BELOW}Recordings/{{Sid}}.json": Case({"Sid": "recording of ended call"}),
    f"DELETE {BELOW}Recordings/{{Sid}}.json": Case({"Sid": "recording of ended call"}),
    f"GET {BELOW}Recordings/{{RecordingSid}}/Transcriptions.json": Case(WORDS),
    f"GET {BELOW}Recordings/{{RecordingSid}}/Transcriptions/{{Sid}}.json": Case(WORDS),
    f"DELETE {BELOW}Recordings/{{RecordingSid}}/Transcriptions/{{Sid}}.json": Case(WORDS),
    f"GET {BELOW}Transcriptions.json": Case(),
    f"GET {BELOW}Transcriptions/{{Sid}}.json": Case(WORDS),
    f"DELETE {BELOW}Transcriptions/{{Sid}}.json": Case(WORDS),
    f"GET {BELOW}AvailablePhoneNumbers.json": Case(),
    f"GET {BELOW}AvailablePhoneNumbers/{{CountryCode}}.json": Case({"CountryCode": "=GB"}),
    **{
        f"GET {BELOW}AvailablePhoneNumbers/{{CountryCode}}/{kind}.json": Case({"CountryCode": f"={country}"})
        for kind, country in KINDS.items()
    },
    f"GET {BELOW}IncomingPhoneNumbers.json": Case(),
    f"POST {BELOW}IncomingPhoneNumbers.json": Case(form={"AreaCode": "415"}),
    **{f"GET {BELOW}IncomingPhoneNumbers/{kind}.json": Case() for kind in ("Local", "Mobile", "TollFree")},
    **{
        f"POST {BELOW}IncomingPhoneNumbers/{kind}.json": Case(form=buying(kind))
        for kind in ("Local", "Mobile", "TollFree")
    },
    f"GET {BELOW}IncomingPhoneNumbers/{{Sid}}.json": Case({"Sid": "number"}),
    f"POST {BELOW}IncomingPhoneNumbers/{{Sid}}.json": Case({"Sid": "number"}, {"SmsUrl": PICTURE, "SmsMethod": "GET"}),
    f"DELETE {BELOW}IncomingPhoneNumbers/{{Sid}}.json": Case({"Sid": "number"}),
    f"GET {BELOW}OutgoingCallerIds.json": Case(),
    f"POST {BELOW}OutgoingCallerIds.json": Case(form={"PhoneNumber": "+15559000023"}),
    f"GET {BELOW}OutgoingCallerIds/{{Sid}}.json": Case({"Sid": "caller id"}),
    f"POST {BELOW}OutgoingCallerIds/{{Sid}}.json": Case({"Sid": "caller id"}, {"FriendlyName": "Mobile"}),
    f"DELETE {BELOW}OutgoingCallerIds/{{Sid}}.json": Case({"Sid": "caller id"}),
}  # fmt: skip
