"""Provider time as a port: the machine's, with waiting shortened by a speed; or virtual, where nobody waits.

An instant is a count of provider seconds, for the order of what is due; `now` is the date that resources get.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

SLOWEST, FASTEST = 0.01, 10_000.0
START = datetime(2026, 1, 1, tzinfo=UTC)  # of virtual time, unless told otherwise: dates repeat with the seed


class Clock(Protocol):
    def instant(self) -> float:
        """Provider seconds."""

    def seconds(self) -> float:
        """Real seconds, or virtual ones: what a caller's rate is measured in."""

    def now(self) -> datetime:
        """The date, in UTC."""

    def wake(self, at: float | None, run: Callable[[], None]) -> None:
        """Run at that instant, instead of what was to be run before; at no time when it is None."""


class RealClock:
    """`speed` provider seconds pass in one real second; dates are the wall clock's."""

    def __init__(self, speed: float = 1, date: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.speed = min(max(speed, SLOWEST), FASTEST)
        self._date = date
        self._timer: asyncio.TimerHandle | None = None

    def instant(self) -> float:
        return self.seconds() * self.speed

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return self._date()

    def wake(self, at: float | None, run: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if at is None else loop.call_at(at / self.speed, run)


class VirtualClock:
    """It stands still until it is moved, and whoever moves it runs what is due then."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._instant = 0.0

    def instant(self) -> float:
        return self._instant

    def seconds(self) -> float:
        return self._instant

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._instant)

    def wake(self, at: float | None, run: Callable[[], None]) -> None:
        """Nothing: it does not pass by itself."""

    def move(self, to: float) -> None:
        """Forward only."""
        self._instant = max(self._instant, to)
