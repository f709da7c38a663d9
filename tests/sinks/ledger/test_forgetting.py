"""A person is forgotten: what the ledger holds of it is scrubbed, and what was asked for stays known."""

from collections.abc import Sequence

import pytest

from processors.sql import open_database
from sinks.ledger import sql
from sinks.ledger.entries import Settlement, State
from sinks.ledger.port import Ledger
from tests.sinks.ledger.given import NOW, SID, THEIRS, claimed, message, news

OTHER = "+12025550199"
SECRET = "the code is 1234"


async def ended(ledger: Ledger, *names: str, state: State = State.DONE) -> None:
    await ledger.settle([Settlement(name, state, resource_sid=SID, resources='[{"a":1}]') for name in names], NOW)
    await ledger.published(await ledger.unpublished(1000, NOW, 0.0))


async def given(ledger: Ledger) -> None:
    """Two that have ended are about the person, one of them by its text alone; one is open; two are about others."""
    await ledger.record(
        [
            message("to", to=THEIRS, body=SECRET),
            message("text", to=OTHER, body=f"call {THEIRS} please"),
            message("open", "to", to=f"whatsapp:{THEIRS}"),
            message("other", to=OTHER),
            message("longer", to=THEIRS + "7", body="a longer number"),
        ],
        NOW,
    )
    await claimed(ledger, limit=5)
    await ended(ledger, "to", "text", "other", "longer")


async def test_what_has_ended_is_scrubbed_and_what_is_open_is_told(ledger: Ledger) -> None:
    await given(ledger)
    assert await ledger.forget(THEIRS, only_count=True) == (2, 1)
    assert await ledger.forget(THEIRS) == (2, 1)
    assert await ledger.forget(THEIRS) == (0, 1)
    for name in ("to", "text"):
        entry = await ledger.entry(name)
        assert entry is not None
        assert (entry.action.id, entry.action.type, entry.state) == (name, "messages.create", State.DONE)
        assert (entry.resource_sid, entry.is_forgotten) == (SID, True)
        assert THEIRS not in entry.action.model_dump_json()
        assert (entry.resources, entry.observation) == (None, None)
    for name in ("other", "longer", "open"):
        entry = await ledger.entry(name)
        assert entry is not None
        assert not entry.is_forgotten


async def test_it_stays_known_that_it_was_asked_for(ledger: Ledger) -> None:
    await given(ledger)
    await ledger.forget(THEIRS)
    assert await ledger.record([message("to", to=THEIRS, body=SECRET)], NOW + 1) == 0
    assert "to" not in await claimed(ledger, NOW + 1)
    assert await news(ledger) == {}, "nothing is told anew"
    assert not await ledger.sighted({"to": SID}, NOW + 1)
    assert len(await ledger.listed(State.DONE, 10)) == 4
    assert await ledger.trim(NOW + 1, 10) == 4


async def test_what_was_refused_and_is_forgotten_cannot_be_asked_for_again(ledger: Ledger) -> None:
    await ledger.record([message("to", to=THEIRS)], NOW)
    await claimed(ledger)
    await ended(ledger, "to", state=State.REFUSED)
    assert await ledger.forget(THEIRS) == (1, 0)
    assert not await ledger.retry("to", NOW)


async def test_what_is_not_told_yet_is_left(ledger: Ledger) -> None:
    await ledger.record([message("to", to=THEIRS)], NOW)
    await claimed(ledger)
    await ledger.settle([Settlement("to", State.DONE)], NOW)
    assert await ledger.forget(THEIRS) == (0, 1)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_no_column_of_a_forgotten_one_holds_the_number(
    url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "AT_ONCE", 2)  # so that there are several pages
    await given(ledger)
    await ledger.cancel("open", NOW)
    await ended(ledger)
    assert await ledger.forget(THEIRS) == (3, 0)
    database = open_database(url)
    rows: Sequence[tuple[object, ...]] = await database.fetch("SELECT * FROM actions WHERE id <> 'longer'")
    await database.close()
    assert len(rows) == 4
    assert not any(secret in str(row) for row in rows for secret in (THEIRS, SECRET))
