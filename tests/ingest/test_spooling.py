"""The front door with a spool: while Kafka is away it holds, says so, and brings everything back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from ingest.contract.codec import Encoded
from ingest.contract.topics import MESSAGES
from ingest.metrics import Metrics
from ingest.publisher import InMemoryPublisher, Refused, Told, Unavailable
from ingest.spool import Folder, Spool
from ingest.spooling import SpoolingPublisher
from tests.conftest import until


class Choosy(InMemoryPublisher):
    """A broker that never takes one of the records."""

    def offer(self, record: Encoded, told: Told) -> None:
        if record.key == b"never":
            told(Refused("refused_by_broker"))
        else:
            super().offer(record, told)


class Door:
    def __init__(self, folder: Folder, limit: int) -> None:
        self.kafka = Choosy()
        self.registry = CollectorRegistry()
        self.publisher = SpoolingPublisher(self.kafka, Spool(folder, limit), Metrics(self.registry))

    def keys(self) -> set[bytes]:
        return {key for _, key, _, _ in self.kafka.records}

    def counted(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"switchhook_ingest_{name}")

    async def take(self, number: int) -> bool:
        """Whether it would be answered 2xx."""
        try:
            await self.publisher.publish(MESSAGES, b"SM%d" % number, b"{}", (("ce_id", b"1"),))
        except Unavailable:
            return False
        return True


@asynccontextmanager
async def door(path: Path, limit: int = 1_000_000) -> AsyncIterator[Door]:
    folder = Folder(path)
    made = Door(folder, limit)
    await made.publisher.start()
    try:
        yield made
    finally:
        await made.publisher.stop()
        folder.close()


async def test_while_kafka_takes_records_nothing_is_spooled(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        assert await at.take(1)
        assert (at.keys(), at.counted("spooled_total"), at.publisher.degraded()) == ({b"SM1"}, 0, None)


async def test_what_comes_while_kafka_is_away_is_held_and_brought_back(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        at.kafka.fail("gone")
        assert all([await at.take(number) for number in range(20)])
        assert (at.publisher.trouble(), at.publisher.degraded()) == (None, "gone")
        assert at.counted("spool_bytes")
        assert at.keys() == set()
        at.kafka.fail(None)
        await until(lambda: len(at.keys()) == 20)
        await until(lambda: at.counted("drained_total") == 20)
        assert (at.counted("spooled_total"), at.counted("spool_bytes"), at.publisher.degraded()) == (20, 0, None)
        assert at.kafka.records[0][3] == {"ce_id": b"1"}


async def test_what_a_stopped_front_door_held_is_brought_back_by_the_next(tmp_path: Path) -> None:
    async with door(tmp_path) as first:
        first.kafka.fail("gone")
        assert await first.take(1)
    async with door(tmp_path) as second:
        await until(lambda: second.keys() == {b"SM1"})


async def test_a_full_spool_is_trouble_and_refused(tmp_path: Path) -> None:
    async with door(tmp_path, limit=600) as at:
        at.kafka.fail("gone")
        answers = [await at.take(number) for number in range(20)]
        assert answers[0]
        assert not answers[-1]
        assert at.publisher.trouble() == "gone, and the spool is full"
        held = sum(answers)
        at.kafka.fail(None)
        await until(lambda: len(at.keys()) == held)
        assert await at.take(99)


async def test_a_record_that_kafka_never_takes_is_set_aside_and_counted(tmp_path: Path) -> None:
    async with door(tmp_path) as at:
        await at.publisher.publish(MESSAGES, b"never", b"{}", ())
        assert await at.take(1)
        await until(lambda: at.counted("set_aside_total") == 1)
        assert at.keys() == {b"SM1"}
        await until(lambda: at.counted("spool_bytes") == 0)
