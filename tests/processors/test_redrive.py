"""Redriving on a real broker: what could not be read goes back to where it was, once, and not for ever."""

import argparse
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.asyncapi import DEAD_LETTER_HEADERS, RECORD_HEADERS
from ingest.contract.kafka import Kafka, place
from processors.redrive import Found, Left, Mark, Wanted, add_arguments, connected, put_back, redrive, run, told
from processors.stream.batch import Record
from processors.stream.deadletters import dead_letter
from processors.stream.producer import BrokerUnavailable, KafkaProducer, MemoryProducer, Outgoing
from tests.conftest import Broker, free_port

AT = datetime(2026, 1, 1, tzinfo=UTC)
PARTITIONS = 3
KEY = b"SM00000000000000000000000000000001"


def letter(
    name: str = "comms.messages", reason: str = "invalid", offset: int = 0, key: bytes = KEY, headers: object = ()
) -> Outgoing:
    assert isinstance(headers, tuple)
    record = Record(name, 1, offset, 0, key, b"%d" % offset, (("ce_id", b"1"), *headers))
    return dead_letter(record, stage="processors", reason=reason, topic="comms.dead-letters", at=AT)


def consumed(outgoing: Outgoing, timestamp: int = 0) -> Record:
    return Record(outgoing.topic, 0, 0, timestamp, outgoing.key, outgoing.value, outgoing.headers)


class TestOneLetter:
    def test_it_goes_back_as_it_was_and_says_how_often(self) -> None:
        back = put_back(consumed(letter()), Wanted("comms"))
        assert back == Outgoing("comms.messages", KEY, b"0", (("ce_id", b"1"), ("dl_redriven", b"1")))
        assert isinstance(back, Outgoing)
        again = put_back(consumed(letter(headers=back.headers[1:])), Wanted("comms"))
        assert isinstance(again, Outgoing)
        assert again.headers[-1] == ("dl_redriven", b"2")

    def test_what_it_then_has_in_its_headers_is_described(self) -> None:
        back = put_back(consumed(letter()), Wanted("comms"))
        assert isinstance(back, Outgoing)
        assert {name for name, _ in back.headers} <= RECORD_HEADERS.keys()
        once_more = letter(headers=back.headers[1:])
        assert {name for name, _ in once_more.headers} <= {*RECORD_HEADERS, *DEAD_LETTER_HEADERS}
        for headers in (RECORD_HEADERS, DEAD_LETTER_HEADERS):
            assert Draft202012Validator(headers["dl_redriven"]).is_valid("1")
            assert not Draft202012Validator(headers["dl_redriven"]).is_valid("once")

    def test_it_does_not_go_back_for_ever(self) -> None:
        thrice = consumed(letter(headers=(("dl_redriven", b"3"),)))
        assert put_back(thrice, Wanted("comms")) is Left.TOO_OFTEN
        assert isinstance(put_back(thrice, Wanted("comms", most_times=4)), Outgoing)

    def test_a_webhook_that_the_front_door_could_not_read_is_left(self) -> None:
        headers = (("dl_stage", b"ingest"), ("dl_reason", b"missing"))
        assert put_back(Record("comms.dead-letters", 0, 0, 0, b"AC1", b"", headers), Wanted("comms")) is Left.WEBHOOK

    @pytest.mark.parametrize("name", ["other.messages", "comms.nothing", "comms.changes", "comms.dead-letters"])
    def test_what_came_from_elsewhere_or_from_a_compacted_topic_is_left(self, name: str) -> None:
        assert put_back(consumed(letter(name)), Wanted("comms")) is Left.OTHER_TOPIC

    @pytest.mark.parametrize(
        ("wanted", "is_back"),
        [
            (Wanted("comms", topic="messages"), True),
            (Wanted("comms", topic="calls"), False),
            (Wanted("comms", reason="invalid"), True),
            (Wanted("comms", reason="empty"), False),
            (Wanted("comms", since=AT), True),
            (Wanted("comms", since=AT + timedelta(seconds=1)), False),
        ],
    )
    def test_only_what_is_asked_for_goes_back(self, wanted: Wanted, is_back: bool) -> None:
        verdict = put_back(consumed(letter(), int(AT.timestamp() * 1000)), wanted)
        assert isinstance(verdict, Outgoing) if is_back else verdict is Left.NOT_ASKED_FOR


class TestMark:
    @given(st.lists(st.booleans(), max_size=60), st.integers(0, 10**9))
    def test_what_was_decided_is_remembered_and_nothing_else(self, decisions: list[bool], offset: int) -> None:
        mark = Mark(offset)
        for n, is_decided in enumerate(decisions):
            mark.pass_by(offset + n, is_decided=is_decided)
        read = Mark.read(mark.offset, mark.text())
        assert [read.has(offset + n) for n in range(len(decisions))] == decisions
        assert not read.has(offset + len(decisions))

    def test_a_text_that_is_not_ours_says_nothing(self) -> None:
        assert Mark.read(5, "written by somebody else") == Mark(5)


@pytest.fixture
def kafka(broker: Broker, prefix: str) -> Kafka:
    kafka = broker.kafka(prefix)
    admin = KafkaAdminClient(**kafka.admin_options())
    names = ("messages", "calls", "dead-letters")
    admin.create_topics([NewTopic(kafka.topic(name), PARTITIONS, 1) for name in names])
    admin.close()
    return kafka


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[KafkaProducer]:
    made = KafkaProducer(kafka)
    yield made
    await made.stop()


def letters(kafka: Kafka, count: int, name: str = "messages", reason: str = "invalid") -> list[Outgoing]:
    """Of distinct keys, so that they lie in all partitions."""
    topic = kafka.topic("dead-letters")
    return [
        letter(kafka.topic(name), reason, n, b"%s%032x" % (name[:2].encode(), n))._replace(topic=topic)
        for n in range(count)
    ]


async def redriven(kafka: Kafka, wanted: Wanted | None = None, *, dry_run: bool = False) -> Found:
    async with connected(kafka) as (consumer, producer):
        return await redrive(consumer, producer, wanted or Wanted(kafka.topic_prefix), dry_run=dry_run)


async def held(kafka: Kafka, name: str) -> Sequence[Record]:
    consumer = AIOKafkaConsumer(kafka.topic(name), auto_offset_reset="earliest", **kafka.aiokafka_options())
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[Record] = []
        while len(found) < sum(ends.values()):
            for some in (await consumer.getmany(timeout_ms=1000)).values():
                found += [
                    Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in some
                ]
        return found
    finally:
        await consumer.stop()


@pytest.mark.broker
class TestOnABroker:
    async def test_everything_goes_back_by_its_key_and_a_second_time_nothing(
        self, kafka: Kafka, producer: KafkaProducer
    ) -> None:
        await producer.publish([*letters(kafka, 300), *letters(kafka, 20, "calls", "empty")])
        found = await redriven(kafka)
        assert found.back == {(kafka.topic("messages"), "invalid"): 300, (kafka.topic("calls"), "empty"): 20}
        back = await held(kafka, "messages")
        assert sorted(int(r.value or b"") for r in back) == list(range(300))
        assert all(r.partition == place(r.key or b"", PARTITIONS) for r in back)
        assert {r.headers for r in back} == {(("ce_id", b"1"), ("dl_redriven", b"1"))}
        assert (await redriven(kafka)) == Found()
        assert len(await held(kafka, "messages")) == 300

    async def test_a_dry_run_counts_and_does_nothing(self, kafka: Kafka, producer: KafkaProducer) -> None:
        await producer.publish(letters(kafka, 10))
        for _ in range(2):
            assert (await redriven(kafka, dry_run=True)).back.total() == 10
        assert await held(kafka, "messages") == []

    async def test_a_limit_ends_it_and_the_next_run_goes_on_from_there(
        self, kafka: Kafka, producer: KafkaProducer
    ) -> None:
        await producer.publish(letters(kafka, 10))
        found = await redriven(kafka, Wanted(kafka.topic_prefix, limit=4))
        assert (found.back.total(), found.cut_off) == (4, "the limit is reached")
        assert (await redriven(kafka)).back.total() == 6
        assert len({r.value for r in await held(kafka, "messages")}) == 10

    @pytest.mark.kafka
    async def test_what_was_not_asked_for_can_go_back_later_and_alone(
        self, kafka: Kafka, producer: KafkaProducer
    ) -> None:
        """Only on Apache Kafka: the embedded broker keeps no text with an offset."""
        for _ in range(3):
            await producer.publish([*letters(kafka, 10), *letters(kafka, 5, "calls", "empty")])
        found = await redriven(kafka, Wanted(kafka.topic_prefix, reason="empty"))
        assert (found.back.total(), found.left[Left.NOT_ASKED_FOR]) == (15, 30)
        assert (await redriven(kafka)).back == {(kafka.topic("messages"), "invalid"): 30}
        assert (await redriven(kafka)) == Found()
        assert len(await held(kafka, "calls")) == 15

    async def test_what_the_broker_did_not_take_goes_back_the_next_time(
        self, kafka: Kafka, producer: KafkaProducer
    ) -> None:
        await producer.publish(letters(kafka, 10))
        async with connected(kafka) as (consumer, _):
            with pytest.raises(BrokerUnavailable):
                await redrive(consumer, MemoryProducer(failures=1), Wanted(kafka.topic_prefix))
        assert (await redriven(kafka)).back.total() == 10


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return parser.parse_args(given)


class TestTheCommand:
    def test_a_time_needs_a_zone(self) -> None:
        assert arguments("--since", "2026-01-01T00:00:00Z").since == AT
        with pytest.raises(argparse.ArgumentError, match="no time with a zone"):
            arguments("--since", "2026-01-01T00:00:00")

    def test_without_a_broker_it_says_so(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
        assert run(arguments("--dry-run")) == 1
        assert "broke off" in capsys.readouterr().err

    def test_wrong_settings_are_told(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("SWITCHHOOK_PROCESSORS_REDRIVE_LIMIT", "0")
        assert run(arguments()) == 2
        assert "REDRIVE_LIMIT" in capsys.readouterr().err

    @pytest.mark.broker
    def test_what_became_of_the_letters_is_told(
        self, broker: Broker, kafka: Kafka, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
        monkeypatch.setenv("SWITCHHOOK_KAFKA_TOPIC_PREFIX", kafka.topic_prefix)
        monkeypatch.setenv("SWITCHHOOK_KAFKA_IDEMPOTENCE", str(broker.idempotence))
        assert run(arguments()) == 0
        assert "no dead letters" in capsys.readouterr().out

    def test_counts_are_a_line_each(self) -> None:
        found = Found(cut_off="the limit is reached")
        found.back["comms.calls", "empty"] = 3
        found.left[Left.WEBHOOK] = 2
        assert told(found, dry_run=True) == [
            "       3 would go back to comms.calls: empty",
            "       2 left: a webhook that the front door could not read",
            "ended early: the limit is reached",
        ]
