"""A row's facts as JSON, and its columns. One spelling for one set of facts, so equal rows are equal bytes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from ingest.contract.times import rfc3339
from processors.domain.errors import error_class
from processors.domain.facts import Attribute, Facts, Resource, Seen
from processors.domain.statuses import TERMINAL, status


def dump(facts: Facts) -> str:
    """`{"seen": {name: [received, at|null]}, "attributes": {name: [value, sequence, at]}}`, keys sorted."""
    seen = {name: [rfc3339(s.received), rfc3339(s.at) if s.at else None] for name, s in facts.seen.items()}
    attributes = {name: [a.value, a.sequence, a.at] for name, a in facts.attributes.items()}
    return orjson.dumps({"seen": seen, "attributes": attributes}, option=orjson.OPT_SORT_KEYS).decode()


def load(document: str) -> Facts:
    read = orjson.loads(document)
    return Facts(
        {
            name: Seen(datetime.fromisoformat(received), datetime.fromisoformat(at) if at else None)
            for name, (received, at) in read["seen"].items()
        },
        {name: Attribute(value, sequence, at) for name, (value, sequence, at) in read["attributes"].items()},
    )


def columns(row: Resource) -> Mapping[str, Any]:
    """The row as the `resources` table has it."""
    facts = row.facts
    current = status(row.kind, facts)
    code = max((int(name) for name in facts.names("error")), default=None)
    first = min((seen.received for seen in facts.seen.values()), default=None)
    return {
        "key": row.key,
        "kind": row.kind,
        "account_sid": row.account_sid,
        "version": row.version,
        "status": current,
        "terminal": current in TERMINAL[row.kind],
        "direction": facts.text("direction"),
        "from_address": facts.text("from"),
        "to_address": facts.text("to"),
        "error_code": code,
        "error_class": None if code is None else error_class(code),
        "correlation": facts.text("correlation"),
        "call_sid": facts.text("call_sid"),
        "conference_sid": facts.text("conference_sid"),
        "first_received": rfc3339(first) if first else "",
        "document": dump(facts),
    }
