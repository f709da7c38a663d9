"""Replay: the event topics folded anew into a store of its own, and how that differs from the live one.

It publishes nothing and asks for nothing: there is no producer here, and no rule. What it rebuilds may take the place
of a store that was lost; numbers that were forgotten before are then to be forgotten again.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ingest.contract.codec import Undecodable, decode
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka, place
from ingest.contract.topics import EVENT_TOPICS, TOPIC_OF
from processors.comparing import compare
from processors.contract.changes import Kind
from processors.domain.due import Deadlines, due
from processors.domain.facts import NOTHING, Resource
from processors.domain.fold import fold
from processors.domain.reading import Statement, read
from processors.domain.rulebook import write_down
from processors.domain.rules import Rules
from processors.domain.stamps import Stamp, stamp
from processors.domain.sweeping import conference_of
from processors.settings import Settings, read_settings
from processors.sql import AlreadyInUse, DatabaseRefused, hold
from processors.store.pages import PAGE, open_pages
from processors.store.port import Store, StoreUnavailable
from processors.stream.batch import Consumed
from processors.stream.producer import BrokerUnavailable
from processors.sweep import partition_count

PATIENCE = 30.0
"""Seconds without a record, while there should be some, until the broker is given up."""

ALL: Stamp = "9999"
"""After every stamp."""

NO_RULES = write_down(Rules())


class Cannot(Exception):
    """Why there is nothing to replay or to compare with; for a person to read."""


CANNOT = (
    Cannot, AlreadyInUse, BrokerUnavailable, DatabaseRefused, KafkaError, OSError, SQLAlchemyError, StoreUnavailable,
)  # fmt: skip


# Reading the topics.


@dataclass(frozen=True, slots=True)
class Beginnings:
    """When what each partition still holds begins; None where nothing is gone from it yet."""

    times: Mapping[TopicPartition, Stamp | None]
    prefix: str

    def include(self, kind: Kind) -> bool:
        return TopicPartition(TOPIC_OF[kind].called(self.prefix), 0) in self.times

    def of(self, row: Resource) -> Stamp | None:
        """Of the partition where the events of this row are."""
        topic = TOPIC_OF[row.kind].called(self.prefix)
        count = sum(tp.topic == topic for tp in self.times)
        return self.times[TopicPartition(topic, place(conference_of(row.key).encode(), count))]


@dataclass(slots=True)
class Rebuilt:
    """The shadow store and what went into it."""

    store: Store
    deadlines: Deadlines
    counts: Counter[str] = field(default_factory=Counter)

    async def fold(self, records: Sequence[Consumed]) -> None:
        """As the brain folds a batch, without what would come of it."""
        said = self._read(records)
        found = await self.store.read(sorted({statement.key for statement in said}))
        known = {key: row for key, row in found.items() if isinstance(row, Resource)}
        rows: dict[str, Resource] = {}
        for statement in said:
            before = rows.get(statement.key) or known.get(statement.key)
            step = fold(before, statement, NO_RULES, b"")
            if step.change is not None:
                rows[statement.key] = step.resource
        if rows:
            changed = [rows[key]._replace(due=due(rows[key], NO_RULES, self.deadlines)) for key in sorted(rows)]
            await self.store.write(changed, {key: known[key].version if key in known else 0 for key in rows})

    def _read(self, records: Sequence[Consumed]) -> Sequence[Statement]:
        said = []
        for record in records:
            try:
                envelope = decode(record.headers, record.value)
                statement = read(envelope)
            except Undecodable as error:
                self.counts[f"unreadable ({error.reason})"] += 1
                continue
            if not envelope.verified:
                self.counts["unverified"] += 1
            elif statement.facts is NOTHING:
                self.counts["not for the state"] += 1
            else:
                self.counts["folded"] += 1
                said.append(statement)
        return said


async def rebuild(kafka: Kafka, topics: Sequence[str], since: datetime | None, rebuilt: Rebuilt) -> Beginnings:
    """From the beginning, or that time, to the ends as they are now. Raises BrokerUnavailable, KafkaError, Cannot."""
    consumer = AIOKafkaConsumer(group_id=None, enable_auto_commit=False, **kafka.aiokafka_options())
    try:
        await consumer.start()
        places = [TopicPartition(topic, at) for topic in topics for at in range(await partition_count(kafka, topic))]
        consumer.assign(places)
        oldest = int(since.timestamp() * 1000) if since is not None else 0
        starts, ends = await _range(consumer, places, oldest)
        for tp, start in starts.items():
            consumer.seek(tp, start)
        times = {tp: _gone(starts[tp], since) for tp in places}
        left = {tp for tp in places if starts[tp] < ends[tp]}
        consumer.pause(*(tp for tp in places if tp not in left))
        seen = set[TopicPartition]()
        while left:
            for tp, records in (await _next(consumer)).items():
                if tp not in seen:
                    seen.add(tp)
                    ends[tp] = max(ends[tp], consumer.highwater(tp) or 0)  # all that the embedded broker tells rightly
                    if times[tp] == ALL:
                        times[tp] = stamp(datetime.fromtimestamp(records[0].timestamp / 1000, UTC))
                await rebuilt.fold([r for r in records if r.offset < ends[tp] and r.timestamp >= oldest])
                if await consumer.position(tp) >= ends[tp]:
                    consumer.pause(tp)
                    left.discard(tp)
        return Beginnings(times, kafka.topic_prefix)
    finally:
        await consumer.stop()


def _gone(start: int, since: datetime | None) -> Stamp | None:
    """Until when events are gone: none where the first is still there, all until one is seen."""
    if since is not None:
        return stamp(since)
    return ALL if start > 0 else None


async def _range(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], oldest: int
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Where to begin and to end; `oldest` in milliseconds since 1970, 0 for all."""
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    if oldest:
        found = await consumer.offsets_for_times(dict.fromkeys(places, oldest))
        starts = {tp: found[tp].offset if found.get(tp) else ends[tp] for tp in places}
    return dict(starts), dict(ends)


async def _next(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Sequence[Consumed]]:
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found: Mapping[TopicPartition, Sequence[Consumed]] = await consumer.getmany(
                    timeout_ms=500, max_records=PAGE
                )
                if found:
                    return found
    except TimeoutError:
        raise Cannot(f"the broker has given nothing for {PATIENCE:.0f} seconds, and there is more") from None


# The command.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--into", required=True, type=_url, metavar="URL", help="the shadow store, empty")
    parser.add_argument("--topics", nargs="+", choices=[topic.name for topic in EVENT_TOPICS], help="only these")
    parser.add_argument("--from", dest="since", type=_time, metavar="TIME", help="only what was published since then")
    parser.add_argument("--compare", action="store_true", help="with the live store; exit 1 where they differ")
    parser.add_argument("--resume", action="store_true", help="the shadow store may hold rows: of a replay before")


def _url(text: str) -> str:
    try:
        known = make_url(text).get_backend_name() in ("sqlite", "postgresql")
    except ArgumentError:
        known = False
    if not known:
        raise argparse.ArgumentTypeError("no URL of SQLite or PostgreSQL")
    return text


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time


def run(arguments: argparse.Namespace) -> int:
    """0 when it is done and nothing differs, 1 when something does, 2 when it cannot be done."""
    try:
        settings, kafka = read_settings()
        if arguments.into == settings.database_url.get_secret_value():
            raise Cannot("--into names the live store")
        held = hold(arguments.into)
        try:
            return asyncio.run(_run(arguments, settings, kafka))
        finally:
            if held is not None:
                held.close()
    except InvalidSettings as error:
        print(error.told("The replay"), file=sys.stderr)
    except CANNOT as error:
        print(f"The replay cannot go on: {type(error).__name__}: {error}", file=sys.stderr)
    return 2


async def _run(arguments: argparse.Namespace, settings: Settings, kafka: Kafka) -> int:
    begun = stamp(datetime.now(UTC))
    names = arguments.topics or [topic.name for topic in EVENT_TOPICS]
    async with open_pages(arguments.into) as shadow:
        if not arguments.resume and not await shadow.is_empty():
            raise Cannot("the shadow store holds rows; take an empty one, or --resume with what a replay left there")
        rebuilt = Rebuilt(shadow.store, settings.deadlines())
        beginnings = await rebuild(kafka, [kafka.topic(name) for name in names], arguments.since, rebuilt)
        print("events: " + (", ".join(f"{n:,} {what}" for what, n in sorted(rebuilt.counts.items())) or "none"))
        if not arguments.compare:
            return 0
        async with open_pages(settings.database_url.get_secret_value(), as_it_is=True) as live:
            report = await compare(live, shadow, begun, beginnings)
    print(report.told())
    return 1 if report.wrong else 0
