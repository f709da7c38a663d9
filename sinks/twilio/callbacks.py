"""Callbacks: where the provider is to tell what became of what we ask for. Pure.

Every URL leads to the front door and asks for retries; the action's id travels in its query.
"""

from collections.abc import Mapping
from typing import Any

from ingest.contract.routes import callback_url
from processors.contract.actions import AddParticipant, CreateCall, CreateMessage, StartRecording

Arguments = Mapping[str, Any]

# The provider sends only `completed` unless asked; https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent
CALL_EVENTS = ["initiated", "ringing", "answered", "completed"]
RECORDING_EVENTS = ["in-progress", "completed", "absent"]
# https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallbackEvent. In the Participants API this is
# one list; the first participant's URL and events serve the whole conference. Whoever speaks is too much to be told.
CONFERENCE_EVENTS = ["start", "end", "join", "leave", "mute", "hold", "modify", "announcement"]


def of_message(action: CreateMessage, public_base: str) -> Arguments:
    return {"status_callback": callback_url(public_base, "message-status", action.id)}


def of_call(action: CreateCall, public_base: str) -> Arguments:
    detection = {"async_amd_status_callback": callback_url(public_base, "call-amd", action.id)}
    return {
        **_call(action, public_base),
        **(detection if action.async_amd else {}),
        **(of_recording(action, public_base) if action.record else {}),
    }


def of_recording(action: CreateCall | AddParticipant | StartRecording, public_base: str) -> Arguments:
    return {
        "recording_status_callback": callback_url(public_base, "recording-status", action.id),
        "recording_status_callback_event": RECORDING_EVENTS,
    }


def of_participant(action: AddParticipant, public_base: str) -> Arguments:
    """The label is the action's id: every callback about the participant carries it, even one about the conference.

    What is told of the conference carries none: the first participant's URL serves all.
    """
    detection = {"amd_status_callback": callback_url(public_base, "call-amd", action.id)}
    recording = {
        "conference_recording_status_callback": callback_url(public_base, "recording-status"),
        "conference_recording_status_callback_event": RECORDING_EVENTS,
    }
    return {
        "label": action.id,
        **_call(action, public_base),
        "conference_status_callback": callback_url(public_base, "conference-status"),
        "conference_status_callback_event": CONFERENCE_EVENTS,
        **(detection if action.machine_detection else {}),
        **(of_recording(action, public_base) if action.record else {}),
        **(recording if action.conference_record in ("true", "record-from-start") else {}),
    }


def _call(action: CreateCall | AddParticipant, public_base: str) -> Arguments:
    return {
        "status_callback": callback_url(public_base, "call-status", action.id),
        "status_callback_event": CALL_EVENTS,
    }
