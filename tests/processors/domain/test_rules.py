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
from processors.domain.rules import InvalidRules, Rules, parse_rules
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
        step = fold(rows.get(statement.key), statement, envelope, write_down(rules), HASH_KEY)
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


BROKEN = """
rules:
  - name: One
    when: {kind: message, status: sent}
    then: [{action: messages.create, with: {to: "{to}", bodi: x}}]
  - name: two
    when: {kind: call, colour: red, status: busy}
    then: [{action: calls.explode}]
  - name: three
    when: {kind: call, attributes: {duration: "3"}}
    then: [{action: calls.hang_up, with: {call_sid: "{key}"}}]
  - name: four
    when: {kind: message, status: sent}
    then: [{action: messages.create, with: {to: "{too}", body: x}}]
"""


def test_every_problem_of_a_rules_file_is_named_at_once() -> None:
    with pytest.raises(InvalidRules) as raised:
        parse_rules(BROKEN)
    text = str(raised.value)
    for part in ("'One'", "name", "bodi", "'two'", "colour", "calls.explode", "'three'", "duration", "'four'", "too"):
        assert part in text


def test_every_problem_says_its_line() -> None:
    with pytest.raises(InvalidRules) as raised:
        parse_rules(BROKEN)
    by_line = {problem.line for problem in raised.value.found}
    assert by_line == {3, 5, 7, 8, 10, 14}, raised.value.problems


def rule(text: str) -> str:
    return "rules:\n  - " + text.replace("\n", "\n    ")


HANG_UP = "then: [{action: calls.hang_up, with: {call_sid: '{key}'}}]"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f"name: a\nwhen: {{kind: call, status: busy}}\nlatest: {{duration: 1}}\n{HANG_UP}", 4, "settle"),
        (f"name: a\nwhen: {{kind: call, status: busy}}\nunless: {{status: completed}}\n{HANG_UP}", 4, "settle"),
        (f"name: a\nwhen: {{kind: call, status: bussy}}\n{HANG_UP}", 3, "bussy"),
        (f"name: a\nwhen: {{kind: call, event: amd}}\n{HANG_UP}", 3, "amd"),
        (f"name: a\nwhen: {{kind: message, error_class: careless}}\n{HANG_UP}", 3, "careless"),
        (f"name: a\nsettle: soon\nwhen: {{kind: call, status: busy}}\n{HANG_UP}", 3, "settle"),
        (f"name: a\nwhen: {{kind: call}}\n{HANG_UP}", 3, "at least one"),
        (f"name: a\nwhen: {{kind: call, status: busy}}\n{HANG_UP}".replace("{key}", "{key!r}"), 4, "braces"),
        (f"name: a\nwhen: {{kind: call, status: busy}}\n{HANG_UP}".replace("{key}", "{key"), 4, "brace"),
        ("name: a\nwhen: {kind: call, status: busy}\nwhen: {kind: call, status: failed}\n" + HANG_UP, 4, "when"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_meant_is_refused_where_it_stands(text: str, line: int, said: str) -> None:
    with pytest.raises(InvalidRules) as raised:
        parse_rules(rule(text))
    assert any(problem.line == line and said in problem.text for problem in raised.value.found), raised.value.problems


@pytest.mark.parametrize("text", ["rules: &a [*a]", "rules: !!python/object:os.system {}", "[" * 5000])
def test_a_document_that_would_never_end_is_refused(text: str) -> None:
    with pytest.raises(InvalidRules):
        parse_rules(text)


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidRules, match="larger"):
        parse_rules("#" * 2_000_000)


@pytest.mark.parametrize(("spelling", "seconds"), [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400), ("90", 90)])
def test_a_time_to_settle_has_units(spelling: str, seconds: float) -> None:
    (found,) = parse_rules(rule(f"name: a\nsettle: {spelling}\nwhen: {{kind: call, status: busy}}\n{HANG_UP}")).rules
    assert found.settle == seconds


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


def test_an_unreadable_rules_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(InvalidRules, match="cannot read"):
        load_rules(tmp_path / "none.yaml")
    with pytest.raises(InvalidRules, match="not YAML"):
        parse_rules("rules: [")
