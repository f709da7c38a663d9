"""What is kept of the provider's requests: all about a call as its events, what failed as notifications.

A notification is told to the debugger's webhook as well, where there is one; what that answers is not complained of.
https://www.twilio.com/docs/voice/api/call-event-resource,
https://www.twilio.com/docs/usage/troubleshooting/debugging-event-webhooks
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from deploy.emulator.account import Account, Answer, Callback
from deploy.emulator.callbacks.debugger import payload
from deploy.emulator.callbacks.requests import bare
from deploy.emulator.resources import Asked, CallEvent, Notification

DEBUGGER: Final = "debugger"
MEDIA: Final = "media-request"
NO_CONNECTION, NO_USABLE_ANSWER = 11205, 11200
# Kind of a callback → the code of an answer that is no 2xx; of any other kind it is no usable answer.
REFUSED: Mapping[str, int] = {
    "call-status": 15003,
    "participant-call-status": 15003,
    "conference-status": 16011,
}


def note(account: Account, callback: Callback, answer: Answer, took: float, failed: bool, now: datetime) -> None:
    """An attempt took so many seconds of provider time, and has failed, unless it is tried again or was taken."""
    status = answer.outcome if isinstance(answer.outcome, int) else None
    asked = Asked(
        bare(callback.url),
        callback.method,
        callback.params,
        status,
        "" if callback.kind == MEDIA else answer.body,  # a file is large, and no text
        answer.content_type,
        round(took * 1000),
    )
    whose = call_of(callback)
    if whose in account.calls:
        log(account, whose, asked, now)
    if failed and callback.kind != DEBUGGER:
        code = REFUSED.get(callback.kind, NO_USABLE_ANSWER) if status else code_of(answer.outcome)
        complain(account, code, callback.sid, asked, now, whose)


def log(account: Account, call_sid: str, asked: Asked, now: datetime) -> None:
    """Something was asked about a call, by the provider or of it."""
    events = account.call_events.setdefault(call_sid, [])
    events.append(CallEvent(len(events) + 1, call_sid, asked, now))


def call_of(callback: Callback) -> str:
    """The call that a callback is about; nothing where it is about none."""
    return callback.sid if callback.sid.startswith("CA") else callback.params.get("CallSid", "")


def code_of(outcome: int | str) -> int:
    """The provider's code for an answer that will not do, or for none."""
    return NO_CONNECTION if outcome == "ct" else NO_USABLE_ANSWER


def complain(account: Account, code: int, about: str, asked: Asked, now: datetime, call_sid: str = "") -> None:
    """Something is wrong with what was answered, or that nothing was."""
    sid, index = account.mint("NO")
    made = Notification(sid, index, about, call_sid if call_sid in account.calls else None, code, asked, now)
    account.notifications[sid] = made
    if account.debugger:
        account.say(DEBUGGER, sid, str(code), account.debugger, payload(account, made))
