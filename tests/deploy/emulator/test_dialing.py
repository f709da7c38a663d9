"""Calls that are connected: to other numbers by legs of their own, to conferences; and what is recorded of them."""

import pytest

from deploy.emulator.lives import conferences, recordings
from deploy.emulator.lives.tables import MAGIC_TRANSCRIPTIONS
from deploy.emulator.resources import Call
from tests.deploy.emulator.conftest import SOMEBODY
from tests.deploy.emulator.lines import BASE, OURS, PATIENT, Line, form

AGENT, BUSY, NOBODY, UNREACHABLE = "+15005570000", "+15005570001", "+15005570002", "+15005570003"
BRIEF = {**PATIENT, "call_seconds": [30, 30]}
ROOM_EVENTS = "start end join leave mute hold modify speaker announcement"


def legs(line: Line) -> list[Call]:
    return [call for call in line.account.calls.values() if call.direction == "outbound-dial"]


@pytest.mark.parametrize(
    ("number", "status"), [(AGENT, "completed"), (BUSY, "busy"), (NOBODY, "no-answer"), (UNREACHABLE, "failed")]
)
async def test_how_a_dialed_leg_ended_is_told_to_the_action(number: str, status: str) -> None:
    dial = f'<Dial timeLimit="20" action="/done"><Number statusCallback="/leg">{number}</Number></Dial>'
    line = Line({"/voice": dial, "/done": '<Pause length="1"/>'}, {**PATIENT, "call_seconds": [50, 60]})
    call = line.ring()
    await line.move()
    (leg,) = legs(line)
    (told,) = line.at("/leg")
    assert (told["CallStatus"], told["ParentCallSid"], told["Direction"]) == (status, call.sid, "outbound-dial")
    assert (told["From"], told["To"], told["CalledVia"]) == (SOMEBODY, number, OURS)
    (done,) = line.at("/done")
    assert (done["DialCallStatus"], done["DialCallSid"], done["CallSid"]) == (status, leg.sid, call.sid)
    assert done["DialBridged"] == str(status == "completed").lower()
    assert done.get("DialCallDuration") == ("20" if status == "completed" else None)


async def test_without_an_action_the_next_verb_is_performed() -> None:
    line = Line({"/voice": f'<Dial callerId="{OURS}">{BUSY}</Dial><Message>missed</Message>'})
    line.ring()
    await line.move()
    assert [each.body for each in line.account.messages.values()] == ["missed"]
    assert legs(line)[0].from_ == OURS


async def test_the_first_leg_that_answers_is_talked_to_and_the_others_are_canceled() -> None:
    numbers = "".join(f'<Number statusCallback="/leg">+1555222444{n}</Number>' for n in range(3))
    line = Line({"/voice": f'<Dial action="/done">{numbers}<Client>ann</Client></Dial>', "/done": "<Hangup/>"})
    line.dial()
    await line.move()
    ended = sorted(leg.status for leg in legs(line))
    assert ended == ["canceled", "canceled", "canceled", "completed"]
    assert {leg.to for leg in legs(line)} >= {"client:ann"}


async def test_who_hangs_up_ends_the_legs_and_the_action_is_told_without_being_listened_to() -> None:
    line = Line({"/voice": f'<Dial action="/done">{AGENT}</Dial>', "/done": "<Message>never</Message>"}, PATIENT)
    call = line.dial()
    await line.move(300)
    line.hang_up(call)
    await line.move()
    (leg,) = legs(line)
    (done,) = line.at("/done")
    assert (leg.status, done["DialCallStatus"], done["CallStatus"]) == ("completed", "completed", "completed")
    assert line.account.messages == {}


async def test_a_redirect_ends_the_legs_of_a_dial() -> None:
    line = Line({"/voice": f'<Dial action="/done">{AGENT}</Dial>', "/other": '<Pause length="2"/>'})
    call = line.dial()
    await line.move(300)
    line.redirect(call, Url=f"{BASE}/other")
    await line.move()
    assert (legs(line)[0].status, call.status) == ("completed", "completed")
    assert line.at("/done") == []


async def test_a_leg_that_is_redirected_goes_its_own_way_and_the_other_on() -> None:
    line = Line({"/voice": f'<Dial action="/done">{AGENT}</Dial>', "/done": '<Pause length="2"/>'})
    call = line.dial()
    await line.move(300)
    (leg,) = legs(line)
    line.redirect(leg, Twiml='<Response><Pause length="50"/></Response>')
    await line.move()
    assert line.told("DialCallStatus", "/done") == ["completed"]
    assert leg.end_time is not None
    assert call.end_time is not None
    assert (leg.end_time - call.end_time).total_seconds() == pytest.approx(48, abs=0.2)


async def test_a_dial_can_be_recorded() -> None:
    told = 'record="record-from-answer-dual" recordingStatusCallback="/recording"'
    dial = f'<Dial timeLimit="20" {told} action="/done">{AGENT}</Dial>'
    line = Line({"/voice": dial, "/done": "<Hangup/>"}, {**PATIENT, "call_seconds": [30, 60]}, seed=4)
    call = line.dial()
    await line.move()
    (made,) = line.at("/recording")
    assert (made["RecordingSource"], made["RecordingChannels"], made["CallSid"]) == ("DialVerb", "2", call.sid)
    assert line.told("RecordingSid", "/done") == [made["RecordingSid"]]


async def test_what_is_recorded_is_told_to_the_action_transcribed_and_told_again() -> None:
    record = (
        '<Record action="/recorded" maxLength="20" transcribeCallback="/words" recordingStatusCallback="/recording"/>'
    )
    line = Line({"/voice": record, "/recorded": "<Hangup/>"})
    call = line.ring()
    await line.move()
    (recorded,), (recording,), (words,) = line.at("/recorded"), line.at("/recording"), line.at("/words")
    assert recorded["RecordingSid"] == recording["RecordingSid"] == words["RecordingSid"]
    assert 0 < int(recorded["RecordingDuration"]) <= 20
    assert (recording["RecordingSource"], recording["RecordingStatus"]) == ("RecordVerb", "completed")
    assert (words["TranscriptionStatus"], words["CallSid"]) == ("completed", call.sid)
    assert line.account.transcriptions[words["TranscriptionSid"]].text == words["TranscriptionText"]


async def test_who_hangs_up_while_recorded_is_told_as_a_key() -> None:
    line = Line(
        {"/voice": '<Record action="/recorded"/>'}, {**PATIENT, "call_seconds": [10, 10], "voicemail_seconds": [60, 60]}
    )
    line.ring()
    await line.move()
    (recorded,) = line.at("/recorded")
    assert (recorded["Digits"], recorded["CallStatus"]) == ("hangup", "completed")
    assert recorded["RecordingDuration"] == "10"


@pytest.mark.parametrize("number", list(MAGIC_TRANSCRIPTIONS))
async def test_a_magic_number_is_not_understood(number: str) -> None:
    line = Line(
        {"/voice": '<Record action="/done" transcribe="true" transcribeCallback="/words"/>', "/done": "<Hangup/>"}
    )
    line.ring(from_=number)
    await line.move()
    (words,) = line.at("/words")
    assert words["TranscriptionStatus"] == MAGIC_TRANSCRIPTIONS[number]
    assert "TranscriptionText" not in words


async def test_a_recording_is_paused_resumed_stopped_and_without_its_pause() -> None:
    more = {"RecordingStatusCallback": f"{BASE}/recording", "Record": "true"}
    events = "started paused resumed stopped completed"
    line = Line()
    call = line.dial('<Pause length="1000"/>', To=AGENT)
    order = recordings.order(
        form(**more, RecordingStatusCallbackEvent=events), "RecordingStatusCallback", "OutboundAPI"
    )
    await line.move(60)
    recording = line.exchange.change(lambda account, now: recordings.begin(account, order, now, call_sid=call.sid))
    await line.move(10)
    line.exchange.change(lambda account, now: recordings.pause(account, recording, "skip", now))
    await line.move(100)
    line.exchange.change(lambda account, now: recordings.resume(account, recording, now))
    await line.move(5)
    line.exchange.change(lambda account, now: recordings.stop(account, recording, now))
    await line.move()
    told = ["in-progress", "paused", "in-progress", "stopped", "completed"]
    assert line.told("RecordingStatus", "/recording") == told
    assert line.told("RecordingDuration", "/recording")[-1] == "15"


async def test_the_recording_of_a_magic_number_is_absent() -> None:
    line = Line(
        {
            "/voice": '<Record action="/done" recordingStatusCallback="/told" recordingStatusCallbackEvent="absent"/>',
            "/done": "<Hangup/>",
        }
    )
    line.ring(from_="+15005573001")
    await line.move()
    assert line.told("RecordingStatus", "/told") == ["absent"]


def room(**more: str) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in more.items())
    told = f'statusCallback="/room" statusCallbackEvent="{ROOM_EVENTS}"'
    return f'<Dial action="/after"><Conference {told}{attributes}>r</Conference></Dial>'


async def test_calls_meet_in_a_conference_and_go_on_after_it() -> None:
    line = Line(
        {
            "/voice": room(),
            "/moderator": room(endConferenceOnExit="true", participantLabel="boss"),
            "/after": '<Pause length="2"/>',
        }
    )
    first = line.ring()
    boss = line.dial(Url=f"{BASE}/moderator", TimeLimit="300")
    await line.move()
    told = [each for each in line.told("StatusCallbackEvent", "/room") if "speech" not in each]
    assert told == [
        "participant-join",
        "participant-join",
        "conference-start",
        "participant-leave",
        "participant-leave",
        "conference-end",
    ]
    (after,) = [each for each in line.at("/after") if each["CallStatus"] == "in-progress"]
    assert (after["CallSid"], after["DialCallStatus"]) == (first.sid, "answered")
    assert (first.status, boss.status) == ("completed", "completed")
    ended = line.at("/room")[-1]
    assert ended["ParticipantLabelEndingConference"] == "boss"
    assert line.told("SequenceNumber", "/room") == [str(n + 1) for n in range(len(line.at("/room")))]


async def test_speech_is_told_in_pairs_and_not_of_who_is_muted() -> None:
    line = Line(
        {"/voice": room(), "/muted": room(muted="true"), "/after": "<Hangup/>"}, {**PATIENT, "call_seconds": [200, 200]}
    )
    speaking = line.ring()
    line.dial(Url=f"{BASE}/muted")
    await line.move()
    heard = [each for each in line.at("/room") if "speech" in each["StatusCallbackEvent"]]
    assert {each["CallSid"] for each in heard} == {speaking.sid}
    events = [each["StatusCallbackEvent"] for each in heard]
    assert set(events[::2]) == {"participant-speech-start"}
    assert set(events[1::2]) == {"participant-speech-stop"}


@pytest.mark.parametrize(("answer", "event"), [("<Say>x</Say>", "announcement-end"), (500, "announcement-fail")])
async def test_an_announcement_that_cannot_be_had_fails(answer: str | int, event: str) -> None:
    line = Line({"/voice": room(), "/announcement": answer})
    line.ring()
    await line.move(30)
    (conference,) = line.account.conferences.values()
    said = form(AnnounceUrl=f"{BASE}/announcement")
    line.exchange.change(lambda account, now: conferences.announce(account, conference, said))
    await line.move(30)
    told = [each for each in line.at("/room") if each["StatusCallbackEvent"].startswith("announcement")]
    assert [each["StatusCallbackEvent"] for each in told] == [event]
    assert ("ReasonAnnouncementFailed" in told[0]) is (event == "announcement-fail")


async def test_who_waits_alone_asks_for_music_and_a_recorded_conference_tells_its_file() -> None:
    line = Line(
        {"/voice": room(waitUrl="/music", record="record-from-start", eventCallbackUrl="/file"), "/after": "<Hangup/>"},
        BRIEF,
    )
    first, _ = line.ring(), line.ring()
    await line.move()
    (music,) = line.at("/music")
    assert (music["CallSid"], music["ConferenceSid"]) == (first.sid, next(iter(line.account.conferences)))
    assert line.told("EventName", "/file") == ["conference-record-end"]


async def test_who_is_kicked_goes_on_and_who_is_called_elsewhere_leaves() -> None:
    line = Line({"/voice": room(), "/after": '<Pause length="2"/>'})
    kicked, called = line.ring(), line.ring()
    await line.move(60)
    participant = line.account.participants[kicked.sid]
    line.exchange.change(lambda account, now: conferences.remove(account, participant, now))
    line.redirect(called, Twiml='<Response><Pause length="3"/></Response>')
    await line.move()
    assert line.told("ReasonParticipantLeft", "/room")[-3:-1] == ["participant_updated_via_api", "participant_hung_up"]
    assert line.told("CallSid", "/after") == [kicked.sid]


async def test_a_call_is_put_into_words_while_it_lasts() -> None:
    start = '<Start><Transcription statusCallbackUrl="/live" name="t"/></Start><Pause length="30"/>'
    line = Line({"/voice": start})
    line.ring()
    await line.move()
    events = line.told("TranscriptionEvent", "/live")
    assert (events[0], events[-1]) == ("transcription-started", "transcription-stopped")
    assert set(events[1:-1]) == {"transcription-content"}
    assert line.told("SequenceId", "/live") == [str(n + 1) for n in range(len(events))]
