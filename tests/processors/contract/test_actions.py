"""Actions: what cannot be meant is refused before anybody is asked, with the reason; a rule can ask for any of them."""

from typing import Any

import pytest
from pydantic import ValidationError

from processors.contract.actions import ACTIONS, MODELS, AddParticipant
from processors.contract.codec import decode_action, encode_action
from processors.domain.templates import filled
from processors.domain.trial import shortcomings
from tests.sinks.twilio.samples import action, documents

TO = {"to": "+12025550100", "from": "+15005550006"}
CALL, CONFERENCE, MESSAGE = "CA" + "0" * 32, "CF" + "0" * 32, "SM" + "0" * 32
LATER = "2026-03-01T12:00:00Z"
SERVICE = "MG" + "0" * 32
PART = {"conference_sid": CONFERENCE, "call_sid": CALL}


@pytest.mark.parametrize(
    ("name", "document", "told"),
    [
        ("messages.create", {"to": TO["to"], "body": "x"}, "needs `from` or `messaging_service_sid`"),
        ("messages.create", TO, "needs `body` or `media_url` or `content_sid`"),
        ("messages.create", {**TO, "body": ""}, "needs `body`"),
        ("messages.create", {**TO, "body": "x" * 1601}, "at most 1600"),
        ("messages.create", {**TO, "media_url": ["https://a.test"] * 11}, "at most 10"),
        ("messages.create", {**TO, "body": "x", "content_variables": {"1": "a"}}, "only with `content_sid`"),
        ("messages.create", {**TO, "body": "x", "send_at": LATER}, "only with `schedule_type` and `messaging_service"),
        (
            "messages.create",
            {**TO, "body": "x", "messaging_service_sid": SERVICE, "schedule_type": "fixed"},
            "only with `send_at`",
        ),
        (
            "messages.create",
            {
                **TO, "body": "x", "messaging_service_sid": SERVICE, "schedule_type": "fixed",
                "send_at": "2026-03-01T12:00:00",
            },
            "timezone",
        ),
        ("messages.create", {**TO, "body": "x", "fallback_from": "+15005550007"}, "only with `messaging_service_sid`"),
        ("messages.create", {**TO, "body": "x", "validity_period": 36_001}, "36000"),
        ("messages.create", {"to": "2025550100x", "from": TO["from"], "body": "x"}, "pattern"),
        ("messages.update", {"message_sid": MESSAGE, "body": "other"}, "should be ''"),
        ("messages.fetch", {"message_sid": CALL}, "pattern"),
        ("messages.feedback", {"message_sid": MESSAGE, "outcome": "perhaps"}, "confirmed"),
        ("calls.create", TO, "exactly one of `url` and `twiml` and `application_sid`"),
        ("calls.create", {**TO, "url": "https://a.test", "twiml": "<Response/>"}, "exactly one"),
        ("calls.create", {**TO, "url": "https://a.test", "async_amd": True}, "only with `machine_detection`"),
        ("calls.create", {**TO, "url": "https://a.test", "machine_detection_timeout": 5}, "`machine_detection`"),
        (
            "calls.create",
            {**TO, "url": "https://a.test", "machine_detection": "Enable", "send_digits": "1"},
            "takes one of `send_digits` and `machine_detection`, not",
        ),
        ("calls.create", {**TO, "url": "https://a.test", "send_digits": "1e"}, "pattern"),
        ("calls.create", {**TO, "url": "https://a.test", "timeout": 601}, "600"),
        ("participants.add", {**TO, "conference": "room", "timeout": 4}, "greater than or equal to 5"),
        ("participants.add", {**TO, "conference": "room", "coaching": True}, "only with `call_sid_to_coach`"),
        ("participants.add", {**TO, "conference": "room/../x"}, "pattern"),
        ("participants.coach", PART, "only with `call_sid_to_coach`"),
        ("participants.update", PART, "needs `beep_on_exit` or `end_conference_on_exit`"),
        ("participants.announce", PART, "Field required"),
        ("recordings.pause", {}, "exactly one of `call_sid` and `conference_sid`"),
        ("recordings.pause", PART, "exactly one"),
        ("recordings.start", {}, "Field required"),
        ("numbers.search", {"country_code": "usa"}, "pattern"),
        ("numbers.search", {"country_code": "US", "distance": 5}, "only with `near_number`"),
        ("numbers.search", {"country_code": "US", "in_rate_center": "NYC"}, "only with `in_lata`"),
        (
            "numbers.search",
            {"country_code": "US", "near_number": TO["to"], "near_lat_long": "1,2"},
            "takes one of `near_number` and `near_lat_long`",
        ),
        ("numbers.buy", {}, "exactly one of `phone_number` and `area_code`"),
        ("numbers.buy", {"phone_number": "5105550101"}, "pattern"),
        (
            "numbers.buy",
            {"area_code": "510", "trunk_sid": "TK" + "0" * 32, "voice_application_sid": "AP" + "0" * 32},
            "takes one of `trunk_sid`",
        ),
        ("numbers.configure", {"number_sid": "PN" + "0" * 32}, "something to change, such as `voice_url`"),
        ("caller_ids.verify", {"phone_number": "+1202555x"}, "pattern"),
        ("caller_ids.update", {"caller_id_sid": "PN" + "0" * 32}, "Field required"),
        ("transcriptions.fetch", {"transcription_sid": "GT" + "0" * 32}, "pattern"),
        ("accounts.list", {"status": "open"}, "active"),
        ("messages.send", {}, "messages.create"),
        ("calls.fetch", {"call_sid": CALL, "colour": "red"}, "Extra inputs"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_the_reason(name: str, document: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as raised:
        action(name, document)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("participants.coach", {**PART, "coaching": False}),
        ("participants.update", {**PART, "wait_url": ""}),
        ("participants.update", {**PART, "end_conference_on_exit": False}),
        ("participants.add", {**TO, "conference": "room", "coaching": False}),
        ("numbers.search", {"country_code": "US", "near_lat_long": "37.84,-122.46", "distance": 5}),
        ("numbers.configure", {"number_sid": "PN" + "0" * 32, "voice_url": ""}),
        ("numbers.configure", {"number_sid": "PN" + "0" * 32, "to_account_sid": "AC" + "0" * 32}),
        (
            "messages.create",
            {"to": "whatsapp:+12025550100", "from": "whatsapp:+15005550006", "media_url": ["https://a"]},
        ),
        ("calls.create", {"to": "sip:a@b.test", "from": "client:a", "application_sid": "AP" + "0" * 32}),
        ("recordings.stop", {"call_sid": CALL, "recording_sid": "Twilio.CURRENT"}),
    ],
)
def test_what_can_be_meant_is_taken(name: str, document: dict[str, Any]) -> None:
    assert action(name, document).type == name


@pytest.mark.parametrize("name", MODELS)
def test_everything_that_an_action_says_survives_the_topic(name: str) -> None:
    for document in documents(name):
        asked = action(name, document)
        key, value, _ = encode_action(asked)
        assert (decode_action(value), key) == (asked, b"k")


@pytest.mark.parametrize("name", MODELS)
def test_a_rule_can_ask_for_it(name: str) -> None:
    for document in documents(name):
        written = {field: _as_template(value) for field, value in document.items()}
        assert list(shortcomings(name, written, "call")) == []
        made = {field: filled(field, value, {}) for field, value in written.items()}
        assert action(name, made) == action(name, document)


def _as_template(value: Any) -> Any:
    """A brace that is meant is written twice."""
    if isinstance(value, dict):
        return {name: _as_template(each) for name, each in value.items()}
    return value.replace("{", "{{").replace("}", "}}") if isinstance(value, str) else value


def test_what_a_person_wrote_stays_within_its_value_of_a_template() -> None:
    document = {**TO, "content_sid": "HX" + "0" * 32, "content_variables": {"1": "{body}"}}
    made = {name: filled(name, value, {"body": '", "2": "x'}) for name, value in document.items()}
    sent = action("messages.create", made)
    assert sent.model_dump()["content_variables"] == {"1": '", "2": "x'}


def test_neither_its_text_nor_an_error_shows_what_an_action_says() -> None:
    asked = action("calls.create", {**documents("calls.create")[0], "sip_auth_password": "hidden-password"})
    for text in (repr(asked), str(asked), f"{[asked]}"):
        assert "rule-1-d2" in text
        for secret in ("hidden-password", "+12025550100", "example.com"):
            assert secret not in text
    for wrong in ({"to": "hidden-number"}, {"sip_auth_password": ""}, {"timeout": "hidden"}):
        with pytest.raises(ValidationError) as raised:
            action("calls.create", {**documents("calls.create")[0], **wrong})
        assert "hidden" not in str(raised.value)
    with pytest.raises(ValidationError) as raised:
        AddParticipant.model_validate({"to": "hidden-number"})
    assert "hidden" not in str(raised.value)


def test_an_action_without_a_type_is_told_so() -> None:
    with pytest.raises(ValidationError, match="type"):
        ACTIONS.validate_python({"id": "x"})
