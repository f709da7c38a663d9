"""The official SDK and nothing else: `python -m bench.actions.bare CLIENT PORT COUNT` prints what it took, as JSON.

`httpx`: its async interface over httpx, as ours; `requests`: its own client, one request after the other; `aiohttp`:
its own async client. Each has one client for all, and connections that stay open.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx
import uvloop
from twilio.http import AsyncHttpClient
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from bench.actions.jobs import ACCOUNT, CONCURRENCY, FRONT_DOOR, TOKEN, messages
from processors.contract.actions import CreateMessage
from sinks.twilio.callbacks import of_message

WARM = 300
PROVIDER = "https://api.twilio.com"

Send = Callable[[CreateMessage], Awaitable[object]]


def arguments(action: CreateMessage) -> Mapping[str, Any]:
    return {"to": action.to, "from_": action.from_, "body": action.body, **of_message(action, FRONT_DOOR)}


class OverHttpx(AsyncHttpClient):
    def __init__(self, port: int) -> None:
        super().__init__(logging.getLogger("bench.silent"), is_async=True)
        limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
        self._http = httpx.AsyncClient(limits=limits, timeout=15.0, trust_env=False)
        self._base = f"http://127.0.0.1:{port}"

    async def request(  # type: ignore[override]
        self,
        method: str,
        uri: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the SDK's signature
        allow_redirects: bool = False,
    ) -> Response:
        url = uri.replace(PROVIDER, self._base)
        response = await self._http.request(method, url, params=params, data=data, headers=headers, auth=auth)
        return Response(response.status_code, response.text, response.headers)


class OverAiohttp(AsyncTwilioHttpClient):
    def __init__(self, port: int) -> None:
        super().__init__()
        self._base = f"http://127.0.0.1:{port}"

    async def request(self, method: str, url: str, **given: Any) -> Response:  # type: ignore[override]
        return await super().request(method, url.replace(PROVIDER, self._base), **given)


class OverRequests(TwilioHttpClient):
    def __init__(self, port: int) -> None:
        super().__init__()
        self._base = f"http://127.0.0.1:{port}"

    def request(self, method: str, url: str, **given: Any) -> Response:  # type: ignore[override]
        return super().request(method, url.replace(PROVIDER, self._base), **given)


async def asynchronous(client: AsyncHttpClient, count: int) -> Mapping[str, float]:
    sdk = Client(ACCOUNT, TOKEN, http_client=client)  # type: ignore[no-untyped-call]

    async def send(some: Iterator[CreateMessage]) -> None:
        for action in some:
            await sdk.messages.create_async(**arguments(action))

    async def work(wanted: int) -> None:
        shared = messages(wanted)
        await asyncio.gather(*(send(shared) for _ in range(CONCURRENCY)))

    await work(WARM)
    began, used = time.perf_counter(), time.process_time()
    await work(count)
    return took(count, began, used)


def synchronous(client: TwilioHttpClient, count: int) -> Mapping[str, float]:
    sdk = Client(ACCOUNT, TOKEN, http_client=client)  # type: ignore[no-untyped-call]
    for action in messages(WARM):
        sdk.messages.create(**arguments(action))
    began, used = time.perf_counter(), time.process_time()
    for action in messages(count):
        sdk.messages.create(**arguments(action))
    return took(count, began, used)


def took(count: int, began: float, used: float) -> Mapping[str, float]:
    """Actions a second, and microseconds of CPU for each."""
    cpu, seconds = time.process_time() - used, time.perf_counter() - began
    return {"rate": count / seconds, "cpu": cpu / count * 1e6, "asked": count + WARM}


async def over_aiohttp(port: int, count: int) -> Mapping[str, float]:
    client = OverAiohttp(port)
    try:
        return await asynchronous(client, count)
    finally:
        await client.close()  # type: ignore[no-untyped-call]


def main(client: str, port: int, count: int) -> None:
    match client:
        case "httpx":
            found = uvloop.run(asynchronous(OverHttpx(port), count))
        case "aiohttp":
            found = uvloop.run(over_aiohttp(port, count))
        case _:
            found = synchronous(OverRequests(port), count)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
