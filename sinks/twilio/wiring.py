"""Wiring: what a number of ours calls, against what it should: the front door's routes. Pure.

https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ingest.contract.routes import callback_url
from processors.contract.actions import ConfigureNumber, WireNumbers
from sinks.twilio.shown import WIRING, Summary, summary

VOICE: Mapping[str, str] = {
    "voice_url": "call-inbound",
    "voice_fallback_url": "call-fallback",
    "status_callback": "call-status",
}
TEXT: Mapping[str, str] = {"sms_url": "message-inbound", "sms_fallback_url": "message-fallback"}
"""Properties of a number, and the routes that they should lead to."""

METHODS: Mapping[str, str] = {
    "voice_url": "voice_method",
    "voice_fallback_url": "voice_fallback_method",
    "status_callback": "status_callback_method",
    "sms_url": "sms_method",
    "sms_fallback_url": "sms_fallback_method",
}

# The first that a number has answers, and its URLs are not asked.
ANSWER_CALLS: Mapping[str, str] = {"trunk_sid": "trunk", "voice_application_sid": "voice_application"}
ANSWER_TEXTS: Mapping[str, str] = {"sms_application_sid": "sms_application"}


def answered_by(number: Mapping[str, object]) -> Sequence[str]:
    """What answers in place of the number's URLs."""
    calls = [name for field, name in ANSWER_CALLS.items() if number.get(field)]
    texts = [name for field, name in ANSWER_TEXTS.items() if number.get(field)]
    return [*calls[:1], *texts]


def differences(number: Mapping[str, object], public_base: str) -> Mapping[str, str]:
    """What should be otherwise: property → value. What others answer, or what the number cannot do, is left out."""
    routes = {
        **(VOICE if _may(number, "voice", ANSWER_CALLS) else {}),
        **(TEXT if _may(number, "sms", ANSWER_TEXTS) else {}),
    }
    wanted: dict[str, str] = {}
    for field, route in routes.items():
        wanted[field] = callback_url(public_base, route)
        wanted[METHODS[field]] = "POST"
    return {field: value for field, value in wanted.items() if (number.get(field) or "") != value}


def configured(action: WireNumbers, number: Mapping[str, object], wanted: Mapping[str, str]) -> ConfigureNumber:
    """What puts it right. Raises ValueError for a number without a SID."""
    who: dict[str, Any] = {"id": action.id, "account_sid": action.account_sid, "ordering_key": action.ordering_key}
    return ConfigureNumber.model_validate({**who, "number_sid": number.get("sid"), **wanted})


def shown(
    number: Mapping[str, object],
    wanted: Mapping[str, str],
    public_base: str,
    outcome: str,
    error_code: int | None = None,
) -> Summary:
    """For the result. Of URLs that are not ours there is no word: there may be secrets in them."""
    told = [
        {"field": field, "as_is": _told(number.get(field), public_base), "wanted": _told(value, public_base)}
        for field, value in wanted.items()
    ]
    said = {"differences": told, "answered_by": answered_by(number), "outcome": outcome, "error_code": error_code}
    return summary(WIRING, {**{name: number.get(name) for name in ("sid", "account_sid", "phone_number")}, **said})


def _may(number: Mapping[str, object], capability: str, others: Mapping[str, str]) -> bool:
    capabilities = number.get("capabilities")
    said = {str(name).lower(): can for name, can in capabilities.items()} if isinstance(capabilities, Mapping) else {}
    return said.get(capability, True) is not False and not any(number.get(field) for field in others)


def _told(value: object, public_base: str) -> str:
    """Of ours what follows the address of the front door, but no query; of a method its name."""
    if not isinstance(value, str) or not value:
        return "none"
    if value in ("GET", "POST"):
        return value
    base = public_base.rstrip("/")
    if not value.startswith(f"{base}/"):
        return "another"
    parts = urlsplit(value.removeprefix(base))
    return (parts.path + (f"#{parts.fragment}" if parts.fragment else ""))[:256]
