"""Somebody writes to us: the webhook, what its TwiML makes happen, and who does not want to hear from us any more."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from deploy.emulator.lives.inbound import MOST_ASKED
from tests.conftest import until
from tests.deploy.emulator.conftest import ACCOUNT, Answer, Emulator, Receiver
from tests.deploy.emulator.lines import BASE, Line

OURS, SERVICE = "+15005550006", "MG" + "5" * 32
SAID = "<Response><Message>hello</Message></Response>"
numbers = iter(range(10_000))


@pytest.fixture
def theirs() -> str:
    """Somebody new, so that nobody's opt-out reaches into another test."""
    return f"+1555444{next(numbers):04}"


def write(emulator: Emulator, url: str, theirs: str, body: str = "hello", **more: str) -> str:
    said = {"from": theirs, "to": OURS, "body": body, "url": url, **more}
    answer = emulator.http.post("/emulator/inbound/messages", json=said)
    assert answer.status_code == 202
    return str(answer.json()["sid"])


def twiml(*messages: str) -> Answer:
    return Answer(200, f'<?xml version="1.0" encoding="UTF-8"?><Response>{"".join(messages)}</Response>')


def replies(emulator: Emulator, to: str) -> list[str]:
    return [
        each["body"]
        for each in emulator.truth()["messages"]
        if each["direction"] == "outbound-reply" and each["to"] == to
    ]


async def test_a_message_to_us_arrives_signed_at_its_url(
    emulator: Emulator, twilio: Client, receiver: Receiver, theirs: str
) -> None:
    sid = write(emulator, receiver.url("/inbound"), theirs, "Grüße & 1+1")
    await until(emulator.quiet)
    (received,) = receiver.requests
    assert received.verified(receiver.base)
    params = received.params
    assert params["MessageSid"] == params["SmsSid"] == params["SmsMessageSid"] == sid
    assert (params["From"], params["To"], params["Body"]) == (theirs, OURS, "Grüße & 1+1")
    assert (params["SmsStatus"], params["NumMedia"], params["NumSegments"]) == ("received", "0", "1")
    assert params["AccountSid"] == ACCOUNT
    assert params["FromCity"] == "", "geography that is not known is empty, not absent"
    fetched = twilio.messages(sid).fetch()
    assert (str(fetched.direction), str(fetched.status), fetched.body) == ("inbound", "received", "Grüße & 1+1")


async def test_it_may_come_by_get(emulator: Emulator, receiver: Receiver, theirs: str) -> None:
    write(emulator, receiver.url("/inbound?a=1"), theirs, method="GET")
    await until(emulator.quiet)
    (received,) = receiver.requests
    assert (received.method, received.params["From"], received.params["a"]) == ("GET", theirs, "1")
    assert received.verified(receiver.base)


async def test_each_message_of_the_answer_is_sent_and_called_back_about(
    emulator: Emulator, twilio: Client, receiver: Receiver, theirs: str
) -> None:
    first = '<Message statusCallback="/status?action=r-1">One</Message>'
    second = f'<Message to="{theirs}"><Body>Two</Body><Media>https://a.example.org/1</Media></Message>'
    receiver.answers["/inbound"] = [twiml(first, second)]
    write(emulator, receiver.url("/inbound"), theirs)
    await until(emulator.quiet)
    assert replies(emulator, theirs) == ["One", "Two"]
    assert receiver.at("/status"), "below the webhook's own URL"
    for received in receiver.at("/status"):
        assert received.verified(receiver.base)
        assert (received.params["From"], received.params["To"]) == (OURS, theirs)
        assert received.target == "/status?action=r-1"
    shown = twilio.messages.list(to=theirs, from_=OURS)
    assert {str(each.direction) for each in shown} == {"outbound-reply"}
    assert {each.num_media for each in shown} == {"0", "1"}


@pytest.mark.parametrize(
    "answer",
    [Answer(204), twiml(), Answer(200, "thanks"), Answer(200, "<Response>"), Answer(500, SAID)],
    ids=["empty", "silent", "plain", "broken", "failed"],
)
async def test_an_answer_that_says_nothing_sends_nothing(
    emulator: Emulator, receiver: Receiver, theirs: str, answer: Answer
) -> None:
    receiver.answers["/inbound"] = [answer]
    write(emulator, receiver.url("/inbound"), theirs)
    await until(emulator.quiet)
    assert replies(emulator, theirs) == []


async def test_who_writes_stop_hears_nothing_until_start(
    emulator: Emulator, twilio: Client, receiver: Receiver, theirs: str
) -> None:
    receiver.answers["/inbound"] = [twiml("<Message>Goodbye</Message>"), twiml("<Message>Hello again</Message>")]
    write(emulator, receiver.url("/inbound"), theirs, " stop ")
    await until(emulator.quiet)
    assert replies(emulator, theirs) == []
    with pytest.raises(TwilioRestException) as refused:
        twilio.messages.create(to=theirs, from_=OURS, body="please")
    assert (refused.value.status, refused.value.code) == (400, 21610)
    assert twilio.messages.create(to=theirs, from_="+15005550099", body="another number").sid
    write(emulator, receiver.url("/inbound"), theirs, "START")
    await until(emulator.quiet)
    assert replies(emulator, theirs) == ["Hello again"]
    assert twilio.messages.create(to=theirs, from_=OURS, body="thanks").sid
    assert not any("OptOutType" in each.params for each in receiver.requests), "only a service tells keywords"
    await until(emulator.quiet)


@pytest.mark.parametrize(
    ("body", "keyword"), [("Stop", "STOP"), ("unstop", "START"), ("INFO", "HELP"), ("stop it", None)]
)
async def test_a_service_tells_the_keyword_and_keeps_its_own_list(
    emulator: Emulator, twilio: Client, receiver: Receiver, theirs: str, body: str, keyword: str | None
) -> None:
    write(emulator, receiver.url("/inbound"), theirs, body, messaging_service_sid=SERVICE)
    await until(emulator.quiet)
    (received,) = receiver.requests
    assert received.params.get("OptOutType") == keyword
    assert received.params["MessagingServiceSid"] == SERVICE
    if keyword == "STOP":
        with pytest.raises(TwilioRestException) as refused:
            twilio.messages.create(to=theirs, messaging_service_sid=SERVICE, body="please")
        assert refused.value.code == 21610


@pytest.mark.parametrize(
    "said",
    [{}, {"from": "+1", "to": "+2", "body": "x"}, {"from": "+1", "to": "+2", "body": "x", "url": "nowhere"}, [], 7],
)
async def test_what_is_no_message_is_refused(emulator: Emulator, said: object) -> None:
    before = len(emulator.truth()["messages"])
    assert emulator.http.post("/emulator/inbound/messages", json=said).status_code == 400
    assert emulator.http.post("/emulator/inbound/messages", content=b"{").status_code == 400
    assert emulator.http.get("/emulator/inbound/messages").status_code == 405
    assert len(emulator.truth()["messages"]) == before


async def test_an_answer_is_read_without_entities_and_without_verbs_of_voice() -> None:
    line = Line({"/voice": ""})
    for answer, bodies in {
        "<Message> a </Message><Say>x</Say>": ["a"],
        "<Message><Body>a</Body><Body>b</Body></Message>": ["ab"],
        "<Redirect>/next</Redirect><Message>never</Message>": ["next"],
    }.items():
        line.documents = {"/inbound": answer, "/next": "<Message>next</Message>"}
        before = len(line.account.messages) + 1
        line.text("/inbound")
        await line.move()
        assert [each.body for each in line.account.messages.values()][before:] == bodies


async def test_a_redirect_to_itself_comes_to_an_end() -> None:
    line = Line({"/inbound": "<Redirect>/inbound</Redirect>"})
    line.text("/inbound")
    await line.move()
    assert len(line.at("/inbound")) == MOST_ASKED


@pytest.mark.parametrize(("answer", "code"), [(500, "11200"), ("<Message>", "12100")])
async def test_an_answer_that_will_not_do_is_asked_for_at_the_fallback(answer: str | int, code: str) -> None:
    line = Line({"/inbound": answer, "/fallback": "<Message>sorry</Message>"})
    message = line.text("/inbound", fallback="/fallback")
    await line.move()
    (asked,) = line.at("/fallback")
    assert (asked["MessageSid"], asked["ErrorCode"], asked["ErrorUrl"]) == (message.sid, code, f"{BASE}/inbound")
    assert [each.body for each in line.account.messages.values()] == ["hello", "sorry"]


@pytest.mark.parametrize(
    ("answer", "replied", "complaints"),
    [
        ((200, "ok", "text/plain"), ["ok"], []),
        ((200, "", "text/plain"), [], []),
        ((200, SAID, "Application/XML; charset=utf-8"), ["hello"], []),
        ((200, '{"ok": true}', "application/json"), [], [12300]),
    ],
)
async def test_what_an_answer_is_is_told_by_its_type(
    answer: tuple[int, str, str], replied: list[str], complaints: list[int]
) -> None:
    line = Line({"/inbound": answer})
    line.text("/inbound")
    await line.move()
    assert [each.body for each in line.account.messages.values()][1:] == replied
    assert [each.code for each in line.account.notifications.values()] == complaints


async def test_what_comes_over_a_channel_says_who_writes_and_a_file_where_it_is() -> None:
    line = Line()
    line.text("/inbound", from_="whatsapp:+15552223333", media=("image/png",))
    await line.move()
    (asked,) = line.at("/inbound")
    assert (asked["WaId"], asked["MessageType"], asked["NumMedia"]) == ("15552223333", "image", "1")
    (media,) = line.account.media.values()
    assert asked["MediaUrl0"].endswith(f"/Messages/{asked['MessageSid']}/Media/{media.sid}")
    assert asked["MediaContentType0"] == "image/png"
    assert "FromCity" not in asked, "an address of a channel is nowhere"
