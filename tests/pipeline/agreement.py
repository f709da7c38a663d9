"""Whether a row says what the oracle says."""

from collections.abc import Mapping

from processors.domain.facts import Resource, Seen
from processors.domain.stamps import stamp
from processors.domain.statuses import CONFERENCE_ENDED, is_terminal, status
from tests.histories.oracle import Times, Truth


def agrees(row: Resource, truth: Truth) -> None:
    """In all that the provider said. What the brain itself adds is left out: which rules it has judged."""
    facts = row.facts
    events = {name: seen for name, seen in facts.events.items() if not name.startswith("judged:")}
    over = events.pop(CONFERENCE_ENDED, None)
    assert row.kind == truth.kind
    assert status(row.kind, facts) == ("left" if over else truth.status)
    assert is_terminal(row.kind, truth.status) == truth.terminal
    assert facts.error_code() == truth.error_code
    assert facts.statuses == spelled(truth.statuses)
    assert events == spelled(truth.events)
    assert facts.errors == spelled(truth.errors)
    assert {name: attribute[0] for name, attribute in facts.attributes.items()} == truth.attributes


def spelled(times: Mapping[str, Times]) -> Mapping[str, Seen]:
    return {name: (stamp(received), None if at is None else stamp(at)) for name, (received, at) in times.items()}
