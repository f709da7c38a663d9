"""Three brains on Apache Kafka and PostgreSQL under everything that can happen to them, against the oracle's truth.

Generated histories, a fifth of them doubled, all shuffled, and one record in a hundred that nobody can read, while
workers are killed -9 and frozen, the broker restarts and the database crashes.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from pydantic import ValidationError

from deploy.topics import create, declared
from ingest.contract.codec import encode
from ingest.contract.identity import event_id
from ingest.contract.topics import DEAD_LETTERS, EVENT_TOPICS
from processors.app import GROUP
from processors.contract.actions import ACTIONS as ACTION
from processors.contract.actions import depth
from processors.contract.changes import Change
from processors.contract.codec import decode_action, decode_change
from processors.contract.topics import ACTIONS, CHANGES
from processors.domain.deciding import action_id
from processors.domain.facts import Resource
from processors.domain.fold import change
from processors.store.opening import open_store
from processors.stream.batch import Consumed
from processors.stream.producer import BrokerUnavailable, KafkaProducer, Outgoing
from tests.chaos.node import Node
from tests.chaos.workers import SESSION_TIMEOUT, Database, Worker, brain_worker
from tests.conftest import until
from tests.histories.generator import LIVES, delivered, lived
from tests.histories.judgement import fired, rules_of
from tests.histories.oracle import Truth, truths
from tests.histories.voice import ACCOUNT
from tests.pipeline.agreement import agrees

pytestmark = pytest.mark.chaos

RULES = Path(__file__).parents[1] / "histories" / "rules.yaml"
WORKERS, AT_ONCE, LIVE = 3, 500, 2000
NEVER, WHENEVER = str(366 * 86400), "2026-01-01T00:00:00.000000Z"

MADE_BY = {"participant": "participant_label", "conference": ""}
"""Where the id of the action that made a resource stands, if not in its correlation."""

UNREADABLE: Sequence[tuple[bytes, tuple[tuple[str, bytes], ...]]] = (
    (b"{", (("ce_type", b"message.updated"),)),
    (b'{"type": "message.updated"}', (("ce_type", b"message.updated"), ("ce_id", b"\xff"))),
    (b"", ()),
    (b"[1, 2]", (("ce_type", b"call.teleported"),)),
)


@dataclass
class Told:
    """What was sent, as it must end: every resource's truth, and every bad record by its key."""

    chance: random.Random
    wanted: int
    truths: dict[str, Truth] = field(default_factory=dict)
    bad: set[bytes] = field(default_factory=set)
    events: int = 0

    def records(self) -> Iterator[Outgoing]:
        """Histories without end until there are enough, many lives at a time, each shuffled in itself."""
        waiting: list[Outgoing] = []
        kinds, tokens = itertools.cycle(LIVES), itertools.count()
        while self.events < self.wanted:
            said = [
                each._replace(event=each.event.model_copy(update={"id": event_id(each.event, str(next(tokens)))}))
                for each in lived(next(kinds), self.chance).said
            ]
            arriving = delivered(said, self.chance)
            self.truths.update(truths(arriving))
            self.events += len(arriving)
            for envelope in arriving:
                encoded = encode(envelope)
                waiting.append(Outgoing(encoded.topic.called("comms"), encoded.key, encoded.value, encoded.headers))
                if self.chance.random() < 0.01:
                    waiting.append(self._unreadable())
            while len(waiting) > LIVE:
                yield self._any(waiting)
        while waiting:
            yield self._any(waiting)

    def _any(self, waiting: list[Outgoing]) -> Outgoing:
        at = self.chance.randrange(len(waiting))
        waiting[at], waiting[-1] = waiting[-1], waiting[at]
        return waiting.pop()

    def _unreadable(self) -> Outgoing:
        key = f"bad-{len(self.bad)}".encode()
        self.bad.add(key)
        value, headers = self.chance.choice(UNREADABLE)
        return Outgoing(self.chance.choice(EVENT_TOPICS).called("comms"), key, value, headers)


@dataclass
class Place:
    """Broker, database and brains, and what happens to them."""

    node: Node
    database: Database
    brains: Sequence[Worker]
    chance: random.Random
    happened: Counter[str] = field(default_factory=Counter)

    async def kill(self) -> None:
        brain = self.chance.choice([each for each in self.brains if each.is_running])
        await brain.kill()
        await asyncio.sleep(self.chance.uniform(0.0, 2.0))
        await brain.start()
        self.happened["killed -9"] += 1

    async def freeze(self) -> None:
        """For longer than its session, so that others have its partitions when it goes on where it was."""
        brain = self.chance.choice([each for each in self.brains if each.is_running])
        await brain.freeze()
        await asyncio.sleep(SESSION_TIMEOUT + self.chance.uniform(2.0, 5.0))
        brain.thaw()
        self.happened["frozen"] += 1

    async def crash_database(self) -> None:
        await self.database.crash()
        await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        await self.database.start()
        self.happened["database crashed"] += 1

    async def restart_broker(self) -> None:
        await self.node.stop()
        await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        await self.node.start()
        self.happened["broker restarted"] += 1

    async def tend(self) -> None:
        """What an orchestrator does: a worker that ended by itself is started again, and that is counted."""
        while True:
            await asyncio.sleep(1)
            for brain in self.brains:
                if not brain.is_running and not brain.is_wanted_dead:
                    self.happened["ended by itself"] += 1
                    await brain.start()


@pytest.fixture
async def place(tmp_path: Path, seed: int) -> AsyncIterator[Place]:
    node, database = Node(tmp_path / "kafka"), Database()
    await asyncio.gather(node.start(), database.start())
    admin = KafkaAdminClient(bootstrap_servers=node.kafka.bootstrap_servers)
    create(admin, "comms", declared("one-node"))
    admin.close()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"rules": at_once()}))
    settings = {
        "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": node.kafka.bootstrap_servers,
        "SWITCHHOOK_KAFKA_SESSION_TIMEOUT": str(SESSION_TIMEOUT),
        "SWITCHHOOK_KAFKA_REBALANCE_TIMEOUT": "10",
        "SWITCHHOOK_PROCESSORS_DATABASE_URL": database.server.url(),
        "SWITCHHOOK_PROCESSORS_RULES_FILE": str(tmp_path / "rules.yaml"),
        "SWITCHHOOK_PROCESSORS_HASH_KEY": "0123456789abcdef",
        **{f"SWITCHHOOK_PROCESSORS_{kind.upper()}_OVERDUE": NEVER for kind in LIVES},
    }
    brains = [brain_worker(f"brain-{number}", tmp_path, settings) for number in range(WORKERS)]
    try:
        for brain in brains:
            await brain.start()
        yield Place(node, database, brains, random.Random(f"faults-{seed}"))
    finally:
        await asyncio.gather(*(brain.stop() for brain in brains))
        await node.stop()
        await database.stop()


def at_once() -> Sequence[Mapping[str, object]]:
    """Rules whose actions depend on nothing but the facts; when one that settles is judged is another test's."""
    rules: Sequence[Mapping[str, object]] = yaml.safe_load(RULES.read_text())["rules"]
    return [rule for rule in rules if "settle" not in rule]


async def test_rows_actions_changes_and_dead_letters_are_the_truth_whatever_happens(
    place: Place, seed: int, full: bool
) -> None:
    began = time.monotonic()
    told = Told(random.Random(seed), 1_000_000 if full else 50_000)
    tending = asyncio.create_task(place.tend())
    publishing = asyncio.create_task(publish(place.node, told, rate=10_000 if full else 2_000))
    faults = [
        place.kill,
        place.freeze,
        place.crash_database,
        place.kill,
        place.restart_broker,
        place.freeze,
        place.kill,
    ]
    for fault in [*faults, *([place.kill] * 7 if full else [])]:
        await asyncio.sleep(place.chance.uniform(0.5, 3.0))
        await fault()
    await publishing
    async with asyncio.timeout(900 if full else 90):
        await until(lambda: is_done(place.node), 900)
    tending.cancel()
    found = await read(place.node)
    print(
        f"\nseed {seed}, {time.monotonic() - began:.0f} s: {told.events} events of {len(told.truths)} resources, "
        f"{len(told.bad)} unreadable; {dict(place.happened)}; {found.changes} changes, "
        f"{found.asked} actions asked for, {len(found.actions)} distinct"
    )
    await rows_are_true(place.database, told, found)
    expected = expected_actions(told)
    assert found.actions == expected, (
        f"{len(expected - found.actions)} missing, {len(found.actions - expected)} strange"
    )
    assert found.dead == told.bad


async def publish(node: Node, told: Told, rate: float) -> None:
    """At that many a second, whatever happens; what the broker did not take is sent again."""
    began, sent, records = time.monotonic(), 0, told.records()
    producer = KafkaProducer(node.kafka)
    try:
        while some := list(itertools.islice(records, AT_ONCE)):
            while True:
                try:
                    await producer.publish(some)
                    break
                except BrokerUnavailable:
                    await asyncio.sleep(0.5)
            sent += len(some)
            await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()))
    finally:
        await producer.stop()


async def is_done(node: Node) -> bool:
    """Every event has been handled and committed."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=node.kafka.bootstrap_servers, group_id=GROUP, enable_auto_commit=False
    )
    await consumer.start()
    try:
        # As declared: a client that reads nothing does not know how many partitions there are.
        counts = {topic.name: topic.partitions for topic in declared("one-node")}
        places = [TopicPartition(t.called("comms"), p) for t in EVENT_TOPICS for p in range(counts[t.name])]
        ends = await consumer.end_offsets(places)
        return all([(await consumer.committed(each) or 0) == ends[each] for each in places])
    finally:
        await consumer.stop()


@dataclass
class Found:
    """What the topics hold: of each key the change of the highest version, action ids, keys of dead letters."""

    latest: dict[str, Change] = field(default_factory=dict)
    actions: set[str] = field(default_factory=set)
    dead: set[bytes] = field(default_factory=set)
    changes: int = 0
    asked: int = 0

    def hear(self, record: Consumed) -> None:
        if record.topic == CHANGES.called("comms"):
            change_ = decode_change(record.value)
            self.changes += 1
            if change_.key not in self.latest or change_.version >= self.latest[change_.key].version:
                self.latest[change_.key] = change_
        elif record.topic == ACTIONS.called("comms"):
            self.asked += 1
            self.actions.add(decode_action(record.value).id)
        else:
            self.dead.add(record.key or b"")


async def read(node: Node) -> Found:
    topics = [topic.called("comms") for topic in (CHANGES, ACTIONS, DEAD_LETTERS)]
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=node.kafka.bootstrap_servers, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    found = Found()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    found.hear(record)
    finally:
        await consumer.stop()
    return found


async def rows_are_true(database: Database, told: Told, found: Found) -> None:
    """Every row is as the oracle says, no other is there, and the changes end in the rows."""
    store = await open_store(database.server.url())
    try:
        keys = sorted(told.truths)
        for start in range(0, len(keys), 1000):
            some = keys[start : start + 1000]
            rows = await store.read(some)
            assert sorted(rows) == some, "a resource without a row"
            for key, row in rows.items():
                assert isinstance(row, Resource)
                agrees(row, told.truths[key])
                assert public(found.latest[key]) == public(Change.model_validate(change(row, WHENEVER)))
    finally:
        await store.close()
    assert found.latest.keys() == told.truths.keys(), "a row, and so a change, of something that never was"


def public(shown: Change) -> Change:
    """Without what is of one event and not of the row."""
    return shown.model_copy(update={"learned": (), "received": None})


def expected_actions(told: Told) -> set[str]:
    """By the oracle's own judgement of the rules; an effect whose templates give no valid action asks for none."""
    document: dict[str, Any] = {str(rule["name"]): rule for rule in at_once()}
    asked = rules_of(RULES.read_text())
    expected = set[str]()
    for name, key in fired(asked, told.truths.values()):
        rule, truth = document[name], told.truths[key]
        level = depth(str(truth.attributes.get(MADE_BY.get(truth.kind, "correlation"), ""))) + 1
        for effect, wanted in enumerate(rule["then"]):
            if not rule.get("dry_run") and can_be_made(wanted, truth):
                expected.add(action_id(name, key, effect, level))
    return expected


def can_be_made(wanted: Mapping[str, Any], truth: Truth) -> bool:
    """Whether the contract takes it: nobody can be written to or called without a number."""
    values = {**truth.attributes, "key": truth.key, "account_sid": ACCOUNT}
    fields = {name: str(value).format_map(values) for name, value in wanted["with"].items()}
    document = {**fields, "id": "asked", "account_sid": ACCOUNT, "ordering_key": "asked", "type": wanted["action"]}
    try:
        ACTION.validate_python(document)
    except ValidationError:
        return False
    return True
