"""Asking: publishes an action, waits for its result, and reads what its answers showed.

Where the results' and the events' topics end is read before the action is published, so that nothing of it is missed.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.contract import codec as events
from ingest.contract.codec import Undecodable
from ingest.contract.events import Event, ParticipantObserved
from ingest.contract.topics import CALLS, CONFERENCES, EVENT_TOPICS, MESSAGES, RECORDINGS, Topic
from processors.contract.actions import Action
from processors.contract.codec import encode_action
from processors.contract.topics import ACTIONS
from processors.stream.producer import Outgoing, Producer
from sinks.acting.log import Log, Place, partition_of
from sinks.contract.codec import decode_result
from sinks.contract.results import Outcome, Result
from sinks.contract.topics import RESULTS

SOURCE = b"switchhook/act"
TOPICS: Mapping[str, Topic] = {
    "SM": MESSAGES, "MM": MESSAGES, "CA": CALLS, "RE": RECORDINGS, "CF": CONFERENCES,
}  # fmt: skip
"""Where what is known of a SID is published, by how it begins."""
READING = 30.0
"""Seconds for what is in the topics by then."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`result` is the last one that came in time, if one did; `observed` is what answers to the action showed."""

    action: Action
    result: Result | None = None
    observed: Sequence[Event] = ()


def outgoing(action: Action, prefix: str) -> Outgoing:
    key, value, headers = encode_action(action, source=SOURCE)
    return Outgoing(ACTIONS.called(prefix), key, value, headers)


def is_final(result: Result) -> bool:
    """Whether nothing follows on it by itself: of one that is unknown its effect is still looked for."""
    return result.outcome is not Outcome.UNKNOWN or result.reason == "stuck"


async def ask(
    action: Action, log: Log, producer: Producer, prefix: str, seconds: float, *, again: bool = False
) -> Answer:
    """`again`: it may have been asked for before, and what came of it counts. Raises BrokerUnavailable, NoTopic."""
    results = RESULTS.called(prefix)
    ends = await log.ends([results, *(topic.called(prefix) for topic in EVENT_TOPICS)])
    await producer.publish([outgoing(action, prefix)])
    where = partition_of(action.id, results, ends)
    result = await _result(action.id, log, where, 0 if again else ends[where], ends[where], seconds)
    if result is None or result.outcome is not Outcome.DONE:
        return Answer(action, result)
    return Answer(action, result, await _observed(action, shown_in(result), log, ends, prefix))


async def _result(action_id: str, log: Log, where: Place, start: int, end: int, seconds: float) -> Result | None:
    """The last one by the time that all before `end` is read."""
    found: Result | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), contextlib.aclosing(log.records({where: start})) as some:
            async for records in some:
                for record in records:
                    start = record.offset + 1
                    if record.key == action_id.encode() and record.value is not None:
                        found = decode_result(record.value)
                if found is not None and is_final(found) and (start >= end or not records):
                    break
    return found


def shown_in(result: Result) -> Sequence[str]:
    """SIDs of what a result says its answers showed, in their order."""
    named = [each.sid for each in result.resources or () if each.kind == "reference" and each.sid is not None]
    return named or ([result.resource_sid] if result.resource_sid else [])


async def _observed(
    action: Action, sids: Sequence[str], log: Log, ends: Mapping[Place, int], prefix: str
) -> Sequence[Event]:
    """The newest observation of each SID since, in their order. They are published before the result is."""
    until = await log.ends([topic.called(prefix) for topic in EVENT_TOPICS])
    places = _places(action, sids, until, prefix)
    starts = {where: ends[where] for where in places if ends[where] < until[where]}
    wanted, found = set(sids), dict[str, Event]()
    left = dict(starts)
    if not sids or not starts:
        return ()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READING), contextlib.aclosing(log.records(starts)) as some:
            async for records in some:
                for record in records:
                    left[record.topic, record.partition] = record.offset + 1
                    event = _observation(record.headers, record.value)
                    if event is not None and (sid := sid_of(event)) in wanted:
                        found[sid] = event
                if all(at >= until[where] for where, at in left.items()):
                    break
    return [found[sid] for sid in sids if sid in found]


def _places(action: Action, sids: Sequence[str], ends: Mapping[Place, int], prefix: str) -> Iterable[Place]:
    """Where their observations are. A participant's is with its conference's, which a result does not name."""
    if action.type.startswith("participants."):
        return [where for where in ends if where[0] == CONFERENCES.called(prefix)]
    topics = {sid: TOPICS[sid[:2]].called(prefix) for sid in sids if sid[:2] in TOPICS}
    return {partition_of(sid, topic, ends) for sid, topic in topics.items()}


def _observation(headers: Sequence[tuple[str, bytes]], value: bytes | None) -> Event | None:
    """Of what a REST answer showed; None for any other event."""
    known = dict(headers)
    if not known.get("ce_source", b"").endswith(b"/rest") or value is None:
        return None
    try:
        return events.decode(headers, value).event
    except Undecodable:
        return None


def sid_of(event: Event) -> str:
    """Of a participant that of its call, as a result names it."""
    return event.call_sid if isinstance(event, ParticipantObserved) else events.subject(event)
