"""Shown: what of an action a person may see who is not to see whom it is about. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

from processors.contract.actions import Action, ActionBase
from processors.contract.phone import masked

ERROR_PAGE = "https://www.twilio.com/docs/api/errors/{code}"

_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_ADDRESS = re.compile(r"(?:[a-z]+:)?\+[0-9*]{3,}")
"""Without its plus it may as well be a code that somebody was sent."""


def error_page(code: int | None) -> str | None:
    return None if code is None else ERROR_PAGE.format(code=code)


def parameters(action: Action) -> Mapping[str, Any]:
    """Those that were given, by the provider's names. Of numbers the last digits, of texts how long they are."""
    given: dict[str, Any] = {}
    for name, field in type(action).model_fields.items():
        value = getattr(action, name)
        if name not in _EVERYWHERE and value != field.default:
            given[field.alias or name] = value if value in _words(field.annotation) else _shown(value)
    return given


_EVERYWHERE = {*ActionBase.model_fields, "type", "forgotten"}


def _words(annotation: object) -> list[object]:
    """The values that a field names itself: they are nobody's."""

    def found(annotation: object) -> Iterator[object]:
        if get_origin(annotation) is Literal:
            yield from get_args(annotation)
        else:
            for each in get_args(annotation):
                yield from found(each)

    return list(found(annotation))


def _shown(value: Any) -> Any:
    match value:
        case bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case str() if _ADDRESS.fullmatch(value):
            return masked(value)
        case str():
            return value if _SID.fullmatch(value) else f"{len(value)} characters"
        case _:
            return f"{len(value)} values"
