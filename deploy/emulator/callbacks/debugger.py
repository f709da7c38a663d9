"""What the debugger's webhook is told: a form whose `Payload` is JSON, with the request that went wrong.

https://www.twilio.com/docs/usage/troubleshooting/debugging-event-webhooks; `Level` and `more_info` as captured.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from deploy.emulator.account import Account
from deploy.emulator.resources import Notification, Params

ERROR, WARNING = "ERROR", "WARNING"


class Complaint(NamedTuple):
    """How bad it is, and what it is. https://www.twilio.com/docs/api/errors"""

    level: str
    words: str


COMPLAINTS: Mapping[int, Complaint] = {
    11100: Complaint(ERROR, "Invalid URL format"),
    11200: Complaint(ERROR, "HTTP retrieval failure"),
    11205: Complaint(ERROR, "HTTP connection failure"),
    11750: Complaint(ERROR, "TwiML response body too large"),
    11770: Complaint(ERROR, "Empty TwiML response body"),
    12100: Complaint(ERROR, "Document parse failure"),
    12200: Complaint(WARNING, "Schema validation warning"),
    12300: Complaint(ERROR, "Invalid Content-Type"),
    13325: Complaint(ERROR, "Gather->Play: Invalid Content-Type"),
    13420: Complaint(ERROR, "Play: Invalid Content-Type"),
    21262: Complaint(WARNING, "Async AMD: no callback URL to tell who answered"),
    15003: Complaint(WARNING, "Call Progress: Warning Response to Callback URL"),
    16011: Complaint(ERROR, "Conference: Error Response to Event Callback URL"),
}


def payload(account: Account, made: Notification) -> Params:
    level, words = COMPLAINTS[made.code]
    asked = made.asked
    told = {
        "resource_sid": made.about,
        "service_sid": None,
        "error_code": str(made.code),
        "more_info": {"Msg": words, "ErrorCode": f"{made.code},{words}", "LogLevel": level},
        "webhook": {
            "type": "application/json",
            "request": {"url": asked.url, "method": asked.method, "headers": {}, "parameters": asked.params},
            "response": {
                "status_code": asked.status,
                "headers": {"Content-Type": asked.content_type} if asked.content_type else {},
                "body": asked.body or None,
            },
        },
    }
    return {
        "Sid": made.sid,
        "AccountSid": account.sid,
        "Level": level,
        "Timestamp": made.date_created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "PayloadType": "application/json",
        "Payload": json.dumps(told, separators=(",", ":")),
    }
