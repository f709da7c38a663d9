"""Observations: a resource as a REST answer shows it, or each of a list, as an event. Pure.

Only what stays true is taken: an answer about a participant says who it is, not whether it is still there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from ingest.contract.codec import subject
from ingest.contract.events import (
    CallObserved,
    ConferenceObserved,
    Event,
    MessageObserved,
    ParticipantObserved,
    RecordingObserved,
)
from ingest.contract.identity import event_id
from ingest.contract.times import Instant
from processors.contract.actions import Action, AnyList, ListAction


@dataclass(frozen=True, slots=True)
class Shown:
    """A kind of resource in REST answers: its model, where its SID goes, and the properties taken as they are."""

    model: type[Event]
    sid: str | None
    properties: tuple[str, ...]


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

SHOWN_BY: Mapping[str, Shown] = {
    "messages.create": MESSAGE,
    "messages.fetch": MESSAGE,
    "messages.list": MESSAGE,
    "messages.update": MESSAGE,
    "messages.cancel": MESSAGE,
    "calls.create": CALL,
    "calls.fetch": CALL,
    "calls.list": CALL,
    "calls.redirect": CALL,
    "calls.hang_up": CALL,
    "calls.cancel": CALL,
    "conferences.fetch": CONFERENCE,
    "conferences.list": CONFERENCE,
    "conferences.end": CONFERENCE,
    "participants.add": PARTICIPANT,
    "participants.fetch": PARTICIPANT,
    "participants.list": PARTICIPANT,
    "participants.mute": PARTICIPANT,
    "participants.unmute": PARTICIPANT,
    "participants.hold": PARTICIPANT,
    "participants.unhold": PARTICIPANT,
    "recordings.fetch": RECORDING,
    "recordings.list": RECORDING,
}
# What a lookup of a made resource reads.
LOOKED_UP: Mapping[str, Shown] = {"messages.create": MESSAGE, "calls.create": CALL, "participants.add": CALL}


# Lists whose times the provider reads as days, and those times.
# https://www.twilio.com/docs/voice/api/conference-resource#read-multiple-conference-resources
BY_DAY: Mapping[str, tuple[str, ...]] = {"conferences.list": ("date_created", "date_updated")}

_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)

# The resource that an action touches, by the family of its type.
_TOUCHED: Mapping[str, str] = {
    "messages": "message_sid",
    "calls": "call_sid",
    "conferences": "conference_sid",
    "participants": "call_sid",
    "recordings": "recording_sid",
}


class Unreadable(ValueError):
    """The answer is not the resource that was asked for. Names fields, never values."""


class Page(NamedTuple):
    """One page of a list: how much was on it, what of that was asked for and what of that could not be read, and
    where the next one is."""

    read: int
    events: Sequence[Event]
    unreadable: Sequence[str]
    next_uri: str | None


def observe(action_type: str, body: Mapping[str, object], *, looked_up: bool = False) -> Event | None:
    """The event that an answer to an action is; None where it shows nothing (a deletion). Raises Unreadable."""
    shown = (LOOKED_UP if looked_up else SHOWN_BY).get(action_type)
    return None if shown is None or not body else _event(shown, body)


def observe_page(action: AnyList, body: Mapping[str, object], most: int) -> Page:
    """The events of the first `most` resources on a page that were asked for. Raises Unreadable for what is no page."""
    # The provider names the collection of a page as the path does, and as we name the family.
    items, uri = body.get(action.type.partition(".")[0]), body.get("next_page_uri")
    if not isinstance(items, list) or not (uri is None or (isinstance(uri, str) and uri.startswith("/"))):
        raise Unreadable("no page")
    events: list[Event] = []
    unreadable: list[str] = []
    shown = [item if isinstance(item, dict) else {} for item in items]
    for item in [item for item in shown if _is_sought(action, item)][:most]:
        try:
            events.append(_event(SHOWN_BY[action.type], item))
        except Unreadable as error:
            unreadable.append(str(error))
    # Nothing on a page means nothing behind it.
    return Page(len(items), events, unreadable, uri if items else None)


def _is_sought(action: AnyList, item: Mapping[str, object]) -> bool:
    """Whether it lies within the windows that the provider could only be asked for by day."""
    for name in BY_DAY.get(action.type, ()):
        try:
            seen = _INSTANT.validate_python(item.get(name))
        except ValidationError:
            continue  # one too many is better than one too few
        after, before = getattr(action, f"{name}_after"), getattr(action, f"{name}_before")
        if (after is not None and seen < after.replace(microsecond=0)) or (before is not None and seen > before):
            return False
    return True


def _event(shown: Shown, body: Mapping[str, object]) -> Event:
    values = {name: body[name] for name in shown.properties if body.get(name) not in (None, "")}
    if shown.sid is not None:
        values[shown.sid] = body.get("sid")
    elif body.get("label"):
        values["participant_label"] = body["label"]
    try:
        event: Event = shown.model.model_validate(values)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)
        raise Unreadable("; ".join(f"{'.'.join(map(str, e['loc']))} {e['type']}" for e in wrong)) from None
    return event.model_copy(update={"id": event_id(event)})


def effect(action: Action, event: Event | None) -> str | None:
    """The SID of what an action made or touched."""
    if isinstance(event, ParticipantObserved):
        return event.call_sid
    if event is not None:
        return subject(event)
    # A list touches nothing, whatever it filters by.
    return None if isinstance(action, ListAction) else getattr(action, _TOUCHED[action.type.partition(".")[0]], None)
