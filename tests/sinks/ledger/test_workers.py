"""Several workers on one PostgreSQL: what one has in hand is nobody else's, and what they share in time they share."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from processors.stream.producer import MemoryProducer
from sinks.contract.codec import decode_result
from sinks.ledger.breaking import Breaker
from sinks.ledger.entries import Entry, Settlement, State
from sinks.ledger.limits import Limits
from sinks.ledger.opening import open_ledger
from sinks.ledger.performing import Pace, Performer
from sinks.ledger.port import Ledger
from sinks.metrics import create_metrics
from sinks.twilio.replies import Lost
from tests.conftest import until
from tests.sinks.ledger.conftest import MADE, PACE, Script
from tests.sinks.ledger.given import ACCOUNT, LEASE, NOW, SETTLE, TERMS, claim, claimed, fetch, message, names

pytestmark = pytest.mark.postgres
PUBLISHED = replace(TERMS, limits={ACCOUNT: Limits()}, per_recipient_hour=10**9)


@pytest.fixture(params=["postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def workers(url: str) -> AsyncIterator[Sequence[Ledger]]:
    made = [await open_ledger(url) for _ in range(3)]
    yield made
    for each in made:
        await each.close()


async def test_workers_that_start_at_once_make_the_tables_once(url: str) -> None:
    for ledger in await asyncio.gather(*(open_ledger(url) for _ in range(4))):
        await ledger.record([message()], NOW)
        await ledger.close()


async def test_workers_that_claim_at_once_never_claim_the_same(workers: Sequence[Ledger]) -> None:
    count = 120
    await workers[0].record([message(str(n), f"k{n % 40}") for n in range(count)], NOW)
    seen: Counter[str] = Counter()

    async def work(ledger: Ledger) -> None:
        while seen.total() < count:
            entries = await claim(ledger, NOW, 3)
            seen.update(names(entries))
            await asyncio.sleep(0)
            await ledger.settle([Settlement(e.action.id, State.DONE, fence=e.fence) for e in entries], NOW)

    await asyncio.wait_for(asyncio.gather(*map(work, workers)), 60)
    assert set(seen.values()) == {1}


async def test_one_of_a_key_runs_at_a_time_whoever_claims(workers: Sequence[Ledger]) -> None:
    await workers[0].record([message(str(n), "k", from_=f"+1202555{n:04d}") for n in range(6)], NOW)
    order: list[str] = []
    while len(order) < 6:
        some = [name for found in await asyncio.gather(*map(claimed, workers)) for name in found]
        assert len(some) <= 1
        order += some
        await workers[0].settle([Settlement(name, State.DONE) for name in some], NOW)
    assert order == [str(n) for n in range(6)]


async def test_workers_share_the_rate_of_a_sender(workers: Sequence[Ledger]) -> None:
    await workers[0].record([message(str(n)) for n in range(30)], NOW)
    starts: list[float] = []
    for tick in range(20):
        now = NOW + tick * 0.5
        for entries in await asyncio.gather(*(claim(each, now, terms=PUBLISHED) for each in workers)):
            starts += [entry.leased_until - LEASE for entry in entries]
            await workers[0].settle([Settlement(name, State.DONE) for name in names(entries)], now)
    starts.sort()
    assert len(starts) in (10, 11)
    assert min(after - before for before, after in itertools.pairwise(starts)) >= 1


async def test_workers_share_the_caps(workers: Sequence[Ledger]) -> None:
    terms = replace(TERMS, per_account_day=7)
    await workers[0].record([message(str(n)) for n in range(30)], NOW)
    found = await asyncio.gather(*(claimed(each, NOW, 5, terms) for each in workers for _ in range(4)))
    assert sum(map(len, found)) == 7


async def test_who_settles_while_another_claims_expires_and_sees_never_deadlocks(workers: Sequence[Ledger]) -> None:
    ids = [str(n) for n in range(60)]
    await workers[0].record([message(name) for name in ids], NOW)
    entries = await claim(workers[0])
    sids = {name: f"SM{int(name):032x}" for name in ids}
    late = NOW + LEASE + 1
    await asyncio.gather(
        *(workers[0].settle([Settlement(e.action.id, State.UNKNOWN, due=late)], late) for e in entries),
        *(workers[1].sighted(dict(reversed(sids.items())), late) for _ in range(10)),
        *(workers[2].expire(late, SETTLE) for _ in range(10)),
        *(each.claim(5, late, TERMS) for each in workers for _ in range(5)),
    )
    states = {e.action.id for state in (State.WAITING, State.RUNNING) for e in await workers[0].listed(state, 100)}
    assert states == set(ids), "each was seen, and is looked up"


def performer(ledger: Ledger, script: Script, producer: MemoryProducer, pace: Pace) -> Performer:
    return Performer(
        ledger=ledger,
        provider=script,
        producer=producer,
        metrics=create_metrics(CollectorRegistry()),
        prefix="comms",
        pace=pace,
        clock=lambda: datetime.now(UTC),
        breaker=Breaker(failures=1000),
    )


@contextlib.asynccontextmanager
async def running(*performers: Performer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in performers]
    try:
        yield
    finally:
        for each in performers:
            each.stop()
        await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def held(url: str, *statements: str) -> AsyncIterator[None]:
    """Somebody has what these select in hand."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.fetch(f"{statement} FOR UPDATE")
            yield
    finally:
        await connection.close()


async def test_what_somebody_has_in_hand_is_left_out_and_not_waited_for(url: str, workers: Sequence[Ledger]) -> None:
    ledger = workers[0]
    other = {"from_": "+12025550123"}
    await ledger.record([message("a"), message("b")], NOW)
    assert await claimed(ledger) == ["a", "b"]
    await ledger.record([message("z", **other), fetch("r"), fetch("s")], NOW)
    async with (
        asyncio.timeout(20),
        held(
            url,
            "SELECT * FROM actions WHERE id IN ('a', 'r')",
            f"SELECT * FROM lanes WHERE name = '{ACCOUNT} from {other['from_']}'",
        ),
    ):
        assert await claimed(ledger) == ["s"], "z's lane is in another's hand, and so is r"
        late = NOW + LEASE + 1
        assert len((await ledger.expire(late, SETTLE)).unknown) == 1
        assert names(await ledger.unpublished(10, late, 0.0)) == ["b"]
    assert sorted(await claimed(ledger, NOW + 1)) == ["r", "z"]


async def test_two_performers_on_one_ledger_ask_for_each_action_once(workers: Sequence[Ledger]) -> None:
    script, producer = Script([MADE]), MemoryProducer()
    pace = replace(PACE, concurrency=8)
    async with running(*(performer(each, script, producer, pace) for each in workers[:2])):
        now = datetime.now(UTC).timestamp()
        await workers[2].record([*(message(str(n)) for n in range(100)), *(fetch(f"r{n}") for n in range(20))], now)
        await until(lambda: len(script.asked) >= 120, 60)
        await until(lambda: len(told(producer)) == 120, 60)
    assert set(Counter(script.asked).values()) == {1}
    assert set(told(producer).values()) == {"done"}


def told(producer: MemoryProducer) -> dict[str, str]:
    results = [decode_result(r.value) for r in producer.records if r.topic == "comms.action-results"]
    return {each.action_id: each.outcome for each in results}


async def test_a_performer_that_was_frozen_past_its_lease_does_not_settle_over_the_next(
    workers: Sequence[Ledger],
) -> None:
    """Its request may have left before it froze, so nobody asks again; its answer is still the truth."""
    mine, theirs = workers[0], workers[1]
    await mine.record([fetch("r"), message("a")], NOW)
    frozen = {entry.action.id: entry for entry in await claim(mine)}
    late = NOW + LEASE + 1
    await theirs.expire(late, SETTLE)
    assert await claimed(theirs, late) == ["r"], "what can be repeated is; the other one nobody knows of"
    await mine.settle([answer(frozen["r"], State.WAITING), answer(frozen["a"], State.WAITING)], late)
    assert names(await theirs.listed(State.RUNNING, 10)) == ["r"], "the second attempt is not ended by the first"
    assert names(await theirs.listed(State.WAITING, 10)) == ["a"], "it had not asked, so another may"
    [again] = await claim(theirs, late + 1)
    await mine.settle([answer(frozen["a"], State.REFUSED)], late + 2)
    assert names(await theirs.listed(State.REFUSED, 10)) == []
    await theirs.settle([answer(again, State.DONE)], late + 3)
    assert names(await mine.listed(State.DONE, 10)) == ["a"]


def answer(entry: Entry, state: State) -> Settlement:
    return Settlement(entry.action.id, state, due=NOW, fence=entry.fence)


async def test_the_kill_switch_of_one_stops_all(workers: Sequence[Ledger]) -> None:
    await workers[0].record([message("a")], NOW)
    await workers[1].stop("a loop", NOW)
    assert [await claimed(each) for each in workers] == [[], [], []]
    await workers[2].stop(None, NOW)
    assert await claimed(workers[0]) == ["a"]


async def test_what_was_lost_is_looked_for_by_one_of_them(workers: Sequence[Ledger]) -> None:
    script, producer = Script([Lost("timeout")]), MemoryProducer()
    pace = replace(PACE, terms=replace(PACE.terms, settle=0.05))
    async with running(*(performer(each, script, producer, pace) for each in workers)):
        await workers[0].record([message("a")], datetime.now(UTC).timestamp())
        await until(lambda: told(producer).get("a") == "unknown")
        await until(lambda: script.asked.count("a") > 2)  # its lists are answered by no page, and so say nothing
        assert names(await workers[0].listed(State.UNKNOWN, 10)) == ["a"]
