"""Performed again because a person says so: what was refused or is stuck, and nothing that may have had an effect."""

from sinks.ledger.entries import Search, Settlement, Sought, State, Verdict
from sinks.ledger.port import Ledger
from tests.sinks.ledger.given import NOW, SETTLE, SID, claim, claimed, fetch, message, news


async def refused(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    assert await claimed(ledger) == ["a"]
    await ledger.settle(
        [Settlement("a", State.REFUSED, http_status=400, error_code=21610, reason="provider", fence=1)], NOW
    )


async def test_what_was_refused_is_performed_again_and_a_result_follows(ledger: Ledger) -> None:
    await refused(ledger)
    await ledger.published(await ledger.unpublished(9, NOW, 0.0))
    assert await ledger.retry("a", NOW + 1)
    assert not await ledger.retry("a", NOW + 1), "it waits already"
    assert await news(ledger) == {}
    entry = await ledger.entry("a")
    assert entry is not None
    assert (entry.reason, entry.error_code, entry.http_status) == (None, None, None)
    [entry] = await claim(ledger, NOW + 1)
    assert entry.attempts == 2
    await ledger.settle([Settlement("a", State.DONE, resource_sid=SID, fence=entry.fence)], NOW + 2)
    assert await news(ledger) == {"a": (State.DONE, None, SID)}


async def test_an_answer_of_before_ends_nothing_but_what_it_made_was_made(ledger: Ledger) -> None:
    await refused(ledger)
    await ledger.retry("a", NOW + 1)
    await ledger.settle([Settlement("a", State.REFUSED, reason="provider", fence=1)], NOW + 1)
    entry = await ledger.entry("a")
    assert entry is not None
    assert entry.state is State.WAITING
    await ledger.settle([Settlement("a", State.DONE, resource_sid=SID, fence=1)], NOW + 1)
    [entry] = await claim(ledger, NOW + 2)
    assert entry.is_lookup, "it is there: asking again would make another"


async def test_what_is_stuck_is_performed_again(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [entry] = await claim(ledger)
    await ledger.settle([Settlement("a", State.UNKNOWN, due=NOW + SETTLE)], NOW)
    assert not await ledger.retry("a", NOW), "whether it had an effect is being looked for"
    [entry] = await claim(ledger, NOW + SETTLE)
    await ledger.searched(Search("a", entry.fence, entry.absences, Sought.UNCLEAR, NOW), NOW + SETTLE)
    assert await ledger.retry("a", NOW + SETTLE)
    assert await claimed(ledger, NOW + SETTLE) == ["a"]


async def test_nothing_else_is(ledger: Ledger) -> None:
    await ledger.record([message("a"), fetch("b"), message("c")], NOW)
    assert await claimed(ledger, limit=1) == ["a"]
    assert [await ledger.retry(name, NOW) for name in ("a", "b", "nobody")] == [False, False, False]
    await ledger.settle([Settlement("a", State.DONE, resource_sid=SID)], NOW)
    assert not await ledger.retry("a", NOW)


async def test_what_a_person_has_settled_is_not(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claim(ledger)
    await ledger.settle([Settlement("a", State.UNKNOWN, due=NOW + SETTLE)], NOW)
    assert await ledger.decide("a", Verdict.REFUSED, NOW)
    assert not await ledger.retry("a", NOW), "its request may have left, and what shows it is not looked for any more"


async def test_what_is_past_its_time_is_refused_again(ledger: Ledger) -> None:
    await ledger.record([message("a", not_after="2027-01-15T08:00:10Z")], NOW)
    assert await claimed(ledger, NOW + 60) == []
    assert await news(ledger) == {"a": (State.REFUSED, "expired", None)}
    assert await ledger.retry("a", NOW + 61)
    assert await claimed(ledger, NOW + 61) == []
    assert await news(ledger) == {"a": (State.REFUSED, "expired", None)}
