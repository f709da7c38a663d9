"""The breaker of an account: when it opens, for how long, and who closes it; the time is an argument."""

import pytest

from sinks.ledger.breaking import Breaker, is_failure
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply
from tests.sinks.ledger.given import ACCOUNT

DONE, AWAY = Done(200, {}), Lost("timeout")


def ask(breaker: Breaker, reply: Reply, now: float, count: int = 1) -> None:
    for _ in range(count):
        breaker.began(ACCOUNT)
        breaker.ended(ACCOUNT, reply, now)


def test_an_account_whose_requests_fail_is_left_alone_then_tried_with_one() -> None:
    breaker = Breaker(failures=3, first=5.0, most=15.0)
    ask(breaker, AWAY, 0.0, 2)
    assert breaker.held(0.0) == {}
    ask(breaker, AWAY, 0.0)
    assert (breaker.held(4.9), breaker.open(4.9)) == ({ACCOUNT: 0}, 1)
    assert breaker.held(5.0) == {ACCOUNT: 1}
    breaker.began(ACCOUNT)
    assert breaker.held(5.0) == {ACCOUNT: 0}, "one is under way"
    breaker.ended(ACCOUNT, DONE, 5.1)
    assert (breaker.held(5.1), breaker.open(5.1)) == ({}, 0)


def test_it_stays_open_longer_each_time_up_to_its_most() -> None:
    breaker = Breaker(failures=1, first=5.0, most=15.0)
    for now, until in [(0.0, 5.0), (5.0, 15.0), (15.0, 30.0), (30.0, 45.0)]:
        ask(breaker, AWAY, now)
        assert breaker.held(until - 0.1) == {ACCOUNT: 0}
        assert breaker.held(until) == {ACCOUNT: 1}
    ask(breaker, DONE, 45.0)
    ask(breaker, AWAY, 45.0)
    assert breaker.held(50.0) == {ACCOUNT: 1}, "it begins anew"


def test_those_that_were_under_way_when_it_opened_do_not_open_it_longer() -> None:
    breaker = Breaker(failures=2, first=5.0)
    for _ in range(9):
        breaker.began(ACCOUNT)
    for _ in range(9):
        breaker.ended(ACCOUNT, AWAY, 1.0)
    assert breaker.held(6.0) == {ACCOUNT: 1}


def test_a_limit_of_the_provider_holds_for_as_long_as_it_says_and_is_no_failure() -> None:
    breaker = Breaker(failures=1)
    ask(breaker, NotYet("rate_limited", 429, 20429, retry_after=7.0), 0.0)
    assert (breaker.held(6.9), breaker.held(7.0)) == ({ACCOUNT: 0}, {})
    ask(breaker, NotYet("rate_limited", 429, 20429), 8.0)
    assert breaker.held(8.0) == {}


@pytest.mark.parametrize(
    ("reply", "fails"),
    [
        (DONE, False), (Refused(400, 21211), False), (Refused(401, 20003), True), (Refused(None, None, "x"), False),
        (NotYet("no_connection"), True), (NotYet("lease_over"), False), (AWAY, True), (Lost("server_error", 503), True),
    ],
)  # fmt: skip
def test_a_failure_says_something_of_the_provider_or_of_our_key(reply: Reply, fails: bool) -> None:
    assert is_failure(reply) is fails
