"""The PostgreSQL runner: what is missing is said, a cluster is made once, never as root, and commits outlive a kill."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.postgres import run
from deploy.postgres.run import CannotRun, configuration, prepare, settle, url
from tests.conftest import Postgres, free_port, postgres_server

ROOT = Path(__file__).parents[2]

# Stand-ins: each writes down that it was called, then does what the real one would have left on disk.
INITDB = (
    '#!/bin/sh\n[ "$1" = --version ] && echo "initdb (PostgreSQL) $VERSION (X)" && exit 0\n'
    'echo "initdb $@" >> "$CALLS"\n'
    'mkdir -p "$2" && echo "${VERSION%%.*}" > "$2/PG_VERSION"\n[ "$FAIL" = initdb ] && exit 1\nexit 0\n'
)
POSTGRES = '#!/bin/sh\necho "postgres $@" >> "$CALLS"\ncat >> "$CALLS"\n[ "$FAIL" = postgres ] && exit 1\nexit 0\n'


class Machine:
    """A PATH with only what the test put on it, and what was called there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin, self.dir, self._calls = folder / "bin", folder / "cluster", folder / "calls"
        self._monkeypatch = monkeypatch
        self.bin.mkdir()
        self.dir.mkdir()
        monkeypatch.setenv("PATH", f"{self.bin}:/usr/bin:/bin")
        monkeypatch.setenv("CALLS", str(self._calls))
        monkeypatch.setenv("FAIL", "")
        monkeypatch.setattr(run, "PACKAGED", folder / "packaged")
        self.is_version("15.18")

    def has(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def has_nothing(self) -> None:
        (self.bin / "initdb").unlink()
        self._monkeypatch.setenv("PATH", str(self.bin))

    def fails_at(self, name: str) -> None:
        self._monkeypatch.setenv("FAIL", name)

    def is_version(self, version: str) -> None:
        self._monkeypatch.setenv("VERSION", version)

    def calls(self) -> str:
        return self._calls.read_text() if self._calls.exists() else ""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, monkeypatch)
    made.has("initdb", INITDB)
    made.has("postgres", POSTGRES)
    return made


def test_without_postgresql_it_says_what_to_install(machine: Machine) -> None:
    machine.has_nothing()
    with pytest.raises(CannotRun, match="no initdb on the PATH"):
        prepare(machine.dir, 5432)


def test_one_that_is_too_old_is_not_used(machine: Machine) -> None:
    machine.is_version("13.4")
    with pytest.raises(CannotRun, match="15 or newer is needed, here is 13: apt-get install postgresql"):
        prepare(machine.dir, 5432)


def test_of_the_packaged_ones_the_newest_is_taken(machine: Machine, tmp_path: Path) -> None:
    machine.has_nothing()
    for version in ("9.6", "15", "17"):
        folder = tmp_path / "packaged" / version / "bin"
        folder.mkdir(parents=True)
        (folder / "initdb").write_text(f'#!/bin/sh\necho "initdb (PostgreSQL) {version}.1"\n')
        (folder / "initdb").chmod(0o755)
    assert run.binaries(machine.dir / "data") == tmp_path / "packaged" / "17" / "bin"
    (machine.dir / "data").mkdir()
    (machine.dir / "data" / "PG_VERSION").write_text("15\n")
    assert run.binaries(machine.dir / "data") == tmp_path / "packaged" / "15" / "bin"


def test_data_of_another_version_is_left_alone_and_named(machine: Machine) -> None:
    prepare(machine.dir, 5432)
    machine.is_version("17.2")
    with pytest.raises(CannotRun, match="was made by PostgreSQL 15, here is 17"):
        prepare(machine.dir, 5432)


def test_a_cluster_is_made_once(machine: Machine) -> None:
    first, again = prepare(machine.dir, 5432), prepare(machine.dir, 5432)
    assert first == again
    assert first[1:3] == ["-D", str(machine.dir / "data")]
    assert machine.calls().count("initdb -D") == 1
    assert machine.calls().count("CREATE DATABASE switchhook") == 1
    assert sorted(path.name for path in machine.dir.iterdir()) == ["data"]


@pytest.mark.parametrize(("name", "told"), [("initdb", "initdb failed"), ("postgres", "making the database failed")])
def test_one_that_broke_off_is_made_anew(machine: Machine, name: str, told: str) -> None:
    machine.fails_at(name)
    with pytest.raises(CannotRun, match=told):
        prepare(machine.dir, 5432)
    assert not (machine.dir / "data").exists()
    machine.fails_at("nothing")
    assert prepare(machine.dir, 5432)[0] == str(machine.bin / "postgres")
    assert sorted(path.name for path in machine.dir.iterdir()) == ["data"]


def test_it_listens_on_loopback_only_and_every_commit_is_fsynced() -> None:
    told = configuration(5432)
    assert told["listen_addresses"] == "127.0.0.1"
    assert told["unix_socket_directories"] == ""
    assert told["fsync"] == told["synchronous_commit"] == "on"


def test_a_folder_with_other_things_in_it_is_left_alone(machine: Machine) -> None:
    (machine.dir / "letters").touch()
    with pytest.raises(CannotRun, match="holds other things"):
        settle(machine.dir)


def test_the_command_says_it_on_standard_error_and_exits_2(machine: Machine) -> None:
    (machine.dir / "data").mkdir()
    (machine.dir / "data" / "PG_VERSION").write_text("7\n")  # whatever is installed, it is not this
    done = subprocess.run(
        [sys.executable, "-m", "deploy.postgres.run", "--dir", str(machine.dir)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("PostgreSQL cannot run: ")
    assert "was made by PostgreSQL 7" in done.stderr


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that another user may enter, which pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="switchhook-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.mark.postgres
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_as_root_a_parent_that_the_server_may_not_enter_is_named(place: Path) -> None:
    place.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-m", "deploy.postgres.run", "--dir", str(place / "cluster")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"may not enter {place}: chmod o+x {place}" in done.stderr


@pytest.mark.postgres
def test_rows_outlive_a_stop_and_a_kill(place: Path) -> None:
    for number, end in enumerate((signal.SIGINT, signal.SIGKILL, signal.SIGTERM)):
        with postgres_server(place, free_port()) as (server, process):
            assert asyncio.run(_counted(server)) == number
            process.send_signal(end)
            process.wait(30)


@pytest.mark.postgres
def test_it_runs_as_nobody_special_and_takes_only_who_knows_the_password(place: Path) -> None:
    with postgres_server(place, free_port()) as (server, process):
        assert Path(f"/proc/{process.pid}").stat().st_uid != 0
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(asyncpg.connect(server.dsn().replace(":switchhook@", ":other@")))
        assert (place / "cluster").stat().st_mode & 0o777 == 0o700
        assert url(server.port).endswith(f"@127.0.0.1:{server.port}/switchhook")


async def _counted(server: Postgres) -> int:
    """How many rows were there; one is added."""
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute("create table if not exists kept (number int)")
        count = await connection.fetchval("select count(*) from kept")
        await connection.execute("insert into kept values ($1)", count)
        assert await connection.fetchval("show server_encoding") == "UTF8"
        return int(count)
    finally:
        await connection.close()
