"""Who opted out, learned from what people write and from what the provider refuses; and what of it is not believed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.contract.codec import Envelope
from ingest.contract.events import CallUpdated, Event, MessageReceived, MessageUpdated
from sinks.ledger.consents import Consent, newest, told_by, told_by_refusal
from tests.sinks.ledger.given import ACCOUNT, OURS, SID, THEIRS, fetch, message

SERVICE = "MG" + "4" * 32
AT = datetime(2026, 1, 1, tzinfo=UTC)


def envelope(event: Event, *, verified: bool = True) -> Envelope:
    return Envelope(event, "test", AT, verified=verified)


def received(**values: Any) -> MessageReceived:
    known = {"account_sid": ACCOUNT, "message_sid": SID, "from_": THEIRS, "to": OURS, "messaging_service_sid": SERVICE}
    return MessageReceived(**{**known, **values})


def told(event: Event) -> set[tuple[str, str, bool]]:
    return {(each.sender, each.recipient, each.opted_out) for each in told_by(envelope(event))}


def test_who_writes_stop_is_out_for_the_number_and_for_its_service() -> None:
    assert told(received(opt_out_type="STOP")) == {(OURS, THEIRS, True), (SERVICE, THEIRS, True)}
    assert told(received(opt_out_type="START", messaging_service_sid=None)) == {(OURS, THEIRS, False)}
    assert told(received(opt_out_type="HELP", body="START")) == set()


@pytest.mark.parametrize(
    ("body", "opts_in"), [("start", True), (" Unstop ", True), ("YES", True), ("yes please", False)]
)
def test_without_a_word_of_the_provider_a_word_of_the_recipient_lets_us_in_again(body: str, opts_in: bool) -> None:
    assert bool(told(received(body=body))) is opts_in


def test_without_a_word_of_the_provider_stop_is_a_text_like_any_other() -> None:
    assert told(received(body="STOP")) == set()


def test_a_refusal_says_it_too_whether_in_an_answer_or_in_a_callback() -> None:
    failed = MessageUpdated(
        account_sid=ACCOUNT, message_sid=SID, status="failed", error_code=21610, from_=OURS, to=THEIRS
    )
    assert told(failed) == {(OURS, THEIRS, True)}
    assert told(failed.model_copy(update={"error_code": 30003})) == set()
    action = message("a", to=THEIRS, messaging_service_sid=SERVICE)
    assert {each.sender for each in told_by_refusal(action, 21610, 1.0)} == {OURS, SERVICE}
    assert told_by_refusal(action, 21211, 1.0) == ()
    assert told_by_refusal(fetch(), 21610, 1.0) == ()


def test_what_nobody_vouches_for_and_what_is_no_message_says_nothing() -> None:
    assert told_by(envelope(received(opt_out_type="STOP"), verified=False)) == ()
    assert (
        told(CallUpdated(account_sid=ACCOUNT, call_sid="CA" + "5" * 32, status="busy", from_=OURS, to=THEIRS)) == set()
    )


def test_the_newest_word_stands_and_of_two_at_once_the_no() -> None:
    no, yes = (Consent(ACCOUNT, OURS, THEIRS, opted_out, 5.0, "stop") for opted_out in (True, False))
    later = yes._replace(at=6.0)
    assert list(newest([yes, no]).values()) == list(newest([no, yes]).values()) == [no]
    assert list(newest([later, no]).values()) == [later]
