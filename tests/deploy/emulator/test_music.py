"""What is played to who waits for a conference or is on hold: their documents are asked for, in virtual time."""

import pytest

from tests.deploy.emulator.lines import BASE, OURS, Line

CHANCES = {"calls": {"completed": 1}, "participant_seconds": [900, 900]}
ROOM = "Conferences/room/Participants"
WAIT, HOLD = f"{BASE}/wait", f"{BASE}/hold"


def add(line: Line, to: str, **more: str) -> str:
    return str(line.post(ROOM, To=to, From=OURS, Label=f"who-{to}", **more)["call_sid"])


async def test_who_waits_for_a_conference_is_played_to_until_it_starts() -> None:
    line = Line(chances=CHANCES)
    first = add(line, "+15005570000", WaitUrl=WAIT, WaitMethod="GET")
    await line.move(60)
    add(line, "+15552223333", WaitUrl=WAIT)
    await line.move(60)
    (request,) = line.requests
    assert request.method == "GET"
    conference = next(iter(line.account.conferences))
    ((path, asked),) = line.heard
    assert (path, asked["CallSid"], asked["ConferenceSid"]) == ("/wait", first, conference)
    assert asked["CallStatus"] == "in-progress"


async def test_who_is_put_on_hold_is_played_to_once() -> None:
    line = Line(chances=CHANCES)
    sid = add(line, "+15005570000")
    await line.move(60)
    path = f"Conferences/{next(iter(line.account.conferences))}/Participants/{sid}"
    for hold in ("true", "true", "false"):
        line.change(path, Hold=hold, HoldUrl=HOLD)
        await line.move(5)
    assert line.told("CallSid", "/hold") == [sid]


@pytest.mark.parametrize("name", ["AnnounceUrl", "HoldUrl", "WaitUrl"])
async def test_an_address_that_is_none_is_refused_and_changes_nothing(name: str) -> None:
    line = Line(chances=CHANCES)
    sid = add(line, "+15005570000")
    await line.move(60)
    path = f"Conferences/{next(iter(line.account.conferences))}/Participants/{sid}"
    line.change(path, 400, **{name: "nowhere", "Hold": "true"})
    assert not line.account.participants[sid].hold
