"""What TwiML has a call do: verb after verb, document after document, until none is left or somebody hangs up."""

import pytest

from deploy.emulator.lives.tables import MACHINE_ENDS, MAGIC_ANSWERERS, MAGIC_INPUTS
from deploy.emulator.lives.twiml import EMPTY, LONGEST, TOO_LONG, UNREADABLE, BadTwiml, parse
from deploy.emulator.resources import Target
from tests.deploy.emulator.conftest import SOMEBODY
from tests.deploy.emulator.lines import BASE, OURS, PATIENT, Line


async def test_a_call_ends_when_its_script_does() -> None:
    line = Line()
    call = line.dial('<Say>hello</Say><Pause length="7"/><Play loop="2">https://files.example.org/a.mp3</Play>')
    await line.move()
    assert line.told("CallStatus", "/status") == ["initiated", "ringing", "in-progress", "completed"]
    assert call.seconds == 1 + 7 + 10


async def test_a_call_ends_when_somebody_hangs_up_before_its_script_does() -> None:
    line = Line(chances={**PATIENT, "call_seconds": [20, 20]})
    call = line.dial('<Pause length="3000"/><Message>too late</Message>')
    await line.move()
    assert (call.status, call.seconds) == ("completed", 20)
    assert line.account.messages == {}


async def test_documents_follow_one_another_by_redirect_below_their_own_url() -> None:
    line = Line({"/voice": "<Redirect>next?a=1</Redirect><Message>never</Message>", "/next": "<Hangup/><Say>x</Say>"})
    line.dial()
    await line.move()
    assert [path for path, _ in line.heard if path != "/status"] == ["/voice", "/next"]
    assert line.account.messages == {}
    assert line.at("/next")[0]["CallStatus"] == "in-progress"


async def test_a_document_that_names_itself_takes_time_and_ends_with_the_call() -> None:
    line = Line({"/voice": "<Redirect/>"}, {**PATIENT, "call_seconds": [10, 10]})
    call = line.dial()
    await line.move()
    assert call.status == "completed"
    assert 50 < len(line.at("/voice")) < 150


@pytest.mark.parametrize("verb", ["Message", "Sms"])
async def test_a_message_in_a_call_goes_to_the_other_end(verb: str) -> None:
    line = Line({"/voice": f'<{verb} statusCallback="/told">thanks</{verb}>'})
    line.ring()
    await line.move()
    (message,) = line.account.messages.values()
    assert (message.direction, message.from_, message.to, message.body) == ("outbound-call", OURS, SOMEBODY, "thanks")
    assert line.told("MessageStatus", "/told")[0] == "sent"


async def test_an_unknown_verb_is_passed_over() -> None:
    line = Line()
    call = line.dial('<Prompt/><Pause length="3"/>')
    await line.move()
    assert call.seconds == 3


@pytest.mark.parametrize(("document", "code"), [(500, "11200"), ("<Say>", "12100"), (204, "11770")])
async def test_a_document_that_will_not_do_is_asked_for_at_the_fallback(document: str | int, code: str) -> None:
    line = Line({"/voice": document, "/fallback": "<Redirect>/more</Redirect>", "/more": '<Pause length="9"/>'})
    call = line.dial(FallbackUrl=f"{BASE}/fallback")
    await line.move()
    (asked,) = line.at("/fallback")
    assert (asked["ErrorCode"], asked["ErrorUrl"], asked["CallSid"]) == (code, f"{BASE}/voice", call.sid)
    assert call.seconds == 9
    assert line.deliveries()["by_kind"]["fallback"]["2xx"] == 1


async def test_without_a_fallback_it_is_apologised_for_and_hung_up() -> None:
    line = Line({"/voice": 404})
    call = line.dial()
    inbound = line.ring()
    await line.move()
    assert (call.status, call.seconds) == ("completed", 3)
    assert (inbound.status, inbound.seconds) == ("completed", 3)


async def test_an_inbound_call_that_was_apologised_to_can_still_be_redirected() -> None:
    line = Line({"/voice": 500})
    call = line.ring()
    await line.move(1)
    line.redirect(call, Twiml='<Response><Pause length="10"/></Response>')
    await line.move()
    assert (call.status, call.seconds) == ("completed", 11)


@pytest.mark.parametrize("verb", ["<Prompt/>", "<Dial/>", "<Message>x</Message>"])
async def test_a_document_of_thousands_of_verbs_is_performed(verb: str) -> None:
    line = Line({"/voice": verb * 3000 + '<Pause length="3"/>'})
    call = line.ring()
    await line.move()
    assert (call.status, call.seconds) == ("completed", 3)


async def test_a_live_call_is_redirected_to_a_url_or_to_twiml() -> None:
    line = Line({"/voice": '<Pause length="1000"/>', "/other": '<Pause length="1000"/>'})
    call = line.dial()
    await line.move(60)
    line.redirect(call, Url=f"{BASE}/other", Method="GET")
    await line.move(10)
    assert len(line.at("/other")) == 1
    line.redirect(call, Twiml='<Response><Pause length="5"/></Response>')
    begun = line.now()
    await line.move()
    assert call.end_time is not None
    assert (call.end_time - begun).total_seconds() == pytest.approx(5, abs=0.1)


async def test_an_answer_that_comes_after_a_redirect_changes_nothing() -> None:
    line = Line({"/voice": "<Message>late</Message>", "/other": '<Pause length="5"/>'})
    call = line.dial()
    await line.move(60)
    assert line.account.messages, "it had come"
    line = Line({"/voice": "<Message>late</Message>"})
    call = line.dial('<Pause length="1000"/>')
    await line.move(60)
    line.redirect(call, Url=f"{BASE}/voice")  # asked, not yet answered
    line.redirect(call, Twiml='<Response><Pause length="5"/></Response>')
    await line.move()
    assert line.at("/voice")
    assert line.account.messages == {}


async def test_the_url_of_an_application_is_asked() -> None:
    line = Line({"/application": '<Pause length="4"/>'})
    line.account.applications["AP1"] = Target(f"{BASE}/application")
    call = line.dial("", Twiml="", ApplicationSid="AP1")
    await line.move()
    assert (len(line.at("/application")), call.seconds) == (1, 4)


async def test_an_inbound_call_rings_while_it_is_asked_for_and_is_answered_by_the_first_verb() -> None:
    line = Line({"/voice": '<Pause length="2"/><Say>hello</Say><Pause length="4"/>'})
    call = line.ring()
    await line.move()
    (asked,) = line.at("/voice")
    assert (asked["CallStatus"], asked["Direction"]) == ("ringing", "inbound")
    assert (asked["From"], asked["To"]) == (SOMEBODY, OURS)
    assert line.told("CallStatus", "/status") == ["completed"], "the number's callback tells the end"
    assert call.seconds == 5, "the pause before it was answered is not of it"


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
async def test_an_inbound_call_can_be_rejected_and_costs_nothing(reason: str, status: str) -> None:
    line = Line({"/voice": f'<Reject reason="{reason}"/>'})
    call = line.ring()
    await line.move()
    assert (call.status, call.seconds, call.start_time) == (status, 0, None)
    assert line.told("CallStatus", "/status") == [status]


@pytest.mark.parametrize("number", list(MAGIC_INPUTS))
async def test_a_magic_number_says_what_it_is_asked_for(number: str) -> None:
    kind, said = MAGIC_INPUTS[number]
    line = Line({"/voice": '<Gather input="dtmf speech" numDigits="1" action="/said"><Say>?</Say></Gather>'})
    line.ring(from_=number)
    await line.move()
    heard = line.at("/said")
    assert bool(heard) is (kind != "nothing")
    for each in heard:
        assert each["Digits" if kind == "digits" else "SpeechResult"] == said
        assert each["CallStatus"] == "in-progress"


async def test_a_gather_that_hears_nothing_goes_on_or_tells_so() -> None:
    quiet = "+15005571010"
    line = Line({"/voice": '<Gather timeout="3" action="/said"/><Pause length="2"/>', "/said": "<Hangup/>"})
    call = line.ring(from_=quiet)
    await line.move()
    assert (line.at("/said"), call.seconds) == ([], 5)
    line = Line({"/voice": '<Gather timeout="3" actionOnEmptyResult="true" action="/said"/>', "/said": "<Hangup/>"})
    line.ring(from_=quiet)
    await line.move()
    assert line.told("Digits", "/said") == [""]


@pytest.mark.parametrize("number", list(MAGIC_ANSWERERS))
async def test_who_answers_is_told_before_or_beside_the_request_for_twiml(number: str) -> None:
    found = MAGIC_ANSWERERS[number]
    mode = "DetectMessageEnd" if "end" in found else "Enable"
    line = Line({"/voice": '<Pause length="60"/>'})
    call = line.dial(To=number, MachineDetection=mode)
    await line.move()
    (asked,) = line.at("/voice")
    assert (asked["AnsweredBy"], call.answered_by) == (found, found)
    assert line.told("AnsweredBy", "/status")[-1] == found
    line = Line({"/voice": '<Pause length="60"/>'})
    line.dial(To=number, MachineDetection=mode, AsyncAmd="true", AsyncAmdStatusCallback=f"{BASE}/amd")
    await line.move()
    assert "AnsweredBy" not in line.at("/voice")[0]
    assert line.told("AnsweredBy", "/amd") == [found]
    assert int(line.at("/amd")[0]["MachineDetectionDuration"]) == round(call.detection.seconds * 1000)  # type: ignore[union-attr]


async def test_a_machine_is_waited_for_until_its_greeting_is_over_where_that_was_asked_for() -> None:
    chances = {**PATIENT, "answered_by": {"machine_start": 1}}
    for mode, expected in {"Enable": {"machine_start"}, "DetectMessageEnd": set(MACHINE_ENDS)}.items():
        seen = set()
        for seed in range(20):
            line = Line({"/voice": "<Pause/>"}, chances, seed)
            call = line.dial(MachineDetection=mode)
            await line.move()
            seen.add(call.answered_by)
        assert seen == expected


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("", EMPTY),
        ("thanks", UNREADABLE),
        ("<Response>", UNREADABLE),
        ("<Reply/>", UNREADABLE),
        ('<!DOCTYPE r [<!ENTITY a "b">]><Response>&a;</Response>', UNREADABLE),
        (f"<Response>{' ' * LONGEST}</Response>", TOO_LONG),
        (f"<Response>{'<Say>' * 5000}{'</Say>' * 5000}</Response>", UNREADABLE),
    ],
)
def test_what_is_no_twiml_has_the_providers_code(document: str, code: int) -> None:
    with pytest.raises(BadTwiml) as bad:
        parse(document)
    assert bad.value.code == code


def test_attributes_become_parameters_and_their_urls_absolute() -> None:
    (verb,) = parse('<Response><Number statusCallback="/s?a=1" statusCallbackEvent="a b">+1</Number></Response>')
    target = verb.form("https://a.example.org/x/y").target("StatusCallback")
    assert target is not None
    assert (target.url, target.events) == ("https://a.example.org/s?a=1", frozenset({"a", "b"}))
