"""From Kafka into the ledger: actions to perform; and from the event topics sightings of effects, and consents.

An action id in an event's correlation, or in a participant's label, shows that the action took effect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from ingest.contract import codec as events
from ingest.contract.codec import Undecodable
from ingest.contract.events import ConferenceUpdated, Event, ParticipantObserved
from ingest.contract.topics import DEAD_LETTERS
from processors.contract.codec import decode_action
from processors.stream.batch import Batch
from processors.stream.deadletters import Breaker, readable
from processors.stream.producer import Producer
from sinks.ledger.consents import Consent, told_by
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
    breaker: Breaker = field(default_factory=Breaker)

    async def __call__(self, batch: Batch) -> None:
        actions, dead = readable(
            batch,
            lambda record: decode_action(record.value),
            stage="sinks",
            topic=DEAD_LETTERS.called(self.prefix),
            clock=self.clock,
            counted=self.metrics.dead_letters,
            breaker=self.breaker,
        )
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
        recordings: dict[str, str] = {}  # those of a call carry its correlation too, and are not what made the call
        consents: list[Consent] = []
        for record in batch.records:
            try:
                envelope = events.decode(record.headers, record.value)
            except Undecodable:
                continue
            into = recordings if events.family(envelope.event.type) == "recording" else effects
            into.update(sightings(envelope))
            consents += told_by(envelope)
        if consents:
            await self.ledger.consent(consents)
            for consent in consents:
                self.metrics.consents.labels(consent.source).inc()
        now = self.clock().timestamp()
        found = [found for some in (effects, recordings) if some for found in await self.ledger.sighted(some, now)]
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
    if envelope.correlation is None or events.family(event.type) not in ("message", "call", "recording"):
        return ()
    return [(envelope.correlation, events.subject(event))]
