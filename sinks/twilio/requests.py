"""Requests: an action as keyword arguments of the official SDK. Pure; names are the provider's in snake_case.

Every callback URL leads to the front door and asks for retries; the action's id travels in its query.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from ingest.contract.routes import callback_url
from processors.contract.actions import (
    AddParticipant,
    AnyList,
    CreateCall,
    CreateMessage,
    FetchRecording,
    HoldParticipant,
    ListAction,
    RedirectCall,
)
from sinks.twilio.observations import BY_DAY

Arguments = Mapping[str, Any]

# The provider sends only `completed` unless asked; https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent
CALL_EVENTS = ["initiated", "ringing", "answered", "completed"]
RECORDING_EVENTS = ["in-progress", "completed", "absent"]
# https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallbackEvent. In the Participants API this is
# one list; the first participant's URL and events serve the whole conference.
CONFERENCE_EVENTS = ["start", "end", "join", "leave", "mute", "hold", "modify"]

# A page is published before the next one is asked for, so it is also what a list holds of memory.
# https://www.twilio.com/docs/usage/twilios-response#pagination
PAGE_SIZE = 200
_NO_FILTERS = frozenset({"type", "limit", *ListAction.model_fields})
# What is in the path of a list, and so is none of its filters.
_IN_PATH: Mapping[str, frozenset[str]] = {"participants.list": frozenset({"conference_sid"})}


def create_message(action: CreateMessage, public_base: str) -> Arguments:
    return _given(
        to=action.to,
        from_=action.from_,
        messaging_service_sid=action.messaging_service_sid,
        body=action.body,
        media_url=list(action.media_url) or None,
        status_callback=callback_url(public_base, "message-status", action.id),
    )


def create_call(action: CreateCall, public_base: str) -> Arguments:
    return _given(
        to=action.to,
        from_=action.from_,
        url=action.url,
        twiml=action.twiml,
        timeout=action.timeout,
        status_callback=callback_url(public_base, "call-status", action.id),
        status_callback_event=CALL_EVENTS,
        **_recording(action, public_base),
    )


def _recording(action: CreateCall, public_base: str) -> Arguments:
    if not action.record:
        return {}
    return {
        "record": True,
        "recording_status_callback": callback_url(public_base, "recording-status", action.id),
        "recording_status_callback_event": RECORDING_EVENTS,
    }


def add_participant(action: AddParticipant, public_base: str) -> Arguments:
    """The label is the action's id: every callback about the participant carries it, even one about the conference."""
    recorded = {
        "conference_record": "record-from-start",
        "conference_recording_status_callback": callback_url(public_base, "recording-status"),
        "conference_recording_status_callback_event": RECORDING_EVENTS,
    }
    return _given(
        to=action.to,
        from_=action.from_,
        label=action.id,
        muted=action.muted,
        start_conference_on_enter=action.start_conference_on_enter,
        end_conference_on_exit=action.end_conference_on_exit,
        status_callback=callback_url(public_base, "call-status", action.id),
        status_callback_event=CALL_EVENTS,
        conference_status_callback=callback_url(public_base, "conference-status"),
        conference_status_callback_event=CONFERENCE_EVENTS,
        **(recorded if action.record else {}),
    )


def redirect_call(action: RedirectCall) -> Arguments:
    return _given(
        url=action.url,
        method=action.method,
        twiml=action.twiml,
        fallback_url=action.fallback_url,
        fallback_method=action.fallback_method,
        time_limit=action.time_limit,
    )


def hold_participant(action: HoldParticipant) -> Arguments:
    return _given(hold=True, hold_url=action.hold_url, hold_method=action.hold_method)


def fetch_recording(action: FetchRecording) -> Arguments:
    return _given(include_soft_deleted=action.include_soft_deleted)


def list_page(action: AnyList) -> Arguments:
    """The first page of a list. The SDK writes times as they are, with a `Z`: ours are UTC already."""
    left_out = _NO_FILTERS | _IN_PATH.get(action.type, frozenset())
    sought = action.model_dump(by_alias=False, exclude=set(left_out), exclude_none=True)
    if action.type in BY_DAY:
        sought = {name: _day(name, value) for name, value in sought.items()}
    return {"page_size": min(action.limit, PAGE_SIZE), **sought}


def _day(name: str, value: object) -> object:
    """The day of a time. `DateCreated<=` a day means until its midnight, so a window ends with the day after it."""
    if not isinstance(value, datetime):
        return value
    day: date = value.date()
    return day + timedelta(days=1) if name.endswith("_before") else day


def _given(**arguments: Any) -> Arguments:
    return {name: value for name, value in arguments.items() if value is not None}
