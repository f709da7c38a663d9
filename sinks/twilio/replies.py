"""Replies: what an answer of the provider means for an action. Pure; a table of what is not plainly yes or no.

https://www.twilio.com/docs/usage/twilios-response, https://www.twilio.com/docs/api/errors
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Done:
    """It took effect, or there was nothing left to do. `body` is the resource as the provider shows it."""

    http_status: int
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list was read to its end, or its limit; `observed` resources of it were published."""

    http_status: int
    observed: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no, and will say no again; without a status, we did not even ask, for `reason`."""

    http_status: int | None
    error_code: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing happened; later it may. `reason` is closed vocabulary."""

    reason: str
    http_status: int | None = None
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """It may have happened: the request left, and no answer said so. `reason` is closed vocabulary."""

    reason: str
    http_status: int | None = None


Reply = Done | Listed | Refused | NotYet | Lost

# What asks for a state that already is, is done. 20404: who is removed has left, what is deleted is not there;
# 21220: the call has ended.
ALREADY: Mapping[str, int] = {
    "messages.delete": 20404,
    "calls.hang_up": 21220,
    "calls.delete": 20404,
    "participants.remove": 20404,
    "recordings.delete": 20404,
}

# Where the code does not tell: after a no, the resource says whether it is already as it was to be.
CONFIRMED_BY: Mapping[str, str] = {
    "messages.cancel": "messages.fetch",
    "calls.cancel": "calls.fetch",
    "conferences.end": "conferences.fetch",
}
_WANTED: Mapping[str, str] = {
    "messages.cancel": "canceled",
    "calls.cancel": "canceled",
    "conferences.end": "completed",
}


def read(action_type: str, http_status: int, text: str) -> Reply:
    """The meaning of an HTTP answer to an action."""
    body = _object(text)
    code = body.get("code")
    error_code = code if isinstance(code, int) else None
    if 200 <= http_status < 300:
        return Done(http_status, body)
    if http_status == 429:
        # "Not processed, always safe to retry": https://www.twilio.com/docs/api/errors/20429
        return NotYet("rate_limited", http_status, error_code)
    if http_status >= 500:
        return Lost("server_error", http_status)
    if ALREADY.get(action_type) == error_code is not None:
        return Done(http_status, {})
    return Refused(http_status, error_code)


def confirm(action_type: str, refused: Refused, found: Reply) -> Reply:
    """What a refusal means, now that the resource was read: an earlier try may have done what this one asked for."""
    match found:
        case Done(_, body):
            return found if body.get("status") == _WANTED[action_type] else refused
        case Refused():
            return refused
        case _:
            return found


def _object(text: str) -> Mapping[str, object]:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
