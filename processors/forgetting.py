"""Forgetting a person: every row in which a number occurs is scrubbed, and the records of its changes are taken away.

Look, publish tombstones, scrub, publish once more: wherever it ends in the middle, doing it again does the rest.
The number itself is never printed or logged.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka, place
from ingest.contract.topics import DAY_MS, DEAD_LETTERS, EVENT_TOPICS
from processors.contract.changes import Kind
from processors.contract.phone import read_number
from processors.contract.topics import ACTIONS, CHANGES
from processors.domain.facts import Resource
from processors.domain.sweeping import conference_of
from processors.settings import read_settings
from processors.sql import AlreadyInUse, DatabaseRefused, hold
from processors.store.pages import Pages, open_pages
from processors.store.personal import is_about
from processors.store.port import StoreUnavailable
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing, Producer
from processors.sweep import partition_count

PUBLISHED_AT_ONCE = 1000

NOT_REACHED = f"""Not reached, and to be seen to apart from this:
  - what Kafka still holds: events for {EVENT_TOPICS[0].retention_ms // DAY_MS} days, actions for \
{ACTIONS.retention_ms // DAY_MS}, dead letters for {DEAD_LETTERS.retention_ms // DAY_MS}, unless configured otherwise
  - the ledger of actions: `python -m sinks forget` does that
  - the archive's files, and what a front door has on disk
  - the provider: `messages.delete`, `messages.update` and `recordings.delete` do that
  - events that no worker had folded yet: do it again once there is no lag"""


async def find(pages: Pages, number: str) -> Mapping[str, Kind]:
    """The kinds of all rows in which the number occurs, and of what hangs on such a call, by key."""
    found: dict[str, Kind] = {}
    async for page in pages:
        for row in page:
            if is_about(row, number):
                found[row.key] = row.kind
                hanging = await pages.store.children(row.key) if row.kind == "call" else ()
                found |= {child.key: child.kind for child in hanging}
    return found


async def forget(pages: Pages, producer: Producer, number: str, topic: str, partitions: int) -> Mapping[str, Kind]:
    """What was found, scrubbed by now. Raises StoreUnavailable, BrokerUnavailable: then it is to be done again."""
    found = dict(await find(pages, number))
    # Before the rows are scrubbed, since afterwards nothing would find them again.
    await _bury(producer, sorted(found), topic, partitions)
    scrubbed = await pages.store.forget(number)
    more = await pages.store.read([key for key in scrubbed if key not in found])
    found |= {key: row.kind for key, row in more.items() if isinstance(row, Resource)}
    # Once more, since a worker may have published a change in between.
    await _bury(producer, sorted(found), topic, partitions)
    return found


async def _bury(producer: Producer, keys: Sequence[str], topic: str, partitions: int) -> None:
    for start in range(0, len(keys), PUBLISHED_AT_ONCE):
        some = keys[start : start + PUBLISHED_AT_ONCE]
        await producer.publish([tombstone(key, topic, partitions) for key in some])


def tombstone(key: str, topic: str, partitions: int) -> Outgoing:
    """Where the changes of the row are: a participant's lie with its conference's."""
    return Outgoing(topic, key.encode(), None, (), place(conference_of(key).encode(), partitions))


def told(found: Mapping[str, Kind]) -> str:
    counts = Counter(found.values())
    kinds = [kind for kind in get_args(Kind) if counts[kind]]
    lines = [f"{kind:<12} {key}" for kind in kinds for key in sorted(found) if found[key] == kind]
    return "\n".join([*lines, ", ".join(f"{counts[kind]:,} {kind}s" for kind in kinds) or "no row holds the number"])


# The command.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", required=True, help="as +15551234567; `-` reads it from standard input")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be scrubbed")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """0 when nothing of it is left in the state, 2 when it could not be done, or not to the end."""
    try:
        settings, kafka = read_settings()
        number = read_number(sys.stdin.readline() if arguments.number == "-" else arguments.number)
        url = settings.database_url.get_secret_value()
        if arguments.dry_run:
            print(told(asyncio.run(_find(url, number))))
            return 0
        if not (arguments.yes or _agreed()):
            print("Nothing was done: say yes, or --yes; --dry-run only looks.", file=sys.stderr)
            return 2
        held = hold(url)
        try:
            found = asyncio.run(_forget(url, kafka, number))
        finally:
            if held is not None:
                held.close()
        print(f"{told(found)}\nscrubbed, and the records of their changes taken away\n{NOT_REACHED}")
    except InvalidSettings as error:
        print(error.told("Forgetting"), file=sys.stderr)
    except (ValueError, AlreadyInUse, OSError, DatabaseRefused, SQLAlchemyError) as error:
        print(f"This cannot be done: {error}", file=sys.stderr)
    except (StoreUnavailable, BrokerUnavailable, KafkaError) as error:
        print(f"This was not done to the end: {error}; do it again, it goes on from there", file=sys.stderr)
    else:
        return 0
    return 2


def _agreed() -> bool:
    return sys.stdin.isatty() and input("Scrub every row in which it occurs? This cannot be undone [yes/no]: ") == "yes"


async def _find(url: str, number: str) -> Mapping[str, Kind]:
    async with open_pages(url, as_it_is=True) as pages:
        return await find(pages, number)


async def _forget(url: str, kafka: Kafka, number: str) -> Mapping[str, Kind]:
    topic, producer = CHANGES.called(kafka.topic_prefix), KafkaProducer(kafka)
    async with open_pages(url) as pages:
        try:
            return await forget(pages, producer, number, topic, await partition_count(kafka, topic))
        finally:
            await producer.stop()
