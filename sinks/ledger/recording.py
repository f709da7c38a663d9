"""From Kafka into the ledger: actions to perform, and sightings of effects in the event topics.

An action id in an event's correlation, or in a participant's label, shows that the action took effect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from ingest.contract import codec as events
from ingest.contract.codec import Undecodable
from ingest.contract.events import ConferenceUpdated, Event, ParticipantObserved
from ingest.contract.topics import DEAD_LETTERS
from processors.contract.actions import Action
from processors.contract.codec import decode_action
from processors.stream.batch import Batch
from processors.stream.deadletters import dead_letter
from processors.stream.producer import Outgoing, Producer
from sinks.ledger.port import Ledger
from sinks.metrics import Metrics

log = structlog.get_logger("sinks")


@dataclass(frozen=True, slots=True)
class Recorder:
    """The handler of the actions topic. `wake` tells the performer that there is work."""

    ledger: Ledger
    producer: Producer
    metrics: Metrics
    prefix: str
    clock: Callable[[], datetime]
    wake: Callable[[], None]

    async def __call__(self, batch: Batch) -> None:
        actions: list[Action] = []
        dead: list[Outgoing] = []
        for record in batch.records:
            try:
                actions.append(decode_action(record.value))
            except Undecodable as error:
                self.metrics.dead_letters.labels(error.reason).inc()
                topic = DEAD_LETTERS.called(self.prefix)
                dead.append(dead_letter(record, stage="sinks", reason=error.reason, topic=topic, at=self.clock()))
        await self.producer.publish(dead)
        recorded = await self.ledger.record(actions, self.clock().timestamp())
        self.metrics.recorded.labels("recorded").inc(recorded)
        self.metrics.recorded.labels("repeated").inc(len(actions) - recorded)
        log.info("actions recorded", recorded=recorded, repeated=len(actions) - recorded, dead_letters=len(dead))
        self.wake()


@dataclass(frozen=True, slots=True)
class Sightings:
    """The handler of the event topics. What cannot be read is left to the brain, which dead-letters it."""

    ledger: Ledger
    metrics: Metrics
    clock: Callable[[], datetime]
    wake: Callable[[], None]

    async def __call__(self, batch: Batch) -> None:
        effects: dict[str, str] = {}
        for record in batch.records:
            try:
                effects.update(sightings(events.decode(record.headers, record.value)))
            except Undecodable:
                continue
        found = await self.ledger.sighted(effects, self.clock().timestamp()) if effects else ()
        if found:
            log.info("unknown actions found", found=len(found), types=sorted(set(found)))
            self.wake()


def sightings(envelope: events.Envelope) -> Sequence[tuple[str, str]]:
    """Action ids whose effect an event shows, each with the SID of what it made."""
    if not envelope.verified:
        return ()
    event: Event = envelope.event
    if isinstance(event, ConferenceUpdated | ParticipantObserved):
        label, call = event.participant_label, event.call_sid
        return [(label, call)] if label and call else ()
    if envelope.correlation is None or events.family(event.type) not in ("message", "call"):
        return ()  # a recording carries its call's correlation, and is not what the action made
    return [(envelope.correlation, events.subject(event))]
