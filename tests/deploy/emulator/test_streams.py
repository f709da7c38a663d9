"""Event Streams: what the webhooks tell is told once more, as CloudEvents, at least once and in no order."""

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from twilio.request_validator import RequestValidator

from deploy.emulator.callbacks.requests import Outgoing
from deploy.emulator.callbacks.streams import Sink
from deploy.emulator.errors import Json
from deploy.emulator.lives.inbound import Text, receive
from deploy.emulator.resources import Target
from ingest.contract.events import Reported
from ingest.webhooks import Unparseable
from ingest.webhooks.event_streams import parse_batch
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, TOKEN, Emulator
from tests.deploy.emulator.virtual import World

EVENTS = "https://hooks.switchhook.net/webhooks/event-streams/AC1?team=a"
TYPED: Mapping[str, frozenset[str]] = {
    "com.twilio.messaging.message.": frozenset({"sent", "delivered"}),
    "com.twilio.voice.status-callback.call.": frozenset({"initiated", "ringing", "answered", "completed"}),
}


def streaming(sink: Sink, answers: Mapping[int, int] | None = None, plan: Mapping[str, object] | None = None) -> World:
    """A world with a sink; `answers` are its statuses by how often it was asked, from 1; else 204."""
    asked = 0

    def answer(request: Outgoing) -> tuple[int, str]:
        nonlocal asked
        if "bodySHA256" not in request.url:
            return (500 if request.url.endswith("/broken") else 204), ""
        asked += 1
        return (answers or {}).get(asked, (answers or {}).get(0, 204)), ""

    world = World(plan or {}, answer=answer)
    world.exchange.streams.sink = sink
    return world


def streamed(world: World) -> list[Outgoing]:
    return [each for each in world.requests if "bodySHA256" in each.url]


def events(world: World) -> list[Json]:
    found: list[Json] = []
    for request in streamed(world):
        told = orjson.loads(request.body)
        found += told if isinstance(told, list) else [told]
    return found


def call(world: World) -> str:
    form = {"To": "+15005570000", "From": SENDER, "Twiml": "<Response><Pause length='5'/></Response>"}
    return str(
        world.post(
            "Calls",
            **form,
            StatusCallback="https://hooks.switchhook.net/calls",
            StatusCallbackEvent="initiated ringing answered completed",
        )["sid"]
    )


async def test_every_callback_is_told_as_an_event_too() -> None:
    world = streaming(Sink(EVENTS))
    message, called = world.send(), call(world)
    await world.exchange.move()
    told = events(world)
    for prefix, last in TYPED.items():
        assert {each["type"].removeprefix(prefix) for each in told if each["type"].startswith(prefix)} == last
    assert len({each["id"] for each in told}) == len(told) == 6
    assert {each["specversion"] for each in told} == {"1.0"}
    assert all(each["dataschema"].startswith("https://events-schemas.twilio.com/") for each in told)
    sent = next(each["data"] for each in told if each["type"].endswith(".message.sent"))
    assert (sent["messageSid"], sent["messageStatus"], sent["accountSid"]) == (message, "SENT", ACCOUNT)
    ended = next(each["data"] for each in told if each["type"].endswith(".call.completed"))
    assert (ended["sid"], ended["request"]["parameters"]["CallStatus"]) == (called, "completed")
    assert world.exchange.streams.counts == {"made": 6, "attempted": len(streamed(world)), "delivered": 6} | {
        "discarded": 0,
        "given_up": 0,
    }


async def test_a_batch_is_signed_with_the_hash_of_its_body() -> None:
    world = streaming(Sink(EVENTS))
    world.send()
    await world.exchange.move()
    for request in streamed(world):
        query = parse_qs(urlsplit(request.url).query)
        assert query["team"] == ["a"], "what the sink's URL says stays"
        assert query["bodySHA256"] == [hashlib.sha256(request.body).hexdigest()]
        assert request.headers["Content-Type"] == "application/json"
        validator = RequestValidator(TOKEN)  # type: ignore[no-untyped-call]
        signature = request.headers["X-Twilio-Signature"]
        assert validator.validate(request.url, request.body.decode(), signature)  # type: ignore[no-untyped-call]
        assert not validator.validate(request.url, request.body.decode() + " ", signature)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("batch", [True, False])
async def test_a_batch_is_an_array_and_a_single_event_an_object(batch: bool) -> None:
    world = streaming(Sink(EVENTS, batch=batch))
    for _ in range(30):
        world.send()
    await world.exchange.move()
    assert {request.body[:1] for request in streamed(world)} == {b"[" if batch else b"{"}
    assert len(events(world)) == 60
    assert (len(streamed(world)) < 60) is batch


async def test_the_front_door_reads_an_event_of_every_kind() -> None:
    world = streaming(Sink(EVENTS), plan={"chances": {"calls": {"completed": 1}, "participant_seconds": [5, 9]}})
    world.send()
    world.account.debugger = Target("https://hooks.switchhook.net/debugger")
    world.send(StatusCallback="https://hooks.switchhook.net/broken")
    written = Text("+14155550100", SENDER, "hello", Target("https://hooks.switchhook.net/in"))
    world.exchange.change(lambda account, now: receive(account, written, now))
    hook = dict.fromkeys(("StatusCallback", "RecordingStatusCallback"), "https://hooks.switchhook.net/voice")
    form = {"To": "+15005570000", "From": SENDER, **hook}
    asked = {"MachineDetection": "Enable", "AsyncAmd": "true", "AsyncAmdStatusCallback": hook["StatusCallback"]}
    world.post("Calls", **form, **asked, Record="true", Twiml="<Response><Pause length='9'/></Response>")
    for _ in range(2):
        room = {
            "ConferenceStatusCallback": hook["StatusCallback"],
            "ConferenceStatusCallbackEvent": "start end join leave",
        }
        world.post("Conferences/room/Participants", **form, **room)
    await world.exchange.move()
    families = {each["type"].removeprefix("com.twilio.").rpartition(".")[0] for each in events(world)}
    assert families == {
        "error-logs.error",
        "messaging.message",
        "messaging.inbound-message",
        "voice.status-callback.call",
        "voice.status-callback.amd",
        "voice.status-callback.recording",
        "voice.status-callback.conference",
        "voice.status-callback.conference.participant",
    }
    for request in streamed(world):
        for told in parse_batch(request.body, ACCOUNT):
            assert not isinstance(told.event, Unparseable), told.event
            assert not isinstance(told.event, Reported), "it is read as what it mirrors"


async def test_only_what_is_subscribed_to_is_told() -> None:
    world = streaming(Sink(EVENTS, types=("com.twilio.messaging.message.delivered",)))
    world.send()
    call(world)
    await world.exchange.move()
    assert [each["type"] for each in events(world)] == ["com.twilio.messaging.message.delivered"]


async def test_it_is_told_what_the_plan_dropped() -> None:
    world = streaming(Sink(EVENTS), plan={"callbacks": {"drop": 1}})
    world.send()
    await world.exchange.move()
    assert len(events(world)) == 2
    assert len(world.requests) == len(streamed(world))


async def test_a_sink_that_is_not_well_is_asked_again_with_the_same_events() -> None:
    world = streaming(Sink(EVENTS), {1: 503, 2: 429})
    world.send(to="+15005560001")
    await world.exchange.move()
    bodies = [each.body for each in streamed(world)]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert world.exchange.streams.counts["delivered"] == 1


async def test_what_the_sink_refuses_is_discarded() -> None:
    world = streaming(Sink(EVENTS), {1: 400})
    world.send(to="+15005560001")
    await world.exchange.move()
    assert len(streamed(world)) == 1
    assert world.exchange.streams.counts["discarded"] == 1


async def test_after_four_hours_it_is_given_up() -> None:
    world = streaming(Sink(EVENTS), {0: 503})
    begun = world.exchange.clock.now()
    world.send(to="+15005560001")
    await world.exchange.move()
    lasted = (world.exchange.clock.now() - begun).total_seconds()
    assert 3 * 3600 < lasted < 4 * 3600 + 60
    assert world.exchange.streams.counts["given_up"] == 1
    assert 15 < world.exchange.streams.counts["attempted"] < 60


def test_a_sink_is_set_and_removed_over_http(emulator: Emulator) -> None:
    post = emulator.http.post
    assert post("/emulator/event-streams", json={"url": EVENTS, "types": ["com.twilio.voice."]}).status_code == 204
    assert post("/emulator/event-streams", json={"url": None}).status_code == 204
    assert post("/emulator/event-streams", json={"url": "nowhere"}).json()["code"] == 20001
    assert "types" in post("/emulator/event-streams", json={"url": EVENTS, "types": "all"}).json()["message"]
