"""Watching: what every topic holds, read as a subscriber would, without a consumer group."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import ConsumerRecord

from ingest.contract import codec as events
from ingest.contract.kafka import Kafka
from ingest.contract.topics import DEAD_LETTERS, EVENT_TOPICS
from processors.contract.actions import Action
from processors.contract.changes import Change
from processors.contract.codec import decode_action, decode_change
from processors.contract.topics import ACTIONS, CHANGES
from sinks.contract.codec import decode_result
from sinks.contract.results import Result
from sinks.contract.topics import RESULTS

WATCHED = (*EVENT_TOPICS, CHANGES, ACTIONS, RESULTS, DEAD_LETTERS)


@dataclass(slots=True)
class Seen:
    """What the topics hold. Records come at least once, so everything is kept by its id."""

    webhooks: dict[str, set[str]] = field(default_factory=dict)  # by route: ids
    records: Counter[str] = field(default_factory=Counter)
    changes: dict[str, Change] = field(default_factory=dict)
    asked: dict[str, Action] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    ended_by: dict[str, set[str]] = field(default_factory=dict)

    def open(self) -> Sequence[str]:
        """Actions of which no result is known."""
        return [action_id for action_id in self.asked if action_id not in self.results]


class Watcher:
    """Reads on in the background. `fresh` has the changes that nobody has taken yet."""

    def __init__(self, kafka: Kafka) -> None:
        self.seen = Seen()
        self.fresh: asyncio.Queue[Change] = asyncio.Queue()
        self._kafka = kafka
        self._consumer = AIOKafkaConsumer(
            auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=100, **kafka.aiokafka_options()
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._consumer.start()
        partitions = []
        for topic in WATCHED:
            name = topic.called(self._kafka.topic_prefix)
            numbers = self._consumer.partitions_for_topic(name) or await self._partitions(name)
            partitions += [TopicPartition(name, number) for number in sorted(numbers)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)
        self._task = asyncio.create_task(self._read(), name="watcher")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def behind(self) -> int:
        """Records that this watcher has not read yet."""
        partitions = list(self._consumer.assignment())
        ends = await self._consumer.end_offsets(partitions)
        return sum([max(0, end - await self._consumer.position(partition)) for partition, end in ends.items()])

    async def lag(self, group: str, names: Sequence[str]) -> int:
        """Records of these topics that a consumer group has not committed."""
        partitions = [partition for partition in self._consumer.assignment() if partition.topic in names]
        admin = AIOKafkaAdminClient(**self._kafka.aiokafka_options())
        await admin.start()
        try:
            # By name: the embedded broker hangs up on a question about all partitions.
            committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
        finally:
            await admin.close()
        ends = await self._consumer.end_offsets(partitions)
        return sum(max(0, end - _offset(committed.get(partition))) for partition, end in ends.items())

    async def _partitions(self, topic: str) -> set[int]:
        await self._consumer._client.force_metadata_update()  # not subscribed yet, so nobody asked for it
        return set(self._consumer.partitions_for_topic(topic) or ())

    async def _read(self) -> None:
        prefix = self._kafka.topic_prefix
        async for record in self._consumer:
            self._take(record.topic.removeprefix(f"{prefix}."), record)

    def _take(self, topic: str, record: ConsumerRecord[bytes, bytes]) -> None:
        seen, value = self.seen, record.value
        seen.records[topic] += 1
        if topic == CHANGES.name:
            change = decode_change(value)
            known = seen.changes.get(change.key)
            if known is None or change.version > known.version:
                seen.changes[change.key] = change
                self.fresh.put_nowait(change)
        elif topic == ACTIONS.name:
            action = decode_action(value)
            seen.asked.setdefault(action.id, action)
        elif topic == RESULTS.name:
            result = decode_result(value)
            seen.results[result.action_id] = result
            seen.ended_by.setdefault(result.action_id, set()).add(result.outcome)
        elif topic != DEAD_LETTERS.name:
            envelope = events.decode(record.headers, value)
            route = envelope.source.rpartition("/")[2]
            if route != "rest":
                seen.webhooks.setdefault(route, set()).add(envelope.event.id)


def _offset(found: object) -> int:
    return max(0, int(getattr(found, "offset", 0)))
