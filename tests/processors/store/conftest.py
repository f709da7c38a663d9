"""A store of each kind; `kind` is what the tests are parametrized by."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from processors.store.opening import open_store
from processors.store.port import MemoryStore, Store


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
