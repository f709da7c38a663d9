"""Observations: a resource as a REST answer shows it, as an event. Pure.

Only what stays true is taken: an answer about a participant says who it is, not whether it is still there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from ingest.contract.codec import subject
from ingest.contract.events import (
    CallObserved,
    Event,
    MessageObserved,
    ParticipantObserved,
    RecordingObserved,
)
from ingest.contract.identity import event_id


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

SHOWN_BY: Mapping[str, Shown] = {
    "messages.create": MESSAGE,
    "calls.create": CALL,
    "calls.hang_up": CALL,
    "participants.add": PARTICIPANT,
    "participants.mute": PARTICIPANT,
    "recordings.fetch": RECORDING,
}
# What a lookup of a made resource reads.
LOOKED_UP: Mapping[str, Shown] = {"messages.create": MESSAGE, "calls.create": CALL, "participants.add": CALL}


class Unreadable(ValueError):
    """The answer is not the resource that was asked for. Names fields, never values."""


def observe(action_type: str, body: Mapping[str, object], *, looked_up: bool = False) -> Event | None:
    """The event that an answer to an action is; None where it shows nothing (a deletion). Raises Unreadable."""
    shown = (LOOKED_UP if looked_up else SHOWN_BY).get(action_type)
    if shown is None or not body:
        return None
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


def effect(event: Event | None) -> str | None:
    """The SID of what an action made or touched."""
    if event is None:
        return None
    return event.call_sid if isinstance(event, ParticipantObserved) else subject(event)
