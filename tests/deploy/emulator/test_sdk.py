"""The official SDK performs every operation of the table, and gets the objects, dates, enums and errors it expects."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from tests.deploy.emulator.cases import CASES
from tests.deploy.emulator.conftest import SENDER
from tests.deploy.emulator.inhabited import PICTURE, TALK, inhabited
from tests.deploy.emulator.sdk_runs import PAUSED, RUNS, SOMEBODY

DATES = ("date_created", "date_updated", "date_sent", "message_date", "start_time", "end_time")


def is_as(value: object, expected: object, sids: Mapping[str, str]) -> bool:
    if isinstance(expected, re.Pattern):
        return isinstance(value, str) and bool(expected.fullmatch(value))
    if isinstance(expected, str) and expected.startswith("@"):
        return value == sids[expected[1:]]
    return value is None if expected is None else str(value) == str(expected)


def test_the_sdk_runs_every_operation() -> None:
    assert set(RUNS) == set(CASES)


@pytest.mark.parametrize("operation", RUNS)
async def test_the_sdk_understands_what_an_operation_answers(operation: str) -> None:
    world = await inhabited()
    sdk, wire = world.sdk()
    run = RUNS[operation]
    result = run.do(sdk, world.sids, world)
    method, template = operation.split(" ")
    asked = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)) + r"\Z"
    assert [(verb, bool(re.match(asked, path))) for verb, path in wire.asked] == [(method, True)]
    if method == "DELETE":
        assert result is True
        return
    assert result != [], "nothing was shown"
    for shown in result if isinstance(result, list) else [result]:
        assert type(shown).__name__ == run.shows
        dates = [value for name in DATES if isinstance(value := getattr(shown, name, None), datetime | str)]
        assert all(isinstance(date, datetime) and date.tzinfo for date in dates), dates
        found = {name: getattr(shown, name) for name in run.expected}
        differs = {name: each for name, each in found.items() if not is_as(each, run.expected[name], world.sids)}
        assert differs == {}


REFUSED: Mapping[str, tuple[Callable[[Client, Mapping[str, str]], Any], int, int]] = {
    "a message to nobody": (lambda sdk, sids: sdk.messages.create(to="Ada", from_=SENDER, body="a"), 400, 21211),
    "a message that cannot be canceled": (
        lambda sdk, sids: sdk.messages(sids["message"]).update(status="canceled"), 409, 30409,
    ),
    "feedback of another kind": (
        lambda sdk, sids: sdk.messages(sids["message"]).feedback.create(outcome="great"), 400, 20001,
    ),
    "a file of another message": (
        lambda sdk, sids: sdk.messages(str(sdk.messages.create(to=SOMEBODY, from_=SENDER, body="a").sid))
        .media(sids["media"])
        .fetch(),
        404, 20404,
    ),
    "a call from nobody": (lambda sdk, sids: sdk.calls.create(to=SOMEBODY, from_="", twiml=TALK), 400, 21213),
    "a call that is over": (lambda sdk, sids: sdk.calls(sids["ended call"]).update(status="completed"), 400, 21220),
    "a recording that is over": (
        lambda sdk, sids: sdk.calls(sids["ended call"]).recordings(sids["recording of ended call"]).update(PAUSED),
        400, 21220,
    ),
    "a recording of another call": (
        lambda sdk, sids: sdk.calls(sids["talking"]).recordings(sids["recording of ended call"]).fetch(), 404, 20404,
    ),
    "a recording that goes on": (lambda sdk, sids: sdk.recordings(sids["recording of talking"]).delete(), 409, 20009),
    "words of a call that is over": (
        lambda sdk, sids: sdk.calls(sids["ended call"]).transcriptions.create(), 400, 21220,
    ),
    "the provider's number that is not for sale": (
        lambda sdk, sids: sdk.incoming_phone_numbers.create(phone_number="+15005550000"), 400, 21422,
    ),
    "the provider's number that is none": (
        lambda sdk, sids: sdk.incoming_phone_numbers.create(phone_number="+15005550001"), 400, 21421,
    ),
    "the beginning of a number that is for sale": (
        lambda sdk, sids: sdk.incoming_phone_numbers.create(phone_number="+1212555"), 400, 21422,
    ),
    "an area without numbers": (lambda sdk, sids: sdk.incoming_phone_numbers.create(area_code="533"), 400, 21452),
    "an area that is none": (lambda sdk, sids: sdk.incoming_phone_numbers.create(area_code="99"), 400, 21451),
    "a number of another kind": (
        lambda sdk, sids: sdk.incoming_phone_numbers.mobile.create(phone_number="+15005550006"), 400, 21422,
    ),
    "a fallback of nothing": (
        lambda sdk, sids: sdk.incoming_phone_numbers(sids["number"]).update(voice_fallback_url=PICTURE), 400, 21405,
    ),
    "an address that is none": (
        lambda sdk, sids: sdk.incoming_phone_numbers(sids["number"]).update(sms_url="ftp://example.com"), 400, 21402,
    ),
    "a method that is none": (
        lambda sdk, sids: sdk.incoming_phone_numbers(sids["number"]).update(sms_method="HEAD"), 400, 21403,
    ),
    "a caller ID that is none": (lambda sdk, sids: sdk.validation_requests.create(phone_number="12"), 400, 21401),
    "a caller ID twice": (lambda sdk, sids: sdk.validation_requests.create(phone_number="+15559000013"), 400, 21450),
    "our own account": (lambda sdk, sids: sdk.api.accounts(sids["account"]).update(status="closed"), 400, 20001),
    "a country without numbers": (lambda sdk, sids: sdk.available_phone_numbers("AQ").fetch(), 404, 20404),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
async def test_the_sdk_raises_what_is_refused(what: str) -> None:
    world = await inhabited()
    do, status, code = REFUSED[what]
    with pytest.raises(TwilioRestException) as refused:
        do(world.sdk()[0], world.sids)
    assert (refused.value.status, refused.value.code) == (status, code)


async def test_a_list_that_is_refused_is_raised_without_a_status() -> None:
    sdk, _ = (await inhabited()).sdk()
    with pytest.raises(TwilioException, match="20404"):
        sdk.available_phone_numbers("US").mobile.list()
