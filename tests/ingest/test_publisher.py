"""The publisher: one suite for the real one and its twin; then what only a broker can do: be away, die, hang."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st
from kafka.admin import KafkaAdminClient, NewTopic
from structlog.testing import capture_logs

from deploy.broker import command as embedded
from ingest.contract.codec import Headers
from ingest.contract.kafka import Kafka, place
from ingest.contract.topics import CALLS, MESSAGES, RECORD_BYTES, TOPICS, Topic
from ingest.kafka_publisher import KafkaPublisher
from ingest.publisher import InMemoryPublisher, Publisher, Unavailable
from tests.chaos.node import stopped
from tests.conftest import Broker, free_port, until

Held = tuple[str, bytes, bytes, dict[str, bytes]]
HEADERS: Headers = (("ce_id", b"1"), ("ce_type", b"message.updated"), ("odd", "é".encode()))
DEADLINE = 1.0
PARTITIONS = 2


@dataclass
class Subject:
    """A publisher and a way to read what it holds, by topic in the order held."""

    publisher: Publisher
    held: Callable[[], Awaitable[Sequence[Held]]]


def make_topics(kafka: Kafka, partitions: int = PARTITIONS) -> None:
    admin = KafkaAdminClient(**kafka.admin_options())
    names = {topic.called(kafka.topic_prefix) for topic in TOPICS} - set(admin.list_topics())
    if names:
        admin.create_topics([NewTopic(name, partitions, 1) for name in names])
        end = time.monotonic() + 20
        while names - set(admin.list_topics()) and time.monotonic() < end:
            time.sleep(0.05)  # the broker tells of what it made a moment later
    admin.close()


async def read_all(kafka: Kafka, topics: Sequence[Topic] = TOPICS) -> Sequence[Held]:
    names = {topic.called(kafka.topic_prefix): topic.name for topic in topics}
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **kafka.aiokafka_options())
    await consumer.start()
    try:
        partitions = [TopicPartition(name, n) for name in names for n in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        found: list[Held] = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found += [(names[r.topic], r.key or b"", r.value or b"", dict(r.headers)) for r in records]
        return found
    finally:
        await consumer.stop()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.broker)])
async def subject(request: pytest.FixtureRequest, prefix: str) -> AsyncIterator[Subject]:
    if request.param == "memory":
        memory = InMemoryPublisher()

        async def held() -> Sequence[Held]:
            return [(topic.name, key, value, dict(headers)) for topic, key, value, headers in memory.records]

        yield Subject(memory, held)
        return
    broker: Broker = request.getfixturevalue("broker")
    kafka = broker.kafka(prefix)
    make_topics(kafka)
    real = KafkaPublisher(kafka, deadline=DEADLINE)
    yield Subject(real, lambda: read_all(kafka))
    await real.stop()


async def started(publisher: Publisher) -> None:
    await publisher.start()
    await until(lambda: publisher.trouble() is None)


async def test_what_is_published_is_held_as_it_was_given(subject: Subject) -> None:
    await started(subject.publisher)
    await subject.publisher.publish(MESSAGES, b"SM1", b'{"a":1}', HEADERS)
    await subject.publisher.publish(CALLS, b"", b"\x00\xff", ())
    assert sorted(await subject.held()) == [
        ("calls", b"", b"\x00\xff", {}),
        ("messages", b"SM1", b'{"a":1}', dict(HEADERS)),
    ]


async def test_records_of_one_key_are_held_in_the_order_of_their_publishing(subject: Subject) -> None:
    await started(subject.publisher)
    for n in range(10):
        await subject.publisher.publish(MESSAGES, b"SM1", str(n).encode(), ())
    assert [value for _, _, value, _ in await subject.held()] == [str(n).encode() for n in range(10)]


async def test_many_at_once_are_all_held(subject: Subject) -> None:
    await started(subject.publisher)
    values = [str(n).encode() for n in range(500)]
    await asyncio.gather(*(subject.publisher.publish(MESSAGES, value, value, HEADERS) for value in values))
    assert sorted(value for _, _, value, _ in await subject.held()) == sorted(values)


async def test_giving_up_on_one_record_costs_no_other(subject: Subject) -> None:
    """The provider hangs up while its record shares a batch with others."""
    await started(subject.publisher)
    values = [str(n).encode() for n in range(50)]
    tasks = [asyncio.create_task(subject.publisher.publish(MESSAGES, b"SM1", value, ())) for value in values]
    await asyncio.sleep(0)
    tasks[0].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1:] == [None] * 49
    assert {value for _, _, value, _ in await subject.held()} >= set(values[1:])


async def test_before_it_is_started_it_says_that_it_holds_nothing(subject: Subject) -> None:
    assert subject.publisher.trouble()
    with pytest.raises(Unavailable) as refused:
        await subject.publisher.publish(MESSAGES, b"SM1", b"{}", ())
    assert refused.value.reason == "not_connected"
    await started(subject.publisher)
    assert await subject.held() == []


async def test_after_it_is_stopped_it_holds_nothing_until_it_is_started_again(subject: Subject) -> None:
    await started(subject.publisher)
    await subject.publisher.stop()
    assert subject.publisher.trouble()
    with pytest.raises(Unavailable):
        await subject.publisher.publish(MESSAGES, b"SM1", b"{}", ())
    await started(subject.publisher)
    await subject.publisher.publish(MESSAGES, b"SM1", b"{}", ())
    assert len(await subject.held()) == 1


async def test_stopping_twice_or_unstarted_is_no_error(subject: Subject) -> None:
    await subject.publisher.stop()
    await subject.publisher.start()
    await subject.publisher.stop()
    await subject.publisher.stop()
    assert subject.publisher.trouble()


async def test_the_twin_can_be_made_to_fail_and_to_recover() -> None:
    twin = InMemoryPublisher()
    await twin.start()
    twin.fail("deadline")
    assert twin.trouble() == "deadline"
    with pytest.raises(Unavailable, match="deadline"):
        await twin.publish(MESSAGES, b"SM1", b"{}", ())
    twin.fail(None)
    assert twin.trouble() is None
    await twin.publish(MESSAGES, b"SM1", b"{}", ())
    assert len(twin.records) == 1


@dataclass
class OwnBroker:
    """A broker that this test may hurt. The embedded one forgets everything when it ends."""

    port: int
    folder: Path
    real: bool
    process: subprocess.Popen[bytes] | None = None

    @property
    def kafka(self) -> Kafka:
        return Broker(f"127.0.0.1:{self.port}", idempotence=self.real).kafka("own")

    async def start(self) -> None:
        self.spawn()
        await until(self.answers, 60)
        await asyncio.to_thread(make_topics, self.kafka)

    def spawn(self) -> None:
        options = ["--port", str(self.port), "--dir", str(self.folder / "kafka")]
        kafka = [sys.executable, "-m", "deploy.kafka.run", *options]
        with (self.folder / "log").open("ab") as log:
            command = kafka if self.real else embedded(self.port)
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])

    def answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    async def freeze(self) -> None:
        assert self.process is not None
        self.send(signal.SIGSTOP)
        await stopped(self.process.pid)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None


@pytest.fixture
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnBroker]:
    broker = OwnBroker(free_port(), tmp_path, real=request.config.getoption("--broker") == "kafka")
    yield broker
    broker.kill()


@asynccontextmanager
async def publishing(own: OwnBroker, max_in_flight: int = 100) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(own.kafka, deadline=DEADLINE, max_in_flight=max_in_flight)
    await started(made)
    try:
        yield made
    finally:
        await made.stop()


async def refused_in_time(publisher: Publisher, topic: Topic = MESSAGES) -> str:
    """The reason, given within the deadline (and what a busy machine adds)."""
    begun = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        await publisher.publish(topic, b"SM1", b"{}", HEADERS)
    assert time.monotonic() - begun < DEADLINE + 1
    return refused.value.reason


@pytest.mark.broker
async def test_a_broker_that_is_not_there_yet_is_waited_for_in_the_background(own: OwnBroker) -> None:
    publisher = KafkaPublisher(own.kafka, deadline=DEADLINE)
    begun = time.monotonic()
    with capture_logs() as lines:
        await publisher.start()
        assert time.monotonic() - begun < 1, "starting does not wait for it"
        await until(lambda: str(publisher.trouble()).startswith("broker unreachable"))
        assert await refused_in_time(publisher) == "not_connected"
        await own.start()
        await until(lambda: publisher.trouble() is None)
        await publisher.publish(MESSAGES, b"SM1", b"{}", HEADERS)
    await publisher.stop()
    assert [line["event"] for line in lines] == ["broker_down", "broker_up"], "each said once"
    assert await read_all(own.kafka) == [("messages", b"SM1", b"{}", dict(HEADERS))]


@pytest.mark.broker
async def test_a_broker_that_dies_is_told_within_the_deadline_and_found_again(own: OwnBroker) -> None:
    await own.start()
    async with publishing(own) as publisher:
        await publisher.publish(MESSAGES, b"SM1", b"first", ())
        own.kill()
        assert await refused_in_time(publisher) in ("deadline", "refused_by_broker")
        await until(lambda: publisher.trouble() is not None)
        await own.start()
        await until(lambda: publisher.trouble() is None, 60)
        await publisher.publish(CALLS, b"CA1", b"second", ())
    # Not the messages: what was given up may arrive before its topic is made again, which this broker acknowledges.
    assert await read_all(own.kafka, [CALLS]) == [("calls", b"CA1", b"second", {})]


@pytest.mark.broker
async def test_a_broker_that_hangs_is_told_within_the_deadline_and_found_again(own: OwnBroker) -> None:
    await own.start()
    async with publishing(own) as publisher:
        await publisher.publish(MESSAGES, b"SM1", b"first", ())
        await own.freeze()
        assert await refused_in_time(publisher) == "deadline"
        own.send(signal.SIGCONT)

        async def holds() -> bool:
            try:
                await publisher.publish(MESSAGES, b"SM2", b"second", ())
            except Unavailable:
                return False
            return True

        await until(holds)
        await until(lambda: publisher.trouble() is None)
    assert {value for _, _, value, _ in await read_all(own.kafka)} >= {b"first", b"second"}


@pytest.mark.broker
async def test_what_waits_for_a_hanging_broker_is_bounded(own: OwnBroker) -> None:
    await own.start()
    async with publishing(own, max_in_flight=3) as publisher:
        for _ in range(2):  # what was given up on frees its places, once
            await own.freeze()
            waiting = [asyncio.create_task(publisher.publish(MESSAGES, b"SM1", b"{}", ())) for _ in range(3)]
            await asyncio.sleep(0)
            begun = time.monotonic()
            assert await refused_in_time(publisher) == "buffer_full"
            assert time.monotonic() - begun < DEADLINE / 2, "at once"
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
            own.send(signal.SIGCONT)
            await until(lambda: publisher.trouble() is None)
            await publisher.publish(MESSAGES, b"SM1", b"{}", ())


@pytest.mark.broker
@pytest.mark.parametrize("is_frozen", [False, True], ids=["dead", "frozen"])
async def test_stopping_does_not_wait_for_ever_and_leaves_nothing_behind(own: OwnBroker, is_frozen: bool) -> None:
    before = asyncio.all_tasks()
    await own.start()
    async with publishing(own) as publisher:
        await publisher.publish(MESSAGES, b"SM1", b"first", ())
        if is_frozen:
            await own.freeze()
        else:
            own.kill()
        given_up = asyncio.create_task(publisher.publish(MESSAGES, b"SM1", b"second", ()))
        await asyncio.sleep(0)
        begun = time.monotonic()
        await publisher.stop()
        assert time.monotonic() - begun < 2 * DEADLINE + 1
    assert isinstance((await asyncio.gather(given_up, return_exceptions=True))[0], Unavailable)
    own.kill()
    await until(lambda: asyncio.all_tasks() <= before)


@pytest.mark.broker
async def test_a_topic_that_is_missing_is_told_at_once(own: OwnBroker) -> None:
    await own.start()
    async with publishing(own) as publisher:
        assert await refused_in_time(publisher, Topic("no-such-topic")) == "no_such_topic"
        await until(lambda: publisher.trouble() is None)
        await publisher.publish(MESSAGES, b"SM1", b"{}", ())


@pytest.mark.kafka  # the embedded broker cannot delete
async def test_a_topic_that_is_deleted_and_made_again_holds_up_no_other(own: OwnBroker) -> None:
    await own.start()
    name = MESSAGES.called(own.kafka.topic_prefix)
    async with publishing(own) as publisher:
        await publisher.publish(MESSAGES, b"SM1", b"{}", ())
        admin = KafkaAdminClient(**own.kafka.admin_options())
        await asyncio.to_thread(admin.delete_topics, [name])
        await asyncio.gather(
            *(publisher.publish(MESSAGES, b"SM1", b"{}", ()) for _ in range(5)), return_exceptions=True
        )

        async def holds(topic: Topic) -> bool:
            try:
                await publisher.publish(topic, b"1", b"{}", ())
            except Unavailable:
                return False
            return True

        await until(lambda: holds(CALLS))
        assert await refused_in_time(publisher)
        # With fewer partitions than it had, which the client would assert.
        await asyncio.to_thread(admin.create_topics, [NewTopic(name, 1, 1)])
        admin.close()
        await until(lambda: holds(MESSAGES), 30)
        await until(lambda: holds(CALLS))


@pytest.mark.broker
async def test_a_record_that_the_broker_never_takes_is_refused_and_not_waited_for(own: OwnBroker) -> None:
    await own.start()
    async with publishing(own) as publisher:
        with pytest.raises(Unavailable, match="refused_by_broker"):
            await publisher.publish(MESSAGES, b"SM1", b"x" * (RECORD_BYTES + 1), ())
        await publisher.publish(MESSAGES, b"SM1", b"{}", ())


@given(key=st.binary(max_size=100))
def test_a_key_is_placed_where_the_java_client_would_place_it(key: bytes) -> None:
    partitions = list(range(12))
    assert place(key, 12) == DefaultPartitioner()(key, partitions, partitions)
