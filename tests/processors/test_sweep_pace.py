"""The sweep's pace: how much it asks for at a time, which windows it lists, what it takes away, and how late it is."""

import pytest
from prometheus_client import CollectorRegistry

from processors.domain.due import later
from processors.domain.stamps import stamp
from processors.stream.producer import BrokerUnavailable
from processors.sweep import partition_count
from tests.conftest import Broker
from tests.processors.stream.conftest import create_topic
from tests.processors.sweeper import (
    ACCOUNT,
    DAY,
    HOUR,
    PLAN,
    START,
    Bench,
    call,
    ended,
    message,
)

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
