"""Numbers and accounts have consequences: a verification calls somebody, a moved number is gone, money is spent."""

from decimal import Decimal

import pytest

from deploy.emulator.rest.operations import ROOT
from tests.deploy.emulator.conftest import ACCOUNT, Json
from tests.deploy.emulator.inhabited import Inhabited, inhabited, offered
from tests.deploy.emulator.virtual import URL, World

OURS = f"{ROOT}/Accounts/{ACCOUNT}"
ANSWERS, BUSY = "+15005570000", "+15005570001"


@pytest.fixture
async def world() -> Inhabited:
    return await inhabited()


def shown(world: Inhabited, path: str) -> Json:
    reply = world.ask("GET", f"{OURS}/{path}.json")
    assert reply.body is not None
    return reply.body


@pytest.mark.parametrize(("number", "status", "names"), [(ANSWERS, "success", ["Ada"]), (BUSY, "failed", [])])
async def test_a_number_is_verified_by_who_answers_the_call(number: str, status: str, names: list[str]) -> None:
    world = World()
    asked = world.post("OutgoingCallerIds", PhoneNumber=number, FriendlyName="Ada", StatusCallback=URL)
    assert not world.account.caller_ids, "the call has not been answered"
    await world.exchange.move()
    assert [each.friendly_name for each in world.account.caller_ids.values()] == names
    [told] = world.requests
    assert f"VerificationStatus={status}" in told.body.decode()
    assert f"CallSid={asked['call_sid']}" in told.body.decode()
    assert ("OutgoingCallerIdSid=PN" in told.body.decode()) is bool(names)


async def test_a_number_that_moves_to_a_sub_account_is_not_ours_any_more(world: Inhabited) -> None:
    sid, below = world.sids["number"], world.sids["sub-account"]
    moved = world.ask("POST", f"{OURS}/IncomingPhoneNumbers/{sid}.json", form={"AccountSid": below})
    assert moved.body is not None
    assert moved.body["account_sid"] == below
    assert sid not in {each["sid"] for each in shown(world, "IncomingPhoneNumbers")["incoming_phone_numbers"]}
    assert world.ask("GET", f"{OURS}/IncomingPhoneNumbers/{sid}.json").status == 404
    nobody = {"AccountSid": "AC" + "0" * 32}
    assert world.ask("POST", f"{OURS}/IncomingPhoneNumbers/{world.sids['mobile']}.json", form=nobody).status == 400


async def test_a_setting_that_is_emptied_is_unset_and_the_others_stay(world: Inhabited) -> None:
    path = f"IncomingPhoneNumbers/{world.sids['number']}"
    world.make(path, SmsUrl=URL, VoiceUrl=URL, VoiceFallbackUrl=URL)
    world.make(path, SmsUrl="")
    configured = shown(world, path)
    assert (configured["sms_url"], configured["voice_url"], configured["voice_fallback_url"]) == ("", URL, URL)
    refused = world.ask("POST", f"{OURS}/{path}.json", form={"VoiceUrl": ""})
    assert refused.body is not None
    assert refused.body["code"] == 21405, "its fallback is still there"


async def test_what_is_bought_and_sent_is_paid_for(world: Inhabited) -> None:
    before = Decimal(shown(world, "Balance")["balance"])
    world.make("IncomingPhoneNumbers", PhoneNumber=offered(world))
    assert before - Decimal(shown(world, "Balance")["balance"]) == Decimal("1.15")
    world.make("Messages", To="+15005560000", From="+15005550006", Body="a")
    await world.exchange.move(60)
    assert before - Decimal(shown(world, "Balance")["balance"]) > Decimal("1.15")


async def test_a_number_is_bought_once(world: Inhabited) -> None:
    wanted = offered(world)
    first, second = (
        world.ask("POST", f"{OURS}/IncomingPhoneNumbers.json", form={"PhoneNumber": wanted}) for _ in range(2)
    )
    assert first.status == 201
    assert second.body is not None
    assert (second.status, second.body["code"]) == (400, 21422)


async def test_the_provider_s_test_number_is_for_sale_by_itself_and_by_its_area(world: Inhabited) -> None:
    bought = world.make("IncomingPhoneNumbers", AreaCode="500")
    assert bought["phone_number"] == "+15005550006"
    assert world.ask("DELETE", f"{OURS}/IncomingPhoneNumbers/{bought['sid']}.json").status == 204
    assert world.make("IncomingPhoneNumbers", PhoneNumber="+15005550006")["sid"] != bought["sid"]


async def test_the_inventory_is_drawn_from_the_seed() -> None:
    same, again, other = (Inhabited(World(seed=seed).exchange) for seed in (7, 7, 8))
    assert offered(same) == offered(again)
    assert [offered(same, at=at) for at in range(5)] != [offered(other, at=at) for at in range(5)]


async def test_a_closed_sub_account_stays_closed(world: Inhabited) -> None:
    path = f"{ROOT}/Accounts/{world.sids['sub-account']}.json"
    assert world.ask("POST", path, form={"Status": "closed"}).status == 200
    assert world.ask("POST", path, form={"Status": "active"}).status == 400
