"""A claim while it is worked on: it lasts as long as its performer asks, and no longer than nobody did."""

import asyncio
from dataclasses import dataclass

import pytest

from sinks.ledger.claim import LONGEST, Claim
from sinks.ledger.port import LedgerUnavailable, MemoryLedger
from tests.sinks.ledger.given import LEASE, NOW, SETTLE, claim, fetch


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


class Counting(MemoryLedger):
    renewals = 0
    is_away = False

    async def renew(self, action_id: str, fence: int, until: float) -> bool:
        if self.is_away:
            raise LedgerUnavailable("told to be")
        self.renewals += 1
        return await super().renew(action_id, fence, until)


async def never(attempt: int) -> None:
    raise AssertionError(attempt)


async def claimed(ledger: MemoryLedger, clock: Clock) -> Claim:
    await ledger.record([fetch()], NOW)
    [entry] = await claim(ledger)
    return Claim(ledger, entry, LEASE, clock, never)


async def test_it_lasts_while_it_is_asked_for_and_is_written_now_and_then() -> None:
    ledger, clock = Counting(), Clock()
    mine = await claimed(ledger, clock)
    for _ in range(1000):
        clock.now += LEASE / 100
        assert await mine.kept()
        assert not (await ledger.expire(clock.now, SETTLE)).again
    assert 30 <= ledger.renewals <= 50


async def test_it_lasts_for_a_request_that_takes_as_long_as_it_may() -> None:
    ledger, clock = Counting(), Clock()
    mine = await claimed(ledger, clock)
    clock.now += 2.0
    assert await mine.kept(LEASE - 3)
    assert ledger.renewals == 0
    assert await mine.kept(LEASE - 1)
    assert ledger.entries["r"].leased_until == clock.now + LEASE


async def test_it_is_over_for_good_once_nobody_asked_in_time() -> None:
    ledger, clock = Counting(), Clock()
    mine = await claimed(ledger, clock)
    clock.now += LEASE
    assert not await mine.kept()
    assert ledger.renewals == 0, "another may have it by now"


@pytest.mark.parametrize("claims", [False, True])
async def test_it_is_over_for_good_once_another_has_it_by_whichever_clock(claims: bool) -> None:
    ledger, clock = MemoryLedger(), Clock()
    mine = await claimed(ledger, clock)
    ahead = NOW + LEASE  # of a worker whose clock is fast
    await ledger.expire(ahead, SETTLE)
    if claims:
        assert await claim(ledger, now=ahead)
    clock.now += LEASE / 2
    assert not await mine.kept()
    clock.now += LEASE / 10
    assert not await mine.kept()


async def test_a_ledger_that_is_away_does_not_prolong_it() -> None:
    ledger, clock = Counting(), Clock()
    mine = await claimed(ledger, clock)
    ledger.is_away = True
    clock.now += LEASE - 1
    assert await mine.kept(), "it is ours until then all the same"
    clock.now += 1
    assert not await mine.kept()


async def test_it_lasts_where_nobody_gets_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, clock, turn = Counting(), Clock(), asyncio.sleep
    mine = await claimed(ledger, clock)

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        await turn(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with mine.lasting():
        while clock.now < NOW + 10 * LEASE:
            await turn(0)
            assert not (await ledger.expire(clock.now, SETTLE)).again
    assert await mine.kept()
    assert ledger.renewals >= 30
    clock.now += LEASE
    await turn(0)
    assert not await mine.kept(), "nobody works on it"


async def test_no_attempt_lasts_for_ever() -> None:
    ledger, clock = MemoryLedger(), Clock()
    mine = await claimed(ledger, clock)
    while await mine.kept():
        clock.now += LEASE / 2
    assert clock.now - NOW == LONGEST


async def test_a_ledger_that_answers_too_late_has_not_kept_it() -> None:
    ledger, clock = MemoryLedger(), Clock()
    mine = await claimed(ledger, clock)

    async def slowly(action_id: str, fence: int, until: float) -> bool:
        clock.now += 2 * LEASE
        return True

    ledger.renew = slowly  # type: ignore[method-assign]
    clock.now += LEASE / 2
    assert not await mine.kept()
