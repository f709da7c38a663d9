"""What the provider keeps of its requests over REST: the events of a call, and notifications of what went wrong.

https://www.twilio.com/docs/voice/api/call-event-resource (from 15 minutes after a call's end; here at once),
https://www.twilio.com/docs/voice/api/call-notification-resource
"""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from deploy.emulator.account import Account
from deploy.emulator.callbacks.debugger import COMPLAINTS, ERROR, WARNING
from deploy.emulator.callbacks.parameters import API_VERSION
from deploy.emulator.errors import Json, Reply
from deploy.emulator.forms import Request, within
from deploy.emulator.resources import CallEvent, Notification
from deploy.emulator.rest.calls import find as find_call
from deploy.emulator.rest.finding import Missing, existing
from deploy.emulator.rest.pages import equal, page
from deploy.emulator.rest.representations import date, uri

LOGS: Mapping[str, str] = {ERROR: "0", WARNING: "1"}


def events(account: Account, request: Request, now: datetime) -> Reply:
    """What was asked about a call, by the provider or of it, with the answers."""
    call = find_call(account, request)
    return page(account, request, "events", account.call_events.get(call.sid, []), lambda event: True, _event)


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    """All of the account, or those of the call of its path."""
    above = find_call(account, request).sid if request.ids else None

    def keep(notification: Notification) -> bool:
        return (
            above in (None, notification.call_sid)
            and equal(request.query, "Log", LOGS[COMPLAINTS[notification.code].level])
            and within(request.query, "MessageDate", notification.date_created)
        )

    return page(account, request, "notifications", account.notifications.values(), keep, _notification)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    """With what was sent and what was answered. Below a call only its own. Raises Missing."""
    found = existing(account.notifications.get(request.ids[-1]))
    if len(request.ids) > 1 and found.call_sid != find_call(account, request).sid:
        raise Missing
    whole = {
        **_notification(account, found),
        "request_variables": urlencode(found.asked.params),
        "response_body": found.asked.body,
        "response_headers": urlencode({"Content-Type": found.asked.content_type}) if found.asked.content_type else "",
    }
    return Reply(200, whole)


def _event(account: Account, shown: CallEvent) -> Json:
    asked = shown.asked
    return {
        "request": {
            "url": asked.url,
            "method": asked.method,
            "parameters": {_snake(name): value for name, value in asked.params.items()},
        },
        "response": {
            "response_code": asked.status,
            "request_duration": asked.milliseconds,
            "content_type": asked.content_type or None,
            "response_body": asked.body,
            "date_created": date(shown.date),
        },
    }


def _notification(account: Account, shown: Notification) -> Json:
    above = ("Calls", shown.call_sid) if shown.call_sid else ()
    moment, (level, words) = date(shown.date_created), COMPLAINTS[shown.code]
    return {
        "sid": shown.sid,
        "account_sid": account.sid,
        "api_version": API_VERSION,
        "call_sid": shown.call_sid,
        "date_created": moment,
        "date_updated": moment,
        "error_code": str(shown.code),
        "log": LOGS[level],
        "message_date": moment,
        "message_text": urlencode({"Msg": words, "ErrorCode": shown.code, "LogLevel": level}),
        "more_info": f"https://www.twilio.com/docs/errors/{shown.code}",
        "request_method": shown.asked.method,
        "request_url": shown.asked.url or None,
        "uri": uri(account, *above, "Notifications", shown.sid),
    }


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
