"""Wiring: every number of ours is compared with the front door's routes, page by page, and put right if so wished."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from processors.contract.actions import WireNumbers
from sinks.ledger.claim import Claim
from sinks.ledger.listing import TRIES
from sinks.ledger.performing import Provider
from sinks.twilio.observations import items_of
from sinks.twilio.replies import Done, Listed, Lost, NotYet, Refused, Reply
from sinks.twilio.shown import NUMBER, Summary, Unreadable, bounded, summary
from sinks.twilio.wiring import answered_by, configured, differences, shown

Number = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Wiring:
    """The errand. `public_base` is the front door's address as the provider reaches it."""

    provider: Provider
    public_base: str

    async def __call__(self, action: WireNumbers, claim: Claim) -> Reply:
        """Listed, with how many were compared and those of them that differ; else why not. What was put right until
        then stays so."""
        uri: str | None = None
        compared = 0
        found: list[Summary] = []
        while True:
            page = partial(self.provider.page, action, uri)
            reply = await _asked(page, claim, TRIES if uri is not None else 1)
            if not isinstance(reply, Done):
                return reply
            try:
                numbers, uri = items_of(action, reply.body)
            except Unreadable:
                return Refused(reply.http_status, None, "unreadable")
            if not all("sid" in summary(NUMBER, number) for number in numbers):
                return Refused(reply.http_status, None, "unreadable")
            for number in numbers[: action.limit - compared]:
                told = await self._wired(action, number, claim)
                if isinstance(told, NotYet | Lost):
                    return told
                compared += 1
                found += told
            if uri is None or compared >= action.limit:
                return Listed(reply.http_status, compared, bounded(found))

    async def _wired(self, action: WireNumbers, number: Number, claim: Claim) -> list[Summary] | NotYet | Lost:
        """What there is to say of a number: nothing, if it is as it should be."""
        wanted = differences(number, self.public_base)
        if not wanted:
            return [shown(number, wanted, self.public_base, "found")] if answered_by(number) else []
        if not action.fix:
            return [shown(number, wanted, self.public_base, "found")]
        change = configured(action, number, wanted)
        reply = await _asked(lambda: self.provider.perform(change), claim, TRIES)
        if isinstance(reply, NotYet | Lost):
            return reply
        is_right = isinstance(reply, Done) and not differences(reply.body, self.public_base)
        code = reply.error_code if isinstance(reply, Refused) else None
        return [shown(number, wanted, self.public_base, "fixed" if is_right else "refused", code)]


async def _asked(ask: Callable[[], Awaitable[Reply]], claim: Claim, tries: int) -> Reply:
    """What is done by now is worth a few tries: it would begin with the first page again."""
    attempt = 1
    while True:
        if not await claim.kept():
            return NotYet("lease_over")
        reply = await ask()
        if attempt >= tries or not isinstance(reply, NotYet | Lost):
            return reply
        await claim.pause(attempt)
        attempt += 1
