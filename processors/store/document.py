"""A row's facts as JSON, and its columns. One spelling for one set of facts, so equal rows are equal bytes."""

from collections.abc import Mapping
from typing import Any

import orjson

from processors.contract.state import FAILURES
from processors.domain.errors import error_class
from processors.domain.facts import Attribute, Facts, Resource, Seen
from processors.domain.stamps import Stamp
from processors.domain.statuses import status

STORED = ("key", "kind", "account_sid", "version", "first_received", "due_at", "sweeps", "seen", "attributes")
"""The columns that make a Resource again."""

MOVING = ("version", "status", "failure", "error_class", "changed_at", "due_at", "sweeps", "seen")
"""The columns that change as a resource goes its way. Most writes are of these alone."""

FIXED = (
    "kind", "account_sid", "direction", "from_address", "to_address", "call_sid", "conference_sid", "first_received",
    "attributes",
)  # fmt: skip
"""The columns that are as they were while its attributes are, and what it was first heard of."""

_UNORDERED = (-1, "")
_OUT = orjson.OPT_SORT_KEYS


def dump_seen(facts: Facts) -> str:
    families: dict[str, Any] = {}
    if facts.statuses:
        families["statuses"] = facts.statuses
    if facts.events:
        families["events"] = facts.events
    if facts.errors:
        families["errors"] = facts.errors
    return orjson.dumps(families, option=_OUT).decode()


def dump_attributes(facts: Facts) -> str:
    """Those that say nothing of their order (most do not) apart: less to write, to keep and to read."""
    plain = {name: each[0] for name, each in facts.attributes.items() if each[1:] == _UNORDERED}
    if len(plain) == len(facts.attributes):
        return orjson.dumps({"plain": plain}, option=_OUT).decode()
    ordered = {name: each for name, each in facts.attributes.items() if each[1:] != _UNORDERED}
    return orjson.dumps({"ordered": ordered, "plain": plain}, option=_OUT).decode()


def load(seen: str, attributes: str) -> Facts:
    families = orjson.loads(seen)
    return Facts(
        _times(families.get("statuses")),
        _times(families.get("events")),
        _times(families.get("errors")),
        _attributes(orjson.loads(attributes)),
    )


def _times(family: Mapping[str, Any] | None) -> Mapping[str, Seen]:
    return {name: (received, at) for name, (received, at) in family.items()} if family else {}


def _attributes(sorts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Attribute]:
    found: dict[str, Attribute] = {name: (value, -1, "") for name, value in sorts["plain"].items()}
    if "ordered" in sorts:
        found |= {name: (value, sequence, at) for name, (value, sequence, at) in sorts["ordered"].items()}
    return found


def moving(row: Resource, newest: Stamp) -> tuple[Any, ...]:
    """The columns MOVING."""
    facts = row.facts
    current = status(row.kind, facts)
    return (
        row.version,
        current and current.replace("\0", ""),
        current if current in FAILURES[row.kind] else None,
        error_class(max(map(int, facts.errors))) if facts.errors else None,
        newest,
        row.due,
        row.sweeps,
        dump_seen(facts),
    )


def fixed(row: Resource, first: Stamp) -> tuple[Any, ...]:
    """The columns FIXED."""
    attributes = row.facts.attributes
    return (
        row.kind,
        row.account_sid,
        _text(attributes.get("direction")),
        _text(attributes.get("from")),
        _text(attributes.get("to")),
        _text(attributes.get("call_sid") or attributes.get("parent_call_sid")),
        _text(attributes.get("conference_sid")),
        first,
        dump_attributes(row.facts),
    )


def _text(attribute: Attribute | None) -> str | None:
    """For a column. Empty is none: what was scrubbed is not to be found. PostgreSQL takes no NUL in a text."""
    return None if attribute is None else str(attribute[0]).replace("\0", "") or None
