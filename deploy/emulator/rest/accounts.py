"""The account and its sub-accounts: read, listed, made, renamed, suspended, closed; and what is left to spend.

A sub-account exists, has a token of its own and may own numbers; messages and calls of its own it has none.
https://www.twilio.com/docs/iam/api/account
"""

from datetime import UTC, datetime
from decimal import Decimal

from deploy.emulator.account import Account
from deploy.emulator.chance import draw
from deploy.emulator.errors import Reply, refusal
from deploy.emulator.forms import Request
from deploy.emulator.resources import SubAccount
from deploy.emulator.rest import assets, representations
from deploy.emulator.rest.finding import existing
from deploy.emulator.rest.pages import equal, page

OPENED = datetime(2020, 1, 1, tzinfo=UTC)
STATUSES = ("active", "suspended", "closed")
PAID_IN, NUMBER_PRICE = Decimal("1000.00"), Decimal("1.15")


def create(account: Account, request: Request, now: datetime) -> Reply:
    sid, index = account.mint("AC")
    token = f"{draw(account.seed, 'token', index).getrandbits(128):032x}"
    name = request.form.get("FriendlyName") or f"SubAccount Created at {now:%Y-%m-%d %H:%M}"
    account.subaccounts[sid] = made = SubAccount(sid, index, name, token, now, now)
    return Reply(201, assets.account(account, made))


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    def keep(shown: SubAccount) -> bool:
        return equal(request.query, "FriendlyName", shown.friendly_name) and equal(
            request.query, "Status", shown.status
        )

    everyone = [_own(account), *(each for each in account.subaccounts.values() if each.sid != account.sid)]
    return page(account, request, "accounts", everyone, keep, assets.account)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, assets.account(account, _find(account, request)))


def update(account: Account, request: Request, now: datetime) -> Reply:
    """Rename it, or suspend, reopen or close a sub-account; a closed one stays so."""
    found, form = _find(account, request), request.form
    status = form.get("Status", found.status)
    if status not in STATUSES or (status != found.status and (found.sid == account.sid or found.status == "closed")):
        return refusal(20001, "Status")
    found.friendly_name = form.get("FriendlyName", found.friendly_name)
    found.status, found.date_updated = status, now
    return Reply(200, assets.account(account, found))


def balance(account: Account, request: Request, now: datetime) -> Reply:
    """What was paid in, less the prices that messages, calls, recordings and numbers show."""
    prices = [
        *(representations.message(account, each)["price"] for each in account.messages.values()),
        *(representations.call(account, each)["price"] for each in account.calls.values()),
        *(representations.recording(account, each)["price"] for each in account.recordings.values()),
    ]
    spent = sum((Decimal(price) for price in prices if price), Decimal(0))
    left = PAID_IN + spent - NUMBER_PRICE * len(account.numbers)
    return Reply(200, {"account_sid": account.sid, "balance": f"{left:.3f}", "currency": "USD"})


def _own(account: Account) -> SubAccount:
    """Ours: made when it is first asked for. Its token is not shown: who asks has it."""
    return account.subaccounts.setdefault(
        account.sid, SubAccount(account.sid, 0, "Emulated account", None, OPENED, OPENED)
    )


def _find(account: Account, request: Request) -> SubAccount:
    sid = request.ids[0]
    return existing(_own(account) if sid == account.sid else account.subaccounts.get(sid))
