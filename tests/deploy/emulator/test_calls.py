"""Calls and their recordings by the official SDK: dialed, called back about, hung up, redirected, recorded, refused."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallInstance

from tests.conftest import until
from tests.deploy.emulator.conftest import (
    ACCOUNT,
    DATE,
    SENDER,
    SOMEBODY,
    Answer,
    Emulator,
    Received,
    Receiver,
    emulating,
)

EVENTS = ["initiated", "ringing", "answered", "completed"]
COMPLETED, BUSY, NO_ANSWER, FAILED = "+15005570000", "+15005570001", "+15005570002", "+15005570003"
# Short talks, so that calls end by themselves.
BRIEF = {"chances": {"calls": {"completed": 1}, "call_seconds": [5, 9]}}
# A call lasts as long as its script does, and this one longer than anybody talks.
TWIML = '<Response><Say>hello</Say><Pause length="20000"/></Response>'


def status(call: CallInstance) -> str:
    return str(call.fetch().status)


def dial(client: Client, receiver: Receiver, **more: object) -> CallInstance:
    said: dict[str, object] = {
        "to": SOMEBODY,
        "from_": SENDER,
        "twiml": TWIML,
        "status_callback": receiver.url("/status"),
        "status_callback_event": EVENTS,
        **more,
    }
    return client.calls.create(**said)  # type: ignore[arg-type]  # each is one that the SDK takes


def in_sequence(received: list[Received]) -> list[Received]:
    """In the order sent: numbered from 0, none earlier than the one before."""
    ordered = sorted(received, key=lambda each: int(each.params["SequenceNumber"]))
    assert [int(each.params["SequenceNumber"]) for each in ordered] == list(range(len(received)))
    times = [parsedate_to_datetime(each.params["Timestamp"]) for each in ordered]
    assert times == sorted(times)
    return ordered


def statuses(receiver: Receiver) -> list[str]:
    return [each.params["CallStatus"] for each in in_sequence(receiver.at("/status"))]


@pytest.mark.parametrize(
    ("to", "last", "sip"),
    [
        (COMPLETED, "completed", "200"),
        (BUSY, "busy", "486"),
        (NO_ANSWER, "no-answer", "487"),
        (FAILED, "failed", "404"),
    ],
)
async def test_a_call_goes_its_way_and_is_called_back_about(
    tmp_path: Path, receiver: Receiver, to: str, last: str, sip: str
) -> None:
    with emulating(tmp_path, BRIEF) as emulator, emulator.sdk() as client:
        call = dial(client, receiver, to=to)
        assert (str(call.status), str(call.direction)) == ("queued", "outbound-api")
        await until(emulator.quiet)
        received = in_sequence(receiver.at("/status"))
        walked = {"completed": ["initiated", "ringing", "in-progress"], "failed": ["initiated"]}
        expected = [*walked.get(last, ["initiated", "ringing"]), last]
        assert [each.params["CallStatus"] for each in received] == expected
        assert all(each.verified(receiver.base) for each in received)
        for each in received:
            assert each.params["CallSid"] == call.sid
            assert each.params["CallbackSource"] == "call-progress-events"
            assert DATE.fullmatch(each.params["Timestamp"])
            assert ("CallDuration" in each.params) is (each.params["CallStatus"] == last)
        final = received[-1].params
        assert final["SipResponseCode"] == sip
        fetched = call.fetch()
        assert str(fetched.status) == last
        assert fetched.duration == final["CallDuration"]
        assert (int(final["CallDuration"]) > 0) is (last == "completed")
        assert (fetched.start_time is not None) is (last == "completed")
        assert fetched.end_time is not None


async def test_only_what_was_subscribed_is_called_back_and_numbered(emulator: Emulator, receiver: Receiver) -> None:
    with emulator.sdk() as client:
        call = dial(client, receiver, status_callback_event=["answered", "completed"])
        await until(lambda: status(call) == "in-progress")
        call.update(status="completed")
        await until(emulator.quiet)
        assert statuses(receiver) == ["in-progress", "completed"], "numbered by what is sent"


async def test_without_events_only_the_end_is_called_back(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    call = twilio.calls.create(to=SOMEBODY, from_=SENDER, twiml=TWIML, status_callback=receiver.url("/status"))
    await until(lambda: status(call) == "in-progress")
    call.update(status="completed")
    await until(emulator.quiet)
    assert statuses(receiver) == ["completed"]


async def test_a_callback_by_get_is_signed_over_its_query(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    call = dial(twilio, receiver, status_callback=receiver.url("/status?a=1%2b2"), status_callback_method="GET")
    await until(lambda: status(call) == "in-progress")
    call.update(status="completed")
    await until(emulator.quiet)
    assert len(receiver.at("/status")) == 4
    for each in receiver.at("/status"):
        assert (each.method, each.body) == ("GET", "")
        assert each.target.startswith("/status?a=1%2b2&")
        assert each.verified(receiver.base)
        assert each.params["CallSid"] == call.sid


async def test_a_live_call_can_be_hung_up_and_then_is_over(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    call = dial(twilio, receiver)
    await until(lambda: status(call) == "in-progress")
    assert str(call.update(status="completed").status) == "completed"
    await until(emulator.quiet)
    assert statuses(receiver)[-1] == "completed"
    changes: list[Callable[[], object]] = [
        lambda: call.update(status="completed"),
        lambda: call.update(twiml=TWIML),
    ]
    for change in changes:
        with pytest.raises(TwilioRestException) as refused:
            change()
        assert (refused.value.status, refused.value.code) == (400, 21220)
    assert call.delete()
    with pytest.raises(TwilioRestException) as refused:
        call.fetch()
    assert refused.value.code == 20404


async def test_a_call_canceled_while_queued_says_nothing_at_all(tmp_path: Path, receiver: Receiver) -> None:
    """https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent"""
    with emulating(tmp_path, speed="0.01") as emulator, emulator.sdk() as client:
        call = dial(client, receiver)
        assert str(call.update(status="canceled").status) == "canceled"
        assert emulator.quiet()
        assert receiver.requests == []
        assert emulator.truth()["callbacks"]["total"]["made"] == 0


async def test_an_answered_call_cannot_be_canceled_and_a_live_one_not_deleted(
    emulator: Emulator, twilio: Client
) -> None:
    call = twilio.calls.create(to=SOMEBODY, from_=SENDER, twiml=TWIML)
    await until(lambda: status(call) == "in-progress")
    with pytest.raises(TwilioRestException) as refused:
        call.update(status="canceled")
    assert refused.value.code == 21220
    with pytest.raises(TwilioRestException) as refused:
        call.delete()
    assert (refused.value.status, refused.value.code) == (409, 20009)
    call.update(status="completed")


async def test_an_answered_call_asks_for_its_twiml_and_again_when_redirected(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    receiver.answers["/voice"], receiver.answers["/other"] = [Answer(200, TWIML)], [Answer(200, TWIML)]
    call = twilio.calls.create(to=SOMEBODY, from_=SENDER, url=receiver.url("/voice"))
    await until(lambda: status(call) == "in-progress")
    call.update(url=receiver.url("/other"), method="GET")
    await until(lambda: len(receiver.requests) == 2)
    call.update(status="completed")
    assert {(each.method, each.path) for each in receiver.requests} == {("POST", "/voice"), ("GET", "/other")}
    for each in receiver.requests:
        assert each.verified(receiver.base)
        assert (each.params["CallSid"], each.params["CallStatus"]) == (call.sid, "in-progress")
        assert "CallbackSource" not in each.params, "which tells a request for TwiML from a callback"


async def test_who_answered_is_told_by_a_callback_of_its_own(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    call = dial(
        twilio,
        receiver,
        machine_detection="Enable",
        async_amd="true",
        async_amd_status_callback=receiver.url("/amd"),
    )
    await until(lambda: bool(receiver.at("/amd")))
    (amd,) = receiver.at("/amd")
    assert amd.verified(receiver.base)
    assert set(amd.params) == {"AccountSid", "CallSid", "AnsweredBy", "MachineDetectionDuration"}
    call.update(status="completed")
    await until(emulator.quiet)
    assert call.fetch().answered_by == amd.params["AnsweredBy"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"to": ""}, 21201),
        ({"to": "12"}, 21211),
        ({"to": "+15005550001"}, 21217),
        ({"to": "+15005550002"}, 21214),
        ({"to": "+15005550003"}, 21215),
        ({"to": "+15005550004"}, 21216),
        ({"from_": ""}, 21213),
        ({"from_": "+15005550001"}, 21212),
        ({"twiml": None}, 21205),
        ({"url": "not a url"}, 21205),
        ({"status_callback": "nowhere"}, 21609),
        ({"recording_status_callback": "nowhere"}, 21205),
    ],
)
async def test_a_call_that_cannot_be_is_refused_with_the_providers_code(
    emulator: Emulator, twilio: Client, receiver: Receiver, changed: dict[str, object], code: int
) -> None:
    before = len(emulator.truth()["calls"])
    with pytest.raises(TwilioRestException) as refused:
        dial(twilio, receiver, **changed)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert len(emulator.truth()["calls"]) == before


async def test_a_recorded_call_has_a_recording_with_callbacks_of_its_own(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    call = dial(
        twilio,
        receiver,
        record=True,
        recording_channels="dual",
        recording_status_callback=receiver.url("/recording"),
        recording_status_callback_event=["in-progress", "completed"],
    )
    await until(lambda: status(call) == "in-progress")
    call.update(status="completed")
    await until(emulator.quiet)
    received = receiver.by("/recording", "RecordingStatus")
    assert set(received) == {"in-progress", "completed"}
    begun, done = received["in-progress"], received["completed"]
    assert begun.verified(receiver.base)
    assert done.verified(receiver.base)
    assert "RecordingDuration" not in begun.params
    sid = done.params["RecordingSid"]
    assert done.params["CallSid"] == call.sid
    assert done.params["ErrorCode"] == "0"
    assert done.params["RecordingChannels"] == "2"
    assert done.params["RecordingSource"] == "OutboundAPI"
    assert in_sequence(receiver.at("/status"))[-1].params["RecordingSid"] == sid
    recording = twilio.recordings(sid).fetch()
    assert (str(recording.status), recording.call_sid, recording.channels) == ("completed", call.sid, 2)
    assert recording.duration == done.params["RecordingDuration"]
    assert [each.sid for each in twilio.recordings.list(call_sid=str(call.sid))] == [sid]
    assert [each.sid for each in twilio.calls(str(call.sid)).recordings.list()] == [sid]
    assert sid in [each.sid for each in twilio.recordings.list()]
    assert recording.delete()
    with pytest.raises(TwilioRestException) as refused:
        recording.fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)


async def test_a_live_call_can_be_recorded_once(emulator: Emulator, twilio: Client, receiver: Receiver) -> None:
    call = twilio.calls.create(to=SOMEBODY, from_=SENDER, twiml=TWIML)
    await until(lambda: status(call) == "in-progress")
    recording = call.recordings.create(recording_status_callback=receiver.url("/recording"))
    assert str(recording.status) == "in-progress"
    assert str(recording.source) == "StartCallRecordingAPI"
    with pytest.raises(TwilioRestException) as refused:
        call.recordings.create()
    assert refused.value.code == 21220
    with pytest.raises(TwilioRestException) as refused:
        twilio.recordings(str(recording.sid)).delete()
    assert refused.value.code == 20009, "it is still running"
    call.update(status="completed")
    await until(emulator.quiet)
    assert set(receiver.by("/recording", "RecordingStatus")) == {"completed"}, "the default subscription"


async def test_a_recording_that_went_wrong_is_absent_with_its_reason(tmp_path: Path, receiver: Receiver) -> None:
    plan = {"chances": {**BRIEF["chances"], "recordings": {"absent": 1}}}
    with emulating(tmp_path, plan) as emulator, emulator.sdk() as client:
        dial(
            client,
            receiver,
            record=True,
            recording_status_callback=receiver.url("/recording"),
            recording_status_callback_event=["completed", "absent"],
        )
        await until(emulator.quiet)
        (absent,) = receiver.at("/recording")
        assert absent.params["RecordingStatus"] == "absent"
        assert int(absent.params["ErrorCode"]) > 0
        assert "RecordingDuration" not in absent.params
        recording = client.recordings(absent.params["RecordingSid"]).fetch()
        assert (str(recording.status), recording.duration) == ("absent", None)


async def test_calls_are_listed_by_number_and_status(emulator: Emulator, twilio: Client) -> None:
    to = "+15552220101"
    sids = [twilio.calls.create(to=to, from_=SENDER, twiml=TWIML).sid for _ in range(3)]
    await until(lambda: len(twilio.calls.list(to=to, status="in-progress")) == 3)
    twilio.calls(str(sids[0])).update(status="completed")
    assert [each.sid for each in twilio.calls.list(to=to)] == sids[::-1]
    assert [each.sid for each in twilio.calls.list(to=to, status="completed")] == sids[:1]
    assert [each.sid for each in twilio.calls.stream(to=to, page_size=1)] == sids[::-1]
    shown = emulator.http.get(f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sids[0]}.json").json()
    assert isinstance(shown["duration"], str)
    assert DATE.fullmatch(shown["start_time"])
    for sid in sids[1:]:
        twilio.calls(str(sid)).update(status="completed")
    await until(emulator.quiet)
