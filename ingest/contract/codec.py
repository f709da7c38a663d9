"""The codec: an event and its circumstances to and from a Kafka record, as CloudEvents 1.0 in Kafka binary mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from pydantic import ValidationError

from ingest.contract.events import MODELS, Event
from ingest.contract.times import read_rfc3339, rfc3339
from ingest.contract.topics import TOPIC_OF, Topic

Headers = tuple[tuple[str, bytes], ...]

SCHEMA_VERSION = 1
SCHEMA_URI = "urn:switchhook:event:{type}:v{version}"
CONTENT_TYPE = b"application/json"

_SUBJECT_FIELDS = {
    "message": "message_sid",
    "call": "call_sid",
    "recording": "recording_sid",
    "conference": "conference_sid",
    "participant": "conference_sid",
    "error": "resource_sid",
}

UNDECODABLE = ("empty", "unknown_type", "invalid_value", "invalid_headers")


class Undecodable(ValueError):
    """The record is not an event that this version can read. `reason` is one of UNDECODABLE, fit for a metric."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class Envelope(NamedTuple):
    """An event and what is known around it.

    `received` is when our side first saw it; `time` is the provider's own time of the occurrence, where it gives one.
    """

    event: Event
    source: str
    received: datetime
    time: datetime | None = None
    correlation: str | None = None
    verified: bool = True
    traceparent: str | None = None


class Encoded(NamedTuple):
    topic: Topic
    key: bytes
    value: bytes
    headers: Headers


class _Shape(NamedTuple):
    """What every record of one event type has in common; `subject` is the field that holds its SID."""

    topic: Topic
    subject: str
    type: tuple[str, bytes]
    dataschema: tuple[str, bytes]
    has_timestamp: bool


def family(event_type: str) -> str:
    return event_type.partition(".")[0]


def _shape(event_type: str, model: type[Event]) -> _Shape:
    schema = SCHEMA_URI.format(type=event_type, version=SCHEMA_VERSION)
    return _Shape(
        TOPIC_OF[family(event_type)],
        _SUBJECT_FIELDS[family(event_type)],
        ("ce_type", event_type.encode()),
        ("ce_dataschema", schema.encode()),
        "timestamp" in model.model_fields,
    )


_SHAPES: Mapping[str, _Shape] = {event_type: _shape(event_type, model) for event_type, model in MODELS.items()}
_MODELS: Mapping[bytes, type[Event]] = {event_type.encode(): model for event_type, model in MODELS.items()}
_SPECVERSION = ("ce_specversion", b"1.0")
_VERIFIED = {True: ("ce_verified", b"true"), False: ("ce_verified", b"false")}
_CONTENT_TYPE = ("content-type", CONTENT_TYPE)


def subject(event: Event) -> str:
    """The SID that the event is about, which is also its record's key; the account's, for an error of no resource."""
    sid: str | None = getattr(event, _SHAPES[event.type].subject)
    return sid or event.account_sid


@lru_cache(maxsize=4)
def _stamp(received: datetime) -> bytes:
    return rfc3339(received).encode()  # the same for all that was received in one go


def encode(envelope: Envelope) -> Encoded:
    event, source, received, time, correlation, verified, traceparent = envelope
    shape = _SHAPES[event.type]
    key = subject(event).encode()
    headers = [
        _SPECVERSION,
        ("ce_id", event.id.encode()),
        ("ce_source", source.encode()),
        shape.type,
        ("ce_subject", key),
        shape.dataschema,
        ("ce_receivedtime", _stamp(received)),
        _VERIFIED[verified],
        _CONTENT_TYPE,
    ]
    if time is not None:
        headers.append(("ce_time", rfc3339(time).encode()))
    if correlation is not None:
        headers.append(("ce_correlation", correlation.encode()))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    # What `model_dump_json` calls, without making a text of the bytes.
    value = event.__pydantic_serializer__.to_json(event, by_alias=True, exclude_none=True)
    return Encoded(shape.topic, key, value, tuple(headers))


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """The event of a record. Raises Undecodable with a reason; headers that we do not know are ignored."""
    known = dict(headers)
    if value is None:
        raise Undecodable("empty", "the record has no value")
    model = _MODELS.get(known.get("ce_type", b""))
    if model is None:
        raise Undecodable("unknown_type", "ce_type is missing or names no event of this version")
    try:
        # A newer front door may say more: contracts change by addition, so what is not known here is left out.
        event = model.__pydantic_validator__.validate_json(value, extra="ignore")  # `model_validate_json` without ado
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['type']}" for e in error.errors(include_input=False))
        raise Undecodable("invalid_value", where) from None
    try:
        received = read_rfc3339(known["ce_receivedtime"].decode())
        time = read_rfc3339(known["ce_time"].decode()) if "ce_time" in known else None
        source = known["ce_source"].decode()
        correlation = known["ce_correlation"].decode() if "ce_correlation" in known else None
        traceparent = known["traceparent"].decode() if "traceparent" in known else None
        is_whole = event.id != "" and event.id == known["ce_id"].decode()
    except (KeyError, ValueError, OverflowError, AttributeError) as error:
        raise Undecodable("invalid_headers", type(error).__name__) from None
    if not is_whole:
        raise Undecodable("invalid_headers", "ce_id is missing or differs from the id in the value")
    return Envelope(event, source, received, time, correlation, known.get("ce_verified") == b"true", traceparent)


def occurred(event: Event) -> datetime | None:
    """The provider's time of the occurrence, where its kind carries one."""
    if not _SHAPES[event.type].has_timestamp:
        return None
    time = getattr(event, "timestamp")  # noqa: B009  # of those models that have one
    return time if isinstance(time, datetime) else None
