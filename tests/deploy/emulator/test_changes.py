"""What a live call can be told over REST beside an end and another document, in virtual time."""

import pytest

from deploy.emulator.errors import Json
from tests.deploy.emulator.lines import BASE, Line

TALK = '<Pause length="600"/>'


def refusal(line: Line, sid: str, **said: str) -> object:
    body: Json = line.ask("POST", f"Calls/{sid}", said).body or {}
    return body.get("code")


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
async def test_a_call_lasts_no_longer_than_its_new_limit(answered: bool) -> None:
    line = Line()
    call = line.dial(TALK)
    while answered and call.status != "in-progress":
        await line.move(0.1)
    line.change(f"Calls/{call.sid}", TimeLimit="30")
    await line.move()
    assert (call.status, call.seconds) == ("completed", 30)


async def test_its_end_is_told_to_who_was_named_last_in_the_way_that_was_named() -> None:
    line = Line()
    call = line.dial(TALK)
    line.change(f"Calls/{call.sid}", StatusCallback=f"{BASE}/other", StatusCallbackMethod="get")
    await line.move()
    last = line.requests[-1]
    assert (last.method, last.url.partition("?")[0]) == ("GET", f"{BASE}/other")
    assert not line.at("/status")


async def test_an_address_that_is_none_is_refused_and_changes_nothing() -> None:
    line = Line()
    call = line.dial(TALK)
    before = call.target
    assert refusal(line, call.sid, StatusCallback="nowhere") == 21609
    assert refusal(line, call.sid, FallbackUrl="nowhere", Status="completed") == 21205
    assert (call.target, call.status) == (before, "queued")
