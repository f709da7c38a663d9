"""The status that a resource's facts add up to: the one of the highest rank."""

from processors.contract.changes import Kind
from processors.contract.statuses import RANKS, TERMINAL, Rank
from processors.domain.facts import Facts

__all__ = ["RANKS", "TERMINAL", "is_known", "status"]

# A status that this version does not know is kept and counted, and never outranks one that it knows.
UNKNOWN: Rank = (-1, 0)


def status(kind: Kind, facts: Facts) -> str | None:
    """The status that the facts add up to, None while none has been seen."""
    if kind == "participant":
        present = facts.value("present")
        return None if present is None else ("joined" if present else "left")
    ranks = RANKS[kind]
    return max(facts.names("status"), key=lambda name: (ranks.get(name, UNKNOWN), name), default=None)


def is_known(kind: Kind, name: str) -> bool:
    return kind == "participant" or name in RANKS[kind]
