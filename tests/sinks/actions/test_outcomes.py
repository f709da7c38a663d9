"""The way of an action through the ledger: what is published of it, where the provider is the emulator."""

import pytest

from tests.conftest import until
from tests.deploy.emulator.conftest import ACCOUNT, SENDER
from tests.sinks.actions.done import NEW
from tests.sinks.actions.emulated import Emulated, Fields, The
from tests.sinks.ledger.conftest import Desk, desk

ASKED = {"action_id": "a-1", "account_sid": ACCOUNT, "attempts": 1}
MESSAGE: Fields = {"to": NEW, "from": SENDER, "body": "Hi"}
REFUSED: Fields = {"outcome": "refused", "reason": "provider"}
OUTCOMES: list[tuple[str, Fields, Fields]] = [
    ("messages.cancel", {"message_sid": The("scheduled")},
     {"outcome": "done", "http_status": 200, "resource_sid": The("scheduled")}),
    ("messages.delete", {"message_sid": "SM" + "0" * 32},
     {"outcome": "done", "http_status": 404, "resource_sid": "SM" + "0" * 32}),
    ("calls.hang_up", {"call_sid": The("ended call")},
     {"outcome": "done", "http_status": 400, "resource_sid": The("ended call")}),
    ("participants.list", {"conference_sid": The("meeting")},
     {"outcome": "done", "http_status": 200, "observed": 2}),
    ("messages.create", {**MESSAGE, "to": "+15005550001"}, {**REFUSED, "http_status": 400, "error_code": 21211}),
    ("messages.create", {**MESSAGE, "to": "+15005550004"}, {**REFUSED, "http_status": 400, "error_code": 21610}),
    ("messages.cancel", {"message_sid": The("message")}, {**REFUSED, "http_status": 409, "error_code": 30409}),
    ("numbers.buy", {"area_code": "999"}, {**REFUSED, "http_status": 400, "error_code": 21452}),
    ("recordings.fetch", {"recording_sid": "RE" + "0" * 32}, {**REFUSED, "http_status": 404, "error_code": 20404}),
]  # fmt: skip


async def published(at: Emulated, name: str, says: Fields) -> Fields:
    """The first result that is published, without its time."""
    async with desk(at.twilio) as hands:
        await hands.ask(at.action(name, says))
        await until(lambda: bool(hands.results()))
        return told(hands)


def told(hands: Desk) -> Fields:
    return hands.results()[0].model_dump(exclude_none=True, exclude={"at"}, mode="json")


@pytest.mark.parametrize(("name", "says", "outcome"), OUTCOMES, ids=[f"{n} {o['http_status']}" for n, _, o in OUTCOMES])
async def test_what_came_of_an_action_is_published(name: str, says: Fields, outcome: Fields, fresh: Emulated) -> None:
    assert await published(fresh, name, says) == {**ASKED, "action_type": name, **fresh.fill(outcome)}


async def test_what_a_search_finds_stands_in_the_result(fresh: Emulated) -> None:
    result = await published(fresh, "numbers.search", {"country_code": "US", "contains": The("for sale")})
    [number] = result["resources"]
    assert (result["outcome"], result["observed"]) == ("done", 1)
    assert (number["kind"], number["phone_number"]) == ("available_number", fresh.world.sids["for sale"])


async def test_a_limit_is_waited_out(fresh: Emulated) -> None:
    async with desk(fresh.twilio) as hands:
        with fresh.failing(rate_limited=1):
            await hands.ask(fresh.action("messages.update", {"message_sid": The("message")}))
            await until(lambda: hands.ledger.entries["a-1"].attempts >= 2)
            assert (hands.results(), fresh.the("messages", "message").body) == ([], "Hi")
        await until(lambda: bool(hands.results()))
        result = told(hands)
    assert (result["outcome"], result["http_status"], result["attempts"] >= 2) == ("done", 200, True)
    assert fresh.the("messages", "message").body == ""


async def test_an_answer_that_says_neither_yes_nor_no_leaves_it_unknown(fresh: Emulated) -> None:
    with fresh.failing(server_error=1):
        result = await published(fresh, "messages.create", MESSAGE)
    assert (result["outcome"], result["reason"]) == ("unknown", "server_error")
