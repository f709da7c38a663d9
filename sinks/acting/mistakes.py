"""Mistakes: what is wrong with what was asked for, in the words of options. None of them shows a value. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from processors.contract.actions import Address, Sender
from processors.contract.actions.action import E164, ActionId
from sinks.acting.options import flag, sid_kinds

Named = Callable[[str], str]
"""A field by the name under which it was given."""

TIME = "is a time with its zone, such as 2026-12-01T09:00:00Z"


class Mistaken(Exception):
    """Nothing is asked for. `mistakes` is a line each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def option(field: str) -> str:
    return "--account" if field == "account_sid" else flag(field)


def _pattern(kind: Any) -> str:
    return str(TypeAdapter(kind).json_schema()["pattern"])


_PHONE = "a number such as +15551234567"
_ADDRESS = f"is {_PHONE}, a short code, or an address such as whatsapp:+15551234567 or client:ann"
_FORMS: Mapping[str, str] = {
    _pattern(E164): f"is {_PHONE}",
    _pattern(Address): _ADDRESS,
    _pattern(Sender): f"{_ADDRESS}, or a name of at most eleven letters and digits",
    _pattern(ActionId): "is made of letters, digits and . _ : - and has at most 128 of them",
    r"^[A-Z]{2}$": "is a country in two capital letters, such as US",
}


def told(error: ValidationError, named: Named = option) -> Sequence[str]:
    """A line for each field that is wrong, and for what is wrong with several together."""
    lines: dict[str, str] = {}
    for one in error.errors(include_input=False, include_url=False):
        if not one["loc"]:
            lines[one["msg"]] = _together(one, named)
        elif (field := str(one["loc"][0])) not in lines:  # of what may be one of several, the first says most
            lines[field] = f"{named(field)}: {_said(one)}"
    return list(lines.values())


def _together(error: ErrorDetails, named: Named) -> str:
    said = error["msg"].removeprefix("Value error, ")
    return re.sub(r"`([a-z_]+)`", lambda found: named(found.group(1)), said)


def _said(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "there is no such parameter"
        case "string_pattern_mismatch":
            return form(str(context["pattern"]))
        case "literal_error":
            return f"is one of {str(context['expected']).replace(chr(39), '')}"
        case "int_parsing" | "int_type" | "int_from_float":
            return "is a whole number"
        case "string_too_long":
            return f"has more than {context['max_length']} characters"
        case "string_too_short":
            return "is empty" if context["min_length"] == 1 else f"has fewer than {context['min_length']} characters"
        case "too_long":
            return f"was given more than {context['max_length']} times"
        case "timezone_aware" | "datetime_from_date_parsing" | "datetime_parsing":
            return TIME
        case "greater_than_equal":
            return f"is at least {context['ge']}"
        case "less_than_equal":
            return f"is at most {context['le']}"
        case _:
            return str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "is")


def form(pattern: str) -> str:
    """How what has to match a pattern is written."""
    if pattern in _FORMS:
        return _FORMS[pattern]
    sid = sid_kinds(pattern)
    return f"is a SID: {sid} and 32 hexadecimal digits" if sid else f"is not written as it has to be: {pattern}"


def lines_of(mistakes: Sequence[str], help_: str) -> Iterator[str]:
    yield "Nothing was asked for:"
    yield from (f"  - {mistake}" for mistake in mistakes)
    yield f"See {help_}"
