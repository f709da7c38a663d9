"""Joins the pure account with time and the network: what it says is sent, what it plans is run.

Everything happens on one event loop, one change at a time. In real time callbacks are sent side by side; in
virtual time one after the other, and time goes on when all that was due is over: the same seed and the same
requests give the same truth, byte for byte.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TypeVar

from deploy.emulator.account import Account, Answer, Callback, Due, Wanted
from deploy.emulator.agenda import BATCH, Agenda
from deploy.emulator.callbacks.carrying import Carry
from deploy.emulator.callbacks.sending import RETRY_PAUSE, Callbacks
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.callbacks.streams import EventStreams
from deploy.emulator.clocks import Clock, VirtualClock
from deploy.emulator.limits import Queues
from deploy.emulator.lives import debugging

T = TypeVar("T")


class NotVirtual(Exception):
    """Real time cannot be moved."""


class Exchange:
    """`carry` takes a request to its receiver: over HTTP, or to a callable in this process."""

    def __init__(self, account: Account, keys: Keys, clock: Clock, carry: Carry) -> None:
        self.account, self.keys, self.clock = account, keys, clock
        self.agenda = Agenda(clock)
        pause = 0 if isinstance(clock, VirtualClock) else RETRY_PAUSE
        self.callbacks = Callbacks(account, keys, self.agenda, carry, self._tell, self._note, pause=pause)
        self.streams = EventStreams(account, keys, self.callbacks, self.agenda.instant, self.agenda.after)
        self._queues = Queues()
        account.queued = lambda queue: self._queues.length(queue, self.agenda.instant())
        self._moving = asyncio.Lock()

    @property
    def pending(self) -> int:
        """Steps and deliveries still to come."""
        return len(self.agenda) + self.callbacks.deliveries.outstanding + self.streams.outstanding

    def change(self, what: Callable[[Account, datetime], T]) -> T:
        """Change the account now; send and schedule what follows."""
        now = self.clock.now()
        result = what(self.account, now)
        for callback in self.account.outbox:
            self.streams.tell(callback, now)
            self.callbacks.dispatch(callback)
        for seconds, due, wanted in self.account.agenda:
            self._schedule(seconds, due, wanted)
        for turn in self.account.turns:
            instant = self.agenda.instant()
            at = self._queues.turn(turn.queue, turn.takes, instant + turn.seconds)
            self._schedule(at - instant, turn.due, turn.wanted)
        self.account.outbox.clear()
        self.account.turns.clear()
        self.account.agenda.clear()
        return result

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver callbacks while this lasts. Virtual time needs nobody: `move` delivers."""
        if isinstance(self.clock, VirtualClock):
            yield
            return
        sending = asyncio.create_task(self.callbacks.run())
        try:
            yield
        finally:
            self.agenda.close()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

    async def move(self, seconds: float | None = None) -> None:
        """Let so much virtual time pass, or as much as there is something to come.

        Every callback that is due is answered before time goes on. Raises NotVirtual.
        """
        clock = self.clock
        if not isinstance(clock, VirtualClock):
            raise NotVirtual("real time passes by itself: start the emulator with --virtual")
        async with self._moving:
            until = None if seconds is None else clock.instant() + seconds
            await self.callbacks.settle()
            ran = 0
            while (due := self.agenda.due()) is not None and (until is None or due <= until):
                clock.move(due)
                self.agenda.run_next()
                if self.callbacks.waiting:
                    await self.callbacks.settle()
                ran += 1
                if ran % BATCH == 0:
                    await asyncio.sleep(0)  # whoever asks meanwhile is answered
            if until is not None:
                clock.move(until)

    def _schedule(self, seconds: float, due: Due, wanted: Wanted) -> None:
        self.agenda.after(seconds, lambda: self.change(due), wanted)

    def _tell(self, callback: Callback, answer: Answer | int) -> None:
        hears, fails = callback.hears, callback.fails
        if isinstance(answer, Answer) and hears:
            self.change(lambda account, now: hears(account, now, answer))
        if isinstance(answer, int) and fails:
            self.change(lambda account, now: fails(account, now, answer))

    def _note(self, callback: Callback, answer: Answer, took: float, failed: bool) -> None:
        if failed or debugging.call_of(callback):
            self.change(lambda account, now: debugging.note(account, callback, answer, took, failed, now))
