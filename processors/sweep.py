"""The sweep: rows whose time has come are claimed and looked at, time windows are listed, what is old is taken away.

It runs beside the consumer in every worker. As for batches: what follows is published and awaited, then the rows are
written on condition of their versions; a crash in between asks again for the same actions under the same ids.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, get_args

import structlog
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Counter, Gauge

from ingest.contract.kafka import Kafka, place
from processors.advance import outgoing_change, tell
from processors.contract.actions import Action
from processors.contract.changes import Kind
from processors.contract.codec import encode_action
from processors.contract.topics import ACTIONS, CHANGES
from processors.domain.due import Deadlines, due, later
from processors.domain.facts import Resource
from processors.domain.fold import change
from processors.domain.rulebook import Rulebook
from processors.domain.stamps import Stamp, instant, stamp
from processors.domain.sweeping import (
    LISTS,
    Outcome,
    Swept,
    Tokens,
    Verdict,
    Window,
    Windows,
    conference_of,
    listings,
    swept,
    windows,
)
from processors.metrics import Metrics
from processors.store.port import Conflict, Store, StoreUnavailable
from processors.stream.producer import BrokerUnavailable, Outgoing, Producer

log = structlog.get_logger("processors")

RETRYABLE = (StoreUnavailable, BrokerUnavailable, KafkaError)

EXPIRED_AT_A_TIME = 1000

CATALOGUE: Sequence[tuple[str, str, Sequence[str], str]] = (
    ("switchhook_processors_swept_total", "counter", ("kind", "outcome"), "resources without an end in time"),
    ("switchhook_processors_listed_total", "counter", ("kind",), "time windows asked to be listed"),
    ("switchhook_processors_judged_total", "counter", ("rule", "verdict"), "rules that settle, by what came of it"),
    ("switchhook_processors_put_off_total", "counter", (), "lookups put off by the sweep's rate"),
    ("switchhook_processors_expired_total", "counter", (), "rows taken away because they are old"),
    ("switchhook_processors_sweep_retries_total", "counter", (), "sweeps tried again after store or broker failed"),
    ("switchhook_processors_overdue_seconds", "gauge", (), "how late the longest due row was looked at; 0 without one"),
)


class SweepMetrics:
    """Made on the registry that is passed in; the fields are named after the catalogue's rows."""

    swept: Counter
    listed: Counter
    judged: Counter
    put_off: Counter
    expired: Counter
    retries: Counter
    overdue: Gauge

    def __init__(self, registry: CollectorRegistry) -> None:
        kinds = {"counter": Counter, "gauge": Gauge}
        made = [
            kinds[kind](name.removesuffix("_total"), told, by, registry=registry) for name, kind, by, told in CATALOGUE
        ]
        self.swept, self.listed, self.judged, self.put_off, self.expired, self.retries, self.overdue = made
        for resource in get_args(Kind):  # a rate over a series that does not exist yet misses its first event
            for outcome in Outcome:
                self.swept.labels(resource, outcome)
        for listed in LISTS:
            self.listed.labels(listed)


class Plan(NamedTuple):
    """Times in seconds. `accounts` are those whose time windows are listed; `rate` is of lookups and lists a second.

    `retention` is how long a row stays that learns nothing (0: for ever); `remembered` how long its key does after
    that, which is to be longer than the events' own retention, or old events bring it back.
    """

    accounts: Sequence[str]
    windows: Windows
    rate: float = 20.0
    lease: float = 60.0
    poll: float = 1.0
    at_once: int = 500
    retention: float = 400 * 86_400.0
    remembered: float = 100 * 86_400.0
    tidy: float = 3600.0
    retry_first: float = 0.2
    retry_most: float = 10.0


@dataclass(slots=True)
class Sweep:
    """`partitions` tells how many the changes topic has: a change goes where the events of its resource are.

    With `dry_run` no rule asks for anything; lookups go out all the same.
    """

    store: Store
    producer: Producer
    rules: Rulebook
    deadlines: Deadlines
    plan: Plan
    metrics: Metrics
    own: SweepMetrics
    prefix: str
    hash_key: bytes
    clock: Callable[[], datetime]
    partitions: Callable[[], Awaitable[int]]
    dry_run: bool = False
    _tokens: Tokens | None = None
    _held: Sequence[Resource] = ()
    _listed: dict[tuple[str, Kind], int] = field(default_factory=dict)
    _tidied: Stamp = ""
    _partitions: int = 0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`. Store and broker may be away as long as they like; anything else is a fault, and raised."""
        tries = 0
        while not self._stopping.is_set():
            try:
                pause, tries = 0.0 if await self.run_once() else self.plan.poll, 0
            except RETRYABLE as error:
                self.own.retries.inc()
                log.warning("sweep will be tried again", error=str(error)[:200])
                pause = min(self.plan.retry_first * 2.0 ** min(tries, 30), self.plan.retry_most)
                pause, tries = pause * random.uniform(0.5, 1.0), tries + 1  # noqa: S311  # jitter, not a secret
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def run_once(self) -> bool:
        """Looks at what is due and lists what can be listed; whether there is more that need not wait."""
        time = self.clock()
        now = stamp(time)
        self._tokens = (self._tokens or Tokens(self.plan.rate, max(1.0, self.plan.rate), now)).refilled(now)
        await self._list(time)
        more = await self._claimed(now)
        return await self._tidy(now) or more

    # Rows.

    async def _claimed(self, now: Stamp) -> bool:
        if not self._held:  # what failed half-way is still ours, as far as the lease goes
            self._held = await self.store.claim(now, later(now, self.plan.lease), self.plan.at_once)
        self._tell_age(now)
        full = len(self._held) == self.plan.at_once
        put_off = await self._look(self._held, now) if self._held else 0
        self._held = ()
        return full and not put_off

    def _tell_age(self, now: Stamp) -> None:
        times = [time for row in self._held[:1] if (time := due(row, self.rules, self.deadlines)) is not None]
        self.own.overdue.set(max((_seconds(time, now) for time in times), default=0.0))

    async def _look(self, claimed: Sequence[Resource], now: Stamp) -> int:
        """Decide, publish, write. Returns how many lookups the rate puts off: their lease brings them back."""
        known, paid, published = {row.key: row for row in claimed}, set[str](), set[str]()
        while True:
            steps = await self._decided(known, now)
            going = self._within_rate(steps, paid)
            await self._publish(going, published, now)
            published |= {step.row.key for step in going if step.learned}
            rows = sorted((step.row for step in going if step.row != known[step.row.key]), key=lambda row: row.key)
            try:
                if rows:
                    await self.store.write(rows, {row.key: known[row.key].version for row in rows})
                break
            except Conflict:
                # Somebody folded an event in between. What was published of these rows may stand after theirs, so
                # the rows as they are go out once more: the last record of a key is its highest version.
                self.metrics.conflicts.inc()
                found = await self.store.read(sorted(known))
                known = {key: row for key, row in found.items() if isinstance(row, Resource)}
        self._count(going, len(steps) - len(going))
        return len(steps) - len(going)

    async def _decided(self, known: Mapping[str, Resource], now: Stamp) -> Sequence[Swept]:
        sids = sorted({conference_of(row.key) for row in known.values() if row.kind == "participant"})
        conferences = await self.store.read(sids) if sids else {}
        steps = []
        for row in known.values():
            conference = conferences.get(conference_of(row.key))
            there = conference if isinstance(conference, Resource) else None
            steps.append(swept(row, there, now, self.rules, self.deadlines, self.hash_key))
        return steps

    def _within_rate(self, steps: Sequence[Swept], paid: set[str]) -> Sequence[Swept]:
        assert self._tokens is not None
        going = []
        for step in steps:
            if step.lookups and step.row.key not in paid:
                if self._tokens.left < 1 and not step.learned:
                    continue
                self._tokens = self._tokens.less(len(step.lookups))
                paid.add(step.row.key)
            going.append(step)
        return going

    async def _publish(self, steps: Sequence[Swept], published: set[str], now: Stamp) -> None:
        outgoing: list[Outgoing] = []
        for step in steps:
            if step.learned or step.row.key in published:
                outgoing.append(await self._change(step.row, now, step.learned))
            outgoing += self._actions(
                each.action for each in step.decided if each.action is not None and not (each.dry_run or self.dry_run)
            )
            outgoing += self._actions(step.lookups)
        if outgoing:
            await self.producer.publish(outgoing)

    async def _change(self, row: Resource, now: Stamp, learned: Sequence[str]) -> Outgoing:
        if not self._partitions:
            self._partitions = await self.partitions()
        partition = place(conference_of(row.key).encode(), self._partitions)
        return outgoing_change(change(row, now, learned), CHANGES.called(self.prefix), partition)

    def _actions(self, actions: Iterable[Action]) -> Sequence[Outgoing]:
        topic = ACTIONS.called(self.prefix)
        return [Outgoing(topic, *encode_action(action)) for action in actions]

    def _count(self, steps: Sequence[Swept], put_off: int) -> None:
        for step in steps:
            kind = step.row.kind
            if step.outcome is not None:
                self.own.swept.labels(kind, step.outcome).inc()
            if step.outcome is Outcome.ENDED:
                self.metrics.losses.labels(kind).inc()
            if step.outcome is Outcome.GIVEN_UP:
                log.warning("given up", kind=kind, sid=step.row.key, lookups=step.row.sweeps - 1)
            for rule, verdict in step.verdicts:
                self.own.judged.labels(rule, verdict).inc()
            tell(step.decided, self.metrics, self.dry_run)
        self.own.put_off.inc(put_off)
        if steps:
            asked = sum(len(step.lookups) for step in steps)
            held = sum(verdict is Verdict.HELD for step in steps for _, verdict in step.verdicts)
            log.info("swept", rows=len(steps), lookups=asked, rules_held=held, put_off=put_off)

    # Windows.

    async def _list(self, now: datetime) -> None:
        """Half of the rate at the most, so that after an outage lists and lookups do not wait for each other."""
        assert self._tokens is not None
        waiting = windows(self.plan.accounts, now, self._listed, self.plan.windows)
        some: list[tuple[Window, Sequence[Action]]] = []
        left = self._tokens.left / 2
        for window in waiting:
            if left <= 0 or self._tokens.left < 1:
                break
            actions = listings(window, self.plan.windows)
            some.append((window, actions))
            self._tokens, left = self._tokens.less(len(actions)), left - len(actions)
        if not some:
            return
        await self.producer.publish([record for _, actions in some for record in self._actions(actions)])
        for window, _ in some:
            self._listed[window.account_sid, window.kind] = window.number
            self.own.listed.labels(window.kind).inc()

    # Retention.

    async def _tidy(self, now: Stamp) -> bool:
        """A little at a time; whether there is more. A change needs no tombstone: its own topic keeps it no longer."""
        if not self.plan.retention or (self._tidied and now < later(self._tidied, self.plan.tidy)):
            return False
        expired = await self.store.expire(later(now, -self.plan.retention), now, EXPIRED_AT_A_TIME)
        buried = await self.store.bury(later(now, -self.plan.remembered), EXPIRED_AT_A_TIME)
        self.own.expired.inc(expired)
        if EXPIRED_AT_A_TIME in (expired, buried):
            return True
        self._tidied = now
        return False


def _seconds(since: Stamp, until: Stamp) -> float:
    return (instant(until) - instant(since)).total_seconds()


async def partition_count(kafka: Kafka, topic: str) -> int:
    """Of a topic, from the broker. Raises BrokerUnavailable where it does not answer or has no such topic."""
    client = AIOKafkaClient(**kafka.aiokafka_options())
    try:
        await client.bootstrap()
        found = (await client.fetch_all_metadata()).partitions_for_topic(topic)
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
    finally:
        await client.close()
    if not found:
        raise BrokerUnavailable(f"there is no topic {topic}")
    return len(found)
