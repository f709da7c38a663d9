"""The tables are as declared on both databases, and no statement of a worker reads one whole."""

import pytest

from processors.sql import open_database
from sinks.ledger.entries import Settlement, State
from sinks.ledger.migrations import migrate_ledger
from sinks.ledger.opening import open_ledger
from sinks.ledger.statements import STATEMENTS
from sinks.ledger.tables import METADATA
from tests.sinks.ledger.given import ACCOUNT, NOW, OURS, THEIRS, claimed, message
from tests.tables import differences_after

on_sql = pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])


@on_sql
async def test_the_tables_are_those_that_are_declared_and_made_once(url: str) -> None:
    assert await differences_after(url, migrate_ledger, METADATA, "ledger_version") == []


@on_sql
async def test_opened_again_everything_is_there(url: str) -> None:
    ledger = await open_ledger(url)
    await ledger.record([message("a"), message("b")], NOW)
    await claimed(ledger, limit=1)
    await ledger.settle([Settlement("a", State.DONE)], NOW)
    await ledger.stop("why not", NOW)
    await ledger.close()
    ledger = await open_ledger(url)
    standing = await ledger.standing(NOW)
    assert (standing.open[State.WAITING], standing.stopped) == (1, "why not")
    assert await ledger.record([message("a"), message("b")], NOW) == 0
    await ledger.close()


LANE = f"{ACCOUNT} from {OURS}"
ASKED = {
    "waiting_lanes": (NOW, NOW),
    "heads": (LANE, NOW, NOW, 10),
    "overdue": (NOW, 10),
    "alike": (ACCOUNT, "messages.create", THEIRS, "a", NOW, NOW),
    "unpublished": (NOW, 10),
    "counts": (),
    "trim": (NOW, 10),
    "stretch": ("a", 10),
    "about": (THEIRS, "a", "b"),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_what_is_asked_all_the_time_is_led_by_an_index(url: str, name: str) -> None:
    ledger = await open_ledger(url)
    await ledger.close()
    database = open_database(url)
    statement: str = getattr(STATEMENTS["sqlite"], name)
    plan = [str(row[3]) for row in await database.fetch(f"EXPLAIN QUERY PLAN {statement}", *ASKED[name])]
    await database.close()
    whole = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step and "lanes" not in step]
    assert whole == [], plan
    if name == "heads":
        assert not any("TEMP B-TREE" in step for step in plan), "a backlog is not sorted for each claim"


def test_rows_that_are_waited_for_are_locked_in_one_order() -> None:
    asked = vars(STATEMENTS["postgresql"])
    waiting = {name: text for name, text in asked.items() if text.endswith("FOR UPDATE")}
    assert set(waiting) == {"change", "lock_accounts", "about"}
    assert all("ORDER BY id" in text or name == "lock_accounts" for name, text in waiting.items())
