"""Draining: what a front door that is gone for good has left in its spool, brought to Kafka: by hand, or by another."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ingest.contract.topics import TOPICS
from ingest.publisher import Publisher, Refused, Unavailable
from ingest.spool.folders import Folder, SpoolInUse
from ingest.spool.holding import Publish, Spool
from ingest.spool.segments import ASIDE, Spooled

_BY_NAME = {topic.name: topic for topic in TOPICS}
_CONNECT_SECONDS = 30.0


class Drained(NamedTuple):
    """Records that were in segments, those of them that Kafka refuses for good, and damaged segments. `left` is why
    there is something left, or None."""

    records: int
    set_aside: int
    damaged: int
    left: str | None


def into(kafka: Publisher) -> Publish:
    """How one spooled record is published. What another version has spooled for a topic that we do not know is refused
    for good, as what Kafka refuses: nothing waits behind it."""

    async def publish(record: Spooled) -> bool:
        topic = _BY_NAME.get(record.topic)
        if topic is None:
            return False
        try:
            await kafka.publish(topic, record.key, record.value, record.headers)
        except Refused:
            return False
        return True

    return publish


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
        found = [_told(folder, await drain_folder(folder, into(publisher))) for folder in _folders(path)]
    except TimeoutError:
        print(f"Kafka cannot be reached: {publisher.trouble()}", file=sys.stderr)
        return 1
    finally:
        await publisher.stop()
    return 1 if any(each.left for each in found) else 0


async def drain_folder(path: Path, publish: Publish) -> Drained:
    """All of the folder of another front door, which must have ended."""
    try:
        folder = Folder(path)
    except (SpoolInUse, OSError) as error:
        return Drained(0, 0, 0, str(error))
    records, left = 0, None
    spool = Spool(folder, limit=0)  # it takes nothing new
    with contextlib.closing(folder):
        try:
            await spool.start()
            while some := await spool.drain(publish):
                records += some
            if spool.size:
                left = "some of it can neither be set aside nor removed"
        except (Unavailable, OSError) as error:
            left = str(error)
        finally:
            await spool.stop()
    return Drained(records, spool.set_aside, spool.damaged, left)


def orphans(base: Path, *mine: Path) -> Sequence[Path]:
    """Folders with segments that no living front door has locked, when there were more workers, or one without a folder
    of its own. `mine` are those of the present workers, also of one that is just being started."""
    return [folder for folder in _folders(base) if folder not in mine and _has_segments(folder) and _is_free(folder)]


def _folders(path: Path) -> Iterator[Path]:
    """The folder itself, and those of several workers in it."""
    yield path
    yield from sorted(each for each in path.iterdir() if each.is_dir() and each.name.isdecimal())


def _has_segments(path: Path) -> bool:
    return any(not each.name.startswith(ASIDE) for each in path.glob("*.spool"))


def _is_free(path: Path) -> bool:
    try:
        Folder(path).close()
    except (SpoolInUse, OSError):
        return False
    return True


def _told(path: Path, found: Drained) -> Drained:
    if found.left is not None:
        print(f"{path}: {found.records} records are in Kafka, the rest is left: {found.left}", file=sys.stderr)
        return found
    print(
        f"{path}: {found.records} records are in Kafka, {found.set_aside} of them refused for good and set aside,"
        f" {found.damaged} segments damaged"
    )
    return found
