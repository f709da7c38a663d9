"""Beside what the real provider sent: of every kind that was captured, the emulator's callbacks have the same keys.

A capture holds what ours always says, and ours says somewhere what a capture holds; what differs has its reason here.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from deploy.emulator.resources import Target
from tests.deploy.emulator.conftest import SOMEBODY
from tests.deploy.emulator.lines import BASE, OURS, PATIENT, Line

CAPTURES = Path(__file__).parents[2] / "samples" / "captures"
# Kind of a capture → the kind of ours.
KINDS: Mapping[str, str] = {
    "amd-status": "amd-status",
    "call-status": "call-status",
    "conference-status": "conference-status",
    "debugger": "debugger",
    "fallback": "fallback",
    "inbound-mms": "inbound-mms",
    "inbound-rcs": "inbound-rcs",
    "inbound-sms": "inbound-sms",
    "inbound-whatsapp": "inbound-whatsapp",
    "message-status": "message-status",
    "participant-call-status": "participant-call-status",
    "recording-status": "recording-status",
    "transcription-legacy": "transcription",
    "transcription-realtime": "live-transcription",
    "voice-action": "voice-action",
    "voice-inbound": "voice-request",
}
ELSEWHERE: Mapping[str, str] = {
    "event-streams": "batches of events, of which test_streams tells",
}
# Captures that lack some of what ours always says.
SHORTER: Mapping[str, str] = {
    "conference-status-3": "made for a test, without its number",
    "conference-status-5": "made for a test, with few of its keys",
    "debugger-1": "its source shows its payload and little else",
    "inbound-mms-1": "its empty Body was left out",
    "inbound-rcs-1": "made for a test, with five keys",
    "inbound-sms-17": "older than NumSegments",
    "inbound-whatsapp-1": "older than WaId, ProfileName and MessageType",
    "inbound-whatsapp-3": "older than WaId, ProfileName and MessageType",
    "inbound-whatsapp-5": "older than MessageType and ChannelMetadata",
    "inbound-whatsapp-7": "older than MessageType and ChannelMetadata",
    "inbound-whatsapp-13": "older than MessageType and ChannelMetadata",
    "inbound-whatsapp-15": "made for a test, with ten keys",
    "inbound-whatsapp-17": "made for a test, with ten keys",
    "message-status-17": "made for a test, with four keys",
    "message-status-19": "made for a test, with five keys",
    "recording-status-3": "older than RecordingTrack",
    "recording-status-7": "made for a test, without track and error code",
    "voice-action-11": "a browser called: it is at no place",
    "voice-action-15": "a browser called: it is at no place",
    "voice-action-7": "its first keys are cut off",
}
# Keys of captures that ours never says.
LONGER: Mapping[str, str] = {
    "Address": "a location was sent",
    "Label": "a location was sent",
    "Latitude": "a location was sent",
    "Longitude": "a location was sent",
    "ButtonPayload": "a button was pressed",
    "ButtonText": "a button was pressed",
    "ExternalUserId": "a business knows its user by an id of its own",
    "Forwarded": "it was forwarded",
    "FrequentlyForwarded": "it was forwarded",
    "OriginalRepliedMessageSender": "it answers a message",
    "OriginalRepliedMessageSid": "it answers a message",
    "ReferralNumMedia": "told with some texts since 2023",
    "Body": "a status that repeats its text: seen of two senders",
    "ApplicationSid": "a browser called an application",
    "CallerName": "the number looks callers up",
    "CalledVia": "it was forwarded to us by somebody else",
    "ForwardedFrom": "it was forwarded to us by somebody else",
    "CallToken": "a call that may be forwarded",
    "StirVerstat": "the carrier attested the caller",
}


def names() -> list[str]:
    return sorted(path.stem for path in CAPTURES.glob("*.json") if not path.stem.endswith(".expected"))


def kind_of(name: str) -> str:
    return name.rpartition("-")[0]


async def lives() -> dict[str, list[frozenset[str]]]:
    """Kind → the keys of each callback of that kind: a life of everything, whose paths are the kinds."""
    said: dict[str, list[frozenset[str]]] = defaultdict(list)
    for line in (await _spoken(), await _placed(), await _met(), await _written()):
        for path, params in line.heard:
            said[path.split("/")[1]].append(frozenset(params))
    return said


def _at(kind: str) -> str:
    return f"{BASE}/{kind}"


async def _spoken() -> Line:
    """Somebody calls us, presses a key, is recorded, connected, and waits in a conference."""
    number = '<Number statusCallback="/call-status" statusCallbackEvent="answered completed">+15005570001</Number>'
    record = 'recordingStatusCallback="/recording-status" transcribeCallback="/transcription"'
    line = Line(
        {
            "/voice-request": '<Start><Transcription statusCallbackUrl="/live-transcription"/></Start>'
            '<Gather numDigits="1" action="/voice-action/1"/>',
            "/voice-action/1": f'<Record action="/voice-action/2" {record}/>',
            "/voice-action/2": f'<Dial action="/voice-action/3">{number}</Dial>',
            "/voice-action/3": f'<Dial timeLimit="20" action="/voice-action/4">{number.replace("0001", "0000")}</Dial>',
            "/voice-action/4": '<Dial><Conference waitUrl="/voice-action/5">r</Conference></Dial>',
        },
        {**PATIENT, "transcriptions": {"completed": 1}},
    )
    line.ring("+15005571001", path="/voice-request")
    await line.move()
    return line


async def _placed() -> Line:
    """We call: a machine is listened for, beside the request and before it, and one document is asked for elsewhere."""
    line = Line({"/voice-request": '<Pause length="60"/>', "/broken": 500, "/fallback": "<Hangup/>"})
    line.account.debugger = Target(_at("debugger"))
    told = {"StatusCallback": _at("call-status"), "MachineDetection": "Enable", "Record": "true"}
    recorded = {"RecordingStatusCallback": _at("recording-status")}
    beside = {"AsyncAmd": "true", "AsyncAmdStatusCallback": _at("amd-status")}
    line.make("Calls", To=SOMEBODY, From=OURS, Url=_at("voice-request"), **told, **recorded, **beside)
    line.make("Calls", To=SOMEBODY, From=OURS, Url=_at("broken"), FallbackUrl=_at("fallback"))
    line.make("Calls", To="client:ann", From=OURS, Url=_at("voice-request"), StatusCallback=_at("call-status"))
    line.ring(fallback="/fallback", path="/broken")
    await line.move()
    return line


async def _met() -> Line:
    """Two participants; the conference is recorded, and ended by who may."""
    line = Line(chances={**PATIENT, "participant_seconds": [30, 60]})
    told = {
        "StatusCallback": _at("participant-call-status"),
        "ConferenceStatusCallback": _at("conference-status"),
        "ConferenceStatusCallbackEvent": "start end join leave mute hold",
        "ConferenceRecord": "true",
        "ConferenceRecordingStatusCallback": _at("recording-status"),
        "EndConferenceOnExit": "true",
    }
    for label in ("one", "two"):
        line.make("Conferences/r/Participants", To=SOMEBODY, From=OURS, Label=label, **told)
    await line.move()
    return line


async def _written() -> Line:
    """Messages both ways, over each channel, with what can become of them."""
    line = Line(chances={**PATIENT, "messages": {"delivered": 1}, "receipts": {"read": 1}})
    numbers = (SOMEBODY, "+15005563003", f"whatsapp:{SOMEBODY}", "whatsapp:+15005563003", "rcs:+15552223333")
    for to in numbers:
        line.make("Messages", To=to, From=OURS, Body="hello", StatusCallback=_at("message-status"))
    line.text("/inbound-sms")
    line.text("/inbound-sms", service="MG" + "5" * 32)
    line.text("/inbound-mms", media=["image/png"])
    line.text("/inbound-mms", media=["image/png", "image/png"], service="MG" + "5" * 32)
    line.text("/inbound-rcs", f"rcs:{SOMEBODY}")
    line.text("/inbound-whatsapp", f"whatsapp:{SOMEBODY}")
    line.text("/inbound-whatsapp", f"whatsapp:{SOMEBODY}", media=["image/png"])
    await line.move()
    return line


async def test_ours_have_the_keys_of_the_captures_and_the_captures_have_those_of_ours() -> None:
    said = await lives()
    shorter: dict[str, list[str]] = {}
    longer: dict[str, str] = {}
    for name in names():
        if kind_of(name) in ELSEWHERE:
            continue
        captured = frozenset(key for key, _ in json.loads((CAPTURES / f"{name}.json").read_text())["params"])
        ours = said[KINDS[kind_of(name)]]
        if missing := frozenset.intersection(*ours) - captured:
            shorter[name] = sorted(missing)
        longer |= dict.fromkeys(captured - frozenset.union(*ours), name)
    assert shorter.keys() == SHORTER.keys(), shorter
    assert longer.keys() == LONGER.keys(), longer


def test_every_kind_that_was_captured_is_compared_or_has_its_reason() -> None:
    assert {kind_of(name) for name in names()} == set(KINDS) | set(ELSEWHERE)
