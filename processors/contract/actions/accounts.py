"""Actions on accounts: to look only. https://www.twilio.com/docs/iam/api/account"""

from typing import Literal

from ingest.contract.sids import AccountSid
from processors.contract.actions.action import ActionBase, Line, ListForResult


class FetchAccount(ActionBase):
    """GET /Accounts/{Sid}: the account itself, or the sub-account `sid`. Repeatable."""

    type: Literal["accounts.fetch"] = "accounts.fetch"
    sid: AccountSid | None = None


class ListAccounts(ListForResult):
    """GET /Accounts: the account and its sub-accounts. Repeatable."""

    type: Literal["accounts.list"] = "accounts.list"
    friendly_name: Line | None = None
    status: Literal["active", "suspended", "closed"] | None = None


class FetchBalance(ActionBase):
    """GET /Balance: what is left to spend. Repeatable."""

    type: Literal["accounts.balance"] = "accounts.balance"


AccountsAction = FetchAccount | ListAccounts | FetchBalance
