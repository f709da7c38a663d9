"""The tables of statuses, and what a reported status is called when it arrives."""

from collections.abc import Mapping, Sequence
from typing import get_args

import pytest

from processors.contract.changes import Kind
from processors.contract.statuses import FIRST, NEXT, RANKS, TERMINAL
from processors.domain.facts import NOTHING, Facts, Seen
from processors.domain.statuses import CONFERENCE_ENDED, Arrival, arrival, is_terminal, status

KINDS: Sequence[Kind] = get_args(Kind)

# Every status that the provider documents, by where it says so.
DOCUMENTED: Sequence[tuple[Kind, str, str]] = (
    (
        "message",
        "https://www.twilio.com/docs/messaging/api/message-resource#message-status-values",
        "queued sending sent failed delivered undelivered receiving received accepted scheduled read "
        "partially_delivered canceled",
    ),
    (
        "call",
        "https://www.twilio.com/docs/voice/api/call-resource#call-status-values",
        "queued ringing in-progress completed busy failed no-answer canceled",
    ),
    ("call", "https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent", "initiated"),
    (
        "recording",
        "https://www.twilio.com/docs/voice/api/recording#recording-status-values",
        "in-progress paused stopped processing completed absent deleted",
    ),
    (
        "recording",
        "https://github.com/twilio/twilio-oai (the events to subscribe to, of a participant's recording)",
        "started paused resumed stopped failed",
    ),
    (
        "conference",
        "https://www.twilio.com/docs/voice/api/conference-resource",
        "init in-progress completed",
    ),
)

# Ways that lead back on purpose: a recording that pauses, again and again, and somebody who comes back.
BACK: Mapping[Kind, set[tuple[str, str]]] = {
    "recording": {("in-progress", "paused"), ("resumed", "paused")},
    "participant": {("left", "joined")},
}

# All that the provider documents to come after an end.
AFTER_AN_END: Mapping[Kind, Mapping[str, set[str]]] = {
    "message": {"delivered": {"read"}},
    "recording": {"completed": {"deleted"}, "absent": {"deleted"}, "failed": {"deleted"}},
    "participant": {"left": {"joined"}},
}


@pytest.mark.parametrize(("kind", "page", "names"), DOCUMENTED)
def test_every_documented_status_has_a_rank(kind: Kind, page: str, names: str) -> None:
    assert set(names.split()) <= RANKS[kind].keys(), page


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_status_has_a_rank(kind: Kind) -> None:
    documented = {name for of, _, names in DOCUMENTED if of == kind for name in names.split()}
    # Whether somebody is in a conference has no word of the provider's.
    assert RANKS[kind].keys() == (documented or {"joined", "left"})


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_statuses_share_a_rank(kind: Kind) -> None:
    assert len(set(RANKS[kind].values())) == len(RANKS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_come_next_is_never_lower_but_for_pauses_and_rejoins(kind: Kind) -> None:
    ranks = RANKS[kind]
    down = {(name, after) for name, nexts in NEXT[kind].items() for after in nexts if ranks[after] <= ranks[name]}
    assert down == BACK.get(kind, set())


@pytest.mark.parametrize("kind", KINDS)
def test_after_an_end_comes_only_what_is_documented(kind: Kind) -> None:
    after = {name: set(NEXT[kind][name]) for name in TERMINAL[kind] if NEXT[kind].get(name)}
    assert after == AFTER_AN_END.get(kind, {})


@pytest.mark.parametrize("kind", KINDS)
def test_every_life_that_begins_can_end(kind: Kind) -> None:
    """And every status is on some way from a beginning, or only ever observed as one."""
    for name in RANKS[kind]:
        reached, ways = {name}, [name]
        while ways:
            for after in NEXT[kind].get(ways.pop(), ()):
                if after not in reached:
                    reached.add(after)
                    ways.append(after)
        assert reached & TERMINAL[kind], name
    assert set(FIRST[kind]) <= RANKS[kind].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_speak_of_no_status_without_a_rank(kind: Kind) -> None:
    spoken_of = {*TERMINAL[kind], *FIRST[kind], *NEXT[kind], *(name for some in NEXT[kind].values() for name in some)}
    assert spoken_of <= RANKS[kind].keys()


def known(*names: str, at: str | None = None) -> Facts:
    return Facts(statuses=dict.fromkeys(names, ("2026-01-01T00:00:00.000000Z", at)))


def heard(at: str | None = None) -> Seen:
    return "2026-01-01T00:01:00.000000Z", at


EARLY, LATE = "2026-01-01T00:00:01.000000Z", "2026-01-01T00:00:09.000000Z"


def test_the_first_status_that_is_heard_of_advances() -> None:
    assert arrival("message", NOTHING, "queued", heard()) is Arrival.ADVANCED


def test_delivered_after_sent_advances_whatever_was_skipped() -> None:
    assert arrival("message", known("queued"), "delivered", heard()) is Arrival.ADVANCED


def test_a_second_delivered_is_a_duplicate() -> None:
    assert arrival("message", known("sent", "delivered"), "delivered", heard()) is Arrival.DUPLICATE


def test_an_overtaken_status_that_is_heard_of_twice_is_a_duplicate() -> None:
    assert arrival("message", known("sent", "delivered"), "sent", heard()) is Arrival.DUPLICATE


def test_sent_after_delivered_is_late() -> None:
    assert arrival("message", known("delivered"), "sent", heard()) is Arrival.LATE


def test_delivered_after_read_is_late_though_it_is_an_end() -> None:
    assert arrival("message", known("read"), "delivered", heard()) is Arrival.LATE


def test_read_after_delivered_advances_though_that_was_an_end() -> None:
    assert arrival("message", known("delivered"), "read", heard()) is Arrival.ADVANCED


def test_ringing_after_completed_is_late_where_it_happened_before() -> None:
    assert arrival("call", known("completed", at=LATE), "ringing", heard(EARLY)) is Arrival.LATE


def test_ringing_after_completed_is_regressed_where_the_provider_says_it_happened_later() -> None:
    assert arrival("call", known("completed", at=EARLY), "ringing", heard(LATE)) is Arrival.REGRESSED


@pytest.mark.parametrize(("one", "other"), [("delivered", "undelivered"), ("failed", "delivered")])
def test_two_ends_of_a_message_are_contradictory_in_both_orders(one: str, other: str) -> None:
    assert arrival("message", known(one), other, heard()) is Arrival.CONTRADICTORY
    assert arrival("message", known(other), one, heard()) is Arrival.CONTRADICTORY


def test_busy_after_completed_is_contradictory() -> None:
    assert arrival("call", known("completed"), "busy", heard()) is Arrival.CONTRADICTORY


def test_deleted_after_completed_advances_and_completed_after_deleted_is_late() -> None:
    assert arrival("recording", known("completed"), "deleted", heard()) is Arrival.ADVANCED
    assert arrival("recording", known("deleted"), "completed", heard()) is Arrival.LATE


def test_a_word_that_nobody_knows_is_unknown_and_outranks_nothing() -> None:
    assert arrival("message", known("queued"), "teleported", heard()) is Arrival.UNKNOWN
    assert status("message", known("queued", "teleported")) == "queued"
    assert status("message", known("teleported")) == "teleported"
    assert not is_terminal("message", "teleported")


def test_what_is_known_advances_what_is_not() -> None:
    assert arrival("message", known("teleported"), "queued", heard()) is Arrival.ADVANCED


def test_nobody_is_in_a_conference_that_has_ended() -> None:
    there = Facts(attributes={"present": (True, 3, "")})
    assert status("participant", there) == "joined"
    assert status("participant", there._replace(events={CONFERENCE_ENDED: heard()})) == "left"
