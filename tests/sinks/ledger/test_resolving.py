"""Each way to find out whether something unknown is there, from what a list of the provider shows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from processors.contract.actions import (
    REPEATABLE,
    AddParticipant,
    AnnounceToConference,
    AnyList,
    BuyNumber,
    CreateCall,
    StartRecording,
)  # fmt: skip
from sinks.ledger.entries import Entry, Settlement, Sought, State
from sinks.ledger.port import MemoryLedger
from sinks.ledger.resolving import RESOLVERS, SKEW, Item, Untold, neighbourhood, search, window
from tests.sinks.ledger.given import ACCOUNT, LEASE, NOW, OURS, THEIRS, claim, message

NOT_SHOWN = {
    "conferences.announce": "an announcement leaves nothing behind",
    "participants.announce": "an announcement leaves nothing behind",
    "caller_ids.verify": "the list shows only those that were verified in the end",
}
BASE: Mapping[str, Any] = {"id": "a", "account_sid": ACCOUNT, "ordering_key": "a"}
CALL, CONFERENCE = "CA" + "5" * 32, "CF" + "4" * 32
DIALLED: Mapping[str, Any] = {**BASE, "to": THEIRS, "from_": OURS}


def sid(prefix: str, number: int) -> str:
    return f"{prefix}{number:032x}"


def unknown(action: Any = None, **values: Any) -> Entry:
    return Entry(
        action or message("a", to=THEIRS),
        State.UNKNOWN,
        attempts=1,
        performed_at=NOW,
        leased_until=NOW + LEASE,
        **values,
    )


def other(name: str, state: State, resource_sid: str | None = None, body: str = "hello") -> Entry:
    return Entry(message(name, to=THEIRS, body=body), state, attempts=1, performed_at=NOW, resource_sid=resource_sid)


def shown(number: int, seconds: float = 1.0, prefix: str = "SM", **values: Any) -> Item:
    made = format_datetime(datetime.fromtimestamp(NOW + seconds, UTC))
    known = {"sid": sid(prefix, number), "date_created": made, "direction": "outbound-api", "body": "hello"}
    return {**known, **values}


class Lists:
    """The provider's lists, by action type; what was asked of them is kept."""

    def __init__(self, **items: Sequence[Item] | None) -> None:
        self.items = {name.replace("__", "."): found for name, found in items.items()}
        self.asked: list[AnyList] = []

    async def __call__(self, listing: AnyList, since: datetime) -> Sequence[Item]:
        self.asked.append(listing)
        found = self.items.get(listing.type, ())
        if found is None:
            raise Untold
        return found


def messages(*items: Item) -> Lists:
    return Lists(messages__list=items)


async def test_a_message_is_found_by_whom_it_is_from_and_to_when_and_what_it_says() -> None:
    lists = messages(shown(9, body="another"), shown(1), shown(8, direction="inbound"))
    assert await search(unknown(), (), lists) == (Sought.FOUND, sid("SM", 1))
    [asked] = lists.asked
    assert (asked.type, asked.to, asked.from_) == ("messages.list", THEIRS, OURS)  # type: ignore[union-attr]


@pytest.mark.parametrize("seconds", [-SKEW - 1, LEASE + SKEW + 1])
async def test_what_was_made_at_another_time_is_another(seconds: float) -> None:
    assert await search(unknown(), (), messages(shown(1, seconds))) == (Sought.ABSENT, None)


async def test_what_another_action_made_is_not_ours() -> None:
    lists = messages(shown(1))
    assert await search(unknown(), [other("b", State.DONE, sid("SM", 1))], lists) == (Sought.ABSENT, None)


async def test_what_one_made_that_was_asked_for_much_earlier_is_not_ours_either() -> None:
    """A request may take as long as its lease, and so its effect falls into the window of the next."""
    ledger = MemoryLedger()
    first, second = message("b", to=THEIRS), message("a", to=THEIRS)
    await ledger.record([first], NOW - SKEW - LEASE)
    [earlier] = await claim(ledger, NOW - SKEW - LEASE)
    await ledger.settle([Settlement("b", State.DONE, resource_sid=sid("SM", 1))], NOW)
    await ledger.record([second], NOW)
    [entry] = await claim(ledger, NOW)
    assert earlier.performed_at < window(entry)[0]
    alike = await ledger.alike(entry, *neighbourhood(entry))
    assert await search(entry, alike, messages(shown(1, -SKEW))) == (Sought.ABSENT, None)


async def test_of_two_that_are_unknown_one_message_shows_neither_and_two_show_both() -> None:
    twin = other("b", State.UNKNOWN)
    assert (await search(unknown(), [twin], messages(shown(1))))[0] is Sought.UNCLEAR
    assert (await search(unknown(), [twin], messages()))[0] is Sought.ABSENT
    assert await search(unknown(), [twin], messages(shown(1), shown(2))) == (Sought.FOUND, sid("SM", 1))
    assert (await search(unknown(), [other("b", State.UNKNOWN, body="x")], messages(shown(1))))[0] is Sought.FOUND


async def test_one_that_is_under_way_is_waited_for() -> None:
    assert (await search(unknown(), [other("b", State.RUNNING)], messages(shown(1))))[0] is Sought.LATER


async def test_a_list_that_is_not_told_or_has_no_time_says_nothing() -> None:
    assert await search(unknown(), (), Lists(messages__list=None)) == (Sought.LATER, None)
    assert await search(unknown(), (), messages(shown(1, date_created=None))) == (Sought.LATER, None)


async def test_a_message_by_a_service_is_of_that_service_and_from_anybody() -> None:
    service = "MG" + "4" * 32
    action = message("a", to=THEIRS, from_=None, messaging_service_sid=service)
    lists = messages(shown(1), shown(2, messaging_service_sid=service))
    assert await search(unknown(action), (), lists) == (Sought.FOUND, sid("SM", 2))
    assert lists.asked[0].from_ is None  # type: ignore[union-attr]


async def test_a_text_that_the_provider_writes_anew_is_not_compared_and_has_to_be_the_only_one() -> None:
    action = message("a", to=THEIRS, shorten_urls=True)
    assert await search(unknown(action), (), messages(shown(1, body="hello twil.io/x"))) == (Sought.FOUND, sid("SM", 1))
    assert (await search(unknown(action), (), messages(shown(1), shown(2))))[0] is Sought.UNCLEAR


async def test_what_a_list_cannot_show_by_its_recipient_is_not_taken_for_absent() -> None:
    action = message("a", to=THEIRS, address_retention="obfuscate")
    assert await search(unknown(action), (), messages()) == (Sought.UNCLEAR, None)


async def test_a_call_is_found_when_it_is_the_only_one() -> None:
    action = CreateCall(**DIALLED, twiml="<Response/>")
    one, two = shown(1, prefix="CA"), shown(2, prefix="CA")
    assert await search(unknown(action), (), Lists(calls__list=[one])) == (Sought.FOUND, sid("CA", 1))
    assert await search(unknown(action), (), Lists(calls__list=[])) == (Sought.ABSENT, None)
    assert await search(unknown(action), (), Lists(calls__list=[one, two])) == (Sought.UNCLEAR, None)


@pytest.mark.parametrize("conference", [CONFERENCE, "stand-up"])
async def test_a_participant_is_known_by_the_label_that_is_the_actions_id(conference: str) -> None:
    action = AddParticipant(**DIALLED, conference=conference)
    lists = Lists(
        conferences__list=[{"sid": CONFERENCE}],
        participants__list=[{"label": "b", "call_sid": sid("CA", 2)}, {"label": "a", "call_sid": CALL}],
        calls__list=[shown(1, prefix="CA"), shown(2, prefix="CA")],
    )
    assert await search(unknown(action), (), lists) == (Sought.FOUND, CALL)


async def test_a_participant_who_has_left_is_shown_by_the_call() -> None:
    action = AddParticipant(**DIALLED, conference=CONFERENCE)
    assert await search(unknown(action), (), Lists(calls__list=[shown(1, prefix="CA")])) == (Sought.FOUND, sid("CA", 1))
    assert await search(unknown(action), (), Lists()) == (Sought.ABSENT, None)


async def test_a_number_is_found_by_itself_and_one_of_an_area_only_missed() -> None:
    mine = Lists(numbers__list=[shown(1, prefix="PN")])
    assert await search(unknown(BuyNumber(**BASE, phone_number=THEIRS)), (), mine) == (Sought.FOUND, sid("PN", 1))
    assert await search(unknown(BuyNumber(**BASE, phone_number=THEIRS)), (), Lists()) == (Sought.ABSENT, None)
    assert await search(unknown(BuyNumber(**BASE, area_code="202")), (), mine) == (Sought.UNCLEAR, None)
    assert await search(unknown(BuyNumber(**BASE, area_code="202")), (), Lists()) == (Sought.ABSENT, None)


async def test_a_recording_is_found_among_those_of_its_call_that_were_started_by_request() -> None:
    started = shown(1, prefix="RE", source="StartCallRecordingAPI")
    lists = Lists(recordings__list=[shown(2, prefix="RE", source="DialVerb"), started])
    assert await search(unknown(StartRecording(**BASE, call_sid=CALL)), (), lists) == (Sought.FOUND, sid("RE", 1))
    assert lists.asked[0].call_sid == CALL  # type: ignore[union-attr]


async def test_what_leaves_nothing_to_be_listed_is_for_a_person() -> None:
    action = AnnounceToConference(**BASE, conference_sid=CONFERENCE, announce_url="https://x.example/a")
    assert await search(unknown(action), (), Lists()) == (Sought.UNCLEAR, None)


def test_everything_that_is_not_repeatable_can_be_found_or_is_known_not_to_be() -> None:
    once = {name for name, is_repeatable in REPEATABLE.items() if not is_repeatable}
    assert once == {*RESOLVERS, *NOT_SHOWN}
