"""Opening the state: what keeps a worker from it is one line that says what to do, exit code 2, and no secret."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from processors.__main__ import main
from processors.settings import DATABASE_URL
from processors.sql import claim
from processors.store.opening import open_store
from tests.conftest import Postgres, free_port

SECRET = "5ecre7-pa55word"

Started = Callable[[str], str]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Started:
    """What a worker says that cannot start on the database of that URL."""
    monkeypatch.setattr("processors.__main__.configure_logs", lambda: None)
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_HASH_KEY", "0123456789abcdef")

    def start(url: str) -> str:
        monkeypatch.setenv(DATABASE_URL, url)
        assert main(["worker"]) == 2
        said = capsys.readouterr().err
        assert SECRET not in said
        return said

    return start


def cannot(said: str) -> str:
    """The one line, without what all of them begin with."""
    (line,) = said.splitlines()
    assert line.startswith("The brain cannot start: ")
    return line.removeprefix("The brain cannot start: ")


def file(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def test_a_file_that_is_no_database(tmp_path: Path, started: Started) -> None:
    (tmp_path / "notes").write_text("no database at all, " * 100)
    assert cannot(started(file(tmp_path / "notes"))).startswith(f"{tmp_path}/notes: it is no SQLite database: name")
    assert (tmp_path / "notes").read_text().startswith("no database"), "and it is left as it was"


def test_a_folder_is_no_file(tmp_path: Path, started: Started) -> None:
    (tmp_path / "state").mkdir()
    said = cannot(started(file(tmp_path / "state")))
    assert said.startswith(f"{tmp_path}/state: no file can be made there (IsADirectoryError): name one")


def test_a_way_that_leads_nowhere(tmp_path: Path, started: Started) -> None:
    (tmp_path / "notes").write_text("no folder")
    said = cannot(started(file(tmp_path / "notes" / "state.sqlite")))
    assert said.startswith(f"{tmp_path}/notes/state.sqlite: no file can be made there (FileExistsError): name one")


def test_one_that_another_worker_has(tmp_path: Path, started: Started) -> None:
    held = claim(file(tmp_path / "state.sqlite"), DATABASE_URL)
    assert held is not None
    with held:
        assert "is in use by another worker" in cannot(started(file(tmp_path / "state.sqlite")))


def test_tables_of_a_newer_version(tmp_path: Path, started: Started) -> None:
    asyncio.run(_migrated(file(tmp_path / "state.sqlite")))
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("UPDATE state_version SET version_num = 'r9999'")
    connection.close()
    said = cannot(started(file(tmp_path / "state.sqlite")))
    assert said.startswith(
        f"{tmp_path}/state.sqlite: its tables are of a newer version than this one: run that version"
    )


async def _migrated(url: str) -> None:
    await (await open_store(url)).close()


def test_a_server_that_is_not_there(started: Started) -> None:
    port = free_port()
    said = cannot(started(f"postgresql+asyncpg://brain:{SECRET}@127.0.0.1:{port}/state"))
    assert said.startswith(f"database state of user brain at 127.0.0.1:{port}: it cannot be reached (ConnectionRefused")


@pytest.mark.parametrize(
    "url",
    [
        f"nonsense {SECRET}",
        f"mysql://brain:{SECRET}@host/state",
        f"postgresql://brain:{SECRET}@host/state",
        f"postgresql+asyncpg://brain:{SECRET}@host:port/state",
        "sqlite:///state.sqlite",
        "",
    ],
)
def test_a_url_of_no_database_of_ours_is_a_wrong_setting(url: str, started: Started) -> None:
    assert "SWITCHHOOK_PROCESSORS_DATABASE_URL: is sqlite+aiosqlite:///PATH or postgresql+asyncpg://" in started(url)


@pytest.mark.postgres
class TestPostgres:
    def test_a_wrong_password(self, postgres: Postgres, started: Started) -> None:
        said = cannot(started(f"postgresql+asyncpg://switchhook:{SECRET}@127.0.0.1:{postgres.port}/switchhook"))
        assert "of user switchhook at 127.0.0.1" in said
        assert "it does not let this user in: correct user or password" in said

    def test_no_such_database(self, postgres: Postgres, started: Started) -> None:
        said = cannot(started(postgres.url("nowhere")))
        assert said.startswith("database nowhere of user switchhook at 127.0.0.1")
        assert "there is no such database: create it" in said

    def test_a_user_who_may_not_make_tables(self, postgres: Postgres, postgres_database: str, started: Started) -> None:
        asyncio.run(postgres.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'"))
        try:
            said = cannot(started(postgres_database.replace("switchhook:switchhook", "guest:guest")))
        finally:
            asyncio.run(postgres.execute("DROP ROLE guest"))
        assert "this user may not make tables there: make it the database's owner" in said

    def test_tables_of_a_newer_version(self, postgres_database: str, started: Started) -> None:
        asyncio.run(_migrated(postgres_database))
        asyncio.run(_newer(postgres_database))
        assert "its tables are of a newer version than this one" in cannot(started(postgres_database))


async def _newer(url: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("UPDATE state_version SET version_num = 'r9999'")
    await connection.close()
