"""A disk that is full, fails, hangs or loses files: nothing that was promised is lost, and nobody waits for ever."""

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable

import pytest

from ingest.spool.holding import REST_SECONDS, Publish, Spool, SpoolUnable
from ingest.spool.segments import ASIDE, MAGIC, Spooled, frame, unframe
from tests.conftest import until
from tests.ingest.disks import Forgetful
from tests.ingest.test_spool import drained, record, started


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def rest(self) -> None:
        self.now += REST_SECONDS + 0.1


async def holding(disk: Forgetful, clock: Callable[[], float], segment_bytes: int = 500) -> Spool:
    spool = Spool(disk, 1_000_000, clock=clock, segment_bytes=segment_bytes)
    await spool.start()
    return spool


async def outcome(held: Awaitable[None]) -> str:
    try:
        await held
    except SpoolUnable as error:
        return error.reason
    return "held"


def segments(disk: Forgetful) -> list[str]:
    return [name for name in disk.names() if not name.startswith(ASIDE)]


def set_aside(disk: Forgetful) -> list[bytes]:
    return [each.key for name in disk.names() if name.startswith(ASIDE) for each in unframe(disk.read(name))]


def refusing(*keys: bytes, published: list[bytes]) -> Publish:
    async def publish(each: Spooled) -> bool:
        if each.key in keys:
            return False
        published.append(each.key)
        return True

    return publish


# Writing.


async def test_after_a_failed_fsync_nobody_is_told_held_and_the_file_is_left_alone() -> None:
    disk, clock = Forgetful(), Clock()
    spool = await holding(disk, clock)
    await spool.hold(record(0))
    disk.failing = 1
    assert await outcome(spool.hold(record(1))) == "failed"
    clock.rest()
    await spool.hold(record(2))
    assert disk.synced_after_failure == []
    assert {each.key for each in await drained(spool)} >= {b"SM0", b"SM2"}
    await spool.stop()


async def test_a_full_disk_loses_nothing_leaves_no_orphans_and_takes_again_when_there_is_room() -> None:
    disk, clock = Forgetful(), Clock()
    spool = await holding(disk, clock)
    disk.space = 1_000
    promised = []
    for number in range(50):
        if await outcome(spool.hold(record(number))) == "held":
            promised.append(record(number))
        assert spool.size == disk.used(), "what is torn takes room, and counts"
        clock.rest()
    assert 0 < len(promised) < 10
    left = len(disk.names())
    for number in range(50, 100):
        assert await outcome(spool.hold(record(number))) == "failed"
        clock.rest()
    assert len(disk.names()) == left
    disk.space = 100_000
    promised.append(record(100))
    await spool.hold(record(100))
    found = await drained(spool)
    assert [each for each in found if each in promised] == promised
    assert (spool.size, disk.names()) == (0, [])
    await spool.stop()


async def test_a_file_that_cannot_even_be_begun_is_removed() -> None:
    disk, clock = Forgetful(), Clock()
    disk.space = 2
    spool = await holding(disk, clock)
    for number in range(50):
        assert await outcome(spool.hold(record(number))) == "failed"
        clock.rest()
    assert (disk.created, disk.names(), spool.size, spool.is_empty) == (50, [], 0, True)
    await spool.stop()


async def test_a_disk_that_has_just_failed_is_left_alone_for_a_second() -> None:
    disk, clock = Forgetful(), Clock()
    disk.space = 2
    spool = await holding(disk, clock)
    reasons = [await outcome(spool.hold(record(number))) for number in range(50)]
    assert (set(reasons), disk.created, spool.refuses()) == ({"failed"}, 1, "failed")
    clock.rest()
    assert spool.refuses() is None
    await outcome(spool.hold(record(50)))
    assert disk.created == 2
    clock.now -= 3_600
    assert spool.refuses() is None, "the time that was set back is no rest"
    await spool.stop()


async def test_those_who_wait_behind_a_group_that_fails_are_told_without_another_try() -> None:
    disk, clock = Forgetful(), Clock()
    disk.stuck = threading.Event()
    spool = await holding(disk, clock)
    first = asyncio.create_task(outcome(spool.hold(record(0))))
    await until(lambda: disk.syncs == 1)
    others = [asyncio.create_task(outcome(spool.hold(record(number)))) for number in range(1, 20)]
    await asyncio.sleep(0)
    disk.failing = 1
    disk.stuck.set()
    assert {await first, *await asyncio.gather(*others)} == {"failed"}
    assert (disk.created, disk.syncs, disk.names()) == (1, 1, [])
    await spool.stop()


async def test_a_segment_that_is_removed_since_its_only_write_failed_is_not_missed_by_the_draining() -> None:
    disk, clock = Forgetful(), Clock()
    disk.stuck = threading.Event()
    spool = await holding(disk, clock)
    holds = asyncio.create_task(outcome(spool.hold(record(0))))
    await until(lambda: disk.syncs == 1)
    draining = asyncio.create_task(drained(spool))
    await asyncio.sleep(0)
    disk.failing = 1
    disk.stuck.set()
    assert (await holds, await draining, spool.damaged, spool.is_empty) == ("failed", [], 0, True)
    await spool.stop()


async def test_it_is_in_trouble_from_a_failure_until_the_next_success_which_it_looks_for_by_itself() -> None:
    disk, clock = Forgetful(), Clock()
    spool = await holding(disk, clock)
    assert spool.trouble() is None
    disk.space = 1_000
    with pytest.raises(SpoolUnable, match="failed"):
        await spool.hold(record(0, 2_000))
    clock.rest()
    await spool.probe()
    assert spool.trouble() == "failed", "with room for no record it is not well"
    clock.rest()
    assert (spool.refuses(), spool.trouble()) == (None, "failed")
    disk.space = 1_000_000
    await spool.probe()
    assert spool.trouble() is None
    assert (spool.size, disk.names()) == (0, [])
    await spool.stop()


async def test_a_fault_in_writing_fails_its_group_and_the_next_is_written() -> None:
    disk, clock = Forgetful(), Clock()
    spool = await holding(disk, clock)
    await spool.hold(record(0))
    disk.failing, disk.fault = 1, ValueError("no fault of the disk")
    reasons = await asyncio.gather(*(outcome(spool.hold(record(number))) for number in range(1, 4)))
    assert set(reasons) == {"failed"}
    clock.rest()
    async with asyncio.timeout(5):
        await spool.hold(record(4))
    assert {each.key for each in await drained(spool)} >= {b"SM0", b"SM4"}
    await spool.stop()


# A disk that hangs.


async def test_a_caller_waits_for_a_hanging_disk_only_so_long_and_the_next_not_at_all() -> None:
    disk, clock = Forgetful(), Clock()
    spool = await holding(disk, clock)
    disk.stuck = threading.Event()
    async with asyncio.timeout(5):
        assert await outcome(spool.hold(record(0), within=0.05)) == "slow"
        assert (spool.refuses(), spool.trouble()) == ("slow", "slow")
        assert await outcome(spool.hold(record(1))) == "slow"
    disk.stuck.set()
    await until(lambda: spool.refuses() is None)
    await spool.hold(record(2))
    assert [each.key for each in await drained(spool)] == [b"SM0", b"SM2"], "what was given up on may come late"
    await spool.stop()


async def test_what_waits_in_memory_for_a_hanging_disk_is_bounded() -> None:
    disk = Forgetful()
    disk.stuck = threading.Event()
    spool = Spool(disk, 1_000_000, pending_bytes=1_000)
    await spool.start()
    holds = [asyncio.create_task(outcome(spool.hold(record(number)))) for number in range(100)]
    await until(lambda: sum(each.done() for each in holds) > 80)
    disk.stuck.set()
    reasons = await asyncio.gather(*holds)
    assert reasons.count("held") == 1_000 // len(frame(record(0)))
    assert set(reasons) == {"held", "slow"}
    await asyncio.gather(*(spool.hold(record(number)) for number in range(5)))
    await spool.stop()


async def test_what_has_waited_for_a_slow_disk_becomes_segments_of_the_usual_size() -> None:
    disk = Forgetful()
    disk.stuck = threading.Event()
    spool = await started(disk, segment_bytes=1_000)
    holds = [asyncio.create_task(spool.hold(record(number))) for number in range(300)]
    await until(lambda: disk.syncs == 1)
    disk.stuck.set()
    await asyncio.gather(*holds)
    assert 1_000 <= max(disk.size(name) for name in disk.names()) < 2_500
    await spool.stop()


async def test_a_stop_does_not_wait_for_a_hanging_disk() -> None:
    disk = Forgetful()
    spool = await started(disk)
    disk.stuck = threading.Event()
    holds = [asyncio.create_task(outcome(spool.hold(record(number)))) for number in range(10)]
    await until(lambda: disk.syncs == 1)
    async with asyncio.timeout(5):
        await spool.stop(within=0.05)
        assert set(await asyncio.gather(*holds)) == {"closed"}
    disk.stuck.set()


# Draining.


async def left(disk: Forgetful, *groups: range) -> Spool:
    for index, group in enumerate(groups):
        disk.put(f"{index:012d}.spool", MAGIC + b"".join(frame(record(number)) for number in group))
    return await started(disk)


async def test_what_cannot_be_set_aside_is_published_once_and_holds_nothing_up_and_is_set_aside_later() -> None:
    disk, published = Forgetful(), list[bytes]()
    spool = await left(disk, range(5), range(5, 10))
    publish = refusing(b"SM2", b"SM7", published=published)
    disk.space = 0
    for _ in range(5):
        while await spool.drain(publish):
            pass
    others = [b"SM%d" % number for number in range(10) if number not in (2, 7)]
    assert published == others
    assert (spool.owing, spool.set_aside, spool.oldest_seconds) == (2, 0, 0)
    assert (spool.size, len(disk.names())) == (disk.used(), 2), "and they are still there"
    disk.space = 100_000
    assert await spool.drain(publish) == 0
    assert set_aside(disk) == [b"SM2", b"SM7"]
    assert (published, spool.owing, spool.set_aside, spool.size, segments(disk)) == (others, 0, 2, 0, [])
    await spool.stop()


async def test_a_segment_that_cannot_be_removed_holds_nothing_up_and_is_not_published_again() -> None:
    disk, published = Forgetful(), list[bytes]()
    spool = await left(disk, range(5), range(5, 10))
    disk.failing = 1
    publish = refusing(published=published)
    while await spool.drain(publish):
        pass
    assert published == [b"SM%d" % number for number in range(10)]
    assert (spool.owing, spool.size, disk.names()) == (0, 0, [])
    await spool.stop()


async def test_a_segment_that_cannot_be_read_is_passed_over_and_kept_aside() -> None:
    disk = Forgetful()
    disk.unreadable = {"000000000000.spool"}
    spool = await left(disk, range(5), range(5, 10))
    assert [each.key for each in await drained(spool)] == [b"SM%d" % number for number in range(5, 10)]
    assert (spool.damaged, spool.size, spool.is_empty) == (1, 0, True)
    assert set_aside(disk) == [b"SM%d" % number for number in range(5)]
    await spool.stop()


async def test_one_that_cannot_be_read_nor_renamed_is_not_tried_again_by_this_process() -> None:
    disk = Forgetful()
    disk.unreadable, disk.stubborn = {"000000000000.spool"}, True
    spool = await left(disk, range(5), range(5, 10))
    for _ in range(3):
        await drained(spool)
    assert (spool.damaged, spool.is_empty, spool.size) == (1, True, disk.used())
    assert spool.oldest_seconds == 0, "it does not make the rest too old"
    await spool.stop()
    disk.unreadable = set()
    again = await started(disk)
    assert len(await drained(again)) == 5
    await again.stop()


async def test_a_segment_that_somebody_has_removed_is_forgotten() -> None:
    disk = Forgetful()
    spool = await left(disk, range(5), range(5, 10))
    disk.remove("000000000000.spool")
    assert len(await drained(spool)) == 5
    assert (spool.damaged, spool.size, spool.is_empty, disk.names()) == (1, 0, True, [])
    await spool.stop()


async def test_a_process_without_descriptors_to_spare_tries_again_and_calls_nothing_damaged() -> None:
    class Spent(Forgetful):
        spent = True

        def read(self, name: str, at_most: int = -1) -> bytes:
            if self.spent:
                raise OSError(errno.EMFILE, "too many open files")
            return super().read(name, at_most)

    disk = Spent()
    spool = await left(disk, range(5))
    with pytest.raises(OSError, match="too many"):
        await drained(spool)
    disk.spent = False
    assert len(await drained(spool)) == 5
    assert spool.damaged == 0
    await spool.stop()


async def test_damage_is_kept_under_its_aside_name_even_on_a_full_disk() -> None:
    disk = Forgetful()
    whole = MAGIC + b"".join(frame(record(number)) for number in range(5))
    damaged = whole[: len(whole) // 2] + b"!" + whole[len(whole) // 2 + 1 :]
    disk.put("000000000000.spool", damaged)
    disk.space = 0
    spool = await started(disk)
    assert len(await drained(spool)) == 4
    assert (spool.damaged, [disk.read(name) for name in disk.names()]) == (1, [damaged])
    await spool.stop()
