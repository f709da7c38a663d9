"""The laws of merging: what is known does not depend on the order or repetition of what was seen."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contract import events as e
from ingest.contract.codec import Envelope
from ingest.contract.identity import event_id
from processors.contract.statuses import MESSAGE
from processors.domain.facts import Attribute, Facts, Seen
from processors.domain.fold import fold
from processors.domain.reading import READERS, read
from processors.domain.rules import Rules
from processors.domain.statuses import status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
MESSAGE_SID = "SM" + "1" * 32
CONFERENCE = "CF" + "2" * 32
CALL = "CA" + "3" * 32

times = st.integers(0, 1000).map(lambda s: NOW + timedelta(seconds=s))
seen = st.builds(Seen, times, st.none() | times)
attributes = st.builds(
    Attribute, st.sampled_from(["", "a", "b"]) | st.integers(0, 9) | st.booleans(), st.integers(-1, 3)
)
names = st.sampled_from(["status:sent", "status:queued", "error:30003", "a", "b"])
facts = st.builds(Facts, st.dictionaries(names, seen, max_size=4), st.dictionaries(names, attributes, max_size=4))


@given(facts, facts)
def test_merging_is_commutative(a: Facts, b: Facts) -> None:
    assert a.merged(b) == b.merged(a)


@given(facts, facts, facts)
def test_merging_is_associative(a: Facts, b: Facts, c: Facts) -> None:
    assert a.merged(b).merged(c) == a.merged(b.merged(c))


@given(facts, facts)
def test_merging_again_adds_nothing(a: Facts, b: Facts) -> None:
    assert a.merged(b).merged(b) == a.merged(b)


def updated(name: str, received: int = 0) -> Envelope:
    event = e.MessageUpdated(account_sid=ACCOUNT, message_sid=MESSAGE_SID, status=name)
    event = event.model_copy(update={"id": event_id(event)})
    return Envelope(event, "test", NOW + timedelta(seconds=received))


def folded(history: list[Envelope]) -> str | None:
    resource = None
    for envelope in history:
        resource = fold(resource, read(envelope), envelope, Rules(), b"k").resource
    assert resource is not None
    return status(resource.kind, resource.facts)


def test_a_late_sent_callback_does_not_undo_delivered() -> None:
    assert folded([updated("delivered"), updated("sent", 5), updated("queued", 9)]) == "delivered"


@pytest.mark.parametrize("other", ["undelivered", "failed", "canceled"])
def test_contradictory_terminal_statuses_end_the_same_in_both_orders(other: str) -> None:
    assert folded([updated("delivered"), updated(other)]) == folded([updated(other), updated("delivered")])


def test_an_unknown_status_is_kept_and_outranks_nothing() -> None:
    assert folded([updated("queued"), updated("teleported")]) == "queued"
    assert folded([updated("teleported")]) == "teleported"


def test_no_two_statuses_share_a_rank() -> None:
    assert len(set(MESSAGE.values())) == len(MESSAGE)


def participant(event: str, sequence: int, **more: bool) -> Envelope:
    said = e.ConferenceUpdated(
        account_sid=ACCOUNT, conference_sid=CONFERENCE, call_sid=CALL, event=event, sequence_number=sequence, **more
    )
    return Envelope(said, "test", NOW)


def test_a_participant_who_left_and_came_back_is_there_in_any_order_of_callbacks() -> None:
    history = [
        participant("participant-join", 1, muted=False),
        participant("participant-mute", 2, muted=True),
        participant("participant-leave", 3, muted=True),
        participant("participant-join", 4, muted=False),
    ]
    for seed in range(30):
        shuffled = random.Random(seed).sample(history, len(history))
        assert folded(shuffled + shuffled[:2]) == "joined"
    assert folded(history[:3]) == "left"


def test_a_duplicate_that_says_nothing_new_makes_no_change() -> None:
    first = fold(None, read(updated("sent")), updated("sent"), Rules(), b"k")
    again = fold(first.resource, read(updated("sent", 30)), updated("sent", 30), Rules(), b"k")
    assert first.change is not None
    assert first.change.version == 1
    assert again.change is None


def test_a_change_shows_no_number_and_no_body() -> None:
    event = e.MessageReceived(
        account_sid=ACCOUNT,
        message_sid=MESSAGE_SID,
        body="secret words",
        **{"from": "+15551230000", "to": "+15559870000"},
    )
    envelope = Envelope(event, "test", NOW)
    change = fold(None, read(envelope), envelope, Rules(), b"k").change
    assert change is not None
    text = change.model_dump_json()
    assert "secret" not in text
    assert "555" not in text


def test_every_event_type_has_a_reader() -> None:
    assert set(READERS) == set(e.MODELS.values()) - {e.ErrorLogged}, "which is about an account"
