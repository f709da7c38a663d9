"""Samples: each action with everything that it can say, in as many variants as it takes where one excludes another."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from processors.contract.actions import ACTIONS, MODELS, Action, ActionBase, ListForTopic
from tests.sinks.twilio.conftest import WHO

Json = dict[str, Any]

DIGITS = "0123456789abcdefABCDEF0123456789"
SID = re.compile(r"\^\(?([A-Z]{2})[A-Z|]*\)?\[0-9a-fA-F\]\{32\}\$")
# In half past five hours east, so that one that is not converted is noticed.
WHEN, WHEN_SENT = "2026-03-01T02:30:00+05:30", "2026-02-28T21:00:00Z"

OURS = frozenset({*ListForTopic.model_fields, "type", "older_than"})
"""What the provider is not told; an age is a time by then."""

TEXTS: Mapping[str, str] = {
    "area_code": "510", "beep": "onEnter", "body": "héllo & <more> +1", "conference": "daily stand-up 50%",
    "contains": "510555****", "country_code": "US", "extension": "12w3", "from": "+15005550006",
    "near_lat_long": "37.84,-122.46", "near_number": "+15105550100", "phone_number": "+15105550101",
    "send_digits": "wW12#", "to": "+12025550100", "caller_id": "+15005550009", "fallback_from": "+15005550007",
    "twiml": "<Response><Say>1 & 2</Say></Response>",
}  # fmt: skip
"""Of fields with a form of their own."""

DETECTION = tuple(
    f"machine_detection_{each}" for each in ("timeout", "speech_threshold", "speech_end_threshold", "silence_timeout")
)
EITHER: Mapping[str, Sequence[Sequence[str]]] = {
    "calls.create": (
        ("twiml", "application_sid", "send_digits"),
        ("url", "application_sid", "send_digits"),
        ("url", "twiml", "machine_detection", "async_amd", *DETECTION),
    ),
    "calls.redirect": (("twiml",), ("url",)),
    "accounts.fetch": ((), ("sid",)),
    "numbers.buy": (("area_code", "trunk_sid"), ("phone_number", "voice_application_sid")),
    "numbers.configure": (("trunk_sid",), ("voice_application_sid",)),
    "numbers.search": (("near_number",), ("near_lat_long",)),
    "recordings.pause": (("call_sid",), ("conference_sid",), ("conference_sid", "recording_sid")),
    "recordings.resume": (("call_sid",), ("conference_sid",)),
    "recordings.stop": (("call_sid",), ("conference_sid",)),
    "transcriptions.list": ((), ("recording_sid",)),
}  # fmt: skip
"""What is left out of each variant of an action that cannot say everything at once."""


def schema(model: type[ActionBase]) -> Json:
    return model.model_json_schema()


def documents(name: str) -> list[Json]:
    """What each variant says, by the names of its record, besides who asks."""
    properties = schema(MODELS[name])["properties"]
    whole = {field: _value(field, one) for field, one in properties.items() if field.rstrip("_") not in OURS}
    return [{f: v for f, v in whole.items() if f not in without} for without in EITHER.get(name, ((),))]


def action(name: str, document: Json) -> Action:
    return ACTIONS.validate_python({**WHO, "id": "rule-1-d2", "type": name, **document})


def _value(field: str, one: Json) -> Any:
    one = next((each for each in one.get("anyOf", ()) if each.get("type") != "null"), one)
    if "const" in one or "enum" in one:
        return one["const"] if "const" in one else one["enum"][0]
    if field in TEXTS:
        return TEXTS[field]
    if sid := SID.fullmatch(one.get("pattern", "")):
        return sid[1] + DIGITS
    if one.get("format") == "date-time":
        return WHEN
    if one["type"] == "string":
        return f"https://example.com/{field}?a=1&b=2" if field.endswith(("_url", "url", "callback")) else f"a {field}"
    return {
        "integer": one.get("minimum", 7) + 1,
        "boolean": True,
        "array": [f"https://example.com/{field}/{n}" for n in (1, 2)],
        "object": {"1": 'say "hi" {now}', "2": "€"},
    }[one["type"]]
