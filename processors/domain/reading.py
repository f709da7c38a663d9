"""Reading: what one event says, as facts, and of which row. An event speaks of exactly one row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingest.contract import events as e
from ingest.contract.codec import Envelope, Undecodable
from ingest.contract.times import rfc3339
from processors.contract.changes import Kind
from processors.domain.errors import error_class
from processors.domain.facts import Attribute, Facts, Seen


@dataclass(frozen=True, slots=True)
class Statement:
    key: str
    kind: Kind
    account_sid: str
    facts: Facts


ADDRESS = ("from_", "to", "direction")
MESSAGE = (*ADDRESS, "messaging_service_sid", "body", "num_media", "num_segments", "price", "price_unit")
CALL = (*ADDRESS, "parent_call_sid", "answered_by", "duration", "sip_response_code", "price", "price_unit")
RECORDING = ("call_sid", "conference_sid", "channels", "duration", "source", "track", "url")
CONFERENCE = ("friendly_name", "region", "reason_conference_ended", "call_sid_ending_conference")
PARTICIPANT_ONCE = ("conference_sid", "call_sid", "participant_label")
PARTICIPANT = (
    *PARTICIPANT_ONCE,
    "muted",
    "hold",
    "coaching",
    "end_conference_on_exit",
    "start_conference_on_enter",
    "participant_call_status",
    "reason_participant_left",
)

STATUS_OF_EVENT: Mapping[str, str] = {"conference-start": "in-progress", "conference-end": "completed"}
PRESENCE: Mapping[str, bool] = {"participant-join": True, "participant-leave": False}


def read(envelope: Envelope) -> Statement:
    """The facts of an event. Raises Undecodable for one that is about no resource, which is on the wrong topic."""
    reader = READERS.get(type(envelope.event))
    if reader is None:
        raise Undecodable("unknown_type", "an event of this type is about no resource")
    return reader(envelope)


def _message(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.MessageReceived | e.MessageUpdated | e.MessageObserved)
    seen = [f"status:{event.status}", *_errors(event.error_code)]
    attributes = _attributes(event, MESSAGE)
    if isinstance(event, e.MessageReceived):
        seen.append("event:received")
        # "No opt-out" must be a fact that arrives, not the absence of one: rules may only wait for facts.
        attributes["opt_out_type"] = Attribute(event.opt_out_type or "none")
    if isinstance(event, e.MessageObserved) and event.date_sent is not None:
        attributes["date_sent"] = Attribute(rfc3339(event.date_sent))
    return _statement(envelope, event.message_sid, "message", seen, attributes)


def _call(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.CallUpdated | e.CallObserved | e.CallReceived | e.CallContinued | e.CallFailedOver)
    seen = [f"status:{event.status}"]
    attributes = _attributes(event, CALL)
    if isinstance(event, e.CallReceived):
        seen.append("event:received")
    if isinstance(event, e.CallFailedOver):
        seen += ["event:failed_over", *_errors(event.error_code)]
    if isinstance(event, e.CallContinued):
        seen.append("event:continued")
    return _statement(envelope, event.call_sid, "call", seen, attributes)


def _amd(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.CallAmdDetected)
    return _statement(envelope, event.call_sid, "call", ["event:amd_detected"], _attributes(event, ("answered_by",)))


def _call_transcribed(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.CallTranscribed)
    return _statement(envelope, event.call_sid, "call", [f"event:{event.event}"], {})


def _recording(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.RecordingUpdated | e.RecordingObserved)
    attributes = _attributes(event, RECORDING)
    if event.start_time is not None:
        attributes["start_time"] = Attribute(rfc3339(event.start_time))
    if attributes.get("duration", Attribute(0)).value == -1:  # the provider's way to say "not known yet"
        del attributes["duration"]
    return _statement(envelope, event.recording_sid, "recording", [f"status:{event.status}"], attributes)


def _recording_transcribed(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.RecordingTranscribed)
    seen = [f"event:transcription_{event.transcription_status}"]
    return _statement(envelope, event.recording_sid, "recording", seen, _attributes(event, ("call_sid",)))


def _reported(envelope: Envelope) -> Statement:
    """Nothing that we know how to read: subscribers may, the state does not."""
    event = envelope.event
    kind: Kind
    match event:
        case e.MessageReported():
            key, kind = event.message_sid, "message"
        case e.CallReported():
            key, kind = event.call_sid, "call"
        case e.RecordingReported():
            key, kind = event.recording_sid, "recording"
        case e.ConferenceReported():
            key, kind = event.conference_sid, "conference"
        case _:
            raise TypeError(f"{event.type} is no report")
    return Statement(key, kind, event.account_sid, Facts())


def _conference(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.ConferenceUpdated)
    seen = [f"event:{event.event}"]
    if event.call_sid is not None and event.event.startswith("participant-"):
        attributes = _attributes(event, PARTICIPANT)
        if event.event in PRESENCE:
            attributes["present"] = _attribute(event, PRESENCE[event.event])
        return _statement(envelope, f"{event.conference_sid}/{event.call_sid}", "participant", seen, attributes)
    if event.event in STATUS_OF_EVENT:
        seen.append(f"status:{STATUS_OF_EVENT[event.event]}")
    return _statement(envelope, event.conference_sid, "conference", seen, _attributes(event, CONFERENCE))


def _conference_shown(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.ConferenceObserved)
    attributes = _attributes(event, CONFERENCE)
    return _statement(envelope, event.conference_sid, "conference", [f"status:{event.status}"], attributes)


def _participant_shown(envelope: Envelope) -> Statement:
    event = envelope.event
    assert isinstance(event, e.ParticipantObserved)
    attributes = _attributes(event, (*PARTICIPANT_ONCE, "end_conference_on_exit", "start_conference_on_enter"))
    return _statement(envelope, f"{event.conference_sid}/{event.call_sid}", "participant", [], attributes)


READERS: Mapping[type[e.EventBase], Callable[[Envelope], Statement]] = {
    e.MessageReceived: _message,
    e.MessageUpdated: _message,
    e.MessageObserved: _message,
    e.CallReceived: _call,
    e.CallContinued: _call,
    e.CallFailedOver: _call,
    e.CallAmdDetected: _amd,
    e.CallTranscribed: _call_transcribed,
    e.CallUpdated: _call,
    e.CallObserved: _call,
    e.RecordingUpdated: _recording,
    e.RecordingTranscribed: _recording_transcribed,
    e.RecordingObserved: _recording,
    e.ConferenceUpdated: _conference,
    e.ConferenceObserved: _conference_shown,
    e.ParticipantObserved: _participant_shown,
    e.MessageReported: _reported,
    e.CallReported: _reported,
    e.RecordingReported: _reported,
    e.ConferenceReported: _reported,
}


def _statement(
    envelope: Envelope, key: str, kind: Kind, seen: Sequence[str], attributes: dict[str, Attribute]
) -> Statement:
    names = [*seen]
    if envelope.correlation is not None:
        names.append("origin:action")
        attributes["correlation"] = Attribute(envelope.correlation)
    if getattr(envelope.event, "unsolicited", False):
        names.append("origin:external")
    times = Seen(envelope.received, envelope.time)
    return Statement(key, kind, envelope.event.account_sid, Facts(dict.fromkeys(names, times), attributes))


def _errors(code: int | None) -> list[str]:
    return [f"error:{code}", f"error_class:{error_class(code)}"] if code else []


def _attributes(event: e.EventBase, names: Sequence[str]) -> dict[str, Attribute]:
    values = ((name, getattr(event, name, None)) for name in names)
    return {name.rstrip("_"): _attribute(event, value) for name, value in values if value is not None}


def _attribute(event: e.EventBase, value: str | int | bool) -> Attribute:
    sequence = getattr(event, "sequence_number", None)
    timestamp = getattr(event, "timestamp", None)
    return Attribute(value, -1 if sequence is None else sequence, rfc3339(timestamp) if timestamp else "")
