"""Opening the ledger: what keeps hands or a person from it is a line with what to do, exit code 2, and no secret."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from processors.sql import claim
from sinks.__main__ import main
from sinks.settings import DATABASE_URL
from tests.conftest import free_port
from tests.sinks.ledger.given import ACCOUNT

SECRET = "5ecre7-pa55word"

Started = Callable[[str], str]


@pytest.fixture(params=[("actions",), ("ledger", "standing"), ("forget", "--number", "+12025550100", "--yes")])
def command(request: pytest.FixtureRequest) -> list[str]:
    return list(request.param)


@pytest.fixture
def started(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Started:
    """What a command says that cannot open the ledger at that URL."""
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text(yaml.safe_dump({"accounts": [{"sid": ACCOUNT, "password": SECRET}]}))
    monkeypatch.setattr("sinks.__main__.configure_logs", lambda: None)
    monkeypatch.setenv("SWITCHHOOK_SINKS_ACCOUNTS_FILE", str(accounts))
    monkeypatch.setenv("SWITCHHOOK_SINKS_PUBLIC_BASE_URL", "https://hooks.example.com")

    def start(url: str) -> str:
        monkeypatch.setenv(DATABASE_URL, url)
        assert main(command) == 2
        said = capsys.readouterr().err
        assert SECRET not in said
        return said

    return start


def cannot(said: str) -> str:
    """The one line, without what all of them begin with."""
    (line,) = said.splitlines()
    begins, _, rest = line.partition(": ")
    assert begins in ("The hands cannot start", "The ledger cannot be asked")
    return rest


def test_a_file_that_is_no_database(tmp_path: Path, started: Started) -> None:
    (tmp_path / "notes").write_text("no database at all, " * 100)
    said = cannot(started(f"sqlite+aiosqlite:///{tmp_path}/notes"))
    assert said == f"{tmp_path}/notes: it is no SQLite database: name another file in {DATABASE_URL}"


def test_a_server_that_is_not_there(started: Started) -> None:
    port = free_port()
    said = cannot(started(f"postgresql+asyncpg://hands:{SECRET}@127.0.0.1:{port}/ledger"))
    assert said.startswith(
        f"database ledger of user hands at 127.0.0.1:{port}: it cannot be reached (ConnectionRefused"
    )


def test_a_url_of_no_database_of_ours_is_a_wrong_setting(started: Started) -> None:
    assert f"{DATABASE_URL}: is sqlite+aiosqlite:///PATH or postgresql+asyncpg://" in started(f"mysql://a:{SECRET}@b/c")


@pytest.mark.parametrize("command", [["actions"]], ids=["actions"])
def test_one_that_another_worker_has(tmp_path: Path, started: Started) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite"
    held = claim(url, DATABASE_URL)
    assert held is not None
    with held:
        assert "is in use by another worker" in cannot(started(url))
