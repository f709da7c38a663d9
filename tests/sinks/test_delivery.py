"""Delivery metrics: each thing that a change teaches is counted once, in whatever order it is learned."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from ingest.contract import events as e
from ingest.contract.codec import Envelope
from ingest.contract.identity import event_id
from processors.contract.codec import encode_change
from processors.domain.facts import Resource
from processors.domain.fold import fold
from processors.domain.reading import read
from processors.domain.rulebook import write_down
from processors.domain.rules import Rules
from processors.stream.batch import Batch, Record
from processors.stream.producer import MemoryProducer
from sinks.delivery import Delivery
from sinks.metrics import create_delivery_metrics

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT, SID = "AC" + "1" * 32, "SM" + "2" * 32


class Counted:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.producer = MemoryProducer()
        metrics = create_delivery_metrics(self.registry)
        self.handler = Delivery(metrics, self.producer, "comms", lambda: START)
        self.rows: dict[str, Resource] = {}
        self.records: list[Record] = []

    async def say(self, status: str, seconds: int, code: int | None = None) -> None:
        event = e.MessageUpdated(account_sid=ACCOUNT, message_sid=SID, status=status, error_code=code)
        event = event.model_copy(update={"id": event_id(event)})
        envelope = Envelope(event, "test", START + timedelta(seconds=seconds))
        step = fold(self.rows.get(SID), read(envelope), write_down(Rules()), b"0123456789abcdef")
        self.rows[SID] = step.resource
        if step.change is not None:
            key, value, headers = encode_change(step.change)
            self.records.append(Record("comms.changes", 0, len(self.records), 0, key, value, headers))
            await self.hear(self.records[-1])

    async def hear(self, *records: Record) -> None:
        await self.handler(Batch("comms.changes", 0, records))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def reached(self, status: str) -> float | None:
        return self.value("switchhook_delivery_resources_total", kind="message", status=status)


async def test_a_message_is_counted_once_for_each_status_it_reaches() -> None:
    counted = Counted()
    await counted.say("queued", 0)
    await counted.say("sent", 1)
    await counted.say("delivered", 5)
    assert [counted.reached(status) for status in ("queued", "sent", "delivered")] == [1, 1, 1]
    assert counted.value("switchhook_delivery_seconds_count") == 1
    assert counted.value("switchhook_delivery_seconds_sum") == 5


async def test_the_time_to_delivery_is_counted_once_also_when_delivered_is_heard_first() -> None:
    counted = Counted()
    await counted.say("delivered", 5)
    assert counted.value("switchhook_delivery_seconds_count") == 0
    await counted.say("queued", 0)
    await counted.say("sent", 1)
    assert counted.value("switchhook_delivery_seconds_count") == 1
    assert counted.value("switchhook_delivery_seconds_sum") == 5


async def test_a_change_that_comes_again_is_not_counted_again() -> None:
    counted = Counted()
    await counted.say("queued", 0)
    await counted.say("undelivered", 1, 30005)
    await counted.hear(*counted.records, *counted.records)
    assert counted.reached("undelivered") == 1
    assert counted.value("switchhook_delivery_errors_total", kind="message", error_class="handset") == 1


async def test_a_status_that_nobody_knows_does_not_become_a_label() -> None:
    counted = Counted()
    await counted.say("teleported", 0)
    assert (counted.reached("teleported"), counted.reached("other")) == (None, 1)


async def test_a_change_that_cannot_be_read_is_a_dead_letter_and_a_tombstone_is_none() -> None:
    counted = Counted()
    await counted.hear(
        Record("comms.changes", 0, 0, 0, b"k", b"{", ()), Record("comms.changes", 0, 1, 0, b"k", None, ())
    )
    assert [record.topic for record in counted.producer.records] == ["comms.dead-letters"]
    assert counted.value("switchhook_delivery_dead_letters_total", reason="invalid_value") == 1
