"""What a person does with the ledger by command: stop and go on, see what is stuck, settle, retry, take back."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.__main__ import main
from sinks.ledger.entries import Entry, Settlement, State
from sinks.ledger.opening import open_ledger
from sinks.ledger.sql import SqlLedger
from sinks.ledger.tending import known
from tests.sinks.ledger.given import NOW, OURS, THEIRS, claimed, fetch, message

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
    assert ask(capsys, "settle", "a", "done") == (0, ["settled"])
    assert ask(capsys, "settle", "a", "again")[0] == 1
    assert ask(capsys, "retry", "a") == (1, ["it is neither refused nor stuck, or settled by a person, or forgotten"])
    assert ask(capsys, "retry", "b") == (0, ["waits to be performed again"])
    assert ask(capsys, "stop", "a loop")[0] == 0
    assert ask(capsys, "standing")[1][-1] == "stopped: a loop"
    assert ask(capsys, "go")[0] == 0
    assert "stopped" not in " ".join(ask(capsys, "standing")[1])


def test_everything_known_of_one_is_shown_but_numbers_and_texts(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def prepare() -> None:
        ledger = await given(url)
        await ledger.settle([Settlement("a", State.REFUSED, error_code=21211, reason="provider")], NOW)
        await ledger.close()

    asyncio.run(prepare())
    code, said = ask(capsys, "show", "a")
    assert code == 0
    assert {
        "state: refused", "error code: 21211", "error page: https://www.twilio.com/docs/api/errors/21211",
        "attempts: 1", "to: …0100", "from: …0006", "body: 5 characters", "ended at: 2027-01-15T08:00:00Z",
        "results published: False",
    } <= set(said)  # fmt: skip
    assert not any(secret in line for line in said for secret in (OURS, THEIRS, "hello"))
    assert json.loads(ask(capsys, "show", "a", "--json")[1][0])["parameters"]["to"] == "…0100"
    assert ask(capsys, "show", "nobody")[0] == 1


def test_what_is_nothing_but_digits_is_a_text_or_a_key_and_not_shown() -> None:
    asked = message("a", key="12025550100", body="12345678")
    told = known(Entry(asked))
    assert told["parameters"]["body"] == "8 characters", "a code that somebody was sent"
    assert told["ordering_key"] == "…0100"
    assert known(Entry(fetch(key="ab1234567890cd")))["ordering_key"] == "ab1234567890cd", "a hash is as it is"


def test_a_person_is_forgotten(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def prepare() -> None:
        ledger = await given(url)
        await ledger.settle([Settlement("a", State.DONE)], NOW)
        await ledger.published(await ledger.unpublished(9, NOW, 0.0))
        await ledger.close()

    def forget(*arguments: str) -> tuple[int, str, str]:
        code = main(["forget", "--number", *arguments])
        told = capsys.readouterr()
        assert THEIRS not in told.out + told.err
        return code, told.out, told.err

    asyncio.run(prepare())
    assert forget(THEIRS)[0] == 2, "nobody has said yes"
    assert forget("12025550100", "--yes")[0] == 2
    code, said, _ = forget(THEIRS, "--dry-run")
    assert (code, said.splitlines()[0]) == (1, "1 actions would be scrubbed")
    code, said, _ = forget("+1 (202) 555-0100", "--yes")
    assert code == 1, "one that waits is about the person"
    assert said.startswith("1 actions were scrubbed\n1 are open, or ")
    assert ask(capsys, "cancel", "b")[0] == 0
    assert ask(capsys, "show", "a")[1][-1] == "forgotten: True"
    assert forget(THEIRS, "--yes")[0] == 1, "that it was canceled is not told yet"


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
