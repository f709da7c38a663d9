"""Records: what is encoded is what is decoded, other people's CloudEvents agree, and what is broken says why."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.contract import events as e
from ingest.contract.codec import Encoded, Envelope, Headers, Undecodable, decode, encode, family, occurred
from ingest.contract.topics import ERRORS, EVENT_TOPICS, TOPIC_OF
from processors.contract import actions
from processors.contract.changes import Change
from processors.contract.codec import decode_action, decode_change, encode_action, encode_change
from sinks.contract.codec import decode_result, encode_result
from sinks.contract.results import Result
from tests.contract.values import document, envelopes, models

ACCOUNT = "AC" + "0" * 32
MESSAGE = "SM" + "1" * 32
NOW = datetime(2026, 1, 1, 12, 0, 0, 5, UTC)
TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"

cheap = settings(max_examples=10, deadline=None)
every_event = pytest.mark.parametrize("model", e.MODELS.values(), ids=e.MODELS)
every_action = pytest.mark.parametrize("model", actions.MODELS.values(), ids=actions.MODELS)


def sent() -> Envelope:
    event = e.MessageUpdated(
        id="an id", account_sid=ACCOUNT, message_sid=MESSAGE, status="sent", from_="+15005550006", extra={"X": "ä"}
    )
    return Envelope(
        event, "//twilio.com/x", NOW, NOW - timedelta(seconds=1), "abc-d1", verified=True, traceparent=TRACE
    )


class TestRoundTrip:
    @every_event
    @cheap
    @given(data=st.data())
    def test_an_event_comes_back_as_it_was(self, model: type[e.Event], data: st.DataObject) -> None:
        envelope = data.draw(envelopes(model))
        record = encode(envelope)
        assert decode(record.headers, record.value) == envelope

    @cheap
    @given(change=models(Change))
    def test_a_change_comes_back_as_it_was(self, change: Change) -> None:
        assert decode_change(encode_change(document(change))[1]) == change

    @every_action
    @cheap
    @given(data=st.data())
    def test_an_action_comes_back_as_it_was(self, model: type[actions.ActionBase], data: st.DataObject) -> None:
        action: Any = data.draw(models(model))
        assert decode_action(encode_action(action)[1]) == action

    @cheap
    @given(result=models(Result))
    def test_a_result_comes_back_as_it_was(self, result: Result) -> None:
        assert decode_result(encode_result(result)[1]) == result


class TestRecord:
    @every_event
    @cheap
    @given(data=st.data())
    def test_an_event_lies_in_the_topic_of_its_family_under_the_sid_it_is_about(
        self, model: type[e.Event], data: st.DataObject
    ) -> None:
        envelope = data.draw(envelopes(model))
        record = encode(envelope)
        assert record.topic == TOPIC_OF[family(envelope.event.type)]
        assert record.topic in (*EVENT_TOPICS, ERRORS)
        assert record.key == dict(record.headers)["ce_subject"]
        assert record.key.decode() in envelope.event.model_dump().values()

    def test_the_value_repeats_id_and_type_for_tools_that_drop_headers(self) -> None:
        record = encode(sent())
        said = orjson.loads(record.value)
        headers = dict(record.headers)
        assert (said["id"].encode(), said["type"].encode()) == (headers["ce_id"], headers["ce_type"])

    def test_what_is_not_known_is_left_out_of_the_value(self) -> None:
        said = orjson.loads(encode(sent()).value)
        assert None not in said.values()
        assert "body" not in said

    def test_the_providers_time_is_taken_from_the_kinds_that_carry_one(self) -> None:
        call = e.CallUpdated(account_sid=ACCOUNT, call_sid="CA" + "1" * 32, status="ringing", timestamp=NOW)
        assert occurred(call) == NOW
        assert occurred(sent().event) is None

    def test_changes_of_one_version_repeat_their_id_and_those_of_the_next_do_not(self) -> None:
        change = Change(
            key=MESSAGE, kind="message", account_sid=ACCOUNT, version=1, status="sent", terminal=False, received=NOW
        )
        again = change.model_copy(update={"learned": ("status:sent",)})
        following = change.model_copy(update={"version": 2})
        one, same, other = (dict(encode_change(document(c))[2])["ce_id"] for c in (change, again, following))
        assert one == same != other


def theirs(key: bytes, value: bytes, headers: Headers) -> BaseCloudEvent:
    return from_binary_event(KafkaMessage(dict(headers), key, value))


def said_by(event: BaseCloudEvent) -> Mapping[str, Any]:
    return {
        "id": event.get_id(), "source": event.get_source(), "type": event.get_type(), "subject": event.get_subject(),
        "dataschema": event.get_dataschema(), "datacontenttype": event.get_datacontenttype(),
        "specversion": event.get_specversion(), "correlation": event.get_extension("correlation"),
        "partitionkey": event.get_extension("partitionkey"),
    }  # fmt: skip


class TestOfficialPackage:
    """https://github.com/cloudevents/sdk-python as witness: it reads what we write, and we read what it writes."""

    @every_event
    @cheap
    @given(data=st.data())
    def test_it_reads_our_events(self, model: type[e.Event], data: st.DataObject) -> None:
        envelope = data.draw(envelopes(model))
        record = encode(envelope)
        read = theirs(record.key, record.value, record.headers)
        assert said_by(read) == {
            "id": envelope.event.id, "source": envelope.source, "type": envelope.event.type,
            "subject": record.key.decode(), "dataschema": f"urn:switchhook:event:{envelope.event.type}:v1",
            "datacontenttype": "application/json", "specversion": "1.0", "correlation": envelope.correlation,
            "partitionkey": record.key.decode(),
        }  # fmt: skip
        if envelope.time is not None:  # the package says now where a record says nothing
            assert read.get_time() == envelope.time
        assert read.get_extension("verified") == str(envelope.verified).lower()
        assert datetime.fromisoformat(read.get_extension("receivedtime")) == envelope.received
        assert read.get_data() == orjson.loads(record.value)

    @every_event
    @cheap
    @given(data=st.data())
    def test_we_read_events_that_it_writes(self, model: type[e.Event], data: st.DataObject) -> None:
        drawn = data.draw(envelopes(model))
        envelope = drawn._replace(time=drawn.time or NOW)  # the package always writes a time
        attributes = {
            "specversion": "1.0", "id": envelope.event.id, "source": envelope.source, "type": envelope.event.type,
            "time": envelope.time, "datacontenttype": "application/json",
            "receivedtime": envelope.received.isoformat(), "verified": str(envelope.verified).lower(),
            "correlation": envelope.correlation,
        }  # fmt: skip
        value = envelope.event.model_dump(mode="json", by_alias=True)
        message = to_binary_event(CloudEvent({k: v for k, v in attributes.items() if v is not None}, value))
        headers = dict(message.headers)
        if envelope.traceparent is not None:
            headers["traceparent"] = envelope.traceparent.encode()  # not a CloudEvents attribute
        assert decode(headers.items(), message.value) == envelope

    def test_it_reads_our_changes(self) -> None:
        change = Change(
            key=MESSAGE, kind="message", account_sid=ACCOUNT, version=3, status="sent", terminal=False,
            correlation="abc", received=NOW,
        )  # fmt: skip
        read = theirs(*encode_change(document(change)))
        assert said_by(read) == {
            "id": read.get_id(), "source": "switchhook/processors", "type": "message.changed", "subject": MESSAGE,
            "dataschema": "urn:switchhook:change:v1", "datacontenttype": "application/json", "specversion": "1.0",
            "correlation": "abc", "partitionkey": MESSAGE,
        }  # fmt: skip
        assert Change.model_validate(read.get_data()) == change

    def test_it_reads_our_actions(self) -> None:
        action = actions.HangUpCall(id="a-d1", account_sid=ACCOUNT, ordering_key="k", call_sid="CA" + "1" * 32)
        read = theirs(*encode_action(action))
        assert said_by(read) == {
            "id": "a-d1", "source": "switchhook/processors", "type": "calls.hang_up.requested", "subject": "k",
            "dataschema": "urn:switchhook:action:calls.hang_up:v1", "datacontenttype": "application/json",
            "specversion": "1.0", "correlation": "a-d1", "partitionkey": "k",
        }  # fmt: skip
        assert actions.HangUpCall.model_validate(read.get_data()) == action

    def test_it_reads_our_results(self) -> None:
        result = Result.model_validate(
            {"action_id": "a", "action_type": "calls.create", "account_sid": ACCOUNT, "outcome": "done", "at": NOW}
        )
        read = theirs(*encode_result(result))
        assert said_by(read) == {
            "id": read.get_id(), "source": "switchhook/sinks", "type": "action.done", "subject": "a",
            "dataschema": "urn:switchhook:action-result:v1", "datacontenttype": "application/json",
            "specversion": "1.0", "correlation": "a", "partitionkey": "a",
        }  # fmt: skip
        assert Result.model_validate(read.get_data()) == result

    def test_it_writes_actions_that_we_read(self) -> None:
        action = actions.HangUpCall(id="a", account_sid=ACCOUNT, ordering_key="k", call_sid="CA" + "1" * 32)
        attributes = {"id": "a", "source": "billing", "type": "calls.hang_up.requested"}
        attributes["datacontenttype"] = "application/json"
        message = to_binary_event(CloudEvent(attributes, action.model_dump(mode="json")))
        assert decode_action(message.value) == action


def record_with(record: Encoded, value: Mapping[str, object], headers: Mapping[str, bytes | None]) -> Encoded:
    """The record with fields of its value and headers replaced; None takes a header away."""
    replaced = {**dict(record.headers), **headers}
    kept = tuple((name, text) for name, text in replaced.items() if text is not None)
    return Encoded(record.topic, record.key, orjson.dumps({**orjson.loads(record.value), **value}), kept)


def reason(headers: Headers, value: bytes | None) -> str:
    with pytest.raises(Undecodable) as refused:
        decode(headers, value)
    return refused.value.reason


class TestUndecodable:
    @pytest.mark.parametrize("change", [
        {"ce_type": None},
        {"ce_type": b""},
        {"ce_type": b"message.teleported"},
        {"ce_type": b"message.updated "},
    ])  # fmt: skip
    def test_a_type_that_this_version_does_not_have_is_unknown(self, change: Mapping[str, bytes | None]) -> None:
        broken = record_with(encode(sent()), {}, change)
        assert reason(broken.headers, broken.value) == "unknown_type"

    @pytest.mark.parametrize("change", [
        {"ce_id": None},
        {"ce_id": b"another id"},
        {"ce_source": None},
        {"ce_receivedtime": None},
        {"ce_receivedtime": b"yesterday"},
        {"ce_receivedtime": b"2026-01-01T12:00:00"},
        {"ce_time": b""},
        {"ce_time": b"2026-01-01T12:00:00"},
        {"ce_time": b"0001-01-01T00:00:00+14:00"},
        {"ce_correlation": b"\xff"},
        {"traceparent": b"\xff"},
    ])  # fmt: skip
    def test_broken_headers_are_told_as_such(self, change: Mapping[str, bytes | None]) -> None:
        broken = record_with(encode(sent()), {}, change)
        assert reason(broken.headers, broken.value) == "invalid_headers"

    @pytest.mark.parametrize("change", [
        {"message_sid": "CA" + "1" * 32},
        {"type": "call.updated"},
        {"status": ""},
        {"num_media": -1},
        {"error_code": 2**31},
        {"extra": {"n": 1}},
    ])  # fmt: skip
    def test_a_value_that_is_not_of_its_type_is_invalid(self, change: Mapping[str, object]) -> None:
        broken = record_with(encode(sent()), change, {})
        assert reason(broken.headers, broken.value) == "invalid_value"

    @pytest.mark.parametrize("value", [b"", b"null", b"[]", b"{}", b"{", b"\xff", b"[" * 5000], ids=ascii)
    def test_what_is_no_json_object_of_an_event_is_invalid(self, value: bytes) -> None:
        assert reason(encode(sent()).headers, value) == "invalid_value"

    def test_an_event_without_an_id_is_not_read(self) -> None:
        broken = record_with(encode(sent()), {"id": ""}, {"ce_id": b""})
        assert reason(broken.headers, broken.value) == "invalid_headers"

    def test_a_record_without_a_value_is_empty(self) -> None:
        assert reason(encode(sent()).headers, None) == "empty"

    def test_headers_of_other_tools_are_ignored_whatever_they_hold(self) -> None:
        record = record_with(encode(sent()), {}, {"b3": b"\xff", "ce_sequence": b"7"})
        assert decode(record.headers, record.value) == sent()

    def test_a_record_that_nobody_vouches_for_is_unverified(self) -> None:
        record = record_with(encode(sent()), {}, {"ce_verified": None})
        assert not decode(record.headers, record.value).verified

    def test_times_come_back_in_utc_whatever_zone_they_were_written_in(self) -> None:
        record = record_with(encode(sent()), {}, {"ce_time": b"2026-01-01T14:00:00+02:00"})
        assert decode(record.headers, record.value).time == datetime(2026, 1, 1, 12, tzinfo=UTC)

    def test_the_detail_of_an_invalid_value_names_fields_and_shows_no_content(self) -> None:
        broken = record_with(encode(sent()), {"num_media": "+15005550006", "status": "+15005550006"}, {})
        with pytest.raises(Undecodable) as refused:
            decode(broken.headers, broken.value)
        assert "num_media" in str(refused.value)
        assert "5005550006" not in str(refused.value)

    @pytest.mark.parametrize("value", [None, b"", b"{}", b'{"type": "calls.teleport"}'], ids=ascii)
    def test_changes_actions_and_results_that_are_none_are_refused_alike(self, value: bytes | None) -> None:
        for read in (decode_change, decode_action, decode_result):
            with pytest.raises(Undecodable) as refused:
                read(value)
            assert refused.value.reason == ("empty" if value is None else "invalid_value")

    def test_an_action_with_a_mistyped_parameter_is_refused(self) -> None:
        action = actions.HangUpCall(id="a", account_sid=ACCOUNT, ordering_key="k", call_sid="CA" + "1" * 32)
        mistyped = orjson.dumps({**orjson.loads(encode_action(action)[1]), "not_aftre": "2026-01-01T00:00:00Z"})
        with pytest.raises(Undecodable, match="invalid_value"):
            decode_action(mistyped)
