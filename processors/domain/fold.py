"""Folding: one event into one row, with the change and the actions that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.contract.codec import Envelope
from processors.contract.actions import Action
from processors.contract.changes import Change, Kind
from processors.domain.deciding import Unmade, decide
from processors.domain.errors import error_class
from processors.domain.facts import Resource
from processors.domain.reading import Statement
from processors.domain.rules import Rules
from processors.domain.statuses import TERMINAL, status

PUBLIC: Mapping[Kind, frozenset[str]] = {
    "message": frozenset({"messaging_service_sid", "num_media", "num_segments", "price", "price_unit"}),
    "call": frozenset({"parent_call_sid", "answered_by", "duration", "sip_response_code", "price", "price_unit"}),
    "recording": frozenset({"call_sid", "conference_sid", "channels", "duration", "source", "track", "start_time"}),
    "conference": frozenset({"region", "reason_conference_ended", "call_sid_ending_conference"}),
    "participant": frozenset(
        {"conference_sid", "call_sid", "present", "muted", "hold", "coaching", "reason_participant_left"}
    ),
}
"""Attributes that a change may show: nothing that holds a number, a name or text that a person wrote."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one event led to. `change` is None when it said nothing new."""

    resource: Resource
    change: Change | None
    actions: Sequence[Action | Unmade]


def fold(known: Resource | None, statement: Statement, envelope: Envelope, rules: Rules, hash_key: bytes) -> Step:
    before = known or Resource(statement.key, statement.kind, statement.account_sid)
    after = before.learning(statement.facts)
    if after is before:
        return Step(before, None, ())
    learned = tuple(sorted(set(after.facts.seen) - set(before.facts.seen)))
    return Step(after, change(after, envelope.received, learned), decide(before, after, rules, hash_key))


def change(resource: Resource, received: datetime, learned: tuple[str, ...] = ()) -> Change:
    """The public face of a row, without bodies and full numbers."""
    facts = resource.facts
    current = status(resource.kind, facts)
    codes = sorted(int(code) for code in facts.names("error"))
    return Change(
        key=resource.key,
        kind=resource.kind,
        account_sid=resource.account_sid,
        version=resource.version,
        status=current,
        terminal=current in TERMINAL[resource.kind],
        direction=facts.text("direction"),
        error_code=codes[-1] if codes else None,
        error_class=error_class(codes[-1]) if codes else None,
        correlation=facts.text("correlation"),
        learned=learned,
        times={
            name.partition(":")[2]: seen.at or seen.received
            for name, seen in facts.seen.items()
            if name.startswith(("status:", "event:"))
        },
        attributes={name: facts.attributes[name].value for name in PUBLIC[resource.kind] & facts.attributes.keys()},
        received=received,
    )
