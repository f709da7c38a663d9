"""The tables are those of the contract on both databases, made once however many workers start."""

import asyncio

import pytest

from processors.contract.state import METADATA
from processors.store.migrations import migrate_state
from processors.store.opening import open_store
from tests.processors.store.rows import put, row, sid, stored
from tests.tables import differences_after

on_postgres = pytest.mark.parametrize("kind", [pytest.param("postgres", marks=pytest.mark.postgres)])


async def test_the_tables_are_those_of_the_contract_and_made_once(url: str) -> None:
    assert await differences_after(url, migrate_state, METADATA, "state_version") == []


@on_postgres
async def test_workers_that_start_at_once_make_the_tables_once(url: str) -> None:
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    for number, each in enumerate(stores):
        await put(each, row(number))
    assert await stored(stores[0], sid(3)) == row(3)
    for each in stores:
        await each.close()


async def test_opened_again_everything_is_there(url: str) -> None:
    for number in range(3):
        store = await open_store(url)
        assert len(await store.read([sid(each) for each in range(3)])) == number
        await put(store, row(number))
        await store.close()
