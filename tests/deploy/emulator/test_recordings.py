"""How long recordings are, and what a call says of its own: in virtual time, to the second."""

from deploy.emulator.resources import Call, Recording
from tests.deploy.emulator.conftest import SOMEBODY
from tests.deploy.emulator.lines import BASE, OURS, Line

TALK = '<Pause length="60"/>'
TOLD = {"RecordingStatusCallback": f"{BASE}/recording"}
OF_A_CALL = ("RecordingSid", "RecordingUrl", "RecordingDuration")


async def answered(line: Line, **more: str) -> Call:
    """A call that begins to talk now, for a minute."""
    told = {"StatusCallback": f"{BASE}/status", "Twiml": f"<Response>{TALK}</Response>"}
    made = line.post("Calls", To=SOMEBODY, From=OURS, **told, **more)
    call = line.account.calls[str(made["sid"])]
    while call.status != "in-progress":
        await line.move(0.1)
    return call


def only(line: Line) -> Recording:
    (recording,) = line.account.recordings.values()
    return recording


async def test_a_call_that_is_made_with_a_recording_names_it_at_its_end_and_how_long_it_is() -> None:
    line = Line()
    call = await answered(line, Record="true", **TOLD)
    await line.move(10)
    line.change(f"Calls/{call.sid}/Recordings/Twilio.CURRENT", Status="paused", PauseBehavior="skip")
    await line.move(20)
    line.change(f"Calls/{call.sid}/Recordings/Twilio.CURRENT", Status="in-progress")
    await line.move()
    end = line.at("/status")[-1]
    assert (end["CallDuration"], end["RecordingDuration"]) == ("60", "40")
    assert (end["RecordingSid"], end["RecordingUrl"][-34:]) == (only(line).sid, only(line).sid)
    assert line.told("RecordingDuration", "/recording") == ["40"]


async def test_a_recording_that_begins_in_a_call_is_as_long_as_what_is_left_of_it() -> None:
    line = Line()
    call = await answered(line)
    await line.move(45)
    line.make(f"Calls/{call.sid}/Recordings", **TOLD)
    await line.move()
    assert line.told("CallDuration", "/status")[-1] == "60"
    assert line.told("RecordingDuration", "/recording") == ["15"]
    assert not set(OF_A_CALL) & set(line.at("/status")[-1]), "that is said of Record=true only"


async def test_a_call_is_recorded_again_when_its_recording_was_stopped() -> None:
    line = Line()
    call = await answered(line)
    line.make(f"Calls/{call.sid}/Recordings", **TOLD)
    line.change(f"Calls/{call.sid}/Recordings", 400, **TOLD)
    await line.move(20)
    line.change(f"Calls/{call.sid}/Recordings/Twilio.CURRENT", Status="stopped")
    await line.move(10)
    line.make(f"Calls/{call.sid}/Recordings", **TOLD)
    await line.move()
    assert line.told("RecordingDuration", "/recording") == ["20", "30"]
