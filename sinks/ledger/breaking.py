"""The breaker: an account whose requests fail one after another is left alone for a while, then tried with one. Pure.

So a provider that is away costs few unknown outcomes, and a key that is no longer valid few refusals.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sinks.twilio.replies import Lost, NotYet, Refused, Reply

UNAUTHORIZED = (401, 403)
"""https://www.twilio.com/docs/api/errors/20003: nothing would go through with that key."""


@dataclass(slots=True)
class _Account:
    failures: int = 0
    pause: float = 0.0
    closed_until: float = 0.0
    under_way: int = 0


class Breaker:
    """Seconds of a clock; one for all accounts. Opens after `failures` in a row, for `first` seconds, each time twice
    as long as the last up to `most`; a limit of the provider's opens it for as long as it says.
    """

    def __init__(self, *, failures: int = 5, first: float = 5.0, most: float = 300.0) -> None:
        self._failures, self._first, self._most = failures, first, most
        self._accounts: dict[str, _Account] = {}

    def held(self, now: float) -> Mapping[str, int]:
        """Accounts that get so many requests and no more: none while it is open, then one."""
        return {
            sid: 0 if now < account.closed_until or account.under_way else 1
            for sid, account in self._accounts.items()
            if now < account.closed_until or account.failures >= self._failures
        }

    def open(self, now: float) -> int:
        """How many accounts are left alone."""
        return sum(now < account.closed_until for account in self._accounts.values())

    def began(self, account_sid: str) -> None:
        self._accounts.setdefault(account_sid, _Account()).under_way += 1

    def ended(self, account_sid: str, reply: Reply, now: float) -> None:
        account = self._accounts[account_sid]
        account.under_way -= 1
        if isinstance(reply, NotYet) and reply.http_status == 429:
            account.closed_until = max(account.closed_until, now + (reply.retry_after or 0.0))
            return
        if not is_failure(reply):
            account.failures, account.pause = 0, 0.0
            return
        account.failures += 1
        if account.failures >= self._failures and now >= account.closed_until:
            account.pause = min(account.pause * 2 or self._first, self._most)
            account.closed_until = now + account.pause


def is_failure(reply: Reply) -> bool:
    """Whether it says something of the provider or of our key, and not of what was asked for."""
    match reply:
        case NotYet(reason):
            return reason == "no_connection"
        case Refused(http_status):
            return http_status in UNAUTHORIZED
        case _:
            return isinstance(reply, Lost)
