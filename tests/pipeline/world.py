"""The world in one thread: a provider, its wire, topics, brain and hands, joined from real cores and in-memory twins.

Time is virtual and chance is seeded. Any effect on the outside (a record, a row, a request, a ledger entry) may fail,
be the last one before a crash, or find its process frozen while another one takes over; what was kept stays.
"""

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from ingest.contract import events as e
from ingest.contract.codec import Envelope, encode
from ingest.contract.identity import event_id
from ingest.contract.topics import EVENT_TOPICS
from processors.advance import Advance
from processors.contract.actions import AnyList, ListAction
from processors.domain.due import Deadlines
from processors.domain.rulebook import Rulebook
from processors.domain.stamps import instant
from processors.domain.sweeping import LISTS, Windows
from processors.metrics import create_metrics
from processors.stream.batch import Handler
from processors.stream.producer import Outgoing
from processors.sweep import Plan, Sweep, SweepMetrics
from sinks.ledger.answers import settle
from sinks.ledger.entries import Entry, Search, Settlement, Sought, State
from sinks.ledger.limits import Limits, MessageRates, Terms
from sinks.ledger.listing import read_list
from sinks.ledger.publishing import observation, outgoing
from sinks.ledger.recording import Recorder, Sightings
from sinks.ledger.resolving import Item, Untold, neighbourhood, search
from sinks.metrics import create_metrics as create_sink_metrics
from sinks.twilio.replies import Done, Reply
from tests.histories.voice import ACCOUNT
from tests.pipeline.faults import AWAY, Crash, Faults, Freeze, drive
from tests.pipeline.provider import Provider
from tests.pipeline.twins import Clock, Entries, Rows, Topics

PREFIX, HASH_KEY = "comms", b"0123456789abcdef"
SETTLE = 30.0
# A world is about what is asked for and how often, not about when.
FAST = Limits(
    messages=MessageRates(**dict.fromkeys(MessageRates.model_fields, 10_000)),
    reads=10_000,
    changes=10_000,
    requests=10_000,
)
TERMS = Terms(settle=SETTLE, limits={ACCOUNT: FAST})
EVENTS = [topic.called(PREFIX) for topic in EVENT_TOPICS]
MOST_STEPS = 20_000

# No world asks what another has counted: one registry for all of them, since making one takes longer than a world.
REGISTRY = CollectorRegistry()
BRAIN, SWEEP, HANDS = create_metrics(REGISTRY), SweepMetrics(REGISTRY), create_sink_metrics(REGISTRY)

DEADLINES = Deadlines(
    {"message": 600.0, "call": 600.0, "recording": 600.0, "conference": 600.0, "participant": 600.0}, attempts=2
)
WINDOW = 6 * 3600.0
LISTINGS = {(name, more.get("status")) for some in LISTS.values() for name, _, _, more in some}
WINDOWS = Windows(dict.fromkeys(LISTS, WINDOW), delay=60.0, overlap=0.0, catch_up=WINDOW)

Step = Callable[[], None]


@dataclass(slots=True)
class Running:
    """A process at work on something. `done` is what its end moves, if it is still the owner by then."""

    work: Coroutine[Any, Any, object]
    done: Callable[[], None]


def _until(action: AnyList) -> datetime:
    fields = {name: before for some in LISTS.values() for name, _, before, _ in some}
    until: datetime = getattr(action, fields[action.type])
    return until


def never(_: object = None) -> None:
    """Nobody has to be told."""


class World:
    """`faults` strike so often at the most; with `drop` some callbacks are never delivered."""

    def __init__(self, seed: int, rules: Rulebook, *, cap: int = 100, faults: int = 6, drop: float = 0.0) -> None:
        self.rules, self.drop = rules, drop
        self.terms = replace(TERMS, per_recipient_hour=cap)
        self.chance = random.Random(seed)
        self.clock, self.faults = Clock(), Faults(self.chance, faults)
        self.topics, self.rows, self.ledger = Topics(self.faults), Rows(self.faults), Entries(self.faults)
        self.provider = Provider(self.chance, self.clock, lose=self.chance.choice([0.0, 0.2, 0.5]), drop=drop)
        self.posted: list[Outgoing] = []  # by others, and not yet in the topics
        self.answers: list[Settlement | Search] = []  # in memory only: a crash loses them
        self.sought: Counter[Sought] = Counter()
        self.frozen: list[Running] = []
        self.was_overtaken_and_died = False
        """Whether a process of the brain ended early after one had been frozen."""
        self.rewinds = self.chance.choice([0, 0, 1, 2])
        self.epochs = dict.fromkeys(EVENTS, 0)
        self.sweep = self._sweeper()
        self.brains = [self._brain(), self._brain()]
        self.consumers = self._consumers()
        self._tokens = 0

    def _brain(self) -> Advance:
        return Advance(self.rows, self.topics, self.rules, BRAIN, PREFIX, HASH_KEY, self.clock, DEADLINES)

    def _consumers(self) -> Mapping[tuple[str, str], Handler]:
        sightings = Sightings(self.ledger, HANDS, self.clock, never)
        return {
            **{("brain", topic): self._owner(topic) for topic in EVENTS},
            **{("hands", topic): sightings for topic in EVENTS},
            ("hands", "comms.actions"): Recorder(self.ledger, self.topics, HANDS, PREFIX, self.clock, never),
        }

    def _owner(self, topic: str) -> Handler:
        """Two workers own a partition in turn: who freezes loses it to the other."""
        return lambda batch: self.brains[self.epochs[topic] % 2](batch)

    def _sweeper(self) -> Sweep:
        async def one_partition() -> int:
            return 1

        plan = Plan([ACCOUNT] if self.drop else [], WINDOWS, retention=0.0)
        return Sweep(
            self.rows, self.topics, self.rules, DEADLINES, plan, BRAIN, SWEEP, PREFIX, HASH_KEY, self.clock,
            one_partition,
        )  # fmt: skip

    # Time passes.

    def run(self) -> None:
        """Until nothing is left to do, and nothing is waited for."""
        for _ in range(MOST_STEPS):
            steps = self._possible()
            if steps:
                self.clock.on(self.chance.choice((0.1, 1.0, 5.0)))
                self._attempt(self.chance.choice(steps))
            elif not self._wait():
                return
        raise AssertionError("the world never came to rest")

    def _possible(self) -> Sequence[Step]:
        entries = self.ledger.entries.values()
        now = self.clock.seconds()
        steps: list[Step] = []
        if self.provider.wire or self.posted:
            steps += [self.deliver, self.deliver]
        if any(self.topics.behind(*each) for each in self.consumers):
            steps += [self.consume, self.consume]
        if now in self.ledger.turns(now, self.terms) or self._expires() <= now:
            steps.append(self.act)
        if any(not entry.published for entry in entries):
            steps.append(self.publish)
        if self.answers:
            steps.append(self.answer)
        if self.frozen:
            steps.append(self.thaw)
        if (due := self._due()) is not None and due <= self.clock.now:
            steps.append(self.look)
        if steps and self.rewinds and self.topics.offsets and self.chance.random() < 0.03:
            steps = [self.rewind]
        return steps

    def _attempt(self, step: Step) -> None:
        try:
            step()
        except Crash:
            self.answers.clear()
            self.sweep = self._sweeper()
        except AWAY:
            return  # it is tried again

    def _wait(self) -> bool:
        """Until the next thing that somebody waits for; whether there is one."""
        now = self.clock.now
        turns = [*self.ledger.turns(now.timestamp(), self.terms), self._expires()]
        # A little later, since a time of the ledger's may fall between two of the clock's microseconds.
        times = [datetime.fromtimestamp(turn + 1e-6, UTC) for turn in turns if turn < 1e12]
        times += [due for due in (self._due(),) if due is not None]
        if times:
            self.clock.until(min(times))
        elif self.drop and not self._is_listed():
            self.clock.on(WINDOW)  # that in which the last thing happened is over by then, and can be listed
            self._attempt(self.look)
        return bool(times) or self.clock.now > now

    def _is_listed(self) -> bool:
        """Whether everything that was made is in a time window that was asked for."""
        asked = {
            (entry.action.type, getattr(entry.action, "status", None))
            for entry in self.ledger.entries.values()
            if isinstance(entry.action, ListAction) and _until(entry.action) > self.provider.last
        }
        return asked >= LISTINGS

    def _expires(self) -> float:
        running = (entry for entry in self.ledger.entries.values() if entry.state is State.RUNNING)
        waited = {answer.action_id for answer in self.answers}
        return min((entry.leased_until for entry in running if entry.action.id not in waited), default=1e12)

    def _due(self) -> datetime | None:
        due = min((row.due for row in self.rows.rows.values() if row.due is not None), default=None)
        return None if due is None else instant(due)

    # Callbacks.

    def deliver(self) -> None:
        """Some callbacks arrive, whichever; one that is not acknowledged, or that is doubled, stays on the wire."""
        for _ in range(self.chance.randint(1, 6)):
            if self.posted and self.chance.random() < 0.3:
                drive(self.topics.publish([self.posted[-1]]))
                self.posted.pop()
            elif wire := self.provider.wire:
                at = self.chance.randrange(len(wire))
                drive(self.topics.publish([self.received(wire[at])]))
                if self.chance.random() > 0.25:
                    wire[at] = wire[-1]
                    wire.pop()

    def received(self, envelope: Envelope) -> Outgoing:
        """Each time by a request of its own, with another token, at another moment."""
        self._tokens += 1
        event = envelope.event
        event = event.model_copy(update={"id": event_id(event, str(self._tokens))})
        encoded = encode(envelope._replace(event=event, received=self.clock.now))
        return Outgoing(encoded.topic.called(PREFIX), encoded.key, encoded.value, encoded.headers)

    # The brain, and what of the hands consumes.

    def consume(self) -> None:
        waiting = [each for each in self.consumers if self.topics.behind(*each)]
        group, topic = self.chance.choice(waiting)
        batch = self.topics.next(group, topic, self.chance.randint(1, 20))
        epoch, end = self.epochs.get(topic, 0), self.topics.offsets[group, topic] + len(batch.records)

        def acknowledge() -> None:
            if group == "hands" or self.epochs[topic] == epoch:  # who has lost a partition cannot commit in it
                self.topics.offsets[group, topic] = end

        running = Running(self.consumers[group, topic](batch), acknowledge)  # type: ignore[arg-type]
        if not self._go_on(running, may_freeze=group == "brain") and topic in self.epochs:
            self.epochs[topic] += 1  # somebody else has the partition now, and begins at the last commit

    def thaw(self) -> None:
        """One that was frozen goes on, in the belief that nothing has happened; or it is dead for good."""
        running = self.frozen.pop(self.chance.randrange(len(self.frozen)))
        if self.chance.random() < 0.2:
            running.work.close()
            self.was_overtaken_and_died = True
        else:
            self._go_on(running, may_freeze=True)

    def _go_on(self, running: Running, *, may_freeze: bool) -> bool:
        self.faults.may_freeze = may_freeze
        try:
            if drive(running.work):
                running.done()
                return True
            self.frozen.append(running)
            return False
        except (Crash, *AWAY):
            self.was_overtaken_and_died |= self.faults.met[Freeze.__name__] > 0
            raise
        finally:
            self.faults.may_freeze = False

    def rewind(self) -> None:
        """A topic is read again from an earlier offset."""
        self.rewinds -= 1
        group, topic = self.chance.choice(list(self.topics.offsets))
        self.topics.offsets[group, topic] = self.chance.randint(0, self.topics.offsets[group, topic])

    def look(self) -> None:
        """The sweep; one that froze is another process by now."""
        if not self._go_on(Running(self.sweep.run_once(), never), may_freeze=True):
            self.sweep = self._sweeper()

    # The hands.

    def act(self) -> None:
        """Claim, then ask; the process may die before the request, or before its answer is written down."""
        drive(self._act())

    async def _act(self) -> None:
        now = self.clock.seconds()
        await self.ledger.expire(now, SETTLE)
        for entry in (await self.ledger.claim(self.chance.randint(1, 5), now, self.terms)).entries:
            await self.faults.meet(Crash)
            self.answers.append(await self._answer(entry))
            await self.faults.meet(Crash)

    async def _answer(self, entry: Entry) -> Settlement | Search:
        if not entry.is_search:
            now = self.clock.seconds()
            return settle(entry, await self._reply(entry), now + 1, now + SETTLE)
        found, sid = await search(entry, await self.ledger.alike(entry, *neighbourhood(entry)), self._items)
        self.sought[found] += 1
        return Search(entry.action.id, entry.fence, entry.absences, found, self.clock.seconds() + SETTLE, sid)

    async def _items(self, action: AnyList, since: datetime) -> Sequence[Item]:
        reply = self.provider.page(action)
        if not isinstance(reply, Done):
            raise Untold
        items: Sequence[Item] = reply.body["messages"]  # type: ignore[assignment]  # nothing else is made in a world
        return items

    async def _reply(self, entry: Entry) -> Reply:
        action = entry.action
        if entry.is_lookup:
            return self.provider.look_up(str(entry.resource_sid))
        if not isinstance(action, ListAction):
            return self.provider.perform(action)

        async def ask(uri: str | None) -> Reply:
            return self.provider.page(action)

        async def show(events: Sequence[e.Event]) -> None:
            await self.topics.publish([observation(event, self.clock.now, PREFIX) for event in events])

        async def pause(attempt: int) -> None:
            self.clock.on(attempt)

        return await read_list(action, ask, show, pause)

    def answer(self) -> None:
        at, now = self.chance.randrange(len(self.answers)), self.clock.seconds()
        answer = self.answers[at]
        told = self.ledger.searched(answer, now) if isinstance(answer, Search) else self.ledger.settle([answer], now)
        drive(told)
        self.answers.pop(at)

    def publish(self) -> None:
        drive(self._publish())

    async def _publish(self) -> None:
        entries = await self.ledger.unpublished(10, self.clock.seconds(), 0.0)
        await self.topics.publish([record for entry in entries for record in outgoing(entry, PREFIX)])
        await self.ledger.published(entries)
