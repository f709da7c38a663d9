"""Joins the pure account with time and the network: what it says is sent, what it plans is run.

Everything happens on one event loop, one change at a time; dates are the wall clock's, and only waiting is
shortened by the speed.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from deploy.emulator.account import Account, Callback, Due, Wanted
from deploy.emulator.agenda import Agenda
from deploy.emulator.callbacks.sending import Callbacks

T = TypeVar("T")


class Exchange:
    def __init__(
        self,
        account: Account,
        token: str,
        *,
        speed: float = 1,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self.account, self.token = account, token
        self.agenda = Agenda(speed)
        self._clock = clock
        self.callbacks = Callbacks(token, account.seed, account.plan, self.agenda, self._hear, routes=routes)

    @property
    def pending(self) -> int:
        """Steps and deliveries still to come."""
        return len(self.agenda) + self.callbacks.deliveries.outstanding

    def change(self, what: Callable[[Account, datetime], T]) -> T:
        """Change the account now; send and schedule what follows."""
        result = what(self.account, self._clock())
        for callback in self.account.outbox:
            self.callbacks.dispatch(callback)
        for seconds, due, wanted in self.account.agenda:
            self._schedule(seconds, due, wanted)
        self.account.outbox.clear()
        self.account.agenda.clear()
        return result

    def _schedule(self, seconds: float, due: Due, wanted: Wanted) -> None:
        self.agenda.after(seconds, lambda: self.change(due), wanted)

    def _hear(self, callback: Callback, answer: str) -> None:
        hears = callback.hears
        if hears:
            self.change(lambda account, now: hears(account, now, answer))
