"""Sends callbacks: a queue, a few dozen workers that keep their connections, and the fault plan between them.

By default a 4xx, a 5xx or a late answer is not tried again; only a failed connection is, once
(https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx

from deploy.emulator.account import Callback
from deploy.emulator.agenda import Agenda
from deploy.emulator.callbacks.deliveries import Deliveries
from deploy.emulator.callbacks.requests import Outgoing, Overrides, again, is_routable, outgoing, overrides
from deploy.emulator.chance import token as draw_token
from deploy.emulator.faults import Forgery, Plan, callback_verdict

log = logging.getLogger(__name__)

Hears = Callable[[Callback, str], None]

# Below the five seconds after which common servers close an idle connection: a callback sent into a closing
# one would be lost and look like the receiver's fault.
KEEP_IDLE = 2.0
RETRY_PAUSE = 0.1


class Delivery(NamedTuple):
    callback: Callback
    forgery: Forgery | None = None


class Callbacks:
    """`hears` is told each callback whose answer matters, with that answer, once."""

    def __init__(
        self,
        token: str,
        seed: int,
        plan: Plan,
        agenda: Agenda,
        hears: Hears,
        *,
        workers: int = 48,
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self.deliveries = Deliveries()
        self._token, self._seed, self._plan, self._agenda, self._hears = token, seed, plan, agenda, hears
        self._routes = routes or {}
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()
        self._workers = workers

    async def run(self) -> None:
        """Deliver until canceled."""
        limits = httpx.Limits(
            max_connections=self._workers,
            max_keepalive_connections=self._workers,
            keepalive_expiry=KEEP_IDLE,
        )
        async with httpx.AsyncHTTPTransport(limits=limits, trust_env=False) as transport, asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work(transport))

    def dispatch(self, callback: Callback) -> None:
        """Plan the deliveries of a callback: the true one, its duplicate, its forgery, each at its time."""
        verdict = callback_verdict(self._plan, self._seed, callback.kind, callback.sid, callback.ordinal, callback.what)
        self.deliveries.planned(callback, verdict)
        if verdict.forgery:
            self._send(Delivery(callback, verdict.forgery), 0)
        if verdict.drop:
            return
        self._send(Delivery(callback), verdict.wait)
        if verdict.duplicate_after is not None:
            self._send(Delivery(callback), verdict.wait + verdict.duplicate_after)

    def _send(self, delivery: Delivery, wait: float) -> None:
        self.deliveries.begun(delivery.callback)
        if wait:
            self._agenda.after(wait, lambda: self._queue.put_nowait(delivery))
        else:
            self._queue.put_nowait(delivery)

    async def _work(self, transport: httpx.AsyncHTTPTransport) -> None:
        while True:
            delivery = await self._queue.get()
            try:
                await self._deliver(transport, delivery)
            except Exception:
                # A worker is an outermost loop: one odd callback must not end it for all the others.
                log.exception("callback of kind %s failed", delivery.callback.kind)
                self.deliveries.ended(delivery.callback, delivery.forgery, "broken")

    async def _deliver(self, transport: httpx.AsyncHTTPTransport, delivery: Delivery) -> None:
        callback, forgery = delivery
        limits = overrides(callback.url)
        # The same token for every delivery of one callback: how a receiver recognises a retry.
        name = draw_token(self._seed, callback.kind, callback.sid, callback.ordinal)
        request = outgoing(callback, self._token, name, forgery)
        outcome, text = await self._attempts(transport, delivery, request, limits)
        if self.deliveries.ended(callback, forgery, outcome) and callback.hears:
            self._hears(callback, text)

    async def _attempts(
        self, transport: httpx.AsyncHTTPTransport, delivery: Delivery, request: Outgoing, limits: Overrides
    ) -> tuple[int | str, str]:
        """Try, and try again as the overrides say, within their total time."""
        outcome, text = "ct", ""
        outcome_seen: int | str = outcome
        loop = asyncio.get_running_loop()
        until = loop.time() + limits.total / 1000
        for attempt in range(1 + limits.retries):
            left = until - loop.time()
            if attempt and left <= RETRY_PAUSE:
                break
            if attempt:
                await asyncio.sleep(RETRY_PAUSE)
            outcome_seen, text = await self._attempt(transport, request, limits, left)
            self.deliveries.tried(delivery.callback, delivery.forgery, outcome_seen)
            if not again(limits.policy, outcome_seen):
                break
        return outcome_seen, text

    async def _attempt(
        self, transport: httpx.AsyncHTTPTransport, outgoing: Outgoing, limits: Overrides, left: float
    ) -> tuple[int | str, str]:
        """The HTTP status with the body of its answer; or `ct`, `rt`, `broken`."""
        request = self._request(outgoing, limits)
        if not is_routable(str(request.url)):
            return "ct", ""
        try:
            async with asyncio.timeout(left):
                response = await transport.handle_async_request(request)
                try:
                    body = await response.aread()
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return "ct", ""
        except (httpx.ReadTimeout, TimeoutError):
            return "rt", ""
        except httpx.HTTPError:
            return "broken", ""
        return response.status_code, body.decode("utf-8", "replace")

    def _request(self, outgoing: Outgoing, limits: Overrides) -> httpx.Request:
        read, connect = limits.read / 1000, limits.connect / 1000
        timeout = {"connect": connect, "read": read, "write": read, "pool": None}
        url, headers = outgoing.url, dict(outgoing.headers)
        for public, local in self._routes.items():
            if url.startswith(public):  # connect there, but name and sign the public address
                headers["Host"] = httpx.URL(url).netloc.decode()
                url = local + url.removeprefix(public)
                break
        return httpx.Request(
            outgoing.method, url, headers=headers, content=outgoing.body, extensions={"timeout": timeout}
        )
