"""One suite for the store port: in memory, in SQLite and in PostgreSQL it keeps the same promises."""

import asyncio

import pytest

from processors.domain.facts import Facts, Resource
from processors.store.opening import open_store
from processors.store.port import Conflict, Forgotten, Store
from tests.processors.store.rows import ACCOUNT, NUMBER, at, call, facts, plain, put, recording, row, sid, stored

stores = pytest.mark.parametrize("kind", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
on_postgres = pytest.mark.parametrize("kind", [pytest.param("postgres", marks=pytest.mark.postgres)])


EVERYTHING = Facts(
    {"queued": (at(1), None), "delivered": (at(2), at(1))},
    {"received": (at(0), None), "judged:a rule": (at(9), at(8))},
    {"30005": (at(2), at(1))},
    {
        "to": ("whatsapp:+15552223333", -1, ""),
        "body": ("ä😀 \u2028 \" '", -1, ""),
        "error_message": ("cut \0 off", -1, ""),
        "account_ref": ("\0", 2, at(4)),
        "num_media": (0, -1, ""),
        "unsolicited": (True, -1, ""),
        "muted": (False, 3, at(5)),
        "duration": (2**31 - 1, 0, ""),
        "empty": ("", -1, ""),
    },
)


@stores
async def test_what_was_written_is_read(store: Store) -> None:
    rows = [row(1, known=EVERYTHING, due=at(60)), row(2, known=facts())._replace(sweeps=3)]
    await put(store, *rows)
    assert await store.read([sid(1), sid(2), sid(3)]) == {each.key: each for each in rows}
    assert await store.read([]) == {}
    found = (await store.read([sid(1)]))[sid(1)]
    assert isinstance(found, Resource)
    for name, (value, *_) in EVERYTHING.attributes.items():
        assert type(found.facts.attributes[name][0]) is type(value), name


@stores
async def test_every_kind_is_read_as_it_was_written_whatever_its_columns_cannot_hold(store: Store) -> None:
    rows = [
        row(1, known=Facts()),
        row(2, known=facts(attributes=plain(from_="a\0b", to="\0", direction=""))),
        row(3, known=Facts({"in\0vented": (at(1), None)})),
        call(4, parent_call_sid=sid(5, "CA"), from_="client:ä"),
        recording(6, call_sid=sid(4, "CA")),
        Resource(sid(7, "CF"), "conference", ACCOUNT, 1, facts(attributes={"friendly_name": ("é", 3, at(9))})),
        Resource(f"{sid(7, 'CF')}/{sid(4, 'CA')}", "participant", ACCOUNT, 1, facts(attributes={})),
    ]
    await put(store, *rows)
    assert await store.read([each.key for each in rows]) == {each.key: each for each in rows}


@stores
async def test_asked_for_twice_a_row_is_there_once(store: Store) -> None:
    await put(store, row(1))
    assert await store.read([sid(1), sid(9), sid(1)]) == {sid(1): row(1)}


@stores
async def test_a_row_goes_on_from_the_version_that_was_read(store: Store) -> None:
    await put(store, row(1))
    known = (await store.read([sid(1)]))[sid(1)]
    assert isinstance(known, Resource)
    further = known._replace(version=2, facts=known.facts._replace(statuses=facts(sent=5, queued=0).statuses))
    await store.write([further], {sid(1): 1})
    more = further._replace(version=3, facts=facts(sent=5, queued=0, attributes={"to": ("x", -1, "")}), due=at(9))
    await store.read([sid(1)])
    await store.write([more], {sid(1): 2})
    assert await store.read([sid(1)]) == {sid(1): more}


@stores
async def test_nothing_of_a_write_is_kept_where_one_row_has_another_version(store: Store) -> None:
    await put(store, row(1), row(2))
    for expected in ({sid(1): 1, sid(2): 0, sid(3): 0}, {sid(1): 1, sid(2): 7, sid(3): 0}):
        with pytest.raises(Conflict):
            await store.write([row(1, 2), row(2, 2), row(3)], expected)
    assert await store.read([sid(1), sid(2), sid(3)]) == {sid(1): row(1), sid(2): row(2)}


@stores
async def test_a_new_row_that_is_there_by_now_and_one_that_is_gone_are_conflicts(store: Store) -> None:
    await put(store, row(1, known=facts(99)), row(2, known=facts(10)))
    with pytest.raises(Conflict):
        await store.write([row(1), row(3)], {sid(1): 0, sid(3): 0})
    assert await store.expire(at(50), at(1000), 10) == 1
    with pytest.raises(Conflict):
        await store.write([row(2, 2), row(3)], {sid(2): 1, sid(3): 0})
    with pytest.raises(Conflict):
        await store.write([row(4, 2)], {sid(4): 1})
    assert sid(3) not in await store.read([sid(3)])
    assert isinstance((await store.read([sid(2)]))[sid(2)], Forgotten)


@stores
async def test_what_another_wrote_meanwhile_is_a_conflict_and_then_read(store: Store, kind: str, url: str) -> None:
    await put(store, row(1))
    known = (await store.read([sid(1)]))[sid(1)]
    other = store if kind == "memory" else await open_store(url)
    theirs = row(1, 2, known=facts(sent=3))
    await other.write([theirs], {sid(1): 1})
    if other is not store:
        await other.close()
    assert isinstance(known, Resource)
    with pytest.raises(Conflict):
        await store.write([known._replace(version=2)], {sid(1): 1})
    assert await store.read([sid(1)]) == {sid(1): theirs}
    ours = theirs._replace(version=3, facts=facts(sent=3, delivered=4))
    await store.write([ours], {sid(1): 2})
    assert await store.read([sid(1)]) == {sid(1): ours}


@stores
async def test_the_longest_due_is_claimed_first_and_nobody_else_gets_it_meanwhile(store: Store) -> None:
    await put(store, row(1, due=at(30)), row(2, due=at(10)), row(3, due=at(20)), row(4), row(5, due=at(99)))
    assert await store.claim(at(5), at(500), 10) == []
    first = await store.claim(at(40), at(500), 2)
    assert [each.key for each in first] == [sid(2), sid(3)]
    assert {each.due for each in first} == {at(500)}
    assert [each.version for each in first] == [1, 1]
    assert [each.key for each in await store.claim(at(40), at(500), 10)] == [sid(1)]
    assert await store.claim(at(40), at(500), 10) == []
    again = await store.claim(at(500), at(900), 10)
    assert sorted(each.key for each in again) == [sid(1), sid(2), sid(3), sid(5)]


@stores
async def test_a_due_time_that_moved_or_went_is_not_claimed_at_the_old_one(store: Store) -> None:
    await put(store, row(1, due=at(10)), row(2, due=at(10)), row(3, due=at(50)))
    known = await store.read([sid(1), sid(2), sid(3)])
    moved = [known[sid(n)]._replace(version=2, due=due) for n, due in ((1, at(80)), (2, None), (3, at(5)))]  # type: ignore[call-arg]
    await store.write(moved, {each.key: 1 for each in moved})  # type: ignore[arg-type]
    assert [each.key for each in await store.claim(at(60), at(500), 10)] == [sid(3)]
    assert [each.key for each in await store.claim(at(80), at(500), 10)] == [sid(1)]


@stores
async def test_many_that_are_due_together_are_claimed_a_few_at_a_time(store: Store) -> None:
    await put(store, *(row(number, due=at(10)) for number in range(25)))
    seen: list[str] = []
    while claimed := await store.claim(at(10), at(500), 10):
        assert len(claimed) <= 10
        seen += [each.key for each in claimed]
    assert sorted(seen) == [sid(number) for number in range(25)]


@stores
async def test_what_is_left_of_those_due_together_is_still_due_before_what_came_later(store: Store) -> None:
    await put(store, *(row(number, due=at(10)) for number in range(5)), row(5, due=at(20)))
    keys = [each.key for _ in range(3) for each in await store.claim(at(30), at(500), 2)]
    assert sorted(keys[:5]) == [sid(number) for number in range(5)]
    assert keys[5] == sid(5)


@stores
async def test_a_claim_is_given_back_by_writing_an_earlier_time(store: Store) -> None:
    await put(store, row(1, due=at(10)))
    (claimed,) = await store.claim(at(10), at(500), 10)
    await store.write([claimed._replace(version=2, due=at(60))], {sid(1): 1})
    assert await store.claim(at(59), at(600), 10) == []
    assert [each.key for each in await store.claim(at(60), at(600), 10)] == [sid(1)]
    assert [each.version for each in await store.claim(at(600), at(900), 10)] == [2]


@stores
async def test_one_that_is_written_while_it_is_claimed_comes_up_again(store: Store, kind: str, url: str) -> None:
    """Whoever read it before the claim writes the old time back; once the lease is over it is found, if not before."""
    await put(store, row(1, due=at(10)))
    other = store if kind == "memory" else await open_store(url)
    known = await stored(other, sid(1))
    assert len(await store.claim(at(10), at(500), 10)) == 1
    await other.write([known._replace(version=2, facts=facts(sent=9, queued=0))], {sid(1): 1})
    if other is not store:
        await other.close()
    again = [*await store.claim(at(20), at(500), 10), *await store.claim(at(500), at(900), 10)]
    assert {(each.key, each.version) for each in again} == {(sid(1), 2)}


@on_postgres
async def test_two_that_claim_at_once_get_different_rows(store: Store, url: str) -> None:
    for start in range(0, 400, 20):
        await put(store, *(row(number, due=at(10)) for number in range(start, start + 20)))
    other = await open_store(url)
    try:
        claims = await asyncio.gather(*(each.claim(at(10), at(500), 15) for each in [store, other] * 20))
        while rest := await store.claim(at(10), at(500), 100):
            claims.append(rest)
    finally:
        await other.close()
    keys = [each.key for claim in claims for each in claim]
    assert sorted(keys) == [sid(number) for number in range(400)], "each once, and none left"


@stores
async def test_what_hangs_on_a_call_or_a_conference_is_found(store: Store) -> None:
    parent, conference = sid(1, "CA"), sid(2, "CF")
    links = plain(call_sid=parent, conference_sid=conference)
    inside = Resource(f"{conference}/{parent}", "participant", ACCOUNT, 1, facts(attributes=links))
    rows = [call(4, parent_call_sid=parent), inside, recording(3, call_sid=parent)]
    await put(store, recording(5, call_sid=sid(9, "CA")), *reversed(rows), recording(6, call_sid="\0"))
    assert await store.children(parent) == rows
    assert await store.children(conference) == [inside]
    assert await store.children(sid(8, "CA")) == []


@stores
async def test_a_row_whose_time_is_over_is_remembered_and_not_brought_back(store: Store) -> None:
    await put(store, row(1, known=facts(queued=10)), row(2, known=facts(queued=10, sent=99)), row(3, known=facts(99)))
    assert await store.expire(at(50), at(1000), 10) == 1
    found = await store.read([sid(1), sid(2), sid(3)])
    assert found[sid(1)] == Forgotten(sid(1), at(1000))
    assert isinstance(found[sid(2)], Resource)
    assert await store.expire(at(50), at(1000), 10) == 0
    assert await store.bury(at(1000), 10) == 0
    assert await store.bury(at(1001), 10) == 1
    assert sid(1) not in await store.read([sid(1)])


@stores
async def test_no_more_is_taken_away_at_once_than_was_asked_for(store: Store) -> None:
    keys = [sid(number) for number in range(5)]
    await put(store, *(row(number, known=facts(number)) for number in range(5)))
    assert [await store.expire(at(50), at(100), 2) for _ in range(4)] == [2, 2, 1, 0]
    assert {type(each) for each in (await store.read(keys)).values()} == {Forgotten}
    assert [await store.bury(at(101), 3) for _ in range(3)] == [3, 2, 0]
    assert await store.read(keys) == {}


@stores
async def test_a_row_that_came_back_is_a_row_and_is_remembered_anew(store: Store) -> None:
    await put(store, row(1, known=facts(1), due=at(5)))
    await store.expire(at(50), at(100), 10)
    assert await store.claim(at(500), at(900), 10) == []
    await put(store, row(1, known=facts(60)))
    assert await store.read([sid(1)]) == {sid(1): row(1, known=facts(60))}
    await store.expire(at(70), at(200), 10)
    assert await store.bury(at(150), 10) == 0
    assert await store.read([sid(1)]) == {sid(1): Forgotten(sid(1), at(200))}


@stores
async def test_a_person_is_forgotten_wherever_the_number_occurs(store: Store) -> None:
    ordered = {"from": (NUMBER, 2, at(3)), "to": ("+15550001111", 2, "")}
    parent = Resource(sid(5, "CA"), "call", ACCOUNT, 1, facts(attributes=dict(ordered)))
    rows = [
        row(1, known=facts(attributes=plain(to=f"whatsapp:{NUMBER}", body="hello"))),
        row(2, known=facts(attributes=plain(to="+15559999999", body=f"call {NUMBER}!"))),
        row(3, known=facts(attributes=plain(to=f"{NUMBER}4", body="another"))),
        parent,
        recording(6, call_sid=parent.key, transcription_text="it is me"),
        row(7, due=at(9), known=facts(attributes=plain(media=f"https://x/{NUMBER}"))),
    ]
    await put(store, *rows)
    hit = [sid(1), sid(2), sid(7), parent.key, sid(6, "RE")]
    assert await store.forget(NUMBER) == sorted(hit)
    found = await store.read([each.key for each in rows])
    assert found[sid(3)] == rows[2]
    for key in hit:
        told = str(found[key])
        assert NUMBER not in told
        assert "it is me" not in told
        assert "hello" not in told
        assert (await stored(store, key)).version == 2
    assert [each.key for each in await store.children(parent.key)] == [sid(6, "RE")], "what links it stays"
    assert [each.key for each in await store.claim(at(9), at(99), 10)] == [sid(7)], "and when it is due"
    assert await store.forget(NUMBER) == []
    assert await store.read([each.key for each in rows]) == {**found, sid(7): await stored(store, sid(7))}


@stores
async def test_what_hangs_on_a_call_that_hangs_on_a_call_is_scrubbed_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the calls are looked at apart: the second is scrubbed because of the first."""
    monkeypatch.setattr("processors.store.sql.STRETCH", 1)
    first, second = call(1, from_=NUMBER), call(2, to=NUMBER, parent_call_sid=sid(1, "CA"))
    said = recording(3, call_sid=second.key, transcription_text="it is me")
    await put(store, first, second, said)
    assert await store.forget(NUMBER) == [first.key, second.key, said.key]
    assert "it is me" not in str(await store.read([said.key]))
