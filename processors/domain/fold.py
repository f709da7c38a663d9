"""Folding: one event into one row, with the change and the actions that follow from it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from processors.contract.changes import Kind
from processors.domain.deciding import Decided, decide
from processors.domain.errors import error_class
from processors.domain.facts import Facts, Resource, merge
from processors.domain.reading import Statement
from processors.domain.rulebook import Rulebook
from processors.domain.stamps import Stamp
from processors.domain.statuses import Arrival, arrival, is_terminal, status

PUBLIC: Mapping[Kind, frozenset[str]] = {
    "message": frozenset(
        {"messaging_service_sid", "num_media", "num_segments", "price", "price_unit", "date_created", "date_sent"}
    ),
    "call": frozenset(
        {
            "parent_call_sid",
            "conference_sid",
            "answered_by",
            "machine_detection_duration",
            "duration",
            "sip_response_code",
            "stir_status",
            "stir_verstat",
            "price",
            "price_unit",
            "start_time",
            "end_time",
            "transcription_sid",
        }
    ),
    "recording": frozenset(
        {
            "call_sid",
            "conference_sid",
            "channels",
            "duration",
            "source",
            "track",
            "start_time",
            "transcription_sid",
            "sha256",
            "size",
        }
    ),
    "conference": frozenset({"region", "reason_conference_ended", "call_sid_ending_conference"}),
    "participant": frozenset(
        {
            "conference_sid",
            "call_sid",
            "present",
            "muted",
            "hold",
            "coaching",
            "end_conference_on_exit",
            "start_conference_on_enter",
            "participant_call_status",
            "reason_participant_left",
        }
    ),
}
"""Attributes that a change may show: nothing that holds a number, a name or text that a person wrote."""

Document = Mapping[str, Any]
"""A change as `processors.contract.changes.Change` describes it, made without the model: one goes out an event."""


class Step(NamedTuple):
    """What one event led to. `change` is None when it said nothing new."""

    resource: Resource
    change: Document | None
    actions: Sequence[Decided]
    arrivals: Sequence[Arrival]


_NOTHING_NEW = (Arrival.DUPLICATE,)


def fold(known: Resource | None, statement: Statement, rules: Rulebook, hash_key: bytes) -> Step:
    before = known or Resource(statement.key, statement.kind, statement.account_sid)
    facts = merge(before.facts, statement.facts)
    if facts is before.facts:
        return Step(before, None, (), _NOTHING_NEW)
    key, kind, account_sid, version, _, due, sweeps = before
    after = Resource(key, kind, account_sid, version + 1, facts, due, sweeps)
    news = learned(before.facts, statement.facts)
    return Step(
        after,
        change(after, statement.received, news),
        decide(before, after, rules, hash_key),
        [arrival(kind, before.facts, name, times) for name, times in statement.facts.statuses.items()],
    )


def learned(known: Facts, more: Facts) -> list[str]:
    """The facts of `more` that are new to `known`, by name; values that merely changed are not among them."""
    names = [f"status:{name}" for name in more.statuses if name not in known.statuses]
    names += [f"event:{name}" for name in more.events if name not in known.events]
    for code in more.errors:
        if code not in known.errors:
            names += [f"error:{code}", f"error_class:{error_class(int(code))}"]
    return names


def change(resource: Resource, received: Stamp, news: Sequence[str] = ()) -> Document:
    """The public face of a row, without bodies and full numbers."""
    key, kind, account_sid, version, facts, _, _ = resource
    current, attributes, public = status(kind, facts), facts.attributes, PUBLIC[kind]
    document: dict[str, Any] = {
        "key": key,
        "kind": kind,
        "account_sid": account_sid,
        "version": version,
        "terminal": is_terminal(kind, current),
    }
    if current is not None:
        document["status"] = current
    if facts.errors:
        code = facts.error_code()
        document["error_code"] = code
        document["error_class"] = error_class(code or 0)
    for name in ("direction", "correlation"):
        if name in attributes:
            document[name] = attributes[name][0]
    if news:
        document["learned"] = news
    times = {name: at or first for name, (first, at) in facts.statuses.items()}
    for name, (first, at) in facts.events.items():
        times[name] = at or first
    document["times"] = times
    document["attributes"] = {name: attribute[0] for name, attribute in attributes.items() if name in public}
    document["received"] = received
    return document
