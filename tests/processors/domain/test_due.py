"""When a row is due: planned from when the resource was first heard of, and cleared by its end."""

from hypothesis import given
from hypothesis import strategies as st

from processors.domain.due import Deadlines, due, later, passed, planned, settled, unfinished
from processors.domain.facts import NOTHING, Facts, Resource
from processors.domain.rulebook import judged, write_down
from processors.domain.rules import parse_rules

START = "2026-01-01T00:00:00.000000Z"
ACCOUNT = "AC" + "0" * 32
HOUR = 3600.0
DEADLINES = Deadlines(
    {"message": HOUR, "call": 6 * HOUR, "recording": HOUR, "conference": 6 * HOUR, "participant": 6 * HOUR}, attempts=3
)
NO_RULES = write_down(parse_rules("rules: []"))
RULES = write_down(
    parse_rules(
        """
rules:
  - name: unanswered
    when: {kind: message, status: sent, attributes: {direction: outbound-api}}
    settle: 30s
    unless: {status: delivered}
    then: [{action: messages.fetch, with: {message_sid: "{key}"}}]
"""
    )
)


def message(*statuses: str, sweeps: int = 0, **more: str) -> Resource:
    seen = {name: (later(START, at), None) for at, name in enumerate(statuses)}
    return Resource(
        "SM" + "1" * 32,
        "message",
        ACCOUNT,
        1,
        Facts(seen, attributes={name: (value, -1, "") for name, value in more.items()}),
        None,
        sweeps,
    )


def test_one_without_an_end_is_due_after_its_kinds_time() -> None:
    assert unfinished(message("queued", "sent"), DEADLINES) == later(START, HOUR)


def test_one_that_has_ended_is_never_due() -> None:
    assert due(message("sent", "delivered"), NO_RULES, DEADLINES) is None


def test_one_of_which_nothing_was_heard_has_no_time_to_count_from() -> None:
    assert unfinished(message()._replace(facts=NOTHING), DEADLINES) is None


def test_each_lookup_waits_longer_than_the_one_before() -> None:
    times = [unfinished(message("sent", sweeps=count), DEADLINES) for count in range(4)]
    assert times == [later(START, hours * HOUR) for hours in (1, 3, 7, 15)]


def test_after_the_last_lookup_there_is_one_more_time_at_which_it_is_given_up() -> None:
    assert unfinished(message("sent", sweeps=3), DEADLINES) is not None
    assert unfinished(message("sent", sweeps=4), DEADLINES) is None


def test_without_attempts_nothing_is_looked_up_nor_given_up() -> None:
    assert unfinished(message("sent"), DEADLINES._replace(attempts=0)) is None


def test_waits_do_not_grow_beyond_the_most_nor_shrink_below_the_first() -> None:
    few = DEADLINES._replace(most=2 * HOUR)
    assert planned(START, 4, "message", few) == later(START, (1 + 2 + 2 + 2) * HOUR)
    assert planned(START, 2, "call", few) == later(START, (6 + 6) * HOUR)


def test_what_was_missed_in_an_outage_is_made_up_for_by_one_lookup() -> None:
    assert passed(message("sent"), later(START, HOUR), DEADLINES) == 1
    assert passed(message("sent"), later(START, 3 * HOUR), DEADLINES) == 2
    assert passed(message("sent"), later(START, 1000 * HOUR), DEADLINES) == 3
    assert passed(message("sent", sweeps=1), later(START, HOUR), DEADLINES) == 2


@given(st.integers(0, 2), st.floats(0, 1e7))
def test_the_plan_after_a_lookup_lies_ahead_unless_it_was_the_last(sweeps: int, seconds: float) -> None:
    now = later(START, seconds)
    count = passed(message("sent", sweeps=sweeps), now, DEADLINES)
    assert sweeps < count <= DEADLINES.attempts
    following = unfinished(message("sent", sweeps=count), DEADLINES)
    assert following is not None
    assert following > now or count == DEADLINES.attempts


def test_a_rule_that_settles_is_due_so_long_after_the_last_of_its_condition() -> None:
    row = message("queued", "sent", direction="outbound-api", unsolicited="true")
    assert due(row, RULES, DEADLINES) == later(START, 1 + 30)


def test_a_rule_that_still_waits_or_has_been_judged_is_not_due() -> None:
    (judge,) = RULES.settling["message"]
    met = message("sent", direction="outbound-api", unsolicited="true")
    assert settled(judge, met) is not None
    assert settled(judge, message("sent")) is None
    done = met._replace(facts=met.facts._replace(events={judged("unanswered"): (START, None)}))
    assert settled(judge, done) is None
