"""What a document names is fetched: files to play, and what is performed for who answers before they are connected."""

import itertools
from collections.abc import Mapping

import pytest

from deploy.emulator.callbacks.carrying import Received
from deploy.emulator.callbacks.requests import Outgoing
from deploy.emulator.resources import Call
from tests.deploy.emulator.lines import BASE, PATIENT, Line
from tests.deploy.emulator.virtual import World

AGENT = "+15005570000"
PLAYED = '<Play loop="2">/a.wav</Play><Message>done</Message>'
SOUND, TEXT = (200, "RIFF", "audio/x-wav"), (200, "<html>", "text/html")


def legs(line: Line) -> list[Call]:
    return [call for call in line.account.calls.values() if call.direction == "outbound-dial"]


def codes(line: World) -> list[int]:
    return [each.code for each in line.account.notifications.values()]


async def lasts(line: Line) -> float:
    call = line.dial()
    await line.move()
    assert call.start_time
    assert call.end_time
    return (call.end_time - call.start_time).total_seconds()


async def test_a_file_to_play_is_asked_for_without_a_word_about_the_call() -> None:
    line = Line({"/voice": PLAYED, "/a.wav": SOUND})
    assert 10 <= await lasts(line) < 11, "five seconds, twice"
    (asked,) = [each for each in line.requests if "/a.wav" in each.url]
    events = itertools.chain(*line.account.call_events.values())
    (kept,) = [each.asked for each in events if "/a.wav" in each.asked.url]
    assert (kept.status, kept.content_type, kept.body) == (200, "audio/x-wav", ""), "a file is not kept"
    assert (asked.method, asked.url, asked.body) == ("GET", f"{BASE}/a.wav", b"")
    assert codes(line) == []


FILES: Mapping[str, tuple[int | tuple[int, str, str], list[int]]] = {
    "what is not there": (404, [11200]),
    "what is no sound": (TEXT, [13420]),
}


@pytest.mark.parametrize("what", FILES)
async def test_a_file_that_will_not_do_is_passed_over_with_a_complaint(what: str) -> None:
    answer, expected = FILES[what]
    line = Line({"/voice": PLAYED, "/a.wav": answer})
    assert await lasts(line) < 1
    assert [each.body for each in line.account.messages.values()] == ["done"]
    assert codes(line) == expected


async def test_a_document_that_is_a_sound_or_a_text_is_played_or_said() -> None:
    assert 5 <= await lasts(Line({"/voice": SOUND})) < 6
    assert 10 <= await lasts(Line({"/voice": (200, "x" * 150, "text/plain")})) < 11, "fifteen letters a second"


async def test_an_address_that_is_none_is_passed_over_and_keys_are_no_file() -> None:
    line = Line({"/voice": '<Play>ftp://a</Play><Play digits="1w2"/><Message>done</Message>'})
    assert await lasts(line) > 1
    assert len(line.account.messages) == 1
    assert codes(line) == [11100]
    assert {path for path, _ in line.heard} == {"/voice", "/status"}


async def test_a_file_in_a_gather_is_asked_for_and_complained_of_as_such() -> None:
    line = Line({"/voice": "<Gather><Play>/a.wav</Play></Gather>", "/a.wav": TEXT})
    await lasts(line)
    assert set(codes(line)) == {13325}


async def test_an_answer_that_comes_when_the_call_is_elsewhere_changes_nothing() -> None:
    line = Line({"/voice": "<Play>/a.wav</Play><Message>never</Message>", "/elsewhere": '<Pause length="60"/>'})

    documents, call = line.answer, line.dial()

    def answer(request: Outgoing) -> Received:
        if request.url.endswith("/a.wav"):
            line.redirect(call, Url=f"{BASE}/elsewhere")
        return documents(request)

    line.answer = answer
    await line.move()
    assert len(line.account.messages) == 0
    assert call.seconds >= 60


CONNECTED = f'<Number url="/whisper">{AGENT}</Number>'
WHISPERING = f'<Dial action="/done" timeLimit="40" record="record-from-answer">{CONNECTED}</Dial>'


def whispering(document: str | int, **more: str | int) -> Line:
    """Who leaves a message has a lot to say."""
    documents = {"/voice": WHISPERING, "/whisper": document, "/done": "<Hangup/>", **more}
    return Line(documents, {**PATIENT, "call_seconds": [60, 60], "voicemail_seconds": [500, 500]})


async def test_who_answers_hears_a_document_before_they_are_connected() -> None:
    line = whispering('<Pause length="20"/>')
    call = line.ring()
    await line.move()
    (leg,), (asked,), (done,) = legs(line), line.at("/whisper"), line.at("/done")
    assert (asked["CallSid"], asked["ParentCallSid"], asked["CallStatus"]) == (leg.sid, call.sid, "in-progress")
    assert (done["DialCallStatus"], done["DialBridged"]) == ("completed", "true")
    assert (done["DialCallDuration"], done["RecordingDuration"]) == ("40", "20"), "what is whispered is not recorded"


async def test_who_hangs_up_meanwhile_is_not_connected() -> None:
    line = whispering("<Hangup/>")
    line.ring()
    await line.move()
    (done,) = line.at("/done")
    assert (done["DialBridged"], "RecordingSid" in done) == ("false", False)
    assert line.account.recordings == {}


async def test_what_is_pressed_meanwhile_is_asked_about_and_recorded_to_its_end() -> None:
    line = whispering('<Record action="/after" maxLength="5"/>', **{"/after": "<Say>Connecting</Say>"})
    line.ring()
    await line.move()
    assert [each["CallSid"] for each in line.at("/after")] == [legs(line)[0].sid]
    assert {each.status for each in line.account.recordings.values()} == {"completed"}
    line = whispering('<Record action="/after"/>')
    line.ring()
    await line.move()
    assert {each.status for each in line.account.recordings.values()} == {"completed"}, "with the leg"
    assert len(line.at("/done")) == 1


async def test_who_is_called_elsewhere_meanwhile_is_let_go() -> None:
    line = whispering('<Pause length="50"/>', **{"/elsewhere": "<Record/>"})
    call = line.ring()
    await line.move(30)
    (leg,) = legs(line)
    line.redirect(leg, Url=f"{BASE}/elsewhere")
    await line.move(1)
    assert (call.status, leg.status) == ("completed", "in-progress")
    (recording,) = line.account.recordings.values()
    line.hang_up(leg)
    await line.move()
    assert recording.status == "completed"
    assert len(line.at("/done")) == 1


async def test_who_dialed_hangs_up_meanwhile() -> None:
    line = whispering('<Pause length="50"/>')
    call = line.ring()
    await line.move(20)
    line.hang_up(call)
    await line.move()
    (leg,) = legs(line)
    assert {call.status, leg.status} == {"completed"}
    assert line.account.recordings == {}


async def test_of_several_the_first_that_answers_hears_it() -> None:
    numbers = "".join(f'<Number url="/whisper">+1555222444{n}</Number>' for n in range(3))
    dial = f'<Dial action="/done">{numbers}</Dial>'
    line = Line({"/voice": dial, "/whisper": "<Say>Hello</Say>", "/done": "<Hangup/>"})
    line.dial()
    await line.move()
    assert len(line.at("/whisper")) == len(line.at("/done")) == 1
    assert sorted(leg.status for leg in legs(line)) == ["canceled", "canceled", "completed"]
