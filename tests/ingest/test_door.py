"""The door: every answer it can give, what it publishes with each, and that nothing personal leaks by the side."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest
from starlette.types import Message
from structlog.testing import capture_logs

from ingest.contract.codec import Encoded
from ingest.contract.routes import ROUTES, callback_url
from ingest.contract.topics import CALLS, CONFERENCES, DEAD_LETTERS, ERRORS, MESSAGES, RECORDINGS, Topic
from ingest.door import Mode
from ingest.publisher import InMemoryPublisher, Refused, Told
from ingest.replies import Replies, RouteReplies, Template
from ingest.request import base_of, texts
from ingest.signature import Account, Algorithm, Key, Keyring, sign
from tests.ingest.conftest import (
    ACCOUNT,
    BASE,
    FORM,
    KEYRING,
    NOW,
    OLD_TOKEN,
    OTHER,
    TOKEN,
    Pairs,
    front_door,
    official,
    with_default,
)
from tests.ingest.test_limits import port_of, raw
from tests.ingest.test_serving import serving

SM, CA, RE, CF, TR, GT, NO = (prefix + "a" * 32 for prefix in ("SM", "CA", "RE", "CF", "TR", "GT", "NO"))
SENDER, RECIPIENT, SECRET_BODY = "+15550001111", "+15552223333", "meet me at noon"
IDEMPOTENCY = "50609cf4-07f3-4e3f-ac42-044bd13bbc6c"

INBOUND = [("MessageSid", SM), ("AccountSid", ACCOUNT), ("From", SENDER), ("To", RECIPIENT), ("Body", SECRET_BODY)]
STATUS = [("MessageSid", SM), ("MessageStatus", "sent"), ("AccountSid", ACCOUNT), ("From", SENDER), ("To", RECIPIENT)]
CALL = [("CallSid", CA), ("CallStatus", "ringing"), ("AccountSid", ACCOUNT), ("SequenceNumber", "1")]
RECORDING = [("RecordingSid", RE), ("RecordingStatus", "completed"), ("AccountSid", ACCOUNT), ("CallSid", CA)]
CONFERENCE = [("ConferenceSid", CF), ("StatusCallbackEvent", "conference-start"), ("AccountSid", ACCOUNT)]
KINDS: Mapping[str, tuple[Pairs, Topic, str]] = {
    "message-inbound": (INBOUND, MESSAGES, SM),
    "message-status": (STATUS, MESSAGES, SM),
    "message-fallback": ([*INBOUND, ("ErrorCode", "11200"), ("ErrorUrl", "https://example.com/")], MESSAGES, SM),
    "call-inbound": (CALL, CALLS, CA),
    "call-action": ([*CALL, ("Digits", "1")], CALLS, CA),
    "call-fallback": ([*CALL, ("ErrorCode", "11200"), ("ErrorUrl", "https://example.com/")], CALLS, CA),
    "call-status": (CALL, CALLS, CA),
    "call-amd": ([("CallSid", CA), ("AccountSid", ACCOUNT), ("AnsweredBy", "human")], CALLS, CA),
    "call-transcription": (
        [*CALL, ("TranscriptionSid", GT), ("TranscriptionEvent", "transcription-started"), ("SequenceId", "1")],
        CALLS,
        CA,
    ),
    "recording-status": (RECORDING, RECORDINGS, RE),
    "recording-transcription": (
        [*RECORDING, ("TranscriptionSid", TR), ("TranscriptionStatus", "completed"), ("TranscriptionText", "Hi")],
        RECORDINGS,
        RE,
    ),
    "debugger": ([("Sid", NO), ("AccountSid", ACCOUNT), ("Payload", f'{{"resource_sid": "{CA}"}}')], ERRORS, CA),
    "conference-status": (CONFERENCE, CONFERENCES, CF),
}
PATH = {name: route.path for name, route in ROUTES.items()}
REPLIES = Replies(
    {"message-inbound": RouteReplies(Template.read("<Response><Message>Thank you</Message></Response>"), {})}
)


def messages_in(answer: httpx.Response) -> list[str | None]:
    """The texts that the provider would send for a TwiML answer."""
    root = ElementTree.fromstring(answer.text)
    assert root.tag == "Response"
    return [each.text for each in root.findall("Message")]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_webhook_is_answered_once_it_is_held(kind: str) -> None:
    form, topic, key = KINDS[kind]
    async with front_door() as provider:
        answer = await provider.post(PATH[kind], form)
        assert answer.status_code == (200 if ROUTES[kind].wants_twiml else 204)
        record = provider.record
        assert (record.topic, record.key) == (topic, key.encode())
        envelope = record.envelope
        assert envelope.verified
        assert envelope.received == NOW
        assert envelope.source == f"//twilio.com/{ACCOUNT}/webhooks/{kind}"
        assert provider.verdicts() == {(kind, "accepted"): 1}
        assert provider.counted("account_webhooks", account="main") == 1


async def test_an_answer_without_content_has_none() -> None:
    async with front_door() as provider:
        answer = await provider.post(PATH["message-status"], STATUS)
        assert answer.content == b""
        assert "content-length" not in answer.headers
        assert "content-type" not in answer.headers


async def test_an_inbound_message_is_answered_with_the_template() -> None:
    async with front_door(replies=REPLIES) as provider:
        answer = await provider.post(PATH["message-inbound"], INBOUND)
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert messages_in(answer) == ["Thank you"]


async def test_silence_is_the_answer_unless_told_otherwise() -> None:
    async with front_door() as provider:
        assert messages_in(await provider.post(PATH["message-inbound"], INBOUND)) == []


@pytest.mark.parametrize("keyword", ["STOP", "START", "HELP"])
async def test_who_opts_out_or_in_is_answered_by_the_provider_alone(keyword: str) -> None:
    async with front_door(replies=REPLIES) as provider:
        answer = await provider.post(PATH["message-inbound"], [*INBOUND, ("OptOutType", keyword)])
        assert answer.status_code == 200
        assert messages_in(answer) == []
        assert provider.record.json["opt_out_type"] == keyword


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "GET" in ROUTES[kind].methods])
async def test_get_is_read_from_the_signed_query(kind: str) -> None:
    form, _, _ = KINDS[kind]
    async with front_door() as provider:
        by_get = await provider.get(PATH[kind], form)
        by_post = await provider.post(PATH[kind], form)
        assert by_get.status_code == by_post.status_code
        first, second = (record.json for record in provider.records)
        if kind in ("call-inbound", "call-action", "call-fallback"):
            assert first.pop("id") != second.pop("id"), "no token: only the signed text tells one from another"
        assert first == second, "and the action id is none of the parameters"
        forged = await provider.client.get(f"{PATH[kind]}?{urlencode(form)}", headers={"X-Twilio-Signature": "x"})
        assert forged.status_code == 403


async def test_message_status_comes_by_post_only() -> None:
    """https://www.twilio.com/docs/messaging/guides/track-outbound-message-status"""
    async with front_door() as provider:
        answer = await provider.get(PATH["message-status"], STATUS)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert provider.verdicts() == {("message-status", "method_not_allowed"): 1}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_another_method_is_refused_with_those_that_are_allowed(method: str) -> None:
    async with front_door() as provider:
        answer = await provider.client.request(method, PATH["call-status"])
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, POST"
        assert provider.verdicts() == {("call-status", "method_not_allowed"): 1}


@pytest.mark.parametrize(
    "path",
    ["/webhooks/", "/webhooks/nothing", "/webhooks/messages/status/", "/webhooks/messages%2Fstatus", "/webhooks/é"],
)
async def test_an_unknown_path_is_not_found(path: str) -> None:
    async with front_door() as provider:
        answer = await provider.post(path, STATUS)
        assert answer.status_code == 404
        assert provider.verdicts() == {("unknown", "not_found"): 1}


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data; boundary=x", "text/plain", FORM.replace("UTF-8", "iso-8859-1")],
)
async def test_what_is_not_a_form_is_refused(content_type: str) -> None:
    async with front_door() as provider:
        answer = await provider.post(PATH["message-status"], STATUS, headers={"Content-Type": content_type})
        assert answer.status_code == 415
        assert provider.records == []
        assert provider.verdicts() == {("message-status", "unsupported_media_type"): 1}


@pytest.mark.parametrize(
    "content_type",
    [FORM, "application/x-www-form-urlencoded", 'Application/X-WWW-Form-Urlencoded;charset="utf-8"'],
)
async def test_a_form_is_a_form_however_its_type_is_spelled(content_type: str) -> None:
    async with front_door() as provider:
        answer = await provider.post(PATH["message-status"], STATUS, headers={"Content-Type": content_type})
        assert answer.status_code == 204


async def pieces(body: bytes, size: int = 512) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for at in range(0, len(body), size):
        yield body[at : at + size]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused(chunked: bool) -> None:
    form = [*STATUS, ("Body", "x" * 5000)]
    headers = {"X-Twilio-Signature": official(BASE + PATH["message-status"], form), "Content-Type": FORM}
    body = urlencode(form).encode()
    async with front_door(body_limit=4096) as provider:
        content = pieces(body) if chunked else body
        answer = await provider.client.post(PATH["message-status"], content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["connection"] == "close", "the rest of the body is not read"
        assert provider.records == []
        assert provider.verdicts() == {("message-status", "too_large"): 1}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_exactly_the_limit_is_held(chunked: bool) -> None:
    padding = 4096 - len(urlencode([*STATUS, ("Body", "")]))
    form = [*STATUS, ("Body", "x" * padding)]
    headers = {"X-Twilio-Signature": official(BASE + PATH["message-status"], form), "Content-Type": FORM}
    async with front_door(body_limit=4096) as provider:
        body = urlencode(form).encode()
        assert len(body) == 4096
        content = pieces(body) if chunked else body
        assert (await provider.client.post(PATH["message-status"], content=content, headers=headers)).status_code == 204
        assert len(provider.record.json["body"]) == padding


async def test_a_caller_cannot_lie_about_the_length() -> None:
    form = [*STATUS, ("Body", "x" * 5000)]
    headers = {
        "X-Twilio-Signature": official(BASE + PATH["message-status"], form),
        "Content-Type": FORM,
        "Content-Length": "10",
    }
    async with front_door(body_limit=4096) as provider:
        answer = await provider.client.post(
            PATH["message-status"], content=pieces(urlencode(form).encode()), headers=headers
        )
        assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [b"Body=%FF", b"Body=\xff", b"%C3=x", "&".join(f"a{n}=" for n in range(1001)).encode()],
    ids=["escaped", "raw", "name", "too-many-fields"],
)
async def test_what_cannot_be_read_as_a_form_is_refused(body: bytes) -> None:
    async with front_door(body_limit=65_536) as provider:
        answer = await provider.client.post(
            PATH["message-status"], content=body, headers={"X-Twilio-Signature": "x", "Content-Type": FORM}
        )
        assert answer.status_code == 400
        assert provider.records == []
        assert provider.verdicts() == {("message-status", "unreadable"): 1}


async def test_a_query_that_cannot_be_read_is_refused() -> None:
    async with front_door() as provider:
        answer = await provider.post(f"{PATH['message-status']}?action=%FF", STATUS)
        assert answer.status_code == 400
        assert provider.verdicts() == {("message-status", "unreadable"): 1}


@pytest.mark.parametrize(
    ("signature", "status", "verdict"),
    [("", 400, "missing_signature"), ("bm90IHRoaXM=", 403, "wrong_signature"), ("é", 403, "wrong_signature")],
)
async def test_a_forged_request_publishes_nothing(signature: str, status: int, verdict: str) -> None:
    async with front_door() as provider:
        for kind, (form, _, _) in KINDS.items():
            answer = await provider.client.post(
                PATH[kind],
                content=urlencode(form),
                headers=[(b"X-Twilio-Signature", signature.encode()), (b"Content-Type", FORM.encode())],
            )
            assert answer.status_code == status
        assert provider.records == []
        assert provider.verdicts() == {(kind, verdict): 1 for kind in KINDS}


async def test_a_request_without_the_signature_header_is_refused() -> None:
    async with front_door() as provider:
        answer = await provider.client.post(
            PATH["message-status"], content=urlencode(STATUS), headers={"Content-Type": FORM}
        )
        assert answer.status_code == 400
        assert provider.verdicts() == {("message-status", "missing_signature"): 1}


async def test_a_request_signed_for_one_kind_is_refused_at_another() -> None:
    async with front_door() as provider:
        signature = official(BASE + PATH["recording-status"], CALL)
        answer = await provider.post(PATH["call-status"], CALL, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 403


async def test_the_key_of_one_account_does_not_sign_for_another() -> None:
    async with front_door() as provider:
        answer = await provider.post(PATH["message-status"], STATUS, token="another-token")
        assert answer.status_code == 403
        others = [(name, OTHER if name == "AccountSid" else value) for name, value in STATUS]
        assert (await provider.post(PATH["message-status"], others, token="another-token")).status_code == 204
        assert provider.counted("account_webhooks", account="other") == 1


async def test_an_unknown_account_is_refused_also_where_there_is_a_default() -> None:
    form = [(name, "AC" + "9" * 32 if name == "AccountSid" else value) for name, value in STATUS]
    async with front_door(keyring=with_default(KEYRING, ACCOUNT)) as provider:
        answer = await provider.post(PATH["message-status"], form)
        assert answer.status_code == 403
        assert provider.verdicts() == {("message-status", "unknown_account"): 1}


async def test_a_request_that_names_no_account_belongs_to_the_default() -> None:
    form = [(name, value) for name, value in STATUS if name != "AccountSid"]
    async with front_door(keyring=with_default(KEYRING, ACCOUNT)) as provider:
        assert (await provider.post(PATH["message-status"], form)).status_code == 204
        assert provider.record.json["account_sid"] == ACCOUNT
    async with front_door() as provider:
        assert (await provider.post(PATH["message-status"], form)).status_code == 403


async def test_an_expired_key_is_refused_by_its_own_name() -> None:
    async with front_door() as provider:
        assert (await provider.post(PATH["message-status"], STATUS, token=OLD_TOKEN)).status_code == 403
        assert provider.records == []
        assert provider.verdicts() == {("message-status", "expired_key"): 1}


async def test_the_url_is_the_public_one_and_not_the_one_we_were_called_at() -> None:
    async with front_door() as provider:
        inside = official(f"http://inside:8080{PATH['message-status']}", STATUS)
        forwarded = {"X-Twilio-Signature": inside, "X-Forwarded-Host": "inside:8080", "X-Forwarded-Proto": "http"}
        assert (await provider.post(PATH["message-status"], STATUS, headers=forwarded)).status_code == 403
        assert (await provider.post(PATH["message-status"], STATUS)).status_code == 204


class Broken(InMemoryPublisher):
    """A publisher with a defect."""

    def offer(self, record: Encoded, told: Told) -> None:
        raise RuntimeError("a defect")


@pytest.mark.parametrize("form", [STATUS, [("AccountSid", ACCOUNT)]], ids=["event", "dead letter"])
async def test_what_cannot_be_held_is_asked_for_again(form: Pairs) -> None:
    async with front_door() as provider:
        provider.publisher.fail("deadline")
        answer = await provider.post(PATH["message-status"], form)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert provider.verdicts() == {("message-status", "unavailable"): 1}
        assert provider.counted("publish_failures") == 1
        provider.publisher.fail(None)
        assert (await provider.post(PATH["message-status"], form)).status_code == 204
        assert len(provider.records) == 1


async def test_a_defect_of_ours_is_a_fault_and_no_answer_of_success() -> None:
    async with front_door(publisher=Broken()) as provider:
        assert (await provider.post(PATH["message-status"], STATUS)).status_code == 500
        assert provider.verdicts() == {("message-status", "fault"): 1}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "conference-status"])
async def test_the_action_in_the_callback_url_becomes_the_correlation(kind: str) -> None:
    target = callback_url(BASE, kind, "welcome-7").removeprefix(BASE).partition("#")[0]
    async with front_door() as provider:
        assert (await provider.post(target, KINDS[kind][0])).status_code < 300
        assert provider.record.envelope.correlation == "welcome-7"
        assert "action" not in provider.record.json["extra"]


async def test_the_action_is_found_in_the_query_of_a_get_too() -> None:
    async with front_door() as provider:
        await provider.get(PATH["call-status"], CALL, query="action=welcome-7")
        assert provider.record.envelope.correlation == "welcome-7"
        assert "action" not in provider.record.json["extra"]


async def test_a_conference_is_not_correlated_with_its_first_participant() -> None:
    async with front_door() as provider:
        answer = await provider.post(f"{PATH['conference-status']}?action=add-1", CONFERENCE)
        assert answer.status_code == 204
        assert provider.record.envelope.correlation is None


async def test_an_action_in_the_body_is_a_parameter_like_any_other() -> None:
    async with front_door() as provider:
        await provider.post(PATH["message-status"], [*STATUS, ("action", "forged")])
        assert provider.record.envelope.correlation is None
        assert provider.record.json["extra"] == {"action": "forged"}


@pytest.mark.parametrize("query", ["action=", "action=a&action=b", "action=a%0Ab", "action=" + "x" * 129, "action=é"])
async def test_a_correlation_that_is_none_is_left_out_and_counted(query: str) -> None:
    async with front_door() as provider:
        target = f"{PATH['message-status']}?{query}".replace("é", "%C3%A9")
        assert (await provider.post(target, STATUS)).status_code == 204
        assert provider.record.envelope.correlation is None
        assert provider.counted("ignored_correlations", kind="message-status") == 1


async def test_an_action_that_was_changed_on_the_way_is_refused() -> None:
    signature = official(f"{BASE}{PATH['message-status']}?action=welcome-7", STATUS)
    async with front_door() as provider:
        target = f"{PATH['message-status']}?action=welcome-8"
        answer = await provider.post(target, STATUS, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("traceparent", "kept"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("nonsense", False),
    ],
)
async def test_a_trace_goes_on_where_there_is_one(traceparent: str, kept: bool) -> None:
    async with front_door() as provider:
        await provider.post(PATH["message-status"], STATUS, headers={"traceparent": traceparent})
        assert provider.record.envelope.traceparent == (traceparent if kept else None)


async def test_a_repeated_callback_repeats_its_id() -> None:
    async with front_door() as provider:
        for token in (IDEMPOTENCY, IDEMPOTENCY, "another"):
            headers = {"I-Twilio-Idempotency-Token": token}
            await provider.post(PATH["message-status"], STATUS, headers=headers)
        await provider.post(PATH["message-status"], STATUS[::-1])
        assert len({record.headers["ce_id"] for record in provider.records}) == 1
        delivered = [(name, "delivered" if name == "MessageStatus" else value) for name, value in STATUS]
        await provider.post(PATH["message-status"], delivered)
        assert len({record.headers["ce_id"] for record in provider.records}) == 2


async def test_two_pauses_of_one_recording_are_two_events_and_a_retry_is_none() -> None:
    paused = [(name, "paused" if name == "RecordingStatus" else value) for name, value in RECORDING]
    async with front_door() as provider:
        for token in ("first", "second", "first"):
            headers = {"I-Twilio-Idempotency-Token": token}
            await provider.post(PATH["recording-status"], paused, headers=headers)
        first, second, retry = (record.headers["ce_id"] for record in provider.records)
        assert first == retry != second


async def test_a_verified_request_that_is_no_event_is_held_whole() -> None:
    form = [("AccountSid", ACCOUNT), ("MessageSid", "SM-odd"), ("MessageStatus", "sent"), ("To", RECIPIENT)]
    headers = {
        "I-Twilio-Idempotency-Token": IDEMPOTENCY,
        "User-Agent": "TwilioProxy/1.1",
        "X-Home-Region": "us1",
        "Cookie": "not=kept",
    }
    async with front_door() as provider:
        target = f"{PATH['message-status']}?action=welcome-7"
        assert (await provider.post(target, form, headers=headers)).status_code == 204
        record = provider.record
        assert record.topic is DEAD_LETTERS
        assert record.value == urlencode(form).encode(), "byte for byte"
        assert record.key == ACCOUNT.encode()
        assert {name: value.decode() for name, value in record.headers.items()} == {
            "dl_stage": "ingest",
            "dl_reason": "wrong_sid",
            "dl_detail": "message_sid string_pattern_mismatch",
            "dl_route": "message-status",
            "dl_method": "POST",
            "dl_query": "action=welcome-7",
            "dl_time": "2026-01-01T00:00:00Z",
            "dl_verified": "true",
            "dl_content_type": FORM,
            "dl_header_i-twilio-idempotency-token": IDEMPOTENCY,
            "dl_header_user-agent": "TwilioProxy/1.1",
            "dl_header_x-home-region": "us1",
            "dl_header_x-twilio-signature": official(BASE + target, form),
        }
        assert provider.verdicts() == {("message-status", "dead_lettered"): 1}
        assert provider.counted("dead_letters", kind="message-status", reason="wrong_sid") == 1


@pytest.mark.parametrize(
    ("kind", "form", "reason"),
    [
        ("message-status", [("AccountSid", ACCOUNT), ("MessageSid", SM)], "missing_parameter"),
        ("message-status", [*STATUS, ("MessageStatus", "delivered")], "repeated_parameter"),
        ("message-status", [*STATUS, ("ErrorCode", "none")], "invalid_value"),
        ("call-status", [*CALL, ("Timestamp", "yesterday")], "invalid_value"),
        ("call-status", [*CALL, ("Timestamp", "Fri, 31 Dec 9999 23:59:59 -2359")], "invalid_value"),
        ("call-status", [*CALL, ("CallDuration", "-1")], "invalid_value"),
        ("conference-status", [("RoomSid", "RM"), *CONFERENCE[1:]], "missing_parameter"),
        ("conference-status", [("ConferenceSid", "RM" + "a" * 32), *CONFERENCE[1:]], "wrong_sid"),
        ("message-inbound", [("AccountSid", ACCOUNT), ("Body", "")], "missing_parameter"),
    ],
)
async def test_nothing_verified_is_refused_for_its_content(kind: str, form: Pairs, reason: str) -> None:
    async with front_door(replies=REPLIES) as provider:
        answer = await provider.post(PATH[kind], form)
        assert answer.status_code in (200, 204)
        assert provider.record.topic is DEAD_LETTERS
        assert provider.record.headers["dl_reason"].decode() == reason
        if kind == "message-inbound":
            assert messages_in(answer) == [], "nobody knows whom it would answer"


async def test_a_get_that_is_no_event_keeps_its_query() -> None:
    form = [("AccountSid", ACCOUNT), ("CallSid", "odd"), ("CallStatus", "ringing")]
    async with front_door() as provider:
        assert (await provider.get(PATH["call-status"], form, query="action=x")).status_code == 204
        assert provider.record.value == f"action=x&{urlencode(form)}".encode()
        assert provider.record.headers["dl_method"] == b"GET"


async def test_report_only_lets_in_what_it_cannot_verify_and_says_so() -> None:
    async with front_door(mode=Mode.REPORT_ONLY) as provider:
        target = f"{PATH['message-status']}?action=welcome-7"
        answer = await provider.post(target, STATUS, headers={"X-Twilio-Signature": "forged"})
        assert answer.status_code == 204
        envelope = provider.record.envelope
        assert not envelope.verified
        assert envelope.correlation is None, "nobody vouches for the action"
        assert provider.record.headers["ce_verified"] == b"false"
        assert provider.counted("unverified", kind="message-status", verdict="wrong_signature") == 1
        assert provider.counted("account_webhooks", account="unverified") == 1
        assert provider.counted("account_webhooks", account="main") == 0


async def test_report_only_does_not_doubt_what_it_can_verify() -> None:
    async with front_door(mode=Mode.REPORT_ONLY) as provider:
        await provider.post(PATH["message-status"], STATUS)
        assert provider.record.envelope.verified
        assert provider.counted("unverified", kind="message-status", verdict="wrong_signature") == 0


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [("unsigned", "missing_signature"), ("unknown", "unknown_account"), ("expired", "expired_key")],
)
async def test_report_only_counts_why_it_would_have_refused(changed: str, verdict: str) -> None:
    form = STATUS if changed != "unknown" else [*STATUS[:2], ("AccountSid", "AC" + "9" * 32)]
    headers = {"X-Twilio-Signature": ""} if changed == "unsigned" else {}
    async with front_door(mode=Mode.REPORT_ONLY) as provider:
        token = OLD_TOKEN if changed == "expired" else TOKEN
        assert (await provider.post(PATH["message-status"], form, token=token, headers=headers)).status_code == 204
        assert provider.record.headers["ce_verified"] == b"false"
        assert provider.counted("unverified", kind="message-status", verdict=verdict) == 1


async def test_report_only_keeps_an_unverified_dead_letter_apart() -> None:
    async with front_door(mode=Mode.REPORT_ONLY) as provider:
        headers = {"X-Twilio-Signature": "forged"}
        assert (await provider.post(PATH["call-status"], [("CallSid", "x")], headers=headers)).status_code == 204
        assert provider.record.headers["dl_verified"] == b"false"


async def test_neither_log_nor_metric_nor_answer_tells_a_number_a_body_or_a_secret() -> None:
    secrets = [SENDER, RECIPIENT, SECRET_BODY, TOKEN, OLD_TOKEN, SENDER[1:], RECIPIENT[1:], "welcome-7", IDEMPOTENCY]
    encoded = [urlencode({"": text})[1:] for text in secrets]
    told: list[str] = []
    with capture_logs() as lines:
        async with front_door() as provider:
            for kind, (form, _, _) in KINDS.items():
                target = f"{PATH[kind]}?action=welcome-7"
                headers = {"I-Twilio-Idempotency-Token": IDEMPOTENCY}
                shown = [*form, ("Caller", SENDER), ("Note", SECRET_BODY)]
                odd = [(name, RECIPIENT if name.endswith("Sid") and name != "AccountSid" else v) for name, v in shown]
                for sent in (shown, odd):
                    told.append((await provider.post(target, sent, headers=headers)).text)
                told.append((await provider.post(target, shown, token=OLD_TOKEN)).text)
                told.append((await provider.post(target, shown, headers={"Content-Type": "text/plain"})).text)
            provider.publisher.fail("deadline")
            told.append((await provider.post(PATH["message-status"], STATUS)).text)
            metrics = (await provider.client.get("/metrics")).text
    said = json.dumps(lines) + metrics + "".join(told)
    assert {line["event"] for line in lines} == {"webhook_accepted", "webhook_dead_lettered", "webhook_refused"}
    for secret in {*secrets, *encoded}:
        assert secret not in said
    for sid in (ACCOUNT, SM, CA):
        assert sid not in metrics, "a label is never a SID"


async def test_every_webhook_has_one_log_line_with_the_labels_of_its_metric() -> None:
    with capture_logs() as lines:
        async with front_door() as provider:
            await provider.post(PATH["message-status"], STATUS)
            await provider.post(PATH["call-status"], [("AccountSid", ACCOUNT)])
            await provider.post(PATH["call-status"], CALL, token="forged")
    assert lines == [
        {
            "event": "webhook_accepted",
            "log_level": "debug",
            "kind": "message-status",
            "verdict": "accepted",
            "account": "main",
        },
        {
            "event": "webhook_dead_lettered",
            "log_level": "info",
            "kind": "call-status",
            "verdict": "dead_lettered",
            "account": "main",
            "reason": "missing_parameter",
        },
        {
            "event": "webhook_refused",
            "log_level": "info",
            "kind": "call-status",
            "verdict": "wrong_signature",
            "status": 403,
        },
    ]


async def test_it_is_ready_while_the_broker_is() -> None:
    async with front_door() as provider:
        assert (await provider.client.get("/health/live")).json() == {"status": "live"}
        assert (await provider.client.get("/health/ready")).json() == {"status": "ready"}
        provider.publisher.fail("deadline")
        answer = await provider.client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "unready", "reason": "deadline"}
        assert (await provider.client.get("/health/live")).status_code == 200, "alive without a broker"


async def test_metrics_are_there_before_the_first_webhook_and_count_it() -> None:
    async with front_door() as provider:
        series = 'switchhook_ingest_webhooks_total{kind="message-status",verdict="accepted"}'
        answer = await provider.client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert f"{series} 0.0" in answer.text
        assert "switchhook_ingest_broker_up 1.0" in answer.text
        await provider.post(PATH["message-status"], STATUS)
        provider.publisher.fail("deadline")
        text = (await provider.client.get("/metrics")).text
        assert f"{series} 1.0" in text
        assert "switchhook_ingest_broker_up 0.0" in text
        assert 'switchhook_ingest_request_seconds_count{kind="message-status"} 1.0' in text
        assert "switchhook_ingest_publish_seconds_count 1.0" in text


async def test_before_it_is_started_nothing_is_answered_as_held() -> None:
    async with front_door() as provider:
        await provider.publisher.stop()
        assert (await provider.client.get("/health/ready")).status_code == 503
        assert (await provider.post(PATH["message-status"], STATUS)).status_code == 503


async def test_a_key_expires_by_the_clock_that_is_given() -> None:
    clock = {"now": NOW}

    def now() -> datetime:
        return clock["now"]

    keyring = Keyring({ACCOUNT: Account(ACCOUNT, "main", (Key(TOKEN, not_after=NOW),))})
    async with front_door(keyring=keyring, clock=now) as provider:
        assert (await provider.post(PATH["message-status"], STATUS)).status_code == 204
        clock["now"] = NOW.replace(second=1)
        assert (await provider.post(PATH["message-status"], STATUS)).status_code == 403


async def test_a_caller_that_hangs_up_before_its_end_publishes_nothing() -> None:
    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": b"MessageSid=", "more_body": True}]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    path = PATH["message-status"]
    headers = [(b"content-type", FORM.encode()), (b"x-twilio-signature", b"x")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    async with front_door() as provider:
        await provider.app(scope, receive, send)
        assert sent[0]["status"] == 400
        assert provider.records == []


FILLED = "<Response><Say>You, {From}, said {Digits}</Say><Redirect>/next?n={Missing}</Redirect></Response>"
HELP = "<Response><Message to='{From}'>Call {{us}}</Message></Response>"


async def test_a_template_is_filled_with_the_requests_fields_escaped() -> None:
    replies = Replies({"call-action": RouteReplies(Template.read(FILLED), {})})
    nasty = "<&>\"'\x00\ud83d" + "é"
    form = [*CALL, ("From", "client:<b>"), ("Digits", nasty.replace("\ud83d", "😀"))]
    async with front_door(replies=replies) as provider:
        root = ElementTree.fromstring((await provider.post(PATH["call-action"], form)).text)
        assert [each.text for each in root] == ["You, client:<b>, said <&>\"'😀é", "/next?n="]


@pytest.mark.parametrize(("body", "said"), [(" help ", ["Call {us}"]), ("HELP me", ["Thank you"])])
async def test_a_keyword_has_an_answer_of_its_own(body: str, said: list[str]) -> None:
    default = Template.read("<Response><Message>Thank you</Message></Response>")
    replies = Replies({"message-inbound": RouteReplies(default, {"HELP": Template.read(HELP)})})
    async with front_door(replies=replies) as provider:
        form = [(name, body if name == "Body" else value) for name, value in INBOUND]
        assert messages_in(await provider.post(PATH["message-inbound"], form)) == said


async def test_a_reply_that_a_field_makes_too_long_is_silence() -> None:
    replies = Replies({"message-inbound": RouteReplies(Template.read("<Response>{Body}</Response>"), {})})
    async with front_door(replies=replies, body_limit=100_000) as provider:
        form = [(name, "x" * 70_000 if name == "Body" else value) for name, value in INBOUND]
        answer = await provider.post(PATH["message-inbound"], form)
        assert (answer.status_code, answer.text) == (200, "<Response/>")


async def test_a_fallback_tells_of_the_same_message() -> None:
    async with front_door() as provider:
        await provider.post(PATH["message-inbound"], INBOUND)
        await provider.post(PATH["message-fallback"], KINDS["message-fallback"][0])
        first, second = provider.records
        assert first.headers["ce_id"] == second.headers["ce_id"]
        assert second.json["extra"] == {"ErrorCode": "11200", "ErrorUrl": "https://example.com/"}


@pytest.mark.parametrize(
    ("peer", "headers", "base"),
    [
        ("10.1.2.3", {"X-Forwarded-Host": "a.example.com", "X-Forwarded-Proto": "http"}, "http://a.example.com"),
        ("10.1.2.3", {"X-Forwarded-Host": "evil.example, a.example.com"}, "https://a.example.com"),
        ("10.1.2.3", {}, BASE),
        ("192.0.2.1", {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}, BASE),
        (None, {"X-Forwarded-Host": "evil.example"}, BASE),
    ],
)
async def test_only_a_trusted_proxy_says_what_was_asked_for(
    peer: str | None, headers: Mapping[str, str], base: str
) -> None:
    told = {name.lower(): value for name, value in headers.items()}
    assert base_of(BASE, peer, told, [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]) == base
    assert base_of(BASE, peer, told, []) == BASE


@pytest.mark.parametrize(
    ("header", "algorithm", "status"),
    [
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", "HMAC_SHA256", 204),
        ("key=webhooks_sharedkey_1, algorithm=hmac_sha256", "HMAC_SHA256", 204),
        (None, "HMAC_SHA256", 204),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", "HMAC_SHA1", 403),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", "HMAC_SHA256", 403),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_MD5", "HMAC_SHA256", 403),
        ("key=another,algorithm=HMAC_SHA256", "HMAC_SHA256", 204),
        ("nonsense,,=", "HMAC_SHA256", 204),
    ],
)
async def test_a_shared_key_is_used_as_we_were_told_and_never_as_the_request_says(
    header: str | None, algorithm: str, status: int
) -> None:
    shared = Key("shared secret", Algorithm.HMAC_SHA256, shared_id="webhooks_sharedkey_1")
    keyring = Keyring({ACCOUNT: Account(ACCOUNT, "main", (Key(TOKEN), shared))})
    signature = official(BASE + PATH["message-status"], STATUS, "shared secret", algorithm)
    headers = {"X-Twilio-Signature": signature}
    if header is not None:
        headers["X-Twilio-Webhooks-Signature-Settings"] = header
    async with front_door(keyring=keyring) as provider:
        assert (await provider.post(PATH["message-status"], STATUS, headers=headers)).status_code == status


def test_every_kind_that_has_a_route_is_tried_here() -> None:
    assert set(KINDS) == {name for name, route in ROUTES.items() if not route.is_json}, "Event Streams: test_streams"


def test_the_readme_lists_the_url_of_every_kind() -> None:
    told = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(/webhooks/[a-z/-]+?)(?:/AC…)?(?:#rc=5&rp=all)?`", told))
    assert listed == {route.path for route in ROUTES.values()}


@pytest.mark.parametrize(
    ("kind", "name", "value", "field", "known"),
    [
        ("message-status", "MessageStatus", "teleported", "status", False),
        ("message-status", "MessageStatus", "Sent.Late", "status", False),
        ("message-status", "MessageStatus", "DELIVERED", "status", True),
        ("call-status", "CallStatus", "on hold", "status", False),
        ("conference-status", "StatusCallbackEvent", "participant-waved", "event", False),
    ],
)
async def test_a_word_that_we_do_not_know_is_published_and_counted(
    kind: str, name: str, value: str, field: str, known: bool
) -> None:
    form = [*((n, v) for n, v in KINDS[kind][0] if n != name), (name, value)]
    async with front_door() as provider:
        assert (await provider.post(PATH[kind], form)).status_code == 204
        assert provider.record.json[field] == value.lower()
        assert provider.counted("unknown", kind=kind) == (0 if known else 1)


async def test_the_deprecated_copies_are_read_where_they_are_all_that_is_sent() -> None:
    old = [("SmsSid", "SM" + "c" * 32), ("SmsStatus", "sent"), ("AccountSid", ACCOUNT)]
    async with front_door() as provider:
        await provider.post(PATH["message-status"], old)
        await provider.post(PATH["message-status"], [*old, ("MessageSid", old[0][1]), ("MessageStatus", "sent")])
        first, second = provider.records
        assert (first.json["message_sid"], first.json["status"]) == (old[0][1], "sent")
        assert first.headers["ce_id"] == second.headers["ce_id"]


class Narrow(InMemoryPublisher):
    """A broker that takes no record at all of this size."""

    def offer(self, record: Encoded, told: Told) -> None:
        told(Refused("refused_by_broker"))


async def test_what_can_never_be_held_is_not_asked_for_again() -> None:
    async with front_door(publisher=Narrow()) as provider:
        assert (await provider.post(PATH["message-status"], STATUS)).status_code == 413
        assert provider.verdicts() == {("message-status", "too_large"): 1}


class Moody(InMemoryPublisher):
    """A publisher with a defect that shows at every second record."""

    offered = 0

    def offer(self, record: Encoded, told: Told) -> None:
        self.offered += 1
        if self.offered % 2:
            raise RuntimeError("a defect")
        super().offer(record, told)


async def test_a_fault_with_one_webhook_is_none_with_those_beside_it() -> None:
    async with front_door(publisher=Moody()) as provider:
        answers = await asyncio.gather(*(provider.post(PATH["message-status"], STATUS) for _ in range(6)))
        assert Counter(answer.status_code for answer in answers) == {204: 3, 500: 3}


def test_a_trusted_proxy_changes_scheme_and_host_and_keeps_the_path_of_the_public_base() -> None:
    told = {"x-forwarded-host": "a.example, b.example", "x-forwarded-proto": "https"}
    trusted = [ip_network("10.0.0.0/8")]
    assert base_of("http://x.example/twilio", "10.1.2.3", told, trusted) == "https://b.example/twilio"
    assert base_of(BASE, "::ffff:10.1.2.3", told, trusted) == "https://b.example"
    assert base_of(BASE, "::ffff:11.1.2.3", told, trusted) == BASE


def test_of_several_lines_of_a_proxy_the_last_counts_and_of_the_provider_the_first() -> None:
    said = [(b"x-forwarded-host", b"forged"), (b"x-twilio-signature", b"first")]
    said += [(b"x-forwarded-host", b"true"), (b"x-twilio-signature", b"second")]
    assert texts(said) == {"x-forwarded-host": "true", "x-twilio-signature": "first"}


async def test_a_bare_question_mark_is_a_part_of_the_signed_url(tmp_path: Path) -> None:
    target = f"{PATH['message-status']}?"
    async with serving(tmp_path) as door:
        headers = {"X-Twilio-Signature": sign(BASE + target, STATUS, Key(TOKEN)), "Content-Type": FORM}
        body = urlencode(STATUS).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        asked = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        assert (await raw(port_of(door.client), asked.encode() + body)).startswith(b"HTTP/1.1 503 "), (
            "no broker is there"
        )
