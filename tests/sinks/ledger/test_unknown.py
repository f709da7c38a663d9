"""What nobody knows: looked for at the provider, shown absent twice, or decided by a person; on each kind of ledger."""

import pytest

from sinks.ledger.entries import Entry, Search, Settlement, Sought, State, Verdict
from sinks.ledger.port import Ledger
from tests.sinks.ledger.given import LEASE, NOW, SETTLE, SID, claim, claimed, fetch, message, names, news


async def unknown(ledger: Ledger, *ids: str) -> None:
    await ledger.record([message(name) for name in ids], NOW)
    await claimed(ledger)
    lost = [Settlement(name, State.UNKNOWN, due=NOW + SETTLE, reason="timeout") for name in ids]
    await ledger.settle(lost, NOW)
    await ledger.published(await ledger.unpublished(10, NOW, 0.0))


def told(entry: Entry, outcome: Sought, now: float, sid: str | None = None) -> Search:
    return Search(entry.action.id, entry.fence, entry.absences, outcome, now + SETTLE, sid)


async def test_an_unknown_one_is_looked_for_once_its_effect_would_be_seen_and_by_one_alone(ledger: Ledger) -> None:
    await unknown(ledger, "a")
    assert await claimed(ledger, NOW + SETTLE - 1) == []
    [entry] = await claim(ledger, NOW + SETTLE)
    assert (entry.state, entry.is_search, entry.attempts) == (State.UNKNOWN, True, 1)
    assert await claimed(ledger, NOW + SETTLE + LEASE - 1) == []
    assert await claimed(ledger, NOW + SETTLE + LEASE + 1) == ["a"], "who looked is gone"


async def test_what_is_found_is_looked_up_and_then_done(ledger: Ledger) -> None:
    await unknown(ledger, "a")
    now = NOW + SETTLE
    [entry] = await claim(ledger, now)
    await ledger.searched(told(entry, Sought.FOUND, now, SID), now)
    [lookup] = await claim(ledger, now)
    assert (lookup.is_lookup, lookup.resource_sid, lookup.attempts) == (True, SID, 1)
    await ledger.settle([Settlement("a", State.DONE, resource_sid=SID, fence=lookup.fence)], now)
    assert (await news(ledger))["a"] == (State.DONE, None, SID)


async def test_what_is_shown_absent_twice_is_asked_for_again(ledger: Ledger) -> None:
    await unknown(ledger, "a")
    for now in (NOW + SETTLE, NOW + 2 * SETTLE):
        [entry] = await claim(ledger, now)
        assert entry.is_search
        await ledger.searched(told(entry, Sought.ABSENT, now), now)
    [again] = await claim(ledger, NOW + 2 * SETTLE)
    assert (again.state, again.attempts, again.is_lookup) == (State.RUNNING, 2, False)


async def test_who_looked_and_was_overtaken_counts_for_nothing(ledger: Ledger) -> None:
    await unknown(ledger, "a")
    [frozen] = await claim(ledger, NOW + SETTLE)
    later = NOW + SETTLE + LEASE + 1
    [entry] = await claim(ledger, later)
    await ledger.searched(told(entry, Sought.ABSENT, later), later)
    await ledger.searched(told(frozen, Sought.ABSENT, later), later)
    assert (await claim(ledger, later + SETTLE))[0].absences == 1


async def test_a_callback_that_comes_late_wins_over_an_absence(ledger: Ledger) -> None:
    await unknown(ledger, "a")
    for now in (NOW + SETTLE, NOW + 2 * SETTLE):
        [entry] = await claim(ledger, now)
        await ledger.searched(told(entry, Sought.ABSENT, now), now)
    assert await ledger.sighted({"a": SID}, NOW + 3 * SETTLE) == ["messages.create"]
    assert [entry.is_lookup for entry in await claim(ledger, NOW + 3 * SETTLE)] == [True]


async def test_nothing_but_what_an_action_makes_shows_its_effect(ledger: Ledger) -> None:
    await unknown(ledger, "a")
    assert await ledger.sighted({"a": "RE" + "3" * 32}, NOW) == []
    assert await ledger.sighted({"a": SID}, NOW) == ["messages.create"]


async def test_what_no_list_can_show_is_stuck_and_is_told_so(ledger: Ledger) -> None:
    await unknown(ledger, "a")
    now = NOW + SETTLE
    [entry] = await claim(ledger, now)
    await ledger.searched(told(entry, Sought.UNCLEAR, now), now)
    assert await news(ledger) == {"a": (State.STUCK, "stuck", None)}
    assert names(await ledger.listed(State.STUCK, 10)) == ["a"]
    assert await claimed(ledger, NOW + 10 * SETTLE) == []
    assert (await ledger.standing(NOW)).open[State.STUCK] == 1
    assert await ledger.sighted({"a": SID}, now) == ["messages.create"], "a callback still tells"


@pytest.mark.parametrize(
    ("verdict", "state", "again"),
    [(Verdict.DONE, State.DONE, []), (Verdict.REFUSED, State.REFUSED, []), (Verdict.AGAIN, None, ["a"])],
)
async def test_a_person_decides(ledger: Ledger, verdict: Verdict, state: State | None, again: list[str]) -> None:
    await unknown(ledger, "a")
    assert await ledger.decide("a", verdict, NOW + 1)
    assert {name: entry[:2] for name, entry in (await news(ledger)).items()} == (
        {} if state is None else {"a": (state, "decided")}
    )
    assert await claimed(ledger, NOW + 1) == again
    assert not await ledger.decide("a", Verdict.DONE, NOW + 2), "there is nothing to decide any more"


async def test_only_what_waits_can_be_taken_back(ledger: Ledger) -> None:
    await ledger.record([message("a", "k"), message("b", "k"), fetch("c", "k")], NOW)
    assert await claimed(ledger) == ["a"]
    assert [await ledger.cancel(name, NOW) for name in ("a", "b", "b", "nobody")] == [False, True, False, False]
    assert (await news(ledger))["b"] == (State.REFUSED, "canceled", None)
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    assert await claimed(ledger) == ["c"]


async def test_those_alike_are_of_the_same_kind_to_the_same_recipient_at_that_time(ledger: Ledger) -> None:
    to = "+12025550100"
    await ledger.record([message("a", to=to), message("b", to=to), message("c"), message("d", to=to)], NOW)
    [entry, *_] = await claim(ledger, limit=3)
    await ledger.record([message("e", to=to)], NOW + 500)
    await claimed(ledger, NOW + 500)
    assert names(await ledger.alike(entry, NOW - 60, NOW + 60)) == ["b"], "d was not performed then"
