"""One suite for the ledger and its twin: both keep the same promises."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from processors.contract.actions import Action, CreateMessage, FetchRecording, ListMessages
from processors.sql import connect
from sinks.ledger.migrations import migrate_ledger
from sinks.ledger.performing import settle
from sinks.ledger.port import Entry, Ledger, MemoryLedger, Settlement, State
from sinks.ledger.sql import SqlLedger
from sinks.ledger.tables import METADATA
from sinks.twilio.replies import Done, NotYet

ACCOUNT = "AC" + "1" * 32
SID = "SM" + "2" * 32
NOW, LEASE, CAP = 1_800_000_000.0, 60.0, 10


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    engine = connect(f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite")
    await migrate_ledger(engine)
    yield SqlLedger(engine)
    await engine.dispose()


def message(name: str, key: str | None = None, to: str | None = None, not_after: float | None = None) -> Action:
    return CreateMessage(
        id=name,
        account_sid=ACCOUNT,
        ordering_key=key or name,
        to=to or f"+1202{crc32(name.encode()) % 10_000_000:07d}",
        from_="+15005550006",
        body="hello",
        not_after=None if not_after is None else datetime.fromtimestamp(not_after, UTC),
    )


def fetch(name: str) -> Action:
    return FetchRecording(id=name, account_sid=ACCOUNT, ordering_key=name, recording_sid="RE" + "3" * 32)


def names(entries: Sequence[Entry]) -> list[str]:
    return [entry.action.id for entry in entries]


async def claimed(ledger: Ledger, now: float = NOW, limit: int = 100) -> list[str]:
    return names(await ledger.claim(limit, now, LEASE, CAP))


async def states(ledger: Ledger) -> dict[str, tuple[State, str | None, str | None]]:
    return {e.action.id: (e.state, e.reason, e.resource_sid) for e in await ledger.unpublished(1000)}


async def test_an_action_asked_for_twice_is_recorded_once(ledger: Ledger) -> None:
    assert await ledger.record([message("a"), message("a"), message("b")], NOW) == 2
    assert await ledger.record([message("b"), message("c")], NOW + 1) == 1
    assert sorted(await claimed(ledger, NOW + 1)) == ["a", "b", "c"]


async def test_a_claimed_action_is_not_claimed_again(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [entry] = await ledger.claim(10, NOW, LEASE, CAP)
    assert (entry.action, entry.state, entry.attempts) == (message("a"), State.RUNNING, 1)
    assert await claimed(ledger, NOW + 10 * LEASE) == []


async def test_actions_of_one_key_are_performed_one_after_the_other_in_order(ledger: Ledger) -> None:
    await ledger.record([message("a", "k"), message("b", "k"), message("x", "other"), message("c", "k")], NOW)
    assert await claimed(ledger) == ["a", "x"]
    assert await claimed(ledger) == []
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    assert await claimed(ledger) == ["b"]
    await ledger.settle([Settlement("b", State.UNKNOWN)], NOW)
    assert await claimed(ledger) == ["c"]


async def test_an_action_that_waits_for_its_time_holds_back_those_behind_it(ledger: Ledger) -> None:
    await ledger.record([message("a", "k"), message("b", "k")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.WAITING, due=NOW + 5, reason="rate_limited")], NOW)
    assert await claimed(ledger, NOW + 4) == []
    assert await claimed(ledger, NOW + 5) == ["a"]


async def test_an_answer_written_down_again_after_the_next_attempt_began_changes_nothing(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [first] = await ledger.claim(1, NOW, LEASE, CAP)
    limited = settle(first, NotYet("rate_limited", 429, 20429), NOW + 1)
    await ledger.settle([limited], NOW)
    assert await claimed(ledger, NOW + 2) == ["a"]
    await ledger.settle([limited], NOW + 2)
    assert await claimed(ledger, NOW + 9) == [], "it is being performed"


async def test_an_effect_that_an_earlier_attempt_had_counts_however_late_it_is_told(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    [first] = await ledger.claim(1, NOW, LEASE, CAP)
    await ledger.settle([settle(first, NotYet("rate_limited", 429, 20429), NOW + 1)], NOW)
    assert await claimed(ledger, NOW + 2) == ["a"]
    await ledger.settle([settle(first, Done(201, {}), NOW)], NOW + 2)
    assert (await states(ledger))["a"][0] is State.DONE


async def test_the_limit_of_a_claim_is_kept(ledger: Ledger) -> None:
    await ledger.record([message(str(n)) for n in range(9)], NOW)
    assert await claimed(ledger, limit=4) == ["0", "1", "2", "3"]


async def test_what_is_over_the_hourly_cap_of_a_recipient_is_refused(ledger: Ledger) -> None:
    await ledger.record([message(str(n), to="+12025550100") for n in range(CAP + 2)], NOW)
    assert len(await claimed(ledger)) == CAP
    assert await states(ledger) == {
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
    for name in ("a", "b", "a"):
        await ledger.renew(name, NOW + 2 * LEASE)
    assert list((await ledger.expire(NOW + LEASE)).again) == []
    assert list((await ledger.expire(NOW + 2 * LEASE)).again) == ["recordings.fetch"]
    await ledger.renew("a", NOW + 9 * LEASE)  # it does not run any more
    assert await claimed(ledger, NOW + 2 * LEASE) == ["a", "b"]


async def test_how_many_a_list_showed_is_kept(ledger: Ledger) -> None:
    await ledger.record([fetch("a")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.DONE, http_status=200, observed=7)], NOW)
    [entry] = await ledger.unpublished(10)
    assert (entry.observed, entry.observation) == (7, None)


async def test_what_comes_too_late_is_refused(ledger: Ledger) -> None:
    await ledger.record([message("a", not_after=NOW + 5), message("b", not_after=NOW + 50)], NOW)
    assert await claimed(ledger, NOW + 6) == ["b"]
    assert await states(ledger) == {"a": (State.REFUSED, "expired", None)}


async def test_a_settled_answer_is_published_until_it_was(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    done = Settlement("a", State.DONE, resource_sid=SID, http_status=201, observation=b"{}")
    await ledger.settle([done], NOW + 1)
    [entry] = await ledger.unpublished(10)
    assert (entry.state, entry.resource_sid, entry.http_status, entry.observation, entry.settled_at) == (
        State.DONE, SID, 201, b"{}", NOW + 1,
    )  # fmt: skip
    await ledger.published([entry])
    assert await ledger.unpublished(10) == []


async def test_news_that_came_while_publishing_is_published_too(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.UNKNOWN, reason="timeout")], NOW)
    [old] = await ledger.unpublished(10)
    assert await ledger.sighted({"a": SID}, NOW) == ["messages.create"]
    assert await claimed(ledger) == ["a"]
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    await ledger.published([old])
    assert await states(ledger) == {"a": (State.DONE, None, SID)}


async def test_a_second_end_of_an_action_is_ignored(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.DONE, resource_sid=SID)], NOW)
    await ledger.settle([Settlement("a", State.REFUSED, reason="provider")], NOW)
    assert await states(ledger) == {"a": (State.DONE, None, SID)}


async def test_a_lost_performer_leaves_unknown_what_must_not_be_repeated(ledger: Ledger) -> None:
    await ledger.record([message("a"), fetch("r")], NOW)
    await claimed(ledger)
    assert (await ledger.expire(NOW + LEASE - 1)).unknown == []
    expired = await ledger.expire(NOW + LEASE)
    assert (list(expired.unknown), list(expired.again)) == (["messages.create"], ["recordings.fetch"])
    assert await states(ledger) == {"a": (State.UNKNOWN, "lease_expired", None)}
    assert await claimed(ledger, NOW + LEASE) == ["r"]


async def test_an_unknown_action_whose_effect_is_seen_is_looked_up_and_never_asked_for_again(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.UNKNOWN, reason="timeout")], NOW)
    assert await ledger.sighted({"a": SID, "nobody": SID}, NOW) == ["messages.create"]
    [entry] = await ledger.claim(10, NOW, LEASE, CAP)
    assert (entry.is_lookup, entry.resource_sid, entry.attempts) == (True, SID, 1)


async def test_an_effect_that_is_seen_before_the_answer_is_lost_counts(ledger: Ledger) -> None:
    await ledger.record([message("a"), message("b")], NOW)
    await claimed(ledger)
    assert await ledger.sighted({"a": SID}, NOW) == []
    await ledger.settle([Settlement("a", State.UNKNOWN, reason="timeout")], NOW)
    assert [entry.is_lookup for entry in await ledger.claim(10, NOW, LEASE, CAP)] == [True]
    assert await states(ledger) == {}


async def test_a_lookup_that_died_is_made_again(ledger: Ledger) -> None:
    await ledger.record([message("a")], NOW)
    await claimed(ledger)
    await ledger.sighted({"a": SID}, NOW)
    expired = await ledger.expire(NOW + LEASE)
    assert (list(expired.unknown), list(expired.again)) == ([], ["messages.create"])
    assert [entry.is_lookup for entry in await ledger.claim(10, NOW + LEASE, LEASE, CAP)] == [True]


async def test_a_lookup_is_neither_capped_nor_too_late(ledger: Ledger) -> None:
    await ledger.record([message("a", not_after=NOW + 1)], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("a", State.UNKNOWN)], NOW)
    await ledger.sighted({"a": SID}, NOW)
    assert names(await ledger.claim(10, NOW + 2, LEASE, 1)) == ["a"]


async def test_a_sighting_of_what_has_ended_or_waits_says_nothing(ledger: Ledger) -> None:
    await ledger.record([message("a"), message("b")], NOW)
    await ledger.claim(1, NOW, LEASE, CAP)
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    assert await ledger.sighted({"a": SID, "b": SID}, NOW) == []
    [entry] = await ledger.claim(10, NOW, LEASE, CAP)
    assert (entry.action.id, entry.is_lookup) == ("b", False)


async def test_an_effect_that_is_seen_while_the_lease_runs_out_is_looked_up_whichever_comes_first(
    ledger: Ledger,
) -> None:
    wanted = [f"a{number}" for number in range(60)]
    await ledger.record([message(name) for name in wanted], NOW)
    assert len(await claimed(ledger)) == len(wanted)
    late = NOW + LEASE + 1
    await asyncio.gather(*(f for name in wanted for f in (ledger.expire(late), ledger.sighted({name: SID}, late))))
    await ledger.expire(late + 1)
    entries = await ledger.claim(100, late + 2, LEASE, CAP)
    assert sorted(names(entries)) == sorted(wanted)
    assert all(entry.is_lookup for entry in entries)


async def test_the_standing_counts_what_is_open(ledger: Ledger) -> None:
    assert (await ledger.standing(NOW)).oldest_waiting is None
    await ledger.record([message("a"), message("b"), message("c")], NOW)
    await ledger.claim(2, NOW, LEASE, CAP)
    await ledger.settle([Settlement("a", State.UNKNOWN)], NOW)
    standing = await ledger.standing(NOW + 7)
    assert standing.open == {State.WAITING: 1, State.RUNNING: 1, State.UNKNOWN: 1}
    assert standing.oldest_waiting == pytest.approx(7)


async def test_a_thousand_actions_go_through(ledger: Ledger) -> None:
    assert await ledger.record([message(str(n)) for n in range(1000)], NOW) == 1000
    assert await ledger.record([message(str(n)) for n in range(1000)], NOW) == 0
    everything = await claimed(ledger, limit=2000)
    assert everything == [str(n) for n in range(1000)]
    await ledger.settle([Settlement(name, State.DONE) for name in everything], NOW)
    await ledger.published(await ledger.unpublished(2000))
    assert await ledger.unpublished(1) == []


async def test_the_migrations_make_the_table_that_is_declared(tmp_path: Path) -> None:
    engine = connect(f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite")
    await migrate_ledger(engine)
    await migrate_ledger(engine)  # a second start finds nothing to do

    def differences(connection: Connection) -> list[object]:
        migrations = MigrationContext.configure(connection, opts={"version_table": "ledger_version"})
        return list(compare_metadata(migrations, METADATA))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
