"""The client: an action through the official SDK, over an HTTP client of ours. One request, one reply, no retry.

The SDK's own clients have no finite timeout, and its retries repeat POSTs: https://github.com/twilio/twilio-python.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

import httpx
from twilio.base.exceptions import TwilioException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from processors.contract.actions import Action, AnyList, Download
from sinks.settings import Account
from sinks.twilio import files, requests
from sinks.twilio.files import NEVER_LEFT, Opened
from sinks.twilio.operations import OPERATIONS
from sinks.twilio.replies import Lost, NotYet, Refused, Reply, confirm, read
from sinks.twilio.requests import Request, Step

_PROVIDER = "https://api.twilio.com"
# Shorter than servers keep an idle connection: a request into a closing one is lost, and would be unknown.
_KEEP_IDLE_SECONDS = 2.0


class Twilio:
    """`accounts` by SID; `public_base` is the front door's address in callback URLs. `transport` is the network."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        public_base: str,
        *,
        timeout: float,
        connections: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._accounts = accounts
        self._public_base = public_base
        limits = httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEP_IDLE_SECONDS,
        )
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            limits=limits, timeout=timeout, follow_redirects=False, trust_env=False, transport=transport
        )
        self._sdks = {sid: _sdk(account, self._http) for sid, account in accounts.items()}

    async def stop(self) -> None:
        await self._http.aclose()

    async def perform(self, action: Action) -> Reply:
        """Asks for it once. Never raises for what the provider or the network does."""
        reply = await self._ask(action, partial(requests.request, action, self._public_base))
        if OPERATIONS[action.type].wanted and isinstance(reply, Refused) and reply.http_status is not None:
            return confirm(action.type, reply, await self._ask(action, partial(requests.fetching, action)))
        return reply

    async def page(self, action: AnyList, uri: str | None = None) -> Reply:
        """Reads one page of a list: the first, or the one at `uri`, which the page before it named."""
        if uri is None:
            return await self._ask(action, partial(requests.request, action, self._public_base))
        return await self._ask(action, partial(requests.following, action, _PROVIDER + uri))

    async def look_up(self, action: Action, sid: str) -> Reply:
        """Reads what an action made. Raises ValueError for one that makes nothing to be read."""
        return await self._ask(action, partial(requests.looking_up, action, sid), looked_up=True)

    @contextlib.asynccontextmanager
    async def file(self, action: Download, start: int = 0, validator: str | None = None) -> AsyncIterator[Opened]:
        """Its file, from `start` on if it still is the version called `validator`."""
        account = self._accounts.get(action.account_sid)
        if account is None:
            yield Refused(None, None, "unknown_account")
            return
        url, auth = account.base_url + requests.file(action), (account.user, account.password.get_secret_value())
        async with files.opened(self._http, url, auth, action.type, start, validator) as found:
            yield found

    async def _ask(self, action: Action, make: Callable[[], Request], *, looked_up: bool = False) -> Reply:
        sdk = self._sdks.get(action.account_sid)
        if sdk is None:
            return Refused(None, None, "unknown_account")
        answers: list[httpx.Response] = []
        answered = _ANSWERS.set(answers)
        try:
            # Of all of it, from before it is made: httpx limits each of its own parts, and who stood still while it was
            # made would send it when the lease is over.
            async with asyncio.timeout(self._timeout):
                request = make()
                await getattr(_resource(sdk, request.steps), f"{request.verb}_async")(**request.arguments)
        except NEVER_LEFT:
            return NotYet("no_connection")
        except (httpx.HTTPError, TimeoutError) as error:
            return Lost("timeout" if isinstance(error, httpx.TimeoutException | TimeoutError) else "connection_lost")
        except (TwilioException, TypeError, KeyError, ValueError, AttributeError):
            # What the SDK makes of an answer is not needed: the answer itself is read below.
            if not answers:
                raise
        finally:
            _ANSWERS.reset(answered)
        response = answers[-1]
        retry_after = response.headers.get("Retry-After")
        return read(action.type, response.status_code, response.text, looked_up=looked_up, retry_after=retry_after)


_ANSWERS: ContextVar[list[httpx.Response]] = ContextVar("answers")
"""Answers as they came, to whoever asks: the SDK keeps what it makes of them."""


def _sdk(account: Account, http: httpx.AsyncClient) -> Client:
    return Client(  # type: ignore[no-untyped-call]
        account.user,
        account.password.get_secret_value(),
        account_sid=account.sid,
        http_client=_Exchange(http, account.base_url),
        # Not the machine's own TWILIO_REGION and TWILIO_EDGE: settings say where requests go.
        environment={"TWILIO_REGION": ""},
    )


def _resource(sdk: Client, steps: Sequence[Step]) -> Any:
    found: Any = sdk
    for name, argument in steps:
        found = found(argument) if name is None else getattr(found, name)
    return found


class _Exchange(AsyncHttpClient):
    """The SDK's transport, one an account."""

    def __init__(self, http: httpx.AsyncClient, base_url: str) -> None:
        # The SDK logs parameters, numbers and bodies among them; nobody reads them here.
        super().__init__(logging.getLogger("twilio.silent"), is_async=True)
        self._http = http
        self._base_url = base_url

    async def request(  # type: ignore[override]  # the SDK's base class is not a coroutine, its callers await
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the SDK's signature; ours is around the whole request
        allow_redirects: bool = False,
    ) -> Response:
        url = self._base_url + uri.removeprefix(_PROVIDER)
        sent: Any = data  # httpx's own types are narrower than what it takes
        response = await self._http.request(method, url, params=_query(params), data=sent, headers=headers, auth=auth)
        _ANSWERS.get().append(response)
        return Response(response.status_code, response.text, response.headers)


def _query(params: Mapping[str, object] | None) -> Mapping[str, str] | None:
    return {name: str(value) for name, value in params.items() if value is not None} if params else None
