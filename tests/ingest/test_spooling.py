"""The front door with a spool: while Kafka is away it holds, says so, and brings everything back."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ingest.contract.codec import Encoded
from ingest.contract.topics import MESSAGES
from ingest.metrics import Metrics
from ingest.publisher import InMemoryPublisher, Refused, Told, Unavailable
from ingest.spool.draining import orphans
from ingest.spool.folders import Files, Folder
from ingest.spool.holding import Spool
from ingest.spool.segments import MAGIC, Spooled, frame
from ingest.spool.spooling import SpoolingPublisher
from tests.conftest import until
from tests.ingest.disks import Forgetful
from tests.ingest.test_draining import left_behind, segments


class Choosy(InMemoryPublisher):
    """A broker that never takes one of the records."""

    def offer(self, record: Encoded, told: Told) -> None:
        if record.key == b"never":
            told(Refused("refused_by_broker"))
        else:
            super().offer(record, told)


class Door:
    def __init__(
        self, files: Files, limit: int, deadline: float = 5.0, others: Callable[[], Sequence[Path]] = lambda: ()
    ) -> None:
        self.kafka = Choosy()
        self.registry = CollectorRegistry()
        self.spool = Spool(files, limit, max_age=86_400)
        self.publisher = SpoolingPublisher(
            self.kafka, self.spool, Metrics(self.registry), deadline=deadline, others=others
        )

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
async def door(
    path: Path, limit: int = 1_000_000, others: Callable[[], Sequence[Path]] = lambda: ()
) -> AsyncIterator[Door]:
    folder = Folder(path)
    async with door_on(folder, limit, others=others) as made:
        yield made
    folder.close()


@asynccontextmanager
async def door_on(
    files: Files, limit: int = 1_000_000, deadline: float = 5.0, others: Callable[[], Sequence[Path]] = lambda: ()
) -> AsyncIterator[Door]:
    made = Door(files, limit, deadline, others)
    await made.publisher.start()
    try:
        yield made
    finally:
        await made.publisher.stop()


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


async def test_a_full_disk_is_trouble_while_kafka_is_away_and_none_once_there_is_room() -> None:
    disk = Forgetful()
    async with door_on(disk) as at:
        at.kafka.fail("gone")
        disk.space = 10
        assert not any([await at.take(number) for number in range(20)])
        assert at.publisher.trouble() == "gone, and the spool has failed"
        assert disk.created == 1
        at.kafka.fail(None)
        assert at.publisher.trouble() is None
        at.kafka.fail("gone")
        disk.space = 1_000_000
        await until(lambda: at.publisher.trouble() is None)
        assert await at.take(20), "although nobody has called meanwhile"


async def test_a_hanging_disk_is_not_waited_for_and_is_trouble() -> None:
    disk = Forgetful()
    disk.stuck = threading.Event()
    async with door_on(disk, deadline=0.05) as at:
        at.kafka.fail("gone")
        async with asyncio.timeout(5):
            assert not any([await at.take(number) for number in range(20)])
        assert at.publisher.trouble() == "gone, and the spool is slow"
        disk.stuck.set()
        await until(lambda: at.publisher.trouble() is None)
        assert await at.take(20)


async def test_a_record_that_cannot_be_spooled_at_all_is_told_of() -> None:
    async with door_on(Forgetful()) as at:
        at.kafka.fail("gone")
        with pytest.raises(Unavailable, match="spool_failed"):
            await at.publisher.publish(MESSAGES, b"SM1", b"{}", (("ce_\ud800", b"1"),))
        assert await at.take(2)


async def test_a_record_of_a_topic_that_is_unknown_is_set_aside_and_the_rest_is_drained() -> None:
    disk = Forgetful()
    unknown, known = (Spooled(topic, topic.encode(), b"{}", (), 7.5) for topic in ("of_another_version", "messages"))
    disk.put("000000000000.spool", MAGIC + frame(unknown) + frame(known))
    async with door_on(disk) as at:
        await until(lambda: at.counted("set_aside_total") == 1)
        assert at.keys() == {b"messages"}


async def test_a_fault_in_draining_does_not_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    class Faulty(Forgetful):
        faults = 1

        def read(self, name: str, at_most: int = -1) -> bytes:
            if self.faults and at_most < 0:
                self.faults -= 1
                raise ZeroDivisionError
            return super().read(name, at_most)

    disk = Faulty()
    disk.put("000000000000.spool", MAGIC + frame(Spooled("messages", b"SM1", b"{}", (), 7.5)))
    async with door_on(disk) as at:
        await until(lambda: at.keys() == {b"SM1"})
    assert "drain_fault" in capsys.readouterr().out


async def test_a_segment_that_cannot_be_read_is_counted_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    disk = Forgetful()
    for number in range(2):
        disk.put(f"{number:012d}.spool", MAGIC + frame(Spooled("messages", b"SM%d" % number, b"{}", (), 7.5)))
    disk.unreadable = {"000000000000.spool"}
    async with door_on(disk) as at:
        await until(lambda: at.keys() == {b"SM1"})
        await until(lambda: at.counted("damaged_total") == 1)
        assert at.counted("drained_total") == 1
    assert capsys.readouterr().out.count("segment_damaged") == 1


async def test_the_time_to_loss_ends_with_the_age_of_the_oldest_record_while_kafka_is_away() -> None:
    async with door_on(Forgetful(), limit=1_000_000_000) as at:
        assert at.counted("time_to_loss_seconds") == float("inf")
        at.kafka.fail("gone")
        assert await at.take(1)
        assert 86_000 < (at.counted("time_to_loss_seconds") or 0) <= 86_400


async def test_what_workers_that_are_no_more_have_left_is_drained_too(tmp_path: Path) -> None:
    await left_behind(tmp_path / "1", 1, 2)
    await left_behind(tmp_path / "2", 3)
    await left_behind(tmp_path, 4)
    await left_behind(tmp_path / "3", 5)
    in_use = Folder(tmp_path / "3")
    mine = tmp_path / "0"
    async with door(mine, others=lambda: orphans(tmp_path, mine)) as at:
        await until(lambda: at.counted("drained_total") == 4)
        assert at.keys() == {b"SM1", b"SM2", b"SM3", b"SM4"}
        assert [path.parent.name for path in segments(tmp_path)] == ["3"]
    in_use.close()
