"""Shown: what an answer's resource becomes, an event or a part of the result, and which of its properties are taken.

Only what stays true goes into an event: an answer about a participant says who it is, not whether it is still there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

import orjson
from pydantic import BaseModel, ValidationError

from ingest.contract.events import (
    CallObserved,
    ConferenceObserved,
    Event,
    MessageObserved,
    ParticipantObserved,
    RecordingObserved,
)
from ingest.contract.identity import event_id
from sinks.contract import resources

RESULT_BYTES = 500_000
"""What the resources of one result take at the most, so that it stays below what a topic holds."""

Summary: TypeAlias = Mapping[str, Any]
"""A resource of a result, as JSON: one of `sinks.contract.resources` without what is not known."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A kind of resource that is published: its event, where its SID goes, and the properties taken as they are; `url`
    is the property with the address of its file, where an answer has one."""

    model: type[Event]
    sid: str | None
    properties: tuple[str, ...]
    url: str | None = None


MESSAGE = Shown(
    MessageObserved,
    "message_sid",
    (
        "account_sid", "status", "from", "to", "direction", "messaging_service_sid", "body", "num_media",
        "num_segments", "error_code", "error_message", "price", "price_unit", "date_created", "date_sent",
    ),
)  # fmt: skip
CALL = Shown(
    CallObserved,
    "call_sid",
    (
        "account_sid", "status", "from", "to", "direction", "parent_call_sid", "answered_by", "duration", "price",
        "price_unit", "start_time", "end_time",
    ),
)  # fmt: skip
RECORDING = Shown(
    RecordingObserved,
    "recording_sid",
    (
        "account_sid", "status", "call_sid", "conference_sid", "channels", "duration", "source", "track", "start_time",
        "error_code",
    ),
    "media_url",
)  # fmt: skip
PARTICIPANT = Shown(
    ParticipantObserved,
    None,
    ("account_sid", "conference_sid", "call_sid", "end_conference_on_exit", "start_conference_on_enter"),
)

CONFERENCE = Shown(
    ConferenceObserved,
    "conference_sid",
    (
        "account_sid", "status", "friendly_name", "region", "reason_conference_ended", "call_sid_ending_conference",
    ),
)  # fmt: skip

AVAILABLE_NUMBER = resources.AvailableNumber
NUMBER = resources.OwnedNumber
CALLER_ID = resources.CallerId
VERIFICATION = resources.Verification
ACCOUNT = resources.Account
BALANCE = resources.Balance
MEDIA = resources.Media
TRANSCRIPTION = resources.Transcription
DOWNLOAD = resources.Download
REFERENCE = resources.Reference
WIRING = resources.Wiring


class Unreadable(ValueError):
    """The answer is not the resource that was asked for. Names fields, never values."""


def event(shown: Shown, body: Mapping[str, object]) -> Event:
    """Raises Unreadable."""
    values = {name: body[name] for name in shown.properties if body.get(name) not in (None, "")}
    if shown.sid is not None:
        values[shown.sid] = body.get("sid")
    elif body.get("label"):
        values["participant_label"] = body["label"]
    if shown.url is not None and body.get(shown.url):
        values["url"] = body[shown.url]
    try:
        found: Event = shown.model.model_validate(values)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)
        raise Unreadable("; ".join(f"{'.'.join(map(str, e['loc']))} {e['type']}" for e in wrong)) from None
    return found.model_copy(update={"id": event_id(found)})


def summary(model: type[BaseModel], body: Mapping[str, object]) -> Summary:
    """The resource as a result shows it. A property that is not as the provider describes it is left out."""
    [kind] = get_args(model.model_fields["kind"].annotation)
    taken = {name: _PRIVATE.get((kind, name), _plain)(body.get(name)) for name in model.model_fields}
    values = {name: value for name, value in taken.items() if value not in (None, "")} | {"kind": kind}
    try:
        found = model.model_validate(values)
    except ValidationError as error:
        wrong = {item["loc"][0] for item in error.errors(include_input=False)}
        found = model.model_validate({name: value for name, value in values.items() if name not in wrong})
    return found.model_dump(mode="json", exclude_none=True)


def _plain(value: object) -> object:
    """Amounts come as numbers and as texts, capabilities in any case, and URLs with passwords and tokens."""
    if isinstance(value, str):
        return _QUERY.sub(r"\g<place>?…", _USERINFO.sub("", value))
    if isinstance(value, Mapping):
        return {str(name).lower(): each for name, each in value.items()}
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _masked(number: object) -> object:
    """The last digits, unless they would be most of it."""
    return f"…{number[-4:]}" if isinstance(number, str) and len(number) >= 8 else None


def _unless_address(name: object) -> object:
    return None if isinstance(name, str) and "@" in name else name


_USERINFO = re.compile(r"(?<=://)[^/?#@]*@")
_QUERY = re.compile(r"(?<=://)(?P<place>[^?#]*)\?.*", re.DOTALL)
_PRIVATE: Mapping[tuple[str, str], Callable[[object], object]] = {
    ("caller_id", "phone_number"): _masked,
    ("verification", "phone_number"): _masked,
    ("wiring", "phone_number"): _masked,
    ("account", "friendly_name"): _unless_address,
}
"""By kind and property."""


def bounded(shown: Sequence[Summary]) -> Sequence[Summary]:
    """As many of them, from the first, as a result can hold."""
    left = RESULT_BYTES
    for at, each in enumerate(shown):
        left -= len(orjson.dumps(each)) + 1
        if left < 0:
            return tuple(shown[:at])
    return tuple(shown)
