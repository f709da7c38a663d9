"""Sends callbacks: a queue, workers or whoever moves virtual time, and the fault plan between them.

By default a 4xx, a 5xx or a late answer is not tried again; only a failed connection is, once
(https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides). The password of a URL is told to who asks
for it with a 401, at once. Whoever made a callback is told its
answer, or the provider's error code when none came (https://www.twilio.com/docs/api/errors). Each attempt is noted.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from deploy.emulator.account import Account, Answer, Callback
from deploy.emulator.agenda import Agenda
from deploy.emulator.callbacks.carrying import CONNECTIONS, Carry
from deploy.emulator.callbacks.deliveries import Deliveries, outcome_word
from deploy.emulator.callbacks.requests import Outgoing, Overrides, again, authorization, outgoing, overrides
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.chance import token as draw_token
from deploy.emulator.faults import Forgery, Signer, callback_verdict
from deploy.emulator.lives.debugging import NO_USABLE_ANSWER, code_of

log = logging.getLogger(__name__)

Tell = Callable[[Callback, Answer | int], None]
Note = Callable[[Callback, Answer, float, bool], None]
Job = Callable[[], Awaitable[None]]

RETRY_PAUSE = 0.1


class Delivery(NamedTuple):
    callback: Callback
    forgery: Forgery | None = None
    signer: Signer = Signer.PRIMARY


class Callbacks:
    """`tell` is told of each callback, once, its first 2xx answer, or why there is none to come.

    `note` is told of each true attempt its answer, the provider seconds that it took, and whether it was one too few.
    """

    def __init__(
        self,
        account: Account,
        keys: Keys,
        agenda: Agenda,
        carry: Carry,
        tell: Tell,
        note: Note,
        *,
        pause: float = RETRY_PAUSE,
    ) -> None:
        self.deliveries = Deliveries()
        self.carry = carry
        self._account, self._keys, self._agenda, self._tell, self._note = account, keys, agenda, tell, note
        self._pause = pause  # real seconds between two tries
        self._queue: asyncio.Queue[Job] = asyncio.Queue()

    async def run(self) -> None:
        """Deliver side by side until canceled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._work())

    @property
    def waiting(self) -> bool:
        """Whether something is to be sent now."""
        return not self._queue.empty()

    async def settle(self) -> None:
        """Deliver what waits, one after the other, and what its answers make."""
        while self.waiting:
            await self._queue.get_nowait()()

    def submit(self, job: Job) -> None:
        """Have something sent as soon as it is its turn."""
        self._queue.put_nowait(job)

    def dispatch(self, callback: Callback) -> None:
        """Plan the deliveries of a callback: the true one, its duplicate, its forgery, each at its time."""
        account = self._account
        verdict = callback_verdict(
            account.plan, account.seed, callback.kind, callback.sid, callback.ordinal, callback.what
        )
        self.deliveries.planned(callback, verdict)
        if verdict.forgery:
            self._send(Delivery(callback, verdict.forgery), 0)
        if verdict.drop:
            if callback.fails and not verdict.forgery:  # else it is the end of the forged one that tells
                self._agenda.after(0, lambda: self._tell(callback, NO_USABLE_ANSWER))
            return
        self._send(Delivery(callback, signer=verdict.signer), verdict.wait)
        if verdict.duplicate_after is not None:
            self._send(Delivery(callback, signer=verdict.signer), verdict.wait + verdict.duplicate_after)

    def _send(self, delivery: Delivery, wait: float) -> None:
        self.deliveries.begun(delivery.callback)
        if wait:
            self._agenda.after(wait, lambda: self.submit(lambda: self._deliver(delivery)))
        else:
            self.submit(lambda: self._deliver(delivery))

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            try:
                await job()
            except Exception:
                # A worker is an outermost loop: one odd job must not end it for all the others.
                log.exception("something that was to be sent, or its answer, failed")

    async def _deliver(self, delivery: Delivery) -> None:
        callback, forgery, _ = delivery
        try:
            answer = await self._attempts(delivery)
        except Exception:
            # Whatever it was, the callback is over: nobody is to wait for it.
            log.exception("callback of kind %s failed", callback.kind)
            answer = Answer("broken")
        outcome = answer.outcome
        first = self.deliveries.ended(callback, forgery, outcome)
        if first:
            self._tell(callback, answer)
        elif self.deliveries.is_lost(callback):
            self._tell(callback, code_of(outcome))

    async def _attempts(self, delivery: Delivery) -> Answer:
        """Try, and try again as the overrides say, within their total time."""
        callback, forgery, signer = delivery
        limits = overrides(callback.url)
        # The same token for every delivery of one callback: how a receiver recognises a retry.
        name = draw_token(self._account.seed, callback.kind, callback.sid, callback.ordinal)
        request = outgoing(callback, self._keys, name, signer, forgery)
        loop = asyncio.get_running_loop()
        until = loop.time() + limits.total / 1000
        answer, took = await self._attempt(delivery, request, limits, until)
        for _ in range(limits.retries):
            if not again(limits.policy, answer.outcome) or loop.time() + self._pause >= until:
                break
            self._noted(delivery, answer, took, last=False)
            await asyncio.sleep(self._pause)
            answer, took = await self._attempt(delivery, request, limits, until)
        self._noted(delivery, answer, took, last=True)
        return answer

    async def _attempt(
        self, delivery: Delivery, request: Outgoing, limits: Overrides, until: float
    ) -> tuple[Answer, float]:
        """The answer, and the provider seconds until it came."""
        begun, credentials = self._agenda.instant(), authorization(delivery.callback.url)
        answer = await self._carried(delivery, request, limits, until)
        if answer.outcome == 401 and credentials:
            known = request._replace(headers={**request.headers, "Authorization": credentials})
            answer = await self._carried(delivery, known, limits, until)
        return answer, self._agenda.instant() - begun

    async def _carried(self, delivery: Delivery, request: Outgoing, limits: Overrides, until: float) -> Answer:
        answer = await self.carry(request, limits, until - asyncio.get_running_loop().time())
        self.deliveries.tried(delivery.callback, delivery.forgery, answer.outcome)
        return answer

    def _noted(self, delivery: Delivery, answer: Answer, took: float, *, last: bool) -> None:
        if not delivery.forgery:  # the provider knows nothing of those
            self._note(delivery.callback, answer, took, last and outcome_word(answer.outcome) != "2xx")
