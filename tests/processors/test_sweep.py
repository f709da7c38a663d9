"""The sweep over in-memory twins and a virtual clock: what it publishes and writes, and what happens in between."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from ingest.contract.kafka import place
from processors.domain.due import later
from processors.domain.facts import Facts, Resource, merge
from processors.domain.rulebook import judged
from processors.domain.stamps import Stamp, stamp
from processors.store.port import MemoryStore, StoreUnavailable
from tests.conftest import until
from tests.processors.sweeper import (
    ACCOUNT,
    CONFERENCE,
    DAY,
    HOUR,
    PARTITIONS,
    PLAN,
    START,
    Bench,
    call,
    conference,
    message,
    participant,
)


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
