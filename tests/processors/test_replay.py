"""Replay: the topics make the same rows again, and what differs is told by its kind."""

import argparse
import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import TopicPartition as KafkaPartition
from kafka.admin import KafkaAdminClient

from ingest.contract import events as e
from ingest.contract.codec import Envelope, encode
from ingest.contract.identity import event_id
from ingest.contract.topics import EVENT_TOPICS
from processors.comparing import Finding, compare, compared
from processors.contract.changes import Kind
from processors.domain.due import Deadlines, later
from processors.domain.facts import Facts, Resource
from processors.domain.rulebook import judged
from processors.domain.stamps import Stamp, stamp
from processors.domain.statuses import CONFERENCE_ENDED
from processors.replay import Rebuilt, add_arguments, rebuild, run
from processors.store.opening import open_store
from processors.store.pages import MemoryKeys, Pages
from processors.store.personal import scrubbed
from processors.store.port import Forgotten, MemoryStore
from processors.stream.batch import Record
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing
from tests.conftest import Broker
from tests.processors.stream.conftest import create_topic

START = datetime(2026, 1, 1, tzinfo=UTC)
BEGUN = stamp(START + timedelta(days=1))
ACCOUNT = "AC" + "0" * 32
DEADLINES = Deadlines(dict.fromkeys(("message", "call", "recording", "conference", "participant"), 3600.0))
NUMBER = "+15552223333"


def said(event: e.Event, at: int, verified: bool = True) -> Envelope:
    event = event.model_copy(update={"id": event_id(event, str(at))})
    return Envelope(event, "test", START + timedelta(seconds=at), verified=verified)


def history(count: int = 5) -> list[Envelope]:
    found: list[Envelope] = []
    for number in range(count):
        message, call, conference = (f"{prefix}{number:032x}" for prefix in ("SM", "CA", "CF"))
        for name in ("queued", "sent", "delivered")[: 1 + number % 3]:
            event: e.Event = e.MessageUpdated(account_sid=ACCOUNT, message_sid=message, status=name, to=NUMBER)
            found.append(said(event, len(found)))
        for sequence, name in enumerate(("initiated", "ringing", "completed")):
            event = e.CallUpdated(account_sid=ACCOUNT, call_sid=call, status=name, sequence_number=sequence)
            found.append(said(event, len(found)))
        for sequence, name in enumerate(("participant-join", "conference-start", "participant-leave")):
            about = call if name.startswith("participant") else None
            event = e.ConferenceUpdated(
                account_sid=ACCOUNT, conference_sid=conference, event=name, sequence_number=sequence, call_sid=about
            )
            found.append(said(event, len(found)))
    return found


def records(envelopes: Sequence[Envelope]) -> list[Record]:
    found = []
    for offset, envelope in enumerate(envelopes):
        encoded = encode(envelope)
        topic = encoded.topic.called("comms")
        found.append(Record(topic, 0, offset, 0, encoded.key, encoded.value, encoded.headers))
    return found


async def folded(envelopes: Sequence[Envelope], size: int = 1000) -> MemoryStore:
    store = MemoryStore()
    some = records(envelopes)
    for start in range(0, len(some), size):
        await Rebuilt(store, DEADLINES).fold(some[start : start + size])
    return store


class Whole:
    """Nothing is gone from any topic, or all of it before a time."""

    def __init__(self, until: Stamp | None = None, *kinds: Kind) -> None:
        self.until, self.kinds = until, kinds

    def include(self, kind: Kind) -> bool:
        return not self.kinds or kind in self.kinds

    def of(self, row: Resource) -> Stamp | None:
        return self.until


def pages(store: MemoryStore) -> Pages:
    return Pages(store, MemoryKeys(store), size=3)


# Folding.


@pytest.mark.parametrize("seed", range(10))
async def test_any_order_with_repetitions_makes_the_same_facts(seed: int) -> None:
    chance = random.Random(seed)
    shuffled = history() + chance.sample(history(), 10)
    chance.shuffle(shuffled)
    one, other = await folded(history()), await folded(shuffled, size=chance.randint(1, 7))
    report = await compare(pages(one), pages(other), BEGUN, Whole())
    assert report.wrong == 0
    assert set(report.counts) == {(kind, Finding.EQUAL) for kind in ("message", "call", "conference", "participant")}


async def test_what_is_rebuilt_could_be_worked_on_it_is_due_as_the_live_rows_are() -> None:
    store = await folded(history(1))
    assert store.rows["SM" + "0" * 32].due == later(stamp(START), 3600)
    assert store.rows["CA" + "0" * 32].due is None


async def test_what_cannot_be_read_or_trusted_is_counted_and_left_out() -> None:
    rebuilt = Rebuilt(MemoryStore(), DEADLINES)
    event = e.MessageUpdated(account_sid=ACCOUNT, message_sid="SM" + "9" * 32, status="sent")
    unreadable = Record("comms.messages", 0, 0, 0, b"SM", b"{", (("ce_type", b"message.updated"),))
    await rebuilt.fold([unreadable, *records([said(event, 1, verified=False), history(1)[0]])])
    assert rebuilt.counts == {"unreadable (invalid_value)": 1, "unverified": 1, "folded": 1}


async def test_replaying_again_into_the_same_store_adds_nothing() -> None:
    store = await folded(history())
    before = dict(store.rows)
    await Rebuilt(store, DEADLINES).fold(records(history()))
    assert store.rows == before


# Comparing.


def row(*statuses: str, received: float = 0.0, **attributes: str) -> Resource:
    times = {name: (later(stamp(START), received + at), None) for at, name in enumerate(statuses)}
    found = {name: (value, -1, "") for name, value in attributes.items()}
    return Resource("SM" + "1" * 32, "message", ACCOUNT, 3, Facts(times, attributes=found))


def look(live: Resource | Forgotten | None, rebuilt: Resource | None, beginning: Stamp | None = None) -> Finding:
    return compared(live, rebuilt, BEGUN, beginning)[0]


def test_versions_do_not_matter_since_they_count_in_order_of_arrival() -> None:
    assert look(row("sent"), row("sent")._replace(version=9, sweeps=2, due=BEGUN)) is Finding.EQUAL


def test_what_the_sweep_concluded_is_in_no_topic_and_is_no_difference() -> None:
    swept = row("sent")
    events = {judged("late"): (BEGUN, None), CONFERENCE_ENDED: (BEGUN, None)}
    assert look(swept._replace(facts=swept.facts._replace(events=events)), row("sent")) is Finding.EQUAL


def test_a_difference_is_told_by_the_names_of_the_facts_and_not_by_their_values() -> None:
    finding, names = compared(row("queued", "sent", to=NUMBER), row("queued", to="+1999"), BEGUN, None)
    assert finding is Finding.DIFFERENT
    assert list(names) == ["status:sent", "attribute:to"]


def test_a_row_that_one_side_lacks_is_missing_or_extra() -> None:
    assert look(None, row("sent")) is Finding.MISSING
    assert look(row("sent"), None) is Finding.EXTRA


def test_a_row_that_began_before_what_the_topics_hold_is_no_difference() -> None:
    assert look(row("queued", "sent"), row("queued"), later(stamp(START), 10)) is Finding.OLDER
    assert look(row("sent"), None, later(stamp(START), 10)) is Finding.OLDER
    assert look(row("queued", "sent", received=60.0), row("queued"), later(stamp(START), 10)) is Finding.DIFFERENT


def test_a_row_that_learned_something_since_the_replay_began_is_no_difference() -> None:
    assert look(row("queued", "sent", received=86_400.0), row("queued")) is Finding.NEWER


def test_what_was_forgotten_on_purpose_is_no_difference() -> None:
    assert look(Forgotten("SM" + "1" * 32, BEGUN), row("sent")) is Finding.FORGOTTEN
    known = row("sent", to=NUMBER, body="hello")
    assert look(scrubbed(known, NUMBER), known) is Finding.SCRUBBED
    assert look(scrubbed(known, NUMBER), row("queued", "sent", to=NUMBER)) is Finding.DIFFERENT


async def test_a_report_counts_by_kind_and_names_some_rows_and_no_value() -> None:
    live, shadow = await folded(history()), await folded(history())
    lost, changed = "SM" + "0" * 32, f"SM{2:032x}"
    del live.rows[lost], shadow.rows["CA" + "0" * 32]
    facts = live.rows[changed].facts
    live.rows[changed] = live.rows[changed]._replace(facts=facts._replace(attributes={"to": ("+1999", -1, "")}))
    report = await compare(pages(live), pages(shadow), BEGUN, Whole())
    assert report.wrong == 3
    assert report.counts["message", Finding.MISSING] == report.counts["call", Finding.EXTRA] == 1
    assert f"different: {changed} attribute:to" in report.told()
    assert "+1999" not in report.told()
    assert NUMBER not in report.told()


async def test_kinds_that_were_not_replayed_are_not_compared() -> None:
    report = await compare(pages(await folded(history())), pages(MemoryStore()), BEGUN, Whole(None, "message"))
    assert {kind for kind, _ in report.counts} == {"message"}


# On a broker.


@pytest.fixture
def topics(broker: Broker, prefix: str) -> list[str]:
    return [create_topic(broker.kafka(), topic.called(prefix)) for topic in EVENT_TOPICS]


async def publish(broker: Broker, prefix: str, envelopes: Sequence[Envelope]) -> None:
    producer = KafkaProducer(broker.kafka(prefix))
    encoded = [encode(envelope) for envelope in envelopes]
    await producer.publish(
        [Outgoing(each.topic.called(prefix), each.key, each.value, each.headers) for each in encoded]
    )
    await producer.stop()


@pytest.mark.broker
async def test_the_topics_make_the_rows_that_their_events_made(broker: Broker, prefix: str, topics: list[str]) -> None:
    await publish(broker, prefix, history(200))
    rebuilt = Rebuilt(MemoryStore(), DEADLINES)
    beginnings = await rebuild(broker.kafka(prefix), topics, None, rebuilt)
    assert rebuilt.counts == {"folded": len(history(200))}
    assert isinstance(rebuilt.store, MemoryStore)
    report = await compare(pages(await folded(history(200))), pages(rebuilt.store), BEGUN, beginnings)
    assert report.wrong == 0
    assert sum(report.counts.values()) == 800


@pytest.mark.broker
async def test_only_what_was_published_since_then_is_read(broker: Broker, prefix: str, topics: list[str]) -> None:
    await publish(broker, prefix, history(3))
    rebuilt = Rebuilt(MemoryStore(), DEADLINES)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    beginnings = await rebuild(broker.kafka(prefix), topics, tomorrow, rebuilt)
    assert rebuilt.counts == {}
    live = await folded(history(3))
    report = await compare(pages(live), pages(MemoryStore()), BEGUN, beginnings)
    assert {finding for _, finding in report.counts} == {Finding.OLDER}


@pytest.mark.kafka
async def test_what_retention_took_from_one_partition_excuses_no_row_of_another(
    broker: Broker, prefix: str, topics: list[str]
) -> None:
    await publish(broker, prefix, history(40))
    admin = KafkaAdminClient(**broker.kafka().admin_options())
    admin.delete_records({KafkaPartition(f"{prefix}.messages", 0): -1})
    admin.close()
    rebuilt = Rebuilt(MemoryStore(), DEADLINES)
    beginnings = await rebuild(broker.kafka(prefix), topics, None, rebuilt)
    assert isinstance(rebuilt.store, MemoryStore)
    kept = next(key for key in rebuilt.store.rows if key.startswith("SM"))
    del rebuilt.store.rows[kept]
    report = await compare(pages(await folded(history(40))), pages(rebuilt.store), BEGUN, beginnings)
    assert report.wrong == report.counts["message", Finding.EXTRA] == 1
    assert report.counts["message", Finding.OLDER] > 1
    assert report.counts["call", Finding.EQUAL] == 40


@pytest.mark.broker
async def test_a_topic_that_is_not_there_is_told(broker: Broker, prefix: str) -> None:
    with pytest.raises(BrokerUnavailable, match=rf"{prefix}\.messages"):
        await rebuild(broker.kafka(prefix), [f"{prefix}.messages"], None, Rebuilt(MemoryStore(), DEADLINES))


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


async def worked(url: str, envelopes: Sequence[Envelope]) -> None:
    store = await open_store(url)
    await Rebuilt(store, DEADLINES).fold(records(envelopes))
    await store.close()


@pytest.mark.broker
def test_the_command_says_by_its_exit_whether_the_two_are_equal(
    broker: Broker,
    prefix: str,
    topics: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    live, into = (f"sqlite+aiosqlite:///{tmp_path}/{name}.sqlite" for name in ("live", "shadow"))
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_DATABASE_URL", live)
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_HASH_KEY", "0123456789abcdef")
    monkeypatch.setenv("SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
    monkeypatch.setenv("SWITCHHOOK_KAFKA_TOPIC_PREFIX", prefix)
    asyncio.run(publish(broker, prefix, history(20)))
    asyncio.run(worked(live, history(20)))
    assert command("--into", into, "--compare") == 0
    assert "the two are equal" in capsys.readouterr().out
    assert command("--into", into, "--compare") == 2
    assert "--resume" in capsys.readouterr().err
    asyncio.run(publish(broker, prefix, history(21)))
    assert command("--into", into, "--compare", "--resume", "--topics", "messages") == 1
    assert f"missing: SM{20:032x}" in capsys.readouterr().out
    assert command("--into", live) == 2


@pytest.mark.parametrize(
    "words", [("--into", "mysql://x"), ("--into", "nonsense"), ("--into", "sqlite://", "--from", "2026-01-01")]
)
def test_what_cannot_be_meant_is_refused(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command(*words)
    assert "--into" in capsys.readouterr().err
