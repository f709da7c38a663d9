"""Verified caller IDs over REST: asked for, read, listed, renamed, given up.

https://www.twilio.com/docs/voice/api/outgoing-caller-ids
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, is_e164, is_url, refusal
from deploy.emulator.forms import Request
from deploy.emulator.lives.numbers import verify
from deploy.emulator.resources import CallerId
from deploy.emulator.rest import assets
from deploy.emulator.rest.finding import existing
from deploy.emulator.rest.pages import equal, page

LONGEST_DELAY = 60  # seconds


def create(account: Account, request: Request, now: datetime) -> Reply:
    """Calls the number and answers the code to type in: a caller ID comes of it only when that is done."""
    form = request.form
    phone_number = form.get("PhoneNumber")
    if not is_e164(phone_number):
        return refusal(21401, phone_number)
    if any(each.phone_number == phone_number and not each.deleted for each in account.caller_ids.values()):
        return refusal(21450)
    if form.get("CallDelay") and form.number("CallDelay", -1) not in range(LONGEST_DELAY + 1):
        return refusal(20001, "CallDelay")
    if form.get("StatusCallback") and not is_url(form.get("StatusCallback")):
        return refusal(21609, form.get("StatusCallback"))
    name = form.get("FriendlyName") or phone_number
    call, code = verify(account, phone_number, name, form.target("StatusCallback"), now)
    return Reply(200, assets.validation(account, call, name, code))


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    def keep(caller_id: CallerId) -> bool:
        return equal(request.query, "PhoneNumber", caller_id.phone_number) and equal(
            request.query, "FriendlyName", caller_id.friendly_name
        )

    caller_ids = account.caller_ids.values()
    return page(account, request, "outgoing_caller_ids", caller_ids, keep, assets.caller_id)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, assets.caller_id(account, _find(account, request)))


def update(account: Account, request: Request, now: datetime) -> Reply:
    found = _find(account, request)
    found.friendly_name, found.date_updated = request.form.get("FriendlyName", found.friendly_name), now
    return Reply(200, assets.caller_id(account, found))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    _find(account, request).deleted = True
    return Reply(204)


def _find(account: Account, request: Request) -> CallerId:
    return existing(account.caller_ids.get(request.ids[0]))
