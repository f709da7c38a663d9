"""The spool: what it says it holds is there, whole and in order, also for the next process."""

import asyncio
import math
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.spool.folders import Folder, SpoolInUse
from ingest.spool.holding import Spool, SpoolUnable
from ingest.spool.rates import Rate
from ingest.spool.segments import Spooled, frame, unframe
from tests.ingest.disks import Forgetful


def record(number: int, size: int = 20) -> Spooled:
    return Spooled(
        "messages", b"SM%d" % number, bytes([number % 256]) * size, (("ce_id", b"\xff\x00%d" % number),), 7.5
    )


async def started(files: Forgetful | Folder, limit: int = 1_000_000, segment_bytes: int = 200) -> Spool:
    spool = Spool(files, limit, segment_bytes=segment_bytes)
    await spool.start()
    return spool


async def drained(spool: Spool) -> list[Spooled]:
    found: list[Spooled] = []

    async def publish(each: Spooled) -> bool:
        found.append(each)
        return True

    while await spool.drain(publish):
        pass
    return found


@pytest.fixture(params=["folder", "twin"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Forgetful | Folder]:
    if request.param == "twin":
        yield Forgetful()
        return
    folder = Folder(tmp_path / "spool")
    yield folder
    folder.close()


async def test_what_is_held_is_drained_whole_and_in_order_and_gone_after(files: Forgetful | Folder) -> None:
    spool = await started(files)
    records = [record(number) for number in range(50)]
    for each in records:
        await spool.hold(each)
    assert len(files.names()) > 3
    assert await drained(spool) == records
    assert (spool.is_empty, spool.size, list(files.names())) == (True, 0, [])
    await spool.stop()


async def test_many_at_once_share_an_fsync_and_are_all_held(files: Forgetful | Folder) -> None:
    spool = await started(files, segment_bytes=1_000_000)
    await asyncio.gather(*(spool.hold(record(number)) for number in range(300)))
    assert len(files.names()) == 1
    assert not isinstance(files, Forgetful) or files.syncs <= 2
    assert len(await drained(spool)) == 300
    await spool.stop()


async def test_another_process_finds_what_was_left(files: Forgetful | Folder) -> None:
    first = await started(files)
    for number in range(10):
        await first.hold(record(number))
    await first.stop()
    second = await started(files)
    await second.hold(record(10))
    assert await drained(second) == [record(number) for number in range(11)]
    await second.stop()


async def test_it_is_full_at_its_limit_and_takes_again_when_drained(files: Forgetful | Folder) -> None:
    spool = await started(files, limit=420)
    held = 0
    while not spool.refuses(len(frame(record(held)))):
        await spool.hold(record(held))
        held += 1
    with pytest.raises(SpoolUnable, match="full"):
        await spool.hold(record(held))
    assert held > 1
    assert 0 < spool.size <= 420
    assert len(await drained(spool)) == held
    await spool.hold(record(0))
    await spool.stop()


async def test_a_record_that_kafka_never_takes_is_set_aside_and_does_not_hold_up_the_others(
    files: Forgetful | Folder,
) -> None:
    spool = await started(files)
    for number in range(10):
        await spool.hold(record(number))
    taken = []

    async def publish(each: Spooled) -> bool:
        taken.append(each)
        return each != record(4)

    while await spool.drain(publish):
        pass
    assert len(taken) == 10
    assert (spool.set_aside, spool.is_empty) == (1, True)
    [aside] = files.names()
    assert list(unframe(files.read(aside))) == [record(4)]
    await spool.stop()
    again = await started(files)
    assert again.is_empty, "what was set aside is not tried again by itself"
    await again.stop()


async def test_a_drain_that_fails_loses_nothing_and_goes_on_where_it_was(files: Forgetful | Folder) -> None:
    spool = await started(files, segment_bytes=1_000_000)
    await asyncio.gather(*(spool.hold(record(number)) for number in range(1200)))
    calls: list[Spooled] = []

    async def publish(each: Spooled) -> bool:
        calls.append(each)
        if len(calls) == 700:
            raise ConnectionError
        return True

    with pytest.raises(ConnectionError):
        await spool.drain(publish)
    rest = await drained(spool)
    assert len(rest) == 700, "the first five hundred are not published again"
    assert {each.key for each in (*calls, *rest)} == {record(number).key for number in range(1200)}
    await spool.stop()


async def test_a_stopped_spool_holds_what_it_promised_and_promises_no_more(files: Forgetful | Folder) -> None:
    spool = await started(files)
    holding = [asyncio.create_task(spool.hold(record(number))) for number in range(20)]
    await asyncio.sleep(0)
    await spool.stop()
    await asyncio.gather(*holding)
    with pytest.raises(SpoolUnable, match="closed"):
        await spool.hold(record(20))
    again = await started(files)
    assert len(await drained(again)) == 20
    await again.stop()


def test_a_folder_takes_one_process_and_its_files_are_private(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "spool")
    with pytest.raises(SpoolInUse, match="give each its own folder"):
        Folder(tmp_path / "spool")
    folder.create("000000000000.spool").close()
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "spool/000000000000.spool").stat().st_mode & 0o777 == 0o600
    folder.close()
    Folder(tmp_path / "spool").close()  # free again


def test_a_folder_and_its_parents_that_are_made_are_named_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def told(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", told)
    Folder(tmp_path / "a/b/spool").close()
    assert set(synced) == {tmp_path, tmp_path / "a", tmp_path / "a/b"}
    synced.clear()
    Folder(tmp_path / "a/b/spool").close()
    assert not synced, "they are there"


def test_a_torn_or_changed_end_is_not_read() -> None:
    whole = b"SHS1" + frame(record(1)) + frame(record(2))
    assert list(unframe(whole)) == [record(1), record(2)]
    for cut in range(len(whole)):
        assert list(unframe(whole[:cut])) in ([], [record(1)])
    changed = bytearray(whole)
    changed[-1] ^= 1
    assert list(unframe(bytes(changed))) == [record(1)]


async def test_with_records_that_are_too_old_it_takes_no_new_ones_and_keeps_the_old(
    files: Forgetful | Folder,
) -> None:
    now = record(0).at
    spool = Spool(files, 1_000_000, max_age=60, clock=lambda: now)
    await spool.start()
    await spool.hold(record(0))
    now += 61
    assert spool.refuses() == "too_old"
    with pytest.raises(SpoolUnable, match="too_old"):
        await spool.hold(record(1))
    assert await drained(spool) == [record(0)]
    await spool.hold(record(1))
    await spool.stop()


async def test_it_says_how_long_there_is_room_at_the_present_rate(files: Forgetful | Folder) -> None:
    now = 1_000.0
    spool = Spool(files, 6_000, clock=lambda: now)
    await spool.start()
    assert spool.seconds_to_full == math.inf
    await spool.hold(record(0, 900))
    assert spool.seconds_to_full == pytest.approx((6_000 - spool.size) / (spool.size / 60), rel=0.02)
    now += 61
    assert spool.seconds_to_full == math.inf
    await spool.stop()


async def test_it_takes_no_more_when_it_is_full_or_its_oldest_record_too_old(files: Forgetful | Folder) -> None:
    now = 1_000.0
    spool = Spool(files, 6_000, max_age=100, clock=lambda: now)
    await spool.start()
    assert spool.seconds_to_loss == math.inf
    await spool.hold(record(0, 10))
    now += 61
    assert spool.seconds_to_loss == pytest.approx(39)
    await spool.hold(record(1, 5_000))
    assert spool.seconds_to_loss == spool.seconds_to_full < 39
    await drained(spool)
    await spool.stop()


async def test_its_rate_can_be_asked_by_another_thread_while_it_holds() -> None:
    spool = await started(Forgetful(), 1_000_000_000, segment_bytes=1)
    for number in range(2_000):
        await spool.hold(record(number))
    asked = asyncio.get_running_loop().run_in_executor(None, lambda: [spool.seconds_to_full for _ in range(500)])
    while not asked.done():
        await asyncio.gather(*(spool.hold(record(number)) for number in range(20)))
    assert len(await asked) == 500
    await spool.stop()


def test_a_rate_is_of_the_last_minute_and_does_not_grow() -> None:
    rate = Rate()
    for tenth in range(100_000):
        rate.add(tenth / 10, 6)
    assert rate.a_second(9_999.9) == pytest.approx(60, rel=0.02)
    assert len(rate._slots) == 60
    assert rate.a_second(10_100) == 0
    assert rate.a_second(5_000) == 0, "a clock that was set back"


async def test_a_damaged_record_takes_none_behind_it_along_and_its_bytes_are_kept(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    spool = await started(folder, segment_bytes=1_000_000)
    for number in range(5):
        await spool.hold(record(number, 100))
    await spool.stop()
    (name,) = folder.names()
    damaged = bytearray((tmp_path / name).read_bytes())
    damaged[damaged.index(bytes([2]) * 100) + 50] ^= 0xFF
    (tmp_path / name).write_bytes(damaged)
    again = await started(folder)
    assert await drained(again) == [record(number, 100) for number in (0, 1, 3, 4)]
    assert again.damaged == 1
    (aside,) = folder.names()
    assert (tmp_path / aside).read_bytes() == damaged
    await again.stop()
    folder.close()


async def test_a_torn_tail_is_no_damage_and_an_empty_segment_does_not_end_the_draining(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "000000000000.spool").write_bytes(b"SH")
    whole = frame(record(1))
    (tmp_path / "000000000001.spool").write_bytes(b"SHS1" + whole + whole[:-3])
    (tmp_path / "foreign.spool").write_bytes(b"not ours")
    spool = await started(folder)
    assert await drained(spool) == [record(1)]
    assert (spool.damaged, folder.names()) == (0, ["foreign.spool"])
    await spool.stop()
    folder.close()


def test_zeros_behind_a_mark_are_no_record() -> None:
    whole = b"SHS1" + frame(record(1))
    for size in range(20):
        assert list(unframe(whole + frame(record(2))[:4] + bytes(size))) == [record(1)]


def test_what_is_written_over_with_noise_is_no_record() -> None:
    whole = b"SHS1" + b"".join(frame(record(number)) for number in range(3))
    for seed in range(300):
        chance = random.Random(seed)
        at = chance.randrange(len(whole))
        noise = chance.randbytes(chance.randrange(40))
        found = list(unframe(whole[:at] + noise + whole[at + len(noise) :]))
        assert {each.key for each in found} <= {b"SM0", b"SM1", b"SM2"}
