"""What one look at a row comes to, and which windows are listed. Time is an argument throughout."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.contract.actions import ListConferences, ListMessages, depth
from processors.contract.changes import Kind
from processors.domain.due import Deadlines, later
from processors.domain.facts import Facts, Resource, merge
from processors.domain.rulebook import Rulebook, judged, write_down
from processors.domain.rules import parse_rules
from processors.domain.stamps import stamp
from processors.domain.statuses import CONFERENCE_ENDED, status
from processors.domain.sweeping import (
    LOOKUPS,
    Outcome,
    Swept,
    Tokens,
    Verdict,
    Window,
    Windows,
    listings,
    lookup,
    swept,
    windows,
)

START = "2026-01-01T00:00:00.000000Z"
ACCOUNT, OTHER = "AC" + "0" * 32, "AC" + "1" * 32
SIDS: Mapping[Kind, str] = {
    "message": "SM" + "1" * 32,
    "call": "CA" + "2" * 32,
    "recording": "RE" + "3" * 32,
    "conference": "CF" + "4" * 32,
    "participant": f"CF{'4' * 32}/CA{'2' * 32}",
}
HOUR = 3600.0
DEADLINES = Deadlines(dict.fromkeys(SIDS, HOUR), attempts=3)
LENGTH: Mapping[Kind, float] = {"message": 300.0, "call": 300.0, "recording": 300.0, "conference": 3600.0}
PLAN = Windows(LENGTH)
NO_RULES = write_down(parse_rules("rules: []"))
RULES = write_down(
    parse_rules(
        """
rules:
  - name: no-receipt
    when: {kind: message, status: sent}
    settle: 30s
    unless: {status: delivered}
    latest: {num_media: 0}
    then: [{action: messages.create, with: {to: "{to}", from: "{from}", body: "Did you get it?"}}]
  - name: empty-chair
    when: {kind: participant, event: conference-ended}
    then: [{action: calls.hang_up, with: {call_sid: "{call_sid}"}}]
"""
    )
)


def row(kind: Kind = "message", *statuses: str, sweeps: int = 0, **more: str | int) -> Resource:
    seen = {name: (later(START, at), None) for at, name in enumerate(statuses)}
    attributes = {name.rstrip("_"): (value, -1, "") for name, value in more.items()}
    return Resource(SIDS[kind], kind, ACCOUNT, 7, Facts(seen, attributes=attributes), None, sweeps)


def participant(sweeps: int = 0) -> Resource:
    facts = Facts(
        events={"participant-join": (START, None)},
        attributes={"present": (True, 1, ""), "call_sid": ("CA" + "2" * 32, 1, "")},
    )
    return Resource(SIDS["participant"], "participant", ACCOUNT, 1, facts, None, sweeps)


def look(resource: Resource, hours: float, rules: Rulebook = NO_RULES, conference: Resource | None = None) -> Swept:
    return swept(resource, conference, later(START, hours * HOUR), rules, DEADLINES, b"0123456789abcdef")


@pytest.mark.parametrize("kind", [kind for kind in SIDS if kind != "participant"])
def test_what_has_no_end_in_time_is_fetched(kind: Kind) -> None:
    step = look(row(kind, "queued"), 1)
    (action,) = step.lookups
    name, field = LOOKUPS[kind]
    assert action.type == name
    assert getattr(action, field) == action.ordering_key == SIDS[kind]
    assert step.outcome is Outcome.FETCHED
    assert (step.row.sweeps, step.row.due) == (1, later(START, 3 * HOUR))


def test_a_lookup_changes_no_fact_and_so_makes_no_version() -> None:
    step = look(row("message", "sent"), 1)
    assert (step.row.version, step.row.facts, list(step.learned)) == (7, row("message", "sent").facts, [])


def test_a_lookup_before_its_time_is_not_made_and_the_time_stands() -> None:
    assert look(row("message", "sent"), 0.9) == Swept(
        row("message", "sent")._replace(due=later(START, HOUR)), learned=[], decided=[], verdicts=[]
    )


def test_an_end_clears_what_was_due() -> None:
    step = look(row("message", "sent", "delivered")._replace(due=START), 100)
    assert (step.row.due, step.outcome, list(step.lookups)) == (None, None, [])


def test_every_attempt_is_an_action_of_its_own_and_the_same_from_whoever_asks() -> None:
    one, two = look(row("message", "sent"), 1).lookups[0], look(row("message", "sent", sweeps=1), 3).lookups[0]
    assert one.id != two.id
    assert one == look(row("message", "sent"), 1.5).lookups[0]
    assert (one.id[-3:], two.id[-3:]) == ("-a1", "-a2")


def test_no_rule_led_to_a_lookup() -> None:
    assert depth(look(row("message", "sent"), 1).lookups[0].id) == 0
    assert depth(lookup(row("message", sweeps=12)).id) == 0


def test_a_conference_is_asked_for_anew_though_one_of_its_participants_has_been_the_reason_before() -> None:
    asked = look(participant(), 1).lookups[0]
    assert asked.id != look(row("conference", "init"), 1).lookups[0].id


def test_after_an_outage_one_lookup_makes_up_for_those_that_were_missed_and_its_answer_is_waited_for() -> None:
    step = look(row("message", "sent"), 500)
    assert len(step.lookups) == 1
    assert (step.row.sweeps, step.row.due) == (3, later(START, 501 * HOUR))


def test_what_was_looked_up_often_enough_is_given_up() -> None:
    step = look(row("message", "sent", sweeps=3), 15)
    assert (step.outcome, step.row.due, step.row.version) == (Outcome.GIVEN_UP, None, 7)
    assert list(step.lookups) == []
    assert look(step.row, 1000).outcome is None


# Participants.


def test_a_participant_has_left_when_its_conference_has_ended() -> None:
    ended = row("conference", "in-progress", "completed")
    step = look(participant(), 1, conference=ended)
    assert status("participant", step.row.facts) == "left"
    assert step.row.facts.events[CONFERENCE_ENDED] == ended.facts.statuses["completed"]
    assert (step.row.version, step.row.due, list(step.learned)) == (2, None, [f"event:{CONFERENCE_ENDED}"])
    assert step.outcome is Outcome.ENDED


def test_a_participant_of_a_conference_that_goes_on_is_looked_at_later() -> None:
    step = look(participant(), 1, conference=row("conference", "in-progress"))
    assert (step.outcome, list(step.lookups), step.row.due) == (Outcome.WAITING, [], later(START, 3 * HOUR))
    assert step.row.version == 1


def test_of_a_conference_that_nobody_has_heard_of_the_provider_is_asked() -> None:
    (action,) = look(participant(), 1).lookups
    assert (action.type, action.ordering_key) == ("conferences.fetch", SIDS["conference"])


def test_a_rule_fires_on_what_the_sweep_found_out() -> None:
    step = look(participant(), 1, RULES, row("conference", "completed"))
    assert [each.rule for each in step.decided] == ["empty-chair"]


# Rules that settle.


def sent(*more: str, num_media: int = 0) -> Resource:
    return row(
        "message", "queued", "sent", *more, from_="+15550001111", to="+15552223333", unsolicited="true",
        num_media=num_media,
    )  # fmt: skip


def after(seconds: float, resource: Resource) -> Swept:
    return look(resource, seconds / HOUR, RULES)


def test_a_rule_that_settles_acts_when_nothing_held_it_back() -> None:
    step = after(31, sent())
    assert list(step.verdicts) == [("no-receipt", Verdict.HELD)]
    assert [each.action and each.action.type for each in step.decided] == ["messages.create"]
    assert (step.row.version, list(step.learned)) == (8, ["event:judged:no-receipt"])


@pytest.mark.parametrize("held_back", [sent("delivered"), sent(num_media=1)], ids=["unless", "latest"])
def test_it_does_nothing_where_something_holds_it_back_and_is_judged_all_the_same(held_back: Resource) -> None:
    step = after(31, held_back)
    assert list(step.verdicts) == [("no-receipt", Verdict.HELD_BACK)]
    assert list(step.decided) == []
    assert judged("no-receipt") in step.row.facts.events


def test_it_is_judged_once() -> None:
    step = after(1000, after(31, sent()).row)
    assert (list(step.verdicts), list(step.decided), list(step.learned)) == ([], [], [])


def test_it_is_not_judged_before_its_time() -> None:
    assert list(after(30.9, sent()).verdicts) == []


def test_a_lookup_and_a_judgement_can_fall_together() -> None:
    step = look(sent(), 1, RULES)
    assert (len(step.lookups), len(step.decided), step.row.version) == (1, 1, 8)
    assert step.row.due == later(START, 3 * HOUR)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_however_often_one_looks_it_ends_with_the_same_actions(times: list[float]) -> None:
    resource, lookups, decided = sent(), set[str](), list[str]()
    for seconds in [*sorted(times), 1e7, 2e7, 3e7]:
        step = after(seconds, resource)
        resource = step.row
        lookups.update(action.id for action in step.lookups)
        decided += [each.action.id for each in step.decided if each.action]
    assert len(decided) == 1
    assert len(lookups) <= DEADLINES.attempts
    assert resource.due is None


@given(st.floats(0, 1e6))
def test_what_the_sweep_says_merges_with_what_is_heard_meanwhile_in_any_order(seconds: float) -> None:
    heard = Facts({"delivered": (later(START, 99), None)})
    step = after(seconds, sent())
    said = Facts(events=step.row.facts.events)
    assert merge(step.row.facts, heard) == merge(merge(sent().facts, heard), said)


# Windows.


def at(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def test_a_window_is_listed_once_it_is_old_enough() -> None:
    plan = PLAN._replace(catch_up=300.0)
    before = windows([ACCOUNT], at(300 + 119), {}, plan)
    after_that = windows([ACCOUNT], at(300 + 120), {}, plan)
    new = {each for each in after_that if each not in before}
    number = int(at(0).timestamp() // 300)
    assert new == {Window(ACCOUNT, kind, number) for kind in ("message", "call", "recording")}


def test_workers_that_start_at_different_times_name_the_same_windows_alike() -> None:
    one = {a.id for w in windows([ACCOUNT], at(1000), {}, PLAN) for a in listings(w, PLAN)}
    other = {a.id for w in windows([ACCOUNT], at(1010), {}, PLAN) for a in listings(w, PLAN)}
    assert one == other


def test_what_was_listed_is_not_listed_again_and_nothing_is_left_out() -> None:
    listed: dict[tuple[str, Kind], int] = {}
    numbers: list[int] = []
    for seconds in (0, 10, 700, 701, 2000):
        for window in windows([ACCOUNT, OTHER], at(seconds), listed, PLAN):
            listed[window.account_sid, window.kind] = window.number
            if (window.account_sid, window.kind) == (OTHER, "message"):
                numbers.append(window.number)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_after_an_outage_only_so_much_is_caught_up() -> None:
    number = int(at(0).timestamp() // 300)
    found = windows([ACCOUNT], at(86_400), {(ACCOUNT, "message"): number}, PLAN)
    ends = [(window.number + 1) * LENGTH[window.kind] for window in found]
    assert min(ends) > at(86_400 - 120 - 3600).timestamp()
    assert ends == sorted(ends)


def test_without_accounts_nothing_is_listed() -> None:
    assert list(windows([], at(0), {}, PLAN)) == []


def test_a_window_is_listed_from_before_its_start() -> None:
    (action,) = listings(Window(ACCOUNT, "message", int(at(0).timestamp() // 300)), PLAN)
    assert isinstance(action, ListMessages)
    assert (action.date_sent_after, action.date_sent_before, action.limit) == (at(-300), at(300), 1000)
    assert depth(action.id) == 0


def test_conferences_are_listed_by_status_since_otherwise_those_that_ended_are_not_shown() -> None:
    actions = listings(Window(ACCOUNT, "conference", int(at(0).timestamp() // 3600)), PLAN)
    assert [a.status for a in actions if isinstance(a, ListConferences)] == ["in-progress", "completed"]
    assert len({action.id for action in actions}) == 2


# The rate.


@given(st.floats(0.1, 100), st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_tokens_never_let_more_through_than_the_rate(rate: float, steps: list[float]) -> None:
    tokens, now, taken = Tokens(rate, max(1.0, rate), START), START, 0
    for seconds in steps:
        now = later(now, seconds)
        tokens = tokens.refilled(now)
        while tokens.left >= 1:
            tokens, taken = tokens.less(1), taken + 1
    elapsed = (datetime.fromisoformat(now) - datetime.fromisoformat(START)).total_seconds()
    assert taken <= max(1.0, rate) + elapsed * rate + 1e-6


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    tokens = Tokens(10.0, 0.0, stamp(at(100)))
    assert tokens.refilled(stamp(at(50))).left == 0.0
