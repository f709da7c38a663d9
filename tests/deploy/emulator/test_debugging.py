"""What the provider keeps of its requests: the events of a call, and what went wrong, which the debugger is told."""

import json
import re
from collections.abc import Mapping

import pytest
from twilio.rest import Client

from deploy.emulator.callbacks.debugger import COMPLAINTS
from deploy.emulator.errors import Json
from deploy.emulator.resources import Target
from tests.conftest import until
from tests.deploy.emulator.conftest import ROOT, SOMEBODY, Answer, Emulator, Receiver
from tests.deploy.emulator.inhabited import Inhabited
from tests.deploy.emulator.lines import BASE, OURS, Document, Line
from tests.deploy.emulator.virtual import World

SAID = "<Say>hello</Say>"


def sdk(line: World) -> Client:
    return Inhabited(line.exchange).sdk()[0]


def events(line: World, sid: str, **paging: int) -> list[tuple[Json, Json]]:
    """Requests and answers, oldest first."""
    shown = sdk(line).calls(sid).events.list(**paging)
    return [(each.request or {}, each.response or {}) for each in reversed(shown)]


def codes(line: World) -> list[int]:
    return [each.code for each in line.account.notifications.values()]


def payloads(line: Line) -> list[Json]:
    return [json.loads(each["Payload"]) for each in line.at("/debugger")]


async def test_the_events_of_a_call_are_what_was_asked_and_answered() -> None:
    line = Line({"/voice": SAID, "/status": 204})
    made = line.post(
        "Calls",
        To=SOMEBODY,
        From=OURS,
        Url=f"{BASE}/voice",
        StatusCallback=f"{BASE}/status",
        StatusCallbackEvent="ringing completed",
    )
    line.dial()  # another, whose events are not this one's
    await line.move()
    sid = str(made["sid"])
    shown = events(line, sid)
    asked = [(request["url"].rpartition("/")[2], answer["response_code"]) for request, answer in shown]
    assert asked == [(f"{sid}.json", 201), ("status", 204), ("voice", 200), ("status", 204)]
    (first, created), _, (voice, document), (last, _) = shown
    assert first["parameters"]["status_callback_event"] == "ringing completed"
    assert json.loads(created["response_body"]) == {"sid": sid}
    assert (voice["method"], voice["parameters"]["call_sid"]) == ("POST", sid)
    assert document["response_body"] == f"<Response>{SAID}</Response>"
    assert document["date_created"].startswith("Thu, 01 Jan 2026 00:00:0")
    assert last["parameters"]["call_status"] == "completed"
    assert events(line, sid, page_size=1) == shown, "page by page"


async def test_each_attempt_is_an_event_and_only_the_last_one_may_be_wrong() -> None:
    answers = [500, 500, 204, 500, 500, 500]
    remaining = iter(answers)
    world = World(answer=lambda request: (next(remaining), "no"))
    told = {"StatusCallback": f"{BASE}/status#rc=2&rp=5xx", "StatusCallbackEvent": "initiated completed"}
    call = world.post("Calls", To="+15005570003", From=OURS, Twiml="<Response/>", **told)
    await world.exchange.move()
    shown = events(world, str(call["sid"]))
    assert [answer["response_code"] for _, answer in shown] == [201, *answers]
    assert {request["url"] for request, _ in shown[1:]} == {f"{BASE}/status"}, "a fragment is not sent"
    assert codes(world) == [15003]


WRONG: Mapping[str, tuple[Document, list[int]]] = {
    "another type": ((200, "{}", "application/json"), [12300]),
    "a text": ((200, "hello", "text/plain; charset=utf-8"), []),
    "a text of nothing": ((200, "", "text/plain"), [11770]),
    "what is called a page": ((200, "<Response><Say>hello</Say></Response>", "text/html"), []),
    "what is no XML": ("<Say>", [12100]),
    "nothing": (204, [11770]),
    "a server's failure": (500, [11200]),
    "a verb that is none": ("<Mumble/><Hangup/>", [12200]),
    "an address that is none": ("<Redirect>ftp://a</Redirect>", [11100]),
    "what is well": (SAID, []),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_document_that_will_not_do_is_complained_of(what: str) -> None:
    answer, expected = WRONG[what]
    line = Line({"/voice": answer})
    call = line.ring()
    await line.move()
    assert codes(line) == expected
    asked = [each.asked.params.get("CallSid") for each in line.account.notifications.values() if each.asked.status]
    assert set(asked) <= {call.sid}
    shown = sdk(line).calls(call.sid).notifications.list()
    assert [(each.error_code, each.call_sid) for each in shown] == [(str(code), call.sid) for code in expected]


REFUSED: Mapping[str, tuple[int, str]] = {"call": (15003, "1"), "conference": (16011, "0"), "message": (11200, "0")}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_callback_that_is_refused_is_complained_of_by_its_kind(what: str) -> None:
    line = Line({"/told": 403})
    told = {"To": SOMEBODY, "From": OURS, "StatusCallback": f"{BASE}/told"}
    if what == "call":
        line.make("Calls", **told, Twiml="<Response><Hangup/></Response>")
    elif what == "message":
        line.make("Messages", **{**told, "To": "+15005560001"}, Body="hello")
    else:
        conference = {"ConferenceStatusCallback": f"{BASE}/told", "ConferenceStatusCallbackEvent": "join"}
        line.make("Conferences/r/Participants", To=SOMEBODY, From=OURS, **conference)
    await line.move()
    code, log = REFUSED[what]
    (made,) = line.account.notifications.values()
    client = sdk(line)
    whole = client.notifications(made.sid).fetch()
    assert (whole.error_code, whole.log, whole.request_url) == (str(code), log, f"{BASE}/told")
    assert ("CallSid=" in str(whole.request_variables)) == (what != "message")
    assert (whole.call_sid is None) == (what == "message")
    assert len(client.notifications.list(log=int(log))) == 1
    assert client.notifications.list(log=1 - int(log)) == []


async def test_the_debugger_is_told_with_the_request_and_the_answer() -> None:
    line = Line({"/voice": 500, "/debugger": 204})
    line.account.debugger = Target(f"{BASE}/debugger")
    call = line.ring()
    await line.move()
    (told,), (payload,) = line.at("/debugger"), payloads(line)
    (made,) = line.account.notifications.values()
    assert (told["Sid"], told["Level"], told["PayloadType"]) == (made.sid, "ERROR", "application/json")
    assert told["Timestamp"].startswith("2026-01-01T00:00:0")
    assert (payload["resource_sid"], payload["error_code"], payload["service_sid"]) == (call.sid, "11200", None)
    assert payload["more_info"]["ErrorCode"] == "11200,HTTP retrieval failure"
    request, response = payload["webhook"]["request"], payload["webhook"]["response"]
    assert (request["url"], request["method"], request["parameters"]["CallSid"]) == (f"{BASE}/voice", "POST", call.sid)
    assert response == {"status_code": 500, "headers": {}, "body": None}


async def test_a_debugger_that_fails_is_not_complained_of() -> None:
    line = Line({"/voice": 500, "/debugger": 500})
    line.account.debugger = Target(f"{BASE}/debugger")
    line.ring()
    await line.move()
    assert (codes(line), len(line.at("/debugger"))) == ([11200], 1)


async def test_a_forged_request_is_not_the_provider_s_to_complain_of() -> None:
    world = World({"callbacks": {"forge": 1, "drop": 1}}, answer=lambda request: (403, ""))
    world.send(to="+15005564007")
    await world.exchange.move()
    assert (len(world.requests), codes(world)) == (1, [])


async def test_who_answered_is_kept_and_complained_of_where_nobody_is_to_be_told() -> None:
    line, talk = Line(), '<Pause length="30"/>'
    asked = {"MachineDetection": "Enable", "AsyncAmd": "true", "To": "+15005572000"}
    call = line.dial(talk, **asked)
    told = line.dial(talk, **asked, AsyncAmdStatusCallback=f"{BASE}/amd")
    line.dial(talk, **{**asked, "AsyncAmd": "false"})
    await line.move()
    assert [(each.code, each.about) for each in line.account.notifications.values()] == [(21262, call.sid)]
    assert (call.answered_by, told.answered_by) == ("human", "human")
    assert line.told("CallSid", "/amd") == [told.sid]


def test_the_readme_names_every_code() -> None:
    told = (ROOT / "deploy/emulator/README.md").read_text().partition("## What goes wrong")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"\b[12]\d{4}\b", told)} == set(COMPLAINTS)


async def test_what_a_file_is_that_is_fetched_is_told_over_http_too(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    receiver.answers["/a.wav"] = [Answer(200, "RIFF", "audio/wav"), Answer(200, "<html>", "text/html")]
    play = f"<Play>{receiver.url('/a.wav')}</Play>"
    call = twilio.calls.create(to="+15005570000", from_=OURS, twiml=f"<Response>{play * 2}</Response>")
    await until(emulator.quiet)
    assert [each.verified(receiver.base) for each in receiver.at("/a.wav")] == [True, True]
    shown = twilio.calls(str(call.sid)).notifications.list()
    assert [each.error_code for each in shown] == ["13420"]
    html, sound, _ = twilio.calls(str(call.sid)).events.list()
    kinds = [each.response and each.response["content_type"] for each in (sound, html)]
    assert kinds == ["audio/wav", "text/html"]


async def test_a_complaint_is_signed_and_goes_where_it_is_told_to(emulator: Emulator, receiver: Receiver) -> None:
    emulator.http.post("/emulator/debugger", json={"url": receiver.url("/debugger")}).raise_for_status()
    receiver.answers["/inbound"] = [Answer(500, "out of order")]
    said = {"from": SOMEBODY, "to": OURS, "body": "hello", "url": receiver.url("/inbound")}
    sid = emulator.http.post("/emulator/inbound/messages", json=said).json()["sid"]
    await until(lambda: bool(receiver.at("/debugger")))
    emulator.http.post("/emulator/debugger", json={"url": None}).raise_for_status()
    (told,) = receiver.at("/debugger")
    assert told.verified(receiver.base)
    payload = json.loads(told.params["Payload"])
    assert (payload["resource_sid"], payload["webhook"]["response"]["body"]) == (sid, "out of order")
    assert [each["error_code"] for each in emulator.truth()["notifications"] if each["about"] == sid] == [11200]
    await until(emulator.quiet)
