"""The command itself: what it says where nothing can be asked for, and the whole way on a broker."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka.admin import KafkaAdminClient

from deploy.topics import create, declared
from sinks.__main__ import main
from sinks.acting import command
from tests.conftest import Broker, free_port, wait_for_port
from tests.sinks.acting.given import ACCOUNT, OURS, SECRET, THEIRS

ROOT = Path(__file__).parents[3]
MESSAGE = ("messages.create", "--to", THEIRS, "--from", OURS, "--body", SECRET)

Asked = tuple[int, str, str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SWITCHHOOK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def act(capsys: pytest.CaptureFixture[str]) -> Any:
    def ask(*words: str) -> Asked:
        code = main(["act", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return ask


def test_without_words_all_actions_are_listed(act: Any) -> None:
    code, said, _ = act()
    assert code == 0
    assert "messages.create" in said
    assert act("--help") == (0, said, "")


def test_what_is_written_wrongly_is_told_and_nothing_is_asked_for(act: Any) -> None:
    assert act("messages.create", "--to", "5") == (
        2,
        "",
        "Nothing was asked for:\n  - --account: is required: its SID or alias\n  - --to: is a number such as "
        "+15551234567, a short code, or an address such as whatsapp:+15551234567 or client:ann\n"
        "See `python -m sinks act messages.create --help`\n",
    )


def test_a_dry_run_prints_the_record_and_needs_no_broker(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_SINKS_ACCOUNT", ACCOUNT)
    monkeypatch.setenv("SWITCHHOOK_KAFKA_TOPIC_PREFIX", "t")
    monkeypatch.setenv("SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    code, said, _ = act(*MESSAGE, "--id", "mine", "--dry-run")
    record = json.loads(said)
    assert (code, record["topic"], record["key"]) == (0, "t.actions", "mine")
    assert (record["headers"]["ce_type"], record["value"]["body"]) == ("messages.create.requested", SECRET)


def test_without_a_broker_nothing_is_asked_for(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_SINKS_ACCOUNT", ACCOUNT)
    servers = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS", servers)
    assert act(*MESSAGE) == (2, "", f"Kafka does not answer at {servers} (KafkaConnectionError)\n")


def test_accounts_are_those_of_the_file_and_wrong_settings_are_told(
    act: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.yaml"
    monkeypatch.setenv("SWITCHHOOK_SINKS_ACCOUNTS_FILE", str(file))
    two = [{"sid": ACCOUNT, "alias": "main", "password": SECRET}, {"sid": "AC" + "2" * 32, "password": SECRET}]
    file.write_text(yaml.safe_dump({"accounts": two}))
    assert act(*MESSAGE, "--dry-run")[0] == 2
    assert json.loads(act(*MESSAGE, "--account", "main", "--dry-run")[1])["value"]["account_sid"] == ACCOUNT
    file.write_text(yaml.safe_dump({"accounts": two[:1]}))
    assert act(*MESSAGE, "--dry-run")[0] == 0
    file.write_text(yaml.safe_dump({"accounts": [two[0], {**two[1], "alias": "main"}]}))
    code, _, said = act(*MESSAGE, "--dry-run")
    assert code == 2
    assert "two accounts have the same alias" in said
    assert SECRET not in said


def test_who_stops_waiting_is_told_the_id(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        raise command.NotSure("Stopped")

    monkeypatch.setenv("SWITCHHOOK_SINKS_ACCOUNT", ACCOUNT)
    monkeypatch.setattr(command, "_asked", interrupted)
    code, _, said = act(*MESSAGE, "--id", "mine")
    assert code == 3
    assert "`--id mine` is not done twice" in said


@pytest.fixture
def stack(broker: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Topics, an emulated provider, and a worker of the hands."""
    kafka = broker.kafka(prefix)
    admin = KafkaAdminClient(**kafka.admin_options())
    create(admin, prefix, declared("one-node"))
    admin.close()
    theirs, ours = free_port(), free_port()
    accounts = tmp_path / "accounts.yaml"
    limits = {"messages": {"service": 30}, "reads": 1000, "requests": 1000}
    account = {"sid": ACCOUNT, "password": "token", "base_url": f"http://127.0.0.1:{theirs}", "limits": limits}
    accounts.write_text(yaml.safe_dump({"accounts": [account]}))
    settings = {
        "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        "SWITCHHOOK_KAFKA_TOPIC_PREFIX": prefix,
        "SWITCHHOOK_KAFKA_IDEMPOTENCE": str(broker.idempotence),
        "SWITCHHOOK_KAFKA_SESSION_TIMEOUT": str(kafka.session_timeout),
        "SWITCHHOOK_KAFKA_REBALANCE_TIMEOUT": "6",
        "SWITCHHOOK_SINKS_ACCOUNTS_FILE": str(accounts),
        "SWITCHHOOK_SINKS_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    emulator = ["deploy.emulator", "--port", str(theirs), "--account-sid", ACCOUNT, "--seed", "1"]
    worker = {"SWITCHHOOK_SINKS_PUBLIC_BASE_URL": "http://door.invalid", "SWITCHHOOK_SINKS_PORT": str(ours)}
    started = [
        _started(tmp_path / "emulator.log", emulator, theirs, {"EMULATOR_AUTH_TOKEN": "token"}),
        _started(tmp_path / "worker.log", ["sinks", "actions"], ours, worker),
    ]
    yield
    for process in started:
        process.terminate()
        process.wait(20)


def _started(log: Path, words: list[str], port: int, more: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], env={**os.environ, **more}, cwd=ROOT, stdout=file, stderr=file
        )
    wait_for_port(port, process, log)
    return process


def _killed_midway(words: list[str], ledger: Path) -> int:
    """How many were asked for until then."""
    process = subprocess.Popen([sys.executable, "-m", "sinks", "act", *words], cwd=ROOT)

    def asked() -> int:
        with contextlib.closing(sqlite3.connect(ledger)) as connection:
            return int(connection.execute("SELECT count(*) FROM actions WHERE id LIKE 'bulk-%'").fetchone()[0])

    try:
        end = time.monotonic() + 30
        while asked() < 5 and time.monotonic() < end:
            time.sleep(0.01)  # another process is waited for
    finally:
        process.kill()
        process.wait(20)
    return asked()


@pytest.mark.broker
@pytest.mark.usefixtures("stack")
def test_the_whole_way(act: Any, tmp_path: Path) -> None:
    """From the prompt over the topic, a worker and the provider back to a table; and many from a file, twice."""
    code, said, _ = act(*MESSAGE[:3], "--messaging-service-sid", "MG" + "5" * 32, *MESSAGE[5:], "--id", "mine")
    assert code == 0, said
    assert "messages.create" in said
    assert SECRET not in said
    code, said, _ = act(*MESSAGE, "--id", "mine", "--json")
    first = json.loads(said)
    assert (code, first["outcome"], first["observations"]) == (0, "done", []), "it was done before"
    code, said, _ = act("messages.list", "--json", "--reveal")
    listed = json.loads(said)["observations"]
    assert code == 0
    assert [(each["to"], each["body"]) for each in listed] == [(THEIRS, SECRET)]
    code, said, _ = act("messages.fetch", "--message-sid", "SM" + "0" * 32)
    assert code == 1
    assert "https://www.twilio.com/docs/api/errors/20404" in said
    assert act("numbers.search", "--country", "US", "--limit", "3")[1].count("+1") == 3
    people, out = tmp_path / "people.csv", tmp_path / "out.csv"
    people.write_text("to,name\n" + "".join(f"+1202555{n:04d},N{n}\n" for n in range(30)))
    bulk = ("messages.bulk", str(people), "--messaging-service-sid", "MG" + "5" * 32, "--body-template", "Hi {name}")
    asked = _killed_midway([*bulk, "--ahead", "3"], tmp_path / "ledger.sqlite")
    assert 5 <= asked < 30
    code, said, _ = act(*bulk, "--out", str(out))
    assert (code, said[:16]) == (0, "30 rows: 30 done")
    assert out.read_text().count("done") == 30
    assert len(json.loads(act("messages.list", "--json")[1])["observations"]) == 31
    code, said, _ = act("calls.list", "--no-wait", "--id", "later")
    assert (code, said) == (0, "later\n")


def test_a_file_is_no_longer_than_an_action_may_be(tmp_path: Path, act: Any) -> None:
    file = tmp_path / "action.json"
    file.write_text(" " * (command.MOST_READ + 1))
    code, _, told = act("--file", str(file))
    assert (code, "--file: has more than 1,000,000 characters" in told) == (2, True)
