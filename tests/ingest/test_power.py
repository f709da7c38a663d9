"""The power goes at every operation once: what was answered is on the disk that is found again, or in Kafka."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from ingest.metrics import Metrics
from ingest.publisher import InMemoryPublisher
from ingest.spool.holding import Spool
from ingest.spool.segments import ASIDE, MAGIC, Spooled, frame, unframe
from ingest.spool.spooling import SpoolingPublisher
from tests.ingest.conftest import front_door
from tests.ingest.disks import Forgetful, PowerLoss
from tests.ingest.test_serving import TARGET, status
from tests.ingest.test_spool import drained, record, started


def powerless(at_least: int) -> Iterator[Forgetful]:
    """Disks on which ever later operations are the last; one more is asked for until the power holds out."""
    for fuse in range(400):
        disk = Forgetful()
        disk.fuse = fuse
        yield disk
        if not disk.is_dark:
            assert fuse >= at_least, "every operation was once the last"
            return
    raise AssertionError("it never came to its end")


def afterwards(disk: Forgetful) -> Sequence[Forgetful]:
    """As it may be found again: what was not fsynced is there, or not, or a part of it."""
    return [disk.after_power_loss(random.Random(seed)) for seed in range(16)]


@dataclass
class History:
    """What somebody outside has seen until the power went."""

    disk: Forgetful
    refuses: Callable[[Spooled], bool] = lambda record: False
    acknowledged: list[Spooled] = field(default_factory=list)
    published: list[Spooled] = field(default_factory=list)

    async def publish(self, each: Spooled) -> bool:
        if self.disk.is_dark:
            raise PowerLoss
        if self.refuses(each):
            return False
        self.published.append(each)
        return True

    async def hold(self, spool: Spool, number: int) -> None:
        await spool.hold(record(number))
        self.acknowledged.append(record(number))

    async def happen(self, *, together: int) -> None:
        """Twenty-four records are held, so many at a time, and drained in turns."""
        spool = await started(self.disk, segment_bytes=400)
        try:
            for first in range(0, 24, together):
                group = [self.hold(spool, number) for number in range(first, first + together)]
                heard = await asyncio.gather(*group, return_exceptions=True)
                if any(heard):
                    return
                if (first // together) % 2:
                    await spool.drain(self.publish)
            while await spool.drain(self.publish):
                pass
        except PowerLoss:
            pass
        finally:
            await spool.stop()

    async def missing(self) -> set[bytes]:
        """Keys of what was acknowledged and is neither in Kafka nor on the disk as it is found again."""
        lost: set[bytes] = set()
        for found in afterwards(self.disk):
            aside = [each for name in found.names() if name.startswith(ASIDE) for each in unframe(found.read(name))]
            left = await left_on(found)
            lost |= {each.key for each in self.acknowledged} - {each.key for each in (*self.published, *left, *aside)}
        return lost


async def left_on(disk: Forgetful) -> list[Spooled]:
    spool = await started(disk)
    left = await drained(spool)
    await spool.stop()
    return left


async def test_what_was_held_one_by_one_is_there() -> None:
    for disk in powerless(at_least=50):
        history = History(disk)
        await history.happen(together=1)
        assert not await history.missing()
    assert len(history.acknowledged) == 24


async def test_what_was_held_in_groups_is_there() -> None:
    for disk in powerless(at_least=25):
        history = History(disk)
        await history.happen(together=6)
        assert not await history.missing()
    assert len(history.acknowledged) == 24


async def test_what_was_set_aside_is_there() -> None:
    for disk in powerless(at_least=40):
        history = History(disk, refuses=lambda each: each.key in (b"SM1", b"SM2", b"SM8"))
        await history.happen(together=3)
        assert not await history.missing()
    assert len(history.acknowledged) == 24


async def test_what_was_damaged_is_kept() -> None:
    damaged = bytearray(MAGIC + b"".join(frame(record(number)) for number in range(3)))
    damaged[len(damaged) // 2] ^= 0xFF
    for disk in powerless(at_least=2):
        disk.put("000000000000.spool", bytes(damaged))
        spool = await started(disk)
        await drained(spool)
        await spool.stop()
        for found in afterwards(disk):
            assert [found.read(name) for name in found.names()] == [damaged]


async def test_what_the_door_answered_2xx_is_there() -> None:
    answered = 0
    for disk in powerless(at_least=10):
        kafka = InMemoryPublisher()
        kafka.fail("gone")
        publisher = SpoolingPublisher(kafka, Spool(disk, 1_000_000, segment_bytes=3_000), Metrics(CollectorRegistry()))
        held: set[str] = set()
        async with front_door(publisher=publisher) as provider:
            for first in range(0, 12, 4):
                numbers = range(first, first + 4)
                answers = await asyncio.gather(*(provider.post(TARGET, status(number)) for number in numbers))
                assert {answer.status_code for answer in answers} <= {204, 503}
                pairs = zip(numbers, answers, strict=True)
                held |= {f"SM{number:032x}" for number, answer in pairs if answer.status_code == 204}
        answered = len(held)
        for found in afterwards(disk):
            left = b" ".join(each.value for each in await left_on(found)).decode()
            assert not [sid for sid in held if sid not in left]
    assert answered == 12
