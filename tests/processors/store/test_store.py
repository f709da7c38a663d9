"""One suite for the store port: in memory, in SQLite and in PostgreSQL it keeps the same promises."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from processors.contract.state import METADATA
from processors.domain.facts import Attribute, Facts, Resource, Seen
from processors.sql import connect, open_database
from processors.store.migrations import migrate_state
from processors.store.opening import open_store
from processors.store.port import Conflict, Forgotten, MemoryStore, Store, StoreUnavailable
from processors.store.sql import SqlStore

ACCOUNT = "AC" + "0" * 32
NUMBER = "+15552223333"

stores = pytest.mark.parametrize(
    "kind", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], scope="function"
)


@pytest.fixture
def kind() -> str:
    return "memory"


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if kind == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    return f"sqlite+aiosqlite:///{tmp_path}/state.sqlite"


@pytest.fixture
async def store(kind: str, url: str) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if kind == "memory" else await open_store(url)
    yield made
    await made.close()


def at(second: int) -> str:
    return f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000000Z"


def sid(number: int, prefix: str = "SM") -> str:
    return f"{prefix}{number:032x}"


def facts(second: int = 0, attributes: dict[str, Attribute] | None = None, **statuses: int) -> Facts:
    seen: dict[str, Seen] = {name: (at(time), None) for name, time in (statuses or {"queued": second}).items()}
    return Facts(seen, {}, {}, attributes if attributes is not None else {"to": (NUMBER, -1, "")})


def row(number: int, version: int = 1, due: str | None = None, known: Facts | None = None) -> Resource:
    return Resource(sid(number), "message", ACCOUNT, version, known or facts(), due)


async def put(store: Store, *rows: Resource) -> None:
    await store.write(rows, {each.key: each.version - 1 for each in rows})


EVERYTHING = Facts(
    {"queued": (at(1), None), "delivered": (at(2), at(1))},
    {"received": (at(0), None), "judged:a rule": (at(9), at(8))},
    {"30005": (at(2), at(1))},
    {
        "to": ("whatsapp:+15552223333", -1, ""),
        "body": ("ä😀 \u2028 \" '", -1, ""),
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
    assert type(found.facts.attributes["unsolicited"][0]) is bool
    assert type(found.facts.attributes["num_media"][0]) is int


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
    with pytest.raises(Conflict):
        await store.write([row(4, 2)], {sid(4): 1})


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


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgres"])
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
    call, conference = sid(1, "CA"), sid(2, "CF")
    rows = [
        Resource(sid(3, "RE"), "recording", ACCOUNT, 1, facts(attributes={"call_sid": (call, -1, "")})),
        Resource(
            f"{conference}/{call}",
            "participant",
            ACCOUNT,
            1,
            facts(attributes={"call_sid": (call, 1, ""), "conference_sid": (conference, 1, "")}),
        ),
        Resource(sid(4, "CA"), "call", ACCOUNT, 1, facts(attributes={"parent_call_sid": (call, -1, "")})),
        Resource(sid(5, "RE"), "recording", ACCOUNT, 1, facts(attributes={"call_sid": (sid(9, "CA"), -1, "")})),
    ]
    await put(store, *rows)
    assert {each.key for each in await store.children(call)} == {each.key for each in rows[:3]}
    assert {each.key for each in await store.children(conference)} == {f"{conference}/{call}"}


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
async def test_a_person_is_forgotten_wherever_the_number_occurs(store: Store) -> None:
    call = Resource(
        sid(5, "CA"), "call", ACCOUNT, 1, facts(attributes={"from": (NUMBER, 2, ""), "to": ("+15550001111", 2, "")})
    )
    words = {"call_sid": (call.key, -1, ""), "transcription_text": ("it is me", -1, "")}
    rows = [
        row(1, known=facts(attributes={"to": (NUMBER, -1, ""), "body": ("hello", -1, "")})),
        row(2, known=facts(attributes={"to": ("+15559999999", -1, ""), "body": (f"call {NUMBER}!", -1, "")})),
        row(3, known=facts(attributes={"to": (f"{NUMBER}4", -1, ""), "body": ("another", -1, "")})),
        call,
        Resource(sid(6, "RE"), "recording", ACCOUNT, 1, facts(attributes=words)),  # type: ignore[arg-type]
    ]
    await put(store, *rows)
    assert sorted(await store.forget(NUMBER)) == sorted([sid(1), sid(2), call.key, sid(6, "RE")])
    found = await store.read([each.key for each in rows])
    assert NUMBER + "4" in str(found[sid(3)])
    assert not [
        key for key, each in found.items() if key != sid(3) and (NUMBER in str(each) or "it is me" in str(each))
    ]
    assert await store.forget(NUMBER) == []


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_whatever_is_done_sql_answers_as_the_twin_does(store: Store, kind: str) -> None:
    chance, twin = random.Random(7), MemoryStore()
    for step in range(300):
        keys = sorted({sid(chance.randrange(12)) for _ in range(3)})
        known = await twin.read(keys)
        assert await store.read(keys) == known
        rows = [
            Resource(
                key,
                "message",
                ACCOUNT,
                (before.version if isinstance(before := known.get(key), Resource) else 0) + 1,
                facts(attributes={"to": (chance.choice("ab"), -1, "")}, queued=5, sent=chance.randrange(3600)),
                chance.choice([None, at(step), at(step + 20)]),
            )
            for key in keys
        ]
        expected = {each.key: each.version - 1 - (chance.random() < 0.1) for each in rows}
        try:
            await twin.write(rows, expected)
        except Conflict:
            with pytest.raises(Conflict):
                await store.write(rows, expected)
        else:
            await store.write(rows, expected)
        if step % 10 == 0:
            claimed = await twin.claim(at(step), at(step + 30), 4)
            got = await store.claim(at(step), at(step + 30), 4)
            assert [each.due for each in got] == [each.due for each in claimed]
            # Which of those that fall due together come first is left open: the twin goes on with the same.
            if {each.key for each in got} != {each.key for each in claimed}:
                return


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_the_tables_are_those_of_the_contract_and_made_once(url: str) -> None:
    engine = connect(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": "state_version"})
        return list(compare_metadata(context, METADATA))

    try:
        await migrate_state(engine)
        await migrate_state(engine)
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgres"])
async def test_workers_that_start_at_once_make_the_tables_once(url: str) -> None:
    for each in await asyncio.gather(*(open_store(url) for _ in range(4))):
        await each.close()


@pytest.mark.parametrize(
    "away", ["postgresql+asyncpg://who:secret-word@127.0.0.1:1/none", "sqlite+aiosqlite:////proc/no"]
)
async def test_a_database_that_is_away_is_worth_another_try_and_its_password_is_not_told(away: str) -> None:
    if away.startswith("sqlite"):
        with pytest.raises(OSError, match="/proc/no"):
            open_database(away)
        return
    store = SqlStore(open_database(away))
    with pytest.raises(StoreUnavailable) as raised:
        await store.read([sid(1)])
    assert "secret-word" not in f"{raised.value!r} {raised.value.__cause__!r} {store!r}"
    await store.close()
