"""What may go wrong, and when: after so many effects on the outside, one fails, ends a process or freezes it."""

import random
from collections import Counter
from collections.abc import Coroutine, Generator
from typing import Any

from processors.store.port import StoreUnavailable
from processors.stream.producer import BrokerUnavailable
from sinks.ledger.port import LedgerUnavailable


class Crash(Exception):
    """The process ends here; what was done before stays done."""


class Freeze(Exception):
    """The process stands still here, loses its partitions, and goes on later as if nothing had been."""


class _Standstill:
    def __await__(self) -> Generator[None, None, None]:
        yield


Fault = type[Crash] | type[Freeze] | type[BrokerUnavailable] | type[StoreUnavailable] | type[LedgerUnavailable]
AWAY = (BrokerUnavailable, StoreUnavailable, LedgerUnavailable)
"""Worth trying again; what was asked for may have been done all the same."""

MOST_APART = 40


class Faults:
    """`budget` of them in all, so that every world comes to rest; `met` counts those that struck."""

    def __init__(self, chance: random.Random, budget: int) -> None:
        self._chance = chance
        self._budget = budget
        self._left = chance.randint(0, MOST_APART)
        self.met: Counter[str] = Counter()
        self.may_freeze = False
        self._certain: Fault | None = None

    def strike(self, kind: Fault, after: int) -> None:
        """That one and no other, after so many effects more."""
        self._certain, self._budget, self._left = kind, 1, after
        self.may_freeze = True

    async def meet(self, *kinds: Fault) -> None:
        """To be called around every effect; one of these kinds of fault strikes, or none."""
        if not self._budget:
            return
        self._left -= 1
        if self._left >= 0:
            return
        self._left = self._chance.randint(0, MOST_APART)
        self._budget -= 1
        kind = self._certain or self._chance.choice(kinds)
        if kind is Freeze and not self.may_freeze:
            kind = Crash
        self.met[kind.__name__] += 1
        if kind is not Freeze:
            raise kind("told to fail")
        await _Standstill()


def drive(running: Coroutine[Any, Any, object]) -> bool:
    """Runs it to its end, or until it freezes; whether it came to its end. Nothing here waits for anything else."""
    try:
        running.send(None)
    except StopIteration:
        return True
    return False
