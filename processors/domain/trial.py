"""A trial: an action made of sample values, so that a rule whose action could never be made is told before it fires."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from processors.contract.actions import MODELS
from processors.contract.changes import Kind
from processors.domain.templates import filled, names, texts

RESERVED = frozenset({"id", "account_sid", "ordering_key", "rule", "type"})
"""Filled in by the engine; a rule that sets them would break identity or order."""

ALWAYS = frozenset({"key", "account_sid"})
"""What a template may name besides attributes: the resource's own SID and its account."""

Place = tuple[str | int, ...]
Finding = tuple[Place, str]
"""What is wrong, and where within the thing that was looked at."""

_DIGITS = "0" * 32
_KEYS: Mapping[Kind, str] = {
    "message": f"SM{_DIGITS}",
    "call": f"CA{_DIGITS}",
    "recording": f"RE{_DIGITS}",
    "conference": f"CF{_DIGITS}",
    "participant": f"CF{_DIGITS}/CA{_DIGITS}",
}
_SAMPLES: Mapping[str, str] = {
    **dict.fromkeys(("from", "to", "forwarded_from"), "+15550001111"),
    **dict.fromkeys(("call_sid", "parent_call_sid", "call_sid_ending_conference"), f"CA{_DIGITS}"),
    "conference_sid": f"CF{_DIGITS}",
    "messaging_service_sid": f"MG{_DIGITS}",
    "transcription_sid": f"GT{_DIGITS}",
    "account_sid": f"AC{_DIGITS}",
    **dict.fromkeys(("num_media", "num_segments", "duration", "channels", "size", "sip_response_code"), "1"),
    **dict.fromkeys(("muted", "hold", "coaching", "present", "unsolicited"), "true"),
    **dict.fromkeys(("end_conference_on_exit", "start_conference_on_enter"), "true"),
    **dict.fromkeys(("start_time", "end_time", "date_created", "date_sent"), "2026-01-01T00:00:00.000000Z"),
    "url": "https://example.com/recording",
}
"""Of every attribute that has a form of its own. Any other is text that nobody can foresee, and is left alone."""


def shortcomings(action: str, fields: Mapping[str, Any], kind: Kind) -> Iterator[Finding]:
    """Why the action could not be made, whatever the attributes are. Places are from `fields`."""
    model = MODELS[action]
    allowed = {f.alias or name for name, f in model.model_fields.items()} - RESERVED
    for name in sorted(set(fields) - allowed):
        yield (name,), f"{action} has no {name}; it has {', '.join(sorted(allowed))}"
    used = {name: frozenset[str]().union(*map(names, texts(value))) for name, value in fields.items()}
    samples = {"key": _KEYS[kind], **_SAMPLES}
    unforeseen = {name for name, found in used.items() if found - set(samples)}
    samples |= {name: "text" for found in used.values() for name in found - set(samples)}
    document = {name: filled(name, value, samples) for name, value in fields.items() if name in allowed}
    asked = {"id": "trial", "ordering_key": "trial", "account_sid": samples["account_sid"]}
    try:
        model.model_validate({**document, **asked})
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            place = item["loc"]
            if not place:
                yield (), _said(item["msg"])
            elif item["type"] == "missing":
                yield (), f"{action} needs {place[0]}"
            elif place[0] not in unforeseen:
                yield place, f"{_said(item['msg'])}{_hint(fields[str(place[0])])}"


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def _hint(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "; a number that is a text stands in quotes"
    named = sorted(frozenset[str]().union(*map(names, texts(value))))
    return f", which {' and '.join(f'{{{name}}}' for name in named)} cannot be" if named else ""
