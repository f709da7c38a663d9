"""Redriving: dead letters go back to the topic, partition and key that they had, once whoever could not read them can.

What was put back is remembered in the offsets of a consumer group of its own: the committed offset is the first letter
that is still to be decided on, and the commit's text names those after it that went back already.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.errors import KafkaError

from ingest.contract import environment
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.times import read_rfc3339
from ingest.contract.topics import DEAD_LETTERS, ERRORS, EVENT_TOPICS
from processors.contract.topics import ACTIONS
from processors.settings import RedriveSettings, Settings
from processors.stream.batch import Consumed
from processors.stream.deadletters import REDRIVEN
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing, Producer

GROUP = "switchhook-redrive"
# Compacted topics are left out: an old record of a key, put back after newer ones, would be the one that stays.
RETURNABLE = (*EVENT_TOPICS, ERRORS, ACTIONS)
# Kafka's `offset.metadata.max.bytes` is 4096.
_TEXT_BYTES = 2500
_CHUNK = 200  # which adds 100 runs to the text at most
_QUIET_SECONDS = 20
_FETCH_SECONDS = 5.0


class Left(StrEnum):
    """Why a dead letter stays where it is."""

    NOT_ASKED_FOR = "not asked for"
    WEBHOOK = "a webhook that the front door could not read"
    OTHER_TOPIC = "of a topic that nothing is put back to"
    TOO_OFTEN = "put back too often already"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to go back. `topic` is without prefix; None stands for any."""

    prefix: str
    topic: str | None = None
    reason: str | None = None
    since: datetime | None = None
    limit: int | None = None
    most_times: int = 3


@dataclass(slots=True)
class Found:
    """What became of the letters: put back by (topic, reason), left by why. `cut_off` says why it ended early."""

    back: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: Counter[Left] = field(default_factory=Counter)
    cut_off: str | None = None


@dataclass(slots=True)
class Mark:
    """How far one partition is decided on: all before `offset`, and `beyond` it those that are listed."""

    offset: int
    beyond: set[int] = field(default_factory=set)
    is_open: bool = False  # whether the letter at `offset` was looked at and left

    @classmethod
    def read(cls, offset: int, text: str) -> "Mark":
        """Of a commit; a text that is not ours says nothing."""
        beyond: set[int] = set()
        try:
            for part in filter(None, text.split(",")):
                first, _, last = part.partition("-")
                beyond.update(range(offset + int(first), offset + int(last or first) + 1))
        except ValueError:
            return cls(offset)
        return cls(offset, beyond)

    def text(self) -> str:
        """Distances from the offset, `1-3,7`."""
        runs: list[list[int]] = []
        for number in sorted(n - self.offset for n in self.beyond):
            if runs and number == runs[-1][1] + 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)

    def has(self, offset: int) -> bool:
        return offset < self.offset or offset in self.beyond

    def pass_by(self, offset: int, *, is_decided: bool) -> None:
        """To be told of every letter, in order. Offsets may have gaps, so the mark follows the letters."""
        if not is_decided:
            self.is_open = True
        elif self.is_open:
            self.beyond.add(offset)
        else:
            self.offset = offset + 1
            self.beyond.discard(offset)


def put_back(letter: Consumed, wanted: Wanted) -> Outgoing | Left:
    """The record as it was, or why it is left. Pure."""
    said = {name: value.decode("utf-8", "replace") for name, value in letter.headers}
    if said.get("dl_stage") == "ingest" or "dl_topic" not in said:
        return Left.WEBHOOK
    if said["dl_topic"] not in {topic.called(wanted.prefix) for topic in RETURNABLE}:
        return Left.OTHER_TOPIC
    times = int(said[REDRIVEN]) if said.get(REDRIVEN, "").isdecimal() else 0
    if times >= wanted.most_times:
        return Left.TOO_OFTEN
    if not _is_asked_for(said, letter, wanted):
        return Left.NOT_ASKED_FOR
    own = tuple((name, value) for name, value in letter.headers if not name.startswith("dl_"))
    return Outgoing(said["dl_topic"], letter.key, letter.value, (*own, (REDRIVEN, str(times + 1).encode())))


def _is_asked_for(said: dict[str, str], letter: Consumed, wanted: Wanted) -> bool:
    if wanted.topic is not None and said["dl_topic"] != f"{wanted.prefix}.{wanted.topic}":
        return False
    if wanted.reason is not None and said.get("dl_reason") != wanted.reason:
        return False
    return wanted.since is None or letter.timestamp / 1000 >= wanted.since.timestamp()


async def redrive(consumer: AIOKafkaConsumer, producer: Producer, wanted: Wanted, *, dry_run: bool = False) -> Found:
    """Puts back what is wanted of the letters that were there when it began. `consumer` is of the group, and commits
    nothing by itself. A dry run counts only. Raises BrokerUnavailable and KafkaError: what was put back by then may go
    back again, with the same ids."""
    topic = DEAD_LETTERS.called(wanted.prefix)
    places = [TopicPartition(topic, n) for n in sorted(await _partitions(consumer, topic))]
    consumer.assign(places)
    begins = await consumer.beginning_offsets(places)
    marks = {place: await _marked(consumer, place, begins[place]) for place in places}
    ends = await _ends(consumer, marks)
    found = Found()
    for place, mark in marks.items():
        if found.cut_off is None:
            await _Part(consumer, producer, wanted, found, place, mark, ends[place], dry_run).run()
    return found


async def _ends(consumer: AIOKafkaConsumer, marks: Mapping[TopicPartition, Mark]) -> Mapping[TopicPartition, int]:
    """The offsets after the last letters. The embedded broker only tells the truth of that with what it is asked for,
    so the first fetch is waited for."""
    for place, mark in marks.items():
        consumer.seek(place, mark.offset)
    ends: Mapping[TopicPartition, int] = await consumer.end_offsets(list(marks))
    with suppress(TimeoutError):
        async with asyncio.timeout(_FETCH_SECONDS):
            while any(consumer.highwater(place) is None for place in marks):  # noqa: ASYNC110  # which nobody tells
                await asyncio.sleep(0.01)
    return {place: max(end, consumer.highwater(place) or 0) for place, end in ends.items()}


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    known = await consumer._client.fetch_all_metadata()
    return set(known.partitions_for_topic(topic) or ())


async def _marked(consumer: AIOKafkaConsumer, place: TopicPartition, begin: int) -> Mark:
    coordinator: Any = consumer._coordinator  # what `committed` asks, with the text, which it leaves out
    committed = (await coordinator.fetch_committed_offsets([place])).get(place)
    if committed is None or committed.offset < 0:
        return Mark(begin)
    mark = Mark.read(committed.offset, committed.metadata or "")
    return Mark(max(begin, mark.offset), {n for n in mark.beyond if n >= begin})


@dataclass(slots=True)
class _Part:
    """One partition of the dead letters, up to the end that it had."""

    consumer: AIOKafkaConsumer
    producer: Producer
    wanted: Wanted
    found: Found
    place: TopicPartition
    mark: Mark
    end: int
    dry_run: bool

    async def run(self) -> None:
        position, quiet = self.mark.offset, 0
        while position < self.end and self.found.cut_off is None:
            fetched = await self.consumer.getmany(self.place, timeout_ms=1000, max_records=_CHUNK)
            letters = [one for some in fetched.values() for one in some if one.offset < self.end]
            await self._chunk(letters)
            before, position = position, await self.consumer.position(self.place)
            quiet = 0 if position > before else quiet + 1
            if quiet == _QUIET_SECONDS:
                raise BrokerUnavailable(f"nothing can be read of {self.place.topic}/{self.place.partition}")

    async def _chunk(self, letters: Sequence[Consumed]) -> None:
        outgoing: list[Outgoing] = []
        decided: list[tuple[int, bool]] = []
        for letter in letters:
            verdict = None if self.mark.has(letter.offset) else put_back(letter, self.wanted)
            if isinstance(verdict, Outgoing):
                if self.wanted.limit is not None and self.found.back.total() >= self.wanted.limit:
                    self.found.cut_off = "the limit is reached"
                    break
                outgoing.append(verdict)
                self.found.back[verdict.topic, _reason(letter)] += 1
            elif verdict is not None:
                self.found.left[verdict] += 1
            decided.append((letter.offset, verdict is not Left.NOT_ASKED_FOR))
        if not self.dry_run:
            await self.producer.publish(outgoing)
            await self._remember(decided)

    async def _remember(self, decided: Sequence[tuple[int, bool]]) -> None:
        for offset, is_decided in decided:
            self.mark.pass_by(offset, is_decided=is_decided)
        text = self.mark.text()
        await self.consumer.commit({self.place: OffsetAndMetadata(self.mark.offset, text)})
        if len(text) > _TEXT_BYTES:
            self.found.cut_off = "too many were left in between to remember more; ask for less, or for those first"


def _reason(letter: Consumed) -> str:
    return next((value.decode("utf-8", "replace") for name, value in letter.headers if name == "dl_reason"), "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--topic", choices=[topic.name for topic in RETURNABLE], help="only what was in this topic")
    parser.add_argument("--reason", help="only what has this dl_reason")
    parser.add_argument("--since", type=_time, help="only what was dead-lettered since then, 2026-01-31T12:00:00Z")
    parser.add_argument("--limit", type=_positive, help="so many at most")
    parser.add_argument("--dry-run", action="store_true", help="count, and put nothing back")


def _time(text: str) -> datetime:
    try:
        return read_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"no time with a zone: {text}") from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """0 when all that was asked for went back, 1 when the broker did not take it, 2 with wrong settings."""
    mistakes: list[str] = []
    settings = environment.read(RedriveSettings, mistakes, siblings=[Settings])
    kafka = environment.read(Kafka, mistakes)
    if settings is None or kafka is None or mistakes:
        print(InvalidSettings(mistakes).told("Redriving"), file=sys.stderr)
        return 2
    wanted = Wanted(kafka.topic_prefix, args.topic, args.reason, args.since, args.limit, settings.redrive_limit)
    try:
        found = asyncio.run(_run(kafka, wanted, dry_run=args.dry_run))
    except (KafkaError, BrokerUnavailable, OSError) as error:
        print(f"Redriving broke off, what went back so far may go back again: {error}", file=sys.stderr)
        return 1
    print("\n".join(told(found, dry_run=args.dry_run)))
    return 0


async def _run(kafka: Kafka, wanted: Wanted, *, dry_run: bool) -> Found:
    async with connected(kafka) as (consumer, producer):
        return await redrive(consumer, producer, wanted, dry_run=dry_run)


@asynccontextmanager
async def connected(kafka: Kafka) -> AsyncIterator[tuple[AIOKafkaConsumer, KafkaProducer]]:
    """The clients that `redrive` needs. Raises KafkaError and BrokerUnavailable when nobody answers."""
    consumer = AIOKafkaConsumer(group_id=GROUP, enable_auto_commit=False, **kafka.aiokafka_options())
    producer = KafkaProducer(kafka)
    try:
        await consumer.start()
        await producer.start()
        yield consumer, producer
    finally:
        await producer.stop()
        await consumer.stop()


def told(found: Found, *, dry_run: bool) -> Sequence[str]:
    """The counts, a line each."""
    verb = "would go back" if dry_run else "put back"
    lines = [f"{count:>8} {verb} to {topic}: {reason}" for (topic, reason), count in sorted(found.back.items())]
    lines += [f"{count:>8} left: {why}" for why, count in sorted(found.left.items())]
    lines += [f"ended early: {found.cut_off}"] if found.cut_off else []
    return lines or ["there are no dead letters to decide on"]
