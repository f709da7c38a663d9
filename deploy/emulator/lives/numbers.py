"""Numbers: bought from the inventory, given back; and other people's, verified by a call to them.

Whoever answers the verification call types in the code, and the number becomes a caller ID
(https://www.twilio.com/docs/voice/api/outgoing-caller-ids); where nobody answers it does not.
"""

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from deploy.emulator.account import Account
from deploy.emulator.callbacks.parameters import voice_request
from deploy.emulator.chance import draw
from deploy.emulator.forms import Form
from deploy.emulator.lives import calls
from deploy.emulator.lives.inventory import Available, everywhere
from deploy.emulator.lives.tables import CALL_FINAL
from deploy.emulator.resources import Call, CallerId, Number, Params, Target

VERIFIER = "+14157234000"  # whom the provider calls as
TEST_NUMBER = "+15005550006"  # the provider's own
VERIFYING_SECONDS = (5.0, 15.0)


def taken(account: Account) -> frozenset[str]:
    return frozenset(each.phone_number for each in account.numbers.values() if not each.deleted)


def offers(account: Account) -> list[Available]:
    """Whatever is for sale anywhere; the provider's test number always is, once."""
    stocked, sold = everywhere(account.seed), taken(account)
    tested = replace(stocked[0], phone_number=TEST_NUMBER)
    return [each for each in (*stocked, tested) if each.phone_number not in sold]


def buy(account: Account, offered: Available, name: str, settings: Params, now: datetime) -> Number:
    sid, index = account.mint("PN")
    number = Number(
        sid,
        index,
        account.sid,
        offered.phone_number,
        offered.kind,
        offered.address_requirements,
        offered.capabilities,
        offered.beta,
        name or offered.friendly_name,
        settings,
        now,
        now,
    )
    account.numbers[sid] = number
    return number


def verify(account: Account, phone_number: str, name: str, target: Target | None, now: datetime) -> tuple[Call, str]:
    """The call that asks for the code, and the code."""
    form = Form(urlencode({"To": phone_number, "From": VERIFIER}))
    call = calls.dial(account, form, now, VERIFYING_SECONDS)

    def follow(account: Account, call: Call, now: datetime) -> None:
        if call.status in CALL_FINAL:
            _verified(account, call, name, target, now)

    call.follower = follow
    code = draw(account.seed, "validation", call.index).randrange(1_000_000)
    return call, f"{code:06}"


def _verified(account: Account, call: Call, name: str, target: Target | None, now: datetime) -> None:
    told: Params = {"VerificationStatus": "failed"}
    if call.status == "completed":
        sid, index = account.mint("PN")
        account.caller_ids[sid] = CallerId(sid, index, call.to, name, now, now)
        told = {"VerificationStatus": "success", "OutgoingCallerIdSid": sid}
    if target:
        params = {**voice_request(account, call), **told}
        account.say("caller-id-status", call.sid, told["VerificationStatus"], target, params)
