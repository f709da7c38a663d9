"""Identity: a repeated callback repeats its `ce_id`, and no other callback has the same."""

import re
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from ingest.contract import events as e
from ingest.contract.codec import Envelope, encode
from ingest.contract.identity import IDENTITY, event_id
from ingest.webhooks import parse

ACCOUNT = "AC" + "0" * 32
SUBACCOUNT = "AC" + "9" * 32
MESSAGE = "SM" + "1" * 32
CALL = "CA" + "2" * 32
RECORDING = "RE" + "3" * 32
CONFERENCE = "CF" + "4" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Parameters = dict[str, str]


def transcribed(sequence: int) -> Parameters:
    event = {"TranscriptionEvent": "transcription-content", "SequenceId": str(sequence)}
    return {"CallSid": CALL, "TranscriptionSid": "GT" + "5" * 32, **event}


def transcript(status: str) -> Parameters:
    return {"RecordingSid": RECORDING, "TranscriptionSid": "TR" + "5" * 32, "TranscriptionStatus": status}


CALLBACKS: list[tuple[str, Parameters]] = [
    ("message-inbound", {"MessageSid": MESSAGE, "From": "+15005550006", "Body": "hi"}),
    ("message-status", {"MessageSid": MESSAGE, "MessageStatus": "sent"}),
    ("message-status", {"MessageSid": MESSAGE, "MessageStatus": "delivered"}),
    ("call-status", {"CallSid": CALL, "CallStatus": "ringing", "SequenceNumber": "1"}),
    ("call-status", {"CallSid": CALL, "CallStatus": "completed", "SequenceNumber": "3"}),
    ("recording-status", {"RecordingSid": RECORDING, "RecordingStatus": "completed", "CallSid": CALL}),
    ("recording-status", {"RecordingSid": RECORDING, "RecordingStatus": "absent", "CallSid": CALL}),
    ("conference-status", {"ConferenceSid": CONFERENCE, "StatusCallbackEvent": "conference-start"}),
    ("call-amd", {"CallSid": CALL, "AnsweredBy": "human"}),
    ("call-transcription", transcribed(0)),
    ("call-transcription", transcribed(1)),
    ("recording-transcription", transcript("completed")),
    ("recording-transcription", transcript("failed")),
    ("debugger", {"Sid": "NO" + "6" * 32, "Level": "ERROR"}),
    ("debugger", {"Sid": "NO" + "7" * 32, "Level": "ERROR"}),
    (
        "conference-status",
        {
            "ConferenceSid": CONFERENCE,
            "StatusCallbackEvent": "participant-join",
            "SequenceNumber": "2",
            "CallSid": CALL,
        },
    ),
]
"""One of each kind and status, none of which says the same as another."""


def told(kind: str, parameters: Parameters, *, account: str = ACCOUNT, token: str = "a request") -> str:
    event = parse(kind, list({"AccountSid": account, **parameters}.items()), token=token)
    assert isinstance(event, e.EventBase), event
    return event.id


def recording(status: str, token: str) -> str:
    return told("recording-status", {"RecordingSid": RECORDING, "RecordingStatus": status}, token=token)


def conference(event: str, sequence: int, call: str = CALL) -> str:
    parameters = {
        "ConferenceSid": CONFERENCE,
        "StatusCallbackEvent": event,
        "SequenceNumber": str(sequence),
        "CallSid": call,
    }
    return told("conference-status", parameters)


def observed(account: str = ACCOUNT, **more: object) -> e.MessageObserved:
    return e.MessageObserved.model_validate(
        {"account_sid": account, "message_sid": MESSAGE, "status": "sent", "num_segments": 1, **more}
    )


@pytest.mark.parametrize(("kind", "parameters"), CALLBACKS)
class TestRepetition:
    def test_a_callback_again_has_the_id_again_whatever_the_order_of_its_parameters(
        self, kind: str, parameters: Parameters
    ) -> None:
        assert told(kind, parameters) == told(kind, dict(reversed(parameters.items())))

    def test_a_callback_sent_again_under_another_token_has_the_same_id(self, kind: str, parameters: Parameters) -> None:
        assert told(kind, parameters, token="a request") == told(kind, parameters, token="another")

    def test_parameters_that_no_identity_holds_do_not_change_it(self, kind: str, parameters: Parameters) -> None:
        assert told(kind, parameters) == told(kind, {**parameters, "ApiVersion": "2010-04-01", "ToCity": "Berlin"})

    def test_the_same_sids_in_another_account_are_another_occurrence(self, kind: str, parameters: Parameters) -> None:
        assert told(kind, parameters) != told(kind, parameters, account=SUBACCOUNT)


class TestDifference:
    def test_callbacks_that_say_different_things_have_different_ids(self) -> None:
        assert len({told(kind, parameters) for kind, parameters in CALLBACKS}) == len(CALLBACKS)

    @pytest.mark.parametrize("kind", ["call-inbound", "call-action", "call-fallback"])
    def test_two_requests_for_instructions_in_one_call_are_told_apart_by_the_token(self, kind: str) -> None:
        gathered = {"CallSid": CALL, "CallStatus": "in-progress", "Digits": "1"}
        assert told(kind, gathered, token="the first Gather") != told(kind, gathered, token="the second")
        assert told(kind, gathered, token="the first Gather") == told(kind, gathered, token="the first Gather")

    def test_callbacks_of_the_number_and_of_the_call_both_count_from_zero(self) -> None:
        of_number = {"CallSid": CALL, "CallStatus": "completed", "SequenceNumber": "0"}
        of_call = {"CallSid": CALL, "CallStatus": "initiated", "SequenceNumber": "0"}
        assert told("call-status", of_number) != told("call-status", of_call)

    def test_a_call_status_that_comes_back_later_is_another_occurrence(self) -> None:
        once = {"CallSid": CALL, "CallStatus": "in-progress", "SequenceNumber": "2"}
        assert told("call-status", once) != told("call-status", {**once, "SequenceNumber": "4"})

    @pytest.mark.parametrize("status", ["paused", "resumed", "in-progress"])
    def test_a_recording_status_that_can_repeat_is_told_apart_by_the_token(self, status: str) -> None:
        assert recording(status, "first") != recording(status, "second")
        assert recording(status, "first") == recording(status, "first")

    def test_a_second_mute_of_one_participant_is_told_apart_by_its_sequence_number(self) -> None:
        assert conference("participant-mute", 3) != conference("participant-mute", 5)

    def test_two_participants_who_join_at_once_are_two_occurrences(self) -> None:
        assert conference("participant-join", 2) != conference("participant-join", 2, call="CA" + "5" * 32)


class TestReceivedTime:
    def test_the_record_of_a_callback_that_arrives_again_has_the_same_id(self) -> None:
        event = e.MessageUpdated(account_sid=ACCOUNT, message_sid=MESSAGE, status="sent")
        event = event.model_copy(update={"id": event_id(event)})
        first, again = (encode(Envelope(event, "x", NOW + timedelta(hours=hours))) for hours in (0, 1))
        assert first.headers != again.headers
        assert dict(first.headers)["ce_id"] == dict(again.headers)["ce_id"]


class TestObservation:
    def test_the_same_answer_twice_is_one_occurrence(self) -> None:
        assert event_id(observed()) == event_id(observed())

    def test_it_does_not_depend_on_the_request_that_the_answer_was_to(self) -> None:
        assert event_id(observed(), "a request") == event_id(observed(), "another")

    def test_what_the_model_does_not_know_is_not_part_of_it(self) -> None:
        assert event_id(observed()) == event_id(observed(extra={"uri": "/2010-04-01/…"}))

    def test_an_answer_that_shows_something_else_is_another_occurrence(self) -> None:
        variants = [
            observed(),
            observed(status="delivered"),
            observed(num_segments=2),
            observed(body="1"),
            observed(error_message="1"),
            observed(SUBACCOUNT),
        ]
        assert all(event_id(a) != event_id(b) for a, b in combinations(variants, 2))


class TestTable:
    def test_every_event_type_has_an_identity(self) -> None:
        assert IDENTITY.keys() == e.MODELS.keys()

    @pytest.mark.parametrize(("kind", "parameters"), CALLBACKS)
    def test_an_id_is_32_hexadecimal_digits(self, kind: str, parameters: Parameters) -> None:
        assert re.fullmatch("[0-9a-f]{32}", told(kind, parameters))
