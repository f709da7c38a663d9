"""Event Streams: signed JSON, one event or a batch, with the same identity as the webhooks that they mirror."""

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from ingest.contract.routes import callback_url
from ingest.contract.topics import CALLS, DEAD_LETTERS, ERRORS, MESSAGES
from ingest.door import Mode
from ingest.publisher import InMemoryPublisher
from tests.ingest.conftest import ACCOUNT, BASE, OTHER, TOKEN, Provider, front_door, official

PATH = f"/webhooks/event-streams/{ACCOUNT}"
SM, CA, RE, CF, TR, GT, NO, MG = (prefix + "b" * 32 for prefix in ("SM", "CA", "RE", "CF", "TR", "GT", "NO", "MG"))
TIME = "2026-01-01T00:00:01.500Z"
VOICE = "com.twilio.voice.status-callback."


def streamed(kind: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "type": kind, "source": "/x", "id": "EZ1", "time": TIME, "data": data, **more}


def mirrored(kind: str, parameters: dict[str, str], url: str = "https://example.com/x") -> dict[str, Any]:
    """A voice event, as the provider wraps the callback that it mirrors."""
    request = {"method": "POST", "url": url, "parameters": parameters}
    return streamed(kind, {"sid": CA, "eventSid": "EV1", "timestamp": TIME, "request": request})


async def send(
    provider: Provider, told: Any, *, path: str = PATH, token: str = TOKEN, **headers: str
) -> httpx.Response:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    target = f"{path}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signed = {"X-Twilio-Signature": official(BASE + target, [], token), "Content-Type": "application/json", **headers}
    return await provider.client.post(target, content=body, headers=signed)


DELIVERED = {
    "messageSid": SM,
    "accountSid": ACCOUNT,
    "messageStatus": "DELIVERED",
    "from": "+15550001111",
    "to": "+15552223333",
    "messagingServiceSid": MG,
    "numberOfSegments": 2,
    "errorCode": None,
    "tags": {"campaign": "spring"},
    "timestamp": TIME,
}
CALL_PARAMETERS = {"AccountSid": ACCOUNT, "CallSid": CA, "CallStatus": "completed", "SequenceNumber": "3"}
AMD = {"AccountSid": ACCOUNT, "CallSid": CA, "AnsweredBy": "human"}
JOINED = {
    "AccountSid": ACCOUNT,
    "ConferenceSid": CF,
    "StatusCallbackEvent": "participant-join",
    "SequenceNumber": "2",
    "CallSid": CA,
}
RECORDED = {"AccountSid": ACCOUNT, "RecordingSid": RE, "RecordingStatus": "completed"}
HEARD = {
    "AccountSid": ACCOUNT,
    "CallSid": CA,
    "TranscriptionSid": GT,
    "TranscriptionEvent": "transcription-content",
    "SequenceId": "2",
}
WRITTEN = {"AccountSid": ACCOUNT, "RecordingSid": RE, "TranscriptionSid": TR, "TranscriptionStatus": "completed"}
ERROR = {
    "sid": NO,
    "account_sid": ACCOUNT,
    "level": "WARNING",
    "timestamp": TIME,
    "payload": json.dumps({"resource_sid": CA, "error_code": "32009", "service_sid": None}),
}

SAME: list[tuple[str, dict[str, Any], str, dict[str, str]]] = [
    (
        "message status",
        streamed("com.twilio.messaging.message.delivered", DELIVERED),
        "/webhooks/messages/status",
        {"AccountSid": ACCOUNT, "MessageSid": SM, "MessageStatus": "delivered"},
    ),
    (
        "inbound message",
        streamed(
            "com.twilio.messaging.inbound-message.received", {"messageSid": SM, "accountSid": ACCOUNT, "body": "Hi"}
        ),
        "/webhooks/messages/inbound",
        {"AccountSid": ACCOUNT, "MessageSid": SM, "Body": "Hi"},
    ),
    ("call", mirrored(f"{VOICE}call.completed", CALL_PARAMETERS), "/webhooks/calls/status", CALL_PARAMETERS),
    ("call, old name", mirrored("com.twilio.voice.webhook.status-callback.call.completed", CALL_PARAMETERS),
     "/webhooks/calls/status", CALL_PARAMETERS),
    ("amd", mirrored(f"{VOICE}amd.detected", AMD), "/webhooks/calls/amd", AMD),
    ("join", mirrored(f"{VOICE}conference.participant.updated", JOINED), "/webhooks/conferences/status", JOINED),
    ("recording", mirrored(f"{VOICE}recording.processed", RECORDED), "/webhooks/recordings/status", RECORDED),
    ("real-time", mirrored(f"{VOICE}transcription.processed", HEARD), "/webhooks/calls/transcription", HEARD),
    ("legacy", mirrored(f"{VOICE}transcription.processed", WRITTEN), "/webhooks/recordings/transcription", WRITTEN),
    (
        "error",
        streamed("com.twilio.error-logs.error.logged", ERROR),
        "/webhooks/debugger",
        {"AccountSid": ACCOUNT, "Sid": NO, "Payload": str(ERROR["payload"])},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "path", "form"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
async def test_an_occurrence_has_one_id_and_one_type_whichever_way_it_came(
    event: dict[str, Any], path: str, form: dict[str, str]
) -> None:
    async with front_door() as provider:
        assert (await send(provider, event)).status_code == 204
        await provider.post(path, list(form.items()))
        streamed_, posted = provider.records
        assert streamed_.headers["ce_id"] == posted.headers["ce_id"]
        assert streamed_.headers["ce_type"] == posted.headers["ce_type"]
        assert (streamed_.topic, streamed_.key) == (posted.topic, posted.key)


async def test_a_message_event_is_read_into_the_fields_of_its_webhook() -> None:
    async with front_door() as provider:
        await send(provider, streamed("com.twilio.messaging.message.delivered", DELIVERED))
        said = provider.record.json
        assert (said["status"], said["num_segments"], said["messaging_service_sid"]) == ("delivered", 2, MG)
        assert said["extra"] == {"Tags": '{"campaign":"spring"}', "Timestamp": TIME}
        assert provider.record.headers["ce_time"] == b"2026-01-01T00:00:01.500000Z"


async def test_the_type_says_the_status_where_the_data_contradicts_it() -> None:
    async with front_door() as provider:
        data = {**DELIVERED, "messageStatus": "QUEUED"}
        await send(provider, streamed("com.twilio.messaging.message.delivered", data))
        assert provider.record.json["status"] == "delivered"
        assert provider.record.json["extra"]["MessageStatus"] == "QUEUED"


async def test_an_error_lies_under_the_resource_that_it_is_about() -> None:
    async with front_door() as provider:
        await send(provider, streamed("com.twilio.error-logs.error.logged", ERROR))
        assert (provider.record.topic, provider.record.key.decode()) == (ERRORS, CA)
        assert provider.record.json["error_code"] == 32009


async def test_a_type_without_a_model_is_published_whole_under_its_resource() -> None:
    async with front_door() as provider:
        data = {"call_sid": CA, "account_sid": ACCOUNT, "from": {"caller": "+15550001111"}, "edge": None}
        await send(provider, streamed("com.twilio.voice.insights.call-summary.complete", data))
        assert (provider.record.topic, provider.record.key.decode()) == (CALLS, CA)
        assert provider.record.json["type"] == "call.reported"
        assert provider.record.json["event_type"] == "com.twilio.voice.insights.call-summary.complete"
        assert provider.record.json["data"] == data


async def test_data_may_be_json_within_json() -> None:
    async with front_door() as provider:
        data = json.dumps({"call_sid": CA, "account_sid": ACCOUNT})
        await send(provider, streamed("com.twilio.voice.insights.call-summary.complete", data))
        assert provider.record.key.decode() == CA


async def test_good_events_of_a_batch_are_published_and_bad_ones_dead_lettered_with_one_answer() -> None:
    good = streamed("com.twilio.messaging.message.delivered", DELIVERED)
    bad = [
        streamed("com.twilio.messaging.message.delivered", {**DELIVERED, "messageSid": "SM1"}),
        streamed("com.twilio.compliance.something", {"a": 1}),
        streamed("com.twilio.messaging.message.delivered", "no json"),
        streamed("com.twilio.messaging.message.delivered", {**DELIVERED, "accountSid": OTHER}),
        "text",
    ]
    reasons = ["wrong_sid", "unknown_event_type", "not_json", "wrong_sid", "not_json"]
    async with front_door() as provider:
        assert (await send(provider, [good, *bad])).status_code == 204
        first, *letters = provider.records
        assert first.topic is MESSAGES
        assert [(letter.topic, letter.headers["dl_reason"].decode()) for letter in letters] == [
            (DEAD_LETTERS, reason) for reason in reasons
        ]
        assert [json.loads(letter.value) for letter in letters] == bad
        assert provider.counted("dead_letters", kind="event-streams", reason="not_json") == 2


async def test_a_signed_body_that_is_no_json_is_dead_lettered_whole() -> None:
    async with front_door() as provider:
        assert (await send(provider, b'{"a": ')).status_code == 204
        assert (provider.record.topic, provider.record.value) == (DEAD_LETTERS, b'{"a": ')


async def test_an_action_id_in_the_mirrored_callback_url_is_the_correlation() -> None:
    ours = callback_url(BASE, "call-status", "abc-d1").partition("#")[0]
    async with front_door() as provider:
        for url in (ours, "https://example.com/other?action=abc-d1", callback_url(BASE, "call-status")):
            await send(provider, mirrored(f"{VOICE}call.completed", CALL_PARAMETERS, url))
        assert [record.envelope.correlation for record in provider.records] == ["abc-d1", None, None]


@pytest.mark.parametrize(
    ("change", "status", "verdict"),
    [
        ({"token": "forged"}, 403, "wrong_signature"),
        ({"path": f"/webhooks/event-streams/{'AC' + '9' * 32}"}, 403, "unknown_account"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"X-Twilio-Signature": ""}, 400, "missing_signature"),
    ],
)
async def test_what_is_not_signed_by_the_account_in_the_path_is_refused(
    change: dict[str, Any], status: int, verdict: str
) -> None:
    async with front_door() as provider:
        answer = await send(provider, streamed("com.twilio.messaging.message.sent", DELIVERED), **change)
        assert (answer.status_code, provider.records) == (status, [])
        assert provider.verdicts() == {("event-streams", verdict): 1}


async def test_a_body_that_is_not_the_one_whose_hash_was_signed_is_refused() -> None:
    async with front_door() as provider:
        target = f"{PATH}?{urlencode({'bodySHA256': hashlib.sha256(b'{}').hexdigest()})}"
        headers = {"X-Twilio-Signature": official(BASE + target, []), "Content-Type": "application/json"}
        answer = await provider.client.post(target, content=b"[]", headers=headers)
        assert answer.status_code == 403
        assert provider.verdicts() == {("event-streams", "body_mismatch"): 1}


async def test_a_path_without_account_and_a_get_are_told_so() -> None:
    async with front_door() as provider:
        assert (await send(provider, [], path="/webhooks/event-streams")).status_code == 404
        assert (await provider.client.get(PATH)).status_code == 405


async def test_a_batch_is_refused_whole_while_nothing_holds_it() -> None:
    publisher = InMemoryPublisher()
    async with front_door(publisher=publisher) as provider:
        publisher.fail("down")
        answer = await send(provider, [streamed("com.twilio.messaging.message.sent", DELIVERED)] * 3)
        assert answer.status_code == 503


async def test_report_only_lets_a_forged_batch_in_and_says_so() -> None:
    async with front_door(mode=Mode.REPORT_ONLY) as provider:
        answer = await send(provider, streamed("com.twilio.messaging.message.sent", DELIVERED), token="forged")
        assert answer.status_code == 204
        assert provider.record.headers["ce_verified"] == b"false"


DEEP = b"[" * 300 + b"]" * 300
"""More levels than can be written again."""


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"type":"com.twilio.x","source":"%s","data":{"a":%s}}' % (CA.encode(), DEEP),
        b'{"type":"com.twilio.x","data":%s}' % json.dumps(DEEP.decode()).encode(),
        b"[" + b"{}," * 1000 + b"{}]",
    ],
    ids=["the body", "data", "JSON in JSON", "more events than one answer is for"],
)
async def test_what_cannot_be_taken_apart_is_dead_lettered_whole(body: bytes) -> None:
    async with front_door() as provider:
        assert (await send(provider, body)).status_code == 204
        assert (provider.record.topic, provider.record.value) == (DEAD_LETTERS, body)


async def test_a_batch_of_no_events_is_held_at_once() -> None:
    async with front_door() as provider:
        assert (await send(provider, [])).status_code == 204
        assert provider.records == []


@pytest.mark.parametrize("kind", ["stream.updated", "gather.partial.captured", "something.new"])
async def test_a_type_that_we_do_not_know_is_reported_of_what_its_callback_names_and_counted(kind: str) -> None:
    async with front_door() as provider:
        event = mirrored(f"{VOICE}{kind}", {"CallSid": CA, "StreamSid": "MZ" + "b" * 32})
        event["data"]["sid"] = "MZ" + "b" * 32
        assert (await send(provider, event)).status_code == 204
        assert (provider.record.topic, provider.record.key) == (CALLS, CA.encode())
        assert provider.record.json["type"] == "call.reported"
        assert provider.counted("unknown", kind="event-streams") == 1


async def test_a_mirrored_event_without_the_parameters_of_its_callback_is_reported() -> None:
    async with front_door() as provider:
        await send(provider, streamed(f"{VOICE}call.completed", {"callSid": CA, "accountSid": ACCOUNT}))
        assert provider.record.json["type"] == "call.reported"
