"""The shape of a webhook family: a table of the provider's parameters, and the reading of a request by it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import ValidationError

from ingest.contract.events import Event
from ingest.contract.identity import event_id

_SID_FIELDS = frozenset(
    {"account_sid", "message_sid", "call_sid", "recording_sid", "conference_sid", "transcription_sid", "error_sid"}
)


class Reason(StrEnum):
    """Why a verified request is no event of ours; a metric label and the reason in a dead letter."""

    WRONG_SID = "wrong_sid"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    NOT_JSON = "not_json"
    MISSING_PARAMETER = "missing_parameter"
    REPEATED_PARAMETER = "repeated_parameter"
    INVALID_VALUE = "invalid_value"


@dataclass(frozen=True, slots=True)
class Unparseable:
    """`detail` names fields and what is wrong with them, never a value."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Table:
    """One kind: its model, and which parameter becomes which field. The rest goes to `extra` as received, except what
    `collect` takes out of it to make fields of several parameters, or of a part of one. A `legacy` parameter says again
    what another one says, and is read where that one is missing."""

    model: type[Event]
    fields: Mapping[str, str]
    keep_empty: frozenset[str] = frozenset()
    constants: Mapping[str, str] = field(default_factory=dict)
    legacy: Mapping[str, str] = field(default_factory=dict)
    collect: Callable[[dict[str, str]], Mapping[str, object]] | None = None


def read(table: Table, parameters: Sequence[tuple[str, str]], account_sid: str, token: str) -> Event | Unparseable:
    """The event of a request's parameters. `account_sid` is used where the request itself names no account."""
    values: dict[str, object] = {"account_sid": account_sid, **table.constants}
    extra: dict[str, str] = {}
    seen: dict[str, str] = {}
    repeated: set[str] = set()
    keep_empty, fields = table.keep_empty, table.fields
    for name, value in parameters:
        # The provider sends an empty value for what it does not know; for a body, empty is what was written.
        if not value and name not in keep_empty:
            continue
        known = fields.get(name)
        if known is None:
            if extra.setdefault(name, value) != value:
                repeated.add(name)
        elif name not in seen:
            seen[name] = values[known] = value
        elif seen[name] != value:
            return Unparseable(Reason.REPEATED_PARAMETER, known)
    if repeated:
        extra |= _all_of(repeated, parameters)
    for name, known in table.legacy.items():
        if known not in values and name in extra:
            values[known] = extra[name]
    values["extra"] = extra
    if table.collect is not None:
        values |= table.collect(extra)
    try:
        # What `model_validate` calls, without its options.
        event: Event = table.model.__pydantic_validator__.validate_python(values)
    except ValidationError as error:
        return invalid(error)
    except OverflowError:
        return Unparseable(Reason.INVALID_VALUE, "a time is out of range")
    # Its identity is read from the event, and nobody else has it yet: a copy only for the id would cost as much again.
    object.__setattr__(event, "id", event_id(event, token))
    return event


def _all_of(names: set[str], parameters: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """Several values of one parameter that no model knows, as one text."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value in parameters:
        if name in names and value:
            found[name].append(value)
    return {name: json.dumps(values, ensure_ascii=False) for name, values in found.items()}


def invalid(error: ValidationError) -> Unparseable:
    """Which fields a model refuses, and why."""
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    names = {str(e["loc"][0]) for e in errors if e["loc"]}
    detail = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['type']}" for e in errors)
    if any(e["type"] == "missing" for e in errors):
        return Unparseable(Reason.MISSING_PARAMETER, detail)
    return Unparseable(Reason.WRONG_SID if names & _SID_FIELDS else Reason.INVALID_VALUE, detail)
