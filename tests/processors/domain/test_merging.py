"""Merging and folding, claim by claim. That they hold for whole lives in any order is shown by `test_laws.py`."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contract import events as e
from ingest.contract.codec import Envelope, Undecodable
from processors.contract.changes import Change
from processors.contract.codec import decode_change, encode_change
from processors.domain.facts import NOTHING, Facts, Resource, merge
from processors.domain.fold import Step, fold
from processors.domain.reading import READINGS, read
from processors.domain.rulebook import write_down
from processors.domain.rules import Rules
from processors.domain.stamps import stamp
from processors.domain.statuses import Arrival, status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
MESSAGE_SID = "SM" + "1" * 32
CONFERENCE = "CF" + "2" * 32
CALL = "CA" + "3" * 32
RECORDING = "RE" + "4" * 32
NO_RULES = write_down(Rules())

stamps = st.integers(0, 1000).map(lambda s: stamp(NOW + timedelta(seconds=s)))
names = st.sampled_from(["sent", "queued", "a", "b"])
seen = st.dictionaries(names, st.tuples(stamps, st.none() | stamps), max_size=4)
# True and 1 are equal to Python and not to a reader; so are texts and numbers that are spelled alike.
values = st.sampled_from(["", "a", "b", "1", "true"]) | st.integers(0, 9) | st.booleans()
attributes = st.dictionaries(names, st.tuples(values, st.integers(-1, 3), st.just("") | stamps), max_size=4)
facts = st.builds(Facts, seen, seen, seen, attributes)


def text(one: Facts) -> str:
    """To the letter, with the types of values; a mapping's order is no fact."""
    return repr([sorted(mapping.items()) for mapping in one])


@given(facts, facts)
def test_merging_is_commutative(a: Facts, b: Facts) -> None:
    assert text(merge(a, b)) == text(merge(b, a))


@given(facts, facts, facts)
def test_merging_is_associative(a: Facts, b: Facts, c: Facts) -> None:
    assert text(merge(merge(a, b), c)) == text(merge(a, merge(b, c)))


@given(facts, facts)
def test_merging_again_adds_nothing(a: Facts, b: Facts) -> None:
    both = merge(a, b)
    assert merge(both, b) is both
    assert merge(both, a) is both
    assert merge(both, NOTHING) is both


@given(facts, facts)
def test_merging_changes_neither_of_the_two(a: Facts, b: Facts) -> None:
    before = text(a), text(b)
    merge(a, b)
    assert (text(a), text(b)) == before


def updated(name: str, received: int = 0) -> Envelope:
    event = e.MessageUpdated(account_sid=ACCOUNT, message_sid=MESSAGE_SID, status=name)
    return Envelope(event, "test", NOW + timedelta(seconds=received))


def step(known: Resource | None, envelope: Envelope) -> Step:
    return fold(known, read(envelope), NO_RULES, b"k")


def folded(*history: Envelope) -> Resource:
    resource = None
    for envelope in history:
        resource = step(resource, envelope).resource
    assert resource is not None
    return resource


def ends_as(*history: Envelope) -> str | None:
    resource = folded(*history)
    return status(resource.kind, resource.facts)


def test_a_late_sent_callback_does_not_undo_delivered() -> None:
    assert ends_as(updated("delivered"), updated("sent", 5), updated("queued", 9)) == "delivered"


@pytest.mark.parametrize("other", ["undelivered", "failed", "canceled"])
def test_contradictory_terminal_statuses_end_the_same_in_both_orders(other: str) -> None:
    assert ends_as(updated("delivered"), updated(other)) == ends_as(updated(other), updated("delivered"))


def test_a_duplicate_that_says_nothing_new_makes_no_change() -> None:
    first = step(None, updated("sent"))
    again = step(first.resource, updated("sent", 30))
    assert first.change is not None
    assert first.change["version"] == 1
    assert again.change is None
    assert again.resource is first.resource
    assert again.arrivals == (Arrival.DUPLICATE,)


def test_a_duplicate_that_was_received_earlier_is_a_change_of_that_time_alone() -> None:
    first = step(None, updated("sent", 30))
    again = step(first.resource, updated("sent"))
    assert again.change is not None
    assert again.change["times"] == {"sent": stamp(NOW)}
    assert "learned" not in again.change


def test_a_status_reported_by_a_lookup_keeps_the_time_that_the_callback_told() -> None:
    told = e.CallUpdated(account_sid=ACCOUNT, call_sid=CALL, status="completed", sequence_number=0, timestamp=NOW)
    shown = e.CallObserved(account_sid=ACCOUNT, call_sid=CALL, status="completed")
    late = NOW + timedelta(hours=1)
    for history in (
        (Envelope(told, "test", late, NOW), Envelope(shown, "test", late)),
        (Envelope(shown, "test", late), Envelope(told, "test", late, NOW)),
    ):
        assert folded(*history).facts.statuses == {"completed": (stamp(late), stamp(NOW))}


def participant(event: str, sequence: int | None, seconds: int = 0, **more: bool) -> Envelope:
    said = e.ConferenceUpdated(
        account_sid=ACCOUNT,
        conference_sid=CONFERENCE,
        call_sid=CALL,
        event=event,
        sequence_number=sequence,
        timestamp=NOW + timedelta(seconds=seconds),
        **more,
    )
    return Envelope(said, "test", NOW)


def test_a_participant_who_left_and_came_back_is_there_whatever_arrives_last() -> None:
    join, leave, again = (
        participant("participant-join", 1),
        participant("participant-leave", 3),
        participant("participant-join", 4),
    )
    assert ends_as(join, leave, again) == ends_as(again, join, leave) == ends_as(leave, again, join) == "joined"
    assert ends_as(join, leave) == ends_as(leave, join) == "left"


def test_without_sequence_numbers_the_times_of_joining_and_leaving_tell() -> None:
    join, leave = participant("participant-join", None, 1), participant("participant-leave", None, 9)
    assert ends_as(join, leave) == ends_as(leave, join) == "left"


def test_an_attribute_is_what_the_highest_sequence_said() -> None:
    muted, unmuted = (
        participant("participant-mute", 2, muted=True),
        participant("participant-unmute", 7, muted=False),
    )
    assert folded(muted, unmuted).facts.value("muted") is False
    assert folded(unmuted, muted).facts.value("muted") is False


def test_a_callback_with_a_number_outranks_what_a_lookup_shows() -> None:
    told = e.CallUpdated(account_sid=ACCOUNT, call_sid=CALL, status="completed", sequence_number=0, duration=7)
    shown = e.CallObserved(account_sid=ACCOUNT, call_sid=CALL, status="completed", duration=8)
    history = Envelope(told, "test", NOW), Envelope(shown, "test", NOW)
    assert folded(*history).facts.value("duration") == folded(*reversed(history)).facts.value("duration") == 7


@pytest.mark.parametrize("code", [0, -1, None])
def test_no_error_is_none_however_the_provider_spells_it(code: int | None) -> None:
    event = e.RecordingObserved(account_sid=ACCOUNT, recording_sid=RECORDING, status="completed", error_code=code)
    assert folded(Envelope(event, "test", NOW)).facts.error_code() is None


def test_the_error_that_stands_for_all_does_not_depend_on_which_came_first() -> None:
    one, other = (
        Envelope(updated(name).event.model_copy(update={"error_code": code}), "test", NOW)
        for name, code in (("failed", 30007), ("undelivered", 30003))
    )
    assert folded(one, other).facts.error_code() == folded(other, one).facts.error_code() == 30007


def test_a_change_shows_no_number_and_no_body() -> None:
    event = e.MessageReceived(
        account_sid=ACCOUNT,
        message_sid=MESSAGE_SID,
        body="secret words",
        **{"from": "+15551230000", "to": "+15559870000"},
    )
    change = step(None, Envelope(event, "test", NOW)).change
    assert change is not None
    _, value, _ = encode_change(change)
    assert b"secret" not in value
    assert b"555" not in value


def test_what_goes_out_is_what_the_model_of_a_change_reads() -> None:
    change = step(None, participant("participant-join", 1, muted=False)).change
    assert change is not None
    _, value, _ = encode_change(change)
    assert decode_change(value) == Change(
        key=f"{CONFERENCE}/{CALL}",
        kind="participant",
        account_sid=ACCOUNT,
        version=1,
        status="joined",
        terminal=False,
        learned=("event:participant-join",),
        times={"participant-join": NOW},
        attributes={"conference_sid": CONFERENCE, "call_sid": CALL, "muted": False, "present": True},
        received=NOW,
    )


def test_every_event_type_has_a_reading() -> None:
    assert set(READINGS) == set(e.MODELS.values()) - {e.ErrorLogged}, "which is about an account"
    with pytest.raises(Undecodable):
        read(Envelope(e.ErrorLogged(account_sid=ACCOUNT), "test", NOW))
