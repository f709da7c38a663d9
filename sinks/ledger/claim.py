"""A claim: that an action is one performer's while its lease lasts, for what takes longer than one request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sinks.ledger.entries import Entry
from sinks.ledger.port import Ledger, LedgerUnavailable
from sinks.twilio.replies import Reply

RENEWED_AT = 0.75
"""Of a lease, what may be left of it when it is made to last: a file of many parts does not write for each of them."""

LONGEST = 4 * 3600.0
"""Seconds of one attempt, however little comes of it."""


class Claim:
    """Of one entry, as it was claimed. `lease` is seconds, `clock` those since 1970; `pause` waits before a try."""

    def __init__(
        self,
        ledger: Ledger,
        entry: Entry,
        lease: float,
        clock: Callable[[], float],
        pause: Callable[[int], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._entry = entry
        self._lease = lease
        self._clock = clock
        self._until = entry.leased_until
        self._end = clock() + LONGEST
        self.pause = pause

    @property
    def attempts(self) -> int:
        return self._entry.attempts

    async def kept(self, seconds: float = 0.0) -> bool:
        """Whether it still is ours. If that is for less than so many seconds, or much of it is over, it is made to last
        as long as at first. Once it is not, somebody else may have begun: nothing more may be asked for or written."""
        now = self._clock()
        if now >= min(self._until, self._end):
            return False
        if self._until - now <= max(seconds, self._lease * RENEWED_AT):
            with contextlib.suppress(LedgerUnavailable):  # what is left of it may be enough
                is_ours = await self._ledger.renew(self._entry.action.id, self._entry.fence, now + self._lease)
                self._until = now + self._lease if is_ours else 0.0  # by another's clock it was over before
        return self._clock() < self._until

    @contextlib.asynccontextmanager
    async def lasting(self) -> AsyncIterator[None]:
        """While it is worked on, also where nobody gets to ask: a store may take its time for what it has. A process
        that stands still does not renew it either."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self) -> None:
        while True:
            if not await self.kept():
                return
            await asyncio.sleep(self._lease * (1 - RENEWED_AT))


Errand = Callable[[Any, Claim], Awaitable[Reply]]
"""What takes several requests, by the type of its action. Asks `kept` before each of them."""
