"""Requests: an action as keyword arguments of the official SDK. Pure; names are the provider's in snake_case.

Every callback URL leads to the front door and asks for retries; the action's id travels in its query.
"""

from collections.abc import Mapping
from typing import Any

from ingest.contract.routes import callback_url
from processors.contract.actions import AddParticipant, CreateCall, CreateMessage

Arguments = Mapping[str, Any]

# The provider sends only `completed` unless asked; https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent
CALL_EVENTS = ["initiated", "ringing", "answered", "completed"]
RECORDING_EVENTS = ["in-progress", "completed", "absent"]
# https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallbackEvent. In the Participants API this is
# one list; the first participant's URL and events serve the whole conference.
CONFERENCE_EVENTS = ["start", "end", "join", "leave", "mute", "hold", "modify"]


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


def _given(**arguments: Any) -> Arguments:
    return {name: value for name, value in arguments.items() if value is not None}
