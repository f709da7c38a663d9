"""Draining: what a front door that is gone for good has left in its spool, brought to Kafka by hand."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from ingest.contract.topics import TOPICS
from ingest.publisher import Publisher, Refused, Unavailable
from ingest.spool import Folder, Spool, Spooled, SpoolInUse

_BY_NAME = {topic.name: topic for topic in TOPICS}
_CONNECT_SECONDS = 30.0


async def drain(path: Path, publisher: Publisher) -> int:
    """Exit code 0 where all is in Kafka, 1 where something is left, 2 where there is no such folder."""
    if not path.is_dir():  # noqa: ASYNC240  # nothing else runs yet
        print(f"{path} is no folder", file=sys.stderr)
        return 2
    await publisher.start()
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            while publisher.trouble() is not None:  # noqa: ASYNC110  # the port has no event for it
                await asyncio.sleep(0.1)
        left = [folder for folder in _folders(path) if not await _drain_folder(folder, publisher)]
    except TimeoutError:
        print(f"Kafka cannot be reached: {publisher.trouble()}", file=sys.stderr)
        return 1
    finally:
        await publisher.stop()
    return 1 if left else 0


def _folders(path: Path) -> Iterator[Path]:
    """The folder itself, and those of several workers in it."""
    yield path
    yield from sorted(each for each in path.iterdir() if each.is_dir() and each.name.isdecimal())


async def _drain_folder(path: Path, publisher: Publisher) -> bool:
    """Whether nothing is left to drain in it."""
    try:
        folder = Folder(path)
    except SpoolInUse as error:
        print(error, file=sys.stderr)
        return False

    async def taken(record: Spooled) -> bool:
        try:
            await publisher.publish(_BY_NAME[record.topic], record.key, record.value, record.headers)
        except Refused:
            return False
        return True

    drained = 0
    spool = Spool(folder, limit=0)  # it takes nothing new
    with contextlib.closing(folder):
        await spool.start()
        try:
            while some := await spool.drain(taken):
                drained += some
        except (Unavailable, OSError) as error:
            print(f"{path}: {drained} records are in Kafka, the rest is left: {error}", file=sys.stderr)
            return False
        finally:
            await spool.stop()
    print(f"{path}: {drained} records are in Kafka, {spool.set_aside} of them refused for good and set aside")
    return True
