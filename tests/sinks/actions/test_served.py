"""Whatever the emulator serves is asked for by an action, or there is a reason why not."""

from collections.abc import Iterator, Mapping
from typing import get_args

import httpx
from pydantic import SecretStr

from deploy.emulator.rest.operations import ABOVE, OPERATIONS, pattern
from processors.contract.actions import MODELS, Action, ListAction
from processors.contract.actions.numbers import Kind
from sinks.settings import Account
from sinks.twilio.client import Twilio
from tests.sinks.actions.emulated import DOOR, PROVIDER, below
from tests.sinks.twilio.conftest import ACCOUNT
from tests.sinks.twilio.samples import action, documents

OF_ANY = "the same is asked of all recordings, whatever they are of"
OF_KIND = "the same is asked of all numbers, whatever their kind"
BY_PEOPLE = "sub-accounts are made, suspended and closed by people"
IN_TWIML = "real-time transcription is asked for in TwiML"
TOLD = "what goes wrong is told by the debugger's webhook, and is in the topic of errors"
KNOWN = "which countries there are, and what they sell, is in the provider's documentation"
EXCLUDED: Mapping[str, str] = {
    "POST Accounts": BY_PEOPLE,
    "POST Accounts/*": BY_PEOPLE,
    "GET AvailablePhoneNumbers": KNOWN,
    "GET AvailablePhoneNumbers/*": KNOWN,
    "GET Calls/*/Events": "what the provider asked of whom during a call: for people who look for a fault",
    "GET Calls/*/Notifications": TOLD,
    "GET Calls/*/Notifications/*": TOLD,
    "GET Notifications": TOLD,
    "GET Notifications/*": TOLD,
    "GET Calls/*/Recordings": OF_ANY,
    "GET Calls/*/Recordings/*": OF_ANY,
    "DELETE Calls/*/Recordings/*": OF_ANY,
    "POST Calls/*/Transcriptions": IN_TWIML,
    "POST Calls/*/Transcriptions/*": IN_TWIML,
    "GET Conferences/*/Recordings/*": OF_ANY,
    "DELETE Conferences/*/Recordings/*": OF_ANY,
    **{f"{method} IncomingPhoneNumbers/{kind}": OF_KIND for kind in ("Local", "Mobile", "TollFree")
       for method in ("GET", "POST")},
    "GET Recordings/*/Transcriptions/*": "the same is asked of all transcriptions, whatever recording they are of",
    "DELETE Recordings/*/Transcriptions/*": "the same",
}  # fmt: skip


def served() -> set[str]:
    return {
        f"{method} {shape}" for table in (ABOVE, OPERATIONS) for shape, methods in table.items() for method in methods
    }


def ways() -> Iterator[Action]:
    """Every action in every way in which it can be said that leads elsewhere."""
    for name in MODELS:
        for document in documents(name):
            kinds = get_args(Kind) if name == "numbers.search" else [None]
            yield from (action(name, document | ({"kind": kind} if kind else {})) for kind in kinds)


async def test_every_operation_that_is_served_is_asked_for_or_has_its_reason() -> None:
    asked = set[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        shape, _ = pattern(below(request.url.path, ACCOUNT))
        asked.add(f"{request.method} {shape}")
        return httpx.Response(404, json={"code": 20404})

    account = Account(sid=ACCOUNT, password=SecretStr("token"), base_url=PROVIDER)
    client = Twilio({ACCOUNT: account}, DOOR, timeout=5, connections=1, transport=httpx.MockTransport(answer))
    for each in ways():
        await (client.page(each) if isinstance(each, ListAction) else client.perform(each))
    await client.stop()
    assert asked <= served(), "the emulator does not serve all that is asked for"
    assert served() - asked == EXCLUDED.keys()
