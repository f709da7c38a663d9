"""Delivery metrics: what a change teaches us, counted once. Counters and histograms only; what exists is state's."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ingest.contract.topics import DEAD_LETTERS
from processors.contract.changes import Change
from processors.contract.codec import decode_change
from processors.contract.statuses import RANKS
from processors.stream.batch import Batch
from processors.stream.deadletters import Breaker, readable
from processors.stream.producer import Producer
from sinks.metrics import DeliveryMetrics

ACCEPTED = ("accepted", "scheduled", "queued", "sending", "sent")
REMEMBERED = 200_000


@dataclass(slots=True)
class Delivery:
    """The handler of the changes topic. A record that comes again is known by its version, as far as memory goes."""

    metrics: DeliveryMetrics
    producer: Producer
    prefix: str
    clock: Callable[[], datetime]
    breaker: Breaker = field(default_factory=Breaker)
    _versions: OrderedDict[str, int] = field(default_factory=OrderedDict)

    async def __call__(self, batch: Batch) -> None:
        changes, dead = readable(
            batch,
            # Without a value it is a tombstone: the resource was forgotten on purpose.
            lambda record: None if record.value is None else decode_change(record.value),
            stage="sinks",
            topic=DEAD_LETTERS.called(self.prefix),
            clock=self.clock,
            counted=self.metrics.dead_letters,
            breaker=self.breaker,
        )
        await self.producer.publish(dead)
        for change in changes:
            if change is not None and self._is_new(change):
                self._count(change)

    def _is_new(self, change: Change) -> bool:
        if change.version <= self._versions.get(change.key, 0):
            return False
        self._versions[change.key] = change.version
        self._versions.move_to_end(change.key)
        if len(self._versions) > REMEMBERED:
            self._versions.popitem(last=False)
        return True

    def _count(self, change: Change) -> None:
        known = RANKS.get(change.kind, {"joined": (0, 0), "left": (0, 0)})
        for status in learned_statuses(change):
            self.metrics.resources.labels(change.kind, status if status in known else "other").inc()
        if any(fact.startswith("error:") for fact in change.learned) and change.error_class:
            self.metrics.errors.labels(change.kind, change.error_class).inc()
        seconds = delivered_after(change)
        if seconds is not None:
            self.metrics.seconds.observe(seconds)


def learned_statuses(change: Change) -> Sequence[str]:
    if change.kind == "participant":
        joined = {"event:participant-join": "joined", "event:participant-leave": "left"}
        return [joined[fact] for fact in change.learned if fact in joined]
    return [fact.removeprefix("status:") for fact in change.learned if fact.startswith("status:")]


def delivered_after(change: Change) -> float | None:
    """Seconds from the earliest sign of acceptance to delivery, for the one change that completes the pair."""
    accepted = [change.times[status] for status in ACCEPTED if status in change.times]
    if change.kind != "message" or "delivered" not in change.times or not accepted:
        return None
    new = set(learned_statuses(change))
    if "delivered" not in new and any(status in change.times and status not in new for status in ACCEPTED):
        return None  # both were known before
    return max(0.0, (change.times["delivered"] - min(accepted)).total_seconds())
