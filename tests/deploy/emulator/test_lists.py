"""Lists, as the official SDK reads them: by time, by what is in them, over their pages."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from tests.conftest import until
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, Emulator
from tests.deploy.emulator.inhabited import PICTURE

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COLLECTIONS = ("Messages", "Calls", "Conferences", "Recordings")


def found(listed: list[Any]) -> list[str]:
    return [str(each.sid) for each in listed]


async def a_call(emulator: Emulator, twilio: Client, to: str) -> str:
    """One that talks, and is recorded."""
    call = twilio.calls.create(to=to, from_=SENDER, twiml='<Response><Pause length="3600"/></Response>', record=True)
    await until(lambda: emulator.shown("calls", str(call.sid))["recording_sid"] is not None)
    return str(call.sid)


def a_conference(twilio: Client, name: str, callers: int = 2) -> str:
    """One with people in it, or on their way to it."""
    added = [
        twilio.conferences(name).participants.create(to=f"+1555700000{n}", from_=SENDER, label=f"{name}-{n}")
        for n in range(callers)
    ]
    return str(added[0].conference_sid)


async def test_calls_are_listed_by_when_they_began_and_ended(emulator: Emulator, twilio: Client) -> None:
    to = "+15557000100"
    call = await a_call(emulator, twilio, to)
    now = datetime.now(UTC)
    assert found(twilio.calls.list(to=to, start_time_after=now - HOUR, start_time_before=now + HOUR)) == [call]
    assert twilio.calls.list(to=to, start_time_after=now + HOUR) == []
    assert twilio.calls.list(to=to, start_time_before=now - HOUR) == []
    assert twilio.calls.list(to=to, end_time_after=now - HOUR) == [], "it has not ended"
    twilio.calls(call).update(status="completed")
    assert found(twilio.calls.list(to=to, end_time_after=now - HOUR)) == [call]
    assert twilio.calls.list(to=to, end_time_before=now - HOUR) == []


async def test_recordings_are_listed_by_when_and_of_what_they_are(emulator: Emulator, twilio: Client) -> None:
    call = await a_call(emulator, twilio, "+15557000101")
    recording = str(emulator.shown("calls", call)["recording_sid"])
    now = datetime.now(UTC)
    assert found(twilio.recordings.list(call_sid=call, date_created_after=now - HOUR)) == [recording]
    assert found(twilio.recordings.list(call_sid=call, date_created_before=now + HOUR)) == [recording]
    assert twilio.recordings.list(call_sid=call, date_created_after=now + HOUR) == []
    assert twilio.recordings.list(call_sid=call, date_created_before=now - HOUR) == []
    assert twilio.recordings.list(conference_sid="CF" + "0" * 32) == []


async def test_a_deleted_recording_is_shown_to_who_asks_for_it(emulator: Emulator, twilio: Client) -> None:
    call = await a_call(emulator, twilio, "+15557000102")
    recording = str(emulator.shown("calls", call)["recording_sid"])
    twilio.calls(call).update(status="completed")
    await until(lambda: emulator.shown("recordings", recording)["status"] == "completed")
    assert twilio.recordings(recording).delete()
    assert twilio.recordings.list(call_sid=call) == []
    [shown] = twilio.recordings.list(call_sid=call, include_soft_deleted=True)
    assert (shown.sid, str(shown.status)) == (recording, "deleted")
    assert str(twilio.recordings(recording).fetch(include_soft_deleted=True).status) == "deleted"


async def test_conferences_are_listed_by_day(emulator: Emulator, twilio: Client) -> None:
    conference = a_conference(twilio, "daily")
    today = datetime.now(UTC).date()
    for name in ("date_created", "date_updated"):
        for sign, day in (("", today), ("_after", today), ("_before", today), ("_after", today - DAY)):
            by_day: Any = {name + sign: day, "friendly_name": "daily"}
            assert found(twilio.conferences.list(**by_day)) == [conference], by_day
        for sign, day in (("", today - DAY), ("_after", today + DAY), ("_before", today - DAY)):
            by_day = {name + sign: day, "friendly_name": "daily"}
            assert twilio.conferences.list(**by_day) == [], by_day


async def test_only_those_who_have_not_left_are_listed_in_a_conference(emulator: Emulator, twilio: Client) -> None:
    conference = a_conference(twilio, "leaving", 3)
    inside = twilio.conferences(conference).participants
    everybody = inside.list()
    assert [each.label for each in everybody] == ["leaving-2", "leaving-1", "leaving-0"], "newest first"
    assert inside("leaving-1").delete()
    assert [each.label for each in inside.list()] == ["leaving-2", "leaving-0"]
    inside("leaving-0").update(muted=True)
    assert [each.label for each in inside.list(muted=True)] == ["leaving-0"]
    assert [each.label for each in inside.list(muted=False)] == ["leaving-2"]
    twilio.conferences(conference).update(status="completed")
    assert inside.list() == []
    with pytest.raises(TwilioException, match="404"):
        twilio.conferences("CF" + "0" * 32).participants.list()


async def test_every_collection_comes_in_pages(emulator: Emulator, twilio: Client) -> None:
    for n in range(4):
        twilio.messages.create(to=f"+1555700020{n}", from_=SENDER, body="page")
        a_conference(twilio, f"page-{n}", 1)
    for n in range(4):
        await a_call(emulator, twilio, f"+1555700030{n}")
    streams: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
        (each.list, each.stream) for each in (twilio.messages, twilio.calls, twilio.conferences, twilio.recordings)
    ]
    for all_at_once, one_by_one in streams:
        everything = found(all_at_once())
        assert len(everything) >= 4
        assert [str(each.sid) for each in one_by_one(page_size=3)] == everything
        assert found(all_at_once(limit=3)) == everything[:3]


@pytest.mark.parametrize("collection", COLLECTIONS)
async def test_a_page_names_the_next_one_relatively_and_without_a_dot(emulator: Emulator, collection: str) -> None:
    path = f"/2010-04-01/Accounts/{ACCOUNT}/{collection}.json"
    page = emulator.http.get(path, params={"PageSize": 1, "DateCreated>": "2020-01-01", "StartTime<": "2120-01-01"})
    link = urlsplit(page.json()["next_page_uri"])
    asked = parse_qs(link.query)
    assert (link.scheme, link.netloc, link.path) == ("", "", path)
    assert (asked["DateCreated>"], asked["StartTime<"], asked["PageSize"]) == (["2020-01-01"], ["2120-01-01"], ["1"])
    assert not re.search(r"\.\d", link.query), "the Go SDK would cut the token there"


@pytest.mark.parametrize(("asked", "given"), [("0", 1), ("1", 1), ("1000", 1000), ("1001", 1000), ("", 50)])
async def test_a_page_has_from_one_to_a_thousand(emulator: Emulator, asked: str, given: int) -> None:
    answer = emulator.http.get(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", params={"PageSize": asked})
    assert answer.json()["page_size"] == given


async def test_messages_with_files_are_listed_among_those_without(twilio: Client) -> None:
    def send(*files: str) -> str:
        return str(twilio.messages.create(to="+15557000500", from_=SENDER, body="a", media_url=list(files)).sid)

    made = [send(*files) for files in ((), (PICTURE,), (), (PICTURE,), ())]
    assert [sid[:2] for sid in made] == ["SM", "MM", "SM", "MM", "SM"]
    assert found(twilio.messages.list(to="+15557000500", page_size=2)) == made[::-1]


async def test_what_is_deleted_is_in_no_list(emulator: Emulator, twilio: Client) -> None:
    message = twilio.messages.create(to="+15557000400", from_=SENDER, body="gone")
    await until(lambda: str(message.fetch().status) == "delivered")
    assert message.delete()
    assert twilio.messages.list(to="+15557000400") == []
