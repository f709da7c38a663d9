"""What the official SDK is told to do for each operation, and what comes of it."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountInstance
from twilio.rest.api.v2010.account.call import CallInstance
from twilio.rest.api.v2010.account.call.recording import RecordingInstance
from twilio.rest.api.v2010.account.call.transcription import TranscriptionInstance
from twilio.rest.api.v2010.account.conference import ConferenceInstance
from twilio.rest.api.v2010.account.message.feedback import FeedbackInstance

from deploy.emulator.rest.operations import ROOT
from tests.deploy.emulator.cases import BELOW, KINDS
from tests.deploy.emulator.conftest import SENDER
from tests.deploy.emulator.inhabited import PICTURE, TALK, TEAM, Inhabited, offered

SOMEBODY = "+15559000030"
PAUSED: Any = RecordingInstance.Status.PAUSED  # a text, which the SDK's own annotations deny
STOPPED: Any = TranscriptionInstance.UpdateStatus.STOPPED


class Run(NamedTuple):
    """What the SDK is told to do; what comes of it: its class, and some of its attributes.

    A text is compared with `str` of the attribute, None is None, a pattern must match; a SID is named by `@`.
    """

    do: Callable[[Client, Mapping[str, str], Inhabited], Any]
    shows: str = ""
    expected: Mapping[str, object] = {}


def account(name: str) -> str:
    return f"{BELOW}{name}.json"


def _kinds() -> Mapping[str, Run]:
    """Numbers for sale, by kind; `machine_to_machine` for `MachineToMachine`."""

    def searching(name: str, country: str) -> Callable[[Client, Mapping[str, str], Inhabited], Any]:
        return lambda sdk, sids, world: getattr(sdk.available_phone_numbers(country), name).list(limit=3)

    def shown(kind: str, country: str) -> Run:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
        return Run(
            searching(name, country), f"{kind}Instance", {"iso_country": country, "phone_number": re.compile(r"\+\d+")}
        )

    return {
        f"GET {BELOW}AvailablePhoneNumbers/{{CountryCode}}/{kind}.json": shown(kind, country)
        for kind, country in KINDS.items()
    }


def _bought(kind: str, name: str) -> Mapping[str, Run]:
    def numbers(sdk: Client) -> Any:
        return getattr(sdk.incoming_phone_numbers, name)

    return {
        f"GET {account(f'IncomingPhoneNumbers/{kind}')}": Run(
            lambda sdk, sids, world: numbers(sdk).list(), f"{kind}Instance", {"friendly_name": TEAM}
        ),
        f"POST {account(f'IncomingPhoneNumbers/{kind}')}": Run(
            lambda sdk, sids, world: numbers(sdk).create(
                phone_number=offered(world, KINDS[kind], kind, 2), voice_url=PICTURE, voice_method="GET"
            ),
            f"{kind}Instance",
            {"voice_url": PICTURE, "voice_method": "GET", "sms_method": "POST", "origin": "twilio"},
        ),
    }


MESSAGE = {"sid": "@message", "status": "delivered", "num_media": "1", "error_code": None, "to": "+15559000010"}
CALL = {"sid": "@ended call", "status": CallInstance.Status.COMPLETED, "direction": "outbound-api", "_from": SENDER}
RECORDING = {"sid": "@recording of ended call", "status": "completed", "channels": "1", "source": "OutboundAPI"}
MET = {"sid": "@recording of ended meeting", "conference_sid": "@ended meeting", "source": "Conference"}
WRONG = {"sid": "@complaint", "call_sid": "@ended call", "error_code": "12200", "log": "1", "request_url": None}
WORDS = {"sid": "@words", "recording_sid": "@recording of ended call", "status": "completed"}
PERSON = {
    "call_sid": "@person",
    "conference_sid": "@meeting",
    "label": "today-1",
    "status": "connected",
    "hold": "False",
}
OURS = {
    "sid": "@number",
    "friendly_name": TEAM,
    "phone_number": re.compile(r"\+180855501\d\d"),
    "emergency_status": "Inactive",
}
THEIRS = {"sid": "@caller id", "phone_number": "+15559000013", "friendly_name": "Cell"}
RUNS: Mapping[str, Run] = {
    f"GET {ROOT}/Accounts.json": Run(lambda sdk, sids, world: sdk.api.accounts.list(), "AccountInstance"),
    f"POST {ROOT}/Accounts.json": Run(
        lambda sdk, sids, world: sdk.api.accounts.create(friendly_name="New"),
        "AccountInstance",
        {"friendly_name": "New", "auth_token": re.compile("[0-9a-f]{32}"), "owner_account_sid": "@account"},
    ),
    f"GET {ROOT}/Accounts/{{Sid}}.json": Run(
        lambda sdk, sids, world: sdk.api.accounts(sids["account"]).fetch(),
        "AccountInstance",
        {"sid": "@account", "status": AccountInstance.Status.ACTIVE, "type": AccountInstance.Type.FULL},
    ),
    f"POST {ROOT}/Accounts/{{Sid}}.json": Run(
        lambda sdk, sids, world: sdk.api.accounts(sids["sub-account"]).update(status=AccountInstance.Status.CLOSED),
        "AccountInstance",
        {"sid": "@sub-account", "status": "closed", "friendly_name": "Below"},
    ),
    f"GET {account('Balance')}": Run(
        lambda sdk, sids, world: sdk.balance.fetch(),
        "BalanceInstance",
        {"currency": "USD", "balance": re.compile(r"99\d\.\d+")},
    ),
    f"GET {account('Messages')}": Run(
        lambda sdk, sids, world: sdk.messages.list(
            to="+15559000010", date_sent_after=datetime(2025, 12, 31, tzinfo=UTC)
        ),
        "MessageInstance",
        MESSAGE,
    ),
    f"POST {account('Messages')}": Run(
        lambda sdk, sids, world: sdk.messages.create(to=SOMEBODY, from_=SENDER, media_url=[PICTURE, PICTURE]),
        "MessageInstance",
        {"status": "queued", "num_media": "2", "body": "", "from_": SENDER, "date_sent": None, "price": None},
    ),
    f"GET {account('Messages/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.messages(sids["message"]).fetch(),
        "MessageInstance",
        {**MESSAGE, "price": "-0.00790", "price_unit": "USD", "num_segments": "1"},
    ),
    f"POST {account('Messages/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.messages(sids["message"]).update(body=""),
        "MessageInstance",
        {**MESSAGE, "body": ""},
    ),
    f"DELETE {account('Messages/{Sid}')}": Run(lambda sdk, sids, world: sdk.messages(sids["message"]).delete()),
    f"GET {account('Messages/{MessageSid}/Media')}": Run(
        lambda sdk, sids, world: sdk.messages(sids["message"]).media.list(),
        "MediaInstance",
        {"sid": "@media", "content_type": "image/png"},
    ),
    f"GET {account('Messages/{MessageSid}/Media/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.messages(sids["message"]).media(sids["media"]).fetch(),
        "MediaInstance",
        {"sid": "@media", "parent_sid": "@message"},
    ),
    f"DELETE {account('Messages/{MessageSid}/Media/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.messages(sids["message"]).media(sids["media"]).delete()
    ),
    f"POST {account('Messages/{MessageSid}/Feedback')}": Run(
        lambda sdk, sids, world: sdk.messages(sids["message"]).feedback.create(
            outcome=FeedbackInstance.Outcome.CONFIRMED
        ),
        "FeedbackInstance",
        {"outcome": "confirmed", "message_sid": "@message"},
    ),
    f"GET {account('Calls')}": Run(
        lambda sdk, sids, world: sdk.calls.list(status=CallInstance.Status.COMPLETED, to="+15559000012"),
        "CallInstance",
        CALL,
    ),
    f"POST {account('Calls')}": Run(
        lambda sdk, sids, world: sdk.calls.create(to=SOMEBODY, from_=SENDER, twiml=TALK),
        "CallInstance",
        {"status": "queued", "to": SOMEBODY, "duration": None, "start_time": None},
    ),
    f"GET {account('Calls/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["ended call"]).fetch(),
        "CallInstance",
        {**CALL, "duration": re.compile(r"\d+"), "price": re.compile(r"-0\.\d{5}"), "answered_by": None},
    ),
    f"POST {account('Calls/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["talking"]).update(status=CallInstance.UpdateStatus.COMPLETED),
        "CallInstance",
        {"sid": "@talking", "status": "completed"},
    ),
    f"DELETE {account('Calls/{Sid}')}": Run(lambda sdk, sids, world: sdk.calls(sids["ended call"]).delete()),
    f"GET {account('Calls/{CallSid}/Events')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["ended call"]).events.list(), "EventInstance"
    ),
    f"GET {account('Calls/{CallSid}/Notifications')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["ended call"]).notifications.list(log=1), "NotificationInstance", WRONG
    ),
    f"GET {account('Calls/{CallSid}/Notifications/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["ended call"]).notifications(sids["complaint"]).fetch(),
        "NotificationInstance",
        {**WRONG, "response_body": "", "message_text": re.compile("Msg=.*LogLevel=WARNING")},
    ),
    f"GET {account('Notifications')}": Run(
        lambda sdk, sids, world: sdk.notifications.list(message_date_after=date(2025, 12, 31)),
        "NotificationInstance",
        WRONG,
    ),
    f"GET {account('Notifications/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.notifications(sids["complaint"]).fetch(),
        "NotificationInstance",
        {**WRONG, "request_variables": "", "request_method": "POST"},
    ),
    f"GET {account('Calls/{CallSid}/Recordings')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["ended call"]).recordings.list(), "RecordingInstance", RECORDING
    ),
    f"POST {account('Calls/{CallSid}/Recordings')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["person"]).recordings.create(recording_channels="dual"),
        "RecordingInstance",
        {"call_sid": "@person", "channels": "2", "source": "StartCallRecordingAPI", "track": "both", "price": None},
    ),
    f"GET {account('Calls/{CallSid}/Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["ended call"]).recordings(sids["recording of ended call"]).fetch(),
        "RecordingInstance",
        RECORDING,
    ),
    f"POST {account('Calls/{CallSid}/Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: (
            sdk.calls(sids["talking"]).recordings("Twilio.CURRENT").update(status=PAUSED, pause_behavior="silence")
        ),
        "RecordingInstance",
        {"sid": "@recording of talking", "status": "paused", "duration": None},
    ),
    f"DELETE {account('Calls/{CallSid}/Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["ended call"]).recordings(sids["recording of ended call"]).delete()
    ),
    f"POST {account('Calls/{CallSid}/Transcriptions')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["talking"]).transcriptions.create(name="again"),
        "TranscriptionInstance",
        {"call_sid": "@talking", "name": "again", "status": TranscriptionInstance.Status.IN_PROGRESS},
    ),
    f"POST {account('Calls/{CallSid}/Transcriptions/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.calls(sids["talking"]).transcriptions("words").update(status=STOPPED),
        "TranscriptionInstance",
        {"sid": "@live words", "status": "stopped"},
    ),
    f"GET {account('Conferences')}": Run(
        lambda sdk, sids, world: sdk.conferences.list(status=ConferenceInstance.Status.COMPLETED),
        "ConferenceInstance",
        {"sid": "@ended meeting", "reason_conference_ended": "conference-ended-via-api"},
    ),
    f"GET {account('Conferences/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.conferences(sids["meeting"]).fetch(),
        "ConferenceInstance",
        {"sid": "@meeting", "status": "in-progress", "friendly_name": "today", "region": "us1"},
    ),
    f"POST {account('Conferences/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.conferences(sids["meeting"]).update(
            status=ConferenceInstance.UpdateStatus.COMPLETED
        ),
        "ConferenceInstance",
        {"sid": "@meeting", "status": "completed"},
    ),
    f"GET {account('Conferences/{ConferenceSid}/Recordings')}": Run(
        lambda sdk, sids, world: sdk.conferences(sids["ended meeting"]).recordings.list(), "RecordingInstance", MET
    ),
    f"GET {account('Conferences/{ConferenceSid}/Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: (
            sdk.conferences(sids["ended meeting"]).recordings(sids["recording of ended meeting"]).fetch()
        ),
        "RecordingInstance",
        {**MET, "call_sid": None},
    ),
    f"POST {account('Conferences/{ConferenceSid}/Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: (
            sdk.conferences(sids["meeting"]).recordings(sids["recording of meeting"]).update(status=PAUSED)
        ),
        "RecordingInstance",
        {"sid": "@recording of meeting", "status": "paused"},
    ),
    f"DELETE {account('Conferences/{ConferenceSid}/Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: (
            sdk.conferences(sids["ended meeting"]).recordings(sids["recording of ended meeting"]).delete()
        )
    ),
    f"GET {account('Conferences/{ConferenceSid}/Participants')}": Run(
        lambda sdk, sids, world: sdk.conferences(sids["meeting"]).participants.list(muted=False), "ParticipantInstance"
    ),
    f"POST {account('Conferences/{ConferenceSid}/Participants')}": Run(
        lambda sdk, sids, world: sdk.conferences("new").participants.create(from_=SENDER, to=SOMEBODY, label="Ada"),
        "ParticipantInstance",
        {"label": "Ada", "status": "queued", "muted": "False", "start_conference_on_enter": "True"},
    ),
    f"GET {account('Conferences/{ConferenceSid}/Participants/{CallSid}')}": Run(
        lambda sdk, sids, world: sdk.conferences(sids["meeting"]).participants("today-1").fetch(),
        "ParticipantInstance",
        PERSON,
    ),
    f"POST {account('Conferences/{ConferenceSid}/Participants/{CallSid}')}": Run(
        lambda sdk, sids, world: sdk.conferences(sids["meeting"]).participants(sids["person"]).update(hold=True),
        "ParticipantInstance",
        {**PERSON, "hold": "True"},
    ),
    f"DELETE {account('Conferences/{ConferenceSid}/Participants/{CallSid}')}": Run(
        lambda sdk, sids, world: sdk.conferences(sids["meeting"]).participants(sids["person"]).delete()
    ),
    f"GET {account('Recordings')}": Run(
        lambda sdk, sids, world: sdk.recordings.list(call_sid=sids["ended call"]), "RecordingInstance", RECORDING
    ),
    f"GET {account('Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.recordings(sids["recording of ended call"]).fetch(),
        "RecordingInstance",
        {
            **RECORDING,
            "price": re.compile(r"-0\.\d{5}"),
            "media_url": re.compile("https://.*/Recordings/RE[0-9a-f]{32}"),
        },
    ),
    f"DELETE {account('Recordings/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.recordings(sids["recording of ended call"]).delete()
    ),
    f"GET {account('Recordings/{RecordingSid}/Transcriptions')}": Run(
        lambda sdk, sids, world: sdk.recordings(sids["recording of ended call"]).transcriptions.list(),
        "TranscriptionInstance",
        WORDS,
    ),
    f"GET {account('Recordings/{RecordingSid}/Transcriptions/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.recordings(sids["recording of ended call"]).transcriptions(sids["words"]).fetch(),
        "TranscriptionInstance",
        WORDS,
    ),
    f"DELETE {account('Recordings/{RecordingSid}/Transcriptions/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.recordings(sids["recording of ended call"]).transcriptions(sids["words"]).delete()
    ),
    f"GET {account('Transcriptions')}": Run(
        lambda sdk, sids, world: sdk.transcriptions.list(), "TranscriptionInstance", WORDS
    ),
    f"GET {account('Transcriptions/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.transcriptions(sids["words"]).fetch(),
        "TranscriptionInstance",
        {**WORDS, "transcription_text": re.compile(".+"), "type": "fast"},
    ),
    f"DELETE {account('Transcriptions/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.transcriptions(sids["words"]).delete()
    ),
    f"GET {account('AvailablePhoneNumbers')}": Run(
        lambda sdk, sids, world: sdk.available_phone_numbers.list(), "AvailablePhoneNumberCountryInstance"
    ),
    f"GET {account('AvailablePhoneNumbers/{CountryCode}')}": Run(
        lambda sdk, sids, world: sdk.available_phone_numbers("GB").fetch(),
        "AvailablePhoneNumberCountryInstance",
        {"country": "United Kingdom", "country_code": "GB", "beta": "False"},
    ),
    **_kinds(),
    f"GET {account('IncomingPhoneNumbers')}": Run(
        lambda sdk, sids, world: sdk.incoming_phone_numbers.list(phone_number="808555****", friendly_name=TEAM),
        "IncomingPhoneNumberInstance",
        OURS,
    ),
    f"POST {account('IncomingPhoneNumbers')}": Run(
        lambda sdk, sids, world: sdk.incoming_phone_numbers.create(area_code="415", friendly_name="Shop"),
        "IncomingPhoneNumberInstance",
        {"phone_number": re.compile(r"\+141555501\d\d"), "friendly_name": "Shop", "status": "in-use", "type": "local"},
    ),
    **_bought("Local", "local"),
    **_bought("Mobile", "mobile"),
    **_bought("TollFree", "toll_free"),
    f"GET {account('IncomingPhoneNumbers/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.incoming_phone_numbers(sids["number"]).fetch(), "IncomingPhoneNumberInstance", OURS
    ),
    f"POST {account('IncomingPhoneNumbers/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.incoming_phone_numbers(sids["number"]).update(
            sms_url=PICTURE, friendly_name="Shop"
        ),
        "IncomingPhoneNumberInstance",
        {**OURS, "sms_url": PICTURE, "friendly_name": "Shop", "voice_caller_id_lookup": "False"},
    ),
    f"DELETE {account('IncomingPhoneNumbers/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.incoming_phone_numbers(sids["number"]).delete()
    ),
    f"GET {account('OutgoingCallerIds')}": Run(
        lambda sdk, sids, world: sdk.outgoing_caller_ids.list(phone_number="+15559000013"),
        "OutgoingCallerIdInstance",
        THEIRS,
    ),
    f"POST {account('OutgoingCallerIds')}": Run(
        lambda sdk, sids, world: sdk.validation_requests.create(phone_number=SOMEBODY, friendly_name="Ada"),
        "ValidationRequestInstance",
        {"validation_code": re.compile(r"\d{6}"), "phone_number": SOMEBODY, "call_sid": re.compile("CA[0-9a-f]{32}")},
    ),
    f"GET {account('OutgoingCallerIds/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.outgoing_caller_ids(sids["caller id"]).fetch(), "OutgoingCallerIdInstance", THEIRS
    ),
    f"POST {account('OutgoingCallerIds/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.outgoing_caller_ids(sids["caller id"]).update(friendly_name="Work"),
        "OutgoingCallerIdInstance",
        {**THEIRS, "friendly_name": "Work"},
    ),
    f"DELETE {account('OutgoingCallerIds/{Sid}')}": Run(
        lambda sdk, sids, world: sdk.outgoing_caller_ids(sids["caller id"]).delete()
    ),
}
