"""Who may ask over HTTP, and what is answered where there is nothing to be asked."""

import base64
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from deploy.emulator.app import create_app
from deploy.emulator.rest.operations import ROOT
from tests.deploy.emulator.conftest import ACCOUNT, TOKEN
from tests.deploy.emulator.inhabited import Inhabited, inhabited

KEY, SECRET = "SK" + "5" * 32, "the-secret-of-a-key"
OURS = f"{ROOT}/Accounts/{ACCOUNT}"


@pytest.fixture
async def world() -> Inhabited:
    return await inhabited()


@pytest.fixture
async def http(world: Inhabited) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.exchange, {KEY: SECRET}))
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
        yield client


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


REFUSED: Mapping[str, str] = {
    "nobody": "",
    "a wrong token": basic(ACCOUNT, TOKEN[:-1]),
    "no token": basic(ACCOUNT, ""),
    "another account": basic("AC" + "0" * 32, TOKEN),
    "a key with the account's token": basic(KEY, TOKEN),
    "an unknown key": basic("SK" + "0" * 32, SECRET),
    "another scheme": "Bearer " + basic(ACCOUNT, TOKEN).removeprefix("Basic "),
    "no base64": "Basic !!!",
    "no text": "Basic " + base64.b64encode(b"\xff\xfe:").decode(),
}


@pytest.mark.parametrize("who", REFUSED)
async def test_who_is_not_known_is_not_answered(who: str, http: httpx.AsyncClient) -> None:
    for path in (f"{OURS}/Messages.json", f"{ROOT}/Accounts.json", f"{ROOT}/Nothing.json", "/emulator/truth"):
        answer = await http.get(path, headers={"Authorization": REFUSED[who]} if REFUSED[who] else {})
        assert (answer.status_code, answer.json()["code"]) == (401, 20003)
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("who", [(ACCOUNT, TOKEN), (KEY, SECRET)])
async def test_the_account_and_its_api_keys_are_answered(who: tuple[str, str], http: httpx.AsyncClient) -> None:
    for path in (f"{OURS}/Messages.json", f"{ROOT}/Accounts.json", f"{OURS}.json"):
        assert (await http.get(path, auth=who)).status_code == 200


async def test_a_sub_account_is_answered_about_itself_while_it_is_active(
    world: Inhabited, http: httpx.AsyncClient
) -> None:
    sid = world.sids["sub-account"]
    itself = f"{ROOT}/Accounts/{sid}.json"
    who = (sid, str((await http.get(itself, auth=(ACCOUNT, TOKEN))).json()["auth_token"]))
    assert (await http.get(itself, auth=who)).json()["sid"] == sid
    for others in (f"{OURS}.json", f"{OURS}/Messages.json", f"{ROOT}/Accounts.json", "/emulator/truth"):
        assert (await http.get(others, auth=who)).status_code == 401
    await http.post(itself, auth=(ACCOUNT, TOKEN), data={"Status": "suspended"})
    assert (await http.get(itself, auth=who)).status_code == 401


NOTHING: Mapping[str, tuple[str, str, int]] = {
    "no collection": ("GET", f"{OURS}/Nothing.json", 404),
    "below the root": ("GET", f"{ROOT}/Messages.json", 404),
    "accounts below an account": ("GET", f"{OURS}/Accounts.json", 404),
    "another account's": ("GET", f"{ROOT}/Accounts/AC{'0' * 32}/Messages.json", 404),
    "another account": ("GET", f"{ROOT}/Accounts/AC{'0' * 32}.json", 404),
    "too deep": ("GET", f"{OURS}/Messages/SM{'0' * 32}/Media/ME{'0' * 32}/More.json", 404),
    "another method": ("PUT", f"{OURS}/Messages.json", 405),
    "a method that nothing has": ("PATCH", f"{OURS}/Balance.json", 405),
    "what is not deleted": ("DELETE", f"{OURS}.json", 405),
}


@pytest.mark.parametrize("what", NOTHING)
async def test_what_cannot_be_asked_is_refused_in_the_provider_s_form(what: str, http: httpx.AsyncClient) -> None:
    method, path, status = NOTHING[what]
    answer = await http.request(method, path, auth=(ACCOUNT, TOKEN))
    code = {404: 20404, 405: 20004}[status]
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
