"""What comes from Kafka into the ledger: actions, effects that events show, and consents; and when the worker stops."""

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from ingest.contract.codec import Envelope, encode
from ingest.contract.events import CallUpdated, Event, MessageReceived, RecordingUpdated
from ingest.contract.identity import event_id
from ingest.contract.kafka import Kafka
from processors.contract.actions import CreateCall, StartRecording
from processors.contract.codec import encode_action
from processors.stream.batch import Batch, Record
from processors.stream.deadletters import Breaker, TooManyDeadLetters
from processors.stream.producer import MemoryProducer
from processors.stream.settings import StreamSettings
from sinks.app import create_actions_app, create_metrics_app
from sinks.ledger.entries import Settlement, State
from sinks.ledger.port import MemoryLedger
from sinks.ledger.recording import Recorder, Sightings
from sinks.metrics import create_metrics
from tests.sinks.ledger.given import ACCOUNT, NOW, OURS, THEIRS, claimed, message, news

CALL, RECORDING = "CA" + "5" * 32, "RE" + "6" * 32


def clock() -> datetime:
    return datetime.fromtimestamp(NOW, UTC)


class Hands:
    """The handlers on one ledger; `woken` counts how often the performer was told that there is something to do."""

    def __init__(self) -> None:
        self.ledger, self.producer, self.registry = MemoryLedger(), MemoryProducer(), CollectorRegistry()
        self.woken = 0
        metrics = create_metrics(self.registry)
        breaker = Breaker(run=3)
        self.recorder = Recorder(self.ledger, self.producer, metrics, "comms", clock, self.wake, breaker)
        self.sightings = Sightings(self.ledger, metrics, clock, self.wake)

    def wake(self) -> None:
        self.woken += 1


def record(value: bytes | None, offset: int = 0) -> Record:
    return Record("comms.actions", 0, offset, 0, b"k", value, ())


def events(*told: tuple[Event, str | None], verified: bool = True) -> Batch:
    records: list[Record] = []
    for event, correlation in told:
        named = event.model_copy(update={"id": event_id(event, "token")})
        encoded = encode(Envelope(named, "//twilio.com/test", clock(), None, correlation, verified=verified))
        records.append(
            Record(encoded.topic.called("comms"), 0, len(records), 0, encoded.key, encoded.value, encoded.headers)
        )
    return Batch(records[0].topic, 0, records)


async def test_actions_are_recorded_and_what_is_none_is_a_dead_letter() -> None:
    hands = Hands()
    good = encode_action(message("a"))[1]
    await hands.recorder(Batch("comms.actions", 0, [record(good), record(b"{", 1), record(good, 2)]))
    assert (list(hands.ledger.entries), hands.woken) == (["a"], 1)
    assert [r.topic for r in hands.producer.records] == ["comms.dead-letters"]


async def test_a_topic_of_which_nothing_can_be_read_is_not_drained_into_dead_letters() -> None:
    hands = Hands()
    with pytest.raises(TooManyDeadLetters):
        await hands.recorder(Batch("comms.actions", 0, [record(b"{", n) for n in range(3)]))
    assert hands.producer.records == []


async def test_a_recording_is_the_effect_of_what_started_it_and_not_of_the_call_that_it_is_of() -> None:
    hands = Hands()
    call = CreateCall(id="c", account_sid=ACCOUNT, ordering_key="c", to=THEIRS, from_=OURS, twiml="<Response/>")
    start = StartRecording(id="s", account_sid=ACCOUNT, ordering_key="s", call_sid=CALL)
    await hands.ledger.record([call, start], NOW)
    assert len(await claimed(hands.ledger)) == 2
    lost = [Settlement(name, State.UNKNOWN, due=NOW + 60) for name in "cs"]
    await hands.ledger.settle(lost, NOW)
    recording = RecordingUpdated(account_sid=ACCOUNT, recording_sid=RECORDING, call_sid=CALL, status="completed")
    await hands.sightings(events((recording, "c")))
    assert hands.ledger.entries["c"].state is State.UNKNOWN
    updated = CallUpdated(account_sid=ACCOUNT, call_sid=CALL, status="completed")
    await hands.sightings(events((updated, "c")))
    await hands.sightings(events((recording, "s")))
    assert [hands.ledger.entries[name].resource_sid for name in "cs"] == [CALL, RECORDING]


async def test_an_event_that_nobody_vouches_for_shows_no_effect() -> None:
    hands = Hands()
    call = CreateCall(id="c", account_sid=ACCOUNT, ordering_key="c", to=THEIRS, from_=OURS, twiml="<Response/>")
    await hands.ledger.record([call], NOW)
    await claimed(hands.ledger)
    updated = CallUpdated(account_sid=ACCOUNT, call_sid=CALL, status="completed")
    await hands.sightings(events((updated, "c"), verified=False))
    assert hands.ledger.entries["c"].resource_sid is None


async def test_who_writes_stop_is_not_written_to() -> None:
    hands = Hands()
    stop = MessageReceived(
        account_sid=ACCOUNT, message_sid="SM" + "7" * 32, from_=THEIRS, to=OURS, body="STOP", opt_out_type="STOP"
    )
    await hands.sightings(events((stop, None)))
    await hands.ledger.record([message("a", to=THEIRS)], NOW)
    assert (await claimed(hands.ledger), (await news(hands.ledger))["a"][1]) == ([], "opted_out")
    assert hands.registry.get_sample_value("switchhook_sinks_consents_total", {"source": "stop"}) == 1


async def test_how_long_topics_keep_what_is_read_is_known_to_both_workers() -> None:
    """Or nobody is warned before records that were not read are gone."""
    registry, kafka, settings = CollectorRegistry(), Kafka(), StreamSettings()
    producer = MemoryProducer()
    actions = create_actions_app(
        kafka=kafka,
        stream=settings,
        ledger=MemoryLedger(),
        producer=producer,
        metrics=create_metrics(registry),
        wake=lambda: None,
        clock=clock,
        registry=registry,
    )
    metrics = create_metrics_app(
        kafka=kafka, stream=settings, producer=producer, clock=clock, registry=CollectorRegistry()
    )
    for app in (actions, metrics):
        topics = {str(topic) for topic in app.agents}
        assert topics == set(app.lookout._retention)
