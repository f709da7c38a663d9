"""Replies: what an answer of the provider means for an action. Pure; what is not plainly yes or no is in operations.

https://www.twilio.com/docs/usage/twilios-response, https://www.twilio.com/docs/api/errors
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from sinks.twilio.observations import summarize
from sinks.twilio.operations import OPERATIONS
from sinks.twilio.shown import Summary


@dataclass(frozen=True, slots=True)
class Done:
    """It took effect, or there was nothing left to do. `body` is the resource as the provider shows it; `resources` are
    for the result, as JSON, where it is of a kind that has no topic."""

    http_status: int
    body: Mapping[str, object]
    resources: Sequence[Summary] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A list was read to its end, or its limit; `observed` resources of it were published, or are in `resources`, for
    the result, as far as that can hold them."""

    http_status: int
    observed: int
    resources: Sequence[Summary] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no, and will say no again; without a status, we did not even ask, for `reason`."""

    http_status: int | None
    error_code: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing happened; later it may, after `retry_after` seconds where that is said. `reason` is closed vocabulary."""

    reason: str
    http_status: int | None = None
    error_code: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """It may have happened: the request left, and no answer said so. `reason` is closed vocabulary."""

    reason: str
    http_status: int | None = None


_DIGITS = 7
"""As many in a count of seconds are no count any more."""

Reply = Done | Listed | Refused | NotYet | Lost


def read(
    action_type: str, http_status: int, text: str, *, looked_up: bool = False, retry_after: str | None = None
) -> Reply:
    """The meaning of an HTTP answer to an action, or to the lookup of what it made. `retry_after` is that header."""
    body = _object(text)
    code = body.get("code")
    error_code = code if isinstance(code, int) else None
    if 200 <= http_status < 300:
        return Done(http_status, body, summarize(action_type, body, looked_up=looked_up))
    if http_status == 429:
        # "Not processed, always safe to retry": https://www.twilio.com/docs/api/errors/20429
        return NotYet("rate_limited", http_status, error_code, _seconds(retry_after))
    if http_status >= 500:
        return Lost("server_error", http_status)
    if http_status == 408:
        # Documented for recordings that are made; whether it took effect before the time was over, it does not say.
        return Lost("timeout", http_status)
    if OPERATIONS[action_type].already == error_code is not None:
        return Done(http_status, {})
    return Refused(http_status, error_code)


def confirm(action_type: str, refused: Refused, found: Reply) -> Reply:
    """What a refusal means, now that the resource was read: an earlier try may have done what this one asked for."""
    match found:
        case Done(_, body):
            return found if body.get("status") in OPERATIONS[action_type].wanted else refused
        case Refused():
            return refused
        case _:
            return found


def _seconds(retry_after: str | None) -> float | None:
    """Only a count of seconds; a date would need a clock. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    is_count = retry_after and retry_after.isascii() and retry_after.isdigit() and len(retry_after) < _DIGITS
    return float(retry_after) if retry_after and is_count else None


def _object(text: str) -> Mapping[str, object]:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
