"""Publishing: the records of what became known of an action: what its answer showed, and its result. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from ingest.contract.codec import Envelope, encode, occurred
from ingest.contract.events import MODELS, Event, RecordingArchived
from ingest.contract.identity import event_id
from processors.contract.actions import REPEATABLE
from processors.stream.producer import Outgoing
from sinks.contract.codec import encode_result
from sinks.contract.resources import Download
from sinks.contract.results import Outcome, Result
from sinks.contract.topics import RESULTS
from sinks.ledger.entries import Entry, State

_STORE = "switchhook/sinks/media"


def outgoing(entry: Entry, prefix: str) -> Sequence[Outgoing]:
    """What an ended attempt publishes: what the answer showed, then what came of the action."""
    action, at = entry.action, datetime.fromtimestamp(entry.settled_at, UTC)
    records = []
    if entry.observation is not None:
        # Only what an action made is its own; what it fetched or changed is somebody's.
        correlation = None if REPEATABLE[action.type] else action.id
        records.append(observation(_event(entry.observation), at, prefix, correlation))
    result = Result(
        action_id=action.id,
        action_type=action.type,
        account_sid=action.account_sid,
        # Of one that is stuck nobody knows any more than before: its reason says that a person has to.
        outcome=Outcome.UNKNOWN if entry.state is State.STUCK else Outcome(entry.state),
        attempts=entry.attempts or None,
        resource_sid=entry.resource_sid,
        error_code=entry.error_code,
        http_status=entry.http_status,
        reason=entry.reason,
        observed=entry.observed,
        at=at,
        **({} if entry.resources is None else {"resources": orjson.loads(entry.resources)}),
    )
    records += [_record(event, _STORE, at, prefix) for event in _archived(result)]
    key, value, headers = encode_result(result)
    return [*records, Outgoing(RESULTS.called(prefix), key, value, headers)]


def observation(event: Event, at: datetime, prefix: str, correlation: str | None = None) -> Outgoing:
    """The record of what a REST answer showed."""
    return _record(event, f"//twilio.com/{event.account_sid}/rest", at, prefix, correlation)


def _archived(result: Result) -> Sequence[Event]:
    """Rules wait for the copy of a recording, so it is an event too."""
    copies = [one for one in result.resources or () if isinstance(one, Download) and (one.sid or "").startswith("RE")]
    events = [
        RecordingArchived.model_validate(
            {
                "account_sid": result.account_sid,
                "recording_sid": one.sid,
                "location": one.location,
                "sha256": one.sha256,
                "size": one.bytes,
            }
        )
        for one in copies
    ]
    return [event.model_copy(update={"id": event_id(event)}) for event in events]


def _record(event: Event, source: str, at: datetime, prefix: str, correlation: str | None = None) -> Outgoing:
    encoded = encode(Envelope(event=event, source=source, received=at, time=occurred(event), correlation=correlation))
    return Outgoing(encoded.topic.called(prefix), encoded.key, encoded.value, encoded.headers)


def _event(observation: str) -> Event:
    return MODELS[orjson.loads(observation)["type"]].model_validate_json(observation)
