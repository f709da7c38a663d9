"""Rules: they fire once all they wait for is known, in any order, and their loops end."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.contract import events as e
from ingest.contract.codec import Envelope
from processors.contract.actions import ActionBase, CreateCall, CreateMessage, FetchRecording, depth
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


def problems(text: str) -> dict[int | None, str]:
    """What is said, by line."""
    with pytest.raises(InvalidRules) as raised:
        parse_rules(text)
    return {problem.line: problem.text for problem in raised.value.found}


@pytest.mark.parametrize("word", ["NO", "YES", "on", "Off", "y", "0123", "12:30", "1_000", "0x1F", "2026-01-01", "+49"])
def test_a_word_that_yaml_would_take_for_something_else_stays_that_word(word: str) -> None:
    """In YAML 1.1 these are false, true, numbers and dates, and a keyword `YES` would never be met."""
    answer = 'then: [{action: messages.create, with: {to: "{from}", from: +15550001111, body: hi}}]'
    text = f"name: a\nwhen: {{kind: message, keyword: {word}, attributes: {{opt_out_type: none}}}}\n{answer}"
    (found,) = parse_rules(rule(text)).rules
    assert found.when.keyword == (word,)
    (action,) = actions([inbound(1, word)], Rules(rules=(found,)))
    assert isinstance(action, CreateMessage)
    assert action.from_ == "+15550001111"


def test_a_key_that_stands_twice_is_told_where_and_not_overwritten() -> None:
    text = f"name: a\nwhen:\n  kind: call\n  status: busy\n  status: failed\n{HANG_UP}"
    assert "`status` stands here twice, first on line 5" in problems(rule(text))[6]


def test_names_must_differ_since_they_are_part_of_ids() -> None:
    text = rule(f"name: a\n{BUSY}") + "\n" + rule(f"name: a\n{BUSY}").removeprefix("rules:\n")
    assert "the name is taken" in problems(text)[5]


ANCHORED = """
rules:
  - name: one
    when: &outbound {kind: call, status: busy, attributes: &who {direction: outbound-api}}
    then: &then [{action: calls.hang_up, with: {call_sid: "{key}"}}]
  - name: two
    when: {<<: *outbound, status: failed}
    then: *then
"""


def test_anchors_are_written_out() -> None:
    one, two = parse_rules(ANCHORED).rules
    assert (one.when.status, two.when.status) == (("busy",), ("failed",))
    assert one.then == two.then
    assert two.when.attributes == {"direction": ("outbound-api",)}


def test_lines_that_stand_for_a_billion_values_are_refused_before_they_do() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "values, aliases counted" in next(iter(problems("\n".join(lines)).values()))


def test_depth_is_bounded_through_aliases_too() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 50))]
    assert any("deeper" in said for said in problems("\n".join(lines)).values())


CREATE = "then: [{action: messages.create, with: "


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("{to: '{to}', from: '{from}', body: '{body.upper}'}", "braces hold more"),
        ("{to: '{to}', from: '{from}', body: '{body[0]}'}", "braces hold more"),
        ("{to: '{to}', from: '{from}', body: '{body:>10}'}", "braces hold more"),
        ("{to: '{to}', from: '{from}', body: '{}'}", "braces hold more"),
        ("{to: '{to}', from: '{from}', body: 'a}'}", "written twice"),
        ("{to: '{to}', from: '{from}', media_url: ['https://example.com/{nobody}']}", "does not have"),
        ("{to: '{to}', from: '{from}', body: '{num_segments}'}", "may change"),
        ("{to: '{to}', from: '{from}'}", "needs `body` or `media_url`"),
        ("{to: '{to}', body: hi}", "needs `from` or `messaging_service_sid`"),
        ("{from: '{from}', body: hi}", "needs to"),
        ("{to: 15550001111, from: '{from}', body: hi}", "stands in quotes"),
        ("{to: '{direction}', from: '{key}', body: hi}", "{key} cannot be"),
        ("{to: '{to}', from: '{from}', body: hi, rule: other}", "has no rule"),
        ("{to: '{to}', from: '{from}', body: hi, id: mine}", "has no id"),
    ],
)
def test_an_action_that_could_never_be_made_is_told_before_its_rule_fires(fields: str, said: str) -> None:
    text = rule(f"name: a\nwhen: {{kind: message, status: sent}}\n{CREATE}{fields}}}]")
    assert said in problems(text)[4]


def test_templates_are_filled_within_lists_too_and_literal_braces_stay() -> None:
    fields = "{to: '{to}', from: '{from}', body: '{{{body}}}', media_url: ['https://example.com/{key}?of={from}']}"
    found = parse_rules(rule(f"name: a\nwhen: {{kind: message, status: queued}}\n{CREATE}{fields}}}]"))
    (action,) = actions([shown(1, correlation="x")], found)
    assert isinstance(action, CreateMessage)
    assert action.body == "{hello}"
    assert action.media_url == (f"https://example.com/{sid(1)}?of=%2B15550001111",), "a part of a URL is quoted"


def test_what_a_person_wrote_becomes_no_verb_of_a_document() -> None:
    call_back = "then: [{action: calls.create, with: {to: '{from}', from: '{to}', twiml: '<Response><Say>{body}</Say></Response>'}}]"
    found = parse_rules(rule(f"name: a\nwhen: {{kind: message, status: received}}\n{call_back}"))
    (action,) = actions([inbound(1, "</Say><Dial>+1900</Dial>\x00")], found)
    assert isinstance(action, CreateCall)
    assert action.twiml == "<Response><Say>&lt;/Say&gt;&lt;Dial&gt;+1900&lt;/Dial&gt;</Say></Response>"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{kind: participant, status: joined}", "has none"),
        ("{kind: conference, error_class: carrier}", "nothing tells errors"),
        ("{kind: message, error_code: carrier}", "no error code"),
        ("{kind: message, attributes: {opt_out_type: stop}}", "opt_out_type"),
        ("{kind: call, keyword: INFO}", "for messages"),
        ("{kind: message, keyword: ' '}", "is a word"),
        ("{kind: message, status: []}", "at least 1"),
        ("{kind: fax, status: sent}", "'message', 'call'"),
        ("sent", "is a mapping"),
    ],
)
def test_a_condition_that_could_never_be_met_is_told(when: str, said: str) -> None:
    assert said in problems(rule(f"name: a\nwhen: {when}\n{HANG_UP}"))[3]


@pytest.mark.parametrize("setting", ["enabled: 'no'", "dry_run: 1", "max_depth: true", "max_depth: 6", "settle: true",
                                     "settle: 0s", "settle: 31d", "settle: 5 minutes", "settle: -1s", "settle: 30x"])  # fmt: skip
def test_a_setting_is_what_it_is_meant_to_be(setting: str) -> None:
    assert setting.partition(":")[0] in problems(rule(f"name: a\n{setting}\n{BUSY}"))[3]


def test_times_may_be_put_together() -> None:
    (found,) = parse_rules(rule(f"name: a\nsettle: 1h 30m\n{BUSY}")).rules
    assert found.settle == 5400


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
    add = "then: [{action: participants.add, with: {conference: '{conference_sid}', to: '+15550001111', from: '+15550002222'}}]"
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
