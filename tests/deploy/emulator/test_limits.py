"""What an account may do in a second: whoever is too many waits for a turn, or is refused with 20429."""

import itertools
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException

from deploy.emulator.faults import BadPlan, plan_from
from deploy.emulator.limits import Limits, Queues, Window
from tests.deploy.emulator.conftest import SENDER, emulating
from tests.deploy.emulator.virtual import World

SENT = "+15005560001"


async def dates_sent(world: World) -> list[datetime]:
    await world.exchange.move()
    return sorted(each.date_sent for each in world.account.messages.values() if each.date_sent)


def gaps(dates: list[datetime]) -> list[float]:
    return [(after - before).total_seconds() for before, after in itertools.pairwise(dates)]


async def test_messages_of_one_sender_wait_for_their_turn() -> None:
    world = World({"limits": {"segments_per_second": 0.1}})
    for _ in range(10):
        world.send(to=SENT)
    apart = gaps(await dates_sent(world))
    assert len(apart) == 9
    assert all(8 < each < 12 for each in apart), "ten seconds, and what sending itself takes"


async def test_a_message_of_three_segments_takes_three_turns() -> None:
    world = World({"limits": {"segments_per_second": 0.1}})
    world.send(to=SENT, Body="x" * 400)
    world.send(to=SENT)
    (apart,) = gaps(await dates_sent(world))
    assert 28 < apart < 32


async def test_another_sender_has_a_queue_of_its_own() -> None:
    world = World({"limits": {"segments_per_second": 0.01}})
    for sender in (SENDER, "+15005550199", "+15005550198"):
        world.send(to=SENT, From=sender)
    assert sum(gaps(await dates_sent(world))) < 5


async def test_without_limits_nobody_waits() -> None:
    world = World()
    for _ in range(10):
        world.send(to=SENT)
    assert sum(gaps(await dates_sent(world))) < 5


async def test_calls_wait_for_their_turn_whoever_they_are_from() -> None:
    world = World({"limits": {"calls_per_second": 0.1}})
    for number in range(5):
        world.post("Calls", To="+15005570000", From=f"+1500555019{number}", Twiml="<Response><Hangup/></Response>")
    await world.exchange.move()
    begun = sorted(each.start_time for each in world.account.calls.values() if each.start_time)
    assert len(begun) == 5
    assert (begun[-1] - begun[0]).total_seconds() > 30
    assert all(each.direction == "outbound-api" for each in world.account.calls.values())


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 10)), max_size=30))
def test_turns_never_overlap_and_nobody_is_early(asked: list[tuple[float, float]]) -> None:
    queues, free = Queues(), 0.0
    for ready, takes in asked:
        at = queues.turn("one", takes, ready)
        assert at >= max(ready, free)
        free = at + takes


def test_so_many_requests_in_a_second_and_no_more() -> None:
    window = Window(Limits(requests_per_second=3))
    assert [window.admits(now, 0) for now in (0.0, 0.5, 0.9, 0.95, 0.99)] == [True, True, True, False, False]
    assert [window.admits(now, 0) for now in (1.0, 1.1, 1.5)] == [True, False, True], "refused ones do not count"


def test_so_many_requests_together_and_no_more() -> None:
    window = Window(Limits(concurrent_requests=2))
    assert [window.admits(0, running) for running in (0, 1, 2, 3)] == [True, True, False, False]
    assert all(Window(Limits()).admits(0, running) for running in range(1000))


def test_a_limit_that_is_not_there_is_refused_by_name() -> None:
    assert plan_from({"limits": {"calls_per_second": 1}}).limits == Limits(calls_per_second=1)
    with pytest.raises(BadPlan, match="'calls_per_minute'"):
        plan_from({"limits": {"calls_per_minute": 1}})


def test_a_request_too_many_is_refused_before_its_effect(tmp_path: Path) -> None:
    limited = {"limits": {"requests_per_second": 2}}
    with emulating(tmp_path, limited, speed="virtual") as emulator, emulator.sdk() as client:
        made = [client.messages.create(to=SENT, from_=SENDER, body="hello").sid for _ in range(2)]
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to=SENT, from_=SENDER, body="hello")
        assert (refused.value.status, refused.value.code) == (429, 20429)
        emulator.http.post("/emulator/time", json={"seconds": 1}).raise_for_status()
        assert [each.sid for each in client.messages.list()] == list(reversed(made)), "a second later there is room"
        assert emulator.truth()["rest"]["faults"] == {"over_limit": 1}
