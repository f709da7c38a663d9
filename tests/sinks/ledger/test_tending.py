"""What a person does with the ledger by command: stop and go on, see what is stuck, decide, take back."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.__main__ import main
from sinks.ledger.entries import Settlement, State
from sinks.ledger.opening import open_ledger
from sinks.ledger.sql import SqlLedger
from tests.sinks.ledger.given import NOW, OURS, THEIRS, claimed, message

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture(autouse=True)
def _environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SWITCHHOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWITCHHOOK_SINKS_DATABASE_URL", url)


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["ledger", *arguments])
    return code, capsys.readouterr().out.splitlines()


async def given(url: str) -> SqlLedger:
    """One that is stuck, and one that waits."""
    ledger = await open_ledger(url)
    await ledger.record([message("a", to=THEIRS), message("b", "a", to=THEIRS)], NOW)
    assert await claimed(ledger) == ["a"]
    await ledger.settle([Settlement("a", State.UNKNOWN, due=NOW, reason="timeout")], NOW)
    return ledger


def test_it_says_how_things_stand_and_shows_no_number_and_no_text(url: str, capsys: pytest.CaptureFixture[str]) -> None:

    async def prepare() -> None:
        await (await given(url)).close()

    asyncio.run(prepare())
    code, said = ask(capsys, "standing")
    assert (code, said[:4]) == (0, ["waiting: 1", "running: 0", "unknown: 1", "stuck: 0"])
    assert ask(capsys, "list", "unknown") == (0, ["a messages.create attempts=1 reason=timeout"])
    assert ask(capsys, "list", "stuck") == (0, ["nothing is stuck"])
    for name in ("waiting", "unknown"):
        assert not any(secret in line for line in ask(capsys, "list", name)[1] for secret in (OURS, THEIRS, "hello"))
    assert ask(capsys, "cancel", "b") == (0, ["taken back"])
    assert ask(capsys, "cancel", "b")[0] == 1
    assert ask(capsys, "decide", "a", "done") == (0, ["decided"])
    assert ask(capsys, "decide", "a", "again")[0] == 1
    assert ask(capsys, "stop", "a loop")[0] == 0
    assert ask(capsys, "standing")[1][-1] == "stopped: a loop"
    assert ask(capsys, "go")[0] == 0
    assert "stopped" not in " ".join(ask(capsys, "standing")[1])


def test_a_ledger_that_is_not_to_be_reached_is_told_without_its_password() -> None:
    environment = {
        **os.environ, "SWITCHHOOK_SINKS_DATABASE_URL": "postgresql+asyncpg://me:top-secret@127.0.0.1:1/ledger",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "sinks", "ledger", "standing"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "top-secret" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr, done.stderr
