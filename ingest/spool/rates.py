"""Rates: how much came in the last minute, kept in a slot a second, so that it neither grows nor has to be trimmed."""

_SECONDS = 60


class Rate:
    """One thread adds; any may ask meanwhile, since there are always as many slots."""

    def __init__(self) -> None:
        self._slots = [(0, 0)] * _SECONDS  # second, and what came in it

    def add(self, now: float, amount: int) -> None:
        second = int(now)
        then, before = self._slots[second % _SECONDS]
        self._slots[second % _SECONDS] = (second, amount + (before if then == second else 0))

    def a_second(self, now: float) -> float:
        """On average over the last minute."""
        return sum(amount for second, amount in self._slots if now - _SECONDS < second <= now) / _SECONDS
