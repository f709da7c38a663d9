"""Event Streams: CloudEvents in JSON, one or a batch, read by the tables of the webhooks that they mirror.

The same occurrence gets the same event, hence the same id, whichever way it came. https://www.twilio.com/docs/events
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from ingest.contract.events import (
    CallReported,
    ConferenceReported,
    Event,
    MessageReported,
    RecordingReported,
    Reported,
)
from ingest.contract.identity import event_id
from ingest.contract.times import Instant
from ingest.webhooks import call, conference, debugger, message, recording
from ingest.webhooks.table import Reason, Table, Unparseable, invalid, read

MOST_EVENTS = 1_000
"""In one batch; it is one answer for all."""

Json = Mapping[str, Any]
Parameters = dict[str, str]

_INSTANT = TypeAdapter[datetime](Instant)
_SID = re.compile(r"(SM|MM|CA|RE|CF)[0-9a-fA-F]{32}")
_REPORTED: Mapping[str, tuple[type[Reported], str]] = {
    "SM": (MessageReported, "message_sid"),
    "MM": (MessageReported, "message_sid"),
    "CA": (CallReported, "call_sid"),
    "RE": (RecordingReported, "recording_sid"),
    "CF": (ConferenceReported, "conference_sid"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a batch. `raw` is what to keep where it cannot be read; `callback_url` the one it mirrors."""

    event: Event | Unparseable
    raw: bytes
    time: datetime | None = None
    callback_url: str = ""


def parse_batch(body: bytes, account_sid: str) -> Sequence[Told]:
    """What a body tells, in its order. `account_sid` is whose key has signed it: an event of another is unparseable."""
    try:
        given = orjson.loads(body)
        events = given if isinstance(given, list) else [given]
        # What is nested deeper than can be written again ends here too.
        raws = [orjson.dumps(event) for event in events[: MOST_EVENTS + 1]]
    except (orjson.JSONDecodeError, TypeError):
        return [Told(Unparseable(Reason.NOT_JSON, "the body"), body)]
    if len(events) > MOST_EVENTS:
        return [Told(Unparseable(Reason.INVALID_VALUE, f"more than {MOST_EVENTS} events"), body)]
    return [_told(event, raw, account_sid) for event, raw in zip(events, raws, strict=True)]


def _told(given: Any, raw: bytes, account_sid: str) -> Told:
    if not isinstance(given, dict):
        return Told(Unparseable(Reason.NOT_JSON, "an event is no object"), raw)
    data = given.get("data")
    try:
        if isinstance(data, str):  # older types have JSON in JSON
            data = orjson.loads(data)
        if not isinstance(data, dict):
            return Told(Unparseable(Reason.NOT_JSON, "data is no object"), raw)
        named = _named(data)
    except (orjson.JSONDecodeError, TypeError):
        return Told(Unparseable(Reason.NOT_JSON, "data is no object"), raw)
    time = _instant(given.get("time")) or _instant(named.get("Timestamp"))
    try:
        event = _event(given, data, named, account_sid)
    except ValidationError as error:
        event = invalid(error)
    if not isinstance(event, Unparseable) and event.account_sid != account_sid:
        event = Unparseable(Reason.WRONG_SID, "account_sid is not the account that has signed")
    return Told(event, raw, time, _callback_url(data, named))


def _event(given: Json, data: Json, named: Parameters, account_sid: str) -> Event | Unparseable:
    kind = str(given.get("type", ""))
    for prefix, reading in READINGS.items():
        if kind.startswith(prefix):
            table, parameters = reading(kind, data, named)
            if not parameters:
                break  # it mirrors nothing
            return read(table, list(parameters.items()), account_sid, str(given.get("id", "")))
    return _reported(kind, given, data, named, account_sid)


def _outbound_message(kind: str, _: Json, named: Parameters) -> tuple[Table, Parameters]:
    # The type is what was subscribed to; published examples contradict it in `messageStatus`.
    status = kind.rpartition(".")[2]
    parameters = {**_renamed(named), "": status}
    if parameters.get("MessageStatus", "").lower() == status:
        del parameters["MessageStatus"]
    return _BY_TYPE, parameters


_BY_TYPE = replace(
    message.STATUS, fields={"" if name == "MessageStatus" else name: f for name, f in message.STATUS.fields.items()}
)


def _inbound_message(_: str, __: Json, named: Parameters) -> tuple[Table, Parameters]:
    return message.INBOUND, _renamed(named)


def _renamed(named: Parameters) -> Parameters:
    """`numberOfSegments` is the only one of a message that a webhook calls otherwise."""
    return {"NumSegments" if name == "NumberOfSegments" else name: value for name, value in named.items()}


def _mirrored(table: Table) -> Callable[[str, Json, Parameters], tuple[Table, Parameters]]:
    """A voice event repeats the parameters of the callback that it mirrors."""
    return lambda _, data, __: (table, _request_parameters(data))


def _transcription(_: str, data: Json, __: Parameters) -> tuple[Table, Parameters]:
    parameters = _request_parameters(data)
    is_realtime = parameters.get("TranscriptionSid", "").startswith("GT")
    return (call.TRANSCRIPTION if is_realtime else recording.TRANSCRIPTION), parameters


def _error(_: str, __: Json, named: Parameters) -> tuple[Table, Parameters]:
    return debugger.ERROR, named


_VOICE = "com.twilio.voice.status-callback."
READINGS: Mapping[str, Callable[[str, Json, Parameters], tuple[Table, Parameters]]] = {
    "com.twilio.messaging.message.": _outbound_message,
    "com.twilio.messaging.inbound-message.received": _inbound_message,
    f"{_VOICE}call.": _mirrored(call.STATUS),
    # What it was called until February 2024.
    "com.twilio.voice.webhook.status-callback.call.": _mirrored(call.STATUS),
    f"{_VOICE}amd.": _mirrored(call.AMD),
    f"{_VOICE}conference.": _mirrored(conference.STATUS),
    f"{_VOICE}announcement.": _mirrored(conference.STATUS),
    f"{_VOICE}recording.": _mirrored(recording.STATUS),
    f"{_VOICE}transcription.": _transcription,
    "com.twilio.error-logs.error.logged": _error,
}
"""How a type begins → the table that reads it, and its parameters under the names that webhooks give them."""


def _reported(kind: str, given: Json, data: Json, named: Parameters, account_sid: str) -> Event | Unparseable:
    sid = next(_sids(kind, given, {**_request_parameters(data), **named}), None)
    if sid is None:
        return Unparseable(Reason.UNKNOWN_EVENT_TYPE, "it names no message, call, recording or conference")
    model, field = _REPORTED[sid[:2]]
    event = model.model_validate(
        {
            "account_sid": named.get("AccountSid", account_sid),
            field: sid,
            "event_id": given.get("id"),
            "event_type": kind,
            "timestamp": _instant(given.get("time")) or _instant(named.get("Timestamp")),
            "data": data,
        }
    )
    return event.model_copy(update={"id": event_id(event)})  # type: ignore[arg-type, return-value]  # all are events


def _sids(kind: str, given: Json, named: Parameters) -> Iterator[str]:
    """The SIDs that an event names, first the one of what its type is about."""
    about = kind.replace("callback", "")
    names = ["MessageSid", "CallSid", "RecordingSid", "ConferenceSid", "Sid"]
    names.sort(key=lambda name: name.removesuffix("Sid").lower() not in about)
    for text in (*(named.get(name, "") for name in names), str(given.get("source", ""))):
        yield from (found.group() for found in _SID.finditer(text))


def _named(data: Json) -> Parameters:
    """`messageSid` and `message_sid` as `MessageSid`, values as texts, nulls left out: as a form would say it."""
    parts = ((re.split("_+", name), value) for name, value in data.items() if value is not None)
    return {"".join(part[:1].upper() + part[1:] for part in name): _text(value) for name, value in parts}


def _request_parameters(data: Json) -> Parameters:
    request = data.get("request")
    given = request.get("parameters") if isinstance(request, dict) else None
    if not isinstance(given, dict):
        return {}
    return {name: _text(value) for name, value in given.items() if value is not None}


def _callback_url(data: Json, named: Parameters) -> str:
    request = data.get("request")
    url = request.get("url") if isinstance(request, dict) else named.get("StatusCallBackUrl")
    return url if isinstance(url, str) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _instant(value: Any) -> datetime | None:
    try:
        return _INSTANT.validate_python(value) if isinstance(value, str) else None
    except (ValidationError, OverflowError):
        return None
