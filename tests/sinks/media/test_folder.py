"""The folder: an object is there whole or not at all, and what an earlier attempt left can be gone on with."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import pytest

from sinks.media.folder import BLOCK, Folder
from sinks.media.store import Part, Stored, StoreUnavailable

ROOT = Path(__file__).parents[3]
BYTES = os.urandom(2 * BLOCK + 1000)


async def some(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def cut(data: bytes) -> AsyncIterator[bytes]:
    async for chunk in some(data):
        yield chunk
    raise ConnectionAbortedError


async def left(at: Folder, data: bytes, validator: str | None = '"v1"') -> None:
    with pytest.raises(ConnectionAbortedError):
        await at.put("a/b.wav", cut(data), "audio/x-wav", Part(0, validator))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(BYTES)])
async def test_what_is_put_is_found_with_its_hash(tmp_path: Path, size: int) -> None:
    at = Folder(tmp_path / "new" / "folder")
    stored, made = await at.put("a/b.wav", some(BYTES[:size]), "audio/x-wav", Part())
    assert stored == Stored("a/b.wav", size)
    assert await at.find("a/b.wav") == await at.find("a/b.*") == stored
    assert await at.sha256("a/b.wav") == made
    assert (tmp_path / "new/folder/a/b.wav").read_bytes() == BYTES[:size]


async def test_what_is_not_there_whole_is_not_found(tmp_path: Path) -> None:
    at = Folder(tmp_path)
    await left(at, BYTES)
    for name in ("a/b.wav", "a/b.*", "a/*", "x/y.*"):
        assert await at.find(name) is None, name


async def test_only_whole_blocks_of_a_part_are_counted_on(tmp_path: Path) -> None:
    at = Folder(tmp_path)
    assert await at.part("a/b.wav") == Part()
    await left(at, BYTES[: BLOCK - 1])
    assert await at.part("a/b.wav") == Part()
    await left(at, BYTES)
    assert await at.part("a/b.wav") == Part(2 * BLOCK, '"v1"')


async def test_a_part_is_gone_on_with(tmp_path: Path) -> None:
    at = Folder(tmp_path)
    await left(at, BYTES[: BLOCK + 500])
    stored, made = await at.put("a/b.wav", some(BYTES[BLOCK:]), "audio/x-wav", await at.part("a/b.wav"))
    assert (tmp_path / "a/b.wav").read_bytes() == BYTES
    assert (stored.bytes, made) == (len(BYTES), await at.sha256("a/b.wav"))
    assert os.listdir(tmp_path / "a") == ["b.wav"]


async def test_what_a_part_has_behind_its_last_whole_block_is_written_anew(tmp_path: Path) -> None:
    at = Folder(tmp_path)
    await left(at, BYTES)
    await at.put("a/b.wav", some(b"the end"), "audio/x-wav", Part(BLOCK, '"v1"'))
    assert (tmp_path / "a/b.wav").read_bytes() == BYTES[:BLOCK] + b"the end"


DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from sinks.media.folder import BLOCK, Folder
from sinks.media.store import Part

async def chunks():
    for _ in range(24):
        yield bytes(BLOCK // 10)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(Folder(Path(sys.argv[1])).put("a/b.wav", chunks(), "audio/x-wav", Part(0, '"v1"')))
"""


async def test_what_a_killed_process_left_is_gone_on_with(tmp_path: Path) -> None:
    dying = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, str(tmp_path), cwd=ROOT)
    assert await dying.wait() == -signal.SIGKILL
    at = Folder(tmp_path)
    begun = await at.part("a/b.wav")
    assert begun == Part(2 * BLOCK, '"v1"')
    await at.put("a/b.wav", some(b"the end"), "audio/x-wav", begun)
    assert (tmp_path / "a/b.wav").read_bytes() == bytes(2 * BLOCK) + b"the end"


async def test_one_that_is_given_up_can_be_written_again(tmp_path: Path) -> None:
    at, came = Folder(tmp_path), asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield BYTES
        came.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(at.put("a/b.wav", stalls(), "audio/x-wav", Part(0, '"v1"')))
    await came.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await at.part("a/b.wav") == Part(2 * BLOCK, '"v1"')
    await at.put("a/b.wav", some(BYTES[2 * BLOCK :]), "audio/x-wav", await at.part("a/b.wav"))
    assert (tmp_path / "a/b.wav").read_bytes() == BYTES


async def test_a_new_version_takes_the_place_of_an_old_part(tmp_path: Path) -> None:
    at = Folder(tmp_path)
    await left(at, BYTES)
    await left(at, BYTES, '"v2"')
    assert len(os.listdir(tmp_path / "a")) == 1
    assert await at.part("a/b.wav") == Part(2 * BLOCK, '"v2"')
    await left(at, BYTES, None)
    assert await at.part("a/b.wav") == Part()
    await at.discard("a/b.wav")
    assert os.listdir(tmp_path / "a") == []


async def test_a_validator_may_be_anything(tmp_path: Path) -> None:
    at = Folder(tmp_path)
    for odd in ('"a/../b~c.part*?[x]"', '"ü €"'):
        await left(at, BYTES, odd)
        assert await at.part("a/b.wav") == Part(2 * BLOCK, odd)


async def test_a_disk_that_fails_leaves_nothing_that_would_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Folder(tmp_path)

    (tmp_path / "a").mkdir()

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        await at.put("a/b.wav", some(BYTES), "audio/x-wav", Part(0, '"v1"'))
    assert os.listdir(tmp_path / "a") == []


async def test_everything_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, bool]] = []

    def note(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_size, (tmp_path / "b.wav").exists()))

    monkeypatch.setattr(os, "fsync", note)
    await Folder(tmp_path).put("b.wav", some(BYTES), "audio/x-wav", Part())
    *file, (_, is_named) = synced
    assert file == [(size, False) for size in (BLOCK, 2 * BLOCK, len(BYTES))], "each block, and the whole"
    assert is_named, "then the folder with its name"


async def test_one_that_another_has_ended_meanwhile_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Folder(tmp_path)
    await left(at, BYTES)
    lock = fcntl.flock

    def late(file: IO[bytes], operation: int) -> None:
        lock(file, operation)
        [part] = (tmp_path / "a").glob("*.part")
        part.rename(tmp_path / "a/b.wav")
        part.touch()

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(StoreUnavailable):
        await at.put("a/b.wav", some(b"x"), "audio/x-wav", Part(0, '"v1"'))
    assert (tmp_path / "a/b.wav").read_bytes() == BYTES
