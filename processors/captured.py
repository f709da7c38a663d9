"""Events as people have them: the value of a record, one or many, or the whole record as a Kafka tool prints it.

Around an event, where it is told: `correlation`, `received`, `time`, `verified`, `source`, or the record's `headers`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from ingest.contract.codec import Envelope, Undecodable, decode, occurred
from ingest.contract.events import MODELS
from ingest.contract.times import rfc3339

Json = Mapping[str, Any]

# Where the tools put a record's value: ours and most, kcat -J.
_VALUES = ("event", "value", "payload")
# What may stand beside an event's own fields, and the header that says it in a record.
_BESIDE = {"correlation": "ce_correlation", "received": "ce_receivedtime", "time": "ce_time", "verified": "ce_verified"}


class Uncaptured(ValueError):
    """The text holds no events. For a person to read; names fields, never values."""


def envelopes(text: str, now: datetime) -> Iterator[Envelope]:
    """In their order. What was received at no time that is told was received now. Raises Uncaptured."""
    for number, document in enumerate(_documents(text), 1):
        try:
            headers, value = _record(document, now)
            envelope = decode(headers.items(), value)
            yield envelope if envelope.time else envelope._replace(time=occurred(envelope.event))
        except Undecodable as error:
            raise Uncaptured(f"event {number} is none: {error}") from None
        except (TypeError, ValueError, AttributeError):
            raise Uncaptured(f"event {number} is neither an event nor a record with one") from None


def _documents(text: str) -> Sequence[Any]:
    """A document, an array of them, or one a line."""
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        return list(_lines(text))
    return whole if isinstance(whole, list) else [whole]


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.strip():
                yield orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Uncaptured(f"the events are no JSON: line {number}: {error}") from None


def _record(document: Json, now: datetime) -> tuple[dict[str, bytes], bytes]:
    """Headers and value as they would be in a topic. What is told beside the event outranks what its headers say."""
    held = next((name for name in _VALUES if name in document and "type" not in document), None)
    event = document if held is None else document[held]
    event = dict(orjson.loads(event) if isinstance(event, str) else event)
    model = MODELS.get(str(event.get("type")))
    headers = _headers(document.get("headers")) if held is not None else {}
    beside: Json = document if held is not None else {}
    if held is None and model is not None:
        names = {field.alias or name for name, field in model.model_fields.items()}
        headers = _headers(event.pop("headers", None))
        beside = {name: event.pop(name) for name in (*_BESIDE, "source") if name in event and name not in names}
    # An event that was written by hand has no id; one that was not has that of its record.
    event["id"] = event.get("id") or headers.get("ce_id", b"captured").decode()
    told = {header: _spelled(beside[name]) for name, header in (*_BESIDE.items(), ("source", "ce_source"))
            if beside.get(name) is not None}  # fmt: skip
    given = {
        "ce_type": str(event.get("type")).encode(),
        "ce_id": event["id"].encode(),
        "ce_source": b"captured",
        "ce_receivedtime": rfc3339(now).encode(),
        "ce_verified": b"true",
    }
    return {**given, **headers, **told}, orjson.dumps(event)


def _headers(given: Any) -> dict[str, bytes]:
    """A mapping, a list of pairs, or as kcat has them: names and values in turn."""
    if isinstance(given, list):
        pairs = given if all(isinstance(each, list) for each in given) else zip(given[::2], given[1::2], strict=True)
        given = dict(pairs)
    return {str(name): _spelled(value) for name, value in dict(given or {}).items()}


def _spelled(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value)
