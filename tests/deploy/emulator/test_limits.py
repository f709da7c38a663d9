"""What an account may do in a second: whoever is too many waits for a turn, or is refused with 20429."""

import itertools
from collections import Counter
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException

from deploy.emulator.faults import BadPlan, plan_from
from deploy.emulator.limits import Limits, Queues, Window
from deploy.emulator.lives.inbound import Text, receive
from deploy.emulator.resources import Target
from tests.deploy.emulator.conftest import SENDER, SOMEBODY, emulating
from tests.deploy.emulator.virtual import URL, World

SENT, SERVICE = "+15005560001", "MG" + "5" * 32


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


async def test_a_sender_whose_queue_is_full_is_refused_until_it_is_shorter() -> None:
    world = World({"limits": {"segments_per_second": 1, "message_queue_seconds": 10}})
    form = {"To": SENT, "From": SENDER, "Body": "hello"}
    refused = [reply for _ in range(15) if (reply := world.ask("POST", "Messages", form)).status != 201]
    assert [(each.status, each.body and each.body["code"]) for each in refused] == [(400, 21611)] * 5
    assert world.ask("POST", "Messages", {**form, "From": "+15005550199"}).status == 201, "another has room"
    await world.exchange.move(3)
    assert [world.ask("POST", "Messages", form).status for _ in range(4)] == [201, 201, 201, 400]


async def test_a_service_whose_queue_is_full_fails_what_is_one_too_many() -> None:
    world = World({"limits": {"segments_per_second": 1, "message_queue_seconds": 10}})
    for _ in range(15):
        world.send(to=SENT, MessagingServiceSid=SERVICE)
    await world.exchange.move()
    messages = world.account.messages.values()
    fates = Counter((each.status, each.error_code) for each in messages)
    assert fates == {("sent", None): 10, ("failed", 30001): 5}
    told = [dict(parse_qsl(each.body.decode())) for each in world.requests]
    assert sum((each["MessageStatus"], each.get("ErrorCode")) == ("failed", "30001") for each in told) == 5
    assert sum(each["MessageStatus"] == "queued" for each in told) == 15, "it was taken before it failed"


async def test_an_answer_in_twiml_is_not_refused_but_fails() -> None:
    world = World(
        {"limits": {"segments_per_second": 0.001, "message_queue_seconds": 10}},
        answer=lambda request: (200, "<Response><Message>One</Message><Message>Two</Message></Response>"),
    )
    text = Text(SOMEBODY, SENDER, "hello", Target(URL))
    for _ in range(2):
        world.exchange.change(lambda account, now: receive(account, text, now))
    await world.exchange.move()
    replies = [each for each in world.account.messages.values() if each.direction == "outbound-reply"]
    assert [each.error_code for each in replies].count(30001) == 2


async def test_a_call_too_many_is_refused_until_the_queue_is_shorter() -> None:
    world = World({"limits": {"calls_per_second": 1, "call_queue_seconds": 5}})
    form = {"To": "+15005570000", "From": SENDER, "Twiml": "<Response><Hangup/></Response>"}
    replies = [world.ask("POST", "Calls", form) for _ in range(8)]
    assert [each.status for each in replies] == [201] * 5 + [400] * 3
    waits = [float(each.body["queue_time"]) / 1000 for each in replies[:5] if each.body]
    assert waits == pytest.approx([0, 1, 2, 3, 4], abs=1), "milliseconds"
    assert {each.body and each.body["code"] for each in replies[5:]} == {22005}
    person = world.ask("POST", "Conferences/r/Participants", form)
    assert (person.body and person.body["code"]) == 22005
    assert (len(world.account.calls), len(world.account.conferences)) == (5, 0)
    await world.exchange.move(2)
    assert [world.ask("POST", "Calls", form).status for _ in range(3)] == [201, 201, 400]


def test_a_queue_is_as_long_as_the_provider_s_unless_it_is_told_otherwise() -> None:
    assert (Limits().message_queue_seconds, Limits().call_queue_seconds) == (36_000, 86_400)
    world = World({"limits": {"segments_per_second": 0.001, "calls_per_second": 0.001, "call_queue_seconds": 0}})
    call = {"To": SENT, "From": SENDER, "Twiml": "<Response/>"}
    assert {world.ask("POST", "Calls", call).status for _ in range(200)} == {201}, "0: no limit"
    message = {"To": SENT, "From": SENDER, "Body": "hello"}
    assert [world.ask("POST", "Messages", message).status for _ in range(40)] == [201] * 36 + [400] * 4


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
