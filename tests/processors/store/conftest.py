"""A store of the `kind` that a test is run on; one that names none runs on each database."""

from collections.abc import AsyncIterator

import pytest

from processors.store.opening import open_store
from processors.store.port import MemoryStore, Store


@pytest.fixture
async def store(kind: str, url: str) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if kind == "memory" else await open_store(url)
    yield made
    await made.close()
