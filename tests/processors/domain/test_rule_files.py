"""Rules files: every mistake is told at once, with its line; what YAML would guess is taken as it is written."""

from pathlib import Path

import pytest

from processors.contract.actions import BuyNumber, CreateCall, CreateMessage
from processors.domain.rules import InvalidRules, Rules, parse_rules
from processors.settings import load_rules
from tests.processors.domain.test_rules import BUSY, HANG_UP, actions, inbound, rule, shown, sid

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


def test_a_callback_url_is_quoted_like_every_other() -> None:
    asked = "numbers.buy, with: {area_code: '415', status_callback: 'https://example.com/?of={from}'}"
    when = "name: a\nwhen: {kind: message, status: queued}\n"
    (action,) = actions([shown(1, correlation="x")], parse_rules(rule(f"{when}then: [{{action: {asked}}}]")))
    assert isinstance(action, BuyNumber)
    assert action.status_callback == "https://example.com/?of=%2B15550001111"


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("numbers.release, with: {number_sid: PN00000000000000000000000000000001}", "PN" + "1".rjust(32, "0")),
        ("numbers.search, with: {country_code: US}", sid(1)),
    ],
)
def test_what_reaches_nobody_waits_behind_what_it_is_about(asked: str, key: str) -> None:
    when = "name: a\nwhen: {kind: message, status: queued}\n"
    (action,) = actions([shown(1, correlation="x")], parse_rules(rule(f"{when}then: [{{action: {asked}}}]")))
    assert action.ordering_key == key


def test_what_a_person_wrote_becomes_no_verb_of_a_document() -> None:
    with_ = "{to: '{from}', from: '{to}', twiml: '<Response><Say>{body}</Say></Response>'}"
    call_back = f"then: [{{action: calls.create, with: {with_}}}]"
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


SETTINGS = ["enabled: 'no'", "dry_run: 1", "max_depth: true", "max_depth: 6", "settle: true", "settle: 0s",
            "settle: 31d", "settle: 5 minutes", "settle: -1s", "settle: 30x"]  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_what_it_is_meant_to_be(setting: str) -> None:
    assert setting.partition(":")[0] in problems(rule(f"name: a\n{setting}\n{BUSY}"))[3]


def test_times_may_be_put_together() -> None:
    (found,) = parse_rules(rule(f"name: a\nsettle: 1h 30m\n{BUSY}")).rules
    assert found.settle == 5400
