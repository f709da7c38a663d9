"""One suite for the ledger on memory, SQLite and PostgreSQL: all keep the same promises."""

import asyncio
from dataclasses import replace

import pytest

from processors.contract.actions import ListMessages
from sinks.ledger.answers import settle
from sinks.ledger.entries import Settlement, State
from sinks.ledger.port import Ledger
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply
from tests.sinks.ledger.given import (
    ACCOUNT,
    CAP,
    LEASE,
    NOW,
    PATIENCE,
    SETTLE,
    SID,
    TERMS,
    at,
    claim,
    claimed,
    fetch,
    message,
    names,
    news,
)  # fmt: skip


def lost(name: str) -> Settlement:
    return Settlement(name, State.UNKNOWN, due=NOW + SETTLE, reason="timeout")


async def test_an_action_asked_for_twice_is_recorded_once(ledger: Ledger) -> None:
    assert await ledger.record([message("a"), message("a"), message("b")], NOW) == 2
    assert await ledger.record([message("b"), message("c")], NOW + 1) == 1
    assert sorted(await claimed(ledger, NOW + 1)) == ["a", "b", "c"]


async def test_actions_of_a_key_keep_the_place_in_which_they_were_first_asked_for(ledger: Ledger) -> None:
    """Who was not sure that they arrived asks again, and half of that may come in one batch with the first."""
    await ledger.record([message("a", "k"), message("b", "k"), message("a", "k")], NOW)
    order: list[str] = []
    for _ in range(2):
        [name] = await claimed(ledger)
        order.append(name)
        await ledger.settle([Settlement(name, State.DONE)], NOW)
    assert order == ["a", "b"]


async def test_a_claimed_action_is_not_claimed_again(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [entry] = await claim(ledger)
    assert (entry.action, entry.state, entry.attempts) == (message("a"), State.RUNNING, 1)
    assert await claimed(ledger, NOW + 10 * LEASE) == []


async def test_actions_of_one_key_are_performed_one_after_the_other_in_order(ledger: Ledger) -> None:
    await ledger.record([message("a", "k"), message("b", "k"), message("x", "other"), message("c", "k")], NOW)
    assert await claimed(ledger) == ["a", "x"]
    assert await claimed(ledger) == []
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    assert await claimed(ledger) == ["b"]
    await ledger.settle([lost("b")], NOW)
    assert await claimed(ledger) == [], "nobody knows whether it comes before or after"
    await ledger.settle([Settlement("b", State.DONE)], NOW)
    assert await claimed(ledger) == ["c"]


async def test_nobody_waits_for_ever_for_one_that_was_asked_for_before(ledger: Ledger) -> None:
    await ledger.record([message("a", "k"), message("b", "k"), message("c", "k")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.WAITING, due=NOW + 9 * PATIENCE, reason="rate_limited")], NOW)
    assert await claimed(ledger, NOW + PATIENCE - 1) == []
    assert await claimed(ledger, NOW + PATIENCE) == ["b"], "one after the other all the same"
    await ledger.settle([Settlement("b", State.DONE)], NOW + PATIENCE)
    assert await claimed(ledger, NOW + PATIENCE) == ["c"]


async def test_one_for_later_waits_until_then_and_none_waits_for_it(ledger: Ledger) -> None:
    await ledger.record([message("a", "k", not_before=at(NOW + 50)), message("b", "k")], NOW)
    assert await claimed(ledger) == ["b"]
    await ledger.settle([Settlement("b", State.DONE)], NOW)
    assert await claimed(ledger, NOW + 49) == []
    assert await claimed(ledger, NOW + 50) == ["a"]


async def test_an_action_that_waits_for_its_time_holds_back_those_behind_it(ledger: Ledger) -> None:
    await ledger.record([message("a", "k"), message("b", "k")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.WAITING, due=NOW + 5, reason="rate_limited")], NOW)
    assert await claimed(ledger, NOW + 4) == []
    assert await claimed(ledger, NOW + 5) == ["a"]


async def test_an_answer_written_down_again_after_the_next_attempt_began_changes_nothing(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [first] = await claim(ledger, limit=1)
    limited = settle(first, NotYet("rate_limited", 429, 20429), NOW + 1, NOW + SETTLE)
    await ledger.settle([limited], NOW)
    assert await claimed(ledger, NOW + 2) == ["a"]
    await ledger.settle([limited], NOW + 2)
    assert await claimed(ledger, NOW + 9) == [], "it is being performed"


async def test_an_answer_of_an_earlier_claim_ends_nothing(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [first] = await claim(ledger)
    await ledger.settle([settle(first, NotYet("no_connection"), NOW + 1, NOW + SETTLE)], NOW)
    [second] = await claim(ledger, NOW + 2)
    assert second.fence == first.fence + 1
    for late in (Lost("timeout"), NotYet("no_connection"), Refused(400, 21211)):
        await ledger.settle([settle(first, late, NOW + 3, NOW + 3)], NOW + 3)
    assert (await claimed(ledger, NOW + 4), await news(ledger)) == ([], {}), "the second is under way"
    await ledger.settle([settle(second, Refused(400, 21211), NOW, NOW)], NOW + 5)
    assert (await news(ledger))["a"][:2] == (State.REFUSED, "provider")


async def test_an_effect_of_an_earlier_claim_is_looked_up_when_the_later_one_is_lost(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [first] = await claim(ledger)
    await ledger.settle([settle(first, NotYet("no_connection"), NOW + 1, NOW + SETTLE)], NOW)
    [second] = await claim(ledger, NOW + 2)
    await ledger.settle([Settlement("a", State.DONE, resource_sid=SID, fence=first.fence)], NOW + 3)
    assert await news(ledger) == {}
    await ledger.settle([settle(second, Lost("timeout"), NOW + 4, NOW + 4)], NOW + 4)
    [entry] = await claim(ledger, NOW + 4)
    assert (entry.is_lookup, entry.resource_sid) == (True, SID)


async def test_an_answer_that_comes_after_its_lease_still_counts_while_nobody_else_has_begun(ledger: Ledger) -> None:
    await ledger.record([message("a"), message("b"), message("c"), message("d")], NOW)
    frozen = await claim(ledger)
    assert len((await ledger.expire(NOW + LEASE + 0.5, SETTLE)).unknown) == 4
    answers: list[Reply] = [Done(201, {}), Refused(400, 21211), NotYet("lease_over"), Lost("timeout")]
    late = NOW + LEASE + 1
    await ledger.settle([settle(e, a, late, late) for e, a in zip(frozen, answers, strict=True)], late)
    told = {name: state for name, (state, *_) in (await news(ledger)).items()}
    assert told == {"a": State.DONE, "b": State.REFUSED, "d": State.UNKNOWN}
    assert await claimed(ledger, late) == ["c"], "it was never asked for"


async def test_the_limit_of_a_claim_is_kept(ledger: Ledger) -> None:
    await ledger.record([message(str(n)) for n in range(9)], NOW)
    assert await claimed(ledger, limit=4) == ["0", "1", "2", "3"]


async def test_what_is_over_the_hourly_cap_of_a_recipient_is_refused(ledger: Ledger) -> None:
    await ledger.record([message(str(n), to="+12025550100") for n in range(CAP + 2)], NOW)
    assert len(await claimed(ledger)) == CAP
    assert await news(ledger) == {
        str(CAP): (State.REFUSED, "capped", None),
        str(CAP + 1): (State.REFUSED, "capped", None),
    }
    await ledger.record([message("later", to="+12025550100")], NOW)
    assert await claimed(ledger, NOW + 3601) == ["later"]


async def test_a_list_of_what_went_to_somebody_reaches_nobody(ledger: Ledger) -> None:
    to, many = "+12025550100", CAP + 2
    await ledger.record(
        [ListMessages(id=f"l{n}", account_sid=ACCOUNT, ordering_key=f"l{n}", to=to) for n in range(many)], NOW
    )
    assert len(await claimed(ledger)) == many
    await ledger.record([message("a", to=to)], NOW)
    assert await claimed(ledger) == ["a"]


async def test_a_lease_that_is_renewed_lasts(ledger: Ledger) -> None:
    await ledger.record([fetch("a"), fetch("b")], NOW)
    await claimed(ledger, limit=1)
    for name, fence in (("a", 1), ("b", 0), ("b", 1), ("a", 1)):
        assert await ledger.renew(name, fence, NOW + 2 * LEASE) == (name == "a")
    assert not await ledger.renew("a", 2, NOW + 9 * LEASE), "another claim than the one that runs"
    assert list((await ledger.expire(NOW + LEASE, SETTLE)).again) == []
    assert list((await ledger.expire(NOW + 2 * LEASE, SETTLE)).again) == ["recordings.fetch"]
    assert not await ledger.renew("a", 1, NOW + 9 * LEASE), "it does not run any more"
    assert await claimed(ledger, NOW + 2 * LEASE) == ["b", "a"]


async def test_how_many_a_list_showed_is_kept(ledger: Ledger) -> None:
    await ledger.record([fetch("a")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.DONE, http_status=200, observed=7)], NOW)
    [entry] = await ledger.unpublished(10, NOW, 0.0)
    assert (entry.observed, entry.observation) == (7, None)


async def test_what_comes_too_late_is_refused(ledger: Ledger) -> None:
    await ledger.record([message("a", not_after=at(NOW + 5)), message("b", not_after=at(NOW + 50))], NOW)
    assert await claimed(ledger, NOW + 6) == ["b"]
    assert await news(ledger) == {"a": (State.REFUSED, "expired", None)}


async def test_a_settled_answer_is_published_until_it_was(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    done = Settlement("a", State.DONE, resource_sid=SID, http_status=201, observation="{}")
    await ledger.settle([done], NOW + 1)
    [entry] = await ledger.unpublished(10, NOW, 0.0)
    assert (entry.state, entry.resource_sid, entry.http_status, entry.observation, entry.settled_at) == (
        State.DONE, SID, 201, "{}", NOW + 1,
    )  # fmt: skip
    await ledger.published([entry])
    assert await ledger.unpublished(10, NOW, 0.0) == []


async def test_news_that_came_while_publishing_is_published_too(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([lost("a")], NOW)
    [old] = await ledger.unpublished(10, NOW, 0.0)
    assert await ledger.sighted({"a": SID}, NOW) == ["messages.create"]
    assert await claimed(ledger) == ["a"]
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    await ledger.published([old])
    assert await news(ledger) == {"a": (State.DONE, None, SID)}


async def test_a_second_end_of_an_action_is_ignored(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.DONE, resource_sid=SID)], NOW)
    await ledger.settle([Settlement("a", State.REFUSED, reason="provider")], NOW)
    assert await news(ledger) == {"a": (State.DONE, None, SID)}


async def test_a_lost_performer_leaves_unknown_what_must_not_be_repeated(ledger: Ledger) -> None:
    await ledger.record([message("a"), fetch("r")], NOW)
    await claimed(ledger)
    assert (await ledger.expire(NOW + LEASE - 1, SETTLE)).unknown == []
    expired = await ledger.expire(NOW + LEASE + 1, SETTLE)
    assert (list(expired.unknown), list(expired.again)) == (["messages.create"], ["recordings.fetch"])
    assert await news(ledger) == {"a": (State.UNKNOWN, "lease_expired", None)}
    assert await claimed(ledger, NOW + LEASE + 1) == ["r"]


async def test_an_unknown_action_whose_effect_is_seen_is_looked_up_and_never_asked_for_again(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([lost("a")], NOW)
    assert await ledger.sighted({"a": SID, "nobody": SID}, NOW) == ["messages.create"]
    [entry] = await claim(ledger)
    assert (entry.is_lookup, entry.resource_sid, entry.attempts) == (True, SID, 1)


async def test_an_effect_that_is_seen_before_the_answer_is_lost_counts(ledger: Ledger) -> None:
    await ledger.record([message("a"), message("b")], NOW)
    await claimed(ledger)
    assert await ledger.sighted({"a": SID}, NOW) == []
    await ledger.settle([lost("a")], NOW)
    assert [entry.is_lookup for entry in await claim(ledger)] == [True]
    assert await news(ledger) == {}


async def test_a_lookup_that_died_is_made_again(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.sighted({"a": SID}, NOW)
    expired = await ledger.expire(NOW + LEASE + 1, SETTLE)
    assert (list(expired.unknown), list(expired.again)) == ([], ["messages.create"])
    assert [entry.is_lookup for entry in await claim(ledger, NOW + LEASE + 1)] == [True]


async def test_a_lookup_is_neither_capped_nor_too_late(ledger: Ledger) -> None:
    await ledger.record([message("a", not_after=at(NOW + 1))], NOW)
    await claimed(ledger)
    await ledger.settle([lost("a")], NOW)
    await ledger.sighted({"a": SID}, NOW)
    assert await claimed(ledger, NOW + 2, terms=replace(TERMS, per_recipient_hour=1, per_account_day=1)) == ["a"]


async def test_a_sighting_of_what_has_ended_or_waits_says_nothing(ledger: Ledger) -> None:
    await ledger.record([message("a"), message("b")], NOW)
    await claim(ledger, limit=1)
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    assert await ledger.sighted({"a": SID, "b": SID}, NOW) == []
    [entry] = await claim(ledger)
    assert (entry.action.id, entry.is_lookup) == ("b", False)


async def test_an_effect_that_is_seen_while_the_lease_runs_out_is_looked_up_whichever_comes_first(
    ledger: Ledger,
) -> None:
    wanted = [f"a{number}" for number in range(60)]
    await ledger.record([message(name) for name in wanted], NOW)
    assert len(await claimed(ledger)) == len(wanted)
    late = NOW + LEASE + 1
    await asyncio.gather(
        *(f for name in wanted for f in (ledger.expire(late, SETTLE), ledger.sighted({name: SID}, late)))
    )
    await ledger.expire(late + 1, SETTLE)
    entries = await claim(ledger, late + 2, 100)
    assert sorted(names(entries)) == sorted(wanted)
    assert all(entry.is_lookup for entry in entries)


async def test_the_standing_counts_what_is_open(ledger: Ledger) -> None:
    assert (await ledger.standing(NOW)).oldest_waiting is None
    await ledger.record([message("a"), message("b"), message("c")], NOW)
    await claim(ledger, NOW, 2)
    await ledger.settle([lost("a")], NOW)
    standing = await ledger.standing(NOW + 7)
    assert standing.open == {State.WAITING: 1, State.RUNNING: 1, State.UNKNOWN: 1, State.STUCK: 0}
    assert standing.oldest_waiting == pytest.approx(7)


async def test_a_thousand_actions_go_through(ledger: Ledger) -> None:
    assert await ledger.record([message(str(n)) for n in range(1000)], NOW) == 1000
    assert await ledger.record([message(str(n)) for n in range(1000)], NOW) == 0
    everything = await claimed(ledger, limit=2000)
    assert everything == [str(n) for n in range(1000)]
    await ledger.settle([Settlement(name, State.DONE) for name in everything], NOW)
    await ledger.published(await ledger.unpublished(2000, NOW, 0.0))
    assert await ledger.unpublished(1, NOW, 0.0) == []


async def test_what_has_ended_is_forgotten_in_time_and_what_has_not_never(ledger: Ledger) -> None:
    await ledger.record([message(name) for name in "abcd"], NOW)
    await claimed(ledger, limit=3)
    await ledger.settle([Settlement("a", State.DONE), Settlement("b", State.DONE), lost("c")], NOW)
    assert await ledger.trim(NOW + 1, 10) == 0, "nobody has told yet what came of them"
    await ledger.published(await ledger.unpublished(10, NOW, 0.0))
    assert await ledger.trim(NOW, 10) == 0
    assert [await ledger.trim(NOW + 1, 1) for _ in range(3)] == [1, 1, 0]
    assert await ledger.record([message(name) for name in "abcd"], NOW + 2) == 2


async def test_what_is_being_published_is_nobody_elses_for_a_while(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    assert names(await ledger.unpublished(10, NOW, 5.0)) == ["a"]
    assert names(await ledger.unpublished(10, NOW + 4, 5.0)) == []
    assert names(await ledger.unpublished(10, NOW + 5, 5.0)) == ["a"]


async def test_who_publishes_late_what_is_old_makes_the_newest_be_published_again(ledger: Ledger) -> None:
    """The last record of a key is what stands."""
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([lost("a")], NOW)
    frozen = await ledger.unpublished(10, NOW, 1.0)
    await ledger.settle([Settlement("a", State.DONE)], NOW + 2)
    await ledger.published(await ledger.unpublished(10, NOW + 2, 1.0))
    assert await news(ledger) == {}
    await ledger.published(frozen)
    assert (await news(ledger))["a"][0] is State.DONE
