"""How a request reaches its receiver: over HTTP, or into a callable of this process.

Over HTTP the provider's limits hold in real time; where the public address is routed to a local one, it is
still the public one that is named and signed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import httpx

from deploy.emulator.account import Answer
from deploy.emulator.callbacks.requests import Outgoing, Overrides, is_routable

Received = tuple[int, str] | tuple[int, str, str]
"""What a receiver of this process answers: status, body, and the type of that, where it says one."""

Carry = Callable[[Outgoing, Overrides, float], Awaitable[Answer]]
"""(request, its limits, seconds that are left of its total time) → answer."""

CONNECTIONS = 48
# Below the five seconds after which common servers close an idle connection: a callback sent into a closing
# one would be lost and look like the receiver's fault.
KEEP_IDLE = 2.0


def in_process(receive: Callable[[Outgoing], Awaitable[Received]]) -> Carry:
    async def carry(request: Outgoing, limits: Overrides, left: float) -> Answer:
        return Answer(*await receive(request))

    return carry


class HttpCarrier:
    """Connections to receivers, kept open. `routes` are beginnings of public URLs → local ones."""

    def __init__(self, routes: Mapping[str, str] | None = None) -> None:
        self._routes = routes or {}
        limits = httpx.Limits(
            max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEEP_IDLE
        )
        self._transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def __call__(self, request: Outgoing, limits: Overrides, left: float) -> Answer:
        made = self._request(request, limits)
        if not is_routable(str(made.url)):
            return Answer("ct")
        try:
            async with asyncio.timeout(left):
                response = await self._transport.handle_async_request(made)
                try:
                    body = await response.aread()
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return Answer("ct")
        except (httpx.ReadTimeout, TimeoutError):
            return Answer("rt")
        except httpx.HTTPError:
            return Answer("broken")
        content_type = response.headers.get("content-type", "")
        return Answer(response.status_code, body.decode("utf-8", "replace"), content_type)

    def _request(self, outgoing: Outgoing, limits: Overrides) -> httpx.Request:
        read, connect = limits.read / 1000, limits.connect / 1000
        timeout = {"connect": connect, "read": read, "write": read, "pool": None}
        url, headers = outgoing.url, dict(outgoing.headers)
        for public, local in self._routes.items():
            if url.startswith(public):
                headers["Host"] = httpx.URL(url).netloc.decode()
                url = local + url.removeprefix(public)
                break
        return httpx.Request(
            outgoing.method, url, headers=headers, content=outgoing.body, extensions={"timeout": timeout}
        )
