"""Numbers whose fate is fixed: each does what its table says, the README lists them, and every status can be had."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from deploy.emulator import errors
from deploy.emulator.lives import tables
from deploy.emulator.resources import Call, Conference, Message, Recording
from tests.deploy.emulator.conftest import SOMEBODY
from tests.deploy.emulator.lines import BASE, OURS, PATIENT, Line

Watched = Message | Call | Recording | Conference
ROOT = Path(__file__).parents[3]
SERVICE = "MG" + "5" * 32
BRIEF = {**PATIENT, "call_seconds": [20, 20], "participant_seconds": [20, 20]}
# What no request and no callback of the provider brings about any more, or ever did for who asks.
UNREACHED: Mapping[str, str] = {
    "receiving": "told of nothing by the provider in practice",
    "partially_delivered": "deprecated",
}


def rows() -> Iterator[str]:
    """The README's table, from the tables that the emulator lives by."""
    magic: Mapping[str, Mapping[str, object]] = {
        "message to": {number: _said(*fate) for number, fate in tables.MAGIC_MESSAGES.items()},
        "message to, refused": errors.MESSAGE_TO,
        "message from, refused": errors.MESSAGE_FROM,
        "call to": tables.MAGIC_CALLS,
        "call to, refused": errors.CALL_TO,
        "call from, refused": errors.CALL_FROM,
        "call to, `AnsweredBy`": tables.MAGIC_ANSWERERS,
        "`Gather`, by the other end": {number: _said(*said) for number, said in tables.MAGIC_INPUTS.items()},
        "recordings, by the other end": tables.MAGIC_RECORDINGS,
        "transcriptions, by the other end": tables.MAGIC_TRANSCRIPTIONS,
    }
    for what, fates in magic.items():
        found: dict[str, list[str]] = {}
        for number, fate in fates.items():
            found.setdefault(str(fate), []).append(number)
        for outcome, numbers in found.items():
            yield f"| {what} | {outcome} | {', '.join(numbers)} |"


def _said(outcome: str, more: object) -> str:
    return f"{outcome} {more}" if more not in (None, "") else outcome


def test_the_readme_lists_every_magic_number_and_no_other() -> None:
    text = (ROOT / "deploy/emulator/README.md").read_text()
    listed = [line for line in text.splitlines() if line.startswith("| ") and "| +1500" in line]
    assert listed == list(rows()), "\n".join(["the rows should be", *rows()])


@pytest.mark.parametrize("number", list(tables.MAGIC_MESSAGES))
async def test_a_message_to_a_magic_number_ends_as_it_says(number: str) -> None:
    line = Line()
    line.make("Messages", To=number, From=OURS, Body="hello", StatusCallback=f"{BASE}/told")
    await line.move()
    (message,) = line.account.messages.values()
    outcome, code = tables.MAGIC_MESSAGES[number]
    assert (message.status, message.error_code) == (outcome, code)
    assert line.at("/told")[-1].get("ErrorCode") == (str(code) if code else None)


@pytest.mark.parametrize("number", list(tables.MAGIC_CALLS))
async def test_a_call_to_a_magic_number_ends_as_it_says(number: str) -> None:
    line = Line()
    call = line.dial("<Hangup/>", To=number)
    await line.move()
    assert call.status == tables.MAGIC_CALLS[number]


async def watch(line: Line, shown: Iterable[Watched], seconds: float = 80) -> set[str]:
    """Every status that can be seen of resources on the way."""
    watched = list(shown)
    seen = {each.status for each in watched}
    for _ in range(round(seconds / 0.1)):
        await line.move(0.1)
        seen |= {each.status for each in watched}
    return seen


async def test_every_status_of_a_message_can_be_had() -> None:
    line = Line()
    for to, more in (
        ("+15005560002", {"From": OURS}),
        ("+15005563003", {"MessagingServiceSid": SERVICE}),
        ("+15005564004", {"From": OURS}),
        (SOMEBODY, {"MessagingServiceSid": SERVICE, "ScheduleType": "fixed", "SendAt": "2026-01-02T00:00:00Z"}),
    ):
        line.make("Messages", To=to, Body="hello", **more)
    scheduled = list(line.account.messages.values())[-1]
    line.text("/inbound")
    seen = await watch(line, line.account.messages.values(), 30)
    line.change("Messages/" + scheduled.sid, Status="canceled")
    assert seen | {scheduled.status} == enum("message") - set(UNREACHED)


async def test_every_status_of_a_call_can_be_had() -> None:
    seen: set[str] = set()
    for number in tables.MAGIC_CALLS:
        line = Line(chances=BRIEF)
        line.make("Calls", To=number, From=OURS, Twiml='<Response><Pause length="9"/></Response>')
        seen |= await watch(line, line.account.calls.values())
    line = Line()
    call = line.dial()
    line.hang_up(call)
    assert seen | {call.status} == enum("call") | {"initiated"}, "which callbacks tell and REST does not"


async def test_every_status_of_a_recording_can_be_had() -> None:
    seen: set[str] = set()
    for number in tables.MAGIC_RECORDINGS:
        line = Line()
        call = line.dial('<Pause length="60"/>', To=number)
        await line.move(30)
        line.make(f"Calls/{call.sid}/Recordings")
        (made,) = line.account.recordings.values()
        seen.add(made.status)
        path = f"Calls/{call.sid}/Recordings/{made.sid}"
        for status in ("paused", "in-progress", "stopped"):
            line.change(path, Status=status)
            seen.add(made.status)
        seen |= await watch(line, [made], 10)
    assert seen == enum("call.call_recording") - {"stopped"}, "a stopped one is processed at once"


async def ended(who: str, how: str) -> tuple[set[str], str | None]:
    """The statuses of a conference, and the reason of its end, which is the leaving of a participant or the API's."""
    line = Line(chances={**BRIEF, "participant_seconds": [900, 900]})
    line.make("Conferences/r/Participants", To=SOMEBODY, From=OURS, Label="boss", EndConferenceOnExit="true")
    line.make("Conferences/r/Participants", To=SOMEBODY, From=OURS, Label="other")
    (conference,) = line.account.conferences.values()
    seen = await watch(line, [conference], 15)
    by = {each.label: each for each in line.account.participants.values()}
    by["boss"].end_on_exit = who == "boss"
    for each in [by["other"], by["boss"]] if who == "last" else [by["boss"]]:
        if how == "kick":
            line.change(f"Conferences/{conference.sid}/Participants/{each.sid}", 204, method="DELETE")
        elif how == "hang up":
            line.hang_up(line.account.calls[each.sid])
    if how == "api":
        line.change(f"Conferences/{conference.sid}", Status="completed")
    return seen | {conference.status}, conference.reason


async def test_every_status_and_every_end_of_a_conference_can_be_had() -> None:
    ends = [("boss", "kick"), ("boss", "hang up"), ("last", "kick"), ("last", "hang up"), ("nobody", "api")]
    found = [await ended(*each) for each in ends]
    assert all(seen == enum("conference") for seen, _ in found)
    assert {reason for _, reason in found} == enum("conference", "reason_conference_ended")


def enum(schema: str, name: str = "status") -> set[str]:
    """The values that the provider's OpenAPI file has for a property."""
    facts = json.loads((ROOT / "tests/samples/operations.json").read_text())
    return set(facts["schemas"][f"api.v2010.account.{schema}"]["properties"][name]["enum"])
