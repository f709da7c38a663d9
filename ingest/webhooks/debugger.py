"""The provider's debugger: what went wrong on our account, as a form whose `Payload` is JSON.

https://www.twilio.com/docs/usage/troubleshooting/debugging-event-webhooks. Fields of the payload can be null.
"""

import re
from collections.abc import Mapping

import orjson

from ingest.contract.events import ErrorLogged
from ingest.webhooks.table import Table

_SHAPES = {
    "resource_sid": re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}"),
    "service_sid": re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}"),
    "error_code": re.compile(r"\d{1,9}"),
}


def about(payload: str | None) -> Mapping[str, object]:
    """Which resource, service and code a payload names; it is free text, so what looks otherwise is left in it."""
    try:
        told = orjson.loads(payload or "")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(told, dict):
        return {}
    given = {name: told.get(name) for name in _SHAPES}
    flat = {name: value for name, value in given.items() if isinstance(value, str | int)}
    return {name: value for name, value in flat.items() if _SHAPES[name].fullmatch(str(value))}


def _collect(extra: dict[str, str]) -> Mapping[str, object]:
    payload = extra.pop("Payload", None)
    return {"payload": payload, **about(payload)}


ERROR = Table(
    ErrorLogged,
    {
        "AccountSid": "account_sid",
        "Sid": "error_sid",
        "ParentAccountSid": "parent_account_sid",
        "Level": "level",
        "Timestamp": "timestamp",
    },
    collect=_collect,
)
