"""Listing: rows of the state by what they are, the newest first, a page at a time. For whoever serves queries.

Every statement has an index to be led by, whatever a database believes of its tables: the filter that tells most is
compared as it is, the others in a way that no index answers to.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union_all

from processors.contract.changes import Kind
from processors.contract.state import FAILURES, RESOURCES
from processors.contract.statuses import RANKS

_T = RESOURCES.c
_LEADING = ("to_address", "from_address", "failure", "error_class", "account_sid")
"""Filters that have an index, the most telling first. Without any of them the kind leads."""


class Wanted(NamedTuple):
    """Filters; None is any. Times are stamps, of when a resource was first heard of: `since` ≤ time < `until`."""

    kind: Kind | None = None
    account_sid: str | None = None
    status: str | None = None
    error_class: str | None = None
    direction: str | None = None
    from_address: str | None = None
    to_address: str | None = None
    since: str | None = None
    until: str | None = None


class Place(NamedTuple):
    """Where a page ended: of its last row."""

    first_received: str
    key: str


def listing(wanted: Wanted, after: Place | None, limit: int) -> Select[tuple[object, ...]]:
    """At most so many rows of `resources`, the newest first; those that follow on a place."""
    equal = _equal(wanted)
    leading = next((name for name in _LEADING if name in equal), "kind")
    if leading not in ("kind", "account_sid"):
        kinds = {} if wanted.kind is None else {"kind": wanted.kind}
        return _page({**equal, **kinds}, leading, wanted, after, limit)
    # These two have an index by kind and time, so the newest of each kind are taken and the newest of those.
    pages = [_page({**equal, "kind": kind}, leading, wanted, after, limit).subquery() for kind in _kinds(wanted)]
    every = union_all(*(select(page) for page in pages)).subquery()
    return select(every).order_by(every.c.first_received.desc(), every.c.key.desc()).limit(limit)


def _equal(wanted: Wanted) -> dict[str, str]:
    names = ("account_sid", "status", "error_class", "direction", "from_address", "to_address")
    equal = {name: value for name in names if (value := getattr(wanted, name)) is not None}
    if any(equal.get("status") in FAILURES[kind] for kind in _kinds(wanted)):
        equal["failure"] = equal["status"]
    return equal


def _kinds(wanted: Wanted) -> Sequence[Kind]:
    return [wanted.kind] if wanted.kind is not None else list(RANKS)


def _page(
    equal: dict[str, str], leading: str, wanted: Wanted, after: Place | None, limit: int
) -> Select[tuple[object, ...]]:
    indexed = {leading, "kind"} if leading in ("kind", "account_sid") else {leading}
    conditions = [_T[name] == value if name in indexed else _aside(name) == value for name, value in equal.items()]
    if wanted.since is not None:
        conditions.append(_T.first_received >= wanted.since)
    if wanted.until is not None:
        conditions.append(_T.first_received < wanted.until)
    if after is not None:
        received, key = after
        conditions.append(and_(_T.first_received <= received, or_(_T.first_received < received, _T.key < key)))
    newest = (_T.first_received.desc(), _T.key.desc())
    return select(RESOURCES).where(*conditions).order_by(*newest).limit(limit)


def _aside(name: str) -> ColumnElement[str]:
    return func.coalesce(_T[name], "")
