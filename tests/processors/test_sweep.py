"""The sweep over in-memory twins and a virtual clock: what it publishes and writes, and what happens in between."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from ingest.contract.kafka import place
from processors.contract.actions import Action
from processors.contract.changes import Change, Kind
from processors.contract.codec import decode_action, decode_change
from processors.domain.due import Deadlines, due, later
from processors.domain.facts import Attribute, Facts, Resource, merge
from processors.domain.rulebook import judged, write_down
from processors.domain.rules import parse_rules
from processors.domain.stamps import Stamp, stamp
from processors.domain.sweeping import Windows
from processors.metrics import create_metrics
from processors.store.port import MemoryStore, StoreUnavailable
from processors.stream.producer import BrokerUnavailable, MemoryProducer
from processors.sweep import Plan, Sweep, SweepMetrics, partition_count
from tests.conftest import Broker, until
from tests.processors.stream.conftest import create_topic

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
CONFERENCE = "CF" + "4" * 32
HOUR, DAY = 3600.0, 86_400.0
PARTITIONS = 12
LENGTH: Mapping[Kind, float] = {"message": 300.0, "call": 300.0, "recording": 300.0, "conference": 3600.0}
PLAN = Plan((), Windows(LENGTH), poll=0.01, retry_first=0.01, retry_most=0.02)
DEADLINES = Deadlines(
    {"message": HOUR, "call": HOUR, "recording": HOUR, "conference": HOUR, "participant": HOUR}, attempts=3
)
RULES = write_down(
    parse_rules(
        """
rules:
  - name: no-receipt
    when: {kind: message, status: sent}
    settle: 30s
    unless: {status: delivered}
    then: [{action: messages.create, with: {to: "{to}", from: "{from}", body: "Did you get it?"}}]
  - name: only-tried
    when: {kind: recording, status: paused}
    settle: 30s
    dry_run: true
    then: [{action: recordings.fetch, with: {recording_sid: "{key}"}}]
"""
    )
)


@dataclass
class Bench:
    """A sweep with its twins; `pass_time` is the only clock."""

    plan: Plan = PLAN
    dry_run: bool = False
    store: MemoryStore = field(default_factory=MemoryStore)
    producer: MemoryProducer = field(default_factory=MemoryProducer)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    seconds: float = 0.0
    sweep: Sweep = field(init=False)

    def __post_init__(self) -> None:
        self.sweep = self.worker(self.registry)

    def worker(self, registry: CollectorRegistry) -> Sweep:
        return Sweep(
            self.store, self.producer, RULES, DEADLINES, self.plan, create_metrics(registry), SweepMetrics(registry),
            "comms", b"0123456789abcdef", self.now, partitions, self.dry_run,
        )  # fmt: skip

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def after(self, seconds: float) -> bool:
        self.seconds = seconds
        return await self.sweep.run_once()

    def put(self, *rows: Resource) -> None:
        self.store.rows.update({row.key: row._replace(due=due(row, RULES, DEADLINES)) for row in rows})

    def actions(self) -> Sequence[Action]:
        return [decode_action(r.value) for r in self.producer.records if r.topic == "comms.actions"]

    def changes(self) -> Sequence[Change]:
        return [decode_change(r.value) for r in self.producer.records if r.topic == "comms.changes"]

    def counted(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"switchhook_processors_{name}", labels)


async def partitions() -> int:
    return PARTITIONS


def message(number: int = 1, *more: str, received: Stamp | None = None) -> Resource:
    seen = {name: (received or stamp(START), None) for name in ("queued", "sent", *more)}
    attributes: dict[str, Attribute] = {
        "from": ("+15550001111", -1, ""),
        "to": ("+15552223333", -1, ""),
        "unsolicited": (True, -1, ""),
    }
    return Resource(f"SM{number:032x}", "message", ACCOUNT, 1, Facts(seen, attributes=attributes))


def call(number: int = 1, received: Stamp | None = None) -> Resource:
    seen = {"ringing": (received or stamp(START), None)}
    return Resource(f"CA{number:032x}", "call", ACCOUNT, 1, Facts(seen))


def ended(number: int = 1, received: Stamp | None = None) -> Resource:
    row = call(number, received)
    return row._replace(facts=row.facts._replace(statuses={"completed": row.facts.statuses["ringing"]}))


def participant(number: int = 1) -> Resource:
    facts = Facts(events={"participant-join": (stamp(START), None)}, attributes={"present": (True, 1, "")})
    return Resource(f"{CONFERENCE}/CA{number:032x}", "participant", ACCOUNT, 1, facts)


def conference(*statuses: str) -> Resource:
    return Resource(CONFERENCE, "conference", ACCOUNT, 1, Facts(dict.fromkeys(statuses, (stamp(START), None))))


async def test_what_is_not_due_is_left_alone() -> None:
    bench = Bench()
    bench.put(call())
    before = dict(bench.store.rows)
    assert await bench.after(HOUR - 1) is False
    assert (bench.store.rows, bench.producer.records) == (before, [])


async def test_a_call_without_an_end_is_fetched_and_due_again_later() -> None:
    bench = Bench()
    bench.put(call())
    await bench.after(HOUR)
    assert [action.type for action in bench.actions()] == ["calls.fetch"]
    row = bench.store.rows[call().key]
    assert (row.sweeps, row.version, row.due) == (1, 1, later(stamp(START), 3 * HOUR))
    assert bench.changes() == []
    assert bench.counted("swept_total", kind="call", outcome="fetched") == 1


async def test_after_the_last_attempt_it_is_given_up_and_counted() -> None:
    bench = Bench()
    bench.put(call())
    for seconds in range(20):
        await bench.after(seconds * HOUR)
    assert [action.id[-2:] for action in bench.actions()] == ["a1", "a2", "a3"]
    assert bench.store.rows[call().key].due is None
    assert bench.counted("swept_total", kind="call", outcome="given_up") == 1


async def test_a_rule_that_settles_publishes_its_action_and_a_change_of_the_next_version() -> None:
    bench = Bench()
    bench.put(message())
    await bench.after(30)
    (action,) = bench.actions()
    (change,) = bench.changes()
    assert (action.type, action.rule) == ("messages.create", "no-receipt")
    assert (change.version, change.learned) == (2, ("event:judged:no-receipt",))
    row = bench.store.rows[message().key]
    assert (row.version, row.due) == (2, later(stamp(START), HOUR))
    assert bench.counted("judged_total", rule="no-receipt", verdict="held") == 1
    assert bench.counted("rules_total", rule="no-receipt", outcome="asked") == 1


async def test_a_rule_that_is_held_back_is_judged_and_asks_for_nothing() -> None:
    bench = Bench()
    bench.put(message(1, "delivered"))
    await bench.after(30)
    assert bench.actions() == []
    assert bench.counted("judged_total", rule="no-receipt", verdict="held_back") == 1
    assert bench.store.rows[message().key].due is None


@pytest.mark.parametrize("bench", [Bench(dry_run=True)])
async def test_a_dry_run_judges_and_asks_for_nothing_and_still_looks_up(bench: Bench) -> None:
    bench.put(message())
    await bench.after(HOUR)
    assert [action.type for action in bench.actions()] == ["messages.fetch"]
    assert bench.counted("rules_total", rule="no-receipt", outcome="dry_run") == 1


async def test_a_rule_that_is_only_tried_is_counted() -> None:
    bench = Bench()
    facts = Facts({"paused": (stamp(START), None)}, attributes={"unsolicited": (True, -1, "")})
    bench.put(Resource("RE" + "1" * 32, "recording", ACCOUNT, 1, facts))
    await bench.after(30)
    assert bench.actions() == []
    assert bench.counted("rules_total", rule="only-tried", outcome="dry_run") == 1


async def test_a_change_lies_where_its_events_do_and_a_participants_where_its_conferences_do() -> None:
    bench = Bench()
    bench.put(message(), participant(), conference("in-progress", "completed"))
    await bench.after(HOUR)
    placed = {r.key: r.partition for r in bench.producer.records if r.topic == "comms.changes"}
    assert placed == {
        message().key.encode(): place(message().key.encode(), PARTITIONS),
        participant().key.encode(): place(CONFERENCE.encode(), PARTITIONS),
    }


async def test_a_participant_of_a_conference_that_ended_has_left_and_that_counts_as_a_loss() -> None:
    bench = Bench()
    bench.put(participant(1), participant(2), conference("in-progress", "completed"))
    await bench.after(HOUR)
    assert [(change.status, change.terminal) for change in bench.changes()] == [("left", True)] * 2
    assert bench.counted("losses_total", kind="participant") == 2
    assert bench.actions() == []


async def test_participants_of_an_unknown_conference_ask_for_it_once() -> None:
    bench = Bench()
    bench.put(participant(1), participant(2))
    await bench.after(HOUR)
    assert len({action.id for action in bench.actions()}) == 1
    assert {action.type for action in bench.actions()} == {"conferences.fetch"}


# Between claiming and writing.


async def test_what_is_published_before_a_crash_is_published_again_under_the_same_ids() -> None:
    bench = Bench()
    bench.put(message(), call())
    whole = bench.store.write

    async def crash(rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        raise RuntimeError("the process ends here")

    bench.store.write = crash  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await bench.after(HOUR)
    first = {action.id for action in bench.actions()}
    bench.store.write = whole  # type: ignore[method-assign]
    bench.seconds += PLAN.lease
    await bench.worker(CollectorRegistry()).run_once()
    assert {action.id for action in bench.actions()} == first
    assert [row.version for row in bench.store.rows.values()] == [2, 1]


async def test_while_the_lease_runs_nobody_else_gets_the_row() -> None:
    bench = Bench()
    bench.put(call())
    now, lease = stamp(START + timedelta(seconds=HOUR)), stamp(START + timedelta(seconds=HOUR + PLAN.lease))
    await bench.store.claim(now, lease, 10)
    await bench.after(HOUR)
    assert bench.actions() == []


class Overtaken(MemoryStore):
    """Somebody folds an event between the claim and the write."""

    def __init__(self, heard: Facts) -> None:
        super().__init__()
        self.heard: Facts | None = heard

    async def write(self, rows: Sequence[Resource], expected: Mapping[str, int]) -> None:
        heard, self.heard = self.heard, None
        if heard is not None:
            row = self.rows[rows[0].key]
            self.rows[row.key] = row._replace(facts=merge(row.facts, heard), version=row.version + 1)
        await super().write(rows, expected)


async def test_a_row_that_was_overtaken_is_judged_again_and_its_last_change_has_the_highest_version() -> None:
    bench = Bench(store=Overtaken(Facts({"delivered": (stamp(START), None)})))
    bench.put(message())
    await bench.after(30)
    row = bench.store.rows[message().key]
    assert (row.version, "delivered" in row.facts.statuses, judged("no-receipt") in row.facts.events) == (3, True, True)
    assert [change.version for change in bench.changes()] == [2, 3]
    assert bench.changes()[-1].status == "delivered"
    assert bench.counted("judged_total", rule="no-receipt", verdict="held_back") == 1


async def test_where_somebody_else_has_judged_it_meanwhile_the_row_as_it_is_goes_out_once_more() -> None:
    bench = Bench(store=Overtaken(Facts(events={judged("no-receipt"): (stamp(START), None)})))
    bench.put(message())
    await bench.after(30)
    assert [change.version for change in bench.changes()] == [2, 2]
    assert bench.changes()[-1].learned == ()
    assert bench.store.rows[message().key].version == 2


async def test_a_row_that_was_forgotten_meanwhile_is_left_alone() -> None:
    bench = Bench()
    bench.put(call())
    claim = bench.store.claim

    async def claim_and_lose(now: Stamp, until: Stamp, limit: int) -> Sequence[Resource]:
        rows = await claim(now, until, limit)
        await bench.store.expire(later(now, DAY), now, 10)
        return rows

    bench.store.claim = claim_and_lose  # type: ignore[method-assign]
    await bench.after(HOUR)
    assert bench.store.rows == {}


async def test_store_and_broker_away_are_waited_for_and_nothing_is_lost() -> None:
    bench = Bench()
    bench.put(call())
    bench.seconds = HOUR
    bench.producer.failures = 3
    claim, failures = bench.store.claim, iter([True, True])

    async def away(now: Stamp, until: Stamp, limit: int) -> Sequence[Resource]:
        if next(failures, False):
            raise StoreUnavailable("away")
        return await claim(now, until, limit)

    bench.store.claim = away  # type: ignore[method-assign]
    running = asyncio.create_task(bench.sweep.run())
    await until(lambda: bool(bench.producer.records))
    bench.sweep.stop()
    await running
    assert [action.type for action in bench.actions()] == ["calls.fetch"]
    assert bench.store.rows[call().key].sweeps == 1
    assert bench.counted("sweep_retries_total") == 5


async def test_anything_unknown_ends_it_with_the_fault() -> None:
    bench = Bench()

    async def broken(now: Stamp, until: Stamp, limit: int) -> Sequence[Resource]:
        raise ZeroDivisionError

    bench.store.claim = broken  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await bench.sweep.run()


# The rate.


async def test_lookups_keep_to_the_rate_and_rules_do_not_wait_for_them() -> None:
    bench = Bench(plan=PLAN._replace(rate=10.0))
    late = later(stamp(START), HOUR - 100)
    bench.put(*(call(number) for number in range(100)), message(received=late))
    await bench.after(HOUR)
    assert len([a for a in bench.actions() if a.type == "calls.fetch"]) == 10
    assert len([a for a in bench.actions() if a.type == "messages.create"]) == 1
    assert bench.counted("put_off_total") == 90
    for _ in range(2000):
        await bench.after(bench.seconds + 1)
    asked = [a.id for a in bench.actions() if a.type == "calls.fetch"]
    assert len(asked) == len(set(asked)) == 100


async def test_more_than_fits_at_once_is_gone_on_with_without_a_pause() -> None:
    bench = Bench(plan=PLAN._replace(at_once=2, rate=100.0))
    bench.put(*(call(number) for number in range(5)))
    assert [await bench.after(HOUR) for _ in range(3)] == [True, True, False]


# Windows.


LISTING = PLAN._replace(accounts=(ACCOUNT,), rate=1000.0)


async def test_every_kind_is_listed_and_two_workers_ask_for_the_same() -> None:
    bench = Bench(plan=LISTING)
    await bench.sweep.run_once()
    first = [action.id for action in bench.actions()]
    assert {action.type for action in bench.actions()} == {
        "messages.list", "calls.list", "recordings.list", "conferences.list",
    }  # fmt: skip
    assert len(first) == len(set(first)) == int(bench.counted("listed_total", kind="message") or 0) * 3 + 2
    await bench.worker(CollectorRegistry()).run_once()
    assert [action.id for action in bench.actions()][len(first) :] == first


async def test_a_window_is_listed_once_a_worker() -> None:
    bench = Bench(plan=LISTING)
    for seconds in range(0, 3600, 10):
        await bench.after(seconds)
    ids = [action.id for action in bench.actions()]
    assert len(ids) == len(set(ids))


async def test_lists_wait_for_the_broker_and_leave_half_of_the_rate_to_lookups() -> None:
    bench = Bench(plan=LISTING._replace(rate=10.0))
    bench.put(*(call(number) for number in range(100)))
    bench.producer.failures = 1
    with pytest.raises(BrokerUnavailable):
        await bench.after(HOUR)
    await bench.after(HOUR + 1)
    types = [action.type for action in bench.actions()]
    assert sum(name.endswith(".list") for name in types) == types.count("calls.fetch") == 5
    for _ in range(60):
        await bench.after(bench.seconds + 1)
    assert bench.counted("listed_total", kind="message") >= 12  # type: ignore[operator]


# Retention.


async def test_rows_that_learn_nothing_are_taken_away_in_time_and_their_keys_later() -> None:
    bench = Bench(plan=PLAN._replace(retention=10 * DAY, remembered=20 * DAY))
    bench.put(ended(1), ended(2, received=later(stamp(START), 5 * DAY)))
    await bench.after(11 * DAY)
    assert list(bench.store.rows) == [ended(2).key]
    assert bench.counted("expired_total") == 1
    await bench.after(32 * DAY)
    assert (bench.store.rows, list(bench.store.tombstones)) == ({}, [ended(2).key])


async def test_without_retention_rows_stay() -> None:
    bench = Bench(plan=PLAN._replace(retention=0.0))
    bench.put(ended())
    await bench.after(10_000 * DAY)
    assert list(bench.store.rows) == [ended().key]


async def test_how_late_the_sweep_is_can_be_seen() -> None:
    bench = Bench()
    bench.put(call())
    await bench.after(HOUR + 90)
    assert bench.counted("overdue_seconds") == 90
    await bench.after(HOUR + 91)
    assert bench.counted("overdue_seconds") == 0


@pytest.mark.broker
async def test_the_broker_says_how_many_partitions_a_topic_has(broker: Broker, prefix: str) -> None:
    create_topic(broker.kafka(), f"{prefix}.changes", 3)
    assert await partition_count(broker.kafka(), f"{prefix}.changes") == 3
    with pytest.raises(BrokerUnavailable):
        await partition_count(broker.kafka(), f"{prefix}.nothing")
