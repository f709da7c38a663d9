"""The world in one thread: a provider, its wire, topics, brain and hands, joined from real cores and in-memory twins.

Time is virtual and chance is seeded. Any effect on the outside (a record, a row, a request, a ledger entry) may be the
last one before a crash; what was kept stays, what was in memory is gone.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from ingest.contract import events as e
from ingest.contract.codec import Envelope, encode
from ingest.contract.identity import event_id
from ingest.contract.topics import EVENT_TOPICS
from processors.advance import Advance
from processors.contract.actions import Action, CreateMessage, FetchRecording
from processors.domain.facts import Resource
from processors.domain.rules import Rules
from processors.metrics import create_metrics
from processors.store.port import MemoryStore
from processors.stream.batch import Batch, Handler, Record
from processors.stream.producer import Outgoing
from sinks.ledger.performing import outgoing, settle
from sinks.ledger.port import Entry, MemoryLedger, State
from sinks.ledger.recording import Recorder, Sightings
from sinks.metrics import create_metrics as create_sink_metrics
from sinks.twilio.replies import Done, Lost, NotYet, Reply

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
OURS, THEIRS = "+15550001111", "+15552223333"
LEASE = 60.0
Step = Callable[[], Awaitable[None]]


class Crash(Exception):
    """The process ends here; what was done before stays done."""


@dataclass
class Fuse:
    """After so many effects, the process dies. None: it lives."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Topics:
    """Every topic has one partition; a group's offset moves only when its handler has returned."""

    fuse: Fuse
    records: dict[str, list[Record]] = field(default_factory=dict)
    offsets: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            self.fuse.burn()
            log = self.records.setdefault(record.topic, [])
            log.append(Record(record.topic, 0, len(log), 0, record.key, record.value, record.headers))

    def behind(self, group: str, topic: str) -> int:
        return len(self.records.get(topic, ())) - self.offsets[group, topic]

    async def hand(self, group: str, topic: str, size: int, handler: Handler) -> None:
        at = self.offsets[group, topic]
        some = self.records[topic][at : at + size]
        await handler(Batch(topic, 0, some))
        self.offsets[group, topic] = at + len(some)


@dataclass
class Rows:
    """The state store, which may die before or after a write."""

    fuse: Fuse
    rows: MemoryStore = field(default_factory=MemoryStore)

    async def read(self, keys: Sequence[str]) -> Mapping[str, Resource]:
        return await self.rows.read(keys)

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        self.fuse.burn()
        await self.rows.write(rows, expected)
        self.fuse.burn()


@dataclass
class Provider:
    """The truth. What it says goes on the wire, where it is doubled and shuffled."""

    chance: random.Random
    clock: Clock
    lose: float
    statuses: dict[str, str] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    wire: list[Envelope] = field(default_factory=list)
    made: dict[str, e.MessageObserved] = field(default_factory=dict)
    ours: frozenset[str] = frozenset()  # numbers whose inbound messages come to us as well
    said: int = 0

    def sid(self, prefix: str) -> str:
        return f"{prefix}{self.chance.getrandbits(128):032x}"

    def say(self, event: e.Event, correlation: str | None = None) -> None:
        self.said += 1
        event = event.model_copy(update={"id": event_id(event, str(self.said))})
        envelope = Envelope(event, "test", self.clock(), correlation=correlation)
        self.wire.append(envelope)
        if self.chance.random() < 0.3:
            self.wire.append(envelope)

    def message(self, correlation: str | None, to: str = THEIRS) -> str:
        """A message is made: what an answer would show is kept, its callbacks go on the wire."""
        key = self.sid("SM")
        addresses = {"from": OURS, "to": to}
        self.made[key] = e.MessageObserved(
            account_sid=ACCOUNT, message_sid=key, status="queued", body="hello", direction="outbound-api", **addresses
        )
        end = self.chance.choice(["delivered", "undelivered", "failed", "sent"])
        for name in [*([] if end == "failed" else ["sent"]), *([] if end == "sent" else [end])]:
            code = 30005 if name in ("undelivered", "failed") else None
            self.say(e.MessageUpdated(account_sid=ACCOUNT, message_sid=key, status=name, error_code=code), correlation)
        self.statuses[key] = end
        return key

    def receive(self, sender: str, to: str, body: str) -> None:
        """Somebody writes to one of our numbers."""
        key, addresses = self.sid("SM"), {"from": sender, "to": to}
        self.statuses[key] = "received"
        self.say(e.MessageReceived(account_sid=ACCOUNT, message_sid=key, body=body, direction="inbound", **addresses))

    def perform(self, action: Action) -> Reply:
        if self.chance.random() < 0.1:
            return NotYet("rate_limited", 429, 20429)
        body: dict[str, object] = {}
        if isinstance(action, CreateMessage):
            self.effects[action.id] += 1
            key = self.message(action.id, action.to)
            if action.to in self.ours:
                self.receive(action.from_ or OURS, action.to, action.body or "")
            body = self.shown(key)
        elif isinstance(action, FetchRecording):
            body = {"sid": action.recording_sid, "account_sid": ACCOUNT, "status": "completed"}
        return Lost("timeout") if self.chance.random() < self.lose else Done(201, body)

    def shown(self, key: str) -> dict[str, object]:
        return {"sid": key, **self.made[key].model_dump(by_alias=True, exclude_none=True, exclude={"message_sid"})}

    def look_up(self, sid: str) -> Reply:
        if self.chance.random() < self.lose:
            return Lost("timeout")
        return Done(200, self.shown(sid))


class World:
    def __init__(self, seed: int, rules: Rules, *, cap: int = 100) -> None:
        self.cap = cap
        self.chance = random.Random(seed)
        self.clock, self.fuse = Clock(), Fuse()
        self.topics, self.rows, self.ledger = Topics(self.fuse), Rows(self.fuse), MemoryLedger()
        self.provider = Provider(self.chance, self.clock, lose=self.chance.choice([0.0, 0.2, 0.5]))
        self.crashes = 0
        self.answers: list[tuple[Entry, Reply]] = []  # in memory only: a crash loses them
        metrics = create_sink_metrics(CollectorRegistry())
        advance = Advance(
            self.rows, self.topics, rules, create_metrics(CollectorRegistry()), "comms", b"0123456789abcdef", self.clock
        )
        sightings = Sightings(self.ledger, metrics, self.clock, lambda: None)
        events = [topic.called("comms") for topic in EVENT_TOPICS]
        self.consumers: Mapping[tuple[str, str], Handler] = {
            **{("brain", topic): advance for topic in events},
            **{("hands", topic): sightings for topic in events},
            ("hands", "comms.actions"): Recorder(self.ledger, self.topics, metrics, "comms", self.clock, lambda: None),
        }

    async def run(self) -> None:
        """Until nothing is left to do; crashes happen on the way, and end."""
        steps: Sequence[Callable[[], Awaitable[None]]] = (
            self.deliver,
            self.consume,
            self.act,
            self.answer,
            self.publish,
        )
        for step in range(100_000):
            if step % 40 == 0:
                self.fuse.left = self.chance.randint(0, 30) if self.crashes < 6 else None
            if self.is_quiet():
                return
            self.clock.on(self.chance.choice([0.1, 1.0, 5.0]))
            try:
                await self.chance.choice(steps)()
            except Crash:
                self.crashes += 1
                self.answers.clear()
        raise AssertionError("the world never came to rest")

    def is_quiet(self) -> bool:
        entries = self.ledger.entries.values()
        return not (
            self.provider.wire
            or self.answers
            or any(self.topics.behind(group, topic) for group, topic in self.consumers)
            or any(entry.state in (State.WAITING, State.RUNNING) or not entry.published for entry in entries)
        )

    async def deliver(self) -> None:
        """A callback arrives, whichever; one that is not acknowledged stays on the wire."""
        if not self.provider.wire:
            return
        at = self.chance.randrange(len(self.provider.wire))
        encoded = encode(self.provider.wire[at])
        await self.topics.publish(
            [Outgoing(encoded.topic.called("comms"), encoded.key, encoded.value, encoded.headers)]
        )
        del self.provider.wire[at]

    async def consume(self) -> None:
        waiting = [each for each in self.consumers if self.topics.behind(*each)]
        if waiting:
            group, topic = self.chance.choice(waiting)
            await self.topics.hand(group, topic, self.chance.randint(1, 20), self.consumers[group, topic])

    async def act(self) -> None:
        """Claim, then ask; the process may die before the request, or before its answer is written down."""
        now = self.clock.seconds()
        await self.ledger.expire(now)
        for entry in await self.ledger.claim(self.chance.randint(1, 5), now, LEASE, self.cap):
            self.fuse.burn()
            reply = (
                self.provider.look_up(str(entry.resource_sid))
                if entry.is_lookup
                else self.provider.perform(entry.action)
            )
            self.answers.append((entry, reply))
            self.fuse.burn()

    async def answer(self) -> None:
        if self.answers:
            entry, reply = self.answers.pop(self.chance.randrange(len(self.answers)))
            await self.ledger.settle([settle(entry, reply, self.clock.seconds() + 1)], self.clock.seconds())
            self.fuse.burn()

    async def publish(self) -> None:
        entries = await self.ledger.unpublished(10)
        await self.topics.publish([record for entry in entries for record in outgoing(entry, "comms")])
        await self.ledger.published(entries)
