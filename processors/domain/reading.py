"""Reading: what one event says, as facts, and of which row. An event speaks of exactly one row.

A table, one row an event type; what a type does not tell is not in its row. Attributes that a person wrote or that
name one (bodies, numbers, names) are kept in the row and nowhere else.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ingest.contract import events as e
from ingest.contract.codec import Envelope, Undecodable
from processors.contract.changes import Kind
from processors.domain.facts import NOTHING, Attribute, Facts, Seen, Value
from processors.domain.stamps import Stamp, stamp
from processors.domain.statuses import CONFERENCE_ENDED


class Statement(NamedTuple):
    """What an event says. Without `facts` it says nothing that a row could hold. `observed`: a REST answer showed it.

    It keeps nothing of the event's model: a thousand of those at once would push all else out of the caches.
    """

    key: str
    kind: Kind
    account_sid: str
    facts: Facts
    received: Stamp
    observed: bool = False


Fields = Mapping[str, Any]


class Reading(NamedTuple):
    """How one event type is read.

    `sid` is the field with the row's key and `status` the one with a status; `seen` is what the event as such shows;
    `attributes` are the fields taken, in the order of the event's sequence number where it is `ordered`.
    """

    kind: Kind
    sid: str
    status: str | None = None
    seen: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    ordered: bool = False
    error: bool = False
    taken: tuple[tuple[str, str], ...] = ()
    """Of `attributes` the fields that the type has, each with its name as a fact."""

    def of(self, model: type[e.EventBase]) -> "Reading":
        has = [name for name in self.attributes if name in model.model_fields]
        return self._replace(taken=tuple((name, name.rstrip("_")) for name in has))


ADDRESS = ("from_", "to", "direction")
MESSAGE = (
    *ADDRESS,
    "messaging_service_sid",
    "body",
    "num_media",
    "num_segments",
    "price",
    "price_unit",
    "error_message",
)
CALL = (*ADDRESS, "parent_call_sid", "answered_by", "duration", "price", "price_unit")
RECORDING = ("call_sid", "conference_sid", "channels", "duration", "source", "track", "start_time", "url")
CONFERENCE = (
    "friendly_name",
    "region",
    "reason",
    "reason_conference_ended",
    "call_sid_ending_conference",
    "participant_label_ending_conference",
)
PARTICIPANT_ONCE = ("conference_sid", "call_sid", "participant_label")
PARTICIPANT_NOW = ("muted", "hold", "coaching", "end_conference_on_exit", "start_conference_on_enter")
PARTICIPANT_END = ("participant_call_status", "reason_participant_left")

_TABLE: Mapping[type[e.EventBase], Reading] = {
    e.MessageReceived: Reading("message", "message_sid", "status", ("received",), MESSAGE, error=True),
    e.MessageUpdated: Reading("message", "message_sid", "status", (), MESSAGE, error=True),
    e.MessageObserved: Reading(
        "message", "message_sid", "status", (), (*MESSAGE, "date_created", "date_sent"), error=True
    ),
    e.CallReceived: Reading(
        "call", "call_sid", "status", ("received",), (*CALL, "forwarded_from", "caller_name", "stir_verstat")
    ),
    e.CallContinued: Reading(
        "call", "call_sid", "status", ("continued",), (*CALL, "machine_detection_duration", "conference_sid")
    ),
    e.CallFailedOver: Reading("call", "call_sid", "status", ("failed_over",), CALL, error=True),
    e.CallAmdDetected: Reading(
        "call", "call_sid", None, ("amd_detected",), ("answered_by", "machine_detection_duration")
    ),
    # The words of a call stay in the topic: a row would grow with every sentence.
    e.CallTranscribed: Reading("call", "call_sid", None, (), ("transcription_sid",)),
    e.CallUpdated: Reading(
        "call",
        "call_sid",
        "status",
        (),
        (*CALL, "sip_response_code", "forwarded_from", "caller_name", "stir_status"),
        ordered=True,
    ),
    e.CallObserved: Reading("call", "call_sid", "status", (), (*CALL, "start_time", "end_time")),
    e.RecordingUpdated: Reading("recording", "recording_sid", "status", (), RECORDING, error=True),
    e.RecordingObserved: Reading("recording", "recording_sid", "status", (), RECORDING, error=True),
    e.RecordingTranscribed: Reading(
        "recording", "recording_sid", None, (), ("call_sid", "transcription_sid", "transcription_text")
    ),
    e.RecordingArchived: Reading("recording", "recording_sid", None, ("archived",), ("location", "sha256", "size")),
    e.ConferenceUpdated: Reading("conference", "conference_sid", None, (), CONFERENCE, ordered=True),
    e.ConferenceObserved: Reading("conference", "conference_sid", "status", (), CONFERENCE),
    # That it was seen is a fact with a time, since it has no status: a row without times is never due, and never old.
    e.ParticipantObserved: Reading(
        "participant", "conference_sid", None, ("observed",), (*PARTICIPANT_ONCE, *PARTICIPANT_NOW)
    ),
    # Of a type that we have no model of: subscribers may read it, the state does not.
    e.MessageReported: Reading("message", "message_sid"),
    e.CallReported: Reading("call", "call_sid"),
    e.RecordingReported: Reading("recording", "recording_sid"),
    e.ConferenceReported: Reading("conference", "conference_sid"),
}

READINGS = {model: reading.of(model) for model, reading in _TABLE.items()}

_EVENT_STREAMS = "/event-streams"  # the end of the source, as of each route's

STATUS_OF_EVENT: Mapping[str, str] = {"conference-start": "in-progress", "conference-end": "completed"}
PRESENCE: Mapping[str, bool] = {"participant-join": True, "participant-leave": False}
_PARTICIPANT = Reading(
    "participant", "conference_sid", None, (), (*PARTICIPANT_ONCE, *PARTICIPANT_NOW, *PARTICIPANT_END), ordered=True
).of(e.ConferenceUpdated)
# Many a second, and what rides on them is told by the events that change it.
_SPEECH = Reading("participant", "conference_sid", None, (), PARTICIPANT_ONCE).of(e.ConferenceUpdated)
SPEECH = frozenset({"participant-speech-start", "participant-speech-stop"})


_MORE: Mapping[Kind, frozenset[str]] = {
    "message": frozenset({"opt_out_type"}),
    "call": frozenset(),
    "recording": frozenset(),
    "conference": frozenset(),
    "participant": frozenset({"present"}),
}
ATTRIBUTES: Mapping[Kind, frozenset[str]] = {
    kind: more.union(
        {"correlation", "unsolicited"},
        *({name for _, name in r.taken} for r in (*READINGS.values(), _PARTICIPANT) if r.kind == kind),
    )
    for kind, more in _MORE.items()
}
"""Every attribute that a row of this kind can have."""

_TRANSCRIPTION = ("transcription-started", "transcription-content", "transcription-stopped", "transcription-error")
EVENTS: Mapping[Kind, frozenset[str]] = {
    "message": frozenset({"received"}),
    "call": frozenset({"received", "continued", "failed_over", "amd_detected", *_TRANSCRIPTION}),
    "recording": frozenset({"archived", "transcription_completed", "transcription_failed"}),
    "conference": frozenset({*STATUS_OF_EVENT, "announcement-end", "announcement-fail"}),
    "participant": frozenset(
        {
            *PRESENCE,
            *SPEECH,
            "participant-mute",
            "participant-unmute",
            "participant-hold",
            "participant-unhold",
            "participant-modify",
            "observed",
            CONFERENCE_ENDED,
        }
    ),
}
"""Every event that a rule may wait for on a row of this kind; https://www.twilio.com/docs/voice/twiml/conference."""


def read(envelope: Envelope) -> Statement:
    """The facts of an event. Raises Undecodable for one that is about no resource, which is on the wrong topic."""
    model = type(envelope.event)
    reading = READINGS.get(model)
    if reading is None:
        raise Undecodable("unknown_type", "an event of this type is about no resource")
    fields = envelope.event.__dict__  # a model's fields without pydantic's own lookup
    if not reading.attributes:
        return Statement(fields[reading.sid], reading.kind, fields["account_sid"], NOTHING, "")
    times = (stamp(envelope.received), stamp(envelope.time) if envelope.time is not None else None)
    special = _SPECIAL.get(model)
    if special is not None:
        return special(reading, fields, times, envelope)
    return _statement(reading, fields, times, envelope)


def _statement(reading: Reading, fields: Fields, times: Seen, envelope: Envelope, *seen: str) -> Statement:
    statuses = {} if reading.status is None else {fields[reading.status]: times}
    code = fields["error_code"] if reading.error else None
    errors = {str(code): times} if code and code > 0 else NOTHING.errors  # 0: none; -1: the provider's "not known yet"
    events = dict.fromkeys((*reading.seen, *seen), times) if reading.seen or seen else NOTHING.events
    facts = Facts(statuses, events, errors, _attributes(reading, fields, envelope))
    sid = fields[reading.sid]
    key = f"{sid}/{fields['call_sid']}" if reading.kind == "participant" else sid
    return Statement(key, reading.kind, fields["account_sid"], facts, times[0])


def _attributes(reading: Reading, fields: Fields, envelope: Envelope) -> dict[str, Attribute]:
    sequence, at = _order(fields) if reading.ordered else (-1, "")
    found: dict[str, Attribute] = {}
    for field, name in reading.taken:
        value = fields[field]
        if value is not None and value != -1:  # the provider's "not known yet"
            found[name] = (stamp(value) if isinstance(value, datetime) else value, sequence, at)
    if envelope.correlation is not None:
        found["correlation"] = (envelope.correlation, -1, "")
    return found


def _order(fields: Fields) -> tuple[int, str]:
    sequence, timestamp = fields["sequence_number"], fields["timestamp"]
    return -1 if sequence is None else sequence, stamp(timestamp) if timestamp is not None else ""


def _received(reading: Reading, fields: Fields, times: Seen, envelope: Envelope) -> Statement:
    said = _statement(reading, fields, times, envelope)
    # "No opt-out" must be a fact that arrives, not the absence of one: rules may only wait for facts.
    return _with(said, "opt_out_type", fields["opt_out_type"] or "none")


def _observed(reading: Reading, fields: Fields, times: Seen, envelope: Envelope) -> Statement:
    said = _statement(reading, fields, times, envelope)._replace(observed=True)
    # That an answer does not say so is no fact; only that it does is.
    return _with(said, "unsolicited", True) if fields["unsolicited"] else said


def _recording(reading: Reading, fields: Fields, times: Seen, envelope: Envelope) -> Statement:
    said = _statement(reading, fields, times, envelope)
    # All callbacks of a recording go to one URL: when that holds no action's id, none made it. What Event Streams
    # mirror may come without a URL, and says nothing of it.
    names_none = envelope.correlation is None and not envelope.source.endswith(_EVENT_STREAMS)
    return _with(said, "unsolicited", True) if names_none else said


def _transcribed(reading: Reading, fields: Fields, times: Seen, envelope: Envelope) -> Statement:
    return _statement(reading, fields, times, envelope, f"transcription_{fields['transcription_status']}")


def _call_transcribed(reading: Reading, fields: Fields, times: Seen, envelope: Envelope) -> Statement:
    return _statement(reading, fields, times, envelope, fields["event"])


def _conference(reading: Reading, fields: Fields, times: Seen, envelope: Envelope) -> Statement:
    name = fields["event"]
    if fields["call_sid"] is not None and name.startswith("participant-"):
        said = _statement(_SPEECH if name in SPEECH else _PARTICIPANT, fields, times, envelope, name)
        return _with(said, "present", PRESENCE[name], *_order(fields)) if name in PRESENCE else said
    said = _statement(reading, fields, times, envelope, name)
    if name in STATUS_OF_EVENT:
        return said._replace(facts=said.facts._replace(statuses={STATUS_OF_EVENT[name]: times}))
    return said


def _with(said: Statement, name: str, value: Value, sequence: int = -1, at: str = "") -> Statement:
    attributes = {**said.facts.attributes, name: (value, sequence, at)}
    return said._replace(facts=said.facts._replace(attributes=attributes))


Special = Callable[[Reading, Fields, Seen, Envelope], Statement]

_SPECIAL: Mapping[type[e.EventBase], Special] = {
    e.MessageReceived: _received,
    e.MessageObserved: _observed,
    e.CallObserved: _observed,
    e.CallTranscribed: _call_transcribed,
    e.ConferenceUpdated: _conference,
    e.ConferenceObserved: _observed,
    e.ParticipantObserved: _observed,
    e.RecordingUpdated: _recording,
    e.RecordingObserved: _observed,
    e.RecordingTranscribed: _transcribed,
}
