"""Listing: the right rows, each once, and every filter by an index, on both databases and with many rows."""

import random
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from processors.contract.listing import Place, Wanted, listing
from processors.domain.facts import Attribute, Facts, Resource, lifetime
from processors.sql import connect
from processors.store.document import fixed, moving
from processors.store.opening import open_store

ROWS = 3_000
ACCOUNTS = [f"AC{number:032x}" for number in range(30)]
NUMBERS = [f"+1555000{number:04d}" for number in range(60)]
OURS = "+15559990000"


def resource(number: int, chance: random.Random) -> Resource:
    at = f"2026-01-{1 + number * 28 // ROWS:02d}T{number % 24:02d}:00:00.{number % 7:06d}Z"
    told: dict[str, Attribute] = {"direction": (chance.choice(["inbound", "outbound-api"]), -1, "")}
    told |= {"from": (OURS, -1, ""), "to": (chance.choice(NUMBERS), -1, "")}
    account = chance.choice(ACCOUNTS)
    if number % 50 == 0:
        return Resource(f"CF{number:032x}", "conference", account, 1, Facts({"completed": (at, None)}))
    if number % 10 == 0:
        status = chance.choice(["completed", "busy", "in-progress"])
        return Resource(f"CA{number:032x}", "call", account, 1, Facts({status: (at, None)}, attributes=told))
    status = chance.choice(["sent", "delivered", "delivered", "delivered", "undelivered"])
    errors = {"30005": (at, None)} if status == "undelivered" else {}
    return Resource(f"SM{number:032x}", "message", account, 1, Facts({status: (at, None)}, {}, errors, told))


def everything() -> list[Resource]:
    chance = random.Random(7)
    return [resource(number, chance) for number in range(ROWS)]


def shown(row: Resource) -> dict[str, object]:
    first, newest = lifetime(row.facts)
    _, status, _, error_class, *_ = moving(row, newest)
    kind, account, direction, sender, recipient, *_ = fixed(row, first)
    return {
        "kind": kind, "account_sid": account, "status": status, "error_class": error_class, "direction": direction,
        "from_address": sender, "to_address": recipient, "first_received": first,
    }  # fmt: skip


def expected(wanted: Wanted) -> list[str]:
    found = []
    for row in everything():
        has = shown(row)
        first = str(has["first_received"])
        equal = (has[name] == value for name, value in wanted._asdict().items() if value is not None and name in has)
        if all(equal) and (wanted.since or "") <= first and (wanted.until is None or first < wanted.until):
            found.append((first, row.key))
    return [key for _, key in sorted(found, reverse=True)]


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    store = await open_store(url)
    await store.write(everything(), {row.key: 0 for row in everything()})
    await store.close()
    made = connect(url)
    yield made
    await made.dispose()


BY_INDEX = [
    (Wanted(), "resources_by_kind"),
    (Wanted(kind="conference"), "resources_by_kind"),
    (Wanted(since="2026-01-10", until="2026-01-11"), "resources_by_kind"),
    (Wanted(direction="inbound"), "resources_by_kind"),
    (Wanted(status="delivered"), "resources_by_kind"),
    (Wanted(status="in-progress", kind="call"), "resources_by_kind"),
    (Wanted(status="undelivered"), "resources_by_failure"),
    (Wanted(status="busy", account_sid=ACCOUNTS[1]), "resources_by_failure"),
    (Wanted(error_class="handset", since="2026-01-20"), "resources_by_error"),
    (Wanted(account_sid=ACCOUNTS[2]), "resources_by_account"),
    (Wanted(account_sid=ACCOUNTS[2], kind="call", until="2026-01-05"), "resources_by_account"),
    (Wanted(from_address=OURS), "resources_by_from"),
    (Wanted(to_address=NUMBERS[3]), "resources_by_to"),
    (Wanted(to_address=NUMBERS[3], from_address=OURS, kind="message", direction="inbound"), "resources_by_to"),
]
SAID = [" ".join(f"{name}={value}" for name, value in wanted._asdict().items() if value) for wanted, _ in BY_INDEX]


async def test_every_filter_finds_its_rows_page_by_page_and_by_its_index(engine: AsyncEngine) -> None:
    for (wanted, index), said in zip(BY_INDEX, SAID, strict=True):
        assert await paged(engine, wanted) == expected(wanted), said
        plan = await explained(engine, wanted)
        assert index in plan, f"{said}\n{plan}"
        assert "Seq Scan" not in plan, f"{said}\n{plan}"
        assert "SCAN resources" not in plan, f"{said}\n{plan}"
        others = {each for _, each in BY_INDEX if each != index}
        assert not [each for each in others if each in plan], f"{said}\n{plan}"


async def paged(engine: AsyncEngine, wanted: Wanted) -> list[str]:
    keys: list[str] = []
    place = None
    async with engine.connect() as connection:
        while rows := (await connection.execute(listing(wanted, place, 400))).all():
            keys += [row.key for row in rows]
            place = Place(rows[-1].first_received, rows[-1].key)
    return keys


async def explained(engine: AsyncEngine, wanted: Wanted) -> str:
    """How a page from the middle is found."""
    asked = listing(wanted, Place("2026-01-25", ""), 50)
    spelled = asked.compile(engine.sync_engine, compile_kwargs={"literal_binds": True})
    how = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    async with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(text("ANALYZE resources"))
        lines = (await connection.exec_driver_sql(f"{how} {spelled}".replace("%", "%%"))).all()
    return "\n".join(str(line[-1]) for line in lines)
