"""The commands for people: a rules file is checked and tried, and a resource is explained."""

import asyncio
import io
import json
import re
from pathlib import Path

import pytest

from ingest.contract import events as e
from ingest.contract.codec import Envelope
from processors.__main__ import main
from processors.domain.facts import Resource
from processors.domain.fold import fold
from processors.domain.reading import read
from processors.domain.rulebook import write_down
from processors.store.opening import open_store
from tests.processors.test_shipped_rules import (
    CALL,
    CONFERENCE,
    EXAMPLES,
    HASH_KEY,
    MESSAGE,
    NOW,
    RECORDING,
    Said,
    call,
    message,
    person,
    shown,
    wrote,
)

DIALLED, LEG = "CA" + "5" * 32, "CA" + "6" * 32
RULES = Path(__file__).parents[2] / "processors" / "rules.example.yaml"

Captured = pytest.CaptureFixture[str]


def test_the_examples_are_valid_and_named(capsys: Captured) -> None:
    assert main(["rules", "check", str(RULES)]) == 0
    told = capsys.readouterr().out
    assert all(rule.name in told for rule in EXAMPLES.rules)
    assert "end-without-moderator" in told
    assert "judged after 30 s" in told


def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  - name: One\n    when: {kind: call, status: bussy}\n    then: []\n")
    assert main(["rules", "check", str(file)]) == 2
    told = capsys.readouterr().err
    for line in (2, 3, 4):
        assert f"{file}:{line}: rule 'One': " in told


def test_a_keyword_is_answered_by_the_front_door_or_by_a_rule(tmp_path: Path, capsys: Captured) -> None:
    replies = tmp_path / "replies.yaml"
    replies.write_text("message-inbound: {keywords: {info: <Response/>, HOURS: <Response/>}}")
    assert main(["rules", "check", str(RULES), "--replies", str(replies)]) == 2
    assert capsys.readouterr().err.startswith(f"{replies}:1: INFO: a keyword")
    replies.write_text("message-inbound: {keywords: {HOURS: <Response/>}}")
    assert main(["rules", "check", str(RULES), "--replies", str(replies)]) == 0


def test_replies_that_are_no_yaml_are_told_by_their_line(tmp_path: Path, capsys: Captured) -> None:
    replies = tmp_path / "replies.yaml"
    replies.write_text("message-inbound:\n  keywords: [\n")
    assert main(["rules", "check", str(RULES), "--replies", str(replies)]) == 2
    assert capsys.readouterr().err.startswith(f"{replies}:3: not YAML")


def written(said: list[Said], path: Path) -> Path:
    documents = [
        {"event": event.model_dump(mode="json", by_alias=True, exclude_none=True), "correlation": correlation}
        for event, correlation in said
    ]
    path.write_text("\n".join(map(json.dumps, documents)))
    return path


def test_trying_says_what_fires_and_why_not(tmp_path: Path, capsys: Captured) -> None:
    events = written([shown(), message("undelivered", 30007)], tmp_path / "events.jsonl")
    assert main(["rules", "try", str(RULES), str(events)]) == 0
    told = capsys.readouterr().out
    assert "resend-undelivered does not fire" in told
    assert "NO   error 30003 or 30005 or 30006 or 30008; known is 30007 (content)" in told
    assert "yes  status undelivered or failed" in told
    assert main(["rules", "try", str(RULES), str(written([wrote("INFO")], events)), "--json"]) == 0
    (tried,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    fires = {rule["rule"]: rule["actions"] for rule in tried["rules"] if rule["fires"]}
    assert list(fires) == ["answer-info"]
    assert fires["answer-info"][0]["to"] == "+15550001111"
    assert "ordering_key" not in fires["answer-info"][0], "it takes the brain's own secret"


def fired(text: str, tmp_path: Path, capsys: Captured) -> list[str]:
    (tmp_path / "events").write_text(text)
    assert main(["rules", "try", str(RULES), str(tmp_path / "events"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [rule["rule"] for row in rows for rule in row["rules"] if rule["fires"]]


def test_events_are_taken_as_one_finds_them(tmp_path: Path, capsys: Captured) -> None:
    """A message that is known to be no action's, and undelivered: as values, as records, and as kcat -J prints them."""
    values = [
        event.model_dump(mode="json", by_alias=True, exclude_none=True) for event, _ in (shown(), message("sent"))
    ]
    values[1] |= {"status": "undelivered", "error_code": 30005}
    inline = [{**value, "correlation": "welcome-7", "received": "2026-01-01T00:00:00Z"} for value in values]
    headers = {"ce_correlation": "welcome-7", "ce_id": "1", "ce_type": "overruled by none"}
    records = [{"headers": {**headers, "ce_type": value["type"]}, "value": value} for value in values]
    printed = [
        {"topic": "comms.messages", "headers": ["ce_correlation", "welcome-7", "ce_type", value["type"]],
         "payload": json.dumps(value)}
        for value in values
    ]  # fmt: skip
    for documents in (inline, records, printed):
        assert fired(json.dumps(documents), tmp_path, capsys) == ["resend-undelivered"]
        assert fired("\n".join(map(json.dumps, documents)), tmp_path, capsys) == ["resend-undelivered"]
    assert fired(json.dumps(values), tmp_path, capsys) == [], "without a correlation nobody knows who made it"


def test_what_nobody_vouches_for_fires_nothing(tmp_path: Path, capsys: Captured) -> None:
    event, _ = wrote("INFO")
    value = event.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert fired(json.dumps(value), tmp_path, capsys) == ["answer-info"]
    assert fired(json.dumps({**value, "verified": False}), tmp_path, capsys) == []


def test_an_answer_to_whoever_wrote_is_noted(tmp_path: Path, capsys: Captured) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.read_text().replace("attributes: {opt_out_type: none}", ""))
    assert main(["rules", "check", str(rules)]) == 0
    assert "NOTE: answers whoever wrote" in capsys.readouterr().out
    assert main(["rules", "check", str(RULES)]) == 0
    assert "NOTE" not in capsys.readouterr().out


def test_trying_says_when_a_rule_that_settles_is_judged(tmp_path: Path, capsys: Captured) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.read_text().replace("enabled: false", "enabled: true"))
    left = [person("participant-join", "moderator", 1), person("participant-leave", "moderator", 2)]
    assert main(["rules", "try", str(rules), str(written(left, tmp_path / "e"))]) == 0
    assert "and would fire as things are" in capsys.readouterr().out
    back = [*left, person("participant-join", "moderator", 3)]
    assert main(["rules", "try", str(rules), str(written(back, tmp_path / "e"))]) == 0
    told = capsys.readouterr().out
    assert "and would not fire as things are" in told
    assert "NO   present is false" in told
    assert main(["rules", "try", str(rules), str(written(left, tmp_path / "e")), "--json"]) == 0
    (tried,) = map(json.loads, capsys.readouterr().out.splitlines())
    (found,) = (rule for rule in tried["rules"] if rule["rule"] == "end-without-moderator")
    assert (found["settle"], found["judged_at"]) == (30.0, None)
    assert found["due"] is not None


@pytest.mark.parametrize(
    "text", ["{", "[]x", '{"type": "message.exploded"}', '{"type": "message.updated"}', '{"type": "error.logged"}', "3"]
)
def test_events_that_are_none_are_refused_plainly(text: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "events").write_text(text)
    assert main(["rules", "try", str(RULES), str(tmp_path / "events")]) == 2
    assert capsys.readouterr().err.startswith("There is no answer: ")


@pytest.mark.parametrize("text", ["", "\n", "[]"])
def test_a_file_without_events_is_no_answer(text: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "events").write_text(text)
    assert main(["rules", "try", str(RULES), str(tmp_path / "events")]) == 2
    assert capsys.readouterr().err == f"There is no answer: {tmp_path / 'events'} holds no event\n"


def test_a_file_that_is_no_text_is_refused_plainly(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "events").write_bytes(b"\xff\xfe\x00")
    assert main(["rules", "try", str(RULES), str(tmp_path / "events")]) == 2
    assert main(["rules", "check", str(RULES), "--replies", str(tmp_path / "events")]) == 2
    assert capsys.readouterr().err.count("is no text in UTF-8") == 2


def test_events_may_come_from_another_command(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    event, _ = wrote("INFO")
    monkeypatch.setattr("sys.stdin", io.StringIO(event.model_dump_json(by_alias=True, exclude_none=True)))
    assert main(["rules", "try", str(RULES), "-"]) == 0
    assert "answer-info fires" in capsys.readouterr().out


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database as a worker leaves it: a message that was sent again, and a participant with its label."""
    url = f"sqlite+aiosqlite:///{tmp_path}/state.sqlite"
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_HASH_KEY", "0123456789abcdef")
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_DATABASE_URL", url)
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_RULES_FILE", str(RULES))
    rows: dict[str, Resource] = {}
    for event, correlation in [
        shown(),
        message("sent"),
        message("undelivered", 30005),
        person("participant-join", "moderator", 4),
        (
            e.ConferenceUpdated(
                account_sid="AC" + "0" * 32, conference_sid=CONFERENCE, event="conference-start", sequence_number=3
            ),
            None,
        ),
        call("busy", 2, call_sid=DIALLED),
        call("completed", 2, call_sid=LEG, parent_call_sid=DIALLED),
        (
            e.RecordingUpdated(
                account_sid="AC" + "0" * 32, recording_sid=RECORDING, call_sid=DIALLED, status="completed"
            ),
            "reminder-7",
        ),
    ]:
        envelope = Envelope(event, "test", NOW, correlation=correlation)
        statement = read(envelope)
        step = fold(rows.get(statement.key), statement, write_down(EXAMPLES), HASH_KEY)
        rows[statement.key] = step.resource._replace(version=1)

    async def write() -> None:
        store = await open_store(url)
        await store.write(list(rows.values()), dict.fromkeys(rows, 0))
        await store.close()

    asyncio.run(write())


@pytest.mark.usefixtures("state")
def test_why_tells_facts_rules_and_actions_without_what_is_personal(capsys: Captured) -> None:
    assert main(["why", MESSAGE]) == 0
    told = capsys.readouterr().out
    for part in ("undelivered, ended", "sent", "30005", "welcome-7", "resend-undelivered is met", "-d1"):
        assert part in told
    assert told.index(" sent ") < told.index(" undelivered "), "in the order of their ranks"
    assert "to is known" in told
    assert "hello" not in told
    assert "555" not in told
    assert main(["why", MESSAGE, "--reveal"]) == 0
    assert "+15552223333" in capsys.readouterr().out


@pytest.mark.usefixtures("state")
def test_why_tells_who_is_in_a_conference(capsys: Captured) -> None:
    assert main(["why", CONFERENCE]) == 0
    assert f"has        participant {CONFERENCE}/{CALL}, joined" in capsys.readouterr().out
    assert main(["why", f"{CONFERENCE}/{CALL}", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["status"] == "joined"
    assert known["attributes"]["present"] == {"value": True, "sequence": 4, "at": ""}
    assert known["attributes"]["participant_label"]["value"] == "(9 characters)"


@pytest.mark.usefixtures("state")
def test_why_tells_the_legs_and_recordings_of_a_call_and_which_rule_is_due(capsys: Captured) -> None:
    assert main(["why", DIALLED, "--rules", str(RULES)]) == 0
    told = capsys.readouterr().out
    assert f"has        call {LEG}, completed" in told
    assert f"has        recording {RECORDING}, completed" in told
    assert "call-again-when-busy is switched off, and would fire" in told
    assert re.search(r"→ +\{\"type\":\"calls.create\",\"id\":\"[0-9a-f]{24}-d1\"\}", told)
    assert "5550001111" not in told


LATER = """
rules:
  - name: came-later
    when: {kind: message, status: undelivered}
    then: [{action: messages.fetch, with: {message_sid: "{key}"}}]
  - name: settles-later
    when: {kind: message, status: undelivered}
    settle: 30s
    then: [{action: messages.fetch, with: {message_sid: "{key}"}}]
"""


@pytest.mark.usefixtures("state")
def test_why_does_not_claim_that_a_rule_fired_which_may_have_come_later(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "later.yaml").write_text(LATER)
    assert main(["why", MESSAGE, "--rules", str(tmp_path / "later.yaml")]) == 0
    told = capsys.readouterr().out
    assert "came-later is met, since 2026-01-01T00:00:00.000000Z or later; if the worker had it by then" in told
    assert "fires" not in told
    assert main(["why", MESSAGE, "--rules", str(tmp_path / "later.yaml"), "--json"]) == 0
    assert all("fires" not in rule for rule in json.loads(capsys.readouterr().out)["rules"])


@pytest.mark.parametrize(
    ("due", "told"),
    [
        (None, "was to be judged at 2026-01-01T00:00:30.000000Z and has not been; it will be with the next event"),
        ("2026-01-01T00:00:31.000000Z", "it will be at 2026-01-01T00:00:31.000000Z, or with the next event"),
        ("2026-01-01T00:00:30.000000Z", "is judged at 2026-01-01T00:00:30.000000Z, and would fire as things are"),
    ],
)
@pytest.mark.usefixtures("state")
def test_why_says_when_a_rule_that_settles_is_judged_by_when_the_row_is_looked_at(
    due: str | None, told: str, tmp_path: Path, capsys: Captured
) -> None:
    asyncio.run(planned(f"sqlite+aiosqlite:///{tmp_path}/state.sqlite", due))
    (tmp_path / "later.yaml").write_text(LATER)
    assert main(["why", MESSAGE, "--rules", str(tmp_path / "later.yaml")]) == 0
    assert told in capsys.readouterr().out


async def planned(url: str, due: str | None) -> None:
    store = await open_store(url)
    row = (await store.read([MESSAGE]))[MESSAGE]
    assert isinstance(row, Resource)
    await store.write([row._replace(due=due, version=row.version + 1)], {MESSAGE: row.version})
    await store.close()


@pytest.mark.usefixtures("state")
def test_why_says_so_where_nothing_is_known(capsys: Captured) -> None:
    assert main(["why", "SM" + "9" * 32]) == 1
    assert "is not known" in capsys.readouterr().err


@pytest.mark.usefixtures("state")
def test_why_knows_of_a_dry_run_of_the_whole_worker(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_DRY_RUN", "true")
    assert main(["why", MESSAGE]) == 0
    assert "resend-undelivered would fire, but for its dry run" in capsys.readouterr().out


@pytest.mark.usefixtures("state")
def test_why_makes_no_database_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """A path that is mistyped must not look like a state in which nothing is known."""
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/typo/state.sqlite")
    assert main(["why", MESSAGE]) == 2
    assert "there is no" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()
