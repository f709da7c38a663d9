"""The rules that are shipped as examples: each does what its comment says, and not what it must not."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.contract import events as e
from ingest.contract.codec import Envelope
from processors.contract.actions import Action
from processors.domain.due import Deadlines, later
from processors.domain.facts import Resource
from processors.domain.fold import fold
from processors.domain.reading import read
from processors.domain.rulebook import Rulebook, write_down
from processors.domain.rules import Rules, parse_rules
from processors.domain.stamps import stamp
from processors.domain.sweeping import swept
from processors.settings import load_rules

EXAMPLES = load_rules(Path(__file__).parents[2] / "processors" / "rules.example.yaml")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT, HASH_KEY = "AC" + "0" * 32, b"0123456789abcdef"
MESSAGE, CALL, CONFERENCE, RECORDING = "SM" + "1" * 32, "CA" + "2" * 32, "CF" + "3" * 32, "RE" + "4" * 32
NUMBERS = {"from": "+15550001111", "to": "+15552223333"}
NEVER = Deadlines(dict.fromkeys(("message", "call", "recording", "conference", "participant"), 1e6))

Said = tuple[e.Event, str | None]


def message(status: str, code: int | None = None, correlation: str | None = "welcome-7") -> Said:
    return e.MessageUpdated(account_sid=ACCOUNT, message_sid=MESSAGE, status=status, error_code=code), correlation


def shown(correlation: str | None = "welcome-7") -> Said:
    event = e.MessageObserved(
        account_sid=ACCOUNT, message_sid=MESSAGE, status="queued", body="hello", direction="outbound-api", **NUMBERS
    )
    return event, correlation


def wrote(body: str, opt_out: str | None = None) -> Said:
    event = e.MessageReceived(
        account_sid=ACCOUNT, message_sid=MESSAGE, body=body, direction="inbound", opt_out_type=opt_out, **NUMBERS
    )
    return event, None


def call(status: str, sequence: int, correlation: str | None = "reminder-7", **more: object) -> Said:
    event = e.CallUpdated(
        account_sid=ACCOUNT,
        status=status,
        sequence_number=sequence,
        direction="outbound-api",
        **{"call_sid": CALL, **NUMBERS, **more},
    )
    return event, correlation


def answered_by(who: str) -> Said:
    return e.CallAmdDetected(account_sid=ACCOUNT, call_sid=CALL, answered_by=who), "reminder-7"


def person(event: str, label: str, sequence: int) -> Said:
    told = e.ConferenceUpdated(
        account_sid=ACCOUNT,
        conference_sid=CONFERENCE,
        call_sid=CALL,
        event=event,
        participant_label=label,
        sequence_number=sequence,
    )
    return told, None


def recording(status: str) -> Said:
    return e.RecordingUpdated(account_sid=ACCOUNT, recording_sid=RECORDING, status=status), "reminder-7"


ARCHIVED: Said = (
    e.RecordingArchived(account_sid=ACCOUNT, recording_sid=RECORDING, location="2026/RE.wav", sha256="0" * 64, size=44),
    "reminder-7",
)

FIRES: Mapping[str, tuple[Sequence[Said], str]] = {
    "resend-undelivered": ([shown(), message("undelivered", 30005)], "messages.create"),
    "answer-info": ([wrote("info")], "messages.create"),
    "fetch-recording": ([recording("completed")], "recordings.fetch"),
    "resend-by-whatsapp": ([message("failed", 30006), shown()], "messages.create"),
    "tell-of-opt-out": ([wrote("STOP", "STOP")], "messages.create"),
    "hang-up-on-voicemail": ([call("in-progress", 2), answered_by("machine_end_beep")], "calls.hang_up"),
    "call-again-when-busy": ([call("busy", 2)], "calls.create"),
    "mute-on-entry": ([person("participant-join", "listener", 1)], "participants.mute"),
    "end-without-moderator": (
        [person("participant-join", "moderator", 1), person("participant-leave", "moderator", 2)],
        "conferences.end",
    ),
    "archive-recording": ([recording("completed")], "recordings.download"),
    "delete-archived-recording": ([recording("completed"), ARCHIVED], "recordings.delete"),
    "tell-of-failures": ([message("failed", 30034)], "messages.create"),
}
FIRES_NOT: Mapping[str, Sequence[Said]] = {
    "resend-undelivered": [shown(), message("undelivered", 30007)],
    "answer-info": [wrote("INFO", "STOP")],
    "fetch-recording": [recording("in-progress")],
    "resend-by-whatsapp": [shown(), message("delivered")],
    "tell-of-opt-out": [wrote("STOP IT")],
    "hang-up-on-voicemail": [call("in-progress", 2), answered_by("human")],
    "call-again-when-busy": [call("busy", 2, "0123456789abcdef01234567-d2")],
    "mute-on-entry": [person("participant-join", "moderator", 1)],
    "end-without-moderator": [
        person("participant-join", "moderator", 1),
        person("participant-leave", "moderator", 2),
        person("participant-join", "moderator", 3),
    ],
    "archive-recording": [recording("in-progress")],
    "delete-archived-recording": [recording("completed")],
    "tell-of-failures": [message("failed", 30005), message("undelivered", 30003)],
}


def switched_on(name: str) -> Rulebook:
    found = [rule.model_copy(update={"enabled": True}) for rule in EXAMPLES.rules if rule.name == name]
    assert found, f"no rule is called {name}"
    return write_down(Rules(rules=tuple(found)))


def asked(name: str, history: Sequence[Said]) -> Sequence[Action]:
    """What the rule asks for, at once or when it has settled."""
    rules, rows, actions = switched_on(name), dict[str, Resource](), list[Action]()
    for second, (event, correlation) in enumerate(history):
        envelope = Envelope(event, "test", NOW + timedelta(seconds=second), correlation=correlation)
        statement = read(envelope)
        step = fold(rows.get(statement.key), statement, rules, HASH_KEY)
        rows[statement.key] = step.resource
        actions += [each.action for each in step.actions if each.action is not None]
    for row in rows.values():
        step_ = swept(row, None, later(stamp(NOW), 86_400), rules, NEVER, HASH_KEY)
        actions += [each.action for each in step_.decided if each.action is not None]
    return actions


def test_every_example_is_tried() -> None:
    assert {rule.name for rule in EXAMPLES.rules} == set(FIRES) == set(FIRES_NOT)


@pytest.mark.parametrize("name", FIRES)
def test_it_does_what_its_comment_says_once(name: str) -> None:
    history, action = FIRES[name]
    for order in (history, [*reversed(history)], [*history, *history]):
        assert [each.type for each in asked(name, order)] == [action]


@pytest.mark.parametrize("name", FIRES_NOT)
def test_it_leaves_alone_what_is_not_meant(name: str) -> None:
    assert asked(name, FIRES_NOT[name]) == []


def test_whoever_opted_out_is_never_answered() -> None:
    for rule in EXAMPLES.rules:
        for effect in rule.then:
            if effect.action == "messages.create" and "{from}" in str(effect.with_.get("to")):
                assert rule.when.attributes.get("opt_out_type") == ("none",), rule.name


@pytest.mark.parametrize("code", [21610, 30004, 63024, 30007])
def test_nobody_is_written_to_by_whatsapp_who_opted_out_or_blocked_us_or_has_it_already(code: int) -> None:
    assert asked("resend-by-whatsapp", [shown(), message("undelivered", code)]) == []


def test_a_message_of_a_rule_that_fails_is_not_told_of_again() -> None:
    (told,) = asked("tell-of-failures", [message("failed", 30034)])
    assert asked("tell-of-failures", [message("failed", 30034, told.id)]) == []


def test_a_call_is_made_again_twice_and_no_more() -> None:
    made_by, calls = "reminder-7", 0
    while found := asked("call-again-when-busy", [call("busy", 2, made_by)]):
        made_by, calls = found[0].id, calls + 1
    assert calls == 2


def test_a_call_that_was_answered_meanwhile_is_not_made_again() -> None:
    assert asked("call-again-when-busy", [call("no-answer", 2), call("in-progress", 3)]) == []


def test_every_rule_may_be_switched_on_at_once() -> None:
    text = (Path(__file__).parents[2] / "processors" / "rules.example.yaml").read_text()
    rules = parse_rules(text.replace("enabled: false", "enabled: true")).rules
    assert [rule.name for rule in rules if rule.enabled] == [rule.name for rule in EXAMPLES.rules]


@pytest.mark.parametrize("code", [21610, 30004, 63024])
@pytest.mark.parametrize("name", ["resend-undelivered", "resend-by-whatsapp"])
def test_whoever_opted_out_or_blocked_us_is_not_written_to_by_another_way(name: str, code: int) -> None:
    assert asked(name, [shown(), message("failed", code)]) == []


def test_what_is_switched_on_is_harmless_to_try() -> None:
    assert [rule.name for rule in EXAMPLES.rules if rule.enabled] == [
        "resend-undelivered",
        "answer-info",
        "fetch-recording",
    ]
