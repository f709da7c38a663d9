"""Answers: what a reply of the provider means for the ledger. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
import structlog

from ingest.contract.events import Event
from sinks.ledger.entries import Entry, Settlement, State
from sinks.twilio.observations import effect, observe
from sinks.twilio.replies import Done, Listed, Lost, NotYet, Refused, Reply
from sinks.twilio.shown import Summary, Unreadable

log = structlog.get_logger("sinks")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between tries: doubling from `first` up to `most`, and of each wait the second half at random."""

    first: float = 0.5
    most: float = 60.0

    def wait(self, attempts: int, jitter: float) -> float:
        """`jitter` is in [0, 1)."""
        return min(self.first * 2.0 ** min(max(attempts, 1) - 1, 30), self.most) * (0.5 + jitter / 2)


def settle(entry: Entry, reply: Reply, again: float, look: float) -> Settlement:
    """What the ledger should know after a reply. `again` is when to try once more where that is right, and `look` when
    to look for an effect that is not known."""
    return replace(_settlement(entry, reply, again, look), fence=entry.fence)


def _settlement(entry: Entry, reply: Reply, again: float, look: float) -> Settlement:
    action = entry.action
    match reply:
        case Done(http_status, body, resources):
            event = _shown(entry, body)
            return Settlement(
                action.id,
                State.DONE,
                resource_sid=effect(action, event, resources),
                http_status=http_status,
                observation=event.model_dump_json(exclude_none=True, by_alias=True) if event else None,
                resources=_json(resources),
            )
        case Listed(http_status, observed, resources):
            return Settlement(
                action.id, State.DONE, http_status=http_status, observed=observed, resources=_json(resources)
            )
        case Refused(status, error_code, _) if entry.is_lookup:
            # It was made, and is gone by now: that it was made stays true.
            return Settlement(action.id, State.DONE, http_status=status, error_code=error_code)
        case Refused(status, error_code, reason):
            why = reason or "provider"
            return Settlement(action.id, State.REFUSED, http_status=status, error_code=error_code, reason=why)
        case NotYet(reason, status, error_code, _):
            return Settlement(action.id, State.WAITING, again, http_status=status, error_code=error_code, reason=reason)
        case Lost(reason, status):
            if entry.is_repeatable or entry.is_lookup:
                return Settlement(action.id, State.WAITING, again, http_status=status, reason=reason)
            return Settlement(action.id, State.UNKNOWN, look, http_status=status, reason=reason)


def _json(resources: Sequence[Summary]) -> str | None:
    return orjson.dumps(list(resources)).decode() if resources else None


def _shown(entry: Entry, body: Mapping[str, object]) -> Event | None:
    action = entry.action
    try:
        return observe(action.type, body, looked_up=entry.is_lookup)
    except Unreadable as error:
        # It took effect all the same; its callbacks will tell of it.
        log.error("answer could not be read", action=action.type, id=action.id, fields=str(error))
        return None
