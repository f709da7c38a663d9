"""Operations: which call of the official SDK an action is. Tables, one row an action.

https://www.twilio.com/docs/libraries/reference/twilio-python/
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twilio.rest import Client

from sinks.twilio import requests

Call = Callable[[Client, Any, str], Awaitable[object]]
Lookup = Callable[[Client, str], Awaitable[object]]


def _message(sdk: Client, action: Any) -> Any:
    return sdk.messages(action.message_sid)


def _call(sdk: Client, action: Any) -> Any:
    return sdk.calls(action.call_sid)


def _conference(sdk: Client, action: Any) -> Any:
    return sdk.conferences(action.conference_sid)


def _participant(sdk: Client, action: Any) -> Any:
    return sdk.conferences(action.conference_sid).participants(action.call_sid)


def _recording(sdk: Client, action: Any) -> Any:
    return sdk.recordings(action.recording_sid)


CALLS: Mapping[str, Call] = {
    "messages.create": lambda sdk, a, base: sdk.messages.create_async(**requests.create_message(a, base)),
    "messages.fetch": lambda sdk, a, base: _message(sdk, a).fetch_async(),
    "messages.update": lambda sdk, a, base: _message(sdk, a).update_async(body=a.body),
    "messages.cancel": lambda sdk, a, base: _message(sdk, a).update_async(status="canceled"),
    "messages.delete": lambda sdk, a, base: _message(sdk, a).delete_async(),
    "calls.create": lambda sdk, a, base: sdk.calls.create_async(**requests.create_call(a, base)),
    "calls.fetch": lambda sdk, a, base: _call(sdk, a).fetch_async(),
    "calls.redirect": lambda sdk, a, base: _call(sdk, a).update_async(**requests.redirect_call(a)),
    "calls.hang_up": lambda sdk, a, base: _call(sdk, a).update_async(status="completed"),
    "calls.cancel": lambda sdk, a, base: _call(sdk, a).update_async(status="canceled"),
    "calls.delete": lambda sdk, a, base: _call(sdk, a).delete_async(),
    "conferences.fetch": lambda sdk, a, base: _conference(sdk, a).fetch_async(),
    "conferences.end": lambda sdk, a, base: _conference(sdk, a).update_async(status="completed"),
    "participants.add": lambda sdk, a, base: sdk.conferences(a.conference).participants.create_async(
        **requests.add_participant(a, base)
    ),
    "participants.fetch": lambda sdk, a, base: _participant(sdk, a).fetch_async(),
    "participants.mute": lambda sdk, a, base: _participant(sdk, a).update_async(muted=True),
    "participants.unmute": lambda sdk, a, base: _participant(sdk, a).update_async(muted=False),
    "participants.hold": lambda sdk, a, base: _participant(sdk, a).update_async(**requests.hold_participant(a)),
    "participants.unhold": lambda sdk, a, base: _participant(sdk, a).update_async(hold=False),
    "participants.remove": lambda sdk, a, base: _participant(sdk, a).delete_async(),
    "recordings.fetch": lambda sdk, a, base: _recording(sdk, a).fetch_async(**requests.fetch_recording(a)),
    "recordings.delete": lambda sdk, a, base: _recording(sdk, a).delete_async(),
}

# Lists: what has the pages. Their filters are in requests.
LISTS: Mapping[str, Callable[[Client, Any], Any]] = {
    "messages.list": lambda sdk, a: sdk.messages,
    "calls.list": lambda sdk, a: sdk.calls,
    "conferences.list": lambda sdk, a: sdk.conferences,
    "participants.list": lambda sdk, a: sdk.conferences(a.conference_sid).participants,
    "recordings.list": lambda sdk, a: sdk.recordings,
}

# How to read what an action made, once something has shown that it is there. A participant may have left by then;
# its call stays.
LOOKUPS: Mapping[str, Lookup] = {
    "messages.create": lambda sdk, sid: sdk.messages(sid).fetch_async(),
    "calls.create": lambda sdk, sid: sdk.calls(sid).fetch_async(),
    "participants.add": lambda sdk, sid: sdk.calls(sid).fetch_async(),
}
