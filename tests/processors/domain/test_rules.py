"""Rules: they fire once all they wait for is known, in any order, and their loops end."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.contract import events as e
from ingest.contract.codec import Envelope
from processors.contract.actions import ActionBase, CreateMessage, FetchRecording, depth
from processors.domain.deciding import Decided
from processors.domain.facts import Resource
from processors.domain.fold import fold
from processors.domain.reading import read
from processors.domain.rulebook import write_down
from processors.domain.rules import Rules, parse_rules
from processors.settings import load_rules

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
EXAMPLES = load_rules(Path(__file__).parents[3] / "processors" / "rules.example.yaml")
HASH_KEY = b"0123456789abcdef"


def sid(number: int) -> str:
    return f"SM{number:032x}"


def undelivered(number: int, correlation: str | None = None) -> Envelope:
    event = e.MessageUpdated(account_sid=ACCOUNT, message_sid=sid(number), status="undelivered", error_code=30005)
    return Envelope(event, "test", NOW, correlation=correlation)


def shown(number: int, *, correlation: str | None = None, unsolicited: bool = False) -> Envelope:
    event = e.MessageObserved(
        account_sid=ACCOUNT,
        message_sid=sid(number),
        status="queued",
        body="hello",
        direction="outbound-api",
        unsolicited=unsolicited,
        **{"from": "+15550001111", "to": "+15552223333"},
    )
    return Envelope(event, "test", NOW, correlation=correlation)


def inbound(number: int, body: str, opt_out: str | None = None, sender: str = "+15552223333") -> Envelope:
    event = e.MessageReceived(
        account_sid=ACCOUNT,
        message_sid=sid(number),
        body=body,
        direction="inbound",
        opt_out_type=opt_out,
        **{"from": sender, "to": "+15550001111"},
    )
    return Envelope(event, "test", NOW)


def decided(history: list[Envelope], rules: Rules = EXAMPLES) -> list[Decided]:
    rows: dict[str, Resource] = {}
    found: list[Decided] = []
    for envelope in history:
        statement = read(envelope)
        step = fold(rows.get(statement.key), statement, write_down(rules), HASH_KEY)
        rows[statement.key] = step.resource
        found += step.actions
    return found


def actions(history: list[Envelope], rules: Rules = EXAMPLES) -> list[ActionBase]:
    return [each.action for each in decided(history, rules) if each.action is not None]


def test_a_message_that_was_not_delivered_is_sent_once_by_another_route_in_any_order() -> None:
    history = [undelivered(1, "welcome-7"), shown(1, correlation="welcome-7")]
    ids = set()
    for order in itertools.permutations(history + history):
        (action,) = actions(list(order))
        assert isinstance(action, CreateMessage)
        assert (action.to, action.body, action.from_) == ("+15552223333", "hello", "+15005550199")
        ids.add(action.id)
    assert len(ids) == 1


def test_it_waits_until_it_is_known_who_made_the_message() -> None:
    assert actions([undelivered(1), shown(1)]) == []
    assert len(actions([undelivered(1), shown(1), shown(1, unsolicited=True)])) == 1


def test_the_loop_through_an_outbound_resource_ends() -> None:
    """Every message that the rule sends is undelivered again."""
    sent, waiting = 0, [(1, "welcome-7")]
    while waiting:
        number, made_by = waiting.pop()
        for action in actions([shown(number, correlation=made_by), undelivered(number, made_by)]):
            assert isinstance(action, CreateMessage)
            sent += 1
            waiting.append((number + 1, action.id))
        assert sent < 10
    assert sent == 1


def test_depth_is_readable_in_the_id() -> None:
    (action,) = actions([shown(1, correlation="x"), undelivered(1, "x")])
    assert isinstance(action, CreateMessage)
    assert depth(action.id) == 1
    assert depth("welcome-7") == 0


@pytest.mark.parametrize("body", ["INFO", " info ", "Info\n"])
def test_a_keyword_is_answered(body: str) -> None:
    (action,) = actions([inbound(1, body), inbound(1, body)])
    assert isinstance(action, CreateMessage)
    assert (action.to, action.from_) == ("+15552223333", "+15550001111")
    assert "555" not in action.ordering_key


@pytest.mark.parametrize("history", [[inbound(1, "INFORM")], [inbound(1, "INFO", "STOP")], [inbound(1, "")]])
def test_what_is_no_keyword_or_an_opt_out_is_not_answered(history: list[Envelope]) -> None:
    assert actions(history) == []


def test_a_completed_recording_is_fetched_once() -> None:
    recording = "RE" + "5" * 32
    done = e.RecordingUpdated(account_sid=ACCOUNT, recording_sid=recording, status="completed")
    seen = e.RecordingObserved(account_sid=ACCOUNT, recording_sid=recording, status="completed", duration=4)
    (action,) = actions([Envelope(done, "t", NOW), Envelope(seen, "t", NOW), Envelope(done, "t", NOW)])
    assert isinstance(action, FetchRecording)
    assert action.recording_sid == action.ordering_key == recording


def test_a_reply_that_cannot_be_made_is_told_not_raised() -> None:
    (answer,) = decided([inbound(1, "INFO", sender="anonymous")])
    assert (answer.rule, answer.action, answer.wrong) == ("answer-info", None, ("messages.create.to",))


def rule(text: str) -> str:
    return "rules:\n  - " + text.replace("\n", "\n    ")


HANG_UP = "then: [{action: calls.hang_up, with: {call_sid: '{key}'}}]"
BUSY = "when: {kind: call, status: busy, attributes: {direction: inbound}}\n" + HANG_UP


def called(name: str) -> Envelope:
    event = e.CallUpdated(account_sid=ACCOUNT, call_sid="CA" + "1" * 32, status=name, direction="inbound")
    return Envelope(event, "test", NOW)


def test_a_rule_that_is_switched_off_does_nothing() -> None:
    assert decided([called("busy")], parse_rules(rule(f"name: a\nenabled: false\n{BUSY}"))) == []
    assert len(decided([called("busy")], parse_rules(rule(f"name: a\n{BUSY}")))) == 1


def test_a_dry_run_says_what_it_would_do() -> None:
    (found,) = decided([called("busy")], parse_rules(rule(f"name: a\ndry_run: true\n{BUSY}")))
    assert found.dry_run
    assert found.action is not None


def test_a_rule_that_settles_does_nothing_at_once() -> None:
    assert decided([called("busy")], parse_rules(rule(f"name: a\nsettle: 30s\n{BUSY}"))) == []


def test_a_keyword_in_a_message_of_ours_is_no_keyword() -> None:
    answer = "then: [{action: messages.create, with: {to: '{to}', from: '{from}', body: again}}]"
    rules = parse_rules(rule(f"name: a\nwhen: {{kind: message, keyword: HELLO}}\n{answer}"))
    assert actions([shown(1, correlation="welcome-7")], rules) == []
    assert len(actions([inbound(1, "hello")], rules)) == 1


def joined(label: str | None) -> Envelope:
    event = e.ConferenceUpdated(
        account_sid=ACCOUNT, conference_sid="CF" + "1" * 32, call_sid="CA" + "1" * 32, event="participant-join",
        participant_label=label, sequence_number=1,
    )  # fmt: skip
    return Envelope(event, "test", NOW)


def test_a_participant_whom_a_rule_added_does_not_fire_it_again() -> None:
    """The callbacks of a conference name no action: the label of who was added does."""
    with_ = "{conference: '{conference_sid}', to: '+15550001111', from: '+15550002222'}"
    add = f"then: [{{action: participants.add, with: {with_}}}]"
    rules = parse_rules(rule(f"name: a\nwhen: {{kind: participant, event: participant-join}}\n{add}"))
    (action,) = actions([joined(None)], rules)
    assert depth(action.id) == 1
    assert actions([joined("welcome-7")], rules)
    assert actions([joined(action.id)], rules) == []


def test_a_rule_may_answer_what_it_made_itself_as_deep_as_it_says() -> None:
    answer = "then: [{action: messages.create, with: {to: '{to}', from: '{from}', body: again}}]"
    rules = parse_rules(rule(f"name: a\nmax_depth: 2\nwhen: {{kind: message, status: queued}}\n{answer}"))
    made_by, made = "welcome-7", 0
    while found := actions([shown(made, correlation=made_by)], rules):
        made_by, made = found[0].id, made + 1
        assert depth(made_by) == made
    assert made == 2
