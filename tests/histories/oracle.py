"""The oracle: what must be known after a history, worked out in the plainest way, by none of the brain's own code.

It takes what was said in the provider's own order and lets the last word count; which field is no fact, and how far a
status is, it knows from the provider's documentation by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from ingest.contract.codec import Envelope

Value = str | int | bool
Place = tuple[int, datetime]
_NEVER = datetime.min.replace(tzinfo=UTC)
_NOWHERE = (-1, _NEVER)
Times = tuple[datetime, datetime | None]
"""(first received, first happened), the latter by the provider's clock where it told one."""

ORDER: Mapping[str, Sequence[str]] = {
    "message": [
        "scheduled",
        "accepted",
        "queued",
        "sending",
        "receiving",
        "sent",
        "canceled",
        "failed",
        "undelivered",
        "partially_delivered",
        "delivered",
        "received",
        "read",
    ],
    "call": ["queued", "initiated", "ringing", "in-progress", "canceled", "no-answer", "busy", "failed", "completed"],
    "recording": [
        "paused",
        "resumed",
        "started",
        "in-progress",
        "stopped",
        "processing",
        "absent",
        "failed",
        "completed",
        "deleted",
    ],
    "conference": ["init", "in-progress", "completed"],
    "participant": [],
}
ENDS: Mapping[str, frozenset[str]] = {
    "message": frozenset(["canceled", "failed", "undelivered", "partially_delivered", "delivered", "received", "read"]),
    "call": frozenset(["canceled", "no-answer", "busy", "failed", "completed"]),
    "recording": frozenset(["absent", "failed", "completed", "deleted"]),
    "conference": frozenset({"completed"}),
    "participant": frozenset({"left"}),
}

# Fields that are no attribute of a resource: who it is, what happened, and what is said in passing.
_ALWAYS = {"id", "type", "account_sid", "extra", "sequence_number", "timestamp", "status", "event", "error_code"}
_MESSAGE = {"message_sid", "media", "message_type", "profile_name", "wa_id", "raw_dlr_done_date", "event_type"}
_CALL = {"call_sid", "callback_source", "msg", "digits", "speech_result", "confidence", "error_url"}
_TRANSCRIBED = {"recording_sid", "transcription_status"}
NO_FACTS: Mapping[str, frozenset[str]] = {
    "message.received": frozenset(_ALWAYS | _MESSAGE),
    "message.updated": frozenset(_ALWAYS | _MESSAGE),
    "message.observed": frozenset(_ALWAYS | _MESSAGE),
    "call.received": frozenset(_ALWAYS | _CALL),
    "call.continued": frozenset(_ALWAYS | _CALL),
    "call.failed_over": frozenset(_ALWAYS | _CALL),
    "call.updated": frozenset(_ALWAYS | _CALL),
    "call.observed": frozenset(_ALWAYS | _CALL),
    "call.amd_detected": frozenset(_ALWAYS | _CALL),
    "call.transcribed": frozenset(_ALWAYS | _CALL | {"sequence_id", "track"}),
    "recording.updated": frozenset(_ALWAYS | {"recording_sid"}),
    "recording.observed": frozenset(_ALWAYS | {"recording_sid"}),
    "recording.transcribed": frozenset(_ALWAYS | _TRANSCRIBED),
    "recording.archived": frozenset(_ALWAYS | {"recording_sid"}),
    "conference.updated": frozenset(_ALWAYS | {"conference_sid", "announce_url"}),
    "conference.observed": frozenset(_ALWAYS | {"conference_sid"}),
    "participant.observed": frozenset(_ALWAYS),
}
# Of the conference's own words, when they are about somebody in it; and of those that only tell who speaks.
_PARTICIPANT = NO_FACTS["conference.updated"] | {"conference_sid", "call_sid", "friendly_name"}
_SPEECH = _PARTICIPANT | {"muted", "hold", "coaching", "end_conference_on_exit", "start_conference_on_enter"}
SPEECH = ("participant-speech-start", "participant-speech-stop")
PRESENCE: Mapping[str | None, bool] = {"participant-join": True, "participant-leave": False}
HAPPENED: Mapping[str, str] = {
    "message.received": "received",
    "call.received": "received",
    "call.continued": "continued",
    "call.failed_over": "failed_over",
    "call.amd_detected": "amd_detected",
    "recording.archived": "archived",
    "participant.observed": "observed",
}
COUNTED = ("call.updated", "conference.updated")
"""Whose sequence numbers are of the resource itself."""


class Truth(NamedTuple):
    """What must be known of one resource."""

    key: str
    kind: str
    status: str | None
    terminal: bool
    statuses: Mapping[str, Times]
    events: Mapping[str, Times]
    errors: Mapping[str, Times]
    attributes: Mapping[str, Value]
    error_code: int | None


def truths(heard: Iterable[Envelope]) -> Mapping[str, Truth]:
    """By key. Each thing that was said may have been heard several times, in any order."""
    by_key: dict[str, list[Envelope]] = {}
    for envelope in heard:
        by_key.setdefault(_key(envelope), []).append(envelope)
    return {key: _truth(key, some) for key, some in by_key.items()}


def _key(envelope: Envelope) -> str:
    fields = envelope.event.__dict__
    kind = _kind(envelope)
    return f"{fields['conference_sid']}/{fields['call_sid']}" if kind == "participant" else fields[f"{kind}_sid"]


def _kind(envelope: Envelope) -> str:
    event = envelope.event
    if event.type == "conference.updated" and event.call_sid and event.event.startswith("participant-"):
        return "participant"
    return event.type.partition(".")[0]


def _truth(key: str, heard: Sequence[Envelope]) -> Truth:
    kind = _kind(heard[0])
    statuses: dict[str, Times] = {}
    events: dict[str, Times] = {}
    errors: dict[str, Times] = {}
    for envelope in heard:
        fields = envelope.event.__dict__
        for where, name in _happenings(kind, envelope.event.type, fields):
            _note({"status": statuses, "event": events, "error": errors}[where], name, envelope)
    attributes = _last_words(kind, heard)
    if kind == "participant":
        present = attributes.get("present")
        status = None if present is None else "joined" if present else "left"
    else:
        status = _furthest(ORDER[kind], statuses)
    return Truth(
        key,
        kind,
        status,
        status in ENDS[kind],
        statuses,
        events,
        errors,
        attributes,
        max(map(int, errors), default=None),
    )


def _happenings(kind: str, said: str, fields: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if (status := fields.get("status")) is not None:
        yield "status", status
    if said in HAPPENED:
        yield "event", HAPPENED[said]
    if said == "recording.transcribed":
        yield "event", f"transcription_{fields['transcription_status']}"
    if (event := fields.get("event")) is not None:
        yield "event", event
        if kind == "conference" and event in ("conference-start", "conference-end"):
            yield "status", "in-progress" if event == "conference-start" else "completed"
    code = fields.get("error_code")
    if code is not None and code > 0 and (kind != "call" or said == "call.failed_over"):
        yield "error", str(code)


def _note(known: dict[str, Times], name: str, envelope: Envelope) -> None:
    received, at = envelope.received, envelope.time
    if name in known:
        before, since = known[name]
        received = min(before, received)
        at = min((time for time in (since, at) if time is not None), default=None)
    known[name] = received, at


def _furthest(order: Sequence[str], statuses: Mapping[str, Times]) -> str | None:
    """A word that nobody knows counts only where there is no other."""
    for name in reversed(order):
        if name in statuses:
            return name
    return max(statuses, default=None)


def _last_words(kind: str, heard: Sequence[Envelope]) -> Mapping[str, Value]:
    """The last that the provider said of each attribute; what has no order of its own comes before what has."""
    last: dict[str, tuple[Place, Value]] = {}
    for envelope in heard:
        fields = envelope.event.__dict__
        place = _place(envelope.event.type, fields)
        for name, value in _said(kind, envelope, fields):
            before = last.get(name)
            # Several at one place: any, as long as it is the same one each time.
            if before is None or place > before[0] or (place == before[0] and _text(value) > _text(before[1])):
                last[name] = place, value
    return {name: value for name, (_, value) in last.items()}


def _text(value: Value) -> bytes:
    return orjson.dumps(value)


def _place(said: str, fields: Mapping[str, Any]) -> Place:
    if said not in COUNTED or fields.get("event") in SPEECH:
        return _NOWHERE
    sequence, timestamp = fields["sequence_number"], fields["timestamp"]
    return -1 if sequence is None else sequence, timestamp or _NEVER


def _said(kind: str, envelope: Envelope, fields: Mapping[str, Any]) -> Iterable[tuple[str, Value]]:
    said, event = envelope.event.type, fields.get("event")
    no_facts = NO_FACTS[said]
    if kind == "participant":
        no_facts = _SPEECH if event in SPEECH else _PARTICIPANT
        yield from (("conference_sid", fields["conference_sid"]), ("call_sid", fields["call_sid"]))
        if event in PRESENCE:
            yield "present", PRESENCE[event]
    for name, value in fields.items():
        # That an answer does not say "unsolicited" means nothing.
        if value is None or value == -1 or name in no_facts or (value is False and name == "unsolicited"):
            continue
        yield name.rstrip("_"), _spelled(value) if isinstance(value, datetime) else value
    if said == "recording.updated" and envelope.correlation is None:
        yield "unsolicited", True  # the one URL of its callbacks would name the action that made it
    if said == "message.received" and fields["opt_out_type"] is None:
        yield "opt_out_type", "none"
    if envelope.correlation is not None:
        yield "correlation", envelope.correlation


def _spelled(value: datetime) -> str:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
