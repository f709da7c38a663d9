"""Every filter of every list of the provider's OpenAPI file leaves out what it says, and nothing else."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from deploy.emulator.lives.inventory import stock
from deploy.emulator.rest.operations import ROOT
from deploy.emulator.rest.pages import PAGING
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, Json
from tests.deploy.emulator.inhabited import TEAM, Inhabited, inhabited
from tests.deploy.emulator.test_operations import OPERATIONS

SALE = "AvailablePhoneNumbers/US/Local"
FIRST_DAY, NEXT_DAY = "2026-01-01", "2026-01-02"
AT_NOON, BEFORE = "2026-01-01T12:00:00Z", "2025-12-31T12:00:00Z"
NEAR_OAKLAND = "37.8,-122.3"


class Row(NamedTuple):
    """A list, a query, and which of what it shows without that it shows with it."""

    of: str
    query: Mapping[str, str]
    keeps: Callable[[Json], bool]


def is_(name: str, *values: object) -> Callable[[Json], bool]:
    return lambda shown: shown[name] in values


def can(ability: str, able: bool) -> Callable[[Json], bool]:
    return lambda shown: shown["capabilities"][ability] is able


def everything(shown: Json) -> bool:
    return True


def nothing(shown: Json) -> bool:
    return False


def dated(of: str, name: str) -> list[Row]:
    """All is of the first day."""
    return [
        Row(of, {name: FIRST_DAY}, everything),
        Row(of, {name: NEXT_DAY}, nothing),
        Row(of, {f"{name}<": AT_NOON}, everything),
        Row(of, {f"{name}<": BEFORE}, nothing),
        Row(of, {f"{name}>": BEFORE}, everything),
        Row(of, {f"{name}>": AT_NOON}, nothing),
    ]


def compared(of: str, name: str, shown: str, *values: str) -> list[Row]:
    return [Row(of, {name: value}, is_(shown, value)) for value in values]


def numbers(of: str) -> list[Row]:
    return [
        *compared(of, "FriendlyName", "friendly_name", TEAM, "Nobody"),
        Row(of, {"Origin": "twilio"}, everything),
        Row(of, {"Origin": "hosted"}, nothing),
        Row(of, {"PhoneNumber": "555"}, lambda shown: "555" in shown["phone_number"]),
        Row(of, {"PhoneNumber": "+*******"}, everything),
        Row(of, {"PhoneNumber": "+99"}, nothing),
        Row(of, {"Beta": "false"}, is_("beta", False)),
        Row(of, {"Beta": "true"}, everything),
    ]


def has_ended(shown: Json) -> bool:
    return shown["end_time"] is not None


ROWS: list[Row] = [
    *compared("", "FriendlyName", "friendly_name", "Below", "Nobody"),
    *compared("", "Status", "status", "active", "closed"),
    *compared("Messages", "To", "to", "+15559000010", "+15550000000"),
    *compared("Messages", "From", "from", SENDER, "+15550000000"),
    *dated("Messages", "DateSent"),
    *dated("Messages/@message/Media", "DateCreated"),
    *compared("Calls", "To", "to", "+15559000011", "+15550000000"),
    *compared("Calls", "From", "from", SENDER, "+15550000000"),
    *compared("Calls", "Status", "status", "completed", "in-progress", "busy"),
    Row("Calls", {"ParentCallSid": "@dialing"}, is_("to", "+15559000019")),
    *dated("Calls", "StartTime"),
    Row("Calls", {"EndTime": FIRST_DAY}, has_ended),
    Row("Calls", {"EndTime<": AT_NOON}, has_ended),
    Row("Calls", {"EndTime>": BEFORE}, has_ended),
    Row("Calls", {"EndTime>": AT_NOON}, nothing),
    *dated("Calls/@ended call/Recordings", "DateCreated"),
    *(
        row
        for of in ("Notifications", "Calls/@ended call/Notifications")
        for row in (*compared(of, "Log", "log", "0", "1"), *dated(of, "MessageDate"))
    ),
    *dated("Conferences", "DateCreated"),
    *dated("Conferences", "DateUpdated"),
    *compared("Conferences", "FriendlyName", "friendly_name", "today", "tomorrow"),
    *compared("Conferences", "Status", "status", "in-progress", "completed", "init"),
    *dated("Conferences/@meeting/Recordings", "DateCreated"),
    Row("Conferences/@meeting/Participants", {"Muted": "true"}, is_("muted", True)),
    Row("Conferences/@meeting/Participants", {"Muted": "false"}, is_("muted", False)),
    Row("Conferences/@meeting/Participants", {"Hold": "true"}, is_("hold", True)),
    Row("Conferences/@meeting/Participants", {"Hold": "false"}, is_("hold", False)),
    Row("Conferences/@meeting/Participants", {"Coaching": "true"}, is_("coaching", True)),
    Row("Conferences/@meeting/Participants", {"Coaching": "false"}, is_("coaching", False)),
    *dated("Recordings", "DateCreated"),
    Row(
        "Recordings",
        {"CallSid": "@talking"},
        lambda shown: shown["call_sid"] is not None and shown["status"] != "completed",
    ),
    Row("Recordings", {"ConferenceSid": "@meeting"}, lambda shown: shown["conference_sid"] and not shown["duration"]),
    *(row for kind in ("", "/Local", "/Mobile", "/TollFree") for row in numbers(f"IncomingPhoneNumbers{kind}")),
    *compared("OutgoingCallerIds", "PhoneNumber", "phone_number", "+15559000013", "+15550000000"),
    *compared("OutgoingCallerIds", "FriendlyName", "friendly_name", "Cell", "Nobody"),
    Row(SALE, {"AreaCode": "415"}, is_("locality", "San Francisco")),
    Row(SALE, {"AreaCode": "999"}, nothing),
    Row(SALE, {"Contains": "510555****"}, is_("locality", "Oakland")),
    Row(SALE, {"Contains": "+1808"}, is_("locality", "Hilo")),
    Row(SALE, {"Contains": "HILO"}, lambda shown: "4456" in shown["phone_number"]),
    *(
        Row(SALE, {f"{ability.title()}Enabled": str(able).lower()}, can(ability, able))
        for ability in ("voice", "sms", "mms", "fax")
        for able in (True, False)
    ),
    Row("AvailablePhoneNumbers/GB/Local", {"ExcludeAllAddressRequired": "true"}, nothing),
    Row("AvailablePhoneNumbers/GB/Local", {"ExcludeLocalAddressRequired": "true"}, everything),
    Row("AvailablePhoneNumbers/AU/Local", {"ExcludeLocalAddressRequired": "true"}, nothing),
    Row("AvailablePhoneNumbers/FR/Local", {"ExcludeForeignAddressRequired": "true"}, nothing),
    *(Row(SALE, {f"Exclude{which}AddressRequired": "true"}, everything) for which in ("All", "Local", "Foreign")),
    Row(SALE, {"Beta": "false"}, is_("beta", False)),
    Row(SALE, {"NearLatLong": NEAR_OAKLAND}, is_("locality", "Oakland", "San Francisco")),
    Row(SALE, {"NearLatLong": NEAR_OAKLAND, "Distance": "3"}, is_("locality", "Oakland")),
    Row(
        SALE,
        {"NearNumber": "+15105550000", "Distance": "500"},
        is_("locality", "Oakland", "San Francisco", "Los Angeles"),
    ),
    Row(SALE, {"NearNumber": "+442079460000"}, nothing),
    *compared(SALE, "InPostalCode", "postal_code", "94612", "00000"),
    *compared(SALE, "InRegion", "region", "CA", "TX"),
    *compared(SALE, "InRateCenter", "rate_center", "HILO", "NOWHERE"),
    *compared(SALE, "InLata", "lata", "722", "000"),
    *compared(SALE, "InLocality", "locality", "Chicago", "Springfield"),
]
# What no row can show, and where it is shown.
ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("Recordings", "IncludeSoftDeleted"): "it adds to what is listed: test_lists.py",
}


def template(of: str) -> str:
    """The operation of a row, as the file names it."""
    path = re.sub("/[A-Z]{2}/", "/{CountryCode}/", of)
    for thing, name in (("@message", "MessageSid"), ("@ended call", "CallSid"), ("@meeting", "ConferenceSid")):
        path = path.replace(thing, f"{{{name}}}")
    return f"GET {ROOT}/Accounts/{{AccountSid}}/{path}.json" if path else f"GET {ROOT}/Accounts.json"


def test_every_filter_of_the_file_has_its_rows() -> None:
    shown = {(template(row.of), name) for row in ROWS for name in row.query}
    shown |= {(template(of), name) for of, name in ELSEWHERE}
    local = OPERATIONS[template(SALE)]["query"]
    for operation, facts in OPERATIONS.items():
        if "/AvailablePhoneNumbers/{CountryCode}/" in operation:
            assert facts["query"] == local, "all kinds are searched alike"
        elif "PageSize" in facts.get("query", {}):
            assert {(operation, name) for name in facts["query"] if name not in PAGING} <= shown
    assert {name for name in local if name not in PAGING} <= {
        name for row in ROWS for name in row.query if row.of == SALE or "Available" in row.of
    }


@pytest.fixture
async def world() -> Inhabited:
    """With a participant on hold, muted and coached, numbers that are new to the provider, and a call dialed on."""
    world = await inhabited()
    for country, kind in (("US", "Local"), ("GB", "Mobile"), ("US", "TollFree")):
        new = next(each for each in stock(1, country, kind) if each.beta)
        world.make("IncomingPhoneNumbers", PhoneNumber=new.phone_number, FriendlyName="New")
    dialing = "<Response><Dial>+15559000019</Dial></Response>"
    world.sids["dialing"] = str(world.make("Calls", To="+15559000018", From=SENDER, Twiml=dialing)["sid"])
    await world.exchange.move(30)
    person = f"Conferences/{world.sids['meeting']}/Participants/{world.sids['person']}"
    world.make(person, Muted="true", Hold="true", Coaching="true")
    return world


def listed(world: Inhabited, of: str, query: Mapping[str, str]) -> list[Any]:
    for name, sid in world.sids.items():
        of = of.replace(f"@{name}", sid)
    asked = {name: world.sids[value[1:]] if value.startswith("@") else value for name, value in query.items()}
    path = f"{ROOT}/Accounts/{ACCOUNT}/{of}.json" if of else f"{ROOT}/Accounts.json"
    reply = world.ask("GET", path, {**asked, "PageSize": "1000"})
    assert reply.body is not None
    assert reply.status == 200, reply.body
    [items] = (value for value in reply.body.values() if isinstance(value, list))
    return list(items)


async def test_a_filter_leaves_out_what_it_says(world: Inhabited) -> None:
    keeping, leaving = set(), set()
    for row in ROWS:
        unfiltered = listed(world, row.of, {})
        kept = listed(world, row.of, row.query)
        assert kept == [each for each in unfiltered if row.keeps(each)], row
        names = {(template(row.of), name) for name in row.query}
        keeping |= names if kept else set()
        leaving |= names if len(kept) < len(unfiltered) else set()
    assert keeping ^ leaving == set(), "each filter is seen to keep something and to leave something out"


async def test_a_filter_that_is_not_one_is_refused(world: Inhabited) -> None:
    for query, code in (
        ({"AreaCode": "4x5"}, 21451),
        ({"Contains": "!"}, 20001),
        ({"NearLatLong": "here"}, 20001),
        ({"Distance": "501"}, 20001),
    ):
        reply = world.ask("GET", f"{ROOT}/Accounts/{ACCOUNT}/{SALE}.json", query)
        assert (reply.status, reply.body and reply.body["code"]) == (400, code), query


async def test_pages_of_numbers_for_sale_hold_each_of_them_once(world: Inhabited) -> None:
    whole = [each["phone_number"] for each in listed(world, SALE, {})]
    seen: list[str] = []
    following: str | None = f"{ROOT}/Accounts/{ACCOUNT}/{SALE}.json?PageSize=50"
    while following:
        reply = world.ask("GET", following)
        assert reply.body is not None
        seen += [each["phone_number"] for each in reply.body["available_phone_numbers"]]
        following = reply.body["next_page_uri"]
    assert seen == whole
    assert len(seen) == len(set(seen)) > 100


async def test_what_is_bought_is_not_for_sale_until_it_is_released(world: Inhabited) -> None:
    number = world.exchange.account.numbers[world.sids["number"]]
    asked = {"Contains": number.phone_number}
    assert listed(world, SALE, asked) == []
    world.ask("DELETE", f"{ROOT}/Accounts/{ACCOUNT}/IncomingPhoneNumbers/{number.sid}.json")
    [shown] = listed(world, SALE, asked)
    assert shown["phone_number"] == number.phone_number
